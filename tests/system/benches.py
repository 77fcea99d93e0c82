#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The benches of tools/bench run, say what they measured in a form that can be read, and what they
say is possible. How fast anything is, is not asked here."""

import json
import os
import subprocess

from context import ROOT, run, test


def bench(command, *options):
    """Its report, whatever it thinks of the targets."""
    build = os.environ["WEIR_BUILD"]
    done = subprocess.run([str(ROOT / "tools" / "bench"), "--build", build, command, "--json",
                           *options], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode in (0, 1) and done.stdout, f"{done.returncode}\n{done.stderr[-2000:]}"
    return json.loads(done.stdout)


def below(*numbers):
    return all(a <= b for a, b in zip(numbers, numbers[1:]))


@test
def peers_compares_weir_with_the_floor_and_names_what_is_missing():
    report = bench("peers", "--only", "encap-1k,decap6-1k", "--systems", "weir,grout,floor",
                   "--cache", "/nonexistent", "--rounds", "1", "--seconds", "0.3")

    assert any("grout" in text for text in report["missing"]), report["missing"]
    for entry in report["workloads"]:
        ours, floor = entry["weir"], entry["floor"]
        assert 0 < ours["mpps"] < floor["mpps"] * 1.5, entry
        # Other work may take the core on this machine; wrong frames may never come.
        assert all("of its core" in text for text in ours["problems"]), ours["problems"]
        assert entry["peers"] == [] and entry["ratio_best"] is None
    assert {target["verdict"] for target in report["targets"]} <= {"met", "missed", "not measured"}


@test
def latency_has_quantiles_in_order_for_both():
    report = bench("latency", "--rounds", "1", "--seconds", "2", "--rate", "20000")

    assert [system["name"] for system in report["systems"]] == ["Weir", "testpmd io"]
    for system in report["systems"]:
        assert system["received"] > 10_000, system
        assert below(0, *(system["latency_ns"][name] for name in (
            "min", "p50", "p90", "p99", "p99_9", "p99_99", "max"))), system


@test
def idle_workers_sleep_and_wake():
    report = bench("idle", "--rounds", "1", "--frames", "20", "--seconds", "0.5")

    rows = report["systems"]
    assert rows["xdp, woken"]["share"] < 0.05 < 0.3 < rows["xdp, spinning"]["share"], rows
    assert 0 < rows["af_packet, back-off"]["share"] < 0.9, rows
    assert all(below(0, row["p50_us"], row["p99_us"]) for row in rows.values()), rows
    assert len(report["targets"]) == 2


@test
def tables_cost_something_and_hold_what_they_are_given():
    report = bench("tables", "--repetitions", "1", "--entries-max", "1000")

    row, = report["tables"]
    assert row["entries"] == 1000 and row["inserts_per_second"] > 10_000, row
    assert all(1 < row[f"{name}_cycles"] < 5000 for name in ("hit", "miss", "rte_hash_hit")), row
    assert 16 <= row["bytes_per_entry"] <= 64, row


@test
def scale_has_a_row_for_each_number_of_workers():
    report = bench("scale", "--rounds", "1", "--seconds", "0.3", "--workers-max", "2")

    assert [row["workers"] for row in report["workers"]] == [1, 2][:os.cpu_count()]
    assert report["workers"][0]["times"] == 1.0
    assert all(row["mpps"] > 0 and not row["problems"] for row in report["workers"]), report
    rows = report["hand_over"]
    # What the home has no time for dies at a full ring.
    assert rows[0]["handed_over"] == 0 and (len(rows) == 1 or rows[-1]["handed_over"] > 0), rows
    assert all(row["mpps"] > 0 and row["cycles_home"] > 0 and not row["problems"]
               for row in rows), rows


@test
def programming_sees_all_in_force_and_loses_nothing():
    report = bench("programming", "--endpoints", "20000", "--changes", "500", "--rounds", "1",
                   "--format", "yaml")

    assert 0 < report["check_s"] and 0 < report["apply_s"] and 0 < report["changes_s"], report
    assert 5 < report["controlplane_peak_mb"] < 512, report
    assert report["changing"]["frames"] > 10_000, report
    assert all(target["verdict"] == "not measured" for target in report["targets"])


run()
