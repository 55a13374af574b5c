"""What Kubeflow's driver and launcher do with a specification, without a container."""

import dataclasses
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from local_kubeflow import (
    BACKENDS,
    Cache,
    Places,
    PodDeletedError,
    Podman,
    SpecError,
    TaskFailedError,
    cache,
    delete_pod,
    driver,
    launcher,
    records,
    retries,
    run,
)

pytestmark = pytest.mark.light

ROOT = "minio://bucket/run"
SCHEMA = {"instanceSchema": "title: tfx.Model\ntype: object\n"}
IMPORTER = {"artifactUri": {"constant": "minio://bucket/teacher"}, "typeSchema": SCHEMA}


def resolved(task, declared, arguments=None, produced=None):
    component = {"inputDefinitions": {"parameters": declared}, "outputDefinitions": {}}
    task = {"taskInfo": {"name": "second"}, "inputs": task}
    given = driver.executor_input(
        component,
        task,
        produced or records.Records(Cache()),
        arguments or {},
        ROOT,
        BACKENDS["2.17"],
    )
    return given["inputs"]


def constant(value):
    return {"runtimeValue": {"constant": value}}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (constant(3.0), 3),
        ({"componentInputParameter": "epochs"}, 7),
        ({"taskOutputParameter": {"producerTask": "first", "outputParameterKey": "n"}}, 5),
    ],
)
def test_a_parameter_comes_from_a_constant_the_pipeline_or_a_task(source, expected):
    produced = records.Records(Cache())
    produced.produced("first", {}, {"n": 5})
    declared = {"limit": {"parameterType": "NUMBER_INTEGER"}}
    found = resolved({"parameters": {"limit": source}}, declared, {"epochs": 7}, produced)
    assert found["parameterValues"] == {"limit": expected}


def test_a_default_is_taken_but_not_for_what_is_optional():
    declared = {
        "kept": {"parameterType": "STRING", "defaultValue": "yes"},
        "left_out": {"parameterType": "STRING", "defaultValue": "no", "isOptional": True},
    }
    assert resolved({}, declared)["parameterValues"] == {"kept": "yes"}


@pytest.mark.parametrize(
    ("source", "kind", "said"),
    [
        (constant("7"), "NUMBER_INTEGER", "type mismatch"),
        (constant(1), "BOOLEAN", "type mismatch"),
        ({"componentInputParameter": "nothing"}, "STRING", "source is not known"),
        (
            {"taskOutputParameter": {"producerTask": "first", "outputParameterKey": "n"}},
            "STRING",
            "cannot find producer task 'first'",
        ),
    ],
)
def test_what_the_driver_refuses(source, kind, said):
    with pytest.raises(SpecError, match=said):
        resolved({"parameters": {"x": source}}, {"x": {"parameterType": kind}})


def test_a_missing_parameter_is_refused():
    with pytest.raises(SpecError, match="neither value nor default"):
        resolved({}, {"x": {"parameterType": "STRING"}})


OUTPUTS = {"artifacts": {"model": {"artifactType": SCHEMA}}, "parameters": {"n": {}}}


def outputs(backend):
    given = driver.executor_input(
        {"outputDefinitions": OUTPUTS},
        {"taskInfo": {"name": "first"}},
        records.Records(Cache()),
        {},
        ROOT,
        BACKENDS[backend],
    )
    return given["outputs"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_outputs_lie_below_the_runs_root_and_one_is_kubeflows(backend):
    given = outputs(backend)
    (model,) = given["artifacts"]["model"]["artifacts"]
    folder = model["uri"].removesuffix("/model")
    assert folder.startswith(f"{ROOT}/first/")
    assert (model["type"], model["metadata"]) == (SCHEMA, {})
    (logs,) = given["artifacts"]["executor-logs"]["artifacts"]
    assert logs["uri"] == f"{folder}/executor-logs"
    assert logs["type"] == {"schemaTitle": "system.Artifact"}
    assert given["parameters"] == {"n": {"outputFile": "/tmp/kfp/outputs/n"}}


def test_the_releases_differ_in_names_and_where_the_executor_reports():
    given = outputs("2.5 and 2.14")
    assert "name" not in given["artifacts"]["model"]["artifacts"][0]
    assert given["outputFile"] == "/tmp/kfp_outputs/output_metadata.json"
    given = outputs("2.17")
    (model,) = given["artifacts"]["model"]["artifacts"]
    assert model["name"] == "model"
    folder = model["uri"].removesuffix("/model").replace("minio://", "/minio/")
    assert given["outputFile"] == f"{folder}/output_metadata.json"


def test_an_input_has_its_id_for_a_name_no_type_and_metadata_as_the_store_gives_it_back():
    kept = records.Records(Cache())
    metadata = {"pushed": True, "splits": ["train"], "blessed": {"train": 1}, "note": "x"}
    kept.produced("first", {"model": {"uri": "minio://b/m", "metadata": metadata}}, {})
    artifact = kept.artifact("first", "model")
    assert artifact["name"] == "1"
    assert artifact["type"] == {"instanceSchema": ""}
    session = json.loads(artifact["metadata"].pop("store_session_info"))
    assert session["Provider"] == "minio"
    assert artifact["metadata"] == {
        "display_name": "model",
        "pushed": 1,
        "splits": {"list": ["train"]},
        "blessed": {"struct": {"train": 1}},
        "note": "x",
    }
    assert type(artifact["metadata"]["pushed"]) is int


def test_placeholders():
    given = {"inputs": {"parameterValues": {"tag": "v1", "n": 3.0, "all": [1]}}}
    assert json.loads(launcher.replaced("{{$}}", given)) == given
    word = "image:{{$.inputs.parameters['tag']}}-{{$.inputs.parameters['n']}}"
    assert launcher.replaced(word, given) == "image:v1-3"
    assert launcher.replaced("{{$.inputs.parameters['all']}}", given) == "[1]"
    for unknown in ("{{$.inputs.parameters['other']}}", "{{$.inputs.artifacts['m'].uri}}"):
        with pytest.raises(SpecError, match="placeholder is not known"):
            launcher.replaced(unknown, given)


def spec(executor, **task):
    outputs = {"artifacts": {"model": {"artifactType": SCHEMA}}}
    return {
        "components": {"first": {"executorLabel": "exec-first", "outputDefinitions": outputs}},
        "deploymentSpec": {"executors": {"exec-first": executor}},
        "root": {
            "dag": {
                "tasks": {
                    "first": {
                        "componentRef": {"name": "first"},
                        "taskInfo": {"name": "first"},
                        **task,
                    }
                }
            }
        },
    }


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path, tmp_path, tmp_path / "scratch", Podman())


def test_an_importer_brings_in_its_artifact(places):
    produced = run(spec({"importer": IMPORTER}), places, ROOT, {})
    assert produced.artifact("first", "model")["uri"] == "minio://bucket/teacher"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (spec({"resolver": {}}), "not implemented"),
        (spec({"importer": IMPORTER}, taskInfo={"name": "First"}), "another name"),
        (spec({"importer": IMPORTER}, dependentTasks=["zeroth"]), "not there"),
        (spec({"importer": IMPORTER}, iteratorPolicy={}), "not simulated"),
    ],
)
def test_what_kubeflow_would_refuse(changed, said, places):
    with pytest.raises(SpecError, match=said):
        run(changed, places, ROOT, {})


@pytest.fixture
def podman(tmp_path, monkeypatch):
    """Puts a script in the place of podman."""

    def put(script):
        # Whose files they are matters to a container alone.
        for program, text in {"podman": script, "chown": "true"}.items():
            path = tmp_path / "bin" / program
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")

    return put


CONTAINER = {"container": {"image": "image", "command": ["true"]}}


@pytest.mark.parametrize(("fails", "limit"), [(1, 2), (3, 2)])
def test_a_task_that_fails_is_started_anew(fails, limit, tmp_path, podman, places):
    podman(f"echo start >> {tmp_path}/starts\n[ $(wc -l < {tmp_path}/starts) -gt {fails} ]")
    failing = spec(CONTAINER, retryPolicy={"maxRetryCount": limit, "backoffMaxDuration": "60s"})
    if fails > limit:
        with pytest.raises(TaskFailedError, match="first: its container ended with status 1"):
            run(failing, places, ROOT, {})
    else:
        assert run(failing, places, ROOT, {}).executed == {"first"}
    starts = min(fails, limit) + 1
    assert (tmp_path / "starts").read_text(encoding="utf-8") == "start\n" * starts
    assert [places.attempt("first", n).is_dir() for n in range(starts + 1)] == [
        *[True] * starts,
        False,
    ]
    # Its log is an artifact, of the last attempt here.
    [logs] = tmp_path.glob("bucket/run/first/*/executor-logs")
    assert logs.is_file()


def test_a_task_whose_pod_is_deleted_is_not_started_anew(podman, places):
    podman('[ "$1" = kill ] || sleep 1')
    failing = spec(CONTAINER, retryPolicy={"maxRetryCount": 2, "backoffMaxDuration": "60s"})
    first = places.attempt("first", 0)

    def delete():
        while not first.is_dir():
            time.sleep(0.01)
        (first / "cid").write_text("id", encoding="utf-8")
        delete_pod(places, "first", 0)

    with ThreadPoolExecutor(1) as pool:
        deleted = pool.submit(delete)
        with pytest.raises(PodDeletedError):
            run(failing, places, ROOT, {})
    deleted.result()
    assert not places.attempt("first", 1).exists()


def test_argos_clock_runs_from_the_first_attempt():
    now = 0.0

    def attempts(policy, lasts):
        nonlocal now
        now, left = 0.0, []

        def start(number, seconds):
            nonlocal now
            left.append(seconds)
            now += lasts
            raise TaskFailedError

        with pytest.raises(TaskFailedError):
            retries.attempted(start, retries.of_task({"retryPolicy": policy}), lambda: now)
        return left

    policy = {"maxRetryCount": 2, "backoffDuration": "30s", "backoffFactor": 2.0}
    assert attempts({**policy, "backoffMaxDuration": "600s"}, 700) == [600]
    assert attempts({**policy, "backoffMaxDuration": "600s"}, 300) == [600, 270]
    # Left out it is 0.
    assert attempts(policy, 1) == [0]
    assert attempts({**policy, "backoffMaxDuration": "3000s"}, 700) == [3000, 2270, 1510]


def test_a_word_of_128_kib_is_too_long(podman, places):
    podman("true")
    short, long = ("x" * (131_071 + more) for more in (0, 1))
    run(spec({"container": {"image": "image", "command": [short]}}), places, ROOT, {})
    places = dataclasses.replace(places, scratch=places.scratch / "again")
    with pytest.raises(TaskFailedError, match="argument list too long"):
        run(spec({"container": {"image": "image", "command": [long]}}), places, ROOT, {})


def fingerprint(limit=7, uri="minio://b/1", image="a:1", claims=()):
    """Of a task with a parameter, an artifact that is given and one that it makes."""
    container = {"image": image, "command": ["python"], "args": ["--x={{$.inputs.parameters}}"]}
    given = {
        "inputs": {
            "parameterValues": {"limit": limit},
            "artifacts": {"data": {"artifacts": [{"name": "3", "uri": "minio://b/data"}]}},
        },
        "outputs": {"artifacts": {"model": {"artifacts": [{"uri": uri, "type": SCHEMA}]}}},
    }
    return cache.fingerprint(container, {}, given, claims)


def test_where_outputs_go_makes_no_difference_to_the_cache():
    assert fingerprint() == fingerprint(uri="minio://b/2")
    others = [fingerprint(limit=8), fingerprint(image="a:2"), fingerprint(claims=["volume"])]
    assert len({fingerprint(), *others}) == 4
