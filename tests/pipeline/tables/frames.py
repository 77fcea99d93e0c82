# SPDX-License-Identifier: Apache-2.0
"""Frames as scapy writes them, and the gateway that all tables are about.

Nothing here is taken from Weir's own encoder, which these frames judge. RoCE's ICRC is scapy's over
IPv4; scapy knows none over IPv6, so there it comes from tests/support/roce.py, which must agree
with scapy wherever both can say something."""

import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))

# Scapy asks the kernel for routes on import and warns where there is no IPv6 default.
import logging

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)

from scapy.contrib.roce import BTH
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

import roce

NOT_ECT, ECT1, ECT0, CE = 0, 1, 2, 3
ECN_NAMES = ("not_ect", "ect1", "ect0", "ce")

# Ports.
HOST, WIRE, HOST2, GREEN, LEFT, RIGHT, HOMELESS, PEERLESS, LONELY, LARGEST, ZERO, \
    ROOMY, NARROW = range(13)
WIRE_MAC = "02:70:63:61:70:00"
NEXT_HOP = "02:00:00:00:ff:02"
NEXT_HOP3 = "02:00:00:00:ff:03"
SELF, GW2, GW3 = "198.18.0.1", "198.18.0.2", "198.18.0.3"
BLUE_VNI, GREEN_VNI, LONELY_VNI, LARGEST_VNI, ZERO_VNI = 100, 200, 300, 0xFFFFFF, 0
MIXED_VNI = 600
MTU, NARROW_MTU = 1600, 1000

# Endpoints of blue: a: behind a port here, b: behind a VTEP.
A1, A2, A_GREEN, A_GONE = ("02:00:00:00:0a:%02x" % i for i in (1, 2, 3, 7))
B2, B3, B_UNRESOLVED, B_SMALL, B_GONE = ("02:00:00:00:0b:%02x" % i for i in (1, 3, 4, 5, 9))
C1, D2 = "02:00:00:00:0c:01", "02:00:00:00:0d:01"  # Of green: here, and behind GW2.
E1, E2 = "02:00:00:00:0e:01", "02:00:00:00:0e:02"  # Of the largest VNI.
Z1, Z2 = "02:00:00:00:0f:01", "02:00:00:00:0f:02"  # Of VNI 0.
R1, N1 = "02:00:00:00:1a:01", "02:00:00:00:1a:02"  # Of a network with two MTUs.
NOBODY = "02:00:00:00:99:99"
BROADCAST = "ff:ff:ff:ff:ff:ff"

TOPOLOGY = f"""\
port {HOST} tenant 1
port {WIRE} underlay {WIRE_MAC} {MTU}
port {HOST2} tenant 1
port {GREEN} tenant 2
port {LEFT} transit {RIGHT}
port {RIGHT} transit {LEFT}
port {HOMELESS} tenant 0
port {PEERLESS} transit none
port {LONELY} tenant 3
port {LARGEST} tenant 4
port {ZERO} tenant 5
port {ROOMY} tenant 6
port {NARROW} tenant 6 {NARROW_MTU}
vtep local 1 {SELF}
vtep remote 2 {GW2} {WIRE} {SELF} {NEXT_HOP} resolved {MTU} 64 copy
vtep remote 3 {GW3} {WIRE} {SELF} {NEXT_HOP3} resolved {MTU} 17 46
vtep remote 4 198.18.0.4 {WIRE} {SELF} {NEXT_HOP} unresolved {MTU} 64 copy
vtep remote 5 198.18.0.5 {WIRE} {SELF} {NEXT_HOP} resolved 1400 64 copy
network 1 {BLUE_VNI} flood 2 3
network 2 {GREEN_VNI} drop 2
network 3 {LONELY_VNI} flood
network 4 {LARGEST_VNI} flood 2
network 5 {ZERO_VNI} flood 2
network 6 {MIXED_VNI} flood 2
endpoint 1 {A1} port {HOST}
endpoint 1 {A2} port {HOST2}
endpoint 1 {A_GREEN} port {GREEN}
endpoint 1 {A_GONE} port 20
endpoint 1 {B2} vtep 2
endpoint 1 {B3} vtep 3
endpoint 1 {B_UNRESOLVED} vtep 4
endpoint 1 {B_SMALL} vtep 5
endpoint 1 {B_GONE} vtep 9
endpoint 2 {C1} port {GREEN}
endpoint 2 {D2} vtep 2
endpoint 4 {E1} port {LARGEST}
endpoint 4 {E2} vtep 2
endpoint 5 {Z1} port {ZERO}
endpoint 5 {Z2} vtep 2
endpoint 6 {R1} port {ROOMY}
endpoint 6 {N1} port {NARROW}
"""


def ip_layer(version, tos=0, **fields):
    """An IP header of either family between two hosts that both have."""
    if version == 4:
        return IP(src="10.0.0.1", dst="10.0.0.2", tos=tos, id=7, flags="DF", **fields)
    return IPv6(src="fd00::1", dst="fd00::2", tc=tos, **fields)


def roce_bytes(ethernet, ip, opcode, rest=b"", qp=0x100, psn=1, sport=0xC000, **bth):
    """A RoCEv2 frame with a right ICRC; `rest` is extension headers, payload and padding."""
    layers = ethernet / ip / UDP(sport=sport, dport=4791, chksum=0)
    fields = dict(opcode=opcode, dqpn=qp, psn=psn, **bth)
    if isinstance(ip, IP):
        frame = bytes(layers / BTH(**fields) / Raw(rest))
        start = len(bytes(ethernet))
        assert len(ip.options) > 0 or frame[-4:] == roce.icrc(frame[start:-4])
        return frame
    # Scapy leaves four bytes for the ICRC, and all lengths include them.
    frame = bytes(layers / BTH(icrc=0, **fields) / Raw(rest))
    return frame[:-4] + roce.icrc(frame[len(bytes(ethernet)):-4])


def write_middle(source, destination, version=4, tos=0, payload=64, **fields):
    """The frame that most of RDMA's bytes travel in."""
    data = bytes(i & 0xFF for i in range(payload))
    return roce_bytes(Ether(src=source, dst=destination), ip_layer(version, tos), 0x07, data,
                      **fields)


def wrap(inner, vni=BLUE_VNI, source=GW2, destination=SELF, mac=WIRE_MAC, tos=0, ttl=64,
         sport=50000, from_mac=NEXT_HOP, checksum=0, label=0):
    """`inner` in VXLAN, as a VTEP that is not Weir would send it; over IPv6 where the addresses
    are. Checksum None: scapy's."""
    if ":" in source:
        ip = IPv6(src=source, dst=destination, tc=tos, hlim=ttl, fl=label)
    else:
        ip = IP(src=source, dst=destination, tos=tos, ttl=ttl, id=0, flags="DF")
    return bytes(Ether(src=from_mac, dst=mac) / ip /
                 UDP(sport=sport, dport=4789, chksum=checksum) /
                 VXLAN(flags=8, vni=vni) / Raw(inner))


def encapsulated(inner, vni=BLUE_VNI, gateway=GW2, tos=0, ttl=64, next_hop=NEXT_HOP):
    """What Weir should send: hexadecimal, any byte for the UDP source port."""
    frame = wrap(inner, vni, SELF, gateway, next_hop, tos, ttl, from_mac=WIRE_MAC).hex()
    return frame[:68] + "...." + frame[72:]


def with_tos(frame, tos, offset=14):
    """`frame` with another TOS or traffic class in the IP header at `offset`, checksum by scapy."""
    if frame[offset] >> 4 == 4:
        ip = IP(frame[offset:])
        ip.tos = tos
        del ip.chksum
        header = bytes(ip)[:20]
        return frame[:offset] + header + frame[offset + 20:]
    word, = struct.unpack_from("!I", frame, offset)
    word = word & 0xF00FFFFF | tos << 20
    return frame[:offset] + struct.pack("!I", word) + frame[offset + 4:]


class Table:
    """Cases in the order in which they run, as the C++ runner reads them (case_file.hpp)."""

    def __init__(self, topology=TOPOLOGY):
        self.lines = [topology]

    def case(self, name):
        self.lines.append(f"case {name}\n")
        return self

    def enters(self, port, frame, segment_bytes=0):
        """`segment_bytes`: not 0 where it is left to be cut into such segments."""
        large = f" {segment_bytes}" if segment_bytes else ""
        self.lines.append(f"in {port} {bytes(frame).hex() or '-'}{large}\n")
        return self

    def leaves(self, port, frame):
        text = frame if isinstance(frame, str) else bytes(frame).hex()
        self.lines.append(f"out {port} {text}\n")
        return self

    def dies(self, stage, reason, count=1):
        self.lines.append(f"drop {stage} {reason} {count}\n")
        return self

    def is_punted(self, frame=b"", is_so=True):
        """All frames of the case go to the housekeeper, as they are or as `frame`, or copies do."""
        if is_so:
            self.lines.append(f"punt {bytes(frame).hex()}\n")
        return self

    def is_kind(self, port, kind, ecn=NOT_ECT, count=1):
        """Once given, all kinds that the case's frames are counted under must be given."""
        self.lines.append(f"kind {port} {kind} {ECN_NAMES[ecn]} {count}\n")
        return self

    def counts(self, what, index, number=1):
        """A counter of network or VTEP `index`: see runner."""
        self.lines.append(f"count {what} {index} {number}\n")
        return self

    def write(self, path):
        Path(path).write_text("".join(self.lines), encoding="ascii")
