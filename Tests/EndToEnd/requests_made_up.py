"""Requests made up by chance, with the structure of HTTP: well-formed ones, of which up to four parts
are then exchanged for ones on the border of what the grammar allows, or cut, doubled, or bitten into.

Every input comes from its seed and number alone, so that a failure names all that it takes to repeat.
"""

import random

METHODS = [b"GET", b"HEAD", b"PUT", b"POST", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"PROPFIND"]
ODD_METHODS = [b"get", b"CONNECT", b"BREW", b"GE T", b"G\x00T", b"", b"M-SEARCH", b"PRI", b"SOURCE",
               b"QUERY", b"A" * 40, b"GET:", b"LINK", b"REPORT", b"ANNOUNCE"]
TARGETS = [b"/", b"/none/key", b"/none/a%20b?x=1&y=%2F", b"/none//", b"/none/;a=b", b"/none/~[]{}|^`",
           b"//none/key", b"/none/?http://x/", b"http://localhost/none/key", b"/none/" + b"k" * 300]
ODD_TARGETS = [b"*", b"none", b"http://other/", b"http://localhost", b"https://localhost/x",
               b"HTTP://LOCALHOST/x", b"http://a@localhost/", b"localhost:80", b"/a b", b"/a\tb", b"/#a",
               b"/\\", b"/\x80", b"/\x00", b"/\x7f", b'/"', b"/<", b"/>", b"", b"?", b"/a\rb", b"/a\nb",
               b"http://localhost:80/", b"h://localhost/", b"http:/localhost/", b"/\xc3\xa4"]
VERSIONS = [b"HTTP/1.1"] * 5 + [b"HTTP/1.0"]
ODD_VERSIONS = [b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1", b"HTTP/1.1 ", b" HTTP/1.1", b"HTTP/1",
                b"HTTP/01.1", b"HTTP/1.10", b"HTTP/11", b"HTTP/+1.1", b"", b"HTTP/1.1\x0b", b"HTTP/1\x001",
                b"HTCPCP/1.1", b"ICE/1.1", b"RTSP/1.0"]
SPACES = [b"  ", b"\t", b"", b"\x0b", b" \t", b"\r", b"\xa0"]
ENDS = [b"\n", b"\r", b"\r\r\n", b"\n\r", b"", b"\r\n\r\n", b"\r\n ", b"\x0b\r\n", b" \r\n", b"\x00\r\n"]
LENGTHS = [b"+5", b"-5", b"0x5", b"5_0", b"5 5", b"5,5", b"5, 5", b"", b" 5", b"5 ", b"05", b"5\x0b", b"\t5",
           b"00000000000000000000005", b"9223372036854775808", b"18446744073709551621", b"5;", b"5.0",
           b"4", b"6", b"0", b"99999999999999999999999999", b"5\xa0"]
CODINGS = [b"chunked, identity", b"identity", b"gzip, chunked", b"xchunked", b"chunked;q=1", b",chunked",
           b"chunked,", b'"chunked"', b"\x0bchunked", b"chunked\x00", b"CHUNKED", b"Chunked", b" chunked ",
           b"\tchunked", b"chunked\t", b"", b"chunked chunked", b"chunked, chunked", b"chunke", b"c hunked"]
NAMES = [b"Content-Length", b"content-length", b"Transfer-Encoding", b"TRANSFER-ENCODING", b"Host",
         b"Content_Length", b"Transfer_Encoding", b"Content-Length ", b" Content-Length",
         b"Transfer-Encoding\t", b"Transfer-Encoding\x00", b"Transfer\rEncoding", b"", b"A:B", b"(A)",
         b"\xc3\xa4", b"Connection", b"Upgrade", b"X-A", b"Content-Length\x0b", b"\x0bTransfer-Encoding",
         b"Content-Lengt", b"Trailer", b"TE", b"Expect", b"Proxy-Connection", b"Keep-Alive"]
VALUES = [b"", b"a", b"a b\tc", b"a\x00b", b"a\rb", b"a\nb", b"a\x0bb", b"a\x7fb", b"\x80\xff", b"close",
          b"keep-alive", b"upgrade", b"h2c", b"localhost", b"a, b", b"100-continue", b"chunked", b"5", b"0",
          b"close, upgrade", b"Transfer-Encoding", b"websocket", b"x" * 500, b"a\r\n b", b"a\r\n\tb"]
SIZES = [b"0x5", b"+5", b"-5", b"5 ", b" 5", b"5_", b"", b"g", b"00000005", b"0000000000000000005", b"5\t",
         b"ffffffffffffffff", b"10000000000000005", b"100000005", b"4", b"6", b"0", b"5;", b"5;a", b"5;a=b",
         b'5;a="b"', b'5;a="\r"', b"5; a", b"5;a\x00", b"5;;", b"5;=", b"5 ;a", b'5;a="b', b"5;\xff", b"5,",
         b"5;" + b"a" * 300, b"00", b"0;a", b"5\x0b"]
TRAILERS = [b"X-Sum: a", b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Host: b", b"bad", b"A : b",
            b"A: b\x00", b": c", b" A: b", b"X-Long: " + b"t" * 400, b"x-amz-date: 1", b"A: \x80"]
BEHIND = [b"", b"", b"GET /none/next HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\r\n", b"X", b"0\r\n\r\n",
          b"\x00", b"GET /", b"\r\nGET /none/next HTTP/1.1\r\nHost: localhost\r\n\r\n", b"HTTP/1.1 200 OK\r\n"]


class MadeUp:
    """One request, as a list of parts; `kinds` says what may stand in the place of each."""

    def __init__(self, seed, number):
        self.chance = random.Random(f"{seed}-{number}")
        self.parts, self.kinds = [], []
        self.build()
        for _ in range(self.chance.choice([0, 0, 1, 1, 1, 2, 2, 3, 4])):
            self.change()

    @property
    def bytes(self):
        return b"".join(self.parts)

    def add(self, part, kind=None):
        self.parts.append(part)
        self.kinds.append(kind)

    def header(self, name, value, kind=VALUES):
        self.add(name, NAMES)
        self.add(b":", [b"", b" :", b"\t:", b"::", b"=", b"\x00:"])
        self.add(self.chance.choice([b" ", b" ", b" ", b"", b"\t", b"  "]), SPACES)
        self.add(value, kind)
        self.add(b"\r\n", ENDS)

    def build(self):
        chance = self.chance
        if chance.random() < 0.03:
            self.add(b"\r\n", ENDS)
        self.add(chance.choice(METHODS), METHODS + ODD_METHODS)
        self.add(b" ", SPACES)
        self.add(chance.choice(TARGETS), TARGETS + ODD_TARGETS)
        self.add(b" ", SPACES)
        version = chance.choice(VERSIONS)
        self.add(version, VERSIONS + ODD_VERSIONS)
        self.add(b"\r\n", ENDS)
        framing = chance.choice(["none", "length", "chunked"])
        if framing == "chunked" and version == b"HTTP/1.0":
            framing = "length"
        headers = [(b"Host", b"localhost", [b"", b"a, b", b"a b", b"u@a", b"a:99999", b"other", b"[::1]",
                                            b"localhost:80", b"a/b", b"LOCALHOST", b"[x]", b"a\x00"])]
        body = chance.randbytes(chance.choice([0, 1, 5, 5, 5, 16, 300]))
        if chance.random() < 0.2:
            body = b"GET /none/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
        if framing == "length":
            headers.append((b"Content-Length", b"%d" % len(body), LENGTHS))
        elif framing == "chunked":
            headers.append((b"Transfer-Encoding", b"chunked", CODINGS))
        for _ in range(chance.choice([0, 0, 1, 3])):
            headers.append((b"X-%d" % chance.randrange(100), chance.choice([b"a", b"", b"b c", b"\xe4"]),
                            VALUES))
        if chance.random() < 0.2:
            headers.append((b"Connection", chance.choice([b"close", b"keep-alive", b"Keep-Alive, TE"]),
                            VALUES))
        chance.shuffle(headers)
        for name, value, kind in headers:
            self.header(name, value, kind)
        self.add(b"\r\n", ENDS)
        if framing == "length":
            self.add(body)
        elif framing == "chunked":
            self.chunks(body)
        self.add(chance.choice(BEHIND), BEHIND)

    def chunks(self, body):
        while body:
            size = self.chance.randint(1, len(body))
            self.add(self.chance.choice([b"%x", b"%X", b"%03x"]) % size, SIZES)
            self.add(self.chance.choice([b"", b"", b"", b";a", b";a=b"]), [b";", b'="', b" ;a"])
            self.add(b"\r\n", ENDS)
            self.add(body[:size])
            self.add(b"\r\n", ENDS)
            body = body[size:]
        self.add(b"0", SIZES)
        self.add(b"\r\n", ENDS)
        for _ in range(self.chance.choice([0, 0, 0, 1, 2])):
            self.add(b"X-Trailer: a", TRAILERS)
            self.add(b"\r\n", ENDS)
        self.add(b"\r\n", ENDS)

    def change(self):
        chance = self.chance
        at = chance.randrange(len(self.parts))
        part, kind = self.parts[at], self.kinds[at]
        how = chance.random()
        if kind and how < 0.6:
            self.parts[at] = chance.choice(kind)
        elif how < 0.7:
            self.parts[at] = part * 2
        elif how < 0.75:
            self.parts[at] = b""
        elif how < 0.8:
            other = chance.randrange(len(self.parts))
            self.parts[at], self.parts[other] = self.parts[other], part
        elif how < 0.86:
            self.header_line()
        elif part:
            spot = chance.randrange(len(part))
            byte = bytes([chance.choice([0, 9, 10, 11, 12, 13, 32, 34, 44, 58, 59, 95, 127, 128, 255,
                                         chance.randrange(256)])])
            keep = chance.choice([spot, spot + 1])
            self.parts[at] = part[:spot] + byte + part[keep:]

    def header_line(self):
        """One more, or one twice, in the midst of the others."""
        name = self.chance.choice(NAMES)
        value = self.chance.choice(VALUES + LENGTHS + CODINGS)
        ends = [n for n, part in enumerate(self.parts) if part == b"\r\n"]
        if ends:
            at = self.chance.choice(ends) + 1
            self.parts.insert(at, name + b": " + value + b"\r\n")
            self.kinds.insert(at, None)
