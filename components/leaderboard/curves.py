"""The training curves of all methods in one figure."""

import io
import math

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from components.leaderboard.table import Leaderboard
from components.leaderboard.trials import BASELINE, TEACHER, Row

_REFERENCES = {TEACHER: {"color": "#8a8f98", "linestyle": ":"}, BASELINE: {"color": "black"}}
# Text stays text, and the same table gives the same file.
_SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "tfx-distill", "lines.linewidth": 1.5}


def svg(board: Leaderboard) -> str:
    """Draws the accuracy of each epoch, the mean over the trials, as SVG.

    All epochs, and beside them the last ones, where the lines lie close, all to the same end.
    Methods are listed and coloured in the table's order. An epoch of a stage that does not look at
    accuracy leaves a gap.
    """
    rows = [entry.row for entry in board.entries if entry.row.curve]
    last = math.ceil(min((len(row.curve) for row in rows), default=1) / 3)
    with rc_context(_SETTINGS):
        figure = Figure(figsize=(11, 5), layout="constrained")
        panels = figure.subplots(1, 2)
        # Neither end of the map: black is the baseline's.
        colours = iter(colormaps["turbo"](np.linspace(0.08, 0.95, len(rows))))
        for number, row in enumerate(rows):
            style = _REFERENCES.get(row.name) or {
                "color": next(colours),
                "linestyle": ("-", "--")[number % 2],
            }
            values = _percent(row)
            panels[0].plot(range(1, len(values) + 1), values, label=row.name, **style)
            panels[1].plot(range(last - 1, -1, -1), values[-last:], **style)
        for axes, label in zip(panels, ("epoch", "epochs before the last"), strict=True):
            axes.set_xlabel(label)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
        panels[1].invert_xaxis()
        panels[0].set_ylabel("accuracy, %")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside right center", frameon=False, fontsize="small")
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def _percent(row: Row) -> list[float]:
    return [float("nan") if value is None else 100 * value for value in row.curve]
