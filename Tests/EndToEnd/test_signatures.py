"""Signatures, with botocore's own signers as the oracle: what they sign is accepted, and anything
changed afterwards is not."""

import random
import string
import urllib.parse

import boto3
import botocore.config
import botocore.exceptions
import pytest
import requests

from frontend import audit_row, sign_in
from signing import KINDS, run_verifying, send, signed

SEED = random.SystemRandom().randrange(2**32)


@pytest.fixture(scope="module")
def verifying(tmp_path_factory):
    with run_verifying(tmp_path_factory) as program:
        yield program


ALPHABET = string.ascii_letters + string.digits + "-_.~ +&=%?#!$'()*,:;@[]"


def random_text(rng, alphabet):
    return "k" + "".join(rng.choice(alphabet) for _ in range(rng.randrange(24))) + "."


@pytest.mark.parametrize("kind", KINDS)
def test_random_requests_verify(verifying, kind):
    print("seed", SEED)
    rng = random.Random(f"{SEED} {kind}")
    for _ in range(60):
        name = random_text(rng, ALPHABET + "éü日")
        (verifying.folder / name).write_text(name)
        overrides = {f"response-{header}": random_text(rng, ALPHABET) for header in
                     rng.sample(["content-disposition", "content-language", "cache-control"],
                                rng.randrange(4))}
        query = "&".join(f"{key}={urllib.parse.quote(value, safe='')}"
                         for key, value in overrides.items())
        headers = {} if "query" in kind else {
            f"x-amz-meta-{number}": random_text(rng, ALPHABET + "   ")
            for number in range(rng.randrange(3))}
        request = signed(kind, verifying, urllib.parse.quote(name), headers=headers, query=query)
        answer = send(request)
        assert answer.status_code == 200, (name, query, headers, answer.text)
        assert answer.content.decode() == name
        for key, value in overrides.items():
            assert answer.headers[key.removeprefix("response-")] == value


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_changed_after_signing_is_refused(verifying, kind):
    (verifying.folder / "other.txt").write_text("other")
    request = signed(kind, verifying, "example.txt")
    assert send(request).status_code == 200
    request.url = request.url.replace("example.txt", "other.txt")
    answer = send(request)
    assert (answer.status_code, "SignatureDoesNotMatch" in answer.text) == (403, True)
    request = signed(kind, verifying, "example.txt")
    request.method = "HEAD"
    assert send(request).headers["x-amz-error-code"] == "SignatureDoesNotMatch"
    row = audit_row(verifying.audit_db, answer.headers["x-amz-request-id"])
    assert (row["auth"], row["auth_result"]) == (
        "presigned" if "query" in kind else "header", "bad_signature")


@pytest.mark.parametrize("kind", KINDS)
def test_another_secret_is_refused(verifying, kind):
    answer = send(signed(kind, verifying, "example.txt", secret="wrong"))
    assert (answer.status_code, "SignatureDoesNotMatch" in answer.text) == (403, True)
    assert "sign-in" in answer.text


@pytest.mark.parametrize("kind", ["v4", "v4-query"])
def test_an_unsigned_amz_header_is_refused(verifying, kind):
    request = signed(kind, verifying, "example.txt")
    request.headers["x-amz-copy-source"] = "/a/b"
    answer = send(request)
    assert (answer.status_code, "not signed" in answer.text) == (403, True)


@pytest.mark.parametrize("region", [None, "us-east-1", "globus"])
def test_aws_s3_presign(local, credential, aws, region):
    environment = {"AWS_SECRET_ACCESS_KEY": credential["secret_access_key"],
                   "AWS_DEFAULT_REGION": region or ""}
    url = aws("s3", "presign", f"s3://{local.collection}/example.txt",
              environment=environment).stdout.strip()
    answer = requests.get(url)
    assert answer.content == (local.folder / "example.txt").read_bytes(), answer.text
    row = audit_row(local.audit_db, answer.headers["x-amz-request-id"])
    assert (row["auth"], row["auth_result"]) == ("presigned", "verified")
    # With any secret a link does not verify, even where requests by header need not.
    url = aws("s3", "presign", f"s3://{local.collection}/example.txt",
              environment={**environment, "AWS_SECRET_ACCESS_KEY": "any"}).stdout.strip()
    assert requests.get(url).status_code == 403


def test_a_strict_credential_is_always_verified(local):
    strict = sign_in(local.base_url, local.collection, query="&strict").json()
    for secret, status in ((strict["secret_access_key"], 200), ("any", 403)):
        client = boto3.client(
            "s3", endpoint_url=local.base_url, region_name="globus",
            aws_access_key_id=strict["access_key_id"], aws_secret_access_key=secret,
            config=botocore.config.Config(retries={"max_attempts": 1}))
        try:
            found = client.head_object(Bucket=local.collection, Key="example.txt")
            assert found["ResponseMetadata"]["HTTPStatusCode"] == status
        except botocore.exceptions.ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status
