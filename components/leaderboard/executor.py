"""What Leaderboard runs."""

import json
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact

from components.artifacts import ComparisonTable
from components.leaderboard import curves, page
from components.leaderboard.table import Leaderboard, comma_separated, markdown
from components.leaderboard.trials import Trial, rows

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Reads what each network's Evaluator and training wrote, and writes the table."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Writes `leaderboard.csv`, `leaderboard.md`, `leaderboard.html` and `curves.svg`.

        Args:
          input_dict: `<trial>_evaluation` and, unless it was trained elsewhere,
            `<trial>_model_run` of each.
          output_dict: `table`.
          exec_properties: as `Leaderboard` takes them, `trials` as JSON.
        """
        found = [
            _trial(key, described, input_dict)
            for key, described in json.loads(exec_properties["trials"]).items()
        ]
        board = Leaderboard(rows(found), exec_properties["published_source"])
        (table,) = output_dict["table"]
        folder = Path(table.uri)
        folder.mkdir(parents=True, exist_ok=True)
        figure = curves.svg(board)
        for name, text in {
            ComparisonTable.CSV_NAME: comma_separated(board),
            ComparisonTable.MARKDOWN_NAME: markdown(board),
            ComparisonTable.CURVES_NAME: figure,
            ComparisonTable.PAGE_NAME: page.render(board, figure),
        }.items():
            (folder / name).write_text(text, encoding="utf-8")
        if board.methods:
            best = board.methods[0]
            assert best.gain is not None  # all methods have one
            table.set_string_custom_property("best", best.row.name)
            table.set_float_custom_property("best_top1", best.row.mean)
            table.set_float_custom_property("best_gain", best.gain.mean)


def _trial(key: str, described: dict[str, Any], input_dict: Artifacts) -> Trial:
    # TFMA is loaded where it is needed: the component's definition is not.
    from components import evaluation
    from components.student_gate.rules import TOP1

    (measured,) = input_dict[f"{key}_evaluation"]
    history = []
    if run := input_dict.get(f"{key}_model_run"):
        history = json.loads((Path(run[0].uri) / "history.json").read_text())
    validated = [row["val_accuracy"] for row in history if "val_accuracy" in row]
    return Trial(
        **described,
        accuracy=evaluation.metrics(measured.uri, "candidate")[()][TOP1],
        last=validated[-1] if validated else None,
        best=max(validated, default=None),
        curve=tuple(row.get("val_accuracy", row.get("accuracy")) for row in history),
        seconds=sum(row["seconds"] for row in history),
    )
