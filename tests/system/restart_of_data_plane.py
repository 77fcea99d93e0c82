#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A data plane that is killed with 100,000 endpoints and xdp ports is back unaided: what its hosts
miss, that no frame ever comes to another tenant, that nothing of the dead is left but endpoints,
and that those are not sent again. WEIR_ENDPOINTS says how many; with WEIR_NO_ADOPTION they are."""

import calendar
import os
import random
import re
import signal
import statistics
import subprocess
import time

from context import (Hugepages, Leftovers, Pulse, Testbed, TwoTenants, mac_among_many, run, test,
                     wait_for)

ROUNDS = int(os.environ.get("WEIR_ROUNDS", 5 if "WEIR_SHAPE" in os.environ else 20))
ENDPOINTS = int(os.environ.get("WEIR_ENDPOINTS", 100_000))
ADOPTS = "WEIR_NO_ADOPTION" not in os.environ
OPTIONS = () if ADOPTS else ("--no-adoption",)
OF_HOSTS = 4                                     # Endpoints that TwoTenants has besides.
KILLS, CHANGED = 4, 10_000                       # Within transactions of so many endpoints.
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


def moments(log, event):
    """Seconds of the day at which a data plane said so."""
    stamps = re.findall(rf"time=\S+T(\d\d):(\d\d):([\d.]+)Z .*event={event}\b", log)
    return [int(hours) * 3600 + int(minutes) * 60 + float(rest) for hours, minutes, rest in stamps]


def adoptions(gateway):
    """(endpoints, milliseconds) of each start that took some over."""
    found = re.findall(r"event=endpoints_adopted endpoints=(\d+) .*us=(\d+)",
                       gateway.dataplane.log())
    return [(int(count), int(us) / 1000) for count, us in found]


def check_what_was_sent(gateway, records):
    """In all rounds together."""
    status = gateway.show("status")["dataplane"]
    log = gateway.dataplane.log()
    asked = moments(log, "hello")[-ROUNDS:]
    took = [done - hello for hello, done in zip(asked, moments(log, "committed")[-ROUNDS:])]
    print(f"# from the hello to the commit {statistics.median(took) * 1000:.0f} ms, "
          f"{(status['records'] - records) / ROUNDS:.0f} records")
    if not ADOPTS:
        assert status["endpoints_adopted"] == status["table_file_bytes"] == 0
        return
    found = adoptions(gateway)
    print(f"# adoption {statistics.median(ms for _, ms in found):.1f} ms, "
          f"file {status['table_file_bytes'] / 1e6:.1f} MB")
    assert [count for count, _ in found] == [ENDPOINTS + OF_HOSTS] * ROUNDS, found
    assert status["endpoints_adopted"] == ENDPOINTS + OF_HOSTS
    assert status["records"] - records < 50 * ROUNDS, "endpoints were sent"


def percentile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


@test
def a_killed_data_plane_is_back_unaided_and_mixes_no_tenants():
    with Hugepages(HUGEPAGES) as pages, Testbed("restart-data") as bed:
        scenario = TwoTenants(bed, endpoints=ENDPOINTS, supervised=True, options=OPTIONS,
                              supervisor=("--young-ms", round(YOUNG_S * 1000))).start()
        victim = scenario.gateways[0]
        records = victim.show("status")["dataplane"]["records"]
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
        check_what_was_sent(victim, records)
        assert statistics.median(gaps) < LIMIT_MS, gaps


def in_intent(gateway):
    return gateway.show("status")["intent"]["objects"]["endpoints"]


def in_force(gateway):
    """As many as are wanted; the digests say that they are those."""
    return gateway.link_state() == "in_sync" and \
        gateway.show("stats", "show")["tables"]["endpoints"]["used"] == in_intent(gateway)


@test
def one_that_is_killed_within_a_transaction_leaves_nothing_half():
    with Testbed("restart-change") as bed:
        scenario = TwoTenants(bed, endpoints=2 * CHANGED, supervised=True).start()
        victim = scenario.gateways[0]
        everything = in_intent(victim)
        changes = bed.folder / "changes"
        moment = random.Random(7)
        with Pulse(scenario.beats(), frames_per_second=500) as pulse:
            for _ in range(KILLS):
                line = "endpoint delete blue/{}\n" if in_intent(victim) == everything else \
                    "endpoint add blue mac {} vtep peer\n"
                changes.write_text("".join(line.format(mac_among_many(2 * index))
                                           for index in range(CHANGED)))
                ready = said_ready(victim)
                change = subprocess.Popen(victim.command_line("-f", changes),
                                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(moment.uniform(0.05, 0.25))
                os.kill(victim.dataplane_pid(), signal.SIGKILL)
                wait_for(lambda: said_ready(victim) > ready, "all is in force", 60)
                change.wait(60)                 # Whether it came to be: what is wanted is in force.
                wait_for(lambda: in_force(victim), "what is wanted is in force", 30)
        assert pulse.faults() == [], pulse.faults()
        log = victim.dataplane.log()
        thrown = log.count("event=endpoints_not_adopted")
        print(f"# of {KILLS} files {len(adoptions(victim))} adopted, {thrown} thrown away")
        assert len(adoptions(victim)) + thrown == KILLS, log


run()
