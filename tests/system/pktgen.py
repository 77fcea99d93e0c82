#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""weir-pktgen in two processes, over a cable and through two gateways: generated frames are counted
exactly, endpoints finish their work, Ctrl-C and mistakes leave nothing behind."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile

from context import (SIDES, Testbed, TwoGateways, check_gateways, find_program, run, shape, test,
                     wait_for)
from testbed import die_with_parent

FRAMES = 20_000
RATE = 5_000
LEAST_SLEEPS = RATE / 50
RING_FRAMES = 32_768
MESSAGES, MESSAGE_BYTES, QPS = 40, 65536, 8
ALONE = shape() == (1, 1)               # What no gateway takes part in is the same in any shape.


def without_gateways(function):
    return test(function) if ALONE else function


class Pktgen:
    """One process in a namespace, with its result."""

    def __init__(self, bed, name, namespace, wanted, port, *options):
        self.bed, self.name = bed, name
        self.output = bed.folder / f"{name}.json"
        arguments = [find_program("weir-pktgen"), wanted, "--port", port, "--no-hugepages", "-j",
                     "--progress", *map(str, options)]
        self.usage = None
        with open(self.output, "wb") as out, open(bed.folder / f"{name}.log", "wb") as log:
            # pylint: disable-next=consider-using-with
            self.popen = subprocess.Popen(namespace.inside(*map(str, arguments)), stdout=out,
                                          stderr=log, stdin=subprocess.DEVNULL,
                                          preexec_fn=die_with_parent)

    def log(self):
        return (self.bed.folder / f"{self.name}.log").read_text()

    def runs(self):
        """A second of it is over. An early end is told by result()."""
        return " sent " in self.log() or "level=error" in self.log()

    def reap(self):
        pid, code, usage = os.wait4(self.popen.pid, os.WNOHANG)
        return (code, usage) if pid else None

    def interrupt(self):
        self.popen.send_signal(signal.SIGINT)
        return self

    def result(self, status=0):
        """Its output, and what it took (usage), once it has ended."""
        code, self.usage = wait_for(self.reap, f"{self.name} ends", 60)
        assert os.waitstatus_to_exitcode(code) == status, self.log()
        self.popen.returncode = os.waitstatus_to_exitcode(code)  # Else Popen would wait again.
        return json.loads(self.output.read_text()) if status == 0 else None


def cable(bed, mtu=1500):
    left, right = bed.namespace("left"), bed.namespace("right")
    bed.cable(left, "eth0", right, "eth0", mtu=mtu)
    return left, right


def profile(bed, name, text):
    path = bed.folder / name
    path.write_text(text)
    return path


def check_exact(sent, received, frames):
    """Each frame once, in order, right, and none of them is missing."""
    assert sent["sent"]["frames"] == frames and sent["ended"] == "done", sent["sent"]
    incoming = received["received"]
    assert incoming["roce"] == frames, (incoming, received["port_drops"])
    for fault in ("lost", "late", "duplicates", "too_old", "icrc_errors", "unknown_queue_pairs",
                  "wrong_clocks"):
        assert incoming[fault] == 0, (fault, incoming)
    for kind in ("requests", "acks", "cnps"):
        assert incoming[kind] == sent["sent"][kind], (kind, incoming)
    assert received["latency_ns"]["count"] == incoming["requests"]
    assert 0 < received["latency_ns"]["p50"] <= received["latency_ns"]["p99_99"]
    assert sum(second["received_frames"] for second in received["series"]) == frames
    assert sum(pair["frames"] for pair in received["queue_pairs"]) == frames
    assert received["clock"] == "CLOCK_MONOTONIC"


def generate_over_cable(device, listener_options=""):
    with Testbed("pktgen-cable") as bed:
        left, right = cable(bed)
        listener = Pktgen(bed, "listener", right, "vxlan-wrapped", device + listener_options,
                          "--receive-only")
        wait_for(listener.runs, "the listener listens")
        sender = Pktgen(bed, "sender", left, "vxlan-wrapped", device, "--send-only", "--frames",
                        FRAMES, "--frames-per-second", RATE)
        sent = sender.result()
        received = listener.interrupt().result()
        check_exact(sent, received, FRAMES)
        assert received["received"]["tunnelled"] == FRAMES
        # It sleeps between bursts, which nobody else's use of the processor changes.
        busy = (sender.usage.ru_utime + sender.usage.ru_stime) / sent["seconds"]
        sleeps = sender.usage.ru_nvcsw / sent["seconds"]
        print(f"# {busy:.2f} of a core and {sleeps:.0f} sleeps a second for {RATE} frames a second")
        assert sleeps > LEAST_SLEEPS


@without_gateways
def frames_over_a_cable_between_xdp_ports_are_counted_exactly():
    generate_over_cable("xdp:eth0")


@without_gateways
def frames_over_a_cable_between_packet_sockets_are_counted_exactly():
    # A listener that others keep from its processor for seconds finds all of them in its ring.
    generate_over_cable("net_af_packet0,iface=eth0", f",framecnt={RING_FRAMES}")


def addresses(family):
    left, right = (getattr(side, "device" if family == 4 else "device6") for side in SIDES)
    return (f'addresses: {{source_mac: "{left.mac}", destination_mac: "{right.mac}", '
            f'source: "{left.ip}", destination: "{right.ip}"}}\n')


def generate_through_gateways(family):
    with Testbed(f"pktgen-gateways-{family}") as bed:
        scenario = TwoGateways(bed).start()
        near, far = (host.namespace for host in scenario.hosts)
        path = profile(bed, "mix.yaml", "pmtu: 1024\nflows: {count: 64}\n" + addresses(family) +
                       "mix:\n  - {operation: write, bytes: 4096, share: 8}\n"
                       "  - {operation: ack, share: 2}\n  - {operation: cnp, share: 1}\n")
        device = "net_af_packet0,iface=host0"
        listener = Pktgen(bed, "listener", far, path, device, "--receive-only")
        wait_for(listener.runs, "the listener listens")
        sent = Pktgen(bed, "sender", near, path, device, "--send-only", "--frames", FRAMES,
                      "--frames-per-second", RATE).result()
        check_exact(sent, listener.interrupt().result(), FRAMES)
        check_gateways(scenario.gateways)


@test
def generated_frames_cross_two_gateways_and_none_is_missing():
    generate_through_gateways(4)


@test
def generated_ipv6_frames_cross_two_gateways_and_none_is_missing():
    generate_through_gateways(6)


def check_work(left, right):
    """All was asked for, done, and answered; what was repeated on the way is the network's."""
    assert left["ended"] == "done", left["ended"]
    total = QPS * MESSAGES * MESSAGE_BYTES
    for pair in left["queue_pairs"]:
        assert pair["endpoint"]["state"] == "ready", pair
        assert pair["endpoint"]["messages_completed"] == MESSAGES, pair
    assert sum(pair["endpoint"]["received_message_bytes"] for pair in right["queue_pairs"]) == total
    assert right["received"]["requests"] == \
        left["sent"]["requests"] - right["received"]["lost"], (left["sent"], right["received"])
    assert left["endpoints"]["side"] == "left" and right["endpoints"]["side"] == "right"
    assert left["endpoints"]["time_scale"] == 100 and left["endpoints"]["dcqcn"] == "hpcc"
    assert len(left["series"][0]["allowed_bits_per_second"]) == QPS
    print(f"# repeated {left['sent']['repeated']}, lost {right['received']['lost']}")


def work(bed, near, far, device, more=""):
    text = (f"mode: endpoints\nseconds: 50\npmtu: 1024\nflows: {{count: {QPS}}}\n{more}"
            f"mix: [{{operation: write, bytes: {MESSAGE_BYTES}}}]\n"
            f"endpoints: {{messages: {MESSAGES}, time_scale: 100, line_bits_per_second: 100M, "
            "window_packets: 128, least_bits_per_second: 1M}\n")
    path = profile(bed, "work.yaml", text)
    right = Pktgen(bed, "right", far, path, device, "--side", "right")
    wait_for(right.runs, "the right side answers")
    left = Pktgen(bed, "left", near, path, device, "--side", "left").result()
    check_work(left, right.interrupt().result())


@without_gateways
def endpoints_over_a_cable_do_their_work():
    with Testbed("pktgen-endpoints") as bed:
        left, right = cable(bed)
        work(bed, left, right, "xdp:eth0")


@test
def endpoints_through_two_gateways_do_their_work():
    with Testbed("pktgen-endpoints-gateways") as bed:
        scenario = TwoGateways(bed).start()
        near, far = (host.namespace for host in scenario.hosts)
        work(bed, near, far, "net_af_packet0,iface=host0", addresses(4))
        check_gateways(scenario.gateways)


RC_MIX = """mix:
  - {operation: write, bytes: 9000, share: 2}
  - {operation: write_imm, bytes: 3000}
  - {operation: send, bytes: 2500}
  - {operation: send_imm, bytes: 5}
  - {operation: read, bytes: 7000, share: 2}
  - {operation: compare_swap}
  - {operation: fetch_add}
"""
UNRELIABLE_MIX = """  - {operation: uc_send, bytes: 3000}
  - {operation: uc_write_imm, bytes: 1500}
  - {operation: ud_send, bytes: 700}
"""
ROUND, READS = 9, 2                     # Shares of RC, and of READs among them.


def mixed_work(bed, near, far, device, text, more):
    path = profile(bed, "mixed.yaml", "mode: endpoints\nseconds: 50\npmtu: 1024\n"
                   f"flows: {{count: 12, first_psn: 16777200}}\n{text}{more}"
                   f"endpoints: {{messages: {4 * ROUND}, line_bits_per_second: 50M, dcqcn: paper, "
                   "time_scale: 100, least_bits_per_second: 1M, cm_timeout_ms: 200, connect: "
                   f"{'rdma_cm' if text == RC_MIX else 'known, both_ways: yes'}}}\n")
    right = Pktgen(bed, "right", far, path, device, "--side", "right")
    wait_for(right.runs, "the right side answers")
    left = Pktgen(bed, "left", near, path, device)
    return left, right


def check_mixed_work(left, right):
    asked = {pair["endpoint"]["peer_qp"]: pair["endpoint"] for pair in left["queue_pairs"]}
    assert len(asked) == len(right["queue_pairs"]) == 12
    for pair in right["queue_pairs"]:
        end = asked[pair["qp"]]
        assert end["messages_completed"] == 4 * ROUND, end
        # READs are no messages to the other side, and what is not repaired may be missing.
        whole = 4 * (ROUND - READS) if end["transport"] == "RC" else 4 * ROUND
        missing = 0 if end["transport"] == "RC" else pair["lost"]
        arrived = pair["endpoint"]["received_messages"]
        assert whole - missing <= arrived <= whole, (pair, end)


@test
def endpoints_connect_by_rdma_cm_do_every_operation_and_part():
    with Testbed("pktgen-cm") as bed:
        scenario = TwoGateways(bed).start()
        near, far = (host.namespace for host in scenario.hosts)
        left, right = (end.result() for end in mixed_work(
            bed, near, far, "net_af_packet0,iface=host0", RC_MIX, addresses(4)))
        # Nobody told the right side to end: its connections were closed.
        assert left["ended"] == right["ended"] == "done", (left["ended"], right["ended"])
        check_mixed_work(left, right)
        for side in (left, right):
            connections = side["endpoints"]["connections"]
            assert [connections[what] for what in ("made", "ready", "closed", "failed")] == \
                [12, 12, 12, 0], connections
            assert {pair["endpoint"]["state"] for pair in side["queue_pairs"]} == {"closed"}
        check_gateways(scenario.gateways)


@test
def endpoints_of_rc_uc_and_ud_do_every_operation():
    with Testbed("pktgen-mixed") as bed:
        scenario = TwoGateways(bed).start()
        near, far = (host.namespace for host in scenario.hosts)
        left, right = mixed_work(bed, near, far, "net_af_packet0,iface=host0",
                                 RC_MIX + UNRELIABLE_MIX, addresses(6))
        # The right side began to ask when the left one was there, and has finished, too.
        result = left.result()
        assert result["ended"] == "done", result["ended"]
        other = right.interrupt().result()
        check_mixed_work(result, other)
        check_mixed_work(other, result)
        assert {pair["endpoint"]["transport"] for pair in result["queue_pairs"]} == \
            {"RC", "UC", "UD"}
        assert result["endpoints"]["connections"] is None
        check_gateways(scenario.gateways)


@without_gateways
def endpoints_that_nobody_answers_end_all_the_same():
    with Testbed("pktgen-alone") as bed:
        left, _ = cable(bed)
        path = profile(bed, "alone.yaml", "mode: endpoints\npmtu: 1024\nflows: {count: 2}\n"
                       f"{RC_MIX}endpoints: {{messages: 5, connect: rdma_cm, cm_timeout_ms: 99}}\n")
        alone = Pktgen(bed, "alone", left, path, "xdp:eth0", "--seconds", 50)
        wait_for(alone.runs, "it asks")
        result = alone.result()
        # RDMA-CM gave up by itself; nothing is left to be done then.
        assert result["ended"] == "done" and result["endpoints"]["connections"]["failed"] == 2
        endless = Pktgen(bed, "endless", left, "incast", "xdp:eth0", "--seconds", 50)
        wait_for(endless.runs, "it asks")
        assert endless.interrupt().result()["ended"] == "interrupted"
        assert "xdp" not in left.ip("link", "show", "eth0")


@without_gateways
def ctrl_c_ends_a_run_with_its_result_and_leaves_nothing():
    with Testbed("pktgen-interrupt") as bed:
        left, _ = cable(bed)
        before = set(pathlib.Path(tempfile.gettempdir()).glob("weir-pktgen-*"))
        running = Pktgen(bed, "sender", left, "vxlan-wrapped", "xdp:eth0", "--seconds", 60)
        wait_for(running.runs, "it sends")
        assert "xdp" in left.ip("link", "show", "eth0")
        result = running.interrupt().result()
        assert result["ended"] == "interrupted" and result["sent"]["frames"] > 0
        assert "xdp" not in left.ip("link", "show", "eth0")
        assert set(pathlib.Path(tempfile.gettempdir()).glob("weir-pktgen-*")) <= before


@without_gateways
def what_cannot_run_is_refused_with_its_reason():
    with Testbed("pktgen-refused") as bed:
        left, _ = cable(bed)
        for name, said, status, arguments in (
                ("long", "raise the MTU (--mtu)", 1, ("ai-mix", "xdp:eth0")),
                ("absent", "device=xdp:eth7", 1, ("vxlan-wrapped", "xdp:eth7")),
                ("wrong", "wrong.yaml:1:8: rate.frames: there is no such field", 2,
                 (profile(bed, "wrong.yaml", "rate: {frames: 7}\n"), "xdp:eth0"))):
            refused = Pktgen(bed, name, left, *arguments)
            refused.result(status=status)
            assert said in refused.log(), refused.log()
        assert "xdp" not in left.ip("link", "show", "eth0")


run()
