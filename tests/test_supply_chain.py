"""What is installed is what was locked, and can be listed."""

import json
import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

pytestmark = pytest.mark.light

ROOT = Path(__file__).parents[1]
PROJECTS = {"3.10": ROOT, "3.11": ROOT / "locks/python-3.11"}
PYTHON = ".".join(platform.python_version_tuple()[:2])


def packages(python):
    return (PROJECTS[python] / "uv.lock").read_text(encoding="utf-8").split("[[package]]\n")[1:]


def name(package):
    return re.match(r'name = "([^"]+)"', package)[1]


def versions(python):
    return {name(p): re.search(r'^version = "([^"]+)"', p, re.M)[1] for p in packages(python)}


@pytest.mark.parametrize("python", PROJECTS)
def test_every_file_that_may_be_installed_is_locked_with_its_hash(python):
    others = [p for p in packages(python) if not name(p).startswith("tfx-distill")]
    assert len(others) > 100
    for package in others:
        assert 'source = { registry = "https://pypi.org/simple" }' in package, name(package)
        files = [line for line in package.splitlines() if "{ url = " in line]
        assert files, name(package)
        for line in files:
            assert re.search(r'url = "https://files\.pythonhosted\.org/', line), line
            assert re.search(r'hash = "sha256:[0-9a-f]{64}"', line), line


@pytest.mark.parametrize(
    ("python", "own"),
    [("3.10", {'editable = "."'}), ("3.11", {'editable = "../../"', 'virtual = "."'})],
)
def test_the_only_package_without_a_hash_is_this_one(python, own):
    sources = re.findall(r"^source = \{ (.*) \}$", "".join(packages(python)), re.M)
    others = [source for source in sources if "registry" not in source]
    assert len(others) == len(own)
    assert set(others) == own


@pytest.mark.parametrize(
    ("python", "tfx", "tensorflow"), [("3.10", "1.16.", "2.16."), ("3.11", "1.21.", "2.21.")]
)
def test_each_python_has_its_line_of_tfx(python, tfx, tensorflow):
    locked = versions(python)
    assert locked["tfx"].startswith(tfx)
    assert locked["tensorflow"].startswith(tensorflow)


@pytest.mark.parametrize("file", ["Makefile", "kubeflow/Dockerfile"])
def test_nothing_is_installed_past_the_lock(file):
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ")
    installs = [line for line in text.splitlines() if re.search(r"\b(uv|UV\)) sync\b", line)]
    assert installs
    assert all("--locked" in line for line in installs)
    by_pip = [line for line in text.splitlines() if re.search(r"\bpip install\b", line)]
    # uv itself, at a version.
    assert by_pip
    assert all(re.search(r"\buv==\$[({]UV_VERSION[)}]", line) for line in by_pip)


def test_the_environment_is_the_locks():
    locked = versions(PYTHON)
    for package in ("tfx", "tensorflow", "keras", "ml-metadata", "apache-beam", "jinja2"):
        assert version(package) == locked[package]


def make(target, *arguments):
    """Runs a target that needs no network; the tools that `make setup` installed are used."""
    return subprocess.run(
        ["make", "--silent", *arguments, target],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{ROOT / '.tools/bin'}:{os.environ['PATH']}"},
        encoding="utf-8",
    ).stdout


def test_make_sbom_lists_what_is_in_the_image(tmp_path):
    target = tmp_path / "sbom.json"
    make("sbom", f"SBOM={target}", f"PYTHON={PYTHON}")
    document = json.loads(target.read_text(encoding="utf-8"))
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    components = {part["name"]: part for part in document["components"]}
    assert components["tensorflow"]["version"] == versions(PYTHON)["tensorflow"]
    assert {"tfx", "keras", "jinja2", "protobuf"} <= components.keys()
    for part in components.values():
        hashes = [each["hashes"] for each in part["externalReferences"]]
        assert all(alg["alg"] == "SHA-256" for of_file in hashes for alg in of_file)
        assert hashes, part["name"]
    # Neither what only developers have nor what the Dockerfile leaves out.
    dockerfile = (ROOT / "kubeflow/Dockerfile").read_text(encoding="utf-8")
    left_out = set(re.findall(r"--no-install-package (\S+)", dockerfile))
    assert len(left_out) >= 5
    assert not {"pytest", "ruff", "mypy", "jax", *left_out} & components.keys()


def test_the_audit_fails_where_it_cannot_tell():
    """Of pip-audit, a package that its service does not know is no finding, unless it is strict."""
    recipe = make("audit", "--dry-run", f"PYTHON={PYTHON}").replace("\\\n", " ")
    (line,) = [line for line in recipe.splitlines() if "pip-audit" in line]
    assert {"--strict", "--require-hashes", "--disable-pip"} <= set(line.split())
    assert re.search(r"pip-audit==\d+\.\d+\.\d+", line)
