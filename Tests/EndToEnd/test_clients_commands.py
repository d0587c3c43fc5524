"""Commands that we did not write, reading: aws, s3cmd, curl."""

import pytest
import requests

from clients import both, refused, sha256, works
from clients_samples import LARGE, LEAF

DEEP = "Only one folder is listed at a time"


def same_files(copy, original):
    """The copy has the files of the original and no others, byte for byte."""
    def files(folder):
        return {str(path.relative_to(folder)): sha256(path)
                for path in folder.rglob("*") if path.is_file()}
    assert files(copy) == files(original) != {}


@both
@works("aws", "`aws s3 ls`: collections; `aws s3 ls s3://COLLECTION/folder/`: one folder")
def test_aws_ls(site):
    with site.recorded("aws") as record:
        assert site.command("aws", "s3", "ls").split()[-1] == site.collection
        lines = site.command("aws", "s3", "ls", "s3://COLLECTION/tree/").splitlines()
    assert [line.split()[-2:] for line in lines] == [["PRE", "sub/"], ["1", "one.txt"]]
    record.expect("ListBuckets", 200)
    record.expect("ListObjectsV2", 200)


@both
@works("aws", "`aws s3 cp s3://COLLECTION/key FILE`: large files in parallel ranges")
def test_aws_cp(site, tmp_path):
    with site.recorded("aws") as record:
        site.command("aws", "s3", "cp", "s3://COLLECTION/large.bin", tmp_path / "copy")
    assert sha256(tmp_path / "copy") == sha256(site.folder / "large.bin")
    record.expect("HeadObject", 200, "large.bin")
    parts = record.expect("GetObject", 206, "large.bin")
    assert len(parts) > 1 and sum(part["bytes_out"] for part in parts) == LARGE


@works("aws", "`aws s3 cp s3://COLLECTION/key -`: to standard output")
def test_aws_cp_to_standard_output(site):
    with site.recorded("aws") as record:
        output = site.command("aws", "s3", "cp", "s3://COLLECTION/leaf/é.bin", "-", text=False)
    assert sha256(output) == sha256(LEAF["é.bin"])
    record.expect("GetObject", 200, "leaf/é.bin", bytes_out=256)


@works("aws", "`aws s3 sync s3://COLLECTION/folder/ .`: a folder without folders in it, whatever "
       "its files are called; a second `sync` fetches nothing")
def test_aws_sync(site, tmp_path):
    with site.recorded("aws") as record:
        site.command("aws", "s3", "sync", "s3://COLLECTION/leaf/", tmp_path)
    same_files(tmp_path, site.folder / "leaf")
    for name in LEAF:
        record.expect("GetObject", 200, f"leaf/{name}")
    with site.recorded("aws") as record:
        assert site.command("aws", "s3", "sync", "s3://COLLECTION/leaf/", tmp_path) == ""
    record.expect("ListObjectsV2", 200)
    assert {row["operation"] for row in record.rows()} == {"ListObjectsV2"}


@both
@works("aws", "`aws s3 presign`: signature version 4 with `--region globus`, version 2 with "
       "us-east-1; needs the secret shown at sign-in")
@works("curl", "a presigned URL, ranges too; needs no settings")
def test_aws_presign_and_curl(site):
    for region, mark in (("globus", "X-Amz-Signature="), ("us-east-1", "&Signature=")):
        url = site.command("aws", "s3", "presign", "s3://COLLECTION/leaf/b c+d.txt",
                           "--region", region, shown=True).strip()
        assert mark in url
        with site.recorded("curl") as record:
            part = site.command("curl", "-sf", "-r", "1-4", url, with_settings=False, text=False)
            whole = site.command("curl", "-sf", url, with_settings=False, text=False)
        assert (part, whole) == (LEAF["b c+d.txt"][1:5], LEAF["b c+d.txt"])
        record.expect("GetObject", 200, "leaf/b c+d.txt", auth="presigned")
        record.expect("GetObject", 206, "leaf/b c+d.txt", auth="presigned", range="bytes=1-4")


@works("aws", "`aws s3api head-object`, `get-object --range`, `list-objects-v2 --delimiter /`")
def test_aws_s3api(site, tmp_path):
    place = ("--bucket", site.collection)
    with site.recorded("aws") as record:
        size = site.command("aws", "s3api", "head-object", *place, "--key", "large.bin",
                            "--query", "ContentLength")
        site.command("aws", "s3api", "get-object", *place, "--key", "large.bin",
                     "--range", "bytes=-1000", tmp_path / "tail")
        listed = site.command("aws", "s3api", "list-objects-v2", *place, "--prefix", "tree/",
                              "--delimiter", "/", "--output", "text", "--query",
                              "[Contents[0].Key, CommonPrefixes[0].Prefix]")
    assert (int(size), listed.split()) == (LARGE, ["tree/one.txt", "tree/sub/"])
    assert sha256(tmp_path / "tail") == sha256((site.folder / "large.bin").read_bytes()[-1000:])
    record.expect("GetObject", 206, "large.bin", range="bytes=-1000", bytes_out=1000)


@refused("aws", "`aws s3 ls --recursive`, `sync` and `cp --recursive` of a folder with folders in "
         "it: go folder by folder, or use rclone")
def test_aws_deep(site, tmp_path):
    for arguments in (("ls", "--recursive", "s3://COLLECTION/tree/"),
                      ("sync", "s3://COLLECTION/tree/", tmp_path),
                      ("cp", "--recursive", "s3://COLLECTION/tree/", tmp_path)):
        with site.recorded("aws") as record:
            status = 255 if arguments[0] == "ls" else 1
            assert DEEP in site.command("aws", "s3", *arguments, status=status)
        record.expect("ListObjectsV2", 501, error_code="NotImplemented")
    assert list(tmp_path.iterdir()) == []


@refused("aws", "`aws s3 cp FILE s3://COLLECTION/key`, and all other writing")
def test_aws_does_not_write(site, tmp_path):
    (tmp_path / "file").write_bytes(b"written")
    with site.recorded("aws") as record:
        assert "(NotImplemented)" in site.command(
            "aws", "s3", "cp", tmp_path / "file", "s3://COLLECTION/leaf/new.txt", status=1)
    assert not (site.folder / "leaf" / "new.txt").exists()
    record.expect("PutObject", 501, "leaf/new.txt", error_code="NotImplemented")


@both
@works("s3cmd", "`s3cmd ls`: collections and folders; `s3cmd get`")
def test_s3cmd(site, tmp_path):
    with site.recorded("s3cmd") as record:
        assert f"s3://{site.collection}" in site.command("s3cmd", "ls")
        listed = site.command("s3cmd", "ls", "s3://COLLECTION/tree/").splitlines()
        site.command("s3cmd", "get", "s3://COLLECTION/large.bin", tmp_path / "copy")
        site.command("s3cmd", "get", "s3://COLLECTION/leaf/b c+d.txt", tmp_path / "odd")
    assert [line.split()[-1].removeprefix(f"s3://{site.collection}/") for line in listed] == [
        "tree/sub/", "tree/one.txt"]
    assert sha256(tmp_path / "copy") == sha256(site.folder / "large.bin")
    assert sha256(tmp_path / "odd") == sha256(LEAF["b c+d.txt"])
    record.expect("GetBucketLocation", 200)
    record.expect("ListObjects", 200)
    record.expect("GetObject", 200, "large.bin", bytes_out=LARGE)
    assert not any(row["user_agent"] for row in record.rows())


@works("s3cmd", "`s3cmd info` of a collection and of a file")
def test_s3cmd_info(site):
    with site.recorded("s3cmd") as record:
        assert "Versioning:none" in site.command("s3cmd", "info", "s3://COLLECTION")
        assert "File size: 256" in site.command("s3cmd", "info", "s3://COLLECTION/leaf/é.bin")
    record.expect("GetBucketAcl", 200)
    record.expect("GetBucketPolicy", 404, error_code="NoSuchBucketPolicy")
    record.expect("HeadObject", 200, "leaf/é.bin")


@works("s3cmd", "`s3cmd du` and `s3cmd sync` of a folder without folders in it")
def test_s3cmd_folder(site, tmp_path):
    with site.recorded("s3cmd") as record:
        size = site.command("s3cmd", "du", "s3://COLLECTION/leaf/").split()[0]
        site.command("s3cmd", "sync", "s3://COLLECTION/leaf/", f"{tmp_path}/")
    assert int(size) == sum(map(len, LEAF.values()))
    same_files(tmp_path, site.folder / "leaf")
    record.expect("ListObjects", 200)
    for name in LEAF:
        record.expect("GetObject", 200, f"leaf/{name}")


@both
@works("s3cmd", "`s3cmd signurl`: signature version 2; needs the secret shown at sign-in")
def test_s3cmd_signurl(site):
    url = site.command("s3cmd", "signurl", "s3://COLLECTION/leaf/b c+d.txt", "+60", shown=True)
    assert "AWSAccessKeyId=" in url
    with site.recorded("curl") as record:
        content = site.command("curl", "-sf", url.strip(), with_settings=False, text=False)
    assert content == LEAF["b c+d.txt"]
    record.expect("GetObject", 200, "leaf/b c+d.txt", auth="presigned")


@refused("s3cmd", "`s3cmd du`, `s3cmd ls -r` and `s3cmd sync` of a folder with folders in it")
def test_s3cmd_deep(site, tmp_path):
    for arguments in (("du", "s3://COLLECTION/tree/"), ("ls", "-r", "s3://COLLECTION/tree/"),
                      ("sync", "s3://COLLECTION/tree/", f"{tmp_path}/")):
        with site.recorded("s3cmd") as record:
            assert DEEP in site.command("s3cmd", *arguments, status=11)
        record.expect("ListObjects", 501, error_code="NotImplemented")


@both
@works("curl", "`curl -K globus.curl http://localhost:8000/COLLECTION/key`, with ranges, whatever "
       "the file is called")
def test_curl(site, tmp_path):
    with site.recorded("curl") as record:
        for name, content in LEAF.items():
            assert site.command("curl", "-sf", site.url(f"leaf/{name}"), text=False) == content
        site.command("curl", "-sf", "-r", "1000000-", "-o", tmp_path / "part",
                     site.url("large.bin"))
    large = (site.folder / "large.bin").read_bytes()
    assert sha256(tmp_path / "part") == sha256(large[1_000_000:])
    for name in LEAF:
        record.expect("GetObject", 200, f"leaf/{name}")
    record.expect("GetObject", 206, "large.bin", range="bytes=1000000-")


def test_a_presigned_url_of_an_invented_secret_is_refused(site):
    url = site.command("aws", "s3", "presign", "s3://COLLECTION/leaf/a.txt").strip()
    answer = requests.get(url)
    assert (answer.status_code, "SignatureDoesNotMatch" in answer.text) == (403, True)


@pytest.mark.parametrize("client, arguments", [
    ("aws", ("s3", "ls", "s3://COLLECTION/leaf/")), ("s3cmd", ("ls", "s3://COLLECTION/leaf/")),
    ("rclone", ("lsf", "globus:COLLECTION/leaf", "--low-level-retries", "1")),
])
@pytest.mark.parametrize("site", ["verify"], indirect=True)
def test_a_wrong_secret_is_told_in_the_clients_own_words(site, client, arguments):
    """Were signatures not computed, the tests under `verify` would show nothing."""
    with site.recorded(client) as record:
        error = site.command(client, *arguments, shown=False, status=None)
    assert "signature" in error.lower()
    operation = {"s3cmd": "GetBucketLocation", "rclone": "ListObjects"}.get(client, "ListObjectsV2")
    record.expect(operation, 403, auth_result="bad_signature", error_code="SignatureDoesNotMatch")
