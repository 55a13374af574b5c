"""What a distillation is given, read from its artifacts."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils

from kd_trainer import examples as reader
from kd_trainer.data import Dataset
from kd_trainer.export import load
from kd_trainer.training import accuracy

# What ExampleGen and the teacher's Importer keep of files.
_EXAMPLES = ("source", "archive_md5", "data_fingerprint")
_TEACHER = ("file", "sha256", "taps")


@dataclass(frozen=True)
class Inputs:
    """Splits by name, number of classes, the teacher, and where data and teacher come from."""

    splits: dict[str, Dataset]
    classes: int
    teacher: keras.Model
    origins: dict[str, dict[str, Any] | None]

    @property
    def arrays(self) -> list[Any]:
        """All numbers that a training rests on."""
        splits = [array for name in sorted(self.splits) for array in self.splits[name].arrays]
        return [*splits, *self.teacher.get_weights()]

    @cached_property
    def teacher_accuracy(self) -> Mapping[str, float]:
        """The teacher's on `test`, as `training.accuracy` has it."""
        return accuracy(self.teacher, self.splits["test"])


def read(input_dict: dict[str, list[Artifact]]) -> Inputs:
    """Reads `examples`, `schema` and `teacher`.

    Raises:
      DataError: a split is empty, or the schema has no domain for the label.
    """
    (examples,) = input_dict["examples"]
    splits = {
        split: reader.load([f"{artifact_utils.get_split_uri([examples], split)}/*"])
        for split in artifact_utils.decode_split_names(examples.split_names)
    }
    schema = io_utils.get_only_uri_in_dir(artifact_utils.get_single_uri(input_dict["schema"]))
    (teacher,) = input_dict["teacher"]
    origins: dict[str, dict[str, Any] | None] = {
        "examples": {
            **{key: examples.get_string_custom_property(key) for key in _EXAMPLES},
            "counts": {split: len(splits[split]) for split in splits},
        },
        "teacher": {key: teacher.get_string_custom_property(key) for key in _TEACHER}
        if teacher.has_custom_property("sha256")
        else None,  # it was trained here
    }
    return Inputs(splits, reader.num_classes(schema), load(teacher.uri), origins)
