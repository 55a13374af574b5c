"""The image, and the compiled pipeline run in it: `make kubeflow-test`."""

import dataclasses
import json
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import yaml
from local_kubeflow import (
    Cache,
    Places,
    PodDeletedError,
    Podman,
    TaskFailedError,
    delete_pod,
    engines,
    of_release,
    run,
)
from small_runs import SMALL, sets

from components.serving_versions import withdrawal
from pipeline.cluster import rollback

pytestmark = [pytest.mark.containers]

ROOT = Path(__file__).parents[2]
PIPELINE_ROOT = "minio://mlpipeline/v2/artifacts"
RUN_ROOT = f"{PIPELINE_ROOT}/quick/4f1c"
BACKEND = of_release(os.environ.get("TFX_DISTILL_RELEASE", "2.17.0"))


@pytest.fixture(scope="module")
def image():
    return os.environ["TFX_DISTILL_IMAGE"]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folders = [tmp_path_factory.mktemp(name) for name in ("store", "volume", "scratch")]
    places = Places(*folders, Podman())
    # As volume/loader.yaml leaves it.
    os.chown(places.volume, engines.USER, 0)
    places.volume.chmod(0o2775)
    return places


@pytest.fixture(scope="module")
def spec(image, tmp_path_factory):
    """What `tfx-distill kubeflow compile` writes."""
    file = tmp_path_factory.mktemp("compiled") / "quick.yaml"
    own = [f"--set=kubeflow.image={image}"]
    tfx_distill("kubeflow", "compile", "--output", file, settings=own)
    spec, _ = yaml.safe_load_all(file.read_text(encoding="utf-8"))
    return spec


@pytest.fixture(scope="module")
def cache():
    return Cache()


@pytest.fixture(scope="module")
def produced(spec, places, cache):
    """The whole pipeline, once."""
    return run(spec, places, RUN_ROOT, {}, cache, BACKEND)


@pytest.fixture(scope="module")
def pushed(produced, places):
    (version,) = (places.volume / "serving" / "quick").glob("[0-9]*")
    return version


@pytest.fixture(scope="module")
def pushed_locally(tmp_path_factory):
    """The same configuration, run as `make run` does."""
    workdir = tmp_path_factory.mktemp("workdir")
    tfx_distill("run", "--workdir", workdir)
    (version,) = (workdir / "serving" / "quick").glob("[0-9]*")
    return version


def tfx_distill(*words, settings=()):
    command = [sys.executable, "-m", "pipeline.cli", *words, *sets(SMALL), *settings]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def python(image, code, *arguments):
    """Runs code in the image, as a task's container is run."""
    options = ["--rm", "--network=none", "--read-only", "--cap-drop=all", "--pull=never"]
    return subprocess.run(
        ["podman", "run", *options, image, "python", "-c", code, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ).stdout


def in_store(places, artifact):
    return places.store / artifact["uri"].removeprefix("minio://")


def test_every_task_has_produced_its_outputs(spec, produced):
    declared = {
        (task, key)
        for task, content in spec["root"]["dag"]["tasks"].items()
        for key in spec["components"][content["componentRef"]["name"]]
        .get("outputDefinitions", {})
        .get("artifacts", {})
    }
    logs = {(task, "executor-logs") for task in spec["root"]["dag"]["tasks"]}
    assert set(produced.artifacts) == declared | logs
    assert all(a["uri"].startswith(f"{RUN_ROOT}/") for a in produced.artifacts.values())


def test_the_student_is_blessed(produced, places):
    artifact = produced.artifact("student-gate", "decision")
    decision = json.loads(
        (in_store(places, artifact) / "decision.json").read_text(encoding="utf-8")
    )
    assert decision["blessed"]
    assert decision["champion_version"] == ""
    bounds = {bound["key"]: bound["passed"] for bound in decision["bounds"]}
    assert bounds["gate.min_accuracy"]
    assert bounds["gate.min_change"]
    assert produced.artifact("student-gate", "blessing")["metadata"]["blessed"] == 1


def test_the_student_is_pushed(produced, pushed):
    metadata = produced.artifact("pusher", "pushed_model")["metadata"]
    assert metadata["pushed"] == 1
    assert metadata["pushed_destination"] == f"/work/serving/quick/{pushed.name}"


def test_it_has_the_structure_of_a_local_runs(pushed, pushed_locally):
    import tensorflow as tf

    def files(version):
        return sorted(str(p.relative_to(version)) for p in version.rglob("*") if p.is_file())

    def signatures(version):
        model = tf.saved_model.load(str(version))
        return {
            name: (signature.structured_input_signature, signature.structured_outputs)
            for name, signature in model.signatures.items()
        }

    assert files(pushed) == files(pushed_locally)
    assert signatures(pushed) == signatures(pushed_locally)
    assert "serving_default" in signatures(pushed)


def test_the_report_is_in_the_store(produced, places, pushed):
    page = in_store(places, produced.artifact("model-report", "report")) / "report.html"
    assert f"/work/serving/quick/{pushed.name}" in page.read_text(encoding="utf-8")


def recurring(spec, places, cache, run_id, parameters):
    """Another run of the recurring pipeline; returns what it did, and the gate's decision."""
    # Of another user, as some clusters set it.
    there = dataclasses.replace(places, scratch=places.scratch / run_id, engine=Podman(23456))
    records = run(spec, there, f"{PIPELINE_ROOT}/quick/{run_id}", parameters, cache, BACKEND)
    decision = in_store(places, records.artifact("student-gate", "decision")) / "decision.json"
    return records, json.loads(decision.read_text(encoding="utf-8"))


def versions(places):
    return [version.name for version in (places.volume / "serving" / "quick").glob("[0-9]*")]


# What looks at the volume or tells of the run, and what the selector's artifact goes into.
ALWAYS = {"run-recorder", "data-probe", "baseline-selector", "student-gate", "pusher"}
ALWAYS |= {"model-report", "evaluator", "model-profiler"}


def test_an_unchanged_recurring_run_trains_nothing(spec, places, cache, pushed):
    records, decision = recurring(spec, places, cache, "unchanged", {})
    assert records.executed == ALWAYS
    assert decision["champion_version"] == ""  # a model is not compared with itself
    assert decision["blessed"]
    assert versions(places) == [pushed.name]
    assert (in_store(places, records.artifact("model-report", "report")) / "report.html").is_file()


def test_parameters_alone_change_the_method_and_the_gate(spec, places, cache, pushed):
    parameters = {"method": "attention_transfer", "gate": "{min_accuracy: 0, min_change: 1}"}
    records, decision = recurring(spec, places, cache, "changed", parameters)
    assert records.executed == ALWAYS | {"distill-trainer", "model-checker"}
    assert decision["champion_version"] == pushed.name
    assert not decision["blessed"]
    assert versions(places) == [pushed.name]


def test_a_training_that_has_ended_leaves_the_state_of_its_end_alone(produced, places):
    """It is there for a task that is killed before its result is published."""
    folders = list((places.volume / "checkpoints").glob("*/*"))
    assert folders
    for folder in folders:
        (path,) = folder.iterdir()
        assert path.suffix == ".finished"


def up_to(last, spec):
    """Returns a pipeline that ends with a task."""
    tasks, kept, left = spec["root"]["dag"]["tasks"], {}, [last]
    while left:
        name = left.pop()
        kept[name] = tasks[name]
        left += tasks[name].get("dependentTasks", [])
    return {**spec, "root": {**spec["root"], "dag": {"tasks": kept}}}


def end(places, task, how, states, over):
    """Ends a task's first container once its training has kept an epoch; returns what it kept."""
    while not over.wait(0.05):
        for path in states():
            how(places, task)
            with np.load(path) as state:
                return json.loads(str(state["position"]))["history"]
    raise AssertionError(f"{task} has ended, and no epoch was kept")


def killed(places, task):
    """As for want of memory."""
    places.engine.kill(places.attempt(task, 0))


def preempted(places, task):
    delete_pod(places, task, 0)


@pytest.mark.parametrize(("how", "epochs"), [(killed, 20), (preempted, 21)])
def test_a_training_that_ends_early_goes_on_with_the_next_epoch(
    image, places, cache, tmp_path, how, epochs
):
    """A container that is killed is started anew; a pod that is deleted wants another run."""
    file = tmp_path / "quick.yaml"
    longer = [f"--set=kubeflow.image={image}", f"--set=recipe.epochs={epochs}"]
    tfx_distill("kubeflow", "compile", "--output", file, settings=longer)
    spec = up_to("distill-trainer", next(yaml.safe_load_all(file.read_text(encoding="utf-8"))))
    there = dataclasses.replace(places, scratch=places.scratch / how.__name__)
    root = f"{PIPELINE_ROOT}/quick/{how.__name__}"
    folder = places.volume / "checkpoints" / "quick" / "DistillTrainer"
    over = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        arguments = (there, "distill-trainer", how, lambda: list(folder.glob("*.npz")), over)
        ended = pool.submit(end, *arguments)
        try:
            if how is preempted:
                with pytest.raises(PodDeletedError, match="distill-trainer"):
                    run(spec, there, root, {}, cache, BACKEND)
                there = dataclasses.replace(places, scratch=there.scratch / "resubmitted")
            records = run(spec, there, root, {}, cache, BACKEND)
        finally:
            over.set()
    kept = ended.result()
    assert "trainer-teacher" not in records.executed
    artifact = records.artifact("distill-trainer", "model_run")
    history = json.loads((in_store(places, artifact) / "history.json").read_text(encoding="utf-8"))
    # The seconds that an epoch took are in its row: one that is trained again has others.
    assert history[: len(kept)] == kept
    assert [row["epoch"] for row in history] == list(range(1, epochs + 1))
    assert 0 < len(kept) < epochs
    assert there.attempt("distill-trainer", 1).is_dir() == (how is killed)


def test_a_failed_container_fails_the_run(image, tmp_path):
    container = {"image": image, "command": ["python", "-c"], "args": ["raise SystemExit('why')"]}
    task = {"componentRef": {"name": "first"}, "taskInfo": {"name": "first"}}
    failing = {
        "components": {"first": {"executorLabel": "exec-first"}},
        "deploymentSpec": {"executors": {"exec-first": {"container": container}}},
        "root": {"dag": {"tasks": {"first": task}}},
    }
    with pytest.raises(TaskFailedError, match="first: its container ended with status 1:\nwhy"):
        run(failing, Places(tmp_path, tmp_path, tmp_path / "scratch", Podman()), RUN_ROOT, {})


def test_every_executor_and_command_is_in_the_image(image, spec):
    containers = [each["container"] for each in spec["deploymentSpec"]["executors"].values()]
    assert {c["image"] for c in containers} == {"{{$.inputs.parameters['image']}}"}
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert parameters["image"]["defaultValue"] == image
    modules = {c["command"][2] for c in containers if c["command"][:2] == ["python", "-m"]}
    assert len(modules) == 1
    classes = [c["args"][c["args"].index("--executor_class_path") + 1] for c in containers]
    code = """
import importlib, importlib.util, sys
module, *classes = sys.argv[1:]
assert importlib.util.find_spec(module)
for name in classes:
    package, _, executor = name.rpartition(".")
    print(getattr(importlib.import_module(package), executor).__name__)
"""
    printed = python(image, code, *modules, *classes)
    assert len(printed.split()) == len(classes)


def test_the_image_says_its_revision():
    inspected = subprocess.run(
        ["podman", "image", "inspect", os.environ["TFX_DISTILL_IMAGE"]],
        check=True,
        stdout=subprocess.PIPE,
    )
    (described,) = json.loads(inspected.stdout)
    revision = described["Config"]["Labels"]["org.opencontainers.image.revision"]
    assert re.fullmatch(r"[0-9a-f]{40}(-modified)?", revision)
    assert f"TFX_DISTILL_REVISION={revision}" in described["Config"]["Env"]


def test_the_image_is_nobodys_and_holds_what_it_needs_alone(image):
    code = """
import importlib.util, json, os, pathlib
packages = ["tfx", "kfp.pipeline_spec", "pytest", "ruff", "mypy", "jax", "nvidia"]
def found(name):
    return importlib.util.find_spec(name) is not None
site = pathlib.Path(importlib.util.find_spec("tfx").origin).parents[1]
ours = pathlib.Path("/app")
print(json.dumps({
    "user": os.getuid(),
    "packages": [name for name in packages if found(name)],
    "app": sorted(path.name for path in ours.iterdir()),
    "writable": [folder for folder in ("/app", "/opt/venv") if os.access(folder, os.W_OK)],
    "uncompiled": [str(path) for folder in (ours, site / "tfx") for path in folder.rglob("*.py")
                   if not pathlib.Path(importlib.util.cache_from_source(path)).exists()],
}))
"""
    assert json.loads(python(image, code)) == {
        "user": engines.USER,
        "packages": ["tfx", "kfp.pipeline_spec"],
        "app": ["components", "kd_trainer", "pipeline", "schemas"],
        "writable": [],
        "uncompiled": [],
    }


def locked(*extra):
    uv = os.environ["UV"]
    command = [uv, "export", "--locked", "--offline", "--no-emit-project", "--no-hashes", *extra]
    exported = subprocess.run(
        command,
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        encoding="utf-8",
    )
    lines = [line for line in exported.stdout.splitlines() if "==" in line]
    return dict(line.split(";")[0].strip().split("==") for line in lines)


def test_the_gpu_target_adds_cuda_alone():
    cpu, gpu = locked(), locked("--extra", "gpu")
    added = {name: version for name, version in gpu.items() if name not in cpu}
    assert added
    assert all(name.startswith("nvidia-") for name in added)
    assert {name: gpu[name] for name in cpu} == cpu
    assert added["nvidia-cudnn-cu12"].startswith("8.9.")  # what TensorFlow 2.16 is built with
    assert not {"kfp", "pytest", "jax"} & set(cpu)


def test_a_rollback_withdraws_the_newest_version(places, spec, pushed, tmp_path):
    assert versions(places) == [pushed.name]
    file = tmp_path / "quick.yaml"
    # As the server tells of it.
    platform = {"kubernetes": {"deploymentSpec": {"executors": {"exec-pusher": {}}}}}
    stored = {"pipeline_spec": spec, "platform_spec": {"platforms": platform}}
    file.write_text(rollback.document("quick", stored, last=True), encoding="utf-8")
    made, _ = yaml.safe_load_all(file.read_text(encoding="utf-8"))
    there = dataclasses.replace(places, scratch=places.scratch / "rollback")
    run(made, there, f"{PIPELINE_ROOT}/quick/rollback", {"reason": "a 'test' of \"words\""})
    assert versions(places) == []
    said = (there.attempt("rollback", 0) / "log").read_text(encoding="utf-8")
    assert f"Withdrawn: version {pushed.name}" in said
    record = withdrawal(str(places.volume / "serving" / "quick" / pushed.name))
    assert record["reason"] == "a 'test' of \"words\""
