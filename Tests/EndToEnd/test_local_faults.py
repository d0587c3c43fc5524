"""The stand-in's faults, seen by Globus's SDK and by plain HTTPS: docs/local.md has the table."""

import http.client
import ssl

import globus_sdk
import globus_sdk.gare
import pytest
import requests

import liar
from conftest import run_local
from faults import set_faults
from oauth import authorize_url, decide, exchange, query

pytestmark = pytest.mark.usefixtures("sdk")


@pytest.fixture
def fault(stand_in):
    """Sets what goes wrong; ends it with the test."""
    yield lambda **settings: set_faults(stand_in, **settings)
    set_faults(stand_in)


@pytest.fixture
def transfer(app, mapped):
    """A Transfer client with every consent, that does not retry."""
    tokens = app.oauth2_client_credentials_tokens(requested_scopes=mapped.transfer_scope)
    return client(tokens["access_token"])


def client(token):
    configuration = globus_sdk.transport.RetryConfig(max_retries=0)
    return globus_sdk.TransferClient(
        authorizer=globus_sdk.AccessTokenAuthorizer(token), retry_config=configuration)


def refusal(call, *arguments, **options):
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        call(*arguments, **options)
    return caught.value


def signed_in(stand_in, scopes, **parameters):
    """A person's tokens, by resource server; `parameters` go to the authorize request."""
    back = decide(authorize_url(stand_in, scope=" ".join(scopes), **parameters))
    answer = exchange(stand_in, query(back)["code"]).json()
    return {token["resource_server"]: token for token in [answer, *answer["other_tokens"]]}


@pytest.mark.parametrize("body, word", [
    ('{"transfer": [{"answer": "no such answer"}]}', "no such answer"),
    ('{"transfers": []}', "transfers"), ('{"data": [{"nodes": ["C"], "time": 3}]}', "time"),
    ('{"data": [{"nodes": []}]}', "nodes"), ("[", ""), ('{"data": 7}', "data"),
])
def test_what_is_not_understood_is_said(stand_in, body, word):
    answer = requests.post(f"{stand_in.auth_url}/local/faults", data=body)
    assert answer.status_code == 400 and word in answer.json()["error"]
    assert requests.get(f"{stand_in.auth_url}/local/faults").status_code == 405


def test_faults_from_the_start(folder, tmp_path):
    (tmp_path / "faults.json").write_text('{"auth": [{"answer": "unavailable", "times": 1}]}')
    with run_local("--stand-in-only", "--directory", folder,
                   "--faults", tmp_path / "faults.json") as local:
        answers = [requests.get(f"{local.auth_url}/v2/oauth2/userinfo") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [503, 401]


@pytest.mark.parametrize("answer, status, code", [
    ("authentication_failed", 401, "AuthenticationFailed"),
    ("consent_required", 403, "ConsentRequired"),
    ("permission_denied", 403, "EndpointPermissionDenied"), ("not_found", 404, "NotFound"),
    ("rate_limited", 429, "ClientError.TooManyRequests"),
    ("unavailable", 503, "ServiceUnavailable"),
    ("endpoint_error", 502, "EndpointError"),
    ("timeout", 502, "ExternalError.DirListingFailed.Timeout"),
    ("disconnected", 502, "ExternalError.DirListingFailed.GCDisconnected"),
])
def test_transfers_refusals(fault, transfer, mapped, answer, status, code):
    fault(transfer=[{"operation": "stat", "answer": answer, "retry_after": 9, "times": 1}])
    error = refusal(transfer.operation_stat, mapped.id, "/example.txt")
    assert (error.http_status, error.code) == (status, code)
    assert error.raw_json["resource"] == f"/operation/endpoint/{mapped.id}/stat"
    assert error.headers["Retry-After"] == "9"
    assert transfer.operation_stat(mapped.id, "/example.txt")["size"] == 32


def test_faults_are_for_what_they_name(fault, transfer, mapped, guest):
    fault(transfer=[{"operation": "stat", "collection": mapped.id, "path": "/empty",
                     "answer": "timeout"}])
    assert transfer.operation_stat(mapped.id, "/example.txt")["size"] == 32
    assert transfer.operation_stat(guest.id, "/empty")["size"] == 0
    assert len(transfer.operation_ls(mapped.id, path="/")["DATA"]) > 5
    assert refusal(transfer.operation_stat, mapped.id, "/empty").http_status == 502


def test_a_page_in_place_of_json(fault, transfer, mapped):
    fault(transfer=[{"answer": "page"}])
    error = refusal(transfer.get_endpoint, mapped.id)
    assert error.http_status == 503 and "text/html" in error.headers["Content-Type"]


def test_consent_required_is_what_the_sdk_expects(fault, transfer, mapped):
    fault(transfer=[{"answer": "consent_required"}])
    error = refusal(transfer.operation_ls, mapped.id)
    assert error.info.consent_required.required_scopes == [mapped.transfer_scope]
    gare = globus_sdk.gare.to_gare(error)
    assert gare.authorization_parameters.required_scopes == [mapped.transfer_scope]


SESSIONS = [
    ({"domain": "uni.example"}, {"session_required_single_domain": "uni.example"}),
    ({"identities": ["a", "b"]}, {"session_required_identities": "b,a"}),
    ({"policies": ["p"]}, {"session_required_policies": "p"}),
    ({"domain": "uni.example", "mfa": True},
     {"session_required_single_domain": "uni.example", "session_required_mfa": "True"}),
    ({"expired": True}, {"prompt": "login"}),
]


@pytest.mark.parametrize("session, parameters", SESSIONS)
def test_sessions(fault, stand_in, guest, session, parameters):
    """A sign-in that asked for it is served; one that did not, and its fresh tokens, are not."""
    fault(collections=[{"id": guest.id, "session": session}])
    scopes = [guest.transfer_scope, *guest.https_scopes]
    plain = signed_in(stand_in, scopes, access_type="offline")
    error = refusal(client(plain["transfer.api.globus.org"]["access_token"]).operation_ls, guest.id)
    told = globus_sdk.gare.to_gare(error).authorization_parameters
    for name in parameters:
        assert getattr(told, name)
    assert read(stand_in, guest, plain[guest.id]).status_code == 403
    fresh = globus_sdk.ConfidentialAppAuthClient(
        stand_in.client_id, stand_in.client_secret
    ).oauth2_refresh_token(plain["transfer.api.globus.org"]["refresh_token"])
    assert refusal(client(fresh["access_token"]).operation_ls, guest.id).http_status in (403, 502)
    right = signed_in(stand_in, scopes, **parameters)
    assert client(right["transfer.api.globus.org"]["access_token"]).operation_ls(guest.id)
    assert read(stand_in, guest, right[guest.id]).status_code == 200


def read(stand_in, collection, token, path="/example.txt", **headers):
    return requests.get(
        collection.https_server + path, verify=stand_in.ca_file, allow_redirects=False,
        headers={"Authorization": f"Bearer {token['access_token']}",
                 "X-Requested-With": "XMLHttpRequest", **headers})


def test_where_a_session_error_is_told(fault, transfer, guest):
    """In both places, in the message only, or there with its end cut off."""
    for form, beside in (("top_level", True), ("embedded", False), ("truncated", False)):
        fault(collections=[{"id": guest.id, "session": {"domain": "uni.example", "form": form}}])
        error = refusal(transfer.operation_stat, guest.id, "/")
        assert error.http_status == 502
        assert error.code == "ExternalError.DirListingFailed.LoginFailed"
        assert ("authorization_parameters" in error.raw_json) == beside
        assert "c=LOGIN_DENIED\\r\\n" in error.message and "\r" not in error.message
        assert '"session_required_single_domain":["uni.example"]' in error.message
        assert error.message.count('"http_response_code"') == (form != "truncated")


def test_an_account_that_is_not_there(fault, transfer, guest):
    fault(collections=[{"id": guest.id, "no_account": True}])
    error = refusal(transfer.operation_ls, guest.id)
    assert "invalid_user#1.0.0" in error.message
    assert "authorization_parameters" not in error.raw_json


def test_a_step_up_page(fault, stand_in, guest):
    fault(collections=[{"id": guest.id, "session": {"domain": "uni.example", "page": True}}])
    answer = read(stand_in, guest, signed_in(stand_in, guest.https_scopes)[guest.id])
    assert answer.status_code == 200 and "text/html" in answer.headers["Content-Type"]


@pytest.mark.parametrize("change, https, subscription, kind", [
    ({"subscription_lapsed": True}, False, False, "GCSv5_guest_collection"),
    ({"kind": "connect_personal"}, False, True, "GCP_mapped_collection"),
    ({"kind": "mapped"}, True, True, "GCSv5_mapped_collection"),
    ({"https_server": "https://elsewhere.example"}, True, True, "GCSv5_guest_collection"),
])
def test_kinds_of_collections(fault, transfer, guest, change, https, subscription, kind):
    fault(collections=[{"id": guest.id, **change}])
    document = transfer.get_endpoint(guest.id)
    assert (document["https_server"] is not None) == https
    assert document["https_server"] in (None, guest.https_server, change.get("https_server"))
    assert (document["subscription_id"] is not None) == subscription
    assert document["entity_type"] == kind


def test_a_personal_collection_has_no_scopes(stand_in, fault, app, guest):
    fault(collections=[{"id": guest.id, "kind": "connect_personal"}])
    page = requests.get(authorize_url(stand_in, scope=guest.https))
    assert page.status_code == 400 and "UNKNOWN_SCOPE_ERROR" in page.text


def test_a_hidden_collection(fault, stand_in, transfer, guest):
    fault(collections=[{"id": guest.id, "hidden": True}])
    error = refusal(transfer.get_endpoint, guest.id)
    assert (error.http_status, error.code) == (403, "PermissionDenied")
    found = transfer.endpoint_search(guest.directory.name)
    assert guest.id not in [entry["id"] for entry in found]
    token = signed_in(stand_in, [guest.transfer_scope])["transfer.api.globus.org"]
    assert client(token["access_token"]).get_endpoint(guest.id)["public"] is False


def test_https_without_data_access(fault, stand_in, mapped):
    token = signed_in(stand_in, [mapped.https])[mapped.id]
    assert read(stand_in, mapped, token).status_code == 403
    fault(collections=[{"id": mapped.id, "https_without_data_access": True}])
    assert read(stand_in, mapped, token).status_code == 200


def test_refresh_tokens_that_rotate(fault, stand_in, app, guest):
    token = signed_in(stand_in, guest.https_scopes, access_type="offline")[guest.id]
    same = app.oauth2_refresh_token(token["refresh_token"])
    assert same["refresh_token"] == token["refresh_token"]
    fault(rotate_refresh_tokens=True)
    other = app.oauth2_refresh_token(token["refresh_token"])
    assert other["refresh_token"] != token["refresh_token"]
    assert read(stand_in, guest, other).status_code == 200
    assert read(stand_in, guest, same).status_code == 401  # it went with its refresh token
    with pytest.raises(globus_sdk.AuthAPIError) as caught:
        app.oauth2_refresh_token(token["refresh_token"])
    assert caught.value.http_status == 401


@pytest.mark.parametrize("answer, status", [
    ("unavailable", 503), ("rate_limited", 429), ("page", 502), ("invalid_grant", 401)])
def test_auths_refusals(fault, stand_in, answer, status):
    fault(auth=[{"endpoint": "token", "answer": answer, "retry_after": 4, "times": 1}])
    assert requests.get(f"{stand_in.auth_url}/v2/oauth2/userinfo").status_code == 401
    refused = exchange(stand_in, "no code")
    assert refused.status_code == status
    assert refused.headers.get("Retry-After") == ("4" if status in (429, 503) else None)
    assert exchange(stand_in, "no code").json() == {"error": "invalid_grant"}


def connection(stand_in, collection):
    host = collection.https_server.removeprefix("https://")
    return http.client.HTTPSConnection(
        host, context=ssl.create_default_context(cafile=stand_in.ca_file))


def test_a_sick_node_sticks_to_its_connections(fault, stand_in, app, guest):
    """Every other connection is to a sick one, for as long as it lasts."""
    token = app.oauth2_client_credentials_tokens(requested_scopes=guest.https)["access_token"]
    fault(data=[{"collection": guest.id, "nodes": ["C", "ok"]}])
    for expected in (404, 200, 404, 200):
        node = connection(stand_in, guest)
        for _ in range(3):
            node.request("GET", "/example.txt", headers={"Authorization": f"Bearer {token}"})
            answer = node.getresponse()
            body = answer.read()
            assert answer.status == expected
        assert body.decode() == (liar.SICK["C"] if expected == 404 else
                                 "Hello from a Globus collection.\n")
        node.close()


@pytest.mark.parametrize("node, status", [
    *((kind, 404) for kind in liar.SICK), ("page", 200), ("redirect", 302), ("unauthorized", 401),
    ("forbidden", 403), ("error", 500), ("unavailable", 503), ("rate_limited", 429),
])
def test_answers_of_a_sick_node(fault, stand_in, app, guest, node, status):
    token = app.oauth2_client_credentials_tokens(requested_scopes=guest.https)
    fault(data=[{"nodes": [node], "retry_after": 3, "times": 1}])
    answer = read(stand_in, guest, token)
    assert answer.status_code == status
    assert answer.headers.get("Retry-After") == ("3" if status in (429, 503) else None)
    if node in liar.SICK:
        assert answer.text == liar.SICK[node]
    assert read(stand_in, guest, token).text == "Hello from a Globus collection.\n"


def test_slow_ones(fault, stand_in, transfer, app, guest):
    """A client with less patience than that gives up."""
    fault(transfer=[{"answer": "ok", "delay_ms": 60_000}],
          data=[{"nodes": ["ok"], "delay_ms": 60_000}],
          auth=[{"answer": "ok", "delay_ms": 60_000}])
    for url in (f"{stand_in.transfer_url}/v0.10/endpoint/{guest.id}",
                f"{stand_in.auth_url}/v2/oauth2/userinfo", f"{guest.https_server}/example.txt"):
        with pytest.raises(requests.Timeout):
            requests.get(url, timeout=0.5, verify=stand_in.ca_file)
