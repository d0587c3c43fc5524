"""Globus as a sign-in begins to see it, in a few lines of raw HTTP: an app token, and for every
collection the document that a test wants. The flow needs no more before it leaves for Globus."""

import contextlib
import http.server
import json
import os
import socket
import threading

from frontend import Program, free_ports


@contextlib.contextmanager
def serving(document):
    """A Globus whose collections have this document (bytes); its address."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self, body):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.answer(json.dumps({
                "access_token": "AgApp", "expires_in": 3600, "token_type": "Bearer",
                "resource_server": "transfer.api.globus.org",
                "scope": "urn:globus:auth:scope:transfer.api.globus.org:all"}).encode())

        def do_GET(self):
            self.answer(document)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def unreachable():
    """An address where nobody answers, for as long as the block lasts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and so nobody else's, but not listening
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextlib.contextmanager
def frontend_of(globus, state):
    """`serve` with that Globus; its base URL."""
    port, = free_ports(1)
    base_url = f"http://localhost:{port}"
    program = Program(
        "serve", "--listen", f"127.0.0.1:{port}", "--base-url", base_url,
        "--client-id", "00000000-0000-4000-8000-000000000001",
        "--audit-db", state / "audit.db", log=state / "log",
        environment={**os.environ, "GLOBUS_CLIENT_SECRET": "secret",
                     "GLOBUS_SDK_SERVICE_URL_AUTH": globus,
                     "GLOBUS_SDK_SERVICE_URL_TRANSFER": globus})
    try:
        program.wait_listening(base_url)
        yield base_url
    finally:
        assert program.stop() == 0
