"""Every input of the table over a socket, plain and TLS: its answers, whether the connection is then
closed, a healthy next client, and the rows in the record."""

import collections

import pytest

from strict_bed import SAMPLE
from strict_inputs import FRAMING, REQUEST_LINES
from strict_inputs_names import HEADERS, PATHS

INPUTS = FRAMING + REQUEST_LINES + HEADERS + PATHS


class Seen:
    """What came of one input: answers, what the end was, and the rows; or a `failure`."""

    def __init__(self, door, each):
        self.answers, self.failure = [], None
        try:
            self.ask(door, each)
        except (EOFError, OSError) as failure:
            self.failure = failure

    def ask(self, door, each):
        is_head = each.request.startswith(b"HEAD ")
        with door.connect() as wire:
            try:
                wire.send(door.render(each.request))
                if each.then_ends:
                    wire.finish()
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all of it was taken
            for _ in each.answers:
                self.answers.append(wire.answer(is_head))
            if each.closes:
                self.rest = wire.rest()
                self.is_in_order = not (wire.is_reset or wire.is_cut)
            else:
                wire.send(door.render(b"GET /none/next HTTP/1.1\r\nHost: %HOST%\r\n\r\n"))
                self.next = wire.answer()
        door.check_healthy()


@pytest.fixture(scope="module", params=["plain", "tls"])
def seen(strict, request):
    """All inputs by one door; the record is asked once for all."""
    door = strict.doors[request.param]
    seen = {each.id: Seen(door, each) for each in INPUTS}
    rows = door.rows([answer.request_id for one in seen.values() for answer in one.answers])
    for one in seen.values():
        one.rows = [rows[answer.request_id] for answer in one.answers]
    return seen


def test_their_names_differ():
    assert [name for name, n in collections.Counter(each.id for each in INPUTS).items() if n > 1] == []
    numbers = {each.number for each in INPUTS}
    assert numbers >= set(range(1, 65)), set(range(1, 65)) - numbers


@pytest.mark.parametrize("each", INPUTS, ids=lambda each: each.id)
def test_input(seen, each):
    one = seen[each.id]
    assert one.failure is None
    assert [(answer.status, answer.code) for answer in one.answers] == [
        (wanted.status, wanted.code) for wanted in each.answers]
    says_so = [answer.headers["Connection"] == "close" for answer in one.answers]
    assert says_so == [False] * (len(says_so) - 1) + [each.closes]
    if each.closes:
        assert (one.rest, one.is_in_order) == (b"", True)
    else:
        assert (one.next.status, one.next.code) == (404, "NoSuchBucket"), "out of step"
    for answer, wanted, row in zip(one.answers, each.answers, one.rows):
        outcome = "ok" if wanted.status < 400 else (
            "client_error" if wanted.status < 500 else "server_error")
        expected = {"operation": wanted.operation, "status": wanted.status,
                    "error_code": wanted.code or None, "outcome": outcome,
                    "bytes_out": len(answer.body), **wanted.row}
        assert {name: row[name] for name in expected} == expected
        if wanted.status == 200 and answer.body:
            assert answer.body == SAMPLE
        if wanted.status == 405:
            assert answer.headers["Allow"]
