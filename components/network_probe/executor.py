"""What NetworkProbe runs."""

import json
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact

from components import own_networks
from kd_trainer.errors import ConfigError
from kd_trainer.examples import num_classes
from kd_trainer.networks import user

if TYPE_CHECKING:
    import keras

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Loads the networks, and keeps the student's architecture."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Writes the digests, and the architecture if it is not there yet.

        Args:
          input_dict: empty.
          output_dict: `digests`.
          exec_properties: `networks` and `schema`; the others are not read.

        Raises:
          ConfigError: a file is missing, or is another one than was checked, or it does not have
            the schema's classes.
        """
        (digests,) = output_dict["digests"]
        classes = num_classes(exec_properties["schema"])
        networks = json.loads(exec_properties["networks"])
        for role, each in networks.items():
            own = own_networks.load(role, each["file"], each["sha256"], each["taps"])
            try:
                user.check_classes(own.network, classes)
            except ConfigError as error:
                raise ConfigError(f"{role}.from: {each['file']}: {error}") from error
            if "architecture" in each:
                _keep(own.network, Path(each["architecture"]))
        digests.value = json.dumps(
            {role: each["sha256"] for role, each in networks.items()}, sort_keys=True
        )


def _keep(network: "keras.Model", file: Path) -> None:
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    # Another run may write it at the same time.
    partial = file.with_name(f".{uuid.uuid4().hex}.keras")
    try:
        network.save(partial)
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)
