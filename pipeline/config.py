"""What a run is: one typed, validated document, made of a preset and overrides.

Everything that a component is given derives from it.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from components.gate_bounds import GateBounds
from kd_trainer.config_errors import explain
from kd_trainer.errors import ConfigError
from kd_trainer.networks import check_name
from kd_trainer.recipe import Recipe
from pipeline import presets, secrets
from pipeline.beam import BeamConfig
from pipeline.cluster.settings import KubeflowConfig
from pipeline.overrides import apply

_TAP = re.compile(r"[a-z][a-z0-9_]*")
# Empty, a path is a shell's variable that is not set, and not the wish for the default.
_PathText = Annotated[str, Field(min_length=1, pattern=r"^[^\x00]*$")]


class _Section(BaseModel):
    # By alias: what is written out can be read in again.
    model_config = ConfigDict(
        extra="forbid", frozen=True, serialize_by_alias=True, allow_inf_nan=False
    )


class DataConfig(_Section):
    """Where the images come from and how they are split."""

    path: _PathText | None = Field(None, description="archive or folder of CIFAR-100")
    download: bool = Field(False, description="fetch the official archive into the workdir")
    sample: bool = Field(
        False,
        description="without either, take the repository's sample, ten classes; else refuse",
    )
    limit: int | None = Field(
        None, ge=1, lt=2**31, description="first records of each official file"
    )
    eval_fraction: float = Field(
        0.1, ge=0, lt=1, description="share of the training set kept for choices; 0: no eval split"
    )
    schema_path: _PathText | None = Field(
        None, description="what the data must look like; null: schemas/cifar100.pbtxt"
    )


class NetworkConfig(_Section):
    """A network by its name, or the user's own."""

    network: str | None = Field(None, description="a network's name; or give `from`")
    file: _PathText | None = Field(
        None, alias="from", description="a .keras file of the user's own"
    )
    taps: dict[str, str] = Field(
        {}, description="with `from`: by tap, such as stage1, the layer whose output it is"
    )

    @model_validator(mode="after")
    def _one_network(self) -> "NetworkConfig":
        if (self.network is None) == (self.file is None):
            found = "neither" if self.network is None else "both"
            raise ConfigError(
                "give one of 'network', a network's name, and 'from', the path of a .keras file; "
                f"found {found}."
            )
        if self.network is not None:
            check_name(self.network)
        if self.network is not None and self.taps:
            raise ConfigError(
                f"'taps' are for a model of your own, given as 'from'; {self.network!r} has taps "
                "of its own. Leave 'taps' out."
            )
        for tap in self.taps:
            if not _TAP.fullmatch(tap) or "_block" in tap:
                raise ConfigError(
                    f"taps: {tap!r} cannot be a tap's name. Expected small letters, digits and _, "
                    "without '_block', such as stem, stage1, stage1_preact, pooled, logits."
                )
        return self

    @property
    def label(self) -> str:
        """What the network is called in what people read."""
        return self.network or Path(str(self.file)).name


class TeacherConfig(NetworkConfig):
    """The teacher, and how it is trained where that differs from the run's recipe."""

    recipe: Recipe | None = Field(
        None, description="what is not given is as in the run's recipe; with `from`: none"
    )
    cache_gigabytes: float = Field(
        0.0,
        ge=0,
        le=1e6,
        description="disk for what it says of each view, kept for trainings to come",
    )

    @model_validator(mode="after")
    def _trained_once(self) -> "TeacherConfig":
        if self.file is not None and self.recipe is not None:
            raise ConfigError(
                "'recipe' is for a teacher that is trained here; the one given as 'from' is "
                "trained already. Leave 'recipe' out."
            )
        return self


class GateConfig(GateBounds):
    """When the student is good enough, and what it is compared with."""

    baseline: Literal["champion", "from_scratch"] = Field(
        "champion",
        description="the newest pushed version (the first run: from_scratch), or the same student "
        "trained without a teacher",
    )


class PushConfig(_Section):
    """Where a blessed student goes."""

    directory: _PathText | None = Field(
        None, description="versions are pushed below it; null: <workdir>/serving/<name>"
    )
    formats: list[Literal["saved_model", "tflite"]] = Field(
        ["saved_model"], description="saved_model always; tflite: float32 and int8 beside it"
    )

    @field_validator("formats")
    @classmethod
    def _saved_model_is_among_them(cls, formats: list[str]) -> list[str]:
        if "saved_model" not in formats or len(set(formats)) < len(formats):
            raise ConfigError(
                f"found {formats}, expected [saved_model] or [saved_model, tflite]: the "
                "SavedModel is what the gate measures and what is served."
            )
        return formats


class CompareConfig(_Section):
    """What `tfx-distill compare` compares; a run does not look at it."""

    methods: Literal["all"] | list[str] = Field(
        "all", description="names, or NAME/PRESET; all: every method at its default preset"
    )
    trials: int = Field(5, ge=1, le=100, description="trainings of each, with seeds from `seed` on")
    share_teacher: Literal["auto", "never"] = Field(
        "auto", description="auto: students of one seed train at once, on one pass of the teacher"
    )
    push_best: bool = Field(
        False, description="the best one goes through the gate, and into service"
    )

    @field_validator("methods", mode="before")
    @classmethod
    def _listed(cls, methods: Any) -> Any:
        names = methods.split(",") if isinstance(methods, str) and methods != "all" else methods
        if isinstance(names, list) and (not names or len(set(map(repr, names))) < len(names)):
            raise ConfigError(f"found {names}, expected different methods, at least one.")
        return names


class PublishedConfig(_Section):
    """What the literature reports of a preset's setting."""

    source: str = Field(description="where the figures stand")
    accuracy: dict[str, Annotated[float, Field(gt=0, lt=100)]] = Field(
        description="top-1 on test, per cent, of `teacher`, `baseline` and methods as NAME/PRESET"
    )


class RunConfig(_Section):
    """A run."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9-]*$", max_length=63, description="the pipeline's name"
    )
    seed: int = Field(0, ge=0, lt=2**31, description="of initial weights, order and augmentation")
    data: DataConfig = DataConfig()
    teacher: TeacherConfig
    student: NetworkConfig
    method: dict[str, Any] | list[dict[str, Any]] = Field(
        description="name, preset and hyper-parameters; a list of them is a combination"
    )
    recipe: Recipe
    gate: GateConfig
    push: PushConfig = PushConfig()
    compare: CompareConfig = CompareConfig()
    published: PublishedConfig | None = Field(
        None, description="null where an override makes the setting another than the preset's"
    )
    beam: BeamConfig = BeamConfig()
    kubeflow: KubeflowConfig = KubeflowConfig()

    @model_validator(mode="before")
    @classmethod
    def _teacher_recipe_inherits(cls, document: Any) -> Any:
        teacher, recipe = document.get("teacher"), document.get("recipe")
        if not isinstance(teacher, dict) or not isinstance(recipe, dict):
            return document  # what is wrong is told by their own validation
        if teacher.get("from") is not None:
            return document
        own = teacher.get("recipe", {})
        merged = {**recipe, **own} if isinstance(own, dict) else own
        return {**document, "teacher": {**teacher, "recipe": merged}}

    @field_validator("method", mode="before")
    @classmethod
    def _names_stand_for_methods(cls, spec: Any) -> Any:
        from kd_trainer import methods

        return methods.named(spec)

    @model_validator(mode="after")
    def _best_needs_eval(self) -> "RunConfig":
        for recipe in self.recipes.values():
            if recipe.keep == "best" and not self.data.eval_fraction:
                raise ConfigError(
                    "recipe.keep is 'best' and data.eval_fraction is 0: there is no eval split to "
                    "choose the best epoch by. Set data.eval_fraction above 0 or recipe.keep=last."
                )
        return self

    @property
    def recipes(self) -> dict[str, Recipe]:
        """What is trained by, by key."""
        recipes = {"recipe": self.recipe, "teacher.recipe": self.teacher.recipe}
        return {key: recipe for key, recipe in recipes.items() if recipe is not None}


def load(preset: str, overrides: Sequence[str] = ()) -> RunConfig:
    """Makes a run's configuration.

    Args:
      preset: a name of `presets.names()`.
      overrides: `key.sub=value`, where the value is YAML.

    Raises:
      ConfigError: unknown preset, key or name, each with the nearest known ones; a value out of
        its range; an override without `=`.
    """
    document = presets.read(preset)
    setting = _setting(_typed(document))
    apply(document, overrides)
    config = validate(document)
    if _setting(config) != setting:
        config = config.model_copy(update={"published": None})
    return config


def _setting(config: RunConfig) -> tuple[Any, ...]:
    """Returns what results depend on, but for the images, the method and chance."""
    data, teacher = config.data, config.teacher
    return (
        *(data.limit, data.eval_fraction),
        *(teacher.network, teacher.recipe),
        *(config.student, config.recipe),
    )


def validate(document: Mapping[str, Any]) -> RunConfig:
    """Validates a document and fills in the method's preset.

    Raises:
      ConfigError: as `load`, or there is a secret in it.
    """
    secrets.check(document)
    config = _typed(document)
    from kd_trainer import methods  # Keras is loaded for a method, not for a table of names

    return config.model_copy(update={"method": methods.resolve(config.method)})


def _typed(document: Mapping[str, Any]) -> RunConfig:
    try:
        return RunConfig.model_validate(document)
    except ValidationError as error:
        raise ConfigError(explain(error, RunConfig)) from None
