"""The Leaderboard component."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.artifacts import ComparisonTable
from components.leaderboard.executor import Executor


class Measured(NamedTuple):
    """A trained network, and what there is of it.

    Attributes:
      row: as `trials.Trial` has it; so are `label`, `seed` and `published`.
      evaluation: `standard_artifacts.ModelEvaluation` of it, as `GateEvaluator`'s candidate.
      model_run: `standard_artifacts.ModelRun`; None of one that was trained elsewhere.
    """

    row: str
    label: str
    seed: int
    published: float | None
    evaluation: BaseChannel
    model_run: BaseChannel | None


class LeaderboardSpec(component_spec.ComponentSpec):
    """Exec properties and output of `Leaderboard`; the inputs depend on what is compared."""

    PARAMETERS = {
        "trials": component_spec.ExecutionParameter(type=str),
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

    def __init__(
        self, networks: Mapping[str, Measured], published_source: str, code_fingerprint: str
    ):
        """Constructs the component.

        Args:
          networks: what is compared, by a name of each; a row is the baseline.
          published_source: where the published accuracies stand; empty if there are none.
          code_fingerprint: a hash of the code; a new one makes TFX's cache miss.
        """
        channels = {f"{key}_evaluation": network.evaluation for key, network in networks.items()}
        channels |= {
            f"{key}_model_run": network.model_run
            for key, network in networks.items()
            if network.model_run is not None
        }
        types = {
            key: standard_artifacts.ModelEvaluation
            if key.endswith("_evaluation")
            else standard_artifacts.ModelRun
            for key in channels
        }
        inputs = {key: component_spec.ChannelParameter(type=kind) for key, kind in types.items()}
        spec = type("LeaderboardSpec", (LeaderboardSpec,), {"INPUTS": inputs})
        trials = {
            key: {
                "row": network.row,
                "label": network.label,
                "seed": network.seed,
                "published": network.published,
            }
            for key, network in networks.items()
        }
        super().__init__(
            spec=spec(
                trials=json.dumps(trials),
                published_source=published_source,
                code_fingerprint=code_fingerprint,
                table=Channel(type=ComparisonTable),
                **channels,
            )
        )
