"""Requests as they are written here, byte for byte: no client normalises path, query or headers.

They are signed as by a client that was given any secret, which the server under test accepts.
"""

import dataclasses
import http.client
import urllib.parse


def authorization(credential):
    """SigV4 headers with a signature of nothing."""
    return {
        "x-amz-date": "20261123T000000Z", "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credential['access_key_id']}/20261123/"
        "globus/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
        "Signature=" + "0" * 64,
    }


@dataclasses.dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def request_id(self):
        return self.headers["x-amz-request-id"]

    @property
    def code(self):
        """The code of an S3 error, from the body or, of a HEAD, from the headers."""
        if self.headers["x-amz-error-code"]:
            return self.headers["x-amz-error-code"]
        return self.body.decode().partition("<Code>")[2].partition("</Code>")[0]


class Connection:
    """A connection that is kept between requests."""

    def __init__(self, base_url, credential=None):
        address = urllib.parse.urlsplit(base_url)
        self.host = address.netloc
        self.signature = authorization(credential) if credential else {}
        self.http = http.client.HTTPConnection(address.hostname, address.port, timeout=60)

    def ask(self, method, target, headers=(), host=None):
        """`headers` are pairs, of which several may have one name."""
        self.http.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in [("Host", host or self.host), *self.signature.items(), *headers]:
            self.http.putheader(name, value)
        self.http.endheaders()
        answer = self.http.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def close(self):
        self.http.close()
