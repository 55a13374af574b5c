"""Files that `model.save` writes, loaded without trusting them."""

import json
import os
import re
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras

from kd_trainer.errors import ConfigError
from kd_trainer.networks import allow_list, claims

_UNPACKED_BYTES, _EXPANSION = 1 << 26, 100


def open_safely(file: Path) -> keras.Model:
    """Loads a functional or sequential model with one output; no code in the file is run.

    Raises:
      ConfigError: no such file, no `.keras` file, one made to fill the memory, a model that is
        not safe to load, has no graph or several outputs.
    """
    if not os.path.isfile(file):
        raise ConfigError(f"There is no file {str(file)!r}.")
    if file.suffix != ".keras" or not zipfile.is_zipfile(file):
        raise ConfigError(
            f"{str(file)!r} is not a .keras file. Save the model with model.save('name.keras')."
        )
    _check_members(file)
    try:
        config, version = _read(file, "config.json"), _read(file, "metadata.json")["keras_version"]
    except (KeyError, TypeError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"{str(file)!r} is damaged: its config.json or metadata.json cannot be read "
            f"({type(error).__name__}: {error}). Save the model again with "
            "model.save('name.keras')."
        ) from error
    try:
        allow_list.check(config)
        claims.check(file, config)
        model = _load(file, config)
    except ConfigError:
        raise
    except allow_list.NotAllowedError as error:
        raise ConfigError(
            f"{str(file)!r} names what is not on the list of what a network may be made of: "
            f"{error}. Keras's own layers are taken; a Lambda, a layer or model class of your own, "
            "and what takes a function or a path are not, for they could run code. Build the model "
            f"of Keras's layers and keras.ops and save it. {_by_other_keras(version)}".strip()
        ) from error
    except Exception as error:  # Keras raises many types here
        again = "If it is damaged, save it again with model.save('name.keras')."
        raise ConfigError(
            f"{str(file)!r} cannot be loaded: {_reason(error)} {_by_other_keras(version) or again}"
        ) from error
    if not getattr(model, "inputs", None):
        raise ConfigError(
            f"{str(file)!r} holds a model without a graph ({type(model).__name__}). Build it with "
            "keras.Model(inputs, outputs), or as a keras.Sequential that starts with keras.Input, "
            "and save it again."
        )
    if len(model.outputs) != 1:
        raise ConfigError(
            f"{str(file)!r} holds a model with {len(model.outputs)} outputs, expected one, the "
            "logits. Save keras.Model(model.inputs, <the logits>)."
        )
    return model


def _check_members(file: Path) -> None:
    """Refuses two members of one name, and what unpacks to far more than it is."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile as error:
        raise ConfigError(f"{str(file)!r} is damaged: {error}. Save the model again.") from error
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise ConfigError(
            f"{str(file)!r} holds two members of one name, of which programs read one or the other."
            " Save the model again with model.save('name.keras')."
        )
    for member in members:
        if member.file_size > max(_UNPACKED_BYTES, _EXPANSION * member.compress_size):
            raise ConfigError(
                f"{str(file)!r}: {member.filename} has {member.compress_size:,} bytes, and "
                f"{member.file_size:,} when unpacked: it is made to fill the memory, for weights "
                "hardly get smaller. Save the model with model.save('name.keras')."
            )


def _read(file: Path, member: str) -> Any:
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read(member), object_hook=_uncompiled)


def _uncompiled(part: dict[str, Any]) -> dict[str, Any]:
    """Leaves out the optimizer, which a model within the model may have, too."""
    return {name: value for name, value in part.items() if name != "compile_config"}


def _load(file: Path, config: dict[str, Any]) -> keras.Model:
    """Loads a copy that holds the configuration as it was checked, the weights, and no more."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "checked.keras")
        with zipfile.ZipFile(file) as given, zipfile.ZipFile(copy, "w") as checked:
            checked.writestr("config.json", json.dumps(config))
            checked.writestr("metadata.json", given.read("metadata.json"))
            weights = "model.weights.h5"
            with given.open(weights) as source, checked.open(weights, "w", force_zip64=True) as to:
                shutil.copyfileobj(source, to)
        return keras.saving.load_model(copy, compile=False, safe_mode=True)


def _by_other_keras(version: Any) -> str:
    """Returns a sentence about the Keras that saved the file where it is another one than here."""
    saved, here = (re.match(r"\d+\.\d+", str(each)) for each in (version, keras.__version__))
    if not saved or not here or saved[0] == here[0]:
        return ""
    return (
        f"Keras {saved[0]} saved it, and this is Keras {keras.__version__}: build the model with "
        f"Keras {here[0]} and save it again."
    )


def _reason(error: Exception) -> str:
    """Returns the innermost reason that Keras gives: it wraps one into the next."""
    innermost = str(error).rpartition("Exception encountered: ")[2].strip()
    innermost = re.sub(r"(?s).*Example error message for object .*?:\n\n", "", innermost)
    sentence = innermost.splitlines()[0].split(". ")[0] if innermost else type(error).__name__
    return sentence.rstrip(".") + "."
