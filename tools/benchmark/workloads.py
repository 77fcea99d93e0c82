# SPDX-License-Identifier: Apache-2.0
"""The work that systems are compared on: which frames enter where, what is programmed, what must
come out. A workload is data; how a system is told of it is the system's module's business."""

import functools
import ipaddress
import random
import struct
import zlib
from dataclasses import dataclass

from benchmark import frames
from benchmark.frames import DESTINATION_MAC, SOURCE_MAC
from roce import ethernet_header, internet_checksum, ip_header

ENDPOINTS = 1_000_000       # In the table of the workloads with many.
VTEPS = 1000
JUMBO_BYTES = 4154          # A WRITE of 4 KB.
EVERYBODY = ('weir', 'ovs', 'ovs-new', 'grout', 'vpp', 'floor')


@dataclass(frozen=True)
class Workload:
    name: str
    text: str
    sides: tuple              # Where frames enter: tenant, underlay.
    count: int                # Frames that are replayed at each of them.
    family: int = 4           # Of the underlay.
    endpoints: int = 1        # Programmed; 1: DESTINATION_MAC alone.
    kinds: tuple = ('roce_write',)
    deadly: bool = False      # Most frames must die: what entered is the rate.
    mtu: int = 1600
    mbuf_bytes: int = 2048
    mbuf_count: int = 262144  # 100,000 preloaded frames, every ring and cache, and room.
    systems: tuple = EVERYBODY

    @property
    def vteps(self):
        return 1 if self.endpoints == 1 else VTEPS

    @property
    def direction(self):
        return 'both' if len(self.sides) == 2 else {'tenant': 'encap',
                                                    'underlay': 'decap'}[self.sides[0]]


TENANT, UNDERLAY = ('tenant',), ('underlay',)
ALONE = ('weir', 'floor')
WORKLOADS = [
    Workload('encap-1k', '1,000 QPs into a tunnel', TENANT, 1000),
    Workload('decap-1k', '1,000 QPs out of a tunnel', UNDERLAY, 1000),
    Workload('encap-100k', '100,000 QPs into a tunnel', TENANT, 100_000),
    Workload('decap-100k', '100,000 QPs out of a tunnel', UNDERLAY, 100_000),
    Workload('endpoints-100k', '100,000 of 1,000,000 endpoints at 1,000 VTEPs, IPv4 and IPv6',
             TENANT, 100_000, endpoints=ENDPOINTS),
    Workload('encap6-1k', '1,000 QPs into a tunnel over IPv6', TENANT, 1000, family=6,
             systems=ALONE),
    Workload('decap6-1k', '1,000 QPs out of a tunnel over IPv6', UNDERLAY, 1000, family=6,
             systems=ALONE),
    Workload('ai-mix', '80 % 4 KB WRITE, 15 % ACK, 5 % CNP, both directions', TENANT + UNDERLAY,
             1000, kinds=('roce_write', 'roce_ack', 'roce_cnp'), mtu=4300, mbuf_bytes=4608,
             mbuf_count=65536),
    Workload('endpoints-1k', '1,000 of 1,000,000 endpoints at 1,000 VTEPs, IPv4 and IPv6', TENANT,
             1000, endpoints=ENDPOINTS, systems=ALONE, mbuf_count=1_310_720),
    Workload('endpoints-1m', '1,000,000 endpoints at 1,000 VTEPs, IPv4 and IPv6', TENANT, 1_000_000,
             endpoints=ENDPOINTS, systems=ALONE, mbuf_count=1_310_720),
    Workload('adversarial', 'misses, tiny, options, extension headers, colliding keys', TENANT,
             8000, endpoints=ENDPOINTS, kinds=(), deadly=True, systems=ALONE),
    Workload('adversarial-wire', 'the same in and around tunnels', UNDERLAY, 8000,
             endpoints=ENDPOINTS, kinds=(), deadly=True, systems=ALONE),
]


def endpoint_mac(index):
    return f'02:10:{index >> 24:02x}:{index >> 16 & 255:02x}:{index >> 8 & 255:02x}:' \
           f'{index & 255:02x}'


def vtep_address(index, family=4):
    """198.19.x.y, behind the next hop; the only VTEP of other workloads is the next hop itself."""
    return str(ipaddress.ip_address('198.19.0.0') + 256 + index) if family == 4 else None


def remotes(workload):
    """Addresses of the remote VTEPs."""
    if workload.vteps == 1:
        return [frames.REMOTE_VTEP[workload.family]]
    return [vtep_address(index) for index in range(workload.vteps)]


def endpoints(workload):
    """(MAC, index of its remote VTEP; None: at the tenant port)."""
    if workload.endpoints > 1:
        # At the wire, the frames that an outsider sends are for the tenant port's.
        at = (lambda index: None) if workload.sides == UNDERLAY else (lambda index: index % VTEPS)
        return [(endpoint_mac(index), at(index)) for index in range(workload.endpoints)]
    at = {'encap': [(DESTINATION_MAC, 0)], 'decap': [(DESTINATION_MAC, None)],
          'both': [(DESTINATION_MAC, 0), (SOURCE_MAC, None)]}
    return at[workload.direction]


def used_endpoints(workload):
    """Those that frames are for, in random order."""
    if workload.endpoints == 1:
        return endpoints(workload)
    return [(endpoint_mac(index), index % VTEPS) for index in
            random.Random(1).sample(range(workload.endpoints), workload.count)]


def streams(workload):
    """Side → Stream."""
    if workload.deadly:
        return {side: adversarial(workload, side) for side in workload.sides}
    if workload.name == 'ai-mix':
        return {'tenant': frames.encap_stream(ai_mix(workload.count)),
                'underlay': frames.decap_stream([returned(frame)
                                                 for frame in ai_mix(workload.count)])}
    if workload.endpoints > 1:
        return {'tenant': to_endpoints(workload)}
    inner = [frames.roce_frame(index) for index in range(workload.count)]
    make = frames.encap_stream if workload.sides == TENANT else frames.decap_stream
    return {workload.sides[0]: make(inner, family=workload.family)}


def to_endpoints(workload):
    used = used_endpoints(workload)
    inner = [frames.roce_frame(number, version=6 if number % 2 else 4, destination=mac)
             for number, (mac, _vtep) in enumerate(used)]
    where = [ipaddress.ip_address(address).packed for address in remotes(workload)]
    return frames.encap_stream(inner, [where[vtep] for _mac, vtep in used])


def ai_mix(count):
    parts = [(frames.WRITE_MIDDLE, JUMBO_BYTES, frames.TOS)] * 80 + \
        [(frames.ACKNOWLEDGE, 62, frames.TOS)] * 15 + [(frames.CNP, 74, 48 << 2)] * 5
    random.Random(1).shuffle(parts)
    mix = []
    for index in range(count):
        opcode, size, tos = parts[index % len(parts)]
        mix.append(frames.roce_frame(index, opcode=opcode, frame_bytes=size, tos=tos))
    return mix


def returned(frame):
    """The same from the far host to ours."""
    return frames.swapped(frame)


def adversarial(workload, side):
    """An eighth each of what costs most, in random order. All of it may be sent by an outsider."""
    share = workload.count // 8
    known = [endpoint_mac(index) for index in random.Random(2).sample(range(ENDPOINTS), share)]
    inner = {
        'misses': [tiny(f'02:20:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}:77')
                   for number in range(share)],
        'collide': [tiny(mac) for mac in colliding(share)],
        'options': [with_options(mac, number) for number, mac in enumerate(known)],
        'extensions': [with_extensions(mac, number) for number, mac in enumerate(known)],
    }
    every = [frame for part in inner.values() for frame in part]
    order = random.Random(3)
    if side == 'tenant':
        sent = every + [frame[:14 + number % 20] for number, frame in enumerate(inner['options'])]
        sent += inner['misses'] + inner['collide'] + inner['extensions']
        order.shuffle(sent)
        where = [ipaddress.ip_address(address).packed for address in remotes(workload)]
        outcome = {frame: where[index_of(frame) % VTEPS]
                   for frame in inner['options'] + inner['extensions']}
        return frames.Stream(sent, outcome)
    wrapped = [frames.wrap(frame, number) for number, frame in enumerate(every)]
    sent = wrapped + [other_vni(frame) for frame in wrapped[:share]]
    sent += [other_vtep(frame) for frame in wrapped[:share]]
    sent += [outer_options(frame) for frame in wrapped[:share]]
    sent += [frame[:42 + number % 20] for number, frame in enumerate(wrapped[:share])]
    order.shuffle(sent)
    return frames.Stream(sent, dict.fromkeys(inner['options'] + inner['extensions']))


def index_of(frame):
    return int.from_bytes(frame[2:6], 'big')


def tiny(mac):
    """60 bytes to a MAC that nobody has."""
    return ethernet_header(SOURCE_MAC, mac, 4) + \
        ip_header('10.0.0.1', '10.0.0.2', 26, tos=frames.TOS) + bytes(26)


@functools.cache
def colliding(count):
    """MACs that share the low 12 bits of their CRC-32, as a table without a secret would hash
    them; nobody has any."""
    found, number = [], 0
    while len(found) < count:
        mac = bytes((2, 0x30)) + number.to_bytes(4, 'big')
        if zlib.crc32(mac) & 0xfff == 0:
            found.append(mac.hex(':'))
        number += 1
    return found


def outer_options(frame):
    """Behind the longest outermost IPv4 header: 40 bytes of no-operation."""
    header = bytearray(frame[14:34]) + bytes([1]) * 40
    header[0] = 0x4f
    header[2:4] = struct.pack('!H', len(frame) - 14 + 40)
    header[10:12] = b'\0\0'
    header[10:12] = struct.pack('!H', internet_checksum(bytes(header)))
    return frame[:14] + bytes(header) + frame[34:]


def with_options(mac, number):
    return outer_options(frames.roce_frame(number, destination=mac))


def with_extensions(mac, number):
    """RoCEv2 behind eight destination options headers."""
    frame = frames.roce_frame(number, version=6, destination=mac)
    chain = b''.join(bytes((17 if last else 60, 0, 1, 4, 0, 0, 0, 0))
                     for last in [False] * 7 + [True])
    head = bytearray(frame[:54])
    head[18:20] = struct.pack('!H', len(frame) - 54 + len(chain))
    head[20] = 60
    return bytes(head) + chain + frame[54:]


def other_vni(frame):
    return frame[:46] + b'\xff\xff\xff\0' + frame[50:]


def other_vtep(frame):
    """From an address that is no VTEP of ours."""
    ip = frame[14:24] + b'\0\0' + b'\xc6\x12\x63\x63' + frame[30:34]
    return frame[:14] + ip[:10] + struct.pack('!H', internet_checksum(ip)) + ip[12:] + frame[34:]
