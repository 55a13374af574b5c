"""The knowledge distillation library: methods, networks, the distiller, training, export."""
