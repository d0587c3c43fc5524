"""The configurations of docs/deploy.md, run: the blocks of the page with the test's names, ports and
folders in them, and nothing else changed.

A `Site` is the frontend of the page behind a real nginx or HAProxy, before a stand-in for Globus.
"""

import http.client
import os
import pathlib
import re
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

import botocore.awsrequest
import requests

from audit_bed import eventually
from frontend import ROOT, Program, audit_row, free_ports, run, sign_in
from signing import signer

PAGE = ROOT / "docs/deploy.md"
NAME = "localhost"


def block(file):
    """The block of the page that begins with a comment of this file name."""
    found = re.findall(rf"^```\w+\n# {re.escape(file)}\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert len(found) == 1, f"{file}: {len(found)} blocks in {PAGE}"
    return found[0]


def substituted(text, changes):
    for old, new in changes.items():
        assert old in text, f"the page has no {old!r} to put {new!r} in place of"
        text = text.replace(old, str(new))
    return text


class Nginx:
    """As Debian starts it: its own nginx.conf, with the page's file in conf.d."""

    frontend = "/etc/globus-s3-frontend/frontend.conf"

    def __init__(self, folder, site):
        self.logs = folder / "logs"
        self.logs.mkdir()
        pages = folder / "conf.d"
        pages.mkdir()
        self.write(folder, site)
        main = pathlib.Path("/etc/nginx/nginx.conf").read_text()
        main = substituted(main, {
            "/var/log/nginx": self.logs, "/run/nginx.pid": folder / "pid",
            # Each worker keeps connections of its own, and a machine may have many cores.
            "worker_processes auto": "worker_processes 2",
            "/etc/nginx/conf.d/*.conf": pages / "*.conf",
            "include /etc/nginx/sites-enabled/*;": self.temporary(folder)})
        (folder / "nginx.conf").write_text(main + self.end(site))
        self.process = subprocess.Popen(
            ["nginx", "-c", folder / "nginx.conf", "-g", "daemon off;"],
            stdin=subprocess.DEVNULL, stderr=open(self.logs / "stderr", "wb"))

    def write(self, folder, site):
        (folder / "conf.d/page.conf").write_text(substituted(
            block("/etc/nginx/conf.d/globus-s3.conf"),
            {"127.0.0.1:8000": f"127.0.0.1:{site.port}", "/var/log/nginx": self.logs,
             "listen 443 ssl": f"listen 127.0.0.1:{site.tls} ssl",
             "s3.example.org *.s3.example.org": f"{NAME} *.{NAME}",
             "/etc/ssl/s3.example.org/fullchain.pem": site.certificate,
             "/etc/ssl/s3.example.org/privkey.pem": site.key}))

    def end(self, site):
        return ""

    def temporary(self, folder):
        self.stored = folder / "stored"
        self.stored.mkdir()
        self.stored.chmod(0o777)
        return "".join(f"{kind}_temp_path {self.stored}/{kind};" for kind in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))

    def log_text(self):
        return "".join(file.read_text() for file in self.logs.iterdir())

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)


class NginxStream(Nginx):
    """Of connections: the page's block stands at nginx.conf's end."""

    frontend = "/etc/globus-s3-frontend/frontend.conf, behind a proxy of connections"

    def write(self, folder, site):
        pass

    def end(self, site):
        return substituted(
            block("/etc/nginx/nginx.conf, at its end (Debian: libnginx-mod-stream)"),
            {"127.0.0.1:8443": f"127.0.0.1:{site.port}", "/var/log/nginx": self.logs,
             "listen 443": f"listen 127.0.0.1:{site.tls}"})


class HAProxy:
    """With a reader of what it says to /dev/log."""

    frontend = Nginx.frontend

    def __init__(self, folder, site):
        self.lines = []
        self.log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.log.bind(str(folder / "log"))
        threading.Thread(target=self.read, daemon=True).start()
        (folder / "haproxy.cfg").write_text(substituted(self.text(folder, site), {
            ":443": f"127.0.0.1:{site.tls}", "/dev/log": folder / "log",
            "check port 8001": f"check port {site.operations_port} inter 100ms",
            # A test may not be root, and its socket for logs stands outside.
            "    chroot /var/lib/haproxy\n    user haproxy\n    group haproxy\n": ""}))
        self.errors = folder / "stderr"
        self.process = subprocess.Popen(
            ["haproxy", "-db", "-f", folder / "haproxy.cfg"], stdin=subprocess.DEVNULL,
            stderr=open(self.errors, "wb"))
        self.stored = None

    def text(self, folder, site):
        both = folder / "both.pem"
        both.write_text(site.certificate.read_text() + site.key.read_text())
        return substituted(
            block("/etc/haproxy/haproxy.cfg"),
            {"127.0.0.1:8000": f"127.0.0.1:{site.port}",
             "/etc/ssl/s3.example.org/haproxy.pem": both})

    def read(self):
        while line := self.log.recv(65536):
            self.lines.append(line.decode())

    def log_text(self):
        return "\n".join(self.lines) + self.errors.read_text()

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.shutdown(socket.SHUT_RDWR)


class HAProxyConnections(HAProxy):
    """Of connections."""

    frontend = NginxStream.frontend

    def text(self, folder, site):
        return substituted(block("/etc/haproxy/haproxy.cfg, connections only"),
                           {"127.0.0.1:8443": f"127.0.0.1:{site.port}"})


class Site:
    """frontend.conf of the page, a stand-in for Globus, and a proxy that ends TLS."""

    def __init__(self, folder, authority, collections):
        self.folder = folder
        self.tls, self.port, self.operations_port = free_ports(3)
        self.base_url = f"https://{NAME}:{self.tls}"
        self.operations = f"http://127.0.0.1:{self.operations_port}"
        self.ca = authority.certificate
        self.certificate, self.key = authority.files()
        self.context = ssl.create_default_context(cafile=self.ca)
        self.samples = folder / "samples"
        self.samples.mkdir()
        (self.samples / "example.txt").write_text("An object in a Globus collection.\n")
        self.stand_in = Program(
            "local", "--stand-in-only", "--base-url", self.base_url, "--access-token-bytes", 160,
            *(part for id in collections for part in ("--collection", f"{id}={self.samples}")),
        ).wait_ready()
        self.collection, self.collections = collections[0], collections
        self.audit_db = folder / "audit.db"
        self.proxy = self.frontend = None

    def start(self, proxy):
        self.configuration = proxy.frontend
        self.frontend = self.start_frontend()
        folder = self.folder / "proxy"
        folder.mkdir()
        self.proxy = proxy(folder, self)
        self.wait_listening(self.tls)
        eventually(lambda: self.get("/").status == 403, "the proxy has found the frontend")
        return self

    def start_frontend(self):
        keys = self.folder / "keys"
        if not keys.exists():
            assert run("key", "generate", keys).returncode == 0
        config = self.folder / "frontend.conf"
        text = block(self.configuration)
        changes = {
            "https://s3.example.org": self.base_url,
            "127.0.0.1:8001": f"127.0.0.1:{self.operations_port}",
            "00000000-0000-4000-8000-000000000000": self.stand_in.client_id}
        if "tls-cert" in text:
            changes |= {"/etc/ssl/s3.example.org/fullchain.pem": self.certificate,
                        "/etc/ssl/s3.example.org/privkey.pem": self.key,
                        "127.0.0.1:8443": f"127.0.0.1:{self.port}"}
        else:
            changes["127.0.0.1:8000"] = f"127.0.0.1:{self.port}"
        config.write_text(substituted(text, changes))
        return Program(
            "serve", "--config", config, "--key-file", keys, "--audit-db", self.audit_db,
            "--upstream-ca", self.stand_in.ca_file, "--allow-private-upstream", "127.0.0.0/8",
            log=self.folder / "log", environment={
                "PATH": os.environ["PATH"],
                "GLOBUS_SDK_SERVICE_URL_AUTH": self.stand_in.auth_url,
                "GLOBUS_SDK_SERVICE_URL_TRANSFER": self.stand_in.transfer_url,
                "GLOBUS_CLIENT_SECRET": self.stand_in.client_secret,
            }).wait_listening(self.operations)

    def wait_listening(self, port):
        def connects():
            assert self.proxy.process.poll() is None, self.proxy.log_text()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                return True
            except ConnectionRefusedError:
                return False
        eventually(connects, "the proxy listens")

    def sign_in(self, query="", collection=None):
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.ca)
        answer = sign_in(self.base_url, collection or self.collection, session=session, query=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def connect(self, source=None):
        connection = socket.create_connection(
            ("127.0.0.1", self.tls), timeout=60, source_address=source and (source, 0))
        return self.context.wrap_socket(connection, server_hostname=NAME)

    def get(self, target, headers=(), method="GET", source=None, body=None):
        """One request on a connection of its own, with exactly this target."""
        connection = http.client.HTTPSConnection(NAME, self.tls, timeout=60)
        connection.sock = self.connect(source)
        headers = dict(headers)
        connection.putrequest(method, target, skip_host="Host" in headers or "host" in headers,
                              skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        answer.body = answer.read()
        connection.close()
        return answer

    def signed(self, kind, path, credential, headers=None, host=None, query="", method="GET"):
        """Target and headers of a request that botocore signed."""
        url = f"https://{host or f'{NAME}:{self.tls}'}{path}" + (f"?{query}" if query else "")
        request = botocore.awsrequest.AWSRequest(method, url, headers=headers or {})
        signer(kind, credential).add_auth(request)
        prepared = request.prepare()
        parts = urllib.parse.urlsplit(prepared.url)
        headers = {name: value.decode() if isinstance(value, bytes) else value
                   for name, value in prepared.headers.items()}
        if host:
            headers["Host"] = host
        return parts.path + (f"?{parts.query}" if parts.query else ""), headers

    def metric(self, series):
        for line in requests.get(f"{self.operations}/metrics", timeout=10).text.splitlines():
            name, _, value = line.rpartition(" ")
            if name == f"globus_s3_frontend_{series}":
                return float(value)
        raise AssertionError(f"no series {series}")

    def stop(self):
        if self.proxy:
            self.proxy.stop()
        self.stand_in.stop()
        if self.frontend:
            assert self.frontend.stop() == 0


def resident_bytes(process):
    """Of a process and its children."""
    total, ids = 0, [process.pid]
    while ids:
        pid = ids.pop()
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            ids += map(int, (task / "children").read_text().split())
        pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
        total += pages * os.sysconf("SC_PAGESIZE")
    return total


def wait_still(measure, seconds=1.0):
    """Waits until a number has not changed for a while; returns it."""
    value, since = measure(), time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.05)
        if (now := measure()) != value:
            value, since = now, time.monotonic()
    return value


def read_slowly(site, key):
    """Asks for a large object and takes no more than its head until nothing moves, then leaves: by how
    much the proxy grew meanwhile, and the audit's row."""
    before = resident_bytes(site.proxy.process)
    target, headers = site.signed("v4", f"/{site.collection}/{key}", site.credential)
    with site.connect() as client:
        lines = [f"GET {target} HTTP/1.1", f"Host: {NAME}:{site.tls}",
                 *(f"{name}: {value}" for name, value in headers.items())]
        client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = client.recv(4096)
        assert head.startswith(b"HTTP/1.1 200 "), head
        request_id = head.split(b"x-amz-request-id: ")[1][:16].decode()
        # In MiB: what the system accounts for elsewhere is not growth.
        after = wait_still(lambda: resident_bytes(site.proxy.process) >> 20) << 20
        client.shutdown(socket.SHUT_RDWR)
    return after - before, audit_row(site.audit_db, request_id)
