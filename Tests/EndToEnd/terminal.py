"""An interactive bash on a terminal of its own, typed into as a person does."""

import os
import pty
import select
import signal
import time

PROMPT = "ready$ "


class Terminal:
    def __init__(self, environment):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve("/bin/bash", ["bash", "--noprofile", "--norc", "-i"],
                      {"TERM": "xterm", "PS1": PROMPT, **environment})
        self.wait(PROMPT)

    def wait(self, text):
        """Until the terminal shows this, after what was waited for before."""
        end = time.monotonic() + 60
        while text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise AssertionError(f"no {text!r} in {self.seen!r}")
            self.seen += os.read(self.fd, 65536).decode(errors="replace")
        self.seen = self.seen.split(text, 1)[1]

    def type(self, text):
        data = text.replace("\n", "\r").encode()
        while data:
            data = data[os.write(self.fd, data):]

    def paste(self, text, bracketed):
        """A paste into the shell; terminals bracket it when the shell asks for that."""
        self.type(f"\x1b[200~{text}\x1b[201~" if bracketed else text)

    def exit(self):
        """Ends the shell, which then writes its history."""
        self.type("exit\n")
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if not os.read(self.fd, 65536):
                    break
            except OSError:  # Linux: the other side is closed
                break
        else:
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        assert os.waitpid(self.pid, 0)[1] == 0
