"""The sign-in by scripts: its forms of answer, its refusals, and what binds it to a browser."""

import datetime
import re
import urllib.parse

import pytest
import requests

from frontend import audit_row, sign_in
from oauth import decide


def test_the_json_form(local):
    answer = sign_in(local.base_url, local.collection)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    assert re.fullmatch(r"[A-Za-z0-9]{100,4096}", body["access_key_id"])
    assert body["secret_access_key"]
    assert body["collections"] == [local.collection]
    assert body["endpoint_url"] == local.base_url
    expires = datetime.datetime.fromisoformat(body["expires_at"].replace("Z", "+00:00"))
    assert expires > datetime.datetime.now(datetime.timezone.utc)


@pytest.mark.parametrize("accept", ["*/*", None, "text/plain"])
def test_the_text_form_is_the_bare_access_key_id(local, accept):
    answer = sign_in(local.base_url, local.collection, accept=accept)
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert re.fullmatch(r"[A-Za-z0-9]+\n?", answer.text)


def test_the_page_is_guarded(local):
    answer = sign_in(local.base_url, local.collection, accept="text/html,*/*;q=0.8")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert local.collection in answer.text


def test_the_sign_in_has_rows(local):
    session = requests.Session()
    start = session.get(f"{local.base_url}/{local.collection}/?auth", allow_redirects=False)
    row = audit_row(local.audit_db, start.headers["x-amz-request-id"])
    assert (row["operation"], row["status"], row["outcome"]) == ("AuthStart", 303, "ok")
    done = session.get(decide(start.headers["Location"], "approve", session))
    row = audit_row(local.audit_db, done.headers["x-amz-request-id"])
    assert (row["operation"], row["status"]) == ("AuthCallback", 200)
    assert row["username"] == "researcher@example.org"
    assert row["collection_id"] == local.collection and row["credential"]


def test_refused_consent_is_403(local):
    answer = sign_in(local.base_url, local.collection, decision="deny")
    assert answer.status_code == 403
    assert set(answer.json()) >= {"error", "message"}


def test_a_flow_belongs_to_the_browser_that_began_it(local):
    session = requests.Session()
    start = session.get(f"{local.base_url}/{local.collection}/?auth", allow_redirects=False)
    callback = decide(start.headers["Location"], "approve", session)
    assert requests.get(callback).status_code == 400  # another browser: no cookie
    assert session.get(callback).status_code == 200


@pytest.mark.parametrize(
    "query",
    ["", "&state=x", "&code=x", "&state=x&code=y", "&state=x&state=y&code=z",
     "&state=" + "x" * 5000 + "&code=y", "&error=<script>alert(1)</script>&state=x"],
)
def test_a_callback_that_belongs_to_no_flow_is_400_and_reflects_nothing(local, query):
    answer = requests.get(f"{local.base_url}/?auth-callback{query}", headers={"Accept": "text/html"})
    assert answer.status_code == 400
    assert "<script>alert" not in answer.text


def test_an_unknown_collection_is_404(local):
    answer = requests.get(f"{local.base_url}/11111111-2222-4333-8444-555555555555/?auth",
                          headers={"Accept": "application/json"}, allow_redirects=False)
    assert answer.status_code == 404
    assert set(answer.json()) >= {"error", "message"} and "&private" in answer.json()["message"]


def test_a_collection_that_may_be_private_is_looked_up_in_the_persons_name(local):
    answer = sign_in(local.base_url, "11111111-2222-4333-8444-555555555555", query="&private")
    assert (answer.status_code, answer.json()["error"]) == (404, "NoSuchCollection")


def test_another_host_is_sent_to_the_base_url_first(local):
    port = urllib.parse.urlsplit(local.base_url).port
    answer = requests.get(f"{local.base_url}/?auth", allow_redirects=False,
                          headers={"Host": f"{local.collection}.localhost:{port}"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{local.base_url}/{local.collection}/?auth"


def test_the_cookie_of_the_flow(local):
    answer = requests.get(f"{local.base_url}/{local.collection}/?auth", allow_redirects=False)
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert "Secure" not in cookie and "__Host-" not in cookie  # an http base URL
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["Location"]).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"] == [f"{local.base_url}/?auth-callback"]
    assert {"openid", "profile", "email"} <= set(query["scope"][0].split())
