"""A certificate authority of one's own, by the openssl command: right and wrong certificates.

Certificates are made once per kind; a context is what a TLS server is given to speak by.
"""

import ssl
import subprocess

CONFIGURATION = """
[ca]
default_ca = own
[own]
dir = {folder}
database = $dir/index
serial = $dir/serial
new_certs_dir = $dir
unique_subject = no
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""


class Authority:
    """An authority whose certificate is in `certificate`, a PEM file."""

    def __init__(self, folder, name="liar's authority"):
        folder.mkdir()
        self.folder = folder
        self.certificate = folder / "ca.pem"
        (folder / "index").touch()
        (folder / "serial").write_text("01\n")
        (folder / "ca.conf").write_text(CONFIGURATION.format(folder=folder))
        openssl("req", "-x509", *new_key(folder / "ca.key"), "-out", self.certificate,
                "-subj", f"/CN={name}", "-days", "30",
                "-addext", "basicConstraints=critical,CA:TRUE")

    def files(self, name="localhost", address="127.0.0.1", start="20200101000000Z",
              end="20991231235959Z"):
        """A certificate for `name` that is valid from start to end, and its key."""
        stem = self.folder / f"{name}-{end}"
        certificate, key, request = (stem.with_suffix(f".{part}") for part in ("pem", "key", "csr"))
        if not certificate.exists():
            openssl("req", *new_key(key), "-out", request, "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{name}" + (f",IP:{address}" if address else ""))
            openssl("ca", "-batch", "-notext", "-config", self.folder / "ca.conf",
                    "-cert", self.certificate, "-keyfile", self.folder / "ca.key",
                    "-in", request, "-out", certificate, "-startdate", start, "-enddate", end)
        return certificate, key

    def context(self, name="localhost", address="127.0.0.1", start="20200101000000Z",
                end="20991231235959Z", versions=None):
        """A TLS server's context with such a certificate."""
        certificate, key = self.files(name, address, start, end)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if versions:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = versions
        context.load_cert_chain(certificate, key)
        return context


def new_key(path):
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path]


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
