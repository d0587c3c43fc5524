"""A collection's HTTPS server that lies: raw sockets, so that no library is too polite to.

A behaviour is a function of a wire and a request, which writes whatever it likes. A plan chooses
the behaviour of each request: `sequence` by its number, `connections` by its connection's, in the
manner of a sick node, which is chosen at connect time and stays. The last one of each repeats.

    with Liar(folder, authority) as liar:
        liar.plan(sequence(cut(1000), honest))

The liar counts connections and requests from the plan on, and closes connections of before.
"""

import re
import socket
import ssl
import struct
import threading
import urllib.parse

SERVER = "Server: Apache/2.4.62 (Red Hat Enterprise Linux) OpenSSL/3.2.2"


class Request:
    """A request's head as it came, and the file that it is for."""

    def __init__(self, head, folder, connection, number):
        self.connection, self.number = connection, number
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = lines[0].split(" ", 2)
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }
        path = folder / urllib.parse.unquote(self.target.split("?")[0]).lstrip("/")
        self.contents = path.read_bytes() if path.is_file() else None
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        size = len(self.contents or b"")
        self.first = int(asked[1]) if asked else 0
        self.last = min(int(asked[2]), size - 1) if asked and asked[2] else size - 1
        self.is_ranged = asked is not None

    @property
    def wanted(self):
        """The bytes that an honest server would send."""
        return self.contents[self.first:self.last + 1]

    def head(self, *more, length=True):
        """The lines of an honest head; `length` is a text to declare, or False for none."""
        lines = ["HTTP/1.1 206 Partial Content" if self.is_ranged else "HTTP/1.1 200 OK", SERVER,
                 "Accept-Ranges: bytes"]
        if self.is_ranged:
            lines.append(f"Content-Range: bytes {self.first}-{self.last}/*")
        if length is not False:
            declared = len(self.wanted) if length is True else length
            lines.append(f"Content-Length: {declared}")
        return [*lines, *more]


class Wire:
    """One connection, spoken on by one thread."""

    def __init__(self, stream, stopping):
        self.stream = stream
        self.stopping = stopping
        self.buffer = b""
        self.is_open = True

    def read_head(self):
        while b"\r\n\r\n" not in self.buffer:
            part = self.stream.recv(65536)
            if not part:
                return None
            self.buffer += part
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return head

    def send(self, data):
        self.stream.sendall(data)

    def send_head(self, lines):
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def close(self):
        """FIN, without TLS's farewell."""
        self.is_open = False
        self.stream.close()

    def reset(self):
        """RST."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def end(self):
        """TLS's farewell, then FIN: an orderly end as far as TLS can tell."""
        self.stream.settimeout(1)
        try:
            self.stream = self.stream.unwrap()
        except OSError:
            pass  # the peer is not obliged to answer it
        self.close()

    def hold(self):
        """Silence until the peer gives up."""
        self.stream.settimeout(0.1)
        while not self.stopping.is_set():
            try:
                if not self.stream.recv(65536):
                    break
            except TimeoutError:
                continue
        self.close()


class Liar:
    """Listens on a free port of loopback addresses, as `https://localhost:PORT`."""

    def __init__(self, folder, authority, addresses=("127.0.0.1",)):
        self.folder = folder
        self.tls = authority.context()
        self.requests = []
        self.failures = []
        self._choose = lambda request: honest
        self._lock = threading.Lock()
        self._wires = set()
        self._generation = self._connections = 0
        self._stopping = threading.Event()
        self._listeners = listen(addresses)
        self.port = self._listeners[0].getsockname()[1]
        self.url = f"https://localhost:{self.port}"

    def __enter__(self):
        for listener in self._listeners:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return self

    def __exit__(self, *error):
        self._stopping.set()
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self._hang_up()
        assert not self.failures, self.failures

    def plan(self, choose):
        """Sets the behaviour from here on; `choose` is one, or a function made by those below."""
        with self._lock:
            self._choose = choose if getattr(choose, "is_plan", False) else lambda request: choose
            self.requests = []
            self._connections = 0
            self._generation += 1
        self._hang_up()

    def _hang_up(self):
        with self._lock:
            wires, self._wires = self._wires, set()
        for stream in wires:
            try:
                stream.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed already

    def _accept(self, listener):
        while not self._stopping.is_set():
            try:
                stream, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                number, generation = self._connections, self._generation
                self._connections += 1
                self._wires.add(stream)
            threading.Thread(target=self._serve, args=(stream, number, generation),
                             daemon=True).start()

    def _serve(self, raw, connection, generation):
        try:
            stream = self.tls.wrap_socket(raw, server_side=True)
            with self._lock:
                self._wires.discard(raw)
                self._wires.add(stream)
            wire = Wire(stream, self._stopping)
            while wire.is_open and (head := wire.read_head()) is not None:
                with self._lock:
                    if generation != self._generation:
                        return
                    request = Request(head, self.folder, connection, len(self.requests))
                    request.address = stream.getsockname()[0]
                    self.requests.append(request)
                    behaviour = self._choose(request)
                behaviour(wire, request)
        except (ssl.SSLError, OSError):
            pass  # what the peer did not like, it told
        except Exception as error:
            self.failures.append(error)
            raise
        finally:
            raw.close()
            if "stream" in locals():
                stream.close()


def listen(addresses):
    """Sockets at one free port of all the addresses."""
    while True:
        listeners = [socket.create_server((addresses[0], 0), backlog=64)]
        port = listeners[0].getsockname()[1]
        try:
            listeners += [socket.create_server((other, port)) for other in addresses[1:]]
            return listeners
        except OSError:  # taken at another address: try the next port
            for listener in listeners:
                listener.close()


def plan(choose):
    choose.is_plan = True
    return choose


def sequence(*behaviours):
    """By the request's number."""
    return plan(lambda request: behaviours[min(request.number, len(behaviours) - 1)])


def connections(*behaviours):
    """By the connection's number."""
    return plan(lambda request: behaviours[min(request.connection, len(behaviours) - 1)])


def honest(wire, request):
    """What a collection's server does: 404 of kind A for what is missing."""
    if request.contents is None:
        return sick("A")(wire, request)
    wire.send_head(request.head())
    wire.send(request.wanted)


def adorned(*lines):
    """Honest, with more header lines."""
    def behave(wire, request):
        wire.send_head(request.head(*lines))
        wire.send(request.wanted)
    return behave


BREAKS = {"fin": Wire.close, "reset": Wire.reset, "farewell": Wire.end, "stall": Wire.hold}


def cut(after, how="fin", *lines):
    """Declares everything, sends `after` bytes of it, and breaks off."""
    def behave(wire, request):
        wire.send_head(request.head(*lines))
        wire.send(request.wanted[:after])
        BREAKS[how](wire)
    return behave


def silent(how="stall"):
    """Takes the request and says nothing."""
    return lambda wire, request: BREAKS[how](wire)


def raw(*parts, how="fin"):
    """These bytes, then the end."""
    def behave(wire, request):
        for part in parts:
            wire.send(part)
        BREAKS[how](wire)
    return behave


def resized(by):
    """A body longer (or, below zero, shorter) than the file, declared as such."""
    def behave(wire, request):
        body = request.wanted[:by] if by < 0 else request.wanted + b"!" * by
        wire.send_head(request.head(length=len(body)))
        wire.send(body)
    return behave


def overrun(by):
    """The right length declared, and more bytes sent."""
    def behave(wire, request):
        wire.send_head(request.head())
        wire.send(request.wanted + b"!" * by)
    return behave


def declared(*values):
    """The right bytes under other Content-Length lines."""
    def behave(wire, request):
        lines = [f"Content-Length: {value}" for value in values]
        wire.send_head(request.head(*lines, length=False))
        wire.send(request.wanted)
        wire.end()
    return behave


def chunked(end=b"0\r\n\r\n", lead=b"%x\r\n", *lines, how="farewell"):
    """In chunks of up to 4,000 bytes; `lead` is how their sizes are written."""
    def behave(wire, request):
        wire.send_head(request.head("Transfer-Encoding: chunked", *lines, length=False))
        body = request.wanted
        for start in range(0, len(body), 4000):
            part = body[start:start + 4000]
            wire.send((lead % len(part) if b"%" in lead else lead) + part + b"\r\n")
        wire.send(end)
        BREAKS[how](wire)
    return behave


def whole(wire, request):
    """200 and the whole file, whatever range was asked for."""
    request.first, request.last, request.is_ranged = 0, len(request.contents) - 1, False
    honest(wire, request)


def shifted(by, total="*"):
    """206 with other bytes than those asked for, and said so."""
    def behave(wire, request):
        first, last = request.first + by, request.last + by
        body = request.contents[first:last + 1]
        wire.send_head(["HTTP/1.1 206 Partial Content", SERVER, f"Content-Length: {len(body)}",
                        f"Content-Range: bytes {first}-{first + len(body) - 1}/{total}"])
        wire.send(body)
    return behave


def status(code, body=b"", *lines):
    """An answer of this status line's number and reason."""
    def behave(wire, request):
        wire.send_head([f"HTTP/1.1 {code}", SERVER, f"Content-Length: {len(body)}", *lines])
        if request.method != "HEAD":
            wire.send(body)
    return behave


SIGN_IN_PAGE = b"<!DOCTYPE html><html><body>Please sign in<script>go()</script></body></html>"


def page(*lines, body=SIGN_IN_PAGE):
    """200 and a sign-in page where the file should be."""
    return status("200 OK", body, "Content-Type: text/html; charset=utf-8", *lines)


def drip(pause, chunk=1):
    """The right answer, slowly."""
    def behave(wire, request):
        wire.send_head(request.head())
        for start in range(0, len(request.wanted), chunk):
            if wire.stopping.wait(pause):
                break
            wire.send(request.wanted[start:start + chunk])
    return behave


# The bodies of globus.md 3.4, all with status 404.
SICK = {
    "A": "GlobusError: v=1 c=PATH_NOT_FOUND\nGridFTP-Errno: 2\n"
         "GridFTP-Reason: System error in stat\nGridFTP-Error-String: No such file or directory\n",
    "B": "GlobusError: v=1 c=INTERNAL_ERROR\nGridFTP-Error: globus_xio_register_open\n"
         "globus_xio: Unable to open file /x\n"
         "globus_xio: System error in open: No such file or directory\n"
         "globus_xio: A system call failed: No such file or directory\n",
    "C": "GlobusError: v=1 c=INTERNAL_ERROR\nGridFTP-Errno: 108\n"
         "GridFTP-Reason: System error in stat\n"
         "GridFTP-Error-String: Cannot send after transport endpoint shutdown\n",
    "D": "Mapping collection to specified ID failed.\nGlobusError: v=1 c=ENDPOINT_ERROR\n"
         "GCS Manager Internal Error\n",
    "E": "Mapping collection to specified ID failed.\nGlobusError: v=1 c=ENDPOINT_ERROR\n"
         "Failure while contacting GCS Manager API.\n",
}


def sick(kind):
    """404 with one of the bodies A to E."""
    return status("404 Not Found", SICK[kind].encode(), "Content-Type: text/plain; charset=utf-8")
