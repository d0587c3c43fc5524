"""What the fault tests stand on: the frontend before a liar, and what a client sees of it."""

import dataclasses
import http.client
import itertools
import random
import re
import urllib.parse

import requests

from frontend import audit_row, sign_in


@dataclasses.dataclass
class Seen:
    """What a client got: of an answer that broke off, the bytes that came and `complete` False."""

    status: int
    headers: http.client.HTTPMessage = dataclasses.field(repr=False)
    body: bytes = dataclasses.field(repr=False)
    complete: bool
    row: dict

    @property
    def code(self):
        found = re.search(rb"<Code>([^<]*)</Code>", self.body)
        return found[1].decode() if found else self.headers.get("x-amz-error-code")

    @property
    def outcome(self):
        return (self.status, self.code, self.row["outcome"])


class FaultBed:
    """A frontend and the folder behind its collection, for example with a liar between. A file's
    name is used once: Transfer's answers are remembered for some seconds."""

    def __init__(self, local, folder, credential, collection, liar=None):
        self.local, self.folder, self.liar = local, folder, liar
        self.credential, self.collection = credential, collection
        self._numbers = itertools.count()

    def file(self, size=100_000):
        """A new file of random bytes; its key and contents."""
        number = next(self._numbers)
        key, contents = f"file-{number}.bin", random.Random(number).randbytes(size)
        (self.folder / key).write_bytes(contents)
        return key, contents

    def ask(self, key, method="GET", query="", **headers):
        """Asks as an S3 client would: the answer's head, what came of its body, and whether it
        is whole."""
        connection = http.client.HTTPConnection(
            urllib.parse.urlsplit(self.local.base_url).netloc, timeout=150)
        target = f"/{self.collection}/{urllib.parse.quote(key)}" + (query and f"?{query}")
        connection.request(method, target, headers={
            **authorization(self.credential["access_key_id"]),
            **headers})
        answer = connection.getresponse()
        body, complete = read(answer)
        connection.close()
        return answer, body, complete

    def request(self, key, method="GET", query="", **headers):
        """The same, with its audit row."""
        answer, body, complete = self.ask(key, method, query, **headers)
        row = audit_row(self.local.audit_db, answer.headers["x-amz-request-id"])
        seen = Seen(answer.status, answer.headers, body, complete, row)
        check(seen, method)
        return seen


def set_faults(local, **settings):
    """Replaces what goes wrong in the stand-in; none: nothing."""
    answer = requests.post(f"{local.auth_url}/local/faults", json=settings)
    assert answer.status_code == 200, answer.text


def read(answer):
    body = b""
    try:
        while part := answer.read1(65536):
            body += part
    except (http.client.IncompleteRead, ConnectionError):
        return body, False
    length = answer.headers.get("Content-Length")
    return body, length is None or answer.length in (0, None)


def check(seen, method):
    """What holds for every answer: the row is about it, to the byte when it is complete."""
    row = seen.row
    code = seen.code if seen.status >= 400 else None if seen.complete else "UpstreamAborted"
    assert (row["status"], row["error_code"]) == (seen.status, code), row
    if seen.complete:
        assert row["bytes_out"] == (0 if method == "HEAD" else len(seen.body)), row
    else:
        assert row["bytes_out"] >= len(seen.body), row


def bed(local, folder, collection, liar=None):
    """Signed in."""
    answer = sign_in(local.base_url, collection)
    assert answer.status_code == 200, answer.text
    return FaultBed(local, folder, answer.json(), collection, liar)


def authorization(access_key_id):
    """A SigV4 header as a client sends it that was given any secret."""
    return {
        "x-amz-date": "20261123T000000Z", "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={access_key_id}/20261123/"
        "globus/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
        "Signature=" + "0" * 64,
    }
