"""The TeacherImporter component."""

import json
from collections.abc import Mapping

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import Channel, component_spec, standard_artifacts

from components.teacher_importer.executor import Executor


class TeacherImporterSpec(component_spec.ComponentSpec):
    """Output and exec properties of `TeacherImporter`."""

    PARAMETERS = {
        name: component_spec.ExecutionParameter(type=str)
        for name in ("file", "sha256", "taps", "code_fingerprint")
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {"model": component_spec.ChannelParameter(type=standard_artifacts.Model)}


class TeacherImporter(base_component.BaseComponent):
    """Makes a model, as the Trainer does, of a trained teacher of the user's own.

    TFX's cache knows it by the file's SHA-256.

    Outputs:
      model: `standard_artifacts.Model`; its custom properties are `file`, `sha256` and `taps`, as
        those of a teacher that TFX's Importer takes on one machine.
    """

    SPEC_CLASS = TeacherImporterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, file: str, sha256: str, taps: Mapping[str, str], code_fingerprint: str):
        """Constructs the component.

        Args:
          file: as `components.own_networks.load` takes it.
          sha256: as `components.own_networks.load` takes it.
          taps: as `components.own_networks.load` takes them.
          code_fingerprint: a hash of the code; a new one makes TFX's cache miss.
        """
        super().__init__(
            spec=TeacherImporterSpec(
                file=file,
                sha256=sha256,
                taps=json.dumps(taps, sort_keys=True),
                code_fingerprint=code_fingerprint,
                model=Channel(type=standard_artifacts.Model),
            )
        )
