"""Networks of the user's own, found again where a pipeline runs by what they were when planned."""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from kd_trainer.errors import ConfigError
from kd_trainer.examples import IMAGE_SHAPE
from kd_trainer.networks import user


def load(role: str, file: str, sha256: str, taps: Mapping[str, str]) -> user.UserNetwork:
    """Loads a `.keras` file if it is the one that the pipeline was compiled with.

    Args:
      role: `teacher` or `student`, for the errors.
      file: its path in the containers.
      sha256: of the file that was checked when the pipeline was compiled.
      taps: as `kd_trainer.networks.user.load` takes them.

    Raises:
      ConfigError: it is missing or another one, or as `kd_trainer.networks.user.load`.
    """
    with tempfile.TemporaryDirectory() as folder:
        # What is loaded is what was hashed, whoever writes the file meanwhile.
        copy = Path(folder, Path(file).name)
        try:
            shutil.copyfile(file, copy)
        except OSError as error:
            raise ConfigError(
                f"{role}.from: {file} cannot be read ({error.strerror}). Expected the file that "
                "the pipeline was compiled with, on the volume: kubectl cp FILE "
                f"tfx-distill-loader:{file}. Its SHA-256 is {sha256}."
            ) from error
        found = hashlib.sha256(copy.read_bytes()).hexdigest()
        if found != sha256:
            raise ConfigError(
                f"{role}.from: {file} has the SHA-256 {found}, expected {sha256}, of the file that "
                "the pipeline was compiled with and that was checked. Copy that one to the volume, "
                "or compile the pipeline again with this one."
            )
        return user.load(copy, taps, IMAGE_SHAPE)
