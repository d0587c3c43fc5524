"""The stand-in for Globus, driven by Globus's own SDK, unmodified, and by plain HTTP."""

import base64
import concurrent.futures
import hashlib
import json
import os
import secrets
import stat
import subprocess
import time
import urllib.parse

import globus_sdk
import globus_sdk.gare
import pytest
import requests
from globus_sdk.experimental.gcs_downloader import GCSDownloader

from conftest import TRANSFER, decide, run_local


@pytest.fixture(autouse=True)
def sdk(stand_in, monkeypatch):
    monkeypatch.setenv("GLOBUS_SDK_SERVICE_URL_AUTH", stand_in.auth_url)
    monkeypatch.setenv("GLOBUS_SDK_SERVICE_URL_TRANSFER", stand_in.transfer_url)
    monkeypatch.setenv("GLOBUS_SDK_VERIFY_SSL", stand_in.ca_file)


@pytest.fixture
def mapped(stand_in):
    return stand_in.collections[0]


@pytest.fixture
def guest(stand_in):
    return stand_in.collections[1]


@pytest.fixture
def assured(stand_in):
    return stand_in.collections[2]


@pytest.fixture
def app(stand_in):
    return globus_sdk.ConfidentialAppAuthClient(stand_in.client_id, stand_in.client_secret)


def transfer_client(app, *scopes):
    tokens = app.oauth2_client_credentials_tokens(requested_scopes=scopes or [TRANSFER])
    token = tokens.by_resource_server["transfer.api.globus.org"]["access_token"]
    return globus_sdk.TransferClient(
        authorizer=globus_sdk.AccessTokenAuthorizer(token),
        retry_config=globus_sdk.transport.RetryConfig(max_retries=0),
    )


@pytest.fixture
def transfer(app, mapped):
    return transfer_client(app, mapped.transfer_scope)


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


def query(url):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlparse(url).query))


def authorize_url(stand_in, **changes):
    parameters = {
        "response_type": "code",
        "client_id": stand_in.client_id,
        "redirect_uri": stand_in.redirect_uri,
        "scope": "openid",
        "state": "st/ä&=1",
        **changes,
    }
    return f"{stand_in.auth_url}/v2/oauth2/authorize?{urllib.parse.urlencode(parameters)}"


def exchange(stand_in, code, **more):
    form = {"grant_type": "authorization_code", "code": code, **more}
    form.setdefault("redirect_uri", stand_in.redirect_uri)
    return requests.post(
        f"{stand_in.auth_url}/v2/oauth2/token",
        auth=(stand_in.client_id, stand_in.client_secret),
        data=form,
    )


# Signing in


def test_the_sdk_signs_a_user_in(stand_in, app, mapped, guest):
    app.oauth2_start_flow(
        stand_in.redirect_uri,
        requested_scopes=["openid", "profile", "email", mapped.transfer_scope]
        + mapped.https_scopes
        + guest.https_scopes,
        refresh_tokens=True,
        state="state 1",
    )
    back = decide(app.oauth2_get_authorize_url())
    assert back.startswith(stand_in.redirect_uri + "&")
    assert query(back)["state"] == "state 1"
    tokens = app.oauth2_exchange_code_for_tokens(query(back)["code"])
    assert tokens["state"] == "state 1"
    servers = tokens.by_resource_server
    assert set(servers) == {
        "auth.globus.org",
        "transfer.api.globus.org",
        mapped.id,
        guest.id,
    }
    assert servers["transfer.api.globus.org"]["scope"] == TRANSFER
    assert servers[mapped.id]["scope"].split() == mapped.https_scopes

    payload = tokens["id_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["preferred_username"] == "researcher@example.org"
    assert claims["aud"] == stand_in.client_id

    token = servers["auth.globus.org"]["access_token"]
    user = globus_sdk.AuthClient(authorizer=globus_sdk.AccessTokenAuthorizer(token)).userinfo()
    assert user["sub"] == claims["sub"] and user["email"] == "researcher@example.org"

    refreshed = app.oauth2_refresh_token(servers[mapped.id]["refresh_token"])
    assert refreshed["resource_server"] == mapped.id
    assert refreshed["other_tokens"] == []
    assert refreshed["access_token"] != servers[mapped.id]["access_token"]

    authorizer = globus_sdk.RefreshTokenAuthorizer(
        servers["transfer.api.globus.org"]["refresh_token"], app
    )
    listed = globus_sdk.TransferClient(authorizer=authorizer).operation_ls(mapped.id)
    assert "example.txt" in [entry["name"] for entry in listed]


def test_refused_consent_goes_back_with_the_state(stand_in):
    back = decide(authorize_url(stand_in), decision="deny")
    assert query(back)["error"] == "access_denied"
    assert query(back)["state"] == "st/ä&=1"
    assert "code" not in query(back)


def test_what_the_user_is_shown(stand_in, mapped):
    text = requests.get(authorize_url(stand_in, scope=f"openid {mapped.https}")).text
    assert stand_in.client_id in text and mapped.https in text
    assert "researcher@example.org" in text and "<script" not in text


@pytest.mark.parametrize(
    "change, code",
    [
        ({"redirect_uri": "https://elsewhere.example/"}, "OAUTH_AUTH_REQUEST_FAILURE"),
        ({"client_id": "somebody"}, "OAUTH_AUTH_REQUEST_FAILURE"),
        ({"scope": "openid no:such:scope"}, "UNKNOWN_SCOPE_ERROR"),
        ({"scope": "openid["}, "INVALID_SCOPE_ERROR"),
    ],
)
def test_a_wrong_app_or_scope_strands_the_user(stand_in, change, code):
    page = requests.get(authorize_url(stand_in, **change), allow_redirects=False)
    assert page.status_code == 400 and "Location" not in page.headers
    assert code in page.text and page.headers["Content-Type"].startswith("text/html")


def test_data_access_exists_for_mapped_collections_without_high_assurance_only(
    stand_in, mapped, guest, assured
):
    for collection, status in [(mapped, 200), (guest, 400), (assured, 400)]:
        for scope in [collection.data_access, f"{TRANSFER}[*{collection.data_access}]"]:
            page = requests.get(authorize_url(stand_in, scope=scope))
            assert page.status_code == status, (collection.kind, scope)


def test_a_code_works_once_and_for_its_redirect_uri_only(stand_in):
    code = query(decide(authorize_url(stand_in)))["code"]
    assert exchange(stand_in, code).status_code == 200
    again = exchange(stand_in, code)
    assert (again.status_code, again.json()) == (401, {"error": "invalid_grant"})

    code = query(decide(authorize_url(stand_in)))["code"]
    wrong = exchange(stand_in, code, redirect_uri=stand_in.base_url)
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid_grant"})


def test_a_code_is_bound_to_its_verifier(stand_in):
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    url = authorize_url(stand_in, code_challenge=challenge, code_challenge_method="S256")
    outcomes = {}
    for sent in [verifier, verifier + "x", None]:
        code = query(decide(url))["code"]
        more = {"code_verifier": sent} if sent else {}
        outcomes[sent] = exchange(stand_in, code, **more).status_code
    assert outcomes == {verifier: 200, verifier + "x": 401, None: 401}

    plain = authorize_url(stand_in, code_challenge=verifier, code_challenge_method="plain")
    back = requests.get(plain, allow_redirects=False).headers["Location"]
    assert query(back)["error"] == "invalid_request"


def test_tokens_are_for_the_registered_app(stand_in):
    wrong = globus_sdk.ConfidentialAppAuthClient(stand_in.client_id, "wrong")
    with pytest.raises(globus_sdk.AuthAPIError) as error:
        wrong.oauth2_client_credentials_tokens(requested_scopes=TRANSFER)
    assert error.value.http_status == 401
    nobody = requests.post(
        f"{stand_in.auth_url}/v2/oauth2/token", data={"grant_type": "client_credentials"}
    )
    assert nobody.status_code == 401


def test_introspection_and_revocation(stand_in, app):
    code = query(decide(authorize_url(stand_in, scope="openid email", access_type="offline")))
    tokens = exchange(stand_in, code["code"]).json()
    known = app.post(
        "/v2/oauth2/token/introspect",
        data={"token": tokens["access_token"]},
        encoding="form",
    )
    assert known["active"] and known["username"] == "researcher@example.org"
    assert known["exp"] - known["iat"] == tokens["expires_in"] == 172_800
    assert "auth.globus.org" in known["aud"]

    assert app.oauth2_revoke_token(tokens["refresh_token"])["active"] is False
    gone = app.post(
        "/v2/oauth2/token/introspect",
        data={"token": tokens["access_token"]},
        encoding="form",
    )
    assert gone.data == {"active": False}
    with pytest.raises(globus_sdk.AuthAPIError) as error:
        app.oauth2_refresh_token(tokens["refresh_token"])
    assert error.value.http_status == 401


def test_userinfo_needs_openid(stand_in, app):
    token = app.oauth2_client_credentials_tokens(requested_scopes="email")["access_token"]
    for bearer, status, code in [(token, 403, "FORBIDDEN"), ("Agx", 401, "UNAUTHORIZED")]:
        answer = requests.get(
            f"{stand_in.auth_url}/v2/oauth2/userinfo",
            headers={"Authorization": f"Bearer {bearer}"},
        )
        assert answer.status_code == status
        assert answer.json()["errors"][0]["code"] == code


def test_access_tokens_expire(folder, monkeypatch):
    with run_local(
        "--stand-in-only", "--directory", folder, "--access-token-lifetime", 1
    ) as local:
        monkeypatch.setenv("GLOBUS_SDK_SERVICE_URL_AUTH", local.auth_url)
        monkeypatch.setenv("GLOBUS_SDK_SERVICE_URL_TRANSFER", local.transfer_url)
        app = globus_sdk.ConfidentialAppAuthClient(local.client_id, local.client_secret)
        client = transfer_client(app)
        time.sleep(2.1)
        with pytest.raises(globus_sdk.TransferAPIError) as error:
            client.get_endpoint(local.collections[0].id)
        assert (error.value.http_status, error.value.code) == (401, "AuthenticationFailed")


def test_forms_have_a_limit(stand_in):
    answer = exchange(stand_in, "x" * 64 * 1024)
    assert answer.status_code == 413


# Transfer


def test_the_sdk_reads_a_collections_document(transfer, mapped, guest, assured):
    for collection, entity, assurance in [
        (mapped, "GCSv5_mapped_collection", False),
        (guest, "GCSv5_guest_collection", False),
        (assured, "GCSv5_mapped_collection", True),
    ]:
        document = transfer.get_endpoint(collection.id)
        assert document["DATA_TYPE"] == "endpoint" and document["id"] == collection.id
        assert document["entity_type"] == entity
        assert document["high_assurance"] is assurance
        assert document["https_server"] == collection.https_server


def test_the_sdk_lists_and_stats(transfer, mapped, folder):
    listing = transfer.operation_ls(mapped.id, path="/")
    assert listing["DATA_TYPE"] == "file_list" and listing["path"] == "/"
    entries = {entry["name"]: entry for entry in listing}
    assert set(entries) == {path.name for path in folder.iterdir()}
    example = entries["example.txt"]
    assert (example["type"], example["size"]) == ("file", 32)
    assert example["last_modified"] == "2023-11-14 22:13:20+00:00"
    assert example["permissions"] == f"{stat.S_IMODE((folder / 'example.txt').stat().st_mode):04o}"
    assert entries["data"]["type"] == "dir"
    assert entries["link"]["type"] == "file" and entries["link"]["size"] == 8
    assert entries["link"]["link_target"] == "data/a b+é%.csv"
    assert entries["outside"]["type"] == "invalid_symlink"

    assert transfer.operation_stat(mapped.id, path="/example.txt").data == example
    assert transfer.operation_stat(mapped.id, path="/data/a b+é%.csv")["size"] == 8
    assert transfer.operation_stat(mapped.id, path="/~/data/")["type"] == "dir"


def test_listings_are_cut_sorted_and_filtered(transfer, mapped):
    def names(**parameters):
        return [entry["name"] for entry in transfer.operation_ls(mapped.id, **parameters)]

    everything = names()
    assert everything == sorted(everything)
    assert names(limit=2, offset=1) == everything[1:3]
    assert ".hidden" in everything
    assert names(show_hidden=False) == [name for name in everything if name != ".hidden"]
    assert names(orderby="size DESC")[0] == "large.bin"
    assert names(filter={"name": ["~*.txt", "~*.bin"]}) == ["example.txt", "large.bin"]
    assert names(filter="name:!~*.*/type:dir") == ["data"]
    assert names(filter="last_modified:,2023-11-14") == ["example.txt"]
    assert transfer.operation_ls(mapped.id, limit=1)["total"] == len(everything)


@pytest.mark.parametrize(
    "operation, path, status, code, text",
    [
        ("ls", "/nothing", 404, "ClientError.NotFound", "not found"),
        ("stat", "/nothing", 404, "NotFound", "c=PATH_NOT_FOUND\\r\\n550-GridFTP-Errno: 2\\r\\n"),
        ("ls", "/example.txt", 502, "ExternalError.DirListingFailed.NotDirectory", "directory"),
        ("stat", "/example.txt/x", 404, "NotFound", "No such file"),
        ("stat", "/../etc/passwd", 403, "EndpointPermissionDenied", "Path not allowed"),
        ("ls", "/outside/", 502, "ExternalError.DirListingFailed.PermissionDenied", "denied"),
        ("stat", "/a\r\nb", 400, "InvalidPath", "path"),
    ],
)
def test_transfers_errors(transfer, mapped, operation, path, status, code, text):
    with pytest.raises(globus_sdk.TransferAPIError) as error:
        getattr(transfer, f"operation_{operation}")(mapped.id, path=path)
    assert (error.value.http_status, error.value.code) == (status, code)
    assert text in error.value.message
    assert error.value.raw_json["resource"] == f"/operation/endpoint/{mapped.id}/{operation}"
    assert error.value.request_id


def test_no_such_collection(transfer):
    with pytest.raises(globus_sdk.TransferAPIError) as error:
        transfer.get_endpoint("00000000-0000-4000-8000-000000000000")
    assert (error.value.http_status, error.value.code) == (404, "EndpointNotFound")


def test_only_the_bracketed_data_access_satisfies_transfer(app, mapped, guest, assured):
    flat = transfer_client(app, TRANSFER, mapped.data_access)
    with pytest.raises(globus_sdk.TransferAPIError) as error:
        flat.operation_ls(mapped.id)
    assert error.value.http_status == 403
    assert error.value.info.consent_required.required_scopes == [mapped.transfer_scope]
    requirements = globus_sdk.gare.to_gare(error.value).authorization_parameters
    assert requirements.required_scopes == [mapped.transfer_scope]
    for collection in [guest, assured]:
        assert flat.operation_stat(collection.id, path="/example.txt")["size"] == 32


def test_search(stand_in, app, mapped, guest, assured):
    tokens = exchange(
        stand_in, query(decide(authorize_url(stand_in, scope=TRANSFER)))["code"]
    ).json()
    client = globus_sdk.TransferClient(
        authorizer=globus_sdk.AccessTokenAuthorizer(tokens["access_token"])
    )
    mine = client.endpoint_search(filter_scope="my-endpoints", limit=2)
    assert [entry["id"] for entry in mine] == [mapped.id, guest.id]
    assert mine["has_next_page"] is True
    word = mapped.directory.name[:5]
    assert len(list(client.endpoint_search(word))) == 3
    assert len(list(client.endpoint_search("nothing-of-the-kind"))) == 0
    with pytest.raises(globus_sdk.TransferAPIError) as error:
        client.endpoint_search()
    assert error.value.http_status == 400


def test_without_credentials_transfer_says_400(stand_in, mapped):
    answer = requests.get(f"{stand_in.transfer_url}/v0.10/endpoint/{mapped.id}")
    assert answer.status_code == 400 and "credentials" in answer.json()["message"]


def test_transfer_calls_take_the_time_that_they_are_told_to(folder):
    with run_local(
        "--stand-in-only", "--directory", folder, "--transfer-latency", 2000
    ) as local, concurrent.futures.ThreadPoolExecutor() as pool:
        call = pool.submit(requests.get, f"{local.transfer_url}/v0.10/endpoint_search")
        assert requests.get(f"{local.auth_url}/v2/oauth2/userinfo").status_code == 401
        assert not call.done()
        assert call.result().status_code == 400


# The HTTPS server


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


# The command


def test_a_sample_folder_and_a_clean_end():
    with run_local("--stand-in-only") as local:
        first = local.collections[0]
        assert (first.directory / "example.txt").is_file()
        work = first.directory.parent
        assert stat.S_IMODE(work.stat().st_mode) == 0o700
        key = work / "server.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        local.process.terminate()
        assert local.process.wait(timeout=10) == 0
        assert not work.exists()
    with run_local("--stand-in-only") as local:
        assert local.collections[0].id == first.id


def test_what_cannot_be_served(folder):
    with pytest.raises(RuntimeError, match="ended with 78"):
        with run_local(
            "--stand-in-only", "--directory", folder / "nothing", stderr=subprocess.DEVNULL
        ):
            pass
    with pytest.raises(RuntimeError, match="ended with 64"):
        with run_local("--stand-in-only", "--collection", "x=y", stderr=subprocess.DEVNULL):
            pass
