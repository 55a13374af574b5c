"""TFX's own entry point, which runs a component's executor."""

import sys

INPUT = "--json_serialized_invocation_args"
INPUTS_SPEC = "--json_serialized_inputs_spec_args"


def run(arguments: list[str]) -> None:
    """Runs the executor that TFX's arguments name."""
    # TFX is imported where it is needed: a wrong address is told at once.
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

    # absl, in Beam's executors, parses what it finds here and refuses our arguments.
    sys.argv = sys.argv[:1]
    parsed = kubeflow_v2_run_executor._parse_flags(arguments)
    kubeflow_v2_run_executor.main(parsed)
