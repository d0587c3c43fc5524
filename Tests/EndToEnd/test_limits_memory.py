"""What connections cost that ask nothing, and clients that take nothing: memory stays bounded, and
others are served. `scripts/soak idle` opens 9,900."""

import os

import pytest

from audit_bed import eventually, rows
from limits_bed import ask, connect, descriptors, heap, is_closed, memory, read, request, row_of

IDLE = int(os.environ.get("IDLE_CONNECTIONS", "2000"))
# 431 were measured for connections without a request, 574 for those that had one, and 10 MiB in all
# with 5,000 of them.
BYTES_PER_IDLE = 700
PROCESS_BYTES = 32 << 20
LARGE = 1 << 30


@pytest.fixture(scope="module")
def large(rig):
    """An object of which a client's and our sockets hold a small part only."""
    key = "large.bin"
    path = rig.samples / key
    with open(path, "wb") as file:
        file.truncate(LARGE)
    yield key
    path.unlink()


def test_idle_connections_cost_little(rig, database):
    with rig.server(database, "--idle-timeout", "600", "--head-timeout", "600",
                    "--max-connections", str(IDLE + 100)) as server:
        active = connect(rig)
        for _ in range(50):
            assert ask(rig, active).status == 200
        before, files = heap(server), descriptors(server)
        clients = []
        for number in range(IDLE):
            client = connect(rig, source=f"127.0.1.{number // 20_000 + 1}")
            if number % 2:  # half of them have been used
                client.sendall(request(rig, "missing"))
                assert read(client).status == 404
            clients.append(client)
        # Connections upstream may have closed meanwhile.
        eventually(lambda: descriptors(server) >= files + IDLE - 10, "all are accepted")
        each = (heap(server) - before) / IDLE
        print(f"{IDLE} idle connections: {each:.0f} bytes each, "
              f"{memory(server) / 2**20:.1f} MiB in all")
        for _ in range(50):
            assert ask(rig, active).status == 200
        assert each < BYTES_PER_IDLE and memory(server) < PROCESS_BYTES
        for client in clients:
            client.close()
        eventually(lambda: descriptors(server) <= files + 1, "all are closed")
    assert {row["status"] for row in rows(database)} == {200, 404}


def test_a_client_that_takes_nothing_is_given_up(rig, database, large):
    """Upstream is paused meanwhile, not buffered."""
    with rig.server(database, "--write-stall-timeout", "1") as server:
        assert ask(rig).status == 200
        before = memory(server)
        slow = [connect(rig, window=4096) for _ in range(8)]
        heads = []
        for client in slow:
            client.sendall(request(rig, large))
            heads.append(client.recv(1000))
        most = 0

        def all_gone():
            nonlocal most
            most = max(most, memory(server) - before)
            return rig.metric("globus_s3_frontend_requests_in_flight") == 0

        eventually(all_gone, "they are given up")
        # For each the queue to the client, what curl holds back, and a connection upstream.
        assert most < len(slow) * (1 << 20), most
        for client in slow:
            with pytest.raises(ConnectionResetError):
                while client.recv(1 << 20):
                    pass
        assert ask(rig).status == 200
    ended = [row for row in rows(database) if row["object_key"] == large]
    assert [row["outcome"] for row in ended] == ["timeout"] * len(slow)
    assert all(0 < row["bytes_out"] < LARGE for row in ended)


def test_a_slow_client_gets_everything(rig, database):
    size = 3_000_000
    contents = os.urandom(size)
    (rig.samples / "slow.bin").write_bytes(contents)
    with rig.server(database, "--write-stall-timeout", "2"):
        client = connect(rig, window=4096)
        client.sendall(request(rig, "slow.bin"))
        answer = read(client)
    assert answer.status == 200 and answer.body == contents
    assert row_of(database, answer)["bytes_out"] == size


def test_a_request_that_drips_is_given_up(rig, database):
    """A byte in time, the head never."""
    with rig.server(database, "--head-timeout", "1"):
        client = connect(rig)
        client.settimeout(0.05)
        answer = b""
        for byte in request(rig) * 100:
            try:
                client.sendall(bytes([byte]))
                answer = client.recv(2000)
                break
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408 ") and is_closed(client)
    [row] = rows(database)
    assert (row["status"], row["outcome"]) == (408, "client_error")
