"""What a request costs, without a clock: instructions of the loop's thread and its allocations, as
callgrind counts them. Compared with thresholds.json, which holds what was measured last; a tenth
more fails. `scripts/cost --update` writes what is measured now.

One client, one connection, one request after the other: the same code runs each time, and start-up,
first connections and first metadata are behind it when counting begins. A call upstream is part of
the request that needs it; the audit's writer, a thread of its own, is not counted.
"""

import argparse
import collections
import contextlib
import http.client
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
THRESHOLDS = HERE / "thresholds.json"
sys.path.insert(0, str(HERE.parent / "Bench"))

import samples  # noqa: E402
from ours import COLLECTION, Processes, free_ports, serve, signature, signed_in  # noqa: E402

ALLOWED = 1.10
WARMING, COUNTED = 30, 100
ALLOCATORS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"}


class Counted:
    """A running server under callgrind."""

    def __init__(self, work):
        self.work = work
        self.processes = Processes()

    def __enter__(self):
        with self.processes.unless_it_fails():
            self.start()
        return self

    def start(self):
        folder = self.work / "collection"
        folder.mkdir()
        (folder / "1k").write_bytes(bytes(1024))
        port, self.operations = free_ports(2)
        stand_in = self.processes.stand_in(f"http://localhost:{port}", folder)
        command, environment = serve(
            stand_in, port, self.work / "audit.db", stand_in.ca_file,
            "--operations-listen", f"127.0.0.1:{self.operations}")
        # Valgrind 3.19 stumbles over Swift's debug information.
        program = self.work / "globus-s3-frontend"
        subprocess.run(["strip", "--strip-debug", "-o", program, command[0]], check=True)
        valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes",
                    f"--callgrind-out-file={self.work}/callgrind", program]
        process = self.processes.run([*valgrind, *command[1:]], port, env=environment,
                                     log=self.work / "log")
        self.server = signed_in("counted", process, port, "")
        self.dumps = 0

    def __exit__(self, *error):
        self.processes.close()

    def control(self, *words):
        subprocess.run(["callgrind_control", *words, str(self.server.pid)], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def count(self, case):
        """The file of what the loop's thread did in the counted requests."""
        method, port, path, headers = case(self)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.closing(connection):
            for number in range(WARMING + COUNTED):
                if number == 1:
                    self.control("-i", "on")
                if number == WARMING:
                    self.control("-z")
                connection.request(method, path, headers=headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"{method} {path}: {answer.status}")
            self.control("-d")
            self.control("-i", "off")
        self.dumps += 1
        return self.work / f"callgrind.{self.dumps}-01"


def s3(method, name, is_signed):
    def case(counted):
        server = counted.server
        path = f"/{COLLECTION}{name}"
        host = f"localhost:{server.port}"
        headers = signature(method, f"http://{host}{path}", server.credential, is_signed)
        return method, server.port, path, {**headers, "Host": host}
    return case


CASES = {
    "/healthz: the reactor and little else":
        lambda counted: ("GET", counted.operations, "/healthz", {}),
    "HeadBucket": s3("HEAD", "", False),
    "HeadObject": s3("HEAD", "/1k", False),
    "GetObject of 1 KiB": s3("GET", "/1k", False),
    "GetObject of 1 KiB, signature verified": s3("GET", "/1k", True),
}


def by_module(file):
    """Instructions and allocations of the counted requests, from callgrind's output: an instruction
    counts for the module that it is in, an allocation for the one that asks for it."""
    names, objects = {}, {}
    instructions, allocations = collections.Counter(), collections.Counter()
    place = callee = library = ""
    is_callee = False
    for line in file.read_text().splitlines():
        if name := re.match(r"(fn|ob|cfn|cob)=\((\d+)\)(?: (.*))?$", line):
            known = names if name[1].endswith("fn") else objects
            if name[3]:
                known[name[2]] = name[3]
            if name[1] == "ob":
                library = known[name[2]]
            elif name[1] == "fn":
                place = samples.module(known[name[2]], library)
            elif name[1] == "cfn":
                callee = known[name[2]].split("'")[0]
        elif line.startswith("calls="):
            if callee in ALLOCATORS:
                allocations[place] += int(line[6:].split()[0])
            is_callee = True  # the next line is what the callee took
        elif re.match(r"[-+*\d]", line):
            if not is_callee:
                instructions[place] += int(line.split()[1])
            is_callee = False
    return instructions, allocations


def figures(file):
    """Instructions and allocations of a request."""
    instructions, allocations = by_module(file)
    return {"instructions": round(instructions.total() / COUNTED),
            "allocations": round(allocations.total() / COUNTED, 1)}


def show_modules(name, file):
    instructions, allocations = by_module(file)
    print(f"{name}: instructions and allocations")
    for module, count in instructions.most_common():
        if count >= COUNTED:
            print(f"{count / COUNTED:>11,.0f} {allocations[module] / COUNTED:>6.1f}  {module}")


def judge(found, allowed):
    """Prints the table; the lines that say what is too much."""
    complaints = []
    print(f"{'a request':40} {'instructions':>14} {'before':>9} {'allocations':>12} {'before':>7}")
    for case, now in found.items():
        before = allowed.get(case, {})
        print(f"{case:40} {now['instructions']:>14,} {before.get('instructions', 0):>9,} "
              f"{now['allocations']:>12} {before.get('allocations', 0):>7}")
        for name, value in now.items():
            limit = before.get(name, 0) * ALLOWED
            if value > limit:
                complaints.append(f"{case}: {value:,} {name}, allowed are {limit:,.0f}")
            elif value * ALLOWED < before[name]:
                print(f"  {name}: less than before; scripts/cost --update keeps it so")
    return complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="write thresholds.json anew")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER",
                        help="callgrind's output goes here, for callgrind_annotate --inclusive=yes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cost-") as work:
        with Counted(pathlib.Path(work)) as counted:
            files = {name: counted.count(case) for name, case in CASES.items()}
        found = {name: figures(file) for name, file in files.items()}
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            for name, file in files.items():
                shutil.copy(file, options.keep / re.sub(r"\W+", "-", name))
                show_modules(name, file)
    complaints = judge(found, json.loads(THRESHOLDS.read_text()))
    if options.update:
        THRESHOLDS.write_text(json.dumps(found, indent=2) + "\n")
    elif complaints:
        print("cost:", *complaints, sep="\n  ", file=sys.stderr)
        print("If it is worth it: scripts/cost --update, and say why in the commit's message.",
              file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
