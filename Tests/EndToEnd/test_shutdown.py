"""The end of a server: requests that it gives up on have their rows when it is gone."""

import signal
import socket
import time
import urllib.parse

from frontend import Program, audit, sign_in
from raw import authorization

SIZE = 256 << 20  # more than the socket buffers of a client that reads nothing can hold


def refuses_connections(address):
    try:
        socket.create_connection(address, timeout=5).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # met the listener as it closed
    return False


def test_a_second_signal_ends_transfers_and_records_them(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with open(folder / "large.bin", "wb") as large:
        large.truncate(SIZE)
    database = tmp_path / "audit.db"
    program = Program("local", "--directory", folder, "--listen", "127.0.0.1:0",
                      "--audit-db", database).wait_ready()
    credential = sign_in(program.base_url, program.collection).json()
    address = ("127.0.0.1", urllib.parse.urlsplit(program.base_url).port)
    with socket.create_connection(address, timeout=30) as client:
        lines = [f"GET /{program.collection}/large.bin HTTP/1.1", f"Host: localhost:{address[1]}",
                 *(f"{name}: {value}" for name, value in authorization(credential).items())]
        client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = client.recv(64)
        assert head.startswith(b"HTTP/1.1 200 ")

        program.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 20
        while not refuses_connections(address):
            assert time.monotonic() < deadline
        assert program.process.poll() is None  # the transfer is still waited for
        assert program.stop() == 0  # the second signal

    row, = [row for row in audit(database) if row["object_key"] == "large.bin"]
    assert (row["status"], row["outcome"]) == (200, "upstream_abort")
    assert len(head) <= row["bytes_out"] < SIZE
