"""The soak: an undisturbed run, then one that is killed again and again until it ends."""

import json
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.soak import checks
from benchmarks.soak.command import DOWNLOAD, Command, Moment


def moments(starts: Mapping[str, float], kills: int, seed: int) -> list[Moment]:
    """Draws the moments of the kills, in their order.

    One is in each node, however short, as the push is, and in the download, or in as many of them
    as there are kills; the others are spread over the course, one in each equal part of it.

    Args:
      starts: when nodes, download and checks began, `end` when it was over, in seconds.
      kills: how many.
      seed: of the draw.
    """
    rng = random.Random(seed)
    nodes = sorted(starts.keys() - {"end"}, key=lambda node: starts[node])
    ends = dict(zip(nodes, [*(starts[node] for node in nodes[1:]), starts["end"]], strict=True))
    times = [
        rng.uniform(starts[node], ends[node]) for node in rng.sample(nodes, min(kills, len(nodes)))
    ]
    spread = kills - len(times)
    times += [(part + rng.random()) / spread * starts["end"] for part in range(spread)]
    drawn = []
    for at in sorted(times):
        node = max((node for node in nodes if starts[node] <= at), key=lambda node: starts[node])
        drawn.append(Moment(node, round(at - starts[node], 3)))
    return drawn


def go_on(
    folder: Path, url: str, settings: Mapping[str, Any], kills: int, seed: int, deadline: float
) -> dict[str, Any] | None:
    """Goes on with a soak, until it is finished or time is up.

    Args:
      folder: the soak's; what is there is gone on from.
      url: where the archive is served.
      settings: keys of the configuration.
      kills: how many there are to be.
      seed: of their moments.
      deadline: by `time.monotonic`; it is looked at between two starts.

    Returns:
      What was found; None if time was up.
    """
    undisturbed = Command(folder / "undisturbed", url, settings)
    disturbed = Command(folder / "disturbed", url, settings)
    state = folder / "soak.json"
    if not state.exists():
        folder.mkdir(parents=True, exist_ok=True)
        if status := undisturbed.run():
            raise RuntimeError(f"The undisturbed run ended with {status}: {undisturbed.output}")
        drawn = moments(undisturbed.starts, kills, seed)
        _keep(state, {"moments": drawn, "killed": [], "problems": [], "statuses": []})
    course = json.loads(state.read_text(encoding="utf-8"))
    [complete] = checks.files_of_versions(undisturbed.workdir)

    def watch() -> None:
        for files in checks.files_of_versions(disturbed.workdir):
            if files != complete:
                course["problems"].append(f"an incomplete version in service: {sorted(files)}")

    while True:
        if time.monotonic() > deadline:
            return None
        left = course["moments"][len(course["statuses"]) :]
        kept = checks.kept_epochs(disturbed.workdir)
        before = disturbed.output.stat().st_size if disturbed.output.exists() else 0
        status = disturbed.run(watch, Moment(*left[0]) if left else None)
        printed = disturbed.output.read_bytes()[before:].decode()
        repeated = sorted(checks.printed_epochs(printed) & kept)
        course["problems"] += [f"{epoch} was trained again" for epoch in repeated]
        if status not in (0, -9) or (status == -9 and not left):
            raise RuntimeError(f"A start ended with {status}: see {disturbed.output}")
        course["statuses"].append(status)
        if status == -9:
            course["killed"].append(_where(printed, disturbed))
        _keep(state, course)
        if not left:
            break
    return {
        "kills": len(course["killed"]),
        "seed": seed,
        "starts": len(course["statuses"]),
        "killed at": course["killed"],
        "executions": dict(checks.states(disturbed.workdir)),
        "problems": course["problems"] + checks.problems(disturbed.workdir, undisturbed.workdir),
    }


def _where(printed: str, command: Command) -> str:
    """Returns the node that was running, and the epoch that had been printed last, if any."""
    before, _, since = printed.rpartition("▸ ")
    if not before:
        downloading = DOWNLOAD in command.starts and command.part.exists()
        return DOWNLOAD if downloading else "before the first node"
    node, *lines = since.splitlines()
    ended = [line.split()[0] for line in lines if line.startswith(("✓", "✗"))]
    epochs = [" ".join(line.split()[:2]) for line in lines if line.startswith("    ")]
    after = ["after it"] if ended else [f"after {epoch}" for epoch in epochs[-1:]]
    return ", ".join([node, *after])


def _keep(path: Path, document: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(document, indent=1), encoding="utf-8")
    partial.replace(path)
