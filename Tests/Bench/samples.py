"""Where the CPU of the loop's thread goes, by `perf`: shares of modules, and the busiest functions.

A sample counts for the function that ran. Our program's are told apart by their names: Swift's begin
with the module (those of the standard library count as runtime), the others are CReactor's.
"""

import collections
import re
import shutil
import subprocess

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


def module(symbol, file):
    name = file.rsplit("/", 1)[-1]
    if file.startswith("[") or name.startswith("vmlinux"):
        return "kernel"
    if name.startswith("globus-s3-frontend"):
        swift = SWIFT.match(symbol)
        if swift:
            return symbol[swift.end():swift.end() + int(swift[1])]
        return "Swift runtime" if symbol.startswith(("$s", "$S")) else "CReactor"
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


def table(stacks, functions=40):
    """Tables in Markdown: modules, functions by themselves, functions with what they call."""
    stacks = list(stacks)
    total = max(len(stacks), 1)
    modules = collections.Counter(stack[0][0] for stack in stacks)
    lines = ["| module | CPU |", "|---|---|"]
    lines += [f"| {name} | {100 * count / total:.1f} % |" for name, count in modules.most_common()]
    alone = collections.Counter(stack[0] for stack in stacks)
    within = collections.Counter(frame for stack in stacks for frame in set(stack)
                                 if frame[1] != "[unknown]")
    for title, counted in (("by itself", alone), ("with what it calls", within)):
        busiest = counted.most_common(functions)
        names = demangle([name for (_, name), _ in busiest])
        lines += ["", f"| function | module | CPU, {title} |", "|---|---|---|"]
        lines += [f"| `{name}` | {where} | {100 * count / total:.1f} % |"
                  for name, ((where, _), count) in zip(names, busiest)]
    return "\n".join(lines)
