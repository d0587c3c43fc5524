"""Each outcome of a sign-in in headless Chromium, and that its page gets the person further."""

import json
import re

import pytest
import requests
from selenium.webdriver.common.by import By

from frontend import Program, audit_row
from pages import (browser, heading, press, screenshots, sign_in_here,  # noqa: F401
                   snippets)
from stand_in import frontend_of, serving, unreachable

UNKNOWN = "11111111-2222-4333-8444-555555555555"
NOWHERE = "This sign-in is not open any more"
MARK = "gs3-hostile-mark"
HOSTILE = [f"<script>document.title='{MARK}'</script>", f"'\"><img src=x onerror=alert('{MARK}')>",
           f"javascript:alert('{MARK}')", f"{MARK}\r\nSet-Cookie: {MARK}=1", f"{{{{{MARK}}}}}"]


def links(browser):
    return [link.get_attribute("href") for link in browser.find_elements(By.CSS_SELECTOR, "main a")]


def follow(browser, text):
    browser.find_element(By.LINK_TEXT, text).click()


def name_collection(browser, value):
    """Fills in the form of a page that asks for a collection."""
    field = browser.find_element(By.NAME, "collection")
    field.clear()
    field.send_keys(value)
    browser.find_element(By.CSS_SELECTOR, "form button").click()


def reference(browser):
    """The request id that the page names."""
    return browser.find_elements(By.CSS_SELECTOR, "main p.quiet code")[-1].text


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A server with two collections, the second of them a guest one."""
    one, other = tmp_path_factory.mktemp("soil-moisture"), tmp_path_factory.mktemp("ice-cores")
    ids = ["1b6d2c9e-0000-4000-8000-00000000aaaa", "1b6d2c9e-0000-4000-8000-00000000bbbb"]
    (one / "projects/été").mkdir(parents=True)
    program = Program("local", "--collection", f"{ids[0]}={one}", "--collection",
                      f"{ids[1]}={other}", "--guest", ids[1], "--listen", "127.0.0.1:0")
    program.ids, program.names = ids, [one.name, other.name]
    yield program.wait_ready()
    assert program.stop() == 0


def test_a_person_signs_in_and_reads_the_credential(local, browser, aws, tmp_path):  # noqa: F811
    main = sign_in_here(browser, f"{local.base_url}/{local.collection}/?auth")
    assert "researcher@example.org" in main.text and local.collection in main.text
    assert local.folder.name in main.text
    assert "not strict" in main.text and "don't share links" in main.text
    time = browser.find_element(By.TAG_NAME, "time")
    assert time.get_attribute("datetime").replace("T", " ").replace("Z", " UTC") == time.text
    aws("s3", "cp", f"s3://{local.collection}/example.txt", tmp_path / "copy.txt",
        environment={"AWS_ACCESS_KEY_ID": snippets(browser)["key-id"]})
    assert (tmp_path / "copy.txt").read_bytes() == (local.folder / "example.txt").read_bytes()
    assert not [entry for entry in browser.get_log("browser") if "favicon" not in entry["message"]]
    screenshots(browser, "signed-in")


def test_from_there_to_a_strict_credential(local, browser):  # noqa: F811
    sign_in_here(browser, f"{local.base_url}/{local.collection}/?auth")
    ordinary = snippets(browser)["key-id"]
    follow(browser, "Get a strict credential")
    press(browser, "approve")
    main = heading(browser, "You are signed in")
    assert "counts only in requests signed with its secret" in main.text
    assert "not strict" not in main.text and "don't share links" not in main.text
    key = snippets(browser)["key-id"]
    assert key != ordinary
    for credential, status in ((ordinary, 200), (key, 403)):
        answer = requests.head(f"{local.base_url}/{local.collection}/example.txt", headers={
            "x-amz-date": "20260101T000000Z", "Authorization":
            f"AWS4-HMAC-SHA256 Credential={credential}/20260101/globus/s3/aws4_request, "
            f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"})
        assert answer.status_code == status
    screenshots(browser, "strict")


def test_several_collections(pair, browser):  # noqa: F811
    query = "".join(f"&collection={one}" for one in pair.ids)
    main = sign_in_here(browser, f"{pair.base_url}/?auth{query}")
    assert "2 collections" in main.text
    for part in pair.ids + pair.names:
        assert part in main.text
    assert snippets(browser)["buckets"].split() == pair.ids
    screenshots(browser, "several")


def test_a_root_folder(pair, browser):  # noqa: F811
    start = f"{pair.base_url}/{pair.ids[0]}/?auth&root=/projects/%C3%A9t%C3%A9"
    main = sign_in_here(browser, start)
    assert "its folder /projects/été, and nothing outside of it" in main.text
    screenshots(browser, "root-folder")
    follow(browser, "Get a strict credential")
    press(browser, "approve")
    main = heading(browser, "You are signed in")
    assert "/projects/été" in main.text and "not strict" not in main.text


@pytest.mark.parametrize("root, expected, asks", [
    ("/projects/none", "There is no such folder", True),
    ("/projects/../x", "This folder can't be a bucket", False)])
def test_a_folder_that_can_be_no_bucket(pair, browser, root, expected, asks):  # noqa: F811
    browser.get(f"{pair.base_url}/{pair.ids[0]}/?auth&root={root}")
    if asks:
        press(browser, "approve")
    heading(browser, expected)
    assert root not in browser.find_element(By.TAG_NAME, "main").text
    screenshots(browser, "no-such-folder")
    follow(browser, "Open the whole collection")
    press(browser, "approve")
    assert "its folder" not in heading(browser, "You are signed in").text


def test_globus_wants_another_sign_in(pair, browser):  # noqa: F811
    demands = [{"id": pair.ids[0], "session": {"form": "top_level", "domain": "uni.example"}}]
    requests.post(f"{pair.auth_url}/local/faults", json={"collections": demands}).raise_for_status()
    try:
        start = f"{pair.base_url}/{pair.ids[0]}/?auth&root=/projects"
        sign_in_here(browser, start, "Globus asks for another sign-in")
        screenshots(browser, "another-sign-in")
        follow(browser, "Go on at Globus")
        press(browser, "approve")
        assert "its folder /projects" in heading(browser, "You are signed in").text
    finally:
        requests.post(f"{pair.auth_url}/local/faults", json={}).raise_for_status()


def test_refused_consent(local, browser):  # noqa: F811
    start = f"{local.base_url}/{local.collection}/?auth&strict"
    sign_in_here(browser, start, "You did not grant access", decision="deny")
    row = audit_row(local.audit_db, reference(browser))
    assert (row["operation"], row["status"], row["error_code"]) == (
        "AuthCallback", 403, "AccessDenied")
    screenshots(browser, "refused")
    follow(browser, "Start again")
    press(browser, "approve")
    assert "strict" in heading(browser, "You are signed in").text


@pytest.mark.parametrize("way", ["forged state", "expired", "used before"])
def test_a_callback_of_no_open_flow(local, browser, way):  # noqa: F811
    start = f"{local.base_url}/{local.collection}/?auth"
    if way == "forged state":
        browser.get(f"{local.base_url}/?auth-callback&code=x&state={MARK}")
    elif way == "expired":  # the browser forgets the cookie after ten minutes
        browser.get(start)
        browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
        press(browser, "approve")
    else:
        sign_in_here(browser, start)
        browser.refresh()
    heading(browser, NOWHERE)
    assert MARK not in browser.page_source
    row = audit_row(local.audit_db, reference(browser))
    assert (row["status"], row["error_code"]) == (400, "ExpiredSignIn")
    screenshots(browser, "expired")
    name_collection(browser, local.collection)
    press(browser, "approve")
    assert local.collection in heading(browser, "You are signed in").text


def test_an_unknown_collection(local, browser):  # noqa: F811
    browser.get(f"{local.base_url}/{UNKNOWN}/?auth")
    heading(browser, "No such collection")
    row = audit_row(local.audit_db, reference(browser))
    assert (row["operation"], row["status"]) == ("AuthStart", 404)
    screenshots(browser, "unknown")
    follow(browser, "It is private: sign in and look it up in my name")
    press(browser, "approve")
    main = heading(browser, "No such collection")
    assert "not allowed to see it" in main.text
    assert f"{local.base_url}/{UNKNOWN}/?auth&private" in links(browser)
    name_collection(browser, local.collection)
    press(browser, "approve")
    heading(browser, "You are signed in")


@pytest.mark.parametrize("path", ["?auth", "not-a-uuid/?auth"])
def test_no_collection_named(local, browser, path):  # noqa: F811
    browser.get(f"{local.base_url}/{path}")
    heading(browser, "Which collection?")
    screenshots(browser, "which")
    name_collection(browser, "nonsense")  # the browser itself does not send this
    assert heading(browser, "Which collection?")
    name_collection(browser, local.collection.upper())
    press(browser, "approve")
    heading(browser, "You are signed in")


def test_too_many_collections(local, browser):  # noqa: F811
    query = "".join(f"&collection={UNKNOWN[:-2]}{number:02}" for number in range(11))
    browser.get(f"{local.base_url}/?auth{query}")
    assert "10 at once is the most" in heading(browser, "Too many collections").text
    assert browser.find_element(By.NAME, "collection")


def test_a_collection_without_https(browser, tmp_path):  # noqa: F811
    document = {"entity_type": "GCP_mapped_collection", "display_name": MARK, "https_server": None}
    with serving(json.dumps(document).encode()) as globus, frontend_of(globus, tmp_path) as base:
        browser.get(f"{base}/{UNKNOWN}/?auth")
        main = heading(browser, "This collection can't be read over HTTPS")
        assert "Globus Connect Personal" in main.text and MARK not in browser.page_source
        assert audit_row(tmp_path / "audit.db", reference(browser))["status"] == 409
        assert browser.find_element(By.NAME, "collection")
        screenshots(browser, "no-https")


def test_globus_unreachable(browser, tmp_path):  # noqa: F811
    with unreachable() as globus, frontend_of(globus, tmp_path) as base:
        start = f"{base}/{UNKNOWN}/?auth&strict"
        browser.get(start)
        heading(browser, "Globus can't be reached")
        assert audit_row(tmp_path / "audit.db", reference(browser))["status"] == 503
        assert start in links(browser)
        screenshots(browser, "unreachable")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_of_the_address_is_reflected(local, browser, hostile):  # noqa: F811
    value = requests.utils.quote(hostile, safe="")
    for query in (f"?auth-callback&error={value}&error_description={value}&state={value}",
                  f"?auth-callback&code={value}&state={value}&iss={value}",
                  f"?auth-callback={value}", f"?auth&collection={value}",
                  f"?auth={value}&strict={value}&root={value}",
                  f"{value}/?auth", f"{UNKNOWN}/?auth&private={value}&x={value}#{value}"):
        browser.get(f"{local.base_url}/{query}")
        assert MARK not in browser.page_source and MARK not in browser.title
        assert not browser.get_cookie(MARK)


@pytest.mark.parametrize("path", ["", "{collection}/", "{collection}/example.txt"])
def test_without_a_credential_s3s_error_says_where_to_sign_in(local, browser, path):  # noqa: F811
    url = f"{local.base_url}/{path.format(collection=local.collection)}"
    answer = requests.get(url, headers={"Accept": "text/html"})
    assert answer.status_code == 403 and answer.headers["Content-Type"] == "application/xml"
    browser.get(url)
    assert "AccessDenied" in browser.page_source
    sign_in, = set(re.findall(r"http://[^\s<]*\?auth", answer.text))
    browser.get(sign_in)
    if path:
        press(browser, "approve")
        heading(browser, "You are signed in")
    else:
        heading(browser, "Which collection?")
