"""What Globus wants beyond a first sign-in: the link in the refusal asks for exactly that, and then
it works. And every kind of collection that there is."""

import re
import urllib.parse

import boto3
import botocore.config
import botocore.exceptions
import pytest
import requests
from selenium.webdriver.common.by import By

from conftest import run_local
from frontend import audit_row, sign_in
from oauth import decide, query
from pages import SIGNED_IN, browser, heading, press, sign_in_here, snippets  # noqa: F401

GUEST = "1b6d2c9e-0000-4000-8000-00000000aaaa"
ASSURED = "1b6d2c9e-0000-4000-8000-00000000bbbb"
SOMEBODY = "5ca1ab1e-0000-4000-8000-0000000000aa"
RULES = ["5ca1ab1e-0000-4000-8000-0000000000bb", "5ca1ab1e-0000-4000-8000-0000000000cc"]
FILES = 200
MESSAGE = {"session_message": "Session reauthentication required (Globus Transfer)"}
SESSION = ("session_", "prompt")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    for number in range(FILES):
        (folder / f"{number}.txt").write_text(f"file {number}")
    (folder / "folder").mkdir()
    (folder / "folder" / "deep.txt").write_text("deep")
    with run_local(
        "--directory", folder, "--collection", f"{GUEST}={folder}", "--guest", GUEST,
        "--collection", f"{ASSURED}={folder}", "--high-assurance", ASSURED,
        "--listen", "127.0.0.1:0", log=tmp_path_factory.mktemp("log") / "stderr",
    ) as local:
        local.files = iter(range(FILES))  # each is asked for once: statuses are remembered
        yield local


@pytest.fixture
def globus(shared):
    yield shared
    faults(shared)


def faults(local, **settings):
    answer = requests.post(f"{local.auth_url}/local/faults", json=settings)
    assert answer.status_code == 200, answer.text


def demand(local, collection, **session):
    faults(local, collections=[{"id": collection, "session": session}])


def client(local, credential):
    return boto3.client(
        "s3", endpoint_url=local.base_url, region_name="globus",
        aws_access_key_id=credential["access_key_id"],
        aws_secret_access_key=credential["secret_access_key"],
        config=botocore.config.Config(retries={"max_attempts": 0}))


def signed_in(local, collection, query=""):
    answer = sign_in(local.base_url, collection, query=query)
    assert answer.status_code == 200, answer.text
    return client(local, answer.json())


def works(local, s3, collection):
    number = next(local.files)
    body = s3.get_object(Bucket=collection, Key=f"{number}.txt")["Body"].read()
    assert body == b"file %d" % number
    return True


def refusal(local, s3, collection):
    """The message of the refusal; its row says the same."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        s3.get_object(Bucket=collection, Key=f"{next(local.files)}.txt")
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert answer["Error"]["Code"] == "AccessDenied"
    row = audit_row(local.audit_db, answer["ResponseMetadata"]["RequestId"])
    assert (row["status"], row["error_code"], row["outcome"]) == (
        403, "AccessDenied", "client_error")
    return answer["Error"]["Message"]


def link_in(message):
    return re.search(r"https?://\S+", message)[0]


def follow(local, link):
    """Opens the link as a browser would; what Auth was asked on the way, and a client that has the
    new credential."""
    session = requests.Session()
    answer = session.get(link, allow_redirects=False)
    asked = []
    while answer.status_code == 303:
        asked.append(query(answer.headers["Location"]))
        callback = decide(answer.headers["Location"], "approve", session)
        answer = session.get(callback, headers={"Accept": "application/json"},
                             allow_redirects=False)
    assert answer.status_code == 200, answer.text
    return asked, client(local, answer.json())


def about_session(parameters):
    return {name: value for name, value in parameters.items() if name.startswith(SESSION)}


@pytest.mark.parametrize("form", ["top_level", "embedded"])
@pytest.mark.parametrize("demanded, expected", [
    ({"expired": True}, {"prompt": "login"}),
    ({"domain": "uni.example"}, {"session_required_single_domain": "uni.example"}),
    ({"identities": [SOMEBODY], "expired": True},
     {"session_required_identities": SOMEBODY, "prompt": "login"}),
    ({"domain": "uni.example", "mfa": True},
     {"session_required_single_domain": "uni.example", "session_required_mfa": "true"}),
    ({"policies": RULES}, {"session_required_policies": ",".join(RULES)}),
])
def test_a_session_that_does_not_do_is_mended_by_the_link(globus, form, demanded, expected):
    s3 = signed_in(globus, ASSURED)
    assert works(globus, s3, ASSURED)
    demand(globus, ASSURED, form=form, **demanded)
    link = link_in(refusal(globus, s3, ASSURED))
    assert link.startswith(f"{globus.base_url}/{ASSURED}/?auth&")
    parameters = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(link).query))
    assert parameters == {**expected, **MESSAGE}
    asked, renewed = follow(globus, link)
    assert [about_session(parameters) for parameters in asked] == [{**expected, **MESSAGE}]
    assert works(globus, renewed, ASSURED)
    # The old credential is no better for it, nor is one of a plain sign-in.
    assert refusal(globus, s3, ASSURED)
    assert refusal(globus, signed_in(globus, ASSURED), ASSURED)


def shown(local, browser):  # noqa: F811
    """A client with the credential that the page shows."""
    blocks = snippets(browser)
    return client(local, {"access_key_id": blocks["key-id"], "secret_access_key": blocks["secret"]})


def test_a_person_opens_the_link(globus, browser):  # noqa: F811
    s3 = signed_in(globus, ASSURED)
    demand(globus, ASSURED, identities=[SOMEBODY], mfa=True, expired=True)
    sign_in_here(browser, link_in(refusal(globus, s3, ASSURED)))
    assert works(globus, shown(globus, browser), ASSURED)


def test_a_sign_in_to_a_folder_finds_out_at_once(globus, browser):  # noqa: F811
    demand(globus, ASSURED, form="embedded", domain="uni.example")
    url = f"{globus.base_url}/{ASSURED}/?auth&root=/folder"
    sign_in_here(browser, url, expected="Globus asks for another sign-in")
    browser.find_element(By.LINK_TEXT, "Go on at Globus").click()
    press(browser, "approve")
    heading(browser, SIGNED_IN)
    s3 = shown(globus, browser)
    assert s3.get_object(Bucket=ASSURED, Key="deep.txt")["Body"].read() == b"deep"


def test_a_demand_that_is_cut_off_still_leads_on(globus):
    s3 = signed_in(globus, ASSURED)
    demand(globus, ASSURED, form="truncated", domain="uni.example")
    asked, renewed = follow(globus, link_in(refusal(globus, s3, ASSURED)))
    assert asked[-1]["session_required_single_domain"] == "uni.example"
    assert works(globus, renewed, ASSURED)


def test_a_head_carries_the_link_in_a_header(globus):
    s3 = signed_in(globus, ASSURED)
    demand(globus, ASSURED, expired=True)
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        s3.head_object(Bucket=ASSURED, Key=f"{next(globus.files)}.txt")
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-error-code"] == "AccessDenied"
    _, renewed = follow(globus, link_in(headers["x-amz-error-message"]))
    assert works(globus, renewed, ASSURED)


def test_a_listing_is_refused_with_the_link_too(globus):
    s3 = signed_in(globus, ASSURED)
    demand(globus, ASSURED, form="embedded", domain="uni.example")
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        s3.list_objects_v2(Bucket=ASSURED, Delimiter="/")
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    _, renewed = follow(globus, link_in(caught.value.response["Error"]["Message"]))
    assert renewed.list_objects_v2(Bucket=ASSURED, Delimiter="/")["KeyCount"] == FILES + 1


def test_a_missing_consent_is_asked_for_by_the_link(globus):
    mapped = globus.collections[0]
    s3 = signed_in(globus, mapped.id)
    faults(globus, transfer=[{"operation": "stat", "answer": "consent_required", "times": 1}])
    link = link_in(refusal(globus, s3, mapped.id))
    parameters = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(link).query))
    assert parameters == {"required_scopes": mapped.transfer_scope}
    asked, renewed = follow(globus, link)
    assert mapped.transfer_scope in asked[-1]["scope"] and not about_session(asked[-1])
    assert set(mapped.https_scopes) <= set(asked[-1]["scope"].split())
    assert works(globus, renewed, mapped.id)


def test_a_link_stays_strict(globus):
    s3 = signed_in(globus, ASSURED, query="&strict")
    demand(globus, ASSURED, expired=True)
    link = link_in(refusal(globus, s3, ASSURED))
    assert "&strict&" in link
    assert works(globus, follow(globus, link)[1], ASSURED)


def test_who_has_no_account_is_not_sent_in_a_circle(globus):
    s3 = signed_in(globus, ASSURED)
    faults(globus, collections=[{"id": ASSURED, "no_account": True}])
    message = refusal(globus, s3, ASSURED)
    assert "account" in message and "http" not in message
    answer = sign_in(globus.base_url, ASSURED, query="&root=/anywhere")
    assert (answer.status_code, answer.json()["error"]) == (403, "NoAccount")


@pytest.mark.parametrize("link", [
    "session_required_identities=%3Cscript%3Ealert(1)%3C/script%3E", "prompt=none",
    "prompt=login&prompt=login",
    "session_message=%3Cscript%3Ealert(1)%3C/script%3E%0D%0AX-Injected:%201",
    "session_required_single_domain=evil.example/x", "required_scopes=openid",
    f"required_scopes=https://auth.globus.org/scopes/{ASSURED}/https",
    "session_required_policies=" + ",".join([SOMEBODY] * 7),
])
def test_a_hostile_link_is_a_page_that_repeats_nothing(globus, link):
    answer = requests.get(f"{globus.base_url}/{GUEST}/?auth&{link}", allow_redirects=False,
                          headers={"Accept": "text/html"})
    assert answer.status_code == 400 and "<h1>" in answer.text
    assert "alert(1)" not in answer.text and "X-Injected" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    row = audit_row(globus.audit_db, answer.headers["x-amz-request-id"])
    assert (row["operation"], row["error_code"]) == ("AuthStart", "InvalidSignInLink")


def test_every_kind_in_one_credential(globus):
    ids = [collection.id for collection in globus.collections]
    assert [collection.kind for collection in globus.collections] == ["mapped", "guest", "mapped"]
    named = "".join(f"&collection={id}" for id in ids)
    session = requests.Session()
    start = session.get(f"{globus.base_url}/?auth{named}", allow_redirects=False)
    callback = decide(start.headers["Location"], "approve", session)
    credential = session.get(callback, headers={"Accept": "application/json"}).json()
    assert credential["collections"] == ids
    s3 = client(globus, credential)
    assert {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} == set(ids)
    assert all(works(globus, s3, id) for id in ids)
    demand(globus, ASSURED, domain="uni.example")
    link = link_in(refusal(globus, s3, ASSURED))
    _, renewed = follow(globus, link)
    # The new credential opens all that the old one did.
    assert all(works(globus, renewed, id) for id in ids)


@pytest.mark.parametrize("difference", [
    {"kind": "connect_personal"}, {"subscription_lapsed": True}])
def test_a_collection_without_a_server_is_409(globus, difference):
    faults(globus, collections=[{"id": GUEST, **difference}])
    answer = requests.get(f"{globus.base_url}/{GUEST}/?auth", allow_redirects=False,
                          headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (409, "NoHTTPSServer")


def test_a_hidden_collection_takes_two_rounds_with_all_that_was_asked(globus):
    mapped = globus.collections[0]
    faults(globus, collections=[
        {"id": mapped.id, "hidden": True, "session": {"domain": "uni.example"}}])
    asked, s3 = follow(
        globus,
        f"{globus.base_url}/{mapped.id}/?auth&private&session_required_single_domain=uni.example")
    assert len(asked) == 2 and not about_session(asked[0])
    assert about_session(asked[1]) == {"session_required_single_domain": "uni.example"}
    assert mapped.transfer_scope in asked[1]["scope"]
    assert works(globus, s3, mapped.id)


def test_a_hidden_collection_without_a_server_is_409_after_the_first_round(globus):
    faults(globus, collections=[{"id": GUEST, "hidden": True, "subscription_lapsed": True}])
    answer = sign_in(globus.base_url, GUEST, query="&private")
    assert (answer.status_code, answer.json()["error"]) == (409, "NoHTTPSServer")


@pytest.mark.parametrize("count, status", [(10, 404), (11, 400)])
def test_at_most_ten_collections_at_once(globus, count, status):
    named = "".join(f"&collection=1b6d2c9e-0000-4000-8000-0000000001{number:02}"
                    for number in range(count))
    answer = requests.get(f"{globus.base_url}/?auth{named}", allow_redirects=False)
    assert answer.status_code == status  # 404: they are looked up, and do not exist
