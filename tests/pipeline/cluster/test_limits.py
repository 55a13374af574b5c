"""A task's inputs are one argument, of which Linux takes 128 KiB."""

import json
import uuid

import pytest
import yaml
from compiled_quick import comparison

from kd_trainer.errors import ConfigError
from pipeline.cluster import limits

pytestmark = pytest.mark.slow

ROOT = f"minio://mlpipeline/v2/artifacts/quick-compare/{uuid.uuid4()}"
# As config/env.go and objectstore/config.go of Kubeflow 2.17 make it of the default MinIO.
SESSION = {
    "Provider": "minio",
    "Params": {
        "accessKeyKey": "accesskey",
        "disableSSL": "true",
        "endpoint": "minio-service.kubeflow:9000",
        "fromEnv": "false",
        "region": "minio",
        "secretKeyKey": "secretkey",
        "secretName": "mlpipeline-minio-artifact",
    },
}
PROPERTIES = {
    "method": "logit_standardization (paper) + review_kd (upstream)",
    "test_top1": 0.7351999878883362,
    "tfx_version": "1.16.0",
}


def executor_input(task):
    """As Kubeflow's driver makes it, of artifacts with as many properties as any of ours."""
    artifacts = {
        key: {
            "artifacts": [
                {
                    "name": "123456",
                    "uri": f"{ROOT}/{source['taskOutputArtifact']['producerTask']}/{uuid.uuid4()}/"
                    f"{source['taskOutputArtifact']['outputArtifactKey']}",
                    "type": {"instanceSchema": ""},
                    "metadata": {
                        **PROPERTIES,
                        "display_name": source["taskOutputArtifact"]["outputArtifactKey"],
                        "store_session_info": json.dumps(SESSION),
                    },
                }
            ]
        }
        for key, source in task["inputs"].get("artifacts", {}).items()
    }
    values = {
        key: source.get("runtimeValue", {}).get("constant", "")
        for key, source in task["inputs"]["parameters"].items()
    }
    output = {
        "uri": f"{ROOT}/{'t' * 40}/{uuid.uuid4()}/table",
        "type": {"instanceSchema": "x" * 60},
    }
    return {
        "inputs": {"artifacts": artifacts, "parameterValues": values},
        "outputs": {
            "artifacts": {key: {"artifacts": [output]} for key in ("table", "page", "metrics")},
            "outputFile": output["uri"],
        },
    }


def test_no_task_is_given_more_than_is_reckoned_with():
    spec, _ = yaml.safe_load_all(comparison("compare.trials=1", "compare.push_best=true"))
    for name, task in spec["root"]["dag"]["tasks"].items():
        size = len(json.dumps(executor_input(task)))
        reckoned = limits.argument(task, None)
        assert size <= reckoned, name
        # Not so much that what works is refused.
        if len(task["inputs"].get("artifacts", {})) > 20:
            assert size > 0.85 * reckoned, name


def test_a_comparison_of_more_than_a_task_can_be_given_is_refused():
    with pytest.raises(ConfigError, match=r"'best-student'.*artifacts.*KiB.*compare.trials"):
        comparison("compare.methods=[rkd]", "compare.trials=70", "compare.push_best=true")


@pytest.mark.parametrize(("kilobytes", "noted"), [(600, False), (800, True), (1500, True)])
def test_what_argo_takes_only_if_it_is_set_up_for_it_is_said(kilobytes, noted):
    note = limits.check_workflow("x" * kilobytes * 1000)
    assert bool(note) is noted
    assert not noted or "MAX_WORKFLOW_SIZE" in note


def test_what_kubernetes_does_not_keep_is_refused():
    with pytest.raises(ConfigError, match=r"1\.6 MiB.*above 1\.5 MiB.*compare.methods"):
        limits.check_workflow("x" * 1_650_000)
