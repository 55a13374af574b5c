"""A rollback in the cluster: a pipeline of one task, on the volume that another one pushed to."""

from collections.abc import Mapping
from typing import Any

from kd_trainer.errors import ConfigError
from pipeline.cluster import one_task

_PUSHER = "pusher"


def document(name: str, stored: Mapping[str, Any], last: bool) -> str:
    """Returns the pipeline in YAML, the platform's part after it.

    Its pod has the image, the volume and the secrets of the pusher of the pipeline that pushed.

    Args:
      name: of the pipeline that pushed.
      stored: a version of that, as the server tells it.
      last: withdraw the version even if it is the only one.

    Raises:
      ConfigError: the pipeline is none of ours, or one that pushes nothing.
    """
    try:
        spec, platform = stored["pipeline_spec"], stored["platform_spec"]
        task = spec["root"]["dag"]["tasks"][_PUSHER]
        directory = task["inputs"]["parameters"]["push_directory"]["runtimeValue"]["constant"]
        image = spec["root"]["inputDefinitions"]["parameters"]["image"]["defaultValue"]
        pod = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-pusher"]
        container = spec["deploymentSpec"]["executors"]["exec-pusher"]["container"]
    except KeyError as error:
        raise ConfigError(
            f"The pipeline {name!r} on the server has no task {_PUSHER!r} that says where it "
            f"pushes (lacking: {error}): expected one that `tfx-distill kubeflow compile` made, "
            "and no comparison without compare.push_best."
        ) from error
    arguments = ["rollback", "--directory", directory, "--reason", one_task.given("reason")]
    return one_task.document(
        f"{name}-rollback",
        "rollback",
        image=one_task.given("image"),
        module="pipeline.cli",
        arguments=[*arguments, *["--last"] * last],
        resources=container["resources"],
        pod=pod,
        parameters={"reason": "", "image": image},
    )
