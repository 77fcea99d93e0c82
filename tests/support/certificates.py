# SPDX-License-Identifier: Apache-2.0
"""Certificates as an operator makes them (controlplane/README.md), by the command openssl."""

import subprocess
from pathlib import Path

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]


def openssl(*words):
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, timeout=20,
                          check=False)
    assert done.returncode == 0, done.stderr


class Certificate:
    """Two files: `path`, `key`."""

    def __init__(self, folder, name):
        self.path, self.key = Path(folder) / f"{name}.pem", Path(folder) / f"{name}.key"

    def put_in_place_of(self, other):
        """The other's files are these from now on."""
        other.path.write_bytes(self.path.read_bytes())
        other.key.write_bytes(self.key.read_bytes())


class Authority(Certificate):
    """A CA with its files in `folder`."""

    def __init__(self, folder, name="ca"):
        super().__init__(folder, name)
        self.folder = folder
        openssl("req", "-x509", *KEY, "-days", 30, "-subj", f"/CN=Weir {name}", "-keyout", self.key,
                "-out", self.path)

    def issue(self, name, subject, *, names="", days=30):
        """`subject` as in "/CN=ann/OU=adm", `names` as in "DNS:gw1,IP:192.0.2.1". With negative
        days it is out of date."""
        made = Certificate(self.folder, name)
        request = made.path.with_suffix(".csr")
        openssl("req", *KEY, "-subj", subject, "-keyout", made.key, "-out", request,
                *(["-addext", f"subjectAltName={names}"] if names else []))
        openssl("x509", "-req", "-in", request, "-CA", self.path, "-CAkey", self.key,
                "-copy_extensions", "copy", "-days", days, "-out", made.path)
        return made
