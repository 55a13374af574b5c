"""The knowledge distillation library: methods, networks, the distiller, training, export."""

from kd_trainer import processors

processors.configure()
