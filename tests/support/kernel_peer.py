# SPDX-License-Identifier: Apache-2.0
"""A gateway that the Linux kernel is the other VTEP of:

    host1 ── gw1 ══ wire0 (198.18.0.0/24 or fd00:18::/64) ══ kernel: vx0 (VXLAN 100), 10.77.0.2

Its underlay is a TAP that lies in the kernel's namespace, or an xdp port on a cable to there, whose
own end belongs to the gateway's kernel as well.

By default each side is told the other's MAC; with `link` (a Link) neither is, and they ask.

Over IPv6 the kernel sends and wants UDP checksums (RFC 6935's default), and drops tunnel packets
without; `checksum="zero"` turns that off on its side, "full" turns them on in Weir.
"""

import contextlib
import re
from ipaddress import IPv6Address
from typing import NamedTuple

from echo import ping
from iperf3 import Iperf3
from scenario import SIDES, VNI, TenantHost, intent_of, sockets_lost
from testbed import Gateway, shape, wait_for

WEIR, KERNEL = SIDES
WIRE_MTU = 1500                                  # net_tap of DPDK 22.11 takes no more than 1504.
TUNNEL_BYTES = {4: 50, 6: 70}
# What the kernel says to neighbours by itself (MLD reports): group addresses die there.
KERNEL_NOISE = {4: (), 6: ("wrong_destination_mac",)}
# A TAP that is moved to another namespace is down meanwhile, and takes nothing that Weir asks.
MOVED_NOISE = ("own_frame_refused",)


def link_local(mac):
    """The address that Weir gives itself at a port with this MAC (dataplane/neighbour)."""
    mask = (1 << 64) - 1
    number = (int(mac.replace(":", ""), 16) ^ 0x77656972) * 0x100000001B3 & mask
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & mask
    number = (number ^ number >> 27) * 0x94D049BB133111EB & mask
    return str(IPv6Address((0xFE80 << 112) | (number ^ number >> 31)))


class Link(NamedTuple):
    """Addresses on the wire, where they are not the VTEPs' own. Those are then on the kernel's
    loopback, and each side routes to the other's by `kernel` and `weir`. Without any, the VTEPs are
    on one link, and the kernel's is its own next hop."""
    weir: str = ""                               # Empty: link-local, which Weir chooses.
    kernel: str = ""
    prefix: int = 0


class KernelPeer:
    def __init__(self, bed, *, family=4, checksum="zero", link=None, **keywords):
        self.link = link
        self.bed = bed
        self.family = family
        self.checksum = checksum
        self.mtu = WIRE_MTU - TUNNEL_BYTES[family]
        self.noise = KERNEL_NOISE[family]
        self.vteps = ((WEIR.vtep, KERNEL.vtep) if family == 4 else (WEIR.vtep6, KERNEL.vtep6))
        self.gateway = Gateway(bed, "gw1", **keywords).start()
        self.peer = bed.namespace("peer", ipv6=True)
        self.queues = shape()[1]
        self.host = TenantHost(bed, WEIR, self.gateway, mtu=self.mtu)
        self.wire_up()
        self.set_up_kernel(self.peer.ip)
        self.host.give_addresses()

    def wire_up(self):
        # The port keeps its MAC when the kernel's side of the TAP gets another one.
        self.noise += MOVED_NOISE
        self.wire_device = f"net_tap1,iface=wire0,mac={WEIR.wire_mac}"
        self.apply(self.wire_device)
        wait_for(lambda: self.gateway.namespace.has_interface("wire0"), "the TAP wire0")
        self.gateway.namespace.ip("link", "set", "wire0", "netns", self.peer.name)

    def intent(self, wire_device):
        intent = intent_of(WEIR, tenant_device="net_tap0,iface=host0", wire_device=wire_device,
                           mtu=WIRE_MTU, family=self.family)
        if self.checksum == "full":
            intent["vteps"][1]["udp_checksum"] = "full"
        if self.link:
            self.ask_for_next_hop(intent)
        return intent

    def apply(self, wire_device):
        self.gateway.apply(self.intent(wire_device))
        self.host.plug_in()

    def ask_for_next_hop(self, intent):
        """In place of its MAC."""
        port, vtep = intent["ports"][0], intent["vteps"][1]
        kernel = self.link.kernel or self.vteps[1]
        if self.link.weir:
            port["addresses"] = [f"{self.link.weir}/{self.link.prefix}"]
        elif not self.link.kernel:
            port["addresses"] = [f"{self.vteps[0]}/{24 if self.family == 4 else 64}"]
        del vtep["next_hop_mac"], vtep["port"]
        if not self.link.kernel:
            return
        vtep["next_hops"] = ["kernel"]
        intent["next_hops"] = [{"name": "kernel", "port": "wire0", "address": kernel}]

    def neighbours(self):
        """By address."""
        return {one["address"]: one for one in self.gateway.show("neighbour", "show")["neighbours"]}

    def next_hop(self):
        """As the gateway knows it."""
        return self.neighbours().get(self.link.kernel or self.vteps[1], {})

    def wait_resolved(self, mac=KERNEL.wire_mac):
        wait_for(lambda: self.next_hop().get("mac") == mac, f"the next hop is at {mac}", 20)

    def tell_moves(self):
        """From now on the kernel's side tells unasked where it gets another MAC."""
        self.peer.run("sysctl", "-q", "-w", "net.ipv4.conf.wire0.arp_notify=1",
                      "net.ipv6.conf.wire0.ndisc_notify=1")

    def wait_usable(self):
        """Until Weir answers for its VTEP."""
        wait_for(lambda: self.neighbours().get(self.vteps[0], {}).get("state") == "usable",
                 "nobody else has the VTEP's address", 20)

    def route_by_link(self, ip):
        weir, kernel = self.vteps
        bits = 32 if self.family == 4 else 128
        ip("addr", "add", f"{kernel}/{bits}", "dev", "lo", *self.no_dad(kernel))
        ip("addr", "add", f"{self.link.kernel}/{self.link.prefix or 64}", "dev", "wire0",
           *self.no_dad(self.link.kernel))
        if self.link.weir:
            ip("route", "add", f"{weir}/{bits}", "via", self.link.weir, "dev", "wire0")
        else:
            via = ("inet6",) if self.family == 4 else ()
            ip("route", "add", f"{weir}/{bits}", "via", *via, link_local(WEIR.wire_mac), "dev",
               "wire0", "onlink")

    @staticmethod
    def no_dad(address):
        return ("nodad",) if ":" in address else ()

    def set_up_kernel(self, ip):
        ip("link", "set", "wire0", "address", KERNEL.wire_mac)
        ip("link", "set", "wire0", "mtu", WIRE_MTU, "up")
        self.peer.offloads_off("wire0")
        weir, kernel = self.vteps
        if self.link and self.link.kernel:
            self.route_by_link(ip)
        elif self.family == 4:
            ip("addr", "add", f"{kernel}/24", "dev", "wire0")
        else:
            ip("addr", "add", f"{kernel}/64", "dev", "wire0", "nodad")
        if not self.link:
            ip("neigh", "add", weir, "lladdr", WEIR.wire_mac, "dev", "wire0")
        ip("link", "add", "vx0", "address", KERNEL.kernel.mac, "mtu", self.mtu, "type", "vxlan",
           "id", VNI, "local", kernel, "remote", weir, "dstport", 4789, "dev", "wire0",
           "nolearning", *self.checksum_options())
        self.peer.offloads_off("vx0")
        ip("link", "set", "vx0", "up")
        ip("addr", "add", f"{KERNEL.kernel.ip}/24", "dev", "vx0")
        ip("addr", "add", f"{KERNEL.kernel6.ip}/64", "dev", "vx0", "nodad")

    def checksum_options(self):
        if self.family == 4:
            return ("udpcsum",) if self.checksum == "full" else ("noudpcsum",)
        return () if self.checksum == "full" else ("udp6zerocsumtx", "udp6zerocsumrx")

    def udp_checksum_errors(self):
        """The kernel's own count, of both families."""
        text = self.peer.run("nstat", "-az", "UdpInCsumErrors", "Udp6InCsumErrors")
        return sum(int(line.split()[1]) for line in text.splitlines() if "InCsumErrors" in line)

    def ping_back(self, address):
        """Whether the kernel's side reaches the host."""
        return ping(self.peer, address) == 1.0

    def iperf3(self, address, *options, **keywords):
        """From the host to the kernel's side and back."""
        return Iperf3(self.bed, self.host.namespace, self.peer, address, *options, **keywords)

    @contextlib.contextmanager
    def udp_crosses(self, address, seconds=2):
        """Datagrams both ways while the block runs, and for so long, at a rate below the smallest
        ring. Lost are only those for which a receiver's own socket had no room, as iperf3 waited
        for a processor."""
        before = sockets_lost(self.host.namespace, self.peer)
        running = self.iperf3(address, "-t", seconds, "-u", "-b", "4M", "-l", 1200, port=5202)
        yield
        udp = running.end()
        ways = udp["sum"], udp["sum_bidir_reverse"]
        assert all(way["packets"] > 400 for way in ways), ways
        excused = sockets_lost(self.host.namespace, self.peer) - before
        assert sum(way["lost_packets"] for way in ways) <= excused, (ways, excused)

    def cross(self, streams=1):
        """Everything that two kernels say to each other reaches the other one, both directions.
        TCP with that many streams: one queue sees one stream."""
        if self.vteps[0] in self.neighbours():  # Else the kernel answers for it.
            self.wait_usable()
        for ours, theirs in ((WEIR.kernel, KERNEL.kernel), (WEIR.kernel6, KERNEL.kernel6)):
            assert self.host.ping(theirs.ip, 10) == 1.0
            assert self.ping_back(ours.ip)
        # Window and rate stay below the smallest ring, so that a loss would be ours.
        window = max(12, 48 // streams)
        with self.udp_crosses(KERNEL.kernel6.ip):
            tcp = self.iperf3(KERNEL.kernel.ip, "-t", 1, "-w", f"{window}K", "-P", streams).end()
        for way in ("sum_received", "sum_received_bidir_reverse"):
            assert tcp[way]["bytes"] > 100_000, tcp[way]


class KernelPeerOverXdp(KernelPeer):
    """The gateway's kernel has the VTEP's address too: what is no tunnel packet is for it, and it
    answers ARP. With `neighbours="weir"` Weir does, and the kernel has addresses of its own."""

    OWN, OWN6 = "198.18.0.101", "fd00:18::101"

    def __init__(self, bed, *, wire_device="xdp:wire0", neighbours=None, options=(), **keywords):
        self.wire_device = wire_device
        self.keeper = neighbours
        super().__init__(bed, options=("--bpffs", bed.bpffs(), *options), **keywords)

    def wire_up(self):
        self.lay_cable()
        self.apply(self.wire_device)

    def lay_cable(self):
        self.bed.cable(self.gateway.namespace, "wire0", self.peer, "wire0", mtu=WIRE_MTU,
                       queues=self.queues, macs=(WEIR.wire_mac, KERNEL.wire_mac))
        gateway = self.gateway.namespace
        own, own6 = (self.OWN, self.OWN6) if self.keeper == "weir" else (WEIR.vtep, WEIR.vtep6)
        gateway.ip("addr", "add", f"{own}/24", "dev", "wire0")
        if self.family == 6:
            gateway.run("sysctl", "-q", "-w", "net.ipv6.conf.wire0.disable_ipv6=0")
            gateway.ip("addr", "add", f"{own6}/64", "dev", "wire0", "nodad")

    def intent(self, wire_device):
        intent = super().intent(wire_device)
        if self.keeper:
            intent["ports"][0]["neighbours"] = self.keeper
        return intent

    def cut_cable(self):
        """The interfaces of both ends are gone."""
        self.gateway.namespace.ip("link", "delete", "wire0")

    def cross(self, streams=None):
        """With so many streams that each queue and worker has some."""
        super().cross(streams or (1 if self.queues == 1 else 8))
        driver = next(port["driver"] for port in self.gateway.show("stats", "show")["ports"]
                      if port["name"] == "wire0")
        # A veth tells no queues to a program that runs behind it: all is the first one's.
        if not driver.startswith("xdp native"):
            return
        self.must_be_shared("worker", [
            worker["rx"] for worker in self.gateway.show("worker", "show")["workers"]])
        # What the driver counts that the program gave to sockets.
        text = self.gateway.namespace.run("ethtool", "-S", "wire0")
        steered = [int(count) for count in re.findall(r"rx_queue_\d+_xdp_redirect: (\d+)", text)]
        assert len(steered) == self.queues, text
        self.must_be_shared("queue of wire0", steered)

    @staticmethod
    def must_be_shared(what, shares):
        print(f"# frames by {what}: {shares}")
        assert min(shares) > sum(shares) / 100, shares
