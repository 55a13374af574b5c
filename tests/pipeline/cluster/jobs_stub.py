"""A Kubernetes API for Jobs whose pods are processes of this machine.

Written after `syncJob` in `pkg/controller/job/job_controller.go` of Kubernetes: of a Job with a
`backoffLimit` of 0 the first failed pod is one too many (`exceedsBackoffLimit`), so that the pods
that are still active are deleted (`deleteActivePods`), while ended ones stay; the Job has the
condition FailureTarget until they are gone, and then Failed (`delayTerminalCondition`). What is
created is held against Kubernetes's schemas.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import datetime, timezone
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import RLock, Thread
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate
from services import JsonHandler

from pipeline.cluster.worker import ADDRESSES

ROOT = Path(__file__).parents[3]


def free_addresses(count):
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]


class Pod:
    """A pod of an Indexed Job; `process` is None while there is no node for it."""

    def __init__(self, job, index, addresses, log, pending, program):
        template = job["spec"]["template"]
        self.name = f"{job['metadata']['name']}-{index}-abcde"
        self.index, self.log, self.labels = index, log, template["metadata"]["labels"]
        self.ended, self.process = None, None
        if pending:
            return
        (container,) = template["spec"]["containers"]
        _, *module, folder = container["command"]
        command = [sys.executable, *(["-c", program] if program else module), folder]
        given = {each["name"]: each.get("value", "") for each in container["env"]}
        variables = {
            **given,
            ADDRESSES: ",".join(addresses),
            "JOB_COMPLETION_INDEX": str(index),
            "PYTHONPATH": str(ROOT),
            "CUDA_VISIBLE_DEVICES": "",
        }
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command, env={**os.environ, **variables}, stdout=file, stderr=subprocess.STDOUT
            )

    def phase(self):
        if self.process is None:
            return "Pending"
        status = self.process.poll()
        if status is None:
            return "Running"
        self.ended = self.ended or datetime.now(timezone.utc).isoformat()
        return "Failed" if status else "Succeeded"

    def document(self):
        phase, status = self.phase(), {}
        if phase == "Pending":
            message = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
            condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
            status["conditions"] = [{**condition, "message": message}]
        if self.ended:
            code = self.process.returncode
            terminated = {"exitCode": 128 - code if code < 0 else code, "finishedAt": self.ended}
            common = {"name": "worker", "image": "i", "imageID": "i", "ready": False}
            status["containerStatuses"] = [
                {**common, "restartCount": 0, "state": {"terminated": terminated}}
            ]
        annotations = {"batch.kubernetes.io/job-completion-index": str(self.index)}
        metadata = {"name": self.name, "labels": self.labels, "annotations": annotations}
        return {"metadata": metadata, "status": {"phase": phase, **status}}

    def kill(self, how=signal.SIGKILL):
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait()


class Kubernetes:
    """The state: Jobs and Services by name, and the pods of the Job.

    `pending` are the indices of pods for which there is no node; `program`, in Python, is what pods
    run in the place of our worker, with the folder as its argument.
    """

    def __init__(self, folder, pending=(), program=None):
        self.folder, self.pending, self.program = folder, pending, program
        self.lock = RLock()
        self.objects = {"jobs": {}, "services": {}}
        self.pods, self.created = [], []
        self.forbidden = self.failing = False

    def create(self, kind, body):
        kubernetes_validate.validate(body, "1.32", strict=True)
        self.created.append(body)
        self.objects[kind][body["metadata"]["name"]] = body
        if kind == "jobs":
            count = body["spec"]["completions"]
            assert count == body["spec"]["parallelism"]
            assert body["spec"]["backoffLimit"] == 0
            addresses = free_addresses(count)
            logs = [self.folder / f"log-{len(self.created)}-{index}" for index in range(count)]
            self.pods = [
                Pod(body, index, addresses, logs[index], index in self.pending, self.program)
                for index in range(count)
            ]

    def job(self, name):
        phases = [pod.phase() for pod in self.pods]
        conditions = []
        if "Failed" in phases:
            for pod in [pod for pod in self.pods if pod.phase() in ("Running", "Pending")]:
                pod.kill()
                self.pods.remove(pod)
            message = "Job has reached the specified backoff limit"
            reason = {"status": "True", "reason": "BackoffLimitExceeded", "message": message}
            target, failed = ({"type": kind, **reason} for kind in ("FailureTarget", "Failed"))
            conditions = [target, failed] if self.failing else [target]
            self.failing = True
        elif set(phases) == {"Succeeded"}:
            conditions = [{"type": "Complete", "status": "True"}]
        return {"metadata": {"name": name}, "status": {"conditions": conditions}}

    def delete(self, kind, name):
        del self.objects[kind][name]
        if kind == "jobs":
            for pod in self.pods:
                pod.kill()
            self.ended_pods, self.pods, self.failing = self.pods, [], False


def serve(cluster):
    """Starts the API; returns the server, whose port is `server_address[1]`."""

    class Handler(JsonHandler):
        def handle_one(self):
            url = urlsplit(self.path)
            found = re.fullmatch(
                r"/(?:api|apis/batch)/v1/namespaces/ns/(jobs|services|pods)(?:/([^/]+))?(/log)?",
                url.path,
            )
            kind, name, log = found.groups()
            query = parse_qs(url.query)
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size) or "null")
            if log:
                (pod,) = [pod for pod in cluster.pods if pod.name == name]
                self.send_log(pod, "follow" in query)
                return
            with cluster.lock:
                if cluster.forbidden:
                    self.answer(403, {"message": "may not", "reason": "Forbidden", "code": 403})
                elif self.command == "POST":
                    cluster.create(kind, body)
                    self.answer(201, body)
                elif kind == "pods":
                    (label,) = query["labelSelector"]
                    key, _, value = label.partition("=")
                    pods = [pod for pod in cluster.pods if pod.labels.get(key) == value]
                    self.answer(200, {"items": [pod.document() for pod in pods]})
                elif name not in cluster.objects[kind]:
                    self.answer(404, {"message": "not found", "reason": "NotFound", "code": 404})
                elif self.command == "DELETE":
                    cluster.delete(kind, name)
                    self.answer(200, {"status": "Success"})
                else:
                    self.answer(200, cluster.job(name))

        def send_log(self, pod, follow):
            self.send_response(200)
            self.end_headers()
            with pod.log.open("rb") as file:
                while follow and pod.process.poll() is None:
                    self.wfile.write(file.read())
                    time.sleep(0.1)
                self.wfile.write(file.read())

        do_GET = do_POST = do_DELETE = handle_one  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    return server
