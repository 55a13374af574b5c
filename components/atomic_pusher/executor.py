"""What AtomicPusher runs."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils, path_utils

from components import provenance
from components.artifacts import DistillationSummary, GateDecision, ModelProfile, RunRecord
from components.atomic_pusher import model_card
from components.atomic_pusher.push import push
from components.decision import Decision
from components.profile import Profile
from components.serving_versions import (
    MODEL_CARD,
    TFLITE,
    in_service,
    locked,
    same_files,
    same_model,
    versions,
)
from kd_trainer.errors import ConfigError

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Pushes a blessed model over what it was compared with, unless it is in service already."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Pushes, and says so in the custom properties of `pushed_model`, as TFX's Pusher does.

        Args:
          input_dict: `model`, `model_blessing`, `decision`, `run_record`, `summary`, `profile`;
            `lite` where there is one.
          output_dict: `pushed_model`.
          exec_properties: `push_directory`; the others are not read.

        Raises:
          ConfigError: the push directory cannot be written or locked.
        """
        (pushed_model,) = output_dict["pushed_model"]
        (blessing,) = input_dict["model_blessing"]
        if not model_utils.is_model_blessed(blessing):
            pushed_model.set_int_custom_property("pushed", 0)
            return
        saved_model = path_utils.serving_model_dir(
            artifact_utils.get_single_uri(input_dict["model"])
        )
        lite = [artifact.uri for artifact in input_dict.get("lite", [])]
        decision = Decision.model_validate_json(_read(input_dict["decision"], GateDecision))
        directory = exec_properties["push_directory"]
        record = json.loads(_read(input_dict["run_record"], RunRecord))
        summary = json.loads(_read(input_dict["summary"], DistillationSummary))
        # A comparison has trained many: which of them this is the record does not say.
        chosen = {key: summary[key] for key in ("method", "seed")}
        run = {**record, "config": {**record["config"], **chosen}}

        def write(folder: str) -> None:
            io_utils.copy_dir(saved_model, folder)
            for uri in lite:
                io_utils.copy_dir(uri, os.path.join(folder, TFLITE))
            card = model_card.render(
                Profile.model_validate_json(_read(input_dict["profile"], ModelProfile)),
                decision,
                run,
            )
            Path(folder, MODEL_CARD).write_text(card, encoding="utf-8")
            origin = provenance.Provenance(
                time=datetime.now(timezone.utc).isoformat(timespec="seconds"),
                run_id=(self._context and self._context.pipeline_run_id) or "",
                run=record,
                decision=decision,
                summary=summary,
            )
            provenance.write(origin, folder)

        # From the look at what is in service to the new version no other push comes between.
        with _alone(directory):
            newest = versions(directory)[-1:]
            if newest and _holds(newest[0], saved_model, lite):
                (target,) = newest
            elif reason := _overtaken(directory, saved_model, decision):
                pushed_model.set_int_custom_property("pushed", 0)
                pushed_model.set_string_custom_property("reason", reason)
                return
            else:
                target = push(directory, write)
        io_utils.copy_dir(target, pushed_model.uri)
        pushed_model.set_int_custom_property("pushed", 1)
        pushed_model.set_string_custom_property("pushed_destination", target)
        pushed_model.set_string_custom_property("pushed_version", os.path.basename(target))
        pushed_model.set_string_custom_property(
            "rebaselined_over", decision.champion_version if decision.rebaseline else ""
        )


@contextmanager
def _alone(directory: str) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(directory))
        except OSError as error:
            raise ConfigError(
                f"push.directory: {directory!r} cannot be locked: {error.strerror}. Give a folder "
                "that this user can write, on a file system with locks: a local disk, or NFS."
            ) from error
        yield


def _overtaken(directory: str, saved_model: str, decision: Decision) -> str | None:
    """Returns why the student is no longer compared with what is in service; None if it is."""
    now = os.path.basename(in_service(directory, saved_model) or "")
    if now == decision.in_service:
        return None
    return (
        f"in service is {_version(now)} now, and was {_version(decision.in_service)} when the gate "
        "compared: another run pushed, or a version was withdrawn, meanwhile"
    )


def _version(number: str) -> str:
    return f"version {number}" if number else "none"


def _holds(version: str, saved_model: str, lite: list[str]) -> bool:
    return same_model(version, saved_model) and all(
        same_files(os.path.join(version, TFLITE), uri) for uri in lite
    )


def _read(artifacts: list[Artifact], kind: type[GateDecision | ModelProfile | RunRecord]) -> str:
    return Path(artifact_utils.get_single_uri(artifacts), kind.FILE_NAME).read_text(
        encoding="utf-8"
    )
