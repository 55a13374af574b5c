"""What Leaderboard runs."""

import json
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact

from components.artifacts import ComparisonTable, Trials
from components.leaderboard import curves, page
from components.leaderboard.table import Leaderboard, comma_separated, markdown
from components.leaderboard.trials import Trial, rows

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Reads what was measured of each network, and writes the table."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Writes `leaderboard.csv`, `leaderboard.md`, `leaderboard.html` and `curves.svg`.

        Args:
          input_dict: `trials_<number>` of each seed.
          output_dict: `table`.
          exec_properties: as `Leaderboard` takes them.
        """
        found = [trial for (artifact,) in input_dict.values() for trial in _trials(artifact)]
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


def _trials(artifact: Artifact) -> list[Trial]:
    listed = json.loads((Path(artifact.uri) / Trials.FILE_NAME).read_text(encoding="utf-8"))
    return [Trial(**{**trial, "curve": tuple(trial["curve"])}) for trial in listed]
