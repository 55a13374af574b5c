"""Draws mutants: small edits of the code that a test should notice."""

import ast
import random
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import NamedTuple

# Files of the product, as globs from the root of the checkout.
GROUPS = (
    "kd_trainer/losses/*.py",
    "kd_trainer/distiller.py",
    "kd_trainer/checkpoint.py",
    "components/student_gate/*.py",
    "components/atomic_pusher/*.py",
    "components/serving_versions.py",
)
FLIP, DROP, SWAP = "flip a comparison", "drop a term", "swap student and teacher"

_NEGATED = {"==": "!=", "<": ">=", ">": "<=", "in": "not in", "is": "is not"}
_NEGATED |= {right: left for left, right in _NEGATED.items()}
_SIGN = re.compile(rb"==|!=|[<>]=?|not\s+in|in|is\s+not|is|and|or|[+-]")
_ROLE = re.compile(r"(student|teacher)(_\w+)?")
_OTHER = {"student": "teacher", "teacher": "student"}


class Mutant(NamedTuple):
    """One edit of one file.

    Attributes:
      group: the glob that the file was found by.
      file: its path from the root of the checkout.
      operator: `FLIP`, `DROP` or `SWAP`.
      lines: first and last line of the edited expression, or of the file for code that runs on
        import, whose effect reaches every test of the module.
      start: where the edit starts, in bytes.
      end: where it ends.
      replacement: the new text.
      line: the line of the edit.
      before: the edited expression, for `SWAP` its line.
      after: the same after the edit.
    """

    group: str
    file: str
    operator: str
    lines: tuple[int, int]
    start: int
    end: int
    replacement: bytes
    line: int
    before: str
    after: str

    def apply(self, source: bytes) -> bytes:
        """Returns the file's content with the edit."""
        return source[: self.start] + self.replacement + source[self.end :]


def draw(root: Path, groups: Sequence[str], count: int, seed: int) -> list[Mutant]:
    """Draws mutants evenly across groups of files and operators.

    Each pair of a group and an operator is a cell. Candidates of a cell are shuffled; then the
    cells, in a shuffled order, take turns giving one candidate until there are enough, so that a
    large folder gives no more than a small one, and a cell that runs out leaves its turns to the
    others. A larger count with the same seed adds to a smaller one.

    Args:
      root: of the checkout.
      groups: globs below it.
      count: of mutants; fewer are returned where there are fewer candidates.
      seed: of both shuffles.
    """
    cells: dict[tuple[str, str], list[Mutant]] = {}
    for group in groups:
        for path in sorted(root.glob(group)):
            for mutant in candidates(group, path.relative_to(root).as_posix(), path.read_bytes()):
                cells.setdefault((group, mutant.operator), []).append(mutant)
    rng = random.Random(seed)
    turns = list(cells.values())
    for cell in turns:
        rng.shuffle(cell)
    rng.shuffle(turns)
    return [mutant for turn in zip_longest(*turns) for mutant in turn if mutant][:count]


def candidates(group: str, file: str, source: bytes) -> Iterator[Mutant]:
    """Yields every mutant of a file.

    Docstrings, annotations and `TYPE_CHECKING` blocks are left alone, and so are f-strings, in
    which Python before 3.12 does not know positions.

    Args:
      group: as in `Mutant`.
      file: as in `Mutant`.
      source: the file's content.
    """
    tree = ast.parse(source)
    text = _Text(source)
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node, names in _executed(tree, None):
        for operator, start, end, replacement in _edits(node, text, names or set(), attributes):
            shown = text.line(node) if operator == SWAP else text.span(node)
            mutant = Mutant(
                group,
                file,
                operator,
                (1, len(text.starts)) if names is None else (node.lineno, node.end_lineno),
                start,
                end,
                replacement,
                line=source.count(b"\n", 0, start) + 1,
                before=_one_line(source[slice(*shown)]),
                after=_one_line(source[shown[0] : start] + replacement + source[end : shown[1]]),
            )
            yield mutant


class _Text:
    """Source with the positions of its nodes, which Python counts in bytes of UTF-8."""

    def __init__(self, source: bytes):
        self.source = source
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        start = self.starts[node.lineno - 1] + node.col_offset
        return start, self.starts[node.end_lineno - 1] + node.end_col_offset

    def line(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        return self.starts[node.lineno - 1], self.starts[node.end_lineno]

    def signs(self, terms: Sequence[ast.expr]) -> list[tuple[int, int]] | None:
        """Returns where the signs between terms are; None if a comment is there too."""
        found = []
        for left, right in pairwise(terms):
            gap = self.span(left)[1], self.span(right)[0]
            if b"#" in self.source[slice(*gap)]:
                return None
            sign = _SIGN.search(self.source, *gap)
            found.append(sign.span())
        return found


def _executed(node: ast.AST, names: set[str] | None) -> Iterator[tuple[ast.AST, set[str] | None]]:
    """Yields the nodes that are executed, each with the names known in its function, if any."""
    if isinstance(node, ast.JoinedStr):
        return
    yield node, names
    inner = names
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        inner = (names or set()) | _names(node)
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns"):
            continue
        if field == "body" and isinstance(node, ast.If) and _is_for_types(node.test):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                # Decorators and defaults run where the function is defined.
                yield from _executed(child, inner if field == "body" else names)


def _names(function: ast.AST) -> set[str]:
    nodes = list(ast.walk(function))
    arguments = {node.arg for node in nodes if isinstance(node, ast.arg)}
    stored = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return arguments | stored


def _is_for_types(test: ast.expr) -> bool:
    return ast.unparse(test).endswith("TYPE_CHECKING")


def _edits(
    node: ast.AST, text: _Text, names: set[str], attributes: set[str]
) -> Iterator[tuple[str, int, int, bytes]]:
    """Yields operator, start, end and replacement of each edit of a node itself."""
    match node:
        case ast.Compare():
            for start, end in text.signs([node.left, *node.comparators]) or []:
                sign = _one_line(text.source[start:end])
                yield FLIP, start, end, _NEGATED[sign].encode()
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            for kept in _kept(node, [node.left, node.right], text):
                yield DROP, *text.span(node), kept
                if isinstance(node.op, ast.Sub):
                    break
        case ast.BoolOp():
            *dropped, _ = _kept(node, node.values, text) or [None]
            for kept in dropped:
                yield DROP, *text.span(node), kept
        case ast.AugAssign(op=ast.Add() | ast.Sub()):
            yield DROP, *text.span(node), b"pass"
        case ast.Name(id=name, ctx=ast.Load()) if _other(name) in names:
            yield SWAP, *text.span(node), _other(name).encode()
        case ast.Attribute(attr=name, ctx=ast.Load()) if _other(name) in attributes:
            _, end = text.span(node)
            yield SWAP, end - len(name.encode()), end, _other(name).encode()


def _kept(node: ast.expr, terms: Sequence[ast.expr], text: _Text) -> list[bytes]:
    """Returns what is left of a sum or a condition without its last term, the one before, ..."""
    signs = text.signs(terms)
    if signs is None:
        return []
    first, last = text.span(node)
    starts = [first, *(end for _, end in signs)]
    ends = [*(start for start, _ in signs), last]
    # With their parentheses, which are outside of the nodes.
    parts = [text.source[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    joint = b" " + text.source[slice(*signs[0])] + b" "
    return [joint.join(parts[:n] + parts[n + 1 :]) for n in reversed(range(len(parts)))]


def _other(name: str) -> str | None:
    role = _ROLE.fullmatch(name)
    return _OTHER[role[1]] + (role[2] or "") if role else None


def _one_line(source: bytes) -> str:
    return " ".join(source.decode().split())
