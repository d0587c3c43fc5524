"""What is compared: this server, nginx, haproxy and `rclone serve s3`, each before one origin.

Every server is a `Server`: where an object is, with which headers, and whose CPU counts.
"""

import os
import pathlib
import time

import machine
from ours import COLLECTION, ROOT, Processes, Server, free_ports, serve, signed_in
from authority import Authority

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = "/objects"
SIZES = {"1k": 1 << 10, "64k": 64 << 10, "64m": 64 << 20, "1g": 1 << 30}
RCLONE = ROOT / ".venv-clients/bin/rclone"

#: Objects whose status nobody has asked for before.
SIZES |= {f"cold-{number}": 1 << 10 for number in range(20)}
NOISE = os.urandom(1 << 20)

NGINX_TUNED = """proxy_buffers 16 128k; proxy_buffer_size 128k; proxy_busy_buffers_size 512k;
      proxy_max_temp_file_size 0;"""


class Stage:
    """The origin with its files, and the servers that were asked for."""

    def __init__(self, work):
        self.work = work
        work.chmod(0o711)  # nginx's worker gives up root's rights
        self.processes = Processes()
        authority = Authority(work / "authority", "bench")
        authority.context()
        self.authority = authority.certificate
        stem = authority.folder / "localhost-20991231235959Z"
        self.collection = work / "collection"
        (work / f"collection{FOLDER}").mkdir(parents=True)
        for name, size in SIZES.items():
            with open(work / f"collection{FOLDER}" / name, "wb") as file:
                for _ in range(0, size, len(NOISE)):
                    file.write(NOISE[:size])
        self.origin_port, self.plain_port = free_ports(2)
        with self.processes.unless_it_fails():
            self.origin = self.start_nginx(
                "origin", core=machine.LOAD_CORE, PORT=self.origin_port, PLAIN=self.plain_port,
                FOLDER=self.collection, CERTIFICATE=stem.with_suffix(".pem"),
                KEY=stem.with_suffix(".key"))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.processes.close()

    def configuration(self, file, **values):
        text = (HERE / "configurations" / file).read_text()
        for name, value in {"STATE": self.work, **values}.items():
            text = text.replace(f"@{name}@", str(value))
        path = self.work / f"{values['PORT']}-{file}"
        path.write_text(text)
        return path

    def start_nginx(self, file, core=machine.SERVER_CORE, **values):
        path = self.configuration(f"{file}.conf", **values)
        process = self.processes.run(["nginx", "-c", path], values["PORT"])
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not (workers := children.read_text().split()):
            time.sleep(0.01)
        worker = int(workers[0])
        machine.pin_all(worker, core)
        return process, worker

    def nginx(self, name="nginx", tuning=""):
        port, = free_ports(1)
        process, worker = self.start_nginx("nginx", NAME=name, PORT=port, TUNING=tuning,
                                           ORIGIN=self.origin_port, CA=self.authority)
        return Server(name, process, port, FOLDER, pid=worker)

    def nginx_tuned(self):
        return self.nginx("nginx-tuned", NGINX_TUNED)

    def haproxy(self):
        port, = free_ports(1)
        path = self.configuration("haproxy.cfg", PORT=port, ORIGIN=self.origin_port,
                                  CA=self.authority)
        process = self.processes.run(["haproxy", "-db", "-f", path], port)
        machine.pin_all(process.pid, machine.SERVER_CORE)
        return Server("haproxy", process, port, FOLDER)

    def rclone(self):
        """Its list of files is remembered, as our metadata are."""
        port, = free_ports(1)
        command = [RCLONE, "serve", "s3", "--config", "/dev/null", "--addr", f"127.0.0.1:{port}",
                   "--http-url", f"https://localhost:{self.origin_port}", "--ca-cert",
                   self.authority, "--dir-cache-time", "1h", ":http:"]
        process = self.processes.run(command, port, log=self.work / f"{port}.log",
                                     env={**os.environ, "GOMAXPROCS": "1"})
        machine.pin_all(process.pid, machine.SERVER_CORE)
        return Server("rclone", process, port, FOLDER, is_threaded=True)

    def serve(self, latency=0):
        """Port, command and environment of a server of ours, its stand-in running."""
        port, = free_ports(1)
        stand_in = self.processes.stand_in(
            f"http://localhost:{port}", self.collection,
            "--https-server", f"{COLLECTION}=https://localhost:{self.origin_port}",
            "--transfer-latency", latency)
        machine.pin_all(stand_in.process.pid, machine.LOAD_CORE)
        return port, *serve(stand_in, port, self.database(port), self.authority)

    def database(self, port):
        return self.work / f"{port}.db"

    def ours(self, latency=0):
        """Its requests are signed; `unsigned()` is the same with another secret."""
        port, command, environment = self.serve(latency)
        process = self.processes.run(command, port, env=environment,
                                     log=self.work / f"{port}.log")
        machine.pin(process.pid)
        return signed_in("ours", process, port, FOLDER)
