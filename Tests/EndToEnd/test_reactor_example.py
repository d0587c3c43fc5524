"""The second program on Reactor: it echoes, and relays from an origin with back-pressure."""

import contextlib
import hashlib
import http.client
import http.server
import pathlib
import socket
import threading
import time

import pytest

from frontend import PROGRAM, ROOT, Program, free_ports

EXAMPLE = str(pathlib.Path(PROGRAM).with_name("reactor-example"))
PIECE = bytes(range(256)) * 4096  # one MiB
PIECES = 192
DIGEST = hashlib.sha256(PIECE * PIECES).hexdigest()


class Origin(http.server.BaseHTTPRequestHandler):
    """Sends a large body, and counts what the other side has let it send."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/small":
            self.answer(206 if self.headers["Range"] else 200, 5)
            self.wfile.write(b"small")
            return
        self.answer(200, len(PIECE) * PIECES)
        for number in range(PIECES):
            if self.path == "/broken" and number == 3:
                self.close_connection = True
                return
            self.wfile.write(PIECE)
            self.server.sent = number + 1

    do_HEAD = lambda self: self.answer(200, 5)  # noqa: E731

    def answer(self, status, length):
        self.send_response(status)
        self.send_header("Content-Type", "text/x-example")
        self.send_header("Content-Length", str(length))
        self.send_header("X-Not-Forwarded", "1")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def origin():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def example(*arguments):
    """A running example's port; it ends by SIGTERM, with 0."""
    program = Program(0, *arguments, program=EXAMPLE)
    try:
        yield int(program.process.stdout.readline().partition("=")[2]), program
        assert program.stop() == 0
    finally:
        if program.process.poll() is None:
            program.kill()


@pytest.fixture
def forwarding(origin):
    with example(f"http://127.0.0.1:{origin.server_port}") as (port, program):
        yield port, program


def ask(port, method, target, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, target, body, headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def test_it_echoes():
    with example() as (port, _):
        answer, content = ask(port, "PUT", "/", PIECE, {"Content-Type": "a/b"})
        assert (answer.status, answer.headers["Content-Type"], content) == (200, "a/b", PIECE)
        assert ask(port, "GET", "/")[1] == b""
        assert ask(port, "PUT", "/", PIECE + b"x")[0].status == 413
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            client.sendall(b"nonsense\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 400 ")


def test_it_forwards_what_a_client_may_know(forwarding):
    port, _ = forwarding
    answer, content = ask(port, "GET", "/small", headers={"Range": "bytes=0-4"})
    assert (answer.status, content) == (206, b"small")
    assert answer.headers["Content-Type"] == "text/x-example"
    assert "X-Not-Forwarded" not in answer.headers
    answer, content = ask(port, "HEAD", "/small")
    assert (answer.status, answer.headers["Content-Length"], content) == (200, "5", b"")
    assert ask(port, "PUT", "/small", b"x")[0].status == 405
    with pytest.raises(ConnectionResetError):  # the length that was said can't be kept
        ask(port, "GET", "/broken")


def test_a_slow_client_slows_the_origin(origin, forwarding):
    port, program = forwarding
    origin.sent = 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/large")
    answer = connection.getresponse()
    counts = [-1]
    while counts[-1] != origin.sent:  # until it moves no more
        counts.append(origin.sent)
        time.sleep(0.5)
    assert 0 < origin.sent < PIECES / 2, "more than the sockets' buffers hold was taken"
    with open(f"/proc/{program.process.pid}/status") as status:
        [peak] = [int(line.split()[1]) for line in status if line.startswith("VmHWM:")]
    assert peak < 100_000, "kilobytes"
    digest = hashlib.sha256()
    while piece := answer.read(1 << 20):
        digest.update(piece)
    assert digest.hexdigest() == DIGEST
    connection.close()


def test_an_origin_that_is_not_there_is_502():
    port, = free_ports(1)
    with example(f"http://127.0.0.1:{port}") as (port, _):
        answer, content = ask(port, "GET", "/")
        assert answer.status == 502 and content.startswith(b"connectFailed")


def test_the_code_in_the_documentation_is_the_examples():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    source = (ROOT / "Examples/ReactorExample.swift").read_text()
    blocks = [part.partition("\n```")[0] for part in text.split("```swift\n")[1:]]
    assert blocks and all(block in source for block in blocks)
    assert len(source.splitlines()) < 80
