"""A real executor, as Kubeflow's launcher starts it."""

import json
import sys

import pytest

from components.cifar100_example_gen.sample import SAMPLE
from pipeline.cluster import entrypoint, local_paths

EXAMPLE_GEN = "components.cifar100_example_gen.executor.Executor"


def arguments(executor_class, executor_input, *others):
    return [
        "--executor_class_path",
        executor_class,
        "--json_serialized_invocation_args",
        json.dumps(executor_input),
        *others,
    ]


def example_gen_input(tmp_path, uri):
    values = {"source": str(SAMPLE), "data_fingerprint": "", "eval_fraction": 0.5, "limit": 20}
    return {
        "inputs": {
            "parameters": {
                key: {"stringValue": value}
                if isinstance(value, str)
                else {"doubleValue": value}
                if isinstance(value, float)
                else {"intValue": str(value)}
                for key, value in values.items()
            }
        },
        "outputs": {
            "artifacts": {
                "examples": {
                    "artifacts": [
                        {
                            "name": "examples",
                            "uri": uri,
                            "type": {"instanceSchema": "title: tfx.Examples\ntype: object\n"},
                        }
                    ]
                }
            },
            "outputFile": str(tmp_path / "out" / "output_metadata.json"),
        },
    }


@pytest.fixture
def launcher(tmp_path, monkeypatch):
    """The folders that the launcher makes."""
    monkeypatch.setattr(sys, "argv", ["entrypoint"])
    for scheme, root in list(local_paths.ROOTS.items()):
        monkeypatch.setitem(local_paths.ROOTS, scheme, f"{tmp_path}{root}")
    (tmp_path / "minio").mkdir()
    return tmp_path


def test_executor_writes_locally_and_reports_the_store(launcher):
    uri = "minio://mlpipeline/v2/artifacts/quick/examples"
    executor_input = example_gen_input(launcher, uri)
    assert entrypoint.main(arguments(EXAMPLE_GEN, executor_input)) == 0

    written = launcher / "minio" / "mlpipeline/v2/artifacts/quick/examples"
    assert {path.name for path in written.iterdir()} == {"Split-train", "Split-eval", "Split-test"}
    reported = json.loads((launcher / "out" / "output_metadata.json").read_text())
    (examples,) = reported["artifacts"]["examples"]["artifacts"]
    assert examples["uri"] == uri
    assert examples["metadata"]["test_count"] == 20


def test_store_that_the_launcher_did_not_mount(launcher, capsys):
    executor_input = example_gen_input(launcher, "s3://bucket/examples")
    assert entrypoint.main(arguments(EXAMPLE_GEN, executor_input)) == 2
    error = capsys.readouterr().err
    assert "s3://bucket/examples" in error
    assert f"below {launcher}/s3" in error
    assert not (launcher / "out").exists()


def test_unknown_scheme_is_named():
    with pytest.raises(ValueError, match=r"ftp://somewhere.*minio://"):
        local_paths.to_local("ftp://somewhere/else")


def test_local_path_stays(tmp_path):
    assert local_paths.to_local(str(tmp_path)) == str(tmp_path)
