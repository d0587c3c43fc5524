"""Where a collection's server or Globus is silent or slow: an end comes, and the right one.

The frontend here waits two seconds for what it otherwise gives a minute.
"""

import concurrent.futures
import time

import pytest

import faults
from conftest import LIED_ABOUT, run_local
from liar import Liar, cut, drip, honest, raw, sequence, silent
from test_faults import cut_visibly, whole
from test_faults_heads import refused


@pytest.fixture(scope="module")
def impatient(tmp_path_factory, authority):
    folder = tmp_path_factory.mktemp("slow")
    with Liar(folder, authority) as liar, run_local(
        *("--collection", f"{LIED_ABOUT}={folder}", "--guest", LIED_ABOUT),
        *("--https-server", f"{LIED_ABOUT}={liar.url}", "--upstream-ca", authority.certificate),
        *("--listen", "127.0.0.1:0", "--upstream-timeout", "2"),
    ) as local:
        yield faults.bed(local, folder, LIED_ABOUT, liar)


@pytest.fixture
def slow(impatient):
    impatient.liar.plan(honest)
    yield impatient
    faults.set_faults(impatient.local)


def wait_for(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("did not come about")


def test_silence_before_the_head(slow):
    key, contents = slow.file()
    slow.liar.plan(silent())
    assert refused(slow.request(key))
    slow.liar.plan(honest)
    assert whole(slow.request(key), contents)


def test_half_a_head(slow):
    key, _ = slow.file()
    slow.liar.plan(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n", how="stall"))
    assert refused(slow.request(key))


def test_a_head_that_drips(slow):
    """Each byte comes in time, the head never."""
    key, _ = slow.file()

    def behave(wire, request):
        wire.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not wire.stopping.wait(0.2):
            wire.send(b"x")

    slow.liar.plan(behave)
    assert refused(slow.request(key))


def test_silence_within_the_body_is_gone_on_after(slow):
    key, contents = slow.file()
    slow.liar.plan(sequence(cut(50_000, "stall"), honest))
    assert whole(slow.request(key), contents)
    assert slow.liar.requests[1].first == 50_000


def test_silence_again_and_again(slow):
    key, contents = slow.file()
    slow.liar.plan(cut(10_000, "stall"))
    assert cut_visibly(slow.request(key), contents)


def test_slow_but_steady_is_served(slow):
    """Longer in all than the silence that is allowed."""
    key, contents = slow.file(3000)
    slow.liar.plan(drip(0.3, 250))
    assert whole(slow.request(key), contents)


def test_others_do_not_wait(slow):
    """Fifty requests that nobody answers hold up nobody else."""
    stuck, contents = slow.file()
    fine, fine_contents = slow.file()

    def by_key(request):
        return silent() if stuck in request.target else honest

    by_key.is_plan = True
    slow.liar.plan(by_key)
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        waiting = [pool.submit(slow.ask, stuck) for _ in range(50)]
        wait_for(lambda: any(stuck in request.target for request in slow.liar.requests))
        for _ in range(5):
            assert whole(slow.request(fine), fine_contents)
        assert not all(request.done() for request in waiting)
        assert {request.result()[0].status for request in waiting} == {503}


def test_transfer_is_silent(slow):
    key, contents = slow.file()
    faults.set_faults(slow.local, transfer=[
        {"operation": "stat", "answer": "ok", "delay_ms": 600_000, "times": 1}])
    assert refused(slow.request(key))
    assert whole(slow.request(key), contents)


def test_a_slow_transfer_is_waited_for(slow):
    key, contents = slow.file()
    faults.set_faults(slow.local, transfer=[{"answer": "ok", "delay_ms": 1200}],
                      data=[{"nodes": ["ok"], "delay_ms": 1200}])
    assert whole(slow.request(key), contents)
