"""A teacher or student of the user's own: checked when a run is planned, kept in the workdir."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kd_trainer.errors import ConfigError
from pipeline import fingerprint
from pipeline.config import NetworkConfig

if TYPE_CHECKING:
    from kd_trainer.networks.user import UserNetwork


@dataclass(frozen=True)
class OwnNetwork:
    """A user's network that was found to be in order.

    Attributes:
      file: what the user gave, absolute.
      sha256: of the file.
      taps: what the user gave.
      user: the network.
      directory: where it is kept for the components, by its content: TFX's cache looks at paths
        alone.
    """

    file: Path
    sha256: str
    taps: dict[str, str]
    user: "UserNetwork"
    directory: Path

    @property
    def architecture(self) -> Path:
        """The file that a student is built from."""
        return self.directory / f"{self.user.network.name}.keras"

    def keep_trained(self) -> None:
        """Writes the network as a Trainer's model is written, for an Importer."""
        from tfx.utils import path_utils

        from kd_trainer.export import export
        from kd_trainer.labels import class_names

        network = self.user.network
        names = class_names(network.output_shape[-1])
        self._keep(lambda folder: export(network, path_utils.serving_model_dir(folder), names))

    def keep_architecture(self) -> None:
        """Writes the network for those that build it anew."""
        name = self.architecture.name
        self._keep(lambda folder: self.user.network.save(Path(folder, name)))

    def _keep(self, write: Callable[[str], None]) -> None:
        if self.directory.exists():
            return
        partial = self.directory.with_name(f".{self.directory.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)  # a killed run's
        partial.mkdir(parents=True)
        write(str(partial))
        partial.rename(self.directory)


def check(
    role: str,
    config: NetworkConfig,
    workdir: Path,
    num_classes: int,
    images: np.ndarray,
    labels: np.ndarray,
) -> OwnNetwork:
    """Loads a user's network and holds it against the data.

    Args:
      role: `teacher`, which must know the classes, or `student`, of which only the architecture
        is used.
      config: the teacher's or student's, with a `file`.
      workdir: absolute; the network's directory will be below it.
      num_classes: of the data.
      images: uint8 `(n, height, width, channels)`, of the training split.
      labels: class numbers `(n,)`.

    Raises:
      ConfigError: as `kd_trainer.networks.user.load`, or the network does not fit the data.
    """
    import keras

    from kd_trainer.networks import raw_pixels, user

    file = Path(str(config.file)).absolute()
    some = images[: raw_pixels.IMAGES], labels[: raw_pixels.IMAGES]
    try:
        own = user.load(file, config.taps, images.shape[1:])
        user.check_classes(own.network, num_classes)
        if role == "teacher":
            raw_pixels.check_trained(own.network, *some)
        else:
            keras.utils.set_random_seed(0)  # the same file has the same answer each time
            raw_pixels.check_untrained(user.anew(own.network), *some)
    except ConfigError as error:
        raise ConfigError(f"{role}.from={config.file}: {error}") from error
    content = [
        fingerprint.file(file),
        file.stem,
        config.taps,
        fingerprint.code("kd_trainer.networks.user", "kd_trainer.export"),
    ]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    return OwnNetwork(
        file=file,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        taps=dict(config.taps),
        user=own,
        directory=workdir / f"{role}s" / digest,
    )


def explained(error: ConfigError, own: Mapping[str, OwnNetwork]) -> ConfigError:
    """Adds to an error about a tap that is missing which of the user's layers could be it.

    Args:
      error: what does not fit.
      own: the user's networks by role.
    """
    from kd_trainer.networks import user
    from kd_trainer.networks.taps import TapError

    if not isinstance(error, TapError):
        return error
    hints = [
        f" Say which layer it is with {role}.taps.{error.tap}=LAYER. The layers and the shapes of "
        f"their outputs, the nearest names first:\n{user.listing(network.user.layers, error.tap)}"
        for role, network in own.items()
        if network.user.network is error.network
    ]
    return ConfigError(str(error) + "".join(hints))
