#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The control that tells when the machine stood still."""

import os
import signal
import tempfile
import time
from pathlib import Path

import stops
from tap import run, test
from testbed import Process, wait_for


class Bed:
    """As much of a test bed as takes no privilege."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def start(self, name, arguments):
        return Process(name, arguments, self.folder / f"{name}.log")


@test
def an_interval_overlaps_with_a_gap_that_it_touches():
    gaps = [(10.0, 10.5), (20.0, 20.5)]
    for began, ended in ((9.0, 10.1), (10.1, 10.2), (10.4, 11.0), (9.0, 11.0), (9.0, 30.0)):
        assert stops.overlaps(gaps, began, ended), (began, ended)
    for began, ended in ((9.0, 9.9), (10.6, 19.9), (20.6, 21.0)):
        assert not stops.overlaps(gaps, began, ended), (began, ended)
    assert not stops.overlaps([], 1.0, 2.0)


@test
def the_machine_stood_still_where_all_were_late_at_once():
    left, right = [(1.0, 1.05), (2.0, 2.05), (3.0, 3.1)], [(1.01, 1.06), (2.04, 2.09), (9.0, 9.1)]
    assert stops.together([left, right]) == [(1.01, 1.05)]
    assert stops.together([left]) == left
    assert stops.together([left, []]) == []
    assert stops.together([left, left, right]) == [(1.01, 1.05)]


def stop_for(processes, seconds):
    """What the moments were."""
    began = time.time()
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    time.sleep(seconds)
    for process in processes:
        os.kill(process.pid, signal.SIGCONT)
    return began, time.time()


@test
def a_stop_of_all_is_noted_with_its_begin_and_end():
    with tempfile.TemporaryDirectory() as folder:
        control = stops.Stops(Bed(folder))
        try:
            time.sleep(0.1)
            times = stop_for(control.processes, 0.2)
            wait_for(lambda: any(end - begin > 0.15 and stops.overlaps([(begin, end)], *times)
                                 for begin, end in control.gaps()), "the gap")
            if len(control.processes) > 1:       # Else one is all.
                began = stop_for(control.processes[:1], 0.2)[0]
                time.sleep(0.1)
                assert not any(end - begin > 0.15 and begin >= began for begin, end in
                               control.gaps()), control.gaps()
        finally:
            for process in control.processes:
                process.kill()


run()
