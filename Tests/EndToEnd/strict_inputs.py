"""Bad inputs and what is answered: the table of how requests are framed, lined up and addressed.

An input is the bytes of a connection, with %HOST%, %BUCKET% and %AUTH% (the lines of a signature)
put in; what is expected are its answers and whether the connection then is closed. Numbers are those
of the kinds of bad input that the project set out to stand. Without a signature a request that is
well-formed gets as far as 403 at the farthest, and to a bucket that is none 404.
"""

import dataclasses


@dataclasses.dataclass
class Expected:
    """An answer, and the row that it leaves."""

    status: int
    code: str
    operation: str
    row: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Input:
    number: int
    name: str
    request: bytes
    answers: list
    closes: bool
    then_ends: bool = False  # nothing more is sent

    @property
    def id(self):
        return f"{self.number}-{self.name}"


MALFORMED = {400: "BadRequest", 405: "MethodNotAllowed", 414: "RequestURITooLong",
             417: "ExpectationFailed", 431: "RequestHeaderSectionTooLarge", 501: "NotImplemented",
             505: "HTTPVersionNotSupported"}
HOST = b"Host: %HOST%\r\n"
EXAMPLE = b"/%BUCKET%/example.txt"


def request(*lines, line=b"GET /none/key HTTP/1.1", host=HOST, body=b""):
    return (line + b"\r\n" + host + b"".join(text + b"\r\n" for text in lines) + b"\r\n" + body)


def signed(*lines, method=b"GET", target=EXAMPLE, host=HOST, body=b"", version=b"HTTP/1.1"):
    return request(*lines, line=b" ".join([method, target, version]), host=host + b"%AUTH%", body=body)


def malformed(number, name, data, status=400):
    """No request: refused, and the connection closed."""
    return Input(number, name, data, [Expected(status, MALFORMED[status], "Malformed")], True)


def refused(number, name, data, status, code, operation, closes=False, **row):
    return Input(number, name, data, [Expected(status, code, operation, row)], closes)


def served(number, name, data, operation="GetObject", **row):
    return Input(number, name, data, [Expected(200, "", operation, row)], False)


def each(number, name, values, make, status=400):
    return [malformed(number, f"{name}-{value[:40]!r}", make(value), status) for value in values]


def length(value):
    return request(b"Content-Length: " + value, line=b"PUT /none/key HTTP/1.1", body=b"hello")


def coding(value):
    return request(b"Transfer-Encoding: " + value, line=b"PUT /none/key HTTP/1.1",
                   body=b"5\r\nhello\r\n0\r\n\r\n")


def chunks(number, name, body, closes=True):
    """A signed PUT, whose body is read before it is refused for what it is."""
    return refused(number, f"chunks-{name}", signed(
        b"Transfer-Encoding: chunked", method=b"PUT", body=body),
        400, "BadRequest", "PutObject", closes=closes, upstream_calls=0)


LAST = b"0\r\n\r\n"
SMUGGLED = b"GET /none/smuggled HTTP/1.1\r\nHost: %HOST%\r\n\r\n"
TRAILERS = [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Host: a", b"Authorization: a",
            b"x-amz-date: a", b"x-amz-checksum-crc32: AAAAAA==", b"no colon", b" : a", b"A: b\r\n c",
            b"A: \x00"]

FRAMING = [
    malformed(1, "length-and-coding", request(b"Content-Length: 5", b"Transfer-Encoding: chunked",
                                              body=LAST)),
    malformed(1, "coding-and-length", request(b"Transfer-Encoding: chunked", b"Content-Length: 0",
                                              body=LAST)),
    malformed(2, "two-lengths", request(b"Content-Length: 5", b"Content-Length: 6", body=b"hello!")),
    malformed(3, "equal-lengths", request(b"Content-Length: 5", b"content-length: 5", body=b"hello")),
    *each(3, "length", [b"5, 5", b"5,5", b"5,"], length),
    *each(4, "length", [b"+5", b"-5", b"0x5", b"5_0", b"5 5", b"5;", b"5.0", "５".encode(), b"5\x0b", b"5\t",
                        b"five", b'"5"', b"\x005"], length),
    *each(5, "length", [b"", b" ", b"\t"], length),
    *each(6, "length", [b"9223372036854775808", b"18446744073709551615", b"18446744073709551616",
                        b"18446744073709551621", b"1" * 40], length),
    refused(6, "length-of-more-than-is-taken", request(
        b"Content-Length: 9223372036854775807", line=b"PUT /%BUCKET%/key HTTP/1.1"),
        403, "AccessDenied", "PutObject", closes=True, bytes_in=0),
    *each(7, "coding", [b"chunked, identity", b"chunked, chunked", b"chunked, gzip"], coding),
    *each(7, "coding", [b"identity", b"gzip, chunked", b"xchunked", b"chunked;q=1", b"chunkedx"],
          coding, 501),
    *each(8, "coding", [b",chunked", b"chunked,", b'"chunked"', b"\x0bchunked", b"chunked\x0b", b"chunked\t", b"",
                        b"\x00chunked", b"chunked\rX"], coding),
    malformed(9, "two-codings", request(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked",
                                        body=LAST)),
    malformed(9, "two-codings-of-which-one-is-unknown", request(
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=LAST)),
    malformed(10, "coding-in-1.0", request(b"Transfer-Encoding: chunked",
                                           line=b"PUT /none/key HTTP/1.0", body=LAST)),
    malformed(11, "underscore-length", request(b"Content_Length: 5", body=b"hello")),
    malformed(11, "underscore-coding", request(b"Transfer_Encoding: chunked", body=LAST)),
    *[chunks(12, repr(size), size + b"\r\nhello\r\n" + LAST)
      for size in [b"0x5", b"-5", b"+5", b"5_0", b"", b"00000000000000005", b"ffffffffffffffff",
                   b" 5", b"5 ", b"\t5", b"5\t", b"g", b"5,", "５".encode(), b"\x005"]],
    chunks(13, "bare-lf", b"5\nhello\r\n" + LAST),
    chunks(13, "two-cr", b"5\r\r\nhello\r\n" + LAST),
    chunks(13, "cr-x", b"5\rXhello\r\n" + LAST),
    chunks(13, "last-ends-in-lf", b"5\r\nhello\r\n0\n\n"),
    chunks(14, "no-crlf", b"5\r\nhello0\r\n\r\n"),
    chunks(14, "lf", b"5\r\nhello\n" + LAST),
    chunks(14, "longer-than-said", b"4\r\nhello\r\n" + LAST),
    chunks(15, "long-extension", b"5;" + b"x" * 256 + b"\r\nhello\r\n" + LAST),
    *[chunks(15, f"extension-{value!r}", b"5;" + value + b"\r\nhello\r\n" + LAST)
      for value in [b"a\rb", b"a\x01", b"a\x00", b'a="b"', b'a="b', b"a b", b"a\x7f", b"\xff", b"a\nb", b"", b";a",
                    b"=a", b"a=", b"a=b=c"]],
    *[chunks(16, f"trailer-{value!r}", b"5\r\nhello\r\n0\r\n" + value + b"\r\n\r\n")
      for value in TRAILERS],
    chunks(16, "trailers-without-end", b"0\r\n" + b"A: bcdefgh\r\n" * 1000),
    Input(17, "length-ends-early", signed(b"Content-Length: 10", method=b"PUT", body=b"hello"), [
        Expected(400, "IncompleteBody", "PutObject", {"bytes_in": 5})], True, then_ends=True),
    Input(17, "chunks-end-early", signed(b"Transfer-Encoding: chunked", method=b"PUT",
                                         body=b"5\r\nhello\r\n"), [
        Expected(400, "IncompleteBody", "PutObject", {"bytes_in": 5})], True, then_ends=True),
    Input(18, "bytes-behind-the-body", signed(b"Content-Length: 5", method=b"PUT",
                                              body=b"hello, world\r\n\r\n"), [
        Expected(501, "NotImplemented", "PutObject", {"bytes_in": 5}),
        Expected(400, "BadRequest", "Malformed")], True),
    Input(18, "bytes-behind-the-chunks", signed(b"Transfer-Encoding: chunked", method=b"PUT",
                                                body=b"5\r\nhello\r\n0\r\n\r\n\x00"), [
        Expected(501, "NotImplemented", "PutObject", {"bytes_in": 5}),
        Expected(400, "BadRequest", "Malformed")], True),
    refused(19, "put-without-length", signed(method=b"PUT"), 411, "MissingContentLength", "PutObject"),
    refused(19, "put-of-nothing", signed(b"Content-Length: 0", method=b"PUT"), 501, "NotImplemented",
            "PutObject"),
    served(20, "get-with-body", signed(b"Content-Length: %d" % len(SMUGGLED.replace(
        b"%HOST%", b"")), body=SMUGGLED.replace(b"%HOST%", b"")), bytes_in=39),
    served(20, "get-with-chunks", signed(b"Transfer-Encoding: chunked",
                                         body=b"5\r\nGET /\r\n0\r\nX: y\r\n\r\n"), bytes_in=5),
    served(20, "head-with-body", signed(b"Content-Length: 5", method=b"HEAD", body=b"hello"),
           "HeadObject", bytes_in=5),
    refused(20, "delete-with-body", signed(b"Content-Length: 5", method=b"DELETE", body=b"hello"),
            501, "NotImplemented", "DeleteObject", bytes_in=5),
    refused(20, "stranger-with-body", request(b"Content-Length: 5", line=b"GET " + EXAMPLE
                                              + b" HTTP/1.1", body=b"GET /"),
            403, "AccessDenied", "GetObject"),
    served(20, "get-with-64-KiB", signed(b"Content-Length: 65536", body=b"b" * 65536), bytes_in=65536),
    refused(20, "get-with-more", signed(b"Content-Length: 65537", body=b"b" * 65537),
            400, "InvalidRequest", "GetObject", closes=True, upstream_calls=0),
    refused(20, "get-with-more-chunks", signed(b"Transfer-Encoding: chunked",
                                               body=b"10001\r\n" + b"b" * 65537 + b"\r\n" + LAST),
            400, "InvalidRequest", "GetObject", closes=True, upstream_calls=0),
    served(21, "head", signed(method=b"HEAD"), "HeadObject", bytes_out=0),
    refused(21, "head-of-nothing", signed(method=b"HEAD", target=b"/%BUCKET%/none"), 404, "NoSuchKey",
            "HeadObject", bytes_out=0),
    refused(22, "stranger-expects", request(b"Expect: 100-continue", b"Content-Length: 5",
                                            line=b"PUT /%BUCKET%/key HTTP/1.1"),
            403, "AccessDenied", "PutObject", closes=True),
    refused(22, "expects-what-is-refused", signed(b"Expect: 100-continue", b"Content-Length: 5",
                                                  method=b"PUT"),
            501, "NotImplemented", "PutObject", closes=True),
    malformed(23, "expects-something", request(b"Expect: foo", b"Content-Length: 5"), 417),
    malformed(23, "expects-more", request(b"Expect: 100-continue, foo"), 417),
    served(24, "does-not-wait", signed(b"Expect: 100-continue", b"Content-Length: 5", body=b"hello"),
           bytes_in=5),
    served(25, "upgrade-h2c", signed(b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings",
                                     b"HTTP2-Settings: AAMAAABkAAQAAP__")),
    served(25, "upgrade-websocket", signed(b"Upgrade: websocket", b"Connection: Upgrade",
                                           b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")),
    malformed(25, "preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
]


def line(text, host=HOST):
    return request(line=text, host=host)


REQUEST_LINES = [
    malformed(26, "bare-lf", b"GET / HTTP/1.1\nHost: %HOST%\n\n"),
    malformed(26, "bare-lf-in-headers", b"GET / HTTP/1.1\r\nHost: %HOST%\n\r\n"),
    malformed(26, "bare-lf-at-the-end", b"GET / HTTP/1.1\r\nHost: %HOST%\r\n\n"),
    malformed(27, "bare-cr", b"GET / HTTP/1.1\rHost: %HOST%\r\n\r\n"),
    malformed(27, "cr-x", b"GET / HTTP/1.1\r\n\rX: y\r\n\r\n"),
    malformed(27, "cr-at-the-end", b"GET / HTTP/1.1\r\nHost: %HOST%\r\n\rX\r\n"),
    malformed(28, "two-empty-lines", b"\r\n\r\nGET / HTTP/1.1\r\nHost: %HOST%\r\n\r\n"),
    malformed(28, "empty-line-of-lf", b"\nGET / HTTP/1.1\r\nHost: %HOST%\r\n\r\n"),
    malformed(28, "leading-space", b" GET / HTTP/1.1\r\nHost: %HOST%\r\n\r\n"),
    served(28, "one-empty-line", b"\r\n" + signed()),
    *each(29, "line", [b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b"GET\t/ HTTP/1.1", b"GET /\tHTTP/1.1",
                       b"GET\x0b/ HTTP/1.1", b"GET /\x0bHTTP/1.1", b"GET / HTTP/1.1 ",
                       b"GET / HTTP/1.1\t", b"GET / HTTP/1.1 x"], line),
    *each(30, "line", [b"GET /", b"GET", b"GET / HTTP/01.1", b"GET / http/1.1",
                       b"GET / HTTP/4294967295.1", b"GET / HTTP/1", b"GET / HTTP/1.", b"GET / HTTP/1,1",
                       b"GET / HTTP/1.1.1", b"GET / HTTPS/1.1", b"GET / HTTP/x.1"], line),
    *each(30, "line", [b"GET / HTTP/1.9", b"GET / HTTP/2.0", b"GET / HTTP/0.9", b"GET / HTTP/3.0"],
          line, 505),
    malformed(30, "0.9", b"GET /\r\n"),
    *each(31, "line", [b"get / HTTP/1.1", b"GeT / HTTP/1.1", b"G@T / HTTP/1.1", b"G\x00T / HTTP/1.1",
                       b"G\xc3\x84T / HTTP/1.1", b"\"GET\" / HTTP/1.1", b"M-SEARCH / HTTP/1.1",
                       b"A" * 33 + b" / HTTP/1.1", b"A" * 1024 + b" / HTTP/1.1"], line),
    *each(31, "line", [b"BREW / HTTP/1.1", b"GE / HTTP/1.1", b"GETT / HTTP/1.1", b"SOURCE / HTTP/1.1",
                       b"A" * 32 + b" / HTTP/1.1"], line, 501),
    *[refused(32, method.decode(), signed(method=method), 405, "MethodNotAllowed", "Unknown",
              upstream_calls=0) for method in [b"TRACE", b"PATCH", b"PROPFIND", b"MKCOL", b"LOCK"]],
    refused(32, "TRACE-of-a-stranger", request(line=b"TRACE " + EXAMPLE + b" HTTP/1.1"),
            403, "AccessDenied", "Unknown"),
    *each(32, "line", [b"CONNECT %HOST% HTTP/1.1", b"CONNECT / HTTP/1.1", b"CONNECT other:443 HTTP/1.1"],
          line, 405),
    *each(33, "line", [b"GET http://other/x HTTP/1.1", b"GET http://other@%HOST%/x HTTP/1.1",
                       b"GET http://%HOST%@other/x HTTP/1.1", b"GET http://%HOST% HTTP/1.1",
                       b"GET http://%HOST%?x HTTP/1.1", b"GET http:///x HTTP/1.1",
                       b"GET ftp://%HOST%/x HTTP/1.1", b"GET http:%HOST%/x HTTP/1.1",
                       b"GET http://localhost/x HTTP/1.1", b"GET http://%HOST%0/x HTTP/1.1"], line),
    refused(33, "other-and-host-too", line(b"GET http://other/x HTTP/1.1", b"Host: other\r\n"),
            400, "InvalidURI", "Unknown", upstream_calls=0),
    refused(33, "other-in-1.0", line(b"GET http://other/x HTTP/1.0", b""), 400, "InvalidURI", "Unknown",
            closes=True),
    served(33, "our-own", signed(target=b"http://%HOST%" + EXAMPLE)),
    served(33, "our-own-by-https", signed(target=b"HTTPS://%HOST%" + EXAMPLE)),
    served(33, "our-own-bucket", signed(target=b"http://%BUCKET%.%HOST%/example.txt",
                                        host=b"Host: %BUCKET%.%HOST%\r\n")),
    *each(34, "line", [b"GET * HTTP/1.1", b"PUT * HTTP/1.1", b"GET %HOST% HTTP/1.1", b"GET x HTTP/1.1",
                       b"GET ** HTTP/1.1", b"OPTIONS *x HTTP/1.1", b"GET ?x HTTP/1.1"], line),
    refused(34, "about-the-server", line(b"OPTIONS * HTTP/1.1"), 400, "InvalidURI", "Unknown"),
    *each(35, "target", [b"#f", b"a b", b"a\x01b", b"a\x00b", b"a\x7fb", b"a\x80b", "ä".encode(), b"\\",
                         b"<", b'"', b"a\x1bb"], lambda value: line(b"GET /" + value + b" HTTP/1.1")),
    malformed(36, "long", line(b"GET /" + b"a" * 16384 + b" HTTP/1.1"), 414),
    malformed(36, "endless", b"GET /" + b"a" * 16384, 414),
    refused(37, "scheme-relative", line(b"GET //other/key HTTP/1.1"), 400, "InvalidURI", "Unknown",
            upstream_calls=0),
    refused(37, "three-slashes", line(b"GET ///other/key HTTP/1.1"), 400, "InvalidURI", "Unknown"),
]
