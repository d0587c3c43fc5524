"""Buckets and the listing of one folder, by the real aws command and boto3."""

import botocore.exceptions
import pytest

from frontend import audit_row


@pytest.fixture(scope="module")
def tree(local):
    """A folder whose names sort otherwise than a directory walk gives them."""
    folder = local.folder / "tree"
    (folder / "a").mkdir(parents=True, exist_ok=True)
    (folder / "a" / "below.txt").write_text("x")
    for name in ("a-b", "a.txt", "a0", "plus+space é.txt", "&<amp>"):
        (folder / name).write_text(name)
    return ["tree/&<amp>", "tree/a-b", "tree/a.txt", "tree/a/", "tree/a0", "tree/plus+space é.txt"]


def listed(page):
    keys = [entry["Key"] for entry in page.get("Contents", [])]
    return sorted(keys + [entry["Prefix"] for entry in page.get("CommonPrefixes", [])],
                  key=str.encode)


def test_aws_s3_ls_shows_a_folder(local, aws, tree):
    lines = aws("s3", "ls", f"s3://{local.collection}/tree/").stdout.splitlines()
    assert any(line.split() == ["PRE", "a/"] for line in lines)
    assert any(line.endswith(" a.txt") for line in lines)
    assert any(line.endswith(" plus+space é.txt") for line in lines)


def test_aws_s3_ls_shows_the_buckets(local, aws):
    assert local.collection in aws("s3", "ls").stdout


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects"])
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_pages_join_to_the_whole_in_order(local, s3, tree, operation, size):
    pages = list(s3.get_paginator(operation).paginate(
        Bucket=local.collection, Prefix="tree/", Delimiter="/", PaginationConfig={"PageSize": size}))
    assert [key for page in pages for key in listed(page)] == tree
    for page in pages:
        if operation == "list_objects_v2":
            assert page["KeyCount"] == len(listed(page)) <= size


def test_a_listing_agrees_with_head(local, s3, tree):
    page = s3.list_objects_v2(Bucket=local.collection, Prefix="tree/a.t", Delimiter="/")
    entry, = page["Contents"]
    head = s3.head_object(Bucket=local.collection, Key="tree/a.txt")
    assert (entry["ETag"], entry["Size"], entry["LastModified"]) == (
        head["ETag"], head["ContentLength"], head["LastModified"])


def test_what_does_not_exist_lists_as_nothing(local, s3):
    for prefix in ("missing/", "example.txt/", "a//", "../"):
        page = s3.list_objects_v2(Bucket=local.collection, Prefix=prefix, Delimiter="/")
        assert listed(page) == [] and page["KeyCount"] == 0


def test_a_deep_walk_says_that_it_is_not_supported(local, s3, tree):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        s3.list_objects_v2(Bucket=local.collection, Prefix="tree/")
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert "delimiter" in caught.value.response["Error"]["Message"]
    # A folder without folders in it is listed all the same.
    assert listed(s3.list_objects_v2(Bucket=local.collection, Prefix="tree/a/")) == [
        "tree/a/below.txt"]


def test_a_forged_token_is_refused(local, s3):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        s3.list_objects_v2(Bucket=local.collection, Delimiter="/", ContinuationToken="Zm9yZ2Vk")
    assert caught.value.response["Error"]["Code"] == "InvalidArgument"


def test_the_audit_row_of_a_listing(local, s3, tree):
    answer = s3.list_objects_v2(Bucket=local.collection, Prefix="tree/", Delimiter="/")
    row = audit_row(local.audit_db, answer["ResponseMetadata"]["RequestId"])
    assert (row["operation"], row["status"], row["object_key"]) == ("ListObjectsV2", 200, None)
    assert row["collection_id"] == local.collection and row["bytes_out"] > 0


def test_buckets_are_collections(local, s3):
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert names == [local.collection]
    assert s3.create_bucket(Bucket=local.collection)["Location"] == f"/{local.collection}"
    assert s3.get_bucket_location(Bucket=local.collection)["LocationConstraint"] is None
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        s3.create_bucket(Bucket="11111111-2222-4333-8444-555555555555")
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
