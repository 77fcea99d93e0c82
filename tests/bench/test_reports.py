#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the commands of tools/bench but `peers` make of what they measured, without measuring."""

import sys
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TREE / "tests" / "support"), str(TREE / "tools")]

from benchmark import idle, latency, programming, scale, stages, tables, xdp  # noqa: E402
from tap import run, test                     # noqa: E402


@test
def cold_figures_stand_with_the_warm_ones():
    rows = [{"name": "a", "cycles_per_packet": 2.0}, {"name": "a (cold)", "cycles_per_packet": 9.0},
            {"name": "b", "ns": 1.0}, {"name": "c", "cycles_per_operation": 5.0}]
    told = stages.with_cold(rows)

    assert [row["name"] for row in told] == ["a", "b", "c"]
    assert (told[0]["cycles_per_packet"], told[0]["cycles_per_packet_cold"]) == (2.0, 9.0)
    case = {"name": "d", "instructions_per_packet": 5.0, "budget": 4.0, "wrong": "takes 5.0"}
    text = stages.table(told, {"cases": [case]})
    assert "9.0" in text and "takes 5.0" in text and "valgrind" not in text
    assert "missing: valgrind" in stages.table(told, {"missing": ["valgrind"]})


@test
def what_is_switched_off_costs_the_look_and_a_share_of_the_timed_bursts():
    cycles = {"switched_off/observed: with": 0.5, "switched_off/observed: without": 0.4,
              "switched_off/traced: with": 3.0, "switched_off/traced: without": 1.5,
              "encap/1k/host_to_wire": 100.0, "encap/1k/host_to_wire observed": 228.0}
    rows = [{"name": name, "cycles_per_packet": value} for name, value in cycles.items()]
    found = [(cost["cycles_per_packet"], cost["verdict"]) for cost in stages.switched_off(rows)]

    assert found == [(0.1, "met"), (1.5, "missed"), (0.5, "met")], found
    assert "at most 1: missed" in stages.table(rows, {})
    assert stages.switched_off(rows[:1]) == []


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


@test
def idle_is_held_against_the_eventfd_of_the_same_run():
    def judged(share, delays):
        rows = {"eventfd": idle.summary([], [10_000] * 100),
                idle.WOKEN: idle.summary(share, delays)}
        return [target["verdict"] for target in idle.verdicts(rows)]

    assert judged([0.019, 0.5, 0.001], [40_000] * 98 + [60_000] * 2) == ["met", "met"]
    assert judged([0.02] * 3, [40_000] * 98 + [61_000] * 2) == ["missed", "missed"]
    report = {"systems": {"eventfd": idle.summary([], [1]), idle.WOKEN: idle.summary([1.0], [1])},
              "sleep_max_us": 200, "frames": 5, "rounds": 3, "load": 1, "version": "1"}
    assert "100.00%" in idle.table({**report, "targets": idle.verdicts(report["systems"])})


def generated(p99_9, lost):
    """A result of weir-pktgen."""
    return {"received": {"frames": 10}, "sent": {"late_ms": 0.5},
            "series": [{"lost": 99}, {"lost": lost}],
            "latency_ns": {name: p99_9 for name in latency.QUANTILES}}


def latency_report(ours, theirs, cores=4):
    return {"machine": {"cores": cores}, "load": 0.1, "version": "1", "frame_bytes": 130, "rate": 5,
            "rounds": 3, "seconds": 1, "verdict": "",
            "systems": [latency.summary(name, 100, [generated(value, 0) for value in values])
                        for name, values in (("Weir", ours), ("testpmd io", theirs))]}


@test
def latency_is_the_median_and_held_against_testpmd():
    met = latency_report([90_000, 20_000, 14_000], [10_000, 10_500, 10_000])
    missed = latency_report([20_001] * 3, [10_000] * 3)

    assert met["systems"][0]["latency_ns"]["p99_9"] == 20_000
    assert (latency.verdict(met), latency.verdict(missed)) == ("met", "missed")
    assert "no target" in latency.verdict(latency_report([1] * 3, [1] * 3, cores=2))
    assert "p99.9" in latency.table(met)


@test
def frames_lost_while_memifs_connect_do_not_count():
    assert latency.lost(generated(1, 0)) == 0 and latency.lost(generated(1, 3)) == 3


def lookup(name, entries, **values):
    return {"run_name": f"{name}/{entries}", "aggregate_name": "median", **values}


@test
def tables_are_told_by_size():
    entries = []
    for size in (100000, 1000):
        entries += [lookup("exact_match_hit", size, cycles_per_lookup=20.04, bytes_per_entry=24),
                    lookup("exact_match_miss", size, cycles_per_lookup=30),
                    lookup("rte_hash_hit", size, cycles_per_lookup=60, bytes_per_entry=48),
                    lookup("exact_match_fill", size, items_per_second=5e6)]
    entries.append({**entries[0], "aggregate_name": "cv", "cycles_per_lookup": 0.1})
    rows = tables.rows(entries)

    assert [row["entries"] for row in rows] == [1000, 100000]
    assert rows[0] == {"entries": 1000, "hit_cycles": 20.0, "miss_cycles": 30,
                       "rte_hash_hit_cycles": 60, "inserts_per_second": 5_000_000,
                       "bytes_per_entry": 24, "rte_hash_bytes_per_entry": 48}
    report = {"tables": rows, "hugepages": True, "load": 0, "verdict": "met"}
    assert "5000000" in tables.table(report)


def worker_turns(one, eight, **changes):
    turn = {"share": 1.0, "lost": 0, "problems": [], **changes}
    return {1: [{**turn, "mpps": value} for value in one],
            8: [{**turn, "mpps": value} for value in eight]}


@test
def scale_is_held_against_one_worker_of_the_same_round():
    rows = scale.summary(worker_turns([10, 12, 10], [72, 86.4, 90]))

    assert rows[1]["times"] == 7.2 and rows[0]["times"] == 1
    assert scale.verdict(rows) == "met"
    assert scale.verdict(scale.summary(worker_turns([10], [71]))) == "missed"
    assert scale.verdict(scale.summary(worker_turns([10], [80], lost=1))).startswith("void")
    assert scale.verdict(rows[:1]).startswith("no target")


@test
def share_is_that_of_the_worker_with_least():
    before, after = {5: 0, 6: 0, 7: 0}, {5: 1_000_000, 6: 2e9, 7: 1e9}

    assert scale.share(before, after, 2.0, 2) == 0.5
    assert scale.share(before, {}, 2.0, 2) == 0


@test
def hand_over_is_told_in_cycles_of_both_workers():
    def turn(giver, home, handed_over):
        return {"mpps": 8.0, "handed_over": handed_over, "lost": 0.25, "cycles_giver": giver,
                "cycles_home": home, "problems": []}

    rows = scale.hand_over_rows({1: [turn(None, 150.0, 0.0)],
                                 2: [turn(200.0, 90.0, 1.0), turn(220.0, 70.0, 1.0),
                                     turn(210.0, 80.0, 1.0)]})
    assert [row["cycles_giver"] for row in rows] == [None, 210.0]
    text = scale.hand_over_text(rows)
    assert "1 worker: 8.00 Mpps, 150 cycles a frame; 0% handed over" in text[0], text
    assert "210 cycles a frame to hand it over, 80 at home; 100% handed over, 25% lost" in text[1]
    assert "void: x" in scale.hand_over_text([{**rows[0], "problems": ["x"]}])[0]


@test
def programming_has_targets_for_what_was_asked_only():
    report = {"endpoints": programming.ENDPOINTS, "changes": programming.CHANGES, "apply_s": 4.0,
              "controlplane_peak_mb": 600, "changes_s": 0.05, "dataplane_bytes_per_endpoint": 24,
              "quiet": {"gap_us": 5, "lost": 0}, "changing": {"gap_us": 26, "lost": 0}}
    verdicts = [row["verdict"] for row in programming.targets(report)]

    assert verdicts == ["met", "missed", "met", "met", "missed"]
    less = programming.targets({**report, "endpoints": 5})
    assert {row["verdict"] for row in less} == {"not measured"}


@test
def gap_is_where_one_turn_in_ten_thousand_is_longer():
    before = {"1us": 1_000_000, "24us": 5}
    after = {"1us": 1_019_990, "24us": 14, "unbounded": 1}

    assert programming.gap_between(before, after) == 24
    assert programming.gap_between({}, {"1us": 10, "unbounded": 1}) == float("inf")


@test
def yaml_of_endpoints_is_yaml():
    import yaml                                  # pylint: disable=import-outside-toplevel
    text = programming.yaml_of({"networks": [{"name": "blue", "vni": 1}]}, [{"mac": "02:00"}] * 2)

    lines = programming.ndjson_of({"networks": []}, [{"mac": "02:00"}] * 2).split("\n")
    assert lines == ['{"networks": []}', *['{"endpoints": [{"mac": "02:00"}]}'] * 2]
    assert yaml.safe_load(text) == {"networks": [{"name": "blue", "vni": 1}],
                                    "endpoints": [{"mac": "02:00"}] * 2}


run()
