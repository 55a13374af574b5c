"""A name stands for one schedule, whatever happens."""

import pytest

pytestmark = pytest.mark.light

SOURCE = ("--parameter", "source=/data")


@pytest.fixture
def schedule(kubeflow, spec):
    def call(*arguments, name="weekly"):
        return kubeflow("schedule", "--spec", spec, "--name", name, *SOURCE, *arguments)

    return call


def the_only(server, name="weekly"):
    (job,) = [job for job in server.recurring_runs.values() if job["display_name"] == name]
    return job


def test_what_is_asked_for(schedule, server, capsys):
    assert schedule("--cron", "0 2 * * 1", "--service-account", "trainer") == 0
    job = the_only(server)
    assert job["trigger"] == {"cron_schedule": {"cron": "0 0 2 * * 1"}}
    assert (job["mode"], job["no_catchup"], job["max_concurrency"]) == ("ENABLE", True, "1")
    assert job["service_account"] == "trainer"
    assert job["runtime_config"] == {"parameters": {"source": "/data"}}
    assert "schedule weekly: created, cron 0 2 * * 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("interval", "seconds"), [("90m", "5400"), ("12h", "43200"), ("7d", "604800")]
)
def test_interval(schedule, server, interval, seconds):
    assert schedule("--every", interval) == 0
    assert the_only(server)["trigger"] == {"periodic_schedule": {"interval_second": seconds}}


def test_the_same_again_changes_nothing(schedule, server, capsys):
    assert schedule("--cron", "0 2 * * 1") == 0
    before = [dict(job) for job in server.recurring_runs.values()]
    del server.requests[:]
    assert schedule("--cron", "0 2 * * 1") == 0
    assert server.changes() == []
    assert list(server.recurring_runs.values()) == before
    assert "unchanged" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        ("--cron", "0 3 * * 1"),
        ("--every", "7d"),
        ("--cron", "0 2 * * 1", "--parameter", "limit=5"),
        ("--cron", "0 2 * * 1", "--service-account", "other"),
        ("--cron", "0 2 * * 1", "--experiment", "other"),
    ],
)
def test_what_differs_is_replaced(schedule, server, capsys, change):
    assert schedule("--cron", "0 2 * * 1") == 0
    first = the_only(server)
    assert schedule(*change) == 0
    assert the_only(server)["recurring_run_id"] != first["recurring_run_id"]
    assert the_only(server)["status"] == "ENABLED"
    assert server.most_enabled == 1
    assert "weekly: replaced" in capsys.readouterr().out


def test_a_changed_pipeline_replaces_the_schedule(schedule, server, spec):
    assert schedule("--every", "1d") == 0
    spec.write_text(
        spec.read_text(encoding="utf-8").replace("image: tfx-distill", "image: other"),
        encoding="utf-8",
    )
    assert schedule("--every", "1d") == 0
    version = the_only(server)["pipeline_version_reference"]["pipeline_version_id"]
    assert b"image: other" in server.uploads[version]
    assert server.most_enabled == 1


def test_another_pipeline_root_replaces_the_schedule(schedule, server, spec):
    content = spec.read_text(encoding="utf-8")
    for root in ("s3://bucket/a", "s3://bucket/b"):
        spec.write_text(f"defaultPipelineRoot: {root}\n{content}", encoding="utf-8")
        assert schedule("--every", "1d") == 0
        assert the_only(server)["runtime_config"]["pipeline_root"] == root


def test_other_names_are_left_alone(schedule, server):
    assert schedule("--every", "1d", name="daily") == 0
    other = dict(the_only(server, "daily"))
    assert schedule("--every", "7d") == 0
    assert schedule("--every", "14d") == 0
    assert the_only(server, "daily") == other


# What a replacement asks the server to change, in this order.
STEPS = ["upload_version", "recurringruns", "DELETE", "enable"]


def replace(schedule, spec):
    spec.write_text(
        spec.read_text(encoding="utf-8").replace("image: tfx-distill", "image: other"),
        encoding="utf-8",
    )
    return schedule("--cron", "0 3 * * *")


def test_steps_of_a_replacement(schedule, server, spec):
    assert schedule("--cron", "0 2 * * 1") == 0
    del server.requests[:]
    assert replace(schedule, spec) == 0
    changes = server.changes()
    assert len(changes) == len(STEPS)
    assert all(step in change for step, change in zip(STEPS, changes, strict=True))


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_killed_in_between(schedule, server, spec, step, answered):
    assert schedule("--cron", "0 2 * * 1") == 0
    dead = []

    def trouble(method, path, done):
        reached = method != "GET" and step in f"{method} {path}" and done == answered
        if reached or dead:
            dead.append(path)
            raise ConnectionError

    server.trouble = trouble
    assert replace(schedule, spec) == 1
    enabled = [job["status"] for job in server.recurring_runs.values()].count("ENABLED")
    # From the old one's end to the new one's start there is none.
    between = (step, answered) in {("DELETE", True), ("enable", False)}
    assert enabled == (0 if between else 1)

    server.trouble = lambda method, path, done: None
    assert schedule("--cron", "0 3 * * *") == 0
    job = the_only(server)
    assert job["status"] == "ENABLED"
    assert job["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * *"
    assert server.most_enabled == 1


def test_killed_and_then_the_old_one_again(schedule, server, spec):
    assert schedule("--every", "1d") == 0
    first = the_only(server)["recurring_run_id"]

    def trouble(method, path, done):
        if method == "DELETE":
            raise ConnectionError

    server.trouble = trouble
    assert schedule("--every", "2d") == 1
    server.trouble = lambda method, path, done: None
    assert schedule("--every", "1d") == 0
    assert the_only(server)["recurring_run_id"] == first
    assert the_only(server)["status"] == "ENABLED"
    assert server.most_enabled == 1


def test_an_answer_that_is_lost_once(schedule, server):
    """The client tries again by itself, and finds deleted what it wants deleted."""
    assert schedule("--every", "1d") == 0
    lost = []

    def trouble(method, path, done):
        if method == "DELETE" and done and not lost:
            lost.append(path)
            raise ConnectionError

    server.trouble = trouble
    assert schedule("--every", "2d") == 0
    assert lost
    assert the_only(server)["status"] == "ENABLED"


def test_several_of_a_name_become_one(schedule, kubeflow, server, capsys):
    assert schedule("--every", "1d") == 0
    for number in range(4):  # by somebody else, more than a page of them
        copy = {**the_only_described(server), "recurring_run_id": f"copy-{number}"}
        server.recurring_runs[f"copy-{number}"] = {**copy, "description": ""}
    assert kubeflow("pause", "weekly") == 0
    assert {job["status"] for job in server.recurring_runs.values()} == {"DISABLED"}
    assert kubeflow("resume", "weekly") == 2
    assert "5 recurring runs have the name 'weekly'" in capsys.readouterr().err
    assert {job["status"] for job in server.recurring_runs.values()} == {"DISABLED"}
    assert schedule("--every", "1d") == 0
    assert the_only(server)["status"] == "ENABLED"


@pytest.mark.parametrize("paused_first", [True, False])
def test_of_two_that_are_the_same_the_enabled_one_stays(schedule, server, paused_first):
    assert schedule("--every", "1d") == 0
    kept = the_only(server)["recurring_run_id"]
    twin = {**the_only(server), "recurring_run_id": "twin", "status": "DISABLED"}
    jobs = {"twin": twin, **server.recurring_runs}
    server.recurring_runs = jobs if paused_first else {**server.recurring_runs, "twin": twin}
    assert schedule("--every", "1d") == 0
    assert the_only(server)["recurring_run_id"] == kept


def the_only_described(server):
    (job,) = [job for job in server.recurring_runs.values() if job["description"]]
    return job


def test_pause_resume_delete(schedule, kubeflow, server, capsys):
    assert schedule("--every", "1d") == 0
    assert kubeflow("pause", "weekly") == 0
    assert the_only(server)["status"] == "DISABLED"
    assert kubeflow("resume", "weekly") == 0
    assert the_only(server)["status"] == "ENABLED"
    assert kubeflow("delete", "weekly") == 0
    assert not server.recurring_runs
    words = [line.split()[-1] for line in capsys.readouterr().out.splitlines()[-3:]]
    assert words == ["paused", "enabled", "deleted"]


def test_scheduling_enables_what_was_paused(schedule, kubeflow, server, capsys):
    assert schedule("--every", "1d") == 0
    assert kubeflow("pause", "weekly") == 0
    assert schedule("--every", "1d") == 0
    assert the_only(server)["status"] == "ENABLED"
    assert "schedule weekly: enabled, every 1d" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["pause", "resume", "delete"])
def test_unknown_name(schedule, kubeflow, capsys, verb):
    assert kubeflow(verb, "weekly") == 2
    assert "There are none." in capsys.readouterr().err
    assert schedule("--every", "1d") == 0
    assert schedule("--every", "1d", name="daily") == 0
    assert kubeflow(verb, "weekli") == 2
    assert "Did you mean 'weekly'? Known: daily, weekly." in capsys.readouterr().err
