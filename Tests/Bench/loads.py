"""Loads: `wrk` for small objects; for the others clients that drop what they receive unread."""

import pathlib
import re
import subprocess

import machine

REPORT = """
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format("requests=%d\\nmicroseconds=%d\\np50=%d\\np99=%d\\nerrors=%d\\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


class Load:
    """What one run of a load has measured, by name; CPU in nanoseconds."""

    def __init__(self, **figures):
        self.__dict__.update(figures)


def small(work, server, name, connections, seconds):
    """GETs over so many kept-alive connections, as fast as they are answered."""
    script = pathlib.Path(work) / "report.lua"
    script.write_text(REPORT)
    headers = [part for line in server.header_lines(name).items()
               for part in ("-H", ": ".join(line))]
    command = ["taskset", "-c", str(machine.LOAD_CORE), "wrk", "-t1", f"-c{connections}",
               f"-d{seconds}s", "--timeout", "10s", "-s", str(script), *headers, server.url(name)]
    cpu = machine.CPU(server.pid)
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    first, others = cpu.used()
    found = {key: int(value) for key, value in re.findall(r"^(\w+)=(\d+)$", answer, re.M)}
    requests = max(found["requests"], 1)
    return Load(
        rate=1e6 * requests / found["microseconds"], p50=found["p50"] / 1000,
        p99=found["p99"] / 1000, errors=found["errors"],
        cpu=(first + (others if server.is_threaded else 0)) / 1000 / requests,
        writer=others / 1000 / requests)
