"""The commands `tfx-distill kubeflow ...` that talk to a Kubeflow Pipelines server.

What can be found wrong without the server is told before its client, which takes seconds, is
imported.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from kd_trainer.errors import ConfigError, UserError
from pipeline.cluster import compiled, compiling, trigger
from pipeline.cluster.errors import PORT_FORWARD, ServerError
from pipeline.run_command import FAILED

if TYPE_CHECKING:
    from pipeline.cluster.service import Service

HOST, UI_HOST = "KF_PIPELINES_ENDPOINT", "KF_PIPELINES_UI_ENDPOINT"


def run(options: argparse.Namespace) -> int:
    """Runs one of the commands below, `options.verb`.

    Returns:
      The exit status: 0, or 1 if the server failed or a run that was waited for did.

    Raises:
      ConfigError: what the user can mend.
    """
    try:
        return options.verb(options)
    except ServerError as error:
        print(f"tfx-distill: {error}", file=sys.stderr)
        return FAILED


def submit(options: argparse.Namespace) -> int:
    """Uploads a pipeline and starts a run of it; with `--wait`, waits for its end.

    A run that has failed is followed by up to `--resubmit` others. Argo does not start a pod anew
    that was deleted, as by a preemption; in another run, Kubeflow's cache serves the tasks that
    have ended, and a training goes on from its last epoch.
    """
    if options.resubmit < 0:
        raise ConfigError(f"--resubmit: found {options.resubmit}, expected 0 or more.")
    if options.resubmit and not options.wait:
        raise ConfigError("--resubmit: a run is submitted again once it has failed; give --wait.")
    with compiling.pipeline_of(options) as pipeline:
        parameters = pipeline.arguments(options.parameter)
        with connected_service(options) as service:
            body = body_of(options, service, pipeline, parameters)
            for left in reversed(range(options.resubmit + 1)):
                run_id = start(options, service, pipeline, body)
                state = _waited(options, service, run_id, pipeline) if options.wait else "SUCCEEDED"
                if state != "FAILED" or not left:
                    break
            return 0 if state == "SUCCEEDED" else FAILED


def start(
    options: argparse.Namespace,
    service: "Service",
    pipeline: compiled.CompiledPipeline,
    body: dict[str, Any],
) -> str:
    """Starts a run and prints where it is shown; returns its id."""
    now = datetime.now().strftime("%Y-%m-%d %H-%M-%S")
    started = service.run({"display_name": f"{pipeline.name} {now}", **body})
    print(f"run {started.run_id}")
    ui = os.environ.get(UI_HOST, server_address(options)).rstrip("/")
    print(f"  {ui}/#/runs/details/{started.run_id}")
    return started.run_id


def schedule(options: argparse.Namespace) -> int:
    """Uploads a pipeline and makes a recurring run of it the only one of its name, enabled."""
    when = trigger.every(options.every) if options.cron is None else trigger.cron(options.cron)
    with compiling.pipeline_of(options) as pipeline:
        parameters = pipeline.arguments(options.parameter)
        with connected_service(options) as service:
            from pipeline.cluster import schedules

            wanted = {
                "display_name": options.name,
                "trigger": when,
                # A run that is due while another one is at work waits for it, and what was missed
                # in a pause is not made up for: each takes the newest data anyway.
                "max_concurrency": "1",
                "no_catchup": True,
                **body_of(options, service, pipeline, parameters),
            }
            done = schedules.put(service, wanted)
            print(f"schedule {options.name}: {done}, {trigger.text(when)}")
    return 0


def show(options: argparse.Namespace) -> int:
    """Lists the recurring runs and the newest runs."""
    with connected_service(options) as service:
        from pipeline.cluster import listing

        listed = listing.collect(service)
        if options.json:
            print(listing.as_json(listed))
        else:
            listing.show(Console(), listed)
    return 0


def pause(options: argparse.Namespace) -> int:
    """Disables a recurring run."""
    with connected_service(options) as service:
        from pipeline.cluster import schedules

        schedules.pause(service, options.name)
    print(f"schedule {options.name}: paused")
    return 0


def resume(options: argparse.Namespace) -> int:
    """Enables a recurring run again."""
    with connected_service(options) as service:
        from pipeline.cluster import schedules

        schedules.resume(service, options.name)
    print(f"schedule {options.name}: enabled")
    return 0


def delete(options: argparse.Namespace) -> int:
    """Deletes a recurring run."""
    with connected_service(options) as service:
        from pipeline.cluster import schedules

        schedules.delete(service, options.name)
    print(f"schedule {options.name}: deleted")
    return 0


def rollback(options: argparse.Namespace) -> int:
    """Takes the newest version that a pipeline pushed out of service, by a task in the cluster."""
    with connected_service(options) as service, tempfile.TemporaryDirectory() as folder:
        from pipeline.cluster import rollback as made

        stored = service.newest_specification(options.name)
        if stored is None:
            raise ConfigError(
                f"The server has no pipeline {options.name!r}. Expected the name of one that has "
                "pushed; Kubeflow's page `Pipelines` lists them."
            )
        path = Path(folder, f"{options.name}-rollback.yaml")
        path.write_text(made.document(options.name, stored, options.last), encoding="utf-8")
        pipeline = compiled.read(path)
        image = [f"image={options.image}"] if options.image else []
        parameters = pipeline.arguments([f"reason={options.reason}", *image])
        body = body_of(options, service, pipeline, parameters)
        run_id = start(options, service, pipeline, body)
        state = _waited(options, service, run_id, pipeline)
    print("The log of the task `rollback` says which version it was.")
    return 0 if state == "SUCCEEDED" else FAILED


@contextmanager
def connected_service(options: argparse.Namespace) -> Iterator["Service"]:
    """Connects to the server that the options name."""
    host = server_address(options)
    with clients():
        from pipeline.cluster.connection import connected
        from pipeline.cluster.service import Service
    with connected(host, options.namespace) as (client, namespace):
        yield Service(client, namespace)


@contextmanager
def clients() -> Iterator[None]:
    """Refuses to import the clients of Kubeflow and Kubernetes where they are not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("kfp", "kfp_server_api", "kubernetes"):
            raise
        raise ConfigError(
            "Kubeflow's client is not installed. Install it with the extra: "
            "pip install 'tfx-distill[kubeflow]' (in a checkout: uv sync --extra kubeflow)."
        ) from error


def _waited(
    options: argparse.Namespace,
    service: "Service",
    run_id: str,
    pipeline: compiled.CompiledPipeline,
) -> str:
    """Returns the state that a run has ended in, or `RUNNING` after Ctrl-C."""
    from pipeline.cluster import waiting

    try:
        return waiting.wait(service, server_address(options), run_id, pipeline.tasks)
    except (KeyboardInterrupt, UserError, ServerError) as error:
        print("tfx-distill: no longer waiting; the run goes on", file=sys.stderr)
        if isinstance(error, KeyboardInterrupt):
            return "RUNNING"
        raise


def server_address(options: argparse.Namespace) -> str:
    """Returns the server's address, without a slash at the end."""
    host = options.host or os.environ.get(HOST, "")
    if not host.startswith(("http://", "https://")):
        found = f"found {host!r}, " if host else ""
        raise ConfigError(
            f"--host (or {HOST}): {found}expected the server's address with http:// or https://. "
            f"From outside the cluster: {PORT_FORWARD}, and --host http://localhost:8888; inside "
            "it: --host http://ml-pipeline.kubeflow:8888"
        )
    return host.rstrip("/")


def body_of(
    options: argparse.Namespace,
    service: "Service",
    pipeline: compiled.CompiledPipeline,
    parameters: dict[str, Any],
) -> dict[str, Any]:
    """Uploads the pipeline; returns what a run and a recurring run of it have in common."""
    reference, uploaded = service.upload(pipeline)
    print(f"pipeline {pipeline.name}, version {pipeline.version}", end="")
    print("" if uploaded else ", as uploaded before")
    body: dict[str, Any] = {
        "experiment_id": service.experiment(options.experiment or pipeline.name),
        "pipeline_version_reference": reference,
        "runtime_config": {"parameters": parameters},
    }
    if pipeline.root is not None:
        # Of what is compiled into the pipeline, Kubeflow reads nothing.
        body["runtime_config"]["pipeline_root"] = pipeline.root
    if options.service_account:
        body["service_account"] = options.service_account
    return body
