"""The TrialCollector component."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.artifacts import Trials
from components.trial_collector.executor import Executor


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


class TrialCollectorSpec(component_spec.ComponentSpec):
    """Exec properties and output of `TrialCollector`; the inputs depend on what is compared."""

    PARAMETERS = {
        "networks": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: dict[str, Any] = {}
    OUTPUTS = {"trials": component_spec.ChannelParameter(type=Trials)}


class TrialCollector(base_component.BaseComponent):
    """Collects what was measured of some networks of a comparison.

    A comparison has two artifacts of each network, and Kubeflow hands a task all of its inputs in
    one argument: so many as one seed has fit.

    Outputs:
      trials: `Trials`.
    """

    SPEC_CLASS = TrialCollectorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, networks: Mapping[str, Measured], code_fingerprint: str):
        """Constructs the component.

        Args:
          networks: what is compared, by a name of each; a row is the baseline.
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
        spec = type("TrialCollectorSpec", (TrialCollectorSpec,), {"INPUTS": inputs})
        described = {
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
                networks=json.dumps(described),
                code_fingerprint=code_fingerprint,
                trials=Channel(type=Trials),
                **channels,
            )
        )
