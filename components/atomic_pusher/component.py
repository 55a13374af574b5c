"""The AtomicPusher component."""

from tfx.components.pusher.component import Pusher
from tfx.dsl.components.base import executor_spec

from components.atomic_pusher.executor import Executor


class AtomicPusher(Pusher):
    """TFX's Pusher with an executor that never shows a reader a partial version."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
