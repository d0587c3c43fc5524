"""Conditional requests, overridden headers, parts and checksums, by raw requests and real clients."""

import datetime
import itertools
import subprocess
import types

import boto3
import botocore.exceptions
import pytest

import raw
from frontend import audit_rows

OTHER = '"0123456789abcdef0123456789abcdef-1"'
OVERRIDES = {
    "cache-control": "no-cache", "content-disposition": 'attachment; filename="a b.txt"',
    "content-encoding": "identity", "content-language": "de-AT",
    "content-type": "text/html; charset=utf-8", "expires": "Thu, 01 Dec 1994 16:00:00 GMT",
}


@pytest.fixture(scope="module")
def thing(local, s3):
    """An object of a thousand bytes, with the dates at and around its own."""
    head = s3.head_object(Bucket=local.collection, Key="thousand.bin")
    date = {shift: (head["LastModified"] + datetime.timedelta(seconds=shift)).strftime(
        "%a, %d %b %Y %H:%M:%S GMT") for shift in (-1, 0, 1)}
    return types.SimpleNamespace(
        target=f"/{local.collection}/thousand.bin", etag=head["ETag"], modified=head["LastModified"],
        before=date[-1], at=date[0], after=date[1],
        bytes=(local.folder / "thousand.bin").read_bytes())


def check(thing, method, answer, status):
    """That the answer is what a response of that status must be."""
    assert answer.status == status
    assert answer.headers["ETag"] == thing.etag
    assert answer.headers["Last-Modified"] == (None if status == 412 else thing.at)
    if status == 304:
        assert answer.body == b""
        assert not {"Content-Type", "Content-Length", "Content-Range"} & set(answer.headers)
    elif status == 412:
        assert answer.code == "PreconditionFailed"
        assert (answer.body == b"") == (method == "HEAD")
    else:
        length = 1000 if status == 200 else 10
        assert answer.headers["Content-Length"] == str(length)
        assert answer.body == (b"" if method == "HEAD" else thing.bytes[:length])
        assert ("Content-Range" in answer.headers) == (status == 206)


def test_every_combination_has_s3s_precedence(local, wire, thing):
    """If-Match before If-Unmodified-Since, If-None-Match before If-Modified-Since, 412 before 304."""
    tags = (None, thing.etag, OTHER)
    dates = (None, thing.before, thing.at, thing.after, "yesterday")
    seen = {}
    for match, none_match, modified, unmodified in itertools.product(tags, tags, dates, dates):
        if match == OTHER or match is None and unmodified == thing.before:
            expected = 412
        elif none_match == thing.etag or none_match is None and modified in (thing.at, thing.after):
            expected = 304
        else:
            expected = 200
        headers = [(name, value) for name, value in [
            ("If-Match", match), ("If-None-Match", none_match), ("If-Modified-Since", modified),
            ("If-Unmodified-Since", unmodified)] if value]
        for method, part in (("GET", []), ("HEAD", []), ("GET", [("Range", "bytes=0-9")])):
            answer = wire.ask(method, thing.target, headers + part)
            status = 206 if part and expected == 200 else expected
            assert answer.status == status, (method, headers, part)
            check(thing, method, answer, status)
            seen[answer.request_id] = (method, status, len(answer.body))
    rows = audit_rows(local.audit_db, seen)
    for request_id, (method, status, length) in seen.items():
        row = rows[request_id]
        assert (row["operation"], row["status"], row["bytes_out"]) == (
            {"GET": "GetObject", "HEAD": "HeadObject"}[method], status, length)
        assert (row["outcome"], row["error_code"]) == (
            ("client_error", "PreconditionFailed") if status == 412 else ("ok", None))


@pytest.mark.parametrize("name, template, status", [
    ("If-Match", "*", 200), ("If-Match", "{bare}", 200), ("If-Match", '"x", {tag}', 200),
    ("If-Match", '"x",{tag} ,"y"', 200), ("If-Match", "W/{tag}", 412), ("If-Match", "", 412),
    ("If-Match", '"x", "y"', 412), ("If-Match", '"{bare}', 412),
    ("If-None-Match", "*", 304), ("If-None-Match", "{bare}", 304),
    ("If-None-Match", '"x" , {tag}', 304), ("If-None-Match", "W/{tag}", 304),
    ("If-None-Match", 'W/"x", W/{tag}', 304), ("If-None-Match", "W/{bare}", 200),
    ("If-None-Match", "", 200),
    ("If-Modified-Since", "", 200), ("If-Modified-Since", "0", 200),
    ("If-Modified-Since", "Sun, 31 Feb 2100 00:00:00 GMT", 200),
    ("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT", 304),
    ("If-Modified-Since", "Friday, 01-Jan-60 00:00:00 GMT", 200),
    ("If-Modified-Since", "Thursday, 01-Jan-60 00:00:00 GMT", 304),
    ("If-Modified-Since", "Fri Jan  1 00:00:00 2100", 304),
    ("If-Modified-Since", "Thu Jan  1 00:00:00 2100", 200),
    ("If-Unmodified-Since", "Thursday, 01-Jan-70 00:00:00 GMT", 412),
    ("If-Unmodified-Since", "Thu Jan  1 00:00:00 1970", 412),
    ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00", 200),
    ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT", 412),
    ("If-Unmodified-Since", "Fri, 01 Jan 2100 00:00:00 GMT", 200),
])
def test_forms_of_a_condition(wire, thing, name, template, status):
    value = template.format(tag=thing.etag, bare=thing.etag.strip('"'))
    for method in ("GET", "HEAD"):
        check(thing, method, wire.ask(method, thing.target, [(name, value)]), status)


def test_a_failed_condition_is_named(wire, thing):
    for name, value in (("If-Match", OTHER), ("If-Unmodified-Since", thing.before)):
        body = wire.ask("GET", thing.target, [(name, value)]).body.decode()
        assert f"<Condition>{name}</Condition>" in body


def test_a_condition_stands_on_one_line(wire, thing):
    both = [("If-None-Match", f"{OTHER}, {thing.etag}")]
    check(thing, "GET", wire.ask("GET", thing.target, both), 304)
    lines = [("If-None-Match", OTHER), ("If-None-Match", thing.etag)]
    answer = wire.ask("GET", thing.target, lines)
    assert (answer.status, answer.code) == (400, "BadRequest")


@pytest.mark.parametrize("value, status", [
    ("{tag}", 206), ("{at}", 206), ("W/{tag}", 200), ('"x"', 200), ("{before}", 200),
    ("{after}", 200), ("*", 200), ("nonsense", 200),
])
def test_if_range_says_whether_the_range_counts(wire, thing, value, status):
    value = value.format(tag=thing.etag, at=thing.at, before=thing.before, after=thing.after)
    for method in ("GET", "HEAD"):
        answer = wire.ask(
            method, thing.target, [("If-Range", value), ("Range", "bytes=0-9")])
        check(thing, method, answer, status)
    # A range that can't be met does not matter when it does not count.
    answer = wire.ask("GET", thing.target, [("If-Range", value), ("Range", "bytes=1000-")])
    assert answer.status == (416 if status == 206 else 200)


def test_conditions_come_before_the_range_and_after_the_object(wire, thing):
    beyond = ("Range", "bytes=1000-")
    assert wire.ask("GET", thing.target, [beyond, ("If-None-Match", thing.etag)]).status == 304
    assert wire.ask("GET", thing.target, [beyond, ("If-Match", OTHER)]).status == 412
    for condition in (("If-Match", "*"), ("If-None-Match", "*")):
        assert wire.ask("GET", thing.target + ".missing", [condition]).code == "NoSuchKey"


@pytest.mark.parametrize("operation", ["get_object", "head_object"])
@pytest.mark.parametrize("condition, shift, code", [
    ("IfNoneMatch", None, 304), ("IfModifiedSince", 0, 304), ("IfModifiedSince", -1, 200),
    ("IfMatch", None, 200), ("IfUnmodifiedSince", -1, 412), ("IfUnmodifiedSince", 0, 200),
])
def test_boto3(local, s3, thing, operation, condition, shift, code):
    value = thing.etag if shift is None else thing.modified + datetime.timedelta(seconds=shift)
    ask = getattr(s3, operation)
    arguments = {"Bucket": local.collection, "Key": "thousand.bin", condition: value}
    if code == 200:
        assert ask(**arguments)["ContentLength"] == 1000
        return
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        ask(**arguments)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == code


def curl(local, credential, *arguments):
    command = ["curl", "-sS", "--aws-sigv4", "aws:amz:globus:s3", "--user",
               f"{credential['access_key_id']}:any", "-w", "%{http_code}", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_curl_fetches_only_what_is_new(local, credential, thing, tmp_path):
    url = local.base_url + thing.target
    copy, etag = tmp_path / "copy", tmp_path / "etag"
    assert curl(local, credential, "-R", "--etag-save", etag, "-o", copy, url) == "200"
    assert copy.read_bytes() == thing.bytes and etag.read_text().strip() == thing.etag
    assert curl(local, credential, "--etag-compare", etag, "-o", copy, url) == "304"
    assert curl(local, credential, "-z", copy, "-o", copy, url) == "304"
    assert curl(local, credential, "-z", "-" + thing.before, "-o", tmp_path / "x", url) == "412"
    assert copy.read_bytes() == thing.bytes


def test_a_download_is_gone_on_with_if_nothing_changed(local, credential, thing, tmp_path):
    url = local.base_url + thing.target
    copy = tmp_path / "copy"
    copy.write_bytes(thing.bytes[:600])
    assert curl(local, credential, "-C", "-", "-H", f"If-Range: {thing.etag}", "-o", copy,
                url) == "206"
    assert copy.read_bytes() == thing.bytes


def test_boto3_overrides_the_headers_of_an_answer(local, s3, thing):
    arguments = {"Response" + name.title().replace("-", ""): value
                 for name, value in OVERRIDES.items()}
    for part in ({}, {"Range": "bytes=0-9"}):
        for ask in (s3.get_object, s3.head_object):
            answer = ask(Bucket=local.collection, Key="thousand.bin", **arguments, **part)
            headers = answer["ResponseMetadata"]["HTTPHeaders"]
            assert {name: headers[name] for name in OVERRIDES} == OVERRIDES
            assert headers["content-security-policy"] == "sandbox"


def test_a_presigned_url_overrides_the_headers(local, credential, thing):
    s3 = boto3.client(
        "s3", endpoint_url=local.base_url, region_name="globus",
        aws_access_key_id=credential["access_key_id"],
        aws_secret_access_key=credential["secret_access_key"])
    url = s3.generate_presigned_url("get_object", ExpiresIn=60, Params={
        "Bucket": local.collection, "Key": "thousand.bin",
        "ResponseContentDisposition": OVERRIDES["content-disposition"]})
    head = subprocess.run(["curl", "-sS", "-D", "-", "-o", "/dev/null", url], check=True,
                          capture_output=True, text=True, timeout=60).stdout
    assert "200" in head.splitlines()[0]
    assert f"Content-Disposition: {OVERRIDES['content-disposition']}" in head.splitlines()


@pytest.mark.parametrize("name", OVERRIDES)
def test_who_signs_nothing_overrides_nothing(local, thing, name):
    anonymous = raw.Connection(local.base_url)
    answer = anonymous.ask("GET", f"{thing.target}?response-{name}=x")
    anonymous.close()
    assert (answer.status, answer.code) == (403, "AccessDenied")


def test_an_override_cannot_end_a_line(local, wire, thing):
    asked = []
    for name, value in itertools.product(
            OVERRIDES, ["a%0D%0ASet-Cookie:%20a=b", "a%0Ab", "a%0Db", "%00", "%7F"]):
        answer = wire.ask("GET", f"{thing.target}?response-{name}={value}")
        assert (answer.status, answer.code) == (400, "InvalidArgument"), (name, value)
        assert f"<ArgumentName>response-{name}</ArgumentName>" in answer.body.decode()
        assert "Set-Cookie" not in answer.headers
        asked.append(answer.request_id)
    for row in audit_rows(local.audit_db, asked).values():
        assert (row["error_code"], row["upstream_calls"]) == ("InvalidArgument", 0)


def test_an_override_that_says_nothing_changes_nothing(wire, thing):
    answer = wire.ask("GET", f"{thing.target}?response-content-type=")
    assert answer.headers["Content-Type"] == "binary/octet-stream"


def test_an_override_changes_neither_a_304_nor_an_error(wire, thing):
    target = f"{thing.target}?response-content-type=text/html"
    same = wire.ask("GET", target, [("If-None-Match", thing.etag)])
    assert (same.status, same.headers["Content-Type"]) == (304, None)
    failed = wire.ask("GET", target, [("If-Match", OTHER)])
    assert (failed.status, failed.headers["Content-Type"]) == (412, "application/xml")


def test_the_one_part_of_an_object(local, s3, wire, thing):
    for ask in (s3.get_object, s3.head_object):
        answer = ask(Bucket=local.collection, Key="thousand.bin", PartNumber=1)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert "PartsCount" not in answer and answer["ContentLength"] == 1000
    for number, status, code in [(2, 416, "InvalidPartNumber"), (10_000, 416, "InvalidPartNumber"),
                                 (0, 400, "InvalidArgument"), (10_001, 400, "InvalidArgument"),
                                 ("one", 400, "InvalidArgument")]:
        for method in ("GET", "HEAD"):
            answer = wire.ask(method, f"{thing.target}?partNumber={number}")
            assert (answer.status, answer.code) == (status, code), number
    both = wire.ask("GET", f"{thing.target}?partNumber=1", [("Range", "bytes=0-9")])
    assert (both.status, both.code) == (400, "InvalidRequest")
    assert wire.ask("GET", f"/{local.collection}/empty?partNumber=1").status == 200


@pytest.mark.parametrize("mode", ["ENABLED", "enabled"])
def test_checksums_that_nobody_knows_are_not_told(wire, thing, mode):
    for method in ("GET", "HEAD"):
        answer = wire.ask(method, thing.target, [("x-amz-checksum-mode", mode)])
        check(thing, method, answer, 200)
        assert not [name for name in answer.headers if name.lower().startswith("x-amz-checksum")]


def test_a_page_that_is_an_object_runs_in_a_sandbox(local, wire):
    (local.folder / "attack.html").write_text("<script>alert(document.cookie)</script>")
    for target in ("attack.html", "attack.html?response-content-type=text/html",
                   "example.txt?response-content-type=image/svg%2Bxml"):
        for method in ("GET", "HEAD"):
            answer = wire.ask(method, f"/{local.collection}/{target}")
            assert answer.status == 200
            assert answer.headers.get_all("Content-Security-Policy") == ["sandbox"]
            assert answer.headers.get_all("X-Content-Type-Options") == ["nosniff"]
