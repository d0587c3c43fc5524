"""Makes docs/clients.md of what the tests of clients say about themselves: `scripts/clients-doc`.

A line of the document is a `works` or `refused` on a test, the settings are those that the tests
use, and the versions are asked of the clients. `test_clients_doc.py` compares it with the file.
"""

import importlib
import json
import pathlib
import re
import subprocess
import sys

from clients import both
from clients_settings import CLIENTS, COMMANDS, PYTHON
from frontend import ROOT

FILE = ROOT / "docs" / "clients.md"

HEAD = """\
# Clients

<!-- Made by scripts/clients-doc from Tests/EndToEnd/test_clients_*.py; a test compares. -->

Each line below is a test that runs the client, unmodified and with the settings shown, against
`globus-s3-frontend local`, compares what it reads with the files byte for byte, and finds its
requests in the audit. **✓** stands for a line that runs under `--signatures any` with an invented
secret and again under `--signatures verify` with the one shown at sign-in; the others run under `any`.

In the settings, `http://localhost:8000` is the base URL, `GS3A…` the access key id and `Jw7u…` the
secret shown at sign-in, `COLLECTION` the collection's UUID. Any region name does; `globus` makes
boto3 and aws sign presigned URLs with version 4.

This version lists one folder at a time. What asks for everything below a folder that has folders in
it gets 501 `NotImplemented`; a folder without folders in it is listed that way too. Nothing is
written: 501.

| client | version | lines | with verified signatures |
|---|---|---|---|
"""

VERSIONS = """
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""


def versions():
    """Of each client. Of those that the system has only major and minor, which Debian keeps."""
    found = {}
    for venv, python in PYTHON.items():
        packages = {client.name: client.package
                    for client in CLIENTS.values() if client.venv == venv}
        output = subprocess.run([python, "-c", VERSIONS, *packages.values()], check=True,
                                capture_output=True, text=True).stdout
        numbers = json.loads(output)
        found |= {name: f"{package} {numbers[package]}" for name, package in packages.items()}
    for client in CLIENTS.values():
        if client.venv == "system":
            flag = "version" if "rclone" in client.name else "--version"
            output = subprocess.run([*COMMANDS[client.name], flag], check=True,
                                    capture_output=True, text=True).stdout
            number = re.search(r"(\d+\.\d+)", output).group(1)
            found[client.name] = f"{number} (Debian 12)"
    return found


def claims():
    """Of each client, what it does and how it meets what isn't there: (text, works, both)."""
    found = {name: [] for name in CLIENTS}
    for file in sorted(pathlib.Path(__file__).parent.glob("test_clients_*.py")):
        for function in vars(importlib.import_module(file.stem)).values():
            if getattr(function, "__module__", None) != file.stem:
                continue
            verified = both.mark in getattr(function, "pytestmark", [])
            for claim in getattr(function, "claims", []):
                found[claim.client].append((claim.text, claim.works, verified))
    return found


def section(client, lines):
    language = client.kind if client.kind in ("python", "shell", "sql") else ""
    text = f"\n## {client.name}\n\n"
    if not language:
        text += f"`{client.kind}`:\n\n"
    text += f"```{language}\n{client.settings}```\n\n"
    text += f"{client.note}\n\n" if client.note else ""
    text += "".join(f"- {line}{' ✓' if verified else ''}\n"
                    for line, works, verified in lines if works)
    missing = [line for line, works, _ in lines if not works]
    return text + ("\nNot in this version:\n\n" + "".join(f"- {line}\n" for line in missing)
                   if missing else "")


def document():
    numbers, found = versions(), claims()
    text = HEAD
    for client in CLIENTS.values():
        lines = [line for line in found[client.name] if line[1]]
        verified = sum(line[2] for line in lines)
        anchor = client.name.lower().replace(" ", "-")
        text += (f"| [{client.name}](#{anchor}) | {numbers[client.name]} "
                 f"| {len(lines)} | {verified} |\n")
    return text + "".join(section(client, found[name]) for name, client in CLIENTS.items())


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(document())
    print(f"wrote {FILE.relative_to(ROOT)}", file=sys.stderr)
