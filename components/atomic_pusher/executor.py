"""What AtomicPusher runs."""

import os
import time
from typing import Any

from tfx.components.pusher import executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import Artifact
from tfx.utils import io_utils, proto_utils

from components.serving_versions import same_model, versions

Artifacts = dict[str, list[Artifact]]


def push(model_path: str, directory: str) -> str:
    """Makes a SavedModel the newest version below a directory, in one step.

    TFX's own executor copies into the version's folder in place, so that a kill leaves a broken
    version, and leaves out a second push within a second. Here the copy is made under a name that
    TensorFlow Serving does not look at, and renamed.

    Args:
      model_path: the SavedModel.
      directory: the push destination.

    Returns:
      The path of the new version, Unix seconds; of the newest one if it is the same model.
    """
    pushed = versions(directory)
    if pushed and same_model(pushed[-1], model_path):
        return pushed[-1]
    # Incomplete versions too: another pusher may have left one.
    names = fileio.listdir(directory) if fileio.isdir(directory) else []
    version = max([int(time.time()), *(int(name) + 1 for name in names if name.isdigit())])
    incoming = os.path.join(directory, f".incoming-{version}-{os.getpid()}")
    try:
        io_utils.copy_dir(model_path, incoming)
        target = os.path.join(directory, str(version))
        fileio.rename(incoming, target)
    except BaseException:
        if fileio.exists(incoming):
            fileio.rmtree(incoming)
        raise
    return target


class Executor(executor.Executor):
    """Pushes the model if it is blessed."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Pushes, and says so in the custom properties of `pushed_model`, as TFX's Pusher does.

        Args:
          input_dict: `model`, `model_blessing`.
          output_dict: `pushed_model`.
          exec_properties: `push_destination`, a JSON `PushDestination` with a filesystem;
            `custom_config`, not read.
        """
        (pushed_model,) = output_dict["pushed_model"]
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed_model)
            return
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties["push_destination"], destination)
        model_path = self.GetModelPath(input_dict)
        target = push(model_path, destination.filesystem.base_directory)
        io_utils.copy_dir(model_path, pushed_model.uri)
        self._MarkPushed(
            pushed_model, pushed_destination=target, pushed_version=os.path.basename(target)
        )
