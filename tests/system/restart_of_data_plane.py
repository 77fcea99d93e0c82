#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A data plane that is killed with 100,000 endpoints and xdp ports is back unaided: what its hosts
miss, that no frame ever comes to another tenant, and that nothing of the dead is left."""

import calendar
import os
import re
import signal
import statistics
import time

from context import Hugepages, Pulse, Testbed, TwoTenants, run, test, wait_for

ROUNDS = int(os.environ.get("WEIR_ROUNDS", 5 if "WEIR_SHAPE" in os.environ else 20))
ENDPOINTS = 100_000
YOUNG_S = 1.0                                    # Later deaths do not count as early ones.
HUGEPAGES = 130                                  # Of two gateways; without, buffers come slowly.
TARGET_MS = {"p50": 350, "p99": 600}             # Of a machine that is not busy otherwise.
LIMIT_MS = 3000                                  # Of one that is, for half of them.


def said_ready(gateway):
    return gateway.dataplane.log().count("ready=1")


def last_commit(gateway):
    """The wall clock when the last generation was put in force."""
    stamp = re.findall(r"time=(\S+)Z .*event=committed", gateway.dataplane.log())[-1]
    whole, _, fraction = stamp.partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + fraction)


def percentile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


class Leftovers:
    """What a dead process could leave: files, pins, attached programs."""

    def __init__(self, bed, gateway):
        self.bed = bed
        self.gateway = gateway

    def now(self):
        files = sorted(str(path.relative_to(self.gateway.runtime))
                       for path in self.gateway.runtime.rglob("*"))
        pins = sorted(path.name for path in self.bed.bpffs().iterdir())
        programs = self.gateway.namespace.ip("-d", "link", "show").count("prog/xdp")
        return files, pins, programs


@test
def a_killed_data_plane_is_back_unaided_and_mixes_no_tenants():
    with Hugepages(HUGEPAGES) as pages, Testbed("restart-data") as bed:
        scenario = TwoTenants(bed, endpoints=ENDPOINTS, supervised=True, supervisor=(
            "--young-ms", round(YOUNG_S * 1000))).start()
        victim = scenario.gateways[0]
        leftovers = Leftovers(bed, victim)
        gaps, before = [], None
        with Pulse(scenario.beats(), frames_per_second=500) as pulse:
            began = time.monotonic()
            wait_for(lambda: pulse.beats_again(began), "beats at all", 30)
            for number in range(ROUNDS):
                pid, ready = victim.dataplane_pid(), said_ready(victim)
                moment, wall = time.monotonic(), time.time()
                os.kill(pid, signal.SIGKILL)
                wait_for(lambda: said_ready(victim) > ready, "all is in force", 30)
                wait_for(lambda at=moment: pulse.beats_again(at + 0.05), "all beats again", 30)
                gaps.append(pulse.gap_after(moment) * 1000)
                first = pulse.first_after(moment + 0.05)
                assert wall + (first - moment) > last_commit(victim) - 0.01, \
                    f"round {number}: a frame was forwarded before all was in force"
                left = leftovers.now()
                before = before or left
                assert left == before, f"round {number}: {left}, {before} before"
                time.sleep(YOUNG_S + 0.1)
        assert pulse.faults() == [], pulse.faults()
        print(f"# {pages.count} hugepages, {len(gaps)} kills: gap "
              f"p50 {percentile(gaps, 0.5):.0f} ms, "
              f"p99 {percentile(gaps, 0.99):.0f} ms, longest {max(gaps):.0f} ms; "
              f"targets {TARGET_MS}; this side was late by {pulse.late_s * 1000:.0f} ms at most")
        log = victim.dataplane.log()
        assert log.count("event=program_died") == ROUNDS and "event=safe_mode" not in log
        assert statistics.median(gaps) < LIMIT_MS, gaps


run()
