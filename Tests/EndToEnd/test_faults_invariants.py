"""What holds whatever went wrong: the record agrees with the client, nothing secret is kept,
nothing is used up, and the next request is served."""

import concurrent.futures
import hashlib
import http.client
import os
import pathlib
import random
import socket

import pytest

import faults
import liar
from conftest import LIED_ABOUT, run_local
from frontend import audit_rows
from liar import Liar, chunked, cut, honest, overrun, page, plan, raw, resized, sick, silent, status
from test_faults import whole

FAULTS = [
    honest, honest, honest, cut(0), cut(5000, "reset"), cut(50_000), cut(99_999, "farewell"),
    resized(-7), resized(7), overrun(100), chunked(), chunked(b""), page(), sick("A"), sick("C"),
    sick("D"), silent("fin"), silent("reset"), raw(b"nonsense\r\n\r\n"), status("500 Oops"),
    status("503 Busy", b"", "Retry-After: 3"), status("302 Found"), status("401 Unauthorized"),
    liar.whole, liar.shifted(9), liar.declared("abc"),
]


@pytest.fixture
def own_bed(tmp_path, authority):
    """With a log and an audit of its own, to be read when it has ended."""
    folder = tmp_path / "data"
    folder.mkdir()
    with Liar(folder, authority) as liar, run_local(
        *("--collection", f"{LIED_ABOUT}={folder}", "--guest", LIED_ABOUT),
        *("--https-server", f"{LIED_ABOUT}={liar.url}", "--upstream-ca", authority.certificate),
        *("--listen", "127.0.0.1:0", "--audit-db", tmp_path / "audit.db"), log=tmp_path / "log",
    ) as local:
        yield faults.bed(local, folder, LIED_ABOUT, liar)


def descriptors(bed):
    return len(os.listdir(f"/proc/{bed.local.process.pid}/fd"))


def resident(bed):
    lines = pathlib.Path(f"/proc/{bed.local.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def storm(bed, seed, count):
    """Requests of several clients at once, each served by a fault drawn at random."""
    draw = random.Random(seed)
    bed.liar.plan(plan(lambda request: draw.choice(FAULTS)))
    files = [bed.file() for _ in range(20)]

    def one(number):
        pick = random.Random(seed * 1000 + number)
        key, contents = pick.choice(files)
        first = pick.randrange(len(contents))
        last = pick.randrange(first, len(contents))
        wanted, headers = pick.choice([
            (contents, {}), (contents[first:last + 1], {"Range": f"bytes={first}-{last}"}),
            (contents[first:], {"Range": f"bytes={first}-"}),
            (contents[-1 - first:], {"Range": f"bytes={-1 - first}"})])
        return wanted, bed.ask(key, **headers)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(count)))


def test_a_storm_of_faults(own_bed, tmp_path):
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed:", seed)
    storm(own_bed, seed + 1, 40)
    before = descriptors(own_bed), resident(own_bed)
    seen = storm(own_bed, seed, 400)

    own_bed.liar.plan(honest)
    key, contents = own_bed.file()
    assert whole(own_bed.request(key), contents)

    rows = audit_rows(own_bed.local.audit_db,
                      [answer.headers["x-amz-request-id"] for _, (answer, _, _) in seen])
    for wanted, (answer, body, complete) in seen:
        row = rows[answer.headers["x-amz-request-id"]]
        assert row["status"] == answer.status
        if answer.status >= 400:
            assert complete and row["bytes_out"] == len(body)
            assert row["outcome"] == ("client_error" if answer.status < 500 else "server_error")
        elif complete:
            assert hashlib.sha256(body).hexdigest() == hashlib.sha256(wanted).hexdigest()
            assert (row["outcome"], row["bytes_out"]) == ("ok", len(wanted))
        else:
            assert wanted.startswith(body) and row["outcome"] == "upstream_abort"
        assert answer.status in (200, 206, 403, 503), (answer.status, body[:300])
    assert {200, 206, 403, 503} == {answer.status for _, (answer, _, _) in seen}

    assert descriptors(own_bed) <= before[0] + 20, "descriptors leak"
    assert resident(own_bed) <= before[1] + 20_000, "memory leaks"


def test_nothing_secret_is_kept(own_bed, tmp_path):
    """Neither the log nor the audit has a token, an access key id or what a server said of them."""
    tokens, asked = set(), []
    for behaviour in FAULTS:
        key, _ = own_bed.file()
        own_bed.liar.plan(behaviour)
        answer, _, _ = own_bed.ask(key)
        asked.append(answer.headers["x-amz-request-id"])
        tokens |= {request.headers["authorization"].removeprefix("Bearer ")
                   for request in own_bed.liar.requests}
    assert tokens
    audit_rows(own_bed.local.audit_db, asked)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"request failed" in kept
    for secret in (*tokens, own_bed.credential["access_key_id"],
                   own_bed.credential["secret_access_key"], own_bed.local.client_secret):
        assert secret.encode() not in kept


def test_a_client_of_http_1_0(own_bed):
    """It can tell a cut body from a whole one by the length, so it always gets one."""
    key, contents = own_bed.file()
    for behaviour, complete in ((honest, True), (chunked(), True), (cut(100), False)):
        own_bed.liar.plan(behaviour)
        host = own_bed.local.base_url.removeprefix("http://").split(":")
        with socket.create_connection((host[0], int(host[1])), timeout=30) as client:
            lines = [f"GET /{own_bed.collection}/{key} HTTP/1.0", f"Host: {':'.join(host)}"]
            headers = faults.authorization(own_bed.credential["access_key_id"])
            lines += [f"{name}: {value}" for name, value in headers.items()]
            client.sendall("\r\n".join([*lines, "", ""]).encode())
            answer = http.client.HTTPResponse(client)
            answer.begin()
            body, is_whole = faults.read(answer)
        assert answer.status == 200 and answer.headers["Content-Length"] == str(len(contents))
        assert is_whole == complete and (body == contents) == complete
