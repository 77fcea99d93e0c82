#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two virtual machines with Debian's kernel on vhost-user ports, which leave checksums and
segmentation to Weir: TCP and UDP cross the overlay and are right by the machines' own count.
Machines and data planes come and go, and who was not started anew goes on.

    guest1 ── gw1 ══ a cable ══ gw2 ── guest2

Weir is the server of guest1's socket and the client of guest2's. Each starts anew once;
WEIR_ROUNDS=100 is the long form."""

import json
import os
import re
import signal
from ipaddress import ip_address

from context import (SIDES, UNDERLAY_MTU, Gateway, Guest, Testbed, check_gateways, intent_of, run,
                     settle, shape, test, wait_for)

NEAR, FAR = SIDES
HEADER_BYTES = {4: 40 + 12, 6: 60 + 12}          # Of IP and TCP, which has timestamps.
OFFLOADS = ("tx-checksumming", "tx-tcp-segmentation", "tx-tcp6-segmentation")
FAULTS = ("TcpInErrs", "TcpInCsumErrors", "UdpInErrors", "UdpInCsumErrors", "Udp6InErrors",
          "Udp6InCsumErrors", "IcmpInCsumErrors", "Icmp6InCsumErrors", "IpInHdrErrors",
          "Ip6InHdrErrors")
FILE_BYTES, WWW_PORT = 8 << 20, 9000
TCP_BYTES = 4 << 20
# A burst of a sender that does not know our rings may find one full: TCP's own business.
FULL = ("tx_ring_full", "kernel_dropped")
ROUNDS = int(os.environ.get("WEIR_ROUNDS", "1"))


class Guests:
    """The drawing, running."""

    def __init__(self, bed, *, mtu=1500, wire_mtu=UNDERLAY_MTU, options=()):
        self.mtu = mtu
        _, self.queues = shape()
        self.gateways = [Gateway(bed, f"gw{side.number}", options=options, supervised=True)
                         for side in SIDES]
        bed.cable(self.gateways[0].namespace, "wire0", self.gateways[1].namespace, "wire0",
                  mtu=wire_mtu, queues=self.queues, macs=[side.wire_mac for side in SIDES])
        self.guests = []
        for side, gateway, client in zip(SIDES, self.gateways, ("", ",client=1")):
            device_socket = gateway.runtime / "guest.sock"
            pairs = f",qpairs={self.queues}" if self.queues > 1 else ""
            intent = intent_of(side, tenant_device=f"net_vhost0,iface={device_socket}{client}",
                               wire_device=f"net_af_packet0,iface=wire0{pairs}",
                               queues=self.queues, mtu=wire_mtu)
            intent["ports"][1]["mtu"] = mtu
            gateway.start().apply(intent)
            self.guests.append(Guest(
                bed, f"guest{side.number}", device_socket=device_socket, mac=side.kernel.mac,
                weir_is_server=not client, pairs=self.queues))
        self.near, self.far = self.guests
        self.sums = {}                           # Of the file that is to be had at an address.
        for guest in self.guests:
            guest.wait_ready()
            self.join(guest)
        self.reach()

    def join(self, guest):
        """What a machine has to be told after each start."""
        side = SIDES[self.guests.index(guest)]
        if self.queues > 1:                      # With one processor it takes one pair by itself.
            guest.run(f"ethtool -L eth0 combined {self.queues}")
        guest.run(f"ip link set eth0 mtu {self.mtu} up && "
                  f"ip addr add {side.kernel.ip}/24 dev eth0 && "
                  f"ip addr add {side.kernel6.ip}/64 dev eth0")
        features = guest.run("ethtool -k eth0")
        for offload in OFFLOADS:
            assert re.search(rf"\s?{offload}: on", features), features
        # Neither DPDK's net_vhost nor this kernel's virtio-net has USO: TAPs show it (tap.py).
        assert "tx-udp-segmentation: off [fixed]" in features, features

    def reach(self):
        for address in (FAR.kernel.ip, FAR.kernel6.ip):
            wait_for(lambda address=address: self.near.ping(address, 1) == 1.0,
                     f"guest1 reaches {address}", 30)
            for size in (56, self.mtu - 48, 2 * self.mtu):
                assert self.near.ping(address, 3, size=size) == 1.0, (address, size)

    def created(self):
        return sum(counters.totals()["created"] for counters in settle(self.gateways))

    def iperf3(self, sender, receiver, address, options):
        receiver.run("iperf3 -s -1 -D; sleep 0.3")
        return json.loads(sender.run(f"iperf3 -J -c {address} {options}"))

    def tcp(self, sender, receiver, address):
        """Most of what is sent comes in large frames, and leaves in full segments."""
        before = self.created()
        answer = self.iperf3(sender, receiver, address, f"-n {TCP_BYTES}")
        received = answer["end"]["sum_received"]["bytes"]
        created = self.created() - before
        print(f"# {sender.name} → {address}: {received} bytes, {created} segments created",
              flush=True)
        mss = self.mtu - HEADER_BYTES[ip_address(address).version]
        assert answer["start"]["tcp_mss_default"] == mss, answer["start"]
        # What is under way when the sender is done, a window and its buffer, does not count.
        assert received > TCP_BYTES / 2
        assert created > received / self.mtu / 2, created

    def udp(self, sender, receiver, address):
        answer = self.iperf3(sender, receiver, address, "-u -b 4M -l 1200 -t 1")
        assert answer["end"]["sum"]["packets"] > 300, answer["end"]["sum"]
        assert answer["end"]["sum"]["lost_packets"] == 0, answer["end"]["sum"]

    def file(self, receiver, address):
        """What arrives is what was sent."""
        where = f"[{address}]" if ":" in address else address
        output = receiver.run(f"wget -q -O - http://{where}:{WWW_PORT}/file | md5sum")
        assert output.strip() == self.sums[address], address

    def everything(self):
        """Both families, both directions."""
        near, far = self.guests
        for guest, side in zip(self.guests, SIDES):
            guest.run(f"mkdir /tmp/www && httpd -p {WWW_PORT} -h /tmp/www && "
                      f"head -c {FILE_BYTES} /dev/urandom >/tmp/www/file")
            md5 = guest.run("md5sum </tmp/www/file").strip()
            self.sums |= {side.kernel.ip: md5, side.kernel6.ip: md5}
        for there, back in ((FAR.kernel.ip, NEAR.kernel.ip), (FAR.kernel6.ip, NEAR.kernel6.ip)):
            self.tcp(near, far, there)
            self.tcp(far, near, back)
            self.udp(near, far, there)
            self.udp(far, near, back)
            self.file(near, there)
            self.file(far, back)

    def traffic(self):
        """That it goes on, in large frames too."""
        self.reach()
        self.tcp(self.near, self.far, FAR.kernel.ip)
        self.tcp(self.far, self.near, NEAR.kernel6.ip)
        self.ask_kernels()

    def ask_kernels(self):
        """They found no fault in what they got."""
        for guest in self.guests:
            assert guest.counters(*FAULTS) == {}, guest.counters(*FAULTS)

    def kill_dataplane(self, number):
        """Another process takes its place; the machines are the same."""
        gateway = self.gateways[number]
        before = gateway.dataplane_pid()
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: gateway.dataplane_pid() != before, "a new data plane")
        gateway.wait_in_sync()

    def check(self):
        self.ask_kernels()
        check_gateways(self.gateways, but=FULL)


@test
def tcp_and_udp_of_two_machines_cross_the_overlay():
    with Testbed("guests") as bed:
        guests = Guests(bed)
        guests.everything()
        guests.check()
        if guests.queues > 1:
            for gateway in guests.gateways:
                shares = [each["rx"] for each in gateway.show("worker", "show")["workers"]]
                print(f"# frames by worker of {gateway.name}: {shares}")
                assert min(shares) > sum(shares) / 100, shares


@test
def packets_of_9000_bytes_cross_the_overlay():
    with Testbed("guests-jumbo") as bed:
        # A packet socket needs whole frames in one buffer.
        guests = Guests(bed, mtu=9000, wire_mtu=9216,
                        options=("--mbuf-bytes", 16384, "--mbufs", 4096))
        guests.traffic()
        guests.check()


@test
def machines_and_weir_start_anew_while_the_others_go_on():
    with Testbed("guests-anew") as bed:
        guests = Guests(bed)
        near, far = guests.guests
        ways = ((lambda: near.reboot("reboot -f"), near.replace),
                (lambda: far.reboot("echo b >/proc/sysrq-trigger"), far.replace))
        for number in range(ROUNDS):
            pids = [gateway.dataplane_pid() for gateway in guests.gateways]
            for place, guest in enumerate(guests.guests):
                # Either form of the test takes the other way with a machine.
                ways[place][(number + place + guests.queues) % 2]()
                guests.join(guest)
                guests.traffic()
            assert [gateway.dataplane_pid() for gateway in guests.gateways] == pids
            boots = [guest.boots for guest in guests.guests]
            for place in range(2):
                guests.kill_dataplane(place)
                guests.traffic()
            assert [guest.boots for guest in guests.guests] == boots
        guests.check()


run()
