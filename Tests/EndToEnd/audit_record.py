"""A record that real requests filled: what the tests of docs/audit.md and of other tools ask.

The server runs on while it is read. It was restarted once, so there is a time without a server.
"""

import json
import random
import re
import time

import requests

import audit_doc
from frontend import Program, audit, run, sign_in
from raw import Connection, authorization

# Keys that would colour, rename or turn around a terminal, percent-encoded as they are sent.
HARMFUL_KEYS = ["results/%1B%5B31mred", "results/%C2%9B31mred", "results/%E2%80%AEtxt.exe",
                "results/%1B%5D0;title%07"]
HARMFUL = "\x1b\x07\x9b\u202e"


class FilledRecord:
    def __init__(self, folder, state):
        (folder / "results").mkdir()
        (folder / "results" / "small.txt").write_text("A result.\n")
        (folder / "results" / "large.bin").write_bytes(random.Random(1).randbytes(20_000_000))
        self.arguments = ("local", "--directory", folder, "--listen", "127.0.0.1:0",
                          "--audit-db", state / "audit.db")
        self.log = state / "log"
        self.database = state / "audit.db"
        self.start()
        self.program.stop()
        self.start()
        self.fill()

    def start(self):
        self.program = Program(*self.arguments, log=self.log).wait_ready()
        self.collection = self.program.collection
        self.credential = sign_in(self.program.base_url, self.collection).json()

    def fill(self):
        connection = Connection(self.program.base_url, self.credential)
        target = f"/{self.collection}/results"
        whole = connection.ask("GET", f"{target}/small.txt")
        assert (whole.status, whole.body) == (200, b"A result.\n")
        self.request_id = whole.request_id
        for first in (0, 4):
            connection.ask("GET", f"{target}/small.txt", [("Range", f"bytes={first}-{first + 3}")])
        connection.ask("HEAD", f"{target}/small.txt")
        connection.ask("GET", f"/{self.collection}?list-type=2&delimiter=/&prefix=results/")
        connection.ask("GET", f"{target}/missing")
        connection.ask("DELETE", f"{target}/small.txt")
        for key in HARMFUL_KEYS:
            connection.ask("GET", f"/{self.collection}/{key}")
        connection.close()
        url = self.program.base_url + target
        requests.get(f"{url}/small.txt")  # without a credential
        with requests.get(f"{url}/large.bin", headers=authorization(self.credential),
                          stream=True) as answer:
            answer.raw.read(1000)  # and away
        self.wait_for("client_abort")

    def wait_for(self, outcome):
        for _ in range(200):
            if any(row["outcome"] == outcome for row in audit(self.database)):
                return
            time.sleep(0.05)
        raise AssertionError(f"no request has become {outcome}")

    def fill_in(self, text):
        """The document's text with this record's values."""
        row, = [row for row in audit(self.database) if row["request_id"] == self.request_id]
        return (text.replace(audit_doc.COLLECTION, self.collection)
                .replace(audit_doc.IDENTITY, row["identity_id"])
                .replace(audit_doc.REQUEST, self.request_id))

    def sql(self, statement):
        """The rows that the command prints."""
        answer = run("audit", "sql", "--audit-db", self.database, "--format", "json", statement)
        assert answer.returncode == 0, answer.stderr
        return [json.loads(line) for line in answer.stdout.splitlines()]


def is_scan(plan):
    """Whether a line of a plan reads all of `request`, which the views call r."""
    return re.match(r"SCAN (r|request)\b", plan) is not None


