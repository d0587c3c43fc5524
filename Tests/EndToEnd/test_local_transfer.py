"""The stand-in's Transfer API, driven by Globus's own SDK."""

import concurrent.futures
import stat
import time

import globus_sdk
import globus_sdk.gare
import pytest
import requests

from conftest import TRANSFER, run_local
from oauth import authorize_url, decide, exchange, query

pytestmark = pytest.mark.usefixtures("sdk")


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
