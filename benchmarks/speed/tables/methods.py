"""A step of each method over its lower bound: the teacher's forward pass and a plain step."""

import argparse
from collections.abc import Callable

import keras

from benchmarks.speed import options as shared
from benchmarks.speed.paired import Rounds, Subject
from benchmarks.speed.subjects import Steps, spec, taught_stage
from kd_trainer.methods import METHODS, create

_LAYERS = "with its layers"
TITLE = "A step of each method over its lower bound"
HEAD = [
    "The step is of the last stage that reads the teacher. The bound is the teacher's forward",
    "pass and a plain student step; of `dml` a plain step of each network; of",
    "`jacobian_matching` a step that derives both networks by the images and compares nothing;",
    "of `kd_svd`, `kd_eid` and `mhgd`, which bound their gradient and so derive the student twice,",
    "a step that bounds the gradient of the taps' means.",
    "Methods with layers of their own are held against a second bound, too: a step that trains",
    "these and compares nothing.",
    "A stage that trains a part of the student (`fitnet`, `fsp`) can be below its bound. Seconds",
    "are medians; ratios are the rounds': median [least-most].",
    "",
    "| method | batch | step, s | bound, s | step over bound | over that with its layers |",
    "|---|---|---|---|---|---|",
]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what the table can be asked for."""
    shared.add_pair(parser, [64, 128])
    shared.add_precision(parser)
    shared.add_rounds(parser, 7)
    parser.add_argument("--methods", nargs="+", default=[*METHODS, "kd_svd/crd"])


def lines(options: argparse.Namespace) -> list[str]:
    """Measures, and returns the table."""
    rows = []
    for size in options.batches:
        for method in options.methods:
            keras.backend.clear_session()
            steps = Steps(options.student, options.teacher, size, options.precision)
            bound = _BOUNDS.get(method, _forward_and_plain)(steps, options)
            subjects = {"step": steps.distillation(spec(method)), **bound}
            if taught_stage(create(spec(method))).adapters:
                subjects[_LAYERS] = steps.without_comparison(spec(method))
            rounds = Rounds(subjects, options.rounds)
            seconds = sum(rounds.median(name) for name in bound)
            own = rounds.ratio("step", _LAYERS) if _LAYERS in subjects else ""
            row = (
                f"| {method} | {size} | {rounds.median('step'):.3f} | {seconds:.3f} "
                f"| {rounds.ratio('step', list(bound))} | {own} |"
            )
            print(row, flush=True)
            rows.append(row)
    setting = f"{options.teacher} -> {options.student}, {options.precision}."
    return [setting, "", *HEAD, *rows]


def _forward_and_plain(steps: Steps, options: argparse.Namespace) -> dict[str, Subject]:
    return {"teacher": steps.teacher_forward(), "plain": steps.alone()}


def _both_plain(steps: Steps, options: argparse.Namespace) -> dict[str, Subject]:
    return {"peer": steps.alone(options.teacher), "plain": steps.alone()}


def _nothing_compared(method: str) -> Callable[[Steps, argparse.Namespace], dict[str, Subject]]:
    return lambda steps, options: {"derived": steps.without_comparison({"name": method})}


_BOUNDS: dict[str, Callable[[Steps, argparse.Namespace], dict[str, Subject]]] = {
    "dml": _both_plain,
    **{
        method: _nothing_compared(method)
        for method in ("jacobian_matching", "kd_svd", "kd_eid", "mhgd")
    },
}
