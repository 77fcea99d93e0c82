#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The intent outlives both processes: after a restart of all of them nobody applies anything, and
traffic flows."""

from context import Replay, Testbed, TwoGateways, all_shots, check_gateways, check_replay, run, test


@test
def intent_survives_a_restart_of_both_processes():
    with Testbed("restart") as bed:
        scenario = TwoGateways(bed, tap=False).start()
        intents = [gateway.show("intent", "show") for gateway in scenario.gateways]
        for gateway in scenario.gateways:
            assert gateway.controlplane.stop() == 0
            assert gateway.dataplane.stop() == 0
            assert not gateway.socket.exists()
        for gateway in scenario.gateways:
            gateway.start()
            gateway.wait_in_sync()
        assert [gateway.show("intent", "show") for gateway in scenario.gateways] == intents
        check_replay(Replay(scenario.roce_ports(), all_shots()).run(rounds=1))
        check_gateways(scenario.gateways)


run()
