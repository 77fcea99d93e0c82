#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the kernel's side of a port loses is counted: frames that it cannot keep while the data
plane stands still, under kernel_dropped, and what an interface refuses, under tx_device_error."""

import os
import signal

from context import (SIDES, Counters, Gateway, RawPort, Testbed, check_gateways, roce, run, settle,
                     shape, test, wait_for)

FRAMES = 8000                                    # The queues hold 512 (cable) and 1,000 (TAP) each.
FLOWS = 64                                       # So that every queue of a port gets many.
TAP, CABLE = "tap0", "cable0"
NEAR, FAR = SIDES
QUEUES = shape()[1]


def intent():
    """What comes in at either port leaves at one that swallows it."""
    devices = {TAP: f"net_tap0,iface={TAP}", CABLE: f"net_af_packet0,iface={CABLE}"}
    ports = []
    for number, (name, device) in enumerate(devices.items()):
        sink = f"sink{number}"
        ports.append({"name": name, "role": "transit", "peer": sink, "device": device})
        ports.append({"name": sink, "role": "transit", "peer": name,
                      "device": f"net_null{number},no-rx=1"})
    return {"ports": ports}


def send(port, count):
    """Frames of many flows; how many the kernel took."""
    cnp = roce.cnp_like(NEAR.device, FAR.device, ecn=roce.ECT0)
    frames = [roce.readdress(cnp, NEAR.device, FAR.device, ecn=roce.ECT0, sport=49152 + flow)
              for flow in range(FLOWS)]
    return sum(port.send(frames[number % FLOWS]) for number in range(count))


def accounted(gateway, name):
    counters = Counters(gateway)
    dropped = counters.drops_of_devices(name)
    assert set(dropped) <= {"kernel_dropped", "rx_no_mbuf"}, dropped
    return counters.port(name)["rx_packets"], dropped.get("kernel_dropped", 0)


@test
def each_frame_is_received_or_counted_as_dropped_by_the_kernel():
    with Testbed("kernel-dropped") as bed:
        gateway = Gateway(bed, "gw1").start()
        host = bed.namespace("host")
        bed.cable(host, CABLE, gateway.namespace, CABLE)
        gateway.apply(intent())
        wait_for(lambda: gateway.namespace.has_interface(TAP), "the TAP")
        # Moved, as a tenant's is: the data plane has to look for the drops over there.
        gateway.namespace.ip("link", "set", TAP, "netns", host.name)
        host.ip("link", "set", TAP, "up")
        ports = {name: RawPort(host.name, name) for name in (TAP, CABLE)}
        check_gateways([gateway])

        pid = gateway.dataplane_pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            sent = {name: send(port, FRAMES) for name, port in ports.items()}
        finally:
            os.kill(pid, signal.SIGCONT)
        gateway.wait_in_sync()
        settle([gateway])
        for name in ports:
            wait_for(lambda name=name: sum(accounted(gateway, name)) >= sent[name],
                     f"all frames at {name} are accounted for")
            received, dropped = accounted(gateway, name)
            print(f"# {name}: {sent[name]} sent, {received} received, {dropped} kernel_dropped")
            assert received + dropped == sent[name], name
            assert received > 0 and dropped > FRAMES / 10, name

        for name, port in ports.items():
            before = accounted(gateway, name)
            assert send(port, FLOWS) == FLOWS
            after = (before[0] + FLOWS, before[1])
            wait_for(lambda name=name, after=after: accounted(gateway, name) == after,
                     f"{name} receives everything again")
        totals = settle([gateway])[0].totals()
        assert totals["dropped"] == totals["mismatch"] == totals["held"] == 0, totals


@test
def a_port_that_finds_no_buffer_says_so_and_goes_on():
    with Testbed("no-buffers") as bed:
        # All but six lie in the rings of two TAPs, which have a queue for each worker.
        gateway = Gateway(bed, "gw1", options=("--mbufs", 2 * QUEUES * 512 + 6)).start()
        host = bed.namespace("host")
        gateway.apply({"ports": [
            {"name": name, "role": "transit", "peer": peer, "rx_descriptors": 512,
             "device": f"net_tap{number},iface={name}"}
            for number, (name, peer) in enumerate(((TAP, "tap1"), ("tap1", TAP)))]})
        wait_for(lambda: gateway.namespace.has_interface(TAP), "the TAP")
        gateway.namespace.ip("link", "set", TAP, "netns", host.name)
        host.ip("link", "set", TAP, "up")
        port = RawPort(host.name, TAP)

        os.kill(gateway.dataplane_pid(), signal.SIGSTOP)
        sent = send(port, 100)
        os.kill(gateway.dataplane_pid(), signal.SIGCONT)
        wait_for(lambda: Counters(gateway).drops_of_devices(TAP).get("rx_no_mbuf", 0) > 0, "a lack")
        # net_tap looks for what it left behind when a queue's next frame comes.
        wait_for(lambda: send(port, FLOWS) and accounted(gateway, TAP)[0] > 2 * sent, "it goes on")
        totals = settle([gateway])[0].totals()
        assert totals["mismatch"] == totals["held"] == 0, totals


@test
def each_frame_that_an_interface_refuses_is_counted():
    with Testbed("interface-down") as bed:
        gateway = Gateway(bed, "gw1").start()
        host = bed.namespace("host")
        for name in ("in0", "out0"):
            bed.cable(host, name, gateway.namespace, name)
        gateway.apply({"ports": [
            {"name": name, "role": "transit", "peer": peer,
             "device": f"net_af_packet{number},iface={name}"}
            for number, (name, peer) in enumerate((("in0", "out0"), ("out0", "in0")))]})
        sender = RawPort(host.name, "in0")
        assert send(sender, FLOWS) == FLOWS
        wait_for(lambda: Counters(gateway).port("out0")["tx_packets"] == FLOWS, "all have left")
        check_gateways([gateway])

        gateway.namespace.ip("link", "set", "out0", "down")
        assert send(sender, FLOWS) == FLOWS
        refused = lambda: Counters(gateway).drops_of_devices("out0")
        wait_for(lambda: sum(refused().values()) >= FLOWS, "the interface's refusals are counted")
        counters = settle([gateway])[0]
        assert refused() == {"tx_device_error": FLOWS}
        assert counters.totals()["mismatch"] == 0


run()
