"""The section `beam` of a run's configuration: where the data components are computed."""

import difflib
import io
import re
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, field_validator

from kd_trainer.errors import ConfigError

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.runner import PipelineRunner

_OPTION = re.compile(r"[a-z][a-z0-9_]*(=.*)?", re.DOTALL)


class BeamConfig(BaseModel):
    """What Beam is told by those components that run on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    options: list[str] = Field(
        [], description="Beam's own, such as runner=FlinkRunner; none: one process of this machine"
    )

    @field_validator("options")
    @classmethod
    def _known_to_beam(cls, options: list[str]) -> list[str]:
        if options:
            check(options)
        return options

    @property
    def arguments(self) -> list[str]:
        """The options as Beam's command line takes them."""
        return _arguments(self.options)

    @property
    def remote(self) -> bool:
        """Whether the work is done outside of the machine, or the pod, that starts it."""
        return is_remote(self.arguments)


def is_remote(arguments: Sequence[str]) -> bool:
    """Says whether a runner's workers are outside of the machine, or the pod, that starts it.

    Args:
      arguments: of a command line; those that are not Beam's are passed over.
    """
    if not any(argument.startswith("--runner=") for argument in arguments):
        return False  # and Beam, which takes a second to import, is not needed
    from apache_beam.options.pipeline_options import (
        PipelineOptions,
        PortableOptions,
        StandardOptions,
    )
    from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
    from apache_beam.runners.portability.portable_runner import PortableRunner
    from apache_beam.runners.runner import create_runner

    options = PipelineOptions(list(arguments))
    runner = create_runner(options.view_as(StandardOptions).runner)
    if isinstance(runner, PortableRunner):
        return options.view_as(PortableOptions).environment_type != "LOOPBACK"
    return PipelineOptionsValidator(options, runner).is_service_runner()


def check(options: Sequence[str]) -> None:
    """Holds options against what Beam knows of them and of the runner that they name.

    A job server has options of its own, which Beam asks it for as a job starts: for a runner that
    works with one, a name that Beam does not know is let by.

    Args:
      options: `name=value`, or `name` alone for a switch.

    Raises:
      ConfigError: an option is not of that form, has a wrong value, is unknown, or does not go
        with the others; the runner is unknown or not installed.
    """
    # Beam takes a second to import, and most runs give no options.
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
    from apache_beam.runners.portability.portable_runner import PortableRunner
    from apache_beam.runners.runner import create_runner

    for option in options:
        if not _OPTION.fullmatch(option):
            raise ConfigError(
                f"found {option!r}; expected name=value, or a switch's name alone, without dashes, "
                "such as runner=FlinkRunner or no_use_public_ips."
            )
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            parsed = PipelineOptions(_arguments(options))
            known = parsed.get_all_options()
    except SystemExit:  # what argparse does
        raise ConfigError(f"Beam says: {said.getvalue().rpartition('error: ')[2]}") from None
    name = parsed.view_as(StandardOptions).runner or StandardOptions.DEFAULT_RUNNER
    try:
        runner = create_runner(name)
    except (AttributeError, ImportError, ValueError) as error:
        raise ConfigError(f"runner={name}: Beam says: {error}") from None
    unknown = parsed.get_all_options(retain_unknown_options=True).keys() - known.keys()
    if unknown and not isinstance(runner, PortableRunner):
        first = min(unknown)
        near = difflib.get_close_matches(first, known, n=5, cutoff=0.5)
        raise ConfigError(
            f"Beam has no option {first!r}. The nearest: {', '.join(near) or 'none'}."
        )
    if errors := _contradictions(parsed, runner):
        raise ConfigError(f"Beam says: {' '.join(errors)}")


def _contradictions(parsed: "PipelineOptions", runner: "PipelineRunner") -> list[str]:
    """Returns what Beam finds missing, or at odds with the rest, without asking any service."""
    from apache_beam.options.pipeline_options import GoogleCloudOptions
    from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator

    validator = PipelineOptionsValidator(parsed, runner)
    # Google's own check calls Cloud Storage, and creates a bucket where none is named.
    validator.OPTIONS = [kind for kind in validator.OPTIONS if kind is not GoogleCloudOptions]
    errors = validator.validate()
    if validator.is_service_runner():
        cloud = parsed.view_as(GoogleCloudOptions)
        errors += validator.validate_gcs_path(cloud, "temp_location")
        errors += validator.validate_cloud_options(cloud)
    return errors


def _arguments(options: Sequence[str]) -> list[str]:
    return [f"--{option}" for option in options]
