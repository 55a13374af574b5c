"""What the presets are, and how one extends another."""

import pytest

from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer import methods
from kd_trainer.errors import ConfigError
from pipeline import comparison, config, plan, presets

TABLES = ["seed", "upstream", "crd", "mdistiller"]
ROWS = {name: table for table in TABLES for name in presets.names() if name.startswith(f"{table}-")}
SEED = {
    "teacher": 78.96,
    "baseline": 71.76,
    "soft_logits": 71.79,
    "fitnet": 72.74,
    "attention_transfer": 72.31,
    "fsp": 72.65,
    "dml": 73.27,
    "kd_svd": 73.68,
    "activation_boundary": 72.80,
    "rkd": 73.40,
}


def test_presets_are_those_that_run_the_tables_and_their_rows():
    assert set(presets.names()) == {"quick", "cifar100", *TABLES, *ROWS}


@pytest.mark.parametrize("name", ["quick", "cifar100", *TABLES])
def test_a_preset_is_a_pipeline(name):
    assert config.load(name).name == name


@pytest.mark.parametrize("name", ["cifar100", *TABLES, *ROWS])
def test_no_preset_but_quick_takes_the_sample_unasked(name, tmp_path):
    with pytest.raises(ConfigError, match=rf"no data for '{config.load(name).name}'.*--data PATH"):
        plan.locate(config.load(name), tmp_path)
    assert plan.locate(config.load(name, ["data.sample=true"]), tmp_path) == str(SAMPLE)
    assert plan.locate(config.load("quick"), tmp_path) == str(SAMPLE)
    assert plan.locate(config.load("quick", ["data.path=/data"]), tmp_path) == "/data"


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_its_tables_but_for_the_method(name):
    row, table = config.load(name), config.load(ROWS[name])
    assert row.published == table.published
    changed = {"method": table.method, "compare": table.compare}
    assert row.model_copy(update=changed) == table
    method = f"{row.method['name']}/{row.method['preset']}"
    assert row.compare.methods == [method]
    assert row.compare.trials == 5
    head = (presets.FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert head.endswith(f": {table.published.accuracy[method]:.2f} %.")


@pytest.mark.parametrize("table", TABLES)
def test_a_table_compares_its_rows_alone(table):
    run = config.load(table)
    figures = dict(run.published.accuracy)
    for reference in ("teacher", "baseline"):
        figures.pop(reference, None)
    assert run.compare.methods == list(figures)
    assert run.compare.trials == 5
    rows = [config.load(name).compare.methods for name in ROWS if ROWS[name] == table]
    assert sorted(rows) == sorted([row] for row in figures)
    specs = comparison.specifications(run.compare).values()
    assert all(methods.own_part(spec).keys() == {"name", "preset"} for spec in specs)


def test_the_seeds_table():
    run = config.load("seed")
    figures = {row.split("/")[0]: figure for row, figure in run.published.accuracy.items()}
    assert figures == SEED
    assert (run.teacher.network, run.student.network) == ("resnet32x4", "resnet8x4")
    assert run.recipe == config.load("cifar100").recipe
    assert run.recipe.keep == "last"


def test_the_table_of_crd():
    recipe = config.load("crd").recipe
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (240, 64, 0.05)
    assert [share * recipe.epochs for share in recipe.milestones] == [150, 180, 210]
    assert (recipe.nesterov, recipe.momentum, recipe.weight_decay) == (False, 0.9, 5e-4)
    assert (recipe.pad_mode, recipe.crop_padding) == ("constant", 4)
    assert config.load("mdistiller").recipe == recipe
    assert config.load("crd").teacher.recipe == recipe


@pytest.mark.parametrize(
    ("table", "initialised", "epochs"),
    [
        ("seed", {"fitnet", "fsp", "activation_boundary"}, 40),
        ("upstream", {"factor_transfer", "mhgd"}, 40),
        ("crd", {"fsp", "activation_boundary", "factor_transfer"}, 30),
        ("mdistiller", set(), 0),
    ],
)
def test_initialisation_has_the_epochs_of_the_table(table, initialised, epochs):
    run = config.load(table)
    for spec in comparison.specifications(run.compare).values():
        *first, last = methods.create(spec).stages(run.recipe.epochs)
        assert last.epochs == run.recipe.epochs
        found = [stage.epochs for stage in first]
        assert found == ([epochs] if spec["name"] in initialised else [])


@pytest.mark.slow
@pytest.mark.parametrize("name", presets.names())
def test_every_preset_fits_its_networks(name, tmp_path):
    assert plan.make(config.load(name), tmp_path, str(SAMPLE)).config.name


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes presets in place of ours."""
    monkeypatch.setattr(presets, "FOLDER", tmp_path)

    def write(**documents):
        for name, text in documents.items():
            (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")

    return write


def test_sections_stand_in_the_extended_presets_place(written):
    written(
        base="{name: base, seed: 1, method: {name: rkd, angle_weight: 7}}",
        middle="{extends: base, seed: 2}",
        top="{extends: middle, method: {name: fitnet}}",
    )
    assert presets.read("top") == {"name": "base", "seed": 2, "method": {"name": "fitnet"}}
    assert presets.read("base")["seed"] == 1


@pytest.mark.parametrize(
    ("extended", "expected"),
    [
        ("bse", ["'top' extends 'bse', which is none", "Did you mean 'base'"]),
        ("[base]", ["extends ['base'], which is none", "Known: base, middle, top"]),
        ("middle", ["'middle' extends 'top'", "top -> middle -> top", "Leave 'extends' out"]),
        ("top", ["top -> top"]),
    ],
)
def test_what_cannot_be_extended_is_named(extended, expected, written):
    written(base="name: base", middle="extends: top", top=f"extends: {extended}")
    with pytest.raises(ConfigError) as error:
        presets.read("top")
    for part in expected:
        assert part in str(error.value)
