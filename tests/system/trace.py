#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""weir trace follows the next frames that match through all stages, to where they left or died."""

import time

from context import SIDES, Testbed, TwoGateways, roce, run, test, wait_for

NEAR, FAR = SIDES


def traced(gateway, number):
    """The packets of a trace once none is waited for any more."""
    def done():
        trace = gateway.show("trace", "show", number)
        return trace if trace["remaining"] == 0 else None
    return wait_for(done, f"trace {number} has its frames", 10)["packets"]


def stages_of(packet):
    return [hop["stage"] for hop in packet["hops"]]


@test
def traced_frames_show_their_stages_and_their_end():
    with Testbed("trace") as bed:
        scenario = TwoGateways(bed).start()
        first, second = scenario.gateways
        sender = scenario.roce_ports()[0]
        for gateway, port in ((first, "host0"), (second, "wire0")):
            gateway.weir("trace", "add", "port", port, "kind", "roce_cnp", 2)
        for psn in range(3):
            assert sender.send(roce.cnp_like(NEAR.device, FAR.device, ecn=roce.ECT1, psn=psn))
        for gateway, way, out, vtep in ((first, "host_to_wire", "wire0", "peer"),
                                        (second, "wire_to_host", "host0", "peer")):
            packets = traced(gateway, 1)
            assert len(packets) == 2                # The third was not asked for.
            names = [f"{way}/{stage['name']}" for pipeline in
                     gateway.show("pipeline", "show")["pipelines"] if pipeline["name"] == way
                     for stage in pipeline["stages"]]
            for packet in packets:
                passed = stages_of(packet)
                assert passed == [name for name in names if name in passed]
                assert passed[-1] == f"{way}/transmit" and len(passed) >= 5
                matched = packet["hops"][-1]
                assert matched["network"] == "blue" and matched["out_port"] == out
                assert matched["vtep"] == vtep      # Where it goes, or came from.
                found = [hop for hop in packet["hops"] if "endpoint" in hop]
                assert [hop["stage"] for hop in found] == [f"{way}/look_up_endpoint"], found
                assert found[0]["endpoint"] == FAR.device.mac
                assert packet["hops"][-1]["ecn"] == "ect1" and "sent" in packet["ending"]


@test
def a_flooded_frame_has_matched_no_endpoint():
    with Testbed("trace-flood") as bed:
        scenario = TwoGateways(bed).start()
        gateway = scenario.gateways[0]
        everybody = roce.Host("ff:ff:ff:ff:ff:ff", "10.77.0.255")
        gateway.weir("trace", "add", "destination_mac", everybody.mac, "kind", "roce_cnp", 1)
        assert scenario.roce_ports()[0].send(roce.cnp_like(NEAR.device, everybody, ecn=roce.ECT0))
        hops = [hop for packet in traced(gateway, 1) for hop in packet["hops"]]
        assert hops and not any("endpoint" in hop for hop in hops), hops
        assert any(hop.get("vtep") == "peer" for hop in hops), hops


@test
def a_traced_drop_names_its_reason_and_stage():
    with Testbed("trace-drop") as bed:
        scenario = TwoGateways(bed).start()
        gateway = scenario.gateways[0]
        gateway.weir("network", "set", "blue", "unknown_unicast", "drop")
        gateway.weir("trace", "add", "reason", "unknown_destination", 1)
        nobody = roce.Host("02:00:00:00:66:66", "10.77.0.66")
        sender = scenario.roce_ports()[0]
        time.sleep(0.1)
        assert sender.send(roce.cnp_like(NEAR.device, nobody, ecn=roce.ECT0))
        packet = traced(gateway, 1)[0]
        last = packet["hops"][-1]
        assert last["reason"] == "unknown_destination"
        drops = {drop["reason"]: drop for drop in gateway.show("drop", "show")["drops"]}
        assert drops["unknown_destination"]["stages"] == {last["stage"]: 1}


run()
