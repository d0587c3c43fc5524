"""Each limit that an operator can set, crossed: a clear answer, a row, and the others are served."""

import contextlib
import resource
import socket
import struct

import pytest

from audit_bed import eventually, rows
from limits_bed import (ask, connect, cpu_seconds, descriptors, is_closed, read, request, row_of,
                        set_faults)


@pytest.fixture
def slow_data(rig):
    """Collections' servers answer when the test says so."""
    @contextlib.contextmanager
    def hold():
        set_faults(rig, data=[{"nodes": ["ok"], "delay_ms": 600_000}])
        try:
            yield
        finally:
            set_faults(rig)
    yield hold
    set_faults(rig)


def abandon(client):
    """Vanishes with a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def in_flight(rig):
    return rig.metric("globus_s3_frontend_requests_in_flight")


def slowed_down(answer):
    return (answer.status, answer.code, int(answer.headers["Retry-After"]) > 0) == (
        503, "SlowDown", True)


# ---- time ----

def test_a_head_has_its_time(rig, database):
    with rig.server(database, "--head-timeout", "0.3"):
        client = connect(rig)
        client.sendall(request(rig)[:-10])
        answer = read(client)
        assert (answer.status, answer.code) == (408, "RequestTimeout")
        assert answer.headers["Connection"] == "close" and is_closed(client)
        silent = connect(rig)
        assert is_closed(silent)
        assert ask(rig).status == 200
    row = row_of(database, answer)
    assert (row["operation"], row["status"], row["outcome"]) == ("Malformed", 408, "client_error")
    assert len(rows(database)) == 2


def test_an_idle_connection_has_its_time(rig, database):
    with rig.server(database, "--idle-timeout", "0.3"):
        client = connect(rig)
        assert ask(rig, client).status == 200
        assert is_closed(client)
        assert ask(rig).status == 200
    assert len(rows(database)) == 2


# ---- connections ----

def test_the_longest_idle_connection_gives_way(rig, database):
    with rig.server(database, "--max-connections", "4"):
        clients = [connect(rig) for _ in range(4)]
        for client in clients:
            assert ask(rig, client).status == 200
        assert ask(rig, clients[0]).status == 200
        newcomer = connect(rig)
        assert ask(rig, newcomer).status == 200
        assert is_closed(clients[1])
        for client in [newcomer, clients[0], clients[2], clients[3]]:
            assert ask(rig, client).status == 200
        assert rig.metric("globus_s3_frontend_connections_evicted_total") >= 1
    assert [row["status"] for row in rows(database)] == [200] * 10


def test_no_request_in_flight_gives_way(rig, database, slow_data):
    with rig.server(database, "--max-connections", "3"), contextlib.ExitStack() as end:
        held = end.enter_context(contextlib.ExitStack())
        held.enter_context(slow_data())
        busy = [connect(rig) for _ in range(3)]
        for client in busy:
            client.sendall(request(rig))
        eventually(lambda: in_flight(rig) == 3, "three in flight")
        waiting = connect(rig)
        waiting.sendall(request(rig))
        waiting.settimeout(0.3)
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        assert in_flight(rig) == 3
        held.close()
        abandon(busy[0])
        waiting.settimeout(60)
        assert read(waiting).status == 200
        for client in busy[1:]:
            abandon(client)
        eventually(lambda: in_flight(rig) == 0, "they are gone")
    assert sorted(row["outcome"] for row in rows(database)) == ["client_abort"] * 3 + ["ok"]


def test_an_address_has_so_many_connections(rig, database):
    with rig.server(database, "--max-connections-per-address", "3"):
        crowded = "127.0.0.5"
        clients = [connect(rig, source=crowded) for _ in range(3)]
        for client in clients:
            assert ask(rig, client).status == 200
        refused = connect(rig, source=crowded)
        assert slowed_down(read(refused)) and is_closed(refused)
        other = connect(rig, source="127.0.0.6")
        assert ask(rig, other).status == 200
        for client in clients:
            assert ask(rig, client).status == 200
        clients[0].close()
        eventually(lambda: tries(rig, crowded) == 200, "room again")
        assert rig.metric(
            'globus_s3_frontend_connections_refused_total{reason="address"}') >= 1
    assert {row["status"] for row in rows(database)} == {200}


def tries(rig, source=None):
    """The status of a request on a connection that may be refused."""
    with contextlib.suppress(OSError), connect(rig, source=source) as client:
        return ask(rig, client).status


def test_a_trusted_proxy_is_many_clients(rig, database):
    with rig.server(database, "--max-connections-per-address", "1",
                    "--trusted-proxy", "127.0.0.1/32"):
        clients = [connect(rig) for _ in range(5)]
        for client in clients:
            assert ask(rig, client).status == 200


# ---- requests ----

def test_requests_in_flight_are_bounded(rig, database, slow_data):
    with rig.server(database, "--max-requests-in-flight", "3"):
        with slow_data():
            busy = [connect(rig) for _ in range(3)]
            for client in busy:
                client.sendall(request(rig))
            eventually(lambda: in_flight(rig) == 3, "three in flight")
            refused = ask(rig)
            assert slowed_down(refused)
            for client in busy:
                abandon(client)
            eventually(lambda: in_flight(rig) == 0, "they are gone")
        assert ask(rig).status == 200
        assert rig.metric("globus_s3_frontend_requests_refused_total") == 1
    row = row_of(database, refused)
    assert (row["operation"], row["status"], row["error_code"], row["outcome"]) == (
        "GetObject", 503, "SlowDown", "server_error")
    assert row["identity_id"] and row["object_key"] == "example.txt"


def test_above_its_number_a_credential_waits_in_order(rig, database, slow_data):
    with rig.server(database, "--max-requests-per-credential", "2"):
        with slow_data():
            busy = [connect(rig) for _ in range(2)]
            for client in busy:
                client.sendall(request(rig))
            eventually(lambda: in_flight(rig) == 2, "two in flight")
            waiting = []
            for number in range(5):
                client = connect(rig)
                client.sendall(request(rig, f"missing-{number}"))
                waiting.append(client)
                eventually(lambda: in_flight(rig) == 3 + number, "it waits")
        abandon(waiting.pop(2))  # of these, one goes away while it waits
        eventually(lambda: in_flight(rig) == 6, "it is gone")
        for client in busy:
            abandon(client)
        assert [read(client).status for client in waiting] == [404] * 4
        assert ask(rig).status == 200
        assert rig.metric("globus_s3_frontend_requests_waited_total") == 5
        assert rig.metric("globus_s3_frontend_requests_refused_total") == 0
    recorded = rows(database)
    gone = [row for row in recorded if row["object_key"] == "missing-2"]
    assert [(row["outcome"], row["upstream_calls"]) for row in gone] == [("client_abort", 0)]
    assert len(recorded) == 8


def test_no_more_of_a_credential_wait_than_may(rig, database, slow_data):
    with rig.server(database, "--max-requests-per-credential", "1"):
        with slow_data():
            clients = [connect(rig) for _ in range(260)]
            for client in clients:
                client.sendall(request(rig))
            eventually(lambda: rig.metric("globus_s3_frontend_requests_refused_total") == 3,
                       "three too many")
            for client in clients:
                abandon(client)
            eventually(lambda: in_flight(rig) == 0, "they are gone")
        assert ask(rig).status == 200
    statuses = [row["status"] for row in rows(database)]
    assert (len(statuses), statuses.count(503), statuses.count(200)) == (261, 3, 1)


# ---- descriptors ----

def wait_for_upstream(server):
    """Until every request that can has its connection: the number of descriptors stands still."""
    counts = []

    def stands_still():
        counts.append(descriptors(server))
        return len(counts) > 10 and len(set(counts[-10:])) == 1

    eventually(stands_still, "connections upstream")


def test_without_descriptors_clients_are_told_and_nothing_spins(rig, database, slow_data):
    with rig.server(database) as server:
        assert ask(rig).status == 200
        free = descriptors(server)
        _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        with slow_data():
            # The collection's answer is waited for: no connection is idle that could give way.
            busy = [connect(rig) for _ in range(8)]
            for client in busy:
                client.sendall(request(rig))
            eventually(lambda: in_flight(rig) == len(busy), "all in flight")
            wait_for_upstream(server)
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (free, hard))
            refused = [connect(rig) for _ in range(5)]
            for client in refused:
                client.sendall(request(rig))
            for client in refused:
                assert slowed_down(read(client)) and is_closed(client)
            before = cpu_seconds(server)
            busy[0].settimeout(1)
            with pytest.raises(TimeoutError):  # nothing comes meanwhile: the loop sleeps
                busy[0].recv(1)
            assert cpu_seconds(server) - before < 0.5
            for client in busy:
                abandon(client)
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
        eventually(lambda: tries(rig) == 200, "service again")
        eventually(lambda: descriptors(server) <= free + 1, "no descriptor is lost")
        assert rig.metric(
            'globus_s3_frontend_connections_refused_total{reason="descriptors"}') >= 5
    outcomes = [row["outcome"] for row in rows(database)]
    assert outcomes.count("client_abort") == 8 and set(outcomes) == {"client_abort", "ok"}


def test_without_descriptors_idle_connections_give_way(rig, database):
    with rig.server(database) as server:
        assert ask(rig).status == 200
        idle = [connect(rig) for _ in range(10)]
        for client in idle:
            assert ask(rig, client).status == 200
        _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (descriptors(server), hard))
        for _ in range(5):
            newcomer = connect(rig)
            assert ask(rig, newcomer).status == 200
        assert is_closed(idle[0])
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
    assert {row["status"] for row in rows(database)} == {200}
