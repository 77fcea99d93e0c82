#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Captured RoCEv2 exchanges cross two gateways, both families, both directions: each frame once,
in order per queue pair, unchanged, its ICRC valid, its ECN field as it was."""

from context import Replay, Testbed, TwoGateways, all_shots, check_gateways, check_replay, run, test


def exchange(name, **shape):
    with Testbed(name) as bed:
        scenario = TwoGateways(bed, **shape).start()
        assert scenario.hosts[0].ping(scenario.hosts[1].side.kernel.ip) == 1.0
        assert scenario.hosts[1].ping(scenario.hosts[0].side.kernel6.ip) == 1.0
        ports, shots = scenario.roce_ports(), all_shots()
        # A TAP of several queues moves a flow to the queue of the flow that answers it, once, when
        # it has seen both: the kernel's doing, and over after the first round.
        warm_up = Replay(ports, shots).run(rounds=1)
        assert all(direction.lost == direction.damaged == 0 for direction in warm_up.directions)
        replay = Replay(ports, shots).run(rounds=3)
        check_replay(replay)
        for direction in replay.directions:
            assert direction.received > 1000 and direction.ce_sent == direction.ce_received > 0
        check_gateways(scenario.gateways)
        for gateway in scenario.gateways:
            shares = [worker["rx"] for worker in gateway.show("worker", "show")["workers"]]
            print(f"# frames by worker of {gateway.name}: {shares}")
            assert len(shares) == shape["workers"] and min(shares) > sum(shares) / 20

@test
def roce_crosses_two_gateways_with_one_worker():
    exchange("roce-1x1", workers=1, queues=1)


@test
def roce_crosses_two_gateways_with_two_workers_of_two_queues():
    exchange("roce-2x2", workers=2, queues=2, tap=True)


@test
def roce_crosses_cables_in_the_place_of_taps_with_two_workers():
    exchange("roce-cable", workers=2, queues=2, tap=False)


run()
