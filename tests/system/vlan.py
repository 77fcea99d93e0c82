#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""VLANs of tenant ports, mapped to networks or carried as they are, and of underlay ports, whose
tunnels and neighbour messages have the tag. Kernels here make no VLAN interfaces: tags are written
and read by raw sockets, and the independent peer on an underlay VLAN is OVS-DPDK.

    host1 ── tap ── gw1 ══ wire0 ══ gw2 ── tap ── host2"""

import itertools
import struct
import time

from context import (SIDES, Gateway, OvsPeer, TaggedPort, Testbed, TestbedError, TwoGateways,
                     check_gateways, intent_of, roce, run, settle, shape, tag, test, wait_for)

NEAR, FAR = SIDES
BROADCAST = b"\xff" * 6
VNIS = {"blue": 100, "green": 200, "red": 300}
# What the frames of a network have in front of either host.
TAGS = {"blue": ((), ()), "green": ((100,), (200,)), "red": ((100, 7), (9,))}
UPLINK, OTHER = 300, 301
ARP, IPV6, ICMP6 = b"\x08\x06", b"\x86\xdd", 58


def port_name(network, side):
    return ".".join(["host0", *map(str, TAGS[network][side.number - 1])])


def intent_with_vlans(side, wire_device, queues):
    """Three networks at one tenant port."""
    intent = intent_of(side, tenant_device=f"tap:host0,mac={side.kernel.mac}",
                       wire_device=wire_device, queues=queues, mtu=9216)
    device, far = side.device.mac, SIDES[2 - side.number].device.mac
    intent["networks"] = [{"name": name, "vni": vni, "flood": ["peer"]}
                          for name, vni in VNIS.items()]
    intent["endpoints"] = []
    for network in VNIS:
        vlans = TAGS[network][side.number - 1]
        port = {"name": port_name(network, side), "role": "tenant", "network": network}
        if vlans:
            port |= {"parent": "host0", "vlan": vlans[0]}
            intent["ports"].append(port)
        if len(vlans) == 2:
            port["inner_vlan"] = vlans[1]
        intent["endpoints"] += [{"network": network, "mac": device, "port": port["name"]},
                                {"network": network, "mac": far, "vtep": "peer"}]
    return intent


class Hosts:
    """All of the drawing, running, with a raw socket in the place of each host."""

    def __init__(self, bed, intent=intent_with_vlans):
        self.gateways = [Gateway(bed, f"gw{side.number}") for side in SIDES]
        self.ports = []
        for side, gateway in zip(SIDES, self.gateways):
            role = ("server", "client")[side.number - 1]
            wire = (f"net_memif0,role={role},socket={bed.folder}/memif,socket-abstract=no,"
                    f"mac={side.wire_mac}")
            gateway.start().apply(intent(side, wire, shape()[1]))
            host = bed.namespace(f"host{side.number}")
            gateway.namespace.ip("link", "set", "host0", "netns", host.name)
            host.ip("link", "set", "host0", "up")
            self.ports.append(TaggedPort(host.name, "host0", large=True))
        for gateway in self.gateways:
            wait_for(lambda gateway=gateway: all(
                port["link_up"] for port in gateway.show("stats", "show")["ports"]),
                     f"all links of {gateway.name}")

    def crosses(self, way, frame, expected):
        """From one host to the other: exactly this comes out, once."""
        self.ports[way].send(frame)
        arrived = self.ports[1 - way].receive_within(3.0)
        assert arrived == expected, f"{expected.hex()} became {arrived and arrived.hex()}"

    def silent(self):
        for port in self.ports:
            assert port.receive_all() == []


def counted(gateway, reason):
    return sum(drop["packets"] for drop in gateway.show("drop", "show")["drops"]
               if drop["reason"] == reason)


def device_frames(side, ecns=(roce.NOT_ECT, roce.ECT0, roce.ECT1, roce.CE)):
    """From the RoCE device of one side to that of the other, in both families."""
    other = SIDES[2 - side.number]
    return [roce.cnp_like(source, target, ecn=ecn)
            for source, target in ((side.device, other.device), (side.device6, other.device6))
            for ecn in ecns]


def every_network_crosses(hosts):
    for (network, tags), way in itertools.product(TAGS.items(), (0, 1)):
        for frame in device_frames(SIDES[way]):
            for priority in (0, 5):
                entered = tag(frame, *tags[way], priority=priority) if tags[way] else frame
                hosts.crosses(way, entered, tag(frame, *tags[1 - way]))
        # To everybody in the network, and to nobody else.
        frame = BROADCAST + device_frames(SIDES[way])[0][6:]
        hosts.crosses(way, tag(frame, *tags[way]), tag(frame, *tags[1 - way]))
        hosts.silent()
        counts = hosts.gateways[way].show("stats", "show")["ports"]
        port = next(one for one in counts if one["name"] == port_name(network, SIDES[way]))
        assert port["rx_packets"] >= 17, port


@test
def tags_are_mapped_to_networks_and_back_to_other_tags():
    with Testbed("vlan-mapped") as bed:
        hosts = Hosts(bed)
        every_network_crosses(hosts)
        # A tag of priority only is none, in either form.
        for frame, tpid in itertools.product(device_frames(NEAR), (0x8100, 0x88A8)):
            hosts.crosses(0, tag(frame, 0, tpid=tpid, priority=6), frame)
        hosts.silent()
        check_gateways(hosts.gateways)


@test
def frames_of_unknown_vlans_end_under_their_own_reason():
    with Testbed("vlan-unknown") as bed:
        hosts = Hosts(bed)
        frame = device_frames(NEAR)[0]
        wrong = [tag(frame, 101), tag(frame, 4095), tag(frame, 100, 8), tag(frame, 7, 100),
                 tag(frame, 100, tpid=0x88A8), tag(frame, 100, 7, tpid=0x8100),
                 tag(tag(frame, 100), 0), tag(tag(frame, 3), 100, 7)]
        for one in wrong:
            hosts.ports[0].send(one)
        wait_for(lambda: counted(hosts.gateways[0], "unknown_vlan") == len(wrong),
                 f"{len(wrong)} frames of unknown VLANs")
        hosts.silent()
        check_gateways(hosts.gateways, but=("unknown_vlan",))
        every_network_crosses(hosts)


def intent_without_vlans(side, wire_device, queues):
    intent = intent_with_vlans(side, wire_device, queues)
    ports = {"host0", "wire0"}
    intent["ports"] = [port for port in intent["ports"] if port["name"] in ports]
    intent["endpoints"] = [endpoint for endpoint in intent["endpoints"]
                           if endpoint.get("port", "host0") in ports
                           and endpoint["network"] == "blue"]
    return intent


@test
def a_network_without_vlans_carries_all_tags_as_they_are():
    with Testbed("vlan-preserved") as bed:
        hosts = Hosts(bed, intent_without_vlans)
        for way in (0, 1):
            for frame in device_frames(SIDES[way]):
                for tagged in (frame, tag(frame, 0, priority=6), tag(frame, 100, priority=3),
                               tag(frame, 100, 7, priority=1), tag(frame, 5, tpid=0x88A8),
                               tag(tag(frame, 1), 2, 3)):
                    hosts.crosses(way, tagged, tagged)
        hosts.silent()
        check_gateways(hosts.gateways)


@test
def a_frame_with_a_tag_of_its_own_does_not_leave_where_vlans_are_mapped():
    with Testbed("vlan-hidden") as bed:
        hosts = Hosts(bed, lambda side, *rest: (
            intent_without_vlans if side is NEAR else intent_with_vlans)(side, *rest))
        frame = device_frames(NEAR)[0]
        hosts.crosses(0, frame, frame)
        for vlans in ((200,), (9,), (200, 9)):
            hosts.ports[0].send(tag(frame, *vlans))
        wait_for(lambda: counted(hosts.gateways[1], "network_frame_tagged") == 3, "3 tagged frames")
        hosts.silent()
        check_gateways(hosts.gateways, but=("network_frame_tagged",))


def tcp_frame(source, target, payload):
    header = struct.pack("!HHIIBBHHH", 40000, 5201, 1000, 99, 5 << 4, 0x10, 501, 0, 0)
    packet = roce.ip_header(source.ip, target.ip, len(header) + len(payload), tos=0)
    packet = packet[:9] + b"\x06" + packet[10:]
    packet = packet[:10] + b"\0\0" + packet[12:20]
    packet = packet[:10] + struct.pack("!H", roce.internet_checksum(packet)) + packet[12:]
    return roce.ethernet_header(source.mac, target.mac, 4) + packet + header + payload


def tcp_is_sound(frame):
    """Checksums of IPv4 and TCP."""
    packet = frame[14:]
    pseudo = packet[12:20] + struct.pack("!HH", 6, len(packet) - 20)
    return roce.internet_checksum(packet[:20]) == 0 and \
        roce.internet_checksum(pseudo + packet[20:]) == 0


@test
def large_frames_with_tags_arrive_in_segments_with_tags():
    with Testbed("vlan-large") as bed:
        hosts = Hosts(bed)
        payload = bytes(place * 7 & 0xFF for place in range(10_001))
        for (network, tags), way in itertools.product(TAGS.items(), (0, 1)):
            source, target = SIDES[way].device, SIDES[1 - way].device
            whole = tcp_frame(source, target, payload)
            hosts.ports[way].send_large_tcp(tag(whole, *tags[way]), 1000)
            got = b""
            for number in range(11):
                frame = hosts.ports[1 - way].receive_within(3.0)
                assert frame is not None, f"{network}: {number} of 11 segments"
                plain = frame[:12] + frame[12 + 4 * len(tags[1 - way]):]
                assert frame == tag(plain, *tags[1 - way]), frame.hex()
                assert tcp_is_sound(plain), plain.hex()
                assert struct.unpack_from("!I", plain, 38)[0] == 1000 + len(got), plain.hex()
                got += plain[54:]
            assert got == payload
        hosts.silent()
        created = sum(counters.totals()["created"] for counters in settle(hosts.gateways))
        print(f"# {created} segments were cut here, the others by the kernel")
        check_gateways(hosts.gateways)


@test
def a_packet_of_the_mtu_leaves_with_any_tags_and_no_larger_frame_does():
    def intent(side, *rest):
        intent = intent_with_vlans(side, *rest)
        if side is FAR:
            intent["ports"][1]["mtu"] = 1600
        return intent

    with Testbed("vlan-mtu") as bed:
        hosts = Hosts(bed, intent)
        for dead, tags in enumerate(TAGS.values()):
            largest = 1500 + 4 * (2 - len(tags[0]))  # The frame has room for two tags.
            for size in (1500, largest, largest + 1):
                frame = tcp_frame(FAR.device, NEAR.device, bytes(size - 40))
                if size <= largest:
                    hosts.crosses(1, tag(frame, *tags[1]), tag(frame, *tags[0]))
                else:
                    hosts.ports[1].send(tag(frame, *tags[1]))
            wait_for(lambda dead=dead: counted(hosts.gateways[0], "mtu_exceeded") == dead + 1,
                     "the frame that is too large")
        hosts.silent()
        check_gateways(hosts.gateways, but=("mtu_exceeded",))


@test
def the_command_line_adds_and_shows_vlans_and_says_what_is_wrong():
    with Testbed("vlan-cli") as bed:
        hosts = Hosts(bed, intent_without_vlans)
        gateway = hosts.gateways[1]
        gateway.weir("port", "add", "host0.s", "role", "tenant", "parent", "host0", "vlan", "100",
                     "inner_vlan", "7", "network", "red")
        gateway.weir("endpoint", "add", "red", FAR.device.mac, "port", "host0.s")
        row = next(line for line in gateway.weir("port", "show").splitlines()
                   if line.startswith("host0.s"))
        assert "host0 vlan 100.7" in row, row
        shown = gateway.show("port", "show")
        port = next(one for one in shown["ports"] if one["name"] == "host0.s")
        assert (port["parent"], port["vlan"], port["inner_vlan"]) == ("host0", 100, 7), port
        for arguments, word in (
                (("host0.t", "role", "tenant", "parent", "host0", "vlan", "100", "inner_vlan", "7",
                  "network", "green"), "already is VLAN 100.7"),
                (("host0.t", "role", "tenant", "parent", "host0", "vlan", "4095", "network",
                  "green"), "1..4094"),
                (("host0.t", "role", "tenant", "parent", "wire0", "vlan", "5", "network", "green"),
                 "VLANs are of tenant ports")):
            status, text = gateway.weir_refused("port", "add", *arguments)
            assert status != 0 and word in text, text
        # Frames of network red for the host behind the two tags come from a VLAN of its neighbour.
        near = hosts.gateways[0]
        near.weir("port", "add", "host0.100", "role", "tenant", "parent", "host0", "vlan", "100",
                  "network", "red")
        near.weir("endpoint", "add", "red", FAR.device.mac, "vtep", "peer")
        frame = device_frames(NEAR)[0]
        hosts.crosses(0, tag(frame, 100), tag(frame, 100, 7))
        gateway.weir("endpoint", "delete", f"red/{FAR.device.mac}")
        gateway.weir("port", "delete", "host0.s")
        check_gateways(hosts.gateways)


class UplinkVlan(TwoGateways):
    """Both gateways resolve each other on a VLAN of the cable between them."""

    def __init__(self, bed, family, vlan):
        self.family, self.vlan = family, vlan
        super().__init__(bed)

    def intent(self, side):
        pairs = f",qpairs={self.queues}" if self.queues > 1 else ""
        tenant = "net_tap0,iface=host0" if self.tap else f"net_af_packet1,iface=host0{pairs}"
        intent = intent_of(side, tenant_device=tenant, queues=self.queues, family=self.family,
                           wire_device=f"net_af_packet0,iface=wire0{pairs}")
        peer = SIDES[2 - side.number]
        intent["ports"][0]["vlan"] = self.vlan
        intent["next_hops"] = [{"name": "next", "port": "wire0",
                                "address": peer.vtep if self.family == 4 else peer.vtep6}]
        remote = intent["vteps"][1]
        del remote["port"], remote["next_hop_mac"]
        remote["next_hops"] = ["next"]
        return intent

    def usable(self):
        return [gateway.show("stats", "show")["next_hops"][0]["usable"]
                for gateway in self.gateways]

    def move_to(self, vlan):
        self.vlan = vlan
        for side, gateway in zip(SIDES, self.gateways):
            gateway.apply(self.intent(side))
        wait_for(lambda: self.usable() == [1, 1], f"both find each other on VLAN {vlan}", 15)


def judge_wire(frames, vlan):
    """All have the tag, and what they are."""
    kinds = set()
    for frame in frames:
        assert frame[12:14] == b"\x81\x00", frame.hex()
        assert struct.unpack_from("!H", frame, 14)[0] == vlan, frame.hex()
        inner = frame[:12] + frame[16:]
        is_nd = inner[12:14] == IPV6 and inner[20] == ICMP6
        kinds.add("neighbour" if inner[12:14] == ARP or is_nd else "tunnel")
    return kinds


def speak_on_a_vlan(family):
    with Testbed(f"vlan-uplink{family}") as bed:
        scenario = UplinkVlan(bed, family, UPLINK)
        near, far = scenario.hosts
        # All that either of them says.
        wire = TaggedPort(scenario.gateways[1].namespace.name, "wire0", hear_outgoing=True)
        scenario.start()
        assert near.ping(far.side.kernel.ip, 20) == near.ping(far.side.kernel6.ip, 20) == 1.0
        assert judge_wire(wire.receive_all(), UPLINK) == {"neighbour", "tunnel"}

        scenario.move_to(OTHER)
        time.sleep(0.5)
        wire.receive_all()
        assert near.ping(far.side.kernel.ip, 20) == 1.0
        assert judge_wire(wire.receive_all(), OTHER) >= {"tunnel"}

        # What another VLAN says is not heard.
        gateway = scenario.gateways[0]
        before = counted(gateway, "unknown_vlan")
        ours, theirs = (roce.Host(side.wire_mac, side.vtep) for side in SIDES)
        packet = roce.vxlan(device_frames(FAR)[0], theirs, ours)
        arp = BROADCAST + packet[6:12] + ARP + bytes(46)
        wrong = [tag(one, *vlans) for one in (packet, arp)
                 for vlans in ((), (0,), (UPLINK,))]
        for frame in wrong:
            wire.send(frame)
        wait_for(lambda: counted(gateway, "unknown_vlan") - before == len(wrong),
                 f"{len(wrong)} frames of other VLANs", 5)
        # Hosts report their groups (MLD) also while the uplink moves.
        check_gateways(scenario.gateways, but=("unknown_vlan", "next_hop_unresolved",
                                               "next_hop_link_down"))


@test
def tunnels_and_neighbours_speak_on_a_vlan_of_the_underlay_over_ipv4():
    speak_on_a_vlan(4)


@test
def tunnels_and_neighbours_speak_on_a_vlan_of_the_underlay_over_ipv6():
    speak_on_a_vlan(6)


def ovs_on_a_vlan(family):
    with Testbed(f"vlan-ovs{family}") as bed:
        peer = OvsPeer(bed, family=family, vlan=UPLINK)
        near, far = peer.hosts
        for address in (far.side.kernel.ip, far.side.kernel6.ip):
            wait_for(lambda address=address: near.ping(address, 1) == 1.0,
                     f"host1 reaches {address}")
        assert peer.ping_both() == [1.0] * 4
        wire = TaggedPort(peer.gateway.namespace.name, "wire0", hear_outgoing=True)
        assert peer.ping_both(5) == [1.0] * 4
        assert "tunnel" in judge_wire(wire.receive_all(), UPLINK)
        # The kernel behind OVS reports its groups (MLD) on the VLAN, which no gateway listens to.
        check_gateways([peer.gateway], but=("next_hop_unresolved", "wrong_destination_mac"))


@test
def ovs_dpdk_is_the_peer_on_a_vlan_over_ipv4():
    ovs_on_a_vlan(4)


@test
def ovs_dpdk_is_the_peer_on_a_vlan_over_ipv6():
    ovs_on_a_vlan(6)


@test
def an_xdp_uplink_with_a_vlan_is_refused():
    with Testbed("vlan-xdp") as bed:
        gateway = Gateway(bed, "gw1").start()
        try:
            gateway.apply({"ports": [{"name": "wire0", "role": "underlay", "vlan": UPLINK,
                                      "device": "xdp:wire0"}]})
        except TestbedError as error:
            assert "stay with the kernel" in str(error), error
        else:
            raise AssertionError("it was taken")


run()
