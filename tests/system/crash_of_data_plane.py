#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A data plane that is killed is started again by its supervisor and told everything by the control
plane, unasked. The gap that the hosts see is printed."""

import os
import signal

from context import (Replay, Testbed, TwoGateways, all_shots, check_replay, run, settle,
                     test, wait_for)


@test
def traffic_flows_again_after_the_data_plane_was_killed():
    with Testbed("crash-data") as bed:
        # Cables, not TAPs: a TAP goes with its process, and somebody would have to plug it in.
        scenario = TwoGateways(bed, tap=False, supervised=True).start()
        ports, shots = scenario.roce_ports(), all_shots()
        check_replay(Replay(ports, shots).run(rounds=1))
        victim = scenario.gateways[0]
        for _ in range(3):
            pid = victim.dataplane_pid()
            os.kill(pid, signal.SIGKILL)
            replay = Replay(ports, shots, frames_per_second=1000)
            replay.give_up = 0.2                # What was lost is sent anew by what follows.
            replay.run(seconds=3)
            late = sum(port.discard_late() for port in ports)  # Waited in a ring for the new one.
            print(f"# {late} frames given up came late;"
                  f" gap of {replay.silence_longest * 1000:.0f} ms")
            wait_for(lambda before=pid: victim.dataplane_pid() != before, "a new process")
            check_replay(Replay(ports, shots).run(rounds=1))
        # Rings may have overrun while the new process opened its ports; its workers lost nothing.
        for counters in settle(scenario.gateways):
            totals = counters.totals()
            assert totals["dropped"] == totals["mismatch"] == 0, counters.drops


run()
