"""The command line."""

import os
import sys
from collections.abc import Sequence

from ml_metadata import errors

from kd_trainer.errors import UserError
from pipeline import arguments, run_command, termination, troubles


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
      words: what follows the program's name; None takes the process's own.

    Returns:
      The exit status.
    """
    options = arguments.parser().parse_args(words)
    # What TensorFlow warns of as the process ends would come after the run's own last word.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        return options.command(options)
    except UserError as error:
        print(f"tfx-distill: {error}", file=sys.stderr)
        return run_command.BAD_USAGE
    except (OSError, RuntimeError, errors.StatusError) as error:
        if not troubles.is_known(error):
            raise
        print(f"tfx-distill: {troubles.explained(error)}", file=sys.stderr)
        return run_command.FAILED
    except KeyboardInterrupt:
        print("tfx-distill: interrupted; the next run goes on where this one was", file=sys.stderr)
        return run_command.FAILED
    except termination.Terminated:
        print(termination.MESSAGE, file=sys.stderr)
        return termination.STATUS


if __name__ == "__main__":
    sys.exit(main())
