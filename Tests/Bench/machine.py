"""The machine: who runs on which core, what a process has used, how busy others were."""

import os
import pathlib
import resource

SERVER_CORE, LOAD_CORE = 0, (1 if os.cpu_count() > 1 else 0)


def pin(pid, core=SERVER_CORE, others=LOAD_CORE):
    """The process's first thread on `core`; those beside it, of which none serves, on `others`."""
    for thread in threads(pid):
        os.sched_setaffinity(thread, {core if thread == pid else others})


def pin_all(pid, core):
    """Every thread, and what it starts from now on."""
    for thread in threads(pid):
        os.sched_setaffinity(thread, {core})


def threads(pid):
    return [int(name) for name in os.listdir(f"/proc/{pid}/task")]


class CPU:
    """Nanoseconds that a process has run since this was made, on its first thread and on others."""

    def __init__(self, pid):
        self.pid = pid
        self.start = self.read()

    def read(self):
        first = others = 0
        for thread in threads(self.pid):
            try:
                text = pathlib.Path(f"/proc/{self.pid}/task/{thread}/schedstat").read_text()
            except OSError:
                continue  # ended meanwhile
            if thread == self.pid:
                first = int(text.split()[0])
            else:
                others += int(text.split()[0])
        return first, others

    def used(self):
        first, others = self.read()
        return first - self.start[0], others - self.start[1]


def memory(pid):
    """Resident bytes: all, those that no file stands behind, and the most that ever were."""
    fields = dict(line.split(":", 1)
                  for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return tuple(int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "RssAnon", "VmHWM"))


def spooled(pid):
    """Bytes in files that the process has open and that have no name any more."""
    total = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            path = f"/proc/{pid}/fd/{name}"
            if os.readlink(path).endswith(" (deleted)"):
                total += os.stat(path).st_size
        except OSError:
            continue  # closed meanwhile
    return total


def descriptors():
    """Allows this process and its children as many descriptors as they may have; how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Neighbours:
    """The share of time that the machine below gave to others (steal), since this was made."""

    def __init__(self):
        self.start = self.read()

    @staticmethod
    def read():
        return [int(field) for field in
                pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]

    def describe(self):
        spent = [now - then for now, then in zip(self.read(), self.start)]
        load = " ".join(f"{value:.1f}" for value in os.getloadavg())
        return f"load {load}, steal {100 * spent[7] / max(sum(spent), 1):.1f} %"
