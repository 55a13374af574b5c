"""Networks that a run must refuse, each made by a function of the `.keras` file to write."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
from keras import layers
from user_models import model, saved

Make = Callable[[Path], object]


def network(build: Callable[..., keras.Model] = model, **arguments: Any) -> Make:
    def make(path: Path) -> None:
        keras.utils.set_random_seed(0)
        saved(build(**arguments), path.parent, path.stem)

    return make


def with_lambda(path: Path) -> None:
    """A layer that would make a file beside it, as soon as the model is built."""
    owned = str(path.with_name("owned"))
    network(
        first=layers.Lambda(lambda images: (open(owned, "w", encoding="utf-8").close(), images)[1])
    )(path)
    path.with_name("owned").unlink()  # saving it has called it


def two_inputs() -> keras.Model:
    one, two = keras.Input((32, 32, 3)), keras.Input((32, 32, 3))
    return keras.Model([one, two], layers.Dense(100)(layers.Flatten()(one + two)))


def two_outputs() -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    x = layers.Flatten()(inputs)
    return keras.Model(inputs, [layers.Dense(100)(x), layers.Dense(100)(x)])


def a_map() -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    return keras.Model(inputs, layers.Conv2D(5, 3)(inputs))


def of_integers() -> keras.Model:
    inputs = keras.Input((32, 32, 3), dtype="int32")
    return keras.Model(inputs, layers.Dense(100)(layers.Flatten()(layers.Rescaling(1.0)(inputs))))


def without_input() -> keras.Model:
    return keras.Sequential([layers.Flatten(), layers.Dense(100)])


def not_a_number(path: Path) -> None:
    """A model whose weights are no numbers, as those of a training that diverged."""
    diverged = model(activation=None)
    diverged.layers[-1].set_weights([w * float("nan") for w in diverged.layers[-1].get_weights()])
    saved(diverged, path.parent, path.stem)


def cut(share: float) -> Make:
    def make(path: Path) -> None:
        network()(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])

    return make


def damaged(path: Path) -> None:
    """A file with 4 kB of zeros among its weights."""
    network(width=32)(path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4096] = bytes(4096)
    path.write_bytes(content)


def rewritten(member: str, change: Callable[[bytes], bytes], **zipped: Any) -> Make:
    """A file one of whose members is another."""

    def make(path: Path) -> None:
        network()(path)
        with zipfile.ZipFile(path) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
        content[member] = change(content[member])
        with zipfile.ZipFile(path, "w", **zipped) as archive:
            for name, data in content.items():
                archive.writestr(name, data)

    return make


def _edited(edit: Callable[[dict], object]) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        document = json.loads(content)
        edit(document)
        return json.dumps(document).encode()

    return change


def _foreign(document: dict) -> None:
    document["config"]["layers"][2].update(
        {"module": "somewhere", "class_name": "Special", "registered_name": "mine>Special"}
    )


def _calls_system(document: dict) -> None:
    document["config"]["layers"][2]["config"]["activation"] = {
        "module": "os",
        "class_name": "function",
        "config": "system",
        "registered_name": "system",
    }


def _asking(name: str, **changes: int) -> Callable[[dict], object]:
    """Has a layer be larger than its weights in the file are."""

    def edit(document: dict) -> None:
        for layer in document["config"]["layers"]:
            layer.pop("build_config", None)  # which says what the others are given
            if layer["name"] == name:
                layer["config"].update(changes)

    return edit


HUGE_DENSE = rewritten("config.json", _edited(_asking("predictions", units=10**9)))
HUGE_CONVOLUTION = rewritten("config.json", _edited(_asking("conv_b", filters=10**8)))
HUGE_MAP = network(first=layers.UpSampling2D(1000, name="larger"))
FOREIGN_LAYER = rewritten("config.json", _edited(_foreign))
CALLS_SYSTEM = rewritten("config.json", _edited(_calls_system))
NO_JSON = rewritten("config.json", lambda content: content[:-20])
BOMB = rewritten(
    "model.weights.h5",
    lambda _: bytes(100 << 20),
    compression=zipfile.ZIP_DEFLATED,
    compresslevel=1,
)


def weights_elsewhere(path: Path) -> None:
    """A file whose weights say that they are the bytes of another file."""
    secret = path.with_name("secret")
    secret.write_bytes(bytes(1 << 16))
    weights = path.with_name("weights.h5")

    def change(content: bytes) -> bytes:
        weights.write_bytes(content)
        with h5py.File(weights, "a") as file:
            folder = file["layers/dense/vars"]
            shape, kind = folder["0"].shape, folder["0"].dtype
            del folder["0"]
            folder.create_dataset("0", shape, kind, external=[(str(secret), 0, h5py.h5f.UNLIMITED)])
        return weights.read_bytes()

    rewritten("model.weights.h5", change)(path)
