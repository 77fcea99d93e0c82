#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A gateway that no kernel interface leads to but the twin of its underlay port: its kernel is
reached, pinged and speaks BGP through it, while tunnels use the same port.

    host1 ── gw1 ══ memif ══ converter ── TAP wire0: kernel (198.18.0.2), VXLAN, BGP
              └─ twin wire0h: gw1's own kernel (198.18.0.1)

The converter is a gateway too, in transit between a memif and a TAP."""

import contextlib
import socket
import struct
import subprocess
import threading
import time

from context import (SIDES, Counters, Gateway, InNamespace, KernelPeer, Link, Testbed,
                     check_gateways, command, roce, run, shape, test, wait_for)
from frr import Frr
from kernel_peer import WIRE_MTU

WEIR, KERNEL = SIDES
TWIN = "wire0h"
CLASSES = ("neighbour", "lldp", "lacp", "bfd", "bgp", "ssh", "icmp", "fragment", "other")
LLDP, LLDP_MAC = 0x88CC, "01:80:c2:00:00:0e"
ICMP_RATE = 1000                                 # A second and worker: the class's default.
FLOOD_RATE = 5000


class KernelPeerOverMemif(KernelPeer):
    """Weir and the twin both have the VTEP's address, and both ask for the kernel's."""

    def __init__(self, bed, *, twin_addresses=True):
        self.converter = None
        super().__init__(bed, link=Link())
        if twin_addresses:
            self.give_twin_addresses()
        self.wait_resolved()

    def memif(self, role):
        return (f"net_memif0,role={role},socket={self.bed.folder}/memif0,socket-abstract=no"
                + (f",mac={WEIR.wire_mac}" if role == "client" else ""))

    def wire_up(self):
        self.converter = Gateway(self.bed, "converter").start()
        self.converter.apply({"ports": [
            {"name": "memif", "role": "transit", "peer": "tap", "mtu": WIRE_MTU,
             "device": self.memif("server"), "rx_queues": self.queues},
            {"name": "tap", "role": "transit", "peer": "memif", "mtu": WIRE_MTU,
             "device": "tap:wire0", "rx_queues": self.queues}]})
        wait_for(lambda: self.converter.namespace.has_interface("wire0"), "the TAP wire0")
        self.converter.namespace.ip("link", "set", "wire0", "netns", self.peer.name)
        self.apply(self.memif("client"))
        for gateway in (self.gateway, self.converter):
            wait_for(lambda gateway=gateway: all(
                port["link_up"] for port in gateway.show("stats", "show")["ports"]
                if port["name"] in ("wire0", "memif")), f"the memif of {gateway.name}")

    def intent(self, wire_device):
        intent = super().intent(wire_device)
        for port in intent["ports"]:
            port["rx_queues"] = self.queues
        intent["ports"].append({"name": "wire0-host", "role": "host", "device": f"tap:{TWIN}",
                                "peer": "wire0"})
        return intent

    def set_up_kernel(self, ip):
        super().set_up_kernel(ip)
        ip("addr", "add", f"{KERNEL.vtep6}/64", "dev", "wire0", "nodad")

    def give_twin_addresses(self):
        namespace = self.gateway.namespace
        namespace.run("sysctl", "-q", "-w", f"net.ipv6.conf.{TWIN}.disable_ipv6=0")
        namespace.ip("addr", "add", f"{WEIR.vtep}/24", "dev", TWIN)
        namespace.ip("addr", "add", f"{WEIR.vtep6}/64", "dev", TWIN, "nodad")

    def reaches(self, namespace, address, *options):
        output = namespace.run("ping", "-q", "-c", 5, "-i", 0.1, "-W", 2, *options, address,
                               check=False)
        return "5 received" in output

    def check(self, but=()):
        check_gateways([self.gateway], but)
        # Weir asks for its neighbour before the kernel's end of the wire is up.
        check_gateways([self.converter], ("tx_ring_full",))


def segments_cut(gateway):
    """How many frames `from_host` made of large ones."""
    pipelines = gateway.show("pipeline", "show")["pipelines"]
    packets = {f"{pipeline['name']}/{stage['name']}": stage["packets"] for pipeline in pipelines
               for stage in pipeline["stages"]}
    return packets["from_host/pick_peer"] - packets["from_host/segment_large"]


def host_counters(gateway):
    """Class → what came at wire0: passed, policed, refused."""
    port = Counters(gateway).port("wire0")
    return {name: {event: port["host_" + event].get(name, 0)
                   for event in ("passed", "policed", "refused")} for name in CLASSES}


@contextlib.contextmanager
def connection(bed, peer, *options, address=WEIR.vtep):
    """What ssh is like: from the kernel's side to port 22 of the gateway, while the block runs."""
    server = bed.start("sshd-like", peer.gateway.namespace.inside("iperf3", "-s", "-1", "-p", 22))
    time.sleep(0.5)
    arguments = peer.peer.inside("iperf3", "-c", address, "-p", 22, *options)
    with subprocess.Popen(list(map(str, arguments)), stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as client:
        yield
        _, said = client.communicate(timeout=60)
    assert client.returncode == 0, said
    server.stop()


def raw_socket(namespace, interface, ethertype):
    with InNamespace(namespace.name):
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
    made.bind((interface, ethertype))
    made.settimeout(5)
    return made


def echo_request(sequence):
    """An ICMP echo request as the kernel peer would send it."""
    icmp = struct.pack("!BBHHH", 8, 0, 0, 7, sequence & 0xFFFF) + bytes(56)
    icmp = icmp[:2] + struct.pack("!H", roce.internet_checksum(icmp)) + icmp[4:]
    header = bytearray(roce.ip_header(KERNEL.vtep, WEIR.vtep, len(icmp)))
    header[9] = 1
    header[10:12] = b"\0\0"
    header[10:12] = struct.pack("!H", roce.internet_checksum(bytes(header)))
    return roce.ethernet_header(KERNEL.wire_mac, WEIR.wire_mac, 4) + bytes(header) + icmp


@contextlib.contextmanager
def flood(namespace):
    """Echo requests at FLOOD_RATE while the block runs; yields the number sent, in a list."""
    sent = [0]
    over = threading.Event()

    def send():
        with raw_socket(namespace, "wire0", 0) as sender:
            begins = time.monotonic()
            while not over.wait(0.01):
                # What the machine kept us from is made up for, 200 at a time.
                owed = int((time.monotonic() - begins) * FLOOD_RATE) - sent[0]
                for _ in range(min(owed, 200)):
                    sender.send(echo_request(sent[0]))
                    sent[0] += 1

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield sent
    finally:
        over.set()
        thread.join()


@test
def the_kernel_is_reached_through_the_twin_while_tunnels_run():
    with Testbed("host-traffic") as bed:
        peer = KernelPeerOverMemif(bed)
        link = peer.gateway.namespace.ip("-o", "link", "show", TWIN)
        assert WEIR.wire_mac in link and f"mtu {WIRE_MTU}" in link, link
        for ours, theirs in ((WEIR.vtep, KERNEL.vtep), (WEIR.vtep6, KERNEL.vtep6)):
            assert peer.reaches(peer.peer, ours), ours
            assert peer.reaches(peer.gateway.namespace, theirs), theirs
            assert peer.reaches(peer.peer, ours, "-s", 3000), f"{ours} by fragments"

        with connection(bed, peer, "--bidir", "-t", 8, "-b", "4M", "-l", 1000):
            peer.cross(streams=4 if shape()[0] > 1 else 1)

        classes = host_counters(peer.gateway)
        assert classes["ssh"]["passed"] > 1000, classes["ssh"]
        for name, least in (("neighbour", 2), ("icmp", 20), ("fragment", 30)):
            assert classes[name]["passed"] >= least, classes
        assert all(entry["policed"] == 0 for entry in classes.values()), classes
        peer.check()


@test
def large_frames_of_the_kernel_leave_as_segments():
    with Testbed("host-large") as bed:
        peer = KernelPeerOverMemif(bed)
        # What the kernel leaves to its device is cut here; the peer's kernel sums what comes.
        for address in (WEIR.vtep, WEIR.vtep6):
            with connection(bed, peer, "-R", "-t", 3, "-b", "20M", "-l", "64K", address=address):
                pass
        assert segments_cut(peer.gateway) > 1000, segments_cut(peer.gateway)
        for namespace in (peer.peer, peer.gateway.namespace):
            errors = namespace.run("nstat", "-az", "TcpInCsumErrors")
            assert [line.split()[1] for line in errors.splitlines()[1:]] == ["0"], errors
        peer.check()


@test
def rules_come_into_force_and_go():
    with Testbed("host-rules") as bed:
        peer = KernelPeerOverMemif(bed)

        def weir(*arguments):
            peer.gateway.weir(*arguments)
            peer.gateway.wait_in_sync()

        assert peer.reaches(peer.peer, WEIR.vtep)
        weir("host-rule", "add", "icmp", "action", "drop")
        assert not peer.reaches(peer.peer, WEIR.vtep)
        assert peer.host.ping(KERNEL.kernel.ip, 10) == 1.0  # A tenant's is none of the host's.
        assert host_counters(peer.gateway)["icmp"]["refused"] == 5
        assert Counters(peer.gateway).drops_of("to_host") == {"host_refused": 5}
        table = peer.gateway.weir("host", "show")
        row = next(line for line in table.splitlines() if "icmp" in line)
        assert row.split() == ["wire0", "icmp", "5", "0", "5"], row
        metrics = command("curl", "-sS", "--unix-socket", peer.gateway.socket,
                          "http://localhost/metrics")
        assert 'weir_port_host_refused_total{port="wire0",host_class="icmp"} 5' in metrics

        # No more than 2 at once, and then one a second.
        weir("host-rule", "set", "icmp", "action", "to_host", "rate", 1, "burst", 2)
        received = peer.peer.run("ping", "-q", "-c", 20, "-i", 0.01, "-W", 1, WEIR.vtep,
                                 check=False)
        passed = host_counters(peer.gateway)["icmp"]["passed"] - 5
        assert 2 <= passed <= 2 + 3 and f" {passed} received" in received, received
        weir("host-rule", "delete", "icmp")
        assert peer.reaches(peer.peer, WEIR.vtep)
        peer.check(but=("host_refused", "host_policed"))


@test
def lldp_comes_and_goes():
    with Testbed("host-lldp") as bed:
        peer = KernelPeerOverMemif(bed)
        body = struct.pack("!H", LLDP) + b"\x02\x07\x04" + roce.mac_bytes(KERNEL.wire_mac) + \
            bytes(60)
        ends = ((peer.peer, "wire0", KERNEL.wire_mac), (peer.gateway.namespace, TWIN,
                                                        WEIR.wire_mac))
        for (near, near_interface, mac), (far, far_interface, _) in (ends, ends[::-1]):
            frame = roce.mac_bytes(LLDP_MAC) + roce.mac_bytes(mac) + body
            with raw_socket(far, far_interface, LLDP) as hears, \
                    raw_socket(near, near_interface, LLDP) as speaks:
                speaks.send(frame)
                assert hears.recv(2000) == frame
        assert host_counters(peer.gateway)["lldp"]["passed"] == 1


@test
def a_flood_is_policed_and_tunnels_lose_nothing():
    with Testbed("host-flood") as bed:
        peer = KernelPeerOverMemif(bed)
        assert peer.reaches(peer.peer, WEIR.vtep)
        before = host_counters(peer.gateway)["icmp"]
        started = time.monotonic()
        with flood(peer.peer) as sent:
            assert peer.host.ping(KERNEL.kernel.ip, 100) == 1.0
            # Other classes do not notice: the kernel answers, though the ping may be policed.
            peer.peer.ip("neigh", "flush", "dev", "wire0")
            peer.reaches(peer.peer, WEIR.vtep6)
            assert f"lladdr {WEIR.wire_mac}" in peer.peer.ip("neigh", "show", WEIR.vtep6)
            udp = peer.iperf3("-c", KERNEL.kernel.ip, "-u", "-b", "4M", "-l", 1200)
        seconds = time.monotonic() - started
        for way in ("sum", "sum_bidir_reverse"):
            assert udp[way]["packets"] > 500 and udp[way]["lost_packets"] == 0, udp[way]
        peer.check(but=("host_policed",))
        counters = Counters(peer.gateway)
        icmp = host_counters(peer.gateway)["icmp"]
        passed, policed = (icmp[name] - before[name] for name in ("passed", "policed"))
        assert sent[0] > 2 * ICMP_RATE * seconds, f"{sent[0]} in {seconds:.1f} s are no flood"
        workers = shape()[0]
        assert passed <= workers * (ICMP_RATE * (seconds + 1) + 200), (passed, seconds)
        assert policed > 1000 and policed == counters.drops_of("to_host")["host_policed"]


@test
def frr_speaks_bgp_through_the_twin():
    with Testbed("host-frr") as bed:
        peer = KernelPeerOverMemif(bed, twin_addresses=False)
        ours = Frr(bed, peer.gateway.namespace, interfaces={TWIN: [f"{WEIR.vtep}/24"]}, asn=65001,
                   peer=KERNEL.vtep, peer_asn=65002, network="192.0.2.0/24")
        theirs = Frr(bed, peer.peer, interfaces={}, asn=65002, peer=WEIR.vtep, peer_asn=65001,
                     network="203.0.113.0/24")

        def exchanged():
            return ours.established() and theirs.established() and \
                ours.learned("203.0.113.0/24") and theirs.learned("192.0.2.0/24") and \
                f"via {KERNEL.vtep}" in peer.gateway.namespace.ip("route", "show",
                                                                  "203.0.113.0/24") and \
                f"via {WEIR.vtep}" in peer.peer.ip("route", "show", "192.0.2.0/24")

        wait_for(exchanged, "a session and a route each way", 60, interval=0.2)
        assert host_counters(peer.gateway)["bgp"]["passed"] > 5
        assert peer.host.ping(KERNEL.kernel.ip, 10) == 1.0

        # The TAP goes with the process; zebra gives its successor the address again.
        peer.gateway.dataplane.stop()
        wait_for(lambda: not theirs.established(), "the end of the session", 30, interval=0.2)
        peer.gateway.start_dataplane()
        peer.gateway.wait_in_sync()
        peer.wait_resolved()
        peer.host.plug_in()
        peer.host.give_addresses()
        wait_for(exchanged, "the session and the routes again", 60, interval=0.2)
        wait_for(lambda: peer.host.ping(KERNEL.kernel.ip, 1) == 1.0, "the tunnel again")
        check_gateways([peer.gateway])


run()
