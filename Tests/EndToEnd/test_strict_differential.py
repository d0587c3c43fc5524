"""The server's parser against llhttp and h11: it may refuse what they take, but takes nothing that
either refuses, and frames nothing in another way. DIFFERENTIAL_COUNT and DIFFERENTIAL_SEED change
how many requests are made up, and which."""

import collections
import os
import random

import pytest

from parsers import BODY_BAD, BODY_MORE, HEAD_BAD, HEAD_MORE, WHOLE, disagreement, h11_, llhttp
from requests_made_up import MadeUp
from strict_inputs import FRAMING, REQUEST_LINES
from strict_inputs_names import HEADERS, PATHS

COUNT = int(os.environ.get("DIFFERENTIAL_COUNT", 150_000))
SEED = os.environ.get("DIFFERENTIAL_SEED") or str(random.randrange(1 << 32))


def test_nothing_is_taken_that_others_refuse_or_frame_otherwise(own):
    print(f"DIFFERENTIAL_SEED={SEED}")
    kinds, stricter = collections.Counter(), 0
    for number in range(COUNT):
        data = MadeUp(SEED, number).bytes
        wrong = disagreement(data, own)
        assert not wrong, f"DIFFERENTIAL_SEED={SEED}, number {number}: {wrong}\n{data!r}"
        kind = own(data).kind
        kinds[kind] += 1
        if kind in (HEAD_BAD, BODY_BAD) and number % 10 == 0:
            stricter += {llhttp(data).kind, h11_(data).kind} == {WHOLE}
    # That the requests were worth making up: of every kind there are enough.
    assert all(kinds[kind] > COUNT * share for kind, share in [
        (HEAD_BAD, 0.2), (HEAD_MORE, 0.001), (BODY_BAD, 0.02), (BODY_MORE, 0.001), (WHOLE, 0.2)]), kinds
    print(f"{kinds}, and about {10 * stricter} refused that both others take")


@pytest.mark.parametrize("each", FRAMING + REQUEST_LINES + HEADERS + PATHS, ids=lambda each: each.id)
def test_what_stands_in_the_table(own, each):
    data = each.request.replace(b"%HOST%", b"localhost").replace(b"%AUTH%", b"").replace(
        b"%BUCKET%", b"00000000-0000-4000-8000-000000000000")
    assert not disagreement(data, own)
