"""HeadBucket, HeadObject and GetObject by real clients, and the audit rows that they leave."""

import hashlib
import subprocess

import boto3
import botocore.config
import botocore.exceptions
import pytest
import requests

from frontend import audit_row
from raw import authorization


def error_code(caught):
    return caught.value.response["Error"]["Code"]


def test_aws_s3_cp_copies_the_object(local, credential, aws, tmp_path):
    aws("s3", "cp", f"s3://{local.collection}/example.txt", tmp_path / "copy.txt")
    assert (tmp_path / "copy.txt").read_bytes() == (local.folder / "example.txt").read_bytes()


def test_aws_s3_cp_copies_a_large_object_by_parallel_ranges(local, aws, tmp_path):
    aws("s3", "cp", f"s3://{local.collection}/large.bin", tmp_path / "copy.bin")
    assert digest(tmp_path / "copy.bin") == digest(local.folder / "large.bin")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_head_object_tells_the_true_size_and_time(local, s3):
    path = local.folder / "example.txt"
    head = s3.head_object(Bucket=local.collection, Key="example.txt")
    assert head["ContentLength"] == path.stat().st_size
    assert int(head["LastModified"].timestamp()) == int(path.stat().st_mtime)
    assert head["ContentType"] == "text/plain"
    assert head["AcceptRanges"] == "bytes"
    again = s3.get_object(Bucket=local.collection, Key="example.txt")
    assert head["ETag"] == again["ETag"] and "-" in head["ETag"]


@pytest.mark.parametrize(
    "asked, first, last",
    [("bytes=2-5", 2, 5), ("bytes=100-", 100, 999), ("bytes=-7", 993, 999),
     ("bytes=990-5000", 990, 999), ("bytes=-5000", 0, 999), ("bytes=0-0", 0, 0)],
)
def test_ranges(local, s3, asked, first, last):
    answer = s3.get_object(Bucket=local.collection, Key="thousand.bin", Range=asked)
    whole = (local.folder / "thousand.bin").read_bytes()
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert answer["ContentRange"] == f"bytes {first}-{last}/1000"
    assert answer["Body"].read() == whole[first:last + 1]


def test_a_range_past_the_end_is_416(local, s3):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        s3.get_object(Bucket=local.collection, Key="thousand.bin", Range="bytes=1000-")
    assert error_code(caught) == "InvalidRange"
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["content-range"] == "bytes */1000"


def test_an_empty_object(local, s3):
    answer = s3.get_object(Bucket=local.collection, Key="empty")
    assert answer["ContentLength"] == 0 and answer["Body"].read() == b""


@pytest.mark.parametrize("key", ["with space & plus+.txt", "ünïcode/日本.txt", "~tilde", "a%2Fb"])
def test_keys_with_every_kind_of_character(local, s3, key):
    path = local.folder / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(key)
    assert s3.get_object(Bucket=local.collection, Key=key)["Body"].read().decode() == key


def test_folders(local, s3):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        s3.head_object(Bucket=local.collection, Key="folder")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    marker = s3.get_object(Bucket=local.collection, Key="folder/")
    assert marker["ContentLength"] == 0
    assert marker["ContentType"] == "application/x-directory"


def test_head_bucket(local, s3):
    assert s3.head_bucket(Bucket=local.collection)["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize(
    "path, status, code",
    [("missing.txt", 404, "NoSuchKey"), ("a/../b", 400, "InvalidURI"), ("a//b", 400, "InvalidURI"),
     ("%00", 400, "InvalidURI"), ("%ff", 400, "InvalidURI"), ("x" * 1025, 400, "KeyTooLongError"),
     ("%2e%2e/x", 400, "InvalidURI"), ("example.txt?torrent", 501, "NotImplemented")],
)
def test_errors_and_their_audit_rows(local, credential, path, status, code):
    url = f"{local.base_url}/{local.collection}/{path}"
    request = requests.Request("GET", url, headers=authorization(credential)).prepare()
    request.url = url  # requests would normalise it
    answer = requests.Session().send(request)
    assert (answer.status_code, f"<Code>{code}</Code>" in answer.text) == (status, True), answer.text
    request_id = answer.headers["x-amz-request-id"]
    assert f"<RequestId>{request_id}</RequestId>" in answer.text
    row = audit_row(local.audit_db, request_id)
    assert (row["status"], row["error_code"], row["outcome"]) == (
        status, code, "server_error" if status >= 500 else "client_error")


def test_head_errors_are_in_headers(local, credential):
    answer = requests.head(f"{local.base_url}/{local.collection}/missing",
                           headers=authorization(credential))
    assert answer.status_code == 404
    assert answer.headers["x-amz-error-code"] == "NoSuchKey"
    assert answer.headers["x-amz-error-message"]


def test_a_bucket_that_is_no_uuid_is_told_before_authentication(local):
    answer = requests.get(f"{local.base_url}/not-a-collection/key")
    assert (answer.status_code, "NoSuchBucket" in answer.text) == (404, True)


@pytest.mark.parametrize(
    "key_id, code",
    [(None, "AccessDenied"), ("AKIAIOSFODNN7EXAMPLE", "InvalidAccessKeyId")],
)
def test_who_is_refused_is_told_where_to_sign_in(local, key_id, code):
    headers = authorization({"access_key_id": key_id}) if key_id else {}
    answer = requests.get(f"{local.base_url}/{local.collection}/example.txt", headers=headers)
    assert (answer.status_code, f"<Code>{code}</Code>" in answer.text) == (403, True), answer.text
    assert f"{local.base_url}/{local.collection}/?auth" in answer.text


def test_a_collection_that_the_credential_does_not_open(local, credential):
    other = "11111111-2222-4333-8444-555555555555"
    answer = requests.get(f"{local.base_url}/{other}/example.txt", headers=authorization(credential))
    assert (answer.status_code, "<Code>AccessDenied</Code>" in answer.text) == (403, True)
    assert f"{local.base_url}/{other}/?auth" in answer.text


def test_curl_signs_with_any_secret(local, credential, tmp_path):
    subprocess.run(
        ["curl", "-sf", "--aws-sigv4", "aws:amz:globus:s3", "--user",
         f"{credential['access_key_id']}:any", "-o", tmp_path / "copy",
         f"{local.base_url}/{local.collection}/example.txt"], check=True)
    assert (tmp_path / "copy").read_bytes() == (local.folder / "example.txt").read_bytes()


def test_the_audit_row_of_a_get(local, s3):
    answer = s3.get_object(Bucket=local.collection, Key="thousand.bin", Range="bytes=10-19")
    answer["Body"].read()
    row = audit_row(local.audit_db, answer["ResponseMetadata"]["RequestId"])
    expected = {
        "operation": "GetObject", "status": 206, "error_code": None, "outcome": "ok",
        "username": "researcher@example.org", "collection_id": local.collection,
        "object_key": "thousand.bin", "range": "bytes=10-19", "bytes_in": 0, "bytes_out": 10,
        "remote_ip": "127.0.0.1", "peer_ip": "127.0.0.1", "auth": "header", "upstream_status": 206,
    }
    assert {name: row[name] for name in expected} == expected
    assert row["auth_result"] in ("verified", "unverified")
    assert row["identity_id"] and row["credential"] and row["upstream_host"]
    assert "Boto3" in row["user_agent"] and row["duration_ms"] > 0


def test_virtual_hosted_requests(local, credential):
    host = f"{local.collection}.{local.base_url.removeprefix('http://')}"
    answer = requests.get(f"{local.base_url}/example.txt",
                          headers={**authorization(credential), "Host": host})
    assert answer.content == (local.folder / "example.txt").read_bytes()
