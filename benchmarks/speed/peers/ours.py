"""This library's steps, in float32 and bfloat16."""

from benchmarks.speed.subjects import Steps, spec

VERSIONS = "this library"


def subjects(student, teacher, batch, method):
    """A step in either precision."""
    found = {}
    for precision in ("float32", "bfloat16"):
        steps = Steps(student, teacher, batch, precision)
        found[f"ours, {precision}"] = (
            steps.alone() if method == "plain" else steps.distillation(spec(method))
        )
    return found
