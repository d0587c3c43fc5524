"""What can happen to the audit's disk, and what the frontend does then: docs/audit-faults.md."""

import contextlib
import errno
import os
import shutil
import sqlite3
import subprocess

import pytest

from audit_bed import eventually, gaps, may_mount, rows, tmpfs
from frontend import run


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs on which spool, ballast and low-water mark have just room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not may_mount(folder):
        pytest.skip("a tmpfs can't be mounted here: run as root with CAP_SYS_ADMIN")
    with tmpfs(folder, 200):
        yield folder


class Filler:
    """Takes a disk's space away."""

    def __init__(self, folder):
        self.path = folder / "filler"
        self.folder = folder

    def leave(self, megabytes):
        free = shutil.disk_usage(self.folder).free - int(megabytes * 2**20)
        with open(self.path, "ab") as file:
            os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, max(free, 1))

    def fill(self):
        """Leaves so little that the ballast is given back, but for no race with the server."""
        self.leave(0.5)

    def fill_again(self):
        """To the last byte, that of the ballast, too."""
        with open(self.path, "ab", buffering=0) as file:
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(65536))

    def remove(self):
        self.path.unlink()


def test_a_full_disk_refuses_and_recovers_by_itself(bed, small_disk):
    database, filler, client = small_disk / "audit.db", Filler(small_disk), bed.client()
    ballast = small_disk / "audit.db.ballast"
    with bed.server(database) as server:
        assert client.get(20) == [200] * 20 and ballast.exists()
        filler.leave(40)
        bed.wait_red("nearly full")
        assert client.get(3) == [503] * 3 and ballast.exists()
        filler.remove()
        bed.wait_ready()
        with client.load():
            filler.fill()
            bed.wait_red("disk is full")
            assert not ballast.exists()
        assert client.get(5) == [503] * 5
        # The room that the ballast gave is enough for what waited, and then to prune in.
        eventually(lambda: len(rows(database)) == len(client.served), "rows from the spool")
        pruned = run("audit", "prune", "--audit-db", database, "--before", "2999-01-01")
        assert pruned.returncode == 0, pruned.stderr
        assert not rows(database, "SELECT * FROM request")
        filler.remove()
        bed.wait_ready()
        assert ballast.exists() and client.get(2) == [200] * 2
        assert bed.metric("globus_s3_frontend_audit_unrecorded_total") == len(client.refused)
        log = server.log_path.read_text()
    assert "nearly full" in log and "ballast was given back" in log and "has room again" in log
    assert {row["request_id"] for row in rows(database)} == {
        answer[0] for answer in client.answers[-2:]}
    assert sum(gap["records"] for gap in gaps(database)) == len(client.refused)
    assert all("refused" in gap["reason"] for gap in gaps(database))
    assert run("audit", "verify", "--audit-db", database).returncode == 0


def test_a_full_disk_loses_nothing_that_was_served(bed, small_disk):
    database, filler, client = small_disk / "audit.db", Filler(small_disk), bed.client()
    with bed.server(database):
        with client.load():
            eventually(lambda: len(client.served) > 30, "load")
            filler.fill_again()
            bed.wait_red("disk is full")
            eventually(lambda: client.refused, "refusals")
            filler.fill_again()
            bed.wait_red("disk is full")
            filler.remove()
            bed.wait_ready()
            served = len(client.served)
            eventually(lambda: len(client.served) > served, "service")
    client.compare(database)
    assert sum(gap["records"] for gap in gaps(database)) == len(client.refused)


def test_a_full_disk_under_continue_serves_and_counts(bed, small_disk):
    database, filler, client = small_disk / "audit.db", Filler(small_disk), bed.client()
    with bed.server(database, "--audit-on-failure", "continue"):
        assert client.get(5) == [200] * 5
        filler.fill()
        bed.wait_red("disk is full")
        recorded = client.served
        assert client.get(7) == [200] * 7
        filler.remove()
        bed.wait_ready()
        assert client.get(2) == [200] * 2
        recorded |= {answer[0] for answer in client.answers[-2:]}
    assert {row["request_id"] for row in rows(database)} == recorded
    assert sum(gap["records"] for gap in gaps(database)) == 7
    assert {"requests were served unrecorded: too little space on the audit's disk"} == {
        gap["reason"] for gap in gaps(database)}


def test_a_start_on_a_full_disk_replays_the_spool(bed, small_disk):
    database, filler, client = small_disk / "audit.db", Filler(small_disk), bed.client()
    killed = bed.start(database).wait_listening(bed.base_url)
    client.get(3)
    holder = sqlite3.connect(database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")  # what comes now stays in the spool
    assert client.get(40) == [200] * 40
    killed.kill()
    killed.stop()
    holder.close()
    filler.fill()
    with bed.server(database):
        bed.wait_red("disk is full")
        assert client.get(2) == [503] * 2
        assert len(rows(database)) == 43
        filler.remove()
        bed.wait_ready()
        assert client.get(1) == [200]
    client.compare(database, lost=1)
    assert sum(gap["records"] for gap in gaps(database)) == 2


def test_a_locked_database_fills_the_spool_and_nothing_is_lost(bed, database):
    client = bed.client()
    with bed.server(database) as server:
        client.get(5)
        foreign = sqlite3.connect(database, isolation_level=None)
        foreign.execute("BEGIN IMMEDIATE")
        assert client.get(50) == [200] * 50
        bed.wait_red("database can't be written")
        assert client.get(50) == [200] * 50
        foreign.execute("COMMIT")
        foreign.close()
        bed.wait_ready()
        log = server.log_path.read_text()
    assert "database is locked" in log and "can be written again" in log
    client.compare(database)
    assert gaps(database) == []


def test_a_start_on_a_locked_database_says_so(bed, database):
    with bed.server(database):
        pass
    foreign = sqlite3.connect(database, isolation_level=None)
    foreign.execute("BEGIN EXCLUSIVE")
    code, line = bed.refused(database)
    foreign.close()
    assert code == 78 and "another process holds the audit database" in line


@pytest.mark.parametrize("failure", [errno.EIO, errno.EROFS])
def test_a_disk_that_fails_while_running(bed, database, tmp_path, failure):
    client, order = bed.client(), tmp_path / "order"
    with bed.server(database, FAULTS_FILE=str(order)):
        client.get(5)
        order.write_text(f"error {failure}")
        assert client.get(20) == [200] * 20  # into the spool, whose pages are there already
        bed.wait_red("database can't be written")
        assert client.get(20) == [200] * 20
        order.unlink()
        bed.wait_ready()
        assert client.get(5) == [200] * 5
    client.compare(database)
    assert gaps(database) == []


def test_a_disk_that_is_full_only_for_us(bed, database, tmp_path):
    """As with a quota: SQLite says that the disk is full, statvfs that there is room."""
    client, order = bed.client(), tmp_path / "order"
    with bed.server(database, FAULTS_FILE=str(order)):
        client.get(5)
        order.write_text(f"error {errno.ENOSPC}")
        client.get(1)
        bed.wait_red("disk is full")
        assert client.get(3) == [503] * 3
        assert not (tmp_path / "audit.db.ballast").exists()
        order.unlink()
        bed.wait_ready()
        assert client.get(2) == [200] * 2
    client.compare(database)
    assert sum(gap["records"] for gap in gaps(database)) == len(client.refused)


def test_a_disk_that_hangs_does_not_hold_up_requests(bed, database, tmp_path):
    client, order = bed.client(), tmp_path / "order"
    with bed.server(database, FAULTS_FILE=str(order)):
        client.get(5)
        order.write_text("hang")
        assert client.get(100) == [200] * 100
        bed.wait_red("doesn't answer")
        assert client.get(10) == [200] * 10
        order.unlink()
        bed.wait_ready()
    client.compare(database)


def test_a_read_only_folder_is_refused_with_a_line(bed, tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if not may_mount(folder):
        pytest.skip("a tmpfs can't be mounted here: run as root with CAP_SYS_ADMIN")
    with tmpfs(folder, 200):
        with bed.server(folder / "audit.db"):
            pass
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        code, line = bed.refused(folder / "audit.db")
    assert code == 78 and "Read-only file system" in line and "--audit-db" in line
