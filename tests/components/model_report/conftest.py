"""A run's artifacts, made quickly: real images, real trainings, what is measured of them."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils, standard_artifacts

import schemas
from components import artifacts as ours
from components.cifar100_example_gen.executor import Executor as ExampleGen
from components.cifar100_example_gen.reader import read
from components.cifar100_example_gen.sample import SAMPLE
from components.decision import Bound, Decision
from components.distill_trainer.executor import Executor as DistillTrainer
from components.model_report.executor import Executor
from components.profile import NetworkProfile, Profile
from kd_trainer import examples, training
from kd_trainer.export import export, load
from kd_trainer.labels import COARSE_LABELS, FINE_LABELS
from kd_trainer.recipe import Recipe
from pipeline.config import load as load_config

LIMIT = 300
OVERRIDES = [
    f"data.limit={LIMIT}",
    "teacher.network=resnet8",
    "teacher.recipe={epochs: 2}",
    "recipe.epochs=2",
    "recipe.batch_size=32",
    "recipe.learning_rate=0.05",
    "method={name: fitnet}",  # two stages
    "gate.max_superclass_drop=0.2",
]
RUN_ID = "20261122-173314.590784"


def artifact(kind: type[Artifact], uri: Path) -> Any:
    made = kind()
    made.uri = str(uri)
    uri.mkdir(parents=True, exist_ok=True)
    return made


def write(folder: str, name: str, document: Any) -> None:
    (Path(folder) / name).write_text(json.dumps(document), encoding="utf-8")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    """The artifacts of a run that was blessed; leave them as they are."""
    folder = tmp_path_factory.mktemp("run")
    config = load_config("quick", OVERRIDES)
    kinds: dict[str, type[Artifact]] = {
        "run_record": ours.RunRecord,
        "examples": standard_artifacts.Examples,
        "schema": standard_artifacts.Schema,
        "teacher": standard_artifacts.Model,
        "teacher_run": standard_artifacts.ModelRun,
        "baseline": standard_artifacts.Model,
        "baseline_run": standard_artifacts.ModelRun,
        "student": standard_artifacts.Model,
        "student_run": standard_artifacts.ModelRun,
        "summary": ours.DistillationSummary,
        "evaluation": standard_artifacts.ModelEvaluation,
        "profile": ours.ModelProfile,
        "decision": ours.GateDecision,
        "pushed_model": standard_artifacts.PushedModel,
    }
    made = {key: artifact(kind, folder / key) for key, kind in kinds.items()}
    for number, one in enumerate(made.values(), 11):
        one.id = number
    shutil.copy(schemas.CIFAR100, made["schema"].uri)
    write(
        made["run_record"].uri,
        ours.RunRecord.FILE_NAME,
        {
            "command": ["tfx-distill", "run", "--preset", "quick", "--set", OVERRIDES[2]],
            "config": config.model_dump(mode="json"),
            "code": {"revision": "67d9c0e" + "0" * 33, "modified": False, "fingerprint": "f" * 64},
            "environment": {
                "python": "3.10.13",
                "platform": "Linux",
                "libraries": {"keras": keras.__version__, "numpy": np.__version__},
            },
        },
    )
    ExampleGen().Do(
        {},
        {"examples": [made["examples"]]},
        {"source": str(SAMPLE), "data_fingerprint": "", "eval_fraction": 0.1, "limit": LIMIT},
    )
    _train(made, config)
    _profile(made)
    _decide(made)
    pushed = made["pushed_model"]
    pushed.set_int_custom_property("pushed", 1)
    pushed.set_string_custom_property("pushed_version", "1795368993")
    version = folder / "serving" / "quick" / "1795368993"
    pushed.set_string_custom_property("pushed_destination", str(version))
    return made


@pytest.fixture
def run(trained: dict[str, Artifact], tmp_path: Path) -> dict[str, Artifact]:
    """The artifacts of the run, whose properties and JSON files may be changed."""
    copies = {key: Artifact.from_json_dict(one.to_json_dict()) for key, one in trained.items()}
    for key in ("run_record", "profile", "decision", "summary"):
        copies[key].uri = str(tmp_path / key)
        shutil.copytree(trained[key].uri, copies[key].uri)
    return copies


def write_report(run: dict[str, Artifact], folder: Path) -> Path:
    page = ours.ReportPage()
    page.uri = str(folder / "report")
    context = base_executor.BaseExecutor.Context(pipeline_run_id=RUN_ID)
    Executor(context).Do({key: [one] for key, one in run.items()}, {"report": [page]}, {})
    return Path(page.uri) / ours.ReportPage.FILE_NAME


@pytest.fixture
def report(tmp_path: Path) -> Callable[[dict[str, Artifact]], Path]:
    """Runs the component's executor on a run's artifacts; returns the page's path."""
    return lambda run: write_report(run, tmp_path)


@pytest.fixture(scope="session")
def page(trained: dict[str, Artifact], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the run that was blessed."""
    return write_report(trained, tmp_path_factory.mktemp("page"))


def _train(made: dict[str, Any], config: Any) -> None:
    splits = {
        split: examples.load([f"{artifact_utils.get_split_uri([made['examples']], split)}/*"])
        for split in ("train", "eval")
    }
    for network, recipe, seed in [
        ("teacher", config.teacher.recipe, config.seed + 1),
        ("baseline", config.recipe, config.seed),
    ]:
        trained, _ = training.train_alone(
            "resnet8",
            len(FINE_LABELS),
            recipe,
            seed,
            train_set=splits["train"],
            eval_set=splits["eval"],
            name=network,
            log_dir=Path(made[f"{network}_run"].uri),
        )
        export(trained, f"{made[network].uri}/Format-Serving", FINE_LABELS)
    recipe = Recipe.model_validate(config.recipe).model_dump(mode="json")
    document = {"student": "resnet8", "recipe": recipe, "seed": 0}
    DistillTrainer().Do(
        {key: [made[key]] for key in ("examples", "schema", "teacher")},
        {
            "model": [made["student"]],
            "model_run": [made["student_run"]],
            "summary": [made["summary"]],
        },
        {
            "config": json.dumps(document),
            "method": json.dumps(config.method),
            "method_preset": "",
            "checkpoint_dir": f"{made['student'].uri}-checkpoints",
            "teacher_cache_dir": "",
            "teacher_cache_gigabytes": 0.0,
            "code_fingerprint": "",
        },
    )


def _profile(made: dict[str, Any]) -> None:
    """Measures the three networks, each quantity by the definition of `components.profile`."""
    test = read(str(SAMPLE), "test", LIMIT)
    order = np.argsort(test.ids)
    images, labels, coarse_labels = (
        values[order] for values in (test.images, test.labels, test.coarse_labels)
    )
    arrays, networks, latency = {}, {}, {}
    for name in ("teacher", "baseline", "student"):
        network = load(made[name].uri)
        logits = network.predict(images, batch_size=100, verbose=0)
        arrays[name] = np.array(keras.ops.softmax(logits))
        latency[name] = _milliseconds(network, images[:1])
        networks[name] = NetworkProfile(
            top1=(logits.argmax(1) == labels).mean(),
            top5=(np.argsort(-logits, 1)[:, :5] == labels[:, None]).any(1).mean(),
            calibration_error=_calibration_error(arrays[name], labels),
            parameters=training.parameters(network),
            bytes=sum(f.stat().st_size for f in Path(made[name].uri).rglob("*") if f.is_file()),
            latency_ms=latency[name],
            latency_ratio=latency[name] / latency["teacher"],
            agreement=(arrays[name].argmax(1) == arrays["teacher"].argmax(1)).mean(),
            divergence=(arrays["teacher"] * np.log(arrays["teacher"] / arrays[name])).sum(1).mean(),
        )
    profile = Profile(
        class_names=list(FINE_LABELS), superclass_names=list(COARSE_LABELS), networks=networks
    )
    folder = Path(made["profile"].uri)
    (folder / ours.ModelProfile.FILE_NAME).write_text(profile.model_dump_json(), encoding="utf-8")
    np.savez(
        folder / ours.ModelProfile.PREDICTIONS_NAME,
        labels=labels,
        coarse_labels=coarse_labels,
        **arrays,
    )


def _milliseconds(network: keras.Model, image: np.ndarray) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        network(image)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def _calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    number = np.ceil(confidence * 15)
    return sum(
        abs(right[number == index].sum() - confidence[number == index].sum())
        for index in range(1, 16)
    ) / len(labels)


def _decide(made: dict[str, Any]) -> None:
    """Holds the student against bounds that it passes, one of them for each superclass."""
    folder = Path(made["profile"].uri)
    profile = Profile.model_validate_json(
        (folder / ours.ModelProfile.FILE_NAME).read_text(encoding="utf-8")
    )
    arrays = np.load(folder / ours.ModelProfile.PREDICTIONS_NAME)
    student, baseline = profile.networks["student"], profile.networks["baseline"]
    shared = {"subject": "student", "passed": True}
    bounds = [
        Bound(key="gate.min_accuracy", metric="top-1 accuracy", slice="overall", value=student.top1,
              bound=0.0, is_minimum=True, unit="share", judge="TFMA", **shared),
        Bound(key="gate.min_change", metric="top-1 minus the baseline's", slice="overall",
              value=student.top1 - baseline.top1, bound=-1.0, is_minimum=True, unit="points",
              judge="TFMA", **shared),
        Bound(key="gate.max_bytes", metric="bytes of the SavedModel", slice="overall",
              value=student.bytes, bound=10_000_000, is_minimum=False, unit="bytes",
              judge="budget", **shared),
    ]  # fmt: skip
    right = {
        network: arrays[network].argmax(1) == arrays["labels"]
        for network in ("student", "baseline")
    }
    for number in np.unique(arrays["coarse_labels"]):
        members = arrays["coarse_labels"] == number
        drop = right["baseline"][members].mean() - right["student"][members].mean()
        bounds.append(
            Bound(key="gate.max_superclass_drop", metric="the baseline's top-1 minus the student's",
                  slice=COARSE_LABELS[number], value=drop, bound=1.0, is_minimum=False,
                  unit="points", judge="TFMA", **shared)
        )  # fmt: skip
    decision = Decision(
        blessed=True,
        rebaseline=False,
        baseline="from_scratch",
        champion_version="",
        baseline_reason="no other model has been pushed yet",
        in_service="",
        bounds=bounds,
    )
    Path(made["decision"].uri, ours.GateDecision.FILE_NAME).write_text(
        decision.model_dump_json(), encoding="utf-8"
    )
