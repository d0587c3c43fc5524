"""What no server can undercut: a loop that only copies, and AES-256-GCM by itself."""

import pathlib
import re
import subprocess

import loads
import machine
from ours import Server, free_ports

HERE = pathlib.Path(__file__).resolve().parent


def relay(stage):
    """A server that copies what the origin says without TLS."""
    program = stage.work / "relay"
    if not program.exists():
        subprocess.run(["clang", "-std=c11", "-O2", HERE / "relay.c", "-o", program], check=True)
    port, = free_ports(1)
    process = stage.processes.run([program, port, stage.plain_port], port)
    machine.pin_all(process.pid, machine.SERVER_CORE)
    return Server("relay", process, port, "/objects")


def decryption():
    """CPU seconds for a GiB of TLS records' size."""
    text = subprocess.run(
        ["taskset", "-c", str(machine.SERVER_CORE), "openssl", "speed", "-evp", "aes-256-gcm",
         "-decrypt", "-bytes", "16384", "-seconds", "1"],
        check=True, capture_output=True, text=True).stdout
    return loads.GIB / 1000 / float(re.search(r"AES-256-GCM +([\d.]+)k", text, re.I)[1])
