#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Hosts on TAPs whose kernels leave checksums and segmentation to Weir, as they would to a NIC: TCP
and UDP cross two gateways and arrive in frames of the wire's size, each checksum right by the
receiving kernel's own count; packets of 9000 bytes too.

    host1 ── tap ── gw1 ══ memif ══ gw2 ── tap ── host2"""

import json
import socket

from context import (SIDES, Gateway, InNamespace, Iperf3, Testbed, TestbedError, check_gateways,
                     intent_of, run, settle, shape, test, wait_for)

UNDERLAY_MTU = 9216
NEAR, FAR = SIDES
# A burst of a sender that does not know our rings may find one full: TCP's own business.
FULL = ("tx_ring_full", "kernel_dropped")
UDP_SEGMENT = 103                                # <linux/udp.h>, at SOL_UDP.
CHECKSUM_ERRORS = ("TcpInCsumErrors", "UdpInCsumErrors", "Udp6InCsumErrors", "IcmpInCsumErrors",
                   "Icmp6InCsumErrors", "Ip6InHdrErrors", "IpInHdrErrors")


class Hosts:
    """All of the drawing, running."""

    def __init__(self, bed, mtu):
        self.bed, self.mtu = bed, mtu
        self.queues = shape()[1]
        self.gateways = [Gateway(bed, f"gw{side.number}") for side in SIDES]
        self.hosts = [bed.namespace(f"host{side.number}", ipv6=True) for side in SIDES]
        for side, gateway, host in zip(SIDES, self.gateways, self.hosts):
            role = ("server", "client")[side.number - 1]
            wire = (f"net_memif0,role={role},socket={bed.folder}/memif,socket-abstract=no,"
                    f"mac={side.wire_mac}")
            intent = intent_of(side, tenant_device=f"tap:host0,mac={side.kernel.mac}",
                               wire_device=wire, queues=self.queues, mtu=UNDERLAY_MTU)
            intent["ports"][1]["mtu"] = mtu
            gateway.start().apply(intent)
            gateway.namespace.ip("link", "set", "host0", "netns", host.name)
            host.ip("link", "set", "host0", "up")
        for gateway in self.gateways:
            wait_for(lambda gateway=gateway: all(
                port["link_up"] for port in gateway.show("stats", "show")["ports"]),
                     f"all links of {gateway.name}")
        for side, host in zip(SIDES, self.hosts):
            host.ip("addr", "add", f"{side.kernel.ip}/24", "dev", "host0")
            host.ip("addr", "add", f"{side.kernel6.ip}/64", "dev", "host0", "nodad")
        self.near, self.far = self.hosts
        for address in (FAR.kernel.ip, FAR.kernel6.ip):
            wait_for(lambda address=address: "1 received" in self.near.run(
                "ping", "-c", 1, "-W", 1, address, check=False), f"host1 reaches {address}")

    def offloads(self):
        """Those of host1 that are on."""
        features = self.near.run("ethtool", "-k", "host0")
        return {line.split(":")[0].strip() for line in features.splitlines() if ": on" in line}

    def errors(self):
        """What both kernels say of checksums."""
        found = {}
        for host in self.hosts:
            for line in host.run("nstat", "-az", *CHECKSUM_ERRORS).splitlines():
                words = line.split()
                if len(words) > 1 and words[0] in CHECKSUM_ERRORS and int(words[1]) != 0:
                    found[host.name, words[0]] = int(words[1])
        return found

    def tcp(self, address):
        """Bytes that arrived, there and back, in 2 seconds."""
        end = Iperf3(self.bed, self.near, self.far, address, "-t", 2).end()
        return [end[way]["bytes"] for way in ("sum_received", "sum_received_bidir_reverse")]

    def created(self):
        return sum(counters.totals()["created"] for counters in settle(self.gateways))


def kernel_segments(hosts, target, port, message, size):
    """Sends `message` with one system call, to be cut by the device; the datagrams that arrive."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    with InNamespace(hosts.far.name):
        receiver = socket.socket(family, socket.SOCK_DGRAM)
    with InNamespace(hosts.near.name):
        sender = socket.socket(family, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.settimeout(5)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        receiver.bind((target, port))
        sender.setsockopt(socket.SOL_UDP, UDP_SEGMENT, size)
        sender.sendto(message, (target, port))
        received = []
        while sum(map(len, received)) < len(message):
            received.append(receiver.recv(65536))
        return received


def cross(name, mtu):
    with Testbed(name) as bed:
        hosts = Hosts(bed, mtu)
        offloads = hosts.offloads()
        assert {"tx-checksumming", "tcp-segmentation-offload", "tx-tcp-segmentation",
                "tx-tcp6-segmentation"} <= offloads, offloads
        for size in (56, mtu - 28, 2 * mtu):
            assert "3 received" in hosts.near.run("ping", "-q", "-c", 3, "-i", 0.1, "-s", size,
                                                  FAR.kernel.ip), size
        for address in (FAR.kernel.ip, FAR.kernel6.ip):
            before = hosts.created()
            there, back = hosts.tcp(address)
            created = hosts.created() - before
            print(f"# MTU {mtu}, {address}: {there} bytes there, {back} back, {created} segments "
                  "created")
            assert min(there, back) > 3_000_000
            # Most bytes came in large frames.
            assert created > (there + back) / mtu / 4, created

            message = bytes(place * 7 & 0xFF for place in range(30_001))
            before = hosts.created()
            size = mtu - 100
            datagrams = kernel_segments(hosts, address, 5000, message, size)
            assert b"".join(datagrams) == message
            assert {len(datagram) for datagram in datagrams[:-1]} == {size}
            if "tx-udp-segmentation" in offloads:
                assert hosts.created() - before == len(datagrams) - 1
        assert hosts.errors() == {}
        check_gateways(hosts.gateways, but=FULL)


@test
def tcp_and_udp_cross_with_checksums_and_segmentation_left_to_weir():
    cross("tap", 1500)


@test
def the_same_with_packets_of_9000_bytes():
    cross("tap-jumbo", 9000)


@test
def a_tap_keeps_what_it_was_given_and_goes_with_its_port():
    with Testbed("tap-life") as bed:
        gateway = Gateway(bed, "gw1").start()
        ports = [{"name": "host0", "role": "tenant", "network": "blue", "mtu": 4000,
                  "device": "tap:host0,queues=2,mac=02:00:00:00:11:01"}]
        intent = {"networks": [{"name": "blue", "vni": 100}], "ports": ports}
        gateway.apply(intent)
        link = json.loads(gateway.namespace.ip("-j", "link", "show", "host0"))[0]
        assert (link["mtu"], link["address"]) == (4000, "02:00:00:00:11:01"), link
        assert "UP" in link["flags"], link
        port = gateway.show("stats", "show")["ports"][0]
        assert (port["driver"], port["mtu"], port["rx_queues"]) == ("tap", 4000, 2), port

        # Also where it was moved to; and the link is what it is there.
        host = bed.namespace("host1")
        gateway.namespace.ip("link", "set", "host0", "netns", host.name)
        ports[0]["mtu"] = 1400
        gateway.apply(intent)
        assert json.loads(host.ip("-j", "link", "show", "host0"))[0]["mtu"] == 1400
        for state in ("up", "down"):
            host.ip("link", "set", "host0", state)
            wait_for(lambda state=state: gateway.show("stats", "show")["ports"][0]["link_up"] == (
                state == "up"), f"the link is {state}")

        # Deleted by somebody, it is made anew.
        host.ip("link", "delete", "host0")
        wait_for(lambda: gateway.namespace.has_interface("host0"), "the TAP is made anew")
        link = json.loads(gateway.namespace.ip("-j", "link", "show", "host0"))[0]
        assert (link["mtu"], link["address"]) == (1400, "02:00:00:00:11:01"), link

        gateway.apply({"networks": intent["networks"]})
        wait_for(lambda: not gateway.namespace.has_interface("host0"), "the TAP goes")


@test
def what_a_tap_cannot_be_is_refused():
    with Testbed("tap-refused") as bed:
        gateway = Gateway(bed, "gw1").start()
        gateway.namespace.ip("tuntap", "add", "taken", "mode", "tap", "multi_queue")
        for device, word in (("tap:taken", "exists"), ("tap:host0,queues=65", "1 to 64"),
                             ("tap:host0,mtu=1500", "queues=, mac= and persist=")):
            port = {"name": "port0", "role": "tenant", "network": "blue", "device": device}
            try:
                gateway.apply({"networks": [{"name": "blue", "vni": 100}], "ports": [port]})
            except TestbedError as error:
                assert word in str(error), f"{device}: {error}"
            else:
                raise AssertionError(f"{device} is taken")
            assert not gateway.namespace.has_interface("host0")


run()
