"""RepDistiller's own training loops, as they come and at their best.

REPDISTILLER is a checkout of github.com/HobbitLong/RepDistiller; PyTorch must be there.
COMPILED=1 adds them under torch.compile, which takes two minutes to start.
"""

import contextlib
import io
import os
import sys
import time
from types import SimpleNamespace

import torch

sys.path.insert(0, os.environ["REPDISTILLER"])

from distiller_zoo import FSP, KDSVD, Attention, DistillKL, RKDLoss
from helper.loops import train_distill, train_vanilla
from helper.pretrain import init
from models import model_dict

VERSIONS = f"RepDistiller with PyTorch {torch.__version__}."
CLASSES = 100
# Its name, its loss, and what its README weighs the labels, soft logits and its own loss by.
METHODS = {
    "soft_logits": ("kd", DistillKL(4), 0.1, 0.9, 0),
    "attention_transfer": ("attention", Attention(), 1, 0, 1000),
    "rkd": ("rkd", RKDLoss(), 1, 0, 1),
    "kd_svd/crd": ("kdsvd", KDSVD(), 1, 0, 1),
}


def subjects(student, teacher, batch, method):
    """A step as it comes; in channels_last and bfloat16; and that compiled."""
    torch.manual_seed(0)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    make = _LOOPS.get(method) or (_distilled if method in METHODS else None)
    if make is None:
        return {}
    data = torch.randn(batch, 3, 32, 32), torch.randint(CLASSES, (batch,)), torch.arange(batch)
    wanted = {"RepDistiller": Setting(), "RepDistiller, bf16": Setting(fast=True)}
    if os.environ.get("COMPILED") == "1":
        wanted["RepDistiller, bf16, compiled"] = Setting(fast=True, compiled=True)
    return {name: make(student, teacher, data, method, setting) for name, setting in wanted.items()}


class Setting:
    """How it is run: as it comes, in channels_last and bfloat16, compiled."""

    def __init__(self, fast=False, compiled=False):
        self.layout = torch.channels_last if fast else torch.contiguous_format
        self.fast, self.compiled = fast, compiled

    def network(self, name):
        """Returns a network and what is called in its place."""
        model = model_dict[name](num_classes=CLASSES).to(memory_format=self.layout)
        return model, torch.compile(model) if self.compiled else model

    def timed(self, data, step):
        """Returns the subject; the step is given a loader of one batch."""
        loader = [(data[0].to(memory_format=self.layout), *data[1:])]

        def subject():
            with contextlib.redirect_stdout(io.StringIO()):
                start = time.perf_counter()
                with torch.autocast("cpu", torch.bfloat16, enabled=self.fast):
                    step(loader)
                return time.perf_counter() - start

        return subject


def _plain(student, teacher, data, method, setting):
    model, called = setting.network(student)
    arguments = (called, torch.nn.CrossEntropyLoss(), _optimizer(model))
    options = SimpleNamespace(print_freq=1000)
    return setting.timed(data[:2], lambda loader: train_vanilla(1, loader, *arguments, options))


def _distilled(student, teacher, data, method, setting):
    name, loss, gamma, alpha, beta = METHODS[method]
    (model, called), (_, called_teacher) = (setting.network(each) for each in (student, teacher))
    options = SimpleNamespace(distill=name, gamma=gamma, alpha=alpha, beta=beta, print_freq=1000)
    losses = [torch.nn.CrossEntropyLoss(), DistillKL(4), loss]
    networks, optimizer = torch.nn.ModuleList([called, called_teacher]), _optimizer(model)
    return setting.timed(
        data, lambda loader: train_distill(1, loader, networks, losses, optimizer, options)
    )


def _flow(student, teacher, data, method, setting):
    """The first stage of FSP; the second is a plain step."""
    (model, called), (_, called_teacher) = (setting.network(each) for each in (student, teacher))
    with torch.no_grad():
        shapes = [
            [feature.shape for feature in network(data[0][:2], is_feat=True)[0][:-1]]
            for network in (called, called_teacher)
        ]
    options = SimpleNamespace(
        distill="fsp", model_s=student, learning_rate=0.05, momentum=0.9, weight_decay=5e-4
    )
    options.init_epochs = 1
    trained = torch.nn.ModuleList(model.get_feat_modules())
    arguments = (called, called_teacher, trained, FSP(*shapes))
    logger = SimpleNamespace(log_value=lambda *values: None)
    return setting.timed(data, lambda loader: init(*arguments, loader, logger, options))


_LOOPS = {"plain": _plain, "fsp": _flow}


def _optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
