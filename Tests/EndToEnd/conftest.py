"""What the end-to-end tests stand on: `globus-s3-frontend local`, alone and with its frontend."""

import contextlib
import dataclasses
import os
import pathlib
import random
import subprocess
import sys

import boto3
import botocore.config
import globus_sdk
import pytest

import faults
import raw
from audit_bed import Bed
from audit_record import FilledRecord
from authority import Authority
from clients import client_sites, site  # fixtures
from frontend import Program, sign_in
from liar import Liar, honest
from parsers import Own
from strict_bed import run_strict

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
    """A running `globus-s3-frontend local` with its collections."""

    def __init__(self, program):
        self.program = program
        self.collections = [
            Collection(
                id=value,
                directory=pathlib.Path(program.settings[f"collection.{value}.directory"]),
                kind=program.settings[f"collection.{value}.kind"],
                high_assurance=program.settings[f"collection.{value}.high_assurance"] == "true",
                https_server=program.settings[f"collection.{value}.https_server"],
            )
            for name, value in program.all_settings
            if name == "collection"
        ]

    def __getattr__(self, name):
        return getattr(self.program, name)

    @property
    def redirect_uri(self):
        return self.base_url + "/?auth-callback"


@contextlib.contextmanager
def run_local(*arguments, log=None):
    """Starts `local` with these arguments; ends it with the block."""
    program = Program("local", *arguments, log=log).wait_ready()
    try:
        yield Local(program)
    finally:
        program.stop()


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


@pytest.fixture(scope="session")
def local(tmp_path_factory):
    """`local` on a folder of samples: base_url, collection, audit_db, … and `folder`."""
    folder = tmp_path_factory.mktemp("samples")
    (folder / "example.txt").write_text("An object in a Globus collection.\n")
    (folder / "thousand.bin").write_bytes(bytes(n % 251 for n in range(1000)))
    (folder / "large.bin").write_bytes(random.Random(1).randbytes(20 * 1024 * 1024 + 7))
    (folder / "empty").touch()
    (folder / "folder").mkdir()
    state = tmp_path_factory.mktemp("state")
    program = Program("local", "--directory", folder, "--listen", "127.0.0.1:0",
                      "--audit-db", state / "audit.db", log=state / "log")
    program.folder = folder
    yield program.wait_ready()
    assert program.stop() == 0


@pytest.fixture(scope="session")
def credential(local):
    answer = sign_in(local.base_url, local.collection)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="session")
def aws(local, credential):
    """The real aws command, signed in with any secret."""
    def command(*arguments, environment=None):
        return subprocess.run(
            [sys.executable, "-m", "awscli", *map(str, arguments)],
            check=True, capture_output=True, text=True, timeout=120,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent",
                 "AWS_ENDPOINT_URL": local.base_url, "AWS_DEFAULT_REGION": "globus",
                 "AWS_ACCESS_KEY_ID": credential["access_key_id"],
                 "AWS_SECRET_ACCESS_KEY": "any", **(environment or {})})
    return command


@pytest.fixture(scope="session")
def s3(local, credential):
    """boto3, signed in with any secret."""
    return boto3.client(
        "s3", endpoint_url=local.base_url, region_name="globus",
        aws_access_key_id=credential["access_key_id"], aws_secret_access_key="any",
        config=botocore.config.Config(retries={"max_attempts": 1}))


LIED_ABOUT = "1b6d2c9e-0000-4000-8000-00000000dead"


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Whose certificates the frontend of `bed` trusts."""
    return Authority(tmp_path_factory.mktemp("authority") / "trusted")


@pytest.fixture(scope="session")
def shared_bed(tmp_path_factory, authority):
    folder = tmp_path_factory.mktemp("lied-about")
    log = tmp_path_factory.mktemp("log") / "stderr"
    with Liar(folder, authority) as liar, run_local(
        *("--collection", f"{LIED_ABOUT}={folder}", "--guest", LIED_ABOUT),
        *("--https-server", f"{LIED_ABOUT}={liar.url}", "--upstream-ca", authority.certificate),
        *("--listen", "127.0.0.1:0"), log=log,
    ) as local:
        yield faults.bed(local, folder, LIED_ABOUT, liar)


@pytest.fixture
def bed(shared_bed):
    """The frontend before a liar that is honest until a test says otherwise."""
    tls = shared_bed.liar.tls
    shared_bed.liar.plan(honest)
    yield shared_bed
    shared_bed.liar.tls = tls


MAPPED = "1b6d2c9e-0000-4000-8000-0000000000aa"
GUEST = "1b6d2c9e-0000-4000-8000-0000000000bb"


@pytest.fixture(scope="session")
def shared_globus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("of-globus")
    log = tmp_path_factory.mktemp("log") / "stderr"
    with run_local(
        *("--collection", f"{MAPPED}={folder}", "--collection", f"{GUEST}={folder}"),
        *("--guest", GUEST, "--listen", "127.0.0.1:0"), log=log,
    ) as local:
        yield faults.bed(local, folder, MAPPED), faults.bed(local, folder, GUEST)


@pytest.fixture
def globus_mapped(shared_globus):
    """A mapped collection of a stand-in without faults; a test sets them by `faults.set_faults`."""
    mapped, _ = shared_globus
    yield mapped
    faults.set_faults(mapped.local)


@pytest.fixture
def globus_guest(shared_globus):
    """The same for a guest collection."""
    _, guest = shared_globus
    yield guest
    faults.set_faults(guest.local)


@pytest.fixture
def wire(local, credential):
    """A connection on which requests go out as they are written."""
    connection = raw.Connection(local.base_url, credential)
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def record(tmp_path_factory):
    """A running server whose record was filled by real requests."""
    record = FilledRecord(tmp_path_factory.mktemp("recorded"), tmp_path_factory.mktemp("record"))
    yield record
    assert record.program.stop() == 0


@pytest.fixture(scope="session")
def rig(tmp_path_factory):
    """`serve` before a stand-in, started by each test on an audit that it hurts."""
    samples = tmp_path_factory.mktemp("bed-samples")
    (samples / "example.txt").write_text("An object in a Globus collection.\n")
    rig = Bed(tmp_path_factory.mktemp("bed"), samples)
    yield rig
    rig.close()


@pytest.fixture(scope="session")
def strict(tmp_path_factory):
    """Two servers, plain and TLS, before one stand-in."""
    with run_strict(tmp_path_factory.mktemp("strict")) as bed:
        yield bed


@pytest.fixture(scope="session")
def own(tmp_path_factory):
    """The server's own parser of requests, without the server."""
    return Own(tmp_path_factory.mktemp("verdict"))


@pytest.fixture(params=["plain", "tls"])
def door(strict, request):
    return strict.doors[request.param]


@pytest.fixture
def database(tmp_path):
    return tmp_path / "audit.db"
