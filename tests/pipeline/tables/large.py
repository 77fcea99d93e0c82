# SPDX-License-Identifier: Apache-2.0
"""Large frames, which their sender left to be cut (TSO, USO): every field of every segment, as
scapy writes it. Which flag stands on which segment is typed from RFC 9293 and RFC 3168."""

from frames import (
    A1, A2, B2, CE, ECT0, ECT1, HOST, HOST2, LEFT, MTU, NOT_ECT, RIGHT, Table, WIRE,
    encapsulated, write_middle)
from scapy.layers.inet import ICMP, IP, IPOption_NOP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

STAGE = "host_to_wire/segment_large"
PARTIAL = 0x1234                                 # Where the checksum will be: of no meaning.
FIN, PSH, ACK, URG, ECE, CWR = 0x01, 0x08, 0x10, 0x20, 0x40, 0x80
TIMESTAMPS = [("NOP", None), ("NOP", None), ("Timestamp", (1, 2))]
FULL_HEADER = [("NOP", None)] * 40


def text(count):
    return bytes((7 * place + 3) & 0xFF for place in range(count))


def pieces(payload, size):
    return [payload[at:at + size] for at in range(0, len(payload), size)] or [b""]


class Family:
    """An IP header of one version, tags in front of it, and how the n-th segment's differs."""

    def __init__(self, name, version, *, tags=(), tos=NOT_ECT, number=7, options=()):
        self.name, self.version, self.tags, self.tos = name, version, tags, tos
        self.number, self.options = number, options

    def layers(self, target, segment):
        frame = Ether(src=A1, dst=target)
        for tag in self.tags:
            frame /= tag.copy()
        if self.version == 4:
            return frame / IP(src="10.0.0.1", dst="10.0.0.2", tos=self.tos, flags="DF", ttl=63,
                              id=(self.number + segment) & 0xFFFF, options=list(self.options))
        return frame / IPv6(src="fd00::1", dst="fd00::2", tc=self.tos, fl=0x12345, hlim=63)


FAMILIES = [
    Family("IPv4", 4),
    Family("IPv4 with CE", 4, tos=0xB8 | CE, number=0xFFFE),
    Family("IPv4 with options", 4, tos=ECT0, options=[IPOption_NOP()] * 8),
    Family("tagged IPv4", 4, tags=[Dot1Q(vlan=5, prio=3)]),
    Family("IPv6", 6),
    Family("IPv6 with ECT(1)", 6, tos=0x20 | ECT1),
    Family("IPv6 with two tags", 6, tags=[Dot1AD(vlan=3), Dot1Q(vlan=4)], tos=CE),
]


def tcp_frame(family, target, payload, *, segment=0, sequence=0xFFFFFF00, flags=ACK, options=(),
              checksum=None):
    return bytes(family.layers(target, segment) /
                 TCP(sport=40000, dport=5201, seq=sequence & 0xFFFFFFFF, ack=99, flags=flags,
                     window=501, urgptr=0, options=list(options), chksum=checksum) / Raw(payload))


def tcp_segments(family, target, payload, size, *, flags=ACK, options=()):
    parts = pieces(payload, size)
    frames = []
    for number, part in enumerate(parts):
        its_flags = flags
        if number > 0:
            its_flags &= ~CWR                    # RFC 3168 section 6.1.2: once.
        if number + 1 < len(parts):
            its_flags &= ~(FIN | PSH)            # RFC 9293: they end what is sent.
        frames.append(tcp_frame(family, target, part, segment=number, flags=its_flags,
                                options=options, sequence=0xFFFFFF00 + number * size))
    return frames


def udp_frame(family, target, payload, *, segment=0, checksum=None):
    return bytes(family.layers(target, segment) /
                 UDP(sport=40000, dport=443, chksum=checksum) / Raw(payload))


def udp_segments(family, target, payload, size):
    return [udp_frame(family, target, part, segment=number)
            for number, part in enumerate(pieces(payload, size))]


def everywhere(table, name, family, make_large, make_segments, size):
    """Into a tunnel, to a tenant here, and in transit."""
    for where, target in (("into a tunnel", B2), ("to a neighbour", A2), ("in transit", B2)):
        segments = make_segments(target)
        entry, leaves_at = {"into a tunnel": (HOST, WIRE), "to a neighbour": (HOST, HOST2),
                            "in transit": (LEFT, RIGHT)}[where]
        table.case(f"cuts {name}, {where}").enters(entry, make_large(target), size)
        for segment in segments:
            table.leaves(leaves_at, encapsulated(segment, tos=family.tos)
                         if where == "into a tunnel" else segment)
        table.is_kind(entry, "ip", family.tos & 3, len(segments))


def tcp(table):
    for family in FAMILIES:
        for count, size in ((1400, 536), (1072, 536), (1073, 536), (300, 48), (7, 1), (99, 100),
                            (0, 100)):
            payload = text(count)
            everywhere(table, f"{count} bytes of TCP into {size} each over {family.name}", family,
                       lambda target, payload=payload, family=family: tcp_frame(
                           family, target, payload, checksum=PARTIAL),
                       lambda target, payload=payload, family=family, size=size: tcp_segments(
                           family, target, payload, size), size)


def tcp_headers(table):
    family = FAMILIES[0]
    for flags in (ACK | PSH, ACK | FIN, ACK | FIN | PSH, ACK | CWR, ACK | CWR | ECE | PSH,
                  ACK | ECE, ACK | CWR | FIN | PSH | ECE | URG):
        for options, kind in (((), "no options"), (TIMESTAMPS, "timestamps"),
                              (FULL_HEADER, "60 bytes of header")):
            for count in (700, 200):
                payload = text(count)
                table.case(f"cuts {count} bytes with flags {flags:#04x} and {kind}")
                table.enters(HOST, tcp_frame(family, B2, payload, flags=flags, options=options,
                                             checksum=PARTIAL), 200)
                for segment in tcp_segments(family, B2, payload, 200, flags=flags,
                                            options=options):
                    table.leaves(WIRE, encapsulated(segment))


def udp(table):
    for family in FAMILIES:
        for count, size in ((1200, 400), (1201, 400), (3, 1), (0, 400)):
            payload = text(count)
            everywhere(table, f"{count} bytes of UDP into {size} each over {family.name}", family,
                       lambda target, payload=payload, family=family: udp_frame(
                           family, target, payload, checksum=PARTIAL),
                       lambda target, payload=payload, family=family, size=size: udp_segments(
                           family, target, payload, size), size)
    # A sum of zero is sent as 0xffff: zero says that there is no checksum.
    for family in (FAMILIES[0], FAMILIES[4]):
        first = bytearray(text(100))
        first[:2] = b"\0\0"
        whole = udp_frame(family, B2, bytes(first))
        offset = len(whole) - 100 - 2
        first[:2] = whole[offset:offset + 2]
        segments = udp_segments(family, B2, bytes(first) + text(50), 100)
        assert segments[0][offset:offset + 2] == b"\xff\xff"
        table.case(f"sends a UDP checksum of zero as 0xffff over {family.name}")
        table.enters(HOST, udp_frame(family, B2, bytes(first) + text(50), checksum=PARTIAL), 100)
        for segment in segments:
            table.leaves(WIRE, encapsulated(segment))


def company(table):
    """What comes along with large frames."""
    family = FAMILIES[0]
    large, segments = tcp_frame(family, B2, text(500)), tcp_segments(family, B2, text(500), 200)
    small = [write_middle(A1, B2, psn=psn) for psn in range(3)]
    table.case("keeps the order of large and other frames")
    table.enters(HOST, small[0]).enters(HOST, large, 200).enters(HOST, small[1])
    table.enters(HOST, large, 200).enters(HOST, large, 200).enters(HOST, small[2])
    for frames in ([small[0]], segments, [small[1]], segments, segments, [small[2]]):
        for frame in frames:
            table.leaves(WIRE, encapsulated(frame))
    table.case("fills more than one batch")
    for number in range(40):
        table.enters(HOST, large, 200)
        for segment in segments:
            table.leaves(WIRE, encapsulated(segment))
    table.case("carries no padding into segments").enters(HOST, large + b"\xee" * 9, 200)
    for segment in segments:
        table.leaves(WIRE, encapsulated(segment))
    size = MTU                                   # Too large with the headers in front.
    table.case("judges the MTU by segment").enters(
        HOST, tcp_frame(family, B2, text(size + 100), checksum=PARTIAL), size)
    table.dies("host_to_wire/choose_next_hop", "mtu_exceeded")
    table.leaves(WIRE, encapsulated(tcp_segments(family, B2, text(size + 100), size)[1]))


def malformed(table):
    ether = Ether(src=A1, dst=B2)
    ip, ip6 = IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fd00::1", dst="fd00::2")
    good = TCP(sport=1, dport=2) / Raw(text(300))
    for name, layers in (
            ("ARP", ether / ARP()),
            ("no Ethernet header", Raw(text(13))),
            ("ICMP", ether / ip / ICMP() / Raw(text(300))),
            ("a first fragment", ether / IP(flags="MF") / good),
            ("a later fragment", ether / IP(frag=3) / good),
            ("an IPv6 fragment", ether / ip6 / IPv6ExtHdrFragment() / good),
            ("an IPv6 extension header", ether / ip6 / IPv6ExtHdrDestOpt() / good),
            ("19 bytes of TCP", ether / IP(proto=6) / Raw(bytes(good)[:19])),
            ("7 bytes of UDP", ether / IPv6(nh=17) / Raw(bytes(7))),
            ("a TCP header of 16 bytes", ether / ip / TCP(dataofs=4) / Raw(text(300))),
            ("a TCP header beyond the packet", ether / ip / TCP(dataofs=15) / Raw(text(39))),
            ("a total length beyond the frame", ether / IP(len=400) / good),
            ("more segments than there may be", ether / ip / TCP() / Raw(text(1366)))):
        size = 1 if "segments" in name else 100
        table.case(f"refuses to cut {name}").enters(HOST, bytes(layers), size)
        table.dies(STAGE, "large_frame_malformed")
        table.case(f"refuses to cut {name} in transit").enters(LEFT, bytes(layers), size)
        table.dies("transit/segment_large", "large_frame_malformed")


def make():
    table = Table()
    for cases in (tcp, tcp_headers, udp, company, malformed):
        cases(table)
    return table
