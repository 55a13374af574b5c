import json
from pathlib import Path

from components.artifacts import RunRecord
from components.run_recorder.component import RunRecorder
from components.run_recorder.executor import Executor

RUN = {
    "command": ["tfx-distill", "run", "--set", "data.path=/ä b"],
    "config": {"name": "quick", "seed": 0},
    "code": {"revision": "a" * 40, "modified": False, "fingerprint": "f" * 64},
    "environment": {"python": "3.10.13"},
}


def test_the_record_is_kept_as_it_was_given(tmp_path: Path) -> None:
    recorder = RunRecorder(run=RUN)
    record = RunRecord()
    record.uri = str(tmp_path / "record")
    Executor().Do({}, {"run_record": [record]}, dict(recorder.exec_properties))
    assert json.loads((tmp_path / "record" / "run.json").read_text()) == RUN
    assert record.get_string_custom_property("name") == "quick"
    assert record.get_string_custom_property("revision") == "a" * 40


def test_the_cache_sees_each_part_of_it() -> None:
    properties = [
        RunRecorder(run={**RUN, key: changed}).exec_properties
        for key, changed in [("command", []), ("code", {}), ("environment", {}), ("config", {})]
    ]
    assert RunRecorder(run=RUN).exec_properties not in properties
    assert RunRecorder(run=dict(RUN)).exec_properties == RunRecorder(run=RUN).exec_properties
