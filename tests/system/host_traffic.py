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

from context import (SIDES, Counters, Gateway, InNamespace, KernelPeer, Testbed, check_gateways,
                     intent_of, roce, run, shape, test, wait_for)
from frr import Frr
from kernel_peer import WIRE_MTU

WEIR, KERNEL = SIDES
TWIN = "wire0h"
CLASSES = ("neighbour", "lldp", "lacp", "bfd", "bgp", "ssh", "icmp", "fragment", "other")
LLDP, LLDP_MAC = 0x88CC, "01:80:c2:00:00:0e"
ICMP_RATE = 1000                                 # A second and worker: the class's default.
FLOOD_RATE = 5000


class KernelPeerOverMemif(KernelPeer):
    """`twin_device`: of the twin. Its addresses are given by the test."""

    def __init__(self, bed, *, twin_device=f"net_tap3,iface={TWIN}", twin_addresses=True):
        self.twin_device = twin_device
        self.converter = None
        super().__init__(bed)
        if twin_addresses:
            self.give_twin_addresses()

    def memif(self, role):
        return (f"net_memif0,role={role},socket={self.bed.folder}/memif0,socket-abstract=no"
                + (f",mac={WEIR.wire_mac}" if role == "client" else ""))

    def wire_up(self):
        self.converter = Gateway(self.bed, "converter").start()
        self.converter.apply({"ports": [
            {"name": "memif", "role": "transit", "peer": "tap", "mtu": WIRE_MTU,
             "device": self.memif("server"), "rx_queues": self.queues},
            {"name": "tap", "role": "transit", "peer": "memif", "mtu": WIRE_MTU,
             "device": "net_tap1,iface=wire0", "rx_queues": self.queues}]})
        wait_for(lambda: self.converter.namespace.has_interface("wire0"), "the TAP wire0")
        self.converter.namespace.ip("link", "set", "wire0", "netns", self.peer.name)
        self.apply(self.memif("client"))
        for gateway in (self.gateway, self.converter):
            wait_for(lambda gateway=gateway: all(
                port["link_up"] for port in gateway.show("stats", "show")["ports"]
                if port["name"] in ("wire0", "memif")), f"the memif of {gateway.name}")

    def apply(self, wire_device):
        intent = intent_of(WEIR, tenant_device="net_tap0,iface=host0", wire_device=wire_device,
                           mtu=WIRE_MTU, queues=self.queues)
        intent["ports"].append({"name": "wire0-host", "role": "host", "device": self.twin_device,
                                "peer": "wire0"})
        self.gateway.apply(intent)
        self.host.plug_in()

    def set_up_kernel(self, ip):
        super().set_up_kernel(ip)
        ip("neigh", "del", WEIR.vtep, "dev", "wire0")  # The twin answers for itself.
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

    def gateways(self):
        return [self.gateway, self.converter]


def host_counters(gateway):
    """Class → what came at wire0: passed, policed, refused."""
    port = Counters(gateway).port("wire0")
    return {name: {event: port["host_" + event].get(name, 0)
                   for event in ("passed", "policed", "refused")} for name in CLASSES}


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

        # What ssh is like: a connection to port 22 that lasts while everything else goes on.
        server = bed.start("sshd-like", peer.gateway.namespace.inside(
            "iperf3", "-s", "-1", "-p", "22"))
        time.sleep(0.5)
        client = subprocess.Popen(peer.peer.inside(  # pylint: disable=consider-using-with
            "iperf3", "-c", WEIR.vtep, "-p", "22", "-t", "8", "-b", "4M", "-l", "1000"),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        peer.cross(streams=4 if shape()[0] > 1 else 1)
        _, said = client.communicate(timeout=60)
        assert client.returncode == 0, said
        server.stop()

        classes = host_counters(peer.gateway)
        assert classes["ssh"]["passed"] > 1000, classes["ssh"]
        for name, least in (("neighbour", 2), ("icmp", 20), ("fragment", 30)):
            assert classes[name]["passed"] >= least, classes
        assert all(entry["policed"] == 0 for entry in classes.values()), classes
        check_gateways(peer.gateways())


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
            # Other classes do not notice: a connection, and neighbours.
            peer.peer.ip("neigh", "flush", "dev", "wire0")
            assert peer.reaches(peer.peer, WEIR.vtep6) or True
            udp = peer.iperf3("-c", KERNEL.kernel.ip, "-u", "-b", "4M", "-l", 1200)
        seconds = time.monotonic() - started
        for way in ("sum", "sum_bidir_reverse"):
            assert udp[way]["packets"] > 500 and udp[way]["lost_packets"] == 0, udp[way]
        counters = Counters(peer.gateway)
        icmp = host_counters(peer.gateway)["icmp"]
        passed, policed = (icmp[name] - before[name] for name in ("passed", "policed"))
        assert sent[0] > 2 * ICMP_RATE * seconds, f"{sent[0]} in {seconds:.1f} s are no flood"
        workers = shape()[0]
        assert passed <= workers * (ICMP_RATE * (seconds + 1) + 200), (passed, seconds)
        assert policed > 1000 and policed == counters.drops_of("to_host")["host_policed"]
        check_gateways(peer.gateways(), but=("host_policed",))


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
        peer.host.plug_in()
        peer.host.give_addresses()
        wait_for(exchanged, "the session and the routes again", 60, interval=0.2)
        wait_for(lambda: peer.host.ping(KERNEL.kernel.ip, 1) == 1.0, "the tunnel again")
        check_gateways([peer.gateway])


run()
