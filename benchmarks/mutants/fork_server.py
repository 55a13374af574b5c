"""Runs pytest in forked children of a process that has imported the slow libraries once.

A script, started in a checkout by its path, so that nothing of this repository is imported but
what the tests import themselves from that checkout:

    fork_server.py PROCESSOR OWN LIBRARY ...

with the processor to run on, the packages of the checkout, separated by commas, and the libraries.
Each line on stdin is a JSON list of pytest's arguments, the time limit in seconds and a file for
the output; the answer is a line with the exit status, None for a timeout, negative for a signal,
and the first test that failed, or file that could not be collected, or None.
"""

import importlib
import json
import os
import select
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

_BROKEN = 70  # no exit status of pytest


def main() -> None:
    """Answers requests until stdin is closed."""
    processor, own, *libraries = sys.argv[1:]
    os.sched_setaffinity(0, {int(processor)})
    sys.path[0] = os.getcwd()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print
    for library in libraries:
        importlib.import_module(library)
    if found := _modules(own):
        raise RuntimeError(f"imported before the fork: {', '.join(found)}")
    if "tensorflow" in sys.modules:
        from tensorflow.python.eager import context

        # Its threads would be missing in a child.
        if getattr(context.context_safe(), "_initialized", False):
            raise RuntimeError("TensorFlow's context is initialized before the fork")
    for line in sys.stdin:
        print(json.dumps(_run(own, *json.loads(line))), file=answers, flush=True)


def _modules(own: str, below: str = "") -> list[str]:
    """Returns the modules of the packages that were imported, but for those below a folder."""
    files = {
        name: getattr(module, "__file__", None) or ""
        for name, module in sys.modules.items()
        if name.split(".")[0] in own.split(",")
    }
    return [name for name, file in files.items() if not (below and file.startswith(below))]


def _run(own: str, arguments: list[str], limit: float, output: str) -> tuple[int | None, Any]:
    recorder = _Recorder(arguments, Path(output).with_suffix(".failed"))
    child = os.fork()
    if not child:
        _test(own, arguments, output, recorder)
    end = os.pidfd_open(child)
    # stdin ends when whoever asked is gone.
    ended, _, _ = select.select([end, 0], [], [], limit)
    os.close(end)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if ended else None, recorder.failed


def _test(own: str, arguments: list[str], output: str, recorder: "_Recorder") -> None:
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in (1, 2):
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    status = _BROKEN
    try:
        ended = int(pytest.main(arguments, plugins=[recorder]))
        if strays := _modules(own, f"{os.getcwd()}{os.sep}"):
            print(f"not imported from the checkout: {', '.join(strays)}")
        else:
            status = ended
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class _Recorder:
    """A plugin that keeps tests in the order of the arguments and records the first failure."""

    def __init__(self, arguments: list[str], file: Path):
        files = dict.fromkeys(argument.partition("::")[0] for argument in arguments)
        self._order = {name: number for number, name in enumerate(files)}
        self._file = file
        self._file.unlink(missing_ok=True)

    @property
    def failed(self) -> str | None:
        return self._file.read_text(encoding="utf-8") if self._file.exists() else None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self._order.get(item.nodeid.partition("::")[0], 0))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._record(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._record(report)

    def _record(self, report: Any) -> None:
        if report.failed and not self._file.exists():
            self._file.write_text(report.nodeid, encoding="utf-8")


if __name__ == "__main__":
    main()
