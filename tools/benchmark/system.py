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

from benchmark import frames, machine

MBUF_COUNT = 262144  # 100,000 preloaded frames, every ring and cache, and room.

# rx and tx: packets in at the loaded port and out at the other one; lost: dropped in between.
Counters = collections.namedtuple('Counters', 'time rx tx lost')


class Task:
    """One direction of one workload on one pair of devices."""

    def __init__(self, direction, qp_count, source, folder, sink=None):
        self.direction = direction
        self.qp_count = qp_count
        self.source = source  # The pcap that is replayed.
        self.folder = folder  # Of this run: sockets, logs, databases.
        self.sink = sink      # Where frames are written as pcap; None: they are discarded.

    def devices(self):
        """Devargs of the port that is fed and of the port that frames leave at."""
        fed = f'net_pcap0,rx_pcap={self.source},infinite_rx=1'
        return fed, 'net_null1,no-rx=1' if self.sink is None else f'net_pcap1,tx_pcap={self.sink}'

    def tenant_and_underlay(self):
        fed, other = self.devices()
        return (fed, other) if self.direction == 'encap' else (other, fed)


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

    def counters(self, source, sink):
        # What was sent is read before and after what was received, so that a delay between the
        # two on a busy core does not look like loss.
        first, start = self.ask(f'/ethdev/stats,{sink}'), time.monotonic()
        rx = self.ask(f'/ethdev/stats,{source}')
        last, end = self.ask(f'/ethdev/stats,{sink}'), time.monotonic()
        return Counters((start + end) / 2, rx['ipackets'],
                        (first['opackets'] + last['opackets']) // 2,
                        rx['imissed'] + rx['rx_nombuf'] + last['oerrors'])

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
    """The first frames, a bit more than twice what `task` replays, that the system sends."""
    source_bytes = os.path.getsize(task.source)
    per_frame = 16 + frames.FRAME_BYTES + frames.WRAP_BYTES
    sampler = Sampler(task.sink, max(4 * 2**20, 2 * source_bytes * per_frame // 144))
    try:
        running = start(task)
        try:
            sampler.full.wait(seconds)
            problems = running.problems()
        finally:
            running.stop()
    finally:
        sampler.close()
    return bytes(sampler.data), problems
