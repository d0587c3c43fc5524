"""What the record costs, in medians of interleaved rounds: prints a table. `scripts/bench audit`
builds what is run here. No figure is asserted: they are for docs/performance.md and for eyes.

Nothing but the standard library, `wrk` and the two programs.
"""

import argparse
import os
import pathlib
import re
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
MILLION = 1_000_000


def say(*words):
    print(*words, flush=True)


def row(name, value, unit=""):
    say(f"  {name:58} {value:>12} {unit}")


def figures(text):
    return {name: float(value) for name, value in re.findall(r"^(\w+)=(\S+)$", text, re.M)}


class Bench:
    def __init__(self, options):
        self.bench = options.programs / "audit-bench"
        self.product = options.programs / "globus-s3-frontend"
        self.rounds = options.rounds
        self.rows = options.rows
        self.disk = pathlib.Path(tempfile.mkdtemp(prefix="audit-bench-", dir=options.folder))
        self.memory = pathlib.Path(tempfile.mkdtemp(prefix="audit-bench-", dir="/dev/shm"))

    def close(self):
        shutil.rmtree(self.disk, ignore_errors=True)
        shutil.rmtree(self.memory, ignore_errors=True)

    def measure(self, *arguments):
        answer = subprocess.run([self.bench, *map(str, arguments)], check=True,
                                capture_output=True, text=True)
        return figures(answer.stdout)

    def medians(self, cases):
        """The median of each figure of each case; the cases take turns."""
        rounds = {name: [] for name in cases}
        for number in range(self.rounds):
            for name, arguments in cases.items():
                rounds[name].append(self.measure(*arguments(number)))
        return {name: {key: statistics.median(one[key] for one in some) for key in some[0]}
                for name, some in rounds.items()}

    # (a) and (b)

    def loop(self):
        say("Loop's thread, CPU of a request (slot, completion, handing over)")
        found = self.medians({"": lambda n: ("loop", self.disk / f"loop-{n}.db")})[""]
        row("intent and completion", f"{found['loop_us']:.2f}", "us")
        row("intent, amendment and completion", f"{found['loop_us_amended']:.2f}", "us")

    def writer(self):
        full = self.fill()
        say(f"Writer, CPU of a row at 20,000 requests a second, {self.rows:,} rows a round")
        cases = {}
        for keys in ("walk", "random"):
            cases[f"{keys}, empty"] = lambda n, keys=keys: (
                "rows", self.disk / f"{keys}-{n}.db", "--keys", keys, "--rows", self.rows)
            cases[f"{keys}, {MILLION:,}"] = lambda n, keys=keys: (
                "rows", full, "--keys", keys, "--rows", self.rows)
        names = {"walk": "folders read in order", "random": "keys at random"}
        for case, found in self.medians(cases).items():
            keys, size = case.split(", ", 1)
            row(f"{names[keys]}, {size} rows before", f"{found['writer_us']:.1f}", "us")
            row("  refused", f"{found['refused']:.0f}", f"of {self.rows:,}")
        return full

    def fill(self):
        path = self.disk / "million.db"
        began = time.monotonic()
        found = self.measure("rows", path, "--rows", MILLION, "--rate", 0, "--days", 30)
        say(f"A database of {MILLION:,} rows over 30 days")
        row("filled in", f"{time.monotonic() - began:.1f}", "s")
        row("writer, CPU of a row while filling", f"{found['writer_us']:.1f}", "us")
        row("size", f"{path.stat().st_size / found['rows']:.0f}", "bytes a row")
        return path

    # (c)

    def stalls(self):
        say("Stores into the spool while the writer syncs (1 in 50 requests stays open)")
        found = self.medians({
            "disk": lambda n: ("stalls", self.disk / f"stalls-{n}.db"),
            "tmpfs": lambda n: ("stalls", self.memory / f"stalls-{n}.db"),
        })
        for place, values in found.items():
            row(f"{place}: p50 / p99 / p99.9 / max", " / ".join(
                f"{values[key]:.1f}" for key in ("p50_us", "p99_us", "p999_us", "max_us")), "us")
            row("  of which blocked: stores, longest",
                f"{values['blocked']:.0f}, {values['blocked_max_us']:.0f} us",
                f"of {values['stores']:,.0f}")

    # (d)

    def keeps_up(self, seconds=30):
        say(f"20,000 requests a second for {seconds} s")
        found = self.measure("rows", self.disk / "rate.db", "--rows", 20_000 * seconds)
        row("reached", f"{found['rate']:,.0f}", "a second")
        row("refused, for want of a slot", f"{found['refused']:,.0f}")
        row("last row committed after", f"{found['drained_s']:.2f}", "s")
        row("writer's share of a core", f"{found['writer_busy_percent']:.0f}", "%")

    # (e)

    def requests(self):
        work = self.disk / "servers"
        work.mkdir()
        (work / "empty").touch()  # wrk waits for a body even after HEAD, unless it is empty
        server = subprocess.Popen([self.bench, "servers", work], stdout=subprocess.PIPE, text=True)
        try:
            settings = {}
            for line in server.stdout:
                if line == "ready\n":
                    break
                name, _, value = line.rstrip("\n").partition("=")
                settings[name] = value
            self.compare(server.pid, settings)
        finally:
            server.terminate()
            server.wait()

    def compare(self, pid, settings):
        collection = settings["collection"]
        key = subprocess.run(
            [ROOT / "scripts/sign-in", f"{settings['recorded']}/{collection}/?auth"],
            check=True, capture_output=True, text=True).stdout.strip()
        script = self.disk / "head.lua"
        script.write_text(f'''wrk.method = "HEAD"
wrk.headers["x-amz-date"] = "20261123T000000Z"
wrk.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
wrk.headers["Authorization"] = "AWS4-HMAC-SHA256 Credential={key}/20261123/globus/s3/aws4_request,"
  .. " SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={"0" * 64}"
''')
        for name, target in (("HeadBucket", collection), ("HeadObject", f"{collection}/empty")):
            rounds = {"recorded": [], "unrecorded": []}
            for _ in range(2 * self.rounds + 1):
                for side, some in rounds.items():
                    some.append(self.load(pid, f"{settings[side]}/{target}", script))
            on, off = ([statistics.median(column) for column in zip(*rounds[side])]
                       for side in ("recorded", "unrecorded"))
            say(f"{name} of what is cached, 32 connections: recorded, and not")
            row("loop's thread, CPU of a request", f"{on[1]:.1f} / {off[1]:.1f}", "us")
            row("  ratio", f"{on[1] / off[1]:.3f}")
            row("requests a second", f"{on[0]:,.0f} / {off[0]:,.0f}")
            row("  ratio", f"{on[0] / off[0]:.3f}")

    def load(self, pid, url, script, seconds=3):
        """Requests a second, and microseconds of CPU of the loop's thread for each."""
        def cpu():
            text = pathlib.Path(f"/proc/{pid}/task/{pid}/schedstat").read_text()
            return int(text.split()[0]) / 1000

        before = cpu()
        answer = subprocess.run(
            ["wrk", "-t1", "-c32", f"-d{seconds}", "-s", script, url],
            check=True, capture_output=True, text=True).stdout
        used = cpu() - before
        if "Non-2xx" in answer:
            raise SystemExit(answer)
        requests = int(re.search(r"(\d+) requests in", answer)[1])
        return requests / seconds, used / requests

    # Commands at a million rows

    def commands(self, path):
        count = sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute(
            "SELECT count(*) FROM request").fetchone()[0]
        say(f"Commands at {count:,} rows")
        for words in (["verify"], ["report", "reads"], ["report", "top"], ["report", "failures"],
                      ["report", "reads", "--since", "24h"]):
            row("audit " + " ".join(words), f"{self.command(path, *words):.2f}", "s")
        probe = LockProbe(path)
        middle = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 15 * 86_400))
        seconds = self.command(path, "prune", "--before", middle)
        row(f"audit prune --before {middle}", f"{seconds:.1f}", "s")
        held = sorted(probe.stop())
        row("  write lock held: times, p50 / p99 / max",
            f"{len(held)}, {held[len(held) // 2] * 1e3:.1f} / "
            f"{held[len(held) * 99 // 100] * 1e3:.1f} / {held[-1] * 1e3:.1f}", "ms")

    def command(self, path, *words):
        began = time.monotonic()
        subprocess.run([self.product, "audit", *words, "--audit-db", path], check=True,
                       stdout=subprocess.DEVNULL)
        return time.monotonic() - began


class LockProbe(threading.Thread):
    """Asks for the write lock all the time, to see for how long at once another has it."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.held = []
        self.stopping = False
        self.start()

    def run(self):
        connection = sqlite3.connect(self.path, timeout=0, isolation_level=None)
        since = None
        while not self.stopping:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
                if since:
                    self.held.append(time.monotonic() - since)
                since = None
            except sqlite3.OperationalError:
                since = since or time.monotonic()
            time.sleep(0.0005)
        connection.close()

    def stop(self):
        self.stopping = True
        self.join()
        return self.held or [0.0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--folder", help="a folder on the disk to be measured")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=100_000, help="rows in a round of the writer")
    parser.add_argument("--only", action="append",
                        choices=["loop", "writer", "stalls", "keeps_up", "requests"])
    bench = Bench(options := parser.parse_args())
    say(f"{os.cpu_count()} cores, load {' '.join(f'{load:.1f}' for load in os.getloadavg())}")
    try:
        for part in options.only or ["loop", "stalls", "requests", "keeps_up", "writer"]:
            found = getattr(bench, part)()
            if part == "writer":
                bench.commands(found)
    finally:
        bench.close()
    say(f"load {' '.join(f'{load:.1f}' for load in os.getloadavg())}")


if __name__ == "__main__":
    main()
