#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Linux's ARP and neighbour discovery at the other end of an underlay port: the kernel finds the
VTEP's addresses without being told, its duplicate detection finds them taken, and Weir's own finds
what the kernel has."""

import json
import re
import socket
import struct
import threading
import time

from context import (SIDES, VNI, Counters, Gateway, InNamespace, KernelPeer, KernelPeerOverXdp,
                     Link, Testbed, check_gateways, run, shape, test, wait_for)

WEIR, KERNEL = SIDES
MOVED = "02:00:00:00:ff:72"
MOVED_ON = (MOVED, "02:00:00:00:ff:73")
VTEPS = (WEIR.vtep, WEIR.vtep6)


class Neighbour:
    """A gateway with an underlay TAP in the namespace of a kernel, which has `addresses` there."""

    def __init__(self, bed, addresses=(f"{KERNEL.vtep}/24", f"{KERNEL.vtep6}/64")):
        self.bed = bed
        self.gateway = Gateway(bed, "gw1").start()
        self.peer = bed.namespace("peer", ipv6=True)
        self.events = bed.start("events", self.gateway.command_line("-j", "event", "watch"))
        self.plug_in(addresses)

    def plug_in(self, addresses):
        """The port is opened with nothing on it, so that the TAP can be given to the kernel before
        Weir looks for anybody."""
        port = {"name": "wire0", "role": "underlay", "mtu": 1500,
                "device": f"net_tap1,iface=wire0,mac={WEIR.wire_mac}"}
        self.gateway.apply({"ports": [port]})
        wait_for(lambda: self.gateway.namespace.has_interface("wire0"), "the TAP wire0")
        self.gateway.namespace.ip("link", "set", "wire0", "netns", self.peer.name)
        self.peer.ip("link", "set", "wire0", "address", KERNEL.wire_mac, "up")
        for address in addresses:
            nodad = ("nodad",) if ":" in address else ()
            self.peer.ip("addr", "add", address, "dev", "wire0", *nodad)
        vteps = [{"name": f"self{number}", "kind": "local", "address": address, "port": "wire0"}
                 for number, address in enumerate(VTEPS)]
        self.gateway.apply({"ports": [port], "vteps": vteps,
                            "networks": [{"name": "blue", "vni": VNI}]})

    def told(self, what, **fields):
        """Whether an event says so."""
        for line in self.events.log().splitlines():
            event = json.loads(line)
            if event["event"] == "neighbour_change" and event["what"] == what and all(
                    event.get(name) == value for name, value in fields.items()):
                return True
        return False

    def wait_told(self, what, **fields):
        wait_for(lambda: self.told(what, **fields), f"{what} {fields}", 15)

    def wait_usable(self):
        for address in VTEPS:
            self.wait_told("address_usable", port="wire0", address=address)

    def announce(self, address, mac):
        """A gratuitous ARP of the kernel's side."""
        sender = bytes.fromhex(mac.replace(":", "")) + socket.inet_aton(address)
        packet = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + sender + bytes(6) + sender[6:]
        with InNamespace(self.peer.name), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("wire0", 0))
            raw.send(b"\xff" * 6 + sender[:6] + b"\x08\x06" + packet)

    def kernel_finds(self, address):
        """The MAC that the kernel gets for it by asking; None where nobody answers."""
        family = "-6" if ":" in address else "-4"
        self.peer.ip("neigh", "flush", "dev", "wire0", check=False)
        self.peer.run("ping", family, "-q", "-c", 1, "-W", 1, address, check=False)
        for entry in json.loads(self.peer.run("ip", "-j", "neigh", "show", address)):
            if entry["state"] != ["FAILED"]:
                return entry.get("lladdr")
        return None


@test
def the_kernel_finds_the_vteps_by_asking():
    with Testbed("neighbours-found") as bed:
        neighbour = Neighbour(bed)
        neighbour.wait_usable()
        for address in VTEPS:
            assert neighbour.kernel_finds(address) == WEIR.wire_mac, address
        for nobodys in ("198.18.0.77", "fd00:18::77"):
            assert neighbour.kernel_finds(nobodys) is None, nobodys


@test
def the_kernels_duplicate_detection_finds_our_address():
    with Testbed("neighbours-kernel-dad") as bed:
        neighbour = Neighbour(bed)
        neighbour.wait_usable()
        neighbour.peer.run("sysctl", "-q", "-w", "net.ipv6.conf.wire0.accept_dad=1")
        neighbour.peer.ip("addr", "add", f"{WEIR.vtep6}/64", "dev", "wire0")
        wait_for(lambda: "dadfailed" in neighbour.peer.run("ip", "-6", "addr", "show", "dev",
                                                           "wire0"), "the kernel gives it up", 15)


@test
def an_address_that_the_kernel_has_already_is_told_and_not_answered_for():
    with Testbed("neighbours-duplicate") as bed:
        neighbour = Neighbour(bed, [f"{WEIR.vtep}/24", f"{WEIR.vtep6}/64"])
        for address in VTEPS:
            neighbour.wait_told("address_duplicate", address=address, mac=KERNEL.wire_mac)
            assert not neighbour.told("address_usable", address=address)
        # Now that the kernel wants it no more, it asks: nobody answers.
        for address, prefix, other in ((WEIR.vtep, 24, KERNEL.vtep),
                                       (WEIR.vtep6, 64, KERNEL.vtep6)):
            neighbour.peer.ip("addr", "del", f"{address}/{prefix}", "dev", "wire0")
            neighbour.peer.ip("addr", "add", f"{other}/{prefix}", "dev", "wire0",
                              *(("nodad",) if ":" in other else ()))
            assert neighbour.kernel_finds(address) is None, address


@test
def an_address_that_somebody_takes_later_is_defended_and_told():
    with Testbed("neighbours-conflict") as bed:
        neighbour = Neighbour(bed)
        neighbour.wait_usable()
        neighbour.peer.ip("addr", "add", f"{WEIR.vtep}/32", "dev", "wire0")
        neighbour.announce(WEIR.vtep, KERNEL.wire_mac)
        neighbour.wait_told("address_conflict", address=WEIR.vtep, mac=KERNEL.wire_mac)
        neighbour.peer.ip("addr", "del", f"{WEIR.vtep}/32", "dev", "wire0")
        assert neighbour.kernel_finds(WEIR.vtep) == WEIR.wire_mac


def cross(name, **shape):
    """A kernel that nobody told anything, and Weir that was told an address."""
    with Testbed(name) as bed:
        peer = KernelPeer(bed, **shape)
        peer.wait_resolved()
        peer.cross()
        check_gateways([peer.gateway],
                       but=("next_hop_unresolved", "wrong_destination_mac", *peer.noise))


@test
def both_sides_find_each_other_by_arp():
    cross("neighbours-arp", link=Link())


@test
def both_sides_find_each_other_by_neighbour_discovery():
    cross("neighbours-nd", family=6, link=Link())


@test
def a_router_at_the_other_end_of_a_31():
    cross("neighbours-31", link=Link("198.18.9.0", "198.18.9.1", 31))


@test
def a_router_at_the_other_end_of_a_127():
    cross("neighbours-127", family=6, link=Link("fd00:9::", "fd00:9::1", 127))


@test
def ipv6_by_a_link_local_router():
    cross("neighbours-local", family=6, link=Link(kernel="fe80::2"))


@test
def ipv4_by_a_link_local_router_on_an_unnumbered_link():
    cross("neighbours-unnumbered", link=Link(kernel="fe80::2"))


@test
def a_next_hop_that_moves_is_followed():
    """To another MAC of the same kernel, which says so and forgets the old one at once: what is
    under way at that moment is lost, nothing afterwards."""
    with Testbed("neighbours-move") as bed:
        peer = KernelPeer(bed, link=Link())
        peer.wait_resolved()
        assert peer.host.ping(KERNEL.kernel.ip) == 1.0
        pings = bed.start("pings", ["ping", "-i", "0.02", "-c", "200", KERNEL.kernel.ip],
                          peer.host.namespace)
        time.sleep(1.2)
        peer.tell_moves()
        peer.peer.ip("link", "set", "wire0", "address", MOVED)
        peer.wait_resolved(MOVED)
        pings.popen.wait(60)
        received = re.search(r"(\d+) received", pings.log())
        # Two intervals of the housekeeper, and as much again for a loaded machine.
        assert int(received[1]) >= 197, pings.log()[-300:]


def moves_without_loss(family):
    """A kernel that hears several MACs (each a macvlan of its own with the next hop's address) says
    on each that this is it now, and goes on hearing those before: nothing is lost."""
    with Testbed(f"neighbours-move-{family}") as bed:
        peer = KernelPeer(bed, family=family, link=Link())
        peer.wait_resolved()
        assert peer.host.ping(KERNEL.kernel.ip) == 1.0
        # What the kernel doubts five seconds later it asks for on wire0, and that is a move back.
        peer.peer.ip("neigh", "replace", peer.vteps[0], "lladdr", WEIR.wire_mac, "dev", "wire0",
                     "nud", "permanent")
        address = f"{peer.vteps[1]}/{32 if family == 4 else 128}"
        peer.peer.run("sysctl", "-q", "-w", *(f"net.ipv4.conf.{which}.rp_filter=0"
                                              for which in ("all", "default")))
        for number, mac in enumerate(MOVED_ON):
            peer.peer.ip("link", "add", f"next{number}", "link", "wire0", "address", mac, "type",
                         "macvlan", "mode", "private")
            peer.peer.run("sysctl", "-q", "-w", *(setting.format(f"next{number}") for setting in (
                "net.ipv4.conf.{}.arp_notify=1", "net.ipv6.conf.{}.ndisc_notify=1",
                # Asked on another interface than the address asked for stands at: not to answer.
                "net.ipv4.conf.{}.arp_ignore=1", "net.ipv6.conf.{}.accept_dad=0")))
            peer.peer.ip("addr", "add", address, "dev", f"next{number}", *peer.no_dad(address))
        pings = bed.start("pings", ["ping", "-q", "-i", "0.003", "-c", "1500", KERNEL.kernel.ip],
                          peer.host.namespace)
        for number, mac in enumerate(MOVED_ON):
            # Within a second of the last change it would be a conflict.
            time.sleep(1.3)
            peer.peer.ip("link", "set", f"next{number}", "up")
            peer.wait_resolved(mac)
        assert pings.alive(), "frames flow while it moves"
        pings.popen.wait(60)
        assert "1500 packets transmitted, 1500 received" in pings.log(), pings.log()
        hop = peer.next_hop()
        assert hop["moves"] == len(MOVED_ON) and hop["losses"] == hop["conflicts"] == 0, hop
        check_gateways([peer.gateway], but=("next_hop_unresolved", "wrong_destination_mac",
                                            *peer.noise))


@test
def a_next_hop_that_moves_by_gratuitous_arp_loses_nothing_where_it_hears_its_old_mac():
    moves_without_loss(4)


@test
def a_next_hop_that_moves_by_unsolicited_nas_loses_nothing_where_it_hears_its_old_mac():
    moves_without_loss(6)


class Flood:
    """ARP to everybody from as many hosts as there are frames, three times what one worker's budget
    lets through; each fifth asks for the VTEP, which is more than Weir answers."""

    PER_MS = 12

    def __init__(self, peer):
        self.peer = peer
        self.sent = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        wait_for(lambda: self.refused() > 1000, "the flood is bounded")
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def refused(self):
        return Counters(self.peer.gateway).drops_of("wire_to_host").get("punt_rate_exceeded", 0)

    def ping(self, count):
        """Nothing is lost but what the TAP had no room for, which Weir has not seen: where a worker
        waits for a processor of a busy machine."""
        share = self.peer.host.ping(KERNEL.kernel.ip, count, 0.01)
        if share < 1.0:
            wait_for(lambda: Counters(self.peer.gateway).drops_of_devices("wire0").get(
                "kernel_dropped"), f"frames that the TAP dropped, as only {share:.1%} came back", 3)

    def run(self):
        with InNamespace(self.peer.peer.name):
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        raw.bind(("wire0", 0))
        due = time.monotonic()
        while not self.stopping.is_set():
            for _ in range(self.PER_MS):
                raw.send(self.frame())
                self.sent += 1
            due = max(due + 0.001, time.monotonic() - 0.01)  # No bursts that a TAP has no room for.
            time.sleep(max(0.0, due - time.monotonic()))
        raw.close()

    def frame(self):
        mac = struct.pack("!HI", 0x0200, self.sent)
        sender = mac + struct.pack("!I", 0xc6131000 + self.sent % 60000)
        asked = WEIR.vtep if self.sent % 5 == 0 else f"198.18.0.{100 + self.sent % 100}"
        packet = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + sender + bytes(6)
        return b"\xff" * 6 + mac + b"\x08\x06" + packet + socket.inet_aton(asked) + bytes(18)


def flood(family):
    """The next hop stays, the kernel at the other end goes on knowing us, and tunnels lose nothing;
    and a next hop that is configured meanwhile is found."""
    with Testbed(f"neighbours-flood-{family}") as bed:
        peer = KernelPeer(bed, family=family, link=Link())
        peer.wait_resolved()
        peer.wait_usable()
        assert peer.host.ping(KERNEL.kernel.ip) == 1.0
        # The kernel asks for us each second or two, three times a second apart.
        peer.peer.run("sysctl", "-q", "-w", "net.ipv4.neigh.wire0.base_reachable_time_ms=500",
                      "net.ipv6.neigh.wire0.base_reachable_time_ms=500")
        with Flood(peer) as running:
            running.ping(400)
            hop = peer.next_hop()
            assert hop["losses"] == hop["moves"] == hop["conflicts"] == 0, hop
            whole = peer.intent(peer.wire_device)
            without = {**whole, "vteps": whole["vteps"][:1], "endpoints": whole["endpoints"][:2],
                       "networks": [{"name": "blue", "vni": VNI}]}
            peer.gateway.apply(without)
            wait_for(lambda: not peer.next_hop(), "the next hop is wanted no more")
            peer.gateway.apply(whole)
            peer.wait_resolved()
            running.ping(50)
        drops = Counters(peer.gateway).drops_of("wire_to_host")
        print(f"# {running.sent} frames of a flood: {drops}", flush=True)
        # Five seconds after its first answer the kernel asks for the host through the tunnel, whose
        # VTEP we may not want then.
        check_gateways([peer.gateway], but=("next_hop_unresolved", "punt_rate_exceeded",
                                            "punt_queue_full", "wrong_destination_mac",
                                            "kernel_dropped", "unknown_vtep", *peer.noise))


@test
def a_flood_of_arp_takes_no_next_hop_away():
    flood(4)


@test
def a_flood_of_arp_takes_no_next_hop_of_ipv6_away():
    flood(6)


@test
def neighbours_are_shown_with_what_became_of_them():
    with Testbed("neighbours-shown") as bed:
        peer = KernelPeer(bed, link=Link())
        peer.wait_resolved()
        peer.wait_usable()
        ours, hop = (peer.neighbours()[address] for address in peer.vteps)
        assert ours["own"] and ours["state"] == "usable" and ours["mac"] == WEIR.wire_mac, ours
        assert ours["port"] == "wire0" and ours["duplicates"] == ours["conflicts"] == 0, ours
        assert not hop["own"] and hop["usable"] and hop["moves"] == hop["losses"] == 0, hop
        peer.tell_moves()
        peer.peer.ip("link", "set", "wire0", "address", MOVED)
        peer.wait_resolved(MOVED)
        assert peer.next_hop()["moves"] == 1 and peer.next_hop()["since"] > hop["since"]
        table = peer.gateway.weir("neighbour", "show")
        assert re.search(rf"wire0 +{KERNEL.vtep} +next hop +{MOVED} +\w+ ", table), table
        # Nobody answers any more: it is asked six times, and then lost.
        peer.peer.run("sysctl", "-q", "-w", "net.ipv4.conf.wire0.arp_ignore=8")
        wait_for(lambda: peer.next_hop()["state"] == "incomplete", "it is lost", 90)
        assert peer.next_hop()["losses"] == 1 and peer.next_hop()["mac"] == ""


def follow_kernel(family):
    """Its neighbour table is the next hop's MAC: what it finds, hears of, forgets and misses."""
    with Testbed(f"neighbours-xdp-{family}") as bed:
        peer = KernelPeerOverXdp(bed, family=family, link=Link())
        peer.wait_resolved()
        if family == 4:                          # xdp.py does as much over IPv6.
            peer.cross()
        check_gateways([peer.gateway], but=("next_hop_unresolved", *peer.noise))
        peer.tell_moves()
        peer.peer.ip("link", "set", "wire0", "address", MOVED)
        peer.wait_resolved(MOVED)
        assert peer.host.ping(KERNEL.kernel.ip) == 1.0
        kernel = peer.gateway.namespace
        in_haste(peer, kernel)
        for change in (("del", peer.vteps[1]), ("flush",)):
            losses = peer.next_hop()["losses"]
            kernel.ip("neigh", *change, "dev", "wire0")
            wait_for(lambda losses=losses: peer.next_hop()["losses"] > losses, f"lost: {change}")
            peer.wait_resolved(MOVED)            # Weir has the kernel look for it at once.
            assert peer.host.ping(KERNEL.kernel.ip) == 1.0
        miss(peer, kernel)


def in_haste(peer, kernel):
    """What the kernel finds from now on it doubts after half a second in place of half a minute."""
    timing = f"net.ipv{peer.family}.neigh.wire0."
    kernel.run("sysctl", "-q", "-w", f"{timing}base_reachable_time_ms=500",
               f"{timing}delay_first_probe_time=1", f"{timing}retrans_time_ms=200")


def miss(peer, kernel):
    """Nobody answers for the next hop any more, and then somebody does again."""
    address = f"{peer.vteps[1]}/{24 if peer.family == 4 else 64}"
    peer.peer.ip("addr", "del", address, "dev", "wire0")
    wait_for(lambda: peer.next_hop()["state"] == "incomplete", "the kernel misses it", 60)
    assert not peer.next_hop()["usable"] and peer.next_hop()["mac"] == "", peer.next_hop()
    assert "lladdr" not in kernel.ip("neigh", "show", peer.vteps[1], "dev", "wire0")
    assert peer.host.ping(KERNEL.kernel.ip, 1) == 0.0
    peer.peer.ip("addr", "add", address, "dev", "wire0", *peer.no_dad(address))
    peer.wait_resolved(MOVED)
    assert peer.host.ping(KERNEL.kernel.ip) == 1.0


@test
def an_xdp_port_follows_the_kernels_arp():
    follow_kernel(4)


@test
def an_xdp_port_follows_the_kernels_neighbour_discovery():
    follow_kernel(6)


def find_each_other(family):
    """Weir asks and answers for its addresses at an xdp port, the kernel for its own."""
    with Testbed(f"neighbours-xdp-weir{family}") as bed:
        peer = KernelPeerOverXdp(bed, neighbours="weir", family=family, link=Link())
        peer.wait_resolved()
        peer.wait_usable()
        peer.cross()
        own = peer.OWN if family == 4 else peer.OWN6
        for asking, asked in ((peer.peer, own), (peer.gateway.namespace, peer.vteps[1])):
            asking.ip("neigh", "flush", "dev", "wire0")
            assert "3 received" in asking.run("ping", "-q", "-c", 3, "-i", 0.2, asked), asked
        check_gateways([peer.gateway], but=("next_hop_unresolved", *peer.noise))
        move_over_xdp(peer, own)
        # What is Weir's alone, the kernel cannot have too.
        bits = 24 if family == 4 else 64
        peer.gateway.namespace.ip("addr", "add", f"{peer.vteps[0]}/{bits}", "dev", "wire0",
                                  *peer.no_dad(peer.vteps[0]))
        status, text = peer.gateway.weir_refused("port", "set", "wire0", "mtu", 1400)
        assert status == 1 and "take it from its interface (ip addr del)" in text, text


def move_over_xdp(peer, own):
    """The kernel at the other end tells all that it has another MAC: both hear it at once, without
    asking anybody, which Weir does every half minute."""
    peer.tell_moves()
    peer.gateway.namespace.run("ping", "-q", "-c", 1, peer.vteps[1])
    peer.peer.ip("link", "set", "wire0", "address", MOVED)
    wait_for(lambda: peer.next_hop()["mac"] == MOVED, "Weir knows", 3)
    wait_for(lambda: MOVED in peer.gateway.namespace.ip("neigh", "show", peer.vteps[1]),
             "the kernel knows", 10)
    assert "3 received" in peer.peer.run("ping", "-q", "-c", 3, "-i", 0.2, own)
    assert peer.host.ping(KERNEL.kernel.ip) == 1.0


@test
def an_xdp_port_asks_and_answers_by_arp_beside_the_kernel():
    find_each_other(4)


@test
def an_xdp_port_asks_and_answers_by_neighbour_discovery_beside_the_kernel():
    find_each_other(6)


@test
def an_af_packet_port_follows_the_kernels_neighbours_where_it_is_told():
    with Testbed("neighbours-af-packet") as bed:
        pairs = f",qpairs={shape()[1]}" if shape()[1] > 1 else ""
        peer = KernelPeerOverXdp(bed, wire_device=f"net_af_packet1,iface=wire0{pairs}",
                                 neighbours="kernel", link=Link())
        peer.wait_resolved()
        assert WEIR.vtep not in peer.neighbours(), "the kernel answers for it"
        assert peer.host.ping(KERNEL.kernel.ip) == 1.0
        peer.tell_moves()
        peer.peer.ip("link", "set", "wire0", "address", MOVED)
        peer.wait_resolved(MOVED)
        status, text = peer.gateway.weir_refused("port", "set", "host0", "neighbours", "kernel")
        assert status == 1 and "only an underlay port has neighbours" in text, text


@test
def a_tap_has_no_kernel_whose_neighbours_could_be_followed():
    with Testbed("neighbours-tap-kernel") as bed:
        gateway = Gateway(bed, "gw1").start()
        status, text = gateway.weir_refused("port", "add", "wire0", "role", "underlay", "device",
                                            "net_tap1,iface=wire0", "neighbours", "kernel")
        assert status == 1 and "neighbours: kernel needs a device" in text, text


run()
