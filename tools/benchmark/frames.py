# SPDX-License-Identifier: Apache-2.0
"""The frames that every system is given, and the judge of those that come out.

Output is compared byte by byte with the input, never with our own encoder's output, and a sample is
decoded by tshark as a second opinion."""

import collections
import ipaddress
import struct
import subprocess
import zlib

from roce import ethernet_header, icrc, internet_checksum, ip_header, mac_bytes

FRAME_BYTES = 128
VNI = 100
LOCAL_VTEP = {4: '198.18.0.1', 6: 'fd00:18::1'}
REMOTE_VTEP = {4: '198.18.0.2', 6: 'fd00:18::2'}
NEXT_HOP_MAC = '02:00:00:00:ff:02'
UNDERLAY_MAC = '02:70:63:61:70:00'  # What net_pcap calls the first device of a process.
SOURCE_MAC = '02:00:00:00:0a:01'
DESTINATION_MAC = '02:00:00:00:0b:01'
TOS = 0x6a  # DSCP 26, ECT(0): what a ConnectX sends.
VXLAN_PORT = 4789
ROCE_PORT = 4791
WRAP_BYTES = {4: 14 + 20 + 8 + 8, 6: 14 + 40 + 8 + 8}
WRITE_MIDDLE, ACKNOWLEDGE, CNP = 0x07, 0x11, 0x81

# What enters at one port, and what must leave at the other: tenant frames with the VTEP that each
# is sent to (None: out of the tunnel).
Stream = collections.namedtuple('Stream', 'frames outcome')


def roce_frame(index, *, version=4, opcode=WRITE_MIDDLE, frame_bytes=FRAME_BYTES,
               destination=DESTINATION_MAC, tos=TOS):
    """A RoCEv2 frame of QP 0x100 + index with a valid ICRC."""
    source, target = ('10.0.0.1', '10.0.0.2') if version == 4 else ('fd00:10::1', 'fd00:10::2')
    udp_bytes = frame_bytes - 14 - (20 if version == 4 else 40)
    packet = ip_header(source, target, udp_bytes, tos=tos) + struct.pack(
        '!HHHHBBHII', 49152 + index % 16384, ROCE_PORT, udp_bytes, 0, opcode, 0x40, 0xffff,
        0x100 + index, index) + bytes(udp_bytes - 24)
    return ethernet_header(SOURCE_MAC, destination, version) + packet + icrc(packet)


def wrap(frame, qp_hash, family=4):
    """`frame` in VXLAN, as the far gateway sends it."""
    udp_bytes = 8 + 8 + len(frame)
    udp = struct.pack('!HHHH', 49152 + qp_hash % 16384, VXLAN_PORT, udp_bytes, 0)
    return (ethernet_header(NEXT_HOP_MAC, UNDERLAY_MAC, family) +
            ip_header(REMOTE_VTEP[family], LOCAL_VTEP[family], udp_bytes, tos=TOS) + udp +
            struct.pack('!II', 0x08000000, VNI << 8) + frame)


def encap_stream(inner, remotes=None, family=4):
    """`remotes`: the VTEP of each frame, packed; else all are sent to the same."""
    same = ipaddress.ip_address(REMOTE_VTEP[family]).packed
    return Stream(inner, dict(zip(inner, remotes or [same] * len(inner))))


def decap_stream(inner, family=4):
    # The far gateway's entropy: any hash that keeps a QP on one source port.
    return Stream([wrap(frame, zlib.crc32(frame[47:50]), family) for frame in inner],
                  dict.fromkeys(inner))


# Magic numbers of files in either order of bytes.
LITTLE = (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1')
BIG = (b'\xa1\xb2\xc3\xd4', b'\xa1\xb2\x3c\x4d')


def parse_pcap(data):
    """The whole frames in `data`, which may end anywhere. A port that is started anew writes
    another file header into the pipe."""
    frames, offset, order = [], 0, '<'
    while offset + 24 <= len(data):
        if data[offset:offset + 4] in LITTLE + BIG:
            order = '<' if data[offset:offset + 4] in LITTLE else '>'
            offset += 24
            continue
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


def without_neighbours(received):
    """Without the ARP and the IPv6 multicast (neighbour discovery, MLD) by which a gateway asks
    for, or says that it has, an address: some frames a second beside the work, nobody's."""
    local = ipaddress.ip_address(LOCAL_VTEP[4]).packed
    return [frame for frame in received
            if not (frame[12:14] == b'\x08\x06' and local in (frame[28:32], frame[38:42])) and
            frame[:2] != b'\x33\x33']


def outer_of_ipv4(frame):
    """Offset of UDP, both addresses, the ToS, and what of it is wrong."""
    wrong = []
    if internet_checksum(frame[14:34]) != 0:
        wrong.append('outer IPv4 checksum is wrong')
    if struct.unpack('!H', frame[16:18])[0] != len(frame) - 14:
        wrong.append('outer lengths are wrong')
    return 34, frame[23], frame[26:30], frame[30:34], frame[15], wrong


def outer_of_ipv6(frame):
    wrong = []
    if struct.unpack('!H', frame[18:20])[0] != len(frame) - 54:
        wrong.append('outer lengths are wrong')
    if frame[60:62] != b'\0\0':
        wrong.append('the UDP checksum is not 0')
    return 54, frame[20], frame[22:38], frame[38:54], (frame[14] << 4 | frame[15] >> 4) & 255, wrong


def tos_of(inner):
    if inner[12:14] == b'\x08\x00':
        return inner[15]
    return (inner[14] << 4 | inner[15] >> 4) & 255 if inner[12:14] == b'\x86\xdd' else None


def check_unwrapped(verdict, frame, family):
    """The tenant's frame inside `frame`, which must be VXLAN from the local VTEP to the next hop,
    and the VTEP that it goes to."""
    heads = {4: (b'\x08\x00', 0x45, outer_of_ipv4), 6: (b'\x86\xdd', None, outer_of_ipv6)}
    ethertype, first, read = heads[family]
    if len(frame) < WRAP_BYTES[family] or frame[12:14] != ethertype or first not in (None,
                                                                                     frame[14]):
        verdict.problems[f'is no IPv{family} packet'] += 1
        return None
    at, protocol, source, destination, tos, wrong = read(frame)
    udp, vxlan, inner = frame[at:at + 8], frame[at + 8:at + 16], frame[at + 16:]
    if frame[:6] != mac_bytes(NEXT_HOP_MAC):
        wrong.append('outer destination MAC is not the next hop')
    if protocol != 17 or udp[2:4] != b'\x12\xb5':
        wrong.append('outer protocol is not UDP to 4789')
    if source != ipaddress.ip_address(LOCAL_VTEP[family]).packed:
        wrong.append('outer addresses are wrong')
    if struct.unpack('!H', udp[4:6])[0] != len(frame) - at:
        wrong.append('outer lengths are wrong')
    if vxlan != struct.pack('!II', 0x08000000, VNI << 8):
        wrong.append('VXLAN flags or VNI are wrong')
    verdict.problems.update(wrong)
    inner_tos = tos_of(inner)
    if inner_tos is not None and (tos ^ inner_tos) & 3:
        verdict.remarks['outer ECN is not the inner one'] += 1
    if inner_tos is not None and (tos ^ inner_tos) & 0xfc:
        verdict.remarks['outer DSCP is not the inner one'] += 1
    verdict.source_ports.add(udp[:2])
    return inner, destination


def swapped(frame):
    return frame[6:12] + frame[:6] + frame[12:]


def judge(kind, stream, received, family=4):
    """`received` is a sample of what left while the stream's frames were replayed without end: none
    but them, and each of them where the sample is longer than the stream. `kind`: encap, decap, or
    macswap (the floor does the same to the frames of either work)."""
    verdict = Verdict()
    verdict.frames = len(received)
    if kind == 'encap':
        seen = {check_unwrapped(verdict, frame, family) for frame in received} - {None}
        expected = set(stream.outcome.items())
    else:
        seen = set(received)
        expected = set(stream.outcome if kind == 'decap' else map(swapped, stream.frames))
    missing, strange = expected - seen, seen - expected
    if len(received) < 1.5 * len(expected):      # The sample is less than one time through.
        if len(seen) < len(received) // 2 or not seen:
            verdict.problems['few different frames came out'] = len(seen)
    elif missing:
        verdict.problems[f'{len(missing)} of {len(expected)} frames never came out'] = len(missing)
    if strange:
        example = max(strange)
        first = (example if isinstance(example, bytes) else example[0])[:48].hex()
        verdict.problems[f'frames came out changed, as {first}…'] = len(strange)
    return verdict


def second_opinion(path, count=64):
    """What tshark reads in the first frames of an encapsulated capture; None where it fails."""
    fields = ['vxlan.vni', 'ip.src', 'ip.dst', 'ipv6.src', 'ipv6.dst', 'eth.dst']
    command = ['tshark', '-r', path, '-c', str(count), '-T', 'fields', '-E', 'occurrence=f']
    for field in fields:
        command += ['-e', field]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if run.returncode != 0:
        return None
    return [dict(zip(fields, line.split('\t'))) for line in run.stdout.splitlines()]


def agrees_with(opinion, stream, family=4):
    """Whether tshark sees our tunnel, to a VTEP of the stream's, in every sampled frame."""
    ip = 'ip' if family == 4 else 'ipv6'
    remotes = {str(ipaddress.ip_address(remote)) for remote in stream.outcome.values()}
    return bool(opinion) and all(
        line['vxlan.vni'] == str(VNI) and line['eth.dst'] == NEXT_HOP_MAC and
        line[f'{ip}.src'] == LOCAL_VTEP[family] and line[f'{ip}.dst'] in remotes
        for line in opinion)
