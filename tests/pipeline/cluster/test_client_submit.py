"""Upload, run, wait."""

import json

import pytest
from kfp_messages import Refusal

from pipeline.cluster import waiting
from pipeline.cluster.commands import FAILED

pytestmark = pytest.mark.light


def submit(kubeflow, spec, *arguments):
    return kubeflow("submit", "--spec", spec, "--parameter", "source=/data", *arguments)


def test_first_submit(kubeflow, server, spec, capsys):
    assert submit(kubeflow, spec, "--parameter", "limit=5", "--service-account", "trainer") == 0
    (pipeline,), (version,) = server.pipelines.values(), server.versions.values()
    (experiment,), (run,) = server.experiments.values(), server.runs.values()
    assert pipeline["display_name"] == experiment["display_name"] == "small"
    assert version["display_name"].startswith("small-")
    # As it is: with the comments, and the platform's document.
    assert server.uploads[version["pipeline_version_id"]] == spec.read_bytes()
    assert run["pipeline_version_reference"] == {
        "pipeline_id": pipeline["pipeline_id"],
        "pipeline_version_id": version["pipeline_version_id"],
    }
    assert run["experiment_id"] == experiment["experiment_id"]
    assert run["runtime_config"] == {"parameters": {"source": "/data", "limit": 5}}
    assert run["service_account"] == "trainer"
    assert f"/#/runs/details/{run['run_id']}" in capsys.readouterr().out


def test_the_same_content_is_not_uploaded_again(kubeflow, server, spec, capsys):
    assert submit(kubeflow, spec) == 0
    spec.write_text("# another comment\n" + spec.read_text(encoding="utf-8"), encoding="utf-8")
    assert submit(kubeflow, spec, "--experiment", "weekly") == 0
    assert len(server.versions) == len(server.pipelines) == 1
    assert len(server.runs) == 2
    assert {item["display_name"] for item in server.experiments.values()} == {"small", "weekly"}
    assert "as uploaded before" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change", [("image: tfx-distill", "image: other"), ("mountPath: /w", "mountPath: /x")]
)
def test_changed_content_is_a_new_version(kubeflow, server, spec, change):
    assert submit(kubeflow, spec) == 0
    spec.write_text(spec.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    assert submit(kubeflow, spec) == 0
    assert len(server.pipelines) == 1
    first, second = server.versions.values()
    assert first["pipeline_id"] == second["pipeline_id"]
    used = [r["pipeline_version_reference"]["pipeline_version_id"] for r in server.runs.values()]
    assert used == [first["pipeline_version_id"], second["pipeline_version_id"]]


@pytest.mark.slow
def test_the_current_graph(kubeflow, server, tmp_path):
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

    from components.cifar100_example_gen.sample import SAMPLE
    from pipeline import config, graph, plan

    made = plan.make(config.load("quick"), tmp_path, str(SAMPLE))
    kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        config=kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(use_pipeline_spec_2_1=True),
        output_dir=str(tmp_path),
        output_filename="quick.yaml",
    ).run(graph.create_pipeline(made))
    assert kubeflow("submit", "--spec", tmp_path / "quick.yaml") == 0
    (pipeline,) = server.pipelines.values()
    assert pipeline["display_name"] == "quick"


def test_waits_for_a_run_that_succeeds(kubeflow, server, spec, capsys, monkeypatch):
    monkeypatch.setattr(waiting, "PAUSE", 0.01)
    server.looks = [
        ("PENDING", {}),
        ("RUNNING", {"root-driver": "SUCCEEDED", "root": "RUNNING", "data": "RUNNING"}),
        ("RUNNING", {"data": "SUCCEEDED", "trainer-teacher": "PENDING"}),
        ("RUNNING", {"data": "SUCCEEDED", "trainer-teacher": "RUNNING"}),
        ("SUCCEEDED", {"data": "SUCCEEDED", "trainer-teacher": "SUCCEEDED"}),
    ]
    assert submit(kubeflow, spec, "--wait") == 0
    lines = capsys.readouterr().out.splitlines()[3:]
    # The tasks of the pipeline, not what the server runs around them.
    assert [line.split()[:2] for line in lines] == [
        ["▸", "data"],
        ["✓", "data"],
        ["▸", "trainer-teacher"],
        ["✓", "trainer-teacher"],
        ["✓", "the"],
    ]
    assert lines[1].endswith("90.0 s")


@pytest.mark.parametrize("state", ["FAILED", "CANCELED", "SKIPPED"])
def test_waits_for_a_run_that_does_not_succeed(kubeflow, server, spec, capsys, monkeypatch, state):
    monkeypatch.setattr(waiting, "PAUSE", 0.01)
    server.looks = [
        ("RUNNING", {"data": "RUNNING"}),
        (state, {"data": state}),
    ]
    assert submit(kubeflow, spec, "--wait") == FAILED
    out = capsys.readouterr().out
    assert f"the run {state.lower()}" in out
    assert ("a task failed" in out) == (state == "FAILED")


def test_a_run_that_failed_is_submitted_again(kubeflow, server, spec, capsys, monkeypatch):
    monkeypatch.setattr(waiting, "PAUSE", 0.01)
    server.looks = [("FAILED", {}), ("FAILED", {}), ("SUCCEEDED", {})]
    assert submit(kubeflow, spec, "--wait", "--resubmit", "3") == 0
    runs = list(server.runs.values())
    assert [run["state"] for run in runs] == ["FAILED", "FAILED", "SUCCEEDED"]
    assert len({str(run["pipeline_version_reference"]) for run in runs}) == 1
    assert len(server.versions) == 1
    out = capsys.readouterr().out
    assert all(run["run_id"] in out for run in runs)


@pytest.mark.parametrize(("state", "runs"), [("FAILED", 3), ("CANCELED", 1)])
def test_no_more_often_than_asked_and_not_where_somebody_stopped_it(
    kubeflow, server, spec, monkeypatch, state, runs
):
    monkeypatch.setattr(waiting, "PAUSE", 0.01)
    server.looks = [(state, {})]
    assert submit(kubeflow, spec, "--wait", "--resubmit", "2") == FAILED
    assert len(server.runs) == runs


@pytest.mark.parametrize(
    ("options", "said"), [(["2"], "give --wait"), (["-1", "--wait"], "found -1")]
)
def test_a_resubmission_that_is_none(kubeflow, server, spec, capsys, options, said):
    assert submit(kubeflow, spec, "--resubmit", *options) == 2
    assert said in capsys.readouterr().err
    assert not server.requests


def test_the_pipeline_root_is_sent_as_kubeflow_reads_it_nowhere_else(kubeflow, server, spec):
    spec.write_text(
        "defaultPipelineRoot: s3://bucket/runs\n" + spec.read_text(encoding="utf-8"),
        encoding="utf-8",
    )
    assert submit(kubeflow, spec) == 0
    (run,) = server.runs.values()
    assert run["runtime_config"]["pipeline_root"] == "s3://bucket/runs"


def test_waiting_outlives_a_server_that_is_away_for_a_while(kubeflow, server, spec, monkeypatch):
    monkeypatch.setattr(waiting, "PAUSE", 0.01)
    server.looks = [("RUNNING", {}), ("SUCCEEDED", {})]
    looks = []

    def trouble(method, path, done):
        if method == "GET" and "/runs/" in path and not done:
            looks.append(path)
            if 2 <= len(looks) < 10:
                raise ConnectionError

    server.trouble = trouble
    assert submit(kubeflow, spec, "--wait") == 0
    assert len(looks) >= 10


def test_waiting_ends_when_the_server_stays_away(kubeflow, server, spec, monkeypatch, capsys):
    monkeypatch.setattr(waiting, "PAUSE", 0.001)

    def trouble(method, path, done):
        if method == "GET" and "/runs/" in path:
            raise ConnectionError

    server.trouble = trouble
    assert submit(kubeflow, spec, "--wait") == FAILED
    error = capsys.readouterr().err
    assert "the run goes on" in error
    assert "cannot be reached" in error


def test_waiting_that_ends_early_leaves_the_run(kubeflow, server, spec, monkeypatch, capsys):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(waiting.time, "sleep", interrupt)
    server.looks = [("RUNNING", {})]
    assert submit(kubeflow, spec, "--wait") == FAILED
    assert capsys.readouterr().err == "tfx-distill: no longer waiting; the run goes on\n"


def test_a_token_that_expires_while_waiting(kubeflow, server, spec, capsys):
    def trouble(method, path, done):
        if method == "GET" and "/runs/" in path:
            raise Refusal(401)

    server.trouble = trouble
    assert submit(kubeflow, spec, "--wait") == 2
    error = capsys.readouterr().err
    assert "the run goes on" in error
    assert "has expired" in error


def test_list_as_json(kubeflow, server, spec, capsys):
    for _ in range(4):  # more than the server gives in a page
        assert submit(kubeflow, spec) == 0
    assert kubeflow("schedule", "--spec", spec, "--name", "b", "--every", "7d") == 2  # no source
    for name in ("b", "a", "c", "d"):
        source = ("--parameter", "source=x")
        assert kubeflow("schedule", "--spec", spec, "--name", name, "--every", "7d", *source) == 0
    assert kubeflow("pause", "a") == 0
    started = next(j for j in server.recurring_runs.values() if j["display_name"] == "b")
    newest = list(server.runs.values())[-1]
    newest.update(recurring_run_id=started["recurring_run_id"], state="FAILED")
    capsys.readouterr()

    assert kubeflow("list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    jobs = {job["name"]: job for job in listed["recurring_runs"]}
    assert {name: job["enabled"] for name, job in jobs.items()} == {
        "a": False,
        "b": True,
        "c": True,
        "d": True,
    }
    assert jobs["b"]["schedule"] == "every 7d"
    assert jobs["b"]["last_run"]["id"] == newest["run_id"]
    assert jobs["b"]["last_run"]["state"] == "FAILED"
    assert jobs["c"]["last_run"] is None
    assert listed["runs"][0]["id"] == newest["run_id"]
    assert [run["state"] for run in listed["runs"]] == ["FAILED", "PENDING", "PENDING"]


def test_list_for_a_person(kubeflow, server, spec, capsys):
    source = ("--parameter", "source=x")
    assert kubeflow("schedule", "--spec", spec, "--name", "b", "--cron", "0 2 * * 1", *source) == 0
    assert submit(kubeflow, spec) == 0
    capsys.readouterr()
    assert kubeflow("list") == 0
    out = capsys.readouterr().out
    assert "cron 0 2 * * 1" in out
    assert "enabled" in out
    assert "pending" in out
