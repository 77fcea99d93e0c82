# SPDX-License-Identifier: Apache-2.0
"""What every measured system offers, and the devices that it is measured on.

A system is started on a Task and becomes a running thing with counters() and stop(); how it is
programmed is its own module's business (testpmd.py, ovs.py, weir.py)."""

import collections
import json
import os
import socket
import threading
import time

from benchmark import machine

SAMPLE_BYTES = 128 * 2**20

# rx and tx: packets in and out at both ports; lost: dropped in between.
Counters = collections.namedtuple('Counters', 'time rx tx lost')
NUMBERS = {'underlay': 0, 'tenant': 1}  # Of devices; the underlay's is made first, for its MAC.


class Task:
    """One workload on one pair of devices."""

    def __init__(self, workload, sources, folder, sampled=False):
        self.workload = workload
        self.sources = sources  # Side → the pcap that is replayed there.
        self.folder = folder    # Of this run: sockets, logs, databases.
        # Side → where frames that leave are written as pcap; without, they are discarded.
        self.sinks = {side: os.path.join(folder, side[0]) for side in NUMBERS
                      if sampled and sources.keys() - {side}}

    def names(self):
        """Side → the device's name."""
        return {side: f'net_{"pcap" if side in {**self.sources, **self.sinks} else "null"}{number}'
                for side, number in NUMBERS.items()}

    def devices(self):
        """Side → devargs."""
        found = {}
        for side, name in self.names().items():
            options = []
            if side in self.sources:
                options.append(f'rx_pcap={self.sources[side]},infinite_rx=1')
            if side in self.sinks:
                options.append(f'tx_pcap={self.sinks[side]}')
            found[side] = ','.join([name, *(options or ['no-rx=1'])])
        return found


class Telemetry:
    """DPDK's telemetry socket, which any DPDK program opens."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(5)
        self.socket.connect(path)
        self.release = json.loads(self.socket.recv(4096))['version']

    def ask(self, command):
        self.socket.send(command.encode())
        return json.loads(self.socket.recv(65536))[command.partition(',')[0]]

    def port(self, device):
        for number in self.ask('/ethdev/list'):
            if self.ask(f'/ethdev/info,{number}')['name'] == device:
                return number
        raise machine.Trouble(f'no DPDK port {device}')

    def counters(self, ports):
        # What was sent is read before and after what was received, so that a delay between the
        # two on a busy core does not look like loss.
        first, start = self.stats(ports), time.monotonic()
        middle = self.stats(ports)
        last, end = self.stats(ports), time.monotonic()
        return Counters((start + end) / 2, middle['ipackets'],
                        (first['opackets'] + last['opackets']) // 2,
                        middle['imissed'] + middle['rx_nombuf'] + last['oerrors'])

    def stats(self, ports):
        total = collections.Counter()
        for port in ports:
            total.update({name: value for name, value in self.ask(f'/ethdev/stats,{port}').items()
                          if isinstance(value, int)})
        return total

    def close(self):
        self.socket.close()


class Sampler:
    """Reads the pcap that a system writes into a pipe: keeps the first frames after a while, and
    drains the rest, because a worker that waits for us would not be stopped properly."""

    def __init__(self, path, keep_bytes):
        os.mkfifo(path)
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(self.descriptor, True)
        self.keep_bytes = keep_bytes
        self.data = bytearray()
        self.full = threading.Event()
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.drain, daemon=True)
        self.thread.start()

    def drain(self):
        while True:
            chunk = os.read(self.descriptor, 1 << 20)
            if chunk:
                if not self.full.is_set():
                    self.data += chunk
                    if len(self.data) >= self.keep_bytes:
                        self.full.set()
            elif self.ending.wait(0.01):  # No writer yet, or no more.
                return

    def close(self):
        self.ending.set()
        self.thread.join(10)
        os.close(self.descriptor)


def sample_output(start, task, seconds=20):
    """Side → the first frames that leave there, twice what is replayed at the other side or as many
    as fit into SAMPLE_BYTES; and what the system says against itself."""
    samplers = {}
    try:
        for side, path in task.sinks.items():
            source_bytes = sum(os.path.getsize(other) for fed, other in task.sources.items()
                               if fed != side)
            samplers[side] = Sampler(path, min(SAMPLE_BYTES, max(4 * 2**20, 4 * source_bytes)))
        running = start(task)
        try:
            deadline = time.monotonic() + seconds
            for sampler in samplers.values():
                sampler.full.wait(max(0.1, deadline - time.monotonic()))
            problems = running.problems()
        finally:
            running.stop()
    finally:
        for sampler in samplers.values():
            sampler.close()
    return {side: bytes(sampler.data) for side, sampler in samplers.items()}, problems
