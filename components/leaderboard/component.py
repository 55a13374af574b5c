"""The Leaderboard component."""

from collections.abc import Sequence
from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec

from components.artifacts import ComparisonTable, Trials
from components.leaderboard.executor import Executor


class LeaderboardSpec(component_spec.ComponentSpec):
    """Exec properties and output of `Leaderboard`; it has an input a seed."""

    PARAMETERS = {
        "published_source": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: dict[str, Any] = {}
    OUTPUTS = {"table": component_spec.ChannelParameter(type=ComparisonTable)}


class Leaderboard(base_component.BaseComponent):
    """Says which of several methods did best over several seeds, and what is chance.

    Outputs:
      table: `ComparisonTable`.
    """

    SPEC_CLASS = LeaderboardSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, trials: Sequence[BaseChannel], published_source: str, code_fingerprint: str):
        """Constructs the component.

        Args:
          trials: `Trials` of each seed.
          published_source: where the published accuracies stand; empty if there are none.
          code_fingerprint: a hash of the code; a new one makes TFX's cache miss.
        """
        channels = {f"trials_{number}": given for number, given in enumerate(trials)}
        inputs = {key: component_spec.ChannelParameter(type=Trials) for key in channels}
        spec = type("LeaderboardSpec", (LeaderboardSpec,), {"INPUTS": inputs})
        super().__init__(
            spec=spec(
                published_source=published_source,
                code_fingerprint=code_fingerprint,
                table=Channel(type=ComparisonTable),
                **channels,
            )
        )
