"""What is compared: this server, nginx, haproxy and `rclone serve s3`, each before one origin.

Every server is a `Server`: where an object is, with which headers, and whose CPU counts.
"""

import contextlib
import dataclasses
import datetime
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import machine

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "Tests/EndToEnd"))
os.environ.setdefault("GLOBUS_S3_FRONTEND_BIN",
                      str(ROOT / ".build/release/globus-s3-frontend"))

import signing  # noqa: E402
from authority import Authority  # noqa: E402
from frontend import Program, free_ports, sign_in  # noqa: E402

COLLECTION = "577ff845-9417-87d9-9178-83fafd31fb89"
FOLDER = "objects"
SIZES = {"empty": 0, "1k": 1 << 10, "64k": 64 << 10, "64m": 64 << 20, "1g": 1 << 30}
RCLONE = ROOT / ".venv-clients/bin/rclone"

NGINX_TUNED = """proxy_buffers 16 128k; proxy_buffer_size 128k; proxy_busy_buffers_size 512k;
      proxy_max_temp_file_size 0;"""


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
    is_signed = False

    def header_lines(self, name):
        request = signing.botocore.awsrequest.AWSRequest("GET", self.url(name))
        signing.signer("v4", self.credential).add_auth(request)
        headers = dict(request.prepare().headers)
        if not self.is_signed:
            headers["Authorization"] = re.sub("Signature=.*", "Signature=" + 64 * "0",
                                              headers["Authorization"])
        return headers

    def signed(self):
        twin = dataclasses.replace(self, name="verified")
        twin.credential, twin.is_signed = self.credential, True
        return twin


def wait_for(port, process):
    for _ in range(1000):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"ended: {process.args}") from None
            time.sleep(0.01)
    raise RuntimeError(f"does not listen: {process.args}")


class Stage:
    """The origin with its files, and the servers that were asked for."""

    def __init__(self, work):
        self.work = work
        self.running = contextlib.ExitStack()
        work.chmod(0o711)  # nginx's worker gives up root's rights
        self.authority = Authority(work / "authority", "bench")
        self.authority.context()
        stem = self.authority.folder / "localhost-20991231235959Z"
        self.certificate, self.key = stem.with_suffix(".pem"), stem.with_suffix(".key")
        folder = work / "collection" / FOLDER
        folder.mkdir(parents=True)
        for name, size in SIZES.items():
            with open(folder / name, "wb") as file:
                for _ in range(0, size, 1 << 20):
                    file.write(os.urandom(min(size, 1 << 20)))
        self.origin_port, self.plain_port = free_ports(2)
        self.start_nginx("origin", core=machine.LOAD_CORE, PORT=self.origin_port,
                         PLAIN=self.plain_port, FOLDER=work / "collection",
                         CERTIFICATE=self.certificate, KEY=self.key)

    def close(self):
        self.running.close()

    def configuration(self, file, **values):
        text = (HERE / "configurations" / file).read_text()
        for name, value in {"STATE": self.work, **values}.items():
            text = text.replace(f"@{name}@", str(value))
        path = self.work / f"{values.get('NAME', '')}{file}"
        path.write_text(text)
        return path

    def run(self, command, port, **options):
        process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, **options)
        self.running.callback(lambda: process.poll() is None and stop(process))
        wait_for(port, process)
        return process

    def start_nginx(self, file, core=machine.SERVER_CORE, **values):
        path = self.configuration(f"{file}.conf", **values)
        process = self.run(["nginx", "-c", path], values["PORT"])
        text = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        worker = int(text.split()[0])
        machine.pin_all(worker, core)
        return process, worker

    def nginx(self, name="nginx", tuning=""):
        port, = free_ports(1)
        process, worker = self.start_nginx("nginx", NAME=name, PORT=port, TUNING=tuning,
                                           ORIGIN=self.origin_port,
                                           CA=self.authority.certificate)
        return Server(name, process, port, f"/{FOLDER}", pid=worker)

    def nginx_tuned(self):
        return self.nginx("nginx-tuned", NGINX_TUNED)

    def haproxy(self):
        port, = free_ports(1)
        path = self.configuration("haproxy.cfg", PORT=port, ORIGIN=self.origin_port,
                                  CA=self.authority.certificate)
        process = self.run(["haproxy", "-db", "-f", path], port)
        machine.pin_all(process.pid, machine.SERVER_CORE)
        return Server("haproxy", process, port, f"/{FOLDER}")

    def rclone(self):
        """Its files' list is remembered, as our metadata are."""
        port, = free_ports(1)
        command = [RCLONE, "serve", "s3", "--config", "/dev/null", "--addr", f"127.0.0.1:{port}",
                   "--http-url", f"https://localhost:{self.origin_port}", "--ca-cert",
                   self.authority.certificate, "--dir-cache-time", "1h", ":http:"]
        process = self.run(command, port, stderr=open(self.work / "rclone.log", "w"),
                           env={**os.environ, "GOMAXPROCS": "1"})
        machine.pin_all(process.pid, machine.SERVER_CORE)
        return Server("rclone", process, port, f"/{FOLDER}", is_threaded=True)

    # This server

    def stand_in(self, base_url, latency=0):
        program = Program(
            "local", "--stand-in-only", "--base-url", base_url,
            "--collection", f"{COLLECTION}={self.work / 'collection'}",
            "--https-server", f"{COLLECTION}=https://localhost:{self.origin_port}",
            "--transfer-latency", latency)
        self.running.callback(program.stop)
        program.wait_ready()
        machine.pin_all(program.process.pid, machine.LOAD_CORE)
        return program

    def serve(self, stand_in, port, name):
        """Command and environment of `serve`, everything on."""
        command = [os.environ["GLOBUS_S3_FRONTEND_BIN"], "serve",
                   "--listen", f"127.0.0.1:{port}", "--base-url", f"http://localhost:{port}",
                   "--client-id", stand_in.client_id, "--audit-db", self.work / f"{name}.db",
                   "--upstream-ca", self.authority.certificate,
                   "--allow-private-upstream", "127.0.0.0/8"]
        environment = {**os.environ, "GLOBUS_CLIENT_SECRET": stand_in.client_secret,
                       "GLOBUS_SDK_SERVICE_URL_AUTH": stand_in.auth_url,
                       "GLOBUS_SDK_SERVICE_URL_TRANSFER": stand_in.transfer_url}
        return list(map(str, command)), environment

    def ours(self, name="ours", latency=0):
        port, = free_ports(1)
        base_url = f"http://localhost:{port}"
        command, environment = self.serve(self.stand_in(base_url, latency), port, name)
        process = self.run(command, port, env=environment,
                           stderr=open(self.work / f"{name}.log", "w"))
        machine.pin(process.pid)
        server = Ours(name, process, port, f"/{COLLECTION}/{FOLDER}")
        answer = sign_in(base_url, COLLECTION)
        if answer.status_code != 200:
            raise RuntimeError(answer.text)
        server.credential = answer.json()
        return server


def stop(process):
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
