"""The stand-in's Globus Auth and the command, driven by Globus's own SDK and by plain HTTP."""

import base64
import hashlib
import json
import secrets
import stat

import globus_sdk
import pytest
import requests

from conftest import TRANSFER, run_local
from oauth import authorize_url, decide, exchange, query

pytestmark = pytest.mark.usefixtures("sdk")


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


def test_forms_have_a_limit(stand_in):
    answer = exchange(stand_in, "x" * 64 * 1024)
    assert answer.status_code == 413


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
    with pytest.raises(RuntimeError, match="78"):
        with run_local("--stand-in-only", "--directory", folder / "nothing"):
            pass
    with pytest.raises(RuntimeError, match="64"):
        with run_local("--stand-in-only", "--collection", "x=y"):
            pass

