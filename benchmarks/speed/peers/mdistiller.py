"""mdistiller's own training step, as it comes and at its best.

MDISTILLER is a checkout of github.com/megvii-research/mdistiller; PyTorch, yacs, tqdm and
tensorboardX must be there. COMPILED=1 adds it under torch.compile.
"""

import contextlib
import os
import sys
import tempfile
import time

import torch

sys.path.insert(0, os.environ["MDISTILLER"])

from mdistiller.distillers import distiller_dict
from mdistiller.engine import BaseTrainer
from mdistiller.engine.cfg import CFG
from mdistiller.engine.utils import AverageMeter
from mdistiller.models import cifar_model_dict

VERSIONS = f"mdistiller with PyTorch {torch.__version__}."
CLASSES = 100
# Not its KDSVD, which reshapes the maps in the wrong order and has another loss.
METHODS = {
    "plain": "NONE",
    "soft_logits": "KD",
    "attention_transfer": "AT",
    "rkd": "RKD",
    "dkd": "DKD",
}


def subjects(student, teacher, batch, method):
    """A step as it comes; in channels_last and bfloat16; and that compiled."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    # Its step moves everything to a GPU; here it is where it should be already.
    torch.Tensor.cuda = lambda tensor, **options: tensor
    if method not in METHODS:
        return {}
    data = torch.randn(batch, 3, 32, 32), torch.randint(CLASSES, (batch,)), torch.arange(batch)
    found = {
        "mdistiller": _timed(student, teacher, data, method),
        "mdistiller, bf16": _timed(student, teacher, data, method, fast=True),
    }
    if os.environ.get("COMPILED") == "1":
        found["mdistiller, bf16, compiled"] = _timed(
            student, teacher, data, method, fast=True, compiled=True
        )
    return found


def _timed(student, teacher, data, method, fast=False, compiled=False):
    layout = torch.channels_last if fast else torch.contiguous_format
    data = (data[0].to(memory_format=layout), *data[1:])
    networks = [
        cifar_model_dict[name][0](num_classes=CLASSES).to(memory_format=layout)
        for name in (student, teacher)
    ]
    if compiled:
        networks = [torch.compile(network) for network in networks]
    cfg = CFG.clone()
    cfg.LOG.PREFIX = tempfile.mkdtemp()
    cfg.LOG.WANDB = False
    kind = distiller_dict[METHODS[method]]
    distiller = kind(networks[0]) if method == "plain" else kind(*networks, cfg)
    trainer = BaseTrainer("speed", _Module(distiller), [], [], cfg)
    trainer.distiller.train()
    meters = {
        name: AverageMeter() for name in ("training_time", "data_time", "losses", "top1", "top5")
    }

    def subject():
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16) if fast else contextlib.nullcontext():
            trainer.train_iter(data, 1, meters)
        return time.perf_counter() - start

    return subject


class _Module(torch.nn.Module):
    """What its trainer expects: DataParallel, which needs a GPU."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, **given):
        return self.module(**given)
