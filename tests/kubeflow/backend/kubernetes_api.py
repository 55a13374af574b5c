"""Kubernetes' API, as far as the driver and the launcher ask it, and a pod's account with it."""

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

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
    (account / "namespace").write_text(NAMESPACE)
    (account / "token").write_text(_TOKEN)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _handler(objects: Mapping[str, Any]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.headers["Authorization"] != f"Bearer {_TOKEN}":
                self._answer(401, _status(401, "Unauthorized"))
            elif self.path not in objects:
                self._answer(404, _status(404, "NotFound"))
            else:
                self._answer(200, objects[self.path])

        def _answer(self, code, content):
            body = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            """Says nothing."""

    return Handler


def _status(code: int, reason: str) -> dict[str, Any]:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    return {**status, "code": code, "reason": reason, "message": reason}
