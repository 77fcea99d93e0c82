#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The control plane may be killed or stand still at any instant: frames flow on, and afterwards it
knows what is in force, sends nothing of it again, and can change it."""

import os
import random
import signal
import threading
import time

from context import (Replay, Testbed, TwoGateways, all_shots, check_gateways, check_replay, run,
                     test)

ROUNDS = int(os.environ.get("WEIR_ROUNDS", 50))


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


class Faults(threading.Thread):
    """Kills control planes, or has them stand still, one after the other, until it has done so
    often enough or something was wrong. What it started dies with it: it lives until end()."""

    def __init__(self, gateways):
        super().__init__(daemon=True)
        self.gateways = gateways
        self.chance = random.Random(6)
        self.done = {"killed": 0, "stopped": 0}
        self.away = []                           # Seconds until it is in sync again.
        self.error = None
        self.ended = threading.Event()
        self.finished = False

    def run(self):
        try:
            for number in range(ROUNDS):
                self.one(self.gateways[number % 2], number)
        except Exception as error:  # pylint: disable=broad-exception-caught  # Told by check().
            self.error = error
        self.finished = True
        self.ended.wait()

    def go_on(self):
        return not self.finished

    def end(self):
        self.ended.set()
        self.join()

    def one(self, gateway, number):
        before = gateway.show("status")["dataplane"]
        began = time.monotonic()
        if number % 4 < 2:
            gateway.controlplane.kill()
            time.sleep(self.chance.uniform(0, 0.05))
            gateway.start_controlplane()
            self.done["killed"] += 1
        else:
            os.kill(gateway.controlplane.pid, signal.SIGSTOP)
            time.sleep(self.chance.uniform(0.05, 0.3))
            os.kill(gateway.controlplane.pid, signal.SIGCONT)
            self.done["stopped"] += 1
        # In sync: the digests of all tables are those of the intent.
        gateway.wait_in_sync()
        self.away.append(time.monotonic() - began)
        after = gateway.show("status")["dataplane"]
        assert after["pid"] == before["pid"] and after["generation"] == before["generation"], \
            f"round {number}: {before}, then {after}"
        assert after["records"] == 0 or number % 4 >= 2, f"round {number}: sent again: {after}"
        if number % 5 == 0:
            mac = f"02:00:00:01:{number >> 8:02x}:{number & 255:02x}"
            gateway.weir("endpoint", "add", "blue", "mac", mac, "vtep", "peer")

    def check(self):
        if self.error:
            raise self.error
        assert sum(self.done.values()) == ROUNDS
        away = sorted(self.away)
        print(f"# {self.done}: in sync again after {away[len(away) // 2] * 1000:.0f} ms, at most "
              f"{away[-1] * 1000:.0f} ms")


@test
def control_planes_that_die_or_stand_still_cost_no_frame():
    with Testbed("faults-of-control") as bed:
        scenario = TwoGateways(bed).start()
        faults = Faults(scenario.gateways)
        replay = Replay(scenario.roce_ports(), all_shots(), frames_per_second=1000)
        faults.start()
        replay.run(seconds=3600, while_running=faults.go_on)
        faults.check()
        check_replay(replay)
        sent = sum(direction.sent for direction in replay.directions)
        print(f"# {sent} frames, none lost or reordered")
        check_gateways(scenario.gateways)
        faults.end()


run()
