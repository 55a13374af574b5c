"""MHGD: the student learns which samples of a batch attend to which, from stage to stage.

Lee, Song, "Graph-based Knowledge Distillation by Multi-head Attention Network", 2019. Each map is
compressed to its top right singular vector, as in KD-SVD. Between two neighbouring stages a
network of multi-head attention first learns, on the teacher alone, to estimate the later vector
of each sample from the earlier vectors of all; what it attends to is a graph of the batch. It is
then frozen and makes the same graph of the student's vectors, which imitates the teacher's.

G_h = S_h(V)·R_h(V')ᵀ, (batch, batch) for each head h, S and R each a linear map and BatchNorm.
First stage: mean(1 - cos(V̂, V)) with V̂ from softmax(G)·f(V'), f a linear map, BatchNorm and ReLU;
for each sample the heads whose noise is below the heads' mean are dropped. Second stage: the task
and Σ KL(softmax tanh G(student) ‖ softmax tanh G(teacher)), whose gradient is bounded, variable by
variable, by σ(epoch)·‖g_task‖ as in KD-SVD.

Presets: `upstream`, 8 heads, the ends of the three stages, the first stage 0.4 (40 of 100) of the
recipe's epochs on top at a constant rate, the divergence summed over the batch (KD_methods_with_TF,
the authors' code; neither RepDistiller nor the seed has the method).

Student and teacher share the attention, so their channels must be equal, tap by tap; heights and
widths may differ. The student's vector is the nearest of its top 4. The graph grows as the square
of the batch, and it needs one: of a batch of one the divergence is 0. The decay of the attention
is the recipe's; upstream's is twice that, 5e-4·w² without the half. Vectors have the sign for
which their elements sum to more than zero, where upstream takes LAPACK's: an estimate by cosine of
a vector whose sign is drawn would learn nothing.

In six epochs of the accuracy benchmark (one seed) the divergence hardly falls, and the student
stays below the baseline: its gradient may be as large as the task's from early on. The authors
train for 100 epochs; longer training was not tried here.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar, Literal

import keras
from keras import initializers, layers, ops
from pydantic import Field

from kd_trainer.errors import ConfigError
from kd_trainer.losses import attention_graph
from kd_trainer.losses.numerics import l2_normalize, of_student, of_teacher
from kd_trainer.losses.singular_values import (
    align,
    leading_singular_vectors,
    right_singular_vectors,
)
from kd_trainer.methods.base import (
    Method,
    MethodConfig,
    Setting,
    Stage,
    Step,
    Taps,
    Tensor,
    first_stage,
    last_stage,
)
from kd_trainer.methods.kd_svd import sigmoid

_OFFERED = 4


class MHGDConfig(MethodConfig):
    """Hyper-parameters of MHGD."""

    taps: tuple[str, ...] = Field(
        min_length=2, description="feature maps in order; each two neighbours have a graph"
    )
    heads: int = Field(ge=2, description="heads of attention")
    attention_epochs: float = Field(
        gt=0, description="length of the first stage as a share of the recipe's epochs"
    )
    reduction: Literal["mean", "sum"] = Field(description="of the divergence, over the batch")
    weight: float = Field(gt=0, description="weight of the divergence")


class MHGD(Method):
    """MHGD (Lee and Song, 2019)."""

    CATEGORY = "relations"
    WHOLE_BATCH = "relates the images of a batch to each other"
    Config = MHGDConfig
    PRESETS: ClassVar = {
        "upstream": {
            "taps": ("stage1", "stage2", "stage3"),
            "heads": 8,
            "attention_epochs": 0.4,
            "reduction": "sum",
            "weight": 1.0,
        },
    }

    def adapters(self, setting: Setting) -> dict[str, keras.Layer]:
        """For each two neighbours the attention and the estimator, which is for training it."""
        for tap in self.config.taps:
            student, teacher = setting.student[tap], setting.teacher[tap]
            if len(teacher) != 3 or student[-1] != teacher[-1]:
                raise ConfigError(
                    f"mhgd: the student's {tap!r} has the shape {student}, the teacher's "
                    f"{teacher}; expected feature maps, (height, width, channels), of equal "
                    "channels. Choose other taps."
                )
        built: dict[str, keras.Layer] = {}
        for before, now in pairwise(self.config.taps):
            channels = setting.teacher[before][-1], setting.teacher[now][-1]
            built[f"{now}_attention"] = Attention(*channels, self.config.heads)
            built[f"{now}_estimator"] = Estimator(*channels, self.config.heads)
        return built

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """The attention on the teacher, and then the task with the graphs."""
        config = self.config
        later = config.taps[1:]
        return (
            first_stage(
                "attention",
                epochs,
                config.attention_epochs,
                teacher_taps=config.taps,
                adapters=tuple(
                    f"{tap}_{part}" for tap in later for part in ("attention", "estimator")
                ),
                terms=self._estimate,
                weights={"estimate": 1.0},
            ),
            last_stage(
                epochs,
                taps=config.taps,
                terms=self._distil,
                weights={"graph": config.weight},
                gradient_bounds={"graph": sigmoid},
            ),
        )

    def _teacher_vectors(self, taps: Taps) -> list[Tensor]:
        return [leading_singular_vectors(of_teacher(taps[tap]), 1)[1] for tap in self.config.taps]

    def _pairs(self, vectors: list[Tensor]) -> Iterator[tuple[str, Tensor, Tensor]]:
        """Yields the later tap, and the vectors `(batch, channels)` before and at it."""
        flat = [vector[:, :, 0] for vector in vectors]
        for tap, (before, now) in zip(self.config.taps[1:], pairwise(flat), strict=True):
            yield tap, before, now

    def _estimate(self, step: Step) -> dict[str, Tensor]:
        total: Tensor = 0.0
        for tap, before, now in self._pairs(self._teacher_vectors(step.teacher)):
            graph = step.adapt(f"{tap}_attention", before, now)
            estimate = of_student(step.adapt(f"{tap}_estimator", before, graph))
            estimate = l2_normalize(estimate, axis=-1)
            total = total + ops.mean(1 - ops.sum(estimate * now, axis=-1))
        return {"estimate": total}

    def _distil(self, step: Step) -> dict[str, Tensor]:
        teacher = self._teacher_vectors(step.teacher)
        student = [
            align(right_singular_vectors(of_student(step.student[tap]), _OFFERED)[1], vector)
            for tap, vector in zip(self.config.taps, teacher, strict=True)
        ]
        total: Tensor = 0.0
        for ours, theirs in zip(self._pairs(student), self._pairs(teacher), strict=True):
            graphs = [step.adapt(f"{tap}_attention", *pair) for tap, *pair in (ours, theirs)]
            total = total + attention_graph(*graphs)
        if self.config.reduction == "sum":
            total = total * ops.cast(ops.shape(step.labels)[0], "float32")
        return {"graph": total}


class Attention(layers.Layer):
    """Attention of each sample at one stage to all samples at the stage before.

    Args:
      before: channels of the earlier stage.
      now: channels of the later stage.
      heads: number of heads.
    """

    def __init__(self, before: int, now: int, heads: int):
        super().__init__()
        self.shape = (heads, (before + now) // 2)
        self.receivers, self.senders = (
            _linear_and_norm(channels, heads * self.shape[1]) for channels in (before, now)
        )
        self.built = True

    def call(self, before: Tensor, now: Tensor, training: bool = False) -> Tensor:
        """Returns `(heads, batch, batch)`, a row a sample at the later stage, no softmax."""
        senders, receivers = (
            ops.reshape(part(vectors, training=training), (-1, *self.shape))
            for part, vectors in ((self.senders, now), (self.receivers, before))
        )
        senders, receivers = ops.transpose(senders, (1, 0, 2)), ops.transpose(receivers, (1, 2, 0))
        return ops.matmul(senders, receivers)


class Estimator(layers.Layer):
    """Estimate of a sample's vector from all samples' vectors at the stage before.

    Args:
      before: channels of the earlier stage.
      now: channels of the later stage.
      heads: number of heads.
    """

    def __init__(self, before: int, now: int, heads: int):
        super().__init__()
        self.heads, self.width = heads, (before + now) // 2
        self.values = _linear_and_norm(before, self.width)
        self.output_map = layers.Dense(now, kernel_initializer=_initializer())
        self.output_map.build((None, heads * self.width))
        self.noise = keras.random.SeedGenerator()
        self.built = True

    def call(self, before: Tensor, graph: Tensor, training: bool = False) -> Tensor:
        """Returns `(batch, channels)`, of no particular length; in training heads are dropped."""
        attention = ops.softmax(graph, axis=-1)
        if training:
            shape = (self.heads, ops.shape(before)[0], 1)
            noise = keras.random.normal(shape, seed=self.noise)
            kept = noise > ops.mean(noise, axis=0, keepdims=True)
            attention = attention * ops.cast(kept, attention.dtype)
        seen = ops.matmul(attention, ops.relu(self.values(before, training=training)))
        seen = ops.reshape(ops.transpose(seen, (1, 0, 2)), (-1, self.heads * self.width))
        return self.output_map(seen)


def _linear_and_norm(channels: int, width: int) -> keras.Sequential:
    block = keras.Sequential(
        [
            layers.Dense(width, use_bias=False, kernel_initializer=_initializer()),
            layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
        ]
    )
    block.build((None, channels))
    return block


def _initializer() -> initializers.Initializer:
    return initializers.VarianceScaling(2.0, "fan_out", "truncated_normal")
