"""The second half of the table of bad inputs: headers, and the paths that go upstream."""

from strict_inputs import (
    EXAMPLE, HOST, each, line, malformed, refused, request, served, signed)


def lines(*texts):
    """A stranger's request with these header lines."""
    return request(*texts)


def twice(name):
    return signed(name + b": 1", name.lower() + b": 1")


def under(host):
    """A request with this whole Host header."""
    return request(host=b"Host:" + host + b"\r\n")


def authorized(value):
    return request(b"x-amz-date: 20261123T000000Z", b"Authorization: " + value,
                   line=b"GET " + EXAMPLE + b" HTTP/1.1")


SCOPE = b"20261123/globus/s3/aws4_request"
REST = b"SignedHeaders=host;x-amz-date, Signature=" + b"0" * 64
HEADERS = [
    malformed(38, "folded", lines(b"A: b\r\n c")),
    malformed(38, "folded-with-tab", lines(b"A: b\r\n\tc")),
    malformed(38, "folded-first", b"GET / HTTP/1.1\r\nHost: %HOST%\r\n \r\n\r\n"),
    malformed(39, "space-before-colon", lines(b"A : b")),
    malformed(39, "space-before-the-length's-colon", lines(b"Content-Length : 5")),
    malformed(39, "tab-before-colon", lines(b"A\t: b")),
    malformed(39, "leading-space", b"GET / HTTP/1.1\r\n Host: %HOST%\r\n\r\n"),
    malformed(39, "leading-tab", b"GET / HTTP/1.1\r\n\tHost: %HOST%\r\n\r\n"),
    malformed(40, "no-colon", lines(b"no colon")),
    malformed(40, "no-name", lines(b": empty")),
    malformed(40, "colon", lines(b":")),
    *each(41, "name", [b"A(b)", b"A\"", b"A,b", b"A/b", b"A[b]", b"A{b}", b"A@b", b"A\\b", b"A<b",
                       b"A=b", b"A?b", b"\xc4", "Ä".encode(), b"A\x00", b"A\x01", b"A\x7f", b"A\rB"],
          lambda name: lines(name + b": c")),
    *each(42, "value", [b"\x00", b"b\x00c", b"b\rc", b"\r", b"b\x01", b"b\x08", b"b\x0b", b"b\x0c",
                        b"b\x1bc", b"b\x1f", b"b\x7f"], lambda value: lines(b"A: " + value)),
    served(42, "what-a-value-may-hold", signed(b"A: b\tc \xc3\xa4 \xff", b"Empty:", b"B:\t c \t")),
    malformed(43, "101-headers", lines(*[b"X-%d: 1" % n for n in range(100)]), 431),
    served(43, "100-headers", signed(*[b"X-%d: 1" % n for n in range(96)])),
    malformed(43, "long-line", lines(b"A: " + b"v" * 16384), 431),
    malformed(43, "endless-line", b"GET / HTTP/1.1\r\nA: " + b"v" * 16384, 431),
    malformed(43, "long-head", lines(*[b"A%d: " % n + b"v" * 12000 for n in range(5)]), 431),
    malformed(44, "no-host", b"GET / HTTP/1.1\r\n\r\n"),
    malformed(44, "two-hosts", lines(b"Host: %HOST%")),
    malformed(44, "two-hosts-in-1.0", request(HOST.rstrip(), line=b"GET / HTTP/1.0")),
    *each(44, "host", [b"", b" ", b" a, b", b" a/b", b" http://a", b" u@a", b" u:p@a", b" a b", b" a:99999",
                       b" a:65536", b" a:", b" a:1x", b" a:-1", b" :80", b" [::1", b" [::1]x", b" [x]:1",
                       b" []", b" a:1:2", b" a?b", b" a#b", b" a%00", b" a;b", b" a\x00b",
                       b" " + b"a" * 256], under),
    refused(44, "none-in-1.0", b"GET " + EXAMPLE + b" HTTP/1.0\r\n\r\n", 403, "AccessDenied",
            "GetObject", closes=True),
    # A well-formed name that is not of a bucket leaves the bucket to the path.
    served(45, "another-name", signed(host=b"Host: somewhere.example\r\n")),
    served(45, "another-bucket's-domain", signed(host=b"Host: %BUCKET%.example\r\n")),
    served(45, "an-address", signed(host=b"Host: [::1]:1\r\n")),
    served(46, "dots-in-the-label", signed(host=b"Host: a..b.%HOST%\r\n")),
    served(46, "a-label-before-the-bucket", signed(host=b"Host: a.%BUCKET%.%HOST%\r\n")),
    served(46, "punycode", signed(host=b"Host: xn--bcher-kva.%HOST%\r\n")),
    malformed(46, "idn", under(" bücher.localhost".encode())),
    served(46, "of-the-bucket", signed(host=b"Host: %BUCKET%.%HOST%\r\n", target=b"/example.txt")),
    malformed(47, "two-authorizations", signed(b"Authorization: AWS a:b")),
    *[refused(47, name, signed(target=EXAMPLE + b"?" + query), 400, "InvalidRequest", "GetObject",
              auth_result="malformed", upstream_calls=0)
      for name, query in [("query-too", b"X-Amz-Credential=a"), ("signature-too", b"X-Amz-Signature=0"),
                          ("version-2-too", b"AWSAccessKeyId=a&Signature=b&Expires=1")]],
    malformed(48, "long-line", authorized(b"AWS4-HMAC-SHA256 " + b"x" * 16384), 431),
    *[refused(48, f"{n}-{value[:30]!r}", authorized(value), 400, "AuthorizationHeaderMalformed", "GetObject",
              auth_result="malformed", upstream_calls=0)
      for n, value in enumerate([
          b"AWS4-HMAC-SHA256 Credential=" + b"x" * 12288 + b"/" + SCOPE + b", " + REST,
          b"", b"AWS4-HMAC-SHA256", b"AWS4-HMAC-SHA256 ", b"AWS4-HMAC-SHA256 Credential=a/b/c",
          b"AWS4-HMAC-SHA256 Credential=a/b/c, " + REST, b"AWS4-HMAC-SHA256 " + REST,
          b"AWS4-HMAC-SHA256 Credential=a/" + SCOPE + b", SignedHeaders=host",
          b"AWS4-HMAC-SHA256 Credential=a/" + SCOPE + b", Credential=b/" + SCOPE + b", " + REST,
          b"AWS4-HMAC-SHA256 Credential=a/" + SCOPE + b", " + REST + b"0",
          b"AWS4-HMAC-SHA256 Credential=a/" + SCOPE + b", SignedHeaders=host, Signature=xyz",
          b"Bearer token", b"Basic YTpi", b"AWS", b"AWS a", b"=,=,="])],
    *[malformed(49, f"two-{name.decode()}", twice(name)) for name in [
        b"Content-MD5", b"Content-Type", b"Date", b"If-Match", b"If-Modified-Since", b"If-None-Match",
        b"If-Range", b"If-Unmodified-Since", b"Range", b"X-Amz-Date", b"X-Amz-Content-SHA256"]],
    *each(50, "connection", [b"Authorization", b"x-amz-date", b"close, Authorization", b"Host",
                             b"keep-alive,\tX-Amz-Content-SHA256", b"X-Forwarded-For", b"Cookie",
                             b"Content-Length", b"Range"],
          lambda value: signed(b"Connection: " + value)),
    served(50, "what-connection-may-name", signed(b"Connection: keep-alive, TE", b"TE: trailers")),
    served(51, "forged-origin", signed(
        b"X-Forwarded-For: 203.0.113.7", b"X-Forwarded-Proto: https", b"X-Forwarded-Host: other",
        b"Forwarded: for=203.0.113.7;host=other", b"X-Real-IP: 203.0.113.7"),
        remote_ip="127.0.0.1", peer_ip="127.0.0.1"),
    *[served(52, header.decode(), signed(header + b": DELETE")) for header in [
        b"X-HTTP-Method-Override", b"X-HTTP-Method", b"X-Method-Override"]],
]


def at(key):
    return signed(target=b"/%BUCKET%/" + key)


def no_uri(number, key, code="InvalidURI"):
    return refused(number, f"key-{key[:40]!r}", at(key), 400, code, "GetObject", upstream_calls=0)


def of(number, key, name):
    """An object that is there, under the key by which it must be recorded."""
    return served(number, f"key-{key!r}", at(key), object_key=name)


PATHS = [
    *[no_uri(53, key) for key in [
        b".", b"..", b"../x", b"a/../b", b"%2e%2e/a", b".%2e", b"%2E.", b"..%2fa", b"a/./b", b"a%2f..",
        b"folder/%2e%2e/example.txt"]],
    of(53, b"%252e%252e", "%2e%2e"),
    no_uri(54, b"%00"), no_uri(54, b"example.txt%00"), no_uri(54, b"%00/example.txt"),
    of(55, b"folder%2Ffile", "folder/file"), of(55, b"folder/file", "folder/file"),
    of(55, b"folder%2ffile", "folder/file"),
    *[no_uri(56, key) for key in [b"/a", b"a//b", b"a//", b"%2Fa", b"a%2F%2Fb", b"//"]],
    refused(56, "file-with-slash", at(b"example.txt/"), 404, "NoSuchKey", "GetObject"),
    served(56, "folder-with-slash", at(b"folder/"), object_key="folder/"),
    refused(56, "folder-without-slash", at(b"folder"), 404, "NoSuchKey", "GetObject"),
    *[no_uri(57, key) for key in [b"a%0d%0ab", b"%0A", b"a%09", b"a%1Bb", b"a%7F", b"a%01", b"%C2%80"]],
    *[no_uri(58, key) for key in [
        b"%c0%ae", b"%c0%ae%c0%ae/a", b"%e0%80%af", b"%ed%a0%80", b"%80", b"%bf", b"%c3", b"%f4%90%80%80",
        b"%f8%88%80%80%80", b"%ff", b"a%c3%28"]],
    *[no_uri(59, key) for key in [b"%", b"%4", b"%zz", b"a%", b"%%", b"a%2", b"%+1"]],
    of(60, b"back%5Cslash", "back\\slash"), of(60, b"a;param", "a;param"), of(60, b"..;/x", "..;/x"),
    of(60, b"a%3Bparam", "a;param"), of(61, b"que%3Fry%23x", "que?ry#x"),
    of(62, b"twin%20%C3%A9", "twin \u00e9"),
    refused(62, "its-twin", at(b"twin%20e%CC%81"), 404, "NoSuchKey", "GetObject",
            object_key="twin e\u0301"),
    no_uri(63, b"k" * 1025, "KeyTooLongError"), no_uri(63, b"%6b" * 1025, "KeyTooLongError"),
    no_uri(63, b"%C3%A9" * 513, "KeyTooLongError"),
    *[refused(64, f"bucket-{name[:40]!r}", line(b"GET /" + name + b"/example.txt HTTP/1.1"),
              404, "NoSuchBucket", "GetObject", upstream_calls=0, auth="none")
      for name in [b"bucket", b"%BUCKET%x", b"%BUCKET%%20", b".", b"..", b"%2e%2e", b"favicon.ico",
                   b"00000000-0000-0000-0000-00000000000", b"x" * 1000]],
]
