"""The command `tfx-distill kubeflow compile`, and what compiles before it submits."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kd_trainer.errors import ConfigError
from pipeline import config as run_config
from pipeline import loading
from pipeline.cluster import compiled, limits


def run(options: argparse.Namespace) -> int:
    """Compiles a pipeline into a file, and says what is in it."""
    given = options.output
    if given is not None and given.suffix not in (".yaml", ".yml"):  # before Keras is loaded
        raise ConfigError(f"--output: found {str(given)!r}, expected a name that ends in .yaml.")
    config = load(options)
    kind = "-compare" if options.compare else ""
    target = given or Path(f"{config.name}{kind}.yaml")
    text = _compile(config, options)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, target)
    except OSError as error:
        raise ConfigError(f"--output: {target} cannot be written: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)
    pipeline = compiled.read(target)
    print(f"{target}: pipeline {pipeline.name}, version {pipeline.version}")
    place = pipeline.root or "the cluster's own pipeline root"
    print(f"  {len(pipeline.tasks)} tasks, artifacts below {place}")
    print("  parameters:")
    for name, parameter in sorted(pipeline.parameters.items()):
        print(f"    {name}={parameter['defaultValue']}")
    return 0


@contextmanager
def pipeline_of(options: argparse.Namespace) -> Iterator[compiled.CompiledPipeline]:
    """Gives the pipeline that a command is asked for.

    Args:
      options: `spec`, a compiled pipeline; or `preset`, `set` and `compare`, which are compiled.

    Yields:
      The pipeline; its file may be gone afterwards.

    Raises:
      ConfigError: both are given, the file is no compiled pipeline, or the configuration is wrong.
    """
    if options.spec is not None:
        if options.preset or options.set or options.compare:
            raise ConfigError(
                f"--spec: {options.spec} is compiled already; leave --preset, --set and --compare "
                "out, or compile it again with them."
            )
        yield compiled.read(options.spec)
        return
    config = load(options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{config.name}.yaml")
        path.write_text(_compile(config, options), encoding="utf-8")
        yield compiled.read(path)


def load(options: argparse.Namespace) -> run_config.RunConfig:
    """Returns the configuration that the options `preset` and `set` say."""
    with loading.silently():
        return run_config.load(options.preset or "quick", options.set)


def _compile(config: run_config.RunConfig, options: argparse.Namespace) -> str:
    # What TensorFlow and TFX say while they are loaded is no part of what was asked for.
    with loading.silently():
        from pipeline.cluster import plan  # Keras

        make = plan.make_comparison if options.compare else plan.make
        planned = make(config, _command(options))
        try:
            from pipeline.cluster import spec
        except ModuleNotFoundError as error:
            if error.name != "kfp":
                raise
            raise ConfigError(
                "Kubeflow's compiler is not installed. Install it with the extra: "
                "pip install 'tfx-distill[kubeflow]' (in a checkout: uv sync --extra kubeflow)."
            ) from error
        document = spec.document(planned)
    if note := limits.check_workflow(document):
        print(f"tfx-distill: {note}", file=sys.stderr)
    return document


def _command(options: argparse.Namespace) -> list[str]:
    sets = [word for override in options.set for word in ("--set", override)]
    preset = options.preset or "quick"
    compare = ["--compare"] * options.compare
    return ["tfx-distill", "kubeflow", "submit", "--preset", preset, *sets, *compare]
