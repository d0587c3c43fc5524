"""A client's end of a connection, plain or TLS, that sends exactly the bytes it is told to, and can
end as clients do: half-closed, cut off, reset.
"""

import http.client
import io
import socket
import ssl
import struct

import raw


def trust(certificate):
    """A context that trusts this PEM file."""
    context = ssl.create_default_context(cafile=str(certificate))
    context.set_alpn_protocols(["http/1.1"])
    return context


class Wire:
    """`context`: of TLS, or None. What came and was not yet taken stands in `buffer`. At the end
    `is_reset` says whether it was a reset, `is_cut` whether TLS ended without its close_notify."""

    def __init__(self, port, context=None, receive_buffer=None, timeout=30):
        self.socket = socket.socket()
        self.socket.settimeout(timeout)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.has_finished = False
        self.is_reset = self.is_cut = False
        self.tls = None
        if context:
            self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
            self._until_done(self.tls.do_handshake)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _flush(self):
        pending = self.outgoing.read()
        if pending and not self.has_finished:
            self.socket.sendall(pending)

    def _until_done(self, step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self._flush()
                if received := self.socket.recv(65536):
                    self.incoming.write(received)
                else:
                    self.incoming.write_eof()
            finally:
                self._flush()

    def send(self, data):
        if self.tls:
            self.tls.write(data)
            self._flush()
        else:
            self.socket.sendall(data)

    def finish(self):
        """Nothing more will be sent; answers are still read."""
        if self.tls:
            try:
                self.tls.unwrap()
            except ssl.SSLWantReadError:
                pass  # the other side's close_notify is for the reader
            self._flush()
        self.cut()

    def cut(self):
        """Ends the stream below TLS."""
        self.has_finished = True
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def receive(self):
        """More bytes into `buffer`; False at the end. A reset is an end that is noted."""
        try:
            if self.tls:
                received = self._until_done(lambda: self.tls.read(65536))
            else:
                received = self.socket.recv(65536)
        except ConnectionResetError:
            self.is_reset = True
            received = b""
        except ssl.SSLZeroReturnError:
            received = b""
        except ssl.SSLEOFError:
            self.is_cut = True
            received = b""
        self.buffer += received
        return bool(received)

    def rest(self):
        """What comes until the other side ends."""
        while self.receive():
            pass
        return self.buffer

    def answer(self, is_head=False):
        """The next answer, to its last byte; one of 1xx counts."""
        while b"\r\n\r\n" not in self.buffer:
            if not self.receive():
                raise EOFError(f"no answer, but {self.buffer[:200]}")
        answer, self.buffer = take(self.buffer, is_head, self.receive_more)
        return answer

    def receive_more(self):
        if not self.receive():
            raise EOFError("an answer is cut")
        return self.buffer


def take(data, is_head=False, more=None):
    """The answer that the bytes begin with, and the bytes behind it. `more` gives them anew, longer,
    when they do not hold it all."""
    head, _, _ = data.partition(b"\r\n\r\n")
    line, _, fields = head.partition(b"\r\n")
    version, status, _ = line.split(b" ", 2)
    assert version == b"HTTP/1.1", line
    headers = http.client.parse_headers(io.BytesIO(fields + b"\r\n\r\n"))
    at, status = len(head) + 4, int(status)
    has_body = not is_head and status >= 200 and status not in (204, 304)
    end = at + (int(headers["Content-Length"]) if has_body else 0)
    while len(data) < end:
        if not more:
            raise EOFError("an answer is cut")
        data = more()
    return raw.Answer(status, headers, data[at:end]), data[end:]
