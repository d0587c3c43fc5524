"""The stand-in's collection servers, driven by Globus's own SDK and by plain HTTPS."""

import os
import time
import urllib.parse

import globus_sdk
import pytest
import requests
from globus_sdk.experimental.gcs_downloader import GCSDownloader

from oauth import query

pytestmark = pytest.mark.usefixtures("sdk")


@pytest.fixture
def https(stand_in, app, mapped):
    """A session with a token for the mapped collection's HTTPS server."""
    tokens = app.oauth2_client_credentials_tokens(requested_scopes=mapped.https_scopes)
    with requests.Session() as session:
        session.verify = stand_in.ca_file
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        session.headers["Accept-Encoding"] = "identity"
        yield session


def test_the_sdks_downloader_finds_its_own_way(stand_in, mapped):
    app = globus_sdk.ClientApp(
        client_id=stand_in.client_id,
        client_secret=stand_in.client_secret,
        config=globus_sdk.GlobusAppConfig(token_storage="memory"),
    )
    with GCSDownloader(app) as downloader:
        text = downloader.read_file(f"{mapped.https_server}/example.txt")
    assert text == "Hello from a Globus collection.\n"


def test_whole_files(https, mapped, folder):
    for name in ["example.txt", "empty", "large.bin", "data/a b+é%.csv", "link"]:
        url = f"{mapped.https_server}/{urllib.parse.quote(name)}"
        contents = (folder / name).read_bytes()
        answer = https.get(url)
        assert (answer.status_code, answer.content) == (200, contents)
        head = https.head(url)
        assert (head.status_code, head.content) == (200, b"")
        for reply in [answer, head]:
            assert reply.headers["Content-Length"] == str(len(contents))
            assert reply.headers["Accept-Ranges"] == "bytes"
            assert "Last-Modified" not in reply.headers and "ETag" not in reply.headers
            assert reply.headers["Server"].startswith("Apache/")


@pytest.mark.parametrize(
    "header, first, last",
    [("bytes=0-0", 0, 0), ("bytes=5-8", 5, 8), ("bytes=30-", 30, 31), ("bytes=30-99", 30, 31)],
)
def test_ranges_keep_the_total_back(https, mapped, folder, header, first, last):
    answer = https.get(f"{mapped.https_server}/example.txt", headers={"Range": header})
    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/*"
    assert answer.content == (folder / "example.txt").read_bytes()[first : last + 1]


@pytest.mark.parametrize("header", ["bytes=-8", "bytes=32-", "bytes=99-100"])
def test_ranges_that_are_refused(https, mapped, header):
    answer = https.get(f"{mapped.https_server}/example.txt", headers={"Range": header})
    assert answer.status_code == 416


@pytest.mark.parametrize("header", ["bytes=0-1,4-5", "bytes=9-3", "lines=1-2", "bytes=x-"])
def test_ranges_that_are_ignored(https, mapped, header):
    answer = https.get(f"{mapped.https_server}/example.txt", headers={"Range": header})
    assert (answer.status_code, len(answer.content)) == (200, 32)


def test_a_large_file_to_a_slow_reader(https, mapped, folder):
    contents = (folder / "large.bin").read_bytes()
    with https.get(
        f"{mapped.https_server}/large.bin", stream=True, headers={"Range": "bytes=1-"}
    ) as answer:
        received = b""
        for index, chunk in enumerate(answer.iter_content(1 << 20)):
            time.sleep(0.2 if index == 0 else 0)
            received += chunk
    assert received == contents[1:]


def test_folders(https, mapped):
    root = https.head(mapped.https_server + "/")
    assert (root.status_code, root.headers["Content-Length"]) == (200, "4096")
    assert root.headers["Content-Type"] == "httpd/unix-directory"
    below = https.head(mapped.https_server + "/data/")
    assert (below.status_code, below.headers["Content-Length"]) == (200, "4096")
    assert "Content-Type" not in below.headers
    assert https.get(mapped.https_server + "/data/").status_code == 404


@pytest.mark.parametrize("path", ["/nothing", "/example.txt/x", "/%ff"])
def test_missing_files(https, mapped, path):
    answer = https.get(mapped.https_server + path)
    assert answer.status_code == 404
    assert "c=PATH_NOT_FOUND\nGridFTP-Errno: 2\n" in answer.text
    head = https.head(mapped.https_server + path)
    assert (head.status_code, head.content) == (404, b"")


@pytest.mark.parametrize("path", ["/outside", "/%2e%2e/etc/passwd", "/data/%2e%2e%2f..%2fetc"])
def test_nothing_leads_out_of_the_folder(https, mapped, path):
    request = requests.Request("GET", mapped.https_server, headers=https.headers).prepare()
    request.url = mapped.https_server + path
    answer = https.send(request)
    assert answer.status_code == 403 and "root:" not in answer.text


def test_without_a_token(stand_in, mapped, guest, app):
    url = f"{mapped.https_server}/example.txt"
    other = app.oauth2_client_credentials_tokens(requested_scopes=guest.https)["access_token"]
    for token in [None, "Agx", other]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        browser = requests.get(
            url, headers=headers, verify=stand_in.ca_file, allow_redirects=False
        )
        assert browser.status_code == 302
        location = browser.headers["Location"]
        assert location.startswith(stand_in.auth_url) and query(location)["client_id"] == mapped.id
        script = requests.get(
            url,
            headers={**headers, "X-Requested-With": "XMLHttpRequest"},
            verify=stand_in.ca_file,
            allow_redirects=False,
        )
        assert script.status_code == 401
        wanted = script.json()["authorization_parameters"]["required_scopes"]
        assert wanted == mapped.https_scopes


def test_a_mapped_collection_wants_data_access_too(stand_in, mapped, app):
    token = app.oauth2_client_credentials_tokens(requested_scopes=mapped.https)["access_token"]
    answer = requests.get(
        f"{mapped.https_server}/example.txt",
        headers={"Authorization": f"Bearer {token}", "X-Requested-With": "XMLHttpRequest"},
        verify=stand_in.ca_file,
    )
    assert answer.status_code == 403
    assert mapped.data_access in answer.json()["authorization_parameters"]["required_scopes"]


def test_downloads_preflights_and_other_methods(stand_in, https, mapped):
    url = f"{mapped.https_server}/example.txt"
    assert https.get(url + "?download").headers["Content-Disposition"] == "attachment"
    preflight = requests.options(url, verify=stand_in.ca_file)
    assert preflight.status_code == 200
    assert "Range" in preflight.headers["Access-Control-Allow-Headers"]
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert https.put(url, data=b"x").status_code == 405


def test_what_is_no_file_is_not_read(https, mapped, folder):
    pipe = folder / "data" / "pipe"
    os.mkfifo(pipe)
    try:
        answer = https.get(f"{mapped.https_server}/data/pipe", timeout=5)
        assert answer.status_code == 403 and "PERMISSION_DENIED" in answer.text
    finally:
        pipe.unlink()


def test_an_unreadable_file(https, mapped, folder):
    secret = folder / "data" / "secret"
    secret.write_bytes(b"secret")
    secret.chmod(0)
    try:
        with open(secret, "rb"):
            pytest.skip("this user may read everything")
    except PermissionError:
        answer = https.get(f"{mapped.https_server}/data/secret")
        assert answer.status_code == 403 and "PERMISSION_DENIED" in answer.text
    finally:
        secret.unlink()
