"""SIGHUP: certificates, keys and settings change under load; what is wrong changes nothing."""

import json
import os
import shutil
import socket
import ssl

import pytest

from alive_bed import LARGE, Load, Site
from audit_bed import eventually, rows
from frontend import audit_row, run, sign_in


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("reloaded"), tls=True)
    with site.server(site.folder / "sign-in.db"):
        site.sign_in()
    yield site
    site.close()


@pytest.fixture
def serving(site, database):
    """A server with the site's own settings and keys; both are put back after the test."""
    kept = site.keys.read_bytes()
    site.configure()
    site.use_certificate(0)
    with site.server(database) as server:
        yield server
    site.keys.write_bytes(kept)


def test_nobody_notices_a_reload(site, database):
    site.configure()
    with site.server(database) as server, Load(site, fresh=2, keeping=2) as load:
        slow = site.connect()
        slow.request("GET", f"/{site.collection}/large.bin", headers=dict(
            line.split(": ") for line in site.request().decode().splitlines()[2:] if line))
        slow = slow.getresponse()
        for number in range(1, 16):
            certificate = site.use_certificate(number % 3)
            assert server.reload().endswith(" notice reloaded")
            load.wait_more(4)
            assert site.certificate_seen() == certificate
        assert sum(len(piece) for piece in iter(lambda: slow.read(1 << 20), b"")) == LARGE
        assert site.reloads() == [15, 0]
    load.check()
    assert {row["outcome"] for row in rows(database)} == {"ok"}
    assert len(rows(database)) == len(load.answers) + 1


def test_reloads_leave_nothing_behind(site, serving):
    def descriptors():
        serving.reload()
        assert site.get().status_code == 200
        return len(os.listdir(f"/proc/{serving.process.pid}/fd"))

    first = descriptors()
    assert [descriptors() for _ in range(20)] == [first] * 20


BROKEN = {
    "a flag that there is not": ("there is no flag 'frobnicate'", lambda site:
                                 site.configure(frobnicate=1)),
    "no value of a flag": ("--signatures must be 'any' or 'verify'", lambda site:
                           site.configure(signatures="sometimes")),
    "no network": ("--trusted-proxy must be a network", lambda site:
                   site.configure(trusted_proxy="everywhere")),
    "a line that is none": ("line 1: not of the form", lambda site:
                            site.config.write_text("nonsense\n")),
    "no configuration": ("can't be read as text", lambda site: site.config.unlink()),
    "half an identity": ("--tls-cert and --tls-key go together", lambda site:
                         site.configure(tls_key=None)),
    "no certificate": ("can't use the certificate file", lambda site:
                       site.certificate.write_text("nonsense")),
    "a certificate that is gone": ("can't use the certificate file", lambda site:
                                   site.certificate.unlink()),
    "another's key": ("key values mismatch", lambda site:
                      shutil.copy(site.authority.folder / "ca.key", site.key)),
    "no keys": ("holds no key", lambda site: site.keys.write_text("")),
    "keys that others can read": ("chmod 600", lambda site: site.keys.chmod(0o644)),
    "no trust": ("ca.pem", lambda site: site.configure(upstream_ca="/nonexistent/ca.pem")),
    "no certificates to trust": ("frontend.conf", lambda site:
                                 site.configure(upstream_ca=site.config)),
    "no secret": ("--client-secret-file", lambda site:
                  site.configure(client_secret_file="/nonexistent")),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_wrong_is_said_and_nothing_of_it_holds(site, serving, what):
    says, break_it = BROKEN[what]
    before = len(serving.lines)
    old = site.certificate_seen()
    kept = site.keys.read_bytes()
    site.use_certificate(1)  # which is good, and must not hold all the same
    site.configure(log_format="json")
    if what not in ("no configuration", "a line that is none"):
        site.settings.append(("log-format", "json"))
    try:
        break_it(site)
        line = serving.reload()
    finally:
        site.settings = [one for one in site.settings if one[0] != "log-format"]
        site.keys.chmod(0o600)
    assert " error not reloaded, all stays as it was: " in line and says in line
    assert len(serving.lines) == before + 1
    assert site.certificate_seen() == old and site.get().status_code == 200
    assert site.reloads() == [0, 1]

    site.keys.write_bytes(kept)
    site.configure()
    new = site.use_certificate(1)
    assert serving.reload().endswith(" notice reloaded")
    assert site.certificate_seen() == new and site.get().status_code == 200
    assert site.reloads() == [1, 1]


def test_settings_of_the_file_hold_anew(site, serving, database):
    forwarded = {"X-Forwarded-For": "203.0.113.7"}
    first = site.get(**forwarded)
    site.configure(signatures="verify", log_format="json")
    assert json.loads(serving.reload())["message"] == "reloaded"
    assert site.get().status_code == 403  # signed with any secret
    site.configure(trusted_proxy="127.0.0.0/8")
    assert serving.reload().endswith(" notice reloaded")
    second = site.get(**forwarded)
    assert (first.status_code, second.status_code) == (200, 200)
    addresses = [audit_row(database, answer.headers["x-amz-request-id"])["remote_ip"]
                 for answer in (first, second)]
    assert addresses == ["127.0.0.1", "203.0.113.7"]
    site.configure(allow_private_upstream="10.0.0.0/8")
    serving.reload()
    refused = site.get()
    assert refused.status_code == 403 and "--allow-private-upstream" in refused.text


def test_the_proxy_protocol_is_asked_for_anew(site, serving, database):
    site.configure(trusted_proxy="127.0.0.0/8", proxy_protocol="trusted")
    assert serving.reload().endswith(" notice reloaded")
    with pytest.raises((ConnectionError, ssl.SSLError)):
        site.certificate_seen()  # without a PROXY header
    context = ssl.create_default_context(cafile=site.authority.certificate)
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as plain:
        plain.sendall(b"PROXY TCP4 203.0.113.9 203.0.113.1 1 2\r\n")
        with context.wrap_socket(plain, server_hostname="localhost") as wrapped:
            wrapped.sendall(site.request())
            assert wrapped.recv(100).startswith(b"HTTP/1.1 200 ")
    site.configure()
    serving.reload()
    assert site.get().status_code == 200
    addresses = [row["remote_ip"] for row in eventually(
        lambda: rows(database)[1:] and rows(database), "two rows")]
    assert addresses == ["203.0.113.9", "127.0.0.1"]


def test_a_secret_in_a_file_is_read_again(site, serving, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    site.configure(client_secret_file=secret)
    serving.reload()
    start = f"{site.base_url}/{site.collection}/?auth"
    assert site.session.get(start, allow_redirects=False).status_code == 503
    secret.write_text(site.stand_in.client_secret + "\n")
    serving.reload()
    assert site.session.get(start, allow_redirects=False).status_code == 303


def test_keys_turn_without_a_restart(site, serving):
    def keys(*arguments):
        answer = run("key", *arguments)
        assert answer.returncode == 0, answer.stderr
        serving.reload()
        return answer.stdout.strip()

    old = run("key", "list", site.keys).stdout.split()[0]
    new = keys("add", site.keys)
    assert site.get().status_code == 200
    keys("promote", site.keys, new)
    assert site.get().status_code == 200  # what the old key sealed
    renewed = sign_in(site.base_url, site.collection, session=site.session).json()
    keys("retire", site.keys, old)
    assert site.get().status_code == 403
    assert site.get(credential=renewed).status_code == 200


def test_a_sign_in_outlives_a_reload(site, serving):
    class Reloading(type(site.session)):
        def post(self, *arguments, **named):  # the form of consent, between start and callback
            serving.reload()
            return super().post(*arguments, **named)

    session = Reloading()
    session.trust_env, session.verify = False, site.session.verify
    answer = sign_in(site.base_url, site.collection, session=session)
    assert answer.status_code == 200 and site.get(credential=answer.json()).status_code == 200


def test_what_needs_a_restart_is_said_and_waits(site, serving, tmp_path):
    site.configure(
        listen="127.0.0.1:1", base_url="https://elsewhere.example", client_id="another",
        audit_retention=7, operations_listen=None, tls_cert=None, tls_key=None, key_file=None,
        signatures="verify")
    assert serving.reload().endswith(" notice reloaded")
    line, = serving.wait_line("settings have changed that need a restart")
    assert line.split("flags=")[1] == (
        "--audit-retention --base-url --client-id --key-file --listen --operations-listen "
        "--tls-cert --tls-key")
    assert site.get().status_code == 403  # what need not wait has not waited
    assert site.reloads() == [1, 0]
    serving.reload()
    assert len(serving.wait_line("settings have changed that need a restart", 2)) == 2
    site.configure()
    serving.reload()
    assert site.get().status_code == 200
    assert len(serving.wait_line("settings have changed that need a restart", 2)) == 2
