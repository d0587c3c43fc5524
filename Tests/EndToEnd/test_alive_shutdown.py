"""SIGTERM: nothing new, all that is under way in peace, the rest cut, and a record that is whole."""

import signal
import socket
import time

import pytest

from alive_bed import LARGE, Site
from audit_bed import eventually, rows
from frontend import run
from test_shutdown import refuses_connections


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("ending"))
    with site.server(site.folder / "sign-in.db"):
        site.sign_in()
    yield site
    site.close()


def client(site):
    return socket.create_connection(("127.0.0.1", site.port), timeout=60)


def read_all(connection):
    """What comes until the end: its length, and how it begins."""
    start, length = b"", 0
    while piece := connection.recv(1 << 20):
        start, length = (start + piece)[:1000], length + len(piece)
    return length, start


def test_what_is_under_way_ends_well(site, database):
    server = site.start(database)
    server.wait_line("listening")
    assert site.readiness() == (200, "ready\n")
    with client(site) as reader, client(site) as half, client(site) as fresh, client(site) as idle:
        reader.sendall(site.request("large.bin"))
        begun = reader.recv(1000)
        assert begun.startswith(b"HTTP/1.1 200 ") and b"Connection: close" not in begun
        idle.sendall(site.request())
        assert idle.recv(65536).startswith(b"HTTP/1.1 200 ")
        half.sendall(site.request()[:-2])

        server.terminate()
        eventually(lambda: refuses_connections(("127.0.0.1", site.port)), "closed")
        assert site.readiness() == (503, "the service is closing\n")
        fresh.sendall(site.request())
        half.sendall(b"\r\n")
        for connection in (fresh, half):
            _, answer = read_all(connection)
            assert answer.startswith(b"HTTP/1.1 200 ") and b"\r\nConnection: close\r\n" in answer
        while len(idle.recv(65536)):
            pass  # what is left of the answer; then it is closed
        assert server.process.poll() is None  # the large one is waited for
        head = len(begun.split(b"\r\n\r\n")[0]) + 4
        assert len(begun) + read_all(reader)[0] == head + LARGE
    assert server.process.wait(timeout=30) == 0
    server.stop()
    assert not wal(database).exists()
    ended = rows(database)
    assert [row["outcome"] for row in ended] == ["ok"] * 4
    assert LARGE in [row["bytes_out"] for row in ended]
    check_record(database)


def wal(database):
    """What SQLite has not moved into the database; a reader makes an empty one anew."""
    return database.with_name(database.name + "-wal")


def check_record(database):
    run_row, = rows(database, "SELECT clean, stopped_us FROM server_run")
    assert run_row["clean"] == 1 and run_row["stopped_us"] > 0
    assert run("audit", "verify", "--audit-db", database).returncode == 0


@pytest.mark.parametrize("grace, hurried", [("0", False), ("1", False), ("86400", True)])
def test_what_does_not_end_in_time_is_cut_and_recorded(site, database, grace, hurried):
    server = site.start(database, "--shutdown-grace", grace)
    server.wait_line("listening")
    with client(site) as reader:
        reader.sendall(site.request("large.bin"))
        got = len(reader.recv(1000))
        began = time.monotonic()
        server.terminate()
        if hurried:
            eventually(lambda: refuses_connections(("127.0.0.1", site.port)), "closed")
            server.process.send_signal(signal.SIGINT)
        assert server.process.wait(timeout=30) == 0
        assert hurried or time.monotonic() - began >= int(grace)
        with pytest.raises(ConnectionResetError):
            while piece := reader.recv(1 << 20):
                got += len(piece)
    server.stop()
    assert not wal(database).exists()
    row, = rows(database)
    assert (row["status"], row["outcome"]) == (200, "upstream_abort")
    assert 0 < row["bytes_out"] < LARGE and got < LARGE
    check_record(database)


@pytest.mark.parametrize("text", ["-1", "86401", "soon", "1.5"])
def test_a_grace_is_a_number_of_seconds(site, database, text):
    code, lines = site.refused(database, f"--shutdown-grace={text}")
    assert code == 64 and len(lines) == 1 and "--shutdown-grace must be a number" in lines[0]
