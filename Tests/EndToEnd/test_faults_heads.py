"""Where a collection's server lies in its head: lengths, ranges, pages, nonsense."""

import gzip

import pytest

import liar
from liar import (adorned, declared, honest, overrun, page, raw, resized, sequence, shifted, silent,
                  status)
from test_faults import cut_visibly, whole

UNAVAILABLE = (503, "ServiceUnavailable", "server_error")


def refused(seen, outcome=UNAVAILABLE):
    """Refused in S3's words, without a word of the upstream's."""
    assert seen.complete and seen.outcome == outcome, (seen.outcome, seen.body[:300])
    assert not any(b"Apache" in value.encode() for value in seen.headers.values())
    return True


@pytest.mark.parametrize("by", [-100_000, -99_999, -1, 1, 5000])
def test_a_length_that_is_not_the_files(bed, by):
    key, _ = bed.file()
    bed.liar.plan(resized(by))
    seen = bed.request(key)
    assert refused(seen) and seen.headers["Retry-After"]
    assert seen.row["bytes_out"] == len(seen.body) and seen.row["upstream_status"] == 200
    # Transfer is asked once more before anybody is blamed.
    assert seen.row["upstream_calls"] >= 3


@pytest.mark.parametrize("by", [-1, 1])
def test_a_length_that_is_not_the_ranges(bed, by):
    key, _ = bed.file()
    bed.liar.plan(resized(by))
    assert refused(bed.request(key, Range="bytes=100-199"))


def test_more_bytes_than_declared(bed):
    key, contents = bed.file()
    bed.liar.plan(overrun(50))
    assert whole(bed.request(key), contents)
    # They are nobody's answer: the next request gets its own.
    again, more = bed.file()
    assert whole(bed.request(again), more)


@pytest.mark.parametrize("values", [
    ["abc"], ["-1"], ["99999999999999999999999"], ["10", "100000"], ["100000, 5"], [""], ["1e5"],
    ["0x186a0"],
])
def test_unreadable_lengths(bed, values):
    key, contents = bed.file()
    bed.liar.plan(declared(*values))
    seen = bed.request(key)
    if seen.status == 200:
        assert whole(seen, contents) if seen.complete else cut_visibly(seen, contents)
    else:
        assert refused(seen)


@pytest.mark.parametrize("length", [5, 100_000, 100_001])
def test_a_length_and_chunks_at_once(bed, length):
    key, contents = bed.file()
    bed.liar.plan(liar.chunked(b"0\r\n\r\n", b"%x\r\n", f"Content-Length: {length}"))
    seen = bed.request(key)
    assert whole(seen, contents) if seen.status == 200 and seen.complete else (
        cut_visibly(seen, contents) if seen.status == 200 else refused(seen))


@pytest.mark.parametrize("asked, first, last", [
    ("bytes=100-199", 100, 199), ("bytes=0-9", 0, 9), ("bytes=100-", 100, 99_999),
    ("bytes=-100", 99_900, 99_999),
])
def test_200_to_a_range(bed, asked, first, last):
    """The range is cut out of the whole, or the client is told to try again."""
    key, contents = bed.file()
    bed.liar.plan(liar.whole)
    seen = bed.request(key, Range=asked)
    if seen.status == 206:
        assert whole(seen, contents[first:last + 1], status=206)
        assert seen.headers["Content-Range"] == f"bytes {first}-{last}/100000"
    else:
        assert refused(seen)


@pytest.mark.parametrize("by, total", [(1, "*"), (-1, "*"), (0, 99), (0, 100_001), (5000, 100_000)])
def test_a_wrong_content_range(bed, by, total):
    key, _ = bed.file()
    bed.liar.plan(shifted(by, total))
    seen = bed.request(key, Range="bytes=100-199")
    assert refused(seen)


@pytest.mark.parametrize("line", ["bytes */100000", "bytes 100-", "lines 1-2/3", "bytes 199-100/*",
                                  "bytes 100-99999999999999999999/*", ""])
def test_an_unreadable_content_range(bed, line):
    key, _ = bed.file()
    bed.liar.plan(status("206 Partial Content", b"x" * 100, f"Content-Range: {line}"))
    assert refused(bed.request(key, Range="bytes=100-199"))


def test_206_to_a_request_for_the_whole(bed):
    key, contents = bed.file()
    bed.liar.plan(status("206 Partial Content", contents[:10], "Content-Range: bytes 0-9/*"))
    assert refused(bed.request(key))


def test_a_sign_in_page_is_not_the_file(bed):
    key, _ = bed.file()
    bed.liar.plan(page())
    seen = bed.request(key)
    assert refused(seen, (403, "ExpiredToken", "client_error"))
    assert f"{bed.local.base_url}/{bed.collection}/?auth".encode() in seen.body
    assert b"sign in<script>" not in seen.body


def test_a_page_of_ones_own_is(bed):
    (bed.folder / "page.html").write_bytes(liar.SIGN_IN_PAGE)
    bed.liar.plan(page())
    seen = bed.request("page.html")
    assert whole(seen, liar.SIGN_IN_PAGE)
    assert "sandbox" in seen.headers["Content-Security-Policy"]


def test_a_page_without_a_length(bed):
    key, _ = bed.file()
    bed.liar.plan(raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n",
                      liar.SIGN_IN_PAGE, how="farewell"))
    assert refused(bed.request(key), (403, "ExpiredToken", "client_error"))


def test_no_length_at_all(bed):
    """The connection's end is the body's: as long as the file, or cut."""
    key, contents = bed.file()
    head = b"HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"
    bed.liar.plan(raw(head, contents, how="farewell"))
    assert whole(bed.request(key), contents)
    for body in (contents[:-1], contents + b"!"):
        bed.liar.plan(raw(head, body, how="farewell"))
        seen = bed.request(key)
        assert refused(seen) if seen.status == 503 else not seen.complete


@pytest.mark.parametrize("answer", [
    b"", b"\x00\x01\x02\x16\x03\x01garbage\r\n\r\n" * 20, b"HELLO\r\n\r\n", b"HTTP/1.1\r\n\r\n",
    b"HTTP/9.9 200 OK\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 099 Low\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 1000 High\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nContent-Le", b"220 ftp.example.org ready\r\n",
])
def test_nonsense(bed, answer):
    key, contents = bed.file()
    bed.liar.plan(raw(answer))
    assert refused(bed.request(key))
    bed.liar.plan(sequence(raw(answer), honest))
    assert whole(bed.request(key), contents)  # once may be an accident


@pytest.mark.parametrize("flood", [
    (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * (10 << 20), b"\r\n\r\n"),
    (b"HTTP/1.1 200 OK\r\n", b"X-Many: header\r\n" * 10_000, b"\r\n"),
    (b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
    (b"HTTP/1.1 200 " + b"O" * 200_000 + b"\r\n\r\n",),
], ids=["long", "many", "interim", "reason"])
def test_floods_of_head(bed, flood):
    key, _ = bed.file()
    bed.liar.plan(raw(*flood))
    assert refused(bed.request(key))


def test_an_interim_answer_is_not_the_answer(bed):
    key, contents = bed.file()

    def with_interim(wire, request):
        wire.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n")
        honest(wire, request)

    bed.liar.plan(with_interim)
    seen = bed.request(key)
    assert whole(seen, contents) and seen.headers["Link"] is None


@pytest.mark.parametrize("how", ["fin", "reset", "farewell"])
def test_an_end_before_the_head(bed, how):
    key, contents = bed.file()
    bed.liar.plan(sequence(silent(how), honest))
    assert whole(bed.request(key), contents)
    bed.liar.plan(silent(how))
    seen = bed.request(key)
    assert refused(seen) and seen.row["upstream_status"] is None


def test_headers_of_the_collection_stay_there(bed):
    key, contents = bed.file()
    bed.liar.plan(adorned(
        "Content-Type: text/html\x01\x1b[31m", "Set-Cookie: session=stolen",
        'Content-Disposition: attachment; filename="a\rb"', "Location: https://elsewhere.example/",
        "Access-Control-Allow-Origin: *", "x-amz-meta-note: from the collection",
        "Content-Security-Policy: default-src *"))
    seen = bed.request(key)
    assert whole(seen, contents)
    told = " ".join(f"{name}: {value}" for name, value in seen.headers.items())
    for word in ("text/html", "stolen", "attachment", "elsewhere", "from the collection",
                 "default-src", "Apache"):
        assert word not in told
    assert all(ord(character) >= 32 for value in seen.headers.values() for character in value)


def test_a_compressed_body_is_delivered_as_it_is(bed):
    """Nobody asked for a compressed form, so it is the file's own."""
    contents = gzip.compress(b"compressed by its owner " * 1000)
    (bed.folder / "own.gz").write_bytes(contents)
    bed.liar.plan(adorned("Content-Encoding: gzip"))
    assert whole(bed.request("own.gz"), contents)
    assert "gzip" not in bed.liar.requests[0].headers.get("accept-encoding", "")
