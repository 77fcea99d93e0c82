# SPDX-License-Identifier: Apache-2.0
"""VXLAN over IPv6 beside VXLAN over IPv4: what a tunnel packet looks like, which are believed, and
what each broken one dies of."""

import struct

from forwarding import DSCPS, FIGURE_4
from frames import (
    A1, A2, BLUE_VNI, BROADCAST, CE, ECN_NAMES, ECT0, ECT1, GW2, HOST, HOST2, LEFT, MTU, NEXT_HOP,
    NEXT_HOP3, NOT_ECT, RIGHT, SELF, Table, WIRE, WIRE_MAC, encapsulated, ip_layer, roce_bytes,
    with_tos, wrap, write_middle)
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting)
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw
import roce

# No two of them are one bit apart.
SELF6, GW6, PINNED6, LATE6, SMALL6, SUMMED6 = (
    "fd00:18::%x" % i for i in (0x11, 0x22, 0x44, 0x88, 0xf0, 0xff00))
SUMMED4 = "198.18.0.9"
B4, B6, B_PINNED, B_LATE, B_SMALL, B_SUMMED6, B_SUMMED4 = ("02:00:00:00:0b:%02x" % i
                                                           for i in range(1, 8))
OUTER, DECAPSULATE = "wire_to_host/parse_outer", "wire_to_host/decapsulate"
HEADERS = 14 + 40 + 8
TUNNEL = HEADERS + 8

TOPOLOGY = f"""\
port {HOST} tenant 1
port {WIRE} underlay {WIRE_MAC} {MTU}
port {HOST2} tenant 1
port {LEFT} transit {RIGHT}
port {RIGHT} transit {LEFT}
vtep local 1 {SELF}
vtep local 2 {SELF6}
vtep remote 3 {GW2} {WIRE} {SELF} {NEXT_HOP} resolved {MTU} 64 copy
vtep remote 4 {GW6} {WIRE} {SELF6} {NEXT_HOP} resolved {MTU} 64 copy
vtep remote 5 {PINNED6} {WIRE} {SELF6} {NEXT_HOP3} resolved {MTU} 17 46
vtep remote 6 {LATE6} {WIRE} {SELF6} {NEXT_HOP} unresolved {MTU} 64 copy
vtep remote 7 {SMALL6} {WIRE} {SELF6} {NEXT_HOP} resolved 1400 64 copy
vtep remote 8 {SUMMED6} {WIRE} {SELF6} {NEXT_HOP} resolved {MTU} 64 copy full
vtep remote 9 {SUMMED4} {WIRE} {SELF} {NEXT_HOP} resolved {MTU} 64 copy full
network 1 {BLUE_VNI} flood 3 4
endpoint 1 {A1} port {HOST}
endpoint 1 {A2} port {HOST2}
endpoint 1 {B4} vtep 3
endpoint 1 {B6} vtep 4
endpoint 1 {B_PINNED} vtep 5
endpoint 1 {B_LATE} vtep 6
endpoint 1 {B_SMALL} vtep 7
endpoint 1 {B_SUMMED6} vtep 8
endpoint 1 {B_SUMMED4} vtep 9
"""


def wrap6(inner, **fields):
    """What another VTEP would send; its flow label is its own business."""
    return wrap(inner, **{"source": GW6, "destination": SELF6, "label": 0xABCDE, **fields})


def encapsulated6(inner, gateway=GW6, tos=0, ttl=64, next_hop=NEXT_HOP, summed=False):
    """What Weir should send: any flow label, UDP source port and checksum, where there is one."""
    text = wrap(inner, source=SELF6, destination=gateway, mac=next_hop, tos=tos, ttl=ttl,
                from_mac=WIRE_MAC).hex()
    checksum = "...." if summed else "0000"
    return text[:31] + "....." + text[36:108] + "...." + text[112:120] + checksum + text[124:]


def into_tunnel(table):
    for version in (4, 6):
        for ecn in (NOT_ECT, ECT1, ECT0, CE):
            for dscp in DSCPS:
                tos = dscp << 2 | ecn
                inner = write_middle(A1, B6, version, tos)
                # RFC 6040 section 4.1, normal mode.
                table.case(f"encapsulates IPv{version} with TOS {tos:#04x}, DSCP copied")
                table.enters(HOST, inner).leaves(WIRE, encapsulated6(inner, tos=tos))
                table.is_kind(HOST, "roce_write", ecn)
                inner = write_middle(A1, B_PINNED, version, tos)
                table.case(f"encapsulates IPv{version} with TOS {tos:#04x}, DSCP pinned")
                table.enters(HOST, inner).leaves(
                    WIRE, encapsulated6(inner, PINNED6, 46 << 2 | ecn, 17, NEXT_HOP3))
                inner = write_middle(A1, B_SUMMED6, version, tos)
                table.case(f"encapsulates IPv{version} with TOS {tos:#04x}, with a checksum")
                table.enters(HOST, inner).leaves(
                    WIRE, encapsulated6(inner, SUMMED6, tos, summed=True))
                inner = write_middle(A1, B_SUMMED4, version, tos)
                over_ipv4 = encapsulated(inner, gateway=SUMMED4, tos=tos)
                table.case(f"encapsulates IPv{version} with TOS {tos:#04x}, a checksum over IPv4")
                table.enters(HOST, inner).leaves(
                    WIRE, over_ipv4[:80] + "...." + over_ipv4[84:])
    for name, inner in (("ARP", bytes(Ether(src=A1, dst=B6) / ARP())),
                        ("TCP", bytes(Ether(src=A1, dst=B6) / ip_layer(6) / TCP() / b"x")),
                        ("an empty frame", bytes(Ether(src=A1, dst=B6, type=0x88B5)))):
        table.case(f"encapsulates {name}").enters(HOST, inner).leaves(WIRE, encapsulated6(inner))
    table.case("does not send to an unresolved next hop")
    table.enters(HOST, write_middle(A1, B_LATE))
    table.dies("host_to_wire/choose_next_hop", "next_hop_unresolved")


def out_of_tunnel(table):
    for version in (4, 6):
        for inner_ecn, row in FIGURE_4.items():
            for outer_ecn, result in row.items():
                for checksum in (0, None):
                    inner = write_middle(B6, A1, version, 46 << 2 | inner_ecn)
                    table.case(f"decapsulates IPv{version}, inner {ECN_NAMES[inner_ecn]}, outer "
                               f"{ECN_NAMES[outer_ecn]}, checksum {checksum}")
                    table.enters(WIRE, wrap6(inner, tos=10 << 2 | outer_ecn, checksum=checksum))
                    table.is_kind(WIRE, "roce_write", outer_ecn)
                    table.counts(f"ecn_decap_{inner_ecn}_{outer_ecn}", 1)
                    if result is None:
                        table.dies("wire_to_host/propagate_ecn", "ecn_ce_on_not_ect")
                        continue
                    expected = with_tos(inner, 46 << 2 | result)
                    assert expected[-4:] == roce.icrc(expected[14:-4])
                    table.leaves(HOST, expected)
    tiny = bytes(Ether(src=B6, dst=A1, type=0x88B5))
    for checksum in (0, None):
        outer = wrap6(tiny, checksum=checksum)
        for padded in range(len(outer), len(outer) + 20):
            table.case(f"takes padding to {padded} bytes off, checksum {checksum}")
            table.enters(WIRE, outer.ljust(padded, b"\xee")).leaves(HOST, tiny)
    for gateway in (GW6, PINNED6, LATE6, SUMMED6):
        checksum = None if gateway == SUMMED6 else 0
        table.case(f"believes {gateway}")
        table.enters(WIRE, wrap6(tiny, source=gateway, checksum=checksum)).leaves(HOST, tiny)
    table.case("sends from no tunnel into a tunnel").enters(WIRE, wrap6(write_middle(B6, B4)))
    table.dies("wire_to_host/look_up_endpoint", "split_horizon")


def checksums(table):
    """Of every length, odd ones too, and over segments; 0xffff stands for a sum of zero."""
    for family, ends in ((4, {}), (6, {"source": GW6, "destination": SELF6})):
        for payload in range(14, 90):
            inner = bytes(Ether(src=B6, dst=A1, type=0x88B5)).ljust(payload, b"\x5a")
            table.case(f"a right checksum over {payload} bytes in IPv{family}")
            table.enters(WIRE, wrap(inner, checksum=None, **ends)).leaves(HOST, inner)
        # The runner spreads it over odd segments, beyond the headers that are gathered too.
        inner = write_middle(B6, A1, payload=500)
        whole = wrap(inner, checksum=None, **ends)
        table.case(f"a right checksum over many bytes in IPv{family}")
        table.enters(WIRE, whole).leaves(HOST, inner)
        damaged = bytearray(whole)
        damaged[-1] ^= 1
        table.case(f"a wrong checksum over many bytes in IPv{family}")
        table.enters(WIRE, damaged).dies(OUTER, "udp_bad_checksum")
        # The last two bytes make up for all others: the sum is zero, and is sent as its other form.
        inner = bytes(Ether(src=B6, dst=A1, type=0x88B5)) + bytes(2)
        at = len(wrap(inner, **ends)) - len(inner) - 8 - 2
        sum_of_others, = struct.unpack_from("!H", wrap(inner, checksum=None, **ends), at)
        inner = inner[:-2] + struct.pack("!H", sum_of_others)
        whole = wrap(inner, checksum=None, **ends)
        assert whole[at:at + 2] in (b"\0\0", b"\xff\xff")
        whole = whole[:at] + b"\xff\xff" + whole[at + 2:]
        table.case(f"a checksum of zero in IPv{family}").enters(WIRE, whole).leaves(HOST, inner)
    # Over IPv6 none may be missing where the intent wants it full; over IPv4 it always may.
    inner = write_middle(B6, A1)
    table.case("no checksum from a VTEP whose checksum is full, in IPv6")
    table.enters(WIRE, wrap6(inner, source=SUMMED6)).dies(DECAPSULATE, "udp_checksum_missing")
    table.case("a checksum from a VTEP whose checksum is full, in IPv6")
    table.enters(WIRE, wrap6(inner, source=SUMMED6, checksum=None)).leaves(HOST, inner)
    table.case("no checksum from a VTEP whose checksum is full, in IPv4")
    table.enters(WIRE, wrap(inner, source=SUMMED4)).leaves(HOST, inner)


def sizes(table):
    for destination, gateway, mtu in ((B6, GW6, MTU), (B_SMALL, SMALL6, 1400)):
        # Outer IP packet: 40 + 8 + 8 + the whole inner frame.
        frame_max = mtu - 56
        for version, headers in ((4, 14 + 20 + 8 + 12 + 4), (6, 14 + 40 + 8 + 12 + 4)):
            fits = write_middle(A1, destination, version, payload=frame_max - headers)
            assert len(fits) == frame_max
            table.case(f"sends IPv{version} that just fits MTU {mtu}").enters(HOST, fits)
            table.leaves(WIRE, encapsulated6(fits, gateway=gateway))
            table.case(f"drops IPv{version} one byte above MTU {mtu}")
            table.enters(HOST, write_middle(A1, destination, version,
                                            payload=frame_max - headers + 1))
            table.dies("host_to_wire/choose_next_hop", "mtu_exceeded")


def floods(table):
    inner = write_middle(A1, BROADCAST)
    table.case("floods into tunnels of both families").enters(HOST, inner).leaves(HOST2, inner)
    table.leaves(WIRE, encapsulated(inner)).leaves(WIRE, encapsulated6(inner))
    # Between what fits IPv4's headers and IPv6's: one copy goes, one dies.
    inner = roce_bytes(Ether(src=A1, dst=BROADCAST), ip_layer(4), 4, bytes(MTU - 40 - 58))
    table.case("floods a large frame where it fits").enters(HOST, inner).leaves(HOST2, inner)
    table.leaves(WIRE, encapsulated(inner)).dies("host_to_wire/choose_next_hop", "mtu_exceeded")
    inner = write_middle(B6, BROADCAST)
    table.case("floods from a tunnel to local ports").enters(WIRE, wrap6(inner))
    table.leaves(HOST, inner).leaves(HOST2, inner)


def transit(table):
    for version in (4, 6):
        inside = wrap6(write_middle(A1, B6, version, ECT0), tos=CE)
        table.case(f"sees RoCE over IPv{version} inside a passing tunnel").enters(LEFT, inside)
        table.leaves(RIGHT, inside).is_kind(LEFT, "roce_write", CE)


def cut_everywhere(table):
    for version in (4, 6):
        inner = write_middle(B6, A1, version)
        for checksum in (0, None):
            whole = wrap6(inner, checksum=checksum)
            for length in range(len(whole)):
                table.case(f"IPv{version} inside, checksum {checksum}, cut to {length} bytes")
                table.enters(WIRE, whole[:length])
                table.dies(OUTER, "frame_truncated" if length < 54 else "ipv6_bad_payload_length")
    # Sound IP and UDP headers around less than VXLAN needs, and less than UDP needs.
    for length in range(8):
        short = bytes(Ether(src=NEXT_HOP, dst=WIRE_MAC) / IPv6(src=GW6, dst=SELF6) /
                      UDP(dport=4789, sport=1, chksum=0) / Raw(bytes([8] * length)))
        table.case(f"{length} bytes behind UDP").enters(WIRE, short).dies(
            DECAPSULATE, "frame_truncated")
        short = bytes(Ether(src=NEXT_HOP, dst=WIRE_MAC) / IPv6(src=GW6, dst=SELF6, nh=17) /
                      Raw(bytes(UDP(dport=4789, len=length))[:length])).ljust(60, b"\0")
        table.case(f"{length} bytes of UDP").enters(WIRE, short).dies(OUTER, "udp_bad_length")


def fate_of_bit(byte, mask, length):
    """What a tunnel packet without checksum dies of when this bit is flipped; None: it lives."""
    if byte < 6:
        return OUTER, "wrong_destination_mac"
    if byte in (12, 13):
        return OUTER, "ethertype_not_handled"
    if byte == 14 and mask >= 0x10:
        return OUTER, "ipv6_bad_version"
    if byte in (18, 19):
        payload = length - 54 ^ mask << (8 if byte == 18 else 0)
        return OUTER, "udp_bad_length" if payload < length - 54 else "ipv6_bad_payload_length"
    fates = {range(20, 21): (OUTER, "protocol_not_handled"),
             range(22, 38): (DECAPSULATE, "unknown_vtep"),
             range(38, 54): (DECAPSULATE, "destination_not_local"),
             range(56, 58): (DECAPSULATE, "udp_port_not_handled"),
             range(58, 60): (OUTER, "udp_bad_length"),
             range(60, 62): (OUTER, "udp_bad_checksum"),
             range(66, 69): (DECAPSULATE, "unknown_vni")}
    for bytes_of_field, fate in fates.items():
        if byte in bytes_of_field:
            return fate
    if byte == 62 and mask == 0x08:
        return DECAPSULATE, "vxlan_bad_flags"
    return None  # Traffic class, flow label, hop limit, source MAC and port, reserved bits.


def flip_everything(table):
    inner = write_middle(B6, A1)
    plain, summed = wrap6(inner), wrap6(inner, checksum=None)
    for byte in range(TUNNEL):
        for bit in range(8):
            damaged = bytearray(plain)
            damaged[byte] ^= 1 << bit
            fate = fate_of_bit(byte, 1 << bit, len(plain))
            table.case(f"bit {bit} of byte {byte} flipped").enters(WIRE, damaged)
            if fate is None:
                table.leaves(HOST, inner)
            else:
                table.dies(*fate)
            # A checksum covers addresses, lengths, ports and all that follows.
            damaged = bytearray(summed)
            damaged[byte] ^= 1 << bit
            covered = 22 <= byte < 58 or byte >= 60
            table.case(f"bit {bit} of byte {byte} flipped under a checksum")
            table.enters(WIRE, damaged)
            if covered:
                table.dies(OUTER, "udp_bad_checksum")
            elif fate is None:
                table.leaves(HOST, inner)
            else:
                table.dies(*fate)


def ip_fields(table):
    def dies(stage, reason, name, frame):
        table.case(name).enters(WIRE, frame).dies(stage, reason)

    def outer(**fields):
        return bytes(Ether(src=NEXT_HOP, dst=WIRE_MAC) /
                     IPv6(**{"src": GW6, "dst": SELF6, **fields}) /
                     UDP(dport=4789, sport=1, chksum=0) / VXLAN(flags=8, vni=BLUE_VNI) /
                     Raw(write_middle(B6, A1)))

    for version in (*range(6), *range(7, 16)):
        dies(OUTER, "ipv6_bad_version", f"outer IP version {version}", outer(version=version))
    room = len(outer()) - 54
    for length in (room + 1, 65535):
        dies(OUTER, "ipv6_bad_payload_length", f"payload length {length}", outer(plen=length))
    for length in (0, 1, 7, 8, 16, room - 1):
        dies(OUTER, "udp_bad_length", f"payload length {length}", outer(plen=length))
    # IANA: Protocol Numbers, those marked as IPv6 extension headers.
    extensions = (0, 43, 44, 50, 51, 60, 135, 139, 140, 253, 254)
    for header in range(256):
        if header != 17:
            dies(OUTER, "ipv6_extension_header" if header in extensions else "protocol_not_handled",
                 f"next header {header}", outer(nh=header))
    for name, extension in (("hop-by-hop", IPv6ExtHdrHopByHop()), ("routing", IPv6ExtHdrRouting()),
                            ("destination", IPv6ExtHdrDestOpt()),
                            ("an atomic fragment", IPv6ExtHdrFragment()),
                            ("the first fragment", IPv6ExtHdrFragment(m=1)),
                            ("the last fragment", IPv6ExtHdrFragment(offset=8))):
        dies(OUTER, "ipv6_extension_header", f"a real header: {name}",
             bytes(Ether(src=NEXT_HOP, dst=WIRE_MAC) / IPv6(src=GW6, dst=SELF6) / extension /
                   UDP(dport=4789, sport=1, chksum=0) / VXLAN(flags=8, vni=BLUE_VNI) /
                   Raw(write_middle(B6, A1))))
    dies(OUTER, "protocol_not_handled", "a ping",
         bytes(Ether(src=NEXT_HOP, dst=WIRE_MAC) / IPv6(src=GW6, dst=SELF6) /
               ICMPv6EchoRequest()))
    for hops in (0, 1, 255):
        table.case(f"a hop limit of {hops}").enters(WIRE, wrap6(write_middle(B6, A1), ttl=hops))
        table.leaves(HOST, write_middle(B6, A1))


def addresses(table):
    def dies(reason, name, **fields):
        table.case(name).enters(WIRE, wrap6(write_middle(B6, A1), **fields))
        table.dies(DECAPSULATE, reason)

    # The mapped form of a VTEP's IPv4 address is not that address.
    for address in ("fd00:18::9", GW6, "::", "::1", "ff02::1", f"::ffff:{SELF}", f"::{SELF}"):
        dies("destination_not_local", f"for {address}", destination=address)
    for address in ("fd00:18::9", SELF6, "::", f"::ffff:{GW2}", f"::{GW2}"):
        dies("unknown_vtep", f"from {address}", source=address)
    dies("unknown_vni", "of a network that is not here", vni=BLUE_VNI + 1)


def make():
    table = Table(TOPOLOGY)
    for cases in (into_tunnel, out_of_tunnel, checksums, sizes, floods, transit, cut_everywhere,
                  flip_everything, ip_fields, addresses):
        cases(table)
    return table
