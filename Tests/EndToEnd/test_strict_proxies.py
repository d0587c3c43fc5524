"""Behind nginx and HAProxy: whatever is sent to them, what they say that they forwarded is what the
record says that came, one by one and in order; and each answer is to its own request. So no byte of a
body was taken for a request by one of the two only. PROXIES_COUNT and DIFFERENTIAL_SEED change how
many connections are made up, and which."""

import contextlib
import os
import random
import re

import pytest

from audit_bed import eventually, rows
from framing_proxies import KINDS, run_proxy
from requests_made_up import MadeUp
from strict_inputs import FRAMING, REQUEST_LINES
from strict_inputs_names import HEADERS
from wire import Wire

COUNT = int(os.environ.get("PROXIES_COUNT", 400))
SEED = os.environ.get("DIFFERENTIAL_SEED") or str(random.randrange(1 << 32))
TOKEN = re.compile(rb"k\d{7}")
HOST = b"Host: localhost\r\n"
INNER = b"GET /none/smuggled HTTP/1.1\r\n" + HOST + b"\r\n"


def post(*lines, body=b"", version=b"HTTP/1.1"):
    return (b"POST /none/key " + version + b"\r\n" + HOST + b"".join(line + b"\r\n" for line in lines)
            + b"\r\n" + body)


LENGTH = b"Content-Length: %d" % len(INNER)
CHUNKED = b"Transfer-Encoding: chunked"
IN_CHUNKS = b"%x\r\n" % len(INNER) + INNER + b"\r\n0\r\n\r\n"
CLASSICS = [
    post(LENGTH, body=INNER), post(CHUNKED, body=IN_CHUNKS),
    post(b"Content-Length: 6", CHUNKED, body=b"0\r\n\r\nG" + INNER),
    post(CHUNKED, b"Content-Length: 6", body=b"0\r\n\r\nG" + INNER),
    post(b"Content-Length: 4", CHUNKED, body=IN_CHUNKS),
    *[post(LENGTH, coding, body=INNER) for coding in [
        b"Transfer-Encoding: xchunked", b"Transfer-Encoding:\tchunked", b"Transfer-Encoding: chunked\t",
        b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding : chunked", b" Transfer-Encoding: chunked",
        b"X: x\nTransfer-Encoding: chunked", b"Transfer-Encoding\n: chunked", b"Transfer-Encoding:\n chunked",
        b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked, identity", b"Transfer_Encoding: chunked",
        b"Transfer-Encoding: \"chunked\"", b"transfer-encoding:chunked", b"Transfer-Encoding: ,chunked"]],
    post(CHUNKED, b"Transfer-Encoding: identity", body=IN_CHUNKS),
    post(b"Content-Length: 0", LENGTH, body=INNER), post(LENGTH, b"Content-Length: 0", body=INNER),
    post(LENGTH, LENGTH, body=INNER), post(LENGTH + b", 0", body=INNER), post(b"Content-Length: +5", body=INNER),
    post(b"Content-Length:", body=INNER), post(b"Content-Length : 5", body=INNER),
    post(b"Content_Length: 5", LENGTH, body=INNER), post(b"Connection: Content-Length", LENGTH, body=INNER),
    post(b"Connection: Transfer-Encoding", CHUNKED, body=IN_CHUNKS),
    post(b"Connection: close, Host", LENGTH, body=INNER),
    post(b"Expect: 100-continue", LENGTH, body=INNER), post(b"Expect: 100-continue", CHUNKED, body=IN_CHUNKS),
    post(b"Expect: 100-continue", LENGTH), post(b"Upgrade: h2c", b"Connection: Upgrade", LENGTH, body=INNER),
    post(b"Upgrade: websocket", b"Connection: Upgrade", body=INNER),
    post(LENGTH, body=INNER, version=b"HTTP/1.0"), post(CHUNKED, body=IN_CHUNKS, version=b"HTTP/1.0"),
    post(LENGTH, b"Connection: keep-alive", body=INNER, version=b"HTTP/1.0"),
    *[post(CHUNKED, body=size + b"\r\nhello\r\n0\r\n\r\n" + INNER) for size in [
        b"5;a", b"5;a=b", b'5;a="b"', b"5;;", b"5 ", b"0x5", b"+5", b"05", b"5\x00", b"00000000000000005",
        b"10000000000000005", b"5;a\nb"]],
    *[post(CHUNKED, body=body + INNER) for body in [
        b"5\nhello\n0\n\n", b"5\r\nhello\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"0\r\n\n", b"0\n\r\n",
        b"0\r\nA: b\n\r\n", b"0\r\nContent-Length: 5\r\n\r\n", b"0\r\nbad\r\n\r\n", b"0\r\n", b"00\r\n\r\n"]],
    b"HEAD" + post(LENGTH, body=INNER)[4:], b"GET" + post(LENGTH, body=INNER)[4:],
    b"GET" + post(CHUNKED, body=IN_CHUNKS)[4:], b"DELETE" + post(LENGTH, body=INNER)[4:],
    b"GET http://localhost/none/key HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    b"GET http://other/none/key HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    b"GET http://localhost/none/key HTTP/1.1\r\nHost: other\r\n\r\n" + INNER,
    b"GET /none/key HTTP/1.1\r\nHost: other\r\n" + HOST + b"\r\n" + INNER,
    b"GET /none/key\r\n" + INNER, b"GET /none/key HTTP/1.1\r\n\r\n" + INNER, b"\r\n\r\n" + INNER,
    b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n" + INNER, b"TRACE" + post()[4:] + INNER,
]


def conversations():
    for text in CLASSICS:
        yield text + INNER
    for each in FRAMING + REQUEST_LINES + HEADERS:
        yield each.request.replace(b"%HOST%", b"localhost").replace(b"%AUTH%", b"").replace(
            b"/%BUCKET%/", b"/none/").replace(b"%BUCKET%.", b"") + INNER
    for number in range(COUNT):
        count = random.Random(f"{SEED}-{number}").choice([1, 2, 3, 4])
        yield b"".join(MadeUp(SEED, f"{number}-{n}").bytes for n in range(count))


def marked(data, numbers):
    """Every key a token of its own, of a length that keeps bodies as long as they are."""
    def token(found):
        return b"/none/k%07d" % next(numbers)

    return re.sub(rb"/none/smuggled|/none/key|/none/next", token, data)


def token_of(text):
    if found := TOKEN.search(text or b""):
        return found[0]
    return None


# A request for which the proxy must connect first is passed by those that follow it on other connections.
OVERTAKING = 6


def compare(forwarded, recorded):
    """None, or where the two differ. Of what was malformed the record has no key. A request that is
    not certain and has no token can't be told from others: it may have a row, and none is its own."""
    left, maybe = list(recorded), 0
    for m, (request, is_certain) in enumerate(forwarded):
        near = left[:OVERTAKING + maybe]
        own = [row for row in near if row["object_key"] is not None
               and token_of(request) == token_of(row["object_key"].encode())]
        found = own or [row for row in near if row["object_key"] is None]
        if not is_certain and not (own and token_of(request)):
            maybe += 1
        elif found:
            left.remove(found[0])
        else:
            listed = [f"{row['operation']} {row['object_key']} {row['status']}" for row in near]
            return f"number {m} is another: {forwarded[max(m - 2, 0):m + 3]} and {listed}"
    stray = [row for row in left if token_of((row["object_key"] or "").encode())]
    if stray or len(left) > maybe:
        return f"recorded but not forwarded: {(stray or left)[0]}"
    return None


@pytest.mark.parametrize("kind", KINDS)
def test_both_see_the_same_requests(strict, tmp_path, kind):
    print(f"DIFFERENTIAL_SEED={SEED}")
    door = strict.doors["plain"]
    before = door.last_row()
    numbers, said = iter(range(10_000_000)), []
    with run_proxy(kind, door.port, tmp_path) as proxy:
        for data in conversations():
            with Wire(proxy.port) as wire:
                sent = marked(data, numbers)
                with contextlib.suppress(OSError):  # refused before all was taken
                    wire.send(sent)
                    wire.finish()
                said.append((sent, wire.rest()))

        def recorded():
            return rows(door.database, f"SELECT * FROM requests WHERE id > {before} ORDER BY id")

        seeds = f"DIFFERENTIAL_SEED={SEED}"
        try:
            eventually(lambda: compare(proxy.forwarded(), recorded()) is None, "the same requests", 5)
        except AssertionError:
            raise AssertionError(f"{compare(proxy.forwarded(), recorded())}; {seeds}") from None
        found = recorded()
    by_id = {row["request_id"].encode(): row for row in found}
    answered = []
    for sent, answers in said:
        ids = re.findall(rb"(?i)x-amz-request-id: ([0-9A-F]+)\r\n", answers)
        answered += ids
        pairs = re.findall(rb"<Resource>([^<]*)</Resource><RequestId>([0-9A-F]+)</RequestId>", answers)
        for resource, request_id in pairs:
            key = by_id[request_id]["object_key"]
            assert key is None or token_of(resource) == token_of(key.encode()), (seeds, sent, answers)
            assert token_of(resource) is None or token_of(resource) in sent, (seeds, sent, answers)
    assert answered == sorted(answered) and len(set(answered)) == len(answered), seeds
    assert set(answered) <= by_id.keys()
    assert len(answered) > len(said) / 4, "many were forwarded and answered"
    assert sum(is_certain for _, is_certain in proxy.forwarded()) > len(found) * 0.95
    door.check_healthy()
