"""Where a step's time goes: the student's convolutions, one by one."""

import argparse
import time
from collections.abc import Callable

import keras

from benchmarks.speed import options as shared
from benchmarks.speed.paired import Rounds, Subject
from benchmarks.speed.subjects import CLASSES
from kd_trainer.networks import build

TITLE = "The student's convolutions, one by one"
HEAD = [
    "Medians, in GFLOP/s: forward, the derivative by the input, and that by the kernel. The last",
    "rows are sums over the network, each convolution as often as it has it, in milliseconds.",
    "",
    "| convolution | times | MFLOP an image | precision | forward | by the input | by the kernel |",
    "|---|---|---|---|---|---|---|",
]
PARTS = ("forward", "by the input", "by the kernel")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what the table can be asked for."""
    parser.add_argument("--student", default="resnet8x4", metavar="NETWORK")
    parser.add_argument("--batch", type=int, default=128, metavar="IMAGES")
    shared.add_rounds(parser, 5)


def lines(options: argparse.Namespace) -> list[str]:
    """Measures, and returns the table."""
    network = build(options.student, CLASSES)
    found: dict[tuple, int] = {}
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            shape = (*layer.input.shape[1:], layer.filters, layer.kernel_size[0], layer.strides[0])
            found[shape] = found.get(shape, 0) + 1
    rows, sums = [], dict.fromkeys(((p, k) for k in ("float32", "bfloat16") for p in PARTS), 0.0)
    for shape, times in found.items():
        height, width, channels, filters, kernel, stride = shape
        flop = 2 * height * width * channels * filters * kernel**2 / stride**2
        for kind in ("float32", "bfloat16"):
            rounds = Rounds(_subjects(shape, options.batch, kind), options.rounds)
            speeds = [options.batch * flop / rounds.median(part) / 1e9 for part in PARTS]
            for part in PARTS:
                sums[part, kind] += 1000 * times * rounds.median(part)
            name = f"{height}x{width}x{channels} to {filters}, {kernel}x{kernel}, stride {stride}"
            cells = " | ".join(f"{speed:.0f}" for speed in speeds)
            rows.append(f"| {name} | {times} | {flop / 1e6:.1f} | {kind} | {cells} |")
    for kind in ("float32", "bfloat16"):
        cells = " | ".join(f"{sums[part, kind]:.0f} ms" for part in PARTS)
        rows.append(f"| all | | | {kind} | {cells} |")
    return [f"{options.student}, batch {options.batch}.", "", *HEAD, *rows]


def _subjects(shape: tuple, batch: int, kind: str) -> dict[str, Subject]:
    import tensorflow as tf

    height, width, channels, filters, kernel, stride = shape
    images = tf.cast(tf.random.normal((batch, height, width, channels)), kind)
    weights = tf.cast(tf.random.normal((kernel, kernel, channels, filters)), kind)
    strides = {"strides": [1, stride, stride, 1], "padding": "SAME"}
    outputs = tf.nn.conv2d(images, weights, **strides)
    operations: dict[str, Callable] = {
        "forward": lambda: tf.nn.conv2d(images, weights, **strides),
        "by the input": lambda: tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(images), filter=weights, out_backprop=outputs, **strides
        ),
        "by the kernel": lambda: tf.raw_ops.Conv2DBackpropFilter(
            input=images, filter_sizes=tf.shape(weights), out_backprop=outputs, **strides
        ),
    }
    return {part: _timed(operations[part]) for part in PARTS}


def _timed(operation: Callable) -> Subject:
    def subject() -> float:
        start = time.perf_counter()
        operation()
        return time.perf_counter() - start

    return subject
