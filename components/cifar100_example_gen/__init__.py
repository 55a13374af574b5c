"""Cifar100ExampleGen: CIFAR-100 in any of its official wrappings, as tf.Examples."""
