#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Configuration changes of every kind while frames flow: none is lost, and each frame meets one
state, never a mix of two. What would show a mix are three tables that are changed together: a
network's VNI, a VTEP's address and a next hop's MAC all carry the number of the change into each
packet that leaves."""

import itertools
import os
import struct
import threading
import time

from context import Api, Gateway, RawPort, Testbed, check_gateways, roce, run, test, wait_for

CHANGES = int(os.environ.get("WEIR_ROUNDS", 420))
STATES = 200                                     # After which numbers begin anew.
WINDOW = 64
UDP_PORT = 7777
SENDER = roce.Host("02:00:00:00:11:01", "10.77.0.1")
FAR = roce.Host("02:00:00:00:22:01", "10.77.0.2")
TAG = struct.Struct("!8xQQ")                     # The frame's number, the newest change in force.


def vni(state):
    return 1000 + state


def vtep(state):
    return f"198.18.0.{state + 2}"


def router(state):
    return f"02:00:00:00:ff:{state:02x}"


def intent():
    return {"ports": [{"name": "host0", "role": "tenant", "network": "blue",
                       "device": "net_tap0,iface=host0"},
                      {"name": "wire0", "role": "underlay", "device": "net_tap1,iface=wire0"}],
            "next_hops": [{"name": "leaf", "port": "wire0", "mac": router(0)}],
            "vteps": [{"name": "self", "kind": "local", "address": "198.18.0.1"},
                      {"name": "far", "kind": "remote", "address": vtep(0), "source": "self",
                       "next_hops": ["leaf"]}],
            "networks": [{"name": "blue", "vni": vni(0), "flood": ["far"]}],
            "endpoints": [{"network": "blue", "mac": FAR.mac, "vtep": "far"}]}


def parts_of(state):
    """What becomes another state only together."""
    return [{"verb": "set", "kind": "network", "key": "blue", "fields": {"vni": str(vni(state))}},
            {"verb": "set", "kind": "vtep", "key": "far", "fields": {"address": vtep(state)}},
            {"verb": "set", "kind": "next_hop", "key": "leaf", "fields": {"mac": router(state)}}]


def add(kind, /, **fields):
    return [{"verb": "add", "kind": kind, "fields": fields}]


def remove(kind, key):
    return [{"verb": "delete", "kind": kind, "key": key}]


# Of everything else that there is, come and gone again, between two changes of the state.
OTHERS = (
    add("endpoint", network="blue", mac="02:00:00:00:99:01", vtep="far"),
    remove("endpoint", "blue/02:00:00:00:99:01"),
    add("network", name="red", vni="77", flood="far"),
    remove("network", "red"),
    add("port", name="more0", role="tenant", device="net_ring5", network="blue"),
    add("endpoint", network="blue", mac="02:00:00:00:99:02", port="more0"),
    remove("endpoint", "blue/02:00:00:00:99:02"),
    remove("port", "more0"),
    add("port", name="host0.5", role="tenant", parent="host0", vlan="5", network="blue"),
    remove("port", "host0.5"),
    add("next_hop", name="spare", port="wire0", mac="02:00:00:00:fe:01"),
    add("vtep", name="other", kind="remote", address="198.18.9.9", source="self",
        next_hops="spare"),
    remove("vtep", "other"),
    remove("next_hop", "spare"),
    add("host_rule", name="icmp", rate="100", burst="20"),
    remove("host_rule", "icmp"),
    add("queue", port="wire0", traffic_class="3", carries="data", kmin="50K", kmax="200K",
        pmax="5%"),
    [{"verb": "set", "kind": "queue", "key": "wire0/3", "fields": {"kmin": "40K"}}],
    remove("queue", "wire0/3"),
    [{"verb": "set", "kind": "port", "key": "wire0", "fields": {"rate": "5G"}}],
    [{"verb": "set", "kind": "port", "key": "wire0", "fields": {"rate": ""}}])


class Changes(threading.Thread):
    """`issued` and `confirmed` count changes of the state; all of them are `count` in the end."""

    def __init__(self, api, count, *, apart=False):
        super().__init__(daemon=True)
        self.api = api
        self.count = count
        self.apart = apart
        self.issued = self.confirmed = self.done = 0
        self.error = None

    def run(self):
        others = itertools.cycle(OTHERS)
        try:
            # Whole turns, so that all that came has gone.
            while self.done < self.count or self.done % (2 * len(OTHERS)):
                self.issued += 1
                parts = parts_of(self.issued % STATES)
                for batch in ([part] for part in parts) if self.apart else (parts,):
                    self.api.batch(*batch)
                self.confirmed = self.issued
                self.api.batch(*next(others))
                self.done += 2
        except Exception as error:  # pylint: disable=broad-except  # Told by the main thread.
            self.error = error


class Probe:
    """Frames for the far endpoint, and which state each of them met."""

    def __init__(self, gateway, changes):
        self.changes = changes
        self.sender = RawPort(gateway.namespace.name, "host0", UDP_PORT)
        self.receiver = RawPort(gateway.namespace.name, "wire0", 4789)
        self.numbers = itertools.count()
        self.under_way = set()
        self.received = self.mixed = self.wrong = self.narrow = 0
        self.seen = set()
        self.last = time.monotonic()

    def send(self):
        number = next(self.numbers)
        udp = struct.pack("!HHHH", 49152 + number % 1000, UDP_PORT, 8 + TAG.size, 0)
        packet = roce.ip_header(SENDER.ip, FAR.ip, 8 + TAG.size) + udp
        header = roce.ethernet_header(SENDER.mac, FAR.mac, 4)
        if self.sender.send(header + packet + TAG.pack(number, self.changes.confirmed)):
            self.under_way.add(number)

    def receive(self):
        while (frame := self.receiver.receive()) is not None:
            self.last = time.monotonic()
            number, confirmed = TAG.unpack(frame[-TAG.size:])
            assert number in self.under_way, f"frame {number} arrived twice"
            self.under_way.remove(number)
            self.received += 1
            states = {frame[5],                                          # Of the next hop's MAC.
                      frame[33] - 2,                                     # Of the VTEP's address.
                      int.from_bytes(frame[46:49], "big") - vni(0)}      # Of the VNI.
            if len(states) != 1:
                self.mixed += 1
                continue
            state = states.pop()
            self.seen.add(state)
            allowed = range(confirmed, self.changes.issued + 1)
            self.narrow += len(allowed) <= 2
            self.wrong += all(state != change % STATES for change in allowed)
        assert not self.under_way or time.monotonic() - self.last < 5, (
            f"{len(self.under_way)} frames are lost")


def flow(gateway, changes):
    probe = Probe(gateway, changes)
    began = time.monotonic()
    changes.start()
    while changes.is_alive() or probe.under_way:
        if changes.is_alive() and len(probe.under_way) < WINDOW:
            probe.send()
        probe.receive()
        time.sleep(0.0002)
    assert changes.error is None, changes.error
    print(f"# {changes.done} changes in {time.monotonic() - began:.0f} s, {probe.received} frames, "
          f"{len(probe.seen)} states, {probe.mixed} frames mixed, {probe.narrow} with no more than "
          "two right states")
    assert probe.received > changes.done / 4 and len(probe.seen) > 10
    return probe


@test
def frames_meet_one_state_and_none_is_lost():
    with Testbed("changes-under-load") as bed:
        gateway = Gateway(bed, "gw1").start()
        gateway.apply(intent())
        for name in ("host0", "wire0"):
            wait_for(lambda name=name: gateway.namespace.has_interface(name), f"the TAP {name}")
        probe = flow(gateway, Changes(Api(gateway.socket), CHANGES))
        assert probe.mixed == 0 and probe.wrong == 0, (probe.mixed, probe.wrong)
        assert probe.narrow > probe.received / 2
        check_gateways([gateway])
        # That a mix would be seen: three changes in place of one make some.
        apart = flow(gateway, Changes(Api(gateway.socket), 200, apart=True))
        assert apart.mixed > 0
        check_gateways([gateway])


run()
