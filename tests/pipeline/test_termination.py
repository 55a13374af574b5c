import os
import select
import signal
import subprocess
import sys
import textwrap

import pytest

from pipeline import termination

pytestmark = pytest.mark.light


def start(code: str) -> subprocess.Popen:
    """Starts code that prints a line once it is at work."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    process.first_line = process.stdout.readline()
    return process


def test_what_is_at_work_is_left_in_order():
    process = start("""
        import time
        from pipeline import termination
        try:
            with termination.heeded():
                try:
                    print("ready", flush=True)
                    time.sleep(60)
                finally:
                    print("cleaned up")
        except termination.Terminated:
            print("told")
    """)
    process.send_signal(signal.SIGTERM)
    printed, errors = process.communicate(timeout=30)
    assert (printed, errors, process.returncode) == ("cleaned up\ntold\n", "", 0)


def test_who_does_not_heed_it_is_ended_with_all_children():
    process = start("""
        import subprocess, sys, time
        from pipeline import termination
        termination._SECONDS = 0.3
        with termination.heeded():
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            while True:
                try:
                    print(child.pid, flush=True)
                    time.sleep(60)
                except BaseException:  # as a library may
                    pass
    """)
    child = os.pidfd_open(int(process.first_line))
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == termination.STATUS == 143
    assert errors == f"{termination.MESSAGE}\n"
    # It is told to end before its parent does, and has ended some time after.
    ended, _, _ = select.select([child], [], [], 100)
    assert ended == [child]
    os.close(child)


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        ("termination.Terminated", 143, "stopped by SIGTERM"),
        ("KeyboardInterrupt", 1, "interrupted"),
    ],
)
def test_a_thread_that_is_at_something_long_does_not_keep_the_command(error, status, word):
    process = start(f"""
        import threading, time
        from types import SimpleNamespace
        from pipeline import arguments, cli, termination

        def command(options):
            threading.Thread(target=time.sleep, args=(600,)).start()
            print("written out")
            raise {error}

        options = SimpleNamespace(command=command, debug=False)
        arguments.parser = lambda: SimpleNamespace(parse_args=lambda words: options)
        cli.main()
    """)
    _, errors = process.communicate(timeout=100)
    assert (process.first_line, process.returncode) == ("written out\n", status)
    (line,) = errors.splitlines()
    assert word in line


def test_everything_is_as_before_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    with termination.heeded():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.set_wakeup_fd(-1) == -1
