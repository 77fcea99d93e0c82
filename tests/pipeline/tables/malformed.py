# SPDX-License-Identifier: Apache-2.0
"""Frames that are broken, or not for us, and what each of them must die of. A frame cut anywhere
dies of what its own fields announce and the frame does not have."""

from frames import (
    A1, B2, BLUE_VNI, BROADCAST, ECT0, GW2, HOST, LARGEST_VNI, LEFT, NEXT_HOP, RIGHT, SELF,
    Table, WIRE, WIRE_MAC, encapsulated, ip_layer, roce_bytes, wrap, write_middle)
from scapy.layers.inet import IP, IPOption_NOP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

OUTER, DECAPSULATE, INNER = ("wire_to_host/" + stage for stage in (
    "parse_outer", "decapsulate", "parse_frame"))
ADMIT, PARSE = "host_to_wire/admit_tenant", "host_to_wire/parse_frame"
PASS_PARSE = "transit/parse_frame"


def carried_frames(source, destination):
    """One of each kind: name, frame, offset of its IP header (None: not IP), its family."""
    ethernet = Ether(src=source, dst=destination)
    for version in (4, 6):
        for opcode, extension in ((0x07, 20), (0x0A, 16), (0x11, 4), (0x81, 16), (0x64, 30)):
            yield (f"opcode {opcode:#x} over IPv{version}",
                   roce_bytes(ethernet, ip_layer(version, ECT0), opcode, bytes(extension)), 14,
                   version)
        yield (f"tagged IPv{version}", roce_bytes(ethernet / Dot1Q(vlan=5), ip_layer(version), 4),
               18, version)
        yield (f"twice tagged IPv{version}", roce_bytes(
            ethernet / Dot1Q(vlan=5) / Dot1Q(vlan=6), ip_layer(version), 4), 22, version)
        yield (f"TCP over IPv{version}", bytes(ethernet / ip_layer(version) / TCP() / b"abc"), 14,
               version)
    yield ("IPv4 with options", bytes(ethernet / IP(options=[IPOption_NOP()] * 8) / UDP()), 14, 4)
    yield ("an IPv4 fragment", bytes(ethernet / IP(flags="MF") / UDP() / b"abcdefgh"), 14, 4)
    yield ("IPv6 with an extension", bytes(ethernet / IPv6() / IPv6ExtHdrHopByHop() / UDP()), 14, 6)
    yield ("a nested tunnel", bytes(ethernet / ip_layer(4) / UDP(dport=4789, chksum=0) /
                                    VXLAN(vni=7) / ethernet / ip_layer(4) / UDP()), 14, 4)
    yield ("ARP", bytes(ethernet / ARP()), None, 0)


def inner_death(length, l3, version):
    """What a carried frame dies of when `length` bytes of it are left; None: it lives."""
    if length < 14:
        return "frame_truncated"
    if l3 is None:
        return None
    if length < l3 + (20 if version == 4 else 40):
        return "frame_truncated"
    return "ipv4_bad_total_length" if version == 4 else "ipv6_bad_payload_length"


def cut_everywhere(table):
    for name, frame, l3, version in carried_frames(A1, B2):
        for length in range(len(frame)):
            cut = frame[:length]
            death = inner_death(length, l3, version)
            table.case(f"{name} cut to {length} bytes from a tenant").enters(HOST, cut)
            if death is None:
                table.leaves(WIRE, encapsulated(cut))
            else:
                table.dies(ADMIT if length < 14 else PARSE, death)
            table.case(f"{name} cut to {length} bytes in transit").enters(LEFT, cut)
            if death is None:
                table.leaves(RIGHT, cut)
            else:
                table.dies(PASS_PARSE, death)
    for name, frame, l3, version in carried_frames(B2, A1):
        for length in range(len(frame)):
            # The tunnel is sound, what it carries was cut before.
            table.case(f"{name} cut to {length} bytes in a tunnel")
            table.enters(WIRE, wrap(frame[:length]))
            death = inner_death(length, l3, version)
            if death is None:
                table.leaves(HOST, frame[:length])
            else:
                table.dies(INNER, death)
        whole = wrap(frame)
        for length in range(len(whole)):
            table.case(f"{name}: tunnel packet cut to {length} bytes").enters(WIRE, whole[:length])
            table.dies(OUTER, "frame_truncated" if length < 34 else "ipv4_bad_total_length")
    # Sound IP and UDP headers around less than VXLAN needs.
    for length in range(8):
        short = bytes(Ether(src=NEXT_HOP, dst=WIRE_MAC) / IP(src=GW2, dst=SELF) /
                      UDP(dport=4789, sport=1, chksum=0) / Raw(bytes([8] * length)))
        table.case(f"{length} bytes behind UDP").enters(WIRE, short.ljust(60, b"\0"))
        table.dies(DECAPSULATE, "frame_truncated")


def outer(ip=None, udp=None, mac=WIRE_MAC):
    """A tunnel packet that is sound but for what is given."""
    return bytes(Ether(src=NEXT_HOP, dst=mac) / (ip or IP(src=GW2, dst=SELF)) /
                 (udp or UDP(dport=4789, sport=1, chksum=0)) / VXLAN(flags=8, vni=BLUE_VNI) /
                 Raw(write_middle(B2, A1)))


def outer_ip(table):
    def dies(stage, reason, name, frame):
        table.case(name).enters(WIRE, frame).dies(stage, reason)

    for mac in (BROADCAST, NEXT_HOP, "02:70:63:61:70:01"):
        dies(OUTER, "wrong_destination_mac", f"for MAC {mac}", outer(mac=mac))
    for ethertype in (0x0000, 0x9100, 0x88CC, 0x8808, 0xFFFF):
        dies(OUTER, "ethertype_not_handled", f"EtherType {ethertype:#06x}",
             bytes(Ether(src=NEXT_HOP, dst=WIRE_MAC, type=ethertype) / Raw(bytes(60))))
    dies(OUTER, "unknown_vlan", "a tagged tunnel packet",
         bytes(Ether(src=NEXT_HOP, dst=WIRE_MAC) / Dot1Q(vlan=1)) + outer()[14:])
    for version in (*range(4), *range(5, 16)):
        dies(OUTER, "ipv4_bad_version", f"outer IP version {version}",
             outer(IP(src=GW2, dst=SELF, version=version)))
    for words in range(5):
        dies(OUTER, "ipv4_bad_header_length", f"an outer header of {words} words",
             outer(IP(src=GW2, dst=SELF, ihl=words)))
    for count in range(1, 11):
        dies(OUTER, "ipv4_options", f"{count} words of outer options",
             outer(IP(src=GW2, dst=SELF, options=[IPOption_NOP()] * 4 * count)))
    whole = outer()
    for total in (0, 19, len(whole) - 14 + 1, 65535):
        dies(OUTER, "ipv4_bad_total_length", f"outer total length {total}",
             outer(IP(src=GW2, dst=SELF, len=total)))
    for byte in range(14, 34):
        if byte in (14, 16, 17):  # Version and lengths are looked at before the checksum.
            continue
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[byte] ^= 1 << bit
            dies(OUTER, "ipv4_bad_checksum", f"bit {bit} of byte {byte} flipped", damaged)
    for name, fields in (("first", {"flags": "MF"}), ("middle", {"flags": "MF", "frag": 9}),
                         ("last", {"frag": 8191})):
        dies(OUTER, "ipv4_fragment", f"the {name} fragment", outer(IP(src=GW2, dst=SELF, **fields)))
    for protocol in (0, 1, 4, 6, 41, 47, 132, 255):
        dies(OUTER, "protocol_not_handled", f"outer protocol {protocol}",
             outer(IP(src=GW2, dst=SELF, proto=protocol)))


def outer_udp(table):
    def dies(stage, reason, name, frame):
        table.case(name).enters(WIRE, frame).dies(stage, reason)

    whole = outer()
    right = len(whole) - 34
    for length in (0, 7, 8, 16, right - 1, right + 1, 65535):
        dies(OUTER, "udp_bad_length", f"outer UDP length {length}",
             outer(udp=UDP(dport=4789, len=length, chksum=0)))
    # IP and UDP agree on less than a UDP header.
    for length in range(8):
        dies(OUTER, "udp_bad_length", f"{length} bytes of UDP",
             bytes(Ether(src=NEXT_HOP, dst=WIRE_MAC) / IP(src=GW2, dst=SELF, proto=17) /
                   Raw(bytes(UDP(dport=4789, len=length))[:length])).ljust(60, b"\0"))
    summed = bytearray(outer(udp=UDP(dport=4789, sport=1)))
    for byte in (34, 42, 50, 100, len(summed) - 1):
        for bit in range(8):
            damaged = bytearray(summed)
            damaged[byte] ^= 1 << bit
            dies(OUTER, "udp_bad_checksum", f"bit {bit} of byte {byte} flipped under a checksum",
                 damaged)


def tunnels(table):
    def dies(reason, name, frame):
        table.case(name).enters(WIRE, frame).dies(DECAPSULATE, reason)

    for address in ("198.18.0.9", GW2, "255.255.255.255", "224.0.0.1"):
        dies("destination_not_local", f"for {address}",
             outer(IP(src=GW2, dst=address)))
    for address in ("198.18.0.9", SELF, "0.0.0.0"):
        dies("unknown_vtep", f"from {address}", outer(IP(src=address, dst=SELF)))
    for port in (0, 4788, 4790, 4791, 6081, 0xB512):
        dies("udp_port_not_handled", f"for UDP port {port}",
             outer(udp=UDP(dport=port, sport=4789, chksum=0)))
    for flags in (0x00, 0x01, 0xF7):
        damaged = bytearray(outer())
        damaged[42] = flags
        dies("vxlan_bad_flags", f"VXLAN flags {flags:#04x}", damaged)
    for vni in (1, 99, 101, BLUE_VNI << 8, LARGEST_VNI - 1):
        dies("unknown_vni", f"VNI {vni}", wrap(write_middle(B2, A1), vni))


def inner_fields(table):
    """The carried frame's header, broken by a tenant here or behind a VTEP, or passing by."""
    for version in (4, 6):
        for tags in (0, 1, 2):
            ethernet = Ether(src=B2, dst=A1)
            for _ in range(tags):
                ethernet = ethernet / Dot1Q(vlan=3)
            for name, reason, ip in broken_headers(version):
                frame = bytes(ethernet / ip / UDP(dport=4791, chksum=0) / Raw(bytes(40)))
                name = f"{name} behind {tags} tags"
                table.case(f"{name} from a tunnel").enters(WIRE, wrap(frame)).dies(INNER, reason)
                table.case(f"{name} from a tenant").enters(HOST, frame).dies(PARSE, reason)
                table.case(f"{name} in transit").enters(LEFT, frame).dies(PASS_PARSE, reason)
                inside = wrap(frame)
                table.case(f"{name} in a passing tunnel").enters(LEFT, inside)
                table.leaves(RIGHT, inside).is_kind(LEFT, "ip")


def mac_control(table):
    """Pause (opcode 1) and PFC (0x0101) frames concern one link, whoever sends them on."""
    for destination in ("01:80:c2:00:00:01", B2, A1):
        for opcode in (b"\0\1\xff\xff", b"\1\1\0\x08" + 8 * b"\xff\xff"):
            source = B2 if destination == A1 else A1
            frame = bytes(Ether(src=source, dst=destination, type=0x8808) /
                          Raw(opcode)).ljust(60, b"\0")
            name = f"MAC control {opcode[:2].hex()} to {destination}"
            table.case(f"{name} from a tenant").enters(HOST, frame)
            table.dies(PARSE, "ethertype_not_handled")
            table.case(f"{name} from a tunnel").enters(WIRE, wrap(frame))
            table.dies(INNER, "ethertype_not_handled")
            table.case(f"{name} in transit").enters(LEFT, frame)
            table.dies(PASS_PARSE, "ethertype_not_handled")


def broken_headers(version):
    wrong = [number for number in range(16) if number != version]
    if version == 6:
        for number in wrong:
            yield f"IPv6 with version {number}", "ipv6_bad_version", IPv6(version=number)
        for length in (49, 65535):
            yield f"IPv6 payload length {length}", "ipv6_bad_payload_length", IPv6(plen=length)
        return
    for number in wrong:
        yield f"IPv4 with version {number}", "ipv4_bad_version", IP(version=number)
    for words in range(5):
        yield f"IPv4 of {words} words", "ipv4_bad_header_length", IP(ihl=words)
    yield "an IPv4 header beyond its packet", "ipv4_bad_header_length", IP(ihl=15, len=59)
    for total in (0, 19, 69, 65535):
        yield f"IPv4 total length {total}", "ipv4_bad_total_length", IP(len=total)


def padded(table):
    """Bytes behind the tunnel packet are Ethernet's; the runner splits them too."""
    for checksum in (0, None):
        for version in (4, 6):
            inner = write_middle(B2, A1, version)
            for padding in (1, 6, 46, 400):
                table.case(f"IPv{version} and {padding} bytes of padding, checksum {checksum}")
                table.enters(WIRE, wrap(inner, checksum=checksum) + bytes(padding))
                table.leaves(HOST, inner).is_kind(WIRE, "roce_write")


def make():
    table = Table()
    for cases in (cut_everywhere, outer_ip, outer_udp, tunnels, inner_fields, mac_control,
                  padded):
        cases(table)
    return table
