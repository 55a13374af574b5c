"""The model card: what a pushed version is, for people and for Hugging Face.

Its front matter is that of https://huggingface.co/docs/hub/model-cards. It names no `library_name`:
Hugging Face's `keras` loads `.keras` files and its `tf-keras` is Keras 2, but this is a SavedModel.
Nor does it name a license: the run does not know under which one its model may be used.
"""

import json
import re
import shlex
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.decision import Decision
from components.profile import NetworkProfile, Profile
from kd_trainer import methods

_TRAINING = ("seed", "data", "teacher", "student", "method", "recipe")
_UNITS = {
    "share": "{:.2%}",
    "points": "{:.2%}",
    "count": "{:,.0f}",
    "bytes": "{:,.0f} bytes",
    "ratio": "{:.4g}",
    "nats": "{:.4g}",
}
# What Markdown takes for markup; an underscore within a word is none.
_MARKUP = re.compile(r"[\\`*\[\]<>|~&#$!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


class _Raw(str):
    """Text that is Markdown, or YAML."""


def render(profile: Profile, decision: Decision, run: Mapping[str, Any]) -> str:
    """Renders the card of the student that a run pushes.

    Args:
      profile: what was measured.
      decision: of the gate.
      run: as `run.json` holds it.

    Returns:
      Markdown with YAML front matter.

    Raises:
      KeyError, jinja2.UndefinedError: the run's record lacks what the card says.
    """
    config = run["config"]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        percent=_UNITS["share"].format,
        count=lambda value: "" if value is None else _UNITS["count"].format(value),
        in_unit=lambda value, unit: _UNITS[unit].format(value),
    )
    lite = any(name.startswith("tflite") for name in profile.networks)
    data = _data(config["data"])
    return environment.get_template("model_card.md.j2").render(
        front_matter=_front_matter(config["name"], data, profile.networks["student"], lite),
        config=config,
        student=_network(config["student"]),
        teacher=_network(config["teacher"]),
        method=methods.label(config["method"]),
        data=data,
        profile=profile,
        decision=decision,
        lite=lite,
        training=[row for key in _TRAINING for row in _flat(key, config[key])],
        run=run,
        command=_Raw(textwrap.indent(shlex.join(run["command"]), " " * 4, lambda line: True)),
    )


def _front_matter(name: str, data: str, student: NetworkProfile, lite: bool) -> _Raw:
    task = "image-classification"
    document = {
        "pipeline_tag": task,
        "tags": [task, "knowledge-distillation", "tfx", "tensorflow", *["tflite"] * lite],
        "datasets": ["cifar100"],
        "metrics": ["accuracy"],
        "model-index": [
            {
                "name": name,
                "results": [
                    {
                        "task": {"type": task, "name": "Image Classification"},
                        "dataset": {"type": "cifar100", "name": data, "split": "test"},
                        "metrics": [
                            {"type": "accuracy", "name": "top-1 accuracy", "value": student.top1},
                            {
                                "type": "accuracy",
                                "name": "top-5 accuracy",
                                "value": student.top5,
                                "args": {"k": 5},
                            },
                        ],
                    }
                ],
            }
        ],
    }
    return _Raw(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


def _plain(value: Any) -> Any:
    """Returns text that Markdown shows as it is, on one line; what is Markdown is let through."""
    if isinstance(value, _Raw):
        return value
    text = " ".join(str(value).split())
    return _MARKUP.sub(lambda match: f"&#{ord(match[0])};", text)


def _network(section: Mapping[str, Any]) -> str:
    return section["network"] or Path(section["from"]).name


def _data(section: Mapping[str, Any]) -> str:
    """Says which images it was."""
    path, limit = section["path"], section["limit"]
    if section["download"]:
        name = "CIFAR-100"
    else:
        name = f"CIFAR-100 from {Path(path).name}" if path else "CIFAR-100's sample in tfx-distill"
    return f"{name}, the first {limit} images of each file" if limit else name


def _flat(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yields the leaves of a part of the configuration, each with its key."""
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _flat(f"{key}.{name}", item)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for number, item in enumerate(value):
            yield from _flat(f"{key}[{number}]", item)
    else:
        yield key, value if isinstance(value, str) else json.dumps(value)
