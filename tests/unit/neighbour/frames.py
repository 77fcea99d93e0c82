#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: frames.py FILE: ARP and neighbour discovery as scapy writes them, a line each: what
parsing must say of it, a name, the frame. What it must say is `ok` or the name of a fault.

Nothing here is taken from Weir's own encoder, which these frames judge: lines that begin with
`ours` are what it must write, byte for byte."""

import logging
import sys

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)

from scapy.layers.inet import UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptMTU,
    ICMPv6NDOptSrcLLAddr, IPv6, IPv6ExtHdrHopByHop)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

US, THEM, ALL = "02:00:00:00:ff:01", "02:00:00:00:ff:02", "ff:ff:ff:ff:ff:ff"
US4, THEM4 = "198.18.0.1", "198.18.0.2"
US6, THEM6, THEM_LOCAL = "fd00:18::1", "fd00:18::2", "fe80::2"
SOLICITED = "ff02::1:ff00:1"                     # Of US6.
SOLICITED_MAC = "33:33:ff:00:00:01"


def arp(op="is-at", dst=US, src=THEM, **fields):
    values = {"hwsrc": THEM, "psrc": THEM4, "hwdst": US, "pdst": US4, **fields}
    return Ether(src=src, dst=dst) / ARP(op=op, **values)


def solicitation(*options, dst=SOLICITED, mac=SOLICITED_MAC, source=THEM6, target=US6, hlim=255,
                 code=0, **fields):
    packet = (Ether(src=THEM, dst=mac) / IPv6(src=source, dst=dst, hlim=hlim) /
              ICMPv6ND_NS(tgt=target, code=code, **fields))
    for option in options:
        packet /= option
    return packet


def advertisement(*options, dst=US6, mac=US, source=THEM6, target=THEM6, hlim=255, code=0,
                  **flags):
    packet = (Ether(src=THEM, dst=mac) / IPv6(src=source, dst=dst, hlim=hlim) /
              ICMPv6ND_NA(tgt=target, code=code, **{"R": 0, "S": 1, "O": 1, **flags}))
    for option in options:
        packet /= option
    return packet


SLLA = ICMPv6NDOptSrcLLAddr(lladdr=THEM)
TLLA = ICMPv6NDOptDstLLAddr(lladdr=THEM)


def sound():
    yield "arp_request", arp("who-has", dst=ALL, hwdst="00:00:00:00:00:00")
    yield "arp_reply", arp()
    yield "arp_probe", arp("who-has", dst=ALL, psrc="0.0.0.0", hwdst="00:00:00:00:00:00")
    yield "arp_announcement", arp("who-has", dst=ALL, pdst=THEM4)
    yield "arp_gratuitous_reply", arp(dst=ALL, pdst=THEM4)
    yield "arp_padded", arp() / Raw(bytes(18))
    yield "ns", solicitation(SLLA)
    yield "ns_unicast_without_option", solicitation(dst=US6, mac=US)
    yield "ns_from_link_local", solicitation(SLLA, source=THEM_LOCAL)
    yield "ns_probe", solicitation(source="::")
    yield "ns_second_option", solicitation(ICMPv6NDOptMTU(), SLLA)
    yield "na", advertisement(TLLA)
    yield "na_without_override", advertisement(TLLA, O=0)
    yield "na_without_option", advertisement()
    yield "na_unsolicited", advertisement(TLLA, dst="ff02::1", mac="33:33:00:00:00:01", S=0)
    yield "na_link_local", advertisement(TLLA, source=THEM_LOCAL, target=THEM_LOCAL, R=1)


def broken():
    yield "arp_not_ipv4", "token ring", arp(hwtype=6)
    yield "arp_not_ipv4", "of IPv6", arp(ptype=0x86DD)
    yield "arp_not_ipv4", "MACs of 8 bytes", arp(hwlen=8)
    yield "arp_not_ipv4", "addresses of 16 bytes", arp(plen=16)
    for operation in (0, 3, 8, 0xFFFF):
        yield "arp_operation", f"operation {operation}", arp(op=operation)
    for mac in (ALL, "01:00:5e:00:00:01", "00:00:00:00:00:00"):
        yield "sender_not_unicast", f"ARP of MAC {mac}", arp(hwsrc=mac)
    for ip in ("224.0.0.1", "255.255.255.255", "127.0.0.1"):
        yield "sender_not_unicast", f"ARP of {ip}", arp(psrc=ip)
    yield "sender_not_unicast", "a reply without sender", arp(psrc="0.0.0.0")
    yield "not_neighbour", "VLAN", Ether(src=THEM, dst=US) / Dot1Q(vlan=1) / arp().payload
    yield "not_neighbour", "UDP over IPv6", Ether(src=THEM, dst=US) / IPv6() / UDP()
    yield "not_neighbour", "a ping", Ether(src=THEM, dst=US) / IPv6() / ICMPv6EchoRequest()
    yield "not_neighbour", "behind an extension header", (
        Ether(src=THEM, dst=US) / IPv6(hlim=255) / IPv6ExtHdrHopByHop() / ICMPv6ND_NS(tgt=US6))
    for hlim in (0, 1, 64, 254):
        yield "nd_hop_limit", f"a hop limit of {hlim}", solicitation(SLLA, hlim=hlim)
    yield "nd_checksum", "a wrong sum", solicitation(SLLA, cksum=0x1234)
    yield "nd_checksum", "a zero sum", advertisement(TLLA, cksum=0)
    yield "nd_code", "code 1", solicitation(SLLA, code=1)
    yield "target_multicast", "for a group", solicitation(SLLA, target="ff02::1")
    yield "target_multicast", "telling of a group", advertisement(TLLA, target="ff02::1")
    yield "sender_not_unicast", "NS from a group", solicitation(SLLA, source="ff02::1")
    yield "sender_not_unicast", "NS from loopback", solicitation(SLLA, source="::1")
    yield "sender_not_unicast", "NA from nobody", advertisement(TLLA, source="::")
    yield "sender_not_unicast", "a group's MAC", advertisement(ICMPv6NDOptDstLLAddr(lladdr=ALL))
    for frame in (arp(), solicitation(source="::"), advertisement(TLLA)):
        frame.src = "33:33:ff:00:00:01"
        yield "sender_not_unicast", f"a frame of a group's: {frame.summary()}", frame
    yield "nd_addresses", "a probe that tells a MAC", solicitation(SLLA, source="::")
    yield "nd_addresses", "a probe to one host", solicitation(source="::", dst=US6)
    yield "nd_addresses", "an answer to all", advertisement(TLLA, dst="ff02::1")
    yield "nd_option", "an option of length 0", solicitation(
        ICMPv6NDOptSrcLLAddr(lladdr=THEM, len=0))
    yield "nd_option", "an option beyond the end", solicitation(
        ICMPv6NDOptSrcLLAddr(lladdr=THEM, len=2))
    yield "nd_option", "half an option", solicitation(Raw(b"\1"))
    yield "nd_option", "a MAC of 14 bytes", solicitation(
        ICMPv6NDOptSrcLLAddr(lladdr=THEM, len=2), Raw(bytes(8)))
    yield "nd_length", "less than a solicitation", (
        Ether(src=THEM, dst=US) / IPv6(hlim=255, nh=58) / Raw(bytes([135, 0, 0, 0, 0])))
    yield "nd_length", "nothing at all", Ether(src=THEM, dst=US) / IPv6(hlim=255, nh=58, plen=0)
    yield "truncated", "a payload length beyond the frame", (
        Ether(src=THEM, dst=US) / IPv6(hlim=255, nh=58, plen=33) / Raw(bytes([135] + [0] * 31)))


def mac_of(ether):
    """With the padding that Ethernet wants."""
    return bytes(ether).ljust(60, b"\0")


def ours():
    nobody = "00:00:00:00:00:00"
    yield "arp_question", mac_of(Ether(src=US, dst=ALL) / ARP(
        op="who-has", hwsrc=US, psrc=US4, hwdst=nobody, pdst=THEM4))
    yield "arp_question_to_one", mac_of(Ether(src=US, dst=THEM) / ARP(
        op="who-has", hwsrc=US, psrc=US4, hwdst=nobody, pdst=THEM4))
    yield "arp_probe", mac_of(Ether(src=US, dst=ALL) / ARP(
        op="who-has", hwsrc=US, psrc="0.0.0.0", hwdst=nobody, pdst=US4))
    yield "arp_answer", mac_of(Ether(src=US, dst=THEM) / ARP(
        op="is-at", hwsrc=US, psrc=US4, hwdst=THEM, pdst=THEM4))
    yield "arp_announcement", mac_of(Ether(src=US, dst=ALL) / ARP(
        op="who-has", hwsrc=US, psrc=US4, hwdst=nobody, pdst=US4))
    yield "ns_question", bytes(
        Ether(src=US, dst="33:33:ff:00:00:02") / IPv6(src=US6, dst="ff02::1:ff00:2", hlim=255) /
        ICMPv6ND_NS(tgt=THEM6) / ICMPv6NDOptSrcLLAddr(lladdr=US))
    yield "ns_question_to_one", bytes(
        Ether(src=US, dst=THEM) / IPv6(src=US6, dst=THEM6, hlim=255) /
        ICMPv6ND_NS(tgt=THEM6) / ICMPv6NDOptSrcLLAddr(lladdr=US))
    yield "ns_probe", bytes(
        Ether(src=US, dst=SOLICITED_MAC) / IPv6(src="::", dst=SOLICITED, hlim=255) /
        ICMPv6ND_NS(tgt=US6))
    yield "na_answer", bytes(
        Ether(src=US, dst=THEM) / IPv6(src=US6, dst=THEM6, hlim=255) /
        ICMPv6ND_NA(tgt=US6, R=0, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=US))
    yield "na_announcement", bytes(
        Ether(src=US, dst="33:33:00:00:00:01") / IPv6(src=US6, dst="ff02::1", hlim=255) /
        ICMPv6ND_NA(tgt=US6, R=0, S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=US))


def main(path):
    with open(path, "w", encoding="ascii") as file:
        for name, frame in sound():
            file.write(f"ok\t{name}\t{bytes(frame).hex()}\n")
        for fault, name, frame in broken():
            file.write(f"{fault}\t{name}\t{bytes(frame).hex()}\n")
        for name, frame in ours():
            file.write(f"ours\t{name}\t{frame.hex()}\n")


if __name__ == "__main__":
    main(sys.argv[1])
