"""Whatever the server, or the way to it, refuses is told in a line, with what to do."""

import json
import socket
import sys
import time

import pytest
from kfp_messages import Refusal

from pipeline.cluster import connection

pytestmark = pytest.mark.light

PROXY_PAGE = "<html><head><title>403</title></head><body>RBAC: access denied</body></html>"


def refused(server, status, body, where="/runs"):
    def trouble(method, path, done):
        if path.endswith(where) and not done:
            raise Refusal(status, body)

    server.trouble = trouble


def one_line(capsys):
    error = capsys.readouterr().err
    assert error.startswith("tfx-distill: ")
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    ("status", "body", "exit_status", "words"),
    [
        (400, {"code": 3, "message": "bad filter"}, 2, ["does not take", "bad filter"]),
        (401, {"code": 16, "message": "no identity"}, 2, ["KF_PIPELINES_TOKEN", "no identity"]),
        (403, PROXY_PAGE, 2, ["--namespace", "RBAC: access denied"]),
        (404, {"code": 5, "message": "run not found"}, 2, ["not there", "run not found"]),
        (409, {"error_message": "The name is taken"}, 2, ["another name", "The name is taken"]),
        (500, {"code": 13, "message": "database is gone"}, 1, ["kubectl logs", "database is gone"]),
        (503, "", 1, ["kubectl logs", "503"]),
    ],
)
def test_refusal(kubeflow, server, capsys, status, body, exit_status, words):
    refused(server, status, body)
    assert kubeflow("list") == exit_status
    error = one_line(capsys)
    assert all(word in error for word in words)
    assert "<" not in error


@pytest.mark.parametrize("variable", ["KF_PIPELINES_TOKEN", "KF_PIPELINES_COOKIES"])
@pytest.mark.parametrize("status", [200, 401, 500])
def test_what_opens_the_server_is_told_to_it_alone(
    kubeflow, server, capfd, monkeypatch, variable, status
):
    monkeypatch.setenv(variable, "session=hunter2hunter2")
    if status != 200:
        refused(server, status, {"code": 16, "message": "no"})
    assert (kubeflow("list") == 0) == (status == 200)
    assert "hunter2hunter2" in str([dict(headers) for headers in server.headers])
    assert "hunter2hunter2" not in "".join(capfd.readouterr())


def test_a_name_that_somebody_took_in_between(kubeflow, server, spec, capsys):
    def trouble(method, path, done):
        if method == "POST" and path.endswith("/experiments") and not server.experiments:
            server.experiments["x"] = {"experiment_id": "x", "display_name": "small"}

    server.trouble = trouble
    arguments = ("submit", "--spec", spec, "--parameter", "source=x", "--experiment", "small")
    assert kubeflow(*arguments) == 2
    assert "The name small already exists" in one_line(capsys)


def test_no_answer_in_time(kubeflow, server, capsys, monkeypatch):
    monkeypatch.setattr(connection, "TIMEOUT", (1, 0.1))
    server.trouble = lambda method, path, done: time.sleep(0.3) if path.endswith("/runs") else None
    assert kubeflow("list") == 1
    assert "did not answer in time" in one_line(capsys)


def test_nobody_listens(kubeflow, capsys):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert kubeflow("list", "--host", host) == 1
    error = one_line(capsys)
    assert f"{host} cannot be reached" in error
    assert "0x" not in error
    assert "port-forward" in error


def test_connection_that_breaks_off(kubeflow, server, spec, capsys):
    def trouble(method, path, done):
        if method == "POST":
            raise ConnectionError

    server.trouble = trouble
    assert kubeflow("submit", "--spec", spec, "--parameter", "source=x") == 1
    assert "closed connection without response" in one_line(capsys)


def test_another_server(kubeflow, server, capsys):
    refused(server, 404, "404 page not found", "/healthz")
    assert kubeflow("list") == 2
    assert "no API of Kubeflow Pipelines 2" in one_line(capsys)


def test_login_page(kubeflow, server, capsys):
    refused(server, 200, "<html>Log in with Dex</html>", "/healthz")
    assert kubeflow("list") == 2
    assert "KF_PIPELINES_COOKIES" in one_line(capsys)


def test_refused_at_once_at_the_door(kubeflow, server, capsys):
    refused(server, 401, {"message": "who are you"}, "/healthz")
    assert kubeflow("list") == 2
    assert "KF_PIPELINES_TOKEN" in one_line(capsys)
    assert len(server.requests) == 1


def test_token_and_cookies_are_sent(kubeflow, server, monkeypatch, tmp_path):
    monkeypatch.setenv("KF_PIPELINES_TOKEN", "secret")
    monkeypatch.setenv("KF_PIPELINES_COOKIES", "authservice_session=abc")
    assert kubeflow("list") == 0
    assert {headers["authorization"] for headers in server.headers} == {"Bearer secret"}
    assert {headers["cookie"] for headers in server.headers} == {"authservice_session=abc"}


def test_token_in_a_file(kubeflow, server, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "token"))
    assert kubeflow("list") == 2
    assert f"there is no file '{tmp_path}/token'" in one_line(capsys)
    (tmp_path / "token").write_text("secret\n", encoding="utf-8")
    assert kubeflow("list") == 0
    assert {headers["authorization"] for headers in server.headers} == {"Bearer secret"}


def test_without_google_credentials(kubeflow, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("KF_PIPELINES_IAP_OAUTH2_CLIENT_ID", "client")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    assert kubeflow("list") == 2
    assert "Identity-Aware Proxy" in one_line(capsys)


def test_a_server_of_many_users(kubeflow, server, spec, capsys):
    server.multi_user = True
    source = ("--parameter", "source=x")
    assert kubeflow("submit", "--spec", spec, *source) == 2
    assert "--namespace" in one_line(capsys)
    assert kubeflow("submit", "--spec", spec, *source, "--namespace", "ann") == 0
    assert kubeflow("submit", "--spec", spec, *source, "--namespace", "bob") == 2  # not Bob's name
    (pipeline,), (experiment,) = server.pipelines.values(), server.experiments.values()
    assert pipeline["namespace"] == experiment["namespace"] == "ann"
    capsys.readouterr()
    assert kubeflow("list", "--namespace", "bob", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"recurring_runs": [], "runs": []}


def test_namespaces(kubeflow, server, tmp_path):
    server.multi_user = True
    # kfp takes this name for none given.
    assert kubeflow("list", "--namespace", "kubeflow") == 0
    (tmp_path / "context.json").write_text('{"namespace": "ann"}', encoding="utf-8")
    assert kubeflow("list") == 0


@pytest.mark.parametrize("host", ["", "localhost:8888", "ftp://localhost"])
def test_no_address(kubeflow, server, monkeypatch, capsys, host):
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", host)
    assert kubeflow("list") == 2
    error = one_line(capsys)
    assert "--host http://localhost:8888" in error
    assert host in error
    assert not server.requests


def test_without_the_extra(kubeflow, spec, monkeypatch, capsys):
    for module in [name for name in sys.modules if name.startswith("pipeline.cluster.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "kfp", None)
    assert kubeflow("list") == 2
    assert "tfx-distill[kubeflow]" in one_line(capsys)
    # What is wrong in the options is told all the same.
    assert kubeflow("submit", "--spec", spec, "--parameter", "sourse=x") == 2
    assert "Did you mean 'source'" in one_line(capsys)
