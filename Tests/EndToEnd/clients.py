"""What the tests of other people's clients stand on.

A client runs as a process of its own, as its users run it, with the settings of
clients_settings.py; it never shares an interpreter with pytest. `Site` is a running server over a
folder of samples; `Site.recorded` reads in the audit what the client did. `works` and `refused`
say on a test what docs/clients.md may claim because of it.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import subprocess
import time
import urllib.parse

import pytest
import requests

import clients_samples
import clients_settings as settings
from clients_settings import CLIENTS, COMMANDS, PYTHON
from frontend import Program, run, sign_in


@dataclasses.dataclass(frozen=True)
class Claim:
    client: str
    text: str
    works: bool


def claims(names, text, works):
    def mark(function):
        names_of = [names] if isinstance(names, str) else names
        assert set(names_of) <= set(CLIENTS)
        function.claims = [Claim(name, text, works) for name in names_of] + getattr(
            function, "claims", [])
        return function
    return mark


def works(names, text):
    """The test shows that these clients do this."""
    return claims(names, text, True)


def refused(names, text):
    """The test shows how these clients meet what this version doesn't do."""
    return claims(names, text, False)


both = pytest.mark.parametrize("site", ["any", "verify"], indirect=True)


@pytest.fixture(scope="session")
def client_sites(tmp_path_factory):
    """The servers, by `--signatures`, over one folder of samples."""
    assert pathlib.Path(PYTHON["clients"]).exists(), "scripts/test makes the clients' environment"
    folder = clients_samples.make(tmp_path_factory.mktemp("clients"))
    sites = {}
    yield lambda signatures: sites.get(signatures) or sites.setdefault(
        signatures, Site(folder, signatures, tmp_path_factory.mktemp(f"clients {signatures}")))
    assert [site.program.stop() for site in sites.values()] == [0] * len(sites)


@pytest.fixture
def site(request, client_sites):
    """The server, under `--signatures any` unless the test is marked with `both`."""
    return client_sites(getattr(request, "param", "any"))


def sha256(content):
    if isinstance(content, pathlib.Path):
        content = content.read_bytes()
    return hashlib.sha256(content).hexdigest()


class Recorded:
    """The audit rows of a block, of one client; they are all there when the block has ended."""

    def __init__(self, site, client):
        self.site, self.client = site, client

    def __enter__(self):
        self.start = time.time_ns() // 1000
        return self

    def __exit__(self, failure, *_):
        if failure is None:  # a row of ours, made last, is written last
            self.last = requests.head(self.site.base_url).headers["x-amz-request-id"]
            wait_until(lambda: self.select(f"request_id = '{self.last}'"), "the block's last row")

    def select(self, condition):
        answer = run("audit", "sql", "--audit-db", self.site.audit_db, "--format", "json",
                     f"SELECT * FROM requests WHERE {condition} ORDER BY id")
        assert answer.returncode == 0, answer.stderr
        return [json.loads(line) for line in answer.stdout.splitlines()]

    def rows(self):
        agent = CLIENTS[self.client].agent
        rows = self.select(f"start_us >= {self.start} AND request_id <> '{self.last}'")
        return [row for row in rows if agent in (row["user_agent"] or "")]

    def expect(self, operation, status, key=None, auth="header", **more):
        """The rows with these values: at least one."""
        expected = {"operation": operation, "status": status, "object_key": key, "auth": auth,
                    "auth_result": "verified" if auth == "presigned" else self.site.auth_result,
                    **more}
        rows = self.rows()
        found = [row for row in rows if expected.items() <= row.items()]
        seen = [{name: row[name] for name in expected} for row in rows]
        assert found, f"no row with {expected}; rows: {seen}"
        assert {row["collection_id"] for row in found} <= {self.site.collection, None}
        return found


def wait_until(condition, what):
    for _ in range(200):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


class Site:
    """A server over the folder of samples. Under `any` the clients use an invented secret, under
    `verify` the one shown at sign-in."""

    def __init__(self, folder, signatures, state):
        self.program = Program(
            "local", "--directory", folder, "--listen", "127.0.0.1:0", "--signatures", signatures,
            "--audit-db", state / "audit.db", log=state / "log").wait_ready()
        self.folder, self.state = folder, state
        self.signatures = signatures
        self.base_url, self.collection = self.program.base_url, self.program.collection
        self.host = urllib.parse.urlsplit(self.base_url).netloc
        self.audit_db = self.program.audit_db
        self.credential = sign_in(self.base_url, self.collection).json()
        self.auth_result = "verified" if signatures == "verify" else "unverified"

    def secret(self, shown):
        """`shown`: whether it is the one shown at sign-in; None: what the server asks for."""
        if shown is None:
            shown = self.signatures == "verify"
        return self.credential["secret_access_key"] if shown else "invented"

    def fill(self, text, shown=None):
        """The example's names replaced by this server's values."""
        return (text.replace(settings.ENDPOINT, self.base_url)
                .replace(settings.HOST, self.host)
                .replace(settings.KEY_ID, self.credential["access_key_id"])
                .replace(settings.SECRET, self.secret(shown))
                .replace(settings.BUCKET, self.collection))

    def recorded(self, client):
        return Recorded(self, client)

    def url(self, key):
        return f"{self.base_url}/{self.collection}/" + urllib.parse.quote(key)

    def command(self, client, *arguments, shown=None, with_settings=True, status=0, text=True):
        """The client's command to its end, with its settings; returns its output. `shown`: see
        `secret`. `status` None: any that is a failure; the errors are returned."""
        home = self.state / f"home {client}"
        home.mkdir(exist_ok=True)
        spec = CLIENTS[client]
        content = self.fill(spec.settings, shown)
        start = COMMANDS[client]
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8"}
        if spec.kind == "shell":
            start = ["bash", "-c", f'{content}exec "$@"', "bash", *start]
        elif spec.kind.startswith("~/"):
            file = home / spec.kind.removeprefix("~/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        elif with_settings:  # curl; a presigned URL needs none
            (home / spec.kind).write_text(content)
            start = [*start, "--config", str(home / spec.kind)]
        arguments = [self.fill(str(argument)) for argument in arguments]
        answer = subprocess.run([*start, *arguments], capture_output=True, text=text, timeout=120,
                                env=environment, cwd=home, stdin=subprocess.DEVNULL)
        expected = answer.returncode != 0 if status is None else answer.returncode == status
        assert expected, (answer.returncode, answer.stdout, answer.stderr)
        return answer.stdout if status == 0 else answer.stderr

    def python(self, client, body, shown=None):
        """The client's settings and then this body, in Python; returns what `answer` was set to."""
        spec = CLIENTS[client]
        prelude = self.fill(spec.settings, shown)
        if spec.kind == "sql":
            prelude = DUCKDB + f"sql.execute({prelude!r})\n"
        script = "import hashlib, json, sys\n" + prelude + PRELUDE + self.fill(body)
        answer = subprocess.run(
            [PYTHON[spec.venv], "-c", script + "\nprint(json.dumps(answer))"],
            capture_output=True, text=True, timeout=120, cwd=self.state,
            env={"PATH": os.environ["PATH"], "HOME": str(self.state), "LC_ALL": "C.UTF-8"})
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout.splitlines()[-1])


# Python given to every client's script: a digest to compare, and an error to report.
PRELUDE = """
def digest(content):
    return hashlib.sha256(content).hexdigest()

def error(call):
    try:
        call()
    except Exception as caught:
        return f"{type(caught).__name__}: {caught}"
"""

# DuckDB would download its extension; here it comes from a Python package.
DUCKDB = """
import duckdb, duckdb_extension_httpfs, pathlib
extension, = pathlib.Path(duckdb_extension_httpfs.__path__[0]).rglob("httpfs.duckdb_extension")
sql = duckdb.connect()
sql.load_extension(str(extension))
"""
