"""Keys are written by strangers: nothing in them steers a terminal, in any output of `audit`."""

import os
import pty
import subprocess

import pytest

from audit_record import HARMFUL
from frontend import PROGRAM, run


def on_terminal(record, *arguments):
    """What a terminal of 100 columns gets."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([PROGRAM, "audit", *arguments, "--audit-db", str(record.database)],
                               stdout=theirs, env={**os.environ, "COLUMNS": "100"})
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 65536):
            text += chunk
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    return text.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("arguments", [
    ("query",), ("query", "--format", "csv"), ("query", "--format", "json"),
    ("report", "failures"), ("report", "slow", "--format", "csv"),
    ("report", "reads", "--format", "json"),
    ("sql", "SELECT object_key FROM requests"), ("export", "--format", "csv"),
])
def test_a_terminal_gets_text_only(record, arguments):
    text = on_terminal(record, *arguments)
    assert text and not set(HARMFUL) & set(text)
    if "--format" not in arguments and arguments[0] != "export":
        table = [line for line in text.splitlines() if not line.startswith("#")]
        assert max(map(len, table)) <= 100


def test_the_keys_are_there_as_pictures(record):
    text = on_terminal(record, "sql", "SELECT object_key FROM requests")
    keys = record.sql("SELECT object_key FROM requests WHERE object_key GLOB 'results/*'")
    harmful = [row["object_key"] for row in keys if set(row["object_key"]) & set(HARMFUL)]
    assert harmful, "no such key was recorded"
    for key in harmful:
        shown = "".join(f"\\u{{{ord(c):X}}}" if c in HARMFUL else c for c in key)
        assert shown in text


def test_a_story_of_a_harmful_key_is_text(record):
    rows = record.sql("SELECT request_id, object_key FROM requests")
    shown = 0
    for row in rows:
        if set(row["object_key"] or "") & set(HARMFUL):
            text = on_terminal(record, "show", row["request_id"])
            assert "asked from" in text and not set(HARMFUL) & set(text)
            shown += 1
    assert shown > 0


def test_errors_are_text_too(record):
    answer = run("audit", "sql", "--audit-db", record.database, "SELECT \x1b[31m")
    assert answer.returncode == 64 and not set(HARMFUL) & set(answer.stderr)
