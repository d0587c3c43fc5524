"""The command: help, exit codes, configuration, and what a running server shows of itself."""

import json
import os
import pathlib
import re

import pytest
import requests

from frontend import Program, free_ports, run

APP = {"GLOBUS_CLIENT_ID": "5b2f9a1e-0000-4000-8000-000000000001",
       "GLOBUS_CLIENT_SECRET": "marker-of-a-client-secret"}


def environment(**more):
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, **more}


@pytest.mark.parametrize("arguments", [[], ["serve"], ["local"], ["audit"], ["audit", "query"],
                                       ["key"]])
def test_help(arguments):
    answer = run(*arguments, "--help")
    assert answer.returncode == 0 and "USAGE" in answer.stdout


def test_version():
    answer = run("--version")
    assert answer.returncode == 0 and re.search(r"\d+\.\d+\.\d+", answer.stdout)


@pytest.mark.parametrize(
    "arguments, code, says",
    [(["serve", "--no-such-flag"], 64, "--no-such-flag"),
     (["serve", "--signatures", "sometimes"], 64, "'any' or 'verify'"),
     (["serve", "--listen", "nonsense"], 64, "HOST:PORT"),
     (["serve", "--base-url", "ftp://x"], 64, "http"),
     (["serve", "--tls-cert", "x"], 78, "--tls-key"),
     (["serve", "--key-file", "/nonexistent"], 78, "key generate"),
     (["serve", "--config", "/nonexistent"], 78, "--config"),
     (["serve", "--audit-db", "/proc/none/audit.db"], 78, "--audit-db"),
     (["serve", "--listen", "192.0.2.1:8000"], 78, "192.0.2.1"),
     (["serve", "--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"], 78, "/nonexistent"),
     (["serve", "--upstream-ca", "/nonexistent"], 78, "--upstream-ca"),
     (["serve", "--trusted-proxy", "10.0.0.0/99"], 64, "10.0.0.0/8"),
     (["serve", "--proxy-protocol", "trusted"], 64, "needs a --trusted-proxy"),
     (["serve", "--proxy-protocol", "on"], 64, "'off' or 'trusted'"),
     (["serve", "--client-secret-file", "/nonexistent"], 78, "--client-secret-file"),
     (["serve", "--head-timeout", "0"], 64, "--head-timeout must be a number of seconds"),
     (["serve", "--max-connections", "-1"], 64, "--max-connections"),
     (["local", "--idle-timeout", "nan"], 64, "--idle-timeout must be a number of seconds"),
     (["frobnicate"], 64, "frobnicate")],
)
def test_one_line_says_what_to_change(tmp_path, arguments, code, says):
    answer = run(*arguments, env=environment(STATE_DIRECTORY=str(tmp_path), **APP))
    assert answer.returncode == code, answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1 and says in answer.stderr


def test_without_an_app_it_says_so(tmp_path):
    answer = run("serve", env=environment(STATE_DIRECTORY=str(tmp_path)))
    assert answer.returncode == 78
    assert "GLOBUS_CLIENT_ID" in answer.stderr and len(answer.stderr.strip().splitlines()) == 1


def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    keys = tmp_path / "keys"
    assert run("key", "generate", keys).returncode == 0
    assert keys.stat().st_mode & 0o077 == 0
    keys.chmod(0o644)
    answer = run("serve", "--key-file", keys, env=environment(STATE_DIRECTORY=str(tmp_path), **APP))
    assert answer.returncode == 78 and "chmod 600" in answer.stderr


@pytest.fixture
def serving(tmp_path):
    config = tmp_path / "frontend.conf"
    [port] = free_ports(1)
    config.write_text(f"# a comment\nlisten = 127.0.0.1:{port}\nlog-format = text\n")
    program = Program(
        "serve", "--config", config, "--log-format", "json", log=tmp_path / "log",
        environment=environment(
            STATE_DIRECTORY=str(tmp_path), GLOBUS_S3_BASE_URL=f"http://localhost:{port}",
            GLOBUS_SDK_SERVICE_URL_AUTH="http://127.0.0.1:9",
            GLOBUS_SDK_SERVICE_URL_TRANSFER="http://127.0.0.1:9", **APP))
    program.base_url = f"http://localhost:{port}"
    yield program.wait_listening(f"http://127.0.0.1:{port}")
    assert program.stop() == 0


def test_flags_go_before_the_environment_before_the_file(serving, tmp_path):
    assert requests.get(f"{serving.base_url}/").status_code in (403, 501)
    assert (tmp_path / "globus-s3-frontend/audit.db").exists()
    assert (tmp_path / "log").read_text().splitlines()[0].startswith("{")


def test_the_client_secret_is_gone_from_the_environment_block(serving):
    block = pathlib.Path(f"/proc/{serving.process.pid}/environ").read_bytes()
    assert APP["GLOBUS_CLIENT_ID"].encode() in block
    assert APP["GLOBUS_CLIENT_SECRET"].encode() not in block


def test_a_second_server_on_the_same_audit_is_refused(serving, tmp_path):
    answer = run("serve", "--listen", "127.0.0.1:0",
                 env=environment(STATE_DIRECTORY=str(tmp_path), **APP))
    assert answer.returncode == 78 and "audit" in answer.stderr


def test_globus_out_of_reach_is_503_with_the_reason_for_people(serving, tmp_path):
    answer = requests.get(
        f"{serving.base_url}/11111111-2222-4333-8444-555555555555/?auth",
        headers={"Accept": "application/json"}, allow_redirects=False)
    assert answer.status_code == 503 and set(answer.json()) >= {"error", "message"}
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert any("failed" in line["message"] and "error" in line for line in lines), lines


def test_only_the_loop_and_the_audit_writer_are_busy(local, s3):
    """One thread serves; beside it only the audit's writer and name resolution may work."""
    def cpu_by_thread():
        times = {}
        for task in pathlib.Path(f"/proc/{local.process.pid}/task").iterdir():
            name, _, rest = task.joinpath("stat").read_text().rpartition(")")
            fields = rest.split()
            times[task.name] = (name.split("(", 1)[1], int(fields[11]) + int(fields[12]))
        return times

    before = cpu_by_thread()
    for _ in range(300):
        s3.get_object(Bucket=local.collection, Key="thousand.bin")["Body"].read()
    busy = [name for task, (name, ticks) in cpu_by_thread().items()
            if ticks - before.get(task, (name, 0))[1] > 2]
    assert len(busy) <= 2, busy
