"""Where the CPU of the loop's thread goes, by `perf`: shares of modules, and the busiest functions;
and what it asks of the kernel, by `strace`.

A sample counts for the function that ran. Our program's are told apart by their names: Swift's begin
with the module (those of the standard library count as runtime), the others are CReactor's.
"""

import collections
import re
import shutil
import signal
import subprocess

from table import figure

FRAME = re.compile(r"\s*[0-9a-f]+ (.*) \((.*)\)$")
SWIFT = re.compile(r"\$[sS](\d+)")


class Profile:
    """Samples a thread while the block runs."""

    def __init__(self, work, thread):
        self.file = work / "perf.data"
        self.thread = thread

    def __enter__(self):
        self.process = subprocess.Popen(
            ["perf", "record", "-q", "-g", "-e", "cpu-clock", "-F", "1999", "-t", str(self.thread),
             "-o", str(self.file)], stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *error):
        self.process.terminate()
        self.process.wait()

    def stacks(self):
        """Of each sample the (module, function) that ran, and those that had called it."""
        text = subprocess.run(
            ["perf", "script", "-i", str(self.file), "-F", "ip,sym,dso"], check=True,
            capture_output=True, text=True).stdout
        for sample in text.split("\n\n"):
            frames = [frame for line in sample.splitlines() if (frame := FRAME.match(line))]
            if frames:
                yield [(module(frame[1], frame[2]), frame[1]) for frame in frames]


def system_calls(work, thread, load):
    """The thread's calls to the kernel while `load` runs, by name; and what `load` returns."""
    file = work / "strace"
    with subprocess.Popen(["strace", "-q", "-c", "-p", str(thread), "-o", file],
                          stderr=subprocess.DEVNULL) as process:
        try:
            found = load()
        finally:
            process.send_signal(signal.SIGINT)
    counts = {}
    for line in file.read_text().splitlines():
        fields = line.split()
        if re.match(r"\d+\.\d+$", fields[0]) and fields[-1] != "total":
            counts[fields[-1]] = int(fields[3])
    return counts, found


def module(symbol, file):
    name = file.rsplit("/", 1)[-1]
    if file.startswith("[") or name.startswith("vmlinux"):
        return "kernel"
    if name.startswith("globus-s3-frontend"):
        swift = SWIFT.match(symbol)
        if swift:
            return symbol[swift.end():swift.end() + int(swift[1])]
        # CReactor is C: what is mangled as C++ is the runtime's, in a program that has it inside.
        is_runtime = symbol.startswith(("$s", "$S", "swift", "_swift", "_Z")) or "::" in symbol
        return "Swift runtime" if is_runtime else "CReactor"
    if name.startswith(("libswift", "lib_Foundation", "libFoundation")):
        return "Swift runtime"
    if name.startswith(("libssl", "libcrypto")):
        return "OpenSSL"
    return re.sub(r"[-.].*", "", name)


def demangle(names):
    if not shutil.which("swift"):
        return list(names)
    answer = subprocess.run(["swift", "demangle", "--simplified", "--compact"],
                            input="\n".join(names), capture_output=True, text=True)
    return answer.stdout.splitlines() if answer.returncode == 0 else list(names)


def modules(stacks):
    """The share of each module."""
    counted = collections.Counter(stack[0][0] for stack in stacks)
    return {name: count / len(stacks) for name, count in counted.most_common()}


def functions(stacks, count=40):
    """Tables in Markdown: modules, functions by themselves, functions with what they call."""
    total = max(len(stacks), 1)
    lines = ["| module | CPU |", "|---|---|"]
    lines += [f"| {name} | {100 * share:.1f} % |" for name, share in modules(stacks).items()]
    alone = collections.Counter(stack[0] for stack in stacks)
    within = collections.Counter(frame for stack in stacks for frame in set(stack)
                                 if frame[1] != "[unknown]")
    for title, counted in (("by itself", alone), ("with what it calls", within)):
        busiest = counted.most_common(count)
        names = demangle([name for (_, name), _ in busiest])
        lines += ["", f"| function | module | CPU, {title} |", "|---|---|---|"]
        lines += [f"| `{name}` | {where} | {100 * number / total:.1f} % |"
                  for name, ((where, _), number) in zip(names, busiest)]
    return "\n".join(lines) + "\n"


def side_by_side(kind, columns):
    """Costs in Markdown by what `kind` says; `columns` has a dictionary for each title. What is less
    than a two-hundredth of all is left out, but counts."""
    names = sorted({name for costs in columns.values() for name in costs},
                   key=lambda name: -sum(costs.get(name, 0) / sum(costs.values())
                                         for costs in columns.values()))
    lines = [f"| {kind} | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for name in names:
        cells = [figure(costs[name]) if costs.get(name, 0) >= sum(costs.values()) / 200 else ""
                 for costs in columns.values()]
        if any(cells):
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    total = [figure(sum(costs.values())) for costs in columns.values()]
    return "\n".join([*lines, "| all | " + " | ".join(total) + " |"])
