"""Artifact types of our own.

Kubeflow wants the type's name to be importable, `<package>.<Name>`, and no declared properties:
what is to be seen in ML Metadata goes into custom properties.
"""

from tfx.types.artifact import Artifact


class DistillationSummary(Artifact):
    """`summary.json`: what was distilled, how, and how well teacher and student do on `test`."""

    TYPE_NAME = "components.DistillationSummary"
    FILE_NAME = "summary.json"
