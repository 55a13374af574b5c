"""A run that is planned here and runs in a cluster."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ml_metadata.proto import metadata_store_pb2

from components.cifar100_example_gen import output, reader
from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer import methods
from kd_trainer.errors import ConfigError
from pipeline import comparison, run_record
from pipeline.cluster.local_paths import WORKDIR, check_shared
from pipeline.comparison import ComparisonPlan
from pipeline.config import RunConfig
from pipeline.plan import Plan, check_batches, check_networks
from pipeline.user_networks import OwnNetwork
from schemas import CIFAR100

APP = Path("/app")
"""Where our packages are in the image."""

NETWORKS = WORKDIR / "networks"
"""Where networks of the user's own are on the volume."""

_ROOT = Path(__file__).parents[2]


class ClusterPlan(Plan):
    """What the graph of a cluster's pipeline is made of; paths are those in the containers."""

    @property
    def inputs(self) -> dict[str, Any]:
        """The parameters of the pipeline, each with the configuration's value as its default."""
        from tfx.orchestration.data_types import RuntimeParameter  # takes seconds

        defaults = {
            **super().inputs,
            "method": json.dumps(methods.own_part(self.config.method)),
        }
        return {
            name: RuntimeParameter(name=name, ptype=str, default=value)
            for name, value in defaults.items()
        }

    @property
    def method_modules(self) -> list[str]:
        """Those of all methods: a run may choose any."""
        return methods.modules([{"name": name} for name in methods.METHODS])

    @property
    def record(self) -> dict[str, Any]:
        """What the run is, but for code and machine, which are the container's."""
        return {"command": list(self.command), "config": run_record.settings(self.config)}

    @property
    def observed_version(self) -> str:
        """Nothing: what looks at the pushed versions is never cached."""
        return ""

    @property
    def on_one_machine(self) -> bool:
        """Not so: each node has a pod."""
        return False

    @property
    def networks_to_find(self) -> dict[str, dict[str, Any]]:
        """The networks of the user's own, which lie on the volume by their files' names."""
        found: dict[str, dict[str, Any]] = {
            role: {"file": str(NETWORKS / own.file.name), "sha256": own.sha256, "taps": own.taps}
            for role, own in self.own.items()
        }
        if "student" in found:
            found["student"]["architecture"] = self.student
        return found

    def pipeline_root(self, pipeline: str) -> str:
        """Returns an address that TFX wants; a run's own is the cluster's to give."""
        return self.config.kubeflow.pipeline_root or "minio://"

    @property
    def imported_schema(self) -> Path:
        """The schema where it is."""
        return self.schema


class ComparedPlan(ClusterPlan):
    """A run whose methods are nodes of the graph, and no parameters of the pipeline."""

    @property
    def inputs(self) -> dict[str, Any]:
        """The parameters of the pipeline, but for the method."""
        method = {"method": json.dumps(self.config.method), "method_preset": ""}
        return {**super().inputs, **method}


def make(config: RunConfig, command: Sequence[str]) -> ClusterPlan:
    """Checks a run as far as that can be done outside of the cluster.

    The method is rehearsed on both networks with the images of the sample and the classes of
    CIFAR-100, whatever the data will be.

    Args:
      config: the run.
      command: the command line that makes this run again.

    Raises:
      ConfigError: a path is not one in a container, something is asked for that a cluster cannot
        do, or as `pipeline.plan.make`.
      DataError: a split of the sample would be empty.
    """
    return ClusterPlan(**_planned(config, command, [config.method]))


def make_comparison(config: RunConfig, command: Sequence[str]) -> ComparisonPlan:
    """Checks a comparison as `make` does a run, with each of its methods.

    Args:
      config: the run; its own method is not looked at.
      command: the command line that makes this comparison again.

    Raises:
      ConfigError: as `make`.
      DataError: as `make`.
    """
    rows = comparison.specifications(config.compare)
    specs = list(rows.values())
    config = config.model_copy(update={"method": specs[0]})
    return ComparisonPlan(ComparedPlan(**_planned(config, command, specs)), rows)


def _planned(config: RunConfig, command: Sequence[str], specs: Sequence[Any]) -> dict[str, Any]:
    """Checks a run by several methods; returns the fields of its plan."""
    _check_places(config)
    _check_shares(config)
    data = config.data
    _, records = reader.load(str(SAMPLE))
    splits = output.output_splits(records, data.eval_fraction, data.limit)
    if data.path is None:
        check_batches(config, len(splits["train"]))
    own = check_networks(config, specs, WORKDIR, Path(CIFAR100), splits["train"])
    _check_names(own)
    return {
        "config": config,
        "workdir": WORKDIR,
        "source": data.path or _in_image(SAMPLE),
        "data_fingerprint": None,
        "counts": {},
        "schema": Path(data.schema_path or _in_image(CIFAR100)),
        # Kubeflow's own.
        "metadata": metadata_store_pb2.ConnectionConfig(),
        "command": command,
        "own": own,
    }


def _check_places(config: RunConfig) -> None:
    if config.data.download:
        raise ConfigError(
            "data.download is true, and a cluster's tasks download nothing. Put the archive on "
            f"the volume and give its path there, such as data.path={WORKDIR}/data/cifar100.tar.gz."
        )
    if config.data.path is None and not config.data.sample:
        raise ConfigError(
            f"Found no data for {config.name!r}. Put the archive on the volume and give its path "
            f"there, such as --set data.path={WORKDIR}/data/cifar100.tar.gz; --set "
            "data.sample=true takes the ten classes that the image holds."
        )
    if config.kubeflow.pipeline_root is not None and config.beam.remote:
        check_shared(config.kubeflow.pipeline_root)
    for key, path in {
        "data.path": config.data.path,
        "data.schema_path": config.data.schema_path,
        "push.directory": config.push.directory,
    }.items():
        if path is not None and not PurePosixPath(path).is_absolute():
            raise ConfigError(
                f"{key} is {path!r}, expected an absolute path in the containers: below {WORKDIR} "
                f"on the volume, or below {APP} in the image."
            )


def _check_shares(config: RunConfig) -> None:
    workers, gpus = config.kubeflow.workers, config.kubeflow.gpu.count
    replicas = workers * max(gpus, 1)
    for key, recipe in config.recipes.items():
        if recipe.distribution == "multi_worker" and recipe.batch_size % replicas:
            raise ConfigError(
                f"{key}.batch_size is {recipe.batch_size}, and {workers} workers "
                f"(kubeflow.workers) with {gpus} GPUs each (kubeflow.gpu.count) are {replicas} "
                f"replicas. Expected a multiple of {replicas}."
            )


def _check_names(own: Mapping[str, OwnNetwork]) -> None:
    """Refuses two files that would have to lie at the same place."""
    if len({each.file.name for each in own.values()}) < len({each.sha256 for each in own.values()}):
        name = own["teacher"].file.name
        raise ConfigError(
            f"teacher.from and student.from are two files that are both named {name!r}, and a "
            f"cluster's tasks look for them at {NETWORKS / name}. Expected two names: rename one."
        )


def _in_image(path: Path | str) -> str:
    return str(APP / Path(path).relative_to(_ROOT))
