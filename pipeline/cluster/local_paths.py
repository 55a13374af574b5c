"""Where a container has the volume, and where Kubeflow's launcher lays artifacts for it.

TensorFlow opens neither `minio://` nor `s3://`. The launcher of Kubeflow Pipelines v2 copies a
task's input artifacts to local paths before it starts the container's command, and uploads what
lies at the local paths of the output artifacts after it (`LocalPathForURI` in
`backend/src/v2/component/launcher_v2.go`).
"""

from pathlib import Path

from kd_trainer.errors import ConfigError

WORKDIR = Path("/work")
"""Where the volume is mounted in every container: pushed versions, checkpoints, data."""

_OPENED_ANYWHERE = ("gs://", "/")

ROOTS = {"gs://": "/gcs", "minio://": "/minio", "s3://": "/s3"}


def to_local(uri: str) -> str:
    """Returns the local path of an artifact.

    Args:
      uri: of an object store, or a path, which is returned as it is.

    Raises:
      ConfigError: there is no such place in this container.
    """
    if uri.startswith("/"):
        return uri
    for scheme, root in ROOTS.items():
        if uri.startswith(scheme):
            if not Path(root).is_dir():
                raise ConfigError(
                    f"The artifact {uri} should lie below {root}, where Kubeflow's launcher puts "
                    "it, and there is no such folder. Run this as a task of Kubeflow Pipelines 2, "
                    f"or mount the store there."
                )
            return f"{root}/{uri.removeprefix(scheme)}"
    raise ConfigError(
        f"The artifact's address is {uri!r}. Expected one that begins with "
        f"{', '.join(ROOTS)} or /: set the pipeline root to such a one."
    )


def check_shared(uri: str) -> None:
    """Checks that Beam's workers outside of the task's pod can open a store.

    Beam and TensorFlow open `gs://` by themselves; a path is the volume's.

    Args:
      uri: of an artifact, or the pipeline root.

    Raises:
      ConfigError: they cannot.
    """
    if not uri.startswith(_OPENED_ANYWHERE):
        raise ConfigError(
            f"Found artifacts at {uri} and, in beam.options, a runner whose workers are outside "
            "of the task's pod: they see no copy that Kubeflow's launcher puts there, and open "
            "gs:// alone. Expected a pipeline root that begins with gs://, or workers in the pod: "
            "environment_type=LOOPBACK, or DirectRunner."
        )
