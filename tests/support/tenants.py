# SPDX-License-Identifier: Apache-2.0
"""Two gateways whose ports are all of the kernel (xdp), with two tenants behind each:

    blue1 ── blue0 ┐                                  ┌ blue0 ── blue2
                   ├ gw1 ── wire0 ══ VXLAN ══ wire0 ── gw2 ┤
    red1  ── red0  ┘                                  └ red0  ── red2

The first gateway knows many endpoints more."""

from pulse import Beat
from scenario import SIDES, UNDERLAY_MTU
from testbed import Gateway, shape, start_all

TENANTS = {"blue": 100, "red": 200}              # Their VNIs.


def mac_of(tenant, side):
    return f"02:00:00:{list(TENANTS).index(tenant):02x}:0{side.number}:01"


def mac_among_many(number):
    """Of blue where the number is even."""
    return "06:00:" + ":".join(f"{byte:02x}" for byte in number.to_bytes(4))


class TwoTenants:
    def __init__(self, bed, *, endpoints, options=(), **keywords):
        self.bed = bed
        self.queues = shape()[1]
        room = 1024
        while room < endpoints + 16:
            room *= 2
        options = ("--bpffs", bed.bpffs(), "--endpoints", room, *options)
        self.gateways = [Gateway(bed, f"gw{side.number}", options=options, **keywords)
                         for side in SIDES]
        near, far = self.gateways
        bed.cable(near.namespace, "wire0", far.namespace, "wire0", mtu=UNDERLAY_MTU,
                  queues=self.queues, macs=[side.wire_mac for side in SIDES])
        self.hosts = {}
        for side, gateway in zip(SIDES, self.gateways):
            for tenant in TENANTS:
                host = bed.namespace(f"{tenant}{side.number}")
                bed.cable(host, "host0", gateway.namespace, f"{tenant}0", queues=self.queues,
                          macs=(mac_of(tenant, side), None))
                self.hosts[tenant, side.number] = host
        self.many = {near: endpoints, far: 0}

    def start(self):
        start_all(self.gateways)
        for side, gateway in zip(SIDES, self.gateways):
            gateway.apply(self.intent(side, self.many[gateway]))
        return self

    def intent(self, side, many):
        peer = SIDES[2 - side.number]
        queues = {"rx_queues": self.queues} if self.queues > 1 else {}
        ports = [{"name": "wire0", "role": "underlay", "device": "xdp:wire0", "mtu": UNDERLAY_MTU,
                  **queues}]
        ports += [{"name": f"{tenant}0", "role": "tenant", "device": f"xdp:{tenant}0",
                   "network": tenant, **queues} for tenant in TENANTS]
        endpoints = []
        for tenant in TENANTS:
            endpoints += [{"network": tenant, "mac": mac_of(tenant, side), "port": f"{tenant}0"},
                          {"network": tenant, "mac": mac_of(tenant, peer), "vtep": "peer"}]
        names = list(TENANTS)
        endpoints += [{"network": names[number % 2], "vtep": "peer", "mac": mac_among_many(number)}
                      for number in range(many)]
        return {"ports": ports,
                "vteps": [{"name": "self", "kind": "local", "address": side.vtep, "port": "wire0"},
                          {"name": "peer", "kind": "remote", "address": peer.vtep,
                           "port": "wire0", "source": "self", "next_hop_mac": peer.wire_mac}],
                "networks": [{"name": tenant, "vni": vni, "flood": ["peer"],
                              "unknown_unicast": "flood"} for tenant, vni in TENANTS.items()],
                "endpoints": endpoints}

    def beats(self):
        """In both directions of both tenants."""
        near, far = SIDES
        return [Beat(tenant, self.hosts[tenant, a.number].name, self.hosts[tenant, b.number].name,
                     mac_of(tenant, a), mac_of(tenant, b))
                for tenant in TENANTS for a, b in ((near, far), (far, near))]
