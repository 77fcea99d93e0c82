#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Debian's OVS-DPDK is the remote VTEP, over a cable whose ends are an xdp port of Weir's and a
net_af_packet of OVS's; underlays of both families.

ECN as OVS 3.1 does it: it writes the inner field into the outer header, but ECT(0) for CE, as the
kernel does, and passes the inner field on; an outer CE would become an inner one. Its outer DSCP is
0 unless it is told tos=inherit."""

from context import (Iperf3, OvsPeer, RawPort, SIDES, Testbed, check_gateways, roce, run, settle,
                     sockets_lost, test, wait_for)

WEIR, OVS = SIDES
FIELDS = (roce.NOT_ECT, roce.ECT0, roce.ECT1, roce.CE)


def counted(peer):
    vtep = next(vtep for vtep in peer.gateway.show("stats", "show")["vteps"]
                if vtep["name"] == "peer")
    return vtep["encap_packets"], vtep["decap_packets"]


def kernels_speak(peer):
    near, far = peer.hosts
    for address in (far.side.kernel.ip, far.side.kernel6.ip):
        wait_for(lambda address=address: near.reaches(address), f"host1 reaches {address}")
    lost = peer.ovs.lost()                       # Before the path was known.
    assert peer.ping_both() == [1.0] * 4
    # Window and rate stay below the smallest ring, so that a loss would be somebody's fault.
    tcp = Iperf3(peer.bed, near.namespace, far.namespace, far.side.kernel.ip, "-t", 1, "-w",
                 "48K").end()
    for way in ("sum_received", "sum_received_bidir_reverse"):
        assert tcp[way]["bytes"] > 100_000, tcp[way]
    before = counted(peer)
    sockets = sockets_lost(near.namespace, far.namespace)
    udp = Iperf3(peer.bed, near.namespace, far.namespace, far.side.kernel6.ip, "-t", 2, "-u", "-b",
                 "4M", "-l", 1200).end()
    ways = udp["sum"], udp["sum_bidir_reverse"]
    assert all(way["packets"] > 500 for way in ways), ways
    sockets = sockets_lost(near.namespace, far.namespace) - sockets
    assert sum(way["lost_packets"] for way in ways) <= sockets, (ways, sockets)
    settle([peer.gateway])
    for now, then, way in zip(counted(peer), before, ("sum", "sum_bidir_reverse")):
        assert now - then >= udp[way]["packets"], (now, then, udp[way])
    assert peer.ovs.lost() == lost, peer.ovs.ask("dpctl/show", "-s")


def roce_crosses(peer):
    ports = [RawPort(host.namespace.name, "host0") for host in peer.hosts]
    for ours, theirs in ((WEIR.device, OVS.device), (WEIR.device6, OVS.device6)):
        for sender, receiver, source, target in ((*ports, ours, theirs),
                                                 (*reversed(ports), theirs, ours)):
            for ecn in FIELDS:
                frame = roce.cnp_like(source, target, ecn=ecn)
                assert sender.send(frame)
                assert receiver.receive_within(2.0) == frame, f"ECN {ecn}"


def speak(name, **keywords):
    with Testbed(name) as bed:
        peer = OvsPeer(bed, **keywords)
        kernels_speak(peer)
        roce_crosses(peer)
        check_gateways([peer.gateway])


@test
def ovs_dpdk_is_the_peer_over_ipv4():
    speak("ovs-dpdk4", family=4)


@test
def ovs_dpdk_is_the_peer_over_ipv6():
    speak("ovs-dpdk6", family=6)


run()
