#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The Linux kernel's VXLAN device is the peer of one Weir: two implementations that know nothing of
each other agree on the encapsulation, both directions, over IPv4 and IPv6."""

import json
import time

from context import KernelPeer, SIDES, Testbed, check_gateways, run, test

HOST, KERNEL = SIDES


def iperf3(peer, *options):
    server = peer.bed.start("iperf3-server", peer.peer.inside("iperf3", "-s", "-1"))
    time.sleep(0.5)
    output = peer.host.namespace.run("iperf3", "-J", "-t", 3, "--bidir", *options)
    server.stop()
    return json.loads(output)["end"]


def cross(name, **shape):
    with Testbed(name) as bed:
        peer = KernelPeer(bed, **shape)
        for ours, theirs in ((HOST.kernel, KERNEL.kernel), (HOST.kernel6, KERNEL.kernel6)):
            assert peer.host.ping(theirs.ip, 10) == 1.0
            assert peer.ping_back(ours.ip)
        # Window and rate stay below the smallest ring, so that a loss would be ours.
        tcp = iperf3(peer, "-c", KERNEL.kernel.ip, "-w", "48K")
        for way in ("sum_received", "sum_received_bidir_reverse"):
            assert tcp[way]["bytes"] > 100_000, tcp[way]
        udp = iperf3(peer, "-c", KERNEL.kernel6.ip, "-u", "-b", "4M", "-l", 1200)
        for way in ("sum", "sum_bidir_reverse"):
            assert udp[way]["packets"] > 500 and udp[way]["lost_packets"] == 0, udp[way]
        assert peer.udp_checksum_errors() == 0
        check_gateways([peer.gateway], but=peer.noise)


@test
def ping_and_iperf3_cross_between_weir_and_the_kernel():
    cross("kernel-vxlan")


@test
def the_same_over_ipv6_without_udp_checksums():
    cross("kernel-vxlan6", family=6)


@test
def the_same_over_ipv6_with_udp_checksums_which_the_kernel_verifies():
    cross("kernel-vxlan6-summed", family=6, checksum="full")


@test
def the_same_over_ipv4_with_udp_checksums():
    cross("kernel-vxlan-summed", checksum="full")


@test
def the_kernel_drops_what_has_no_checksum_where_it_wants_one():
    """That the test above would notice."""
    with Testbed("kernel-vxlan6-refused") as bed:
        peer = KernelPeer(bed, family=6, checksum="full")
        assert peer.host.ping(KERNEL.kernel.ip) == 1.0
        peer.gateway.weir("vtep", "set", "peer", "udp_checksum", "zero")
        assert peer.host.ping(KERNEL.kernel.ip) == 0.0
        peer.gateway.weir("vtep", "set", "peer", "udp_checksum", "full")
        assert peer.host.ping(KERNEL.kernel.ip) == 1.0


run()
