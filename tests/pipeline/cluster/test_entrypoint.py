"""A real executor, as Kubeflow's launcher starts it."""

import json
import sys

import pytest

from components.cifar100_example_gen import reader
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


def test_what_the_probe_finds_is_an_output_parameter(launcher):
    uri = "minio://mlpipeline/v2/artifacts/quick/fingerprint"
    parameters = {
        "source": str(SAMPLE),
        "code_fingerprint": "",
        "image": "registry/tfx-distill:7",  # every task is given it
    }
    spec = {"parameters": {name: {"parameterType": "STRING"} for name in parameters}}
    executor_input = {
        "inputs": {"parameterValues": parameters},
        "outputs": {
            "parameters": {"fingerprint": {"outputFile": str(launcher / "fingerprint.txt")}},
            "artifacts": {
                "fingerprint": {
                    "artifacts": [
                        {
                            "name": "fingerprint",
                            "uri": uri,
                            "type": {"instanceSchema": "title: tfx.String\ntype: object\n"},
                        }
                    ]
                }
            },
            "outputFile": str(launcher / "out" / "output_metadata.json"),
        },
    }
    # As the launcher does: the folder that the artifact lies in.
    written = launcher / "minio" / "mlpipeline/v2/artifacts/quick/fingerprint"
    written.parent.mkdir(parents=True)
    given = arguments(
        "components.data_probe.executor.Executor",
        executor_input,
        "--json_serialized_inputs_spec_args",
        json.dumps(spec),
    )
    assert entrypoint.main(given) == 0
    expected = reader.inspect(str(SAMPLE)).fingerprint
    reported = json.loads((launcher / "out" / "output_metadata.json").read_text())
    # The launcher takes it from here, and looks at the output file only where it is not.
    assert reported["parameterValues"] == {"fingerprint": expected}
    (artifact,) = reported["artifacts"]["fingerprint"]["artifacts"]
    assert artifact["uri"] == uri
    assert written.read_text() == expected
