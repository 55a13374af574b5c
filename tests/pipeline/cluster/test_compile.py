"""`tfx-distill kubeflow compile`, and the file that it writes."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from compiled_quick import GOLDEN, document, fixed

from pipeline import cli


def compile_to(folder: Path, *arguments: str) -> int:
    return cli.main(["kubeflow", "compile", "--output", str(folder / "p.yaml"), *arguments])


def test_the_compiled_pipeline_is_as_it_was():
    # When a change is meant: python tests/pipeline/cluster/compiled_quick.py
    assert yaml.safe_load_all(fixed(document()))
    assert fixed(document()) == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(tmp_path):
    written = []
    for number in range(2):
        target = tmp_path / f"{number}.yaml"
        command = ["-m", "pipeline.cli", "kubeflow", "compile", "--output", str(target)]
        subprocess.run(
            [sys.executable, *command],
            check=True,
            cwd=Path(__file__).parents[3],
            env={"PYTHONHASHSEED": str(number), "PATH": "/usr/bin:/bin"},
        )
        written.append(target.read_bytes())
    assert written[0] == written[1]


@pytest.mark.slow
def test_it_says_what_is_in_the_file(tmp_path, capfd):
    assert compile_to(tmp_path, "--set", "kubeflow.image=registry/tfx-distill:7") == 0
    printed = capfd.readouterr().out
    assert "17 tasks, artifacts below the cluster's own pipeline root" in printed
    assert "image=registry/tfx-distill:7" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["p.yaml"]
    spec, _ = yaml.safe_load_all((tmp_path / "p.yaml").read_text(encoding="utf-8"))
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert parameters["image"]["defaultValue"] == "registry/tfx-distill:7"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("kubeflow.pipeline_root=/local", ["'/local'", "minio://"]),
        ("kubeflow.imag=x", ["kubeflow.imag", "'image'"]),
        ("kubeflow.retries=-1", ["kubeflow.retries"]),
        ("data.sample=false", ["Found no data", "data.path=/work/data", "data.sample=true"]),
        ("data.download=true", ["data.download", "data.path=/work/"]),
        ("data.path=cifar.tar.gz", ["data.path", "'cifar.tar.gz'", "/work"]),
        ("data.schema_path=mine.pbtxt", ["data.schema_path", "absolute"]),
        ("push.directory=serving", ["push.directory", "absolute"]),
        ("student.from=small.keras", ["student.from=small.keras", "There is no file"]),
        ("method={name: fitnet, taps: [stage9]}", ["'stage9'", "'stage1'"]),
        ("recipe.batch_size=100000", ["recipe.batch_size"]),
    ],
)
def test_mistakes_are_found_before_anything_is_compiled(tmp_path, capfd, override, expected):
    assert compile_to(tmp_path, "--set", override) == 2
    error = capfd.readouterr().err
    for part in expected:
        assert part in error
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_comparison_compiles_too(tmp_path, capfd):
    sets = ["--set", "compare.methods=[rkd, dkd]", "--set", "compare.trials=1"]
    assert compile_to(tmp_path, "--compare", *sets) == 0
    assert "pipeline quick-compare, version quick-compare-" in capfd.readouterr().out
    text = (tmp_path / "p.yaml").read_text(encoding="utf-8")
    assert "tfx-distill kubeflow submit" not in text  # words, as they can be typed
    assert '"--compare"' in text or '"--compare"' in text


def test_every_method_of_a_comparison_is_held_against_the_networks(tmp_path, capfd):
    sets = ["--set", "compare.methods=[rkd, kd_svd]", "--set", "teacher.network=wrn_16_2"]
    assert compile_to(tmp_path, "--compare", *sets) == 2
    assert "kd_svd" in capfd.readouterr().err


@pytest.mark.slow
def test_a_place_that_cannot_be_written(tmp_path, capfd):
    assert compile_to(tmp_path / "nowhere") == 2
    assert "cannot be written" in capfd.readouterr().err
    assert cli.main(["kubeflow", "compile", "--output", str(tmp_path / "p.json")]) == 2
    assert "ends in .yaml" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_submit_compiles_by_itself(kubeflow, server, capfd):
    assert kubeflow("submit", "--parameter", "method=rkd") == 0
    printed = capfd.readouterr().out
    assert "pipeline quick, version quick-" in printed
    (run,) = server.runs.values()
    assert run["runtime_config"]["parameters"] == {"method": "rkd"}
    assert kubeflow("submit") == 0
    assert "as uploaded before" in capfd.readouterr().out  # the same bytes, the same version


def test_a_compiled_file_is_not_configured_again(kubeflow, spec, capfd):
    assert kubeflow("submit", "--spec", spec, "--set", "seed=1") == 2
    assert "leave --preset, --set and --compare out" in capfd.readouterr().err


@pytest.mark.slow
def test_a_training_on_several_machines_waits_for_the_pods_that_have_the_gpus(tmp_path):
    settings = ["recipe.distribution=multi_worker", "kubeflow.workers=4", "data.sample=true"]
    assert compile_to(tmp_path, *(word for each in settings for word in ("--set", each))) == 0
    spec, _ = yaml.safe_load_all((tmp_path / "p.yaml").read_text(encoding="utf-8"))
    executors = spec["deploymentSpec"]["executors"]
    waiting = {name for name, each in executors.items() if "--workers" in str(each)}
    assert {"exec-trainer-teacher", "exec-distill-trainer"} <= waiting
    for name in waiting:
        container = executors[name]["container"]
        option, given = container["args"][-2:]
        assert option == "--workers"
        assert yaml.safe_load(given)["workers"] == 4
        assert "accelerator" not in container["resources"]
        assert container["resources"]["cpuLimit"] == 2


@pytest.mark.slow
def test_a_batch_that_the_workers_cannot_share(tmp_path, capsys):
    settings = ["recipe.distribution=multi_worker", "kubeflow.workers=7", "data.sample=true"]
    assert compile_to(tmp_path, *(word for each in settings for word in ("--set", each))) == 2
    assert "7 workers (kubeflow.workers) with 1 GPUs each" in capsys.readouterr().err
