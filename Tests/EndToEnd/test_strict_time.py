"""Clients that take their time: slow heads and bodies, silence, answers nobody reads; plain and TLS,
with limits of a second. The numbers are those of the table in `strict_inputs`."""

import time

import pytest

from audit_bed import eventually, rows
from strict_bed import run_strict
from strict_inputs import signed
from wire import Wire

LARGE = 64 * 1024 * 1024


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    with run_strict(tmp_path_factory.mktemp("patient"), "--head-timeout", 1, "--idle-timeout", 1,
                    "--body-timeout", 1, "--write-stall-timeout", 1) as bed:
        (bed.samples / "large.bin").write_bytes(b"\xa5" * LARGE)
        yield bed


@pytest.fixture(params=["plain", "tls"])
def door(patient, request):
    return patient.doors[request.param]


def ends(wire):
    return wire.rest() == b"" and not wire.is_reset and not wire.is_cut


def drip(wire, data):
    """A byte at a time until an answer is there."""
    wire.socket.settimeout(0.1)
    for byte in data:
        wire.send(bytes([byte]))
        try:
            if wire.receive():
                break
        except TimeoutError:
            pass
    wire.socket.settimeout(30)


@pytest.mark.parametrize("how", ["stops", "drips"])
def test_84_a_head_that_does_not_come(door, how):
    with door.connect() as wire:
        if how == "stops":
            wire.send(b"GET /none/slow HTTP/1.1\r\nHost: a\r\nX-")
        else:
            drip(wire, b"GET /none/slow HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 50)
        answer = wire.answer()
        assert (answer.status, answer.code) == (408, "RequestTimeout")
        assert answer.headers["Connection"] == "close" and ends(wire)
    row = door.rows([answer.request_id])[answer.request_id]
    assert (row["operation"], row["status"], row["error_code"]) == ("Malformed", 408, "RequestTimeout")
    door.check_healthy()


@pytest.mark.parametrize("framing, body", [(b"Content-Length: 10", b"hello"),
                                           (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n"),
                                           (b"Content-Length: 10", b"")])
def test_85_a_body_that_does_not_come(door, framing, body):
    with door.connect() as wire:
        wire.send(door.render(signed(framing, method=b"PUT", body=body)))
        answer = wire.answer()
        assert (answer.status, answer.code) == (400, "RequestTimeout")
        assert answer.headers["Connection"] == "close" and ends(wire)
    row = door.rows([answer.request_id])[answer.request_id]
    assert (row["operation"], row["status"], row["error_code"], row["bytes_in"]) == (
        "PutObject", 400, "RequestTimeout", len(body[-7:-2] if b"\r" in body else body))
    door.check_healthy()


def test_85_a_body_that_drips(door):
    """Each byte is in time; all of them are too slow."""
    with door.connect() as wire:
        wire.send(door.render(signed(b"Content-Length: 1000", method=b"PUT")))
        drip(wire, b"x" * 200)
        answer = wire.answer()
        assert (answer.status, answer.code) == (400, "RequestTimeout")
        assert answer.headers["Connection"] == "close"
    row = door.rows([answer.request_id])[answer.request_id]
    assert (row["status"], row["error_code"]) == (400, "RequestTimeout")
    door.check_healthy()


def test_85_a_stranger_s_body_that_does_not_come(door):
    """It is answered at once; what is left of it is waited for as long as any body is."""
    with door.connect() as wire:
        wire.send(door.render(b"PUT /none/key HTTP/1.1\r\nHost: %HOST%\r\nContent-Length: 5\r\n\r\nhell"))
        assert wire.answer().status == 404
        assert wire.rest() == b""
    door.check_healthy()


def test_86_an_answer_that_nobody_reads(patient, door):
    key = f"unread-{door.name}.bin"
    (patient.samples / key).hardlink_to(patient.samples / "large.bin")
    with door.connect(receive_buffer=4096) as wire:
        wire.send(door.render(signed(target=b"/%BUCKET%/" + key.encode())))
        [row] = eventually(
            lambda: [row for row in rows(door.database) if row["object_key"] == key], "its row")
        assert (row["status"], row["outcome"]) == (200, "timeout")
        assert row["bytes_out"] < LARGE
        wire.rest()
        assert wire.is_reset or wire.is_cut, "the client can see that it is not all"
    door.check_healthy()


def test_88_a_client_that_says_nothing(door):
    before = door.last_row()
    for said in (b"", b"\r\n"):
        with door.connect() as wire:
            wire.send(said)
            assert ends(wire)
    with Wire(door.port) as wire:  # of TLS not even the hello
        if door.context is None:
            assert ends(wire)
    assert door.last_row() > before
    assert not [row for row in rows(door.database, f"SELECT * FROM requests WHERE id > {before}")
                if row["object_key"] != "last"]


def test_88_a_kept_connection_that_falls_silent(door):
    with door.connect() as wire:
        wire.send(door.render(signed()))
        assert wire.answer().status == 200
        began = time.monotonic()
        assert ends(wire)
        assert time.monotonic() - began < 30
