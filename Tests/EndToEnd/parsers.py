"""Three parsers of HTTP requests behind one face: the server's own, llhttp (httptools) and h11. Each
says of bytes what the first request in them is."""

import ctypes
import dataclasses
import os
import pathlib
import subprocess

import h11
import httptools

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ROOT / "Sources/CReactor"

# What becomes of a request: refused in head or body, more bytes are needed, it is whole.
HEAD_BAD, HEAD_MORE, BODY_BAD, BODY_MORE, WHOLE = range(5)


@dataclasses.dataclass
class Read:
    """`end`: where the request ends, when it is whole. `body`: as much of it as there is."""

    kind: int
    method: bytes = b""
    target: bytes = b""
    body: bytes = b""
    end: int | None = None
    keep_alive: bool = False
    status: int = 0
    minor_version: int = 1
    is_upgrade: bool = False


class _Verdict(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int32), ("status", ctypes.c_int32),
                *[(name, ctypes.c_uint32)
                  for name in ("method_at", "method_len", "target_at", "target_len")],
                ("minor_version", ctypes.c_int32), ("keep_alive", ctypes.c_int32),
                ("used", ctypes.c_uint64), ("body_len", ctypes.c_uint64)]


class Own:
    """The server's parser, built into a library in `folder`."""

    def __init__(self, folder):
        library = pathlib.Path(folder) / "verdict.so"
        subprocess.run(
            [os.environ.get("CC", "clang"), "-O1", "-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC",
             f"-I{SOURCES}", f"-I{SOURCES}/include", "-o", library,
             pathlib.Path(__file__).with_name("verdict.c"),
             *[SOURCES / f"http_{part}.c" for part in ("parse", "fields", "chunked")]], check=True)
        self.verdict_of = ctypes.CDLL(str(library)).verdict_of
        self.verdict_of.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(_Verdict), ctypes.c_char_p]
        self.verdict_of.restype = None

    def __call__(self, data):
        verdict, body = _Verdict(), ctypes.create_string_buffer(len(data) + 1)
        self.verdict_of(data, len(data), ctypes.byref(verdict), body)
        return Read(
            verdict.kind, data[verdict.method_at:verdict.method_at + verdict.method_len],
            data[verdict.target_at:verdict.target_at + verdict.target_len],
            body.raw[:verdict.body_len], verdict.used if verdict.kind == WHOLE else None,
            bool(verdict.keep_alive), verdict.status, verdict.minor_version)


class _Events:
    """What llhttp calls; of the first message only."""

    def __init__(self):
        self.url, self.body, self.heads, self.wholes = b"", b"", 0, 0
        self.is_upgrade = False

    def on_url(self, url):
        if not self.wholes:
            self.url += url

    def on_headers_complete(self):
        self.heads += 1

    def on_body(self, body):
        if not self.wholes:
            self.body += body

    def on_message_complete(self):
        self.wholes += 1


def _fed(data):
    events = _Events()
    parser = httptools.HttpRequestParser(events)
    is_bad = False
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        events.is_upgrade = True
    except httptools.HttpParserError:
        is_bad = True
    return events, parser, is_bad


def llhttp(data, end=None):
    """`end`: where the request is thought to end. It has `end` then only if it does."""
    events, parser, is_bad = _fed(data if end is None else data[:end])
    if events.is_upgrade:
        return Read(WHOLE, parser.get_method(), events.url, is_upgrade=True)
    if events.wholes:
        is_there = end is not None and events.wholes == 1 and not _fed(data[:end - 1])[0].wholes
        return Read(WHOLE, parser.get_method(), events.url, events.body, end if is_there else None,
                    parser.should_keep_alive())
    if events.heads:
        return Read(BODY_BAD if is_bad else BODY_MORE, parser.get_method(), events.url, events.body)
    return Read(HEAD_BAD if is_bad else HEAD_MORE)


def h11_(data):
    # An empty line before a request, which RFC 9112 2.2 wants to be overlooked, h11 refuses.
    skipped = 2 if data.startswith(b"\r\n") else 0
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(data[skipped:])
    read = Read(HEAD_MORE)
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return read
            if type(event) is h11.Request:
                read = Read(BODY_MORE, event.method, event.target)
            elif type(event) is h11.Data:
                read.body += bytes(event.data)
            else:
                read.kind = WHOLE
                read.end = len(data) - len(connection.trailing_data[0])
                return read
    except h11.RemoteProtocolError:
        read.kind = BODY_BAD if read.kind == BODY_MORE else HEAD_BAD
        return read


ENDINGS = [b"\r\n\r\n", b"\n\r\n", b"\r\n", b"\n", b": a\r\n\r\n", b"a: a\r\n\r\n", b"\r\n0\r\n\r\n",
           b"0\r\n\r\n", b"a\r\n0\r\n\r\n", b" HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\nHost: a\r\n\r\n",
           b"a\r\nHost: a\r\n\r\n", b"HTTP/1.1\r\nHost: a\r\n\r\n"]


def disagreement(data, own):
    """What the server's parser takes that another refuses, or frames in another way; None: nothing.
    That it refuses what others take is as it should be, and that it does so when a line is over."""
    ours = own(data)
    if ours.kind in (HEAD_BAD, BODY_BAD):
        return None
    for name, theirs in (("llhttp", llhttp(data, ours.end)), ("h11", h11_(data))):
        if ours.kind != WHOLE and theirs.kind in (HEAD_BAD, BODY_BAD):
            if ending := [ending for ending in ENDINGS if own(data + ending).kind == WHOLE]:
                return f"{name} refuses it, and we would take it with an end as {ending}"
            continue
        if theirs.is_upgrade:
            continue  # httptools takes no body then, whatever llhttp makes of it; h11 does
        if ours.kind == HEAD_MORE:
            if theirs.kind == WHOLE:
                return f"{name} has a whole request, which is waited for: {theirs}"
            continue
        if theirs.kind != ours.kind:
            return f"{ours} is taken, of which {name} makes {theirs}"
        if (theirs.method, theirs.body, theirs.end) != (ours.method, ours.body, ours.end):
            return f"{ours} is another request than {name}'s {theirs}"
        if not theirs.target.endswith(ours.target):
            return f"{ours} has another target than {name}'s {theirs}"
        # In 1.0 llhttp overlooks a keep-alive that is not alone; the answer says what holds.
        if (name == "llhttp" and ours.kind == WHOLE and ours.minor_version and ours.keep_alive
                and not theirs.keep_alive):
            return f"{ours} is kept alive, which {name} would not"
    return None
