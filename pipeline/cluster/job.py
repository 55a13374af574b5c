"""A task's training on several machines: its Job and Service, from their making to their end."""

import hashlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from kd_trainer.errors import ConfigError, UserError
from pipeline.cluster import job_manifests, staging
from pipeline.cluster.errors import ServerError
from pipeline.cluster.executor import INPUT
from pipeline.cluster.local_paths import WORKDIR
from pipeline.cluster.pods import reasons
from pipeline.cluster.settings import KubeflowConfig

_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_POLL = 2.0  # seconds


def run(arguments: list[str], settings: KubeflowConfig, image: str) -> None:
    """Runs an executor in the pods of a Job, and removes the Job however that ends.

    A task that Kubeflow starts anew has the same outputs, and so the same name: what is left of an
    attempt that was killed is removed first.

    Args:
      arguments: the executor's, with local paths.
      settings: the cluster's.
      image: the container image.

    Raises:
      UserError: a pod does not start, a worker refuses its input, or the service account may not
        do what is needed.
      ServerError: a pod failed or was lost; the next attempt goes on from the checkpoint.
    """
    outputs = arguments[arguments.index(INPUT) + 1].partition('"outputs"')[2]
    name = f"tfx-distill-{hashlib.sha256(outputs.encode()).hexdigest()[:12]}"
    folder = WORKDIR / "workers" / name
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with _allowed():
        cluster = _Cluster(name)
        cluster.delete()
        cluster.await_deleted(settings.start_timeout)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            staging.stage(arguments, folder)
            cluster.create(settings, image, folder)
            cluster.wait(settings)
            staging.collect(arguments, folder)
        finally:
            cluster.delete()
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _allowed() -> Iterator[None]:
    from kubernetes.client import ApiException

    try:
        yield
    except ApiException as error:
        if error.status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise
        raise ConfigError(
            "A training on several machines makes a Job and a Service, and the service account of "
            f"this task may not: {error.body}. Apply kubeflow/training, and start the run with "
            "--service-account tfx-distill-training."
        ) from error


class _Cluster:
    def __init__(self, name: str):
        import kubernetes

        kubernetes.config.load_incluster_config()
        self._batch, self._core = kubernetes.client.BatchV1Api(), kubernetes.client.CoreV1Api()
        self._missing = kubernetes.client.ApiException
        self._name, self._namespace = name, _NAMESPACE.read_text(encoding="utf-8").strip()

    def create(self, settings: KubeflowConfig, image: str, folder: Path) -> None:
        # Kubeflow sets both in a task's container (`commonEnvs` in
        # `backend/src/v2/compiler/argocompiler/common.go`).
        owner = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": os.environ["KFP_POD_NAME"],
            "uid": os.environ["KFP_POD_UID"],
        }
        job = job_manifests.job(self._name, owner, settings, image, folder)
        self._core.create_namespaced_service(
            self._namespace, job_manifests.service(self._name, owner)
        )
        self._batch.create_namespaced_job(self._namespace, job)

    def delete(self) -> None:
        # Asked for both whatever becomes of the one: a Job that is left trains on.
        try:
            self._delete(self._batch.delete_namespaced_job, propagation_policy="Foreground")
        finally:
            self._delete(self._core.delete_namespaced_service)

    def _delete(self, call: Any, **options: Any) -> None:
        try:
            call(self._name, self._namespace, **options)
        except self._missing as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def await_deleted(self, seconds: int) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self._batch.read_namespaced_job(self._name, self._namespace)
            except self._missing as error:
                if error.status == HTTPStatus.NOT_FOUND:
                    return
                raise
            time.sleep(_POLL)
        raise ServerError(
            f"The Job {self._name} of an earlier attempt is still there {seconds} seconds after it "
            f"was deleted: see kubectl describe job {self._name}."
        )

    def wait(self, settings: KubeflowConfig) -> None:
        end = time.monotonic() + settings.start_timeout
        running, log = False, None
        while True:
            job = self._batch.read_namespaced_job(self._name, self._namespace)
            pods = self._pods()
            first = [pod for pod in pods if _index(pod) == "0" and _has_started(pod)]
            if log is None and first:
                log = threading.Thread(target=self._pass_on, args=[first[0]], daemon=True)
                log.start()
            conditions = {each.type: each for each in job.status.conditions or [] if _true(each)}
            if "Complete" in conditions or "Failed" in conditions:
                if log is not None:
                    log.join(timeout=30)
                if "Failed" in conditions:
                    raise self._failure(conditions["Failed"], pods)
                return
            running |= len(pods) == settings.workers and all(map(_has_started, pods))
            if not running and time.monotonic() > end:
                raise ConfigError(_not_started(self._name, settings, pods))
            time.sleep(_POLL)

    def _pods(self) -> list[Any]:
        return self._core.list_namespaced_pod(
            self._namespace, label_selector=job_manifests.selector(self._name)
        ).items

    def _pass_on(self, pod: Any) -> None:
        stream = self._core.read_namespaced_pod_log(
            pod.metadata.name, self._namespace, follow=True, _preload_content=False
        )
        for part in stream.stream():
            sys.stdout.write(part.decode(errors="replace"))
            sys.stdout.flush()

    def _failure(self, condition: Any, pods: list[Any]) -> Exception:
        failed = sorted((pod for pod in pods if pod.status.phase == "Failed"), key=_ended)
        what = f"The Job {self._name} failed: {condition.reason}: {condition.message}"
        if not failed:
            return ServerError(f"{what}; a pod of it was deleted. Expected all to end well.")
        pod = failed[0]
        print(f"The end of the log of {pod.metadata.name}, which failed first:", file=sys.stderr)
        try:
            log = self._core.read_namespaced_pod_log(
                pod.metadata.name, self._namespace, tail_lines=50
            )
        except self._missing as error:
            log = f"(it cannot be read: {error.reason})"
        print(log, file=sys.stderr)
        status = _exit_status(pod)
        told = f"{what}. {pod.metadata.name} ended with exit status {status}"
        if status == 2:
            return UserError(f"{told}: its log says what to mend.")
        return ServerError(f"{told}. The next attempt goes on from the last epoch that was kept.")


def _true(condition: Any) -> bool:
    return condition.status == "True"


def _index(pod: Any) -> str:
    return (pod.metadata.annotations or {}).get("batch.kubernetes.io/job-completion-index", "")


def _has_started(pod: Any) -> bool:
    return pod.status.phase in ("Running", "Succeeded", "Failed")


def _terminated(pod: Any) -> Any:
    states = [each.state for each in pod.status.container_statuses or []]
    return next((state.terminated for state in states if state.terminated), None)


def _ended(pod: Any) -> float:
    terminated = _terminated(pod)
    at = terminated.finished_at if terminated else None
    return at.timestamp() if at else float("inf")


def _exit_status(pod: Any) -> int | None:
    terminated = _terminated(pod)
    return terminated.exit_code if terminated else None


def _not_started(name: str, settings: KubeflowConfig, pods: list[Any]) -> str:
    waiting = [pod for pod in pods if not _has_started(pod)]
    waits = [
        f"{pod.metadata.name}: {'; '.join(text for text, _ in reasons(pod)) or pod.status.phase}"
        for pod in waiting
    ]
    if missing := settings.workers - len(pods):
        waits.append(f"{missing} were not created: see kubectl describe quota")
    return (
        f"Of the {settings.workers} pods of the Job {name}, {settings.workers - len(waits)} run "
        f"after {settings.start_timeout} seconds. {'; '.join(waits)}. Expected all: lower "
        "kubeflow.workers, make room in the cluster, or raise kubeflow.start_timeout."
    )
