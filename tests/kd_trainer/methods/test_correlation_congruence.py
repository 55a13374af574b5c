from dataclasses import replace

import keras
import numpy as np
import pytest
from golden_step import EMBEDDINGS, golden_step, weighted
from kd_helpers import changed, snapshot, tiny, tiny_data
from pydantic import ValidationError

from kd_trainer.distiller import Distiller
from kd_trainer.methods import create
from kd_trainer.training import fit_taps

NAME = "correlation_congruence"


def test_crd_is_the_golden_value_of_embeddings_that_change_nothing() -> None:
    same = {name: lambda feature, training: feature for name in ("student", "teacher")}
    step = replace(golden_step(pooled=EMBEDDINGS), adapters=same)
    found = weighted(create({"name": NAME}), step)
    assert found == pytest.approx(0.02 * 0.51154853, rel=1e-5)


def test_both_networks_are_embedded_in_one_space() -> None:
    student, teacher = tiny(width=4), tiny(name="teacher", width=6)
    adapters = fit_taps(teacher, student, create({"name": NAME}), 1, tiny_data(16).labels)
    assert {name: (a.input_shape, a.output_shape) for name, a in adapters.items()} == {
        "student": ((None, 8), (None, 128)),
        "teacher": ((None, 12), (None, 128)),
    }
    kernel, bias = adapters["student"].get_weights()
    # PyTorch's: uniform up to one over the root of the inputs.
    assert 0.9 * 8**-0.5 < abs(kernel).max() <= 8**-0.5
    assert abs(kernel).mean() == pytest.approx(0.5 * 8**-0.5, rel=0.1)
    assert 0.8 * 8**-0.5 < abs(bias).max() <= 8**-0.5


def test_both_embeddings_are_trained() -> None:
    keras.utils.set_random_seed(0)
    student, teacher = tiny(), tiny(name="teacher", width=6)
    method = create({"name": NAME})
    data = tiny_data(16)
    adapters = fit_taps(teacher, student, method, 1, data.labels)
    before = {name: snapshot(adapter) for name, adapter in adapters.items()}
    of_teacher = snapshot(teacher)
    distiller = Distiller(student, method.stages(1)[0], teacher, adapters)
    distiller.compile(keras.optimizers.SGD(0.05), jit_compile=False)
    distiller.fit(data.images, data.labels, batch_size=16, verbose=0)
    for name, adapter in adapters.items():
        assert changed(adapter, before[name]) == set(before[name])
    assert not changed(teacher, of_teacher)


def test_it_has_one_stage_on_the_pooled_features() -> None:
    [stage] = create({"name": NAME}).stages(30)
    assert (stage.epochs, stage.task_weight, stage.weights) == (30, 1.0, {"correlation": 0.02})
    assert stage.student_taps == stage.teacher_taps == ("pooled",)
    assert stage.adapters == ("student", "teacher")


def test_maps_are_flattened() -> None:
    method = create({"name": NAME, "tap": "stage1", "width": 5})
    adapters = fit_taps(tiny(name="teacher", width=6), tiny(), method, 1, tiny_data(16).labels)
    assert adapters["teacher"](np.zeros((2, 4, 4, 12), "float32")).shape == (2, 5)


@pytest.mark.parametrize(("parameter", "value"), [("weight", 0.0), ("width", 0)])
def test_a_bad_value_is_refused(parameter: str, value: object) -> None:
    with pytest.raises(ValidationError, match=parameter):
        create({"name": NAME, parameter: value})
