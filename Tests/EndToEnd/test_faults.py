"""Where a collection's server breaks off in a body: gone on with if that is safe, else cut visibly.

Every request's audit row is read too: `faults.check`, and what a test says of the outcome.
"""

import hashlib
import os

import pytest

import liar
from liar import adorned, chunked, cut, honest, plan, sequence


def whole(seen, contents, status=200):
    """The client got the right bytes and could tell so; the row says the same."""
    assert seen.complete and (seen.status, seen.row["outcome"]) == (status, "ok"), seen.row
    assert hashlib.sha256(seen.body).hexdigest() == hashlib.sha256(contents).hexdigest()
    assert seen.row["bytes_out"] == len(contents)
    return True


def cut_visibly(seen, contents):
    """The client got a right part and could tell that it is a part; the row says the same."""
    is_part = contents.startswith(seen.body) and len(seen.body) < len(contents)
    assert is_part and not seen.complete
    assert seen.row["outcome"] == "upstream_abort" and seen.row["bytes_out"] < len(contents)
    return True


def test_an_honest_liar_is_a_collection(bed):
    key, contents = bed.file()
    seen = bed.request(key)
    assert whole(seen, contents)
    assert seen.row["upstream_host"] == bed.liar.url.removeprefix("https://")
    assert (seen.row["upstream_status"], seen.row["upstream_calls"]) == (200, 2)
    assert bed.liar.requests[0].headers["authorization"].startswith("Bearer Ag")


@pytest.mark.parametrize("how", ["fin", "reset", "farewell"])
@pytest.mark.parametrize("after", [0, 1, 99_999])
def test_a_broken_transfer_is_gone_on_with(bed, how, after):
    key, contents = bed.file()
    bed.liar.plan(sequence(cut(after, how), honest))
    seen = bed.request(key)
    assert whole(seen, contents)
    first, second = bed.liar.requests
    assert second.first <= after and second.last == len(contents) - 1
    # A reset may overtake what was sent before it, the head too: then it is asked once more.
    assert second.is_ranged or how == "reset"
    assert seen.row["upstream_calls"] == (4 if second.is_ranged else 3)


def test_a_broken_range_is_gone_on_with(bed):
    key, contents = bed.file()
    bed.liar.plan(sequence(cut(700), cut(50), honest))
    seen = bed.request(key, Range="bytes=1000-90000")
    assert whole(seen, contents[1000:90_001], status=206)
    assert [(asked.first, asked.last) for asked in bed.liar.requests][0] == (1000, 90_000)
    # One byte at least is held back until the length is proven, so the next asks for it again.
    assert 1000 < bed.liar.requests[1].first <= 1700 and bed.liar.requests[1].last == 90_000
    assert seen.row["upstream_status"] == 206


def test_a_transfer_that_breaks_too_often_is_cut(bed):
    key, contents = bed.file()
    bed.liar.plan(cut(10_000))
    seen = bed.request(key)
    assert seen.status == 200 and cut_visibly(seen, contents)
    assert 1 < len(bed.liar.requests) <= 10


def meddle(first, change):
    """`first` at the first request, after `change` was made to the file; honest from then on."""
    def choose(request):
        if request.number > 0:
            return honest
        change()
        return first
    return plan(choose)


@pytest.mark.parametrize("change", ["time", "size", "gone"])
def test_no_going_on_with_another_object(bed, change):
    key, contents = bed.file()
    path = bed.folder / key
    changes = {"time": lambda: os.utime(path, (1_700_000_000, 1_700_000_000)),
               "size": lambda: path.write_bytes(contents + b"more"), "gone": path.unlink}
    bed.request(key, "HEAD")  # so that Transfer's answer of before the change is remembered
    bed.liar.plan(meddle(cut(50_000), changes[change]))
    seen = bed.request(key)
    assert cut_visibly(seen, contents)
    assert len(bed.liar.requests) == 1


def test_no_going_on_with_another_tag(bed):
    """Size and time are the same; the server's tag tells that the bytes are not."""
    key, contents = bed.file()
    other = contents[::-1]

    def choose(request):
        if request.number == 0:
            return cut(50_000, "fin", 'ETag: "one"')
        request.contents = other
        return adorned('ETag: "two"')

    bed.liar.plan(plan(choose))
    assert cut_visibly(bed.request(key), contents)
    bed.liar.plan(sequence(cut(50_000, "fin", 'ETag: "one"'), adorned('ETag: "one"')))
    assert whole(bed.request(key), contents)


def test_a_server_that_answers_the_rest_with_the_whole(bed):
    """200 to the range: what was delivered already is dropped."""
    key, contents = bed.file()
    bed.liar.plan(sequence(cut(50_000), liar.whole))
    assert whole(bed.request(key), contents)


def test_chunks_without_a_length(bed):
    key, contents = bed.file()
    bed.liar.plan(chunked())
    assert whole(bed.request(key), contents)
    bed.liar.plan(chunked(b"0\r\nX-Trailer: 1\r\nContent-Length: 5\r\n\r\n"))
    assert whole(bed.request(key), contents)


@pytest.mark.parametrize("end, how", [
    (b"", "farewell"), (b"", "reset"), (b"5\r\nhel", "farewell"), (b"0\r\n", "farewell"),
    (b"zz\r\n\r\n", "farewell"), (b"-5\r\nhello\r\n0\r\n\r\n", "farewell"),
    (b"fffffffffffffffff\r\n", "farewell"),
])
def test_chunks_that_end_wrongly(bed, end, how):
    """The bytes may all be there, but the server did not say so: asked for again, or cut.

    Bytes beyond the object's end are no object's: refused while nothing is out, else cut.
    """
    key, contents = bed.file()
    bed.liar.plan(sequence(chunked(end, how=how), honest))
    seen = bed.request(key)
    if end == b"5\r\nhel" and seen.complete:
        assert seen.outcome == (503, "ServiceUnavailable", "server_error")
    else:
        assert whole(seen, contents) if seen.complete else cut_visibly(seen, contents)
    bed.liar.plan(chunked(end, how=how))
    seen = bed.request(key)
    if seen.status == 200:
        assert cut_visibly(seen, contents)
    else:
        assert seen.outcome == (503, "ServiceUnavailable", "server_error")


@pytest.mark.parametrize("lead", [b"x%x\r\n", b"\r\n", b"%x;ext=1\x00\r\n", b"0x%x\r\n"])
def test_chunks_of_unreadable_size(bed, lead):
    key, contents = bed.file()
    bed.liar.plan(chunked(lead=lead))
    seen = bed.request(key)
    if seen.status == 200:
        assert whole(seen, contents) if seen.complete else cut_visibly(seen, contents)
    else:
        assert seen.outcome == (503, "ServiceUnavailable", "server_error")


def test_head_asks_no_server_that_may_lie(bed):
    key, contents = bed.file()
    bed.liar.plan(cut(0, "reset"))
    seen = bed.request(key, "HEAD")
    assert (seen.status, seen.headers["Content-Length"]) == (200, str(len(contents)))
    assert (seen.row["outcome"], bed.liar.requests) == ("ok", [])
