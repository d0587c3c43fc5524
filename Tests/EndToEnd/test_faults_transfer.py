"""Where Transfer or Auth fail, refuse or talk nonsense: S3's words, the way on, the audit row."""

import json
import re

import pytest
import requests

from faults import set_faults
from frontend import sign_in
from test_faults import whole
from test_faults_heads import UNAVAILABLE, refused
from test_faults_status import DENIED, EXPIRED, MISSING, SLOW_DOWN


def start_of_sign_in(local, collection):
    return requests.get(f"{local.base_url}/{collection}/?auth", allow_redirects=False,
                        headers={"Accept": "application/json"})


def sign_in_url(bed):
    return f"{bed.local.base_url}/{bed.collection}/?auth".encode()


@pytest.mark.parametrize("answer, outcome", [
    ("authentication_failed", EXPIRED), ("consent_required", DENIED), ("permission_denied", DENIED),
    ("not_found", MISSING), ("rate_limited", SLOW_DOWN), ("unavailable", SLOW_DOWN),
    ("endpoint_error", UNAVAILABLE), ("timeout", UNAVAILABLE), ("disconnected", UNAVAILABLE),
])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_refusals_of_stat(globus_mapped, answer, outcome, method):
    key, _ = globus_mapped.file()
    set_faults(globus_mapped.local, transfer=[{"operation": "stat", "answer": answer}])
    seen = globus_mapped.request(key, method)
    assert refused(seen, outcome)
    if outcome in (EXPIRED, DENIED):
        told = seen.body + seen.headers.get("x-amz-error-message", "").encode()
        assert sign_in_url(globus_mapped) in told


@pytest.mark.parametrize("answer", ["rate_limited", "unavailable"])
def test_a_pause_that_transfer_asks_for(globus_guest, answer):
    key, _ = globus_guest.file()
    set_faults(globus_guest.local, transfer=[
        {"operation": "stat", "answer": answer, "retry_after": 17}])
    seen = globus_guest.request(key)
    assert refused(seen, SLOW_DOWN) and seen.headers["Retry-After"] == "17"


def test_what_the_storage_said_is_not_asked_again(globus_guest):
    """502 is Transfer's word for it: no storm of retries."""
    key, contents = globus_guest.file()
    set_faults(globus_guest.local, transfer=[
        {"operation": "stat", "answer": "permission_denied", "times": 1}])
    seen = globus_guest.request(key, "HEAD")
    assert refused(seen, DENIED) and seen.row["upstream_calls"] == 1
    assert whole(globus_guest.request(key), contents)  # a refusal is not remembered


@pytest.mark.parametrize("status, body", [
    (200, ""), (200, "null"), (200, "[]"), (200, '"file"'), (200, "{"), (200, "NaN"),
    (200, '{"type": "file"}'), (200, '{"type": "file", "size": -1, "last_modified": "x"}'),
    (200, '{"type": "file", "size": "7", "last_modified": "2026-03-04 05:06:07+00:00"}'),
    (200, '{"type": "file", "size": 1e999, "last_modified": "2026-03-04 05:06:07+00:00"}'),
    (200, '{"type": "file", "size": NaN, "last_modified": "2026-03-04 05:06:07+00:00"}'),
    (200, '{"type": "file", "size": 7.5, "last_modified": "2026-03-04 05:06:07+00:00"}'),
    (200, '{"type": "file", "size": 7, "last_modified": "yesterday"}'),
    (200, "<html>maintenance</html>"), (502, "<html>bad gateway</html>"), (500, ""),
    (418, '{"code": "Teapot"}'), (502, '{"code": 7, "message": []}'),
])
def test_nonsense_of_stat(globus_guest, status, body):
    key, _ = globus_guest.file()
    set_faults(globus_guest.local, transfer=[
        {"operation": "stat", "answer": "raw", "status": status, "body": body}])
    assert refused(globus_guest.request(key, "HEAD"))


@pytest.mark.parametrize("document", [
    {"body": "[", "filler": "[", "fillers": 100_000},
    {"body": '{"a":', "filler": '{"a":', "fillers": 40_000},
    {"body": '{"type": "', "filler": "x" * 1000, "fillers": 1_000_000, "end": '"}'},
    {"body": "", "filler": " " * 1000, "fillers": 1_000_000},
], ids=["deep-arrays", "deep-objects", "a gigabyte", "a gigabyte of blanks"])
def test_documents_without_measure(globus_guest, document):
    """Neither memory nor the stack is theirs to use up."""
    key, contents = globus_guest.file()
    set_faults(globus_guest.local, transfer=[{"operation": "stat", "answer": "raw", **document}])
    assert refused(globus_guest.request(key, "HEAD"))
    set_faults(globus_guest.local)
    assert whole(globus_guest.request(key), contents)


def entry(name, **changes):
    fields = {"DATA_TYPE": "file", "name": name, "type": "file", "size": 3,
              "last_modified": "2026-03-04 05:06:07+00:00", **changes}
    return json.dumps(fields)


def listing(bed, prefix=""):
    return bed.request("", query=f"list-type=2&delimiter=/&prefix={prefix}")


@pytest.mark.parametrize("answer, outcome", [
    ("consent_required", DENIED), ("authentication_failed", EXPIRED), ("timeout", UNAVAILABLE),
    ("disconnected", UNAVAILABLE), ("rate_limited", SLOW_DOWN), ("permission_denied", DENIED),
])
def test_refusals_of_a_listing(globus_mapped, answer, outcome):
    set_faults(globus_mapped.local, transfer=[{"operation": "ls", "answer": answer}])
    assert refused(listing(globus_mapped, f"{answer}/"), outcome)


def test_bad_entries_are_left_out(globus_guest):
    """A name that no key can have, or a file without size or time, costs only itself."""
    entries = [entry("good"), entry("a/b"), entry(".."), entry("."), entry(""), entry("nul\0"),
               entry("line\nbreak"), entry("no-size", size=None), entry("wrong-size", size="3"),
               entry("no-time", last_modified=None), '"text"', "7", '{"DATA_TYPE": "file"}',
               entry("last")]
    set_faults(globus_guest.local, transfer=[
        {"operation": "ls", "answer": "raw",
         "body": '{"DATA_TYPE": "file_list", "DATA": [' + ",".join(entries) + "]}"}])
    seen = listing(globus_guest, "bad/")
    assert seen.status == 200 and seen.row["outcome"] == "ok"
    assert re.findall(rb"<Key>([^<]*)</Key>", seen.body) == [b"bad/good", b"bad/last"]


@pytest.mark.parametrize("body", ["", "{}", '{"DATA": 7}', '{"DATA": [', "[]", '{"DATA": null}'])
def test_nonsense_of_a_listing(globus_guest, body):
    set_faults(globus_guest.local, transfer=[{"operation": "ls", "answer": "raw", "body": body}])
    assert refused(listing(globus_guest, "nonsense/"))


def test_a_listing_without_end(globus_guest):
    """More entries than Transfer ever gives."""
    set_faults(globus_guest.local, transfer=[
        {"operation": "ls", "answer": "raw", "body": '{"DATA": [', "filler": entry("x") + ",",
         "fillers": 100_000, "end": entry("x") + "]}"}])
    seen = listing(globus_guest, "endless/")
    assert refused(seen, (400, "InvalidRequest", "client_error")) and b"100000" in seen.body


@pytest.mark.parametrize("endpoint", ["token", "userinfo"])
@pytest.mark.parametrize("answer", ["unavailable", "rate_limited", "page"])
def test_a_sign_in_while_auth_fails(globus_guest, endpoint, answer):
    local = globus_guest.local
    set_faults(local, auth=[{"endpoint": endpoint, "answer": answer}])
    seen = sign_in(local.base_url, globus_guest.collection)
    assert seen.status_code == 503 and seen.json()["message"]
    set_faults(local)
    assert sign_in(local.base_url, globus_guest.collection).status_code == 200


def test_a_code_that_auth_does_not_take(globus_guest):
    local = globus_guest.local
    set_faults(local, auth=[{"endpoint": "token", "answer": "invalid_grant", "times": 1}])
    seen = sign_in(local.base_url, globus_guest.collection)
    assert seen.status_code == 400 and seen.json()["message"]


@pytest.mark.parametrize("change", [{"subscription_lapsed": True}, {"kind": "connect_personal"}])
def test_collections_without_https(globus_guest, change):
    """Nobody is sent to sign in for what can't be served."""
    set_faults(globus_guest.local, collections=[{"id": globus_guest.collection, **change}])
    answer = start_of_sign_in(globus_guest.local, globus_guest.collection)
    assert answer.status_code == 409 and "HTTPS" in answer.json()["message"]


def test_a_hidden_collection_takes_two_rounds(globus_mapped):
    set_faults(globus_mapped.local, collections=[{"id": globus_mapped.collection, "hidden": True}])
    session = requests.Session()
    answer = sign_in(globus_mapped.local.base_url, globus_mapped.collection, session=session)
    assert answer.status_code == 200, answer.text
    assert answer.json()["collections"] == [globus_mapped.collection]
