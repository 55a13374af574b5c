"""The table and the curves on one page."""

from pathlib import Path

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from components.leaderboard.noise import LEVEL
from components.leaderboard.table import Leaderboard
from components.model_report.formats import FILTERS
from components.model_report.page import TEMPLATES as REPORT_TEMPLATES

_TEMPLATES = Path(__file__).with_name("templates")


def render(board: Leaderboard, curves: str) -> str:
    """Renders a comparison.

    Args:
      board: what it has found.
      curves: the figure, an SVG file.

    Returns:
      HTML that needs no other file.
    """
    loaders = [FileSystemLoader(folder) for folder in (_TEMPLATES, REPORT_TEMPLATES)]
    environment = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    # Without what stands before the element in a file of its own.
    figure = Markup(curves[curves.index("<svg") :])  # ours: matplotlib escapes the names
    template = environment.get_template("leaderboard.html.j2")
    return template.render(board=board, curves=figure, level=LEVEL)
