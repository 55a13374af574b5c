"""The NetworkProbe component."""

import json
from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import Channel, component_spec, standard_artifacts

from components.network_probe.executor import Executor


class NetworkProbeSpec(component_spec.ComponentSpec):
    """Output and exec properties of `NetworkProbe`."""

    PARAMETERS = {
        name: component_spec.ExecutionParameter(type=str)
        for name in ("networks", "schema", "code_fingerprint")
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {"digests": component_spec.ChannelParameter(type=standard_artifacts.String)}


class NetworkProbe(base_component.BaseComponent):
    """Holds networks of the user's own against what was checked when the pipeline was compiled.

    This node is never cached: it looks at files that anybody may change, and a student's
    architecture must be there for the trainings.

    Outputs:
      digests: `standard_artifacts.String`, the SHA-256 of each file by its role, in JSON.
    """

    SPEC_CLASS = NetworkProbeSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self, networks: Mapping[str, Mapping[str, Any]], schema: str, code_fingerprint: str
    ):
        """Constructs the component.

        Args:
          networks: by `teacher` and `student`, each with `file`, `sha256` and `taps`, see
            `components.own_networks.load`, and the student with `architecture`, the path of the
            file that the trainings build it from.
          schema: the path of the schema, which gives the number of classes.
          code_fingerprint: a hash of the code.
        """
        super().__init__(
            spec=NetworkProbeSpec(
                networks=json.dumps(networks, sort_keys=True),
                schema=schema,
                code_fingerprint=code_fingerprint,
                digests=Channel(type=standard_artifacts.String),
            )
        )
