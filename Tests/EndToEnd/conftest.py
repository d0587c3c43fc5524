import os
import pathlib
import random
import subprocess
import sys

import boto3
import botocore.config
import pytest

from frontend import Program, sign_in


@pytest.fixture(scope="session")
def local(tmp_path_factory):
    """`local` on a folder of samples: base_url, collection, audit_db, … and `folder`."""
    folder = tmp_path_factory.mktemp("samples")
    (folder / "example.txt").write_text("An object in a Globus collection.\n")
    (folder / "thousand.bin").write_bytes(bytes(n % 251 for n in range(1000)))
    (folder / "large.bin").write_bytes(random.Random(1).randbytes(20 * 1024 * 1024 + 7))
    (folder / "empty").touch()
    (folder / "folder").mkdir()
    state = tmp_path_factory.mktemp("state")
    program = Program("local", "--directory", folder, "--listen", "127.0.0.1:0",
                      "--audit-db", state / "audit.db", log=state / "log")
    program.folder = folder
    yield program.wait_ready()
    assert program.stop() == 0


@pytest.fixture(scope="session")
def credential(local):
    answer = sign_in(local.base_url, local.collection)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="session")
def aws(local, credential):
    """The real aws command, signed in with any secret."""
    def command(*arguments, environment=None):
        return subprocess.run(
            [pathlib.Path(sys.executable).parent / "aws", *map(str, arguments)],
            check=True, capture_output=True, text=True, timeout=120,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent",
                 "AWS_ENDPOINT_URL": local.base_url, "AWS_DEFAULT_REGION": "globus",
                 "AWS_ACCESS_KEY_ID": credential["access_key_id"],
                 "AWS_SECRET_ACCESS_KEY": "any", **(environment or {})})
    return command


@pytest.fixture(scope="session")
def s3(local, credential):
    """boto3, signed in with any secret."""
    return boto3.client(
        "s3", endpoint_url=local.base_url, region_name="globus",
        aws_access_key_id=credential["access_key_id"], aws_secret_access_key="any",
        config=botocore.config.Config(retries={"max_attempts": 1}))
