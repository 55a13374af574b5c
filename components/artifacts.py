"""Artifact types of our own.

Kubeflow wants the type's name to be importable, `<package>.<Name>`, and no declared properties:
what is to be seen in ML Metadata goes into custom properties.
"""

from typing import ClassVar

from tfx.types.artifact import Artifact

from components import decision, profile


class RunRecord(Artifact):
    """`run.json`: the run's configuration, command, code version and environment."""

    TYPE_NAME = "components.RunRecord"
    FILE_NAME = "run.json"


class DistillationSummary(Artifact):
    """`summary.json`: what was distilled, how, and how well teacher and student do on `test`."""

    TYPE_NAME = "components.DistillationSummary"
    FILE_NAME = "summary.json"


class KeptTeacherOutputs(Artifact):
    """`outputs.json`: where a teacher's outputs are kept, and what a training had of them.

    They lie in a folder of their own, which trainings share and add to.
    """

    TYPE_NAME = "components.KeptTeacherOutputs"
    FILE_NAME = "outputs.json"


class LiteModels(Artifact):
    """The student as LiteRT (TFLite) models, one file a precision."""

    TYPE_NAME = "components.LiteModels"
    FILE_NAMES: ClassVar = {
        "float32": "student-float32.tflite",
        "int8": "student-int8.tflite",
    }


class ModelProfile(Artifact):
    """`profile.json` and `predictions.npz`: the run's networks, measured on `test`."""

    TYPE_NAME = "components.ModelProfile"
    FILE_NAME = profile.FILE_NAME
    PREDICTIONS_NAME = "predictions.npz"


class GateDecision(Artifact):
    """`decision.json`: every bound of the gate, what was found, pass or refuse."""

    TYPE_NAME = "components.GateDecision"
    FILE_NAME = decision.FILE_NAME


class ReportPage(Artifact):
    """`report.html`: the run on one page; `confusion.json`: by superclass, names and counts."""

    TYPE_NAME = "components.ReportPage"
    FILE_NAME = "report.html"
    CONFUSION_NAME = "confusion.json"


class Trials(Artifact):
    """`trials.json`: what was measured of the networks of one seed of a comparison."""

    TYPE_NAME = "components.Trials"
    FILE_NAME = "trials.json"


class ComparisonTable(Artifact):
    """A comparison of methods: the table as CSV, Markdown and a page, and the curves."""

    TYPE_NAME = "components.ComparisonTable"
    CSV_NAME = "leaderboard.csv"
    MARKDOWN_NAME = "leaderboard.md"
    PAGE_NAME = "leaderboard.html"
    CURVES_NAME = "curves.svg"
