"""What a start, a sign-in and requests call, for the linker: it puts what is listed together, so that
little else is mapped around it. From callgrind, one symbol for each section that the linker can move.

A symbol that is no more is passed over, so that an old list costs memory and nothing else.
"""

import argparse
import pathlib
import re
import subprocess
import tempfile
import urllib.request

from cost import CASES, Processes, free_ports, s3, serve, signed_in

REQUESTS = [*CASES.values(), s3("GET", "?list-type=2", True)]


def called(program, work):
    """The program's functions that ran."""
    out = work / "callgrind"
    bare = work / "globus-s3-frontend"
    subprocess.run(["strip", "--strip-debug", "-o", bare, program], check=True)
    (work / "collection").mkdir()
    (work / "collection/1k").write_bytes(bytes(1024))
    with Processes() as processes:
        port, operations = free_ports(2)
        stand_in = processes.stand_in(f"http://localhost:{port}", work / "collection")
        command, environment = serve(
            stand_in, port, work / "audit.db", stand_in.ca_file,
            "--operations-listen", f"127.0.0.1:{operations}")
        valgrind = ["valgrind", "--tool=callgrind", "--demangle=no", "--compress-strings=no",
                    f"--callgrind-out-file={out}", bare]
        process = processes.run([*valgrind, *command[1:]], port, env=environment, log=work / "log")
        processes.server = signed_in("ordered", process, port, "")
        processes.operations = operations
        for case in 10 * REQUESTS:
            method, to, path, headers = case(processes)
            urllib.request.urlopen(urllib.request.Request(
                f"http://127.0.0.1:{to}{path}", method=method, headers=headers), timeout=60).read()
    library, names = "", set()
    for line in out.read_text().splitlines():
        if line.startswith("ob="):
            library = line[3:]
        elif line.startswith("fn=") and library == str(bare):
            names.add(line[3:].split("'")[0])
    return names


def sections(link_map):
    """The number of the section of each symbol, from lld's map."""
    found, number = {}, 0
    for line in link_map.read_text().splitlines()[1:]:
        where, symbol = re.match(r"(?: *[0-9a-f]+){3} +\d+ ( *)(.*)$", line).groups()
        if len(where) == 16:
            found.setdefault(symbol, number)
        else:
            number += 1
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("program", "link_map", "list"):
        parser.add_argument(name, type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="order-") as work:
        names = called(options.program, pathlib.Path(work))
    places, firsts = sections(options.link_map), {}
    for name in sorted(names):
        if name in places:
            firsts.setdefault(places[name], name)
    options.list.write_text("".join(f"{name}\n" for name in sorted(firsts.values())))
    print(f"{len(names):,} functions in {len(firsts):,} sections")


if __name__ == "__main__":
    main()
