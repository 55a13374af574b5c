"""Where the literature's figures are shown, and where they are not."""

import json
from dataclasses import replace

import pytest

from components.cifar100_example_gen import reader
from components.cifar100_example_gen.known import OFFICIAL_FINGERPRINT
from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer.errors import ConfigError
from pipeline import comparison, config, published

METHODS = "compare.methods=[rkd/seed,rkd/crd]"


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """A comparison on the sample; what is asked of it is not what it was checked with."""
    workdir = tmp_path_factory.mktemp("workdir")
    return comparison.make(
        config.load("seed", ["compare.methods=[rkd/seed]"]), workdir, str(SAMPLE)
    )


def planned(checked, *overrides, preset="seed", fingerprint=OFFICIAL_FINGERPRINT):
    run = config.load(preset, overrides)
    return comparison.ComparisonPlan(
        replace(checked.run, config=run, data_fingerprint=fingerprint),
        comparison.specifications(run.compare),
    )


def leaderboard(plan):
    from pipeline.graph.comparison import create_comparison

    nodes = {node.id: node for node in create_comparison(plan).components}
    collectors = [node for name, node in nodes.items() if name.startswith("TrialCollector.")]
    assert len(collectors) == plan.settings.trials
    trials = [
        trial
        for node in collectors
        for trial in json.loads(node.exec_properties["networks"]).values()
    ]
    source = nodes["Leaderboard"].exec_properties["published_source"]
    return {trial["row"]: trial["published"] for trial in trials}, source


def test_the_leaderboard_has_the_figures_of_the_rows(checked):
    found, source = leaderboard(planned(checked, METHODS, "compare.trials=2"))
    assert found == {
        "teacher": pytest.approx(0.7896),
        "baseline": pytest.approx(0.7176),
        "rkd_seed": pytest.approx(0.734),
        "rkd_crd": None,  # not a row of the table
    }
    assert source == config.load("seed").published.source


@pytest.mark.parametrize(
    "override",
    [
        "recipe.epochs=99",
        "teacher.recipe={epochs: 99}",
        "recipe.precision=bfloat16",
        "student.network=resnet8",
        "teacher.network=resnet20",
        "teacher.from=mine.keras",
        "data.limit=1000",
        "data.eval_fraction=0.1",
    ],
)
def test_another_setting_has_no_figures(checked, override):
    plan = planned(checked, METHODS, override)
    assert published.figures(plan.run) is None
    assert published.accuracy(plan.run, "teacher") is None


@pytest.mark.parametrize(
    "override",
    [
        "seed=7",
        "name=other",
        "data.path=cifar-100-python.tar.gz",
        "gate.min_accuracy=0.5",
        "recipe.epochs=100",
        "compare.trials=1",
        "teacher.cache_gigabytes=4",
    ],
)
def test_the_same_setting_keeps_its_figures(checked, override):
    assert published.accuracy(planned(checked, override).run, "teacher") == pytest.approx(0.7896)


@pytest.mark.parametrize("fingerprint", ["of-the-sample", None])
def test_other_data_or_data_that_is_not_known_yet_has_no_figures(checked, fingerprint):
    found, source = leaderboard(planned(checked, METHODS, fingerprint=fingerprint))
    assert set(found.values()) == {None}
    assert source == ""


def test_the_sample_is_other_data(checked):
    assert published.figures(checked.run) is None


def test_a_preset_that_is_not_a_published_one_has_no_figures(checked):
    assert published.figures(planned(checked, preset="cifar100").run) is None


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ((), 0.7274),
        (("method.hint_weight=2",), None),
        (("method.name=rkd", "method.preset=seed"), 0.734),
        (("method.name=rkd",), None),
        (("method=[{name: rkd, preset: seed}, {name: soft_logits, preset: seed}]",), None),
    ],
)
def test_a_runs_student_has_the_figure_of_its_method(checked, overrides, expected):
    run = planned(checked, *overrides, preset="seed-fitnet").run
    found = published.accuracy_of_method(run, run.config.method)
    assert found == (expected and pytest.approx(expected))


def test_figures_are_per_cent():
    with pytest.raises(ConfigError, match=r"published\.accuracy"):
        config.load("seed", ["published.accuracy.teacher=7896"])


@pytest.mark.slow
def test_the_official_archive_is_known_by_its_fingerprint(official_archive):
    assert reader.inspect(str(official_archive)).fingerprint == OFFICIAL_FINGERPRINT
