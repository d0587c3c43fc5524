"""Every block that the page offers to copy is read from the page in Chromium and run as it is."""

import os
import pathlib
import stat
import subprocess
import sys

import boto3
import pytest

from clients_settings import PYTHON
from frontend import Program
from pages import browser, sign_in_here, snippets  # noqa: F401  (a fixture)
from terminal import PROMPT, Terminal

ONE = "1b6d2c9e-0000-4000-8000-00000000aaaa"
OTHER = "1b6d2c9e-0000-4000-8000-00000000bbbb"
TABLE = """
import sys, pyarrow, pyarrow.parquet
table = pyarrow.table({"station": ["Davos", "Zermatt"], "celsius": [-3.5, 1.25]})
pyarrow.parquet.write_table(table, sys.argv[1])
"""
# DuckDB installs what it lacks from the network; here that comes from Python packages first.
DUCKDB = """
import duckdb, pathlib, sys
for name in ("httpfs", "aws"):
    package = __import__(f"duckdb_extension_{name}")
    file, = pathlib.Path(package.__path__[0]).rglob(f"{name}.duckdb_extension")
    duckdb.execute(f"INSTALL '{file}'")
print(duckdb.execute(sys.argv[1]).fetchall())
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A server over a folder in which the example paths of the page exist."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "path/to").mkdir(parents=True)
    (folder / "readme.txt").write_text("Snow depths.\n")
    (folder / "path/to/file").write_text("What the file holds.\n")
    subprocess.run([PYTHON["clients"], "-c", TABLE, folder / "path/to/table.parquet"], check=True)
    other = tmp_path_factory.mktemp("other")
    program = Program("local", "--collection", f"{ONE}={folder}", "--collection",
                      f"{OTHER}={other}", "--guest", OTHER, "--listen", "127.0.0.1:0")
    yield program.wait_ready()
    assert program.stop() == 0


@pytest.fixture(scope="module", params=["one collection", "two, strict"])
def page(request, lab, browser):  # noqa: F811
    """The blocks of a page."""
    query = (f"{ONE}/?auth" if request.param == "one collection"
             else f"?auth&strict&collection={ONE}&collection={OTHER}")
    sign_in_here(browser, f"{lab.base_url}/{query}")
    return snippets(browser)


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    """A folder for PATH in which `aws` is the one of the tests."""
    folder = tmp_path_factory.mktemp("tools")
    (folder / "aws").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m awscli "$@"\n')
    (folder / "aws").chmod(0o755)
    return folder


@pytest.fixture
def person(tmp_path, tools):
    """The environment of somebody with an empty home folder, who is in it."""
    return {"HOME": str(tmp_path), "PATH": f"{tools}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}


@pytest.fixture
def settled(person, page):
    """The same, with the profile of the page written by hand."""
    folder = pathlib.Path(person["HOME"], ".aws")
    folder.mkdir()
    (folder / "config").write_text(page["settings"] + "\n")
    (folder / "credentials").write_text(page["keys"] + "\n")
    return person


def run(environment, *command):
    answer = subprocess.run([*map(str, command)], env=environment, cwd=environment["HOME"],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def test_the_page_has_the_blocks(page):
    assert list(page) == [
        "terminal", "answers", "settings", "keys", "environment", "commands", "boto3", "s3fs",
        "pyarrow", "duckdb", "endpoint", "region", "key-id", "secret", "buckets"]
    secrets = [page["key-id"], page["secret"]]
    holders = {name for name, text in page.items() if any(secret in text for secret in secrets)}
    assert holders == {"answers", "keys", "environment", "key-id", "secret"}


@pytest.mark.parametrize("bracketed", [True, False], ids=["bracketed paste", "plain paste"])
def test_the_terminal_blocks_save_a_profile_and_leave_no_secret_in_the_history(
        page, person, bracketed):
    home = pathlib.Path(person["HOME"])
    config, credentials = home / ".aws/config", home / ".aws/credentials"
    config.parent.mkdir()
    config.write_text("[profile mine]\nregion = eu-central-1\n\n"
                      "[profile globus]\nregion = old\nendpoint_url = http://localhost:1\n")
    credentials.write_text("[globus]\naws_access_key_id = OLD\naws_secret_access_key = old\n")
    for file in (config, credentials):
        file.chmod(0o644)
    terminal = Terminal({**person, "HISTFILE": str(home / "history")})
    terminal.paste(page["terminal"], bracketed)
    terminal.type("\n")
    terminal.wait("Access Key ID [")
    terminal.type(page["answers"])
    terminal.wait("output format [")
    terminal.wait(PROMPT)
    terminal.exit()

    history = (home / "history").read_text()
    assert "aws configure --profile globus" in history
    assert page["key-id"] not in history and page["secret"] not in history
    for file in (config, credentials):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert config.read_text().count("[profile globus]") == 1
    assert "[profile mine]\nregion = eu-central-1\n" in config.read_text()
    assert "readme.txt" in run(person, "aws", "--profile", "globus", "s3", "ls", f"s3://{ONE}/")


def test_a_new_profile_is_for_its_owner_alone(page, person):
    terminal = Terminal(person)
    terminal.paste(page["terminal"], True)
    terminal.type("\n")
    terminal.wait("Access Key ID [None]")
    terminal.type(page["answers"])
    terminal.wait("output format [")
    terminal.wait(PROMPT)
    terminal.exit()
    for name in ("config", "credentials"):
        file = pathlib.Path(person["HOME"], ".aws", name)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "readme.txt" in run(person, "aws", "--profile", "globus", "s3", "ls", f"s3://{ONE}/")


def test_the_environment(page, person):
    output = run(person, "bash", "-ec", f"{page['environment']}\naws s3 ls s3://{ONE}/path/to/")
    assert "table.parquet" in output


def test_the_aws_commands(page, settled):
    output = run(settled, "bash", "-ec", page["commands"])
    assert "readme.txt" in output and "PRE path/" in output
    assert pathlib.Path(settled["HOME"], "file").read_text() == "What the file holds.\n"


def test_boto3(page, settled):
    assert run(settled, sys.executable, "-c", page["boto3"]) == "readme.txt 13\n"
    assert pathlib.Path(settled["HOME"], "file").read_text() == "What the file holds.\n"


def test_s3fs(page, settled):
    output = run(settled, PYTHON["clients"], "-c", page["s3fs"])
    assert f"{ONE}/readme.txt" in output and "b'What the file holds.\\n'" in output


def test_pyarrow(page, settled):
    output = run(settled, PYTHON["clients"], "-c", page["pyarrow"])
    assert "Davos" in output and "1.25" in output


def test_duckdb(page, settled):
    output = run(settled, PYTHON["clients"], "-c", DUCKDB, page["duckdb"])
    assert output == "[('Davos', -3.5), ('Zermatt', 1.25)]\n"


def test_the_single_values(page):
    assert page["buckets"].splitlines() in ([ONE], [ONE, OTHER])
    s3 = boto3.client("s3", endpoint_url=page["endpoint"], region_name=page["region"],
                      aws_access_key_id=page["key-id"], aws_secret_access_key=page["secret"])
    listing = s3.list_objects_v2(Bucket=page["buckets"].split()[0], Delimiter="/")
    assert [entry["Key"] for entry in listing["Contents"]] == ["readme.txt"]
