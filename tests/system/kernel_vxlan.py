#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The Linux kernel's VXLAN device is the peer of one Weir: two implementations that know nothing of
each other agree on the encapsulation, both directions, over IPv4 and IPv6."""

from context import KernelPeer, SIDES, Testbed, check_gateways, run, test

KERNEL = SIDES[1]


def cross(name, **shape):
    with Testbed(name) as bed:
        peer = KernelPeer(bed, **shape)
        peer.cross()
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
