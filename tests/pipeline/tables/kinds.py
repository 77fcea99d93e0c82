# SPDX-License-Identifier: Apache-2.0
"""What every BTH opcode is, typed from IBTA volume 1 table 38 and Annex A17, and from nothing of
Weir's. Each is offered at a transit port, where frames of any kind pass unchanged."""

from pathlib import Path

from frames import (
    A1, B2, LEFT, NOT_ECT, RIGHT, Table, ip_layer, roce_bytes, wrap)
from scapy.contrib.roce import BTH
from scapy.layers.inet import IP, IPOption_NOP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Raw
import pcap

RETH, AETH, DETH, XRCETH, ATOMIC_ETH, ATOMIC_ACK_ETH, IMMEDIATE, IETH, FETH = (
    16, 4, 8, 4, 28, 8, 4, 4, 4)

# Operation of a reliable connection → kind, bytes of extension headers.
RELIABLE = {
    0x00: ("roce_send", 0), 0x01: ("roce_send", 0), 0x02: ("roce_send", 0),
    0x03: ("roce_send", IMMEDIATE), 0x04: ("roce_send", 0), 0x05: ("roce_send", IMMEDIATE),
    0x06: ("roce_write", RETH), 0x07: ("roce_write", 0), 0x08: ("roce_write", 0),
    0x09: ("roce_write", IMMEDIATE), 0x0A: ("roce_write", RETH),
    0x0B: ("roce_write", RETH + IMMEDIATE),
    0x0C: ("roce_read_request", RETH),
    0x0D: ("roce_read_response", AETH), 0x0E: ("roce_read_response", 0),
    0x0F: ("roce_read_response", AETH), 0x10: ("roce_read_response", AETH),
    0x11: ("roce_ack", AETH), 0x12: ("roce_atomic_response", AETH + ATOMIC_ACK_ETH),
    0x13: ("roce_atomic_request", ATOMIC_ETH), 0x14: ("roce_atomic_request", ATOMIC_ETH),
    0x16: ("roce_send", IETH), 0x17: ("roce_send", IETH),
    0x1C: ("roce_other", FETH + RETH), 0x1D: ("roce_write", RETH),
}
RESPONSES = range(0x0D, 0x13)
RC, UC, RD, UD, XRC = 0x00, 0x20, 0x40, 0x60, 0xA0
CNP = 0x81  # 0x80, which several tools list, is only the prefix.


def meaning(opcode):
    """Kind and bytes of extension headers."""
    transport, operation = opcode & 0xE0, opcode & 0x1F
    if opcode == CNP:
        return "roce_cnp", 16
    if transport == RC:
        return RELIABLE.get(operation, ("roce_other", 0))
    if transport == UC and operation <= 0x0B:
        return RELIABLE[operation]
    if opcode == UD | 0x04:
        return "roce_ud", DETH
    if opcode == UD | 0x05:
        return "roce_ud", DETH + IMMEDIATE
    if transport == XRC and operation in RELIABLE:
        kind, extension = RELIABLE[operation]
        adds = kind != "roce_other" and operation not in RESPONSES
        return kind, extension + (XRCETH if adds else 0)
    return "roce_other", 0  # RD, whose space mlx5 DC uses with headers of its own; the rest.


def acknowledgement(syndrome):
    """Table 44: three bits say what it is, and the first of them is 0."""
    return {0: "roce_ack", 1: "roce_rnr_nak", 3: "roce_nak"}.get(syndrome >> 5, "roce_malformed")


def passes(table, frame, kind, name):
    table.case(name).enters(LEFT, frame).leaves(RIGHT, frame).is_kind(LEFT, kind)
    inside = wrap(frame)
    table.case(f"inside a tunnel, {name}").enters(LEFT, inside).leaves(RIGHT, inside)
    table.is_kind(LEFT, kind)


def opcodes(table):
    for version in (4, 6):
        for opcode in range(256):
            kind, extension = meaning(opcode)
            frame = roce_bytes(Ether(src=A1, dst=B2), ip_layer(version), opcode, bytes(extension))
            passes(table, frame, kind, f"opcode {opcode:#04x} over IPv{version} is {kind}")
            if extension > 0:
                frame = roce_bytes(Ether(src=A1, dst=B2), ip_layer(version), opcode,
                                   bytes(extension - 1))
                passes(table, frame, "roce_malformed",
                       f"opcode {opcode:#04x} over IPv{version} is malformed one byte short")


def fields(table):
    for version in (4, 6):
        def offers(kind, name, opcode, rest=b"", **bth):
            frame = roce_bytes(Ether(src=A1, dst=B2), ip_layer(version), opcode, rest, **bth)
            passes(table, frame, kind, f"{name} over IPv{version}")

        for syndrome in range(256):
            for opcode in (0x11, 0xB1):
                offers(acknowledgement(syndrome), f"opcode {opcode:#x} with syndrome {syndrome:#x}",
                       opcode, bytes([syndrome, 0, 0, 1]))
        for opcode, rest in ((0x64, DETH), (0x65, DETH + IMMEDIATE)):
            offers("roce_cm", f"opcode {opcode:#x} to QP 1", opcode, bytes(rest + 256), qp=1)
            offers("roce_ud", f"opcode {opcode:#x} to QP 2", opcode, bytes(rest + 256), qp=2)
            offers("roce_ud", f"opcode {opcode:#x} to everyone", opcode, bytes(rest), qp=0xFFFFFF)
        offers("roce_send", "a SEND to QP 1", 0x04, qp=1)
        for transport_version in range(1, 16):
            offers("roce_malformed", f"transport version {transport_version}", 0x04, bytes(8),
                   version=transport_version)
        for pad in range(4):
            for payload in range(6):
                offers("roce_send" if payload >= pad else "roce_malformed",
                       f"{pad} bytes of padding in {payload} of payload", 0x04, bytes(payload),
                       padcount=pad)
                offers("roce_write" if payload >= pad else "roce_malformed",
                       f"{pad} bytes of padding in {payload} behind RETH", 0x0A,
                       bytes(RETH + payload), padcount=pad)
        offers("roce_send", "every other bit of BTH set", 0x04, bytes(4), solicited=1, migreq=1,
               fecn=1, becn=1, resv6=0x3F, ackreq=1, resv7=0x7F, pkey=0x7FFF)


def datagrams(table):
    """What has UDP port 4791 and is RoCE nevertheless not, or only seems not to be."""
    ethernet = Ether(src=A1, dst=B2)
    for version in (4, 6):
        ip = ip_layer(version)

        def offers(kind, name, layers):
            passes(table, bytes(layers), kind, f"{name} over IPv{version}")

        bth = bytes(BTH(opcode=4, dqpn=5, icrc=0))
        assert len(bth) == 16
        for length in range(0, 24):
            offers("ip" if length < 8 else "roce_malformed",
                   f"{length} bytes of UDP", ethernet / ip_layer(version, **(
                       {"proto": 17} if version == 4 else {"nh": 17})) /
                   Raw(bytes(UDP(dport=4791, sport=1, len=length, chksum=0) / bth)[:length]))
        for wrong in (0, 7, 8, 23, 25, 65535):
            offers("roce_malformed", f"UDP length {wrong} instead of 24",
                   ethernet / ip / UDP(dport=4791, len=wrong, chksum=0) / Raw(bth))
        for checksum in (None, 0, 1):
            offers("roce_send", f"UDP checksum {checksum}",
                   ethernet / ip / UDP(dport=4791, sport=9, chksum=checksum) / Raw(bth))
        for port in (4790, 4792, 4793, 0xB712):
            offers("ip", f"UDP port {port}", ethernet / ip / UDP(dport=port, sport=4791) / Raw(bth))
        offers("ip", "TCP port 4791", ethernet / ip / TCP(dport=4791) / Raw(bth))
        offers("roce_send", "a VLAN tag",
               ethernet / Dot1Q(vlan=0, prio=5) / ip / UDP(dport=4791, chksum=0) / Raw(bth))
        offers("roce_send", "two VLAN tags", Ether(src=A1, dst=B2, type=0x88A8) /
               Dot1AD(vlan=3, type=0x8100) / Dot1Q(vlan=4) / ip / UDP(dport=4791, chksum=0) /
               Raw(bth))
        offers("not_ip", "three VLAN tags", ethernet / Dot1Q(vlan=1) / Dot1Q(vlan=2) /
               Dot1Q(vlan=3) / ip / UDP(dport=4791, chksum=0) / Raw(bth))
        frame = bytes(ethernet / ip / UDP(dport=4791, chksum=0) / Raw(bth))
        passes(table, frame.ljust(100, b"\x55"), "roce_send", f"padding over IPv{version}")

    udp = UDP(dport=4791, chksum=0) / Raw(bth)
    offers4 = lambda kind, name, ip: passes(table, bytes(ethernet / ip / udp), kind, name)
    offers4("ip", "IPv4 options", IP(options=[IPOption_NOP()] * 4))
    offers4("ip", "a first fragment", IP(flags="MF"))
    offers4("ip", "a later fragment", IP(frag=8))
    offers4("ip", "a last fragment", IP(flags="DF", frag=1))
    offers4("roce_send", "DF not set", IP())
    offers4("roce_send", "the reserved flag set", IP(flags="evil"))
    offers4("ip", "an IPv6 hop-by-hop header", IPv6() / IPv6ExtHdrHopByHop())
    offers4("ip", "an IPv6 fragment header", IPv6() / IPv6ExtHdrFragment())
    passes(table, bytes(Ether(src=A1, dst=B2, type=0x8915) / Raw(bytes(60))), "roce_v1", "RoCEv1")
    passes(table, bytes(Ether(src=A1, dst=B2) / Dot1Q(vlan=2, type=0x8915) / Raw(bytes(60))),
           "roce_v1", "tagged RoCEv1")


def captures(table):
    """What a real stack sent: every frame passes, plain and in a tunnel, and is counted once."""
    folder = Path(__file__).resolve().parents[2] / "captures"
    for path in sorted(folder.glob("*.pcap")):
        captured = pcap.read_pcap(path)
        for name, frames in ((path.stem, captured),
                             (f"{path.stem} in a tunnel", [wrap(frame) for frame in captured])):
            table.case(f"capture {name}")
            kinds = {}
            for frame, plain in zip(frames, captured):
                table.enters(LEFT, frame).leaves(RIGHT, frame)
                kind = meaning(plain[42])[0]
                if kind == "roce_ack":
                    kind = acknowledgement(plain[54])
                if kind == "roce_ud" and plain[47:50] == b"\0\0\1":
                    kind = "roce_cm"
                kinds[kind] = kinds.get(kind, 0) + 1
            for kind, count in sorted(kinds.items()):
                table.is_kind(LEFT, kind, NOT_ECT, count)


def make():
    table = Table()
    for cases in (opcodes, fields, datagrams, captures):
        cases(table)
    return table
