"""What `scripts/release` built, given as RELEASE_ARCHIVE: `scripts/soak release` runs it."""

import os
import pathlib
import re
import subprocess
import tarfile

import pytest

from frontend import ROOT

ARCHIVE = pathlib.Path(os.environ["RELEASE_ARCHIVE"])


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="tar")
    [top] = folder.iterdir()
    return top


def test_it_needs_the_packages_of_the_page_and_no_swift(unpacked):
    program = unpacked / "bin/globus-s3-frontend"
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    assert "swift" not in linked.lower() and "not found" not in linked
    needed = subprocess.run(["readelf", "-d", program], capture_output=True, text=True,
                            check=True).stdout
    packages = set()
    for library in re.findall(r"NEEDED.*\[(.*)\]", needed):
        path = re.search(rf"{re.escape(library)} => (\S+)|(/\S+ld-linux\S+)", linked)
        owners = subprocess.run(
            ["dpkg", "-S", f"*/{library}"], capture_output=True, text=True, check=True).stdout
        assert path, library
        packages |= {line.split(":")[0] for line in owners.splitlines()
                     if line.endswith(f"/{library}")}
    page = (ROOT / "docs/deploy.md").read_text()
    named = set(re.search(r"apt-get install (ca-certificates .*)", page)[1].split())
    always = {"libc6", "libgcc-s1", "libstdc++6", "zlib1g"}  # of every Debian, or of those named
    assert packages - always == named - {"ca-certificates"}


def test_it_is_stripped_and_says_what_it_is(unpacked):
    program = unpacked / "bin/globus-s3-frontend"
    sections = subprocess.run(["readelf", "-S", "--wide", program], capture_output=True, text=True,
                              check=True).stdout
    assert ".symtab" not in sections and ".debug_info" not in sections
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True,
                             env={}).stdout
    assert re.match(r"\d+\.\d+\.\d+\+[0-9a-f]{12}(\.changed)? \(libuv .*SQLite ", version)


def test_it_is_linked_for_memory_and_stays_hardened(unpacked):
    program = unpacked / "bin/globus-s3-frontend"
    shown = subprocess.run(["readelf", "--wide", "-h", "-l", "-d", program], capture_output=True,
                           text=True, check=True).stdout
    assert "DYN (Position-Independent" in shown and "GNU_RELRO" in shown
    relocations = re.search(r"\(RELASZ\) +(\d+)", shown)
    assert "(RELR)" in shown and int(relocations[1]) < 100_000  # not one word for each pointer
    exported = subprocess.run(["readelf", "--wide", "--dyn-syms", program], capture_output=True,
                              text=True, check=True).stdout
    assert "GRDB" not in exported


def test_it_has_units_pages_and_licences(unpacked):
    for file in ("share/globus-s3-frontend/systemd/globus-s3-frontend.service",
                 "share/globus-s3-frontend/systemd/globus-s3-frontend.socket",
                 "share/globus-s3-frontend/prometheus/alerts.yml",
                 "share/globus-s3-frontend/grafana/dashboard.json",
                 "share/doc/globus-s3-frontend/docs/deploy.md",
                 "share/doc/globus-s3-frontend/licences/GRDB.swift.txt"):
        assert (unpacked / file).stat().st_size > 0
