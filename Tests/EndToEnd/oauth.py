"""The user's and the app's part in the authorization-code flow, over plain HTTP."""

import html
import re
import urllib.parse

import requests


def decide(authorize_url, decision="approve", session=requests):
    """Fills in the consent form as a browser would; returns where it leads."""
    page = session.get(authorize_url, allow_redirects=False)
    assert page.status_code == 200, page.text
    action = re.search(r'<form method="post" action="([^"]*)"', page.text)[1]
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page.text)
    unescaped = [(html.unescape(name), html.unescape(value)) for name, value in fields]
    answer = session.post(
        requests.compat.urljoin(authorize_url, action),
        data=[*unescaped, ("decision", decision)],
        allow_redirects=False,
    )
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


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
