"""The listener of --operations-listen: health, readiness, metrics; without rows in the audit."""

import os

import pytest
import requests

from frontend import Program, audit, free_ports


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    state = tmp_path_factory.mktemp("operations")
    s3, operations = (f"127.0.0.1:{port}" for port in free_ports(2))
    program = Program(
        "serve", "--listen", s3, "--operations-listen", operations,
        "--audit-db", state / "audit.db", log=state / "log",
        environment={"PATH": os.environ["PATH"], "GLOBUS_CLIENT_ID": "id",
                     "GLOBUS_CLIENT_SECRET": "secret",
                     "GLOBUS_SDK_SERVICE_URL_AUTH": "http://127.0.0.1:9"})
    program.database = state / "audit.db"
    program.s3, program.operations = f"http://{s3}", f"http://{operations}"
    try:
        yield program.wait_listening(program.s3).wait_listening(program.operations)
    finally:
        assert program.stop() == 0


def test_health_and_readiness(serving):
    assert requests.get(f"{serving.operations}/healthz").text == "ok\n"
    ready = requests.get(f"{serving.operations}/readyz")
    assert (ready.status_code, ready.text) == (200, "ready\n")
    head = requests.head(f"{serving.operations}/readyz")
    assert (head.status_code, head.headers["Content-Length"]) == (200, "6")
    assert requests.get(f"{serving.operations}/other").status_code == 404
    assert requests.post(f"{serving.operations}/healthz").status_code == 405


def test_metrics_count_requests_and_name_nobody(serving):
    collection = "11111111-2222-4333-8444-555555555555"
    for _ in range(3):
        assert requests.get(f"{serving.s3}/{collection}/key").status_code == 403
    text = requests.get(f"{serving.operations}/metrics").text
    assert 'globus_s3_frontend_requests_total{operation="GetObject",status="403"} 3' in text
    assert "globus_s3_frontend_audit_healthy 1" in text
    assert "globus_s3_frontend_requests_in_flight 0" in text
    assert collection not in text
    for line in text.splitlines():
        assert line.startswith("#") or float(line.rpartition(" ")[2]) >= 0


def test_they_leave_no_rows(serving):
    requests.get(f"{serving.operations}/healthz")
    assert not [row for row in audit(serving.database) if "healthz" in str(row)]
