import json
import multiprocessing
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tfx.types import standard_artifacts

from components import provenance
from components.artifacts import (
    DistillationSummary,
    GateDecision,
    LiteModels,
    ModelProfile,
    RunRecord,
)
from components.atomic_pusher.executor import Executor
from components.atomic_pusher.model_card import render
from components.decision import Decision
from components.profile import Profile
from components.serving_versions import in_service, versions, withdraw
from kd_trainer.errors import ConfigError
from kd_trainer.methods import resolve

SAVED_MODEL = {"saved_model.pb": 1, "assets/class_names.txt": 10, "variables/variables.data": 10**6}
TFLITE = dict.fromkeys(LiteModels.FILE_NAMES.values(), 100_000)

# Looks as TensorFlow Serving does: at the numbered folders, again and again. Everything in a new
# one is read at once, and must be of the letter that its saved_model.pb is.
READER = """
import json, os, sys
serving, sizes = sys.argv[1], json.loads(sys.argv[2])
seen, wrong, looks, last = [], [], 0, False
print("looking", flush=True)
while True:
    last = os.path.exists(serving + "/../done")
    names = [name for name in os.listdir(serving) if name.isdigit()]
    for name in sorted(set(names) - set(seen)):
        seen.append(name)
        try:
            letter = open(f"{serving}/{name}/saved_model.pb").read()
            for file, size in sizes.items():
                if open(f"{serving}/{name}/{file}").read() != letter * size:
                    wrong.append(f"{name}/{file}")
            if not open(f"{serving}/{name}/README.md").read().endswith("seed=7\\n"):
                wrong.append(f"{name}/README.md")
        except OSError as error:
            wrong.append(str(error))
    looks += 0 < len(names) < 30
    if last:
        break
print(json.dumps({"seen": seen, "wrong": wrong, "looks": looks}))
"""


def fill(folder: Path, sizes: dict[str, int], letter: str) -> None:
    for name, size in sizes.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(letter * size, encoding="utf-8")


def content(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


class Pusher:
    """Pushes by the executor, from artifacts as the nodes before it leave them."""

    def __init__(self, folder: Path, profile: Profile, decision: Decision, run: dict[str, Any]):
        self.folder, self.serving = folder, folder / "serving"
        self.profile, self.decision, self.run = profile, decision, run
        self.summary = {key: run["config"][key] for key in ("method", "seed")}

    def artifact(self, kind: type, key: str, files: dict[str, str] | None = None) -> Any:
        made = kind()
        made.uri = str(self.folder / "artifacts" / key)
        for name, text in (files or {}).items():
            path = Path(made.uri, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return made

    def __call__(
        self,
        letter: str,
        *,
        blessed: bool = True,
        lite: str | None = None,
        compared: str | None = None,
    ) -> Any:
        """Pushes a model, and with it TFLite files, whose content is a letter each.

        It was compared with a version, "" for none; by default with what is in service.
        """
        model = self.folder / "artifacts" / "model" / "Format-Serving"
        fill(model, SAVED_MODEL, letter)
        if compared is None:
            compared = Path(in_service(str(self.serving), str(model)) or "").name
        decided = self.decision.model_copy(update={"in_service": compared})
        blessing = self.artifact(standard_artifacts.ModelBlessing, "blessing")
        blessing.set_int_custom_property("blessed", int(blessed))
        documents = {
            "decision": (GateDecision, decided.model_dump_json()),
            "profile": (ModelProfile, self.profile.model_dump_json()),
            "run_record": (RunRecord, json.dumps(self.run)),
            "summary": (DistillationSummary, json.dumps(self.summary)),
        }
        inputs = {
            "model": [self.artifact(standard_artifacts.Model, "model")],
            "model_blessing": [blessing],
            **{
                key: [self.artifact(kind, key, {kind.FILE_NAME: text})]
                for key, (kind, text) in documents.items()
            },
        }
        if lite:
            inputs["lite"] = [self.artifact(LiteModels, "lite")]
            fill(self.folder / "artifacts" / "lite", TFLITE, lite)
        pushed = self.artifact(standard_artifacts.PushedModel, "pushed_model")
        exec_properties = {
            "push_directory": str(self.serving),
            "observed_version": "",
            "code_fingerprint": "",
        }
        Executor().Do(inputs, {"pushed_model": [pushed]}, exec_properties)
        return pushed

    def versions(self) -> list[Path]:
        return [Path(path) for path in versions(str(self.serving))]


@pytest.fixture
def pusher(tmp_path: Path, profile: Profile, decision: Decision, run: dict[str, Any]) -> Pusher:
    return Pusher(tmp_path, profile, decision, run)


def test_a_blessed_model_is_pushed_with_its_card(pusher: Pusher, tmp_path: Path) -> None:
    pushed = pusher("a")
    [version] = pusher.versions()
    found = content(version)
    card = found.pop("README.md").decode()
    assert found.pop("provenance.json")
    assert found == content(tmp_path / "artifacts" / "model" / "Format-Serving")
    assert card == render(pusher.profile, pusher.decision, pusher.run)
    assert content(Path(pushed.uri)) == content(version)
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == str(version)
    assert pushed.get_string_custom_property("pushed_version") == version.name
    assert pushed.get_string_custom_property("rebaselined_over") == ""


def test_the_card_is_that_of_the_student_which_a_comparison_chose(pusher: Pusher) -> None:
    pusher.summary = {"method": resolve({"name": "rkd"}), "seed": 9}
    pusher("a")
    [version] = pusher.versions()
    card = (version / "README.md").read_text(encoding="utf-8")
    assert "was distilled into it by rkd (crd)" in card
    assert "| seed | 9 |" in card


def test_tflite_files_are_pushed_beside_the_saved_model(pusher: Pusher) -> None:
    pusher("a", lite="b")
    [version] = pusher.versions()
    for name, size in TFLITE.items():
        assert (version / "tflite" / name).read_text(encoding="utf-8") == "b" * size
    assert set(content(version)) == {
        "README.md",
        "provenance.json",
        *SAVED_MODEL,
        *(f"tflite/{name}" for name in TFLITE),
    }


def test_a_version_says_where_it_comes_from(pusher: Pusher) -> None:
    pusher.summary = {"method": resolve({"name": "rkd"}), "seed": 9}
    pusher("a")
    [version] = pusher.versions()
    found = provenance.read(str(version))
    assert found.decision == pusher.decision
    assert found.summary == pusher.summary
    # The record as it is: the seed there is the teacher's, too.
    assert found.run == pusher.run
    assert datetime.fromisoformat(found.time).tzinfo is not None


def test_a_model_that_is_not_blessed_is_not_pushed(pusher: Pusher) -> None:
    pushed = pusher("a", blessed=False)
    assert not pusher.serving.exists()
    assert not Path(pushed.uri).exists()
    assert pushed.get_int_custom_property("pushed") == 0


def test_the_same_model_is_not_pushed_twice(pusher: Pusher) -> None:
    pusher("a")
    [one] = pusher.versions()
    card = (one / "README.md").read_text(encoding="utf-8")
    # Other figures make another card, not another model.
    pusher.run["code"]["revision"] = "another"
    pushed = pusher("a")
    assert pusher.versions() == [one]
    assert (one / "README.md").read_text(encoding="utf-8") == card
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == str(one)
    assert content(Path(pushed.uri)) == content(one)
    # It is a new version again once another one has been in between.
    pusher("b")
    pusher("a")
    assert len(pusher.versions()) == 3


def test_other_tflite_files_are_another_version(pusher: Pusher) -> None:
    pusher("a")
    pusher("a", lite="b")
    assert len(pusher.versions()) == 2
    pusher("a", lite="b")
    assert len(pusher.versions()) == 2
    pusher("a", lite="c")
    assert len(pusher.versions()) == 3
    # Not asked for any more: the SavedModel that is in service is the same.
    pusher("a")
    assert len(pusher.versions()) == 3


def test_a_version_that_was_withdrawn_has_its_number_for_good(pusher: Pusher) -> None:
    for letter in "ab":
        pusher(letter)
    one, two = pusher.versions()
    withdraw(str(two), {})
    pusher("c")
    assert pusher.versions()[0] == one
    assert int(pusher.versions()[1].name) > int(two.name)


@pytest.mark.parametrize(
    ("rebaseline", "champion", "expected"),
    [(True, "17", "17"), (True, "", ""), (False, "17", "")],
)
def test_a_rebaseline_is_recorded(
    pusher: Pusher, rebaseline: bool, champion: str, expected: str
) -> None:
    found = {"rebaseline": rebaseline, "champion_version": champion}
    pusher.decision = pusher.decision.model_copy(update=found)
    assert pusher("a").get_string_custom_property("rebaselined_over") == expected


def test_a_record_without_what_the_card_says_pushes_nothing(pusher: Pusher) -> None:
    del pusher.run["config"]["recipe"]
    with pytest.raises(KeyError, match="recipe"):
        pusher("a")
    assert [path.name for path in pusher.serving.iterdir()] == [".lock"]


def test_what_was_pushed_since_the_comparison_is_not_pushed_over(pusher: Pusher) -> None:
    pusher("a")
    [first] = pusher.versions()
    overtaken = pusher("b", compared="")
    assert pusher.versions() == [first]
    assert overtaken.get_int_custom_property("pushed") == 0
    reason = overtaken.get_string_custom_property("reason")
    assert f"in service is version {first.name} now, and was none" in reason
    pusher("b", compared=first.name)
    assert len(pusher.versions()) == 2
    # Two of one comparison.
    assert pusher("c", compared=first.name).get_int_custom_property("pushed") == 0
    # The model that is in service need not have been compared with it.
    assert pusher("b", compared=first.name).get_int_custom_property("pushed") == 1
    assert len(pusher.versions()) == 2


def test_what_was_withdrawn_since_the_comparison_is_seen(pusher: Pusher) -> None:
    pusher("a")
    pusher("b")
    one, two = pusher.versions()
    withdraw(str(two), {})
    overtaken = pusher("c", compared=two.name)
    assert f"is version {one.name} now" in overtaken.get_string_custom_property("reason")
    assert pusher.versions() == [one]


@pytest.mark.parametrize("rebaseline", [False, True])
def test_a_rebaseline_is_over_one_champion_too(pusher: Pusher, rebaseline: bool) -> None:
    pusher.decision = pusher.decision.model_copy(update={"rebaseline": rebaseline})
    pusher("a")
    assert pusher("b", compared="").get_int_custom_property("pushed") == 0


def test_a_destination_that_cannot_be_locked(pusher: Pusher) -> None:
    pusher.serving.touch()  # is no folder
    with pytest.raises(ConfigError, match="serving' cannot be locked"):
        pusher("a")


ROUNDS = 3


def push_in_a_process(pusher: Pusher, letter: str, start: Any, results: Any) -> None:
    """Pushes when all are ready, over the version that all of them were compared with."""
    for number in range(ROUNDS):
        start.wait()
        compared = pusher.versions()[-1].name
        start.wait()
        pushed = pusher(f"{letter}{number}", compared=compared)
        results.put((number, f"{letter}{number}", pushed.get_int_custom_property("pushed")))


@pytest.mark.slow
def test_of_two_processes_at_once_one_pushes(pusher: Pusher, tmp_path: Path) -> None:
    pusher("0")
    spawn = multiprocessing.get_context("spawn")
    start, results = spawn.Barrier(2), spawn.Queue()
    processes = []
    for letter in "ab":
        other = Pusher(tmp_path / letter, pusher.profile, pusher.decision, pusher.run)
        other.serving = pusher.serving
        processes.append(
            spawn.Process(target=push_in_a_process, args=(other, letter, start, results))
        )
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
        assert process.exitcode == 0
    versions = pusher.versions()[1:]
    assert len(versions) == ROUNDS
    found = [results.get(timeout=10) for _ in range(2 * ROUNDS)]
    for number, version in enumerate(versions):
        pushed = {letter: told for of, letter, told in found if of == number}
        assert sorted(pushed.values()) == [0, 1]
        [winner] = [letter for letter, told in pushed.items() if told]
        assert (version / "saved_model.pb").read_text(encoding="utf-8") == winner


HOLDER = """
import sys
from components.serving_versions import locked
with locked(sys.argv[1]):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_a_pusher_waits_for_another_and_not_for_a_killed_one(pusher: Pusher) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(pusher.serving)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        encoding="utf-8",
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "locked\n"
        waiting = threading.Thread(target=pusher, args=("a",))
        waiting.start()
        waiting.join(timeout=2)
        assert waiting.is_alive()
        assert not pusher.versions()
        holder.kill()
        waiting.join(timeout=60)
        assert len(pusher.versions()) == 1


@pytest.fixture
def reader(pusher: Pusher) -> Any:
    """Starts a process that looks until it is told to end, and returns what it saw."""
    processes = []

    def start() -> Any:
        pusher.serving.mkdir(exist_ok=True)
        sizes = {**SAVED_MODEL, **{f"tflite/{name}": size for name, size in TFLITE.items()}}
        process = subprocess.Popen(
            [sys.executable, "-c", READER, str(pusher.serving), json.dumps(sizes)],
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        processes.append(process)
        assert process.stdout
        assert process.stdout.readline() == "looking\n"

        def result() -> dict[str, Any]:
            (pusher.folder / "done").touch()
            return json.loads(process.communicate(timeout=60)[0])

        return result

    yield start
    for process in processes:
        process.kill()


def test_a_reader_never_sees_a_part_of_a_version(pusher: Pusher, reader: Any) -> None:
    result = reader()
    for number in range(30):
        letter = chr(ord("A") + number)
        pusher(letter, lite=letter)
    saw = result()
    assert saw["wrong"] == []
    assert saw["seen"] == [path.name for path in pusher.versions()]
    assert len(saw["seen"]) == 30
    assert saw["looks"] > 1  # it looked while versions came


def test_the_reader_finds_a_version_that_was_copied_in_place(pusher: Pusher, reader: Any) -> None:
    pusher("a", lite="a")
    [version] = pusher.versions()
    (version / "variables" / "variables.data").write_text("a" * 1000, encoding="utf-8")
    assert reader()()["wrong"] == [f"{version.name}/variables/variables.data"]
