"""What a task's container runs: TFX's own entry point, on the launcher's local paths.

    python -m pipeline.cluster.entrypoint --executor_class_path CLASS \
        --json_serialized_invocation_args EXECUTOR_INPUT ...

The executor sees local paths only; what it reports of its outputs names the object store again.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kd_trainer.errors import UserError
from pipeline.cluster.local_paths import to_local

_INPUT = "--json_serialized_invocation_args"


def main(arguments: Sequence[str]) -> int:
    """Runs an executor.

    Args:
      arguments: as Kubeflow's launcher gives them, an ExecutorInput in JSON among them.

    Returns:
      The exit status: 0, or 2 for what the user can mend. Any other error is raised.
    """
    arguments = list(arguments)
    place = arguments.index(_INPUT) + 1
    executor_input = json.loads(arguments[place])
    try:
        addresses = _localise(executor_input)
        arguments[place] = json.dumps(executor_input)
        _run(arguments)
    except UserError as error:
        print(f"tfx-distill: {error}", file=sys.stderr)
        return 2
    _restore(Path(executor_input["outputs"]["outputFile"]), addresses)
    return 0


def _run(arguments: list[str]) -> None:
    # TFX is imported where it is needed: a wrong address is told at once.
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

    # absl, in Beam's executors, parses what it finds here and refuses our arguments.
    sys.argv = sys.argv[:1]
    parsed = kubeflow_v2_run_executor._parse_flags(arguments)
    kubeflow_v2_run_executor.main(parsed)


def _localise(executor_input: dict[str, Any]) -> dict[str, str]:
    """Puts local paths in the place of addresses, and returns which stands for which."""
    addresses = {}
    for direction in ("inputs", "outputs"):
        for artifact in _artifacts(executor_input.get(direction, {})):
            uri = artifact["uri"]
            artifact["uri"] = to_local(uri)
            addresses[artifact["uri"]] = uri
    return addresses


def _restore(output_file: Path, addresses: dict[str, str]) -> None:
    output = json.loads(output_file.read_text())
    for artifact in _artifacts(output):
        artifact["uri"] = addresses[artifact["uri"]]
    output_file.write_text(json.dumps(output))


def _artifacts(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for listed in part.get("artifacts", {}).values():
        yield from listed.get("artifacts", [])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
