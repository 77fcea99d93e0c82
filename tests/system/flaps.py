#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Ports of every kind that stands on a kernel's interface lose their link, lose their interface and
get it back, while RoCE crosses other ports of the same gateway:

    host1 ── gw1 ══ gw2 ── host2         network blue: nothing is lost
             gw1: plug0 (xdp), plug1 (TAP), plug2 (af_packet)      network green

Times are those of `weir event watch`. Nine of ten have to be in time, and half of the returns, for
which the kernel has to verify a program and pin the packet pool: others run on this machine, too.
What happened while the machine itself stood still is not judged.
WEIR_ROUNDS=1000 is the long form."""

import contextlib
import fcntl
import json
import os
import socket
import statistics
import struct
import threading
import time
from datetime import datetime
from pathlib import Path

from context import (InNamespace, RawPort, Replay, Stops, Testbed, TwoGateways, all_shots,
                     check_replay, command, overlaps, roce, run, settle, shape, test, wait_for)

ROUNDS = int(os.environ.get("WEIR_ROUNDS", "50"))
QUEUES = shape()[1]
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
TAP_MAC = "02:00:00:00:31:01"
LIMITS_MS = {"down": 20, "up": 100, "removed": 100, "returned": 100}
# What a queue of plug0 may hold more or less than at another moment: received and not yet replaced
# in its fill ring (a portion), sent and taken back with the next frame (a burst). What lies in the
# workers' caches of the pool is not in use, and the other ports give back what they have sent.
MBUFS_THAT_VARY = QUEUES * (64 + 64)


def set_link(namespace, interface, up):
    """Like `ip link set`, at a moment that is known."""
    with InNamespace(namespace.name), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        request = struct.pack("16sh14x", interface.encode(), 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(asked, SIOCGIFFLAGS, request))[1]
        flags = flags | IFF_UP if up else flags & ~IFF_UP
        before = time.time()
        fcntl.ioctl(asked, SIOCSIFFLAGS, struct.pack("16sh14x", interface.encode(), flags))
        return before


class Events:
    """What `weir event watch` tells of links."""

    def __init__(self, bed, gateway):
        self.process = bed.start("events", gateway.command_line("-j", "event", "watch"))
        self.used = 0

    def wait(self, port, seconds=10, **wanted):
        """The time of the next that says so."""
        def found():
            lines = self.process.log().rpartition("\n")[0].splitlines()
            for number in range(self.used, len(lines)):
                event = json.loads(lines[number])
                if event["event"] == "link_change" and event["port"] == port and all(
                        event[key] == value for key, value in wanted.items()):
                    self.used = number + 1
                    return datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()
            return None
        return wait_for(found, f"an event of {port}: {wanted}", seconds, interval=0.005)


class Plugged(TwoGateways):
    """gw1 has the three ports from its first intent on: what takes privilege is opened then."""

    def __init__(self, bed, tap="tap:plug1", **keywords):
        super().__init__(bed, tap=False, **keywords)
        self.far = bed.namespace("far")
        for interface in ("plug0", "plug2"):
            self.lay(interface)
        pairs = f",qpairs={QUEUES}" if QUEUES > 1 else ""
        self.devices = ("xdp:plug0,absent=pass", f"{tap},mac={TAP_MAC}",
                        f"net_af_packet8,iface=plug2{pairs}")

    def lay(self, interface):
        self.bed.cable(self.gateways[0].namespace, interface, self.far, interface, queues=QUEUES,
                       macs=(f"02:00:00:00:32:0{interface[-1]}", None))

    def intent(self, side):
        intent = super().intent(side)
        if side.number == 1:
            intent["ports"] += [{"name": f"plug{number}", "role": "tenant", "network": "green",
                                 "device": device} for number, device in enumerate(self.devices)]
            intent["networks"].append({"name": "green", "vni": 200, "unknown_unicast": "flood"})
        return intent


class Plugs:
    """The three ports, and what plugs and unplugs them."""

    def __init__(self, bed, scenario):
        self.scenario = scenario
        self.gateway = scenario.gateways[0]
        self.far = scenario.far
        self.events = Events(bed, self.gateway)
        wait_for(self.hears, "events are watched", interval=0.2)
        wait_for(lambda: all(port["link_up"] for port in self.gateway.show("stats", "show")[
            "ports"]), "all links")
        self.events.used = len(self.events.process.log().splitlines())
        self.stops = Stops(bed)
        self.times = {}                          # (began, told) by (port, what)

    def hears(self):
        for up in (False, True):
            set_link(self.far, "plug0", up)
            time.sleep(0.2)
        return "plug0" in self.events.process.log()

    def note(self, port, what, began, told):
        self.times.setdefault((port, what), []).append((began, max(began, told)))

    def flap(self, port):
        # The link of a TAP is its own: it has no other end.
        namespace = self.gateway.namespace if port == "plug1" else self.far
        began = set_link(namespace, port, False)
        self.note(port, "down", began, self.events.wait(port, up=False, gone=False))
        began = set_link(namespace, port, True)
        self.note(port, "up", began, self.events.wait(port, up=True))

    def remove_cable(self, port):
        began = time.time()
        self.far.ip("link", "delete", port)
        self.note(port, "removed", began, self.events.wait(port, up=False, gone=True))

    def replug_cable(self):
        self.remove_cable("plug0")
        self.scenario.lay("plug0")
        began = time.time()                      # The far end came up last, so the link did now.
        self.note("plug0", "returned", began, self.events.wait("plug0", up=True, gone=False))

    def delete_tap(self):
        namespace = self.gateway.namespace
        began = time.time()
        namespace.ip("link", "delete", "plug1")
        gone = self.events.wait("plug1", up=False, gone=True)
        self.note("plug1", "removed", began, gone)
        self.note("plug1", "returned", gone, self.events.wait("plug1", up=True, gone=False))
        shown = namespace.ip("link", "show", "plug1")
        assert TAP_MAC in shown, f"no {TAP_MAC} in {shown}"

    def forward(self):
        """A frame of each reaches both others."""
        gateway = self.gateway.namespace.name
        ports = [RawPort(self.far.name, "plug0"), RawPort(gateway, "plug1"),
                 RawPort(self.far.name, "plug2")]
        hosts = [roce.Host(f"02:00:00:00:30:0{number}", f"10.78.0.{number}") for number in (1, 2)]
        for sender in (0, 2):                    # What a raw socket says on a TAP is not received.
            frame = roce.cnp_like(*hosts, ecn=sender)
            assert ports[sender].send(frame), f"plug{sender} takes no frame"
            for number in {0, 1, 2} - {sender}:
                arrived = ports[number].receive_within(2.0)
                while arrived not in (None, frame):
                    arrived = ports[number].receive_within(2.0)
                assert arrived == frame, f"from plug{sender} to plug{number}"
        for port in ports:
            port.close()

    def held(self):
        """Descriptors, kB of memory and packet buffers of the data plane, all ports being open."""
        time.sleep(1.5)                          # Buffers are published once a second.
        status = Path(f"/proc/{self.gateway.dataplane_pid()}/status").read_text()
        kilobytes = int(status.partition("VmRSS:")[2].split()[0])
        text = command("curl", "-sS", "--unix-socket", self.gateway.socket, "http://weir/metrics")
        mbufs = next(line for line in text.splitlines()
                     if "mbufs_in_use" in line and not line.startswith("#"))
        return self.gateway.descriptors_held(), kilobytes, int(float(mbufs.split()[-1]))

    def report(self):
        """Prints all times, and asserts them where the machine ran all the while."""
        gaps = self.stops.gaps()
        judged = {key: [(told - began) * 1000 for began, told in times
                        if not overlaps(gaps, began, told)] for key, times in self.times.items()}
        events = sum(map(len, self.times.values()))
        left = sum(map(len, judged.values()))
        print(f"# the machine stood still {len(gaps)} times, for "
              f"{max([(end - begin) * 1000 for begin, end in gaps], default=0):.0f} ms at most; "
              f"{events - left} of {events} times are not judged")
        late = {key: judge(*key, times, len(self.times[key])) for key, times in judged.items()}
        if left * 2 < events:
            print("# no times were judged: the machine stood still during most")
            return
        for (port, what), number in late.items():
            times = judged[(port, what)]
            allowed = max(1, len(times) // (2 if what == "returned" else 10))
            assert number <= allowed, \
                f"{port} {what}: {number} of {len(times)} later than {LIMITS_MS[what]} ms, " \
                f"{allowed} may be; the slowest: {[f'{ms:.0f}' for ms in sorted(times)[-20:]]} ms"


def judge(port, what, times, events):
    """How many were late."""
    limit = LIMITS_MS[what]
    late = sum(taken > limit for taken in times)
    print(f"# {port} {what}: median {statistics.median(times or [0]):.1f} ms, slowest "
          f"{max(times, default=0):.1f} ms of {len(times)}, {late} later than {limit} ms, "
          f"{events - len(times)} not judged")
    return late


def noise(plugs, stop):
    """Frames that every port of the network gets, all the while."""
    port = RawPort(plugs.far.name, "plug2")
    frame = roce.cnp_like(roce.Host("02:00:00:00:30:03", "10.78.0.3"),
                          roce.Host("02:00:00:00:30:04", "10.78.0.4"), ecn=0)
    while not stop.wait(0.002):
        with contextlib.suppress(OSError):       # ENETDOWN, as long as it is down.
            for _ in range(8):
                port.send(frame)
    port.close()


def flap_all(plugs, rounds, failures):
    try:
        for _ in range(rounds):
            for number in range(3):
                plugs.flap(f"plug{number}")
            plugs.replug_cable()
            plugs.delete_tap()
    except Exception as failure:  # pylint: disable=broad-except  # The caller raises it.
        failures.append(failure)


@test
def links_and_interfaces_come_and_go_while_others_lose_nothing():
    with Testbed("flaps") as bed:
        scenario = Plugged(bed).start()
        plugs = Plugs(bed, scenario)
        plugs.forward()
        stop, failures = threading.Event(), []
        flap_all(plugs, 3, failures)             # What is allocated once is allocated now.
        before = plugs.held()
        noisy = threading.Thread(target=noise, args=(plugs, stop))
        flapping = threading.Thread(target=flap_all, args=(plugs, ROUNDS, failures))
        replay = Replay(scenario.roce_ports(), all_shots(), frames_per_second=2000)
        noisy.start()
        flapping.start()
        replay.run(seconds=ROUNDS * 60, while_running=flapping.is_alive)
        stop.set()
        noisy.join()
        flapping.join()
        if failures:
            raise failures[0]
        print(f"# {ROUNDS} rounds, {replay.report()['directions'][0]['sent']} frames each way")
        check_replay(replay)
        plugs.forward()
        plugs.report()
        mismatch = settle([plugs.gateway])[0].totals()["mismatch"]
        assert mismatch == 0, f"{mismatch} frames are not accounted for"
        after = plugs.held()
        print(f"# descriptors, kB, mbufs: {before} → {after}")
        assert after[0] == before[0], f"{after[0] - before[0]} descriptors more"
        assert after[1] - before[1] < 2048, f"{after[1] - before[1]} kB more"
        assert abs(after[2] - before[2]) <= MBUFS_THAT_VARY, \
            f"{after[2] - before[2]} mbufs more, {MBUFS_THAT_VARY} may be"


@test
def a_tap_of_dpdk_comes_back_too_where_rights_are_kept():
    with Testbed("flaps-dpdk") as bed:
        # A new socket of net_tap's takes CAP_NET_ADMIN of the data plane itself.
        scenario = Plugged(bed, tap="net_tap8,iface=plug1", user="").start()
        plugs = Plugs(bed, scenario)
        for _ in range(3):
            plugs.delete_tap()
        plugs.forward()


@test
def an_af_packet_port_says_that_its_interface_is_gone_and_how_to_get_it_back():
    with Testbed("flaps-gone") as bed:
        # That way takes a new packet socket, and CAP_NET_RAW of the data plane itself.
        scenario = Plugged(bed, user="").start()
        plugs = Plugs(bed, scenario)
        gateway = plugs.gateway

        for _ in range(3):
            plugs.remove_cable("plug2")
            scenario.lay("plug2")
            row = next(line for line in gateway.weir("port", "show").splitlines()
                       if "plug2" in line)
            assert " gone " in row, row
            gateway.weir("port", "delete", "plug2")
            gateway.weir("port", "add", "plug2", "role", "tenant", "network", "green", "device",
                         scenario.devices[2])
            plugs.events.wait("plug2", up=True)
        plugs.report()
        said = [line for line in gateway.dataplane.log().splitlines()
                if "port_interface_gone" in line and "plug2" in line]
        assert len(said) == 3, f"{len(said)} times: {said}"
        assert all("delete and add the port" in line for line in said), said
        plugs.forward()


run()
