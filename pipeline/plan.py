"""A run, checked: the configuration, the data it was held against, the places it will use.

Whatever can be found wrong before anything runs is found here.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_metadata.proto import metadata_store_pb2

from components import gate_bounds
from components.cifar100_example_gen import download, output, reader
from components.cifar100_example_gen.sample import SAMPLE
from components.serving_versions import observed
from kd_trainer import methods
from kd_trainer.errors import ConfigError
from kd_trainer.labels import FINE_LABELS
from pipeline import fingerprint, run_record, store, user_networks
from pipeline.config import RunConfig
from pipeline.user_networks import OwnNetwork
from schemas import CIFAR100

if TYPE_CHECKING:
    import keras
    import numpy as np

    from components.cifar100_example_gen.records import Records
    from kd_trainer.methods.base import Method


@dataclass(frozen=True)
class Plan:
    """What the graph is made of.

    Attributes:
      config: the run.
      workdir: absolute; everything is written below it, except what `push.directory` moves.
      source: the data's archive or folder, absolute.
      data_fingerprint: of the images and labels in it; None where they can only be looked at
        when the pipeline runs.
      counts: examples of each split.
      schema: the schema's file.
      metadata: how ML Metadata is reached.
      command: the command line that can be typed again, for the record.
      own: the networks of the user's own, by `teacher` and `student`.
    """

    config: RunConfig
    workdir: Path
    source: str
    data_fingerprint: str | None
    counts: dict[str, int]
    schema: Path
    metadata: metadata_store_pb2.ConnectionConfig
    command: Sequence[str]
    own: Mapping[str, OwnNetwork] = field(default_factory=dict)

    @property
    def inputs(self) -> dict[str, Any]:
        """What nodes are given that a cluster takes as parameters of the pipeline, each a text."""
        return {
            "data_uri": self.source,
            "method": json.dumps(self.config.method),
            "method_preset": "",
            "gate": gate_bounds.write(self.config.gate),
            "baseline": self.config.gate.baseline,
        }

    @property
    def method_modules(self) -> list[str]:
        """The modules of the method that the student may be trained by."""
        return methods.modules(self.config.method)

    @property
    def record(self) -> dict[str, Any]:
        """What the run is, for the record."""
        return run_record.document(self.config, self.command)

    @property
    def observed_version(self) -> str:
        """What was pushed and withdrawn when the run was launched, for TFX's cache."""
        return observed(str(self.push_directory))

    @property
    def on_one_machine(self) -> bool:
        """Whether the nodes run in one process, one after another."""
        return True

    @property
    def networks_to_find(self) -> dict[str, dict[str, Any]]:
        """The networks of the user's own that its nodes must find elsewhere, by role."""
        return {}

    def pipeline_root(self, pipeline: str) -> str:
        """Returns where a pipeline's artifacts are."""
        return str(self.workdir / "pipelines" / pipeline)

    @property
    def push_directory(self) -> Path:
        """What the pushed versions are below."""
        chosen = self.config.push.directory
        return Path(chosen).absolute() if chosen else self.workdir / "serving" / self.config.name

    @property
    def imported_schema(self) -> Path:
        """Where the schema is copied to, by its content: TFX's cache looks at the path alone."""
        return self.workdir / "schemas" / fingerprint.file(self.schema)[:16] / "schema.pbtxt"

    @property
    def student(self) -> str:
        """The student, as `kd_trainer.networks.build` takes it."""
        own = self.own.get("student")
        return str(own.architecture) if own else str(self.config.student.network)

    def keep_inputs(self) -> None:
        """Copies to the paths that the graph names what the user may change at any time."""
        if self.metadata.HasField("sqlite"):
            Path(self.metadata.sqlite.filename_uri).parent.mkdir(parents=True, exist_ok=True)
        self.imported_schema.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.schema, self.imported_schema)
        if "teacher" in self.own:
            self.own["teacher"].keep_trained()
        if "student" in self.own:
            self.own["student"].keep_architecture()

    def checkpoint_dir(self, node: str) -> str:
        """Returns where a node keeps the states of trainings that have not ended."""
        return str(self.workdir / "checkpoints" / self.config.name / node)


def make(
    config: RunConfig,
    workdir: Path,
    source: str,
    metadata: metadata_store_pb2.ConnectionConfig | None = None,
    command: Sequence[str] = (),
    specs: Sequence[Any] = (),
) -> Plan:
    """Checks a run against its data and its networks.

    Args:
      config: the run.
      workdir: absolute.
      source: what `locate` gave.
      metadata: how ML Metadata is reached; None is a SQLite file in the workdir.
      command: what `run_record.command` gave.
      specs: resolved specifications of other methods that will train, too.

    Raises:
      ConfigError: the schema is missing, the batch is larger than the training split, a training
        cannot be distributed as asked for, a network of the user's own does not fit the data, or
        the networks' taps do not fit the method.
      DataError: the data is missing or not CIFAR-100, or a split is empty.
    """
    schema = Path(config.data.schema_path or CIFAR100)
    if not os.path.isfile(schema):
        raise ConfigError(f"data.schema_path: there is no file {str(schema)!r}.")
    summary, records = reader.load(source)
    splits = output.output_splits(records, config.data.eval_fraction, config.data.limit)
    counts = {name: len(split) for name, split in splits.items()}
    check_batches(config, counts["train"])
    _check_one_machine(config)
    own = check_networks(config, [config.method, *specs], workdir, schema, splits["train"])
    return Plan(
        config=config,
        workdir=workdir,
        source=source,
        data_fingerprint=summary.fingerprint,
        counts=counts,
        schema=schema,
        metadata=metadata or store.default(workdir),
        command=command,
        own=own,
    )


def locate(config: RunConfig, workdir: Path) -> str:
    """Returns the absolute path of the run's data, having fetched it if that was asked for.

    Raises:
      ConfigError: both a path and the download are asked for, or no data at all.
      DataError: the download failed.
    """
    data = config.data
    if data.path and data.download:
        raise ConfigError(
            f"data.path is {data.path!r} and data.download is true: give one of the two."
        )
    if data.download:
        return str(download.fetch(workdir / "downloads"))
    if data.path:
        return os.path.abspath(data.path)
    if data.sample:
        return str(SAMPLE)
    raise ConfigError(
        f"Found no data for {config.name!r}. Give --data PATH, an archive or folder of CIFAR-100, "
        "or --set data.download=true, or --set data.sample=true for the ten classes that come "
        "with tfx-distill."
    )


def check_batches(config: RunConfig, images: int) -> None:
    """Holds the batches against the training split's size.

    Raises:
      ConfigError: a batch is larger.
    """
    for key, recipe in config.recipes.items():
        if recipe.batch_size > images:
            raise ConfigError(
                f"{key}.batch_size is {recipe.batch_size}, but the training split has only "
                f"{images} images. Lower the batch size, or give more data "
                "(data.limit, data.path)."
            )


def check_networks(
    config: RunConfig, specs: Sequence[Any], workdir: Path, schema: Path, train: "Records"
) -> dict[str, OwnNetwork]:
    """Holds both networks against the data and each method.

    Args:
      config: the run.
      specs: resolved specifications of the methods.
      workdir: where networks of the user's own are kept.
      schema: gives the number of classes.
      train: the training split.

    Returns:
      The networks of the user's own, by role.

    Raises:
      ConfigError: one does not fit the data, their taps do not fit a method, or a training cannot
        be distributed as asked for.
    """
    from kd_trainer import examples
    from kd_trainer.networks import build

    _check_processes(config)
    classes = examples.num_classes(str(schema))
    if classes > len(FINE_LABELS):
        raise ConfigError(
            f"data.schema_path: {str(schema)!r} gives 'label' the domain 0 to {classes - 1}, but "
            f"CIFAR-100 has {len(FINE_LABELS)} classes. Lower its max."
        )
    roles = {"teacher": config.teacher, "student": config.student}
    own = {
        role: user_networks.check(role, section, workdir, classes, train.images, train.labels)
        for role, section in roles.items()
        if section.file is not None
    }
    networks = {
        role: own[role].user.network if role in own else build(str(section.network), classes)
        for role, section in roles.items()
    }
    keeps = False
    for spec in specs:
        try:
            keeps |= _check_method(methods.create(spec), config, networks, train.labels)
        except ConfigError as error:
            why = str(user_networks.explained(error, own))
            named = f"{methods.label(spec)}: {why}" if len(specs) > 1 else why
            raise ConfigError(named) from error
    gigabytes = config.teacher.cache_gigabytes
    if gigabytes and not keeps:
        raise ConfigError(
            f"teacher.cache_gigabytes is {gigabytes:g}, but nothing that the method reads of the "
            "teacher can be kept: vectors can, such as logits, in inference mode. Set it to 0."
        )
    return own


def _check_method(
    method: "Method", config: RunConfig, networks: Mapping[str, "keras.Model"], labels: "np.ndarray"
) -> bool:
    """Holds a method against both networks; returns whether a teacher's outputs can be kept."""
    from kd_trainer import distribution, training
    from kd_trainer.teacher_cache import can_be_kept

    distribution.check(config.recipe.distribution, method)
    student, teacher = method.networks(networks["student"], networks["teacher"])
    training.fit_taps(teacher, student, method, config.recipe.epochs, labels)
    return any(can_be_kept(stage, teacher) for stage in method.stages(config.recipe.epochs))


def _check_processes(config: RunConfig) -> None:
    kept, shared_by = config.teacher.cache_gigabytes, config.recipe.distribution
    if kept and shared_by != "none":
        raise ConfigError(
            f"teacher.cache_gigabytes is {kept:g} and recipe.distribution {shared_by!r}, but "
            "outputs are kept by a training on one device. Set the one to 0 or the other to none."
        )


def _check_one_machine(config: RunConfig) -> None:
    for key, recipe in config.recipes.items():
        if recipe.distribution == "multi_worker":
            raise ConfigError(
                f"{key}.distribution is 'multi_worker', but a run on this machine trains in one "
                "process. Expected 'mirrored', for all GPUs of the machine, or 'none'. Several "
                "machines train in a run on Kubeflow: tfx-distill kubeflow submit."
            )
