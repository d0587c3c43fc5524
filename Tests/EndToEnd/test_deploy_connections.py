"""nginx and HAProxy as docs/deploy.md sets them up to hand connections on, unopened: TLS ends in the
frontend, which learns from the PROXY protocol who the client is."""

import pytest

import proxies
from frontend import audit_row
from test_deploy_proxies import COLLECTIONS


@pytest.fixture(scope="module", params=[proxies.NginxStream, proxies.HAProxyConnections],
                ids=["nginx", "haproxy"])
def site(request, tmp_path_factory, authority):
    site = proxies.Site(tmp_path_factory.mktemp("connections"), authority, COLLECTIONS[:1])
    request.addfinalizer(site.stop)
    (site.samples / "a b+c.txt").write_text("contents")
    with open(site.samples / "large.bin", "wb") as large:
        large.truncate(1 << 30)
    site.start(request.param)
    site.credential = site.sign_in()
    return site


def test_the_address_is_the_clients_and_no_other_is_believed(site):
    target, headers = site.signed("v4", f"/{site.collection}/a%20b%2Bc.txt", site.credential)
    answer = site.get(target, {**headers, "X-Forwarded-For": "203.0.113.9"}, source="127.0.0.2")
    assert (answer.status, answer.body) == (200, b"contents")
    row = audit_row(site.audit_db, answer.headers["x-amz-request-id"])
    assert (row["remote_ip"], row["peer_ip"]) == ("127.0.0.2", "127.0.0.1")
    assert row["auth_result"] == "verified"


def test_the_certificate_is_the_frontends(site):
    assert site.metric("tls_certificate_expiry_timestamp_seconds") > 0
    with site.connect() as client:
        assert client.version() == "TLSv1.3"


def test_health_checks_are_not_refused(site):
    assert site.metric("proxy_headers_refused_total") == 0


def test_a_slow_reader_has_nothing_stored_for_it(site):
    grown, row = proxies.read_slowly(site, "large.bin")
    assert grown < 32 << 20
    assert row["outcome"] == "client_abort" and 0 < row["bytes_out"] < 64 << 20


def test_the_log_has_addresses_only(site):
    link = site.signed("v4-query", f"/{site.collection}/a%20b%2Bc.txt", site.credential)
    assert site.get(*link).status == 200
    log = proxies.eventually(lambda: site.proxy.log_text(), "a line in the log")
    assert "127.0.0.1" in log and site.collection not in log and "X-Amz" not in log
