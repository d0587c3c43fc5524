"""The program under test as a process: `local` (stand-in and frontend in one), or `serve`.

Nothing here knows how the program works inside: it reads the lines that `local` prints, signs in
as a browser would, and asks the audit by its command.
"""

import contextlib
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time
import urllib.parse

import requests

from oauth import decide

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get(
    "GLOBUS_S3_FRONTEND_BIN", str(ROOT / ".build/debug/globus-s3-frontend")
)


def free_ports(count):
    """Ports that nothing listens on; for programs that must know their port before they start.

    Below those that the kernel gives to connections, so that none of these takes one meanwhile.
    """
    ports = []
    while len(ports) < count:
        port = random.randrange(12_000, 32_000)
        with contextlib.suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            ports.append(port)
    return ports


def run(*arguments, **options):
    """The command, to its end."""
    return subprocess.run(
        [PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=60, **options
    )


class Program:
    """A running `local` or `serve`; lines `name=value` of its output are `settings`."""

    def __init__(self, *arguments, environment=None, log=None, program=PROGRAM):
        self.settings = {}
        self.all_settings = []
        self.log = open(log or os.devnull, "ab")
        self.process = subprocess.Popen(
            [program, *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=self.log, env=environment, text=True,
        )

    def wait_ready(self):
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if line == "ready":
                return self
            name, _, value = line.partition("=")
            self.settings.setdefault(name, value)
            self.all_settings.append((name, value))
        raise RuntimeError(f"ended before it was ready: {self.process.wait()}")

    def wait_listening(self, base_url):
        address = urllib.parse.urlsplit(base_url)
        for _ in range(200):
            try:
                http.client.HTTPConnection(address.hostname, address.port, timeout=5).connect()
                return self
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError(f"ended: {self.process.returncode}") from None
                time.sleep(0.05)
        raise RuntimeError("does not listen")

    def __getattr__(self, name):
        try:
            return self.settings[name]
        except KeyError:
            raise AttributeError(name) from None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        self.log.close()
        return code


def sign_in(base_url, collection, accept="application/json", decision="approve", query="",
            session=None):
    """Signs in as a browser would; returns the callback's answer."""
    session = session or requests.Session()
    start = session.get(f"{base_url}/{collection}/?auth{query}", allow_redirects=False)
    while True:
        assert start.status_code == 303, (start.status_code, start.text)
        callback = decide(start.headers["Location"], decision, session)
        answer = session.get(callback, headers={"Accept": accept}, allow_redirects=False)
        if answer.status_code != 303:
            return answer
        start = answer  # a second round: the collection's kind was not known before


def audit(database, *arguments):
    """`audit query` as a list of rows."""
    answer = run("audit", "query", "--audit-db", database, "--format", "json", "--limit", 100000,
                 *arguments)
    assert answer.returncode == 0, answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]


def audit_row(database, request_id):
    """The row of one request, as soon as it is there: the contract says within a second."""
    for _ in range(60):
        rows = [row for row in audit(database) if row["request_id"] == request_id]
        if rows:
            assert len(rows) == 1, rows
            return rows[0]
        time.sleep(0.05)
    raise AssertionError(f"no audit row for {request_id}")


def audit_rows(database, request_ids):
    """The rows of many requests by their ids, as soon as all are there."""
    wanted = set(request_ids)
    for _ in range(60):
        rows = [row for row in audit(database, "--since", "1h") if row["request_id"] in wanted]
        if len(rows) >= len(wanted):
            assert len(rows) == len(wanted), "a request has two rows"
            return {row["request_id"]: row for row in rows}
        time.sleep(0.05)
    raise AssertionError(f"{len(wanted) - len(rows)} requests have no audit row")
