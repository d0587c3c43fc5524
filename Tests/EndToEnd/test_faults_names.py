"""Where a collection's server is at an address that it should not be, or its name does not resolve.

`serve` is held to the addresses that its operator allows; what it resolves with is `resolver.c`.
"""

import concurrent.futures
import contextlib
import os
import pathlib
import subprocess

import pytest

import faults
from conftest import LIED_ABOUT, run_local
from frontend import PROGRAM, Program
from liar import Liar, connections, honest, plan, sick
from test_faults import whole
from test_faults_connections import closed_port
from test_faults_heads import UNAVAILABLE, refused

DENIED = (403, "AccessDenied", "client_error")


@pytest.fixture(scope="module")
def resolver(tmp_path_factory):
    library = tmp_path_factory.mktemp("resolver") / "resolver.so"
    source = pathlib.Path(__file__).with_name("resolver.c")
    subprocess.run(["clang", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.fixture
def liar(tmp_path, authority):
    folder = tmp_path / "data"
    folder.mkdir()
    with Liar(folder, authority, addresses=("127.0.0.1", "127.0.0.2")) as liar:
        yield liar


@pytest.fixture
def serving(tmp_path, authority, resolver, liar):
    """`with serving(NAME, FLAGS…) as bed`: `serve` before a liar of that name, signed in."""
    key_file = tmp_path / "keys"
    subprocess.run([PROGRAM, "key", "generate", key_file], check=True, capture_output=True)

    @contextlib.contextmanager
    def serving(name, *flags):
        liar.tls = authority.context(name, address=name if name[0].isdigit() else None)
        port = closed_port()
        url = f"http://127.0.0.1:{port}"
        with run_local(
            *("--collection", f"{LIED_ABOUT}={liar.folder}", "--guest", LIED_ABOUT),
            *("--https-server", f"{LIED_ABOUT}=https://{name}:{liar.port}"), "--stand-in-only",
            *("--base-url", url),
        ) as local:
            serve = Program(
                "serve", "--listen", f"127.0.0.1:{port}", "--base-url", url,
                "--audit-db", tmp_path / "audit.db", "--key-file", key_file,
                "--upstream-ca", authority.certificate, *flags, log=tmp_path / "log",
                environment={"PATH": os.environ["PATH"], "LD_PRELOAD": str(resolver),
                             "GLOBUS_CLIENT_ID": local.client_id,
                             "GLOBUS_CLIENT_SECRET": local.client_secret,
                             "GLOBUS_SDK_SERVICE_URL_AUTH": local.auth_url,
                             "GLOBUS_SDK_SERVICE_URL_TRANSFER": local.transfer_url})
            serve.settings.update(base_url=url, audit_db=tmp_path / "audit.db")
            try:
                serve.wait_listening(url)
                yield faults.bed(serve, liar.folder, LIED_ABOUT, liar)
            finally:
                serve.stop()
    return serving


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "moving.example.org"])
def test_private_addresses_are_refused(serving, liar, name):
    """A collection can't make the frontend connect into its own network."""
    with serving(name) as bed:
        key, _ = bed.file()
        seen = bed.request(key)
        assert refused(seen, DENIED)
        assert b"--allow-private-upstream" in seen.body and b"127.0.0." in seen.body
        assert liar.requests == [] and seen.row["upstream_status"] is None


def test_private_addresses_that_are_allowed(serving):
    with serving("localhost", "--allow-private-upstream", "127.0.0.0/8") as bed:
        key, contents = bed.file()
        assert whole(bed.request(key), contents)


def test_a_name_that_moves(serving, liar):
    """Looked at whenever it is resolved: the first address is allowed, the second is not."""
    with serving("moving.example.org", "--allow-private-upstream", "127.0.0.2/32") as bed:
        (key, contents), (other, _) = bed.file(), bed.file()
        assert whole(bed.request(key), contents)
        assert liar.requests[0].address == "127.0.0.2"
        liar.plan(honest)  # closes the connection
        seen = bed.request(other)
        if seen.status == 200:
            # The address of before was remembered, which is as good.
            assert {request.address for request in liar.requests} == {"127.0.0.2"}
        else:
            assert refused(seen, DENIED) and b"127.0.0.1" in seen.body


def test_of_two_addresses_the_refused_one_is_left_out(serving, liar):
    """Also when the other one is sick."""
    with serving("both.example.org", "--allow-private-upstream", "127.0.0.2/32") as bed:
        for _ in range(5):
            liar.plan(connections(sick("C"), honest))
            key, contents = bed.file()
            seen = bed.request(key)
            assert seen.status in (200, 503)
            assert {request.address for request in liar.requests} == {"127.0.0.2"}


def test_a_sick_address_is_left_for_the_other(serving, liar):
    with serving("both.example.org", "--allow-private-upstream", "127.0.0.0/8") as bed:
        for ill in ("127.0.0.1", "127.0.0.2"):
            liar.plan(plan(lambda request: sick("D") if request.address == ill else honest))
            key, contents = bed.file()
            assert whole(bed.request(key), contents)
            assert liar.requests[-1].address != ill


@pytest.mark.parametrize("name", ["failing.example.org", "nowhere.example.org"])
def test_names_that_do_not_resolve(serving, name):
    with serving(name) as bed:
        key, _ = bed.file()
        seen = bed.request(key)
        assert refused(seen, UNAVAILABLE) and seen.row["upstream_host"].startswith(name)


def test_a_resolver_that_hangs_holds_up_nobody(serving):
    with serving("slow.example.org") as bed:
        key, contents = bed.file()
        # First, so that the status is remembered whoever of the others asks for it next.
        assert bed.request(key, "HEAD").headers["Content-Length"] == str(len(contents))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            stuck = pool.submit(bed.request, key)
            for _ in range(3):
                assert bed.request(key, "HEAD").headers["Content-Length"] == str(len(contents))
            assert not stuck.done()
            seen = stuck.result()
            assert refused(seen, UNAVAILABLE)
            # The server and, for a second look, Transfer, once each: what took all the time is not
            # tried again.
            assert seen.row["upstream_calls"] == 2
