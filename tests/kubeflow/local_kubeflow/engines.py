"""What a task's command runs in: a container, or a process of this machine."""

import dataclasses
import multiprocessing
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from local_kubeflow.errors import SpecError

USER = 10001
_ID = "cid"
_ENTRYPOINT = ["python", "-m", "pipeline.cluster.entrypoint"]
_PRELOADED = ["tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor", "tfx.v1"]


@dataclasses.dataclass(frozen=True)
class Command:
    """What an engine runs.

    Args:
      image: the container's.
      words: of the command.
      mounts: folders by their paths in the container.
      folder: for the log, named `log`, and what else the engine keeps.
      seconds: the command is killed after; None for never.
    """

    image: str
    words: Sequence[str]
    mounts: Mapping[str, Path]
    folder: Path
    seconds: float | None


class Engine(Protocol):
    """Runs commands that see some folders of this machine under other paths."""

    def run(self, command: Command) -> int:
        """Runs a command, and returns its exit status."""

    def kill(self, folder: Path) -> None:
        """Kills what runs with this `folder`."""


class Podman:
    """Containers without rights, without a network.

    Args:
      user: whose they are; the group is 0.
    """

    def __init__(self, user: int = USER):
        self._user = f"{user}:0"

    def run(self, command: Command) -> int:
        """Runs a container; the folders are the user's afterwards."""
        # As the launcher runs as the container's user, too.
        subprocess.run(["chown", "--recursive", self._user, command.folder], check=True)
        words = [
            *("podman", "run", "--rm", "--pull=never", "--network=none", f"--user={self._user}"),
            f"--cidfile={command.folder / _ID}",
            *("--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp", "--cap-drop=all"),
            *(f"--volume={source}:{place}" for place, source in command.mounts.items()),
            *("--entrypoint=", command.image, *command.words),
        ]
        with (
            open(command.folder / "log", "w", encoding="utf-8") as log,
            subprocess.Popen(words, stdout=log, stderr=log) as process,
        ):
            try:
                return process.wait(command.seconds)
            except subprocess.TimeoutExpired:
                self.kill(command.folder)
                return process.wait()

    def kill(self, folder: Path) -> None:
        """Kills a container, and waits for its end."""
        container = (folder / _ID).read_text(encoding="utf-8")
        subprocess.run(["podman", "kill", container], check=True)
        subprocess.run(["podman", "wait", container])  # which may be gone already


class Processes:
    """Our entry point in processes that have TFX loaded; a container's paths are replaced in words.

    Args:
      mounts: further folders by their paths in a container: that of the image's packages.
    """

    def __init__(self, mounts: Mapping[str, Path]):
        self._mounts = mounts
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self._running: dict[Path, multiprocessing.process.BaseProcess] = {}

    def run(self, command: Command) -> int:
        """Runs our entry point; whatever the image."""
        program, arguments = list(command.words[:3]), list(command.words[3:])
        if program != _ENTRYPOINT:
            raise SpecError(f"{command.image}: not the command of our image: {program}")
        for place, source in {**command.mounts, **self._mounts}.items():
            arguments = [word.replace(f'"{place}/', f'"{source}/') for word in arguments]
        roots = {"minio://": str(command.mounts["/minio"])}
        process = self._context.Process(
            target=_work, args=(arguments, roots, command.folder / "log")
        )
        self._running[command.folder] = process
        process.start()
        process.join(command.seconds)
        if process.is_alive():
            process.kill()
            process.join()
        return process.exitcode

    def kill(self, folder: Path) -> None:
        """Kills a process."""
        self._running[folder].kill()


def _work(arguments: Sequence[str], roots: Mapping[str, str], log: Path) -> None:
    import os

    file = os.open(log, os.O_WRONLY | os.O_CREAT)
    for descriptor in (1, 2):
        os.dup2(file, descriptor)
    from pipeline.cluster import entrypoint, local_paths

    local_paths.ROOTS.clear()
    local_paths.ROOTS.update(roots)
    sys.argv = ["entrypoint"]
    sys.exit(entrypoint.main(arguments))
