# SPDX-License-Identifier: Apache-2.0
"""iperf3 between two namespaces, there and back at once. Several may run beside each other, each on
a port of its own."""

import json
import subprocess

from testbed import TestbedError


class Iperf3:
    """Runs from now on until end(), which says what arrived. `address`: the server's."""

    def __init__(self, bed, client, server, address, *options, port=5201):
        self.server = bed.start(f"iperf3-server-{port}",
                                server.inside("iperf3", "-s", "-1", "-p", port))
        server.wait_listens(port)
        arguments = ("iperf3", "-J", "--bidir", "-c", address, "-p", port, *options)
        self.client = subprocess.Popen(  # pylint: disable=consider-using-with
            list(map(str, client.inside(*arguments))), stdout=subprocess.PIPE, text=True)

    def end(self, seconds=60):
        try:
            output, _ = self.client.communicate(timeout=seconds)
        finally:
            self.client.kill()                   # Nothing where it has ended.
            self.server.stop()
        if self.client.returncode != 0:
            raise TestbedError(f"iperf3: status {self.client.returncode}: {output.strip()}")
        return json.loads(output)["end"]
