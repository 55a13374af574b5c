"""The components that run on Beam, on other runners than one process's own."""

import subprocess
import sys
import time
from pathlib import Path

import keras
import pytest
import tensorflow_data_validation as tfdv
import tensorflow_model_analysis as tfma
from apache_beam.utils.subprocess_server import pick_port
from flink_job_server import job_server
from services import started
from tfx.components import StatisticsGen
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from components.cifar100_example_gen.component import Cifar100ExampleGen
from components.cifar100_example_gen.sample import SAMPLE
from components.gate_evaluator.component import GateEvaluator
from kd_trainer.export import export
from kd_trainer.labels import class_names
from kd_trainer.networks import build
from pipeline.beam import BeamConfig

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of an untrained network as a Trainer leaves it."""
    folder = tmp_path_factory.mktemp("model")
    keras.utils.set_random_seed(0)
    export(build("resnet8", 100), str(folder / "Format-Serving"), class_names(100))
    return folder


@pytest.fixture
def run(model, monkeypatch):
    """Runs the components with Beam's options, and returns where their outputs are."""

    def run(folder: Path, options: list[str]) -> Path:
        monkeypatch.setattr(sys, "argv", sys.argv[:1])  # absl parses it in the executors
        examples = Cifar100ExampleGen(
            source=str(SAMPLE),
            data_fingerprint="",
            eval_fraction=0.1,
            limit=300,
            code_fingerprint="",
        )
        imported = Importer(
            source_uri=str(model), artifact_type=standard_artifacts.Model, output_key="model"
        ).with_id("model")
        evaluator = GateEvaluator(
            examples=examples.outputs["examples"],
            model=imported.outputs["model"],
            baseline_model=imported.outputs["model"],
            gate='{"min_accuracy": 0, "min_change": 0}',
            reference="baseline",
            code_fingerprint="",
        )
        statistics = StatisticsGen(examples=examples.outputs["examples"])
        LocalDagRunner().run(
            Pipeline(
                "beam",
                str(folder),
                components=[examples, statistics, imported, evaluator],
                metadata_connection_config=metadata.sqlite_metadata_connection_config(
                    str(folder / "metadata.sqlite")
                ),
                beam_pipeline_args=BeamConfig(options=options).arguments,
            )
        )
        return folder

    return run


@pytest.fixture(scope="module")
def job_service(tmp_path_factory):
    """The address of Beam's job service, a process of its own."""
    folder = tmp_path_factory.mktemp("job_service")
    port_file = folder / "port"
    command = [sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main"]
    with (
        open(folder / "log", "wb") as log,
        subprocess.Popen([*command, "--port_file", port_file], stdout=log, stderr=log) as service,
    ):
        while not (port_file.exists() and port_file.read_text(encoding="utf-8")):
            assert service.poll() is None, (folder / "log").read_text(encoding="utf-8")
            time.sleep(0.1)
        yield f"localhost:{port_file.read_text(encoding='utf-8')}"
        service.terminate()


@pytest.fixture(scope="module")
def flink(tmp_path_factory):
    """FlinkRunner's options, for a job server and a pool of workers, processes of their own."""
    folder = tmp_path_factory.mktemp("flink")
    (port,) = pick_port(None)
    pool = ["python", "-m", "apache_beam.runners.worker.worker_pool_main"]
    with (
        job_server(folder) as address,
        started([*pool, "--service_port", str(port)], port, folder / "pool_log"),
    ):
        yield [
            "runner=FlinkRunner",
            f"job_endpoint={address}",
            "parallelism=2",
            "environment_type=EXTERNAL",
            f"environment_config=localhost:{port}",
        ]


def examples(folder: Path) -> dict[str, bytes]:
    """The bytes of every file of examples, by its path below the artifact."""
    (artifact,) = folder.glob("Cifar100ExampleGen/examples/*")
    return {
        str(path.relative_to(artifact)): path.read_bytes() for path in artifact.rglob("*tfrecord*")
    }


def statistics(folder: Path) -> dict[str, dict[str, bytes]]:
    """The bytes of what is known of each feature, by split; they stand in any order."""
    found = {}
    for path in folder.glob("StatisticsGen/statistics/*/*/FeatureStats.pb"):
        (dataset,) = tfdv.load_stats_binary(str(path)).datasets
        found[path.parent.name] = {
            "/".join(feature.path.step): feature.SerializeToString(deterministic=True)
            for feature in dataset.features
        }
        assert len(found[path.parent.name]) == 4
    return found


def evaluation(folder: Path) -> dict[tuple, dict]:
    """The metrics by slice, and whether the bounds are met."""
    (path,) = folder.glob("GateEvaluator/evaluation/*")
    result = tfma.load_eval_result(str(path))
    assert tfma.load_validation_result(str(path)).validation_ok
    return dict(result.slicing_metrics)


@pytest.fixture(scope="module")
def alone():
    """What one process gives, computed once."""
    return {}


def in_two_workers(request):
    return ["direct_num_workers=2", "direct_running_mode=multi_processing"]


def portable(request):
    address = request.getfixturevalue("job_service")
    return ["runner=PortableRunner", f"job_endpoint={address}", "environment_type=LOOPBACK"]


def on_flink(request):
    return request.getfixturevalue("flink")


@pytest.mark.parametrize("options", [in_two_workers, portable, on_flink])
def test_the_outputs_are_those_of_one_process(options, run, request, tmp_path, alone):
    given = options(request)
    if not alone:
        folder = run(tmp_path / "alone", [])
        alone.update(
            examples=examples(folder), statistics=statistics(folder), evaluation=evaluation(folder)
        )
    folder = run(tmp_path / "other", given)
    found = examples(folder)
    assert len(found) == 3
    assert found == alone["examples"]
    assert len(alone["statistics"]) == 3
    assert statistics(folder) == alone["statistics"]
    assert len(alone["evaluation"]) > 1
    assert evaluation(folder) == alone["evaluation"]
