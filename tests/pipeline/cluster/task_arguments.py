"""A task's command line, as Kubeflow's launcher gives it to our entry point."""

import json

TITLE = "title: tfx.{}\ntype: object\n".format
KINDS = {str: "STRING", float: "NUMBER_DOUBLE", int: "NUMBER_INTEGER"}


def arguments(executor_class, executor_input, inputs=None):
    """The task's command line; `inputs` are the component's input artifacts, by type."""
    values = executor_input["inputs"].get("parameterValues", {})
    spec = {
        "parameters": {key: {"parameterType": KINDS[type(values[key])]} for key in values},
        "artifacts": {
            key: {"artifactType": {"instanceSchema": TITLE(name)}}
            for key, name in (inputs or {}).items()
        },
    }
    return [
        "--executor_class_path",
        executor_class,
        "--json_serialized_invocation_args",
        json.dumps(executor_input),
        "--json_serialized_inputs_spec_args",
        json.dumps(spec),
    ]
