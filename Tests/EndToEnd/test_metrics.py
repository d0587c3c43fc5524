"""/metrics after real traffic: what it counts, that it names nobody, and that every metric of the
alert rules and the dashboard is one of its own."""

import json
import os
import re
import shutil
import subprocess

import pytest
import requests
import yaml

import faults
from audit_bed import eventually
from frontend import ROOT, Program, free_ports, run, sign_in
from test_one_object import authorization

RULES = ROOT / "docs/prometheus/alerts.yml"
DASHBOARD = ROOT / "docs/grafana/dashboard.json"
NAME = re.compile(r"\b(?:globus_s3_frontend|process)_[a-z_]+")


def promtool(*arguments, **options):
    program = shutil.which("promtool") or ROOT / ".build-promtool/usr/bin/promtool"
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True,
                          timeout=60, **options)


class Busy:
    """`serve` with TLS before a stand-in, and what it was asked."""

    def __init__(self, folder, authority):
        samples = folder / "samples"
        samples.mkdir()
        (samples / "example.txt").write_text("An object in a Globus collection.\n")
        port, operations = free_ports(2)
        self.base_url = f"https://localhost:{port}"
        self.operations = f"http://127.0.0.1:{operations}"
        certificate, key = authority.files()
        self.stand_in = Program("local", "--stand-in-only", "--directory", samples,
                                "--base-url", self.base_url).wait_ready()
        self.collection = self.stand_in.collection
        self.program = Program(
            "serve", "--listen", f"127.0.0.1:{port}", "--base-url", self.base_url,
            "--operations-listen", f"127.0.0.1:{operations}", "--tls-cert", certificate,
            "--tls-key", key, "--upstream-ca", self.stand_in.ca_file,
            "--allow-private-upstream", "127.0.0.0/8", "--audit-db", folder / "audit.db",
            log=folder / "log", environment={
                "PATH": os.environ["PATH"],
                "GLOBUS_SDK_SERVICE_URL_AUTH": self.stand_in.auth_url,
                "GLOBUS_SDK_SERVICE_URL_TRANSFER": self.stand_in.transfer_url,
                "GLOBUS_CLIENT_ID": self.stand_in.client_id,
                "GLOBUS_CLIENT_SECRET": self.stand_in.client_secret})
        self.client = requests.Session()
        self.client.trust_env = False  # it would put the environment's trust in place of this
        self.client.verify = str(authority.certificate)

    def sign_in(self):
        self.program.wait_listening(self.base_url).wait_listening(self.operations)
        self.credential = sign_in(self.base_url, self.collection, session=self.client).json()
        self.client.headers.update(authorization(self.credential))

    def get(self, key, **headers):
        return self.client.get(f"{self.base_url}/{self.collection}/{key}", headers=headers)

    def metrics(self):
        return requests.get(f"{self.operations}/metrics", timeout=10).text

    def sample(self, series):
        """The value of a series as it stands in the text, without the program's prefix."""
        for line in self.metrics().splitlines():
            name, _, value = line.rpartition(" ")
            if name == f"globus_s3_frontend_{series}":
                return float(value)
        raise AssertionError(f"no series {series}")

    def close(self):
        self.stand_in.stop()
        assert self.program.stop() == 0


@pytest.fixture(scope="module")
def busy(request, tmp_path_factory, authority):
    busy = Busy(tmp_path_factory.mktemp("busy"), authority)
    request.addfinalizer(busy.close)
    busy.sign_in()
    return busy


def test_requests_and_bytes_are_counted_by_action_and_status(busy):
    before = busy.sample("response_bytes_total")
    for _ in range(3):
        assert busy.get("example.txt").status_code == 200
    assert len(busy.get("missing").content) > 0
    assert busy.client.get(f"{busy.base_url}/{busy.collection}?delimiter=/").status_code == 200
    assert busy.sample('requests_total{operation="GetObject",status="200"}') == 3
    assert busy.sample('requests_total{operation="GetObject",status="404"}') == 1
    assert busy.sample('request_duration_seconds_count{operation="GetObject"}') == 4
    assert busy.sample('time_to_first_byte_seconds_bucket{operation="GetObject",le="+Inf"}') == 4
    assert busy.sample("response_bytes_total") > before + 3 * 34
    assert busy.sample("requests_in_flight") == 0
    assert busy.sample("connections") >= 1
    assert busy.sample("connections_accepted_total") >= busy.sample("connections")


def test_calls_upstream_are_counted_with_their_latency(busy):
    busy.get("example.txt")
    assert busy.sample('upstream_calls_total{service="collection",status="2xx"}') >= 1
    assert busy.sample('upstream_calls_total{service="transfer",status="2xx"}') >= 1
    assert busy.sample('upstream_calls_total{service="auth",status="2xx"}') >= 2
    for service in ("auth", "transfer", "collection"):
        calls = sum(busy.sample(f'upstream_calls_total{{service="{service}",status="{digit}xx"}}')
                    for digit in range(1, 6))
        assert busy.sample(f'upstream_first_byte_seconds_count{{service="{service}"}}') == calls
        assert busy.sample(f'upstream_waiting{{service="{service}"}}') == 0


def test_retries_are_counted(busy):
    before = busy.sample('upstream_retries_total{service="collection"}')
    faults.set_faults(busy.stand_in, data=[{"nodes": ["error"], "times": 1}])
    try:
        assert busy.get("example.txt").status_code == 200
    finally:
        faults.set_faults(busy.stand_in)
    assert busy.sample('upstream_retries_total{service="collection"}') == before + 1


def test_the_certificate_the_audit_and_auth_have_their_gauges(busy):
    busy.get("example.txt")
    assert busy.sample("tls_certificate_expiry_timestamp_seconds") == 4102444799  # end of 2099
    assert busy.sample("audit_healthy") == 1 and busy.sample("ready") == 1
    eventually(lambda: busy.sample("audit_queue_rows") == 0, "every row is in the database")
    assert busy.sample("audit_lag_seconds") == 0
    assert busy.sample("auth_contact_age_seconds") < 60


def test_versions_of_what_runs(busy):
    [line] = [line for line in busy.metrics().splitlines()
              if line.startswith("globus_s3_frontend_build_info{")]
    labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
    assert set(labels) == {"version", "commit", "libuv", "libcurl", "openssl", "sqlite"}
    version = run("--version").stdout
    for name in ("version", "libuv", "libcurl", "openssl", "sqlite"):
        assert re.fullmatch(r"\d+\.\d+\.\d+\w*", labels[name]) and labels[name] in version


def test_prometheus_can_read_it(busy):
    busy.get("example.txt")
    checked = promtool("check", "metrics", input=busy.metrics())
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_it_names_nobody(busy):
    """However many people, collections, keys and hosts were asked for."""
    other = "99999999-2222-4333-8444-555555555555"
    busy.get("example.txt", **{"User-Agent": "agent-of-nobody", "Host": "host.of.nobody"})
    busy.client.get(f"{busy.base_url}/{other}/key-of-nobody?uploadId=query-of-nobody")
    assert busy.client.request("PURGE", f"{busy.base_url}/x").status_code >= 400
    text = busy.metrics()
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", text)
    for word in ("researcher", "example.org", "nobody", "example.txt", "127.0.0.1", "localhost",
                 "PURGE", "GS3A", busy.credential["access_key_id"][:12]):
        assert word not in text, word


def names_of(text):
    """The metrics in /metrics; of a histogram also the series that it is made of."""
    names = set()
    for kind in re.finditer(r"^# TYPE (\S+) (\S+)$", text, re.M):
        names.add(kind[1])
        if kind[2] == "histogram":
            names |= {f"{kind[1]}_{part}" for part in ("bucket", "sum", "count")}
    return names


def labels_of(text):
    return {label for series in re.findall(r"\{(.*)\}", text)
            for label in re.findall(r'(\w+)="', series)}


def rule_expressions():
    return [rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"]
            for rule in group["rules"]]


def dashboard_expressions():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.mark.parametrize("expressions", [rule_expressions, dashboard_expressions])
def test_every_metric_asked_for_exists(busy, expressions):
    busy.get("example.txt")
    text = busy.metrics()
    for expression in expressions():
        found = NAME.findall(expression)
        assert found or "up{" in expression, expression
        assert set(found) <= names_of(text), expression
        grouped = {label.strip() for labels in re.findall(r"by \(([^)]*)\)", expression)
                   for label in labels.split(",")}
        matched = set(re.findall(r"(\w+)\s*=~?\s*\"", expression))
        # Prometheus itself adds the instance and the job.
        assert (grouped | matched) - {"instance", "job"} <= labels_of(text), expression


def test_every_metric_is_on_the_dashboard(busy):
    shown = {name.removesuffix("_bucket") for expression in dashboard_expressions()
             for name in NAME.findall(expression)}
    of_ours = {kind[1] for kind in re.finditer(r"^# TYPE (\S+)", busy.metrics(), re.M)}
    assert of_ours == shown


def test_the_dashboards_expressions_can_be_read(tmp_path):
    rules = [{"record": f"panel:{number}", "expr": re.sub(
        r"\$__rate_interval", "5m", re.sub(r"\$instance", ".*", expression))}
        for number, expression in enumerate(dashboard_expressions())]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    checked = promtool("check", "rules", file)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_alerts_fire_when_they_should():
    """Prometheus's own test of rules: series over time, and the alerts that they raise."""
    assert promtool("check", "rules", RULES).returncode == 0
    tested = promtool("test", "rules", ROOT / "Tests/EndToEnd/alerts_test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    written = yaml.safe_load((ROOT / "Tests/EndToEnd/alerts_test.yml").read_text())
    fired = {alert["alertname"] for test in written["tests"] for alert in test["alert_rule_test"]}
    alerts = {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"]
              for rule in group["rules"]}
    assert fired == alerts
