"""The training recipe: everything about the optimisation that is not the method."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Distribution = Literal["none", "mirrored", "multi_worker"]
Precision = Literal["float32", "bfloat16"]


class Recipe(BaseModel):
    """How a network is trained: SGD with momentum, a learning rate schedule, augmentation.

    Weight decay is the classical coupled one: its gradient `weight_decay * w` goes through the
    momentum, for every trained variable (kernels, biases, BatchNorm scales and offsets), as in
    the seed and in the tables of the literature.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    epochs: int = Field(100, ge=1, description="passes over the training split")
    batch_size: int = Field(128, ge=1, description="images a step")
    learning_rate: float = Field(0.1, gt=0, description="the rate that the schedule starts from")
    schedule: Literal["step", "cosine"] = Field("step", description="how the rate falls")
    milestones: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (0.3, 0.6, 0.8), description="step: where the rate drops, as shares of the epochs"
    )
    drop: float = Field(0.1, gt=0, lt=1, description="step: what the rate is multiplied by")
    warmup_epochs: float = Field(0.0, ge=0, description="epochs of linear rise to the rate")
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = True
    weight_decay: float = Field(5e-4, ge=0)
    flip: bool = Field(True, description="mirror each image with probability one half")
    crop_padding: int = Field(4, ge=0, le=16, description="pixels padded before a random crop")
    pad_mode: Literal["reflect", "constant"] = Field("reflect", description="constant is zeros")
    keep: Literal["last", "best"] = Field(
        "last", description="which epoch's weights: the last, or the best on the eval split"
    )
    on_nan: Literal["stop", "rollback"] = Field(
        "stop",
        description="a loss that is not finite: stop, or go back to the last epoch's end and on "
        "with half the learning rate",
    )
    rollbacks: int = Field(3, ge=1, description="rollback: at most so often in a training")
    distribution: Distribution = Field(
        "none", description="who shares a batch: the GPUs of one process, or several processes"
    )
    precision: Precision = Field(
        "float32", description="of the convolutions; bfloat16 is for processors that have it"
    )
