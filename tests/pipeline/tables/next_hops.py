# SPDX-License-Identifier: Apache-2.0
"""By which of a VTEP's next hops a frame leaves: the first one that is usable; with whose MACs, at
which port, and what it dies of where none is."""

import itertools

from frames import (
    A1, BLUE_VNI, BROADCAST, HOST, MTU, NEXT_HOP, NEXT_HOP3, SELF, Table, WIRE, WIRE_MAC, wrap,
    write_middle)
from scapy.layers.l2 import ARP, Ether

WIRE2, WIRE2_MAC = 2, "02:70:63:61:70:0f"
SELF6 = "fd00:18::1"
SMALL_MTU = 1400
# Number: port, how its MAC is known, MAC, MTU, state.
NEXT_HOPS = {
    1: (WIRE, "static", NEXT_HOP, MTU, "usable"),
    2: (WIRE2, "resolved", NEXT_HOP3, MTU, "usable"),
    3: (WIRE, "static", NEXT_HOP, MTU, "down"),
    4: (WIRE2, "resolved", NEXT_HOP3, MTU, "down"),
    5: (WIRE, "resolved", "00:00:00:00:00:00", MTU, "unresolved"),
    6: (WIRE2, "static", NEXT_HOP3, SMALL_MTU, "usable"),
}
MACS = {WIRE: WIRE_MAC, WIRE2: WIRE2_MAC}
DEATHS = {"down": "next_hop_link_down", "unresolved": "next_hop_unresolved"}
# What a VTEP may name: each one, and each two in either order.
CHOICES = [(one,) for one in NEXT_HOPS] + list(itertools.permutations(NEXT_HOPS, 2))
STAGE = "host_to_wire/choose_next_hop"


def endpoint(number):
    return f"02:00:00:00:0b:{number:02x}"


def chosen(next_hops):
    """The next hop that is taken, or the reason of death."""
    usable = [number for number in next_hops if NEXT_HOPS[number][-1] == "usable"]
    return usable[0] if usable else DEATHS[NEXT_HOPS[next_hops[0]][-1]]


def vteps():
    """Number, address, source and next hops of each: over IPv4, then every other one over IPv6
    (a test's gateway has no room for more)."""
    number = itertools.count(10)
    for address, source, choices in (("198.18.0.%d", SELF, CHOICES),
                                     ("fd00:18::%x", SELF6, CHOICES[::2])):
        for next_hops in choices:
            this = next(number)
            yield this, address % this, source, next_hops


def topology():
    lines = [f"port {HOST} tenant 1", f"port {WIRE} underlay {WIRE_MAC} {MTU}",
             f"port {WIRE2} underlay {WIRE2_MAC} {MTU}", f"vtep local 1 {SELF}",
             f"vtep local 2 {SELF6}"]
    lines += [f"next_hop {number} " + " ".join(map(str, fields))
              for number, fields in NEXT_HOPS.items()]
    for number, address, source, next_hops in vteps():
        lines.append(f"path {number} {address} {source} " + " ".join(map(str, next_hops)))
    first, last = (next(number for number, _, _, hops in vteps() if hops == wanted)
                   for wanted in ((1, 2), (3, 2)))
    lines.append(f"network 1 {BLUE_VNI} flood {first} {last}")
    lines.append(f"endpoint 1 {A1} port {HOST}")
    lines += [f"endpoint 1 {endpoint(number)} vtep {number}" for number, _, _, _ in vteps()]
    return "\n".join(lines) + "\n"


def tunnelled(inner, source, address, next_hop):
    """What Weir should send there: any flow label and UDP source port."""
    port, _, mac, _, _ = NEXT_HOPS[next_hop]
    text = wrap(inner, source=source, destination=address, mac=mac, from_mac=MACS[port]).hex()
    if ":" in source:
        return port, text[:31] + "....." + text[36:108] + "...." + text[112:]
    return port, text[:68] + "...." + text[72:]


def make():
    table = Table(topology())
    for number, address, source, next_hops in vteps():
        choice = chosen(next_hops)
        family = 6 if ":" in source else 4
        outer = 40 + 16 if family == 6 else 20 + 16
        inner = write_middle(A1, endpoint(number))
        table.case(f"takes of next hops {next_hops} over IPv{family}: {choice}")
        table.enters(HOST, inner)
        if isinstance(choice, str):
            table.dies(STAGE, choice)
            continue
        table.leaves(*tunnelled(inner, source, address, choice))
        # The MTU is that of the next hop that is taken, not of one that has more room.
        room = NEXT_HOPS[choice][3] - outer
        for bytes_ in (room, room + 1):
            inner = bytes(Ether(src=A1, dst=endpoint(number), type=0x88B5) / (b"x" * (bytes_ - 14)))
            table.case(f"a frame of {bytes_} bytes by next hops {next_hops} over IPv{family}")
            table.enters(HOST, inner)
            if bytes_ > room:
                table.dies(STAGE, "mtu_exceeded")
            else:
                table.leaves(*tunnelled(inner, source, address, choice))
    arp = bytes(Ether(src=A1, dst=BROADCAST) / ARP(psrc="10.0.0.1", pdst="10.0.0.2"))
    table.case("floods by the next hop that each VTEP has").enters(HOST, arp)
    for number, address, source, next_hops in vteps():
        if source == SELF and next_hops in ((1, 2), (3, 2)):
            table.leaves(*tunnelled(arp, source, address, chosen(next_hops)))
    return table
