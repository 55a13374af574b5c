"""Correlation congruence: the student's errors on neighbouring samples shall not coincide.

Peng et al., "Correlation Congruence for Knowledge Distillation", 2019. The paper holds the kernel
matrices of a batch's embeddings against each other. The code that its authors gave to RepDistiller,
and that the published tables rest on, does not: it multiplies the absolute error of each sample
with that of the next in the batch, after a linear embedding on either side.

    e = W f + b, one for the student and one for the teacher, both trained
    δ_i = e_s,i - e_t,i
    L = CE + weight · mean_i Σ_d |δ_i,d| · |δ_i+1,d|

Presets: `crd`, 0.02 on the pooled features embedded in 128 dimensions (Tian et al., 2020,
RepDistiller), with PyTorch's initial weights, on whose size the loss depends.

Traps: this is not the paper's equation 8. It depends on the order of the batch. The teacher's
embedding is trained too, so that the loss can also fall by both embeddings shrinking to a
constant. The embeddings are dropped at export.
"""

from typing import ClassVar

import keras
from keras import ops
from pydantic import Field

from kd_trainer.adapters import linear_embedding
from kd_trainer.losses import correlation_congruence
from kd_trainer.methods.base import Method, MethodConfig, Setting, Stage, Step, Tensor, last_stage


class CorrelationCongruenceConfig(MethodConfig):
    """Hyper-parameters of correlation congruence."""

    tap: str = Field(description="what is embedded, in both networks")
    width: int = Field(ge=1, description="dimensions of the embedding")
    weight: float = Field(gt=0, description="weight of the term")


class CorrelationCongruence(Method):
    """Correlation congruence (Peng et al., 2019)."""

    CATEGORY = "relations"
    WHOLE_BATCH = "relates the images of a batch to each other"
    Config = CorrelationCongruenceConfig
    PRESETS: ClassVar = {"crd": {"tap": "pooled", "width": 128, "weight": 0.02}}

    def adapters(self, setting: Setting) -> dict[str, keras.Layer]:
        """A linear embedding for each network."""
        tap, width = self.config.tap, self.config.width
        return {
            name: linear_embedding(shapes[tap], width, f"{name}_embedding")
            for name, shapes in [("student", setting.student), ("teacher", setting.teacher)]
        }

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """One stage."""
        return (
            last_stage(
                epochs,
                taps=(self.config.tap,),
                adapters=("student", "teacher"),
                terms=self._terms,
                weights={"correlation": self.config.weight},
            ),
        )

    def _terms(self, step: Step) -> dict[str, Tensor]:
        tap = self.config.tap
        student = step.adapt("student", step.student[tap])
        difference = ops.cast(student - step.adapt("teacher", step.teacher[tap]), "float32")
        # As a student's, held against nothing: the teacher's embedding has its gradient too.
        return {"correlation": correlation_congruence(difference, ops.zeros_like(difference))}
