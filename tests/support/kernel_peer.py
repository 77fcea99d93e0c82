# SPDX-License-Identifier: Apache-2.0
"""A gateway whose underlay TAP lies in a namespace where the Linux kernel is the other VTEP:

    host1 ── gw1 ══ wire0 (198.18.0.0/24) ══ kernel: vx0 (VXLAN 100), 10.77.0.2
"""

from scenario import SIDES, VNI, TenantHost, intent_of
from testbed import Gateway, wait_for

WEIR, KERNEL = SIDES
WIRE_MTU = 1500                                  # net_tap of DPDK 22.11 takes no more than 1504.
HOST_MTU = WIRE_MTU - 50


class KernelPeer:
    def __init__(self, bed, **shape):
        self.bed = bed
        self.gateway = Gateway(bed, "gw1", **shape).start()
        self.peer = bed.namespace("peer", ipv6=True)
        self.host = TenantHost(bed, WEIR, self.gateway, mtu=HOST_MTU)
        # The port keeps its MAC when the kernel's side of the TAP gets another one.
        self.gateway.apply(intent_of(
            WEIR, tenant_device="net_tap0,iface=host0",
            wire_device=f"net_tap1,iface=wire0,mac={WEIR.wire_mac}", mtu=WIRE_MTU))
        self.host.plug_in()
        wait_for(lambda: self.gateway.namespace.has_interface("wire0"), "the TAP wire0")
        self.gateway.namespace.ip("link", "set", "wire0", "netns", self.peer.name)
        self.set_up_kernel(self.peer.ip)
        self.host.give_addresses()

    def set_up_kernel(self, ip):
        ip("link", "set", "wire0", "address", KERNEL.wire_mac)
        ip("link", "set", "wire0", "mtu", WIRE_MTU, "up")
        self.peer.offloads_off("wire0")
        ip("addr", "add", f"{KERNEL.vtep}/24", "dev", "wire0")
        ip("neigh", "add", WEIR.vtep, "lladdr", WEIR.wire_mac, "dev", "wire0")
        ip("link", "add", "vx0", "address", KERNEL.kernel.mac, "mtu", HOST_MTU, "type", "vxlan",
           "id", VNI, "local", KERNEL.vtep, "remote", WEIR.vtep, "dstport", 4789, "dev", "wire0",
           "nolearning")
        self.peer.offloads_off("vx0")
        ip("link", "set", "vx0", "up")
        ip("addr", "add", f"{KERNEL.kernel.ip}/24", "dev", "vx0")
        ip("addr", "add", f"{KERNEL.kernel6.ip}/64", "dev", "vx0", "nodad")

    def ping_back(self, address):
        """Whether the kernel's side reaches the host."""
        return "3 received" in self.peer.run("ping", "-q", "-c", 3, "-i", 0.1, "-W", 2, address,
                                             check=False)
