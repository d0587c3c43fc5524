"""Loads: `wrk` for small objects; for the others clients that drop what they receive unread.

Everything here runs on the core of the bench itself, never on the server's.
"""

import concurrent.futures
import contextlib
import dataclasses
import pathlib
import re
import socket
import subprocess
import time

import machine
from servers import SIZES

REPORT = """
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format("requests=%d\\nmicroseconds=%d\\np50=%d\\np99=%d\\nerrors=%d\\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""
GIB = 1 << 30
#: Received and dropped in the kernel at once.
GULP = 4 << 20


@dataclasses.dataclass
class Small:
    """Requests, in all and a second, milliseconds, errors, and microseconds of CPU of a request: of
    what serves, and of the threads beside it."""
    requests: int
    rate: float
    p50: float
    p99: float
    errors: int
    cpu: float
    beside: float


def small(work, server, name, connections, seconds):
    """GETs over so many kept-alive connections, as fast as they are answered."""
    script = pathlib.Path(work) / "report.lua"
    script.write_text(REPORT)
    headers = [part for line in server.header_lines(name).items()
               for part in ("-H", ": ".join(line))]
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
               "-s", str(script), *headers, server.url(name)]
    cpu = machine.CPU(server.pid)
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    serving, beside = server.cpu(cpu)
    settle(server)
    found = {key: int(value) for key, value in re.findall(r"^(\w+)=(\d+)$", answer, re.M)}
    requests = max(found["requests"], 1)
    return Small(requests=requests, rate=1e6 * requests / found["microseconds"], p50=found["p50"] / 1000,
                 p99=found["p99"] / 1000, errors=found["errors"],
                 cpu=serving / 1000 / requests, beside=beside / 1000 / requests)


class Client:
    """A connection with a GET on it."""

    def __init__(self, server, name, address="127.0.0.1", receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(60)
        self.socket.bind((address, 0))
        self.socket.connect(("127.0.0.1", server.port))
        lines = [f"GET {server.path(name)} HTTP/1.1",
                 *(f"{key}: {value}" for key, value in
                   {"Host": f"localhost:{server.port}", **server.header_lines(name)}.items())]
        self.request = "\r\n".join([*lines, "", ""]).encode()

    def ask(self):
        self.socket.sendall(self.request)

    def head(self):
        """Reads the head; returns how many bytes of the body have not come yet."""
        data = b""
        while b"\r\n\r\n" not in data:
            part = self.socket.recv(65536)
            if not part:
                raise RuntimeError("closed before the answer")
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise RuntimeError(head.decode("latin-1"))
        return int(re.search(rb"(?i)content-length: *(\d+)", head)[1]) - len(body)

    def drop(self, limit):
        """Drops what has come, up to a limit; how much that was."""
        count = self.socket.recv_into(DUMMY, min(limit, GULP), socket.MSG_TRUNC)
        if count == 0:
            raise RuntimeError("cut short")
        return count

    def drain(self):
        self.ask()
        rest = self.head()
        while rest:
            rest -= self.drop(rest)

    def drain_and_close(self):
        try:
            self.drain()
        finally:
            self.close()

    def close(self):
        self.socket.close()


DUMMY = bytearray(GULP)


def large(server, name, clients):
    """So many clients read the object once each: MB a second, CPU seconds per GiB."""
    connections = [Client(server, name) for _ in range(clients)]
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        cpu, began = machine.CPU(server.pid), time.monotonic()
        for reading in [pool.submit(one.drain_and_close) for one in connections]:
            reading.result()
        serving, _ = server.cpu(cpu)
        seconds = time.monotonic() - began
    size = SIZES[name] * clients
    return size / seconds / 1e6, serving / 1e9 * GIB / size


def settle(server):
    """Waits until what a load has left behind is done."""
    for _ in range(100):
        cpu = machine.CPU(server.pid)
        time.sleep(0.1)
        if sum(server.cpu(cpu)) < 5_000_000:
            return


@dataclasses.dataclass
class Idle:
    """Bytes of the process: resident, and those that no file stands behind; and of a connection."""
    resident: int
    anonymous: int
    each: float


def idle(server, count):
    """So many connections, each with an answer behind it."""
    with contextlib.ExitStack() as stack:
        warm = Client(server, "1k")
        stack.callback(warm.close)
        warm.drain()
        before = machine.memory(server.pid)[1]
        for number in range(count):
            client = Client(server, "1k", address=f"127.0.0.{2 + number % 8}")
            stack.callback(client.close)
            client.drain()
        time.sleep(1)  # until what is freed late is freed
        resident, anonymous, _ = machine.memory(server.pid)
    return Idle(resident, anonymous, (anonymous - before) / count)


@dataclasses.dataclass
class Slow:
    """Of each reader: bytes of memory at their peak, bytes spooled to disk, bytes a second."""
    memory: float
    disk: float
    rate: float


def slow(server, name, rate, readers, seconds):
    """So many readers of a large object, each as slow as `rate` bytes a second."""
    step = 0.05
    with contextlib.ExitStack() as stack:
        before = machine.memory(server.pid)[1]
        clients = []
        for _ in range(readers):
            client = Client(server, name, receive_buffer=65536)
            stack.callback(client.close)
            client.ask()
            clients.append(client)
        for client in clients:
            client.head()
            client.socket.setblocking(False)
        peak = spooled = taken = 0
        began = time.monotonic()
        while (spent := time.monotonic() - began) < seconds:
            for client in clients:
                with contextlib.suppress(BlockingIOError):
                    taken += client.drop(int(rate * step))
            peak = max(peak, machine.memory(server.pid)[1])
            spooled = max(spooled, machine.spooled(server.pid))
            time.sleep(max(0, step - (time.monotonic() - began - spent)))
    return Slow((peak - before) / readers, spooled / readers, taken / seconds / readers)


def first_byte(server, name):
    """Milliseconds from a request to the first byte of its answer."""
    client = Client(server, name)
    began = time.monotonic()
    client.ask()
    client.head()
    spent = time.monotonic() - began
    client.close()
    return spent * 1000


def start(command, port, **options):
    """Milliseconds from exec to the first byte of an answer, whatever it says."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, **options)
    try:
        while True:
            if process.poll() is not None or time.monotonic() > began + 20:
                raise RuntimeError(f"does not start: {command}")
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=10) as stream:
                    stream.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    if stream.recv(1):
                        return (time.monotonic() - began) * 1000
            except OSError:
                time.sleep(0.0005)
    finally:
        process.terminate()
        process.wait()
