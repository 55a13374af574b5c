"""What a run of the quick preset takes beside training."""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TITLE = "The quick run beside training"
HEAD = [
    "A first run of `tfx-distill run --preset quick`, by its own lines. What trains is the sum of",
    "the epochs' seconds, their measuring included; the rest of a Trainer's time loads data and",
    "networks, traces, exports and tests. Of the Evaluator's and the profiler's time a part is the",
    "models' answers. The imports are also timed alone, twice, of which the second counts: what",
    "lies outside of all nodes is mostly these, and ModelChecker's process has TensorFlow's again.",
    "",
    "| | seconds |",
    "|---|---|",
]
_IMPORTS = {"TensorFlow": "tensorflow", "TensorFlow, Keras and TFX": "tensorflow, keras, tfx.v1"}
_NODE = re.compile(r"^✓ (\S+)\s+([\d.]+) s", re.MULTILINE)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds nothing."""


def lines(options: argparse.Namespace) -> list[str]:
    """Runs it, and returns the table."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        printed = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", "run", "--preset", "quick", "--workdir", folder],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        ).stdout
        whole = time.perf_counter() - start
        trained = {
            file.parents[2].name: sum(
                row["seconds"] for row in json.loads(file.read_text(encoding="utf-8"))
            )
            for file in Path(folder).glob("pipelines/quick/*/model_run/*/history.json")
        }
    nodes = {name: float(seconds) for name, seconds in _NODE.findall(printed)}
    writing = nodes["Cifar100ExampleGen"]
    training = sum(trained.values())
    rows = {
        "the whole run": whole,
        "training: epochs": training,
        "data writing: Cifar100ExampleGen": writing,
        **{
            f"{name}, beside its epochs": seconds - trained[name]
            for name, seconds in nodes.items()
            if name in trained
        },
        **{
            name: seconds
            for name, seconds in nodes.items()
            if name not in trained and name != "Cifar100ExampleGen" and seconds >= 0.1
        },
        "outside of all nodes": whole - sum(nodes.values()),
        "**beside training and data writing**": whole - training - writing,
        **{f"imports alone: {name}": _import(modules) for name, modules in _IMPORTS.items()},
    }
    return [*HEAD, *(f"| {name} | {seconds:.1f} |" for name, seconds in rows.items())]


def _import(modules: str) -> float:
    code = f"import gc; gc.disable(); import {modules}; gc.freeze()"  # as the command does
    for _ in range(2):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start
