"""Distillation methods by name. A new method is one module here and one row in the table."""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from kd_trainer.config_errors import explain
from kd_trainer.documents import parse
from kd_trainer.errors import ConfigError, nearest
from kd_trainer.methods.base import Method, MethodConfig, Setting, Stage, Step
from kd_trainer.methods.combination import Combination

# Modules are imported when asked for: they need Keras, the table does not.
METHODS = {
    "activation_boundary": "kd_trainer.methods.activation_boundary:ActivationBoundary",
    "attention_transfer": "kd_trainer.methods.attention_transfer:AttentionTransfer",
    "correlation_congruence": "kd_trainer.methods.correlation_congruence:CorrelationCongruence",
    "crd": "kd_trainer.methods.crd:CRD",
    "dist": "kd_trainer.methods.dist:DIST",
    "dkd": "kd_trainer.methods.dkd:DKD",
    "dml": "kd_trainer.methods.dml:DML",
    "factor_transfer": "kd_trainer.methods.factor_transfer:FactorTransfer",
    "fitnet": "kd_trainer.methods.fitnet:FitNet",
    "fsp": "kd_trainer.methods.fsp:FSP",
    "jacobian_matching": "kd_trainer.methods.jacobian_matching:JacobianMatching",
    "kd_eid": "kd_trainer.methods.kd_eid:KDEID",
    "kd_svd": "kd_trainer.methods.kd_svd:KDSVD",
    "logit_standardization": "kd_trainer.methods.logit_standardization:LogitStandardization",
    "mhgd": "kd_trainer.methods.mhgd:MHGD",
    "nst": "kd_trainer.methods.nst:NST",
    "overhaul": "kd_trainer.methods.overhaul:Overhaul",
    "pkt": "kd_trainer.methods.pkt:PKT",
    "review_kd": "kd_trainer.methods.review_kd:ReviewKD",
    "rkd": "kd_trainer.methods.rkd:RKD",
    "similarity_preserving": "kd_trainer.methods.similarity_preserving:SimilarityPreserving",
    "soft_logits": "kd_trainer.methods.soft_logits:SoftLogits",
    "vid": "kd_trainer.methods.vid:VID",
}

__all__ = [
    "METHODS",
    "Method",
    "MethodConfig",
    "Setting",
    "Stage",
    "Step",
    "chosen",
    "create",
    "label",
    "method_class",
    "modules",
    "named",
    "own_part",
    "resolve",
]

# A method, or several that are combined.
Spec = Mapping[str, Any] | Sequence[Mapping[str, Any]]


def method_class(name: str) -> type[Method]:
    """Returns the class of a method.

    Raises:
      ConfigError: no method has that name; the nearest ones are named.
    """
    if name not in METHODS:
        raise ConfigError(f"There is no method named {name!r}. {nearest(name, list(METHODS))}")
    module, attribute = METHODS[name].split(":")
    return getattr(importlib.import_module(module), attribute)


def create(spec: Spec) -> Method:
    """Builds a method, or a combination of several, from its specification.

    Args:
      spec: `name`, optionally `preset` (the method's first one if absent), and any of its
        hyper-parameters, which override the preset's. A sequence of such specifications is a
        combination; each may have a `weight` (1 if absent) that its terms are multiplied by.

    Raises:
      ConfigError: no name, an unknown name or preset, or methods that do not combine.
      pydantic.ValidationError: a hyper-parameter is unknown or out of its range.
    """
    if not isinstance(spec, Mapping):
        members = [dict(member) for member in spec]
        weights = [member.pop("weight", 1.0) for member in members]
        return Combination(
            [member.get("name", "") for member in members],
            [create(member) for member in members],
            weights,
        )
    if "name" not in spec:
        raise ConfigError(f"The method has no name. Known: {', '.join(sorted(METHODS))}.")
    for key in ("name", "preset"):
        if not isinstance(value := spec.get(key, ""), str) and (key, value) != ("preset", None):
            raise ConfigError(f"method: its {key} is {value!r}, expected text.")
    overrides = dict(spec)
    cls = method_class(overrides.pop("name"))
    preset = overrides.pop("preset", None) or next(iter(cls.PRESETS))
    if preset not in cls.PRESETS:
        raise ConfigError(
            f"The method {spec['name']!r} has no preset named {preset!r}. "
            f"{nearest(preset, list(cls.PRESETS))}"
        )
    for key, value in overrides.items():
        default = cls.PRESETS[preset].get(key)
        if isinstance(value, Mapping) and isinstance(default, Mapping) and "name" not in value:
            overrides[key] = {**default, **value}  # some hyper-parameters of the inner method
    return cls(cls.Config.model_validate({**cls.PRESETS[preset], **overrides}), preset)


def resolve(spec: Spec) -> Any:
    """Returns a specification with every hyper-parameter filled in.

    Args:
      spec: as `create` takes it.

    Raises:
      ConfigError: no name, unknown name, preset or hyper-parameter, or methods that do not
        combine.
    """
    if isinstance(spec, Mapping):
        return _resolve_one(spec, "method.")
    members = []
    for number, member in enumerate(spec):
        own = {key: value for key, value in member.items() if key != "weight"}
        weight = member.get("weight", 1.0)
        members.append({**_resolve_one(own, f"method[{number}]."), "weight": weight})
    create(members)
    return members


def chosen(text: str, preset: str = "") -> Any:
    """Returns the specification that a text stands for, with every hyper-parameter filled in.

    Args:
      text: a method's name, or a specification in JSON or YAML.
      preset: of that method, if not the one in the text; what else stands in the text is not of
        the preset and stays.

    Raises:
      ConfigError: the text is neither, a preset is given to several methods, or as `resolve`.
    """
    spec = named(parse(text, "method"))
    members = spec if isinstance(spec, list) else [spec]
    if not members or not all(isinstance(member, Mapping) for member in members):
        raise ConfigError(
            f"method: found {text!r}, expected a method's name, or name, preset and "
            "hyper-parameters such as '{name: fitnet, hint_weight: 50}', or a list of these."
        )
    if preset and isinstance(spec, list):
        raise ConfigError(
            f"method_preset: found {preset!r} and {len(spec)} methods. Give each its own preset, "
            "in `method`."
        )
    return resolve({**spec, "preset": preset} if preset else spec)


def named(spec: Any) -> Any:
    """Returns a specification in which no name stands for a method: it is one, or in a list."""
    if isinstance(spec, list):
        return [{"name": member} if isinstance(member, str) else member for member in spec]
    return {"name": spec} if isinstance(spec, str) else spec


def own_part(spec: Spec) -> Any:
    """Returns a resolved specification without the hyper-parameters that are its preset's."""
    if not isinstance(spec, Mapping):
        return [own_part(member) for member in spec]
    of_preset = _resolve_one({key: spec[key] for key in ("name", "preset")}, "method.")
    kept = {"name", "preset"}
    return {key: value for key, value in spec.items() if key in kept or value != of_preset.get(key)}


def label(spec: Spec) -> str:
    """Returns what a resolved specification is called: its methods and their presets."""
    members = [spec] if isinstance(spec, Mapping) else spec
    return " + ".join(f"{member['name']} ({member['preset']})" for member in members)


def modules(spec: Spec) -> list[str]:
    """Returns the modules of a specification's methods, one that another rests on included."""
    return [METHODS[name].split(":")[0] for name in _names(spec)]


def _resolve_one(spec: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    try:
        method = create(spec)
    except ValidationError as error:
        config_class = method_class(spec["name"]).Config
        raise ConfigError(explain(error, config_class, prefix)) from None
    return {
        "name": spec["name"],
        "preset": method.preset,
        **method.config.model_dump(mode="json"),
    }


def _names(spec: Any) -> Iterator[str]:
    if isinstance(spec, Mapping):
        if spec.get("name") in METHODS:
            yield spec["name"]
        spec = list(spec.values())
    if isinstance(spec, Sequence) and not isinstance(spec, str):
        for value in spec:
            yield from _names(value)
