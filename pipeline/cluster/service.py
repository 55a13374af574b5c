"""What the commands ask of Kubeflow Pipelines, each by a call of its v2beta1 API."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kfp_server_api import ApiException
from kfp_server_api import V2beta1PipelineVersion as Version
from kfp_server_api import V2beta1RecurringRun as Job
from kfp_server_api import V2beta1Run as Run

from pipeline.cluster import connection
from pipeline.cluster.compiled import CompiledPipeline
from pipeline.cluster.generated_api import call

_PAGE = 100


class Service:
    """Pipelines, experiments, runs and recurring runs of one namespace.

    It calls the generated API that `kfp.Client` carries: kfp's own methods print links, know no
    time-out, and upload every time.

    Args:
      client: connected.
      namespace: the user's; empty where the server has one user.
    """

    def __init__(self, client: connection.Client, namespace: str):
        self._client = client
        self._namespace = namespace
        self._owner = {"namespace": self._namespace} if self._namespace else {}

    def upload(self, pipeline: CompiledPipeline) -> tuple[dict[str, str], bool]:
        """Uploads a pipeline, as a new version if there is one of that name.

        Returns:
          The version's reference, and whether it was uploaded: the same content is not, twice.
        """
        pipeline_id = self._pipeline_id(pipeline.name)
        for version in self._named(
            call(self._client.pipelines, "list_pipeline_versions"),
            "pipeline_versions",
            pipeline.version,
            pipeline_id=pipeline_id,
        ):
            return _reference(version), False
        version = self._ask(
            call(self._client.pipeline_uploads, "upload_pipeline_version"),
            str(pipeline.path),
            name=pipeline.version,
            pipelineid=pipeline_id,
        )
        return _reference(version), True

    def newest_specification(self, name: str) -> dict[str, Any] | None:
        """Returns what the newest version of a pipeline was uploaded as; None if there is none."""
        for found in self._pipelines(name):
            answer = self._ask(
                call(self._client.pipelines, "list_pipeline_versions"),
                pipeline_id=found.pipeline_id,
                sort_by="created_at desc",
                page_size=1,
            )
            for version in answer.pipeline_versions or []:
                return version.pipeline_spec
        return None

    def experiment(self, name: str) -> str:
        """Returns an experiment's id, having created it if need be."""
        for found in self._named(
            call(self._client.experiments, "list_experiments"),
            "experiments",
            name,
            namespace=self._namespace,
        ):
            return found.experiment_id
        body = {"display_name": name, **self._owner}
        return self._ask(call(self._client.experiments, "create_experiment"), body).experiment_id

    def run(self, body: Mapping[str, Any]) -> Run:
        """Starts a run.

        Args:
          body: the API's Run, in JSON.
        """
        return self._ask(call(self._client.runs, "create_run"), body)

    def get_run(self, run_id: str) -> Run:
        """Returns a run as it is now, with its tasks."""
        return self._ask(call(self._client.runs, "get_run"), run_id)

    def terminate(self, run_id: str) -> None:
        """Ends a run: its pods are deleted."""
        self._ask(call(self._client.runs, "terminate_run"), run_id)

    @property
    def server(self) -> Mapping[str, Any]:
        """What the server says of itself: `tag_name`, `commit_sha`, `multi_user`."""
        return self._client.health

    @property
    def namespace(self) -> str:
        """The user's; empty where the server has one user."""
        return self._namespace

    def newest_runs(self) -> list[Run]:
        """Returns the newest runs, the newest first, a page of them."""
        answer = self._ask(
            call(self._client.runs, "list_runs"),
            namespace=self._namespace,
            sort_by="created_at desc",
            page_size=_PAGE,
        )
        return answer.runs or []

    def recurring(self) -> list[Job]:
        """Returns all recurring runs."""
        return list(
            self._all(
                call(self._client.recurring_runs, "list_recurring_runs"),
                "recurring_runs",
                namespace=self._namespace,
            )
        )

    def recurring_named(self, name: str) -> list[Job]:
        """Returns the recurring runs of a name: Kubeflow lets several share one."""
        return list(
            self._named(
                call(self._client.recurring_runs, "list_recurring_runs"),
                "recurring_runs",
                name,
                namespace=self._namespace,
            )
        )

    def create_recurring(self, body: Mapping[str, Any]) -> Job:
        """Creates a recurring run.

        Args:
          body: the API's RecurringRun, in JSON.
        """
        return self._ask(call(self._client.recurring_runs, "create_recurring_run"), body)

    def enable(self, job: Job) -> None:
        """Lets a recurring run start runs."""
        self._ask(call(self._client.recurring_runs, "enable_recurring_run"), job.recurring_run_id)

    def disable(self, job: Job) -> None:
        """Keeps a recurring run from starting runs."""
        self._ask(call(self._client.recurring_runs, "disable_recurring_run"), job.recurring_run_id)

    def delete(self, job: Job) -> None:
        """Deletes a recurring run; the runs that it started stay."""
        try:
            self._ask(
                call(self._client.recurring_runs, "delete_recurring_run"), job.recurring_run_id
            )
        except ApiException as error:
            # The first try got through and its answer did not, or somebody was quicker.
            if error.status != 404:
                raise

    def _pipeline_id(self, name: str) -> str:
        # Not kfp's upload of a pipeline, which calls the first version as the pipeline.
        for found in self._pipelines(name):
            return found.pipeline_id
        body = {"display_name": name, **self._owner}
        return self._ask(call(self._client.pipelines, "create_pipeline"), body).pipeline_id

    def _pipelines(self, name: str) -> Iterator[Any]:
        method = call(self._client.pipelines, "list_pipelines")
        return self._named(method, "pipelines", name, namespace=self._namespace)

    def _named(self, method: Callable, field: str, name: str, **where: str) -> Iterator[Any]:
        predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
        return self._all(method, field, filter=json.dumps({"predicates": [predicate]}), **where)

    def _all(self, method: Callable, field: str, **where: str) -> Iterator[Any]:
        token = ""
        while True:
            answer = self._ask(method, page_size=_PAGE, page_token=token, **where)
            yield from getattr(answer, field) or []
            token = answer.next_page_token
            if not token:
                return

    def _ask(self, method: Callable, *arguments: Any, **options: Any) -> Any:
        return method(*arguments, _request_timeout=connection.TIMEOUT, **options)


def _reference(version: Version) -> dict[str, str]:
    return {
        "pipeline_id": version.pipeline_id,
        "pipeline_version_id": version.pipeline_version_id,
    }
