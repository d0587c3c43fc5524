"""What clients ask besides bytes and listings: the real aws command gets an ordinary bucket's answer."""

import concurrent.futures
import json
import re
import subprocess

import botocore.exceptions
import pytest

from frontend import audit_row, audit_rows

# aws s3api command: what it prints, or the code of the error that it ends with.
BUCKET = {
    "get-bucket-accelerate-configuration": None,
    "get-bucket-acl": {"Owner": {"ID": "globus"}, "Grants": [
        {"Grantee": {"ID": "globus", "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}]},
    "get-bucket-cors": "NoSuchCORSConfiguration",
    "get-bucket-encryption": "ServerSideEncryptionConfigurationNotFoundError",
    "get-bucket-lifecycle-configuration": "NoSuchLifecycleConfiguration",
    "get-bucket-location": {"LocationConstraint": None},
    "get-bucket-logging": None,
    "get-bucket-notification-configuration": None,
    "get-bucket-ownership-controls": "OwnershipControlsNotFoundError",
    "get-bucket-policy": "NoSuchBucketPolicy",
    "get-bucket-policy-status": "NoSuchBucketPolicy",
    "get-bucket-replication": "ReplicationConfigurationNotFoundError",
    "get-bucket-request-payment": {"Payer": "BucketOwner"},
    "get-bucket-tagging": "NoSuchTagSet",
    "get-bucket-versioning": None,
    "get-bucket-website": "NoSuchWebsiteConfiguration",
    "get-object-lock-configuration": "ObjectLockConfigurationNotFoundError",
    "get-public-access-block": "NoSuchPublicAccessBlockConfiguration",
    "list-bucket-analytics-configurations": {"IsTruncated": False},
    "list-bucket-intelligent-tiering-configurations": {"IsTruncated": False},
    "list-bucket-inventory-configurations": {"IsTruncated": False},
    "list-bucket-metrics-configurations": {"IsTruncated": False},
    "get-bucket-analytics-configuration --id a": "NoSuchConfiguration",
    "get-bucket-intelligent-tiering-configuration --id a": "NoSuchConfiguration",
    "get-bucket-inventory-configuration --id a": "NoSuchConfiguration",
    "get-bucket-metrics-configuration --id a": "NoSuchConfiguration",
    "list-multipart-uploads": {"RequestCharged": None, "Prefix": ""},
    "head-bucket": {"BucketRegion": "us-east-1"},
    "put-bucket-acl --acl private": None,
    "put-bucket-acl --acl public-read": "NotImplemented",
    "put-bucket-versioning --versioning-configuration Status=Enabled": "NotImplemented",
    "delete-bucket-policy": "NotImplemented",
    "delete-bucket": "AccessDenied",
}
OBJECT = {
    "get-object-acl": BUCKET["get-bucket-acl"],
    "get-object-legal-hold": "InvalidRequest",
    "get-object-retention": "InvalidRequest",
    "get-object-tagging": {"TagSet": []},
    "get-object-attributes --object-attributes StorageClass ObjectSize": {
        "StorageClass": "STANDARD", "ObjectSize": 1000},
    "put-object-acl --acl private": None,
    "put-object-acl --acl public-read": "NotImplemented",
    "delete-object-tagging": "NotImplemented",
}


def ask(aws, command, *arguments):
    """What the command prints, None for nothing; or the code of its error."""
    name, *options = command.split()
    try:
        output = aws("s3api", name, *arguments, *options, "--output", "json").stdout
    except subprocess.CalledProcessError as error:
        assert error.returncode in (254, 255), error.stderr  # aws 2 and aws 1
        code = re.search(r"An error occurred \((\w+)\)", error.stderr)
        assert code, error.stderr
        return code[1]
    return json.loads(output) if output.strip() else None


@pytest.fixture(scope="module")
def answers(local, aws):
    """What every command of the tables comes to; they run side by side, as aws is slow to start."""
    bucket = ("--bucket", local.collection)
    commands = [(command, bucket) for command in BUCKET]
    commands += [(command, (*bucket, "--key", "thousand.bin")) for command in OBJECT]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = pool.map(lambda command: ask(aws, command[0], *command[1]), commands)
        return {command: result for (command, _), result in zip(commands, results)}


@pytest.mark.parametrize("command, expected", [*BUCKET.items(), *OBJECT.items()])
def test_what_aws_is_told(answers, command, expected):
    answer = answers[command]
    if isinstance(answer, dict):
        answer.pop("LastModified", None)
    assert answer == expected


def test_of_an_object_by_boto3(local, s3):
    head = s3.head_object(Bucket=local.collection, Key="thousand.bin")
    attributes = s3.get_object_attributes(
        Bucket=local.collection, Key="thousand.bin",
        ObjectAttributes=["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"])
    assert attributes["ETag"] == head["ETag"].strip('"')
    assert attributes["LastModified"] == head["LastModified"]
    assert "Checksum" not in attributes and "ObjectParts" not in attributes


def test_of_an_object_that_is_not_there(local, wire):
    asked = {}
    for key in ("missing", "missing/", "folder", "example.txt/"):
        for method, probe, name in [
            ("GET", "acl", "GetObjectAcl"), ("GET", "tagging", "GetObjectTagging"),
            ("GET", "legal-hold", "GetObjectLegalHold"), ("GET", "retention", "GetObjectRetention"),
            ("GET", "attributes", "GetObjectAttributes"), ("PUT", "acl", "PutObjectAcl"),
        ]:
            answer = wire.ask(method, f"/{local.collection}/{key}?{probe}", [
                ("x-amz-object-attributes", "ETag"), ("x-amz-acl", "private")])
            assert (answer.status, answer.code) == (404, "NoSuchKey"), (key, probe)
            asked[answer.request_id] = name, key
    for request_id, row in audit_rows(local.audit_db, asked).items():
        assert (row["operation"], row["object_key"]) == asked[request_id]
        assert (row["status"], row["error_code"]) == (404, "NoSuchKey")


def test_of_a_version(wire, local):
    for probe in ("acl", "tagging"):
        target = f"/{local.collection}/example.txt?{probe}&versionId"
        assert wire.ask("GET", f"{target}=null").status == 200
        assert wire.ask("GET", f"{target}=abc").code == "NoSuchVersion"


@pytest.mark.parametrize("asked, code", [
    (None, "InvalidArgument"), ("", "InvalidArgument"), ("etag", "InvalidArgument"),
    ("ETag,Owner", "InvalidArgument"), ("ETag", ""), ("ETag , ObjectSize,", ""),
])
def test_attributes_are_named_by_the_client(wire, local, asked, code):
    headers = [] if asked is None else [("x-amz-object-attributes", asked)]
    assert wire.ask("GET", f"/{local.collection}/example.txt?attributes", headers).code == code


NO_SUBRESOURCES = [
    ("GET", "{object}?torrent", "GetObjectTorrent"), ("GET", "{object}?uploadId=1", "ListParts"),
    ("POST", "{object}?restore", "RestoreObject"), ("PUT", "{object}?tagging", "PutObjectTagging"),
    ("POST", "{object}?select&select-type=2", "SelectObjectContent"),
    ("PUT", "{object}?renameObject", "RenameObject"), ("PUT", "{object}?retention", "PutObjectRetention"),
    ("PUT", "{object}", "PutObject"), ("DELETE", "{object}", "DeleteObject"),
    ("POST", "{object}?uploads", "CreateMultipartUpload"), ("PUT", "{object}?acl", "PutObjectAcl"),
    ("GET", "{bucket}?session", "CreateSession"), ("GET", "{bucket}?abac", "GetBucketAbac"),
    ("GET", "{bucket}?metadataTable", "GetBucketMetadataTableConfiguration"),
    ("PUT", "{bucket}?policy", "PutBucketPolicy"), ("DELETE", "{bucket}?cors", "DeleteBucketCors"),
    ("POST", "{bucket}?delete", "DeleteObjects"), ("POST", "{bucket}", "PostObject"),
    ("PUT", "{bucket}?acl", "PutBucketAcl"),
]
MADE_UP = [
    "foo-bar", "foo-bar=", "foo-bar=1", "FOO", "Acl", "ACL=", "policies", "acl%20", "acls", "%61cls",
    "versioning", "location", "policy", "list_type=2", "download", "torrents", "strange%22%3Cb%3E",
    "acl&policy", "tagging&foo-bar", "prefix=a&foo-bar", "auth", "auth-callback", "x", "Version",
    "uploads&what", "é",
]


def test_what_is_not_done_is_said_by_name(local, wire):
    asked = {}
    for method, target, name in NO_SUBRESOURCES:
        target = target.format(bucket=f"/{local.collection}/", object=f"/{local.collection}/empty")
        answer = wire.ask(method, target, [("Content-Length", "0")])
        assert (answer.status, answer.code) == (501, "NotImplemented"), target
        if "?acl" not in target:
            assert name in answer.body.decode()
        asked[answer.request_id] = name
    for request_id, row in audit_rows(local.audit_db, asked).items():
        assert (row["operation"], row["status"], row["upstream_calls"]) == (
            asked[request_id], 501, 0)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_an_unknown_parameter_is_never_a_plain_request(local, wire, method):
    for query in MADE_UP:
        query = query.replace("é", "%C3%A9")
        answer = wire.ask(method, f"/{local.collection}/example.txt?{query}")
        assert answer.status in (501, 405), (method, query)
        if answer.status == 501:
            assert answer.code == "NotImplemented"
        if method == "GET":
            named = re.search("<ResourceType>(.*)</ResourceType>", answer.body.decode())
            assert named or query == "uploads&what", query
    row = audit_row(local.audit_db, wire.ask(
        method, f"/{local.collection}/example.txt?foo-bar").request_id)
    assert (row["operation"], row["status"], row["upstream_calls"]) == ("Unknown", 501, 0)


@pytest.mark.parametrize("query", [
    "x-id=GetObject", "x-foo=bar", "versionId=null", "partNumber=1", "x-amz-checksum-mode=ENABLED",
    "x-amz-request-payer=requester", "response-content-type=a/b",
])
def test_parameters_that_choose_nothing(local, wire, query):
    answer = wire.ask("GET", f"/{local.collection}/thousand.bin?{query}")
    assert answer.status in (200, 206) and len(answer.body) == 1000


def test_an_unknown_parameter_of_the_service(wire):
    for query in ("location", "acl", "foo-bar", "uploads"):
        answer = wire.ask("GET", f"/?{query}")
        assert (answer.status, answer.code) == (501, "NotImplemented")
        assert f"<ResourceType>{query}</ResourceType>" in answer.body.decode()


def test_methods_that_a_resource_does_not_have(local, wire):
    for method, target, allow in [
        ("POST", "example.txt", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("DELETE", "?location", "GET"), ("HEAD", "example.txt?acl", "GET, PUT"),
        ("PATCH", "example.txt", "DELETE, GET, HEAD, OPTIONS, PUT"),
    ]:
        answer = wire.ask(method, f"/{local.collection}/{target}")
        assert (answer.status, answer.headers["Allow"]) == (405, allow)


def test_versions_are_those_of_an_unversioned_bucket(local, aws, s3):
    folder = local.folder / "versions"
    (folder / "below").mkdir(parents=True, exist_ok=True)
    for name in ("a", "b c", "c+d"):
        (folder / name).write_text(name)
    answer = ask(aws, "list-object-versions", "--bucket", local.collection, "--prefix", "versions/",
                 "--delimiter", "/")
    assert [version["Key"] for version in answer["Versions"]] == [
        "versions/a", "versions/b c", "versions/c+d"]
    head = s3.head_object(Bucket=local.collection, Key="versions/a")
    for version in answer["Versions"]:
        assert (version["VersionId"], version["IsLatest"]) == ("null", True)
        assert version["StorageClass"] == "STANDARD" and version["Owner"]["ID"]
    assert (answer["Versions"][0]["ETag"], answer["Versions"][0]["Size"]) == (head["ETag"], 1)
    assert answer["CommonPrefixes"] == [{"Prefix": "versions/below/"}]
    assert "DeleteMarkers" not in answer
    for version in answer["Versions"]:
        s3.get_object(Bucket=local.collection, Key=version["Key"], VersionId=version["VersionId"])
    for size in (1, 2, 3):
        pages = s3.get_paginator("list_object_versions").paginate(
            Bucket=local.collection, Prefix="versions/", Delimiter="/",
            PaginationConfig={"PageSize": size})
        found = [version["Key"] for page in pages for version in page.get("Versions", [])]
        assert found == ["versions/a", "versions/b c", "versions/c+d"]
    row = audit_row(local.audit_db, s3.list_object_versions(
        Bucket=local.collection, Delimiter="/")["ResponseMetadata"]["RequestId"])
    assert (row["operation"], row["status"], row["object_key"]) == ("ListObjectVersions", 200, None)


@pytest.mark.parametrize("options, code", [
    ({}, None), ({"CreateBucketConfiguration": {"LocationConstraint": "globus"}}, None),
    ({"ACL": "private"}, None), ({"ObjectLockEnabledForBucket": False}, None),
    ({"ACL": "public-read"}, "NotImplemented"), ({"GrantRead": "id=1"}, "NotImplemented"),
    ({"ObjectLockEnabledForBucket": True}, "NotImplemented"),
])
def test_a_bucket_that_exists_is_made_as_it_is(local, s3, options, code):
    if code is None:
        answer = s3.create_bucket(Bucket=local.collection, **options)
        assert answer["Location"] == f"/{local.collection}"
        return
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        s3.create_bucket(Bucket=local.collection, **options)
    assert caught.value.response["Error"]["Code"] == code


def test_a_bucket_is_not_made_nor_deleted(local, wire):
    other = "11111111-2222-4333-8444-555555555555"
    made = wire.ask("PUT", f"/{other}")
    assert (made.status, made.code) == (403, "AccessDenied")
    assert "Buckets are Globus collections" in made.body.decode()
    deleted = wire.ask("DELETE", f"/{local.collection}")
    assert (deleted.status, deleted.code) == (403, "AccessDenied")
    assert "Globus collection" in deleted.body.decode()
    rows = audit_rows(local.audit_db, [made.request_id, deleted.request_id])
    assert [rows[answer.request_id]["operation"] for answer in (made, deleted)] == [
        "CreateBucket", "DeleteBucket"]
