# SPDX-License-Identifier: Apache-2.0
"""VLANs: of a tenant port, mapped to networks or preserved; of an underlay port; wrong tags."""

from frames import (
    A1, B2, BLUE_VNI, BROADCAST, CE, ECT0, GREEN, GREEN_VNI, HOST, HOST2, MTU, NARROW_MTU, NEXT_HOP,
    NOBODY, NOT_ECT, SELF, TOPOLOGY, Table, WIRE, WIRE_MAC, encapsulated, with_tos, wrap,
    write_middle)
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether

TRUNK, V100, V200, STACKED, STRICT, STRICT100, TAGGED, OTHER = range(13, 21)
TAGGED_MAC = "02:70:63:61:70:13"
UPLINK_VLAN = 300
RED, RED_VNI = 7, 700
SELF6, GW6, GW7, GW8 = "fd00:18::1", "198.18.0.6", "fd00:18::7", "198.18.0.8"
# Endpoints: T: of blue at the trunk, untagged; V: of green at VLAN 100; W: of blue at VLAN 200;
# S: of red at 100 and 7; X: of red at the other trunk's VLAN 100; U: of blue behind the uplink.
T1, V1, W1, S1, X1 = ("02:00:00:00:20:%02x" % i for i in range(1, 6))
U4, U6, U_SUM = ("02:00:00:00:21:%02x" % i for i in range(1, 4))

VLANS = f"""\
port {TRUNK} trunk 1
vlan {V100} {TRUNK} 2 100
vlan {V200} {TRUNK} 1 200 0 {NARROW_MTU}
vlan {STACKED} {TRUNK} {RED} 100 7 {NARROW_MTU}
port {STRICT} trunk 0
vlan {STRICT100} {STRICT} {RED} 100
vlan 22 {STRICT} 0 400
port {TAGGED} underlay {TAGGED_MAC} {MTU} {UPLINK_VLAN}
network {RED} {RED_VNI} flood
vtep local 20 {SELF6} {TAGGED}
vtep remote 6 {GW6} {TAGGED} {SELF} {NEXT_HOP} resolved {MTU} 64 copy
vtep remote 7 {GW7} {TAGGED} {SELF6} {NEXT_HOP} resolved {MTU} 64 copy
vtep remote 8 {GW8} {TAGGED} {SELF} {NEXT_HOP} resolved {MTU} 64 copy full
endpoint 1 {T1} port {TRUNK}
endpoint 2 {V1} port {V100}
endpoint 1 {W1} port {V200}
endpoint {RED} {S1} port {STACKED}
endpoint {RED} {X1} port {STRICT100}
endpoint 1 {U4} vtep 6
endpoint 1 {U6} vtep 7
endpoint 1 {U_SUM} vtep 8
"""


def tag(frame, *vlans, tpid=0x8100, control=0):
    """`frame` with tags behind its MACs, outermost first; two are a service and a customer tag."""
    tags = b""
    for i, vlan in enumerate(vlans):
        kind = 0x88A8 if len(vlans) == 2 and i == 0 else tpid
        tags += kind.to_bytes(2, "big") + (control << 12 | vlan).to_bytes(2, "big")
    return frame[:12] + tags + frame[12:]


def scapys_tags(table):
    """The helper above writes what scapy does."""
    del table
    inner = Ether(src=A1, dst=B2) / ARP()
    one = Ether(src=A1, dst=B2) / Dot1Q(vlan=5, prio=3) / ARP()
    two = Ether(src=A1, dst=B2, type=0x88A8) / Dot1AD(vlan=9, type=0x8100) / Dot1Q(vlan=5) / ARP()
    assert tag(bytes(inner), 5, control=6) == bytes(one)
    assert tag(bytes(inner), 9, 5) == bytes(two)


def tagged_outer(inner, gateway, source=SELF, tos=0, **more):
    """What leaves at the tagged uplink; any byte for UDP source port, flow label and checksum."""
    frame = tag(wrap(inner, BLUE_VNI, source, gateway, NEXT_HOP, tos, from_mac=TAGGED_MAC, **more),
                UPLINK_VLAN).hex()
    if ":" not in gateway:
        return frame[:76] + "...." + frame[80:]
    # Version, class and the label's 20 bits; later the port.
    return frame[:39] + "....." + frame[44:116] + "...." + frame[120:]


def from_tenant(table):
    for version in (4, 6):
        for ecn in (NOT_ECT, ECT0, CE):
            inner = write_middle(V1, "02:00:00:00:0d:01", version, 46 << 2 | ecn)
            table.case(f"maps a tag to a network, IPv{version}, ECN {ecn}")
            table.enters(TRUNK, tag(inner, 100))
            table.leaves(WIRE, encapsulated(inner, GREEN_VNI, tos=46 << 2 | ecn))
            table.is_kind(V100, "roce_write", ecn)
    inner = write_middle(V1, "02:00:00:00:0d:01")
    for control in range(16):
        table.case(f"drops priority and DEI {control} with the tag")
        table.enters(TRUNK, tag(inner, 100, control=control))
        table.leaves(WIRE, encapsulated(inner, GREEN_VNI))
    inner = write_middle(T1, B2)
    table.case("takes untagged frames for the port's own network").enters(TRUNK, inner)
    table.leaves(WIRE, encapsulated(inner)).is_kind(TRUNK, "roce_write")
    for tpid in (0x8100, 0x88A8):
        table.case(f"takes priority-tagged frames for untagged ones, {tpid:#x}")
        table.enters(TRUNK, tag(inner, 0, tpid=tpid, control=10))
        table.leaves(WIRE, encapsulated(inner)).is_kind(TRUNK, "roce_write")
    inner = write_middle(S1, BROADCAST)
    table.case("maps two tags, floods with one").enters(TRUNK, tag(inner, 100, 7))
    table.leaves(STRICT, tag(inner, 100)).is_kind(STACKED, "roce_write")
    tpid = write_middle(T1, B2)
    foreign = tpid[:12] + b"\x91\x00\x00\x64" + tpid[12:]
    table.case("takes 0x9100 for no VLAN tag").enters(TRUNK, foreign)
    table.leaves(WIRE, encapsulated(foreign)).is_kind(TRUNK, "not_ip")


def preserved(table):
    """A port without VLANs carries tags unseen, and ECN behind them is seen (RFC 6040 §4.1)."""
    for ecn in (NOT_ECT, ECT0, CE):
        for vlans in ((0,), (100,), (100, 7), (1, 2, 3)):
            plain = write_middle(A1, B2, tos=ecn)
            inner = tag(plain, *vlans, control=11)
            seen = 0 if len(vlans) == 3 else ecn
            table.case(f"preserves tags {vlans} with ECN {ecn} into a tunnel").enters(HOST, inner)
            table.leaves(WIRE, encapsulated(inner, tos=seen))
            back = bytes.fromhex(A1.replace(":", "")) + inner[6:]
            table.case(f"preserves tags {vlans} with ECN {ecn} out of a tunnel")
            table.enters(WIRE, wrap(back)).leaves(HOST, back)


def wrong_tags(table):
    inner = write_middle(T1, B2)
    wrong = {
        "no mapping": tag(inner, 101),
        "the highest VID": tag(inner, 4095),
        "a lone service tag": tag(inner, 100, tpid=0x88A8),
        "an inner tag without mapping": tag(inner, 100, 8),
        "two tags swapped": tag(inner, 7, 100),
        "an outer tag that is mapped only with an inner one": tag(inner, 7),
        "two customer tags": tag(tag(inner, 7), 100),
        "a priority tag before a VLAN": tag(tag(inner, 100), 0),
        "a priority tag behind a VLAN": tag(inner, 100, 0),
        "a service priority tag before a VLAN": tag(inner, 0, 100),
        "three tags": tag(tag(inner, 7, 9), 100),
        "three tags, the first two mapped": tag(tag(inner, 5), 100, 7),
    }
    for name, frame in wrong.items():
        table.case(f"admits no frame with {name}").enters(TRUNK, frame)
        table.dies("host_to_wire/admit_tenant", "unknown_vlan")
    table.case("admits no VLAN of another port").enters(STRICT, tag(inner, 200))
    table.dies("host_to_wire/admit_tenant", "unknown_vlan")
    for name, frame in (("untagged", inner), ("priority-tagged", tag(inner, 0)),
                        ("a VLAN without network", tag(inner, 400))):
        table.case(f"admits nothing that is {name} where that belongs to no network")
        table.enters(STRICT, frame).dies("host_to_wire/admit_tenant", "port_without_network")
    # Every end within two tags, and within the headers behind them.
    for frame in (tag(inner, 100), tag(inner, 100, 7)):
        for length in range(len(frame)):
            table.case(f"does not read beyond {length} of {len(frame)} bytes")
            table.enters(TRUNK, frame[:length])
            tags_end = 18 if frame[12] == 0x81 else 22
            if length < 14 or 14 <= length < 18 or length < tags_end:
                table.dies("host_to_wire/admit_tenant", "frame_truncated")
            elif length < tags_end + 20:
                table.dies("host_to_wire/parse_frame", "frame_truncated")
            else:
                table.dies("host_to_wire/parse_frame", "ipv4_bad_total_length")


def to_tenant(table):
    for version in (4, 6):
        for outer_ecn in (NOT_ECT, CE):
            plain = write_middle(NOBODY, V1, version, ECT0)
            marked = with_tos(plain, CE if outer_ecn == CE else ECT0)
            table.case(f"tags what comes out of a tunnel, IPv{version}, outer ECN {outer_ecn}")
            table.enters(WIRE, wrap(plain, GREEN_VNI, tos=outer_ecn))
            table.leaves(TRUNK, tag(marked, 100))
    for name, vni, address, vlans in (("no tag", BLUE_VNI, T1, ()), ("one", BLUE_VNI, W1, (200,)),
                                      ("two", RED_VNI, S1, (100, 7))):
        inner = write_middle(NOBODY, address)
        table.case(f"gives {name} to a frame from a tunnel").enters(WIRE, wrap(inner, vni))
        table.leaves(TRUNK, tag(inner, *vlans))
        table.case(f"gives {name} to a frame whose priority tag comes off")
        table.enters(WIRE, wrap(tag(inner, 0, control=14), vni)).leaves(TRUNK, tag(inner, *vlans))
        for own in ((7,), (100, 7), (0, 100)):
            table.case(f"does not give {name} to a frame that has {own} within its network")
            table.enters(WIRE, wrap(tag(inner, *own), vni))
            table.dies("wire_to_host/tag_frame", "network_frame_tagged")
    # One hop without a tunnel.
    inner = write_middle(A1, W1)
    table.case("tags what a neighbour sends").enters(HOST, inner).leaves(TRUNK, tag(inner, 200))
    table.counts("local", 1)
    inner = write_middle(W1, A1)
    table.case("untags what a neighbour gets").enters(TRUNK, tag(inner, 200)).leaves(HOST, inner)
    inner = write_middle(W1, T1)
    table.case("goes from a VLAN to untagged at one port, of one network")
    table.enters(TRUNK, tag(inner, 200)).leaves(TRUNK, inner)
    inner = write_middle(S1, X1)
    table.case("goes from two tags to one at another port").enters(TRUNK, tag(inner, 100, 7))
    table.leaves(STRICT, tag(inner, 100))
    table.case("drops what is for the VLAN where it came from")
    table.enters(TRUNK, tag(write_middle(W1, W1), 200))
    table.dies("host_to_wire/look_up_endpoint", "destination_is_ingress_port")
    # In one burst, for one MAC: what is wrong for the first is right for the second.
    table.case("asks each frame of a burst where it came from")
    table.enters(TRUNK, tag(write_middle(W1, W1), 200)).enters(TRUNK, write_middle(T1, W1))
    table.leaves(TRUNK, tag(write_middle(T1, W1), 200))
    table.dies("host_to_wire/look_up_endpoint", "destination_is_ingress_port")
    table.case("lets no neighbour tag his way into another network")
    table.enters(HOST, tag(write_middle(A1, T1), 100))
    table.dies("host_to_wire/tag_frame", "network_frame_tagged")


def floods(table):
    inner = write_middle(A1, BROADCAST)
    table.case("floods to each member with its own tag").enters(HOST, inner)
    table.leaves(HOST2, inner).leaves(TRUNK, inner).leaves(TRUNK, tag(inner, 200))
    table.leaves(WIRE, encapsulated(inner))
    table.leaves(WIRE, encapsulated(inner, gateway="198.18.0.3", tos=46 << 2, ttl=17,
                                    next_hop="02:00:00:00:ff:03"))
    inner = write_middle(W1, BROADCAST)
    table.case("floods from a VLAN to the untagged side of its port, not back")
    table.enters(TRUNK, tag(inner, 200)).leaves(HOST, inner).leaves(HOST2, inner)
    table.leaves(TRUNK, inner).leaves(WIRE, encapsulated(inner))
    table.leaves(WIRE, encapsulated(inner, gateway="198.18.0.3", tos=46 << 2, ttl=17,
                                    next_hop="02:00:00:00:ff:03"))
    inner = write_middle(NOBODY, BROADCAST)
    table.case("floods from a tunnel to each member with its own tag")
    table.enters(WIRE, wrap(inner, GREEN_VNI)).leaves(GREEN, inner).leaves(TRUNK, tag(inner, 100))
    table.case("floods from a tunnel of the network with two tags")
    table.enters(WIRE, wrap(inner, RED_VNI)).leaves(TRUNK, tag(inner, 100, 7))
    table.leaves(STRICT, tag(inner, 100))


def sizes(table):
    """The MTU counts the IP packet; in front may be an Ethernet header and two tags."""
    for vlans, address, vni in (((200,), W1, BLUE_VNI), ((100, 7), S1, RED_VNI)):
        room = NARROW_MTU + 14 + 8 - 4 * len(vlans)
        for size in (NARROW_MTU + 14, room, room + 1):
            inner = write_middle(NOBODY, address, payload=size - 14 - 20 - 8 - 12 - 4)
            assert len(inner) == size
            table.case(f"{size} bytes to a host behind tags {vlans}")
            table.enters(WIRE, wrap(inner, vni))
            if size > room:
                table.dies("wire_to_host/look_up_endpoint", "mtu_exceeded")
            else:
                table.leaves(TRUNK, tag(inner, *vlans))
    largest = MTU - 20 - 8 - 8
    for size in (largest, largest + 1):
        inner = write_middle(A1, U4, payload=size - 14 - 20 - 8 - 12 - 4)
        table.case(f"{size} bytes into a tunnel at an uplink with a VLAN").enters(HOST, inner)
        if size > largest:
            table.dies("host_to_wire/choose_next_hop", "mtu_exceeded")
        else:
            table.leaves(TAGGED, tagged_outer(inner, GW6))


def uplink(table):
    inner = write_middle(A1, U4, tos=26 << 2 | ECT0)
    table.case("tags tunnel packets over IPv4").enters(HOST, inner)
    table.leaves(TAGGED, tagged_outer(inner, GW6, tos=26 << 2 | ECT0))
    inner = write_middle(A1, U6, tos=ECT0)
    table.case("tags tunnel packets over IPv6").enters(HOST, inner)
    table.leaves(TAGGED, tagged_outer(inner, GW7, SELF6, tos=ECT0))
    inner = write_middle(A1, U_SUM)
    frame = tagged_outer(inner, GW8)
    table.case("tags tunnel packets with a UDP checksum").enters(HOST, inner)
    table.leaves(TAGGED, frame[:88] + "...." + frame[92:])
    inner = write_middle(V1, "02:00:00:00:0d:01")
    for gateway, own, name in ((GW6, SELF, "IPv4"), (GW7, SELF6, "IPv6")):
        back = write_middle(U4, A1, tos=ECT0)
        outer = wrap(back, BLUE_VNI, gateway, own, TAGGED_MAC, tos=CE)
        for control in (0, 15):
            table.case(f"takes {name} tunnel packets of its VLAN, priority and DEI {control}")
            table.enters(TAGGED, tag(outer, UPLINK_VLAN, control=control))
            table.leaves(HOST, with_tos(back, CE)).is_kind(TAGGED, "roce_write", CE)
        wrong = {"untagged": outer, "of another VLAN": tag(outer, 301),
                 "of a service VLAN": tag(outer, UPLINK_VLAN, tpid=0x88A8),
                 "priority-tagged": tag(outer, 0)}
        for case, frame in wrong.items():
            table.case(f"takes no {name} tunnel packets that are {case}").enters(TAGGED, frame)
            table.dies("wire_to_host/untag_frame", "unknown_vlan")
        for more in (0, 5):
            table.case(f"takes no {name} tunnel packets with {more} behind its own VLAN")
            table.enters(TAGGED, tag(tag(outer, more), UPLINK_VLAN))
            table.dies("wire_to_host/parse_outer", "unknown_vlan")
        tagged = tag(outer, UPLINK_VLAN)
        for length in range(18):
            table.case(f"ends {name} within its tag, at byte {length}")
            table.enters(TAGGED, tagged[:length])
            table.dies("wire_to_host/untag_frame", "frame_truncated")
        for length in (18, 30, 37):
            table.case(f"ends {name} behind its tag, at byte {length}")
            table.enters(TAGGED, tagged[:length])
            table.dies("wire_to_host/parse_outer", "frame_truncated")
        plain = wrap(back, BLUE_VNI, gateway, own, tos=ECT0)
        for tpid in (0x8100, 0x88A8):
            table.case(f"takes priority-tagged {name} for untagged, {tpid:#x}")
            table.enters(WIRE, tag(plain, 0, tpid=tpid, control=14)).leaves(HOST, back)
            for length in range(14, 18):
                table.case(f"ends {name} within a priority tag, {tpid:#x}, at byte {length}")
                table.enters(WIRE, tag(plain, 0, tpid=tpid)[:length])
                table.dies("wire_to_host/parse_outer", "frame_truncated")
        for case, frame in {"a VLAN": tag(plain, 300), "two priority tags": tag(tag(plain, 0), 0),
                            "two tags": tag(plain, 300, 5), "three": tag(tag(plain, 0, 5), 0)
                            }.items():
            table.case(f"takes no {name} with {case} at an untagged uplink").enters(WIRE, frame)
            table.dies("wire_to_host/parse_outer", "unknown_vlan")


def neighbours(table):
    """What is said to an uplink with a VLAN has its tag, and reaches the housekeeper without."""
    group = "33:33:ff:00:00:01"
    for mac, port, vlan in ((TAGGED_MAC, TAGGED, UPLINK_VLAN), (WIRE_MAC, WIRE, 0)):
        for name, frame in (
                ("ARP", Ether(src=NEXT_HOP, dst=BROADCAST) / ARP(pdst=SELF)),
                ("an ARP answer", Ether(src=NEXT_HOP, dst=mac) / ARP(op=2, pdst=SELF)),
                ("NS", Ether(src=NEXT_HOP, dst=group) / IPv6(hlim=255) / ICMPv6ND_NS(tgt=SELF6)),
                ("NA", Ether(src=NEXT_HOP, dst=mac) / IPv6(hlim=255) / ICMPv6ND_NA(tgt=SELF6))):
            frame = bytes(frame)
            for control in (0, 13):
                table.case(f"hands on {name} of VLAN {vlan}, priority and DEI {control}")
                table.enters(port, tag(frame, vlan, control=control)).is_punted(frame)
            for other in (vlan + 1, 4095):
                table.case(f"hands on no {name} of VLAN {other} where {vlan} is right")
                table.enters(port, tag(frame, other))
                table.dies(f"wire_to_host/{'untag_frame' if vlan else 'parse_outer'}",
                           "unknown_vlan")
            if vlan:
                table.case(f"hands on no {name} without its tag").enters(port, frame)
                table.dies("wire_to_host/untag_frame", "unknown_vlan")


def large(table):
    """Large frames with tags: each segment is of the VLAN's network, and of the MTU's size."""
    payload = bytes(place & 0xFF for place in range(1000))

    def whole(source, target, data=payload, sequence=0):
        return bytes(Ether(src=source, dst=target) /
                     IP(src="10.0.0.1", dst="10.0.0.2", id=5 + sequence // 400, flags="DF") /
                     TCP(sport=1, dport=2, seq=sequence, flags="A") / data)

    def segments(source, target):
        return [whole(source, target, payload[at:at + 400], at) for at in (0, 400, 800)]

    far = "02:00:00:00:0d:01"
    table.case("cuts a large frame of a VLAN").enters(TRUNK, tag(whole(V1, far), 100), 400)
    for segment in segments(V1, far):
        table.leaves(WIRE, encapsulated(segment, GREEN_VNI))
    table.is_kind(V100, "ip", NOT_ECT, 3)
    table.case("cuts a large frame with two tags").enters(
        TRUNK, tag(whole(S1, X1), 100, 7), 400)
    for segment in segments(S1, X1):
        table.leaves(STRICT, tag(segment, 100))
    table.case("cuts a large frame for a VLAN").enters(HOST, whole(A1, W1), 400)
    for segment in segments(A1, W1):
        table.leaves(TRUNK, tag(segment, 200))
    table.case("cuts a large frame for an uplink with a VLAN").enters(HOST, whole(A1, U4), 400)
    for segment in segments(A1, U4):
        table.leaves(TAGGED, tagged_outer(segment, GW6))
    table.case("cuts a large frame of no VLAN in vain").enters(
        TRUNK, tag(whole(V1, far), 101), 400)
    table.dies("host_to_wire/admit_tenant", "unknown_vlan", 3)


def make():
    table = Table(TOPOLOGY + VLANS)
    for part in (scapys_tags, from_tenant, preserved, wrong_tags, to_tenant, floods, sizes, uplink,
                 neighbours, large):
        part(table)
    return table
