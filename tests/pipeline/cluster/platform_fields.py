"""The fields of `KubernetesExecutorConfig` that are used, with their types.

From kubernetes_platform/proto/kubernetes_executor_config.proto of Kubeflow Pipelines, in the names
of its JSON. The message itself is in the package kfp-kubernetes, which wants another kfp.
"""

EXECUTOR = {
    "pvcMount": [{"constant": str, "mountPath": str}],
    "activeDeadlineSeconds": "int64",
    "imagePullSecret": [{"secretName": str}],
    "secretAsEnv": [{"secretName": str, "keyToEnv": [{"secretKey": str, "envVar": str}]}],
    "enabledSharedMemory": {"volumeName": str, "size": str},
    "nodeSelector": {"labels": {...: str}},
    "tolerations": [{"key": str, "operator": str, "value": str, "effect": str}],
}


def mistakes(value: object, fields: object, path: str = "") -> list[str]:
    """Returns what is not as the fields say."""
    if isinstance(fields, list):
        if not isinstance(value, list):
            return [f"{path}: no list"]
        return [found for item in value for found in mistakes(item, fields[0], f"{path}[]")]
    if isinstance(fields, dict):
        if not isinstance(value, dict):
            return [f"{path}: no message"]
        found = []
        for key, item in value.items():
            if key not in fields and ... not in fields:
                found.append(f"{path}.{key}: no such field")
            else:
                found += mistakes(item, fields.get(key, fields.get(...)), f"{path}.{key}")
        return found
    if fields == "int64":  # JSON has it as a text
        return [] if isinstance(value, str) and value.isdecimal() else [f"{path}: no int64"]
    return [] if isinstance(value, str) else [f"{path}: no text"]
