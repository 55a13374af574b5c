"""This library's soft-logits step, in float32 and bfloat16."""

from benchmarks.speed.subjects import Steps


def subjects(student, teacher, batch):
    """Soft-logits, and a plain step."""
    found = {}
    for precision in ("float32", "bfloat16"):
        steps = Steps(student, teacher, batch, precision)
        found[f"ours, {precision}"] = steps.distillation({"name": "soft_logits"})
        found[f"ours, {precision}, plain"] = steps.alone()
    return found
