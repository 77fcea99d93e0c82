# SPDX-License-Identifier: Apache-2.0
"""Sends frames into one place and checks what comes out at another: exactly once, in order within
each flow, the same bytes but for a permitted ECN change.

The window is closed: fewer frames are under way than the smallest ring on the path holds, so that
a frame that is missing was lost by what lies between, and not by a burst of ours. What the sockets
themselves lose is counted apart."""

import collections
import ctypes
import os
import select
import socket
import struct
import time
from typing import NamedTuple

import roce

SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_IGNORE_OUTGOING = 23
SO_ATTACH_FILTER = 26
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
ETH_P_ALL = 3
CLONE_NEWNET = 0x40000000
WINDOW = 128                                     # Frames; the smallest ring on the way holds 512.

# Frames to these UDP ports reach the checker; whatever else a host says is filtered in the kernel.
# Classic BPF: (code, jump if true, jump if false, value). IPv4 has no options, IPv6 no extensions.
LOAD_HALF, LOAD_BYTE, JUMP_EQUAL, RETURN = 0x28, 0x30, 0x15, 0x06


def udp_port_filter(port):
    return [(LOAD_HALF, 0, 0, 12),
            (JUMP_EQUAL, 0, 4, roce.ETHERTYPE_IPV4),
            (LOAD_BYTE, 0, 0, 23),
            (JUMP_EQUAL, 0, 8, roce.PROTOCOL_UDP),
            (LOAD_HALF, 0, 0, 36),
            (JUMP_EQUAL, 5, 6, port),
            (JUMP_EQUAL, 0, 5, roce.ETHERTYPE_IPV6),
            (LOAD_BYTE, 0, 0, 20),
            (JUMP_EQUAL, 0, 3, roce.PROTOCOL_UDP),
            (LOAD_HALF, 0, 0, 56),
            (JUMP_EQUAL, 0, 1, port),
            (RETURN, 0, 0, 0x40000),
            (RETURN, 0, 0, 0)]


class InNamespace:
    """with InNamespace("name"): sockets made inside belong to that network namespace."""

    def __init__(self, name):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.name = name

    def enter(self, file):
        if self.libc.setns(file, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter network namespace {self.name}")

    def __enter__(self):
        # The thread's own namespace: other threads of this process may be elsewhere.
        self.before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        target = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            self.enter(target)
        finally:
            os.close(target)

    def __exit__(self, *_):
        try:
            self.enter(self.before)
        finally:
            os.close(self.before)


class RawPort:
    """A raw socket on an interface of a namespace that hears UDP to one port; what the namespace
    itself sends there only where it is asked to."""

    def __init__(self, namespace, interface, udp_port=roce.ROCE_PORT, *, hear_outgoing=False):
        with InNamespace(namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        instructions = udp_port_filter(udp_port)
        code = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
        buffer = ctypes.create_string_buffer(code, len(code))
        program = struct.pack("HL", len(instructions), ctypes.addressof(buffer))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
        if not hear_outgoing:
            self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setblocking(False)
        # Only now frames flow in, none of them past the filter.
        self.socket.bind((interface, ETH_P_ALL))
        self.lost_by_tester = 0

    def send(self, frame):
        """False where the interface has no room now."""
        try:
            self.socket.send(frame)
            return True
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            if error.errno == 105:               # ENOBUFS: the queue of the interface is full.
                return False
            raise

    def receive(self):
        """One frame, or None."""
        try:
            return self.socket.recv(65536)
        except (BlockingIOError, InterruptedError):
            return None

    def receive_within(self, seconds):
        """The next frame, or None where none comes in time."""
        ends = time.monotonic() + seconds
        while True:
            frame = self.receive()
            left = ends - time.monotonic()
            if frame is not None or left <= 0:
                return frame
            select.select([self.socket], [], [], left)

    def receive_stamped(self, seconds):
        """The next frame and when the kernel had it, or None where none comes in time."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return None
        frame, ancillary, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(16))
        whole, nanoseconds = struct.unpack("qq", ancillary[0][2])
        return frame, whole + nanoseconds / 1e9

    def discard_late(self, seconds=0.5):
        """Takes what still comes until nothing comes for so long; how many frames these were."""
        count = 0
        while self.receive_within(seconds) is not None:
            count += 1
        return count

    def count_own_losses(self):
        """Reading resets the kernel's count, so it is added up here."""
        data = self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        self.lost_by_tester += struct.unpack("II", data)[1]
        return self.lost_by_tester

    def close(self):
        self.socket.close()


class Shot(NamedTuple):
    """A frame to be sent from one side (0 or 1) to the other, and the flow that it belongs to."""
    side: int
    frame: bytes
    flow: bytes


def flow_of(frame):
    """The addresses and the QP as they lie in the frame: order is kept within these."""
    if frame[12:14] == b"\x08\x00":
        return frame[26:34] + frame[47:50]
    return frame[22:54] + frame[67:70]


def same_but_for_ecn(sent, received):
    """Whether `received` is `sent`, with CE in the place of an ECT at most."""
    if len(sent) != len(received) or sent[-4:] != received[-4:]:
        return False                             # The ICRC tells most of them apart, and quickly.
    before = roce.parse(sent)
    if before is None or before.ecn == roce.NOT_ECT:
        return False
    return roce.with_ecn(sent, roce.CE) == received


class Direction:
    """What went from one side to the other."""

    def __init__(self):
        self.outstanding = collections.defaultdict(collections.deque)
        self.skipped = collections.defaultdict(collections.deque)
        self.sent = self.received = 0
        self.reordered = self.damaged = self.unexpected = self.icrc_bad = self.lost = 0
        self.ce_sent = self.ce_received = 0

    def under_way(self):
        return self.sent - self.received - self.lost

    def report(self):
        names = ("sent", "received", "lost", "reordered", "damaged", "unexpected", "icrc_bad",
                 "ce_sent", "ce_received")
        return {name: getattr(self, name) for name in names}


class Replay:
    """Replays shots, all rounds the same, between two ports and checks them on arrival."""

    def __init__(self, ports, shots, *, window=WINDOW, frames_per_second=None, check_icrc=True):
        self.ports = ports
        self.shots = shots
        self.window = window
        self.interval = 1 / frames_per_second if frames_per_second else 0
        self.check_icrc = check_icrc
        self.directions = (Direction(), Direction())  # By the side that sends.
        self.silence_longest = 0.0               # Seconds without arrival while some were due.
        self.give_up = 2.0                       # Seconds after which what is under way is lost.

    def run(self, *, rounds=None, seconds=None, while_running=None):
        """Sends whole rounds or until the time is over; then waits for what is under way.
        `while_running()` is called about ten times a second; False ends the run."""
        ends = time.monotonic() + seconds if seconds else None
        due = called = time.monotonic()
        arrived = waiting = due                  # Last arrival; since when nothing came.
        position, total = 0, len(self.shots) * rounds if rounds else None
        stopping = False
        while True:
            now = time.monotonic()
            if while_running and now - called >= 0.1:
                called = now
                stopping = stopping or while_running() is False
            stopping = stopping or (ends is not None and now >= ends) or position == total
            under_way = self.under_way()
            if stopping and under_way == 0:
                break
            if under_way == 0:
                waiting = now                    # Only with something under way one can wait.
            progress = False
            while not stopping and under_way < self.window and due <= now and position != total:
                if not self.send(self.shots[position % len(self.shots)]):
                    break
                position += 1
                under_way += 1
                due = max(due, now - 0.05) + self.interval
                progress = True
                if under_way % 16 == 0:
                    break                        # Look for arrivals between sends.
            if self.receive_all():
                now = time.monotonic()
                self.silence_longest = max(self.silence_longest, now - arrived)
                arrived = waiting = now
            elif self.under_way() and time.monotonic() - waiting > self.give_up:
                waiting = time.monotonic()
                self.write_off()
            elif not progress:
                wait = 0.02 if stopping or under_way >= self.window else due - now
                select.select([port.socket for port in self.ports], [], [],
                              min(max(wait, 0.0005), 0.02))
        self.silence_longest = max(self.silence_longest, time.monotonic() - arrived)
        return self

    def under_way(self):
        return self.directions[0].under_way() + self.directions[1].under_way()

    def send(self, shot):
        if not self.ports[shot.side].send(shot.frame):
            return False
        direction = self.directions[shot.side]
        direction.sent += 1
        direction.ce_sent += ecn_of(shot.frame) == roce.CE
        direction.outstanding[shot.flow].append(shot.frame)
        return True

    def receive_all(self):
        count = 0
        for side, port in enumerate(self.ports):
            direction = self.directions[1 - side]
            for _ in range(64):
                frame = port.receive()
                if frame is None:
                    break
                self.check(direction, frame)
                count += 1
        return count

    def check(self, direction, frame):
        flow = flow_of(frame)
        queue = direction.outstanding.get(flow)
        if self.check_icrc and not roce.icrc_valid(frame):
            direction.icrc_bad += 1
        if ecn_of(frame) == roce.CE:
            direction.ce_received += 1
        if queue and (queue[0] == frame or same_but_for_ecn(queue[0], frame)):
            queue.popleft()
            direction.received += 1
            return
        self.place(direction, flow, frame)

    def place(self, direction, flow, frame):
        """A frame that was not the next of its flow: late, early, damaged, or nobody's."""
        late = direction.skipped.get(flow)
        if late and frame in late:
            late.remove(frame)
            direction.received += 1
            direction.reordered += 1
            return
        queue = direction.outstanding.get(flow)
        for index, sent in enumerate(queue or ()):
            if sent == frame or same_but_for_ecn(sent, frame):
                for _ in range(index):
                    direction.skipped[flow].append(queue.popleft())
                queue.popleft()
                direction.received += 1
                return
        if queue and len(queue[0]) == len(frame):
            queue.popleft()
            direction.received += 1
            direction.damaged += 1
            return
        direction.unexpected += 1

    def write_off(self):
        """What has not come by now will not come."""
        for direction in self.directions:
            direction.lost += direction.under_way()
            direction.outstanding.clear()
            direction.skipped.clear()

    def report(self):
        losses = sum(port.count_own_losses() for port in self.ports)
        return {"directions": [direction.report() for direction in self.directions],
                "lost_by_tester": losses,
                "silence_longest_ms": round(self.silence_longest * 1000, 1)}

    def faults(self):
        """What went wrong, in words; empty where every frame arrived once, in order, undamaged."""
        texts = []
        for number, direction in enumerate(self.directions):
            for name, value in direction.report().items():
                if value and name not in ("sent", "received", "ce_sent", "ce_received"):
                    texts.append(f"direction {number}: {value} {name}")
            if direction.sent != direction.received and not direction.lost:
                texts.append(f"direction {number}: sent {direction.sent}, "
                             f"received {direction.received}")
        own = sum(port.count_own_losses() for port in self.ports)
        if own:
            texts.append(f"the tester itself lost {own} frames")
        return texts


def ecn_of(frame):
    return frame[15] & 3 if frame[12:14] == b"\x08\x00" else (frame[15] >> 4) & 3


CAPTURED_LEFT = bytes([10, 9, 0, 1])


def roce_shots(frames, left, right, *, pairs=1, ecns=(roce.ECT0, roce.ECT1, roce.CE)):
    """Captured frames between `left` (side 0) and `right` (side 1), once for each of `pairs` pairs
    of QPs, in turns. The ECN fields of `ecns` go round; connection management stays Not-ECT, as
    real stacks send it."""
    shots = []
    for number, frame in enumerate(frames):
        fields = roce.parse(frame)
        side = 0 if fields.source_ip == CAPTURED_LEFT else 1
        source, destination = (left, right) if side == 0 else (right, left)
        for pair in range(pairs):
            # Each QP keeps a source port of its own; all pairs share QP 1, and so its port.
            data = fields.destination_qp > 1
            ecn = ecns[(number + pair) % len(ecns)] if data else roce.NOT_ECT
            captured = int.from_bytes(frame[fields.udp:fields.udp + 2], "big")
            made = roce.readdress(frame, source, destination, ecn=ecn, qp_shift=pair * 0x100,
                                  sport=captured + pair * data)
            shots.append(Shot(side, made, flow_of(made)))
    return shots
