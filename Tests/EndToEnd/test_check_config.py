"""`serve --check-config` and `health`: what an operator asks before and beside a running server."""

import contextlib

import pytest

from authority import Authority
from frontend import Program, free_ports, run
from stand_in import unreachable
from test_command import APP, environment


@pytest.fixture
def certificates(tmp_path):
    """Certificate and key by their end."""
    authority = Authority(tmp_path / "certificates")

    def pair(end="20991231235959Z", name="localhost"):
        authority.context(name=name, end=end)
        stem = authority.folder / f"{name}-{end}"
        return stem.with_suffix(".pem"), stem.with_suffix(".key")
    return pair


def check(tmp_path, *flags, **more):
    answer = run("serve", "--check-config", *flags,
                 env=environment(STATE_DIRECTORY=str(tmp_path / "state"), **{**APP, **more}))
    assert not answer.stderr, answer.stderr
    return answer.returncode, answer.stdout.splitlines()


def test_what_is_well_is_ok_and_leaves_nothing(tmp_path, certificates):
    keys = tmp_path / "keys"
    assert run("key", "generate", keys).returncode == 0
    certificate, key = certificates()
    assert check(tmp_path, "--key-file", keys, "--signatures", "verify", "--tls-cert", certificate,
                 "--tls-key", key, "--listen", "0.0.0.0:0") == (0, ["ok"])
    assert not (tmp_path / "state").exists()


def test_the_first_setting_that_is_wrong_is_told_with_its_code(tmp_path):
    code, lines = check(tmp_path, "--trusted-proxy", "10.0.0.0/99")
    assert code == 64 and len(lines) == 1 and "10.0.0.0/8" in lines[0]
    code, lines = check(tmp_path, GLOBUS_S3_TRUSTED_PROXY="nonsense")
    assert code == 78 and len(lines) == 1 and lines[0].startswith("error: ")


def test_every_file_that_is_wrong_has_its_line(tmp_path, certificates):
    readable = tmp_path / "keys"
    assert run("key", "generate", readable).returncode == 0
    readable.chmod(0o644)
    certificate, _ = certificates()
    _, key_of_another = certificates(name="other")
    trust = tmp_path / "trust"
    trust.write_text("no certificate")
    database = tmp_path / "audit.db"
    database.write_text("no database, but many a byte")
    code, lines = check(
        tmp_path, "--key-file", readable, "--tls-cert", certificate, "--tls-key", key_of_another,
        "--upstream-ca", trust, "--audit-db", database, "--listen", "192.0.2.1:8000",
        "--operations-listen", "no-such-host.invalid:1")
    assert code == 78 and "ok" not in lines
    errors = [line for line in lines if line.startswith("error: ")]
    for expected in ("chmod 600", str(key_of_another), "--upstream-ca", "not a database",
                     "192.0.2.1:8000", "no-such-host.invalid"):
        assert sum(expected in line for line in errors) == 1, (expected, lines)
    assert len(errors) == 6


def test_a_certificate_that_has_ended_is_an_error(tmp_path, certificates):
    certificate, key = certificates(end="20210101000000Z")
    code, lines = check(tmp_path, "--tls-cert", certificate, "--tls-key", key)
    assert code == 78 and f"error: the certificate {certificate} has ended; renew it" in lines


def test_where_the_audit_can_not_be(tmp_path):
    code, lines = check(tmp_path, "--audit-db", "/proc/none/audit.db")
    assert code == 78 and "--audit-db" in lines[0]


def test_what_an_operator_should_know_is_a_warning(tmp_path):
    code, lines = check(tmp_path, "--listen", "0.0.0.0:0", "--base-url", "https://s3.example.org")
    assert code == 0 and lines[-1] == "ok"
    for expected in ("--key-file", "--signatures any", "plain HTTP", "--trusted-proxy"):
        assert any(line.startswith("warning: ") and expected in line for line in lines), lines


@contextlib.contextmanager
def serving(tmp_path):
    port, operations = free_ports(2)
    flags = ("--listen", f"127.0.0.1:{port}", "--operations-listen", f"127.0.0.1:{operations}")
    with unreachable() as auth:
        program = Program("serve", *flags, log=tmp_path / "log", environment=environment(
            STATE_DIRECTORY=str(tmp_path / "state"), GLOBUS_SDK_SERVICE_URL_AUTH=auth, **APP))
        try:
            yield program.wait_listening(f"http://127.0.0.1:{operations}"), flags, operations
        finally:
            assert program.stop() == 0


def test_beside_a_running_server_nothing_is_taken_from_it(tmp_path):
    with serving(tmp_path) as (program, flags, operations):
        code, lines = check(tmp_path, *flags)
        assert code == 0 and lines[-1] == "ok", lines
        assert program.process.poll() is None
        answer = run("health", f"http://127.0.0.1:{operations}/readyz")
        assert (answer.returncode, answer.stdout) == (0, "ready\n")


def test_health_tells_ready_from_not(tmp_path):
    with serving(tmp_path) as (_, _, operations):
        address = f"127.0.0.1:{operations}"
        by_environment = run("health", env=environment(GLOBUS_S3_OPERATIONS_LISTEN=address))
        assert (by_environment.returncode, by_environment.stdout) == (0, "ready\n")
        missing = run("health", f"http://{address}/no-such-page")
        assert missing.returncode == 1 and "/healthz" in missing.stdout
    gone = run("health", f"http://{address}/readyz")
    assert gone.returncode == 1 and "connect" in gone.stderr.lower()
    assert run("health", env=environment()).returncode == 64
