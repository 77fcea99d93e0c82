# SPDX-License-Identifier: Apache-2.0
"""The frames that every system is given, and the judge of those that come out.

A frame is a RoCEv2 WRITE Middle of one QP with a valid ICRC; the same, wrapped in VXLAN, is the
work of decapsulation. Output is compared byte by byte with the input, never with our own encoder's
output, and a sample is decoded by tshark as a second opinion."""

import collections
import ipaddress
import struct
import subprocess
import zlib

from roce import ethernet_header, icrc, internet_checksum, ip_header, mac_bytes

FRAME_BYTES = 128
VNI = 100
LOCAL_VTEP = '198.18.0.1'
REMOTE_VTEP = '198.18.0.2'
NEXT_HOP_MAC = '02:00:00:00:ff:02'
UNDERLAY_MAC = '02:70:63:61:70:00'  # What net_pcap calls the first device of a process.
SOURCE_MAC = '02:00:00:00:0a:01'
DESTINATION_MAC = '02:00:00:00:0b:01'
TOS = 0x6a  # DSCP 26, ECT(0): what a ConnectX sends.
VXLAN_PORT = 4789
WRAP_BYTES = 14 + 20 + 8 + 8


def inner_frames(qp_count):
    """One frame of FRAME_BYTES for each QP."""
    payload = bytes(FRAME_BYTES - 14 - 20 - 8 - 12 - 4)
    ethernet = ethernet_header(SOURCE_MAC, DESTINATION_MAC, 4)
    ip = ip_header('10.0.0.1', '10.0.0.2', FRAME_BYTES - 34, tos=TOS)
    frames = []
    for index in range(qp_count):
        udp = struct.pack('!HHHH', 49152 + index % 16384, 4791, FRAME_BYTES - 34, 0)
        bth = struct.pack('!BBHII', 0x07, 0x40, 0xffff, 0x100 + index, index)
        packet = ip + udp + bth + payload
        frames.append(ethernet + packet + icrc(packet))
    return frames


def wrap(frame, qp_hash):
    """`frame` in VXLAN, as the far gateway sends it."""
    udp_bytes = 8 + 8 + len(frame)
    udp = struct.pack('!HHHH', 49152 + qp_hash % 16384, VXLAN_PORT, udp_bytes, 0)
    return (ethernet_header(NEXT_HOP_MAC, UNDERLAY_MAC, 4) +
            ip_header(REMOTE_VTEP, LOCAL_VTEP, udp_bytes, tos=TOS) + udp +
            struct.pack('!II', 0x08000000, VNI << 8) + frame)


def input_frames(direction, qp_count):
    frames = inner_frames(qp_count)
    if direction == 'encap':
        return frames
    # The far gateway's entropy: any hash that keeps a QP on one source port.
    return [wrap(frame, zlib.crc32(frame[47:50])) for frame in frames]


def parse_pcap(data):
    """The whole frames in `data`, which may end anywhere."""
    if len(data) < 24:
        return []
    order = '<' if data[:4] in (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1') else '>'
    frames, offset = [], 24
    while offset + 16 <= len(data):
        captured = struct.unpack_from(order + 'I', data, offset + 8)[0]
        if offset + 16 + captured > len(data):
            break
        frames.append(data[offset + 16:offset + 16 + captured])
        offset += 16 + captured
    return frames


class Verdict:
    """What was found in the frames that a system sent. `problems` is empty, or the rate is void;
    `remarks` are differences that make the peer's work less than ours, but not void."""

    def __init__(self):
        self.problems = collections.Counter()
        self.remarks = collections.Counter()
        self.frames = 0
        self.source_ports = set()

    def describe(self):
        return [f'{text} ({count} of {self.frames} frames)'
                for text, count in self.problems.items()]


def without_arp_of_the_gateway(received):
    """Without the ARP by which a gateway asks for, or says that it has, the local VTEP: some frames
    a second beside the work, nobody's."""
    local = ipaddress.ip_address(LOCAL_VTEP).packed
    return [frame for frame in received
            if frame[12:14] != b'\x08\x06' or local not in (frame[28:32], frame[38:42])]


def check_unwrapped(verdict, frame):
    """The tenant's frame inside `frame`, which must be VXLAN towards the far gateway."""
    if len(frame) < WRAP_BYTES or frame[12:14] != b'\x08\x00' or frame[14] != 0x45:
        verdict.problems['is no IPv4 packet'] += 1
        return None
    ip, udp, vxlan = frame[14:34], frame[34:42], frame[42:50]
    expected = {
        'outer destination MAC is not the next hop': frame[:6] == mac_bytes(NEXT_HOP_MAC),
        'outer IPv4 checksum is wrong': internet_checksum(ip) == 0,
        'outer protocol is not UDP to 4789': ip[9] == 17 and udp[2:4] == b'\x12\xb5',
        'outer addresses are wrong': ip[12:20] == ipaddress.ip_address(LOCAL_VTEP).packed +
                                     ipaddress.ip_address(REMOTE_VTEP).packed,
        'outer lengths are wrong': struct.unpack('!H', ip[2:4])[0] == len(frame) - 14 and
                                   struct.unpack('!H', udp[4:6])[0] == len(frame) - 34,
        'VXLAN flags or VNI are wrong': vxlan == struct.pack('!II', 0x08000000, VNI << 8),
    }
    for text, holds in expected.items():
        if not holds:
            verdict.problems[text] += 1
    if (ip[1] ^ frame[WRAP_BYTES + 15]) & 3:
        verdict.remarks['outer ECN is not the inner one'] += 1
    if (ip[1] ^ frame[WRAP_BYTES + 15]) & 0xfc:
        verdict.remarks['outer DSCP is not the inner one'] += 1
    verdict.source_ports.add(udp[:2])
    return frame[WRAP_BYTES:]


def swapped(frame):
    return frame[6:12] + frame[:6] + frame[12:]


def judge(kind, sent, received):
    """`received` is a sample of what left while `sent` was replayed without end, longer than
    `sent`: each frame must be there, and nothing else. `kind`: encap, decap, or macswap (the floor
    does the same to the frames of either work)."""
    verdict = Verdict()
    verdict.frames = len(received)
    outcome, expected = received, sent
    if kind == 'encap':
        outcome = [check_unwrapped(verdict, frame) for frame in received]
    elif kind == 'decap':
        expected = [frame[WRAP_BYTES:] for frame in sent]
    else:
        expected = [swapped(frame) for frame in sent]
    seen = {frame for frame in outcome if frame is not None}
    missing, strange = set(expected) - seen, seen - set(expected)
    if missing:
        verdict.problems[f'{len(missing)} of {len(sent)} frames never came out'] = len(missing)
    if strange:
        verdict.problems['frames came out changed'] = len(strange)
    return verdict


def second_opinion(path, count=64):
    """What tshark reads in the first frames of an encapsulated capture; None where it fails."""
    fields = ['vxlan.vni', 'ip.src', 'ip.dst', 'ip.dsfield.ecn', 'infiniband.bth.opcode']
    command = ['tshark', '-r', path, '-c', str(count), '-T', 'fields', '-E', 'occurrence=a']
    for field in fields:
        command += ['-e', field]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if run.returncode != 0:
        return None
    return [dict(zip(fields, line.split('\t'))) for line in run.stdout.splitlines()]


def agrees_with(opinion, inner_source='10.0.0.1', inner_destination='10.0.0.2'):
    """Whether tshark sees our tunnel around the RoCE packet in every sampled frame."""
    return bool(opinion) and all(
        line['vxlan.vni'] == str(VNI) and
        line['ip.src'].split(',') == [LOCAL_VTEP, inner_source] and
        line['ip.dst'].split(',') == [REMOTE_VTEP, inner_destination]
        for line in opinion)
