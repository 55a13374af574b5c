"""The command `tfx-distill kubeflow doctor`: what a cluster lacks, before a run finds out."""

import argparse
import json
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from components.run_recorder import origin
from kd_trainer.errors import ConfigError
from pipeline.cluster import commands, compiled, compiling, findings, in_pod, one_task
from pipeline.cluster.errors import ServerError
from pipeline.cluster.findings import FAILURE, Finding, failure, ok, warning
from pipeline.cluster.local_paths import WORKDIR
from pipeline.cluster.settings import KubeflowConfig, container_resources, executor_platform

if TYPE_CHECKING:
    from pipeline.cluster.kubernetes_api import Kubernetes
    from pipeline.cluster.service import Service

MINIMUM = (2, 5)
"""The oldest release of Kubeflow Pipelines that takes what is compiled."""

# Seconds a pod may take, the image's download and a new node included; and between two looks.
LIMIT = 1200.0
PAUSE = 5.0
_ONE_USERS_NAMESPACE = "kubeflow"  # where the pods of a server with one user are
_ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")

_Tell = Callable[[Finding], None]


def check(options: argparse.Namespace) -> int:
    """Prints a line for each thing that the tasks need of the cluster.

    Pods are started, one and one with a GPU, if nothing failed before.

    Returns:
      The exit status: 0 if nothing failed, 2 if the user can mend what did, 1 if the server failed.
    """
    settings = compiling.load(options).kubeflow
    with commands.clients():
        from pipeline.cluster.kubernetes_api import Kubernetes

    console = Console(highlight=False, soft_wrap=True)
    found: list[Finding] = []

    def tell(finding: Finding) -> None:
        found.append(finding)
        findings.show(console, finding)

    kubernetes = None
    try:
        with commands.connected_service(options) as service:
            tell(ok("server", f"{commands.server_address(options)} answers"))
            tell(_version(service.server))
            tell(_users(service))
            kubernetes = Kubernetes(service.namespace or options.namespace or _ONE_USERS_NAMESPACE)
            for finding in kubernetes.cluster(settings):
                tell(finding)
            if any(finding.status == FAILURE for finding in found):
                tell(warning("pod", "none was started: mend the failures above first"))
            else:
                for gpus in dict.fromkeys((0, settings.gpu.count)):
                    _ask_pod(options, service, kubernetes, settings, gpus, tell)
    except ServerError as error:
        tell(Finding("server", "failure", str(error), servers=True))
    except ConfigError as error:
        tell(failure("server", str(error)))
    if kubernetes is None:
        for finding in Kubernetes(options.namespace or _ONE_USERS_NAMESPACE).cluster(settings):
            tell(finding)
    return findings.exit_status(found)


def document(settings: KubeflowConfig, gpus: int) -> str:
    """Returns the pipeline of one task that looks at its pod.

    Args:
      settings: the cluster's.
      gpus: how many the pod is given; with any, it is the pod of a task that trains.
    """
    task = "doctor-gpu" if gpus else "doctor"
    variables = [variable for secret in settings.secret_env for variable in secret.env]
    pod = executor_platform(settings, bool(gpus), str(WORKDIR))
    return one_task.document(
        f"tfx-distill-{task}",
        task,
        image=settings.image,
        module="pipeline.cluster.in_pod",
        arguments=[json.dumps({"gpus": gpus, "variables": variables})],
        resources=container_resources(settings, bool(gpus)),
        pod={**pod, "activeDeadlineSeconds": str(int(LIMIT))},
        parameters={},
    )


def _version(said: Mapping[str, Any]) -> Finding:
    # backend/src/apiserver/main.go of Kubeflow Pipelines, 2.5.0:280 and 2.17.0:484.
    tag, least = said.get("tag_name") or "nothing", ".".join(map(str, MINIMUM))
    number = re.match(r"v?(\d+)\.(\d+)", tag)
    if number is None:
        return warning(
            "version",
            f"the server says {tag!r} of its version; {least} or later is needed. Ask it by: "
            "kubectl -n kubeflow get deployment ml-pipeline -o "
            "jsonpath='{.spec.template.spec.containers[*].image}'",
        )
    if tuple(map(int, number.groups())) < MINIMUM:
        return failure(
            "version",
            f"Kubeflow Pipelines {tag}, and {least} or later is needed: have whoever runs the "
            "cluster upgrade it.",
        )
    return ok("version", f"Kubeflow Pipelines {tag}")


def _users(service: "Service") -> Finding:
    if service.server.get("multi_user"):
        return ok("users", f"many; yours is the namespace {service.namespace!r}")
    return ok("users", "one")


def _ask_pod(
    options: argparse.Namespace,
    service: "Service",
    kubernetes: "Kubernetes",
    settings: KubeflowConfig,
    gpus: int,
    tell: _Tell,
) -> None:
    """Runs the pipeline of one task, and tells what its pod said or why there is none."""
    subject = "pod with GPU" if gpus else "pod"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "doctor.yaml")
        path.write_text(document(settings, gpus), encoding="utf-8")
        pipeline = compiled.read(path)
        body = commands.body_of(options, service, pipeline, {})
    run_id = commands.start(options, service, pipeline, body)
    ended = False
    try:
        state, reasons = _wait(service, kubernetes, run_id)
        ended = state in _ENDED
    finally:
        if not ended:
            service.terminate(run_id)
    report = in_pod.read(kubernetes.log(run_id, settings.image) or "")
    if report is not None:
        tell(_image(subject, settings.image, report["code"]))
        for finding in report["findings"]:
            tell(Finding(**{**finding, "subject": f"{subject}, {finding['subject']}"}))
    else:
        tell(_without_report(subject, state, reasons, kubernetes))


def _wait(service: "Service", kubernetes: "Kubernetes", run_id: str) -> tuple[str, str]:
    """Returns a run's state, and why its pods did not start, once it ended or waiting is futile."""
    until = time.monotonic() + LIMIT
    while True:
        state = service.get_run(run_id).state
        reasons, futile = kubernetes.waiting_for(run_id)
        if state in _ENDED or futile or time.monotonic() > until:
            return state, reasons
        time.sleep(PAUSE)


def _image(subject: str, image: str, code: Mapping[str, Any]) -> Finding:
    subject, here = f"{subject}, image", origin.code()
    if code["fingerprint"] == here["fingerprint"]:
        return ok(subject, f"{image} was pulled and holds this checkout's code")
    return warning(
        subject,
        f"{image} was pulled and holds other code than this checkout: commit "
        f"{code['revision'] or 'unknown'} there, {here['revision'] or 'unknown'} here. What is "
        "compiled here may not fit it: make image IMAGE=... with a new tag, and name that in "
        "kubeflow.image.",
    )


def _without_report(subject: str, state: str, reasons: str, kubernetes: "Kubernetes") -> Finding:
    log = "the log of the task, in Kubeflow's UI under the address above"
    if state == "SUCCEEDED" and not kubernetes.silent:
        return warning(
            subject,
            "its run succeeded, so what it looked at is fine. But it or its log cannot be seen "
            "with kubectl's configuration: for want of rights, or because that is of another "
            f"cluster or namespace (found {kubernetes.host}, {kubernetes.namespace!r}), which the "
            f"lines above are then about. Which image it was says {log}",
        )
    if state == "SUCCEEDED":
        return ok(subject, f"all that it looked at is fine; which image it was says {log}")
    if state in _ENDED:
        return failure(
            subject,
            f"the run ended as {state.lower()}{f' ({reasons})' if reasons else ''}, and no report "
            f"of the pod could be read: see {log}. An image older than this checkout has no such "
            "task.",
        )
    if not reasons:
        reasons = (
            "no reason could be asked; see kubectl "
            f"-n {kubernetes.namespace} get pods, and describe pod"
        )
    return failure(
        subject,
        f"it did not start or did not end in time, and the run was ended. {reasons}. Check "
        "kubeflow.image and kubeflow.image_pull_secret where an image is not pulled; "
        "kubeflow.resources, kubeflow.training, kubeflow.gpu, kubeflow.node_selector and "
        "kubeflow.tolerations where no node is found.",
    )
