"""Beam's job server with a Flink of its own in it, of the libraries that Maven gets.

FlinkRunner downloads them as one file, `beam-runners-flink-1.19-job-server`, with those of Kafka,
Pub/Sub and SQL beside (`runners/flink/job-server/flink_job_server.gradle` of Beam), which not every
mirror of Maven Central has.
"""

import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import FlinkRunnerOptions
from apache_beam.utils.subprocess_server import pick_port
from apache_beam.version import __version__ as beam_version
from services import started

_LIBRARIES = Path(__file__).with_suffix(".xml")
_CLASSPATH = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath"
_MAIN = "org.apache.beam.runners.flink.FlinkJobServerDriver"


@contextmanager
def job_server(folder: Path):
    """Starts a job server, and yields its address; skips the test where it cannot be had.

    Args:
      folder: an empty one, for what it writes.
    """
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            pytest.skip(f"Flink needs {tool}, which is not here")
    classpath = _classpath(folder)
    (port,) = pick_port(None)
    # A job is over before the second compiler has earned what it takes.
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", classpath, _MAIN, "--job-port", str(port)]
    command += ["--artifact-port", "0", "--expansion-port", "0"]
    with started([*command, "--artifacts-dir", str(folder / "artifacts")], port, folder / "log"):
        yield f"localhost:{port}"


def _classpath(folder: Path) -> str:
    versions = {"beam": beam_version, "flink": FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS[-1]}
    file = folder / "classpath"
    command = ["mvn", "--batch-mode", "--quiet", "--file", str(_LIBRARIES), _CLASSPATH]
    command += [f"-D{name}={version}" for name, version in versions.items()]
    try:
        done = subprocess.run(
            [*command, f"-Dmdep.outputFile={file}"],
            capture_output=True,
            text=True,
            timeout=600,
            encoding="utf-8",
        )
    except subprocess.TimeoutExpired:
        pytest.skip("Maven did not get the libraries of Beam's Flink runner in ten minutes")
    if done.returncode:
        said = next((line for line in done.stdout.splitlines() if "ERROR" in line), done.stderr)
        pytest.skip(f"Maven did not get the libraries of Beam's Flink runner: {said}")
    return file.read_text(encoding="utf-8").strip()
