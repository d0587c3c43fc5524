"""Requests made up by chance, one behind the other on real connections, plain and TLS: as many answers
as the parser finds requests, in their order, each with one row. SOCKETS_COUNT and DIFFERENTIAL_SEED
change how many connections there are, and which."""

import contextlib
import os
import random

import pytest

from audit_bed import rows
from parsers import HEAD_BAD, HEAD_MORE, WHOLE
from requests_made_up import MadeUp
from wire import take

COUNT = int(os.environ.get("SOCKETS_COUNT", 2000))
SEED = os.environ.get("DIFFERENTIAL_SEED") or str(random.randrange(1 << 32))


def conversation(number):
    """One to four requests. Whether a client that waits for 100 is kept depends on when its body
    comes, so there is none."""
    count = random.Random(f"{SEED}-{number}").choice([1, 1, 2, 3, 4])
    data = b"".join(MadeUp(SEED, f"{number}-{n}").bytes for n in range(count))
    return data.replace(b"Expect", b"Except")


def expected(data, own):
    """What must be answered: for each request its method, and the status if it is none."""
    answers = []
    while data:
        read = own(data)
        if read.kind == HEAD_MORE:
            break
        answers.append((read.method, read.status))
        if read.kind != WHOLE or not read.keep_alive:
            break
        data = data[read.end:]
    return answers


@pytest.mark.parametrize("name", ["plain", "tls"])
def test_one_answer_for_each_request(strict, own, name):
    print(f"DIFFERENTIAL_SEED={SEED}")
    door = strict.doors[name]
    before = {row["request_id"] for row in rows(door.database)}
    seen, asked = {}, []
    for number in range(COUNT):
        data = conversation(number)
        where = f"DIFFERENTIAL_SEED={SEED}, number {number}: {data!r}"
        with door.connect() as wire:
            with contextlib.suppress(OSError):  # closed by an answer before the client finished
                wire.send(data)
                wire.finish()
            rest = wire.rest()
            # TLS has the client say goodbye, which may come to a connection that is closed.
            assert not wire.is_cut and not (wire.is_reset and name == "plain"), where
        wanted = expected(data, own)
        for method, status in wanted:
            assert rest, f"answers are missing; {where}"
            answer, rest = take(rest, method == b"HEAD")
            assert answer.request_id not in seen
            seen[answer.request_id] = answer
            asked.append(answer.request_id)
            assert answer.status in ((status,) if status else (400, 403, 404)), where
        assert rest == b"", f"answers to no request; {where}"
        if number % 50 == 0:
            door.check_healthy()
    found = door.rows(seen)
    for request_id, answer in seen.items():
        row = found[request_id]
        assert (row["status"], row["error_code"]) == (answer.status, answer.code)
    assert [row["request_id"] for row in sorted(found.values(), key=lambda row: row["id"])] == asked
    others = [row for row in rows(door.database) if row["request_id"] not in before | seen.keys()]
    # The bed's own sign-in may have become visible since.
    odd = [row for row in others if (row["object_key"], row["status"]) != ("example.txt", 200)
           and row["operation"] not in ("AuthStart", "AuthCallback")]
    assert not odd, f"DIFFERENTIAL_SEED={SEED}"
    assert sum(answer.status == 404 for answer in seen.values()) > COUNT / 10
