"""Signatures that do not count: too early, too late, malformed, or over something else; each with
what the audit says of it."""

import pathlib

import botocore.auth
import pytest

from frontend import audit_row
from signing import KINDS, run_verifying, send, shift_clock, signed

MINUTE, DAY = 60, 86_400


@pytest.fixture(scope="module", params=["verify", "strict"])
def verifying(request, tmp_path_factory):
    with run_verifying(tmp_path_factory, request.param) as program:
        yield program


def refused(program, request, status, code, result, text=""):
    """Sends, and compares answer and audit row; returns the row."""
    answer = send(request)
    assert answer.status_code == status, answer.text
    assert f"<Code>{code}</Code>" in answer.text and text in answer.text, answer.text
    row = audit_row(program.audit_db, answer.headers["x-amz-request-id"])
    assert (row["status"], row["error_code"], row["auth_result"]) == (status, code, result)
    return row


def with_query(request, added):
    request.url += ("&" if "?" in request.url else "?") + added
    return request


@pytest.mark.parametrize("kind", ["v4", "v2"])
def test_a_clock_may_be_off_by_a_quarter_of_an_hour(verifying, monkeypatch, kind):
    for minutes in (-14, 14):
        shift_clock(monkeypatch, minutes * MINUTE)
        assert send(signed(kind, verifying, "example.txt")).text == "signed"
    for minutes in (-16, 16):
        shift_clock(monkeypatch, minutes * MINUTE)
        row = refused(verifying, signed(kind, verifying, "example.txt"), 403,
                      "RequestTimeTooSkewed", "expired")
        assert (row["auth"], row["operation"]) == ("header", "GetObject")


def test_a_link_of_version_4_has_its_time(verifying, monkeypatch):
    shift_clock(monkeypatch, -2 * MINUTE)
    refused(verifying, signed("v4-query", verifying, "example.txt"), 403, "AccessDenied",
            "expired", "has expired")
    assert send(signed("v4-query", verifying, "example.txt", expires=300)).text == "signed"
    shift_clock(monkeypatch, 14 * MINUTE)
    assert send(signed("v4-query", verifying, "example.txt")).text == "signed"
    shift_clock(monkeypatch, 16 * MINUTE)
    refused(verifying, signed("v4-query", verifying, "example.txt"), 403, "AccessDenied",
            "expired", "not valid yet")
    shift_clock(monkeypatch, -6 * DAY)
    assert send(signed("v4-query", verifying, "example.txt", expires=7 * DAY)).text == "signed"


def test_a_link_of_version_2_has_its_time(verifying):
    row = refused(verifying, signed("v2-query", verifying, "example.txt", expires=-10), 403,
                  "AccessDenied", "expired", "has expired")
    assert row["auth"] == "presigned"
    assert send(signed("v2-query", verifying, "example.txt", expires=7 * DAY)).text == "signed"
    refused(verifying, signed("v2-query", verifying, "example.txt", expires=8 * DAY), 400,
            "AuthorizationQueryParametersError", "malformed", "7 days")


@pytest.mark.parametrize("expires", [0, -1, 7 * DAY + 1, "x", "", "1e3", "99999999999999999999"])
def test_lifetimes_of_version_4(verifying, expires):
    row = refused(verifying, signed("v4-query", verifying, "example.txt", expires=expires), 400,
                  "AuthorizationQueryParametersError", "malformed", "1 to 604800")
    assert row["auth"] == "presigned"


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_query(verifying, kind):
    before = "response-content-disposition=inline"
    request = signed(kind, verifying, "example.txt", query=before)
    assert send(request).headers["Content-Disposition"] == "inline"
    request.url = request.url.replace(before, "response-content-disposition=attachment")
    refused(verifying, request, 403, "SignatureDoesNotMatch", "bad_signature")
    request = with_query(signed(kind, verifying, "example.txt"), "response-expires=0")
    refused(verifying, request, 403, "SignatureDoesNotMatch", "bad_signature")


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_header(verifying, kind):
    headers = {"x-amz-meta-a": "1"}
    request = signed(kind, verifying, "example.txt", headers=headers)
    for name, value in headers.items():
        request.headers[name] = value  # those of a link are with the client
    assert send(request).text == "signed"
    request.headers["x-amz-meta-a"] = "2"
    refused(verifying, request, 403, "SignatureDoesNotMatch", "bad_signature")
    del request.headers["x-amz-meta-a"]
    refused(verifying, request, 403, "SignatureDoesNotMatch", "bad_signature")


def test_a_changed_range(verifying):
    request = signed("v4", verifying, "example.txt", headers={"Range": "bytes=0-1"})
    assert send(request).text == "si"
    request.headers["Range"] = "bytes=0-2"
    refused(verifying, request, 403, "SignatureDoesNotMatch", "bad_signature")


@pytest.mark.parametrize("kind", ["v2", "v2-query"])
@pytest.mark.parametrize("path, name, operation", [
    ("example.txt", "attributes", "GetObjectAttributes"),
    ("example.txt", "retention", "GetObjectRetention"),
    ("", "encryption", "GetBucketEncryption"),
    ("", "publicAccessBlock=", "GetPublicAccessBlock"),
])
def test_a_subresource_that_version_2_does_not_sign(verifying, kind, path, name, operation):
    request = with_query(signed(kind, verifying, path), name)
    row = refused(verifying, request, 403, "AccessDenied", "bad_signature", "sign with version 4")
    assert row["operation"] == operation


@pytest.mark.parametrize("kind", ["v4", "v4-query"])
def test_a_subresource_is_always_under_version_4(verifying, kind):
    request = with_query(signed(kind, verifying, "example.txt"), "attributes")
    refused(verifying, request, 403, "SignatureDoesNotMatch", "bad_signature")


def test_a_prefix_is_under_version_4_only(verifying):
    """What SECURITY.md says of links to a bucket."""
    query = "delimiter=%2F"
    narrow = with_query(signed("v2-query", verifying, "", query=query), "prefix=none")
    answer = send(narrow)
    assert (answer.status_code, "example.txt" in answer.text) == (200, False)
    narrow = with_query(signed("v4-query", verifying, "", query=query), "prefix=none")
    refused(verifying, narrow, 403, "SignatureDoesNotMatch", "bad_signature")


def test_version_2_needs_a_time(verifying, monkeypatch):
    monkeypatch.setattr(botocore.auth, "formatdate", lambda *_, **__: "today")
    refused(verifying, signed("v2", verifying, "example.txt"), 403, "AccessDenied", "malformed",
            "x-amz-date or Date header")


SCOPE = "/20130524/globus/s3/aws4_request"


@pytest.mark.parametrize("authorization, query", [
    ("AWS4-HMAC-SHA256 nonsense", ""),
    ("AWS4-HMAC-SHA256 Credential=KEY, SignedHeaders=host, Signature=" + "0" * 64, ""),
    (f"AWS4-HMAC-SHA256 Credential=KEY{SCOPE}, SignedHeaders=host, Signature=0", ""),
    (f"AWS4-HMAC-SHA256 Credential=KEY{SCOPE}, SignedHeaders=date, Signature=" + "0" * 64, ""),
    ("AWS4-HMAC-SHA256 " + "a" * 13_000, ""),
    ("AWS KEY", ""), ("Bearer KEY", ""), ("Basic S0VZOg==", ""),
    ("", "X-Amz-Signature=0"), ("", "X-Amz-Algorithm=AWS4-HMAC-SHA256"),
    ("", "AWSAccessKeyId=KEY"), ("", "AWSAccessKeyId=KEY&Signature=0&Expires=soon"),
    ("AWS KEY:c2ln", "AWSAccessKeyId=KEY&Signature=0&Expires=1"),
])
def test_malformed(verifying, authorization, query):
    request = signed("v4", verifying, "example.txt")
    for name in list(request.headers):
        if name != "X-Amz-Date":
            del request.headers[name]
    key = verifying.credential["access_key_id"]
    if authorization:
        request.headers["Authorization"] = authorization.replace("KEY", key)
    if query:
        with_query(request, query.replace("KEY", key))
    answer = send(request)
    assert answer.status_code == 400, answer.text
    assert key not in answer.text
    row = audit_row(verifying.audit_db, answer.headers["x-amz-request-id"])
    assert row["auth_result"] == "malformed"
    assert row["auth"] == ("header" if authorization else "presigned")
    assert row["username"] in ("", None)


def test_nothing_of_a_signature_is_recorded(verifying):
    """After all that was refused here, and a request that was not."""
    answer = send(signed("v4-query", verifying, "example.txt"))
    audit_row(verifying.audit_db, answer.headers["x-amz-request-id"])
    database = pathlib.Path(verifying.audit_db)
    files = [file for file in database.parent.iterdir() if file.name.startswith(database.stem)]
    stored = b"".join(file.read_bytes() for file in files)
    assert b"GetObject" in stored
    for secret in (verifying.credential["access_key_id"].encode(), b"AWS4-HMAC", b"Signature=",
                   b"X-Amz-", b"AWSAccessKeyId", b"c2ln"):
        assert secret not in stored
