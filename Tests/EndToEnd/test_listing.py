"""Arguments and order of listings, against a model of S3's listing over the same names."""

import random
import xml.etree.ElementTree

import botocore.exceptions
import pytest

from frontend import audit_rows

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
LISTINGS = {"ListObjectsV2": "list-type=2&", "ListObjects": "", "ListObjectVersions": "versions&"}


@pytest.fixture(scope="module")
def folder(local):
    """A folder with files on both sides of a folder, and one of more names than a page has."""
    folder = local.folder / "listing"
    for name in ("mid", "mid-", "sub.d"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("a", "mid!", "mid.", "mid0", "sub", "z", "mid/one", "mid/two", "sub.d/x"):
        (folder / name).write_text(name)
    many = local.folder / "many"
    many.mkdir(exist_ok=True)
    for number in range(1002):
        (many / f"{number:04}").touch()
    return sorted(["a", "mid!", "mid-/", "mid.", "mid/", "mid0", "sub", "sub.d/", "z"])


def listed(page):
    keys = [entry["Key"] for entry in page.get("Contents", [])]
    return sorted(keys + [entry["Prefix"] for entry in page.get("CommonPrefixes", [])],
                  key=str.encode)


def texts(answer, *names):
    """The texts of the elements of these names, in the answer's order."""
    assert answer.status == 200, answer.body
    root = xml.etree.ElementTree.fromstring(answer.body)
    return [node.text or "" for node in root.iter()
            if node.tag.removeprefix(NAMESPACE) in names]


@pytest.mark.parametrize("prefix", [
    "", "m", "mid", "mid!", "mid-", "mid-/", "mid.", "mid/", "mid/o", "mid/one", "mid/one/", "mid0",
    "mid0/", "sub", "sub.", "sub.d", "sub.d/", "z", "zz", "a/", "A", "\u00e9",
])
def test_a_prefix_is_any_beginning_of_a_key(local, s3, folder, prefix):
    names = folder + ["mid/one", "mid/two", "sub.d/x"]
    depth = prefix.count("/")
    expected = [f"listing/{name}" for name in names
                if name.startswith(prefix) and name.rstrip("/").count("/") == depth]
    page = s3.list_objects_v2(Bucket=local.collection, Prefix="listing/" + prefix, Delimiter="/")
    assert listed(page) == sorted(expected, key=str.encode)
    assert (page["KeyCount"], page["IsTruncated"]) == (len(expected), False)
    assert (page["Prefix"], page["Delimiter"]) == ("listing/" + prefix, "/")


def test_the_bucket_itself_is_a_folder(local, s3, folder):
    names = listed(s3.list_objects_v2(Bucket=local.collection, Delimiter="/"))
    assert {"example.txt", "folder/", "listing/", "many/"} <= set(names)
    assert listed(s3.list_objects_v2(Bucket=local.collection, Delimiter="/", Prefix="man")) == [
        "many/"]


@pytest.mark.parametrize("listing", LISTINGS)
@pytest.mark.parametrize("asked, told, count, truncated", [
    ("", "1000", 1000, "true"), ("&max-keys=", "1000", 1000, "true"),
    ("&max-keys=0", "0", 0, "false"), ("&max-keys=1", "1", 1, "true"),
    ("&max-keys=1000", "1000", 1000, "true"), ("&max-keys=1001", "1000", 1000, "true"),
    ("&max-keys=2147483647", "1000", 1000, "true"),
])
def test_the_size_of_a_page(local, wire, folder, listing, asked, told, count, truncated):
    target = f"/{local.collection}?{LISTINGS[listing]}prefix=many/&delimiter=/{asked}"
    answer = wire.ask("GET", target)
    assert texts(answer, "Key") == [f"many/{number:04}" for number in range(count)]
    assert texts(answer, "MaxKeys", "IsTruncated") == [told, truncated]
    if listing == "ListObjectsV2":
        assert texts(answer, "KeyCount") == [str(count)]


@pytest.mark.parametrize("listing", LISTINGS)
def test_bad_arguments(local, wire, folder, listing):
    asked = {}
    bad = ["max-keys=-1", "max-keys=x", "max-keys=1.5", "max-keys=%201", "max-keys=2147483648",
           "max-keys=99999999999999999999", "encoding-type=xml", "max-keys=1&max-keys=2"]
    if listing == "ListObjectsV2":
        good = texts(wire.ask("GET", f"/{local.collection}?list-type=2&prefix=many/&max-keys=1"),
                     "NextContinuationToken")[0]
        bad += [f"continuation-token={token}" for token in (
            "", "x", "Zm9yZ2Vk", good[:-1], good + "A", good[::-1], "many/0001", "%00", "a" * 3000)]
        bad += [f"continuation-token={good.swapcase()}"]
    if listing == "ListObjectVersions":
        bad += ["version-id-marker=null", "key-marker=a&version-id-marker=abc"]
    for arguments in bad:
        answer = wire.ask(
            "GET", f"/{local.collection}?{LISTINGS[listing]}prefix=many/&delimiter=/&{arguments}")
        assert (answer.status, answer.code) == (400, "InvalidArgument"), arguments
        name = texts_of_error(answer, "ArgumentName")
        assert name and name in arguments
        asked[answer.request_id] = arguments
    for row in audit_rows(local.audit_db, asked).values():
        assert (row["operation"], row["error_code"], row["upstream_calls"]) == (
            listing, "InvalidArgument", 0)


def texts_of_error(answer, name):
    return xml.etree.ElementTree.fromstring(answer.body).findtext(name)


def test_only_two_versions_of_listings_exist(local, wire):
    for version in ("1", "3", "", "two"):
        answer = wire.ask("GET", f"/{local.collection}?list-type={version}&delimiter=/")
        assert (answer.status, answer.code) == (400, "InvalidArgument"), version


@pytest.mark.parametrize("after, first", [
    ("", "a"), ("a", "mid!"), ("mid", "mid!"), ("mid-", "mid-/"), ("mid-/", "mid."),
    ("mid.", "mid/"), ("mid/", "mid0"), ("mid/a", "mid/"), ("mid/one", "mid/"), ("mid/one/x", "mid/"), ("mid/two", "mid0"),
    ("mid/\u00e9", "mid0"), ("mid-/a", "mid."), ("mid0", "sub"),
    ("sub.", "sub.d/"), ("z", None), ("zz", None), ("~", None),
])
def test_what_follows_a_key(local, s3, folder, after, first):
    """Also one inside a common prefix, which is listed as long as it has something that follows."""
    expected = [f"listing/{name}" for name in folder[folder.index(first):]] if first else []
    arguments = {"Bucket": local.collection, "Prefix": "listing/", "Delimiter": "/"}
    second = s3.list_objects_v2(StartAfter=f"listing/{after}", **arguments)
    assert listed(second) == expected and second["StartAfter"] == f"listing/{after}"
    first = s3.list_objects(Marker=f"listing/{after}", **arguments)
    assert listed(first) == expected and first["Marker"] == f"listing/{after}"


def test_what_follows_a_key_deep_inside_a_common_prefix(local, s3):
    folder = local.folder / "deep"
    (folder / "a" / "b" / "c").mkdir(parents=True)
    (folder / "a" / "b" / "c" / "k").touch()
    (folder / "a" / "b-").touch()
    arguments = {"Bucket": local.collection, "Prefix": "deep/", "Delimiter": "/"}
    for after, expected in [
        ("a/b-", ["deep/a/"]), ("a/b/", ["deep/a/"]), ("a/b/c", ["deep/a/"]),
        ("a/b/c/", ["deep/a/"]), ("a/b/c/j", ["deep/a/"]), ("a/b/c/k", []), ("a/b/c/k/x", []),
        ("a/b/d", []), ("a/c", []),
    ]:
        assert listed(s3.list_objects_v2(StartAfter="deep/" + after, **arguments)) == expected
        assert listed(s3.list_objects(Marker="deep/" + after, **arguments)) == expected


def test_virtual_hosted_listings(local, wire, folder):
    answer = wire.ask("GET", "/?list-type=2&prefix=listing/m&delimiter=/",
                      host=f"{local.collection}.{wire.host}")
    assert texts(answer, "Key") == ["listing/mid!", "listing/mid.", "listing/mid0"]
    assert texts(answer, "Name") == [local.collection]


def test_a_token_goes_before_start_after(local, s3, folder):
    arguments = {"Bucket": local.collection, "Prefix": "many/", "MaxKeys": 2}
    page = s3.list_objects_v2(StartAfter="many/0009", **arguments)
    assert listed(page) == ["many/0010", "many/0011"]
    token = page["NextContinuationToken"]
    page = s3.list_objects_v2(StartAfter="many/0500", ContinuationToken=token, **arguments)
    assert listed(page) == ["many/0012", "many/0013"] and page["ContinuationToken"] == token


def test_next_marker_comes_with_a_delimiter_only(local, s3, folder):
    page = s3.list_objects(Bucket=local.collection, Prefix="many/", MaxKeys=2)
    assert page["IsTruncated"] and "NextMarker" not in page
    page = s3.list_objects(Bucket=local.collection, Prefix="many/", MaxKeys=2, Delimiter="/")
    assert page["IsTruncated"] and page["NextMarker"] == "many/0001"


def test_what_is_encoded_when_that_is_asked(local, wire):
    folder = local.folder / "odd names"
    folder.mkdir()
    for name in ("a+b&c", "per%20cent", "sp ace", "é"):
        (folder / name).touch()
    (folder / "f?#").mkdir()
    target = (f"/{local.collection}?list-type=2&prefix=odd%20names/&delimiter=/"
              "&start-after=odd%20names/%20")
    answer = wire.ask("GET", target + "&encoding-type=url")
    assert texts(answer, "EncodingType") == ["url"]
    assert texts(answer, "Key") == [
        "odd%20names/a%2Bb%26c", "odd%20names/per%2520cent", "odd%20names/sp%20ace",
        "odd%20names/%C3%A9"]
    assert texts(answer, "Prefix") == ["odd%20names/", "odd%20names/f%3F%23/"]
    assert texts(answer, "StartAfter", "Delimiter") == ["/", "odd%20names/%20"]
    plain = wire.ask("GET", target)
    assert texts(plain, "EncodingType") == []
    assert texts(plain, "Key") == [
        "odd names/a+b&c", "odd names/per%20cent", "odd names/sp ace", "odd names/é"]
    truncated = wire.ask(
        "GET", f"/{local.collection}?prefix=odd%20names/&delimiter=/&max-keys=1&encoding-type=url")
    assert texts(truncated, "NextMarker") == ["odd%20names/a%2Bb%26c"]


def test_the_owner_is_told_when_it_is_asked_for(local, s3, folder):
    arguments = {"Bucket": local.collection, "Prefix": "many/", "MaxKeys": 1}
    assert "Owner" not in s3.list_objects_v2(**arguments)["Contents"][0]
    for entry in (s3.list_objects_v2(FetchOwner=True, **arguments)["Contents"][0],
                  s3.list_objects(**arguments)["Contents"][0]):
        assert entry["Owner"]["ID"] and entry["StorageClass"] == "STANDARD"


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects", "list_object_versions"])
def test_deep_walks_are_refused_and_flat_folders_are_not(local, s3, folder, operation):
    ask = getattr(s3, operation)
    for arguments in ({}, {"Delimiter": ""}, {"Delimiter": "-"}, {"Delimiter": "//"}):
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            ask(Bucket=local.collection, Prefix="listing/", **arguments)
        assert caught.value.response["Error"]["Code"] == "NotImplemented"
        assert 'delimiter "/"' in caught.value.response["Error"]["Message"]
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    page = ask(Bucket=local.collection, Prefix="listing/mid/")
    entries = page.get("Contents") or page["Versions"]
    assert [entry["Key"] for entry in entries] == ["listing/mid/one", "listing/mid/two"]


def test_random_names_are_listed_as_s3_would(local, s3):
    """Names of few letters around "/" in the order of bytes, pages of any size, any place to begin."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for round in range(8):
        folder = local.folder / f"random{round}"
        folder.mkdir()
        root = folder.name + "/"
        names = {"".join(dice.choices("aZ0-.!+ é\u20ac😀", k=dice.randint(1, 4)))
                 for _ in range(dice.randint(1, 30))} - {".", ".."}
        expected = []
        for name in names:
            if dice.random() < 0.4:
                (folder / name).mkdir()
                expected.append(f"{root}{name}/")
            else:
                (folder / name).touch()
                expected.append(f"{root}{name}")
        expected.sort(key=str.encode)
        for operation in ("list_objects_v2", "list_objects", "list_object_versions"):
            pages = s3.get_paginator(operation).paginate(
                Bucket=local.collection, Prefix=root, Delimiter="/",
                PaginationConfig={"PageSize": dice.randint(1, 7)})
            found = []
            for page in pages:
                page.setdefault("Contents", page.pop("Versions", []))
                found += listed(page)
            assert found == expected, (operation, seed)
        key = dice.choice(expected)
        page = s3.list_objects_v2(
            Bucket=local.collection, Prefix=root, Delimiter="/", StartAfter=key)
        assert listed(page) == expected[expected.index(key) + 1:], seed
        letter = dice.choice(expected)[len(root)]
        page = s3.list_objects_v2(Bucket=local.collection, Prefix=root + letter, Delimiter="/")
        assert listed(page) == [k for k in expected if k.startswith(root + letter)], seed


def test_the_audit_rows_of_listings(local, wire, folder):
    asked = {}
    for listing, query in LISTINGS.items():
        for rest, status, code in [
            ("&delimiter=/", 200, None), ("", 501, "NotImplemented"),
            ("&delimiter=/&max-keys=x", 400, "InvalidArgument"),
        ]:
            answer = wire.ask("GET", f"/{local.collection}?{query}prefix=listing/{rest}")
            asked[answer.request_id] = (listing, status, code, len(answer.body))
    for request_id, row in audit_rows(local.audit_db, asked).items():
        assert (row["operation"], row["status"], row["error_code"], row["bytes_out"]) == (
            asked[request_id])
        assert (row["object_key"], row["collection_id"]) == (None, local.collection)
