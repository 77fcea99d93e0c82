#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""10,000 times an endpoint moves, between three ports and a remote VTEP, while frames for it flow.
Each frame carries the number of the change that was in force when it was sent, and must arrive
where that change or a later one had sent it; and each must arrive."""

import itertools
import struct
import threading
import time

from context import Api, Gateway, RawPort, Testbed, check_gateways, roce, run, test, wait_for

CHANGES = 10_000
WINDOW = 64
UDP_PORT = 7777
MOVING = roce.Host("02:00:00:00:33:01", "10.77.0.33")
SENDER = roce.Host("02:00:00:00:11:01", "10.77.0.1")
TARGETS = ("host1", "host2", "host3", "gw2")     # Change number n moves it to the n-th, in turns.
TAG = struct.Struct("!8xQQ")                    # No frame shorter than Ethernet's least.


def intent():
    ports = [{"name": name, "role": "tenant", "network": "blue",
              "device": f"net_tap{number},iface={name}"}
             for number, name in enumerate(("host0", *TARGETS[:3]))]
    ports.append({"name": "wire0", "role": "underlay", "device": "net_tap9,iface=wire0"})
    return {"ports": ports, "networks": [{"name": "blue", "vni": 100, "flood": ["gw2"]}],
            "vteps": [{"name": "self", "kind": "local", "address": "198.18.0.1", "port": "wire0"},
                      {"name": "gw2", "kind": "remote", "address": "198.18.0.2", "port": "wire0",
                       "source": "self", "next_hop_mac": "02:00:00:00:ff:02"}],
            "endpoints": [{"network": "blue", "mac": MOVING.mac, "port": TARGETS[0]}]}


def move(number):
    target = TARGETS[number % len(TARGETS)]
    place = {"port": "", "vtep": target} if target == "gw2" else {"port": target, "vtep": ""}
    return {"verb": "set", "kind": "endpoint", "key": f"blue/{MOVING.mac}", "fields": place}


class Changes(threading.Thread):
    """Moves the endpoint; `issued` and `confirmed` are numbers of changes."""

    def __init__(self, api):
        super().__init__(daemon=True)
        self.api = api
        self.issued = self.confirmed = 0
        self.error = None

    def run(self):
        try:
            for number in range(1, CHANGES + 1):
                self.issued = number
                self.api.batch(move(number))
                self.confirmed = number
        except Exception as error:  # pylint: disable=broad-except  # Told by the main thread.
            self.error = error


class Probe:
    """Frames for the endpoint, and where they came out."""

    def __init__(self, gateway, changes):
        name = gateway.namespace.name
        self.changes = changes
        self.sender = RawPort(name, "host0", UDP_PORT)
        self.receivers = [RawPort(name, target, UDP_PORT) for target in TARGETS[:3]]
        self.receivers.append(RawPort(name, "wire0", 4789))
        self.numbers = itertools.count()
        self.under_way = set()
        self.received = self.narrow = 0
        self.last = time.monotonic()

    def send(self):
        number = next(self.numbers)
        udp = struct.pack("!HHHH", 49152, UDP_PORT, 8 + TAG.size, 0)
        packet = roce.ip_header(SENDER.ip, MOVING.ip, 8 + TAG.size) + udp
        header = roce.ethernet_header(SENDER.mac, MOVING.mac, 4)
        if self.sender.send(header + packet + TAG.pack(number, self.changes.confirmed)):
            self.under_way.add(number)

    def receive(self):
        for place, receiver in enumerate(self.receivers):
            while (frame := receiver.receive()) is not None:
                self.last = time.monotonic()
                number, confirmed = TAG.unpack(frame[-TAG.size:])
                assert number in self.under_way, f"frame {number} arrived twice"
                self.under_way.remove(number)
                self.received += 1
                allowed = {change % len(TARGETS)
                           for change in range(confirmed, self.changes.issued + 1)}
                self.narrow += len(allowed) <= 2
                assert place in allowed, (f"frame {number}, sent after change {confirmed}, came "
                                          f"out at {TARGETS[place]}")
        assert not self.under_way or time.monotonic() - self.last < 5, (
            f"{len(self.under_way)} frames are lost")


@test
def each_frame_follows_the_old_or_the_new_place_and_none_is_lost():
    with Testbed("endpoint-changes") as bed:
        gateway = Gateway(bed, "gw1").start()
        gateway.apply(intent())
        for name in ("host0", "wire0", *TARGETS[:3]):
            wait_for(lambda name=name: gateway.namespace.has_interface(name), f"the TAP {name}")
        changes = Changes(Api(gateway.socket))
        probe = Probe(gateway, changes)
        started = time.monotonic()
        changes.start()
        while changes.is_alive() or probe.under_way:
            if changes.is_alive() and len(probe.under_way) < WINDOW:
                probe.send()
            probe.receive()
            time.sleep(0.0002)
        seconds = time.monotonic() - started
        assert changes.error is None, changes.error
        assert changes.confirmed == CHANGES and probe.received > CHANGES
        # Most frames meet one change at most: the old place or the new one, of four.
        print(f"# {CHANGES} changes in {seconds:.0f} s, {probe.received} frames, "
              f"{probe.narrow} with no more than two right places")
        assert probe.narrow > probe.received / 2
        check_gateways([gateway])


run()
