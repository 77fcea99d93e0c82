#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Any DPDK device is a port: shared memory between two gateways, files, rings; each is added and
removed while the others run."""

from context import (ROOT, SIDES, Gateway, Testbed, TwoGateways, check_gateways, command, run, test,
                     shape, wait_for)
from pcap import read_pcap

WRITES = ROOT / "tests" / "captures" / "write.pcap"


class JoinedBy(TwoGateways):
    """The scenario with another underlay than a cable: a device and its MAC for each side."""

    def __init__(self, bed, underlay, **shape):
        super().__init__(bed, **shape)
        self.underlay = underlay

    def intent(self, side):
        intent = super().intent(side)
        intent["ports"][0]["device"] = self.underlay[side.number - 1][0]
        intent["vteps"][1]["next_hop_mac"] = self.underlay[2 - side.number][1]
        return intent


def exchange_over(name, underlay_in):
    with Testbed(name) as bed:
        scenario = JoinedBy(bed, underlay_in(bed.folder)).start()
        near, far = scenario.hosts
        assert near.ping(far.side.kernel.ip, 50, 0.01) == 1.0
        assert far.ping(near.side.kernel6.ip, 50, 0.01) == 1.0
        check_gateways(scenario.gateways)


def memif(folder):
    return [(f"net_memif0,role={role},socket={folder}/m0,socket-abstract=no,mac={side.wire_mac}",
             side.wire_mac) for role, side in zip(("server", "client"), SIDES)]


def vhost(folder):
    # net_vhost makes its MAC of "VHOST" and the place in the order in which devices are opened.
    path = f"{folder}/vhost.sock"
    queues = f"queues={shape()[1]}"
    return [(f"net_vhost0,iface={path},{queues}", "56:48:4f:53:54:01"),
            (f"net_virtio_user0,path={path},{queues},mac={SIDES[1].wire_mac}", SIDES[1].wire_mac)]


@test
def memif_joins_two_gateways():
    exchange_over("memif", memif)


@test
def vhost_user_and_virtio_user_join_two_gateways():
    exchange_over("vhost", vhost)


def transit_intent(*devices):
    names = ("in", "out")
    return {"ports": [{"name": name, "role": "transit", "peer": peer, "device": device}
                      for name, peer, device in zip(names, reversed(names), devices)]}


def counted(gateway, name):
    return next(port for port in gateway.show("stats", "show")["ports"] if port["name"] == name)


@test
def a_capture_passes_from_file_to_file_and_is_classified():
    with Testbed("files") as bed:
        gateway = Gateway(bed, "gw1").start()
        # A file for each worker; what one worker reads it also writes.
        backs = [bed.folder / f"back{worker}.pcap" for worker in range(gateway.workers)]
        outs = [bed.folder / f"out{worker}.pcap" for worker in range(gateway.workers)]
        gateway.apply(transit_intent(
            f"net_pcap0,rx_pcap={WRITES}" + "".join(f",tx_pcap={path}" for path in backs),
            "net_pcap1,rx_iface=lo" + "".join(f",tx_pcap={path}" for path in outs)))
        frames = read_pcap(WRITES)
        wait_for(lambda: counted(gateway, "in")["rx_packets"] == len(frames), "all frames are read")
        kinds = counted(gateway, "in")["rx_kinds"]
        # tests/captures/README.md: 320 WRITE packets, 20 acknowledgements.
        assert sum(kinds["roce_write"].values()) == 320 and sum(kinds["roce_ack"].values()) == 20
        # Closing the port flushes the file.
        gateway.apply({"ports": []})
        assert [frame for path in outs for frame in read_pcap(path)] == frames
        check_gateways([gateway])


@test
def ports_come_and_go_while_others_carry_traffic():
    with Testbed("come-and-go") as bed:
        scenario = TwoGateways(bed).start()
        near, far = scenario.hosts
        gateway = scenario.gateways[0]
        pings = bed.start("ping", near.namespace.inside(
            "ping", "-q", "-c", "300", "-i", "0.01", far.side.kernel.ip))
        memif_server = f"net_memif8,role=server,socket={gateway.runtime}/m8,socket-abstract=no"
        for number, device in enumerate(("net_null5,no-rx=1", "net_ring6", "tap:extra7",
                                         memif_server)):
            name = f"extra{number}"
            gateway.weir("port", "add", name, "role", "tenant", "network", "blue",
                         "device", device)
            assert counted(gateway, name)["present"] == 1
            gateway.weir("port", "delete", name)
        assert pings.popen.wait(60) == 0
        assert " 0% packet loss" in pings.log(), pings.log()
        assert "extra7" not in command("ip", "-n", gateway.namespace.name, "-br", "link")


run()
