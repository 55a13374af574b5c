"""A task as Kubeflow starts it: `python task_process.py API WORKDIR ARGUMENTS...`.

The service account's files lie at fixed places, for which the API's address and a namespace stand.
"""

import sys
from pathlib import Path

import kubernetes

from pipeline.cluster import entrypoint, job

api, workdir = sys.argv[1], Path(sys.argv[2])


def load() -> None:
    configuration = kubernetes.client.Configuration()
    configuration.host = api
    kubernetes.client.Configuration.set_default(configuration)


kubernetes.config.load_incluster_config = load
job.WORKDIR = entrypoint.WORKDIR = workdir
job._NAMESPACE = workdir / "namespace"
job._NAMESPACE.write_text("ns", encoding="utf-8")
sys.exit(entrypoint.main(sys.argv[3:]))
