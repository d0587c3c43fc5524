"""The stand-in, driven by Globus's own command line client, unmodified, in a venv of its own.

It signs in as the app itself, so that nobody has to be at a browser.
"""

import json
import os
import subprocess

import pytest

from faults import set_faults
from frontend import ROOT

GLOBUS = os.environ.get("GLOBUS_CLI_BIN", str(ROOT / ".venv-globus-cli/bin/globus"))


SOME = "5ca1ab1e-0000-4000-8000-0000000000f1"


@pytest.fixture
def globus(stand_in, tmp_path):
    """The command; its output, or with `fails` the exit code and what it said."""
    def run(*arguments, fails=False):
        done = subprocess.run(
            [GLOBUS, *arguments], capture_output=True, text=True, timeout=60,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path),
                 "GLOBUS_SDK_SERVICE_URL_AUTH": stand_in.auth_url,
                 "GLOBUS_SDK_SERVICE_URL_TRANSFER": stand_in.transfer_url,
                 "GLOBUS_CLI_CLIENT_ID": stand_in.client_id,
                 "GLOBUS_CLI_CLIENT_SECRET": stand_in.client_secret})
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return (done.returncode, done.stdout + done.stderr) if fails else done.stdout
    yield run
    set_faults(stand_in)


def test_whoami(globus, stand_in):
    assert globus("whoami") == f"{stand_in.client_id}@clients.auth.globus.org\n"
    shown = json.loads(globus("whoami", "-F", "json"))
    assert (shown["sub"], shown["name"]) == (stand_in.client_id, "Local app")


def test_ls(globus, guest, folder):
    names = globus("ls", f"{guest.id}:/").splitlines()
    expected = [entry.name + "/" * entry.is_dir() for entry in folder.iterdir()]
    assert sorted(names) == sorted(name for name in expected if not name.startswith("."))
    assert ".hidden" in globus("ls", "--all", f"{guest.id}:/").splitlines()
    assert globus("ls", "--filter", "~*.txt", f"{guest.id}:/").split() == ["example.txt"]
    long = json.loads(globus("ls", "-F", "json", f"{guest.id}:/"))
    sizes = {entry["name"]: entry["size"] for entry in long["DATA"] if entry["type"] == "file"}
    assert sizes["large.bin"] == (folder / "large.bin").stat().st_size
    deep = globus("ls", "--recursive", f"{guest.id}:/").splitlines()
    assert "data/a b+é%.csv" in deep


def test_stat(globus, guest):
    shown = json.loads(globus("stat", "-F", "json", f"{guest.id}:/example.txt"))
    assert (shown["type"], shown["size"]) == ("file", 32)
    assert shown["last_modified"] == "2023-11-14 22:13:20+00:00"
    assert globus("stat", f"{guest.id}:/nothing").startswith("Nothing found at ")


def test_what_is_not_there(globus, guest):
    code, said = globus("ls", f"{guest.id}:/nothing", fails=True)
    assert code == 1 and "ClientError.NotFound" in said and "404" in said
    code, said = globus("ls", f"{guest.id}:/example.txt", fails=True)
    assert "ExternalError.DirListingFailed.NotDirectory" in said and "502" in said
    code, said = globus("ls", "1b6d2c9e-0000-4000-8000-00000000ffff:/", fails=True)
    assert "EndpointNotFound" in said


def test_the_kinds_of_collection(globus, mapped, guest):
    """`endpoint show` knows what they are and says which command is for them."""
    for collection, kind in ((mapped, "Mapped"), (guest, "Guest")):
        code, said = globus("endpoint", "show", collection.id, fails=True)
        assert code == 3 and f"Globus Connect Server v5 {kind} Collection" in said
    found = json.loads(globus("endpoint", "search", guest.directory.name, "-F", "json"))
    assert guest.id in [entry["id"] for entry in found["DATA"]]
    shown = json.loads(globus("api", "transfer", "GET", f"/endpoint/{guest.id}"))
    assert shown["https_server"] == guest.https_server


def test_a_mapped_collection_wants_consent(globus, mapped):
    code, said = globus("ls", f"{mapped.id}:/", fails=True)
    assert code == 4 and f"globus session consent '{mapped.transfer_scope}'" in said


@pytest.mark.parametrize("session, command", [
    ({"domain": "uni.example"}, "uni.example"),
    ({"identities": [SOME]}, SOME), ({"policies": [SOME]}, SOME),
])
def test_a_session_that_is_not_enough(globus, stand_in, guest, session, command):
    set_faults(stand_in, collections=[{"id": guest.id, "session": session}])
    code, said = globus("ls", f"{guest.id}:/", fails=True)
    assert code == 4 and "globus session update" in said and command in said


def test_a_storage_that_is_away(globus, stand_in, guest):
    set_faults(stand_in, transfer=[{"operation": "ls", "answer": "disconnected"}])
    code, said = globus("ls", f"{guest.id}:/", fails=True)
    assert code == 1 and "GCDisconnected" in said


def test_a_service_that_fails_for_a_moment(globus, stand_in, guest):
    """The client tries again, as Globus's do, and is served then."""
    set_faults(stand_in, transfer=[
        {"operation": "ls", "answer": "rate_limited", "retry_after": 0, "times": 1},
        {"operation": "ls", "answer": "unavailable", "retry_after": 0, "times": 1}])
    assert "example.txt" in globus("ls", f"{guest.id}:/")
