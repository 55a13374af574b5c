"""The page as a whole: the executor on the artifacts of a run."""

import base64
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components import artifacts as ours
from components.cifar100_example_gen.reader import read
from components.cifar100_example_gen.sample import SAMPLE
from components.decision import Decision
from components.model_report.component import ModelReportSpec
from components.profile import Profile
from kd_trainer.errors import DataError

pytestmark = pytest.mark.slow  # the run behind it is trained

VOID = {"meta", "link", "img", "wbr"}
# What a browser would fetch or run by itself.
FETCHING = {"src", "srcset", "href", "xlink:href", "data", "action", "poster", "background"}


class Page(HTMLParser):
    """Reads a page; fails on a tag that is not closed or was never opened."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.open, self.attributes = [], [], []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and text.strip():
            self.texts.setdefault(self.open[-1], []).append(text.strip())


def changed(run, key, file_name, change):
    path = Path(run[key].uri, file_name)
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def words(html):
    """The text that is read, without the style."""
    body = html.split("</style>")[1].replace("<wbr>", "")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_it_takes_what_the_run_makes(trained):
    assert set(trained) == set(ModelReportSpec.INPUTS)
    for key, parameter in ModelReportSpec.INPUTS.items():
        assert isinstance(trained[key], parameter.type)


def test_the_page_is_well_formed_and_needs_nothing_else(run, report):
    html = report(run).read_text(encoding="utf-8")
    page = Page(html)
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), f"{tag} {name}: a script"
        if name in FETCHING:
            assert value.startswith(("#", "data:")), f"{tag} {name}={value}"
    assert "script" not in page.tags
    assert "url(" not in html.replace("url(#arrow)", "")
    assert "@import" not in html
    assert "default-src 'none'" in html
    assert len(html) < 3_000_000


def test_headings_are_in_order_and_links_lead_somewhere(run, report):
    page = Page(report(run).read_text(encoding="utf-8"))
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    identities = [value for _, name, value in page.attributes if name == "id"]
    assert len(identities) == len(set(identities))
    links = {value[1:] for tag, name, value in page.attributes if (tag, name) == ("a", "href")}
    assert links
    assert links <= set(identities)


def test_every_figure_has_words_for_those_who_do_not_see_it(run, report):
    html = report(run).read_text(encoding="utf-8")
    for tag in re.findall(r"<svg[^>]*>|<img[^>]*>", html):
        assert re.search(r'(aria-label|alt)="[^"]{10,}"', tag), tag


def test_the_figures_are_those_of_the_artifacts(run, report):
    text = words(report(run).read_text(encoding="utf-8"))
    profile = Profile.model_validate_json(
        Path(run["profile"].uri, ours.ModelProfile.FILE_NAME).read_text(encoding="utf-8")
    )
    for network in profile.networks.values():
        for value in (network.top1, network.top5, network.agreement, network.calibration_error):
            assert f" {value:.2%} " in text
        assert f" {network.parameters:,} " in text
    destination = run["pushed_model"].get_string_custom_property("pushed_destination")
    assert f"In service as version 1795368993 at {destination}" in text
    assert "Compared with resnet8, from scratch: no other model has been pushed yet." in text
    for key in ("gate.min_accuracy", "gate.min_change", "gate.max_bytes"):
        assert text.count(key) == 1
    history = json.loads(Path(run["student_run"].uri, "history.json").read_text(encoding="utf-8"))
    assert f" {100 * history[-1]['val_accuracy']:.3g}% " in text
    assert "resnet8, fitnet (upstream)" in text
    # Stages and every loss term.
    for name in ("hint", "task", "loss", "learning rate"):
        assert f" {name} " in text
    assert "run 20261122-173314.590784" in text


def test_the_images_are_the_ones_that_only_the_teacher_gets_right(run, report):
    html = report(run).read_text(encoding="utf-8")
    test = read(str(SAMPLE), "test", 300)
    by_bytes = {
        image.tobytes(): label for image, label in zip(test.images, test.labels, strict=True)
    }
    names = Profile.model_validate_json(
        Path(run["profile"].uri, ours.ModelProfile.FILE_NAME).read_text(encoding="utf-8")
    ).class_names
    shown = re.findall(r'<img src="data:image/png;base64,([^"]+)"[^>]*alt="(\w+), which', html)
    with np.load(Path(run["profile"].uri, ours.ModelProfile.PREDICTIONS_NAME)) as arrays:
        student, teacher = arrays["student"].argmax(1), arrays["teacher"].argmax(1)
        lost = int(((student != arrays["labels"]) & (teacher == arrays["labels"])).sum())
    assert len(shown) == min(lost, 24) > 0
    for png, name in shown:
        image = tf.io.decode_png(base64.b64decode(png)).numpy()
        assert names[by_bytes[image.tobytes()]] == name


def test_only_classes_that_occur_are_shown(run, report):
    text = words(report(run).read_text(encoding="utf-8"))
    test = read(str(SAMPLE), "test", 300)
    assert f"{len(np.unique(test.labels))} classes" in text
    assert f"{len(np.unique(test.coarse_labels))} superclasses" in text


def test_lineage_names_every_artifact_and_its_hash(run, report):
    html = report(run).read_text(encoding="utf-8")
    for key in ("examples", "schema", "teacher", "baseline", "student", "evaluation", "profile"):
        assert f">#{run[key].id}</text>" in html
    fingerprint = run["examples"].get_string_custom_property("data_fingerprint")
    assert f"data_fingerprint: {fingerprint}" in html  # whole, in the tooltip
    assert f">sha256 {fingerprint[:8]}…" in html


def test_how_to_run_it_again(run, report):
    html = report(run).read_text(encoding="utf-8")
    command = "tfx-distill run --preset quick --set &#39;teacher.recipe={epochs: 2}&#39;"
    assert f"git checkout 67d9c0e{'0' * 33} && {command}</pre>" in html.replace("&amp;", "&")
    assert "The working tree differed" not in html


def test_a_modified_checkout_and_an_unknown_revision_are_said(run, report):
    name = ours.RunRecord.FILE_NAME
    changed(run, "run_record", name, lambda record: record["code"].update(modified=True))
    assert "The working tree differed" in report(run).read_text(encoding="utf-8")
    changed(
        run, "run_record", name, lambda record: record["code"].update(modified=False, revision="")
    )
    html = report(run).read_text(encoding="utf-8")
    assert "The revision is not known" in html
    assert "git checkout" not in html


def test_a_refused_student(run, report):
    def refuse(decision):
        decision["blessed"] = False
        decision["bounds"][1]["passed"] = False
        decision["bounds"][-1]["passed"] = False

    changed(run, "decision", ours.GateDecision.FILE_NAME, refuse)
    pushed = standard_artifacts.PushedModel()
    pushed.uri, pushed.id = run["pushed_model"].uri, 99
    pushed.set_int_custom_property("pushed", 0)
    run["pushed_model"] = pushed
    html = report(run).read_text(encoding="utf-8")
    decision = Decision.model_validate_json(
        Path(run["decision"].uri, ours.GateDecision.FILE_NAME).read_text(encoding="utf-8")
    )
    assert '<h1 class="refuse">Refused</h1>' in html
    refused_by = "gate.min_change, gate.max_superclass_drop"
    assert f"Nothing was pushed: refused by {refused_by}." in words(html)
    shown, folded = words(html).split("more, each for a superclass, all passed")
    assert shown.count("✗ refuse") == 2
    assert "✗ refuse" not in folded
    assert f" {decision.bounds[-1].slice} " in shown
    assert ">not pushed</text>" in html


def test_rebaseline_and_champion_are_said(run, report):
    changed(
        run,
        "decision",
        ours.GateDecision.FILE_NAME,
        lambda decision: decision.update(
            rebaseline=True,
            baseline="champion",
            champion_version="1700000000",
            baseline_reason="version 1700000000 is the newest pushed one",
        ),
    )
    text = words(report(run).read_text(encoding="utf-8"))
    assert "Compared with version 1700000000: version 1700000000 is the newest pushed one." in text
    assert "Comparisons with the baseline were set aside on purpose" in text


def test_an_imported_teacher_has_no_curves(run, report):
    del run["teacher_run"]
    run["teacher"].set_string_custom_property("sha256", "ab" * 32)

    def own(record):
        record["config"]["teacher"].update({"network": None, "from": "/nets/big.keras"})

    changed(run, "run_record", ours.RunRecord.FILE_NAME, own)
    html = report(run).read_text(encoding="utf-8")
    assert "The teacher was imported" in html
    assert "<strong>big.keras</strong>" in html
    assert ">imported abababab…</text>" in html
    assert f"sha256: {'ab' * 32}" in html


def test_lite_models_have_a_row(run, report):
    def add(profile):
        lite = {**profile["networks"]["student"], "parameters": None, "bytes": 91_000}
        profile["networks"]["tflite int8"] = lite

    changed(run, "profile", ours.ModelProfile.FILE_NAME, add)
    text = words(report(run).read_text(encoding="utf-8"))
    assert re.search(r"tflite int8 resnet8, converted .*? – 91\.0 kB", text)


def test_what_comes_from_outside_is_escaped(run, report, tmp_path):
    evil = "<script>alert(1)</script>\"'&"

    def data(record):
        record["config"]["data"]["path"] = f"/data/{evil}"
        record["command"] += ["--data", f"/data/{evil}"]

    def classes(profile):
        profile["class_names"] = [f"{name}{evil}" for name in profile["class_names"]]
        profile["superclass_names"] = [f"{name}{evil}" for name in profile["superclass_names"]]

    def reason(decision):
        decision["baseline_reason"] = evil
        decision["bounds"][0]["slice"] = evil

    changed(run, "run_record", ours.RunRecord.FILE_NAME, data)
    changed(run, "profile", ours.ModelProfile.FILE_NAME, classes)
    changed(run, "decision", ours.GateDecision.FILE_NAME, reason)
    run["student"].set_string_custom_property("method", evil)
    run["examples"].set_string_custom_property("source", evil)
    run["pushed_model"].set_string_custom_property("pushed_destination", f"{tmp_path}/{evil}")
    html = report(run).read_text(encoding="utf-8")
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(1)") > 20
    page = Page(html)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


def test_predictions_of_other_images_are_refused(run, report):
    path = Path(run["profile"].uri, ours.ModelProfile.PREDICTIONS_NAME)
    with np.load(path) as file:
        arrays = {name: values[:-1] for name, values in file.items()}
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=r"299 images, which are not those of the 300 images"):
        report(run)
    assert not list(path.parents[1].rglob(ours.ReportPage.FILE_NAME))
