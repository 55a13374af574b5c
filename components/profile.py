"""What was measured of the run's networks on `test`, as `profile.json` holds it."""

from pydantic import BaseModel, ConfigDict


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
