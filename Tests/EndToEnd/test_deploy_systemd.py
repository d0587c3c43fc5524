"""The systemd units of docs/systemd: what systemd's own tools say of them, and the program under the
environment and the confinement that they give it."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys

import pytest

import confined
import faults
from audit_bed import may_mount
from frontend import PROGRAM, ROOT, Program, audit_row, free_ports, run, sign_in
from raw import Connection

UNITS = ROOT / "docs/systemd"
SERVICE = UNITS / "globus-s3-frontend.service"
INSTALLED = "/usr/local/bin/globus-s3-frontend"


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path):
    program = tmp_path / "program"  # a path without spaces
    program.symlink_to(PROGRAM)
    for unit in UNITS.iterdir():
        text = unit.read_text().replace(INSTALLED, str(program))
        (tmp_path / unit.name).write_text(text)
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no",
         *(tmp_path / unit.name for unit in UNITS.iterdir())],
        capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0 and not checked.stderr, checked.stderr


def test_the_exposure_level_is_the_one_on_the_page():
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", SERVICE],
        capture_output=True, text=True, timeout=60, check=True).stdout
    level = re.search(r"Overall exposure level for \S+: ([\d.]+ \w+)", told)[1]
    assert f"`{level}`" in (ROOT / "docs/deploy.md").read_text(), level


def test_settings_of_the_unit_are_flags_and_files_of_the_page():
    unit = confined.Unit(SERVICE)
    page = (ROOT / "docs/deploy.md").read_text()
    help_text = run("serve", "--help").stdout
    for name in unit.environment("/var/lib", "/run/credentials/x"):
        if name.startswith("GLOBUS_S3_"):
            flag = "--" + name.removeprefix("GLOBUS_S3_").lower().replace("_", "-")
            assert flag in help_text
    for credential in unit.all("LoadCredential"):
        assert credential.partition(":")[2] in page
    assert "/etc/globus-s3-frontend/frontend.conf" in unit["ExecStart"]
    assert unit["ExecStart"].startswith(INSTALLED) and "-C /usr/local" in page


class Confined:
    """The program as the unit runs it, before a stand-in."""

    def __init__(self, folder):
        port, operations = free_ports(2)
        self.base_url = f"http://localhost:{port}"
        self.operations = f"http://127.0.0.1:{operations}"
        self.state, self.credentials = folder / "state", folder / "credentials"
        own = self.state / "globus-s3-frontend"
        own.mkdir(parents=True)
        self.credentials.mkdir()
        samples = folder / "samples"
        samples.mkdir()
        (samples / "example.txt").write_text("confined")
        self.stand_in = Program("local", "--stand-in-only", "--directory", samples,
                                "--base-url", self.base_url).wait_ready()
        assert run("key", "generate", self.credentials / "keyring").returncode == 0
        (self.credentials / "client-secret").write_text(self.stand_in.client_secret + "\n")
        trust = folder / "trust.pem"
        shutil.copy(self.stand_in.ca_file, trust)
        trust.chmod(0o644)
        config = folder / "frontend.conf"
        config.write_text(
            f"listen = 127.0.0.1:{port}\nbase-url = {self.base_url}\nsignatures = any\n"
            f"client-id = {self.stand_in.client_id}\nlog-format = json\n"
            f"operations-listen = 127.0.0.1:{operations}\nupstream-ca = {trust}\n"
            "allow-private-upstream = 127.0.0.0/8\n")
        for path in [own, self.credentials, *self.credentials.iterdir()]:
            os.chown(path, confined.NOBODY, confined.NOBODY)
        program = folder / "globus-s3-frontend"  # where a user without rights can reach it
        shutil.copy(PROGRAM, program)
        for parent in [folder, *folder.parents][:-1]:
            parent.chmod(parent.stat().st_mode | stat.S_IXGRP | stat.S_IXOTH)
        self.database = own / "audit.db"
        command = confined.Unit(SERVICE)["ExecStart"].split()[1:]
        command[command.index("/etc/globus-s3-frontend/frontend.conf")] = str(config)
        self.command = [str(program), *command]
        self.log = open(folder / "log", "ab")

    def run(self, *command):
        return [sys.executable, confined.__file__, SERVICE, self.state, self.credentials,
                *(command or self.command)]

    def start(self):
        path = str(self.state / "notify")
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(path)
        self.manager.settimeout(60)
        os.chmod(path, 0o777)
        self.process = subprocess.Popen(
            self.run(), stderr=self.log, stdin=subprocess.DEVNULL, env={
                **os.environ, "GLOBUS_SDK_SERVICE_URL_AUTH": self.stand_in.auth_url,
                "GLOBUS_SDK_SERVICE_URL_TRANSFER": self.stand_in.transfer_url,
                "NOTIFY_SOCKET": path})
        self.wait_for("READY=1")  # Type=notify
        return self

    def wait_for(self, state):
        """Waits until the service manager is told this."""
        while state not in self.manager.recv(4096).decode().splitlines():
            pass

    def log_text(self):
        return pathlib.Path(self.log.name).read_text()

    def stop(self):
        self.stand_in.stop()
        self.process.terminate()
        code = self.process.wait(timeout=60)
        self.wait_for("STOPPING=1")
        self.manager.close()
        self.log.close()
        assert code == 0


@pytest.fixture(scope="module")
def service(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("confined")
    if os.geteuid() != 0 or not may_mount(folder):
        pytest.skip("a unit's confinement can't be made here: run as root with CAP_SYS_ADMIN")
    service = Confined(folder)
    request.addfinalizer(service.stop)
    return service.start()


def test_it_serves_confined(service):
    status = pathlib.Path(f"/proc/{service.process.pid}/status").read_text()
    assert re.search(r"^Seccomp:\s+2$", status, re.M) and re.search(
        r"^NoNewPrivs:\s+1$", status, re.M)
    assert re.search(rf"^Uid:\s+{confined.NOBODY}\s", status, re.M)
    credential = sign_in(service.base_url, service.stand_in.collection).json()
    client = Connection(service.base_url, credential)
    answer = client.ask("GET", f"/{service.stand_in.collection}/example.txt")
    assert (answer.status, answer.body) == (200, b"confined")
    listed = client.ask("GET", f"/{service.stand_in.collection}?delimiter=/&list-type=2")
    assert listed.status == 200
    client.close()
    row = audit_row(service.database, answer.request_id)
    assert (row["outcome"], row["username"]) == ("ok", "researcher@example.org")
    assert stat.S_IMODE(service.database.stat().st_mode) == 0o600
    assert service.database.stat().st_uid == confined.NOBODY


def test_log_lines_are_json_and_name_their_request(service):
    collection = service.stand_in.collection
    credential = sign_in(service.base_url, collection).json()
    client = Connection(service.base_url, credential)
    faults.set_faults(
        service.stand_in, data=[{"nodes": ["error"]}],
        transfer=[{"operation": "endpoint", "answer": "raw", "status": 200, "body": "nonsense"}])
    try:
        answers = [client.ask("GET", target) for target in (
            f"/{collection}/example.txt", "/99999999-0000-4000-8000-000000000000/?auth")]
    finally:
        faults.set_faults(service.stand_in)
    client.close()
    for answer in answers:
        assert answer.status == 503
        [line] = [line for line in map(json.loads, service.log_text().splitlines())
                  if line.get("request_id") == answer.request_id]
        assert "failed" in line["message"] and line["level"] == "warning"


def test_a_reload_is_checked_then_done(service):
    """ExecReload's two commands, under the same confinement."""
    check, hangup = confined.Unit(SERVICE).all("ExecReload")
    config = service.command[-1]
    command = check.replace(INSTALLED, service.command[0]).replace(
        "/etc/globus-s3-frontend/frontend.conf", config).split()
    good = pathlib.Path(config).read_text()
    environment = {**os.environ, "GLOBUS_SDK_SERVICE_URL_AUTH": service.stand_in.auth_url}
    for text, code in ((good, 0), (good + "signatures = sometimes\n", 78)):
        pathlib.Path(config).write_text(text)
        done = subprocess.run(service.run(*command), capture_output=True, text=True, timeout=60,
                              env=environment)
        assert done.returncode == code, done.stdout + done.stderr
    pathlib.Path(config).write_text(good)
    assert hangup == "/bin/kill -HUP $MAINPID"
    service.process.send_signal(signal.SIGHUP)
    service.wait_for("RELOADING=1")
    service.wait_for("READY=1")
    assert '"reloaded"' in service.log_text()


def test_the_confinement_holds(service):
    """The same launcher with another command: what the unit denies is denied here."""
    refused = [
        "import os; os.open('/etc/new', os.O_CREAT | os.O_WRONLY)",
        "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)",
        "import os; os.chroot('/')",
        "import os; os.nice(-1)",
    ]
    for code in refused:
        done = subprocess.run(service.run("/usr/bin/python3", "-c", code), capture_output=True,
                              text=True, timeout=60)
        assert done.returncode != 0 and re.search("Error", done.stderr), (code, done.stderr)
    allowed = f"open('{service.state}/globus-s3-frontend/x', 'w').close()"
    done = subprocess.run(service.run("/usr/bin/python3", "-c", allowed), capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("mode, code", [(0o400, 0), (0o440, 0), (0o444, 78)])
def test_a_keyring_that_systemd_hands_over_may_show_its_acl(tmp_path, mode, code):
    """With an access control list the group's bits are its mask: systemd 254 and later."""
    keys, secret = tmp_path / "keyring", tmp_path / "client-secret"
    assert run("key", "generate", keys).returncode == 0
    secret.write_text("secret")
    keys.chmod(mode)
    environment = confined.Unit(SERVICE).environment(tmp_path / "state", tmp_path)
    checked = run("serve", "--check-config", "--client-id", "id", env=environment)
    assert checked.returncode == code, checked.stdout
    assert (code == 0) == checked.stdout.endswith("ok\n")
