"""The PROXY protocol: who the client is when a proxy forwards bytes and not requests. The headers of
raw sockets, and those that HAProxy sends."""

import contextlib
import shutil
import socket
import subprocess
import urllib.parse

import requests

import raw
from audit_bed import eventually, rows
from frontend import audit_rows, free_ports

CLIENT = "192.0.2.7"
LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
BINARY = SIGNATURE + b"\x21\x11\x00\x0c" + bytes([192, 0, 2, 7, 198, 51, 100, 1, 1, 187, 1, 187])
BINARY_IPV6 = (SIGNATURE + b"\x21\x21\x00\x24" + socket.inet_pton(socket.AF_INET6, "2001:db8::7")
               + socket.inet_pton(socket.AF_INET6, "2001:db8::1") + b"\x01\xbb\x01\xbb")
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"
FROM_A_PROXY = b"PROXY TCP4 127.0.0.1 198.51.100.1 56324 443\r\n"
FORWARDED = "198.51.100.9"

TRUSTING = ("--trusted-proxy", "127.0.0.1/32", "--proxy-protocol", "trusted")
REFUSED = "globus_s3_frontend_proxy_headers_refused_total"


def request(rig, forwarded=None):
    lines = [f"GET /{rig.collection}/example.txt HTTP/1.1",
             f"Host: {urllib.parse.urlsplit(rig.base_url).netloc}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in raw.authorization(rig.credential).items()]
    if forwarded:
        lines.append(f"X-Forwarded-For: {forwarded}")
    return "\r\n".join([*lines, "", ""]).encode()


def send(rig, *pieces):
    """What comes back until the connection ends; None when it is reset."""
    port = urllib.parse.urlsplit(rig.base_url).port
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                client.sendall(piece)
            return b"".join(iter(lambda: client.recv(65536), b""))
        except ConnectionError:
            return None


def request_id(answer):
    return answer.split(b"x-amz-request-id: ")[1].split(b"\r\n")[0].decode()


def test_the_header_names_the_client_and_is_the_peer_of_x_forwarded_for(rig, database):
    expected = {}
    with rig.server(database, *TRUSTING):
        for header, forwarded, client in [
            (LINE, None, CLIENT), (BINARY, None, CLIENT), (BINARY_IPV6, None, "2001:db8::7"),
            (LOCAL, None, "127.0.0.1"),
            (LINE, FORWARDED, CLIENT),  # 192.0.2.7 is no trusted proxy
            (FROM_A_PROXY, FORWARDED, FORWARDED), (LOCAL, FORWARDED, FORWARDED),
        ]:
            answer = send(rig, header + request(rig, forwarded))
            assert answer.startswith(b"HTTP/1.1 200 "), answer
            expected[request_id(answer)] = client
        found = audit_rows(database, expected)
        assert rig.metric(REFUSED) == 0
    assert {one: row["remote_ip"] for one, row in found.items()} == expected
    assert {row["peer_ip"] for row in found.values()} == {"127.0.0.1"}


def test_a_trusted_proxy_without_a_header_is_refused_and_counted(rig, database):
    with rig.server(database, *TRUSTING) as server:
        for bytes_sent in [request(rig), b"PROXY TCP4 a b 1 2\r\n" + request(rig), b"\x16\x03\x01"]:
            assert send(rig, bytes_sent) is None
        assert rig.metric(REFUSED) == 3
        with open(server.log_path) as log:
            [line] = [line for line in log if "PROXY header" in line]
        assert "peer=127.0.0.1" in line and "cause=no PROXY header" in line
    assert rows(database) == []


def test_from_others_a_header_is_a_malformed_request(rig, database):
    with rig.server(database, "--trusted-proxy", "192.0.2.0/24", "--proxy-protocol", "trusted"):
        plain = send(rig, request(rig, FORWARDED))
        assert plain.startswith(b"HTTP/1.1 200 ")
        refused = [send(rig, header + request(rig)) for header in (LINE, BINARY)]
        assert all(answer.startswith(b"HTTP/1.1 400 ") for answer in refused), refused
        found = audit_rows(database, map(request_id, [plain, *refused]))
    assert {(row["remote_ip"], row["operation"]) for row in found.values()} == {
        ("127.0.0.1", "GetObject"), ("127.0.0.1", "Malformed")}


@contextlib.contextmanager
def haproxy(rig, folder):
    """HAProxy before the frontend, for each version: URLs. It forwards bytes and checks health."""
    server = urllib.parse.urlsplit(rig.base_url).port
    ports = dict(zip(("send-proxy", "send-proxy-v2"), free_ports(2)))
    lines = ["defaults", " mode tcp", " timeout connect 10s", " timeout client 60s",
             " timeout server 60s"]
    for word, port in ports.items():
        lines += [f"listen {word}", f" bind 127.0.0.1:{port}",
                  f" server frontend 127.0.0.1:{server} {word} check inter 100ms"]
    settings = folder / "haproxy.cfg"
    settings.write_text("\n".join([*lines, ""]))
    program = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    with open(folder / "haproxy.log", "wb") as log:
        process = subprocess.Popen([program, "-db", "-f", settings], stdout=log, stderr=log)
    try:
        def listens(port):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
                return True
        for port in ports.values():
            eventually(lambda port=port: listens(port), "HAProxy listens")
        yield {word: f"http://127.0.0.1:{port}" for word, port in ports.items()}
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_behind_haproxy_the_client_is_known(rig, database, tmp_path):
    with rig.server(database, *TRUSTING), haproxy(rig, tmp_path) as urls:
        ids = []
        for url in urls.values():
            session = requests.Session()
            session.mount("http://", FromAddress("127.0.0.3"))
            answer = session.get(f"{url}/{rig.collection}/example.txt", headers={
                **raw.authorization(rig.credential),
                "Host": urllib.parse.urlsplit(rig.base_url).netloc,
                "X-Forwarded-For": FORWARDED}, timeout=30)
            assert answer.status_code == 200, answer.text
            ids.append(answer.headers["x-amz-request-id"])
        found = audit_rows(database, ids)
        assert rig.metric(REFUSED) == 0, "a health check was refused"
    assert {(row["remote_ip"], row["peer_ip"]) for row in found.values()} == {
        ("127.0.0.3", "127.0.0.1")}


class FromAddress(requests.adapters.HTTPAdapter):
    """Connects from this address."""

    def __init__(self, address):
        self.address = address
        super().__init__()

    def init_poolmanager(self, *arguments, **options):
        super().init_poolmanager(*arguments, source_address=(self.address, 0), **options)
