"""RepDistiller's own training loops, as they come and at their best.

REPDISTILLER is a checkout of github.com/HobbitLong/RepDistiller; PyTorch must be there.
COMPILED=1 adds its soft logits under torch.compile, which takes two minutes to start.
"""

import contextlib
import io
import os
import sys
import time
from types import SimpleNamespace

import torch

sys.path.insert(0, os.environ["REPDISTILLER"])

from distiller_zoo import KDSVD, DistillKL, RKDLoss
from helper.loops import train_distill, train_vanilla
from models import model_dict

CLASSES = 100
# What its README gives each method: of the labels, of the soft logits, of its own loss.
METHODS = {
    "kd": (DistillKL(4), 0.1, 0.9, 0),
    "rkd": (RKDLoss(), 1, 0, 1),
    "kdsvd": (KDSVD(), 1, 0, 1),
}


def subjects(student, teacher, batch):
    """Its methods as they come; soft logits in channels_last and bfloat16, and compiled."""
    torch.manual_seed(0)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    data = torch.randn(batch, 3, 32, 32), torch.randint(CLASSES, (batch,)), torch.arange(batch)
    found = {"RepDistiller, plain": _plain(student, data[:2])}
    for method in METHODS:
        found[f"RepDistiller, {method}"] = _distilled(student, teacher, data, method)
    fast = torch.channels_last
    tuned = data[0].to(memory_format=fast), *data[1:]
    found["RepDistiller, plain, bf16"] = _plain(student, tuned[:2], fast)
    found["RepDistiller, kd, bf16"] = _distilled(student, teacher, tuned, "kd", fast)
    if os.environ.get("COMPILED") == "1":
        found["RepDistiller, kd, bf16, compiled"] = _distilled(
            student, teacher, tuned, "kd", fast, compiled=True
        )
    return found


def _plain(student, data, memory_format=torch.contiguous_format):
    model = model_dict[student](num_classes=CLASSES).to(memory_format=memory_format)
    options = SimpleNamespace(print_freq=1000)
    arguments = (model, torch.nn.CrossEntropyLoss(), _optimizer(model), options)
    return _timed(train_vanilla, data, memory_format, arguments)


def _distilled(
    student, teacher, data, method, memory_format=torch.contiguous_format, compiled=False
):
    loss, gamma, alpha, beta = METHODS[method]
    networks = [
        model_dict[name](num_classes=CLASSES).to(memory_format=memory_format)
        for name in (student, teacher)
    ]
    optimizer = _optimizer(networks[0])
    if compiled:
        networks = [torch.compile(network) for network in networks]
    options = SimpleNamespace(distill=method, gamma=gamma, alpha=alpha, beta=beta, print_freq=1000)
    losses = [torch.nn.CrossEntropyLoss(), DistillKL(4), loss]
    arguments = (torch.nn.ModuleList(networks), losses, optimizer, options)
    return _timed(train_distill, data, memory_format, arguments)


def _optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)


def _timed(loop, data, memory_format, arguments):
    def subject():
        low = memory_format == torch.channels_last
        with contextlib.redirect_stdout(io.StringIO()):
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=low):
                loop(1, [data], *arguments)
            return time.perf_counter() - start

    return subject
