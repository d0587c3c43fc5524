"""Where a collection's server refuses or fails: what is missing, denied, sick, busy, elsewhere."""

import pytest

from liar import SICK, connections, honest, page, sequence, sick, status
from test_faults import whole
from test_faults_heads import UNAVAILABLE, refused

MISSING = (404, "NoSuchKey", "client_error")
EXPIRED = (403, "ExpiredToken", "client_error")
DENIED = (403, "AccessDenied", "client_error")
SLOW_DOWN = (503, "SlowDown", "server_error")


@pytest.mark.parametrize("kind", SICK)
def test_404_of_a_file_that_is_there(bed, kind):
    """The server may say that it is missing: Transfer's stat is believed."""
    key, _ = bed.file()
    bed.liar.plan(sick(kind))
    seen = bed.request(key)
    assert refused(seen) and seen.headers["Retry-After"]
    assert seen.row["upstream_status"] == 404


@pytest.mark.parametrize("kind", SICK)
@pytest.mark.parametrize("asked", [None, "bytes=5-9", "bytes=5-", "bytes=-5"])
def test_404_of_a_file_that_is_not(bed, kind, asked):
    bed.liar.plan(sick(kind))
    seen = bed.request("nothing/here", **({"Range": asked} if asked else {}))
    assert refused(seen, MISSING)


def test_a_missing_file_is_missing_whatever_the_server_does(bed):
    for answer in (status("500 Internal Server Error"), page(), status("200 OK", b"bytes")):
        bed.liar.plan(answer)
        assert refused(bed.request("nothing/there"), MISSING)


@pytest.mark.parametrize("kind", ["C", "D", "E"])
def test_a_sick_node_is_left_for_another(bed, kind):
    """Its sickness sticks to the connection, so the next try is on another."""
    key, contents = bed.file()
    bed.liar.plan(connections(sick(kind), honest))
    seen = bed.request(key)
    assert whole(seen, contents)
    first, *_, last = bed.liar.requests
    assert first.connection != last.connection
    assert seen.row["upstream_status"] == 200 and seen.row["upstream_calls"] >= 3


def test_404_without_a_body(bed):
    key, _ = bed.file()
    bed.liar.plan(status("404 Not Found"))
    assert refused(bed.request(key))


@pytest.mark.parametrize("answer", [
    status("302 Found", b"", "Location: https://auth.globus.org/v2/oauth2/authorize?client_id=x"),
    status("302 Found", b"", "Location: /"), status("301 Moved Permanently", b""),
    status("307 Temporary Redirect", b"", "Location: http://169.254.169.254/latest/meta-data"),
    status("401 Unauthorized", b""),
    status("401 Unauthorized", b'{"code": "unauthorized", "authorization_parameters": '
           b'{"required_scopes": ["https://auth.globus.org/scopes/x/https"]}}',
           "Content-Type: application/json"),
], ids=["302", "302-loop", "301", "307-elsewhere", "401", "401-json"])
def test_a_token_that_is_not_accepted(bed, answer):
    """Never followed; the person is told where to sign in."""
    key, _ = bed.file()
    bed.liar.plan(answer)
    seen = bed.request(key)
    assert refused(seen, EXPIRED)
    assert f"{bed.local.base_url}/{bed.collection}/?auth".encode() in seen.body
    assert len(bed.liar.requests) == 1 and seen.row["upstream_status"] in (301, 302, 307, 401)


def test_a_session_that_is_not_enough(bed):
    key, _ = bed.file()
    body = (b'{"code": "permission_denied", "authorization_parameters": '
            b'{"session_required_single_domain": ["uni.example"]}}')
    for line in ("401 Unauthorized", "403 Forbidden"):
        bed.liar.plan(status(line, body, "Content-Type: application/json"))
        seen = bed.request(key)
        assert refused(seen, DENIED) and b"sign-in" in seen.body and b"?auth" in seen.body


def test_what_is_denied(bed):
    key, _ = bed.file()
    for body in (b"Permission denied", b"500 Command failed : Path not allowed."):
        bed.liar.plan(status("403 Forbidden", body))
        assert refused(bed.request(key), DENIED)
    body = b"GlobusError: v=1 c=PERMISSION_DENIED\nGridFTP-Errno: 13"
    bed.liar.plan(status("404 Not Found", body))
    assert refused(bed.request(key), DENIED)


@pytest.mark.parametrize("line", ["429 Too Many Requests", "503 Service Unavailable"])
@pytest.mark.parametrize("seconds, told", [("7", "7"), ("999999", "3600"), ("0", "1")])
def test_a_server_that_asks_for_a_pause(bed, line, seconds, told):
    key, _ = bed.file()
    bed.liar.plan(status(line, b"", f"Retry-After: {seconds}"))
    seen = bed.request(key)
    assert refused(seen, SLOW_DOWN) and seen.headers["Retry-After"] == told
    # It asked to be left alone; a short while is waited for.
    assert len(bed.liar.requests) == (2 if seconds == "0" else 1)


@pytest.mark.parametrize("line", ["500 Internal Server Error", "502 Bad Gateway",
                                  "503 Service Unavailable", "504 Gateway Timeout", "418 Teapot"])
def test_failures(bed, line):
    key, contents = bed.file()
    bed.liar.plan(status(line, b"<html>Apache/2.4.62 has a bad day</html>"))
    seen = bed.request(key)
    assert refused(seen) and b"bad day" not in seen.body
    assert seen.row["upstream_status"] == int(line[:3])
    bed.liar.plan(sequence(status(line), honest))
    assert whole(bed.request(key), contents)


def test_it_is_not_asked_for_ever(bed):
    """Few tries: a server that fails is not also stormed."""
    key, _ = bed.file()
    bed.liar.plan(status("500 Internal Server Error"))
    assert bed.request(key).outcome == UNAVAILABLE
    assert 2 <= len(bed.liar.requests) <= 5
