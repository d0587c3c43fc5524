"""A frontend whose audit can be hurt: `serve` before a stand-in, started as often as a test wants.

The credential and the address outlive the server. `Client` keeps a log of what it saw, so that it
can be compared with the record: the same invariants after every fault.
"""

import contextlib
import os
import pathlib
import sqlite3
import subprocess
import threading
import time

import requests

from frontend import Program, free_ports, run, sign_in
from test_one_object import authorization

HERE = pathlib.Path(__file__).parent


def eventually(condition, what, seconds=30):
    """Waits for a condition; returns what it gave."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def rows(database, sql="SELECT * FROM requests ORDER BY id"):
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(sql)]
    finally:
        connection.close()


def gaps(database):
    return rows(database, "SELECT * FROM gap ORDER BY gap_id")


@contextlib.contextmanager
def tmpfs(folder, megabytes):
    """A small disk; the caller is root."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder],
                   check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def may_mount(folder):
    try:
        with tmpfs(folder, 1):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


class Bed:
    """What all servers of a module share: stand-in, port, keys, credential."""

    def __init__(self, folder, samples):
        self.folder, self.samples = folder, samples
        port, operations = free_ports(2)
        self.base_url = f"http://localhost:{port}"
        self.operations = f"http://127.0.0.1:{operations}"
        self.stand_in = Program("local", "--stand-in-only", "--directory", samples,
                                "--base-url", self.base_url).wait_ready()
        self.collection = self.stand_in.collection
        keys = folder / "keys"
        assert run("key", "generate", keys).returncode == 0
        self.flags = ("serve", "--listen", f"127.0.0.1:{port}", "--base-url", self.base_url,
                      "--operations-listen", f"127.0.0.1:{operations}", "--key-file", keys,
                      "--upstream-ca", self.stand_in.ca_file,
                      "--allow-private-upstream", "127.0.0.0/8")
        self.environment = {
            "PATH": os.environ["PATH"],
            "GLOBUS_SDK_SERVICE_URL_AUTH": self.stand_in.auth_url,
            "GLOBUS_SDK_SERVICE_URL_TRANSFER": self.stand_in.transfer_url,
            "GLOBUS_CLIENT_ID": self.stand_in.client_id,
            "GLOBUS_CLIENT_SECRET": self.stand_in.client_secret}
        with self.server(folder / "sign-in.db"):
            self.credential = sign_in(self.base_url, self.collection).json()
        self.shim = folder / "disk_faults.so"
        subprocess.run([os.environ.get("CC", "clang"), "-shared", "-fPIC", "-o", self.shim,
                        HERE / "disk_faults.c", "-ldl"], check=True)

    def start(self, database, *flags, **environment):
        """A server; with FAULTS_… in the environment on a disk that fails."""
        if environment:
            environment["LD_PRELOAD"] = str(self.shim)
        log = self.folder / "log"
        log.write_bytes(b"")
        server = Program(*self.flags, "--audit-db", database, *flags, log=log,
                         environment={**self.environment, **environment})
        server.log_path = log
        return server

    @contextlib.contextmanager
    def server(self, database, *flags, **environment):
        server = self.start(database, *flags, **environment)
        try:
            server.wait_listening(self.base_url).wait_listening(self.operations)
            yield server
            assert server.process.poll() is None, "it crashed"
            assert server.stop() == 0
        finally:
            if server.process.poll() is None:
                server.kill()

    def refused(self, database, *flags):
        """A start that must end by itself: its exit code and its last line."""
        server = self.start(database, *flags)
        code = server.process.wait(timeout=30)
        server.stop()
        return code, server.log_path.read_text().strip().splitlines()[-1]

    def readiness(self):
        answer = requests.get(f"{self.operations}/readyz", timeout=10)
        return answer.status_code, answer.text

    def wait_ready(self):
        eventually(lambda: self.readiness()[0] == 200, "green again")

    def wait_red(self, reason):
        return eventually(lambda: self.readiness()[0] == 503 and reason in self.readiness()[1],
                          f"red because {reason}")

    def metric(self, name):
        text = requests.get(f"{self.operations}/metrics", timeout=10).text
        [line] = [line for line in text.splitlines() if line.startswith(f"{name} ")]
        return float(line.split()[1])

    def client(self):
        return Client(self)

    def close(self):
        self.stand_in.stop()


class Client:
    """Reads an object again and again and remembers each answer."""

    def __init__(self, bed):
        self.url = f"{bed.base_url}/{bed.collection}/example.txt"
        self.session = requests.Session()
        self.session.headers.update(authorization(bed.credential))
        self.answers = []

    def get(self, times=1):
        """The statuses of that many requests, which must be 200 or 503."""
        for _ in range(times):
            answer = self.session.get(self.url, timeout=30)
            assert answer.status_code in (200, 503), answer.text
            self.answers.append((answer.headers["x-amz-request-id"], answer.status_code,
                                 len(answer.content)))
        return [status for _, status, _ in self.answers[-times:]]

    @property
    def served(self):
        return {answer[0] for answer in self.answers if answer[1] == 200}

    @property
    def refused(self):
        return {answer[0] for answer in self.answers if answer[1] == 503}

    @contextlib.contextmanager
    def load(self):
        """Requests from another thread, for the time of the block."""
        stop = threading.Event()

        def work():
            while not stop.is_set():
                self.get()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def compare(self, database, lost=0):
        """Every answer of 200 has exactly one row that agrees; no refusal has one. After a kill
        as many rows may be `lost` as requests were in flight."""
        recorded = rows(database)
        by_id = {row["request_id"]: row for row in recorded}
        assert len(by_id) == len(recorded)
        assert sum(row["outcome"] == "lost" for row in recorded) <= lost
        for request_id, status, size in self.answers:
            if status == 200 and by_id[request_id]["outcome"] != "lost":
                row = by_id[request_id]
                assert (row["status"], row["outcome"], row["bytes_out"]) == (200, "ok", size)
        assert not self.refused & by_id.keys()
        assert rows(database, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        verified = run("audit", "verify", "--audit-db", database)
        assert verified.returncode == 0, verified.stdout + verified.stderr
