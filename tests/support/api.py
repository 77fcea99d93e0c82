# SPDX-License-Identifier: Apache-2.0
"""The control plane's API without the CLI: HTTP over its Unix socket, the connection kept."""

import http.client
import json
import socket


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Api:
    def __init__(self, path):
        self.connection = UnixConnection(path)

    def ask(self, method, target, body=None):
        """Status and document."""
        text = None if body is None else json.dumps(body)
        self.connection.request(method, target, text, {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        data = response.read()
        return response.status, json.loads(data) if data else None

    def batch(self, *operations):
        """One transaction; returns once it is in force."""
        status, document = self.ask("POST", "/v1/batch", {"operations": list(operations)})
        if status != 200:
            raise RuntimeError(f"batch refused with {status}: {document}")
        return document
