from pathlib import Path

import keras
import numpy as np
import pytest
from kd_helpers import changed, sample, snapshot, tiny, tiny_data
from pydantic import ValidationError

from kd_trainer import progress, training
from kd_trainer.checkpoint import Checkpoint
from kd_trainer.errors import ConfigError
from kd_trainer.methods import Setting, Step, create
from kd_trainer.recipe import Recipe

LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1])
STUDENT, TEACHER = {"pooled": (3,)}, {"pooled": (5,)}
SMALL = {"width": 4, "negatives": 6}


@pytest.fixture(autouse=True)
def _seed() -> None:
    keras.utils.set_random_seed(4)


def test_it_has_one_stage_that_reads_indices() -> None:
    [stage] = create({"name": "crd"}).stages(30)
    assert (stage.epochs, stage.task_weight, stage.weights) == (30, 1.0, {"contrast": 0.8})
    assert stage.student_taps == stage.teacher_taps == ("pooled",)
    assert stage.adapters == ("student", "teacher", "memory")
    assert stage.reads_indices


def test_the_preset_is_that_of_the_authors_code() -> None:
    config = create({"name": "crd"}).config
    assert (config.width, config.negatives, config.temperature) == (128, 16384, 0.07)
    assert config.momentum == 0.5
    adapters = create({"name": "crd"}).adapters(Setting(STUDENT, TEACHER, None, LABELS))
    assert adapters["student"].output_shape == adapters["teacher"].output_shape == (None, 128)
    assert adapters["memory"].student_bank.shape == adapters["memory"].teacher_bank.shape
    assert adapters["memory"].student_bank.shape == (8, 128)


def test_the_term_is_that_by_hand() -> None:
    method = create({"name": "crd", **SMALL, "temperature": 0.3})
    adapters = method.adapters(Setting(STUDENT, TEACHER, None, LABELS))
    rng, indices = np.random.default_rng(0), np.array([2, 7, 4])
    features = [rng.normal(size=(3, width)).astype("float32") for width in (3, 5)]
    memory = adapters["memory"]
    banks = [np.array(bank, np.float64) for bank in (memory.student_bank, memory.teacher_bank)]
    # What the term is going to draw.
    state = np.array(memory.seed_generator.state)
    drawn = np.concatenate([indices[:, None], np.array(memory.draw(indices))], axis=1)
    memory.seed_generator.state.assign(state)

    expected = 0.0
    for name, feature, bank in zip(("student", "teacher"), features, banks[::-1], strict=True):
        kernel, bias = adapters[name].get_weights()
        embedding = feature @ kernel + bias
        embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
        scores = np.exp(np.einsum("bkd,bd->bk", bank[drawn], embedding) / 0.3)
        probability = scores / (8 * scores.mean())
        noise = 6 / 8
        expected -= np.log(probability[:, 0] / (probability[:, 0] + noise)).sum() / 3
        expected -= np.log(noise / (probability[:, 1:] + noise)).sum() / 3
    step = Step(
        {"pooled": features[0]}, {"pooled": features[1]}, LABELS[indices], adapters, indices
    )
    [stage] = method.stages(1)
    assert float(stage.terms(step)["contrast"]) == pytest.approx(expected, rel=1e-5)


def distil(checkpoint: Checkpoint | None = None) -> tuple:
    """Trains a tiny student, always from the same start."""
    keras.utils.set_random_seed(1)
    student, teacher = tiny(), tiny(name="teacher", width=6)
    method, data = create({"name": "crd", **SMALL}), tiny_data(32)
    adapters = training.fit_taps(teacher, student, method, 3, data.labels)
    before = {name: snapshot(adapter) for name, adapter in adapters.items()}
    recipe = Recipe(epochs=3, batch_size=8, learning_rate=0.01, crop_padding=1)
    of_teacher = snapshot(teacher)
    history = training.train(
        student,
        method.stages(3),
        recipe,
        data,
        None,
        5,
        "student",
        checkpoint=checkpoint,
        teacher=teacher,
        adapters=adapters,
    )
    assert not changed(teacher, of_teacher)
    moved = {name: changed(adapter, before[name]) for name, adapter in adapters.items()}
    state = [np.array(v) for layer in (student, *adapters.values()) for v in layer.variables]
    return state, moved, history


def test_embeddings_and_memories_move() -> None:
    _, moved, _ = distil()
    assert [len(paths) for paths in moved.values()] == [2, 2, 4]


@pytest.mark.slow
def test_a_run_that_goes_on_ends_as_one_that_was_not_killed(tmp_path: Path) -> None:
    expected, _, history = distil()

    class KilledError(Exception):
        pass

    def kill(moment: progress.Progress) -> None:
        if moment.epoch_ended and moment.epoch == 2:
            raise KilledError

    unsubscribe = progress.subscribe(kill)
    with pytest.raises(KilledError):
        distil(Checkpoint(tmp_path, "subject"))
    unsubscribe()
    found, _, resumed = distil(Checkpoint(tmp_path, "subject"))
    assert [row["contrast"] for row in resumed] == [row["contrast"] for row in history]
    for one, other in zip(expected, found, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.slow
def test_the_student_learns_to_tell_real_images_apart() -> None:
    data = sample("train", 64)
    student, teacher = (tiny(100, width=width, size=32, stages=2) for width in (4, 8))
    method = create({"name": "crd", "width": 16, "negatives": 64})
    history = training.train(
        student,
        method.stages(10),
        Recipe(batch_size=16, learning_rate=0.02, flip=False, crop_padding=0),
        data,
        None,
        0,
        "student",
        teacher=teacher,
        adapters=training.fit_taps(teacher, student, method, 10, data.labels),
    )
    assert history[-1]["contrast"] < 0.8 * history[0]["contrast"]


def test_a_single_class_is_refused() -> None:
    method = create({"name": "crd"})
    with pytest.raises(ConfigError, match="of the class 3"):
        method.adapters(Setting(STUDENT, TEACHER, None, np.full(8, 3)))


def test_it_combines_with_soft_logits() -> None:
    method = create(
        [{"name": "crd", **SMALL}, {"name": "soft_logits", "distillation_weight": 16.0}]
    )
    [stage] = method.stages(1)
    assert stage.weights == {"crd_contrast": 0.8, "soft_logits_kl": 16.0}
    assert (stage.task_weight, stage.reads_indices) == (1.0, True)
    training.fit_taps(tiny(name="teacher", width=6), tiny(), method, 1, tiny_data(16).labels)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("negatives", 0), ("temperature", 0.0), ("momentum", 1.0), ("weight", 0.0), ("width", 0)],
)
def test_a_bad_value_is_refused(parameter: str, value: float) -> None:
    with pytest.raises(ValidationError, match=parameter):
        create({"name": "crd", parameter: value})
