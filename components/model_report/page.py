"""The page: what is computed of a run, put into the templates."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.model_report import accuracy, calibration, charts, curves, lineage, mistakes
from components.model_report.formats import FILTERS
from components.model_report.images import data_uri
from components.model_report.run import Run
from components.model_report.verdict import fold

CONFUSIONS = 20
IMAGES = 24

TEMPLATES = Path(__file__).with_name("templates")


def render(run: Run, run_id: str) -> str:
    """Renders a run.

    Args:
      run: the run.
      run_id: the pipeline run's id; "" where there is none.

    Returns:
      HTML that needs no other file.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment.get_template("report.html.j2").render(
        run=run,
        run_id=run_id,
        pushed=run.artifacts["pushed_model"],
        bounds=fold(run.decision.bounds),
        accuracies=curves.accuracies(run.histories),
        curves={
            network: curves.charts(network, history) for network, history in run.histories.items()
        },
        groups=_groups(run),
        confusions=mistakes.confusions(
            run.labels, run.predictions["student"], run.predictions["teacher"], CONFUSIONS
        ),
        lost_images=_lost_images(run),
        reliability={
            network: calibration.reliability(run.labels, run.probabilities[network])
            for network in ("student", "teacher")
        },
        lineage=lineage.draw(run),
        drawing=lineage,
        frame=charts,
        config_yaml=yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True),
        command=shlex.join(run.record["command"]),
    )


def _groups(run: Run) -> dict[str, list[accuracy.GroupAccuracy]]:
    networks = {network: run.predictions[network] for network in ("teacher", "baseline", "student")}
    names = run.profile.class_names, run.profile.superclass_names
    return {
        "superclass": accuracy.by_group(run.coarse_labels, names[1], run.labels, networks),
        "class": accuracy.by_group(run.labels, names[0], run.labels, networks),
    }


def _lost_images(run: Run) -> list[dict[str, Any]]:
    student, teacher = run.probabilities["student"], run.probabilities["teacher"]
    names = run.profile.class_names
    lost: np.ndarray = mistakes.lost_images(run.labels, student, teacher, IMAGES)
    return [
        {
            "source": data_uri(run.images[position]),
            "label": names[run.labels[position]],
            "answer": names[run.predictions["student"][position]],
            "student": float(student[position].max()),
            "teacher": float(teacher[position].max()),
        }
        for position in lost
    ]
