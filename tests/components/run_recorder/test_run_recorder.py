import json
from pathlib import Path

import pytest

from components.artifacts import RunRecord
from components.run_recorder import origin
from components.run_recorder.component import RunRecorder
from components.run_recorder.executor import Executor
from kd_trainer import methods
from kd_trainer.errors import ConfigError
from pipeline import config as run_config
from pipeline.run_record import settings

CONFIG = settings(run_config.load("quick", ["data.path=/data"]))
RUN = {
    "command": ["tfx-distill", "run", "--set", "data.path=/ä b"],
    "config": CONFIG,
    "code": {"revision": "a" * 40, "modified": False, "fingerprint": "f" * 64},
    "environment": {"python": "3.10.13"},
}
GIVEN = {
    "data_uri": "/data",
    "method": json.dumps(CONFIG["method"]),
    "method_preset": "",
    "gate": json.dumps({key: value for key, value in CONFIG["gate"].items() if key != "baseline"}),
    "baseline": CONFIG["gate"]["baseline"],
}


def recorded(folder: Path, run: dict = RUN, **given: str) -> tuple[dict, RunRecord]:
    recorder = RunRecorder(run=run, **{**GIVEN, **given})
    record = RunRecord()
    record.uri = str(folder / "record")
    Executor().Do({}, {"run_record": [record]}, dict(recorder.exec_properties))
    return json.loads((folder / "record" / "run.json").read_text(encoding="utf-8")), record


def test_the_record_is_kept_as_it_was_given(tmp_path: Path) -> None:
    document, record = recorded(tmp_path)
    assert document == RUN
    assert record.get_string_custom_property("name") == "quick"
    assert record.get_string_custom_property("revision") == "a" * 40


def test_what_the_nodes_are_given_is_what_is_recorded(tmp_path: Path) -> None:
    document, _ = recorded(
        tmp_path,
        data_uri="/other",
        method="fitnet",
        method_preset="paper",
        gate="{min_top5: 0.9}",
        baseline="from_scratch",
    )
    config = document["config"]
    assert config["data"] == {**CONFIG["data"], "path": "/other"}
    assert config["method"] == methods.resolve({"name": "fitnet", "preset": "paper"})
    bounds = {key for key, value in config["gate"].items() if value not in (None, False)}
    assert bounds == {"min_top5", "baseline"}
    assert config["gate"]["baseline"] == "from_scratch"
    assert run_config.validate(config)  # it is a configuration that can be run


def test_code_and_machine_are_those_it_runs_on_if_they_were_not_known(tmp_path: Path) -> None:
    document, _ = recorded(tmp_path, {key: RUN[key] for key in ("command", "config")})
    assert document["code"] == origin.code()
    assert document["environment"] == origin.environment()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"method": "fitnett"}, "'fitnet'"),
        ({"method_preset": "papper"}, "'papper'"),
        ({"method": "[fitnet, kd_svd]", "method_preset": "paper"}, "method_preset: found 'paper'"),
        ({"method": "3"}, "expected a method's name"),
        ({"gate": "0.6"}, "expected bounds"),
        ({"gate": "{min_acuracy: 0.6}"}, "'min_accuracy'"),
        ({"gate": "{min_accuracy: 1.6}"}, "gate.min_accuracy"),
        ({"gate": "{}"}, "there is no bound"),
    ],
)
def test_wrong_parameters_of_a_run_are_told_at_its_start(
    tmp_path: Path, given: dict, expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected.replace("[", r"\[")):
        recorded(tmp_path, **given)
    assert not list(tmp_path.iterdir())


def test_the_cache_sees_each_part_of_it() -> None:
    properties = [
        RunRecorder(run={**RUN, key: changed}, **GIVEN).exec_properties
        for key, changed in [("command", []), ("code", {}), ("environment", {}), ("config", {})]
    ]
    assert RunRecorder(run=RUN, **GIVEN).exec_properties not in properties
    same = RunRecorder(run=dict(RUN), **GIVEN)
    assert same.exec_properties == RunRecorder(run=RUN, **GIVEN).exec_properties
