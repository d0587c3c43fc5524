"""A `serve` that is reloaded, ended and replaced: its files, its clients, its manager's sockets.

What outlives the process is the site's: a stand-in for Globus, keys, certificates, the configuration
file, a credential, and listening sockets as a service manager holds them.
"""

import contextlib
import http.client
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import threading

import requests

from audit_bed import eventually
from authority import Authority
from frontend import PROGRAM, Program, free_ports, run, sign_in
from raw import authorization

LARGE = 256 << 20  # more than the socket buffers of a client that reads nothing can hold

# bash, because the descriptors must be from 3 on and LISTEN_PID the pid of what it becomes.
ACTIVATE = 'for fd in $FDS; do eval "exec $((n + 3))<&$fd $fd<&-"; n=$((n + 1)); done; unset FDS; ' \
    'LISTEN_PID=${LISTEN_PID:-$$} exec "$@"'


class Server(Program):
    """A running `serve`; `sockets` are left to it as by a service manager, from descriptor 3 on."""

    def __init__(self, arguments, environment, log, sockets=(), names=None):
        self.settings, self.all_settings = {}, []
        self.log_path = pathlib.Path(log)
        self.log = open(log, "ab")
        command = [PROGRAM, "serve", *map(str, arguments)]
        if sockets:
            command = ["bash", "-c", ACTIVATE, "bash", *command]
            environment = {"LISTEN_FDS": str(len(sockets)), **environment,
                           "FDS": " ".join(str(one.fileno()) for one in sockets)}
            if names:
                environment["LISTEN_FDNAMES"] = ":".join(names)
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.log, env=environment, text=True,
            pass_fds=[one.fileno() for one in sockets])

    @property
    def lines(self):
        return self.log_path.read_text().splitlines()

    def wait_line(self, text, count=1):
        """The lines with that text, when there are so many."""
        def found():
            assert self.process.poll() is None, self.log_path.read_text()
            lines = [line for line in self.lines if text in line]
            return lines if len(lines) >= count else None
        return eventually(found, f"{count} lines with {text!r}")

    def reload(self):
        """Sends SIGHUP; the line that says what came of it."""
        before = len([line for line in self.lines if "reloaded" in line])
        self.process.send_signal(signal.SIGHUP)
        return self.wait_line("reloaded", before + 1)[-1]

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)


class Site:
    def __init__(self, folder, tls=False):
        self.folder = folder
        self.tls = tls
        self.servers = []
        samples = folder / "samples"
        samples.mkdir()
        (samples / "example.txt").write_text("An object in a Globus collection.\n")
        with open(samples / "large.bin", "wb") as large:
            large.truncate(LARGE)
        self.port, operations = free_ports(2)
        self.base_url = f"http{'s' if tls else ''}://localhost:{self.port}"
        self.operations = f"http://127.0.0.1:{operations}"
        self.stand_in = Program("local", "--stand-in-only", "--directory", samples,
                                "--base-url", self.base_url).wait_ready()
        self.collection = self.stand_in.collection
        self.keys = folder / "keys"
        self.new_keys()
        self.settings = [
            ("listen", f"127.0.0.1:{self.port}"), ("operations-listen", f"127.0.0.1:{operations}"),
            ("base-url", self.base_url), ("key-file", self.keys),
            ("upstream-ca", self.stand_in.ca_file), ("allow-private-upstream", "127.0.0.0/8")]
        self.session = requests.Session()
        self.session.trust_env = False  # REQUESTS_CA_BUNDLE would go before `verify`
        if tls:
            self.authority = Authority(folder / "authority")
            self.certificate, self.key = folder / "own.pem", folder / "own.key"
            self.use_certificate(0)
            self.settings += [("tls-cert", self.certificate), ("tls-key", self.key)]
            self.session.verify = str(self.authority.certificate)
        self.config = folder / "frontend.conf"
        self.configure()
        self.environment = {
            "PATH": os.environ["PATH"],
            "GLOBUS_SDK_SERVICE_URL_AUTH": self.stand_in.auth_url,
            "GLOBUS_SDK_SERVICE_URL_TRANSFER": self.stand_in.transfer_url,
            "GLOBUS_CLIENT_ID": self.stand_in.client_id,
            "GLOBUS_CLIENT_SECRET": self.stand_in.client_secret}

    def close(self):
        for server in self.servers:
            if server.process.poll() is None:  # of a test that failed
                server.kill()
        self.stand_in.stop()

    # ---- files ----

    def new_keys(self):
        self.keys.unlink(missing_ok=True)
        assert run("key", "generate", self.keys).returncode == 0

    def configure(self, **changes):
        """Writes the configuration file; a change to None leaves the flag out."""
        changes = {name.replace("_", "-"): value for name, value in changes.items()}
        kept = [(name, value) for name, value in self.settings if name not in changes]
        changed = [(name, value) for name, value in changes.items() if value is not None]
        self.config.write_text("".join(f"{name} = {value}\n" for name, value in kept + changed))

    def use_certificate(self, number):
        """Puts the certificate of that number in place; returns it as the client will see it."""
        end = f"20{60 + number}0101000000Z"
        self.authority.context(end=end)
        stem = self.authority.folder / f"localhost-{end}"
        shutil.copy(stem.with_suffix(".pem"), self.certificate)
        shutil.copy(stem.with_suffix(".key"), self.key)
        return ssl.PEM_cert_to_DER_cert(stem.with_suffix(".pem").read_text())

    # ---- the server ----

    def start(self, database, *flags, log=None, sockets=(), names=None, **environment):
        log = log or self.folder / "log"
        log.write_bytes(b"")
        server = Server(["--config", self.config, "--audit-db", database, *flags],
                        {**self.environment, **environment}, log, sockets, names)
        self.servers.append(server)
        return server

    @contextlib.contextmanager
    def server(self, database, *flags, **environment):
        """A server that a test leaves running; it must then end well."""
        server = self.start(database, *flags, **environment)
        try:
            server.wait_line("listening")
            yield server
            assert server.process.poll() is None, "it has ended"
            assert server.stop() == 0
        finally:
            if server.process.poll() is None:
                server.kill()

    def refused(self, database, *flags, **start):
        """A start that must end by itself: its exit code and what it says."""
        server = self.start(database, *flags, **start)
        code = server.process.wait(timeout=30)
        server.stop()
        return code, server.lines

    # ---- its clients ----

    def sign_in(self):
        answer = sign_in(self.base_url, self.collection, session=self.session)
        assert answer.status_code == 200, answer.text
        self.credential = answer.json()
        return self.credential

    def get(self, key="example.txt", credential=None, **headers):
        signed = authorization(credential or self.credential)
        return self.session.get(f"{self.base_url}/{self.collection}/{key}",
                                headers={**signed, **headers}, timeout=30)

    def connect(self):
        """A connection of http.client."""
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        context = ssl.create_default_context(cafile=self.authority.certificate)
        return http.client.HTTPSConnection("localhost", self.port, timeout=60, context=context)

    def request(self, key="example.txt"):
        """The bytes of a GET."""
        lines = [f"GET /{self.collection}/{key} HTTP/1.1", f"Host: localhost:{self.port}",
                 *(f"{name}: {value}" for name, value in authorization(self.credential).items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def certificate_seen(self):
        context = ssl.create_default_context(cafile=self.authority.certificate)
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as wrapped:
                return wrapped.getpeercert(binary_form=True)

    def readiness(self):
        answer = requests.get(f"{self.operations}/readyz", timeout=10)
        return answer.status_code, answer.text

    def reloads(self):
        """How many were done, and how many refused."""
        lines = requests.get(f"{self.operations}/metrics", timeout=10).text.splitlines()
        return [int(line.split()[1]) for result in ("done", "refused") for line in lines
                if line.startswith(f'globus_s3_frontend_reloads_total{{result="{result}"}}')]


class Load:
    """Clients in threads for the time of a block, which remember every answer and every failure."""

    def __init__(self, site, fresh=3, keeping=0):
        self.site = site
        self.answers = []  # request id, status, size
        self.failures = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(keeps,))
                        for keeps in [False] * fresh + [True] * keeping]

    def work(self, keeps):
        connection = None
        path = f"/{self.site.collection}/example.txt"
        while not self.stopping.is_set():
            try:
                connection = connection or self.site.connect()
                headers = {**authorization(self.site.credential),
                           **({} if keeps else {"Connection": "close"})}
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                body = answer.read()
                self.answers.append((answer.headers["x-amz-request-id"], answer.status, len(body)))
                if not keeps:
                    connection.close()
                    connection = None
            except Exception as error:
                self.failures.append(repr(error))
                connection = None
        if connection:
            connection.close()

    def wait_more(self, count):
        """Waits until so many more requests were answered."""
        wanted = len(self.answers) + count
        eventually(lambda: len(self.answers) >= wanted or self.failures, "more answers")
        assert not self.failures, self.failures[:5]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def check(self):
        """Every request was answered as it should."""
        assert not self.failures, self.failures[:5]
        assert {answer[1:] for answer in self.answers} == {(200, 34)}
