"""Keys with every character that a path can have, path-style and virtual-hosted, and those refused."""

import socket
import subprocess
import unicodedata
import urllib.parse
import xml.etree.ElementTree

import boto3
import botocore.config
import pytest

from frontend import audit_rows

NAMES = [
    "in the middle", " before", "behind ", "two  spaces", "a+b", "+", "%", "%2F", "%25", "100%",
    "~", "~user", "a;b", "a;v=1", "a=b", "a&b", "a?b", "a#b", "'", '"', "`", "back\\slash", "a:b",
    "C:", "@", "!", "$HOME", "$(x)", "(a)", "[a]", "{a}", "<a>", "|", "^", ",", "*", "-", "_",
    "...", "..a", "a..", ".a", "a.", "\u00e9 composed", "e\u0301 decomposed", "\u212b", "日本語",
    "ελληνικά", "עברית", "\u202eltr", "zero\u200bwidth", "\ufeffbom", "no\ufffecharacter", "😀",
    "👩‍🔬", "ß", "ſ", "İ", "\u2028line", "n" * 255, "é" * 127, "&lt;", "]]>", "a%20b", "null",
    "index.html", "CON", "auth", "soap",
]
KEYS = [f"keys/{name}" for name in NAMES] + [
    "~/x", "~/~/x", "~~", "keys/deep/1/2/3/4/5/6/7/8/x", "keys/ /x", "keys/~~/x", "keys/é/e\u0301",
    "/".join(["d" * 254] * 4 + ["abcd"])]


@pytest.fixture(scope="module")
def keys(local):
    """The keys; each object has its own key for content."""
    assert max(len(key.encode()) for key in KEYS) == 1024
    for key in KEYS:
        path = local.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(key.encode())
    return KEYS


def client(local, credential, style):
    return boto3.client(
        "s3", endpoint_url=local.base_url, region_name="globus",
        aws_access_key_id=credential["access_key_id"],
        aws_secret_access_key=credential["secret_access_key"],
        config=botocore.config.Config(retries={"max_attempts": 1}, s3={"addressing_style": style}))


@pytest.fixture
def any_name_is_here(monkeypatch):
    """Every host name that is looked up is that of this machine."""
    look_up = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **named: look_up("localhost", *rest, **named))


@pytest.mark.parametrize("style", ["path", "virtual"])
def test_boto3_reads_them_all(local, credential, keys, any_name_is_here, style):
    s3 = client(local, credential, style)
    asked = {}
    for key in keys:
        answer = s3.get_object(Bucket=local.collection, Key=key)
        assert answer["Body"].read() == key.encode()
        head = s3.head_object(Bucket=local.collection, Key=key)
        assert (head["ContentLength"], head["ETag"]) == (len(key.encode()), answer["ETag"])
        asked[answer["ResponseMetadata"]["RequestId"]] = key
    for request_id, row in audit_rows(local.audit_db, asked).items():
        assert (row["object_key"], row["auth_result"]) == (asked[request_id], "verified")


@pytest.mark.parametrize("style", ["path", "virtual"])
def test_curl_reads_them_all(local, credential, keys, tmp_path, style):
    address = urllib.parse.urlsplit(local.base_url)
    host, prefix = address.netloc, f"/{local.collection}"
    if style == "virtual":
        host, prefix = f"{local.collection}.{address.netloc}", ""
    lines = ["silent", "show-error", "fail", "path-as-is", 'aws-sigv4 = "aws:amz:globus:s3"',
             f'user = "{credential["access_key_id"]}:any"',
             f'connect-to = "::{address.hostname}:{address.port}"']
    for number, key in enumerate(keys):
        lines += [f'url = "http://{host}{prefix}/{urllib.parse.quote(key)}"',
                  f'output = "{tmp_path}/{number}"']
    (tmp_path / "commands").write_text("\n".join(lines))
    subprocess.run(["curl", "--config", tmp_path / "commands"], check=True, timeout=120)
    for number, key in enumerate(keys):
        assert (tmp_path / str(number)).read_bytes() == key.encode()


def test_encodings_of_one_key(local, wire, keys):
    """A key is decoded once, whatever a client encodes; a plus sign is a plus sign."""
    for target, key in [
        ("keys/a+b", "keys/a+b"), ("keys/a%2Bb", "keys/a+b"), ("keys/a%2bb", "keys/a+b"),
        ("keys%2Fa%2Bb", "keys/a+b"), ("%6Beys/%7E", "keys/~"), ("keys/~", "keys/~"),
        ("keys/%2525", "keys/%25"), ("keys/%25", "keys/%"), ("keys/a;b", "keys/a;b"),
        ("keys/a%3Bb", "keys/a;b"), ("keys/a=b", "keys/a=b"), ("keys/a&b", "keys/a&b"),
        ("keys/a%3Fb", "keys/a?b"), ("keys/a%23b", "keys/a#b"), ("keys/%252F", "keys/%2F"),
        ("keys/back%5Cslash", "keys/back\\slash"), ("keys/%C3%A9%20composed", "keys/é composed"),
    ]:
        answer = wire.ask("GET", f"/{local.collection}/{target}")
        assert (answer.status, answer.body.decode()) == (200, key), target
    assert wire.ask("GET", f"/{local.collection}/keys/in+the+middle").code == "NoSuchKey"


def test_a_leading_tilde_is_nobodys_home(local, s3, keys):
    """Globus would take it for one; so the path asked for does not begin with it."""
    (local.folder / "x").write_bytes(b"at the top")
    listed = s3.list_objects_v2(Bucket=local.collection, Prefix="~/", Delimiter="/")
    assert [each["Key"] for each in listed["Contents"]] == ["~/x"]
    assert listed["CommonPrefixes"] == [{"Prefix": "~/~/"}]
    assert s3.head_object(Bucket=local.collection, Key="~/")["ContentLength"] == 0
    assert s3.get_object(Bucket=local.collection, Key="~/x")["Body"].read() == b"~/x"
    (local.folder / "x").unlink()


def test_twins_are_two_objects(local, s3, keys):
    """Names that Unicode calls equal are different keys, also in what is remembered of them."""
    texts = ["keys/twin \u00e9", "keys/twin e\u0301"]
    assert unicodedata.normalize("NFC", texts[1]) == texts[0]
    (local.folder / texts[0]).write_text("composed")
    assert s3.get_object(Bucket=local.collection, Key=texts[0])["Body"].read() == b"composed"
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=local.collection, Key=texts[1])
    (local.folder / texts[1]).write_text("decomposed")
    etags = set()
    for key, size in zip(texts, (8, 10)):
        assert s3.head_object(Bucket=local.collection, Key=key)["ContentLength"] == size
    for key, body in zip(texts, (b"composed", b"decomposed")):
        answer = s3.get_object(Bucket=local.collection, Key=key)
        assert answer["Body"].read() == body
        etags.add(answer["ETag"])
    assert len(etags) == 2


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects"])
def test_they_are_listed_in_the_order_of_their_bytes(local, s3, keys, operation):
    page = getattr(s3, operation)(Bucket=local.collection, Prefix="keys/", Delimiter="/")
    expected = {key for key in keys if key.startswith("keys/") and key.count("/") == 1}
    found = [entry["Key"] for entry in page["Contents"]]
    assert expected <= set(found) and found == sorted(found, key=str.encode)
    prefixes = [entry["Prefix"] for entry in page["CommonPrefixes"]]
    assert prefixes == ["keys/ /", "keys/deep/", "keys/~~/", "keys/é/"]


def test_they_are_listed_without_an_encoding(local, wire, keys):
    """As the many clients see them that do not ask for encoding-type=url."""
    answer = wire.ask("GET", f"/{local.collection}/?list-type=2&prefix=keys/&delimiter=/")
    found = {node.text for node in xml.etree.ElementTree.fromstring(answer.body).iter(
        "{http://s3.amazonaws.com/doc/2006-03-01/}Key")}
    inexpressible = {key for key in keys if "\ufffe" in key}
    assert inexpressible and found >= {
        key for key in keys if key.startswith("keys/") and key.count("/") == 1} - inexpressible


@pytest.mark.parametrize("style", ["path", "virtual"])
def test_keys_that_are_no_paths_are_refused_before_anybody_is_asked(local, wire, style):
    refused = {
        "InvalidURI": [
            ".", "..", "./", "../", "./a", "../a", "a/.", "a/..", "a/./b", "a/../b", "%2e%2e/a",
            "%2E", "a/%2e/b", "..%2Fa", "a%2F..%2Fb", "/a", "%2Fa", "a//b", "a%2F%2Fb", "a//", "//",
            "%00", "a%00b", "a%01b", "a%09b", "a%0Ab", "a%0D%0Ab", "a%1Bb", "a%7F", "%C2%85",
            "%C2%80a", "%FF", "%C0%AE", "%C0%AF", "%E0%80%AF", "%ED%A0%80", "%F4%90%80%80", "%C3",
            "a%", "a%4", "a%zz", "%%", "a%+1"],
        "KeyTooLongError": [
            "a" * 1025, "%61" * 1025, "%E2%82%AC" * 342, "a/" * 512 + "ab"],
    }
    host, prefix = None, f"/{local.collection}"
    if style == "virtual":
        host = f"{local.collection.upper()}.{wire.host}"
        prefix = ""
    asked = {}
    for code, targets in refused.items():
        for target in targets:
            for method in ("GET", "HEAD"):
                answer = wire.ask(method, f"{prefix}/{target}", host=host)
                assert (answer.status, answer.code) == (400, code), target
                asked[answer.request_id] = (method, code)
    for request_id, row in audit_rows(local.audit_db, asked).items():
        method, code = asked[request_id]
        assert row["operation"] == {"GET": "GetObject", "HEAD": "HeadObject"}[method]
        assert (row["status"], row["error_code"], row["outcome"]) == (400, code, "client_error")
        assert (row["upstream_calls"], row["collection_id"]) == (0, local.collection)


def test_a_folder_is_an_object_only_with_a_slash(local, wire, keys):
    for target, status in [
        ("keys", 404), ("keys/", 200), ("keys/deep/1", 404), ("keys/deep/1/", 200), ("keys/~~/", 200), ("keys/~/", 404),
        ("keys/a+b/", 404), ("keys/%C3%A9/", 200), ("keys/e%CC%81/", 404), ("missing/", 404),
    ]:
        for method in ("GET", "HEAD"):
            answer = wire.ask(method, f"/{local.collection}/{target}")
            assert answer.status == status, (method, target)
            if status == 200:
                assert answer.headers["Content-Type"] == "application/x-directory"
                assert (answer.headers["Content-Length"], answer.body) == ("0", b"")
                assert answer.headers["ETag"] and answer.headers["Last-Modified"]
            else:
                assert answer.code == "NoSuchKey"
