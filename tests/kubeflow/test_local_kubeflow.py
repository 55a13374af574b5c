"""What Kubeflow's driver and launcher do with a specification, without a container."""

import json

import pytest
from local_kubeflow import (
    Cache,
    Places,
    SpecError,
    TaskFailedError,
    cache,
    driver,
    launcher,
    records,
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
        component, task, produced or records.Records(Cache()), arguments or {}, ROOT
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


def test_outputs_lie_below_the_runs_root():
    outputs = {"artifacts": {"model": {"artifactType": SCHEMA}}, "parameters": {"n": {}}}
    task = {"taskInfo": {"name": "first"}}
    given = driver.executor_input(
        {"outputDefinitions": outputs}, task, records.Records(Cache()), {}, ROOT
    )
    (model,) = given["outputs"]["artifacts"]["model"]["artifacts"]
    assert model == {"uri": f"{ROOT}/first/model", "type": SCHEMA, "metadata": {}}
    assert given["outputs"]["parameters"] == {"n": {"outputFile": "/tmp/kfp/outputs/n"}}


def test_an_artifact_has_its_id_for_a_name_and_metadata_as_the_store_gives_it_back():
    kept = records.Records(Cache())
    metadata = {"pushed": True, "splits": ["train"], "blessed": {"train": 1}, "note": "x"}
    kept.produced("first", {"model": {"uri": "minio://b/m", "metadata": metadata}}, {})
    artifact = kept.artifact("first", "model")
    assert artifact["name"] == "1"
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


def test_an_importer_brings_in_its_artifact(tmp_path):
    produced = run(spec({"importer": IMPORTER}), Places(tmp_path, tmp_path, tmp_path), ROOT, {})
    model = produced.artifact("first", "model")
    assert (model["uri"], model["type"]) == ("minio://bucket/teacher", SCHEMA)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (spec({"resolver": {}}), "not implemented"),
        (spec({"importer": IMPORTER}, taskInfo={"name": "First"}), "another name"),
        (spec({"importer": IMPORTER}, dependentTasks=["zeroth"]), "not there"),
        (spec({"importer": IMPORTER}, iteratorPolicy={}), "not simulated"),
    ],
)
def test_what_kubeflow_would_refuse(changed, said, tmp_path):
    with pytest.raises(SpecError, match=said):
        run(changed, Places(tmp_path, tmp_path, tmp_path), ROOT, {})


@pytest.mark.parametrize(("fails", "retries"), [(1, 2), (3, 2)])
def test_a_task_that_fails_is_started_anew(fails, retries, tmp_path, monkeypatch):
    starting = f"echo start >> {tmp_path}/starts\n[ $(wc -l < {tmp_path}/starts) -gt {fails} ]"
    # Whose files they are matters to a container alone.
    for program, script in {"podman": starting, "chown": "true"}.items():
        path = tmp_path / "bin" / program
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    container = {"container": {"image": "image", "command": ["true"]}}
    failing = spec(container, retryPolicy={"maxRetryCount": retries})
    places = Places(tmp_path, tmp_path, tmp_path / "scratch")
    if fails > retries:
        with pytest.raises(TaskFailedError, match="first: its container ended with status 1"):
            run(failing, places, ROOT, {})
    else:
        assert run(failing, places, ROOT, {}).executed == {"first"}
    starts = min(fails, retries) + 1
    assert (tmp_path / "starts").read_text() == "start\n" * starts
    assert [places.attempt("first", n).is_dir() for n in range(starts + 1)] == [
        *[True] * starts,
        False,
    ]


def fingerprint(limit=7, uri="minio://b/1", image="a:1"):
    """Of a task with a parameter, an artifact that is given and one that it makes."""
    container = {"image": image, "command": ["python"], "args": ["--x={{$.inputs.parameters}}"]}
    given = {
        "inputs": {
            "parameterValues": {"limit": limit},
            "artifacts": {"data": {"artifacts": [{"name": "3", "uri": "minio://b/data"}]}},
        },
        "outputs": {"artifacts": {"model": {"artifacts": [{"uri": uri, "type": SCHEMA}]}}},
    }
    return cache.fingerprint(container, {}, given)


def test_where_outputs_go_makes_no_difference_to_the_cache():
    assert fingerprint() == fingerprint(uri="minio://b/2")
    assert len({fingerprint(), fingerprint(limit=8), fingerprint(image="a:2")}) == 3
