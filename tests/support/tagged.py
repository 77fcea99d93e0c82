# SPDX-License-Identifier: Apache-2.0
"""Frames with VLAN tags between raw sockets. The kernel takes the outer tag off what it receives
and tells it beside the frame (PACKET_AUXDATA); here it is put back, so that a test sees what was
on the wire."""

import select
import socket
import struct
import time

from roce import internet_checksum
from traffic import ETH_P_ALL, PACKET_IGNORE_OUTGOING, SO_RCVBUFFORCE, SOL_PACKET, InNamespace

PACKET_AUXDATA = 8                               # All of <linux/if_packet.h>.
PACKET_VNET_HDR = 15
AUXDATA = struct.Struct("=IIIHHHH")              # struct tpacket_auxdata.
TAG_VALID, TPID_VALID = 1 << 4, 1 << 6           # TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID.
CUSTOMER, SERVICE = 0x8100, 0x88A8
VNET_HEADER = struct.Struct("=BBHHHH")           # struct virtio_net_hdr.
NEEDS_CHECKSUM, GSO_TCP4 = 1, 1
TCP_HEADER_BYTES = 20


def tag(frame, *vlans, tpid=None, priority=0):
    """`frame` with these tags behind its MACs, outermost first; two are a service and a customer
    tag (IEEE 802.1ad), unless `tpid` says what all are."""
    tags = b""
    for place, vlan in enumerate(vlans):
        kind = tpid or (SERVICE if len(vlans) == 2 and place == 0 else CUSTOMER)
        tags += struct.pack("!HH", kind, priority << 13 | vlan)
    return frame[:12] + tags + frame[12:]


class TaggedPort:
    """A raw socket on an interface of a namespace that hears all frames, tags and all; what the
    namespace itself sends there only where it is asked to."""

    def __init__(self, namespace, interface, *, hear_outgoing=False, large=False):
        with InNamespace(namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        if not hear_outgoing:
            self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        if large:                                # A header says what is left to the device.
            self.socket.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        self.large = large
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        self.socket.setblocking(False)
        self.socket.bind((interface, ETH_P_ALL))

    def send(self, frame):
        self.socket.send(bytes(VNET_HEADER.size) + frame if self.large else frame)

    def send_large_tcp(self, frame, segment_bytes):
        """IPv4 with TCP behind whatever tags there are, to be cut into such segments; what the
        sender fills in of the checksum is filled in here."""
        network = frame.index(b"\x08\x00\x45", 12) + 2
        transport = network + 20
        pseudo = frame[network + 12:network + 20] + struct.pack("!HH", 6, len(frame) - transport)
        partial = ~internet_checksum(pseudo) & 0xFFFF
        frame = frame[:transport + 16] + struct.pack("!H", partial) + frame[transport + 18:]
        header = VNET_HEADER.pack(NEEDS_CHECKSUM, GSO_TCP4, transport + TCP_HEADER_BYTES,
                                  segment_bytes, transport, 16)
        self.socket.send(header + frame)

    def receive(self):
        """One frame as it was on the wire, or None."""
        try:
            frame, controls, _, _ = self.socket.recvmsg(1 << 17, 256)
        except (BlockingIOError, InterruptedError):
            return None
        if self.large:
            frame = frame[VNET_HEADER.size:]
        for level, kind, data in controls:
            if (level, kind) != (SOL_PACKET, PACKET_AUXDATA):
                continue
            status, _, _, _, _, control, tpid = AUXDATA.unpack(data[:AUXDATA.size])
            if status & TAG_VALID:
                tpid = tpid if status & TPID_VALID else CUSTOMER
                frame = frame[:12] + struct.pack("!HH", tpid, control) + frame[12:]
        return frame

    def receive_within(self, seconds):
        """The next frame, or None where none comes in time."""
        ends = time.monotonic() + seconds
        while True:
            frame = self.receive()
            left = ends - time.monotonic()
            if frame is not None or left <= 0:
                return frame
            select.select([self.socket], [], [], left)

    def receive_all(self, seconds=0.3):
        """Until nothing has come for so long."""
        frames = []
        while (frame := self.receive_within(seconds)) is not None:
            frames.append(frame)
        return frames

    def close(self):
        self.socket.close()
