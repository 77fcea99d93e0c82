#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The checker has to notice what a broken gateway might do; here a function is the gateway."""

import socket
from pathlib import Path

import roce
from pcap import read_pcap
from tap import run, test
from traffic import Replay, roce_shots

CAPTURES = Path(__file__).parent.parent / "captures"
LEFT = roce.Host("02:00:00:00:0a:01", "10.77.0.1")
RIGHT = roce.Host("02:00:00:00:0b:01", "10.77.0.2")
SHOTS = roce_shots(read_pcap(CAPTURES / "cm_ops.pcap"), LEFT, RIGHT, pairs=2)


class FakePort:
    """One side of a gateway that is a function: frame → list of frames that come out."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.socket, self.far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.peer = None

    def send(self, frame):
        for out in self.gateway(frame):
            self.peer.far_end.send(out)
        return True

    def receive(self):
        try:
            return self.socket.recv(65536)
        except BlockingIOError:
            return None

    def count_own_losses(self):
        return 0


def replay_through(gateway):
    ports = (FakePort(gateway), FakePort(gateway))
    ports[0].peer, ports[1].peer = ports[1], ports[0]
    replay = Replay(ports, SHOTS, window=16)
    replay.give_up = 0.1
    replay.run(rounds=3)
    total = {}
    for direction in replay.directions:
        for name, value in direction.report().items():
            total[name] = total.get(name, 0) + value
    return replay, total


def once(change):
    """A gateway that is right but for the 50th frame, which `change` turns into a list."""
    count = 0

    def gateway(frame):
        nonlocal count
        count += 1
        return change(frame) if count == 50 else [frame]
    return gateway


@test
def a_right_gateway_has_no_faults():
    replay, total = replay_through(lambda frame: [frame])
    assert replay.faults() == []
    assert total["sent"] == total["received"] == 3 * len(SHOTS)
    assert total["ce_sent"] == total["ce_received"] > 0


@test
def a_frame_marked_on_the_way_is_no_fault():
    mark = lambda frame: [roce.with_ecn(frame, roce.CE) if frame[15] & 3 else frame]
    replay, total = replay_through(mark)
    assert replay.faults() == [] and total["ce_received"] > total["ce_sent"]


@test
def a_lost_frame_is_counted_once():
    replay, total = replay_through(once(lambda frame: []))
    assert total["lost"] == 1 and total["received"] == total["sent"] - 1 and replay.faults()


@test
def a_doubled_frame_is_unexpected():
    _, total = replay_through(once(lambda frame: [frame, frame]))
    assert total["unexpected"] == 1 and total["lost"] == 0


@test
def a_changed_byte_is_damage_and_a_bad_icrc():
    _, total = replay_through(once(lambda frame: [frame[:-9] + b"?" + frame[-8:]]))
    assert total["damaged"] == 1 and total["icrc_bad"] == 1 and total["lost"] == 0


@test
def a_marked_not_ect_frame_is_damage():
    not_ect = [shot for shot in SHOTS if not shot.frame[15] & 3]
    first = not_ect[0].frame
    _, total = replay_through(
        lambda frame: [roce.with_ecn(frame, roce.CE) if frame == first else frame])
    assert total["damaged"] >= 3


@test
def two_frames_of_a_flow_that_change_places_are_reordered():
    held = []

    def swap(frame):
        qp = roce.parse(frame).destination_qp
        if qp <= 1:
            return [frame]
        if not held:
            held.append(frame)
            return []
        if len(held) == 1 and qp == roce.parse(held[0]).destination_qp \
                and frame[26:34] == held[0][26:34]:
            held.append(None)
            return [frame, held[0]]
        return [frame]

    _, total = replay_through(swap)
    assert total["reordered"] == 1 and total["lost"] == 0 and total["damaged"] == 0


run()
