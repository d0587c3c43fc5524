"""Requests signed by botocore's own signers, sent exactly as signed, and a program to verify them.

A `Verifying` is where every signature counts: `verify` by the server's flag, `strict` by the
credential. Its folder has `example.txt`.
"""

import contextlib
import datetime

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import requests

from frontend import Program, sign_in

KINDS = ["v4", "v4-query", "v2", "v2-query"]


@contextlib.contextmanager
def run_verifying(tmp_path_factory, policy="verify"):
    """`local` with a folder of its own, and a credential whose signatures are verified."""
    folder = tmp_path_factory.mktemp("signed")
    (folder / "example.txt").write_text("signed")
    state = tmp_path_factory.mktemp("signed-state")
    program = Program("local", "--directory", folder, "--listen", "127.0.0.1:0", "--signatures",
                      "verify" if policy == "verify" else "any", "--audit-db",
                      state / "audit.db", log=state / "log").wait_ready()
    program.folder = folder
    program.credential = sign_in(program.base_url, program.collection,
                                 query="&strict" if policy == "strict" else "").json()
    yield program
    assert program.stop() == 0


def signer(kind, credential, secret=None, expires=60):
    keys = botocore.credentials.Credentials(
        credential["access_key_id"], secret or credential["secret_access_key"])
    return {
        "v4": lambda: botocore.auth.S3SigV4Auth(keys, "s3", "globus"),
        "v4-query": lambda: botocore.auth.S3SigV4QueryAuth(keys, "s3", "globus", expires=expires),
        "v2": lambda: botocore.auth.HmacV1Auth(keys),
        "v2-query": lambda: botocore.auth.HmacV1QueryAuth(keys, expires=expires),
    }[kind]()


def signed(kind, program, path, secret=None, headers=None, query="", expires=60):
    """A GET, prepared."""
    url = f"{program.base_url}/{program.collection}/{path}" + (f"?{query}" if query else "")
    request = botocore.awsrequest.AWSRequest("GET", url, headers=headers or {})
    signer(kind, program.credential, secret, expires).add_auth(request)
    return request.prepare()


def send(request):
    """As signed: requests would normalise the path."""
    headers = dict(request.headers)
    prepared = requests.Request(request.method, request.url, headers=headers).prepare()
    prepared.url = request.url
    return requests.Session().send(prepared)


def shift_clock(monkeypatch, seconds):
    """Lets botocore's signers believe that it is that much later."""
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    text = now.strftime("%a, %d %b %Y %H:%M:%S GMT")
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: now)
    monkeypatch.setattr(botocore.auth, "formatdate", lambda *_, **__: text)
