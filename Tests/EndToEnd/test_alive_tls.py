"""TLS as testssl.sh judges it: protocols, ciphers, forward secrecy, known vulnerabilities."""

import json
import subprocess

import pytest

from alive_bed import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("judged"), tls=True)
    yield site
    site.close()


def test_testssl_finds_nothing(site, database, tmp_path):
    report = tmp_path / "report.json"
    with site.server(database):
        done = subprocess.run(
            ["testssl", "--quiet", "--warnings", "off", "--color", "0", "--jsonfile", report,
             "--protocols", "--std", "--fs", "--vulnerable", f"localhost:{site.port}"],
            capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    findings = {finding["id"]: finding for finding in json.loads(report.read_text())}
    findings.pop("engine_problem", None)  # of the machine's openssl, which has no GOST
    assert not [one for one in findings.values() if one["severity"] not in ("OK", "INFO")]
    offered = [name for name in ("SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3")
               if findings[name]["finding"].startswith("offered")]
    assert offered == ["TLS1_2", "TLS1_3"]
    assert {"ALPN", "cipherlist_STRONG", "heartbleed", "ROBOT", "CRIME_TLS", "secure_renego",
            "secure_client_renego", "LUCKY13", "LOGJAM"} <= findings.keys()
