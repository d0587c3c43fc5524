"""A history in a record: days of requests by several persons, some with names made to do harm.

Rows are inserted as the writer would have, with the sums of their hours, into the database of a
server that has ended.
"""

import math
import random
import sqlite3
import time

HOUR = 3_600_000_000
HOSTILE = '</svg><script>alert(1)</script>"\'&\x1b]0;evil\x07\u202e'
COLLECTIONS = [f"{number:08x}-cafe-4c0d-8eef-0123456789ab" for number in (0x1a2b3c4d, 2, 3)]
PERSONS = ["ada@example.org", "grace.hopper@navy.example.org", "katherine@example.org",
           f"<img src=x onerror=alert(2)>{HOSTILE}"]
KEYS = ["climate/era5/2026/temperature-2m.zarr/0.0.0", "reads/sample-0042_R1.fastq.gz",
        "images/plate 7/well β12.tiff", "README.txt", HOSTILE + "/x",
        "测量/" + "数据🧬" * 12 + "/结果.csv",
        "a/very/long/key/" + "deeper/" * 20 + "file.parquet"]
ERRORS = [("client_error", 404, "NoSuchKey"), ("client_error", 403, "AccessDenied"),
          ("client_error", 403, "ExpiredToken"), ("server_error", 503, "SlowDown"),
          ("client_abort", 200, None), ("upstream_abort", 200, None), ("lost", None, None)]
OPERATIONS = ["GetObject"] * 8 + ["HeadObject"] * 4 + ["ListObjectsV2"] * 3 + ["ListBuckets"]


def insert(database, requests=3000, days=9, seed=1):
    """Adds requests of the last days; returns how many there are now."""
    chance = random.Random(seed)
    with sqlite3.connect(database) as db:
        run = db.execute("SELECT max(run_id) FROM server_run").fetchone()[0]
        collections = [db.execute("INSERT INTO collection(collection_id, first_seen_us) "
                                  "VALUES (?, 0)", [one]).lastrowid for one in COLLECTIONS]
        persons = [db.execute(
            "INSERT INTO principal(identity_id, username, first_seen_us) VALUES (?, ?, 0)",
            [f"{number:08d}-0000-4000-8000-000000000000", name]).lastrowid
            for number, name in enumerate(PERSONS)]
        clients = [db.execute(
            "INSERT INTO client(remote_ip, peer_ip, user_agent, first_seen_us) VALUES (?, ?, ?, 0)",
            [f"192.0.2.{number}", "127.0.0.1", agent]).lastrowid
            for number, agent in enumerate(["aws-cli/2.15", "rclone/v1.70", HOSTILE])]
        end = time.time_ns() // 1000 - 60_000_000
        for number in range(requests):
            db.execute(INSERT, request(chance, number, end, days, run, collections, persons,
                                       clients))
        db.execute("DELETE FROM rollup_hour")
        db.execute(ROLLUP)
        count = db.execute("SELECT count(*) FROM request").fetchone()[0]
    db.close()
    return count


INSERT = """
    INSERT INTO request(id, run_id, start_us, duration_us, client_pk, method, operation, auth,
      auth_result, principal_pk, collection_pk, object_key, status, error_code, outcome, bytes_in,
      bytes_out, object_size, upstream_calls, truncated)
    VALUES (?, ?, ?, ?, ?, 'GET', ?, 'header', ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, 2, 0)"""

ROLLUP = f"""
    INSERT INTO rollup_hour SELECT start_us / {HOUR}, coalesce(collection_pk, 0),
      coalesce(principal_pk, 0), operation, count(*), sum(outcome <> 'ok'), sum(bytes_in),
      sum(bytes_out), sum(coalesce(duration_us, 0))
    FROM request GROUP BY 1, 2, 3, 4"""


def request(chance, number, end, days, run, collections, persons, clients):
    """The values of one row: more by day than by night, a bad hour, a few errors."""
    while True:
        start = end - int(chance.random() * days * 24 * HOUR)
        by_day = 0.6 + 0.4 * math.sin(start / HOUR / 24 * 2 * math.pi)
        if chance.random() < by_day:
            break
    operation = chance.choice(OPERATIONS)
    failed = chance.random() < (0.5 if start // HOUR % 50 == 7 else 0.04)
    outcome, status, code = chance.choice(ERRORS) if failed else ("ok", 200, None)
    size = int(chance.lognormvariate(13, 3)) if operation == "GetObject" else 0
    sent = size if outcome == "ok" else 0
    took = int(chance.lognormvariate(8 + len(operation) / 6, 0.8)) + size // 200
    named = operation not in ("ListBuckets", "ListObjectsV2")
    return (
        number + 1, run, start, None if outcome == "lost" else took, chance.choice(clients),
        operation, chance.choice(["verified"] * 9 + ["unverified"]), chance.choice(persons),
        None if operation == "ListBuckets" else chance.choice(collections),
        chance.choice(KEYS) if named else None, status, code, outcome, sent, size)
