"""The command `methods`: what distillation methods there are, and the page of each."""

import inspect
import sys
from itertools import groupby
from typing import get_args

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kd_trainer.methods import METHODS, Method, method_class
from kd_trainer.methods.base import Category
from pipeline import loading

_CATEGORIES = get_args(Category)


def list_methods() -> int:
    """Prints the methods by category, a line each."""
    console = Console(highlight=False)
    with loading.silently():  # Keras
        classes = {name: method_class(name) for name in METHODS}
    by_category = sorted(
        classes, key=lambda name: (_CATEGORIES.index(classes[name].CATEGORY), name)
    )
    for category, names in groupby(by_category, lambda name: classes[name].CATEGORY):
        console.print(f"\n[bold]{category}[/]")
        table = Table.grid(padding=(0, 2))
        for name in names:
            table.add_row(f"  {name}", page(classes[name]).splitlines()[0])
        console.print(table)
    console.print(
        "\nA method's page: tfx-distill methods NAME. Use it: tfx-distill run --set method=NAME; "
        "several together:\n--set 'method=[soft_logits, {name: attention_transfer, weight: 0.5}]'.",
        markup=False,
    )
    return 0


def show_method(name: str) -> int:
    """Prints a method's page and the hyper-parameters of its presets.

    Raises:
      ConfigError: no method has that name; the nearest ones are named.
    """
    console = Console(highlight=False)
    with loading.silently():
        cls = method_class(name)
    console.print(f"[bold]{name}[/] ({cls.CATEGORY})\n")
    console.print(page(cls), markup=False, soft_wrap=True)
    console.print("\n[bold]hyper-parameters[/] and their values by preset, the default one first\n")
    configs = {name: cls.Config.model_validate(values) for name, values in cls.PRESETS.items()}
    table = Table.grid(padding=(0, 2))
    for key, field in cls.Config.model_fields.items():
        table.add_row(f"  {key}", field.description or "")
        presets_by_value: dict[str, list[str]] = {}
        for preset, config in configs.items():
            presets_by_value.setdefault(_text(getattr(config, key)), []).append(preset)
        for value, presets in presets_by_value.items():
            table.add_row("", f"[dim]{', '.join(presets)}:[/] {escape(value)}")
    console.print(table)
    console.print(
        f"\ntfx-distill run --set method.name={name} --set method.preset={list(cls.PRESETS)[-1]}",
        markup=False,
    )
    return 0


def page(cls: type[Method]) -> str:
    """Returns a method's documentation, its module's docstring."""
    return inspect.getdoc(sys.modules[cls.__module__]) or ""


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(_text(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
