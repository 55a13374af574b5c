"""The command `lineage`: where a pushed version comes from."""

import json
import shlex
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ml_metadata import metadata_store
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from kd_trainer import methods
from pipeline import lineage, pushes, version_lineage
from pipeline.history import History

_WIDTH = 10_000


def show(
    store: metadata_store.MetadataStore, version: str | None, name: str | None, as_json: bool
) -> int:
    """Prints the lineage of a version.

    Args:
      store: ML Metadata.
      version: None is the newest.
      name: look at this pipeline's versions alone.
      as_json: print the document, not a tree.

    Raises:
      ConfigError: there is no such version; those there are are named.
    """
    history = History(store)
    return _show(lineage.trace(history, pushes.find(history, version, name)), as_json)


def show_version(directory: str, version: str | None, as_json: bool) -> int:
    """Prints the lineage of a version, which lies in it.

    Args:
      directory: the push destination.
      version: None for the newest in service.
      as_json: as `show` does; what ML Metadata alone knows is null.

    Raises:
      ConfigError: there is no such version, or it does not tell where it comes from.
    """
    return _show(version_lineage.trace(version_lineage.find(directory, version)), as_json)


def _show(document: Mapping[str, Any], as_json: bool) -> int:
    if as_json:
        print(json.dumps(document, indent=1))
    else:
        # A file or another command gets whole lines.
        width = None if sys.stdout.isatty() else _WIDTH
        Console(highlight=False, width=width).print(_tree(document))
    return 0


def when(time: str) -> str:
    """Returns an ISO time as a person reads it, in the machine's time zone."""
    return f"{datetime.fromisoformat(time).astimezone():%Y-%m-%d %H:%M:%S}"


def _tree(document: Mapping[str, Any]) -> Tree:
    push, student, examples = document["push"], document["student"], document["examples"]
    tree = Tree(
        f"[bold]{escape(document['pipeline'])}, version {document['version']}[/], pushed "
        f"{when(push['time'])}" + (f" by the run {push['run']}" if push["run"] else "")
    )
    tree.add(f"in {escape(push['destination'])}")
    if push["rebaselined_over"]:
        tree.add(f"[yellow]rebaselined[/] over version {push['rebaselined_over']}")
    if push["withdrawn"]:
        tree.add(f"[red]withdrawn[/]: {escape(push['withdrawn_reason'] or 'no reason given')}")
    branch = _add(tree, "student", student, escape(student["network"]))
    if student["summary"]:
        branch.add(f"top-1 on test: {student['summary']['test']['student']['top1']:.2%}")
    _add_method(branch, student["method"])
    branch.add(f"recipe: {_settings(student['recipe'])}")
    branch.add(f"seed: {student['seed']}")
    _add_teacher(branch, document["teacher"], student)
    branch = _add(branch, "examples", examples, escape(str(examples["source"])))
    branch.add(", ".join(f"{count:,} {split}" for split, count in examples["counts"].items()))
    branch.add(f"archive's md5: {escape(str(examples['archive_md5']))}")
    branch.add(f"fingerprint of images and labels: {examples['data_fingerprint']}")
    _add(branch, "schema", document["schema"], escape(document["schema"]["file"]))
    _add_gate(tree, document["gate"], document["baseline"], student)
    for name, run in document["runs"].items():
        _add_run(tree, name, run)
    return tree


def _add(tree: Tree, role: str, made: Mapping[str, Any], what: str) -> Tree:
    removed = "  [yellow]files removed by gc[/]" if made["removed"] else ""
    known = made["artifact"] is not None
    source = f"  [dim]artifact {made['artifact']}, {made['run']}[/]" if known else ""
    return tree.add(f"[bold]{role}[/] {what}{source}{removed}")


def _add_gate(
    tree: Tree, gate: Mapping[str, Any], baseline: Mapping[str, Any], student: Mapping[str, Any]
) -> None:
    branch = _add(tree, "gate", gate, "blessed" if gate["blessed"] else "not blessed")
    for bound in gate["decision"]["bounds"] if gate["decision"] else []:
        where = "" if bound["slice"] == "overall" else f" ({bound['slice']})"
        branch.add(
            escape(
                f"{bound['key']}{where}, {bound['subject']}: {bound['value']:.6g} "
                f"{'≥' if bound['is_minimum'] else '≤'} {bound['bound']:.6g}, "
                f"{'pass' if bound['passed'] else 'refuse'}"
            )
        )
    if baseline["choice"] == "champion":
        _add(branch, "baseline", baseline, f"version {baseline['champion_version']}")
    else:
        scratch = baseline["from_scratch"]
        what = f"{scratch['network']} from scratch: {baseline['reason']}"
        branch = _add(branch, "baseline", scratch, escape(what))
        _add_training(branch, scratch, student)


def _add_method(tree: Tree, spec: Any) -> None:
    branch = tree.add(f"[bold]method[/] {escape(methods.label(spec))}")
    for member in [spec] if isinstance(spec, Mapping) else spec:
        prefix = "" if isinstance(spec, Mapping) else f"{member['name']}: "
        branch.add(prefix + _settings(member, leave_out=("name", "preset")))


def _add_training(tree: Tree, trained: Mapping[str, Any], student: Mapping[str, Any]) -> None:
    recipe = trained["recipe"].items()
    others = {key: value for key, value in recipe if value != student["recipe"].get(key)}
    tree.add("recipe: the student's" + (f", but {_settings(others)}" if others else ""))
    tree.add(f"seed: {trained['seed']}")


def _add_teacher(tree: Tree, teacher: Mapping[str, Any], student: Mapping[str, Any]) -> None:
    if teacher["origin"] == "trained":
        branch = _add(tree, "teacher", teacher, escape(teacher["network"]))
        _add_training(branch, teacher, student)
        return
    branch = _add(tree, "teacher", teacher, f"imported from {escape(teacher['file'])}")
    branch.add(f"sha256: {teacher['sha256']}")
    branch.add(f"taps: {escape(teacher['taps'])}")


def _add_run(tree: Tree, name: str, run: Mapping[str, Any]) -> None:
    branch = tree.add(f"[bold]run[/] {name}  [dim]{when(run['time'])}[/]")
    if run["command"] is None:
        branch.add("no record: it ran before there were any")
        return
    code, environment = run["code"], run["environment"]
    branch.add(escape(shlex.join(run["command"])))
    modified = ", modified" if code["modified"] else ""
    branch.add(f"code: revision {code['revision'] or 'unknown'}{modified}")
    branch.add(f"code's fingerprint: {code['fingerprint']}")
    branch.add(f"Python {environment['python']}, {environment['platform']}, {environment['cpu']}")
    branch.add(_settings(environment["libraries"]))


def _settings(settings: Mapping[str, Any], leave_out: tuple[str, ...] = ()) -> str:
    shown = {key: value for key, value in settings.items() if key not in leave_out}
    return escape(", ".join(f"{key} {value}" for key, value in shown.items()))
