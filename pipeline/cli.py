"""The command line."""

import atexit
import gc
import os
import sys
import traceback
from collections.abc import Sequence

from kd_trainer.errors import UserError
from pipeline import arguments, quiet, run_command, termination, troubles

_INTERRUPTED = "tfx-distill: interrupted; the next run goes on where this one was"
_LONGEST = 8_000  # letters
_UNEXPECTED = (
    "This is a mistake in tfx-distill, or of the machine. Where it comes from is shown by "
    "tfx-distill --debug COMMAND ..."
)


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
      words: what follows the program's name; None takes the process's own.

    Returns:
      The exit status.
    """
    quiet.open_closed()
    options = arguments.parser().parse_args(words)
    # As it ends, Python looks through all objects for garbage: three seconds with TensorFlow's.
    atexit.register(gc.freeze)
    # What TensorFlow warns of as the process ends would come after the run's own last word.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        status = options.command(options)
        print(end="", flush=True)  # what cannot be written is told
        return status
    except KeyboardInterrupt:
        return _stopped(_INTERRUPTED, run_command.FAILED)
    except termination.Terminated:
        return _stopped(termination.MESSAGE, termination.STATUS)
    except Exception as error:
        quiet.flush(sys.stdout)  # or Python tries again as it ends, with a status of its own
        if isinstance(error, BrokenPipeError) and quiet.is_unread():
            return run_command.FAILED
        if options.debug:
            traceback.print_exc()
        print(f"tfx-distill: {_shown(_explained(error))}", file=sys.stderr)
        return run_command.BAD_USAGE if isinstance(error, UserError) else run_command.FAILED


def _stopped(message: str, status: int) -> int:
    quiet.flush(sys.stdout)
    print(message, file=sys.stderr)
    termination.leave_threads(status)
    return status


def _explained(error: Exception) -> str:
    if isinstance(error, UserError):
        return str(error)
    if troubles.is_known(error):
        return troubles.explained(error)
    return f"{type(error).__name__}: {error}\n{_UNEXPECTED}"


def _shown(message: str) -> str:
    """Makes a message fit for a terminal: what is quoted in it may hold anything."""
    cut = message if len(message) <= _LONGEST else f"{message[:_LONGEST]} ..."
    return "".join(
        letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in cut
    )


if __name__ == "__main__":
    sys.exit(main())
