#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The ICRC against known answers, all captured frames and scapy; re-addressing against the ICRC."""

import struct
import tempfile
from pathlib import Path

import roce
from pcap import read_pcap, write_pcap
from tap import run, test

CAPTURES = sorted((Path(__file__).parent.parent / "captures").glob("*.pcap"))
LEFT = roce.Host("02:00:00:00:0a:01", "10.77.0.1")
RIGHT = roce.Host("02:00:00:00:0b:01", "10.77.0.2")
LEFT6 = roce.Host("02:00:00:00:0a:01", "fd00:77::1")
RIGHT6 = roce.Host("02:00:00:00:0b:01", "fd00:77::2")


def captured():
    return [frame for path in CAPTURES for frame in read_pcap(path)]


@test
def icrc_of_a_cnp_of_a_connectx_4_is_known():
    packet = bytes.fromhex("45c2003c718c4000401191610a0011010a001201" "000012b700280000"
                           "8100ffff4000011800000000" + "00" * 16)
    assert roce.icrc(packet).hex() == "82fd002a"


@test
def icrc_of_the_cnp_of_libconntrack_cm_is_known():
    header = struct.pack("!BBHHHBBH", 0x45, 0x89, 60, 0x98C6, 0x4000, 0x20, 17, 0)
    addresses = bytes([22, 22, 22, 8, 22, 22, 22, 7])
    udp = struct.pack("!HHHH", 56238, 4791, 40, 0)
    bth = bytes.fromhex("8100ffff400000d200000000")
    assert roce.icrc(header + addresses + udp + bth + bytes(16)).hex() == "dafc1bef"


@test
def every_captured_frame_has_a_valid_icrc():
    frames = captured()
    assert len(frames) == 888
    assert all(roce.icrc_valid(frame) for frame in frames)


@test
def every_changed_bit_that_the_icrc_covers_is_noticed():
    frame = read_pcap(CAPTURES[0])[0]
    # TOS, TTL, header checksum, UDP checksum and BTH byte 4 may change on the way.
    free = {15, 22, 24, 25, 40, 41, 46}
    for at in range(14, len(frame)):
        changed = bytearray(frame)
        changed[at] ^= 0x01
        if at in (16, 17):
            continue                             # total length: the frame's end moves
        assert roce.icrc_valid(bytes(changed)) == (at in free), f"byte {at}"


@test
def readdressed_frames_are_valid_in_both_families():
    for frame in captured():
        before = roce.parse(frame)
        for source, destination in ((LEFT, RIGHT), (LEFT6, RIGHT6)):
            made = roce.readdress(frame, source, destination, ecn=roce.ECT1, sport=50000,
                                  qp_shift=0x1000, psn_shift=0xFFFFFF)
            after = roce.parse(made)
            assert roce.icrc_valid(made) and after.ecn == roce.ECT1
            assert after.opcode == before.opcode
            assert after.psn == (before.psn - 1) & 0xFFFFFF
            assert made[after.udp + 20:-4] == frame[before.udp + 20:-4]


@test
def scapy_agrees_with_every_icrc_and_checksum():
    from scapy.contrib.roce import BTH  # pylint: disable=import-outside-toplevel
    from scapy.layers.inet import IP, UDP  # pylint: disable=import-outside-toplevel
    from scapy.layers.l2 import Ether  # pylint: disable=import-outside-toplevel
    for frame in captured()[::20]:
        made = roce.readdress(frame, LEFT, RIGHT, ecn=roce.ECT0, sport=50001)
        packet = Ether(made)
        assert packet.haslayer(BTH)
        del packet[IP].chksum
        packet[BTH].icrc = None
        again = bytes(packet)
        # scapy fills a UDP checksum of 0 only where the field is absent; ours stays 0.
        assert packet[UDP].chksum == 0
        assert again == made


@test
def ecn_is_replaced_in_both_families_and_nothing_else():
    for pair in ((LEFT, RIGHT), (LEFT6, RIGHT6)):
        frame = roce.readdress(captured()[0], *pair, ecn=roce.ECT0)
        marked = roce.with_ecn(frame, roce.CE)
        assert roce.parse(marked).ecn == roce.CE and roce.icrc_valid(marked)
        assert roce.with_ecn(marked, roce.ECT0) == frame


@test
def pcap_files_are_read_as_written():
    frames = captured()[:10]
    with tempfile.NamedTemporaryFile() as file:
        write_pcap(file.name, frames)
        assert read_pcap(file.name) == frames


run()
