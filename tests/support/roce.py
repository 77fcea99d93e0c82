# SPDX-License-Identifier: Apache-2.0
"""RoCEv2 frames: the ICRC, and captured frames given to other hosts.

Written from IBTA Annex A17 and not from Weir's own code, which it is to judge. A frame here is an
untagged Ethernet frame with IPv4 without options or IPv6 without extension headers."""

import ipaddress
import struct
import zlib
from typing import NamedTuple

ETHERNET_BYTES = 14
ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_IPV6 = 0x86DD
PROTOCOL_UDP = 17
ROCE_PORT = 4791
UDP_BYTES = 8
BTH_BYTES = 12
ICRC_BYTES = 4

NOT_ECT, ECT1, ECT0, CE = 0, 1, 2, 3

# The ICRC starts with eight bytes of ones, where InfiniBand has its LRH (A17.3.3).
ICRC_SEED = zlib.crc32(b"\xff" * 8)


def internet_checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def icrc(packet):
    """The ICRC, as on the wire, of an IP packet that ends where its ICRC would begin."""
    masked = bytearray(packet)
    if packet[0] >> 4 == 4:
        masked[1] = 0xFF                         # TOS: DSCP and ECN
        masked[8] = 0xFF                         # TTL
        masked[10:12] = b"\xff\xff"              # header checksum
        udp = 20
    else:
        masked[0] |= 0x0F                        # traffic class and flow label
        masked[1:4] = b"\xff\xff\xff"
        masked[7] = 0xFF                         # hop limit
        udp = 40
    masked[udp + 6:udp + 8] = b"\xff\xff"        # UDP checksum
    masked[udp + UDP_BYTES + 4] = 0xFF           # FECN, BECN, reserved
    return struct.pack("<I", zlib.crc32(masked, ICRC_SEED))


class Fields(NamedTuple):
    """What identifies a RoCEv2 frame. `flow` is what order is kept within."""
    udp: int                                     # offset of the UDP header in the frame
    source_ip: bytes
    destination_ip: bytes
    ecn: int
    opcode: int
    destination_qp: int
    psn: int

    @property
    def flow(self):
        return self.source_ip, self.destination_ip, self.destination_qp


def parse(frame):
    """The fields of a RoCEv2 frame, or None of any other."""
    ethertype = frame[12:14]
    if ethertype == b"\x08\x00" and len(frame) >= 58 and frame[14] == 0x45:
        if frame[23] != PROTOCOL_UDP or frame[20] & 0x3F or frame[21]:
            return None
        udp, source, destination, ecn = 34, frame[26:30], frame[30:34], frame[15] & 3
    elif ethertype == b"\x86\xdd" and len(frame) >= 78:
        if frame[20] != PROTOCOL_UDP:
            return None
        udp, source, destination, ecn = 54, frame[22:38], frame[38:54], (frame[15] >> 4) & 3
    else:
        return None
    if int.from_bytes(frame[udp + 2:udp + 4], "big") != ROCE_PORT:
        return None
    return Fields(udp, bytes(source), bytes(destination), ecn, frame[udp + 8],
                  int.from_bytes(frame[udp + 13:udp + 16], "big"),
                  int.from_bytes(frame[udp + 17:udp + 20], "big"))


def icrc_valid(frame):
    """Whether the frame's last four bytes of IP payload are its ICRC. Padding does not matter."""
    if frame[12:14] == b"\x08\x00":
        end = ETHERNET_BYTES + int.from_bytes(frame[16:18], "big")
    else:
        end = ETHERNET_BYTES + 40 + int.from_bytes(frame[18:20], "big")
    if end > len(frame):
        return False
    return icrc(frame[ETHERNET_BYTES:end - ICRC_BYTES]) == frame[end - ICRC_BYTES:end]


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def ip_header(source, destination, udp_bytes, *, tos=0, ttl=64, identification=0):
    """An IPv4 (DF set, as A17 asks) or IPv6 header for UDP, as the addresses' family says."""
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if source.version == 6:
        return struct.pack("!IHBB", 6 << 28 | tos << 20, udp_bytes, PROTOCOL_UDP, ttl) + \
            source.packed + destination.packed
    header = struct.pack("!BBHHHBBH", 0x45, tos, 20 + udp_bytes, identification, 0x4000, ttl,
                         PROTOCOL_UDP, 0) + source.packed + destination.packed
    return header[:10] + struct.pack("!H", internet_checksum(header)) + header[12:]


def ethernet_header(source_mac, destination_mac, version):
    ethertype = ETHERTYPE_IPV4 if version == 4 else ETHERTYPE_IPV6
    return mac_bytes(destination_mac) + mac_bytes(source_mac) + struct.pack("!H", ethertype)


class Host(NamedTuple):
    mac: str
    ip: str


def readdress(frame, source, destination, *, ecn, sport=None, qp_shift=0, psn_shift=0):
    """A captured IPv4 frame as if `source` had sent it to `destination` (either family): MACs, IP
    header, source port, QP and PSN are replaced, the BTH and what follows stay, the ICRC is made
    anew. The QP of connection management stays 1."""
    fields = parse(frame)
    udp_bytes = int.from_bytes(frame[fields.udp + 4:fields.udp + 6], "big")
    udp = bytearray(frame[fields.udp:fields.udp + udp_bytes - ICRC_BYTES])
    if sport is not None:
        udp[0:2] = sport.to_bytes(2, "big")
    udp[6:8] = b"\0\0"
    if fields.destination_qp > 1:
        udp[13:16] = ((fields.destination_qp + qp_shift) & 0xFFFFFF).to_bytes(3, "big")
    udp[17:20] = ((fields.psn + psn_shift) & 0xFFFFFF).to_bytes(3, "big")
    header = ip_header(source.ip, destination.ip, udp_bytes, tos=(frame[15] & 0xFC) | ecn,
                       identification=int.from_bytes(frame[18:20], "big"))
    packet = header + bytes(udp)
    ethernet = ethernet_header(source.mac, destination.mac, ipaddress.ip_address(source.ip).version)
    return ethernet + packet + icrc(packet)


def with_ecn(frame, ecn):
    """The frame with another ECN field and a right IPv4 checksum."""
    frame = bytearray(frame)
    if frame[12:14] == b"\x08\x00":
        frame[15] = (frame[15] & 0xFC) | ecn
        frame[24:26] = b"\0\0"
        frame[24:26] = struct.pack("!H", internet_checksum(bytes(frame[14:34])))
    else:
        frame[15] = (frame[15] & 0xCF) | ecn << 4
    return bytes(frame)


def cnp_like(source, destination, *, ecn, destination_qp=0x118, psn=0):
    """The smallest RoCEv2 frame, a CNP (A17.9.2), with an ECN field of one's choice."""
    bth = struct.pack("!BBHII", 0x81, 0, 0xFFFF, 0x40000000 | destination_qp, psn)
    udp = struct.pack("!HHHH", 49152, ROCE_PORT, UDP_BYTES + 12 + 16 + ICRC_BYTES, 0)
    header = ip_header(source.ip, destination.ip, UDP_BYTES + 12 + 16 + ICRC_BYTES, tos=ecn)
    packet = header + udp + bth + bytes(16)
    version = ipaddress.ip_address(source.ip).version
    return ethernet_header(source.mac, destination.mac, version) + packet + icrc(packet)


def write_middle(source, destination, *, tos, psn, frame_bytes, destination_qp=0x118):
    """An RC WRITE Middle that makes a frame of so many bytes."""
    version = ipaddress.ip_address(source.ip).version
    udp_bytes = frame_bytes - ETHERNET_BYTES - (20 if version == 4 else 40)
    udp = struct.pack("!HHHH", 49152, ROCE_PORT, udp_bytes, 0)
    bth = struct.pack("!BBHII", 0x07, 0x40, 0xFFFF, destination_qp, psn)
    header = ip_header(source.ip, destination.ip, udp_bytes, tos=tos)
    packet = header + udp + bth + bytes(udp_bytes - UDP_BYTES - len(bth) - ICRC_BYTES)
    return ethernet_header(source.mac, destination.mac, version) + packet + icrc(packet)


def vxlan(frame, source, destination, *, vni=100, ecn=0):
    """The frame in a tunnel packet from VTEP to VTEP (RFC 7348), without a UDP checksum, which
    RFC 6935 allows over IPv6 as well."""
    payload = struct.pack("!II", 0x08000000, vni << 8) + frame
    udp = struct.pack("!HHHH", 50000, 4789, UDP_BYTES + len(payload), 0)
    header = ip_header(source.ip, destination.ip, UDP_BYTES + len(payload), tos=ecn)
    version = ipaddress.ip_address(source.ip).version
    return ethernet_header(source.mac, destination.mac, version) + header + udp + payload
