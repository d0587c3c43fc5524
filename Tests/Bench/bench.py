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
from ours import ROOT
from rows import Rows
from servers import RCLONE, SIZES, Stage

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


def audit_figures(stage, program):
    answer = subprocess.run([program, "loop", stage.work / "loop.db"], check=True,
                            capture_output=True, text=True)
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
        arguments = [audit_figures(stage, options.audit_bench)] if part == "recording" else []
        for row in getattr(rows, part)(*arguments):
            say(row.line())
            yield row


def profiles(stage, folder):
    """Where the CPU goes in ours and in nginx, and what the kernel is asked for, for small and for
    large objects: tables. Samples and functions of each go into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    servers = [stage.ours(), stage.nginx_tuned()]
    modules, calls = {}, {}

    def take(server, work, cost, load, asking, units):
        say(f"profile: {server.name}, {work}")
        load(server)
        with samples.Profile(stage.work, server.pid) as profile:
            spent = cost(load(server))
        name = f"{server.name}-{work.replace(' ', '-')}"
        shutil.copy(profile.file, folder / f"{name}.perf")
        stacks = list(profile.stacks())
        (folder / f"{name}.md").write_text(samples.functions(stacks))
        modules[f"{server.name}: {work}"] = {
            where: spent * share for where, share in samples.modules(stacks).items()}
        counts, found = samples.system_calls(stage.work, server.pid, lambda: asking(server))
        calls[f"{server.name}: {work}"] = {
            name: count / units(found) for name, count in counts.items()}

    def small(server):
        return loads.small(stage.work, server, "1k", 64, 4)

    for server in servers:
        take(server, "1 KiB, µs", lambda one: one.cpu, small, small, lambda one: one.requests)
    for server in servers:
        take(server, "1 GiB, s", lambda one: one[1], lambda one: loads.large(one, "1g", 2),
             lambda one: loads.large(one, "64m", 1), lambda _: SIZES["64m"] >> 20)
    calls = {title.replace("1 GiB, s", "1 MiB").replace(", µs", ""): counts
             for title, counts in calls.items()}
    return (samples.side_by_side("module", modules) + "\n\n"
            + samples.side_by_side("calls to the kernel", calls))


def document(mark, text):
    """Puts a table where the last one stands."""
    before, rest = DOCUMENT.read_text().split(f"<!-- {mark} -->\n", 1)
    after = rest.split(f"<!-- /{mark} -->", 1)[1]
    DOCUMENT.write_text(f"{before}<!-- {mark} -->\n{text}\n<!-- /{mark} -->{after}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--audit-bench", metavar="PROGRAM", help="given by scripts/bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of a round of small objects")
    parser.add_argument("--quick", action="store_true", help="one round of one second")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART",
                        help=f"repeatable: {', '.join(PARTS)}")
    parser.add_argument("--profile", type=pathlib.Path, metavar="FOLDER",
                        help="take perf's samples too; they and their tables go there")
    parser.add_argument("--profile-only", action="store_true", help="with --profile: nothing else")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md as well")
    options = parser.parse_args()
    if options.quick:
        options.rounds = options.seconds = 1
    machine.pin_all("self", machine.LOAD_CORE)
    machine.descriptors()
    neighbours = machine.Neighbours()
    tables = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as work, \
            Stage(pathlib.Path(work)) as stage:
        if not options.profile_only:
            rows = table.markdown(measure(stage, options))
            tables["bench"] = (
                f"{versions()}; Linux {platform.release()}, {neighbours.describe()}; medians of "
                f"{options.rounds} rounds.\n\n{rows}")
        if options.profile:
            tables["profile"] = profiles(stage, options.profile)
    for mark, text in tables.items():
        print(text, end="\n\n")
        if options.write:
            document(mark, text)


if __name__ == "__main__":
    main()
