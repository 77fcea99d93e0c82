#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""RoCE's path MTU of 4096 and IP packets of 9000 bytes cross two gateways whose buffers hold 2048
(16384 with DPDK after 22.11): over memif and vhost-user, both families, both directions, none lost,
none changed. What cannot carry them says so.

    host1 ── converter ══ memif ══ gw1 ══ memif or vhost-user ══ gw2 ══ memif ══ converter ── host2

A converter is a gateway too, in transit between the cable to its host and a memif: a packet socket
needs whole frames in one buffer, and net_tap of DPDK 22.11 takes none of this size."""

import random
import struct

from context import (SIDES, Gateway, RawPort, Replay, Shot, Testbed, TestbedError, check_gateways,
                     check_replay, command, intent_of, roce, run, shape, test, wait_for)
from traffic import flow_of

HOST_MTU = 9000
UNDERLAY_MTU = 9216
IP_BYTES = {4: 20, 6: 40}
ROCE_BYTES = roce.UDP_BYTES + roce.BTH_BYTES + roce.ICRC_BYTES
WRITE_MIDDLE = 0x07
ONE_BUFFER = ("--mbuf-bytes", 16384, "--mbufs", 4096)
# Later releases' net_memif takes frames in one buffer only (drivers/ethdev/README.md).
GATEWAY_OPTIONS = (() if command("pkg-config", "--modversion", "libdpdk").startswith("22.11")
                   else ONE_BUFFER)


def write_frame(source, destination, payload, *, version, qp, psn):
    """A WRITE Middle with so many bytes of payload and a right ICRC."""
    bth = struct.pack("!BBHII", WRITE_MIDDLE, 0, 0xFFFF, qp, psn)
    data = bytes((psn + place) & 0xFF for place in range(payload))
    udp_bytes = roce.UDP_BYTES + len(bth) + payload + roce.ICRC_BYTES
    udp = struct.pack("!HHHH", 49152 + qp, roce.ROCE_PORT, udp_bytes, 0)
    packet = roce.ip_header(source.ip, destination.ip, udp_bytes, tos=roce.ECT0) + udp + bth + data
    return roce.ethernet_header(source.mac, destination.mac, version) + packet + roce.icrc(packet)


def jumbo_shots():
    """Of both sides, families and several QPs, in turns: as large as may be, all that lies around
    the end of a buffer, and small ones in between, which take what the large ones left."""
    left, right = SIDES
    sizes = random.Random(1)
    payloads = [4096, 8192, None, 4096, 1024, None, 2000, 1980, 4090, 6100]
    payloads += [sizes.choice((64, 512, 1500, 3000, None)) for _ in range(30)]
    shots = []
    for psn, payload in enumerate(payloads):
        for qp in range(0x100, 0x104):
            for version, one, other in ((4, left.device, right.device),
                                        (6, left.device6, right.device6)):
                bytes_max = HOST_MTU - IP_BYTES[version] - ROCE_BYTES
                for side, (source, target) in enumerate(((one, other), (other, one))):
                    frame = write_frame(source, target, payload or bytes_max, version=version,
                                        qp=qp, psn=psn)
                    shots.append(Shot(side, frame, flow_of(frame)))
    return shots


def memif(folder, name, role, extra=""):
    return f"net_memif{name},role={role},socket={folder}/memif{name},socket-abstract=no{extra}"


class JumboPath:
    """All of the drawing, running. `underlay`: the devices of gw1 and gw2 and their MACs."""

    def __init__(self, bed, underlay):
        self.bed = bed
        self.workers, self.queues = shape()
        pairs = f",qpairs={self.queues}"
        self.hosts = [bed.namespace(f"host{side.number}") for side in SIDES]
        self.converters = [self.gateway(f"converter{side.number}", *ONE_BUFFER) for side in SIDES]
        self.gateways = [self.gateway(f"gw{side.number}", *GATEWAY_OPTIONS) for side in SIDES]
        for host, converter in zip(self.hosts, self.converters):
            bed.cable(host, "host0", converter.namespace, "host0", mtu=HOST_MTU, queues=self.queues)
        for side, gateway, (device, _) in zip(SIDES, self.gateways, underlay):
            number = side.number
            tenant = memif(bed.folder, number, "server")
            intent = intent_of(side, tenant_device=tenant, wire_device=device, queues=self.queues,
                               mtu=UNDERLAY_MTU)
            intent["ports"][1]["mtu"] = HOST_MTU
            intent["vteps"][1]["next_hop_mac"] = underlay[2 - number][1]
            gateway.start().apply(intent)
        for side, converter in zip(SIDES, self.converters):
            devices = (f"net_af_packet0,iface=host0{pairs}",
                       memif(bed.folder, side.number, "client"))
            names = ("cable", "memif")
            converter.start().apply({"ports": [
                {"name": name, "role": "transit", "peer": peer, "device": device, "mtu": HOST_MTU,
                 "rx_queues": self.queues}
                for name, peer, device in zip(names, reversed(names), devices)]})

    def gateway(self, name, *options):
        return Gateway(self.bed, name, options=options)

    def wait_for_links(self):
        """Until both ends of each memif are there, frames are lost: not what is asked here."""
        for gateway in self.everybody():
            wait_for(lambda gateway=gateway: all(
                port["link_up"] for port in gateway.show("stats", "show")["ports"]),
                     f"all links of {gateway.name}")

    def everybody(self):
        return self.converters + self.gateways


def carry(name, underlay_of, window):
    with Testbed(name) as bed:
        path = JumboPath(bed, underlay_of(bed.folder))
        path.wait_for_links()
        ports = [RawPort(host.name, "host0") for host in path.hosts]
        shots = jumbo_shots()
        replay = Replay(ports, shots, window=window).run(rounds=5)
        check_replay(replay)
        assert all(direction.received == 5 * len(shots) // 2 for direction in replay.directions)
        check_gateways(path.everybody())
        for gateway in path.everybody():
            for counters in gateway.show("stats", "show")["ports"]:
                assert counters["mtu"] >= HOST_MTU, counters


@test
def jumbo_frames_cross_memif():
    carry("jumbo-memif", lambda folder: [
        (memif(folder, 9, role, f",mac={side.wire_mac}"), side.wire_mac)
        for role, side in zip(("server", "client"), SIDES)], window=64)


@test
def jumbo_frames_cross_vhost_user():
    def vhost(folder):
        # net_vhost makes its MAC of "VHOST" and the place in the order of opening.
        socket, queues = f"{folder}/vhost.sock", f"queues={shape()[1]}"
        return [(f"net_vhost0,iface={socket},{queues}", "56:48:4f:53:54:01"),
                (f"net_virtio_user0,path={socket},{queues},mac={SIDES[1].wire_mac}",
                 SIDES[1].wire_mac)]

    # The ring of virtio-user has 256 buffers of 2048 bytes, and a frame takes five of them.
    carry("jumbo-vhost", vhost, window=24)


@test
def devices_that_cannot_carry_jumbo_frames_say_so():
    with Testbed("jumbo-refused") as bed:
        gateway = Gateway(bed, "gw1").start()
        bed.cable(gateway.namespace, "wire0", bed.namespace("other"), "wire0", mtu=HOST_MTU)
        for device, word in (("net_tap3,iface=tap3", "1504"), ("net_null4,no-rx=1", "--mbuf-bytes"),
                             ("net_af_packet5,iface=wire0", "--mbuf-bytes")):
            intent = {"networks": [{"name": "blue", "vni": 100}],
                      "ports": [{"name": "port0", "role": "tenant", "network": "blue",
                                 "device": device, "mtu": HOST_MTU}]}
            try:
                gateway.apply(intent)
            except TestbedError as error:
                assert word in str(error), f"{device}: {error}"
            else:
                raise AssertionError(f"{device} takes an MTU of {HOST_MTU}")


run()
