#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""When the machine itself stood still. On each processor a process that does nothing sleeps for a
moment, again and again, and notes when it was woken late. Where all were late at once, what a test
measured meanwhile says nothing of the tested. One alone says nothing of the machine: the kernel may
have worked there for the tested, as it does for 50 ms where an XDP port comes back.

usage: stops.py CPU"""

import os
import sys
import time
from pathlib import Path

from testbed import wait_for

PAUSE_S, LATE_S = 0.002, 0.020
BEGUN = "watching"


def overlaps(gaps, began, ended):
    """Whether one of the (begin, end) has a moment in common."""
    return any(gap[0] <= ended and gap[1] >= began for gap in gaps)


def together(gaps_of_each):
    """The times, longer than a wake may be late, that lie in a gap of each."""
    common = gaps_of_each[0]
    for gaps in gaps_of_each[1:]:
        common = [(max(a[0], b[0]), min(a[1], b[1])) for a in common for b in gaps]
        common = [gap for gap in common if gap[1] > gap[0]]
    return sorted(gap for gap in common if gap[1] - gap[0] > LATE_S)


class Stops:
    """The control, from now on; times are those of time.time()."""

    def __init__(self, bed):
        self.processes = [bed.start(f"stops{cpu}", [sys.executable, Path(__file__), cpu])
                          for cpu in sorted(os.sched_getaffinity(0))]
        for process in self.processes:
            wait_for(lambda process=process: BEGUN in process.log(), f"{process.name} watches")

    def gaps(self):
        """(begin, end) of each time in which the whole machine stood still."""
        logs = [process.log().rpartition("\n")[0].splitlines() for process in self.processes]
        return together([[tuple(map(float, line.split())) for line in lines if line != BEGUN]
                         for lines in logs])


def watch(cpu):
    os.sched_setaffinity(0, {cpu})
    print(BEGUN, flush=True)
    last = time.time()
    while True:
        time.sleep(PAUSE_S)
        now = time.time()
        if now - last > PAUSE_S + LATE_S:
            print(f"{last:.6f} {now:.6f}", flush=True)
        last = now


if __name__ == "__main__":
    watch(int(sys.argv[1]))
