import pytest

from benchmarks.accuracy import __main__ as benchmark
from benchmarks.accuracy import table
from benchmarks.accuracy.ledger import Ledger
from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer.methods import METHODS


def history(*accuracies):
    # A stage that does not read the logits measures no accuracy.
    return [{"stage": "hint"}, *({"val_accuracy": accuracy} for accuracy in accuracies)]


def test_a_run_that_is_finished_is_known_after_a_restart(tmp_path):
    ledger = Ledger(tmp_path / "runs.jsonl")
    ledger.add("rkd", 1, "rkd (crd)", history(0.2, 0.5, 0.4), 12.34)
    again = Ledger(tmp_path / "runs.jsonl")
    assert again.has("rkd", 1)
    assert not again.has("rkd", 0)
    assert not again.has("dkd", 1)
    [run] = again.runs
    assert (run["last"], run["best"], run["seconds"]) == (40.0, 50.0, 12.34)
    assert "last 40.00, best 50.00" in again.describe("rkd", 1)


def test_the_table_pairs_gains_by_seed_and_names_what_diverged(tmp_path):
    ledger = Ledger(tmp_path / "runs.jsonl")
    for seed, (alone, distilled) in enumerate([(0.5, 0.6), (0.7, 0.72)]):
        ledger.add("baseline", seed, "resnet8", history(alone), 1)
        ledger.add("rkd", seed, "rkd (crd)", history(distilled, distilled - 0.02), 1)
    ledger.add("fitnet/seed", 0, "fitnet (seed)", [], 1, failure="the loss is not finite")
    text = table.render(ledger, "a command", "a setting")
    [rkd] = [line for line in text.splitlines() if line.startswith("| rkd ")]
    cells = [cell.strip() for cell in rkd.strip("|").split("|")]
    # 58 and 70; 8 and 0 above their own baselines
    assert cells[2:7] == ["2", "64.00", "8.49", "66.00", "+4.00 ± 5.66"]
    [failed] = [line for line in text.splitlines() if line.startswith("| fitnet/seed ")]
    assert "diverged" in failed


def test_every_method_has_a_row_and_any_preset_may_be_one():
    names = [name for name, _ in benchmark.rows([])]
    assert names[0] == "baseline"
    assert set(METHODS) < set(names)
    [(_, spec)] = benchmark.rows(["fitnet/paper"])
    assert (spec["name"], spec["preset"]) == ("fitnet", "paper")
    [(_, both)] = benchmark.rows(["soft_logits + rkd/seed"])
    assert [member["preset"] for member in both] == ["crd", "seed"]


@pytest.mark.parametrize("classes", [3, 10])
def test_the_first_classes_of_the_data_are_numbered_from_0(classes):
    splits = benchmark.load(str(SAMPLE), classes)
    for split, of_a_class in [("train", 400), ("test", 80)]:
        labels = splits[split].labels.tolist()
        assert {label: labels.count(label) for label in set(labels)} == dict.fromkeys(
            range(classes), of_a_class
        )
        assert len(splits[split].images) == len(labels)
