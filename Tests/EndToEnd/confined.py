"""Runs a command as a systemd unit would have it run, as far as that can be done without systemd:
the environment, a user without a name, limits, a read-only file system, and the unit's system calls.

    python confined.py UNIT STATE CREDENTIALS COMMAND ...

STATE and CREDENTIALS take the place of /var/lib and of the folder that LoadCredential fills. The
caller is root: what systemd does as root is done here.
"""

import ctypes
import errno
import os
import pathlib
import re
import resource
import subprocess
import sys

import pyseccomp as seccomp

# A user and group that no list knows, as of a container.
NOBODY = 61_234
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000
PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG = 38, 1


class Unit:
    """The [Service] section: the values of each setting in order."""

    def __init__(self, path):
        self.settings = {}
        section = None
        for line in pathlib.Path(path).read_text().splitlines():
            if line.startswith("["):
                section = line
            elif section == "[Service]" and line and not line.startswith("#"):
                name, _, value = line.partition("=")
                self.settings.setdefault(name, []).append(value)

    def __getitem__(self, name):
        [value] = self.settings[name]
        return value

    def all(self, name):
        return self.settings[name]

    def environment(self, state, credentials):
        """What Environment= says, and what systemd adds."""
        own = dict(value.split("=", 1) for value in self.all("Environment"))
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8", "USER": self["User"], "LOGNAME": self["User"],
            "INVOCATION_ID": "0" * 32, "STATE_DIRECTORY": f"{state}/{self['StateDirectory']}",
            "CREDENTIALS_DIRECTORY": str(credentials),
            **{name: value.replace("%d", str(credentials)).replace("%S", str(state))
               for name, value in own.items()}}


def calls(name):
    """The system calls of a set of systemd's, sets within it opened."""
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True,
                            capture_output=True, text=True).stdout
    names = re.findall(r"^    (@?[a-z0-9_-]+)$", listed, re.M)
    return set().union(*(calls(inner) for inner in names))


def allowed_calls(unit):
    allowed = set()
    for value in unit.all("SystemCallFilter"):
        names = set().union(*(calls(name) for name in value.removeprefix("~").split()))
        allowed = allowed - names if value.startswith("~") else allowed | names
    return allowed


def system_call_filter(unit):
    """SystemCallFilter, RestrictAddressFamilies, MemoryDenyWriteExecute, RestrictRealtime."""
    refusal = seccomp.ERRNO(getattr(errno, unit["SystemCallErrorNumber"]))
    rules = seccomp.SyscallFilter(refusal)
    for name in sorted(allowed_calls(unit) - {"socket", "mmap", "mprotect", "shmat"}):
        try:
            rules.add_rule(seccomp.ALLOW, name)
        except (OSError, ValueError):
            pass  # of another architecture, or younger than libseccomp
    for family in unit["RestrictAddressFamilies"].split():
        number = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}[family]
        rules.add_rule(seccomp.ALLOW, "socket", seccomp.Arg(0, seccomp.EQ, number))
    assert unit["MemoryDenyWriteExecute"] == "yes"
    mask = seccomp.MASKED_EQ
    for name, flags in (("mprotect", [0]), ("mmap", [0, PROT_WRITE])):
        for flag in flags:
            rules.add_rule(seccomp.ALLOW, name, seccomp.Arg(2, mask, PROT_EXEC, flag))
    # Libraries are mapped so: to be executed, and not to be written.
    rules.add_rule(seccomp.ALLOW, "mmap",
                   seccomp.Arg(2, mask, PROT_WRITE | PROT_EXEC, PROT_EXEC))
    rules.add_rule(seccomp.ALLOW, "shmat", seccomp.Arg(2, mask, SHM_EXEC, 0))
    return rules


def main(unit, state, credentials, *command):
    unit = Unit(unit)
    rules = system_call_filter(unit)
    assert unit["ProtectSystem"] == "strict" and unit["NoNewPrivileges"] == "yes"
    libc = ctypes.CDLL(None, use_errno=True)

    def call(name, *arguments):
        if getattr(libc, name)(*arguments) != 0:
            raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")

    CLONE_NEWNS, MS_REC, MS_PRIVATE, MS_BIND, MS_REMOUNT, MS_RDONLY = (
        0x20000, 0x4000, 0x40000, 0x1000, 0x20, 1)
    call("unshare", CLONE_NEWNS)
    call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    writable = str(state).encode()
    call("mount", writable, writable, None, MS_BIND, None)
    call("mount", b"/", b"/", None, MS_BIND | MS_REMOUNT | MS_RDONLY, None)
    files = int(unit["LimitNOFILE"])
    files = min(files, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(int(unit["UMask"], 8))
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    environment = {**{name: value for name, value in os.environ.items()
                      if name.startswith(("GLOBUS_SDK_", "NOTIFY_", "LISTEN_"))},
                   **unit.environment(state, credentials)}
    os.chdir("/")
    rules.load()
    os.execve(command[0], list(command), environment)


if __name__ == "__main__":
    main(*sys.argv[1:])
