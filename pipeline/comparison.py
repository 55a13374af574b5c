"""A comparison, checked: the methods and seeds that train on one teacher."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2

from kd_trainer import methods
from pipeline import plan as run_plan
from pipeline.config import CompareConfig, RunConfig
from pipeline.plan import Plan


@dataclass(frozen=True)
class ComparisonPlan:
    """What the graph is made of.

    Attributes:
      run: data, teacher, student and recipe of all.
      rows: the methods, resolved, by what the table calls them.
    """

    run: Plan
    rows: Mapping[str, Any]

    @property
    def settings(self) -> CompareConfig:
        """How many trials, and how they train."""
        return self.run.config.compare

    @property
    def name(self) -> str:
        """The pipeline's."""
        return f"{self.run.config.name}-compare"

    @cached_property
    def together(self) -> dict[str, Any]:
        """The methods whose students train at once, if that is asked for and there are several.

        Not on a cluster, whose tasks train beside each other anyway, nor where one training takes
        several devices, nor where one may go back to what the others have left behind.
        """
        shared = self.settings.share_teacher == "auto" and self.run.on_one_machine
        recipe = self.run.config.recipe
        if not shared or recipe.distribution != "none" or recipe.on_nan == "rollback":
            return {}
        from kd_trainer.shared_teacher import can_be_shared

        epochs = recipe.epochs
        found = {
            row: spec
            for row, spec in self.rows.items()
            if can_be_shared(methods.create(spec).stages(epochs))
        }
        return found if len(found) > 1 else {}


def make(
    config: RunConfig,
    workdir: Path,
    source: str,
    metadata: metadata_store_pb2.ConnectionConfig | None = None,
    command: Sequence[str] = (),
) -> ComparisonPlan:
    """Checks a comparison against its data and its networks.

    Args:
      config: the run; its own method is not looked at.
      workdir: absolute.
      source: what `plan.locate` gave.
      metadata: how ML Metadata is reached; None is a SQLite file in the workdir.
      command: what `run_record.command` gave.

    Raises:
      ConfigError: as `plan.make`, of every method; the method is named.
      DataError: as `plan.make`.
    """
    rows = specifications(config.compare)
    first, *others = rows.values()
    config = config.model_copy(update={"method": first})
    return ComparisonPlan(
        run_plan.make(config, workdir, source, metadata, command, specs=others), rows
    )


def specifications(compare: CompareConfig) -> dict[str, Any]:
    """Returns the methods, resolved, by what nodes and the table call them.

    Raises:
      ConfigError: there is no such method or preset; the nearest ones are named.
    """
    names = list(methods.METHODS) if compare.methods == "all" else compare.methods
    return {
        name.replace("/", "_"): methods.resolve(
            dict(zip(("name", "preset"), name.split("/", 1), strict=False))
        )
        for name in names
    }
