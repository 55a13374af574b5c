"""FSP: the student learns how the teacher's features flow from one stage to the next.

Yim et al., "A Gift from Knowledge Distillation", 2017. The products of two layers' maps say in
which direction the solution goes from the one to the other; the student first learns these
matrices alone, which is an initialisation, and then the task alone.

G_ij = Σ_hw F¹_hwi·F²_hwj / (H·W), and the loss is Σ_m λ_m·‖Gₘ(teacher) - Gₘ(student)‖², averaged
over the batch, m counting the pairs of neighbouring taps.

Presets: `crd`, stem and stages, three matrices, the larger map average-pooled to the smaller and
the mean of the matrix instead of its sum, for 0.125 (30 of 240) of the recipe's epochs on top, at
a constant rate (Tian et al., 2020; their β belongs to the second stage and weighs nothing there);
`seed`, the outputs of the stages, two matrices, 1e-3 times half the sum, max-pooled, for 0.4 (40
of 100); `paper`, equation 2, the sum with λ = 1, max-pooled, for 0.4, the seed's length.

The paper pairs the first and the last layer of each module. Our taps are the stem and each
module's last layer, so `paper` takes the layer before a module for its first: at full size that is
nearly the paper's (stem, stage1); (stage1, stage2) and (stage2, stage3) cross a stride, where the
earlier map is pooled. As many matrices as in the paper. Its length and rate were not found.

The channels of student and teacher must be equal, tap by tap; nothing in the references bridges
them. Heights and widths of the two may differ. The sum of a matrix is C¹·C² times its mean: on
resnet32x4 and resnet8x4 2048 to 32768 times, so `paper` wants a rate as much lower than `crd`'s.
Upstream starts the second stage with the first's momentum (the lines that should clear it compare
the wrong part of the name); here each stage has an optimizer of its own.
"""

from itertools import pairwise
from typing import ClassVar, Literal

from pydantic import Field

from kd_trainer.losses import flow_of_solution_procedure
from kd_trainer.methods.base import Method, MethodConfig, Stage, Step, Tensor, first_stage


class FSPConfig(MethodConfig):
    """Hyper-parameters of FSP."""

    taps: tuple[str, ...] = Field(
        min_length=2, description="feature maps in order; each two neighbours make a matrix"
    )
    pooling: Literal["max", "average"] = Field(
        description="how the larger map of a pair is brought to the size of the smaller"
    )
    reduction: Literal["mean", "sum"] = Field(description="over the elements of a matrix")
    weight: float = Field(gt=0, description="weight of each matrix's difference")
    init_epochs: float = Field(
        gt=0, description="length of the first stage as a share of the recipe's epochs"
    )


_STAGES = ("stage1", "stage2", "stage3")


class FSP(Method):
    """FSP (Yim et al., 2017)."""

    CATEGORY = "shared representation"
    Config = FSPConfig
    PRESETS: ClassVar = {
        "crd": {
            "taps": ("stem", *_STAGES),
            "pooling": "average",
            "reduction": "mean",
            "weight": 1.0,
            "init_epochs": 0.125,
        },
        "seed": {
            "taps": _STAGES,
            "pooling": "max",
            "reduction": "sum",
            "weight": 0.5e-3,
            "init_epochs": 0.4,
        },
        "paper": {
            "taps": ("stem", *_STAGES),
            "pooling": "max",
            "reduction": "sum",
            "weight": 1.0,
            "init_epochs": 0.4,
        },
    }

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """The matrices alone, and then the task alone."""
        return (
            first_stage(
                "flow",
                epochs,
                self.config.init_epochs,
                student_taps=self.config.taps,
                teacher_taps=self.config.taps,
                terms=self._terms,
                weights={"fsp": self.config.weight},
            ),
            Stage(name="task", epochs=epochs),
        )

    def _terms(self, step: Step) -> dict[str, Tensor]:
        total: Tensor = 0.0
        for pair in pairwise(self.config.taps):
            student, teacher = (
                tuple(taps[tap] for tap in pair) for taps in (step.student, step.teacher)
            )
            loss = flow_of_solution_procedure(student, teacher, self.config.pooling)
            if self.config.reduction == "mean":
                loss = loss / (student[0].shape[-1] * student[1].shape[-1])
            total = total + loss
        return {"fsp": total}
