"""Python's clients of objects and files, reading: boto3, minio-py, s3fs, zarr."""

from clients import both, refused, sha256, works
from clients_samples import LARGE, LEAF
from test_clients_commands import DEEP


def large(site, first=0, end=None):
    return sha256((site.folder / "large.bin").read_bytes()[first:end])


@both
@works("boto3", "`head_object`, `get_object` with ranges, `generate_presigned_url`")
def test_boto3_gets(site):
    with site.recorded("boto3") as record:
        answer = site.python("boto3", """
key = dict(Bucket="COLLECTION", Key="large.bin")
whole = s3.get_object(**key)
part = s3.get_object(**key, Range="bytes=1000-1999", IfMatch=whole["ETag"])
answer = [s3.head_object(**key)["ContentLength"], digest(whole["Body"].read()),
          digest(part["Body"].read()), s3.generate_presigned_url("get_object", Params=key)]
""")
    assert answer[:3] == [LARGE, large(site), large(site, 1000, 2000)]
    assert "X-Amz-Signature=" in answer[3]
    record.expect("GetObject", 200, "large.bin", bytes_out=LARGE)
    record.expect("GetObject", 206, "large.bin", range="bytes=1000-1999")


@works("boto3", "`download_file`: many ranges in parallel")
def test_boto3_downloads_in_ranges(site):
    with site.recorded("boto3") as record:
        answer = site.python("boto3", """
from boto3.s3.transfer import TransferConfig
chunks = TransferConfig(multipart_threshold=2**20, multipart_chunksize=2**20, max_concurrency=8)
s3.download_file("COLLECTION", "large.bin", "by boto3", Config=chunks)
answer = digest(open("by boto3", "rb").read())
""")
    assert answer == large(site)
    assert len(record.expect("GetObject", 206, "large.bin")) == 21


@both
@works("boto3", "paginators of `list_objects_v2` and `list_objects` with `Delimiter=\"/\"`; the "
       "resource: `Bucket.objects.filter(Prefix=\"folder/\", Delimiter=\"/\")`")
def test_boto3_lists(site):
    with site.recorded("boto3") as record:
        answer = site.python("boto3", """
def listed(operation):
    pages = s3.get_paginator(operation).paginate(
        Bucket="COLLECTION", Prefix="leaf/", Delimiter="/", PaginationConfig={"PageSize": 2})
    return [entry["Key"] for page in pages for entry in page["Contents"]]

bucket = boto3.resource("s3", **session).Bucket("COLLECTION")
answer = [listed("list_objects_v2"), listed("list_objects"),
          [entry.key for entry in bucket.objects.filter(Prefix="leaf/", Delimiter="/")]]
""")
    assert answer == [sorted((f"leaf/{name}" for name in LEAF), key=str.encode)] * 3
    assert len(record.expect("ListObjectsV2", 200)) == len(LEAF) / 2


@refused("boto3", "listings without `Delimiter=\"/\"`, `Bucket.objects.all()`, where there are "
         "folders in the folder: 501 `NotImplemented`")
def test_boto3_deep(site):
    with site.recorded("boto3") as record:
        answer = site.python("boto3", """
bucket = boto3.resource("s3", **session).Bucket("COLLECTION")
answer = [error(lambda: s3.list_objects_v2(Bucket="COLLECTION", Prefix="tree/")),
          error(lambda: list(bucket.objects.all()))]
""")
    assert all("NotImplemented" in text and DEEP in text for text in answer)
    record.expect("ListObjectsV2", 501, error_code="NotImplemented")
    record.expect("ListObjects", 501, error_code="NotImplemented")


@both
@works("minio-py", "`list_buckets`, `bucket_exists`, `list_objects`, `stat_object`")
def test_minio_lists(site):
    with site.recorded("minio-py") as record:
        answer = site.python("minio-py", """
def listed(prefix):
    entries = s3.list_objects(bucket_name="COLLECTION", prefix=prefix)
    return [entry.object_name for entry in entries]

answer = [[bucket.name for bucket in s3.list_buckets()], s3.bucket_exists(bucket_name="COLLECTION"),
          s3.stat_object(bucket_name="COLLECTION", object_name="leaf/é.bin").size,
          listed("tree/"), listed("leaf/")]
""")
    assert answer[:4] == [[site.collection], True, 256, ["tree/one.txt", "tree/sub/"]]
    assert sorted(answer[4]) == sorted(f"leaf/{name}" for name in LEAF)
    record.expect("HeadBucket", 200)
    record.expect("HeadObject", 200, "leaf/é.bin")
    record.expect("ListObjectsV2", 200)


@both
@works("minio-py", "`get_object` with offset and length, `fget_object`")
@works("minio-py", "`presigned_get_object`: needs the secret shown at sign-in")
def test_minio_gets(site):
    with site.recorded("minio-py") as record:
        answer = site.python("minio-py", """
key = dict(bucket_name="COLLECTION", object_name="large.bin")
s3.fget_object(**key, file_path="by minio")
answer = [digest(open("by minio", "rb").read()),
          digest(s3.get_object(**key, offset=5, length=7000).read())]
""")
    assert answer == [large(site), large(site, 5, 7005)]
    record.expect("GetObject", 200, "large.bin", bytes_out=LARGE)
    record.expect("GetObject", 206, "large.bin", range="bytes=5-7004")
    url = site.python("minio-py", """
answer = s3.presigned_get_object(bucket_name="COLLECTION", object_name="leaf/b c+d.txt")
""", shown=True)
    with site.recorded("curl") as record:
        content = site.command("curl", "-sf", url, with_settings=False, text=False)
    assert content == LEAF["b c+d.txt"]
    record.expect("GetObject", 200, "leaf/b c+d.txt", auth="presigned")


@refused("minio-py", "`list_objects(recursive=True)` where there are folders in the folder")
def test_minio_deep(site):
    with site.recorded("minio-py") as record:
        answer = site.python("minio-py", """
entries = s3.list_objects(bucket_name="COLLECTION", prefix="tree/", recursive=True)
answer = error(lambda: list(entries))
""")
    assert DEEP in answer
    record.expect("ListObjectsV2", 501, error_code="NotImplemented")


@both
@works("s3fs", "`ls`, `info`, `isdir`, `exists`, `glob` in one folder, `walk`")
def test_s3fs_lists(site):
    with site.recorded("s3fs") as record:
        answer = site.python("s3fs", """
answer = [s3.ls("COLLECTION/tree"), s3.info("COLLECTION/large.bin")["size"],
          s3.isdir("COLLECTION/leaf"), s3.exists("COLLECTION/missing"),
          len(s3.glob("COLLECTION/leaf/*.txt")),
          [name for _, _, names in s3.walk("COLLECTION/tree") for name in names]]
""")
    root = f"{site.collection}/tree"
    assert answer == [[f"{root}/one.txt", f"{root}/sub"], LARGE, True, False, 5,
                      ["one.txt", "two.txt", "three.txt"]]
    record.expect("ListObjectsV2", 200)
    record.expect("HeadObject", 404, "missing", error_code="NoSuchKey")


@both
@works("s3fs", "`open` with `seek` and `read`, `cat`, `cat_ranges`, `get` of a folder without "
       "folders in it")
def test_s3fs_reads(site):
    with site.recorded("s3fs") as record:
        answer = site.python("s3fs", """
with s3.open("COLLECTION/large.bin", "rb", block_size=2**20) as file:
    file.seek(-1000, 2)
    answer = [digest(file.read())]
    file.seek(5000)
    answer.append(digest(file.read(2**21)))
starts = [0, 100, 2**20]
answer += map(digest, s3.cat_ranges(["COLLECTION/large.bin"] * 3, starts, [n + 50 for n in starts]))
s3.get("COLLECTION/leaf/", "by s3fs/", recursive=True)
answer.append(digest(s3.cat("COLLECTION/leaf/é.bin")))
""")
    parts = [(-1000, None), (5000, 5000 + 2**21), (0, 50), (100, 150), (2**20, 2**20 + 50)]
    assert answer == [large(site, *part) for part in parts] + [sha256(LEAF["é.bin"])]
    got = {path.name: path.read_bytes() for path in (site.state / "by s3fs").iterdir()}
    assert got == LEAF
    record.expect("GetObject", 206, "large.bin", range="bytes=100-149", bytes_out=50)
    for name in LEAF:
        record.expect("GetObject", 200, f"leaf/{name}")


@works("s3fs", "asynchronously (`asynchronous=True`), many reads at a time")
def test_s3fs_asynchronous(site):
    with site.recorded("s3fs") as record:
        answer = site.python("s3fs", """
import asyncio

async def read():
    s3 = s3fs.S3FileSystem(**options, asynchronous=True)
    session = await s3.set_session()
    parts = await asyncio.gather(*(s3._cat_file("COLLECTION/large.bin", start=n, end=n + 10**5)
                                   for n in range(0, 10**6, 10**5)))
    await session.close()
    return digest(b"".join(parts))

answer = asyncio.run(read())
""")
    assert answer == large(site, 0, 10**6)
    assert len(record.expect("GetObject", 206, "large.bin", bytes_out=10**5)) == 10


@refused("s3fs", "`find`, `du`, `glob(\"**\")` and recursive `get` where there are folders in the "
         "folder (`OSError` 38): use `walk`")
def test_s3fs_deep(site):
    with site.recorded("s3fs") as record:
        answer = site.python("s3fs", """
answer = [error(lambda: s3.find("COLLECTION/tree")), error(lambda: s3.du("COLLECTION/tree")),
          error(lambda: s3.glob("COLLECTION/tree/**")),
          error(lambda: s3.get("COLLECTION/tree/", "tree/", recursive=True))]
""")
    assert all(text.startswith("OSError: [Errno 38]") and DEEP in text for text in answer)
    record.expect("ListObjectsV2", 501, error_code="NotImplemented")


@both
@works("zarr", "arrays, by chunk: `zarr.open_array(zarr.storage.FsspecStore(s3, path=…))`")
def test_zarr(site):
    with site.recorded("zarr") as record:
        answer = site.python("zarr", """
store = zarr.storage.FsspecStore(s3, path="COLLECTION/array.zarr")
array = zarr.open_array(store, mode="r")
answer = [list(array.shape), array[5:15, 5:15].tolist()]
""")
    assert answer == [[40, 40], [[40 * y + x for x in range(5, 15)] for y in range(5, 15)]]
    record.expect("GetObject", 200, "array.zarr/c/1/1")
    chunks = [row for row in record.rows()
              if row["operation"] == "GetObject" and "/c/" in row["object_key"]]
    assert len(chunks) == 4
