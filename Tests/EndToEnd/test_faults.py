"""Where the collection's server breaks off or lies about lengths: never a wrong body that looks whole.

Every test reads the audit row too (`faults.check`, and what it says of the outcome).
"""

import pytest

from liar import cut, honest, sequence


def test_an_honest_liar_is_a_collection(bed):
    key, contents = bed.file()
    seen = bed.request(key)
    assert (seen.status, seen.body == contents, seen.row["outcome"]) == (200, True, "ok")
    assert seen.row["upstream_host"] == bed.liar.url.removeprefix("https://")
    assert (seen.row["upstream_status"], seen.row["upstream_calls"]) == (200, 2)
    assert bed.liar.requests[0].headers["authorization"].startswith("Bearer Ag")


@pytest.mark.parametrize("how", ["fin", "reset", "farewell"])
@pytest.mark.parametrize("after", [0, 1, 99_999])
def test_a_broken_transfer_is_gone_on_with(bed, how, after):
    key, contents = bed.file()
    bed.liar.plan(sequence(cut(after, how), honest))
    seen = bed.request(key)
    assert seen.complete and seen.body == contents
    assert (seen.status, seen.row["outcome"], seen.row["bytes_out"]) == (200, "ok", len(contents))
    first, second = bed.liar.requests
    assert second.first <= after and second.last == len(contents) - 1
    # A reset may overtake what was sent before it, the head too: then it is asked once more.
    assert second.is_ranged or how == "reset"
    assert seen.row["upstream_calls"] == (4 if second.is_ranged else 3)
