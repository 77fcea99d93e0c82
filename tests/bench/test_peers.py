#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What tools/bench believes and what it refuses, without running anybody."""

import argparse
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TREE / "tests" / "support"), str(TREE / "tools")]

import roce                                   # noqa: E402
from benchmark import frames, ovs, peers, xdp  # noqa: E402
from tap import run, test                     # noqa: E402


def wrapped_by_us(sent):
    """As Weir's gateway would send it: the far side's wrapping with the addresses turned round."""
    frame = bytearray(frames.wrap(sent, 7))
    frame[0:6] = roce.mac_bytes(frames.NEXT_HOP_MAC)
    frame[26:30], frame[30:34] = frame[30:34], frame[26:30]  # The checksum stays right.
    return bytes(frame)


def changed(frame, offset):
    return frame[:offset] + bytes([frame[offset] ^ 0x10]) + frame[offset + 1:]


@test
def input_frames_have_the_asked_size_and_valid_icrcs():
    sent = frames.input_frames("encap", 20)

    assert {len(frame) for frame in sent} == {frames.FRAME_BYTES}
    assert all(map(roce.icrc_valid, sent))
    assert len({roce.parse(frame).flow for frame in sent}) == 20
    assert all(frame[50:] == inner for frame, inner in zip(frames.input_frames("decap", 20), sent))


@test
def right_output_has_no_problems():
    sent = frames.input_frames("encap", 20)
    tunnelled = frames.input_frames("decap", 20)

    verdict = frames.judge("encap", sent, [wrapped_by_us(frame) for frame in sent] * 2)
    assert not verdict.problems and not verdict.remarks
    assert not frames.judge("decap", tunnelled, sent).problems
    assert not frames.judge("macswap", sent, [frame[6:12] + frame[:6] + frame[12:]
                                              for frame in sent]).problems


@test
def wrong_output_is_noticed():
    sent = frames.input_frames("encap", 20)
    right = [wrapped_by_us(frame) for frame in sent]
    # Next hop, protocol, outer address, VXLAN flags, VNI, and three bytes of the tenant's frame.
    for offset in (0, 23, 30, 42, 48, 55, 100, 177):
        wrong = [changed(right[0], offset)] + right
        assert frames.judge("encap", sent, wrong).problems, offset

    assert frames.judge("encap", sent, right[1:]).problems, "a QP is missing"
    assert frames.judge("encap", sent, sent).problems, "not encapsulated"
    assert frames.judge("decap", frames.input_frames("decap", 20), right).problems


@test
def arp_is_nobodys_frame_where_the_gateway_speaks_for_itself():
    sent = frames.input_frames("encap", 1)
    right = [wrapped_by_us(sent[0])]
    probe = bytes.fromhex("ffffffffffff 027063617000 0806 0001080006040001 027063617000 00000000"
                          "000000000000 c6120001")
    stranger = probe[:38] + bytes.fromhex("c61200ff")

    kept = frames.without_arp_of_the_gateway([probe, *right, stranger])
    assert kept == [*right, stranger]
    assert frames.judge("encap", sent, kept).problems, "a stranger's ARP is somebody's"


@test
def lost_ecn_is_remarked():
    sent = frames.input_frames("encap", 1)
    frame = bytearray(wrapped_by_us(sent[0]))
    frame[15] &= 0xfc
    frame[24:26] = b"\0\0"
    frame[24:26] = roce.internet_checksum(bytes(frame[14:34])).to_bytes(2, "big")

    verdict = frames.judge("encap", sent, [bytes(frame)])
    assert not verdict.problems
    assert list(verdict.remarks) == ["outer ECN is not the inner one"]


class Named:
    def __init__(self, name):
        self.NAME = name

    def version(self):
        return "1"


def bench_with(turns, **changes):
    """A finished bench whose rates are `turns`: system → Mpps per round."""
    options = argparse.Namespace(rounds=3, seconds=1.0, only="encap-1k", systems="", build="",
                                 spread_max=0.25)
    bench = peers.Bench(options, "")
    bench.systems = {name: Named(name) for name in turns}
    for name, rates in turns.items():
        bench.turns[("encap-1k", name)] = [
            peers.Turn(rate, changes.get("share", 1.0), changes.get("problems", []))
            for rate in rates]
        bench.settings[("encap-1k", name)] = {}
    return bench


@test
def the_ratio_is_the_median_of_the_rounds():
    bench = bench_with({"weir": [20, 30, 22], "ovs": [10, 15, 10], "floor": [50, 60, 50]})

    entry = bench.report()["workloads"][0]
    assert entry["ratio_best"] == entry["peers"][0]["ratio"] == 2.0
    assert entry["weir"]["mpps"] == 22
    assert peers.passed(bench.report(), 2.0) and not peers.passed(bench.report(), 2.1)
    assert "2.00" in peers.table(bench.report())


@test
def a_ratio_is_refused_where_rounds_differ_or_frames_are_lost():
    noisy = bench_with({"weir": [20, 20, 30], "ovs": [10, 10, 10]})
    lossy = bench_with({"weir": [20, 20, 20], "ovs": [10, 10, 10]}, problems=["9 frames were lost"])
    starved = bench_with({"weir": [20, 20, 20], "ovs": [10, 10, 10]}, share=0.5)
    idle = bench_with({"weir": [20, 20, 20], "ovs": [10, 0, 10]})
    fake = bench_with({"weir": [20, 20, 20], "ovs": [10, 10, 10]})
    fake.findings[("encap-1k", "ovs")].append("no tnl_push")
    for bench in (noisy, lossy, starved, idle, fake):
        report = bench.report()
        peer = report["workloads"][0]["peers"][0]
        assert peer["ratio"] is None and peer["refused"], peer
        assert report["workloads"][0]["ratio_best"] is None
        assert not peers.passed(report, None)
        assert "no ratio" in peers.table(report)


@test
def loss_is_what_did_not_leave():
    before = peers.system.Counters(0, 100, 100, 5)

    assert not peers.losses(before, peers.system.Counters(1, 1000100, 1000090, 5))
    assert peers.losses(before, peers.system.Counters(1, 1000100, 1000100, 6))
    assert peers.losses(before, peers.system.Counters(1, 1000100, 900100, 5))


@test
def ports_of_ovs_are_read_from_its_text():
    text = ("netdev@ovs-netdev:\n  lookups: hit:5 missed:1 lost:7\n  port 0: ovs-netdev (tap)\n"
            "    RX packets:1 errors:0 dropped:0 overruns:0 frame:0\n"
            "  port 4: p1 (dpdk: configured_rx_queues=1)\n"
            "    RX packets:10 errors:0 dropped:2 overruns:? frame:?\n"
            "    TX packets:30 errors:1 dropped:0 aborted:? carrier:?\n")

    assert ovs.port_counters(text, "p1")["TX packets"] == 30
    assert ovs.port_counters(text, "p1")["RX dropped"] == 2
    assert ovs.port_counters(text, "p2") is None


def xdp_turns(weir, testpmd, waited=0.0):
    return {name: [{"kpps": kpps, "offered_kpps": 500, "waited": waited} for kpps in rates]
            for name, rates in (("Weir", weir), ("testpmd", testpmd))}


@test
def xdp_ratio_is_the_median_of_rounds():
    said = xdp.verdict(xdp_turns([300, 310, 280], [300, 310, 310]), [], 0.25)

    assert (said["ratio"], said["ratio_min"], said["ratio_max"]) == (1.0, 0.903, 1.0)
    assert said["refused"] == []


@test
def xdp_ratio_is_refused_with_the_reason():
    for turns, problems, reason in (
            (xdp_turns([300, 200], [300, 300]), [], "the rounds differ by 40%"),
            (xdp_turns([300], [300], waited=0.11), [], "waited for its core"),
            (xdp_turns([300], [0]), [], "testpmd: nothing was sent"),
            (xdp_turns([0], [300]), [], "Weir: nothing was sent"),
            (xdp_turns([300], [300]), ["Weir: 5 packets are not accounted for"], "accounted")):
        said = xdp.verdict(turns, problems, 0.25)
        assert said["ratio"] is None and reason in " ".join(said["refused"]), said


run()
