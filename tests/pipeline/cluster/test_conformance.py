"""What a compiled pipeline must be for open-source Kubeflow Pipelines 2 and Argo to run it.

Each test is a refusal of theirs, found in the source of kubeflow/pipelines or by running into it.
"""

import importlib
import json
import re
from itertools import chain

import pytest
import yaml
from compiled_quick import comparison, document
from google.protobuf import json_format
from kfp import components
from kfp.pipeline_spec import pipeline_spec_pb2
from platform_fields import EXECUTOR, mistakes

COMPARED = ["compare.methods=[rkd, fitnet/seed]", "compare.trials=2", "compare.push_best=true"]
# What finds on the volume, or on the machine, what no cache key holds.
NEVER_CACHED = {
    "run-recorder",
    "data-probe",
    "baseline-selector",
    "student-gate",
    "pusher",
    "model-report",
}
EVERYTHING = [
    "gate.min_teacher_share=0.9",
    "push.formats=[saved_model, tflite]",
    "kubeflow.node_selector={pool: gpu}",
    "kubeflow.tolerations=[{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]",
    "kubeflow.image_pull_secret=registry",
    "kubeflow.secret_env=[{secret: minio, env: {AWS_ACCESS_KEY_ID: accesskey}}]",
]


COMPILED = {
    "quick": (document, []),
    "everything": (document, EVERYTHING),
    "comparison": (comparison, [*EVERYTHING, *COMPARED]),
}


def trains(executor):
    return executor.startswith(("exec-trainer-", "exec-distill-trainer"))


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(compiled, id=name, marks=[pytest.mark.slow] if name == "comparison" else [])
        for name, compiled in COMPILED.items()
    ],
)
def compiled(request):
    make, overrides = request.param
    text = make(*overrides)
    return text, *yaml.safe_load_all(text)


@pytest.fixture(scope="module")
def compared():
    spec, _ = yaml.safe_load_all(comparison(*COMPARED))
    return spec


@pytest.fixture
def spec(compiled):
    return compiled[1]


@pytest.fixture
def platform(compiled):
    return compiled[2]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


@pytest.fixture
def tasks(spec):
    return spec["root"]["dag"]["tasks"]


@pytest.fixture
def executors(spec):
    return spec["deploymentSpec"]["executors"]


def test_schema_and_messages(spec):
    assert spec["schemaVersion"] == "2.1.0"
    parsed = json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    json_format.ParseDict(
        spec["deploymentSpec"], pipeline_spec_pb2.PipelineDeploymentConfig()
    )  # a Struct in the message: the server parses it for itself
    assert len(parsed.root.dag.tasks) >= 17


def test_kubeflows_own_loader_takes_it(compiled):
    loaded = components.load_component_from_text(compiled[0])
    assert loaded.pipeline_spec.pipeline_info.name in ("quick", "quick-compare")
    assert loaded.platform_spec.platforms["kubernetes"]


def test_containers_alone(executors):
    # No resolver, importer or custom job; no driver of ours (lifecycle.preCacheCheck).
    for executor in executors.values():
        assert set(executor) == {"container"}
        assert set(executor["container"]) == {"image", "command", "args", "resources"}


def test_the_pipeline_root_is_the_clusters_own_unless_one_is_given(spec):
    # config/env.go:86. What is compiled in is read by our client alone (root_dag.go:97).
    assert "defaultPipelineRoot" not in spec
    given, _ = yaml.safe_load_all(document("kubeflow.pipeline_root=s3://bucket/runs"))
    assert given["defaultPipelineRoot"] == "s3://bucket/runs"


def test_names_are_argos(spec, tasks, executors):
    for name in chain(tasks, spec["components"], executors):
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name)
        assert len(name) < 64


def test_every_reference_leads_somewhere(spec, tasks, executors):
    assert {task["componentRef"]["name"] for task in tasks.values()} == set(spec["components"])
    labels = [component["executorLabel"] for component in spec["components"].values()]
    assert sorted(labels) == sorted(executors)
    for name, task in tasks.items():
        assert task["taskInfo"]["name"] == name
        assert set(task.get("dependentTasks", [])) <= set(tasks)
        inputs = task["inputs"]
        for kind in ("artifacts", "parameters"):
            defined = spec["components"][name]["inputDefinitions"].get(kind, {})
            assert set(inputs.get(kind, {})) == set(defined)
        for source in chain.from_iterable(part.values() for part in inputs.values()):
            ((kind, what),) = source.items()
            if kind == "componentInputParameter":
                assert what in spec["root"]["inputDefinitions"]["parameters"]
            elif kind != "runtimeValue":
                outputs = spec["components"][what["producerTask"]]["outputDefinitions"]
                part = {"taskOutputArtifact": "artifacts", "taskOutputParameter": "parameters"}
                key = what.get("outputArtifactKey") or what["outputParameterKey"]
                assert key in outputs[part[kind]]
                # The order in which Argo runs them.
                assert what["producerTask"] in task["dependentTasks"]


def test_what_kubeflows_pages_show_has_types_that_they_know(spec):
    # getVertifiedHtmlArtifacts and the like, frontend MetricsVisualizations.tsx:277-306.
    shown = {
        (name, key): artifact["artifactType"]["schemaTitle"]
        for name, component in spec["components"].items()
        for key, artifact in component.get("outputDefinitions", {}).get("artifacts", {}).items()
        if "schemaTitle" in artifact["artifactType"]
    }
    expected = {
        ("model-report", "page"): "system.HTML",
        ("model-report", "metrics"): "system.Metrics",
        ("model-report", "confusion_matrix"): "system.ClassificationMetrics",
    }
    if "leaderboard" in spec["components"]:
        expected |= {
            ("leaderboard", "page"): "system.HTML",
            ("leaderboard", "metrics"): "system.Metrics",
        }
    assert shown == expected


def test_no_output_parameter_without_its_artifact(spec):
    # TFX's entry point writes a parameter out of the value artifact of the same name.
    for component in spec["components"].values():
        outputs = component.get("outputDefinitions", {})
        assert set(outputs.get("parameters", {})) <= set(outputs.get("artifacts", {}))


def test_executors_and_artifact_types_are_found_by_name_in_the_image(compiled, executors):
    for executor in executors.values():
        container = executor["container"]
        assert container["command"] == ["python", "-m", "pipeline.cluster.entrypoint"]
        flag, path, *_ = container["args"]
        assert flag == "--executor_class_path"
        module, _, name = path.rpartition(".")
        assert module != "__main__"
        assert getattr(importlib.import_module(module), name)
    for title in set(re.findall(r"title: ([\w.]+)", compiled[0])):
        package, name = title.split(".")
        if package != "tfx":
            assert re.fullmatch(r"[a-z][a-z0-9-_]{2,20}[.][A-Z][a-zA-Z0-9-_]{2,49}", title)
            artifact_type = getattr(importlib.import_module(package), name)
            assert title == artifact_type.TYPE_NAME
            assert not artifact_type.PROPERTIES


def test_every_parameter_has_a_default(spec):
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    of_method = {"method", "method_preset"}
    assert set(parameters) - of_method == {"baseline", "cache_salt", "data_uri", "gate", "image"}
    # Which methods are compared is the graph.
    compared = spec["pipelineInfo"]["name"] == "quick-compare"
    assert set(parameters) & of_method == (set() if compared else of_method)
    for parameter in parameters.values():
        assert parameter["parameterType"] == "STRING"
        assert isinstance(parameter["defaultValue"], str)
    if not compared:
        assert json.loads(parameters["method"]["defaultValue"])["name"] == "soft_logits"
    assert json.loads(parameters["gate"]["defaultValue"])["min_accuracy"] == 0.6


def test_every_container_is_of_the_image_that_its_task_is_given(tasks, executors):
    # The driver resolves the placeholder among the task's own inputs.
    for task in tasks.values():
        assert task["inputs"]["parameters"]["image"] == {"componentInputParameter": "image"}
    for executor in executors.values():
        assert executor["container"]["image"] == "{{$.inputs.parameters['image']}}"


def test_cpu_and_memory_for_all_and_a_gpu_where_it_trains(executors):
    for name, executor in executors.items():
        resources = executor["container"]["resources"]
        for key in ("cpuRequest", "cpuLimit", "memoryRequest", "memoryLimit"):
            assert resources[key] > 0
        assert ("accelerator" in resources) == trains(name)
        gpu = {"type": "nvidia.com/gpu", "count": "1"}
        assert resources.get("accelerator", gpu) == gpu


def test_no_gpu_asked_for():
    assert "accelerator" not in document("kubeflow.gpu.count=0")


def test_what_looks_outside_of_its_inputs_is_never_cached(tasks):
    assert {
        name for name, task in tasks.items() if not task["cachingOptions"].get("enableCache")
    } == NEVER_CACHED
    # Then what is cached must not come after it, or it would not be, ever.
    for name in set(tasks) - NEVER_CACHED:
        artifacts = tasks[name]["inputs"].get("artifacts", {})
        producers = {source["taskOutputArtifact"]["producerTask"] for source in artifacts.values()}
        assert producers & NEVER_CACHED <= {"baseline-selector"}
    for name in (name for name in tasks if trains(f"exec-{name}")):
        artifacts = tasks[name]["inputs"]["artifacts"]
        producers = {source["taskOutputArtifact"]["producerTask"] for source in artifacts.values()}
        assert not producers & NEVER_CACHED


def test_changed_data_is_seen_by_its_fingerprint(tasks):
    parameters = tasks["cifar100-example-gen"]["inputs"]["parameters"]
    assert parameters["data_fingerprint"] == {
        "taskOutputParameter": {
            "producerTask": "data-probe",
            "outputParameterKey": "fingerprint",
        }
    }
    for task in ("data-probe", "cifar100-example-gen"):
        source = tasks[task]["inputs"]["parameters"]["source"]
        assert source == {"componentInputParameter": "data_uri"}


def test_what_is_cached_takes_the_salt(tasks):
    # The cache has no expiry (cacheutils/cache.go), and looks at a task's parameters.
    salted = {
        name
        for name, task in tasks.items()
        if task["inputs"]["parameters"].get("cache_salt")
        == {"componentInputParameter": "cache_salt"}
    }
    assert salted == set(tasks) - NEVER_CACHED


def test_trainings_and_beams_tasks_are_tried_again(tasks):
    on_beam = ("cifar100-example-gen", "statistics-gen", "evaluator", "trial-evaluator")
    retried = {name for name, task in tasks.items() if "retryPolicy" in task}
    assert retried == {
        name for name in tasks if trains(f"exec-{name}") or name.startswith((*on_beam, "teacher-e"))
    }
    for name in retried:
        policy = tasks[name]["retryPolicy"]
        assert policy["maxRetryCount"] == 2
        # Argo's clock runs from the start of the first attempt, and is "0" where it is left out
        # (workflow/controller/operator.go, processNodeRetries).
        seconds = 86400 if trains(f"exec-{name}") else 3600
        assert policy["backoffMaxDuration"] == f"{3 * seconds + 30 + 60}s"


def test_no_retries_asked_for():
    assert "retryPolicy" not in document("kubeflow.retries=0")


def test_the_platform_document_is_as_its_message(platform, executors):
    assert set(platform) == set(executors)
    for name, pod in platform.items():
        assert not mistakes(pod, EXECUTOR, name)
        assert pod["pvcMount"] == [{"constant": "tfx-distill", "mountPath": "/work"}]
        assert ("enabledSharedMemory" in pod) == trains(name)
        assert int(pod["activeDeadlineSeconds"]) == (86400 if trains(name) else 3600)


def test_pods_are_given_what_was_asked_for():
    _, asked = yaml.safe_load_all(document(*EVERYTHING))
    pods = asked["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    for name, pod in pods.items():
        assert pod["imagePullSecret"] == [{"secretName": "registry"}]
        assert pod["secretAsEnv"] == [
            {
                "secretName": "minio",
                "keyToEnv": [{"secretKey": "accesskey", "envVar": "AWS_ACCESS_KEY_ID"}],
            }
        ]
        chosen = {"nodeSelector", "tolerations"}
        assert set(pod) & chosen == (chosen if trains(name) else set())
    assert pods["exec-distill-trainer"]["nodeSelector"] == {"labels": {"pool": "gpu"}}
    assert pods["exec-distill-trainer"]["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]


def test_paths_are_those_in_the_containers(compiled, tasks):
    values = [
        source["runtimeValue"]["constant"]
        for task in tasks.values()
        for source in task["inputs"]["parameters"].values()
        if "runtimeValue" in source
    ]
    paths = {value for value in values if str(value).startswith("/")}
    assert "/work/serving/quick" in paths
    assert any(path.startswith("/work/checkpoints/quick/DistillTrainer") for path in paths)
    assert "/app/schemas/cifar100.pbtxt" in paths
    assert all(path.startswith(("/work/", "/app/")) for path in paths)


@pytest.mark.slow
def test_a_comparison_has_one_teacher_and_a_task_for_each_method_and_seed(compared):
    tasks = compared["root"]["dag"]["tasks"]
    assert {name for name in tasks if "trainer" in name} == {
        "trainer-teacher",
        *(f"trainer-baseline-{trial}" for trial in range(2)),
        *(f"distill-trainer-{row}-{trial}" for row in ("rkd", "fitnet-seed") for trial in range(2)),
    }
    for name, task in tasks.items():
        if name.startswith("distill-trainer"):
            # Of the teacher alone, not of each other: they run in parallel.
            teacher = task["inputs"]["artifacts"]["teacher"]["taskOutputArtifact"]
            assert teacher["producerTask"] == "trainer-teacher"
            assert not [other for other in task["dependentTasks"] if "distill" in other]


@pytest.mark.slow
def test_the_table_of_a_comparison_is_made_of_all(compared):
    tasks = compared["root"]["dag"]["tasks"]
    trained = [name for name in tasks if "trainer" in name]
    measured = {name for name in tasks if name.startswith("trial-evaluator-")}
    assert len(measured) == len(trained) == 7
    collectors = {"trial-collector-0", "trial-collector-1"}
    assert set(tasks["leaderboard"]["dependentTasks"]) == collectors
    collected = [task for name in collectors for task in tasks[name]["dependentTasks"]]
    assert sorted(collected) == sorted([*trained, *measured])
    of_seeds = {"best-student-0", "best-student-1"}
    assert set(tasks["best-student"]["dependentTasks"]) == {"leaderboard", *of_seeds}
    given = tasks["student-gate"]["inputs"]["artifacts"]["candidate"]["taskOutputArtifact"]
    assert given["producerTask"] == "best-student"
