#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A data plane that carries traffic, and control planes of other releases: those that are kept
(tests/contract/golden) program it and read its counters; one that is yet to come does what both
know, and is told in one sentence what this one does not. Not one frame is lost."""

import mmap
import os

from context import (Replay, Testbed, TwoGateways, all_shots, check_gateways, check_replay, golden,
                     run, test)

MAC = bytes.fromhex("02000000aa01")
BLUE = 1                                         # The number of the first network.


class ControlPlane:
    """Of a release, or of a later one."""

    def __init__(self, gateway, name, *, later=False):
        self.release = golden.Release(name)
        self.later = later
        self.peer = golden.Peer.connect(gateway.runtime / "dataplane.sock")
        self.transaction = 0

    def command(self, verb):
        frame = self.release.command(verb)
        if self.later:
            frame.version = 2
            frame.grown(bytes(16))               # What it does not use of what it has more.
        return frame

    def hello(self, first=1, last=1, release=None, features=0):
        frame = self.command("hello").put("HHIQ", 0, first, last, os.getpid(), features)
        return self.peer.ask(frame.put_text(48, 32, release or self.release.name))

    def commit(self, *frames):
        """Generation and digests."""
        self.transaction += 1
        for frame in (self.command("begin").put("I", 0, 0), *frames):
            answer = self.peer.ask(frame, self.transaction)
            assert answer.get("H", 0) == golden.OK, answer.text(12, 180)
        answer = self.peer.ask(self.command("commit"), self.transaction)
        assert answer.get("H", 0) == golden.OK, answer.text(48, 184)
        return answer.get("Q", 8), bytes(answer.records[16:48])

    def endpoint(self, verb, port):
        frame = self.command(verb).only(0).put("H", 0, BLUE).put("6s", 2, MAC)
        return frame.put("BBH", 8, 1, 0, port) if verb == "endpoint_set" else frame


def map_region(descriptor, size):
    with mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ) as memory:
        os.close(descriptor)
        return golden.Region(bytes(memory))


def programs_and_reads(control, last):
    """All that a control plane does, in the words of its release."""
    hello, descriptor = control.hello(last=last, release="9.0.0" if control.later else None)
    assert hello.type == golden.HELLO_REPLY
    assert hello.get("H", 0) == 1, "the version that both know"
    assert hello.record_size >= control.release.event("hello_reply").record_size
    region = map_region(descriptor, hello.get("Q", 64))
    lacking = {line.split()[0] for line in
               (control.release.folder / "region.txt").read_text(encoding="ascii").splitlines()
               if not line.startswith("labels ")} - set(region.fields)
    assert not lacking, f"fields that the release's region had: {lacking}"
    assert region.value("worker.rx", 0) > 0
    names = [region.string("port_state.name", i)
             for i in range(region.dimensions("port_state.name")[0][1])]
    before = bytes(hello.records[32:64])
    generation = hello.get("Q", 24)
    port = names.index("host0")
    added = control.commit(control.endpoint("endpoint_set", port))
    assert added[0] == generation + 1 and added[1] != before
    record = control.endpoint("endpoint_set", port).record()
    sums = [int.from_bytes(digests[24:32], "little") for digests in (before, added[1])]
    assert (sums[1] - sums[0]) % 2**64 == golden.digest(record), "both count the record alike"
    assert control.commit(control.endpoint("endpoint_remove", port))[1] == before


def is_told(control):
    """What only a later release knows is refused; what this one is asked for then still works."""
    unknown = control.command("begin")
    unknown.type = 300
    answer = control.peer.ask(unknown)
    assert answer.get("H", 0) == golden.UNSUPPORTED
    text = answer.text(12, 180)
    assert "does not know verb 300 of the control plane (release 9.0.0)" in text, text
    assert "upgrade weir-dataplane" in text, text
    answer = control.hello(first=2, last=3, release="9.0.0")
    assert answer.get("H", 0) == golden.VERSION_SKEW
    assert "the control plane (release 9.0.0) speaks contract versions 2..3" in \
        answer.text(12, 180), answer.text(12, 180)
    answer = control.hello(features=1 << 40, release="9.0.0")
    assert answer.get("H", 0) == golden.VERSION_SKEW
    assert "needs features 0x10000000000 that this data plane" in answer.text(12, 180)


@test
def control_planes_of_other_releases_do_what_both_know():
    with Testbed("skew") as bed:
        scenario = TwoGateways(bed).start()
        gateway = scenario.gateways[0]
        Replay(scenario.roce_ports(), all_shots()).run(rounds=1)
        gateway.controlplane.kill()
        steps = [(name, later) for name in golden.releases() for later in (False, True)]

        def next_step():
            if not steps:
                return False
            name, later = steps.pop(0)
            control = ControlPlane(gateway, name, later=later)
            programs_and_reads(control, last=2 if later else 1)
            if later:
                is_told(control)
            control.peer.close()
            return True

        replay = Replay(scenario.roce_ports(), all_shots(), frames_per_second=1000)
        replay.run(seconds=60, while_running=next_step)
        assert not steps
        check_replay(replay)
        gateway.start_controlplane()
        gateway.wait_in_sync()
        assert gateway.show("status")["dataplane"]["transactions"] == 0, "nothing had to be sent"
        check_gateways(scenario.gateways)


run()
