"""The training curves of all methods in one figure."""

import io

from matplotlib import colormaps, rc_context
from matplotlib.figure import Figure

from components.leaderboard.table import Leaderboard
from components.leaderboard.trials import BASELINE, TEACHER, Row

_REFERENCES = {TEACHER: {"color": "#8a8f98", "linestyle": ":"}, BASELINE: {"color": "black"}}


def svg(board: Leaderboard) -> str:
    """Draws the accuracy of each epoch, the mean over the trials, as SVG.

    A method is named beside the table's order, so that the lines that end highest come first. An
    epoch of a stage that does not look at accuracy leaves a gap.
    """
    rows = [entry.row for entry in board.entries if entry.row.curve]
    # Text stays text, and the same table gives the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "tfx-distill"}):
        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.add_subplot()
        colours = iter(colormaps["turbo"].resampled(max(len(rows), 2)).colors)
        for row in rows:
            style = _REFERENCES.get(row.name) or {"color": next(colours)}
            axes.plot(range(1, len(row.curve) + 1), _percent(row), label=row.name, lw=1.5, **style)
        axes.set_xlabel("epoch")
        axes.set_ylabel("accuracy, %")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize="small")
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def _percent(row: Row) -> list[float]:
    return [float("nan") if value is None else 100 * value for value in row.curve]
