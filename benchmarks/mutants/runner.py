"""Runs the tests that reach a mutant, in a copy of the checkout."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks.mutants.drawing import Mutant

# The suites in the order they run, each by the marker expression of what it adds.
SUITES = {"make test": "not slow and not containers", "make test-all": "slow and not containers"}
SURVIVED, UNDECIDED = "survived", "undecided"

_TIMEOUT = "timeout"
_OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist")
_SERVER = Path(__file__).with_name("fork_server.py")
_SHOWN = 3000  # letters of an output


class Outcome(NamedTuple):
    """What the tests made of a mutant.

    Attributes:
      result: a suite, which killed it; `SURVIVED`; or `UNDECIDED` where the unedited code does not
        finish within the time limit either.
      failure: the first test that failed, `timeout`, or how pytest ended.
      left_out: the tests so far that fail without the edit too.
      seconds: of all that it took.
    """

    result: str
    failure: str | None
    left_out: list[str]
    seconds: float


class Runner:
    """A copy of a checkout, and a process that runs its tests; a context manager.

    Args:
      root: of the checkout, in Git; changes that are not committed are part of the copy.
      scratch: a folder for the copy and all that tests write.
      own: the packages of the checkout.
      libraries: what is imported before a test run is forked.
      processor: to run on.
      limit: of a suite, in seconds.
    """

    def __init__(
        self,
        root: Path,
        scratch: Path,
        own: Sequence[str],
        libraries: Sequence[str],
        processor: int,
        limit: float,
    ):
        self._scratch, self._limit = scratch.resolve(), limit
        self._copy = self._scratch / "checkout"
        for name in _files(root):
            (self._copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, self._copy / name)
        self._edits = 0
        self._sound: set[str] = set()
        self._unusable: set[str] = set()
        with open(self._scratch / "server.txt", "wb") as log:
            self._server = subprocess.Popen(
                [sys.executable, str(_SERVER), str(processor), ",".join(own), *libraries],
                cwd=self._copy,
                # Before the editable install, for processes that tests start too.
                env={**os.environ, "PYTHONPATH": str(self._copy)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for this process alone
                encoding="utf-8",
            )

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(BrokenPipeError):
            self._server.stdin.close()
        self._server.wait()

    def try_mutant(self, mutant: Mutant, tests: Sequence[str]) -> Outcome:
        """Runs the suites until one fails.

        What failed is run again without the edit. A test that fails then too is left out of all
        later runs.

        Args:
          mutant: the edit, which is undone.
          tests: arguments of pytest.

        Raises:
          RuntimeError: pytest ends without a result, with and without the edit.
        """
        start = time.perf_counter()

        def outcome(result: str, failure: str | None = None) -> Outcome:
            seconds = round(time.perf_counter() - start, 1)
            return Outcome(result, failure, sorted(self._unusable), seconds)

        for suite, marker in SUITES.items() if tests else ():
            while failure := self._failure(tests, marker, mutant):
                unedited = self._unedited(failure, tests, marker)
                if unedited is None:
                    return outcome(suite, failure)
                if unedited == _TIMEOUT:
                    return outcome(UNDECIDED, failure)
                if "::" not in failure:
                    output = (self._scratch / "output.txt").read_text(encoding="utf-8")[-_SHOWN:]
                    raise RuntimeError(f"{failure}, without an edit too: {output}")
                self._unusable.add(failure)
        return outcome(SURVIVED)

    def _unedited(self, failure: str, tests: Sequence[str], marker: str) -> str | None:
        """Returns what fails of a failure's tests without an edit, or None."""
        if ".py" not in failure:
            return self._failure(tests, marker)
        if failure not in self._sound and (unedited := self._failure([failure], marker)):
            return unedited
        self._sound.add(failure)
        return None

    def _failure(
        self, tests: Sequence[str], marker: str, mutant: Mutant | None = None
    ) -> str | None:
        """Returns what failed first, or None."""
        output = self._scratch / "output.txt"
        output.unlink(missing_ok=True)
        # Hypothesis would start with the examples it found for another mutant.
        shutil.rmtree(self._copy / ".hypothesis", ignore_errors=True)
        left_out = [f"--deselect={test}" for test in sorted(self._unusable)]
        base = f"--basetemp={self._scratch / 'tmp'}"
        arguments = [*_OPTIONS, base, "-m", marker, *left_out, *tests]
        with self._edited(mutant) if mutant else nullcontext():
            self._server.stdin.write(json.dumps([arguments, self._limit, str(output)]) + "\n")
            self._server.stdin.flush()
            answer = self._server.stdout.readline()
        if not answer:
            log = (self._scratch / "server.txt").read_text(encoding="utf-8")[-_SHOWN:]
            raise RuntimeError(f"the process that runs the tests has exited: {log}")
        status, failed = json.loads(answer)
        if status is None:
            return _TIMEOUT
        if status in (0, 5):  # passed, or no test has the marker
            return None
        return failed or (f"exit status {status}" if status > 0 else f"signal {-status}")

    @contextmanager
    def _edited(self, mutant: Mutant) -> Iterator[None]:
        path = self._copy / mutant.file
        original, times = path.read_bytes(), path.stat()
        path.write_bytes(mutant.apply(original))
        # Python compares bytecode with its source by size and by time in seconds.
        self._edits += 1
        os.utime(path, (times.st_atime, times.st_mtime + self._edits))
        try:
            yield
        finally:
            path.write_bytes(original)
            os.utime(path, (times.st_atime, times.st_mtime))


def _files(root: Path) -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(
        command, cwd=root, check=True, capture_output=True, text=True, encoding="utf-8"
    ).stdout
    return [name for name in names.split("\0") if (root / name).is_file()]
