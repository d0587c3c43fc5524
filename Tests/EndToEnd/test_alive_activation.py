"""Sockets that a service manager left, and what the manager is told: no systemd is needed for it."""

import contextlib
import os
import re
import socket

import pytest
import requests

from alive_bed import Load, Site
from audit_bed import eventually, rows
from frontend import audit_rows


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("activated"))
    with site.server(site.folder / "sign-in.db"):
        site.sign_in()
    yield site
    site.close()


@contextlib.contextmanager
def listening(port=0):
    with socket.create_server(("127.0.0.1", port), backlog=128) as one:
        yield one


@pytest.fixture(scope="module")
def secure_site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("activated-tls"), tls=True)
    with site.server(site.folder / "sign-in.db"):
        site.sign_in()
    yield site
    site.close()


@pytest.mark.parametrize("speaking", ["site", "secure_site"])
def test_an_upgrade_under_load_refuses_nobody(request, speaking, database):
    """The old ends, then the new starts, as systemd does; clients wait in the socket's backlog."""
    site = request.getfixturevalue(speaking)
    with listening(site.port) as held, Load(site, fresh=3, keeping=3) as load:
        for number in range(3):
            server = site.start(database, log=site.folder / f"log-{number}", sockets=[held])
            load.wait_more(100)
            server.terminate()
            assert server.process.wait(timeout=30) == 0, server.lines
            server.stop()
        load.stopping.set()
        with site.server(database, sockets=[held]):
            for thread in load.threads:
                thread.join()
    load.check()
    assert len(audit_rows(database, [answer[0] for answer in load.answers])) == len(load.answers)
    assert [row["clean"] for row in rows(database, "SELECT clean FROM server_run")] == [1] * 4


def test_sockets_stand_in_place_of_the_flags(site, database):
    with listening() as first, listening() as second, listening() as operations:
        sockets = [first, operations, second]
        with site.server(database, sockets=sockets, names=["s3", "operations", ""]) as server:
            for one in (first, second):
                url = f"http://127.0.0.1:{one.getsockname()[1]}/{site.collection}/example.txt"
                assert requests.get(url, timeout=30).status_code == 403
            url = f"http://127.0.0.1:{operations.getsockname()[1]}/readyz"
            assert requests.get(url, timeout=30).status_code == 200
            for named in (site.base_url, site.operations):
                with pytest.raises(requests.ConnectionError):
                    requests.get(named, timeout=30)
            addresses = [line.split("address=")[1] for line in server.lines if "listening" in line]
            assert addresses == [f"127.0.0.1:{one.getsockname()[1]}" for one in (first, second)]


def test_one_for_operations_alone_leaves_the_flags_for_the_rest(site, database):
    with listening() as operations:
        with site.server(database, sockets=[operations], names=["operations"]):
            assert requests.get(site.base_url, timeout=30).status_code == 403
            url = f"http://127.0.0.1:{operations.getsockname()[1]}/readyz"
            assert requests.get(url, timeout=30).status_code == 200


def test_what_was_left_to_another_process_is_not_ours(site, database):
    with listening() as another:
        with site.server(database, sockets=[another], LISTEN_PID=str(os.getpid())):
            assert requests.get(site.base_url, timeout=30).status_code == 403


def sockets_that_are_none(folder):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        yield datagrams
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound
    with socket.socket(socket.AF_UNIX) as local:
        local.bind(str(folder / "local"))
        local.listen()
        yield local
    with open(os.devnull) as file:
        yield file


def test_what_is_no_listening_socket_is_refused(site, database, tmp_path):
    for one in sockets_that_are_none(tmp_path):
        code, lines = site.refused(database, sockets=[one], names=["s3"])
        assert code == 78 and len(lines) == 1
        assert "the descriptor 3 (s3) of LISTEN_FDS must be a TCP socket that listens" in lines[0]
    with listening() as one:
        for count in ("2", "65", "-1", "many"):
            code, lines = site.refused(database, sockets=[one], LISTEN_FDS=count)
            assert code == 78 and len(lines) == 1 and "LISTEN_FDS" in lines[0]


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_the_manager_is_told(site, database, tmp_path, kind):
    path = str(tmp_path / "notify")
    name = path if kind == "path" else "@" + path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0"))
        manager.settimeout(30)
        server = site.start(database, NOTIFY_SOCKET=name)
        assert manager.recv(1000) == b"READY=1"
        assert requests.get(site.base_url, timeout=30).status_code == 403
        for change, told in [({}, "reloaded"), ({"signatures": "sometimes"}, "not reloaded")]:
            site.configure(**change)
            assert told in server.reload()
            assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", manager.recv(1000))
            assert manager.recv(1000) == b"READY=1"
        site.configure()
        server.terminate()
        assert manager.recv(1000) == b"STOPPING=1"
        assert server.process.wait(timeout=30) == 0
        server.stop()


def test_signs_of_life_are_given_as_often_as_asked(site, database, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        with site.server(database, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="200000"):
            assert [manager.recv(1000) for _ in range(5)] == [b"READY=1"] + [b"WATCHDOG=1"] * 4
        eventually(lambda: manager.recv(1000) == b"STOPPING=1", "the end")
        with site.server(database, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="200000",
                         WATCHDOG_PID="1"):
            assert manager.recv(1000) == b"READY=1"
        assert manager.recv(1000) == b"STOPPING=1"


def test_a_manager_that_is_gone_keeps_nobody_from_serving(site, database, tmp_path):
    with site.server(database, NOTIFY_SOCKET=str(tmp_path / "nobody")):
        assert requests.get(site.base_url, timeout=30).status_code == 403
