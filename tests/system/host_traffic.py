#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A gateway that no kernel interface leads to but the twin of its underlay port: its kernel is
reached, pinged and speaks BGP through it, while tunnels use the same port.

    host1 ── gw1 ══ memif ══ converter ── TAP wire0: kernel (198.18.0.2), VXLAN, BGP
              └─ twin wire0h: gw1's own kernel (198.18.0.1)

The converter is a gateway too, in transit between a memif and a TAP."""

import contextlib
import shutil
import socket
import struct
import subprocess
import threading
import time

from context import (SIDES, USER, Counters, Gateway, InNamespace, KernelPeer, Link, Testbed,
                     check_gateways, command, roce, run, shape, test, wait_for)
from frr import Frr
from kernel_peer import WIRE_MTU

WEIR, KERNEL = SIDES
TWIN = "wire0h"
CLASSES = ("neighbour", "lldp", "lacp", "bfd", "bgp", "ssh", "icmp", "fragment", "other")
TWIN_PORT = {"name": "wire0-host", "role": "host", "device": f"tap:{TWIN}", "peer": "wire0"}
LINK_PROTOCOLS = {"lldp": (0x88CC, "01:80:c2:00:00:0e"), "lacp": (0x8809, "01:80:c2:00:00:02")}
ICMP_RATE, ICMP_BURST = 1000, 200                # A second and worker: the class's default.
FLOOD_RATE = 5000
OTHER_MAC = "02:70:63:61:70:77"


class KernelPeerOverMemif(KernelPeer):
    """Weir and the twin both have the VTEP's address, and both ask for the kernel's."""

    def __init__(self, bed, *, twin_addresses=True, twin=None):
        self.converter = None
        self.twin = twin or TWIN_PORT
        super().__init__(bed, link=Link())
        if twin_addresses:
            self.give_twin_addresses()
        self.wait_resolved()

    def memif(self, role):
        return (f"net_memif0,role={role},socket={self.bed.folder}/memif0,"
                "socket-abstract=no,rsize=12"
                + (f",mac={WEIR.wire_mac}" if role == "client" else ""))

    def wire_up(self):
        self.converter = Gateway(self.bed, "converter").start()
        self.converter.apply({"ports": [
            {"name": "memif", "role": "transit", "peer": "tap", "mtu": WIRE_MTU,
             "device": self.memif("server"), "rx_queues": self.queues},
            {"name": "tap", "role": "transit", "peer": "memif", "mtu": WIRE_MTU,
             "device": "tap:wire0", "rx_queues": self.queues, "rx_descriptors": 4096}]})
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
        intent["ports"].append(self.twin)
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

    def weir(self, *arguments):
        self.gateway.weir(*arguments)
        self.gateway.wait_in_sync()

    def check(self, but=()):
        check_gateways([self.gateway], but)
        # Weir asks for its neighbour before the kernel's end of the wire is up.
        check_gateways([self.converter], ("tx_ring_full",))


def fields_of(port):
    """As the arguments of `weir port add`."""
    return [port["name"]] + [word for name, value in port.items() if name != "name"
                             for word in (name, value)]


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
    peer.gateway.namespace.wait_listens(22)
    arguments = peer.peer.inside("iperf3", "-c", address, "-p", 22, *options)
    with subprocess.Popen(list(map(str, arguments)), stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as client:
        yield
        _, said = client.communicate(timeout=60)
    assert client.returncode == 0, said
    server.stop()


def echoes_heard(namespace):
    """Echo requests that the kernel of a namespace counts."""
    lines = namespace.run("nstat", "-asz", "IcmpInEchos", "Icmp6InEchos").splitlines()[1:]
    return sum(int(line.split()[1]) for line in lines)


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
                # What the machine kept us from is made up for, 100 at a time.
                owed = int((time.monotonic() - begins) * FLOOD_RATE) - sent[0]
                for _ in range(min(owed, 100)):
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

        with connection(bed, peer, "--bidir", "-t", 4, "-b", "4M", "-l", 1000):
            peer.cross(streams=4 if shape()[0] > 1 else 1)

        classes = host_counters(peer.gateway)
        assert classes["ssh"]["passed"] > 1000, classes["ssh"]
        for name, least in (("neighbour", 2), ("icmp", 20), ("fragment", 30)):
            assert classes[name]["passed"] >= least, classes
        assert all(entry["policed"] == 0 for entry in classes.values()), classes
        peer.check()


@test
def a_connection_lives_through_restarts_of_the_data_plane():
    with Testbed("host-restart") as bed:
        peer = KernelPeerOverMemif(bed, twin=TWIN_PORT | {"device": f"tap:{TWIN},persist=yes"})
        gateway = peer.gateway
        with InNamespace(gateway.namespace.name):
            listener = socket.create_server((WEIR.vtep, 22))
        with InNamespace(peer.peer.name):
            client = socket.create_connection((WEIR.vtep, 22), 10)
        server, _ = listener.accept()
        server.settimeout(30)
        client.settimeout(30)
        for end in ("kill", "stop", "kill"):
            client.sendall(b"before")
            assert server.recv(100) == b"before"
            getattr(gateway.dataplane, end)()
            wait_for(lambda: gateway.link_state() != "in_sync", "the data plane is missed")
            client.sendall(b"there")
            server.sendall(b"back")
            gateway.start_dataplane()
            gateway.wait_in_sync()
            assert (server.recv(100), client.recv(100)) == (b"there", b"back")
        for one in (client, server, listener):
            one.close()


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
        assert peer.reaches(peer.peer, WEIR.vtep)
        peer.weir("host-rule", "add", "icmp", "action", "drop")
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
        peer.weir("host-rule", "set", "icmp", "action", "to_host", "rate", 1, "burst", 2)
        received = peer.peer.run("ping", "-q", "-c", 20, "-i", 0.01, "-W", 1, WEIR.vtep,
                                 check=False)
        passed = host_counters(peer.gateway)["icmp"]["passed"] - 5
        assert 2 <= passed <= 2 + 3 and f" {passed} received" in received, received
        peer.weir("host-rule", "delete", "icmp")
        assert peer.reaches(peer.peer, WEIR.vtep)
        peer.check(but=("host_refused", "host_policed"))


@test
def without_its_twin_a_port_carries_tunnels_alone():
    with Testbed("host-alone") as bed:
        peer = KernelPeerOverMemif(bed)
        assert peer.reaches(peer.peer, WEIR.vtep)
        passed = host_counters(peer.gateway)["icmp"]["passed"]

        peer.weir("port", "delete", "wire0-host")
        assert not peer.gateway.namespace.has_interface(TWIN)
        assert not peer.reaches(peer.peer, WEIR.vtep)
        assert peer.host.ping(KERNEL.kernel.ip, 10) == 1.0
        assert Counters(peer.gateway).drops_of("wire_to_host")["protocol_not_handled"] == 5
        assert host_counters(peer.gateway)["icmp"]["passed"] == passed

        # It is another interface, without addresses.
        peer.weir("port", "add", *fields_of(TWIN_PORT))
        peer.give_twin_addresses()
        assert peer.reaches(peer.peer, WEIR.vtep)
        assert host_counters(peer.gateway)["icmp"]["passed"] == passed + 5
        # The host reports its groups (MLD) before anybody has asked for the next hop.
        peer.check(but=("protocol_not_handled", "wrong_destination_mac", "next_hop_unresolved"))


@test
def a_twin_is_the_interface_that_its_port_says_or_is_refused():
    with Testbed("host-twin") as bed:
        gateway = Gateway(bed, "gw1").start()
        namespace = gateway.namespace
        fields = fields_of(TWIN_PORT)

        bed.folder.chmod(0o711)
        sockets = bed.folder / "sockets"         # Where the data plane's user may make one later.
        sockets.mkdir()
        shutil.chown(sockets, USER)

        def wire(mac):
            return f"net_memif0,role=server,socket={sockets}/0,socket-abstract=no,mac={mac}"

        def weir(*arguments):
            gateway.weir(*arguments)
            gateway.wait_in_sync()

        def is_refused(because, *arguments):
            status, said = gateway.weir_refused(*arguments)
            assert status != 0 and because in said, said

        gateway.apply({"ports": [{"name": "wire0", "role": "underlay", "mtu": WIRE_MTU,
                                  "device": wire(WEIR.wire_mac)}]})
        namespace.ip("tuntap", "add", TWIN, "mode", "tap")
        is_refused("port wire0-host: the data plane refuses: an interface of this name exists",
                   "port", "add", *fields)
        namespace.ip("link", "delete", TWIN)
        weir("port", "add", *fields)
        link = namespace.ip("-o", "link", "show", TWIN)
        assert WEIR.wire_mac in link and f"mtu {WIRE_MTU}" in link, link
        is_refused("wire0-host", "port", "delete", "wire0")
        is_refused("already has the twin", "port", "add", "second", "role", "host", "peer", "wire0",
                   "device", "tap:second")

        # Its peer's device is another one; somebody deletes it; somebody renames it.
        weir("port", "set", "wire0", "device", wire(OTHER_MAC))
        assert OTHER_MAC in namespace.ip("-o", "link", "show", TWIN)
        namespace.ip("link", "delete", TWIN)
        wait_for(lambda: namespace.has_interface(TWIN), "the twin is made anew", 5)
        assert OTHER_MAC in namespace.ip("-o", "link", "show", TWIN)
        namespace.ip("link", "set", TWIN, "down")
        namespace.ip("link", "set", TWIN, "name", "renamed")
        namespace.ip("link", "set", "renamed", "up")
        weir("port", "set", "wire0-host", "mtu", 1400)
        assert "mtu 1400" in namespace.ip("-o", "link", "show", "renamed")
        weir("port", "delete", "wire0-host")
        assert not namespace.has_interface("renamed")
        check_gateways([gateway])


@test
def lldp_and_lacp_come_and_go():
    with Testbed("host-lldp") as bed:
        peer = KernelPeerOverMemif(bed)
        ends = ((peer.peer, "wire0", KERNEL.wire_mac), (peer.gateway.namespace, TWIN,
                                                        WEIR.wire_mac))
        for name, (ethertype, group) in LINK_PROTOCOLS.items():
            for (near, near_interface, mac), (far, far_interface, _) in (ends, ends[::-1]):
                frame = roce.mac_bytes(group) + roce.mac_bytes(mac) + \
                    struct.pack("!H", ethertype) + b"\x02\x07\x04" + bytes(107)
                with raw_socket(far, far_interface, ethertype) as hears, \
                        raw_socket(near, near_interface, ethertype) as speaks:
                    speaks.send(frame)
                    assert hears.recv(2000) == frame, name
            assert host_counters(peer.gateway)[name]["passed"] == 1, name
        peer.check()


@test
def a_flood_is_policed_and_tunnels_lose_nothing():
    with Testbed("host-flood") as bed:
        peer = KernelPeerOverMemif(bed)
        assert peer.reaches(peer.peer, WEIR.vtep)
        before = host_counters(peer.gateway)["icmp"]
        heard_before = echoes_heard(peer.gateway.namespace)
        started = time.monotonic()
        with flood(peer.peer) as sent, connection(bed, peer, "--bidir", "-t", 5, "-b", "2M"):
            assert peer.host.ping(KERNEL.kernel.ip, 100) == 1.0
            # Other classes do not notice: the kernel answers, though the ping may be policed.
            peer.peer.ip("neigh", "flush", "dev", "wire0")
            peer.reaches(peer.peer, WEIR.vtep6)
            assert f"lladdr {WEIR.wire_mac}" in peer.peer.ip("neigh", "show", WEIR.vtep6)
            with peer.udp_crosses(KERNEL.kernel.ip):
                pass
        seconds = time.monotonic() - started
        peer.check(but=("host_policed",))
        counters = Counters(peer.gateway)
        icmp = host_counters(peer.gateway)["icmp"]
        passed, policed = (icmp[name] - before[name] for name in ("passed", "policed"))
        assert sent[0] > 2 * ICMP_RATE * seconds, f"{sent[0]} in {seconds:.1f} s are no flood"
        # One flow, so one worker; the pings before took a little of the burst.
        assert passed <= 1.02 * ICMP_RATE * seconds + ICMP_BURST, (passed, seconds)
        assert passed >= 0.8 * ICMP_RATE * seconds, (passed, seconds)
        lost_before = Counters(peer.converter).drops_of("transit").get("tx_ring_full", 0)
        assert passed + policed >= sent[0] - lost_before, (icmp, sent, lost_before)
        assert policed == counters.drops_of("to_host")["host_policed"], policed
        assert echoes_heard(peer.gateway.namespace) - heard_before == passed
        for name in ("ssh", "neighbour", "other"):
            assert host_counters(peer.gateway)[name]["policed"] == 0, name


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
        # For as long as a session lives without a word of the other side.
        with peer.udp_crosses(KERNEL.kernel.ip, seconds=3):
            pass
        assert ours.established() and ours.sessions_lost() == 0

        # The TAP goes with the process; zebra gives its successor the address again.
        peer.gateway.dataplane.stop()
        wait_for(lambda: not theirs.established(), "the end of the session", 30, interval=0.2)
        peer.gateway.start_dataplane()
        peer.gateway.wait_in_sync()
        peer.wait_resolved()
        peer.host.plug_in()
        peer.host.give_addresses()
        wait_for(exchanged, "the session and the routes again", 60, interval=0.2)
        wait_for(lambda: peer.host.reaches(KERNEL.kernel.ip), "the tunnel again")
        check_gateways([peer.gateway])


run()
