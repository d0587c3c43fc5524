"""What the end-to-end tests stand on: a `globus-s3-frontend local` process each can start.

The binary is $GLOBUS_S3_FRONTEND_BIN, else the debug build.
"""

import contextlib
import dataclasses
import os
import pathlib
import subprocess

import globus_sdk
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get(
    "GLOBUS_S3_FRONTEND_BIN", str(ROOT / ".build/debug/globus-s3-frontend")
)

TRANSFER = "urn:globus:auth:scope:transfer.api.globus.org:all"


@dataclasses.dataclass
class Collection:
    id: str
    directory: pathlib.Path
    kind: str
    high_assurance: bool
    https_server: str

    @property
    def https(self):
        return f"https://auth.globus.org/scopes/{self.id}/https"

    @property
    def data_access(self):
        return f"https://auth.globus.org/scopes/{self.id}/data_access"

    @property
    def has_data_access(self):
        return self.kind == "mapped" and not self.high_assurance

    @property
    def https_scopes(self):
        return [self.https] + ([self.data_access] if self.has_data_access else [])

    @property
    def transfer_scope(self):
        return f"{TRANSFER}[*{self.data_access}]" if self.has_data_access else TRANSFER


class Local:
    """A running `globus-s3-frontend local`, by the lines that it printed."""

    def __init__(self, process, lines):
        self.process = process
        pairs = [line.split("=", 1) for line in lines]
        self.values = dict(pairs)
        self.collections = [
            Collection(
                id=value,
                directory=pathlib.Path(self.values[f"collection.{value}.directory"]),
                kind=self.values[f"collection.{value}.kind"],
                high_assurance=self.values[f"collection.{value}.high_assurance"] == "true",
                https_server=self.values[f"collection.{value}.https_server"],
            )
            for name, value in pairs
            if name == "collection"
        ]

    def __getattr__(self, name):
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def redirect_uri(self):
        return self.base_url + "/?auth-callback"


@contextlib.contextmanager
def run_local(*arguments, stderr=None):
    """Starts `local` with these arguments; ends it with the block."""
    process = subprocess.Popen(
        [BINARY, "local", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    try:
        lines = []
        for line in process.stdout:
            if line == "ready\n":
                break
            lines.append(line.rstrip("\n"))
        else:
            raise RuntimeError(f"local ended with {process.wait()} before it was ready")
        yield Local(process, lines)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder with the shapes that matter: sizes, depths, names, links."""
    folder = tmp_path_factory.mktemp("collection")
    (folder / "example.txt").write_bytes(b"Hello from a Globus collection.\n")
    (folder / "empty").write_bytes(b"")
    (folder / ".hidden").write_bytes(b"hidden")
    (folder / "large.bin").write_bytes(bytes(range(256)) * 20_000 + b"end")
    (folder / "data").mkdir()
    (folder / "data" / "a b+é%.csv").write_bytes(b"x,y\n1,2\n")
    (folder / "data" / "deep").mkdir()
    (folder / "link").symlink_to("data/a b+é%.csv")
    (folder / "outside").symlink_to("/etc/passwd")
    os.utime(folder / "example.txt", (1_700_000_000, 1_700_000_000))
    return folder


@pytest.fixture(scope="session")
def stand_in(folder):
    """The stand-in alone, with a mapped, a guest and a high assurance collection, in this order."""
    guest = "1b6d2c9e-0000-4000-8000-00000000aaaa"
    assured = "1b6d2c9e-0000-4000-8000-00000000bbbb"
    with run_local(
        "--stand-in-only",
        *("--directory", folder),
        *("--collection", f"{guest}={folder}", "--guest", guest),
        *("--collection", f"{assured}={folder}", "--high-assurance", assured),
    ) as local:
        yield local


@pytest.fixture
def sdk(stand_in, monkeypatch):
    """Points Globus's SDK at the stand-in."""
    monkeypatch.setenv("GLOBUS_SDK_SERVICE_URL_AUTH", stand_in.auth_url)
    monkeypatch.setenv("GLOBUS_SDK_SERVICE_URL_TRANSFER", stand_in.transfer_url)
    monkeypatch.setenv("GLOBUS_SDK_VERIFY_SSL", stand_in.ca_file)


@pytest.fixture
def mapped(stand_in):
    return stand_in.collections[0]


@pytest.fixture
def guest(stand_in):
    return stand_in.collections[1]


@pytest.fixture
def assured(stand_in):
    return stand_in.collections[2]


@pytest.fixture
def app(stand_in):
    return globus_sdk.ConfidentialAppAuthClient(stand_in.client_id, stand_in.client_secret)
