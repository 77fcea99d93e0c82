# SPDX-License-Identifier: Apache-2.0
"""A steady beat of numbered datagrams of several tenants through gateways, that never waits for an
answer: how long nothing arrived, and whether anything arrived at another tenant's.

    with Pulse(beats, frames_per_second=1000) as pulse: …; pulse.gap_after(moment)"""

import select
import struct
import threading
import time
from typing import NamedTuple

from traffic import RawPort

UDP_PORT = 7777
HEADER_BYTES = 42
RING = 4096                                      # Arrivals of each beat that are remembered.


class Beat(NamedTuple):
    """From one host to another of the same tenant: namespaces, MACs, and who they are."""
    tenant: str
    source: str
    destination: str
    source_mac: str
    destination_mac: str

    def frame(self, number, beat):
        tenant = self.tenant.encode()[:8].ljust(8)
        payload = tenant + struct.pack("!BQ", beat, number)
        udp = struct.pack("!HHHH", 49152, UDP_PORT, 8 + len(payload), 0) + payload
        ip = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                         0x0A4D0201, 0x0A4D0202)
        total = sum(struct.unpack("!10H", ip))
        total = (total & 0xFFFF) + (total >> 16)
        ip = ip[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + ip[12:]
        macs = bytes.fromhex((self.destination_mac + self.source_mac).replace(":", ""))
        return macs + b"\x08\x00" + ip + udp


class Arrivals:
    """Of one beat."""

    def __init__(self):
        self.sent = self.received = self.reordered = 0
        self.highest = -1
        self.times = []                          # (arrival, number), the last RING.

    def take(self, number, now):
        self.received += 1
        self.reordered += number < self.highest
        self.highest = max(self.highest, number)
        self.times.append((now, number))
        if len(self.times) > 2 * RING:
            del self.times[:RING]


class Pulse:
    def __init__(self, beats, frames_per_second=1000, interface="host0"):
        self.beats = beats
        self.interval = 1 / frames_per_second
        self.ports = {name: RawPort(name, interface, UDP_PORT)
                      for beat in beats for name in (beat.source, beat.destination)}
        self.tenant_of = {name: beat.tenant.encode()[:8].ljust(8)
                          for beat in beats for name in (beat.source, beat.destination)}
        self.arrivals = [Arrivals() for _ in beats]
        self.strangers = []                      # (where, tenant): must stay empty.
        self.late_s = 0.0                        # The longest that this side was not run itself.
        self.stopping = False
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()
        for port in self.ports.values():
            port.close()

    def run(self):
        due = looked = time.monotonic()
        number = 0
        sockets = [port.socket for port in self.ports.values()]
        while not self.stopping:
            now = time.monotonic()
            self.late_s, looked = max(self.late_s, now - looked), now
            if now >= due:
                with self.lock:
                    for index, beat in enumerate(self.beats):
                        frame = beat.frame(number, index)
                        self.arrivals[index].sent += self.ports[beat.source].send(frame)
                number += 1
                due = max(due + self.interval, now - 0.05)
            self.receive_all()
            select.select(sockets, [], [], max(0, min(due - time.monotonic(), 0.02)))

    def receive_all(self):
        for name, port in self.ports.items():
            for _ in range(64):
                frame = port.receive()
                if frame is None:
                    break
                now = time.monotonic()
                tenant = frame[HEADER_BYTES:HEADER_BYTES + 8]
                beat, number = struct.unpack_from("!BQ", frame, HEADER_BYTES + 8)
                with self.lock:
                    if tenant != self.tenant_of[name] or self.beats[beat].destination != name:
                        self.strangers.append((name, tenant, beat))
                    else:
                        self.arrivals[beat].take(number, now)

    def beats_again(self, moment, times=5):
        """Whether each beat has arrived so often since."""
        with self.lock:
            return all(sum(arrival > moment for arrival, _ in one.times[-2 * times:]) >= times
                       for one in self.arrivals)

    def first_after(self, moment):
        """When the first frame of any beat arrived."""
        with self.lock:
            return min(arrival for one in self.arrivals for arrival, _ in one.times
                       if arrival > moment)

    def gap_after(self, moment):
        """Seconds of the longest silence of any beat that ended after `moment`."""
        longest = 0.0
        with self.lock:
            for one in self.arrivals:
                before = [arrival for arrival, _ in one.times if arrival <= moment]
                last = before[-1] if before else moment
                for arrival, _ in one.times[len(before):]:
                    longest, last = max(longest, arrival - last), arrival
        return longest

    def lost(self):
        with self.lock:
            return [one.sent - one.received for one in self.arrivals]

    def faults(self):
        texts = [f"{name} got a frame of {tenant} (beat {beat})"
                 for name, tenant, beat in self.strangers[:5]]
        return texts + [f"beat {index}: {one.reordered} reordered"
                        for index, one in enumerate(self.arrivals) if one.reordered]
