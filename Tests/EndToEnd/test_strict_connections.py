"""Connections that end early, late or in the wrong way, and answers that come before the request's
end; plain and TLS. The numbers are those of the table in `strict_inputs`."""

import socket
import ssl
import warnings

import pytest

from audit_bed import eventually, rows
from strict_bed import SAMPLE
from strict_inputs import EXAMPLE, request, signed
from wire import Wire

LARGE = 12 * 1024 * 1024


@pytest.fixture(scope="module")
def large(strict):
    (strict.samples / "large.bin").write_bytes(b"\xa5" * LARGE)
    return b"/%BUCKET%/large.bin"


def row_of(door, key, **wanted):
    """The one row of an object's key, for requests whose answer nobody saw."""
    [row] = eventually(
        lambda: [row for row in rows(door.database) if row["object_key"] == key], f"a row of {key}")
    assert {name: row[name] for name in wanted} == wanted
    return row


def send(wire, door, template):
    wire.send(door.render(template))


def closes(wire):
    return wire.rest() == b"" and not wire.is_reset


def test_17_a_body_cut_below_tls(door):
    with door.connect() as wire:
        send(wire, door, signed(b"Content-Length: 10", method=b"PUT", body=b"hello"))
        wire.cut()
        answer = wire.answer()
        assert (answer.status, answer.code) == (400, "IncompleteBody")
        assert closes(wire) and not wire.is_cut
    assert door.rows([answer.request_id])[answer.request_id]["bytes_in"] == 5


def test_22_continue_comes_once_the_credential_counts(door):
    with door.connect() as wire:
        for body in (b"hello", b"again"):
            send(wire, door, signed(b"Expect: 100-continue", b"Content-Length: 5"))
            assert wire.answer().status == 100
            send(wire, door, body)
            answer = wire.answer()
            assert (answer.status, answer.body) == (200, SAMPLE)


def test_89_a_client_hello_in_pieces(strict):
    door = strict.doors["tls"]
    with Wire(door.port) as plain:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = door.context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        for byte in outgoing.read():
            plain.send(bytes([byte]))
        while True:
            assert plain.receive()
            incoming.write(plain.buffer)
            plain.buffer = b""
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                pass
        plain.send(outgoing.read())
    door.check_healthy()


def test_89_what_is_no_tls(strict):
    door = strict.doors["tls"]
    before = len(rows(door.database))
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    for data in (door.render(signed()), b"\x00" * 100, b"\x80\x2e\x01\x00\x02" + b"\x00" * 50, b"\xff" * 20_000,
                 hello + b"\xff" * 600):
        with Wire(door.port) as wire:
            wire.send(data)
            wire.rest()
            assert wire.buffer[:1] in (b"", b"\x15"), "an alert or nothing"
        door.check_healthy()
    assert all(row["operation"] == "GetObject" and row["status"] == 200
               for row in rows(door.database)[before:])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_89_old_versions_of_tls(strict, version):
    door = strict.doors["tls"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):  # they are old, which is the point
        context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", door.port), timeout=30) as plain:
        with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
            context.wrap_socket(plain)
    door.check_healthy()


def test_89_a_name_nobody_serves_and_tls_at_the_plain_door(strict):
    door = strict.doors["tls"]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", door.port), timeout=30) as plain:
        with context.wrap_socket(plain, server_hostname="nobody.example") as tls:
            tls.sendall(door.render(signed()))
            assert tls.recv(65536).startswith(b"HTTP/1.1 200 ")
    plain_door = strict.doors["plain"]
    with plain_door.connect() as wire:
        wire.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        answer = wire.answer()
        assert (answer.status, answer.code) == (400, "BadRequest") and closes(wire)
    assert plain_door.rows([answer.request_id])[answer.request_id]["operation"] == "Malformed"


def test_90_a_hundred_in_one_segment(door):
    kinds = [(b"GET", EXAMPLE), (b"HEAD", EXAMPLE), (b"GET", b"/%BUCKET%/none"), (b"GET", b"/none/x")]
    asked = [kinds[n % 4] for n in range(100)]
    with door.connect() as wire:
        send(wire, door, b"".join(signed(method=method, target=b"%s?x-n=%d" % (target, n))
                                  for n, (method, target) in enumerate(asked)))
        answers = [wire.answer(method == b"HEAD") for method, _ in asked]
    assert [answer.status for answer in answers] == [200, 200, 404, 404] * 25
    assert [answer.body for answer in answers[:2]] == [SAMPLE, b""]
    ids = [answer.request_id for answer in answers]
    found = door.rows(ids)
    assert [row["request_id"] for row in sorted(found.values(), key=lambda row: row["id"])] == ids


@pytest.mark.parametrize("how", ["finish", "cut"])
def test_91_a_half_closed_client_gets_its_answers(door, large, how):
    with door.connect() as wire:
        send(wire, door, signed() + signed(target=large))
        getattr(wire, how)()
        assert wire.answer().body == SAMPLE
        assert len(wire.answer().body) == LARGE
        assert closes(wire) and not wire.is_cut
    door.check_healthy()


def test_91_a_client_that_leaves_at_once_is_in_the_record(door):
    key = f"left-{door.name}"
    with door.connect() as wire:
        send(wire, door, signed(target=b"/%BUCKET%/" + key.encode()))
    row = row_of(door, key, operation="GetObject")
    assert row["outcome"] in ("client_error", "client_abort")
    door.check_healthy()


def test_92_a_reset_in_mid_download(strict, door, large):
    key = f"reset-{door.name}.bin"
    (strict.samples / key).hardlink_to(strict.samples / "large.bin")
    with door.connect(receive_buffer=64 * 1024) as wire:
        send(wire, door, signed(target=b"/%BUCKET%/" + key.encode()))
        while len(wire.buffer) < 1_000_000:
            assert wire.receive()
        wire.reset()
    row = row_of(door, key, outcome="client_abort", status=200)
    assert 900_000 < row["bytes_out"] < LARGE
    door.check_healthy()


def test_92_a_reset_in_mid_upload(door):
    key = f"upload-{door.name}"
    with door.connect() as wire:
        send(wire, door, signed(b"Expect: 100-continue", b"Content-Length: 1000",
                                target=b"/%BUCKET%/" + key.encode()))
        assert wire.answer().status == 100
        wire.send(b"hello")
        wire.reset()
    row_of(door, key, operation="GetObject", outcome="client_abort", status=None, bytes_out=0)
    door.check_healthy()


@pytest.mark.parametrize("of_stranger", [True, False])
def test_93_an_answer_before_the_body_is_read(door, of_stranger):
    head = (b"Content-Length: 5368709120",)
    template = request(*head, line=b"PUT /%BUCKET%/key HTTP/1.1") if of_stranger else signed(
        *head, method=b"PUT")
    with door.connect() as wire:
        send(wire, door, template + b"b" * 30_000)
        answer = wire.answer()
        assert (answer.status, answer.code) == (
            (403, "AccessDenied") if of_stranger else (501, "NotImplemented"))
        wire.socket.sendall(b"b" * 10_000)  # still on its way when the answer was read
        assert closes(wire)
    door.check_healthy()


def test_93_who_goes_on_sending_is_cut_off(door):
    with door.connect() as wire:
        send(wire, door, request(b"Content-Length: 5368709120", line=b"PUT /%BUCKET%/key HTTP/1.1"))
        with pytest.raises(OSError):
            for _ in range(1000):
                wire.send(b"b" * 65536)
    door.check_healthy()


@pytest.mark.parametrize("framing", [b"Content-Length: 70000", b"Transfer-Encoding: chunked"])
def test_94_an_unread_body_is_no_request(door, framing):
    body = b"GET /none/unread HTTP/1.1\r\nHost: %HOST%\r\n\r\n" * 1800
    if framing.startswith(b"T"):
        body = b"11170\r\n" + body
    with door.connect() as wire:
        try:
            send(wire, door, request(framing, line=b"DELETE /%BUCKET%/key HTTP/1.1", body=body))
        except OSError:
            pass  # cut off, as it should be
        assert wire.answer().status == 403
        assert wire.rest() == b""
    door.check_healthy()
    assert not [row for row in rows(door.database) if row["object_key"] == "unread"]
