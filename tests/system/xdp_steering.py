#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the program of an xdp port gives to Weir, and what it leaves to the kernel: VXLAN goes where
its address belongs, as the intent says at that moment, and RoCE in transit crosses beside the
kernel's own traffic."""

import contextlib
import ipaddress
import itertools
import socket
import struct

from context import (SIDES, Gateway, InNamespace, KernelPeerOverXdp, Link, RawPort, Replay,
                     TaggedPort, Testbed, all_shots, check_gateways, check_replay, roce, run, shape,
                     tag, test, wait_for)

HOST, KERNEL = SIDES
QUEUES = shape()[1]
FAMILIES = ((HOST.device, KERNEL.device), (HOST.device6, KERNEL.device6))


def state_of(gateway, name):
    return next(port for port in gateway.show("stats", "show")["ports"] if port["name"] == name)


def counted(gateway, reason):
    return sum(drop["packets"] for drop in gateway.show("drop", "show")["drops"]
               if drop["reason"] == reason)


def opened(gateway):
    """How often the data plane opened wire0."""
    return sum("device_opened" in line and "xdp:wire0" in line
               for line in gateway.dataplane.log().splitlines())


class KernelTunnel:
    """VXLAN 200 between the kernels of both ends, beside Weir's, on an address that the gateway's
    kernel has on the same interface."""

    VNI = 200
    ENDS = {4: ("198.18.0.77", KERNEL.vtep), 6: ("fd00:18::77", KERNEL.vtep6)}
    INNER = ("10.78.0.1", "10.78.0.2")

    def __init__(self, peer):
        self.peer = peer
        self.address = self.ENDS[peer.family][0]
        gateway, ends = peer.gateway.namespace, self.ENDS[peer.family]
        bits = 24 if peer.family == 4 else 64
        gateway.ip("addr", "add", f"{self.address}/{bits}", "dev", "wire0",
                   *peer.no_dad(self.address))
        for namespace, inner, local, remote in ((gateway, self.INNER[0], *ends),
                                                (peer.peer, self.INNER[1], *reversed(ends))):
            namespace.ip("link", "add", "vx1", "mtu", peer.mtu, "type", "vxlan", "id", self.VNI,
                         "local", local, "remote", remote, "dstport", 4789, "dev", "wire0",
                         *peer.checksum_options())
            namespace.offloads_off("vx1")
            namespace.ip("link", "set", "vx1", "up")
            namespace.ip("addr", "add", f"{inner}/24", "dev", "vx1")

    def lives(self):
        return "3 received" in self.peer.peer.run("ping", "-q", "-c", 3, "-i", 0.1, "-W", 1,
                                                  self.INNER[0], check=False)


def kernel_tunnel_beside_weirs(family):
    with Testbed(f"xdp-beside{family}") as bed:
        peer = KernelPeerOverXdp(bed, family=family)
        tunnel, gateway = KernelTunnel(peer), peer.gateway

        def weir_lives():
            return peer.host.ping(KERNEL.kernel.ip, 3) == 1.0

        assert tunnel.lives() and weir_lives()
        assert counted(gateway, "unknown_vni") == 0, "the kernel's tunnel came to Weir"

        before = opened(gateway)
        gateway.weir("vtep", "add", "beside", "kind", "local", "address", tunnel.address, "port",
                     "wire0")
        assert not tunnel.lives(), "VXLAN to a VTEP of Weir's went to the kernel"
        assert counted(gateway, "unknown_vni") > 0
        assert weir_lives()

        gateway.weir("vtep", "delete", "beside")
        counts = counted(gateway, "unknown_vni")
        assert tunnel.lives() and weir_lives()
        assert counted(gateway, "unknown_vni") == counts

        # Weir moves to the kernel's address, and back.
        intent = peer.intent("xdp:wire0")
        moved = {**intent, "vteps": [{**intent["vteps"][0], "address": tunnel.address},
                                     *intent["vteps"][1:]]}
        gateway.apply(moved)
        assert not tunnel.lives() and not weir_lives()
        gateway.apply(intent)
        assert tunnel.lives() and weir_lives()
        assert opened(gateway) == before, "the port was opened anew"
        check_gateways([gateway], but=("unknown_vni", *peer.noise))


@test
def vxlan_to_another_address_of_the_interface_is_the_kernels_over_ipv4():
    kernel_tunnel_beside_weirs(4)


@test
def vxlan_to_another_address_of_the_interface_is_the_kernels_over_ipv6():
    kernel_tunnel_beside_weirs(6)


class Transit:
    """A gateway between two cables, whose kernel has an address on either.

        left ══ wire0 ── gw1 ── wire1 ══ right"""

    # The gateway's kernel, and the host at that cable.
    ADDRESSES = (("10.79.1.1", "10.79.1.2"), ("10.79.2.1", "10.79.2.2"))

    def __init__(self, bed, options="", queues=QUEUES):
        self.gateway = Gateway(bed, "gw1").start()
        self.hosts = []
        for place, name in enumerate(("left", "right")):
            host = bed.namespace(name)
            wire, (ours, theirs) = f"wire{place}", self.ADDRESSES[place]
            bed.cable(self.gateway.namespace, wire, host, wire, queues=queues)
            self.gateway.namespace.ip("addr", "add", f"{ours}/24", "dev", wire)
            host.ip("addr", "add", f"{theirs}/24", "dev", wire)
            self.hosts.append(host)
        self.gateway.apply({"ports": [
            {"name": f"wire{place}", "role": "transit", "peer": f"wire{1 - place}",
             "device": f"xdp:wire{place}{options}"} for place in (0, 1)]})

    def raw_ports(self, udp_port=roce.ROCE_PORT):
        return [RawPort(host.name, f"wire{place}", udp_port)
                for place, host in enumerate(self.hosts)]

    def kernel_answers(self):
        return all("3 received" in host.run("ping", "-q", "-c", 3, "-i", 0.1, "-W", 1, ours,
                                            check=False)
                   for host, (ours, _) in zip(self.hosts, self.ADDRESSES))

    def kernel_hears(self, place, udp_port):
        """A datagram from a host's kernel to the gateway's."""
        ours, _ = self.ADDRESSES[place]
        with InNamespace(self.gateway.namespace.name):
            receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with InNamespace(self.hosts[place].name):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with receiver, sender, contextlib.suppress(TimeoutError):
            receiver.bind((ours, udp_port))
            receiver.settimeout(1.0)
            sender.sendto(b"for the kernel", (ours, udp_port))
            return receiver.recv(100) == b"for the kernel"
        return False


@test
def roce_crosses_in_transit_and_everything_else_is_the_kernels():
    with Testbed("xdp-transit") as bed:
        transit = Transit(bed)
        gateway = transit.gateway
        assert transit.kernel_answers()
        strays = transit.raw_ports(5000)
        crossed = [state_of(gateway, f"wire{place}")["tx_packets"] for place in (0, 1)]
        assert crossed == [0, 0], crossed

        replay = Replay(transit.raw_ports(), all_shots()).run(rounds=5)
        check_replay(replay)
        for place in (0, 1):
            port, sent = state_of(gateway, f"wire{place}"), replay.directions[place].sent
            assert port["rx_packets"] == sent > 0, (port, sent)
        assert transit.kernel_answers()
        # UDP to another port than RoCE's does not cross, whoever it is for; RoCE's own is Weir's,
        # even where it is for an address of the kernel's.
        for place in (0, 1):
            assert transit.kernel_hears(place, 5000)
            assert not transit.kernel_hears(place, roce.ROCE_PORT)
        frame = roce.cnp_like(HOST.device, KERNEL.device, ecn=0)
        other = frame[:36] + (5000).to_bytes(2, "big") + frame[38:]
        assert strays[0].send(other)
        assert strays[1].receive_within(0.5) is None, "a stranger's datagram crossed"
        check_gateways([gateway])

        # Nobody's while no data plane runs (absent=pass), so the kernel hears it.
        gateway.dataplane.kill()
        assert transit.kernel_answers() and transit.kernel_hears(0, roce.ROCE_PORT)
        gateway.start_dataplane()
        gateway.wait_in_sync()
        wait_for(lambda: all(state_of(gateway, f"wire{place}")["link_up"] for place in (0, 1)),
                 "both links are up")
        check_replay(Replay(transit.raw_ports(), all_shots()).run(rounds=1))
        assert not transit.kernel_hears(0, roce.ROCE_PORT)


@test
def checksums_that_a_sender_left_to_a_device_are_told_in_transit():
    with Testbed("xdp-transit-checksums") as bed:
        transit = Transit(bed)
        hears = transit.raw_ports()[1]
        left, (ours, _) = transit.hosts[0], transit.ADDRESSES[0]

        def told():
            drops = state_of(transit.gateway, "wire0")["device_drops"]
            return drops.get("checksum_unfinished", 0)

        for offload, count in (("off", 0), ("on", 20)):
            left.run("ethtool", "-K", "wire0", "tx", offload)
            with InNamespace(left.name):
                sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with sender:
                for size in range(20):
                    sender.sendto(bytes(size), (ours, roce.ROCE_PORT))
            wait_for(lambda count=count: told() == count, f"{count} of them are told")
            arrived = hears.discard_late()
            assert arrived == 20 - count, arrived
        check_gateways([transit.gateway], but=("checksum_unfinished",))


@test
def frames_of_a_queue_that_nobody_reads_are_told():
    with Testbed("xdp-transit-unread") as bed:
        transit = Transit(bed, ",queues=1", queues=2)
        left, right = transit.raw_ports()
        frames = [shot.frame for shot in all_shots() if shot.side == 0][:100]
        for frame in frames:
            assert left.send(frame)
        heard = right.discard_late()
        assert 0 < heard < len(frames), "one of two queues is read"

        def unread():
            return state_of(transit.gateway, "wire0")["device_drops"].get("port_unread", 0)

        wait_for(lambda: unread() == len(frames) - heard, "those of the other one are told")
        assert transit.kernel_answers()


PRIORITY_TAGS = ((0x8100, 5), (0x88A8, 3))         # TPID, priority.


@test
def roce_with_a_tag_of_priority_only_crosses_in_transit():
    with Testbed("xdp-transit-priority") as bed:
        transit = Transit(bed)
        left, right = (TaggedPort(host.name, f"wire{place}")
                       for place, host in enumerate(transit.hosts))
        for family, (tpid, priority) in itertools.product(FAMILIES, PRIORITY_TAGS):
            frame = roce.cnp_like(*family, ecn=roce.ECT0)
            sent = tag(frame, 0, tpid=tpid, priority=priority)
            left.send(sent)
            assert right.receive_within(2.0) == sent
            for vlans in ((7,), (0, 0), (0, 7)):
                left.send(tag(frame, *vlans, tpid=tpid, priority=priority))
        assert right.receive_all() == [], "a frame of a VLAN crossed"
        assert state_of(transit.gateway, "wire0")["rx_packets"] == 4
        check_gateways([transit.gateway])


def priority_tags_on_the_underlay(mode):
    """Tunnel packets, and questions about an address for which Weir answers."""
    with Testbed(f"xdp-priority-{mode}") as bed:
        peer = KernelPeerOverXdp(bed, family=6, wire_device=f"xdp:wire0,mode={mode}",
                                 neighbours="weir", link=Link())
        peer.wait_usable()
        host, wire = RawPort(peer.host.namespace.name, "host0"), TaggedPort(peer.peer.name, "wire0")
        theirs, ours = (roce.Host(side.wire_mac, side.vtep6) for side in (KERNEL, HOST))
        for inner, (tpid, priority) in itertools.product(FAMILIES, PRIORITY_TAGS):
            frame = roce.cnp_like(*reversed(inner), ecn=roce.ECT1)
            packet = roce.vxlan(frame, theirs, ours)
            for vlans in ((7,), (0, 0), (0, 7)):
                wire.send(tag(packet, *vlans, tpid=tpid, priority=priority))
            wire.send(tag(packet, 0, tpid=tpid, priority=priority))
            assert host.receive_within(2.0) == frame
        assert host.discard_late() == 0, "a frame of a VLAN went to Weir"
        for tpid, priority in PRIORITY_TAGS:
            wire.receive_all()
            wire.send(tag(solicitation(theirs, ours), 0, tpid=tpid, priority=priority))
            # To the asker: Weir also tells everybody of an address that has become usable.
            answers = [one for one in wire.receive_all(1.0) if one[:6] == roce.mac_bytes(theirs.mac)
                       and one[12:14] == b"\x86\xdd" and one[54:55] == b"\x88"]
            assert len(answers) == 1 and answers[0][6:12] == roce.mac_bytes(ours.mac), answers
        # Tags with a VLAN never got here, or they would have ended as unknown_vlan.
        check_gateways([peer.gateway], but=("next_hop_unresolved", *peer.noise))


def solicitation(asking, asked):
    """A neighbour solicitation (RFC 4861 section 4.3) of one VTEP for another's MAC."""
    source, target = (ipaddress.ip_address(one.ip).packed for one in (asking, asked))
    group = bytes.fromhex("ff0200000000000000000001ff") + target[13:]
    body = bytes((135, 0, 0, 0)) + bytes(4) + target + b"\x01\x01" + roce.mac_bytes(asking.mac)
    pseudo = source + group + struct.pack("!II", len(body), 58)
    checksum = roce.internet_checksum(pseudo + body)
    packet = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + source + group
    return (b"\x33\x33" + group[12:] + roce.mac_bytes(asking.mac) + b"\x86\xdd" + packet +
            body[:2] + struct.pack("!H", checksum) + body[4:])


@test
def a_tag_of_priority_only_hides_nothing_of_weirs_in_native_mode():
    priority_tags_on_the_underlay("native")


@test
def a_tag_of_priority_only_hides_nothing_of_weirs_in_generic_mode():
    priority_tags_on_the_underlay("generic")


@test
def generic_mode_tells_the_same_apart():
    with Testbed("xdp-transit-generic") as bed:
        transit = Transit(bed, ",mode=generic")
        assert state_of(transit.gateway, "wire0")["driver"] == "xdp generic copy"
        check_replay(Replay(transit.raw_ports(), all_shots()).run(rounds=2))
        assert transit.kernel_answers()
        check_gateways([transit.gateway])


run()
