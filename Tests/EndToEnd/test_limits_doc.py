"""docs/limits.md against the program: flags, defaults, and that the tests it names are there."""

import re

from frontend import ROOT, run

DOCUMENT = (ROOT / "docs/limits.md").read_text()


def documented():
    return {flag: default for flag, default in
            re.findall(r"^\| `--([a-z-]+)` \| (\d+) \|", DOCUMENT, re.MULTILINE)}


def offered(command):
    """The flags under the title of limits in the command's help, with their defaults."""
    answer = run(command, "--help")
    _, _, limits = answer.stdout.partition("LIMITS")
    text = " ".join(limits.partition("OPTIONS")[0].split())
    return {flag: default for flag, default in
            re.findall(r"--([a-z-]+) <[a-z-]+> .*?\(default: (\d+)\)", text)}


def test_every_flag_and_default_is_in_the_document():
    assert len(documented()) == 9
    assert offered("serve") == documented()
    assert offered("local") == documented()


def test_the_tests_that_it_names_exist():
    names = set(re.findall(r"`(test_\w+|a[A-Z]\w+)`", DOCUMENT))
    texts = [path.read_text() for folder in ("EndToEnd", "CReactorTests")
             for path in (ROOT / "Tests" / folder).iterdir() if path.is_file()]
    assert len(names) > 10
    for name in names:
        assert any(re.search(rf"(def|func) {name}\(", text) for text in texts), name


def test_the_fixed_ones_are_those_of_the_sources():
    limits = "".join((ROOT / "Sources" / name).read_text() for name in (
        "CReactor/limits.h", "Frontend/Limits.swift", "Frontend/Globus/GlobusLimits.swift"))
    for line in ["LIMIT_REQUEST_LINE_BYTES = 16 * 1024", "LIMIT_HEADER_LINE_BYTES = 16 * 1024",
                 "LIMIT_HEAD_BYTES = 32 * 1024 + LIMIT_REQUEST_LINE_BYTES", "LIMIT_HEADERS = 100",
                 "keyBytes = 1_024", "queryParameters = 64",
                 "LIMIT_REQUESTS_PER_CONNECTION = 10 * 1000", "LIMIT_REQUESTS_PER_TURN = 16",
                 "LIMIT_DROPPED_BODY_BYTES = 64 * 1024", "LIMIT_CHUNK_LINE_BYTES = 256",
                 "LIMIT_TRAILER_BYTES = 8 * 1024", "LIMIT_TLS_HANDSHAKE_MS = 10 * 1000",
                 "LIMIT_WRITE_HIGH_BYTES = 208 * 1024", "listedKeys = 1_000",
                 "listingEntries = 100_000", "LIMIT_UPSTREAM_HEAD_BYTES = 64 * 1024",
                 "LIMIT_URL_BYTES = 16 * 1024", "connectMilliseconds: UInt32 = 4_500"]:
        assert line in limits, line
