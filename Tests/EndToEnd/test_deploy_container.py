"""The Containerfile, which can't be built without a registry: its paths, packages and flags are those
that are built and tested here. And what else docs/deploy.md says of the same things."""

import json
import re
import shlex
import subprocess

import yaml

from frontend import ROOT, run
from proxies import PAGE, block

FILE = ROOT / "Containerfile"


def instructions():
    """Pairs of instruction and arguments, of the stages one after the other."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.M).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def packages(text):
    """What a text's apt-get install commands name."""
    found = set()
    for command in re.findall(r"apt-get install ([^&\n]*)", text.replace("\\\n", " ")):
        found |= {word for word in command.split() if not word.startswith("-")}
    return found


def stages():
    """The text of the stage that builds, and of the one that is left."""
    _, build, final = re.split(r"^FROM ", FILE.read_text(), flags=re.M)
    return build, final


def test_what_is_copied_is_there():
    # What the Containerfile does not copy, the build does not need.
    allowed = {line.removeprefix("!") for line in (ROOT / ".containerignore").read_text().split()
               if line.startswith("!")}
    for name, arguments in instructions():
        if name == "COPY" and "--from" not in arguments:
            *sources, _ = shlex.split(arguments)
            for source in sources:
                assert (ROOT / source).exists() and source in allowed, source
    manifest = (ROOT / "Package.swift").read_text()
    for folder in re.findall(r'path: "([^"/]+)', manifest):
        assert folder in allowed


def test_it_is_built_as_the_release_is():
    build, final = stages()
    known = (ROOT / "scripts/lib.sh").read_text()
    libraries = re.search(r"BUILD_PACKAGES=\((.*?)\)", known, re.S)[1].split()
    assert {name for name in libraries if name.endswith("-dev") or name == "pkg-config"} <= packages(
        build)
    release = (ROOT / "scripts/release").read_text()
    for flag in ("-c release", "--static-swift-stdlib", "--product globus-s3-frontend",
                 "CR_BUILD_COMMIT"):
        assert flag in build and flag in release
    assert packages(final) == packages(PAGE.read_text()) - {"ssl-cert"}


def test_its_packages_exist_in_debian():
    names = packages(FILE.read_text())
    shown = subprocess.run(["apt-cache", "policy", *names], capture_output=True, text=True,
                           check=True).stdout
    candidates = dict(re.findall(r"^(\S+):\n.*\n  Candidate: (\S+)", shown, re.M))
    assert names == {name for name, version in candidates.items() if version != "(none)"}


def test_its_environment_and_health_check_are_the_commands():
    settings = dict(instructions())
    environment = dict(pair.split("=", 1) for pair in shlex.split(settings["ENV"]))
    help_text = run("serve", "--help").stdout
    for name in environment:
        assert "--" + name.removeprefix("GLOBUS_S3_").lower().replace("_", "-") in help_text
    assert settings["STOPSIGNAL"] == "SIGTERM"
    assert settings["USER"] == "65532:65532"
    program, *arguments = json.loads(settings["HEALTHCHECK"].partition("CMD ")[2])
    asked = run(*arguments, env=environment)
    assert [program] == json.loads(settings["ENTRYPOINT"])
    assert asked.returncode == 1 and "0.0.0.0:8001/readyz" in asked.stderr
    assert json.loads(settings["CMD"]) == ["serve"]


def test_prometheus_asks_where_the_frontend_answers():
    job, = yaml.safe_load(block("prometheus.yml"))["scrape_configs"]
    alerts = (ROOT / "docs/prometheus/alerts.yml").read_text()
    assert f'up{{job="{job["job_name"]}"}}' in alerts
    listens = re.search(r"^operations-listen = (\S+)$",
                        block("/etc/globus-s3-frontend/frontend.conf"), re.M)[1]
    assert job["static_configs"] == [{"targets": [listens]}]


def test_links_of_the_page_lead_somewhere():
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", PAGE.read_text()):
        assert (PAGE.parent / link).exists(), link
