"""This server as it is measured: `serve` with everything on, beside a stand-in for Globus that is
another process. The server is driven by headers that are made once: their time must not matter."""

import contextlib
import dataclasses
import os
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/EndToEnd"))
os.environ.setdefault("GLOBUS_S3_FRONTEND_BIN",
                      str(ROOT / ".build/release/globus-s3-frontend"))

import botocore.awsrequest  # noqa: E402
from frontend import PROGRAM, Program, free_ports, sign_in  # noqa: E402
from signing import signer  # noqa: E402

COLLECTION = "577ff845-9417-87d9-9178-83fafd31fb89"


@dataclasses.dataclass
class Server:
    name: str
    process: subprocess.Popen
    port: int
    prefix: str
    headers: dict = dataclasses.field(default_factory=dict)
    pid: int = 0
    #: Several threads serve: all their CPU counts.
    is_threaded: bool = False

    def __post_init__(self):
        self.pid = self.pid or self.process.pid

    def cpu(self, since):
        """Nanoseconds of CPU since then: of what serves, and of the threads beside it."""
        first, others = since.used()
        return (first + others, 0) if self.is_threaded else (first, others)

    def path(self, name):
        return f"{self.prefix}/{name}"

    def url(self, name):
        return f"http://localhost:{self.port}{self.path(name)}"

    def header_lines(self, name):
        return self.headers

    def get(self, name):
        request = urllib.request.Request(self.url(name), headers=self.header_lines(name))
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()


class Ours(Server):
    """With a signature that is right or, as `--signatures any` allows, is not."""

    credential = None
    is_signed = True

    def header_lines(self, name):
        return signature("GET", self.url(name), self.credential, self.is_signed)

    def unsigned(self):
        twin = dataclasses.replace(self, name="unverified")
        twin.credential, twin.is_signed = self.credential, False
        return twin


def signature(method, url, credential, is_right=True):
    """Headers that sign the request, valid for a quarter of an hour."""
    request = botocore.awsrequest.AWSRequest(method, url)
    signer("v4", credential).add_auth(request)
    headers = dict(request.prepare().headers)
    if not is_right:
        headers["Authorization"] = re.sub("Signature=.*", "Signature=" + 64 * "0",
                                          headers["Authorization"])
    return headers


def wait_for(port, process):
    for _ in range(1000):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"ended: {process.args}; {log_of(process)}") from None
            time.sleep(0.01)
    raise RuntimeError(f"does not listen: {process.args}; {log_of(process)}")


def log_of(process):
    """The end of what it has written to a file for standard error."""
    try:
        return pathlib.Path(process.log).read_text(errors="replace")[-2000:]
    except (AttributeError, OSError):
        return "no log"


def stop(process):
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Processes(contextlib.ExitStack):
    """Started here, ended with the block."""

    def run(self, command, port, log=None, **options):
        """Starts it and waits until it listens; standard error goes to the file `log`."""
        with open(log, "wb") if log else contextlib.nullcontext() as stderr:
            process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL,
                                       stderr=stderr, **options)
        process.log = log
        self.callback(lambda: process.poll() is None and stop(process))
        wait_for(port, process)
        return process

    @contextlib.contextmanager
    def unless_it_fails(self):
        """Ends all if the block fails; else they go on."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def stand_in(self, base_url, folder, *arguments):
        """Globus with one collection, which is the folder."""
        program = Program("local", "--stand-in-only", "--base-url", base_url,
                          "--collection", f"{COLLECTION}={folder}", *arguments)
        self.callback(program.stop)
        return program.wait_ready()


def serve(stand_in, port, database, authority, *arguments, program=PROGRAM):
    """Command and environment of `serve`, which trusts this authority's collections."""
    command = [program, "serve", "--listen", f"127.0.0.1:{port}",
               "--base-url", f"http://localhost:{port}", "--client-id", stand_in.client_id,
               "--audit-db", database, "--upstream-ca", authority,
               "--allow-private-upstream", "127.0.0.0/8", *arguments]
    environment = {**os.environ, "GLOBUS_CLIENT_SECRET": stand_in.client_secret,
                   "GLOBUS_SDK_SERVICE_URL_AUTH": stand_in.auth_url,
                   "GLOBUS_SDK_SERVICE_URL_TRANSFER": stand_in.transfer_url}
    return list(map(str, command)), environment


def signed_in(name, process, port, folder):
    """The server with a credential; objects are in this folder of the collection."""
    server = Ours(name, process, port, f"/{COLLECTION}{folder}")
    answer = sign_in(f"http://localhost:{port}", COLLECTION)
    if answer.status_code != 200:
        raise RuntimeError(answer.text)
    server.credential = answer.json()
    return server
