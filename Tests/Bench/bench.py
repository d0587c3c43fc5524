"""The table of goals, measured."""

import argparse
import pathlib
import shutil
import statistics
import sys
import tempfile

import loads
import machine
import samples
from servers import Stage


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--profile", metavar="FILE", help="perf's samples of our server go here")
    options = parser.parse_args()
    neighbours = machine.Neighbours()
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        stage = Stage(pathlib.Path(work))
        try:
            ours = stage.ours()
            servers = [ours, ours.signed(), stage.nginx(), stage.nginx_tuned(), stage.haproxy(),
                       stage.rclone()]
            for server in servers:
                assert len(server.get("1k")) == 1024, server.name
            found = {server.name: [] for server in servers}
            for _ in range(options.rounds):
                for server in servers:
                    load = loads.small(stage.work, server, "1k", 64, options.seconds)
                    found[server.name].append(load)
                    say(server.name, vars(load))
            if options.profile:
                with samples.Profile(stage.work, ours.pid) as profile:
                    loads.small(stage.work, ours, "1k", 64, 5)
                print(samples.table(profile.stacks()))
                shutil.copy(profile.file, options.profile)
            for name, some in found.items():
                print(name, *(f"{key}={statistics.median(vars(one)[key] for one in some):.1f}"
                              for key in ("cpu", "writer", "rate", "p50", "p99", "errors")))
        finally:
            stage.close()
    say(neighbours.describe())


if __name__ == "__main__":
    main()
