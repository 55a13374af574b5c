"""A real executor, as Kubeflow's launcher starts it."""

import json
import sys
from pathlib import Path

import pytest
from task_arguments import TITLE, arguments
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.io import fileio, filesystem_registry
from tfx.dsl.io.plugins.local import LocalFilesystem
from tfx.utils import io_utils

from components.cifar100_example_gen import reader
from components.cifar100_example_gen.sample import SAMPLE
from components.provenance import STORE_ID
from pipeline.cluster import entrypoint, local_paths

EXAMPLE_GEN = "components.cifar100_example_gen.executor.Executor"


def output(uri, title):
    return {"artifacts": [{"uri": uri, "type": {"instanceSchema": TITLE(title)}}]}


def example_gen_input(tmp_path, uri):
    values = {"source": str(SAMPLE), "data_fingerprint": "", "eval_fraction": 0.5, "limit": 20}
    return {
        "inputs": {"parameterValues": values},
        "outputs": {
            "artifacts": {"examples": output(uri, "Examples")},
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
    reported = json.loads((launcher / "out" / "output_metadata.json").read_text(encoding="utf-8"))
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
    executor_input = {
        "inputs": {"parameterValues": parameters},
        "outputs": {
            "parameters": {"fingerprint": {"outputFile": str(launcher / "fingerprint.txt")}},
            "artifacts": {"fingerprint": output(uri, "String")},
            "outputFile": str(launcher / "out" / "output_metadata.json"),
        },
    }
    # As the launcher does: the folder that the artifact lies in.
    written = launcher / "minio" / "mlpipeline/v2/artifacts/quick/fingerprint"
    written.parent.mkdir(parents=True)
    given = arguments("components.data_probe.executor.Executor", executor_input)
    assert entrypoint.main(given) == 0
    expected = reader.inspect(str(SAMPLE)).fingerprint
    reported = json.loads((launcher / "out" / "output_metadata.json").read_text(encoding="utf-8"))
    # The launcher takes it from here, and looks at the output file only where it is not.
    assert reported["parameterValues"] == {"fingerprint": expected}
    (artifact,) = reported["artifacts"]["fingerprint"]["artifacts"]
    assert artifact["uri"] == uri
    assert written.read_text(encoding="utf-8") == expected


class Copier(BaseExecutor):
    """Tells what it was given, and writes one of its two outputs."""

    def Do(self, input_dict, output_dict, exec_properties):  # noqa: N802
        (model,) = input_dict["model"]
        (copy,) = output_dict["copy"]
        assert set(output_dict) == {"copy", "nothing"}
        copy.set_string_custom_property("type", model.type_name)
        copy.set_string_custom_property("of", model.get_string_custom_property(STORE_ID))
        io_utils.copy_dir(model.uri, copy.uri)


def copier_input(launcher):
    return {
        "inputs": {
            "artifacts": {
                "model": {
                    "artifacts": [
                        # As Kubeflow's metadata store gives it.
                        {"name": "17", "uri": "minio://b/1", "type": {"instanceSchema": ""}}
                    ]
                }
            }
        },
        "outputs": {
            "artifacts": {
                "copy": output("minio://b/2", "Model"),
                "nothing": output("minio://b/3", "PushedModel"),
                "executor-logs": {
                    "artifacts": [
                        {"uri": "minio://b/4", "type": {"schemaTitle": "system.Artifact"}}
                    ]
                },
            },
            "outputFile": str(launcher / "out" / "output_metadata.json"),
        },
    }


COPIER = f"{__name__}.Copier"


def test_the_executor_has_the_declared_types_and_outputs(launcher):
    model = launcher / "minio/b/1/weights"
    model.parent.mkdir(parents=True)
    model.write_text("weights", encoding="utf-8")
    given = arguments(COPIER, copier_input(launcher), {"model": "Model"})
    assert entrypoint.main(given) == 0
    reported = json.loads((launcher / "out" / "output_metadata.json").read_text(encoding="utf-8"))[
        "artifacts"
    ]
    assert set(reported) == {"copy", "nothing"}
    metadata = reported["copy"]["artifacts"][0]["metadata"]
    assert (metadata["type"], metadata["of"]) == ("Model", "17")
    assert (launcher / "minio/b/2/weights").read_text(encoding="utf-8") == "weights"
    # A store keeps no empty folder, and a later task takes what is not there for gone.
    assert [path.name for path in (launcher / "minio/b/3").iterdir()] == [entrypoint.EMPTY]


class Reporter(BaseExecutor):
    """Writes what Kubeflow's pages show of it."""

    def Do(self, input_dict, output_dict, exec_properties):  # noqa: N802
        (report,) = output_dict["report"]
        folder = Path(report.uri)
        folder.mkdir(parents=True)
        (folder / "report.html").write_text("<html>", encoding="utf-8")
        (folder / "confusion.json").write_text(
            '{"names": ["x", "y"], "counts": [[3, 1], [0, 2]]}', encoding="utf-8"
        )
        report.set_float_custom_property("student_top1", 0.75)
        report.set_int_custom_property("blessed", 1)
        report.set_string_custom_property("words", "no figure")


def test_what_kubeflows_pages_show_is_made_of_what_the_component_wrote(launcher):
    kinds = {"page": "HTML", "metrics": "Metrics", "confusion_matrix": "ClassificationMetrics"}
    shown = {
        key: {"artifacts": [{"uri": f"minio://b/{key}", "type": {"schemaTitle": f"system.{kind}"}}]}
        for key, kind in kinds.items()
    }
    executor_input = {
        "inputs": {},
        "outputs": {
            "artifacts": {"report": output("minio://b/report", "String"), **shown},
            "outputFile": str(launcher / "out" / "output_metadata.json"),
        },
    }
    assert entrypoint.main(arguments(f"{__name__}.Reporter", executor_input)) == 0
    reported = json.loads((launcher / "out" / "output_metadata.json").read_text(encoding="utf-8"))[
        "artifacts"
    ]
    found = {key: listed["artifacts"][0] for key, listed in reported.items()}
    assert {key: each["uri"] for key, each in found.items()} == {
        key: f"minio://b/{key}" for key in ("report", *kinds)
    }
    assert (launcher / "minio/b/page").read_text(encoding="utf-8") == "<html>"
    assert found["metrics"]["metadata"] == {"student_top1": 0.75, "blessed": 1}
    assert found["confusion_matrix"]["metadata"]["confusionMatrix"] == {
        "annotationSpecs": [{"displayName": "x"}, {"displayName": "y"}],
        "rows": [{"row": [3, 1]}, {"row": [0, 2]}],
    }


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
def test_an_input_that_is_gone_from_the_store_is_named(launcher, capsys, left):
    if left == "an empty folder":
        (launcher / "minio/b/1").mkdir(parents=True)
    given = arguments(COPIER, copier_input(launcher), {"model": "Model"})
    assert entrypoint.main(given) == 2
    error = capsys.readouterr().err
    for part in ("minio://b/1", "'model'", "gone from the store", "cache_salt"):
        assert part in error
    assert not (launcher / "out").exists()


FLINK = ["--runner=FlinkRunner", "--flink_master=jobs:8081", "--environment_type=EXTERNAL"]
IN_THE_POD = ["--runner=FlinkRunner", "--environment_type=LOOPBACK"]


class BeamCopier(BaseBeamExecutor):
    """Copies its input, and says where that was."""

    def Do(self, input_dict, output_dict, exec_properties):  # noqa: N802
        (model,), (copy,) = input_dict["model"], output_dict["copy"]
        copy.set_string_custom_property("of", model.uri)
        copy.set_string_custom_property("at", copy.uri)
        weights = io_utils.read_string_file(f"{model.uri}/weights")
        io_utils.write_string_file(f"{copy.uri}/weights", weights)


@pytest.fixture
def bucket(launcher, monkeypatch):
    """A store as TFX opens it: `gs://b/2` is the file or folder `bucket/b/2`."""

    def there(method):
        function = getattr(LocalFilesystem, method)
        return staticmethod(
            lambda uri, **more: function(uri.replace("gs://", f"{launcher}/bucket/"), **more)
        )

    methods = ["open", "exists", "isdir", "listdir", "makedirs"]
    store = type("Store", (LocalFilesystem,), {method: there(method) for method in methods})
    known = filesystem_registry.DEFAULT_FILESYSTEM_REGISTRY._preferred_filesystem_by_scheme
    monkeypatch.setitem(known, "gs://", store)
    for folder in ("bucket/b/1", "gcs/b/1"):  # the store's, and the launcher's copy
        (launcher / folder).mkdir(parents=True)
        (launcher / folder / "weights").write_text("weights", encoding="utf-8")
    return launcher / "bucket"


def ran(launcher, executor, options, scheme):
    """Runs an executor with Beam's options, and returns what is reported of its outputs."""
    executor_input = json.dumps(copier_input(launcher)).replace("minio://", scheme)
    given = arguments(f"{__name__}.{executor}", json.loads(executor_input), {"model": "Model"})
    assert entrypoint.main([*given, *options]) == 0
    return json.loads((launcher / "out" / "output_metadata.json").read_text(encoding="utf-8"))[
        "artifacts"
    ]


def test_workers_outside_of_the_pod_are_given_the_store(launcher, bucket):
    reported = ran(launcher, "BeamCopier", FLINK, "gs://")
    (copy,) = reported["copy"]["artifacts"]
    assert (copy["metadata"]["of"], copy["metadata"]["at"]) == ("gs://b/1", "gs://b/2")
    assert copy["uri"] == "gs://b/2"
    assert (bucket / "b/2/weights").read_text(encoding="utf-8") == "weights"
    assert fileio.listdir("gs://b/3") == [entrypoint.EMPTY]
    # The launcher would upload what was here.
    assert not list((launcher / "gcs/b").glob("[23]"))


@pytest.mark.parametrize(
    ("executor", "options"), [("Copier", FLINK), ("BeamCopier", IN_THE_POD), ("BeamCopier", [])]
)
def test_what_runs_in_the_pod_is_given_the_launchers_copies(launcher, bucket, executor, options):
    reported = ran(launcher, executor, options, "gs://")
    assert reported["copy"]["artifacts"][0]["uri"] == "gs://b/2"
    assert (launcher / "gcs/b/2/weights").read_text(encoding="utf-8") == "weights"
    assert [path.name for path in (bucket / "b").iterdir()] == ["1"]


@pytest.mark.parametrize("scheme", ["minio://", "s3://"])
def test_workers_outside_of_the_pod_open_no_other_store(launcher, capsys, scheme):
    folder = launcher / scheme.strip(":/") / "b/1"
    folder.mkdir(parents=True)
    (folder / "weights").touch()
    executor_input = json.dumps(copier_input(launcher)).replace("minio://", scheme)
    given = arguments(f"{__name__}.BeamCopier", json.loads(executor_input), {"model": "Model"})
    assert entrypoint.main([*given, *FLINK]) == 2
    error = capsys.readouterr().err
    for part in (f"{scheme}b/1", "beam.options", "gs://", "environment_type=LOOPBACK"):
        assert part in error
    assert not (launcher / "out").exists()


def test_an_input_of_such_workers_that_is_gone_is_named(launcher, bucket, capsys):
    (launcher / "gcs/b/1/weights").unlink()
    executor_input = json.dumps(copier_input(launcher)).replace("minio://", "gs://")
    given = arguments(f"{__name__}.BeamCopier", json.loads(executor_input), {"model": "Model"})
    assert entrypoint.main([*given, *FLINK]) == 2
    assert "gone from the store" in capsys.readouterr().err
