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
    spec, _ = yaml.safe_load_all(comparison("compare.trials=2", "compare.push_best=true"))
    for name, task in spec["root"]["dag"]["tasks"].items():
        size = len(json.dumps(executor_input(task)))
        reckoned = limits.argument(task, None)
        assert size <= reckoned, name
        # Not so much that what works is refused.
        if len(task["inputs"].get("artifacts", {})) > 20:
            assert size > 0.85 * reckoned, name


def test_a_comparison_that_no_leaderboard_could_be_made_of_is_refused():
    with pytest.raises(ConfigError, match=r"'leaderboard'.*artifacts.*KiB.*compare.trials"):
        comparison("compare.trials=5")
