"""What the tests of limits stand on: signed requests over sockets of their own."""

import http.client
import pathlib
import re
import socket
import urllib.parse

import raw
import requests
from audit_bed import rows


def connect(rig, timeout=60, window=None, source=None):
    """A connection to the server; `window` bounds what the kernel takes before it is read."""
    address = urllib.parse.urlsplit(rig.base_url)
    client = socket.socket()
    client.settimeout(timeout)
    if window:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    if source:
        client.bind((source, 0))
    client.connect(("127.0.0.1", address.port))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def request(rig, key="example.txt", method="GET", headers=()):
    """A signed request's bytes."""
    lines = [f"{method} /{rig.collection}/{key} HTTP/1.1",
             f"Host: {urllib.parse.urlsplit(rig.base_url).netloc}",
             *(f"{name}: {value}" for name, value in raw.authorization(rig.credential).items()),
             *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def read(client):
    """The next answer on the connection."""
    answer = http.client.HTTPResponse(client)
    answer.begin()
    return raw.Answer(answer.status, answer.headers, answer.read())


def ask(rig, client=None, key="example.txt"):
    client = client or connect(rig)
    client.sendall(request(rig, key))
    return read(client)


def is_closed(client, seconds=20):
    """Whether the server closes, sending nothing more."""
    client.settimeout(seconds)
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def row_of(database, answer):
    return next((row for row in rows(database) if row["request_id"] == answer.request_id), None)


def set_faults(rig, **settings):
    """Replaces what goes wrong in the stand-in; none: nothing."""
    answer = requests.post(f"{rig.stand_in.auth_url}/local/faults", json=settings)
    assert answer.status_code == 200, answer.text


def descriptors(server):
    return len(list(pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir()))


def memory(server):
    """The process's own memory in bytes: anonymous and resident."""
    text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", text)[1]) * 1024


def heap(server):
    """The part of it that the loop's thread allocates from, in bytes."""
    text = pathlib.Path(f"/proc/{server.process.pid}/smaps").read_text()
    part = text[text.index("[heap]"):]
    return int(re.search(r"Anonymous:\s+(\d+)", part)[1]) * 1024


def cpu_seconds(server):
    fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
