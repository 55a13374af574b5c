"""Memory by the batch, read off the shapes in the graph of loss and gradient."""

from collections.abc import Callable, Iterator

import pytest
import tensorflow as tf

from kd_trainer import losses


def sizes(loss: Callable, shape: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    """The operation and the number of elements of every tensor."""

    @tf.function(input_signature=[tf.TensorSpec(shape), tf.TensorSpec(shape)])
    def gradient(student, teacher):
        with tf.GradientTape() as tape:
            tape.watch(student)
            value = loss(student, teacher)
        return tape.gradient(value, student)

    graph = gradient.get_concrete_function().graph.as_graph_def(add_shapes=True)
    nodes = [graph.node, *(function.node_def for function in graph.library.function)]
    for node in (node for group in nodes for node in group):
        for output in node.attr["_output_shapes"].list.shape:
            size = tf.TensorShape(output).num_elements()
            assert size is not None, f"the size of {node.name} is not known"
            yield node.op, size


def largest(loss: Callable, shape: tuple[int, ...]) -> int:
    found = list(sizes(loss, shape))
    # A loop that is differentiated keeps every turn's tensors in a list.
    assert not [op for op, _ in found if op.startswith("TensorList")]
    return max(size for _, size in found)


@pytest.mark.parametrize("loss", [losses.rkd_distance, losses.rkd_angle])
def test_rkd_needs_the_square_of_the_batch(loss: Callable) -> None:
    small, large = (largest(loss, (batch, 16)) for batch in (64, 128))
    assert large <= 4 * small
    assert large <= 8 * 128**2


def test_nst_needs_the_square_of_the_channels_and_no_pixels() -> None:
    batch, size, channels = 8, 16, 32
    shape = (batch, size, size, channels)
    found = largest(losses.neuron_selectivity_transfer, shape)
    assert found == batch * size * size * channels  # the maps themselves
    twice = largest(losses.neuron_selectivity_transfer, (2 * batch, *shape[1:]))
    assert twice == 2 * found
