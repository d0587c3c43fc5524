"""Clients that vanish at each stage of a request, a thousand times: no descriptor, byte or row is
lost."""

import concurrent.futures
import os
import socket
import ssl
import struct

import pytest

from audit_bed import eventually, rows
from limits_bed import ask, connect, descriptors, heap, request

ROUNDS = 1000
WARM_UP = 64
CLIENTS = 8
SIZE = 1 << 20
# What the allocator may keep of many connections at once: 4 KiB a round.
KEPT_BYTES = 4 << 20


@pytest.fixture(scope="module")
def key(rig):
    path = rig.samples / "vanish.bin"
    path.write_bytes(os.urandom(SIZE))
    yield path.name
    path.unlink()


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def vanish(client, number):
    """By a reset, or with a farewell, in turn."""
    reset(client) if number % 2 else client.close()


def receive(client, count):
    """So many bytes of the answer, or what there is."""
    got = b""
    while len(got) < count and (part := client.recv(min(count - len(got), 1 << 16))):
        got += part
    return got


def answer_length(head):
    return head.index(b"\r\n\r\n") + 4 + SIZE


def before_a_byte(rig, key, number):
    vanish(connect(rig), number)


def within_the_head(rig, key, number):
    client = connect(rig)
    whole = request(rig, key)
    client.sendall(whole[:1 + number * 7 % (len(whole) - 1)])
    vanish(client, number)


def after_the_head(rig, key, number):
    client = connect(rig)
    client.sendall(request(rig, key))
    vanish(client, number)


def within_the_answers_head(rig, key, number):
    client = connect(rig, window=4096)
    client.sendall(request(rig, key))
    receive(client, 1 + number % 100)
    vanish(client, number)


def within_the_body(rig, key, number):
    client = connect(rig, window=4096)
    client.sendall(request(rig, key))
    receive(client, 2000 + number * 997 % (SIZE - 2000))
    vanish(client, number)


def before_the_last_byte(rig, key, number):
    client = connect(rig)
    client.sendall(request(rig, key))
    head = receive(client, 2000)
    receive(client, answer_length(head) - len(head) - 1)
    vanish(client, number)


def half_closed(rig, key, number):
    """Not gone at all: it only has nothing more to say."""
    client = connect(rig)
    client.sendall(request(rig, key))
    client.shutdown(socket.SHUT_WR)
    head = receive(client, 2000)
    assert len(receive(client, SIZE + 1)) == answer_length(head) - len(head)
    client.close()


def between_requests(rig, key, number):
    client = connect(rig)
    client.sendall(request(rig, "example.txt"))
    receive(client, 100)
    vanish(client, number)


# Each with the outcomes that its rows may have, or None where no request came to be.
STAGES = {
    before_a_byte: None,
    within_the_head: None,
    after_the_head: {"client_abort", "ok"},
    within_the_answers_head: {"client_abort", "ok"},
    within_the_body: {"client_abort", "ok"},
    before_the_last_byte: {"client_abort", "ok"},
    half_closed: {"ok"},
    between_requests: {"ok"},
}


def repeat(rounds, act, *arguments):
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda number: act(*arguments, number), range(rounds)))


def in_flight(rig):
    return rig.metric("globus_s3_frontend_requests_in_flight")


def check(rig, server, stage, *arguments):
    """Makes the rounds, up to three times if memory has grown: a peak of requests at once comes
    once, a leak every time. Returns how many."""
    repeat(WARM_UP, stage, *arguments)
    eventually(lambda: in_flight(rig) == 0, "they are gone")
    files, made, grown = descriptors(server), WARM_UP, KEPT_BYTES
    while grown >= KEPT_BYTES:
        assert made <= WARM_UP + 2 * ROUNDS, f"{grown} bytes more after each {ROUNDS} rounds"
        before = heap(server)
        repeat(ROUNDS, stage, *arguments)
        eventually(lambda: in_flight(rig) == 0, "they are gone")
        # Of connections upstream a few more or less may be kept for the next request.
        eventually(lambda: descriptors(server) <= files + 2 * CLIENTS, "no descriptor is lost")
        made, grown = made + ROUNDS, heap(server) - before
    return made


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)
def test_clients_that_vanish(rig, database, key, stage):
    # Those that do not wait for answers are all there at once.
    with rig.server(database, "--max-requests-per-credential", "4096") as server:
        made = check(rig, server, stage, rig, key)
        assert ask(rig).status == 200
    outcomes = STAGES[stage]
    found = [row["outcome"] for row in rows(database)]
    assert len(found) == (made if outcomes else 0) + 1
    assert set(found) <= (outcomes or set()) | {"ok"}


def test_clients_that_vanish_from_a_handshake(rig, authority, key, tmp_path):
    certificate, private_key = authority.files()
    trust = ssl.create_default_context(cafile=authority.certificate)
    hello = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        trust.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost").do_handshake()
    hello = hello.read()

    def before_or_within(rig, number):
        client = connect(rig)
        client.sendall(hello[:number * 3 % len(hello)])
        vanish(client, number)

    def after_the_hello(rig, number):
        client = connect(rig)
        client.sendall(hello)
        receive(client, 1 + number % 500)
        vanish(client, number)

    def after_it(rig, number):
        vanish(trust.wrap_socket(connect(rig), server_hostname="localhost"), number)

    def within_the_body_of_a_request(rig, number):
        client = trust.wrap_socket(connect(rig, window=4096), server_hostname="localhost")
        client.sendall(request(rig, key))
        receive(client, 2000 + number * 997 % 100_000)
        vanish(client, number)

    database = tmp_path / "audit.db"
    with rig.server(database, "--tls-cert", certificate,
                    "--tls-key", private_key) as server:
        for stage in [before_or_within, after_the_hello, after_it, within_the_body_of_a_request]:
            made = check(rig, server, stage, rig)
    outcomes = [row["outcome"] for row in rows(database)]
    assert len(outcomes) == made and set(outcomes) <= {"client_abort", "ok"}
