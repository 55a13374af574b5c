"""Kubernetes' API, as far as the driver and the launcher ask it, and a pod's account with it."""

import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from services import JsonHandler

NAMESPACE = "kubeflow"
_TOKEN = "a-token"


@contextmanager
def serving(host: str, objects: Mapping[str, Any], account: Path) -> Iterator[int]:
    """Serves objects over TLS, to whoever has the account's token.

    Args:
      host: the address to listen on.
      objects: by path; what is not there is not found.
      account: a folder, which is given what Kubernetes lays into each pod under
        `/var/run/secrets/kubernetes.io/serviceaccount`.

    Yields:
      The port.
    """
    key, certificate = account / "key.pem", account / "ca.crt"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=api"]
    command += ["-addext", f"subjectAltName=IP:{host}", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    server = ThreadingHTTPServer((host, 0), _handler(objects))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    key.unlink()
    (account / "namespace").write_text(NAMESPACE, encoding="utf-8")
    (account / "token").write_text(_TOKEN, encoding="utf-8")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _handler(objects: Mapping[str, Any]) -> type[JsonHandler]:
    class Handler(JsonHandler):
        def do_GET(self):  # noqa: N802
            if self.headers["Authorization"] != f"Bearer {_TOKEN}":
                self.answer(401, _status(401, "Unauthorized"))
            elif self.path not in objects:
                self.answer(404, _status(404, "NotFound"))
            else:
                self.answer(200, objects[self.path])

    return Handler


def _status(code: int, reason: str) -> dict[str, Any]:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    return {**status, "code": code, "reason": reason, "message": reason}
