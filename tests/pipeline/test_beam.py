"""Beam's options in a run's configuration and in its graph."""

import pytest
import yaml

from kd_trainer.errors import ConfigError
from pipeline import cli, config
from pipeline.beam import BeamConfig, check
from pipeline.cluster import plan, spec

WORKERS = ["direct_num_workers=2", "direct_running_mode=multi_processing"]
FLINK = ["runner=FlinkRunner", "flink_master=jobs:8081"]
DATAFLOW = ["runner=DataflowRunner", "project=my-project", "temp_location=gs://bucket/tmp"]


@pytest.mark.parametrize(
    "options",
    [
        WORKERS,
        [*DATAFLOW, "region=europe-west1", "no_use_public_ips"],
        # Of the job server, which is asked when the job starts.
        ["runner=FlinkRunner", "flink_master=localhost:8081", "flink_job_server_option=4"],
        ["runner=PortableRunner", "job_endpoint=localhost:8099", "environment_type=LOOPBACK"],
    ],
)
def test_what_beam_takes_is_taken(options):
    check(options)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--runner=DirectRunner"], ["'--runner=DirectRunner'", "without dashes"]),
        (["runner=FlinkRuner"], ["FlinkRuner", "FlinkRunner"]),
        (["runner=nowhere.Runner"], ["nowhere.Runner", "No module named 'nowhere'"]),
        (["direct_num_workers=two"], ["--direct_num_workers", "'two'"]),
        (["direct_running_mode=fast"], ["'fast'", "multi_processing"]),
        (["direct_workers=2"], ["'direct_workers'", "direct_num_workers"]),
        (["streaming=true"], ["--streaming"]),
        (DATAFLOW, ["Missing required option: region"]),
        (["runner=PortableRunner", "environment_type=PROCESS"], ["process_command"]),
    ],
)
def test_what_beam_would_refuse_later_is_told_first(options, expected):
    with pytest.raises(ConfigError) as refused:
        config.load("quick", [f"beam.options={yaml.safe_dump(options)}"])
    for part in ["beam.options", *expected]:
        assert part in str(refused.value)


def test_the_command_line_takes_them_one_by_one(tmp_path, capfd):
    words = [word for option in WORKERS for word in ("--beam", option)]
    assert cli.main(["run", "--dry-run", "--workdir", str(tmp_path / "new"), *words]) == 0
    printed = capfd.readouterr().out
    document = yaml.safe_load(printed.split("The resolved configuration:")[1])
    assert document["beam"] == {"options": WORKERS}
    assert cli.main(["run", "--dry-run", "--beam", "runner=None"]) == 2
    assert "beam.options: runner=None" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], False),
        (WORKERS, False),
        (["runner=DirectRunner"], False),
        ([*FLINK, "environment_type=LOOPBACK"], False),
        (["runner=PortableRunner", "job_endpoint=jobs:1", "environment_type=LOOPBACK"], False),
        (FLINK, True),
        ([*FLINK, "environment_type=EXTERNAL", "environment_config=pool:50000"], True),
        (["runner=PortableRunner", "job_endpoint=jobs:1"], True),
        ([*DATAFLOW, "region=europe-west1"], True),
    ],
)
def test_where_the_workers_are(options, expected):
    assert BeamConfig(options=options).remote is expected


@pytest.mark.parametrize("root", ["minio://bucket/root", "s3://bucket/root"])
def test_workers_elsewhere_want_a_store_that_they_can_open(root):
    elsewhere = [f"beam.options={yaml.safe_dump(FLINK)}", f"kubeflow.pipeline_root={root}"]
    with pytest.raises(ConfigError) as refused:
        plan.make(config.load("quick", elsewhere), ["tfx-distill"])
    for part in (root, "beam.options", "gs://", "environment_type=LOOPBACK"):
        assert part in str(refused.value)


def test_a_store_that_workers_elsewhere_open_is_taken():
    taken = [f"beam.options={yaml.safe_dump(FLINK)}", "kubeflow.pipeline_root=gs://bucket/root"]
    plan.make(config.load("quick", taken), ["tfx-distill"])


def test_the_components_that_run_on_beam_are_given_them_on_kubeflow():
    options = [f"beam.options={yaml.safe_dump(WORKERS)}", "kubeflow.pipeline_root=s3://bucket"]
    run = config.load("quick", options)
    compiled, _ = yaml.safe_load_all(spec.document(plan.make(run, ["tfx-distill"])))
    given = {
        executor["container"]["args"][1].rpartition(".executor.")[0]
        for executor in compiled["deploymentSpec"]["executors"].values()
        if {f"--{option}" for option in WORKERS} <= set(executor["container"]["args"])
    }
    assert given >= {
        "components.cifar100_example_gen",
        "tfx.components.statistics_gen",
        "components.gate_evaluator",
    }
