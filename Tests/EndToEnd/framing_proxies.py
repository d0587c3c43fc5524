"""nginx and HAProxy before a server, on a free port and with a folder of their own, and what they say
that they have forwarded."""

import contextlib
import dataclasses
import pathlib
import shutil
import socket
import subprocess

from audit_bed import eventually
from frontend import free_ports

NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/errors;
events {{ worker_connections 256; }}
http {{
  {paths}
  log_format forwarded '$connection.$connection_requests $upstream_bytes_sent $status -- $request_method $request_uri';
  access_log {folder}/log forwarded;
  upstream s3 {{ server 127.0.0.1:{server}; keepalive 8; }}
  lingering_close off;
  server {{
    listen 127.0.0.1:{port};
    client_header_timeout 2s;
    client_body_timeout 2s;
    {settings}
    location / {{
      proxy_pass http://s3;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_next_upstream off;
      proxy_ignore_client_abort on;
      {location}
    }}
  }}
}}
"""
HAPROXY = """
global
  log stdout format raw local0
defaults
  mode http
  log global
  log-format "0.%rt %s %ST %ts %HM %HU"
  timeout connect 5s
  timeout client 2s
  timeout server 30s
  retries 0
  {defaults}
frontend s3
  bind 127.0.0.1:{port}
  {frontend}
  default_backend servers
backend servers
  http-reuse always
  server one 127.0.0.1:{server}
"""
LAX_NGINX = {"settings": "ignore_invalid_headers off; underscores_in_headers on; merge_slashes off;",
             "location": "proxy_request_buffering off;"}
KINDS = {
    "nginx": ("nginx", {}),
    # All that nginx can be told to let pass, and bodies passed on as they come.
    "nginx-lax": ("nginx", LAX_NGINX),
    "haproxy": ("haproxy", {}),
    "haproxy-lax": ("haproxy", {"frontend": "option accept-invalid-http-request"}),
}


@dataclasses.dataclass
class Proxy:
    port: int
    log: pathlib.Path
    is_nginx: bool

    def forwarded(self):
        """Method and target of every request that it sent on, in order, and whether that is certain.
        It is not when nobody answered: a request that goes out on a kept connection just when the
        server closes that is lost, and HAProxy may break one off before a byte of it went out."""
        requests = []
        for line in self.log.read_bytes().splitlines():
            if line.startswith(b"["):
                continue  # a notice of HAProxy
            number, to, status, state, request = line.split(b" ", 4)
            if to.isdigit() and int(to) > 0 if self.is_nginx else to == b"one":
                order = [int(part) for part in number.split(b".")]  # lines come as requests end
                requests.append((order, request, status != b"502" and state == b"--"))
        return [(request, is_certain) for _, request, is_certain in sorted(requests)]


def _is_listening(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


@contextlib.contextmanager
def run_proxy(kind, server, folder):
    """`kind`: one of KINDS. `server`: the port of the server behind."""
    name, settings = KINDS[kind]
    port, = free_ports(1)
    configuration, log = folder / "configuration", folder / "log"
    is_nginx = name == "nginx"
    parts = {"settings": "", "location": "", "defaults": "", "frontend": "", **settings}
    paths = " ".join(f"{part}_temp_path {folder}/{part};"
                     for part in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    configuration.write_text((NGINX if is_nginx else HAPROXY).format(
        folder=folder, port=port, server=server, paths=paths, **parts))
    command = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    assert command, f"{name} is not installed"
    arguments = (["-e", folder / "errors", "-c", configuration] if is_nginx
                 else ["-db", "-f", configuration])
    with open(folder / "errors" if is_nginx else log, "ab") as output:
        process = subprocess.Popen([command, *arguments], stdout=output, stderr=output)
    try:
        eventually(lambda: _is_listening(port) or process.poll() is not None, f"{name} listens")
        assert process.poll() is None, (folder / ("errors" if is_nginx else "log")).read_text()
        yield Proxy(port, log, is_nginx)
    finally:
        process.terminate()
        process.wait(timeout=30)
