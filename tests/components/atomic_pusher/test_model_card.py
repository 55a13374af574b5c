import ast
import html
import re
import shlex
from typing import Any

import pytest
import yaml
from jinja2 import UndefinedError

from components.atomic_pusher.model_card import render
from components.decision import Decision
from components.profile import Profile

NASTY = "a|b\n| c | `d` <e> [f](g) *h* _i_ ## &amp; ~~j~~\r\n---\n"


def front_matter(card: str) -> Any:
    opening, matter, _ = card.split("---\n", 2)
    assert opening == ""
    return yaml.safe_load(matter)


def tables(card: str) -> dict[str, list[dict[str, str]]]:
    """The tables of a card by the heading above, read as Markdown shows them."""
    found: dict[str, list[dict[str, str]]] = {}
    for section in re.split(r"^## ", card, flags=re.MULTILINE)[1:]:
        lines = [line for line in section.splitlines() if line.startswith("|")]
        if lines:
            header, rule, *rows = [
                [html.unescape(cell.strip()) for cell in line.strip().strip("|").split("|")]
                for line in lines
            ]
            assert set("".join(rule)) == {"-"}
            assert all(len(row) == len(header) for row in rows)
            found[section.splitlines()[0]] = [dict(zip(header, row, strict=True)) for row in rows]
    return found


def test_the_front_matter_is_hugging_faces(profile: Profile, decision: Decision, run: dict) -> None:
    matter = front_matter(render(profile, decision, run))
    assert matter["pipeline_tag"] == "image-classification"
    assert {"image-classification", "knowledge-distillation", "tfx"} <= set(matter["tags"])
    assert matter["datasets"] == ["cifar100"]
    assert "license" not in matter  # nobody has said which
    (model,) = matter["model-index"]
    assert model["name"] == run["config"]["name"]
    (result,) = model["results"]
    assert result["dataset"]["split"] == "test"
    assert {metric["name"]: metric["value"] for metric in result["metrics"]} == {
        "top-1 accuracy": profile.networks["student"].top1,
        "top-5 accuracy": profile.networks["student"].top5,
    }


def test_the_results_are_those_of_the_profile(
    profile: Profile, decision: Decision, run: dict
) -> None:
    rows = tables(render(profile, decision, run))["Results"]
    assert [row["network"] for row in rows] == list(profile.networks)
    for row, network in zip(rows, profile.networks.values(), strict=True):
        shares = {
            "top-1": network.top1,
            "top-5": network.top5,
            "calibration error": network.calibration_error,
            "agreement": network.agreement,
        }
        for column, value in shares.items():
            assert float(row[column].removesuffix("%")) == pytest.approx(100 * value, abs=0.005)
        assert float(row["divergence"]) == pytest.approx(network.divergence, abs=5e-5)
        assert float(row["ms an image"]) == pytest.approx(network.latency_ms, abs=0.005)
        assert int(row["bytes"].replace(",", "")) == network.bytes
        if network.parameters is None:
            assert row["parameters"] == ""
        else:
            assert int(row["parameters"].replace(",", "")) == network.parameters


def test_the_bounds_are_those_of_the_decision(
    profile: Profile, decision: Decision, run: dict
) -> None:
    accuracy, drop, size = tables(render(profile, decision, run))["Decision"]
    assert accuracy == {
        "bound": "gate.min_accuracy",
        "metric": "top-1 accuracy",
        "of": "student",
        "slice": "overall",
        "found": "80.32%",
        "must be": "at least 61.23%",
        "passed": "yes",
    }
    assert drop["slice"] == "large_man-made_outdoor_things"
    assert (drop["found"], drop["must be"]) == ("-1.45%", "at most 2.67%")
    assert (size["found"], size["must be"]) == ("900,004 bytes", "at most 1,000,006 bytes")
    refused = decision.bounds[0].model_copy(update={"passed": False})
    card = render(profile, decision.model_copy(update={"bounds": [refused]}), run)
    assert [row["passed"] for row in tables(card)["Decision"]] == ["no"]


def test_it_says_how_the_student_came_to_be(
    profile: Profile, decision: Decision, run: dict
) -> None:
    card = render(profile, decision, run)
    assert decision.baseline_reason in card
    assert "soft_logits (crd)" in card
    training = {row["key"]: row["value"] for row in tables(card)["Training"]}
    config = run["config"]
    assert training["seed"] == "7"
    assert training["method.temperature"] == "2.0"
    assert training["recipe.milestones"] == "[0.3, 0.6, 0.8]"
    assert training["teacher.network"] == config["teacher"]["network"]
    assert training["teacher.taps"] == "{}"
    for section in ("recipe", "data"):
        assert {f"{section}.{key}" for key in config[section]} <= set(training)
    provenance = tables(card)["Provenance"]
    values = {value for row in provenance for value in row.values()}
    assert {run["code"]["revision"], run["code"]["fingerprint"], "3.10.13", "2.16.2"} <= values
    assert shlex.join(run["command"]) in card


def test_networks_of_the_users_own_are_called_by_their_files(
    profile: Profile, decision: Decision, run: dict
) -> None:
    run["config"]["teacher"] |= {"network": None, "from": "/nets/my_teacher.keras"}
    run["config"]["student"] |= {"network": None, "from": "/nets/my_student.keras"}
    card = render(profile, decision, run)
    assert "my_teacher.keras" in card.split("## ")[0]
    assert "my_student.keras" in card.split("## ")[0]


def test_each_method_of_a_combination_is_there(
    profile: Profile, decision: Decision, run: dict
) -> None:
    run["config"]["method"] = [
        {"name": "soft_logits", "preset": "crd", "temperature": 4.0, "weight": 1.0},
        {"name": "fitnet", "preset": "seed", "taps": ["stage2"], "weight": 0.5},
    ]
    card = render(profile, decision, run)
    assert "soft_logits (crd) + fitnet (seed)" in card
    training = {row["key"]: row["value"] for row in tables(card)["Training"]}
    assert training["method[0].temperature"] == "4.0"
    assert (training["method[1].taps"], training["method[1].weight"]) == ('["stage2"]', "0.5")


def test_a_rebaseline_and_edited_code_are_told(
    profile: Profile, decision: Decision, run: dict
) -> None:
    card = render(profile, decision, run)
    assert "set aside on purpose" not in card
    assert "modified" not in card
    run["code"]["modified"] = True
    card = render(profile, decision.model_copy(update={"rebaseline": True}), run)
    assert "set aside on purpose" in card
    assert f"{run['code']['revision']}, modified" in card


def test_text_of_the_configuration_stays_in_its_cell(
    profile: Profile, decision: Decision, run: dict
) -> None:
    run["config"]["data"]["path"] = run["config"]["teacher"]["from"] = NASTY
    run["config"]["teacher"]["network"] = None
    run["config"]["data"]["limit"] = 300
    run["command"] += ["--data", NASTY]
    (bound, *_) = decision.bounds
    nasty = {"bounds": [bound.model_copy(update={"metric": NASTY})], "baseline_reason": NASTY}
    card = render(profile, decision.model_copy(update=nasty), run)
    one_line = " ".join(NASTY.split())
    found = tables(card)
    assert {"key": "data.path", "value": one_line} in found["Training"]
    assert [row["metric"] for row in found["Decision"]] == [one_line]
    assert front_matter(card)["model-index"][0]["results"][0]["dataset"]["type"] == "cifar100"
    # Nothing of it is markup: neither in prose nor in a table.
    body = card.split("\n# quick\n")[1].split("## Provenance")[0]
    for markup in ("`d`", "<e>", "[f]", "*h*", "_i_", "~~j~~"):
        assert markup not in body
    # The command is there to be copied: as it is, in a block.
    block = card.split("made again by:\n\n")[1]
    assert all(line.startswith("    ") for line in block.splitlines())
    shown = "\n".join(line.removeprefix("    ") for line in block.split("\n"))
    assert shlex.split(shown) == run["command"]


def test_a_record_that_lacks_something_is_no_card_with_holes(
    profile: Profile, decision: Decision, run: dict
) -> None:
    del run["code"]["fingerprint"]
    with pytest.raises(UndefinedError, match="fingerprint"):
        render(profile, decision, run)


def test_tflite_is_told_of_where_it_is_pushed(
    profile: Profile, decision: Decision, run: dict
) -> None:
    assert "tflite/" in render(profile, decision, run)
    networks = {
        name: network for name, network in profile.networks.items() if not name.startswith("tflite")
    }
    card = render(profile.model_copy(update={"networks": networks}), decision, run)
    assert "tflite" not in card


def test_the_snippet_is_python(profile: Profile, decision: Decision, run: dict) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", render(profile, decision, run), re.DOTALL)
    ast.parse(snippet)
