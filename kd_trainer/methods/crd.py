"""CRD: the student's representation of an image shall tell it from other classes' images.

Tian, Krishnan, Isola, "Contrastive Representation Distillation", 2020. Linear embeddings of both
networks' features are drawn together for one image and apart for images of other classes. Instead
of large batches there is a memory: an embedding of every training image, by either network, against
which the other network's are held.

    e = (W f + b) / ‖W f + b‖, one for the student and one for the teacher, both trained
    P(e, m) = exp(eᵀ m / τ) / Z      h = P / (P + K / N)
    L = CE + weight · Σ_(s,t) mean_b [ -log h(e, m⁺) - Σ_K log(1 - h(e, m⁻)) ]
    m ← norm(momentum · m + (1 - momentum) · e)      after the comparison

m are the other network's vectors in memory, K the negatives of each sample, N the training images;
Z is estimated once, from the first batch.

Presets: `crd`, the authors' code (RepDistiller): weight 0.8, 128 dimensions, K = 16384, τ = 0.07,
momentum 0.5, on the pooled features. CRD with KD, which they report too, is the combination
`[{name: crd}, {name: soft_logits, distillation_weight: 16}]`.

Traps: the memory takes 2·N·width numbers (51 MB for CIFAR-100), and a step two matrices of batch·N.
Negatives are drawn with replacement; the authors' without, unless K exceeds the other classes'
images. A sample is its own positive (their mode "exact"). Memory starts with random vectors, Z is
estimated from them and stays for good; memory, Z and the state of the draw are checkpointed, so
that a run that is gone on with draws the same. Embeddings and memory are dropped at export.
"""

from typing import ClassVar

import keras
from keras import ops
from pydantic import Field

from kd_trainer.adapters import linear_embedding
from kd_trainer.contrast_memory import ContrastMemory
from kd_trainer.losses import noise_contrastive
from kd_trainer.losses.numerics import l2_normalize
from kd_trainer.methods.base import Method, MethodConfig, Setting, Stage, Step, Tensor, last_stage


class CRDConfig(MethodConfig):
    """Hyper-parameters of CRD."""

    tap: str = Field(description="what is embedded, in both networks")
    width: int = Field(ge=1, description="dimensions of the embedding")
    negatives: int = Field(ge=1, description="how many are drawn for each sample")
    temperature: float = Field(gt=0, description="what similarities are divided by")
    momentum: float = Field(ge=0, lt=1, description="what stays of a vector in memory")
    weight: float = Field(gt=0, description="weight of the term")


class CRD(Method):
    """CRD (Tian et al., 2020)."""

    CATEGORY = "relations"
    WHOLE_BATCH = "memorises the whole batch's embeddings in each step"
    Config = CRDConfig
    PRESETS: ClassVar = {
        "crd": {
            "tap": "pooled",
            "width": 128,
            "negatives": 16384,
            "temperature": 0.07,
            "momentum": 0.5,
            "weight": 0.8,
        }
    }

    def adapters(self, setting: Setting) -> dict[str, keras.Layer]:
        """A linear embedding for each network, and the memory of both.

        Raises:
          ConfigError: all training images are of one class.
        """
        config = self.config
        return {
            "student": linear_embedding(
                setting.student[config.tap], config.width, "student_embedding"
            ),
            "teacher": linear_embedding(
                setting.teacher[config.tap], config.width, "teacher_embedding"
            ),
            "memory": ContrastMemory(
                setting.labels,
                config.width,
                config.negatives,
                config.temperature,
                config.momentum,
                "contrast_memory",
            ),
        }

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """One stage."""
        return (
            last_stage(
                epochs,
                taps=(self.config.tap,),
                adapters=("student", "teacher", "memory"),
                terms=self._terms,
                weights={"contrast": self.config.weight},
                reads_indices=True,
            ),
        )

    def _terms(self, step: Step) -> dict[str, Tensor]:
        tap = self.config.tap
        student = _unit(step.adapt("student", step.student[tap]))
        teacher = _unit(step.adapt("teacher", step.teacher[tap]))
        compared = step.adapt("memory", student, teacher, step.indices)
        return {"contrast": sum(noise_contrastive(*side) for side in compared)}


def _unit(embedding: Tensor) -> Tensor:
    return l2_normalize(ops.cast(embedding, "float32"), axis=-1)
