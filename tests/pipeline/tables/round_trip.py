# SPDX-License-Identifier: Apache-2.0
"""Frames that one gateway wraps and another unwraps. What arrives is what was sent, every ICRC
right; a case that begins with "marked" has the fabric set CE on the way."""

from pathlib import Path

from frames import (
    A1, B2, CE, ECN_NAMES, ECT0, ECT1, HOST, NOT_ECT, Table, ip_layer, roce_bytes, with_tos)
from kinds import meaning
from scapy.layers.inet import TCP
from scapy.layers.l2 import ARP, Dot1Q, Ether
import pcap
import roce

# What the fabric did, by what the tenant sent; RFC 3168 section 5 marks nothing that is Not-ECT.
MARKED = {ECT0: CE, ECT1: CE, CE: CE}


def icrc_holds(frame, start):
    return frame[-4:] == roce.icrc(frame[start:-4])


def there(table, name, frame):
    table.case(name).enters(HOST, frame).leaves(HOST, frame)


def every_opcode(table):
    for version in (4, 6):
        for ecn in (NOT_ECT, ECT1, ECT0, CE):
            for opcode in range(256):
                extension = meaning(opcode)[1]
                sent = roce_bytes(Ether(src=A1, dst=B2), ip_layer(version, 26 << 2 | ecn), opcode,
                                  bytes(extension) + bytes(range(64)))
                name = f"opcode {opcode:#04x} over IPv{version}, {ECN_NAMES[ecn]}"
                there(table, name, sent)
                if ecn in MARKED:
                    received = with_tos(sent, 26 << 2 | MARKED[ecn])
                    assert icrc_holds(received, 14)
                    table.case(f"marked {name}").enters(HOST, sent).leaves(HOST, received)


def every_size(table):
    for version in (4, 6):
        for payload in range(0, 1400, 7):
            frame = roce_bytes(Ether(src=A1, dst=B2) / Dot1Q(vlan=payload & 0xFFF, prio=3),
                               ip_layer(version, ECT0), 0x08, bytes(payload))
            there(table, f"{payload} bytes over IPv{version}", frame)


def others(table):
    there(table, "ARP", bytes(Ether(src=A1, dst=B2) / ARP()))
    there(table, "ARP padded to 60", bytes(Ether(src=A1, dst=B2) / ARP()).ljust(60, b"\0"))
    there(table, "an empty frame", bytes(Ether(src=A1, dst=B2, type=0x88B5)))
    there(table, "TCP", bytes(Ether(src=A1, dst=B2) / ip_layer(4) / TCP() / bytes(99)))


def captures(table):
    """What a real stack sent, given to hosts at both ends."""
    folder = Path(__file__).resolve().parents[2] / "captures"
    macs = bytes.fromhex((B2 + A1).replace(":", ""))
    for path in sorted(folder.glob("*.pcap")):
        for number, frame in enumerate(pcap.read_pcap(path)):
            frame = macs + frame[12:]
            assert icrc_holds(frame, 14)
            there(table, f"frame {number} of {path.stem}", frame)


def make():
    table = Table(topology="")
    for cases in (every_opcode, every_size, others, captures):
        cases(table)
    return table
