# SPDX-License-Identifier: Apache-2.0
"""Where frames go and what they look like there: into tunnels, out of them, to neighbours, to
everyone, and through."""

from frames import (
    A1, A2, A_GONE, A_GREEN, B2, B3, BROADCAST, B_GONE, B_SMALL, B_UNRESOLVED, C1, CE, D2, E1,
    E2, ECN_NAMES, ECT0, ECT1, GREEN, GREEN_VNI, GW2, GW3, HOMELESS, HOST, HOST2, LARGEST,
    LARGEST_VNI, LEFT, LONELY, MIXED_VNI, MTU, N1, NARROW, NARROW_MTU, NEXT_HOP3, NOBODY, NOT_ECT,
    PEERLESS, R1, RIGHT, ROOMY, Table, WIRE, Z1, Z2, ZERO, ZERO_VNI, encapsulated, ip_layer,
    roce_bytes, with_tos, wrap, write_middle)
from scapy.layers.inet import TCP, UDP
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw
import roce

# RFC 6040 section 4.2, figure 4, typed from the RFC: {inner: {outer: what leaves}}; None: dropped.
FIGURE_4 = {
    NOT_ECT: {NOT_ECT: NOT_ECT, ECT0: NOT_ECT, ECT1: NOT_ECT, CE: None},
    ECT0: {NOT_ECT: ECT0, ECT0: ECT0, ECT1: ECT1, CE: CE},
    ECT1: {NOT_ECT: ECT1, ECT0: ECT1, ECT1: ECT1, CE: CE},
    CE: {NOT_ECT: CE, ECT0: CE, ECT1: CE, CE: CE},
}
DSCPS = (0, 1, 26, 46, 63)


def into_tunnel(table):
    for version in (4, 6):
        for ecn in (NOT_ECT, ECT1, ECT0, CE):
            for dscp in DSCPS:
                tos = dscp << 2 | ecn
                inner = write_middle(A1, B2, version, tos)
                # Section 4.1, normal mode: the outer header gets what the inner one has, CE too.
                table.case(f"encapsulates IPv{version} with TOS {tos:#04x}, DSCP copied")
                table.enters(HOST, inner).leaves(WIRE, encapsulated(inner, tos=tos))
                table.is_kind(HOST, "roce_write", ecn)
                inner = write_middle(A1, B3, version, tos)
                table.case(f"encapsulates IPv{version} with TOS {tos:#04x}, DSCP pinned")
                table.enters(HOST, inner).leaves(
                    WIRE, encapsulated(inner, gateway=GW3, tos=46 << 2 | ecn, ttl=17,
                                       next_hop=NEXT_HOP3))
    for vni, port, source, destination in ((LARGEST_VNI, LARGEST, E1, E2), (ZERO_VNI, ZERO, Z1, Z2),
                                           (GREEN_VNI, GREEN, C1, D2)):
        inner = write_middle(source, destination)
        table.case(f"writes VNI {vni}")
        table.enters(port, inner).leaves(WIRE, encapsulated(inner, vni))


def out_of_tunnel(table):
    for version in (4, 6):
        for tags in (0, 1, 2):
            for inner_ecn, row in FIGURE_4.items():
                for outer_ecn, result in row.items():
                    for dscp in (0, 46):
                        decapsulation(table, version, tags, dscp, inner_ecn, outer_ecn, result)
    # Without an IP header there is no ECN to propagate, and nothing to drop.
    arp = bytes(Ether(src=B2, dst=A1) / ARP(op=2, psrc="10.0.0.2", pdst="10.0.0.1"))
    table.case("brings ARP out of a tunnel marked CE").enters(WIRE, wrap(arp, tos=CE))
    table.leaves(HOST, arp).is_kind(WIRE, "not_ip", CE)
    for vni, port, source, destination in ((LARGEST_VNI, LARGEST, E2, E1), (ZERO_VNI, ZERO, Z2, Z1),
                                           (GREEN_VNI, GREEN, D2, C1)):
        inner = write_middle(source, destination)
        table.case(f"reads VNI {vni}").enters(WIRE, wrap(inner, vni)).leaves(port, inner)
    inner = write_middle(B2, A1)
    table.case("accepts a right UDP checksum").enters(WIRE, wrap(inner, checksum=None))
    table.leaves(HOST, inner)
    odd = inner + b"\x5a"
    table.case("accepts a right UDP checksum over an odd length")
    table.enters(WIRE, wrap(odd, checksum=None)).leaves(HOST, odd)
    outer = bytearray(wrap(inner))
    outer[43:46] = outer[49:50] * 3  # Reserved: ignored on receipt.
    outer[42] = 0xFF
    outer[49] = 0xFF
    table.case("ignores reserved bits of VXLAN").enters(WIRE, outer).leaves(HOST, inner)


def decapsulation(table, version, tags, dscp, inner_ecn, outer_ecn, result):
    ethernet = Ether(src=B2, dst=A1)
    for tag in range(tags):
        ethernet = ethernet / (Dot1AD(vlan=9, type=0x8100) if tag + 1 < tags
                               else Dot1Q(vlan=100, prio=3))
    if tags == 2:
        ethernet.type = 0x88A8
    inner = roce_bytes(ethernet, ip_layer(version, dscp << 2 | inner_ecn), 0x04, bytes(100))
    start = 14 + 4 * tags
    table.case(f"decapsulates IPv{version} behind {tags} tags, DSCP {dscp}, "
               f"inner {ECN_NAMES[inner_ecn]}, outer {ECN_NAMES[outer_ecn]}")
    # Another DSCP outside: the inner one must stay.
    table.enters(WIRE, wrap(inner, tos=10 << 2 | outer_ecn))
    table.is_kind(WIRE, "roce_send", outer_ecn)
    table.counts(f"ecn_decap_{inner_ecn}_{outer_ecn}", 1)
    if result is None:
        table.dies("wire_to_host/propagate_ecn", "ecn_ce_on_not_ect")
        return
    expected = with_tos(inner, dscp << 2 | result, start)
    # The ICRC does not cover the bits that changed, and so it must still hold.
    assert expected[-4:] == roce.icrc(expected[start:-4])
    table.leaves(HOST, expected)


def kinds_of_inner_frames(table):
    """What is carried need not be RoCE, nor IP, nor long."""
    tcp = Ether(src=A1, dst=B2) / ip_layer(4, 0) / TCP(sport=4791, dport=4791) / Raw(bytes(200))
    frames = {
        "TCP": bytes(tcp),
        "ARP": bytes(Ether(src=A1, dst=B2) / ARP(psrc="10.0.0.1", pdst="10.0.0.2")),
        "padded ARP": bytes(Ether(src=A1, dst=B2) / ARP()).ljust(60, b"\0"),
        "padded IP": bytes(Ether(src=A1, dst=B2) / ip_layer(4, 0) / UDP() / b"x").ljust(60, b"\0"),
        "RoCEv1": bytes(Ether(src=A1, dst=B2, type=0x8915) / Raw(bytes(80))),
        "only an Ethernet header": bytes(Ether(src=A1, dst=B2, type=0x88B5)),
        "LLDP-like": bytes(Ether(src=A1, dst=B2, type=0x88CC) / Raw(b"\2\7")),
        "VLAN-tagged RoCE": roce_bytes(Ether(src=A1, dst=B2) / Dot1Q(vlan=5), ip_layer(4, 0), 4),
        "three VLAN tags": bytes(Ether(src=A1, dst=B2) / Dot1Q(vlan=1) / Dot1Q(vlan=2) /
                                 Dot1Q(vlan=3) / ip_layer(4, 0) / UDP()),
        "VXLAN in VXLAN": bytes(Ether(src=A1, dst=B2) / ip_layer(4, 0) / UDP(dport=4789, chksum=0) /
                                VXLAN(flags=8, vni=200) / Raw(write_middle(A1, C1))),
    }
    for name, inner in frames.items():
        table.case(f"encapsulates {name}")
        table.enters(HOST, inner).leaves(WIRE, encapsulated(inner))
        back = bytes.fromhex(A1.replace(":", "")) + inner[6:]
        table.case(f"decapsulates {name}").enters(WIRE, wrap(back)).leaves(HOST, back)


def floods(table):
    for name, destination in (("broadcast", BROADCAST), ("IPv4 multicast", "01:00:5e:00:00:05"),
                              ("IPv6 multicast", "33:33:00:00:00:01"), ("unknown", NOBODY)):
        inner = write_middle(A1, destination)
        table.case(f"floods {name} from a tenant to the other port and every VTEP")
        table.enters(HOST, inner).leaves(HOST2, inner).leaves(WIRE, encapsulated(inner))
        table.leaves(WIRE, encapsulated(inner, gateway=GW3, tos=46 << 2, ttl=17,
                                        next_hop=NEXT_HOP3))
        table.counts("flooded", 1)
        inner = write_middle(B2, destination)
        table.case(f"floods {name} from a tunnel to local ports only")
        table.enters(WIRE, wrap(inner)).leaves(HOST, inner).leaves(HOST2, inner)
        table.counts("flooded", 1)
    inner = write_middle(C1, BROADCAST)
    table.case("floods into its own network only").enters(GREEN, inner)
    table.leaves(WIRE, encapsulated(inner, GREEN_VNI))
    inner = write_middle(C1, NOBODY)
    table.case("drops unknown unicast where the network says so").enters(GREEN, inner)
    table.dies("host_to_wire/look_up_endpoint", "unknown_destination")
    inner = write_middle(D2, NOBODY)
    table.case("drops unknown unicast from a tunnel too").enters(WIRE, wrap(inner, GREEN_VNI))
    table.dies("wire_to_host/look_up_endpoint", "unknown_destination")
    inner = write_middle("02:00:00:00:0a:0f", BROADCAST)
    table.case("counts a flood without anybody").enters(LONELY, inner)
    table.dies("host_to_wire/flood", "no_flood_target")
    # A flooded frame that is too large for the tunnels still reaches the neighbour.
    inner = write_middle(A1, BROADCAST, payload=1600)
    table.case("floods a large frame where it fits").enters(HOST, inner).leaves(HOST2, inner)
    table.dies("host_to_wire/choose_next_hop", "mtu_exceeded", 2)


def neighbours(table):
    inner = write_middle(A1, A2)
    table.case("switches locally").enters(HOST, inner).leaves(HOST2, inner).counts("local", 1)
    # No MTU of a tunnel applies between neighbours.
    inner = write_middle(A1, A2, payload=1800)
    table.case("switches a large frame locally").enters(HOST, inner).leaves(HOST2, inner)
    table.case("drops what is for where it came from").enters(HOST, write_middle(A2, A1))
    table.dies("host_to_wire/look_up_endpoint", "destination_is_ingress_port")
    table.case("never sends from a tunnel into a tunnel").enters(WIRE, wrap(write_middle(B2, B3)))
    table.dies("wire_to_host/look_up_endpoint", "split_horizon")
    for name, destination in (("of another network", A_GREEN), ("that is gone", A_GONE)):
        table.case(f"does not send to a port {name}").enters(HOST, write_middle(A1, destination))
        table.dies("host_to_wire/look_up_endpoint", "endpoint_target_missing")
        table.case(f"does not send from a tunnel to a port {name}")
        table.enters(WIRE, wrap(write_middle(B2, destination)))
        table.dies("wire_to_host/look_up_endpoint", "endpoint_target_missing")
    table.case("does not send to a VTEP that is gone").enters(HOST, write_middle(A1, B_GONE))
    table.dies("host_to_wire/choose_next_hop", "endpoint_target_missing")
    table.case("does not send to an unresolved next hop")
    table.enters(HOST, write_middle(A1, B_UNRESOLVED))
    table.dies("host_to_wire/choose_next_hop", "next_hop_unresolved")
    table.case("admits nothing at a port without network").enters(HOMELESS, write_middle(A1, A2))
    table.dies("host_to_wire/admit_tenant", "port_without_network")
    table.case("admits no group address as source")
    table.enters(HOST, write_middle("03:00:00:00:0a:01", B2))
    table.dies("host_to_wire/admit_tenant", "source_mac_group")


def sizes_of_ports(table):
    """A port's MTU, an Ethernet header and two VLAN tags: no larger frame leaves there."""
    largest = NARROW_MTU + 14 + 8
    for destination in (N1, BROADCAST):
        for size in (largest, largest + 1):
            fits = size == largest
            frame = roce_bytes(Ether(src=R1, dst=destination) / Dot1Q(vlan=5), ip_layer(4), 4,
                               bytes(size - 14 - 4 - 20 - 8 - 12 - 4))
            assert len(frame) == size
            table.case(f"{size} bytes from a neighbour to {destination} at a narrow port")
            table.enters(ROOMY, frame)
            if destination == BROADCAST:
                table.leaves(WIRE, encapsulated(frame, MIXED_VNI))
            if fits:
                table.leaves(NARROW, frame)
            else:
                table.dies("host_to_wire/" + ("look_up_endpoint" if destination == N1 else "flood"),
                           "mtu_exceeded")
            frame = Ether(frame)
            frame.src = B2
            frame = bytes(frame)
            table.case(f"{size} bytes from a tunnel to {destination} at a narrow port")
            table.enters(WIRE, wrap(frame, MIXED_VNI))
            if destination == BROADCAST:
                table.leaves(ROOMY, frame)
            if fits:
                table.leaves(NARROW, frame)
            else:
                table.dies("wire_to_host/" + ("look_up_endpoint" if destination == N1 else "flood"),
                           "mtu_exceeded")
    for size in (MTU + 22, MTU + 23):
        frame = bytes(Ether(src=A1, dst=B2, type=0x88B5)).ljust(size, b"\x5a")
        table.case(f"{size} bytes in transit").enters(LEFT, frame)
        if size == MTU + 22:
            table.leaves(RIGHT, frame)
        else:
            table.dies("transit/pick_peer", "mtu_exceeded")


def sizes(table):
    for destination, gateway, mtu in ((B2, GW2, MTU), (B_SMALL, "198.18.0.5", 1400)):
        # Outer IP packet: 20 + 8 + 8 + the whole inner frame.
        frame_max = mtu - 36
        for version, headers in ((4, 14 + 20 + 8 + 12 + 4), (6, 14 + 40 + 8 + 12 + 4)):
            fits = write_middle(A1, destination, version, payload=frame_max - headers)
            assert len(fits) == frame_max
            table.case(f"sends IPv{version} that just fits MTU {mtu}").enters(HOST, fits)
            table.leaves(WIRE, encapsulated(fits, gateway=gateway))
            table.case(f"drops IPv{version} one byte above MTU {mtu}")
            table.enters(HOST, write_middle(A1, destination, version,
                                            payload=frame_max - headers + 1))
            table.dies("host_to_wire/choose_next_hop", "mtu_exceeded")
    # Padding behind the outer packet is the underlay's; padding inside is the tenant's.
    tiny = bytes(Ether(src=B2, dst=A1, type=0x88B5))
    outer = wrap(tiny)
    for padded in range(len(outer), len(outer) + 20):
        table.case(f"takes padding to {padded} bytes off")
        table.enters(WIRE, outer.ljust(padded, b"\xee")).leaves(HOST, tiny)


def transit(table):
    plain = write_middle(A1, B2, 4, CE)
    table.case("passes RoCE through").enters(LEFT, plain).leaves(RIGHT, plain)
    table.is_kind(LEFT, "roce_write", CE)
    table.case("passes RoCE back").enters(RIGHT, plain).leaves(LEFT, plain)
    for version in (4, 6):
        inside = wrap(write_middle(A1, B2, version, ECT0), tos=CE)
        table.case(f"sees RoCE over IPv{version} inside a tunnel").enters(LEFT, inside)
        table.leaves(RIGHT, inside).is_kind(LEFT, "roce_write", CE)
    arp = bytes(Ether(src=A1, dst=BROADCAST) / ARP())
    table.case("passes ARP through").enters(LEFT, arp).leaves(RIGHT, arp)
    table.is_kind(LEFT, "not_ip")
    broken = wrap(write_middle(A1, B2)[:40])
    table.case("passes a broken frame inside a tunnel").enters(LEFT, broken).leaves(RIGHT, broken)
    table.is_kind(LEFT, "ip")
    no_vni = bytearray(wrap(write_middle(A1, B2)))
    no_vni[42] = 0
    table.case("does not look behind a bad VXLAN header").enters(LEFT, no_vni)
    table.leaves(RIGHT, no_vni).is_kind(LEFT, "ip")
    tagged = bytes(Ether(src=A1, dst=B2) / Dot1Q(vlan=7)) + inside[12:]
    tagged = tagged[:12] + b"\x81\x00\x00\x07" + inside[12:]
    table.case("sees RoCE inside a tunnel behind a VLAN tag").enters(LEFT, tagged)
    table.leaves(RIGHT, tagged).is_kind(LEFT, "roce_write", CE)
    table.case("has nowhere to send without a peer").enters(PEERLESS, plain)
    table.dies("transit/pick_peer", "port_without_peer")


def make():
    table = Table()
    for cases in (into_tunnel, out_of_tunnel, kinds_of_inner_frames, floods, neighbours, sizes,
                  sizes_of_ports, transit):
        cases(table)
    return table
