"""Clients that sign in ways of their own, where every signature counts: curl, boto3's links,
s3cmd, and botocore with the rarer forms."""

import pathlib
import subprocess
import sys
import urllib.parse

import boto3
import botocore.awsrequest
import botocore.config
import pytest
import requests

from frontend import audit_row
from signing import KINDS, run_verifying, send, signed, signer

NAMES = ["a b.txt", "é日.txt", "a+b.txt", "~(a)'!*@$,;:=&.txt"]


@pytest.fixture(scope="module", params=["verify", "strict"])
def verifying(request, tmp_path_factory):
    with run_verifying(tmp_path_factory, request.param) as program:
        for name in NAMES:
            (program.folder / name).write_text(name)
        yield program


def verified(program, answer):
    row = audit_row(program.audit_db, answer.headers["x-amz-request-id"])
    assert row["auth_result"] == "verified"
    return row


@pytest.fixture
def curl(verifying):
    """curl with its own signatures; the path is percent-encoded as curl signs it: as it stands."""
    def command(path, *arguments, secret=None):
        credential = verifying.credential
        user = f"{credential['access_key_id']}:{secret or credential['secret_access_key']}"
        return subprocess.run(
            ["curl", "--silent", "--show-error", "--aws-sigv4", "aws:amz:globus:s3", "--user", user,
             *arguments, f"{verifying.base_url}/{verifying.collection}/{path}"],
            check=True, capture_output=True, text=True, timeout=60).stdout
    return command


def test_curl(verifying, curl):
    assert curl("example.txt") == "signed"
    assert curl("example.txt", "--range", "1-3") == "ign"
    head = curl("example.txt", "--head")
    assert head.startswith("HTTP/1.1 200") and "Content-Length: 6" in head
    assert "<Code>SignatureDoesNotMatch</Code>" in curl("example.txt", secret="wrong")
    for name in NAMES:
        assert curl(urllib.parse.quote(name, safe="")) == name


def test_curl_lists(verifying, curl):
    # curl of Debian 12 signs the query as it stands, so it has to stand in canonical form.
    listing = curl("?delimiter=%2F&list-type=2&prefix=a%20")
    assert "<Key>a b.txt</Key>" in listing and "example.txt" not in listing
    assert "<AccessControlPolicy" in curl("?acl=")


def client(program, version):
    return boto3.client(
        "s3", endpoint_url=program.base_url, region_name="us-east-1",
        aws_access_key_id=program.credential["access_key_id"],
        aws_secret_access_key=program.credential["secret_access_key"],
        config=botocore.config.Config(signature_version=version,
                                      s3={"addressing_style": "path"}))


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_boto3_links(verifying, version):
    for name in ["example.txt", *NAMES]:
        parameters = {"Bucket": verifying.collection, "Key": name,
                      "ResponseContentDisposition": 'attachment; filename="a b+c.txt"'}
        s3 = client(verifying, version)
        link = s3.generate_presigned_url("get_object", parameters, ExpiresIn=60)
        assert ("X-Amz-Signature" in link) == (version == "s3v4")
        answer = requests.get(link)
        assert answer.content == (verifying.folder / name).read_bytes(), answer.text
        assert answer.headers["Content-Disposition"] == 'attachment; filename="a b+c.txt"'
        assert verified(verifying, answer)["auth"] == "presigned"
        # A link is for its method.
        assert requests.head(link).headers["x-amz-error-code"] == "SignatureDoesNotMatch"
        head = s3.generate_presigned_url("head_object", parameters, ExpiresIn=60)
        answer = requests.head(head)
        assert answer.status_code == 200
        assert answer.headers["Content-Disposition"] == 'attachment; filename="a b+c.txt"'
        assert requests.get(head).status_code == 403


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_boto3_by_header(verifying, version):
    s3 = client(verifying, version)
    listing = s3.list_objects_v2(Bucket=verifying.collection, Delimiter="/")
    assert {entry["Key"] for entry in listing["Contents"]} == {"example.txt", *NAMES}
    for name in NAMES:
        answer = s3.get_object(Bucket=verifying.collection, Key=name)
        assert answer["Body"].read().decode() == name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("query", ["acl", "acl="])
def test_an_empty_value_is_signed_as_it_stands(verifying, kind, query):
    answer = send(signed(kind, verifying, "", query=query))
    assert (answer.status_code, "AccessControlPolicy" in answer.text) == (200, True), answer.text
    assert verified(verifying, answer)["operation"] == "GetBucketAcl"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path, query, text", [("a%20b.txt", "", "a b.txt"),
                                               ("", "?acl", "AccessControlPolicy")])
def test_a_bucket_in_the_host_name(verifying, kind, path, query, text):
    address = urllib.parse.urlsplit(verifying.base_url).netloc
    host = f"{verifying.collection}.{address}"
    request = botocore.awsrequest.AWSRequest(
        "GET", f"http://{host}/{path}{query}", auth_path=f"/{verifying.collection}/{path}")
    signer(kind, verifying.credential).add_auth(request)
    request = request.prepare()
    request.url = request.url.replace(host, address)
    request.headers["Host"] = host
    answer = send(request)
    assert (answer.status_code, text in answer.text) == (200, True), answer.text
    assert verified(verifying, answer)["collection_id"] == verifying.collection
    # The signature is for this bucket.
    request.headers["Host"] = host.replace(host[:8], "00000000")
    assert send(request).status_code == 403


def test_version_4_with_a_date_header_alone(verifying):
    request = signed("v4", verifying, "example.txt", headers={"Date": "replaced by botocore"})
    assert "X-Amz-Date" not in request.headers and request.headers["Date"].endswith("-0000")
    assert send(request).text == "signed"
    request.headers["Date"] = "Thu, 01 Jan 1970 00:00:00 GMT"
    assert send(request).status_code == 400  # not the day of its scope
    # Where both are, x-amz-date holds.
    request = signed("v4", verifying, "example.txt")
    request.headers["Date"] = "Thu, 01 Jan 1970 00:00:00 GMT"
    assert send(request).text == "signed"


@pytest.fixture
def s3cmd(verifying):
    def command(*arguments):
        host = urllib.parse.urlsplit(verifying.base_url).netloc
        program = pathlib.Path(sys.executable).parent / "s3cmd"
        return subprocess.run(
            [sys.executable, program, "--config=/dev/null", "--no-ssl", f"--host={host}",
             f"--host-bucket={host}", f"--access_key={verifying.credential['access_key_id']}",
             f"--secret_key={verifying.credential['secret_access_key']}", *map(str, arguments)],
            check=True, capture_output=True, text=True, timeout=60).stdout
    return command


def test_s3cmd_signurl(verifying, s3cmd):
    for name in ["example.txt", *NAMES]:
        link = s3cmd("signurl", f"s3://{verifying.collection}/{name}", "+60").strip()
        answer = requests.get(link)
        assert answer.content == (verifying.folder / name).read_bytes(), answer.text
        assert verified(verifying, answer)["auth"] == "presigned"
    assert requests.get(link.replace("Expires=", "Expires=1")).status_code in (400, 403)


@pytest.mark.parametrize("version", [[], ["--signature-v2"]])
def test_s3cmd_by_header(verifying, s3cmd, tmp_path, version):
    assert "example.txt" in s3cmd(*version, "ls", f"s3://{verifying.collection}/")
    for number, name in enumerate(NAMES):
        s3cmd(*version, "get", f"s3://{verifying.collection}/{name}", tmp_path / str(number))
        assert (tmp_path / str(number)).read_text() == name
