"""Two servers before one stand-in, one plain and one with TLS, which take one credential, and what is
asked of them: `Door` is a way in."""

import contextlib
import dataclasses
import os
import ssl

import raw
from audit_bed import eventually, rows
from authority import Authority
from frontend import Program, free_ports, run, sign_in
from wire import Wire, trust

SAMPLE = b"An object in a Globus collection.\n"
# Object for object what stands behind the keys of the table.
FILES = ["example.txt", "%2e%2e", "a;param", "..;/x", "back\\slash", "que?ry#x", "folder/file",
         "twin \u00e9", "100%"]


@dataclasses.dataclass
class Door:
    """One of the servers. `context`: of TLS, or None."""

    name: str
    port: int
    context: ssl.SSLContext | None
    database: str
    bed: "StrictBed"

    @property
    def host(self):
        return f"localhost:{self.port}"

    def connect(self, **options):
        return Wire(self.port, self.context, **options)

    def render(self, template):
        """A request of the table, with host, bucket and credential put in."""
        return (template.replace(b"%HOST%", self.host.encode())
                .replace(b"%BUCKET%", self.bed.collection.encode())
                .replace(b"%AUTH%", self.bed.signature))

    def check_healthy(self):
        """A next client is served."""
        with self.connect() as wire:
            wire.send(self.render(
                b"GET /%BUCKET%/example.txt HTTP/1.1\r\nHost: %HOST%\r\n%AUTH%\r\n"))
            answer = wire.answer()
            assert (answer.status, answer.body) == (200, SAMPLE), answer

    def last_row(self):
        """The id of the last row there is, once all before it are there."""
        with self.connect() as wire:
            wire.send(self.render(b"GET /none/last HTTP/1.1\r\nHost: %HOST%\r\n\r\n"))
            request_id = wire.answer().request_id
        return self.rows([request_id])[request_id]["id"]

    def rows(self, request_ids):
        """The record of these requests, by id; the contract says within a second."""
        wanted = set(request_ids)

        def found():
            listed = [row for row in rows(self.database) if row["request_id"] in wanted]
            return listed if len(listed) >= len(wanted) else None

        listed = eventually(found, "every request has a row")
        assert len(listed) == len(wanted), "a request has two rows"
        return {row["request_id"]: row for row in listed}


class StrictBed:
    """`flags`: further ones of both servers."""

    def __init__(self, folder, *flags):
        samples = folder / "samples"
        for name in FILES:
            (samples / name).parent.mkdir(parents=True, exist_ok=True)
            (samples / name).write_bytes(SAMPLE)
        self.samples = samples
        plain, tls = free_ports(2)
        base_url = f"http://localhost:{plain}"
        self.stand_in = Program("local", "--stand-in-only", "--directory", samples,
                                "--base-url", base_url).wait_ready()
        self.collection = self.stand_in.collection
        keys = folder / "keys"
        assert run("key", "generate", keys).returncode == 0
        authority = Authority(folder / "authority")
        authority.context()
        certificate = authority.folder / "localhost-20991231235959Z.pem"
        environment = {
            "PATH": os.environ["PATH"],
            "GLOBUS_SDK_SERVICE_URL_AUTH": self.stand_in.auth_url,
            "GLOBUS_SDK_SERVICE_URL_TRANSFER": self.stand_in.transfer_url,
            "GLOBUS_CLIENT_ID": self.stand_in.client_id,
            "GLOBUS_CLIENT_SECRET": self.stand_in.client_secret}
        self.servers, self.doors = [], {}
        for name, port, more, context in [
            ("plain", plain, (), None),
            ("tls", tls, ("--tls-cert", certificate, "--tls-key", certificate.with_suffix(".key")),
             trust(authority.certificate)),
        ]:
            database = folder / f"{name}.db"
            self.servers.append(Program(
                "serve", "--listen", f"127.0.0.1:{port}", "--base-url", base_url,
                "--key-file", keys, "--upstream-ca", self.stand_in.ca_file,
                "--allow-private-upstream", "127.0.0.0/8", "--audit-db", database,
                "--audit-strangers-per-minute", 1_000_000, *more, *flags,
                environment=environment, log=folder / f"{name}.log"))
            self.doors[name] = Door(name, port, context, database, self)
        try:
            self.begin(base_url, (plain, tls))
        except BaseException:
            for program in [*self.servers, self.stand_in]:
                program.kill()
            raise

    def begin(self, base_url, ports):
        for server, port in zip(self.servers, ports):
            server.wait_listening(f"http://localhost:{port}")
        self.credential = sign_in(base_url, self.collection).json()
        self.signature = "".join(
            f"{name}: {value}\r\n" for name, value in raw.authorization(self.credential).items()
        ).encode()

    def close(self):
        codes = [server.stop() for server in self.servers]
        self.stand_in.stop()
        assert codes == [0, 0]


@contextlib.contextmanager
def run_strict(folder, *flags):
    bed = StrictBed(folder, *flags)
    try:
        yield bed
    finally:
        bed.close()
