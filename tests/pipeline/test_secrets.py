"""What opens a door is not kept: not in a configuration, nor in what is made of it."""

import pytest

from kd_trainer.errors import ConfigError
from pipeline import cli, config, secrets

SECRET = "hunter2hunter2"


@pytest.mark.parametrize(
    ("override", "key", "named"),
    [
        (f"beam.options=[s3_secret_access_key={SECRET}]", "beam.options", "s3_secret_access_key"),
        (f"beam.options=[s3_session_token={SECRET}]", "beam.options", "s3_session_token"),
        (
            f"beam.options=['azure_connection_string=AccountKey={SECRET}']",
            "beam.options",
            "azure_connection_string",
        ),
        # A job server's own option, which Beam knows nothing of.
        (
            f"beam.options=[runner=FlinkRunner, flink_ssl_password={SECRET}]",
            "beam.options",
            "flink_ssl_password",
        ),
        (f"beam.options=['s3_endpoint_url=http://me:{SECRET}@store']", "beam.options", "address"),
        (f"kubeflow.pipeline_root=s3://me:{SECRET}@bucket", "kubeflow.pipeline_root", "address"),
        (f"data.path=https://me:{SECRET}@host/archive", "data.path", "address"),
        (f"data.path=https://:{SECRET}@host/archive", "data.path", "address"),
    ],
)
@pytest.mark.parametrize("words", [["run"], ["run", "--dry-run"], ["compare"]])
def test_a_secret_in_the_configuration_is_refused_and_not_repeated(
    tmp_path, capfd, words, override, key, named
):
    workdir = tmp_path / "workdir"
    assert cli.main([*words, "--workdir", str(workdir), "--set", override]) == 2
    printed = "".join(capfd.readouterr())
    assert key in printed
    assert named in printed
    assert SECRET not in printed
    assert not workdir.exists()


@pytest.mark.parametrize(
    "document",
    [
        {"kubeflow": {"secret_env": [{"secret": "s3", "env": {"AWS_SECRET_ACCESS_KEY": "key"}}]}},
        {"beam": {"options": ["flink_master=localhost:8081", "no_use_public_ips"]}},
        {"data": {"path": "/data/me@host:2/token=4/archive"}},
        {"kubeflow": {"pipeline_root": "s3://bucket/a@b"}},
        {"published": {"source": "https://arxiv.org/abs/1503.02531"}, "seed": 3, "none": None},
    ],
)
def test_what_only_looks_like_one_is_taken(document):
    secrets.check(document)


def test_every_option_of_beam_that_is_a_secret_is_known_as_one():
    from apache_beam.options.pipeline_options import PipelineOptions

    options = PipelineOptions([]).get_all_options()
    doors = {name for name in options if name.endswith(("_token", "_secret_access_key"))}
    doors |= {name for name in options if "password" in name or "connection_string" in name}
    assert len(doors) >= 3
    for name in doors:
        with pytest.raises(ConfigError, match=name):
            config.load("quick", [f"beam.options=[{name}=x]"])


def test_nothing_of_the_environment_is_in_a_compiled_pipeline(tmp_path, monkeypatch, capfd):
    for variable in ("MYSQL_PWD", "KF_PIPELINES_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, SECRET)
    compiled = tmp_path / "quick.yaml"
    secret_env = "kubeflow.secret_env=[{secret: s3, env: {AWS_SECRET_ACCESS_KEY: key}}]"
    command = ["kubeflow", "compile", "--output", str(compiled), "--set", secret_env]
    assert cli.main(command) == 0
    # The cluster's own secret is named, for the cluster to look up.
    assert "AWS_SECRET_ACCESS_KEY" in compiled.read_text(encoding="utf-8")
    assert SECRET not in compiled.read_text(encoding="utf-8") + "".join(capfd.readouterr())
