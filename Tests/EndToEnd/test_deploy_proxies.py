"""The frontend behind nginx and HAProxy as docs/deploy.md sets them up: what a client signs arrives
as it was sent, what it is sent is not stored on the way, and no secret is in a log."""

import os
import subprocess
import sys
import urllib.parse

import pytest

import proxies
from frontend import audit_row, audit_rows
from signing import KINDS

COLLECTIONS = [f"1b6d2c9e-0000-4000-8000-0000000001{n:02d}" for n in range(10)]
# As they stand in the request: what a client encodes, and what it leaves.
TARGETS = {
    "example.txt": "example.txt", "a b+c.txt": "a%20b%2Bc.txt", "a+b": "a+b",
    "100%": "100%25", "is%2Fno slash": "is%252Fno%20slash", "é日.txt": "%C3%A9%E6%97%A5.txt",
    "lower é": "lower%20%c3%a9", "deep/er/file": "deep/er/file", "deep/er/too": "deep%2Fer%2ftoo",
    "~(a)'!*@$,;:=&": "~(a)'!*@$,;:=&", "q?#": "q%3F%23", "tab~": "tab%7E",
}


@pytest.fixture(scope="module", params=[proxies.Nginx, proxies.HAProxy], ids=["nginx", "haproxy"])
def site(request, tmp_path_factory, authority):
    site = proxies.Site(tmp_path_factory.mktemp("deploy"), authority, COLLECTIONS)
    request.addfinalizer(site.stop)
    (site.samples / "deep/er").mkdir(parents=True)
    for name in TARGETS:
        (site.samples / name).write_text(name)
    with open(site.samples / "large.bin", "wb") as large:
        large.truncate(1 << 30)
    (site.samples / "page.html").write_text("<p>" + "compressible " * 1000)
    site.start(request.param)
    site.credential = site.sign_in()
    return site


def row_of(site, answer):
    return audit_row(site.audit_db, answer.headers["x-amz-request-id"])


@pytest.mark.parametrize("kind", KINDS)
def test_signed_paths_arrive_as_they_were_sent(site, kind):
    ids = []
    for name, target in TARGETS.items():
        # Version 4 signs the path in its own encoding, version 2 as it is sent.
        path = urllib.parse.quote(name, safe="/~") if kind.startswith("v4") else target
        sent, headers = site.signed(kind, f"/{site.collection}/{path}", site.credential)
        answer = site.get(sent.replace(path, target, 1), headers)
        assert (answer.status, answer.body.decode()) == (200, name), (target, answer.body)
        ids.append(answer.headers["x-amz-request-id"])
    rows = audit_rows(site.audit_db, ids).values()
    assert {row["auth_result"] for row in rows} == {"verified"}
    assert {row["object_key"] for row in rows} == set(TARGETS)


def test_a_signature_over_another_path_is_refused(site):
    for kind in KINDS:
        target, headers = site.signed(kind, f"/{site.collection}/a%20b", site.credential)
        answer = site.get(target.replace("a%20b", "a+b"), headers)
        assert answer.status == 403 and b"<Code>SignatureDoesNotMatch</Code>" in answer.body


@pytest.mark.parametrize("path", ["double//slash", "/leading", "a/../example.txt", "./example.txt",
                                  "a/%2E%2E/example.txt"])
def test_what_is_no_key_is_not_made_one_on_the_way(site, path):
    answer = site.get(*site.signed("v4", f"/{site.collection}/{path}", site.credential))
    assert answer.status == 400 and b"<Code>InvalidURI</Code>" in answer.body
    assert row_of(site, answer)["error_code"] == "InvalidURI"


def test_a_key_id_of_more_than_3000_characters_in_header_and_link(site):
    more = "".join(f"&collection={id}" for id in COLLECTIONS[1:])
    credential = site.sign_in(query=more)
    assert len(credential["access_key_id"]) > 3000
    override = "response-content-disposition=" + "x" * 2000
    for kind in KINDS:
        answer = site.get(*site.signed(kind, f"/{site.collection}/example.txt", credential,
                                       query=override))
        assert (answer.status, answer.body) == (200, b"example.txt"), (kind, answer.body)
        assert answer.headers["Content-Disposition"] == "x" * 2000


def test_the_longest_key_id_and_key_in_one_request_line(site):
    """16 KiB of request line is what the frontend takes: a link is shorter whatever is in it."""
    query = "X-Amz-Credential=" + "A" * 4096 + "%2F20261123%2Fglobus%2Fs3%2Faws4_request"
    answer = site.get(f"/{site.collection}/{'%C3%A9' * 512}?{query}&x-rest={'r' * 7000}")
    assert answer.status == 400 and answer.headers["x-amz-request-id"], answer.body[:300]
    row = row_of(site, answer)
    assert row["object_key"] == "é" * 512


def test_buckets_as_host_names(site):
    host = f"{site.collection}.{proxies.NAME}:{site.tls}"
    for kind in ("v4", "v4-query"):
        answer = site.get(*site.signed(kind, "/a%20b%2Bc.txt", site.credential, host=host))
        assert (answer.status, answer.body) == (200, b"a b+c.txt"), answer.body


def test_answers_are_those_of_the_frontend(site):
    def ask(path, method="GET", query="", **headers):
        return site.get(*site.signed("v4", f"/{site.collection}/{path}", site.credential,
                                     headers=headers, query=query, method=method), method=method)
    whole = ask("page.html", **{"Accept-Encoding": "gzip"})
    assert whole.headers["Content-Encoding"] is None  # its ETag and length would not be true
    assert int(whole.headers["Content-Length"]) == len(whole.body)
    head = ask("page.html", method="HEAD")
    for name in ("ETag", "Content-Length", "Last-Modified", "Content-Type"):
        assert head.headers[name] == whole.headers[name]
    part = ask("page.html", Range="bytes=3-9")
    assert (part.status, part.body) == (206, whole.body[3:10])
    same = ask("page.html", **{"If-None-Match": whole.headers["ETag"]})
    assert (same.status, same.body) == (304, b"")
    missing = ask("missing", method="HEAD")
    assert (missing.status, missing.headers["x-amz-error-code"]) == (404, "NoSuchKey")
    assert ask("", query="delimiter=%2F").status == 200


def test_the_address_is_the_clients_and_no_other_is_believed(site):
    target, headers = site.signed("v4", f"/{site.collection}/example.txt", site.credential)
    answer = site.get(target, {**headers, "X-Forwarded-For": "203.0.113.9, 198.51.100.1"},
                      source="127.0.0.2")
    row = row_of(site, answer)
    assert (row["remote_ip"], row["peer_ip"]) == ("127.0.0.2", "127.0.0.1")


def test_a_body_is_not_waited_for(site):
    """The answer to an upload comes before its end: nothing stores it on the way."""
    target, headers = site.signed("v4", f"/{site.collection}/new", site.credential, method="PUT")
    headers.pop("Content-Length", None)
    with site.connect() as client:
        lines = [f"PUT {target} HTTP/1.1", f"Host: {proxies.NAME}:{site.tls}",
                 "Content-Length: 1000000000", *(f"{n}: {v}" for n, v in headers.items())]
        client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + bytes(1000))
        assert client.recv(65536).startswith(b"HTTP/1.1 501 ")


def test_a_slow_reader_has_nothing_stored_for_it(site):
    grown, row = proxies.read_slowly(site, "large.bin")
    assert grown < 32 << 20
    assert row["outcome"] == "client_abort" and 0 < row["bytes_out"] < 64 << 20
    if site.proxy.stored:
        assert not [file for file in site.proxy.stored.rglob("*") if file.is_file()]


def test_connections_to_the_frontend_are_kept(site):
    before = site.metric("connections_accepted_total")
    for _ in range(50):
        assert site.get(*site.signed(
            "v4", f"/{site.collection}/example.txt", site.credential)).status == 200
    assert site.metric("connections_accepted_total") - before < 25


def test_real_clients(site):
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent",
                   "AWS_ENDPOINT_URL": site.base_url, "AWS_DEFAULT_REGION": "globus",
                   "AWS_CA_BUNDLE": str(site.ca),
                   "AWS_ACCESS_KEY_ID": site.credential["access_key_id"],
                   "AWS_SECRET_ACCESS_KEY": site.credential["secret_access_key"]}

    def aws(*arguments):
        return subprocess.run([sys.executable, "-m", "awscli", "s3", *arguments], check=True,
                              capture_output=True, timeout=120, env=environment).stdout
    bucket = f"s3://{site.collection}"
    assert aws("cp", f"{bucket}/a b+c.txt", "-") == b"a b+c.txt"
    assert "é日.txt" in aws("ls", f"{bucket}/").decode()
    link = aws("presign", f"{bucket}/is%2Fno slash").decode().strip()
    curl = ["curl", "--silent", "--fail", "--cacert", site.ca]
    assert subprocess.run([*curl, link], check=True, capture_output=True).stdout == b"is%2Fno slash"
    signed = subprocess.run(
        [*curl, "--aws-sigv4", "aws:amz:globus:s3", "--user",
         f"{site.credential['access_key_id']}:{site.credential['secret_access_key']}",
         f"{site.base_url}/{site.collection}/{urllib.parse.quote('é日.txt')}"],
        check=True, capture_output=True)
    assert signed.stdout.decode() == "é日.txt"


def test_no_secret_is_in_the_proxys_log(site):
    """Also not of requests that the proxy answers itself, because nobody is behind it."""
    link = site.signed("v4-query", f"/{site.collection}/a%2Bb", site.credential)
    answer = site.get(*link)
    assert answer.status == 200
    site.get("/?auth-callback&code=secret-code&state=secret-state")
    site.get(f"/{site.collection}/x?X-Amz-Security-Token=secret-token",
             {"Authorization": "secret-header", "Cookie": "secret-cookie=1"})
    assert site.frontend.stop() == 0
    try:
        down = site.get(*link)
        assert down.status in (502, 503) and down.headers["x-amz-request-id"] is None
        with site.connect() as client:
            client.sendall(b"GET /bad request line?secret-line HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 400 " in client.recv(65536)
    finally:
        site.frontend = site.start_frontend()
    proxies.eventually(lambda: site.get(*link).status == 200, "the proxy has found the frontend")
    log = site.proxy.log_text()
    assert answer.headers["x-amz-request-id"] in log
    # nginx logs the path decoded, HAProxy as it came.
    assert any(f'"GET /{site.collection}/{key}' in log for key in ("a+b", "a%2Bb"))
    for secret in (site.credential["access_key_id"][:16], "X-Amz-", "Signature", "secret-", "code=",
                   "state=", "GS3A", "Authorization", "Credential"):
        assert secret not in log, [line for line in log.splitlines() if secret in line][:3]
