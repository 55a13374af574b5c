"""What can go wrong."""


class SpecError(Exception):
    """Kubeflow would refuse the specification, or this package does not know a part of it."""


class TaskFailedError(Exception):
    """A task's container failed; the message has what it said last."""


class PodDeletedError(TaskFailedError):
    """A task's pod was deleted."""
