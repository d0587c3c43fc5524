"""Where a collection's server is not who it says, or not there: no token leaves."""

import ssl

import pytest

import faults
from authority import Authority
from conftest import LIED_ABOUT, run_local
from frontend import free_ports
from liar import honest
from test_faults import whole
from test_faults_heads import refused
from test_faults_transfer import start_of_sign_in


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1 is deprecated")
@pytest.mark.parametrize("wrong", ["name", "authority", "expired", "early", "old"])
def test_a_wrong_certificate_gets_no_token(bed, authority, tmp_path, wrong):
    key, contents = bed.file()
    bed.liar.tls = {
        "name": lambda: authority.context("other.example", address=None),
        "authority": lambda: Authority(tmp_path / "strange", "nobody knows it").context(),
        "expired": lambda: authority.context(end="20210101000000Z"),
        "early": lambda: authority.context(start="20980101000000Z", end="20990101000000Z"),
        "old": lambda: authority.context(versions=ssl.TLSVersion.TLSv1),
    }[wrong]()
    bed.liar.plan(honest)
    seen = bed.request(key)
    assert refused(seen)
    assert bed.liar.requests == [] and seen.row["upstream_status"] is None
    for detail in (b"certificate", b"OpenSSL", b"SSL", b"strange"):
        assert detail not in seen.body


def test_a_certificate_that_is_right_again(bed, authority):
    key, contents = bed.file()
    right = bed.liar.tls
    bed.liar.tls = authority.context(end="20210101000000Z")
    bed.liar.plan(honest)
    assert refused(bed.request(key))
    bed.liar.tls = right
    bed.liar.plan(honest)
    assert whole(bed.request(key), contents)


def closed_port():
    [port] = free_ports(1)
    return port


@pytest.mark.parametrize("server, outcome", [
    ("https://localhost:{closed}", (503, "ServiceUnavailable", "server_error")),
    ("https://nowhere.invalid", (503, "ServiceUnavailable", "server_error")),
])
def test_a_server_that_is_not_there(tmp_path, server, outcome):
    """Down, or unknown to DNS: an answer soon, and the next collection does not mind."""
    (tmp_path / "file").write_bytes(b"contents")
    other = "1b6d2c9e-0000-4000-8000-00000000beef"
    url = server.format(closed=closed_port())
    with run_local(
        *("--collection", f"{LIED_ABOUT}={tmp_path}", "--https-server", f"{LIED_ABOUT}={url}"),
        *("--collection", f"{other}={tmp_path}", "--listen", "127.0.0.1:0"),
    ) as local:
        here = faults.bed(local, tmp_path, LIED_ABOUT)
        there = faults.bed(local, tmp_path, other)
        seen = here.request("file")
        assert refused(seen, outcome) and seen.row["upstream_status"] is None
        assert seen.row["upstream_host"] == url.removeprefix("https://")
        assert whole(there.request("file"), b"contents")


@pytest.mark.parametrize("server", ["http://localhost:1", "https://user@localhost", "ftp://x",
                                    "https://localhost/path", "https://localhost:99999"])
def test_what_is_no_https_server(tmp_path, server):
    with run_local("--collection", f"{LIED_ABOUT}={tmp_path}", "--listen", "127.0.0.1:0",
                   "--https-server", f"{LIED_ABOUT}={server}") as local:
        assert start_of_sign_in(local, LIED_ABOUT).status_code == 409
