# SPDX-License-Identifier: Apache-2.0
"""What most system tests and the demo stand on: two gateways joined by an underlay, a tenant host
behind each.

    host1 ── gw1 ══ underlay (198.18.0.0/24, VXLAN 100) ══ gw2 ── host2

Each host has two endpoints: its kernel (ping, iperf3), and a RoCE device that only raw sockets
know, so that the kernel does not answer what is replayed."""

import time
from typing import NamedTuple

import roce
from counters import Counters
from echo import ping
from pcap import read_pcap
from testbed import ROOT, Gateway, TestbedError, shape, start_all, wait_for
from traffic import RawPort, roce_shots

CAPTURES = ROOT / "tests" / "captures"
# Queue pairs that carry data; connection set-up is part of cm_ops and rnr.
EXCHANGES = ("cm_ops", "rc_send", "write", "read", "atomic_cs", "rnr", "ud_send")
UNDERLAY_MTU = 1600                              # 1500 inside + 50 of VXLAN fit.
VNI = 100


class Side(NamedTuple):
    """Names and addresses of everything on one side."""
    number: int

    @property
    def vtep(self):
        return f"198.18.0.{self.number}"

    @property
    def vtep6(self):
        return f"fd00:18::{self.number}"

    @property
    def wire_mac(self):
        return f"02:00:00:00:ff:0{self.number}"

    @property
    def kernel(self):
        return roce.Host(f"02:00:00:00:1{self.number}:01", f"10.77.0.{self.number}")

    @property
    def kernel6(self):
        return roce.Host(self.kernel.mac, f"fd00:77::{self.number}")

    @property
    def device(self):
        return roce.Host(f"02:00:00:00:2{self.number}:01", f"10.77.1.{self.number}")

    @property
    def device6(self):
        return roce.Host(self.device.mac, f"fd00:77:1::{self.number}")


SIDES = (Side(1), Side(2))


def intent_of(side, *, tenant_device, wire_device, queues=1, mtu=UNDERLAY_MTU, family=4):
    """What one of the two gateways is told; `family` is the underlay's."""
    peer = SIDES[2 - side.number]
    ours, theirs = (side.vtep, peer.vtep) if family == 4 else (side.vtep6, peer.vtep6)
    ports = [{"name": "wire0", "role": "underlay", "device": wire_device, "mtu": mtu},
             {"name": "host0", "role": "tenant", "device": tenant_device, "network": "blue"}]
    if queues > 1:
        for port in ports:
            port["rx_queues"] = queues
    endpoints = [{"network": "blue", "mac": host.mac, "port": "host0"}
                 for host in (side.kernel, side.device)]
    endpoints += [{"network": "blue", "mac": host.mac, "vtep": "peer"}
                  for host in (peer.kernel, peer.device)]
    return {"ports": ports,
            "vteps": [{"name": "self", "kind": "local", "address": ours, "port": "wire0"},
                      {"name": "peer", "kind": "remote", "address": theirs, "port": "wire0",
                       "source": "self", "next_hop_mac": peer.wire_mac}],
            "networks": [{"name": "blue", "vni": VNI, "flood": ["peer"],
                          "unknown_unicast": "flood"}],
            "endpoints": endpoints}


def sockets_lost(*namespaces):
    """Datagrams for which a socket had no room, by the kernel's count."""
    texts = (one.run("nstat", "-az", "UdpRcvbufErrors", "Udp6RcvbufErrors") for one in namespaces)
    return sum(int(line.split()[1]) for text in texts for line in text.splitlines()
               if "RcvbufErrors" in line)


class TenantHost:
    """A host whose only interface, host0, is plugged into a gateway's tenant port: by moving the
    gateway's TAP here, or by a cable (which stays when the gateway dies)."""

    def __init__(self, bed, side, gateway, *, tap=True, queues=1, mtu=1500):
        self.side = side
        self.mtu = mtu
        self.gateway = gateway
        self.tap = tap
        self.namespace = bed.namespace(f"host{side.number}", ipv6=True)
        if not tap:
            bed.cable(self.namespace, "host0", gateway.namespace, "host0", queues=queues)

    def plug_in(self):
        """Moves the TAP; the driver keeps its descriptors, so frames go on flowing."""
        host = self.namespace
        if self.tap:
            wait_for(lambda: self.gateway.namespace.has_interface("host0"),
                     f"the TAP host0 of {self.gateway.name}")
            self.gateway.namespace.ip("link", "set", "host0", "netns", host.name)
        host.ip("link", "set", "host0", "address", self.side.kernel.mac, "mtu", self.mtu)
        host.offloads_off("host0")
        host.ip("link", "set", "host0", "up")

    def give_addresses(self):
        """Only once everybody is plugged in: from here on the kernel says things of its own."""
        host = self.namespace
        host.ip("addr", "replace", f"{self.side.kernel.ip}/24", "dev", "host0")
        host.ip("addr", "replace", f"{self.side.kernel6.ip}/64", "dev", "host0", "nodad")

    def reaches(self, address):
        """Whether one ping comes back at once: to be asked again and again."""
        return ping(self.namespace, address, 1, patience=0.3) == 1.0

    def ping(self, address, count=3, interval=0.01):
        """Share of the pings that came back."""
        return ping(self.namespace, address, count, interval)


class TwoGateways:
    """The scenario, running. Hosts hang on TAPs where nothing is said; on cables where a port has
    several queues, as the kernel moves flows between the queues of a TAP."""

    def __init__(self, bed, *, queues=None, tap=None, **keywords):
        self.bed = bed
        self.queues = queues = queues or shape()[1]
        self.tap = tap = queues == 1 if tap is None else tap
        self.gateways = [Gateway(bed, f"gw{side.number}", **keywords) for side in SIDES]
        bed.cable(self.gateways[0].namespace, "wire0", self.gateways[1].namespace, "wire0",
                  mtu=UNDERLAY_MTU, queues=queues, macs=[side.wire_mac for side in SIDES])
        self.hosts = [TenantHost(bed, side, gateway, tap=tap, queues=queues)
                      for side, gateway in zip(SIDES, self.gateways)]

    def start(self):
        start_all(self.gateways)
        for side, gateway, host in zip(SIDES, self.gateways, self.hosts):
            gateway.apply(self.intent(side))
            host.plug_in()
        for host in self.hosts:
            host.give_addresses()
        near, far = self.hosts
        # The kernels find each other's MACs in their own time.
        for address in (far.side.kernel.ip, far.side.kernel6.ip):
            wait_for(lambda address=address: near.reaches(address),
                     f"host1 reaches {address}", 20)
        return self

    def intent(self, side):
        pairs = f",qpairs={self.queues}" if self.queues > 1 else ""
        tenant = "net_tap0,iface=host0" if self.tap else f"net_af_packet1,iface=host0{pairs}"
        return intent_of(side, tenant_device=tenant, queues=self.queues,
                         wire_device=f"net_af_packet0,iface=wire0{pairs}")

    def roce_ports(self):
        return tuple(RawPort(host.namespace.name, "host0") for host in self.hosts)


def captured_frames():
    return [frame for name in EXCHANGES for frame in read_pcap(CAPTURES / f"{name}.pcap")]


def all_shots(pairs=4):
    """Every captured exchange in both families, between the RoCE devices of the two hosts."""
    frames = captured_frames()
    left, right = SIDES
    four = roce_shots(frames, left.device, right.device, pairs=pairs)
    six = roce_shots(frames, left.device6, right.device6, pairs=pairs)
    return [shot for both in zip(four, six) for shot in both]


def settle(gateways, seconds=5.0):
    """Waits until no frame moves any more, and returns the counters of that moment."""
    ends = time.monotonic() + seconds
    before = None
    while time.monotonic() < ends:
        counters = [Counters(gateway) for gateway in gateways]
        now = [counter.totals() for counter in counters]
        if now == before:
            return counters
        before = now
        time.sleep(0.1)
    raise TestbedError(f"frames still flow after {seconds:.0f} s")
