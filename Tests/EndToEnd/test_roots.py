"""Buckets that show one folder of a collection, `?auth&root=/folder`, and nothing above it."""

import http.client
import random
import re
import subprocess
import sys
import time
import urllib.parse

import boto3
import botocore.config
import botocore.exceptions
import pytest
import requests

from conftest import run_local
from faults import authorization
from frontend import audit_row, sign_in
from oauth import decide

GUEST = "1b6d2c9e-0000-4000-8000-00000000aaaa"
SECRET = "what lies above the root"
CLIMBING = [
    "../secret.txt", "..%2fsecret.txt", "../../secret.txt", "%2e%2e/secret.txt", "~/secret.txt",
    "folder/../../secret.txt", "/lab/secret.txt", "//lab/secret.txt", "../opener", "er",
    "%2e%2e%2f%2e%2e%2fsecret.txt", "..%5csecret.txt", "....//secret.txt"]
PARTS = [
    "..", ".", "", "~", "%2e%2e", "%2E%2e", "..%2f", "%2f", "%5c..", "..;", "%00", "%c0%ae%c0%ae",
    "%25%32%65", "lab", "open", "opener", "secret.txt", "inside.txt", "folder", "....", "%7e"]


@pytest.fixture(scope="module")
def globus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("roots")
    lab = folder / "lab" / "open"
    (lab / "folder").mkdir(parents=True)
    (lab / "inside.txt").write_text("inside")
    (lab / "ü +&.txt").write_text("x")
    (lab / "folder" / "deep.txt").write_text("deep")
    for name in ("secret.txt", "lab/secret.txt", "lab/opener"):
        (folder / name).write_text(SECRET)
    with run_local("--directory", folder, "--collection", f"{GUEST}={folder}", "--guest", GUEST,
                   "--listen", "127.0.0.1:0") as local:
        yield local


@pytest.fixture(scope="module")
def mapped(globus):
    return globus.collections[0].id


def credential_for(local, collection, root, more=""):
    answer = sign_in(local.base_url, collection, query=f"&root={urllib.parse.quote(root)}{more}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def client(local, credential):
    return boto3.client(
        "s3", endpoint_url=local.base_url, region_name="globus",
        aws_access_key_id=credential["access_key_id"],
        aws_secret_access_key=credential["secret_access_key"],
        config=botocore.config.Config(retries={"max_attempts": 0}))


@pytest.fixture(scope="module")
def rooted(globus, mapped):
    return credential_for(globus, mapped, "/lab/open")


@pytest.mark.parametrize("root", ["/lab/open", "lab/open/", "/~/lab/open", "/lab/open/"])
@pytest.mark.parametrize("collection", ["mapped", "guest"])
def test_a_bucket_shows_its_folder(globus, mapped, root, collection):
    bucket = mapped if collection == "mapped" else GUEST
    credential = credential_for(globus, bucket, root)
    assert set(credential) == {
        "access_key_id", "secret_access_key", "collections", "endpoint_url", "expires_at"}
    s3 = client(globus, credential)
    s3.head_bucket(Bucket=bucket)
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == ["folder/"]
    assert [entry["Key"] for entry in page["Contents"]] == ["inside.txt", "ü +&.txt"]
    answer = s3.get_object(Bucket=bucket, Key="inside.txt")
    assert answer["Body"].read() == b"inside"
    assert answer["ETag"] == page["Contents"][0]["ETag"]
    part = s3.get_object(Bucket=bucket, Key="folder/deep.txt", Range="bytes=1-2")
    assert part["Body"].read() == b"ee"
    assert s3.head_object(Bucket=bucket, Key="ü +&.txt")["ContentLength"] == 1
    deeper = s3.list_objects(Bucket=bucket, Delimiter="/", Prefix="folder/")
    assert [entry["Key"] for entry in deeper["Contents"]] == ["folder/deep.txt"]
    row = audit_row(globus.audit_db, answer["ResponseMetadata"]["RequestId"])
    assert (row["object_key"], row["status"]) == ("inside.txt", 200)
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="lab/open/inside.txt")
    assert caught.value.response["Error"]["Code"] == "NoSuchKey"


def test_a_home_is_a_root(globus, mapped):
    s3 = client(globus, credential_for(globus, mapped, "/~/"))
    s3.head_bucket(Bucket=mapped)
    assert s3.get_object(Bucket=mapped, Key="lab/open/inside.txt")["Body"].read() == b"inside"
    assert s3.list_objects_v2(Bucket=mapped, Delimiter="/")["KeyCount"] == 2


def test_the_root_slash_is_the_whole_collection(globus, mapped):
    s3 = client(globus, credential_for(globus, mapped, "/"))
    assert s3.get_object(Bucket=mapped, Key="secret.txt")["Body"].read() == SECRET.encode()


def test_aws_reads_it(globus, mapped, rooted, tmp_path):
    def aws(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "awscli", "s3", *arguments], check=True, capture_output=True,
            text=True, timeout=120,
            env={"HOME": "/nonexistent", "AWS_ENDPOINT_URL": globus.base_url,
                 "AWS_DEFAULT_REGION": "globus",
                 "AWS_ACCESS_KEY_ID": rooted["access_key_id"],
                 "AWS_SECRET_ACCESS_KEY": rooted["secret_access_key"]}).stdout
    lines = aws("ls", f"s3://{mapped}/").splitlines()
    assert lines[0].split() == ["PRE", "folder/"]
    assert [line.split(maxsplit=3)[-1] for line in lines[1:]] == ["inside.txt", "ü +&.txt"]
    aws("cp", f"s3://{mapped}/inside.txt", str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_text() == "inside"


def raw(local, credential, target):
    """A target as it stands, as no client library would send it."""
    connection = http.client.HTTPConnection(
        urllib.parse.urlsplit(local.base_url).netloc, timeout=60)
    connection.putrequest("GET", target, skip_host=False)
    for name, value in authorization(credential["access_key_id"]).items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body.decode(errors="replace")


@pytest.mark.parametrize("root", ["/lab/open", "/~/lab/open"])
def test_nothing_above_the_root_is_reachable(globus, mapped, root):
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    credential = credential_for(globus, mapped, root)
    paths = CLIMBING + ["/".join(dice.choices(PARTS, k=dice.randint(1, 5))) for _ in range(150)]
    for path in paths:
        targets = [f"/{mapped}/{path}"]
        for name in ("prefix", "start-after", "continuation-token"):
            targets.append(f"/{mapped}?list-type=2&delimiter=/&{name}={path}")
        targets += [f"/{mapped}?delimiter=/&marker={path}", f"/{mapped}?delimiter=/&prefix={path}/"]
        for target in dice.sample(targets, 2) if path not in CLIMBING else targets:
            status, body = raw(globus, credential, target)
            what = f"seed {seed}: {target}: {status} {body}"
            assert status in (200, 400, 404, 501), what
            shown = "".join(re.findall("<Key>.*?</Key>|<CommonPrefixes>.*?</CommonPrefixes>", body))
            assert SECRET not in body and "secret" not in shown and "opener" not in shown, what


@pytest.mark.parametrize("root, status, code", [
    ("/lab/missing", 404, "NoSuchFolder"), ("/lab/open/inside.txt", 404, "NoSuchFolder"),
    ("/lab/../lab", 400, "InvalidRoot"), ("..", 400, "InvalidRoot"),
    ("/lab//open", 400, "InvalidRoot"),
    ("/lab/./open", 400, "InvalidRoot"), ("", 400, "InvalidRoot"), ("/a\0b", 400, "InvalidRoot"),
    ("/a\nb", 400, "InvalidRoot"), ("/" + "r" * 1023, 404, "NoSuchFolder"),
    ("/" + "r" * 1024, 400, "InvalidRoot"),
])
def test_a_root_that_is_none(globus, mapped, root, status, code):
    session = requests.Session()
    answer = session.get(f"{globus.base_url}/{mapped}/?auth&root={urllib.parse.quote(root)}",
                         headers={"Accept": "application/json"}, allow_redirects=False)
    if answer.status_code == 303:
        callback = decide(answer.headers["Location"], "approve", session)
        answer = session.get(callback, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (status, code)


def test_a_root_that_is_no_text_is_400(globus, mapped):
    answer = requests.get(f"{globus.base_url}/{mapped}/?auth&root=/%ff", allow_redirects=False)
    assert answer.status_code == 400


def test_a_root_is_for_one_collection(globus, mapped):
    answer = requests.get(
        f"{globus.base_url}/?auth&collection={mapped}&collection={GUEST}&root=/lab",
        headers={"Accept": "text/html"}, allow_redirects=False)
    assert answer.status_code == 400 and "<h1>" in answer.text


def test_the_way_round_keeps_the_root(globus, mapped):
    port = urllib.parse.urlsplit(globus.base_url).port
    answer = requests.get(f"{globus.base_url}/?auth&strict&root=/lab/open", allow_redirects=False,
                          headers={"Host": f"{mapped}.localhost:{port}"})
    assert answer.headers["Location"] == f"{globus.base_url}/{mapped}/?auth&strict&root=/lab/open"
    refused = sign_in(globus.base_url, mapped, accept="text/html", decision="deny",
                      query="&root=/lab/open")
    assert f'href="{globus.base_url}/{mapped}/?auth&amp;root=/lab/open"' in refused.text


def test_a_root_that_goes_away_is_no_bucket_any_more(globus, mapped):
    folder = globus.collections[0].directory / "passing"
    folder.mkdir()
    s3 = client(globus, credential_for(globus, mapped, "/passing"))
    folder.rmdir()
    for call in (s3.head_bucket, lambda **bucket: s3.get_object(Key="a", **bucket)):
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            call(Bucket=mapped)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_an_expired_credential_is_renewed_for_the_same_folder(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "a.txt").write_text("a")
    with run_local("--directory", tmp_path, "--listen", "127.0.0.1:0",
                   "--access-token-lifetime", "1") as local:
        bucket = local.collections[0].id
        # The tokens live for a second: the look at the folder may come too late.
        deadline = time.monotonic() + 60
        while True:
            answer = sign_in(local.base_url, bucket, query="&root=/open&strict")
            if answer.status_code == 200:
                break
            assert time.monotonic() < deadline, answer.text
        s3 = client(local, answer.json())
        while True:
            try:
                s3.get_object(Bucket=bucket, Key="a.txt")
            except botocore.exceptions.ClientError as error:
                found = error.response["Error"]
                break
            assert time.monotonic() < deadline
        assert found["Code"] == "ExpiredToken"
        assert found["Message"].endswith(f"{local.base_url}/{bucket}/?auth&strict&root=/open")


def test_the_record_tells_which_folder_a_credential_shows(tmp_path):
    (tmp_path / "open" / "data").mkdir(parents=True)
    (tmp_path / "open" / "data" / "a.txt").write_text("a")
    with run_local("--directory", tmp_path, "--listen", "127.0.0.1:0",
                   "--audit-db", tmp_path / "audit.db") as local:
        bucket = local.collections[0].id
        answer = sign_in(local.base_url, bucket, query="&root=/open/data")
        row = audit_row(local.audit_db, answer.headers["x-amz-request-id"])
        assert (row["operation"], row["object_key"]) == ("AuthCallback", "open/data")
        read = client(local, answer.json()).get_object(Bucket=bucket, Key="a.txt")
        key = audit_row(local.audit_db, read["ResponseMetadata"]["RequestId"])
        assert (key["object_key"], key["credential"]) == ("a.txt", row["credential"])
