"""What was measured of the run's networks on `test`, as `profile.json` holds it."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

FILE_NAME = "profile.json"


class NetworkProfile(BaseModel):
    """A network, measured on `test` as it is served.

    Attributes:
      top1: share of images whose label is the first.
      top5: share of images whose label is among the first five.
      calibration_error: expected calibration error, 15 bins of equal width (Guo et al., 2017).
      parameters: trainable ones; None where the format does not tell.
      bytes: of all files.
      latency_ms: median time of one image on the CPU.
      latency_ratio: the same as a share of the teacher's, taken in turns with it.
      agreement: share of images on which the teacher says the same class.
      divergence: mean KL(teacher || this) of the probabilities, in nats.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    top1: float
    top5: float
    calibration_error: float
    parameters: int | None
    bytes: int
    latency_ms: float
    latency_ratio: float
    agreement: float
    divergence: float


class Profile(BaseModel):
    """All of a run's networks.

    Attributes:
      class_names: by class number.
      superclass_names: by superclass number.
      networks: `teacher`, `baseline`, `student` and, where they were asked for,
        `tflite float32` and `tflite int8`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    class_names: list[str]
    superclass_names: list[str]
    networks: dict[str, NetworkProfile]


def read(directory: str) -> Profile:
    """Reads the profile from the directory of a `ModelProfile` artifact."""
    return Profile.model_validate_json((Path(directory) / FILE_NAME).read_text(encoding="utf-8"))


def write(profile: Profile, directory: str) -> None:
    """Writes the profile into the directory of a `ModelProfile` artifact, which is made."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    (Path(directory) / FILE_NAME).write_text(profile.model_dump_json(indent=1), encoding="utf-8")
