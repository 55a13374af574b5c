"""Files that `model.save` writes, loaded without trusting them."""

import os
import re
import zipfile
from pathlib import Path

import keras

from kd_trainer.errors import ConfigError
from kd_trainer.networks import claims

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
    _check_sizes(file)
    try:
        claims.check(file)
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    except ConfigError:
        raise
    except Exception as error:  # Keras raises many types here
        raise ConfigError(
            f"{str(file)!r} cannot be loaded in Keras's safe mode: {_reason(error)} If it is "
            "damaged, save it again. Only Keras's own layers are taken: a Lambda or a layer or "
            "model class of your own is code that the file does not hold or that is not safe to "
            "run. Build the model of Keras's layers and keras.ops, and save it again."
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


def _check_sizes(file: Path) -> None:
    """Refuses what unpacks to far more than it is; Keras itself does from 4 GiB on."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile as error:
        raise ConfigError(f"{str(file)!r} is damaged: {error}. Save the model again.") from error
    for member in members:
        if member.file_size > max(_UNPACKED_BYTES, _EXPANSION * member.compress_size):
            raise ConfigError(
                f"{str(file)!r}: {member.filename} has {member.compress_size:,} bytes, and "
                f"{member.file_size:,} when unpacked: it is made to fill the memory, for weights "
                "hardly get smaller. Save the model with model.save('name.keras')."
            )


def _reason(error: Exception) -> str:
    """Returns the innermost reason that Keras gives: it wraps one into the next."""
    innermost = str(error).rpartition("Exception encountered: ")[2].strip()
    innermost = re.sub(r"(?s).*Example error message for object .*?:\n\n", "", innermost)
    sentence = innermost.splitlines()[0].split(". ")[0] if innermost else type(error).__name__
    return sentence.rstrip(".") + "."
