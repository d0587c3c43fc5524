"""rclone, reading: the current one and the one that Debian 12 has, which is four years older."""

import pytest

from clients import both, refused, sha256, works
from clients_samples import LARGE, LEAF, TREE
from test_clients_commands import DEEP, same_files

NAMES = ["rclone", "rclone of Debian 12"]


@pytest.fixture(params=NAMES)
def rclone(request):
    return request.param


@both
@works(NAMES, "`rclone lsd globus:`: collections; `rclone lsf globus:COLLECTION/folder`")
def test_lists(site, rclone):
    with site.recorded(rclone) as record:
        assert site.command(rclone, "lsd", "globus:").split()[-1] == site.collection
        assert sorted(site.command(rclone, "lsf", "globus:COLLECTION/leaf").splitlines()) == sorted(
            LEAF)
        assert site.command(rclone, "lsf", "globus:COLLECTION/tree").split() == ["one.txt", "sub/"]
    record.expect("ListBuckets", 200)
    record.expect("HeadObject", 404, "leaf", error_code="NoSuchKey")
    record.expect("ListObjects", 200)


@both
@works(NAMES, "`rclone cat`, with `--offset` and `--count`")
def test_cat(site, rclone):
    with site.recorded(rclone) as record:
        output = site.command(rclone, "cat", "globus:COLLECTION/large.bin", "--offset", "1000000",
                              "--count", "5000", text=False)
    large = (site.folder / "large.bin").read_bytes()
    assert sha256(output) == sha256(large[1_000_000:1_005_000])
    record.expect("GetObject", 206, "large.bin", range="bytes=1000000-1004999", bytes_out=5000)


@works(NAMES, "`rclone copy` and `rclone sync` to here, folders in folders too; a second `sync` "
       "fetches nothing")
def test_copies_a_tree(site, rclone, tmp_path):
    with site.recorded(rclone) as record:
        site.command(rclone, "copy", "globus:COLLECTION/tree", tmp_path)
    same_files(tmp_path, site.folder / "tree")
    for name in TREE:
        record.expect("GetObject", 200, f"tree/{name}")
    with site.recorded(rclone) as record:
        site.command(rclone, "sync", "globus:COLLECTION/tree", tmp_path)
    record.expect("ListObjects", 200)
    assert "GetObject" not in {row["operation"] for row in record.rows()}


@works(NAMES, "`rclone check`, also with `--download`, whatever the files are called")
def test_checks(site, rclone):
    for arguments in ((), ("--download",)):
        with site.recorded(rclone) as record:
            site.command(rclone, "check", *arguments, "globus:COLLECTION/leaf",
                         site.folder / "leaf")
        record.expect("ListObjects", 200)
    for name in LEAF:
        record.expect("GetObject", 200, f"leaf/{name}")


@works(NAMES, "downloads in several streams (`--multi-thread-streams`)")
def test_downloads_in_streams(site, rclone, tmp_path):
    options = ["--multi-thread-cutoff", "5M", "--multi-thread-streams", "4"]
    if rclone == "rclone":
        options += ["--multi-thread-chunk-size", "5M"]
    with site.recorded(rclone) as record:
        site.command(rclone, "copyto", "globus:COLLECTION/large.bin", tmp_path / "copy", *options)
    assert sha256(tmp_path / "copy") == sha256(site.folder / "large.bin")
    parts = record.expect("GetObject", 206, "large.bin")
    assert len(parts) >= 4 and sum(part["bytes_out"] for part in parts) == LARGE


@both
@works(NAMES, "`rclone link`: signature version 4; needs the secret shown at sign-in")
def test_link(site, rclone):
    url = site.command(rclone, "link", "globus:COLLECTION/leaf/b c+d.txt", "--expire", "1h",
                       shown=True).strip()
    assert "X-Amz-Signature=" in url
    with site.recorded("curl") as record:
        content = site.command("curl", "-sf", url, with_settings=False, text=False)
    assert content == LEAF["b c+d.txt"]
    record.expect("GetObject", 200, "leaf/b c+d.txt", auth="presigned")


@works(NAMES, "`rclone lsf -R` and `rclone size` of folders in folders, with `--disable ListR`")
@refused(NAMES, "`rclone lsf -R`, `rclone size` and `--fast-list` without `--disable ListR`")
def test_deep(site, rclone):
    tree = "globus:COLLECTION/tree"
    for arguments in (("lsf", "-R", tree), ("size", tree), ("check", "--fast-list", tree, tree)):
        with site.recorded(rclone) as record:
            assert DEEP in site.command(rclone, *arguments, "--retries", "1", status=None)
        record.expect("ListObjects", 501, error_code="NotImplemented")
    with site.recorded(rclone) as record:
        listed = site.command(rclone, "lsf", "-R", "--files-only", "--disable", "ListR",
                              tree)
        size = site.command(rclone, "size", "--json", "--disable", "ListR", tree)
    assert sorted(listed.splitlines()) == sorted(TREE)
    assert f'"bytes":{sum(map(len, TREE.values()))}' in size
    assert len(record.expect("ListObjects", 200)) >= 3
