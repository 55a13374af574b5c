"""A stand-in for the server of Kubeflow Pipelines 2, on this machine's loopback.

It keeps what it is given and answers as the real one does (backend/src/apiserver of
kubeflow/pipelines): field names as in the protocol buffers, what is empty left out, 64-bit integers
as texts, defaults filled in, lists in pages. What it is sent, and what it lists, is held against
the API's models (kfp_messages.py).
"""

import itertools
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import kfp_server_api
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from kfp_messages import Refusal, check, parsed, refuse, uploaded_file

API = "/apis/v2beta1"
PAGE = 3


class KubeflowPipelines:
    """The server's state, what it was asked, and what is to go wrong.

    `trouble` is asked before each request, with method and path, and again with `done` after what
    was asked for is done: it may raise `Refusal`, or `ConnectionError` to answer nothing.
    """

    def __init__(self):
        self.pipelines, self.versions, self.experiments = {}, {}, {}
        self.runs, self.recurring_runs = {}, {}
        self.uploads = {}
        self.multi_user = False
        self.release = "2.17.0"
        self.requests = []
        self.headers = []
        self.most_enabled = 0
        self.trouble = lambda method, path, done: None
        # What a run is each time it is looked at: its state, and its tasks' states.
        self.looks = []
        self._ids = (f"id-{number}" for number in itertools.count(1))

    def answer(self, method, path, query, headers, body):
        self.requests.append((method, path))
        self.headers.append(headers)
        self.trouble(method, path, done=False)
        for pattern, function in _ROUTES.items():
            found = re.fullmatch(pattern, f"{method} {path}")
            if found:
                answer = function(self, query, headers, body, *found.groups())
                enabled = [
                    job["display_name"]
                    for job in self.recurring_runs.values()
                    if job["status"] == "ENABLED"
                ]
                self.most_enabled = max(map(enabled.count, enabled), default=self.most_enabled)
                self.trouble(method, path, done=True)
                return answer
        return refuse(404, "Not Found")

    def changes(self):
        """What it was asked to change."""
        return [f"{method} {path}" for method, path in self.requests if method != "GET"]

    def healthz(self, query, headers, body):
        # healthzResponse, backend/src/apiserver/main.go:465 of 2.17.0; by hand at 280 of 2.5.0.
        return {"commit_sha": "unknown", "tag_name": self.release, "multi_user": self.multi_user}

    def list(self, query, headers, body, kind):
        items, model = _KINDS[kind]
        found = list(getattr(self, items).values())
        if self.multi_user:
            if kind != "pipelines" and not query.get("namespace"):
                refuse(400, "Namespace cannot be empty in multi-user mode")
            found = [item for item in found if self._owner(item) == query.get("namespace")]
        return self._page(found, query, model)

    def list_versions(self, query, headers, body, pipeline):
        found = [item for item in self.versions.values() if item["pipeline_id"] == pipeline]
        return self._page(found, query, "V2beta1ListPipelineVersionsResponse")

    def create_pipeline(self, query, headers, body):
        pipeline = {"namespace": "kubeflow", **parsed("V2beta1Pipeline", body)}
        self._unique(self.pipelines, pipeline["display_name"])
        return self._keep(self.pipelines, "pipeline_id", pipeline)

    def upload_version(self, query, headers, body):
        filename, content = uploaded_file(headers, body)
        if not filename.endswith((".yaml", ".yml")) or query["pipelineid"] not in self.pipelines:
            raise Refusal(400, {"error_message": "Failed to create a pipeline version"})
        spec, *platform = yaml.safe_load_all(content)
        json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
        for document in platform:
            json_format.ParseDict(document, pipeline_spec_pb2.PlatformSpec())
        siblings = {
            key: item
            for key, item in self.versions.items()
            if item["pipeline_id"] == query["pipelineid"]
        }
        self._unique(siblings, query["name"])
        version = {
            "display_name": query["name"],
            "pipeline_id": query["pipelineid"],
            # YamlStringToPipelineSpecStruct, backend/src/apiserver/server/api_util.go:169.
            "pipeline_spec": {"pipeline_spec": spec, "platform_spec": platform[0]}
            if platform
            else spec,
        }
        kept = self._keep(self.versions, "pipeline_version_id", version)
        self.uploads[kept["pipeline_version_id"]] = content
        return kept

    def create_experiment(self, query, headers, body):
        experiment = parsed("V2beta1Experiment", body)
        if self.multi_user and not experiment.get("namespace"):
            refuse(400, "Namespace cannot be empty in multi-user mode")
        self._unique(self.experiments, experiment["display_name"])
        experiment.setdefault("namespace", "kubeflow")
        return self._keep(self.experiments, "experiment_id", experiment)

    def create_run(self, query, headers, body):
        run = self._started(parsed("V2beta1Run", body))
        return self._keep(self.runs, "run_id", {**run, "state": "PENDING"})

    def get_run(self, query, headers, body, key):
        run = self._existing(self.runs, key)
        if self.looks:
            state, tasks = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
            run["state"] = state
            run["run_details"] = {"task_details": [_task(name, tasks[name]) for name in tasks]}
            if state == "FAILED":
                run["error"] = {"code": 2, "message": "a task failed"}
        return run

    def terminate_run(self, query, headers, body, key):
        # TerminateRun, backend/src/apiserver/resource/resource_manager.go:1042 of 2.17.0.
        self._existing(self.runs, key)["state"] = "CANCELING"
        return {}

    def create_recurring_run(self, query, headers, body):
        job = self._started(parsed("V2beta1RecurringRun", body))
        if not 1 <= int(job.get("max_concurrency", 0)) <= 10:
            refuse(400, "Max concurrency of a recurring run must be at least 1 and at most 10")
        cron = job["trigger"].get("cron_schedule", {}).get("cron")
        if cron and not 5 <= len(cron.split()) <= 6:
            refuse(400, f"Schedule cron is not a supported format. Error: {cron}")
        status = {"ENABLE": "ENABLED", "DISABLE": "DISABLED"}[job["mode"]]
        job.update(status=status, namespace=self._owner(job))
        return self._keep(self.recurring_runs, "recurring_run_id", job)

    def set_mode(self, query, headers, body, key, verb):
        job = self._existing(self.recurring_runs, key)
        job.update(mode=verb.upper(), status=f"{verb.upper()}D")
        return {}

    def delete_recurring_run(self, query, headers, body, key):
        self._existing(self.recurring_runs, key)
        del self.recurring_runs[key]
        return {}

    def _started(self, body):
        """What a run and a recurring run have in common: what they name must be there."""
        reference = body["pipeline_version_reference"]
        version = self._existing(self.versions, reference["pipeline_version_id"])
        if version["pipeline_id"] != reference["pipeline_id"]:
            refuse(400, "the version is another pipeline's")
        self._existing(self.experiments, body["experiment_id"])
        spec = next(iter(yaml.safe_load_all(self.uploads[version["pipeline_version_id"]])))
        known = spec["root"].get("inputDefinitions", {}).get("parameters", {})
        unknown = body["runtime_config"].get("parameters", {}).keys() - known.keys()
        if unknown:
            refuse(400, f"parameter(s) provided are not required by pipeline: {unknown}")
        body.setdefault("service_account", "pipeline-runner")
        return body

    def _owner(self, item):
        """The namespace of a thing; that of a run, which names none, is its experiment's."""
        return item.get("namespace") or self.experiments[item["experiment_id"]]["namespace"]

    def _keep(self, kind, key, item):
        # A second each: what is created later is newer.
        second = len(self.requests)
        created = f"2026-11-22T20:{second // 60:02}:{second % 60:02}Z"
        kept = {**item, key: next(self._ids), "created_at": created}
        kind[kept[key]] = kept
        return kept

    def _existing(self, kind, key):
        return kind.get(key) or refuse(404, f"{key} not found")

    def _unique(self, kind, name):
        if any(item["display_name"] == name for item in kind.values()):
            refuse(409, f"The name {name} already exists. Please specify a new name")

    def _page(self, found, query, model):
        if query.get("filter"):
            (predicate,) = json.loads(query["filter"])["predicates"]
            assert (predicate["operation"], predicate["key"]) == ("EQUALS", "display_name")
            found = [item for item in found if item["display_name"] == predicate["stringValue"]]
        if query.get("sort_by"):
            assert query["sort_by"] == "created_at desc"
            found.sort(key=lambda item: item["created_at"], reverse=True)
        start = int(query.get("page_token") or 0)
        end = start + min(int(query["page_size"]), PAGE)
        (field,) = set(getattr(kfp_server_api, model).attribute_map.values()) - _PAGED
        answer = {field: found[start:end], "total_size": len(found)}
        if end < len(found):
            answer["next_page_token"] = str(end)
        check(model, answer, model)
        return answer


_KINDS = {
    "pipelines": ("pipelines", "V2beta1ListPipelinesResponse"),
    "experiments": ("experiments", "V2beta1ListExperimentsResponse"),
    "runs": ("runs", "V2beta1ListRunsResponse"),
    "recurringruns": ("recurring_runs", "V2beta1ListRecurringRunsResponse"),
}
_PAGED = {"total_size", "next_page_token"}
_ROUTES = {
    rf"GET {API}/healthz": KubeflowPipelines.healthz,
    rf"GET {API}/(pipelines|experiments|runs|recurringruns)": KubeflowPipelines.list,
    rf"GET {API}/pipelines/([^/]+)/versions": KubeflowPipelines.list_versions,
    rf"POST {API}/pipelines": KubeflowPipelines.create_pipeline,
    rf"POST {API}/pipelines/upload_version": KubeflowPipelines.upload_version,
    rf"POST {API}/experiments": KubeflowPipelines.create_experiment,
    rf"POST {API}/runs": KubeflowPipelines.create_run,
    rf"GET {API}/runs/([^/]+)": KubeflowPipelines.get_run,
    rf"POST {API}/runs/([^/]+):terminate": KubeflowPipelines.terminate_run,
    rf"POST {API}/recurringruns": KubeflowPipelines.create_recurring_run,
    rf"POST {API}/recurringruns/([^/]+):(enable|disable)": KubeflowPipelines.set_mode,
    rf"DELETE {API}/recurringruns/([^/]+)": KubeflowPipelines.delete_recurring_run,
}


def _task(name, state):
    task = {"display_name": name, "state": state, "start_time": "2026-11-22T20:00:00Z"}
    return task if state == "RUNNING" else {**task, "end_time": "2026-11-22T20:01:30Z"}


@contextmanager
def serving(server):
    """Serves on a free port of 127.0.0.1; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or each answer takes 40 ms

        def handle_request(self):
            try:
                self.answer_request()
            except ConnectionError:  # to be broken off, or the client did not wait
                self.close_connection = True

        def answer_request(self):
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            query = dict(parse_qsl(url.query))
            status = 200
            try:
                found = server.answer(self.command, url.path, query, self.headers, body)
                answer = found if isinstance(found, str) else json.dumps(found)
            except Refusal as refusal:
                status, answer = refusal.status, refusal.body
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer.encode())))
            self.end_headers()
            self.wfile.write(answer.encode())

        do_GET = do_POST = do_DELETE = handle_request  # noqa: N815

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
            thread.join()
