"""The TFX component that brings CIFAR-100 into a pipeline."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.cifar100_example_gen.executor import Executor


class Cifar100ExampleGenSpec(ComponentSpec):
    """The component's inputs, outputs and execution properties."""

    INPUTS: dict[str, ChannelParameter] = {}
    OUTPUTS = {"examples": ChannelParameter(type=standard_artifacts.Examples)}
    PARAMETERS = {
        "source": ExecutionParameter(type=str),
        "data_fingerprint": ExecutionParameter(type=str),
        "eval_fraction": ExecutionParameter(type=float),
        "limit": ExecutionParameter(type=int, optional=True),
        "code_fingerprint": ExecutionParameter(type=str),
    }


class Cifar100ExampleGen(base_beam_component.BaseBeamComponent):
    """Reads CIFAR-100 from any of its official wrappings and writes tf.Examples.

    It has no input artifact. Its output `examples` (`standard_artifacts.Examples`) has the splits
    `train`, `eval` (carved out of the official train split; absent if `eval_fraction` is 0) and
    `test` (the official one).
    """

    SPEC_CLASS = Cifar100ExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        source: str,
        data_fingerprint: str,
        eval_fraction: float,
        code_fingerprint: str,
        limit: int | None = None,
    ):
        """Makes the pipeline's node.

        Args:
            source: the path of the archive or folder, as for `reader.load`.
            data_fingerprint: what `reader.inspect` found there; the executor refuses other data,
                and the cache sees changed data. Empty: any data will do.
            eval_fraction: the share of the official train split to hold out, in [0, 1).
            code_fingerprint: a hash of the code. The executor does not read it: it makes the
                cache see edited code.
            limit: take only so many records of each official split, the first.
        """
        super().__init__(
            Cifar100ExampleGenSpec(
                source=source,
                data_fingerprint=data_fingerprint,
                eval_fraction=eval_fraction,
                limit=limit,
                code_fingerprint=code_fingerprint,
                examples=types.Channel(type=standard_artifacts.Examples),
            )
        )
