#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The control plane may be killed at any instant: frames flow on, and afterwards it knows what is
in force and can change it."""

import time

from context import Replay, Testbed, TwoGateways, all_shots, check_gateways, check_replay, run, test


@test
def nothing_is_lost_when_control_planes_are_killed():
    with Testbed("crash-control") as bed:
        scenario = TwoGateways(bed).start()
        kills = []

        def kill_and_return():
            gateway = scenario.gateways[len(kills) % 2]
            if not gateway.controlplane.alive():
                gateway.start_controlplane()
            elif len(kills) < 4:
                gateway.controlplane.kill()
                kills.append(time.monotonic())

        replay = Replay(scenario.roce_ports(), all_shots(), frames_per_second=2000)
        replay.run(seconds=6, while_running=kill_and_return)
        for gateway in scenario.gateways:
            if not gateway.controlplane.alive():
                gateway.start_controlplane()
        assert len(kills) == 4
        check_replay(replay)
        for gateway in scenario.gateways:
            gateway.weir("endpoint", "add", "blue", "mac", "02:00:00:00:99:01", "vtep", "peer")
            gateway.wait_in_sync()
        check_gateways(scenario.gateways)


run()
