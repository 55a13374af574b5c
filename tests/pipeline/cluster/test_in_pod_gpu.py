"""What TensorFlow says of GPUs in the pod of `kubeflow doctor`."""

from pipeline.cluster import in_pod


def test_more_gpus_than_tensorflow_sees():
    found = in_pod.look_at_gpus(99)
    assert found.status == "failure"
    assert "given 99, and TensorFlow sees" in found.text
    assert "make image EXTRA=gpu" in found.text
