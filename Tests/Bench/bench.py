"""The table of goals, measured, in Markdown. Says on stderr what it is at."""

import argparse
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

import loads
import machine
import samples
import table
from ours import PROGRAM, ROOT
from rows import Rows
from servers import RCLONE, Stage

DOCUMENT = ROOT / "docs/performance.md"
PARTS = ["small_objects", "large_objects", "first_bytes", "idle_connections", "slow_readers",
         "beside_rclone", "recording", "starts"]


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def versions():
    def line(*command):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        return (done.stdout + done.stderr).splitlines()[0]

    found = [re.search(r"[\d.]+\d", line(*command))[0] for command in (
        ("nginx", "-v"), ("haproxy", "-v"), (RCLONE, "--version"), ("openssl", "version"),
        ("curl", "--version"))]
    return "nginx {}, haproxy {}, rclone {}, OpenSSL {}, libcurl {}".format(*found)


def audit_figures(stage):
    answer = subprocess.run(
        [pathlib.Path(PROGRAM).with_name("audit-bench"), "loop", stage.work / "loop.db"],
        check=True, capture_output=True, text=True)
    return dict((name, float(value)) for name, value in
                (text.split("=") for text in answer.stdout.split()))


def measure(stage, options):
    rows = Rows(stage, options, say)
    for server in rows.every:
        if len(server.get("1k")) != 1024:
            raise RuntimeError(f"{server.name}: not the object")
    parts = [part for part in PARTS if not options.only or part in options.only]
    if "recording" in parts and "small_objects" not in parts:
        parts.insert(0, "small_objects")
    for part in parts:
        arguments = [audit_figures(stage)] if part == "recording" else []
        for row in getattr(rows, part)(*arguments):
            say(row.line())
            yield row
    if options.profile:
        take_profiles(stage, rows, options.profile)


def take_profiles(stage, rows, folder):
    """perf's samples and their tables, of ours and of nginx, for small and for large objects."""
    folder.mkdir(parents=True, exist_ok=True)
    loads_of = {"1k": lambda one: loads.small(stage.work, one, "1k", 64, 5),
                "1g": lambda one: loads.large(one, "1g", 2)}
    for name, load in loads_of.items():
        for server in (rows.ours, rows.tuned):
            with samples.Profile(stage.work, server.pid) as profile:
                load(server)
            shutil.copy(profile.file, folder / f"{name}-{server.name}.perf")
            (folder / f"{name}-{server.name}.md").write_text(samples.table(profile.stacks()) + "\n")


def document(text):
    """Puts the table where the last one stands."""
    before, rest = DOCUMENT.read_text().split("<!-- bench -->\n", 1)
    after = rest.split("<!-- /bench -->", 1)[1]
    DOCUMENT.write_text(f"{before}<!-- bench -->\n{text}\n<!-- /bench -->{after}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of a round of small objects")
    parser.add_argument("--quick", action="store_true", help="one round of one second")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART",
                        help=f"repeatable: {', '.join(PARTS)}")
    parser.add_argument("--profile", type=pathlib.Path, metavar="FOLDER",
                        help="take perf's samples too; they and their tables go there")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md as well")
    options = parser.parse_args()
    if options.quick:
        options.rounds = options.seconds = 1
    machine.pin_all("self", machine.LOAD_CORE)
    machine.descriptors()
    neighbours = machine.Neighbours()
    with tempfile.TemporaryDirectory(prefix="bench-") as work, \
            Stage(pathlib.Path(work)) as stage:
        rows = table.markdown(measure(stage, options))
    text = (f"{versions()}; Linux {platform.release()}, {neighbours.describe()}; medians of "
            f"{options.rounds} rounds.\n\n{rows}")
    print(text)
    if options.write:
        document(text)


if __name__ == "__main__":
    main()
