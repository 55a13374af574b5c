"""The command `predict`: what a pushed student says of images."""

import json
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from components.serving_versions import versions
from kd_trainer.errors import ConfigError, nearest
from kd_trainer.labels import CLASS_NAMES_FILE
from pipeline import image_files

_SIGNATURE = "encoded_images"
_TOP = 5


def newest(workdir: Path, name: str | None) -> Path:
    """Returns the newest version that a pipeline pushed.

    Args:
      workdir: the pipeline's.
      name: the pipeline's; None: the only one that was pushed.

    Raises:
      ConfigError: nothing was pushed there, or by several pipelines and none is named.
    """
    serving = workdir / "serving"
    folders = sorted(serving.iterdir()) if serving.is_dir() else []
    pushed = {folder.name: found for folder in folders if (found := versions(str(folder)))}
    if not pushed:
        raise ConfigError(
            f"No version has been pushed below {str(serving)!r}. Run the pipeline first, or give "
            "the workdir that it ran in (--workdir) or a SavedModel (--model)."
        )
    if name is None and len(pushed) > 1:
        raise ConfigError(
            f"Several pipelines were pushed below {str(serving)!r}: {', '.join(pushed)}. Say which "
            f"with --name {next(iter(pushed))}."
        )
    if name is not None and name not in pushed:
        raise ConfigError(
            f"No version of {name!r} has been pushed below {str(serving)!r}. "
            f"{nearest(name, list(pushed))}"
        )
    return Path(pushed[name or next(iter(pushed))][-1])


def predict(images: Sequence[Path], model: Path, *, as_json: bool) -> int:
    """Prints each image's class and its most probable ones.

    Args:
      images: PNG, JPEG, GIF or BMP files of any size.
      model: a SavedModel as `kd_trainer.export` writes it.
      as_json: whether to print one list for programs, not a block an image for people.

    Returns:
      The exit status, 0.

    Raises:
      ConfigError: there is no such SavedModel, or it takes no encoded images.
      DataError: a file is missing, or is no image that the model can be asked of.
    """
    files = [image_files.read(image) for image in images]  # all of them, before anything is printed
    signature, names = _load(model)
    answers = []
    for image, content in zip(images, files, strict=True):
        outputs = signature(**{_SIGNATURE: tf.constant([content])})
        (probabilities,) = outputs["probabilities"].numpy()
        top = probabilities.argsort()[::-1][:_TOP].tolist()
        answers.append(
            {
                "image": str(image),
                "model": str(model),
                "label": int(outputs["label"][0]),
                "class_name": outputs["class_name"].numpy()[0].decode(),
                "top": [
                    {
                        "label": label,
                        "class_name": names[label],
                        "probability": float(probabilities[label]),
                    }
                    for label in top
                ],
            }
        )
    print(json.dumps(answers, indent=1) if as_json else "\n\n".join(map(_block, answers)))
    return 0


def _load(model: Path) -> tuple[tf.types.experimental.GenericFunction, list[str]]:
    if not (model / "saved_model.pb").is_file():
        raise ConfigError(
            f"{str(model)!r} is no SavedModel: it holds no saved_model.pb. Give the directory of a "
            "version, such as workdir/serving/quick/1795368993."
        )
    try:
        signatures = tf.saved_model.load(str(model)).signatures
    except Exception as error:  # what is damaged can raise anything
        raise _incomplete(model, error) from error
    if _SIGNATURE not in signatures:
        raise ConfigError(
            f"{str(model)!r} takes no image files: it has no signature {_SIGNATURE!r}, only "
            f"{', '.join(sorted(signatures))}. Push it again with this version of tfx-distill."
        )
    try:
        names = (model / "assets" / CLASS_NAMES_FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _incomplete(model, error) from error
    return signatures[_SIGNATURE], names


def _incomplete(model: Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"{str(model)!r} cannot be loaded: {type(error).__name__}: {error}. The SavedModel is "
        "damaged or not complete: take another version, or run the pipeline again."
    )


def _block(answer: dict) -> str:
    rows = [f"  {row['probability']:7.2%}  {row['class_name']}" for row in answer["top"]]
    return "\n".join([f"{answer['image']}: {answer['class_name']}", *rows])
