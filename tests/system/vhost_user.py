#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Weir's side of vhost-user as server and as client: either side may go and come back, and the
other one, which is not restarted, goes on with it.

    host1 ── gw1 ══ net_vhost · net_virtio_user ══ gw2 ── host2

gw2 plays the virtual machine. And a machine, played by testpmd, that leaves checksums and
segmentation to Weir."""

import os
import signal
import struct
from ipaddress import ip_address

from context import (SIDES, Gateway, Testbed, TenantHost, check_gateways, intent_of, roce, run,
                     settle, shape, test, wait_for)
from pcap import read_pcap, write_pcap

MACHINE_MAC = SIDES[1].wire_mac
# net_vhost makes its MAC of "VHOST" and the place in the order of opening.
VHOST_MAC = "56:48:4f:53:54:01"


class Pair:
    """The drawing, running. Hosts are on cables, which stay when a data plane goes."""

    def __init__(self, bed, *, weir_is_client):
        workers, queues = shape()
        socket = f"{bed.folder}/vhost.sock"
        client, server = (",client=1", ",server=1") if weir_is_client else ("", "")
        devices = (f"net_vhost0,iface={socket},queues={queues}{client}",
                   f"net_virtio_user0,path={socket},queues={queues},mac={MACHINE_MAC}{server}")
        self.gateways = [Gateway(bed, f"gw{side.number}", workers=workers, supervised=True)
                         for side in SIDES]
        self.hosts = [TenantHost(bed, side, gateway, tap=False, queues=queues)
                      for side, gateway in zip(SIDES, self.gateways)]
        pairs = f",qpairs={queues}" if queues > 1 else ""
        for side, gateway, host, device, peer_mac in zip(SIDES, self.gateways, self.hosts, devices,
                                                         (MACHINE_MAC, VHOST_MAC)):
            intent = intent_of(side, tenant_device=f"net_af_packet1,iface=host0{pairs}",
                               wire_device=device, queues=queues)
            intent["vteps"][1]["next_hop_mac"] = peer_mac
            gateway.start().apply(intent)
            host.plug_in()
        for host in self.hosts:
            host.give_addresses()
        self.reach()

    def reach(self):
        far = SIDES[1].kernel.ip
        wait_for(lambda: self.hosts[0].reaches(far), f"host1 reaches {far}", 30)
        assert self.hosts[0].ping(far, 50, 0.01) == 1.0

    def kill(self, *victims):
        """One after the other. The other data plane stays the process that it was."""
        before = [gateway.dataplane_pid() for gateway in self.gateways]
        for victim in victims:
            gateway = self.gateways[victim]
            os.kill(before[victim], signal.SIGKILL)
            wait_for(lambda gateway=gateway, victim=victim: gateway.dataplane_pid() != before[
                victim], "a new process")
            gateway.wait_in_sync()
        self.reach()
        for number, gateway in enumerate(self.gateways):
            assert (gateway.dataplane_pid() == before[number]) == (number not in victims)

    def check(self):
        for gateway, counters in zip(self.gateways, settle(self.gateways)):
            assert counters.totals()["mismatch"] == 0, gateway.name


@test
def a_machine_that_goes_finds_the_server_again():
    with Testbed("vhost-server") as bed:
        pair = Pair(bed, weir_is_client=False)
        for _ in range(3):
            pair.kill(1)
        # A server that was killed takes its old socket's place; net_virtio_user of 22.11 connects
        # only once, so that this machine has to be started again.
        pair.kill(0, 1)
        pair.check()


@test
def a_client_and_its_machine_find_each_other_whoever_goes():
    with Testbed("vhost-client") as bed:
        pair = Pair(bed, weir_is_client=True)
        for victim in (0, 1, 0, 1):
            pair.kill(victim)
        pair.check()


SEGMENT = 1000
TCP, UDP = 6, 17


def transport_sum(packet):
    """Of a transport with its pseudo header: 0 where its checksum is right."""
    if packet[0] >> 4 == 4:
        start, addresses, protocol = 20, packet[12:20], packet[9]
        packet = packet[:struct.unpack_from("!H", packet, 2)[0]]
    else:
        start, addresses, protocol = 40, packet[8:40], packet[6]
    pseudo = addresses + struct.pack("!II", len(packet) - start, protocol)
    return roce.internet_checksum(pseudo + packet[start:])


def unsummed(source, target, protocol, payload):
    """A frame whose transport has no checksum yet."""
    version = ip_address(source.ip).version
    if protocol == TCP:
        transport = struct.pack("!HHIIBBHHH", 40000, 5001, 1000, 1, 5 << 4, 0x19, 500, 0, 0)
    else:
        # Not zero, which would say that none is wanted.
        transport = struct.pack("!HHHH", 40000, 5001, 8 + len(payload), 1)
    ip = bytearray(roce.ip_header(source.ip, target.ip, len(transport) + len(payload)))
    if version == 4:
        ip[9] = protocol
        ip[10:12] = b"\0\0"
        ip[10:12] = struct.pack("!H", roce.internet_checksum(bytes(ip)))
    else:
        ip[6] = protocol
    return roce.ethernet_header(source.mac, target.mac, version) + bytes(ip) + transport + payload


def machine(bed, socket, frames):
    """Sends the frames by a virtio device that computes no checksum and cuts nothing."""
    write_pcap(bed.folder / "machine.pcap", frames)
    orders = bed.folder / "orders"
    orders.write_text(f"port stop all\ncsum set tcp hw 1\ncsum set udp hw 1\n"
                      f"tso set {SEGMENT} 1\nport start all\nset fwd csum\nstart\n")
    testpmd = (f"exec dpdk-testpmd --no-huge -m 256 --no-pci --no-shconf -l 0,1 "
               f"--vdev net_pcap0,rx_pcap={bed.folder}/machine.pcap,rx_iface=lo "
               f"--vdev net_virtio_user0,path={socket} -- -i --mbuf-size=16384 "
               f"--total-num-mbufs=2048 --no-flush-rx --cmdline-file={orders}")
    # It ends with its input.
    return bed.start("testpmd", ["sh", "-c", f"sleep 120 | {testpmd}"])


@test
def a_machine_leaves_checksums_and_segmentation_to_weir():
    left, right = SIDES
    with Testbed("vhost-offloads") as bed:
        gateway = Gateway(bed, "gw1", workers=1).start()
        socket, out = f"{bed.folder}/vhost.sock", bed.folder / "out.pcap"
        names = ("machine", "file")
        devices = (f"net_vhost0,iface={socket}", f"net_pcap1,rx_iface=lo,tx_pcap={out}")
        gateway.apply({"ports": [
            {"name": name, "role": "transit", "peer": peer, "device": device}
            for name, peer, device in zip(names, reversed(names), devices)]})
        data = bytes(place * 7 & 0xFF for place in range(7500))
        frames = [unsummed(source, target, protocol, data[:size])
                  for source, target in ((left.kernel, right.kernel), (left.kernel6, right.kernel6))
                  for protocol, size in ((TCP, 7500), (TCP, 100), (UDP, 101))]
        machine(bed, socket, frames)
        expected = 2 * (8 + 1 + 1)
        wait_for(lambda: gateway.show("stats", "show")["totals"]["tx"] >= expected,
                 "all segments", 60)
        check_gateways([gateway])
        assert settle([gateway])[0].totals()["created"] == 2 * 7
        gateway.apply({"ports": []})             # Closing the port flushes the file.

        received = read_pcap(out)
        assert len(received) == expected
        wrong = [frame.hex() for frame in received if transport_sum(frame[14:]) != 0]
        assert not wrong, wrong
        for version, header in ((4, 34), (6, 54)):
            segments = [frame for frame in received
                        if frame[14] >> 4 == version and len(frame) > header + 20 + 100]
            assert b"".join(frame[header + 20:] for frame in segments) == data
            assert [struct.unpack_from("!I", frame, header + 4)[0] for frame in segments] == list(
                range(1000, 8501, SEGMENT)), version
            assert [frame[header + 13] for frame in segments] == 7 * [0x10] + [0x19]


run()
