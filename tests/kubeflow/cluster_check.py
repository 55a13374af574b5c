"""Runs the preset `quick` on a cluster and keeps what its tasks were given: `make cluster-check`.

The server is found as `tfx-distill kubeflow` finds it, the cluster by `kubectl`'s configuration.
The file has no secrets of the cluster's, but addresses and the logs: read it before you send it.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

from kubernetes import client, config
from kubernetes.client.models import V1Pod
from recordings import FOLDER, Recording, executor_input

_TASK = re.compile(r"\.root\.([\w-]+)\.executor")  # of a pod, in its node's name
_NODE = "workflows.argoproj.io/node-name"


def main() -> int:
    """Returns the exit status of the run."""
    parser = argparse.ArgumentParser(description="runs the preset quick on a cluster of yours")
    parser.add_argument("--image", required=True, help="the image, as the cluster's nodes pull it")
    parser.add_argument("--release", required=True, help="of Kubeflow Pipelines, such as 2.14.0")
    parser.add_argument("--namespace", default="kubeflow", help="where runs have their pods")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    status, run_id = _submit([f"kubeflow.image={options.image}", *options.set])
    if run_id is None:
        return status
    config.load_kube_config()
    recording = collect(client.CoreV1Api(), options.namespace, run_id, options.release)
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"cluster-{run_id}.json"
    recording.write(file)
    print(f"{len(recording.executor_inputs)} tasks were given what is in {file}")
    return status


def collect(api: client.CoreV1Api, namespace: str, run_id: str, release: str) -> Recording:
    """Returns what the pods of a run were given and said; of a task's attempts the last."""
    found = Recording(release, {}, {}, {})
    pods: list[V1Pod] = api.list_namespaced_pod(
        namespace, label_selector=f"pipeline/runid={run_id}"
    ).items
    for pod in sorted(pods, key=lambda pod: pod.metadata.creation_timestamp):
        task = _TASK.search((pod.metadata.annotations or {}).get(_NODE, ""))
        main_container = next(each for each in pod.spec.containers if each.name == "main")
        given = executor_input(main_container.command or [])
        if task is None or given is None:
            continue  # a driver
        name = task[1]
        found.executor_inputs[name] = given
        found.phases[name] = pod.status.phase
        found.logs[name] = api.read_namespaced_pod_log(
            pod.metadata.name, namespace, container="main"
        )
    return found


def _submit(settings: list[str]) -> tuple[int, str | None]:
    """Returns the exit status and the run's id, if it was started."""
    command = [Path(sys.executable).with_name("tfx-distill"), "kubeflow", "submit", "--wait"]
    command += [word for setting in settings for word in ("--set", setting)]
    run_id = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            if found := re.fullmatch(r"run (\S+)\n", line):
                run_id = found[1]
    return process.returncode, run_id


if __name__ == "__main__":
    sys.exit(main())
