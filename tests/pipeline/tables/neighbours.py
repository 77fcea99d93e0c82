# SPDX-License-Identifier: Apache-2.0
"""What neighbours say at an underlay port goes to the housekeeper as it is, sound or not; the same
words at other ports are carried like any other."""

from frames import A1, B2, BROADCAST, HOST, LEFT, NEXT_HOP, RIGHT, Table, WIRE, WIRE_MAC, \
    encapsulated, wrap
from scapy.layers.inet6 import (
    ICMPv6EchoRequest, ICMPv6MLReport2, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_RS,
    ICMPv6NDOptSrcLLAddr, IPv6, IPv6ExtHdrHopByHop)
from scapy.layers.l2 import ARP, Dot1Q, Ether

OUTER = "wire_to_host/parse_outer"
GROUP_MAC = "33:33:ff:00:00:01"


def arp(mac, **fields):
    return bytes(Ether(src=NEXT_HOP, dst=mac) / ARP(psrc="198.18.0.2", pdst="198.18.0.1", **fields))


def six(message, mac=GROUP_MAC, **fields):
    return bytes(Ether(src=NEXT_HOP, dst=mac) / IPv6(src="fe80::2", dst="ff02::1:ff00:1", hlim=255,
                                                     **fields) / message)


SOLICITATION = ICMPv6ND_NS(tgt="fd00::1") / ICMPv6NDOptSrcLLAddr(lladdr=NEXT_HOP)


def punted(table):
    for mac in (WIRE_MAC, BROADCAST):
        for operation in (1, 2, 9):
            table.case(f"ARP {operation} to {mac}").enters(WIRE, arp(mac, op=operation)).is_punted()
    for mac in (WIRE_MAC, GROUP_MAC, "33:33:00:00:00:01"):
        for name, message in (("NS", SOLICITATION), ("NA", ICMPv6ND_NA(tgt="fd00::1"))):
            table.case(f"{name} to {mac}").enters(WIRE, six(message, mac)).is_punted()
    for length in range(14, 42):
        table.case(f"ARP cut to {length} bytes").enters(WIRE, arp(WIRE_MAC)[:length]).is_punted()
    whole = six(SOLICITATION)
    for length in range(55, len(whole)):
        table.case(f"NS cut to {length} bytes").enters(WIRE, whole[:length]).is_punted()


def not_punted(table):
    def dies(name, frame, reason):
        table.case(name).enters(WIRE, frame).dies(OUTER, reason)

    for length in range(14):
        dies(f"ARP cut to {length} bytes", arp(WIRE_MAC)[:length], "frame_truncated")
    for mac in (NEXT_HOP, "01:00:5e:00:00:01", GROUP_MAC):
        dies(f"ARP to {mac}", arp(mac), "wrong_destination_mac")
    for mac in (NEXT_HOP, BROADCAST, "01:80:c2:00:00:0e"):
        dies(f"NS to {mac}", six(SOLICITATION, mac), "wrong_destination_mac")
    whole = six(SOLICITATION)
    for length in range(14, 55):
        dies(f"NS to a group cut to {length} bytes", whole[:length], "wrong_destination_mac")
    for message in (ICMPv6EchoRequest(), ICMPv6ND_RS(), ICMPv6ND_RA(), ICMPv6MLReport2()):
        name = type(message).__name__
        dies(f"{name} to a group", six(message), "wrong_destination_mac")
        dies(f"{name} to us", six(message, WIRE_MAC), "protocol_not_handled")
    dies("NS behind an extension header", six(IPv6ExtHdrHopByHop() / SOLICITATION, WIRE_MAC),
         "ipv6_extension_header")
    dies("tagged ARP", bytes(Ether(src=NEXT_HOP, dst=WIRE_MAC) / Dot1Q(vlan=1) / ARP()),
         "unknown_vlan")


def carried(table):
    message = IPv6(src="fe80::2", hlim=255) / SOLICITATION
    for name, inside in (("ARP", ARP()), ("NS", message)):
        frame, back = (bytes(Ether(src=source, dst=to) / inside) for source, to in
                       ((A1, B2), (B2, A1)))
        table.case(f"{name} of a tenant").enters(HOST, frame).leaves(WIRE, encapsulated(frame))
        table.case(f"{name} in transit").enters(LEFT, frame).leaves(RIGHT, frame)
        table.case(f"{name} in a tunnel").enters(WIRE, wrap(back)).leaves(HOST, back)


def make():
    table = Table()
    for cases in (punted, not_punted, carried):
        cases(table)
    return table
