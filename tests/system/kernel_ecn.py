#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ECN between Weir and the Linux kernel's VXLAN device, with what each is entitled to: Weir copies
the field into the outer header (RFC 6040 normal mode), the kernel writes ECT(0) there for CE
(RFC 3168 full functionality), and neither may lose a CE on the way in or out."""

from context import (KernelPeer, KernelPeerOverXdp, RawPort, SIDES, Testbed, check_gateways, roce,
                     run, settle, test)

NOT_ECT, ECT0, ECT1, CE = roce.NOT_ECT, roce.ECT0, roce.ECT1, roce.CE
FIELDS = (NOT_ECT, ECT0, ECT1, CE)
HOST, KERNEL = SIDES
FAMILIES = ((HOST.device, KERNEL.device), (HOST.device6, KERNEL.device6))
VXLAN_PORT = 4789

# RFC 6040 figure 4: (inner, outer) → what goes on to the host, None where it is dropped.
DECAPSULATED = {
    (NOT_ECT, NOT_ECT): NOT_ECT, (NOT_ECT, ECT0): NOT_ECT, (NOT_ECT, ECT1): NOT_ECT,
    (NOT_ECT, CE): None,
    (ECT0, NOT_ECT): ECT0, (ECT0, ECT0): ECT0, (ECT0, ECT1): ECT1, (ECT0, CE): CE,
    (ECT1, NOT_ECT): ECT1, (ECT1, ECT0): ECT1, (ECT1, ECT1): ECT1, (ECT1, CE): CE,
    (CE, NOT_ECT): CE, (CE, ECT0): CE, (CE, ECT1): CE, (CE, CE): CE,
}


def cross(sender, receiver, frame):
    """What `receiver` hears of `frame`, and nothing else."""
    while receiver.receive() is not None:
        pass
    assert sender.send(frame)
    return receiver.receive_within(2.0)


def outer_ecn(wire, frame):
    """Of the tunnel packet that carries the frame; the kernels' own frames pass there too."""
    while (packet := wire.receive_within(2.0)) is not None:
        if packet.endswith(frame):
            return packet[15] & 3 if packet[14] >> 4 == 4 else packet[15] >> 4 & 3
    return None


def over_each_underlay(body):
    """Both families, over a TAP and over an xdp port."""
    for kind in (KernelPeer, KernelPeerOverXdp):
        for family in (4, 6):
            with Testbed(f"{body.__name__.replace('_', '-')}-{kind.__name__}{family}") as bed:
                body(kind(bed, family=family))


def ecn_to_kernel(peer):
    host, inner = RawPort(peer.host.namespace.name, "host0"), RawPort(peer.peer.name, "vx0")
    wire = RawPort(peer.peer.name, "wire0", VXLAN_PORT)
    for ours, theirs in FAMILIES:
        for ecn in FIELDS:
            frame = roce.cnp_like(ours, theirs, ecn=ecn)
            assert cross(host, inner, frame) == frame
            assert outer_ecn(wire, frame) == ecn
    check_gateways([peer.gateway], but=peer.noise)


def ecn_from_kernel(peer):
    host, inner = RawPort(peer.host.namespace.name, "host0"), RawPort(peer.peer.name, "vx0")
    wire = RawPort(peer.peer.name, "wire0", VXLAN_PORT, hear_outgoing=True)
    for ours, theirs in FAMILIES:
        for ecn in FIELDS:
            frame = roce.cnp_like(theirs, ours, ecn=ecn)
            assert cross(inner, host, frame) == frame
            assert outer_ecn(wire, frame) == (ECT0 if ecn == CE else ecn)
    check_gateways([peer.gateway], but=peer.noise)


def ecn_cells(peer):
    host = RawPort(peer.host.namespace.name, "host0")
    wire = RawPort(peer.peer.name, "wire0", VXLAN_PORT)
    for ours, theirs in FAMILIES:
        for (inner, outer), expected in DECAPSULATED.items():
            frame = roce.cnp_like(theirs, ours, ecn=inner)
            arrived = cross(wire, host, encapsulated(peer, frame, outer))
            if expected is None:
                assert arrived is None, "CE on Not-ECT was passed on"
            else:
                assert arrived == roce.with_ecn(frame, expected), f"{inner} in {outer}"
    drops = settle([peer.gateway])[0].drops_of("wire_to_host")
    expected = {"ecn_ce_on_not_ect": len(FAMILIES)}
    assert {reason: count for reason, count in drops.items()
            if reason not in peer.noise} == expected, drops


def encapsulated(peer, frame, ecn):
    ours, theirs = peer.vteps
    return roce.vxlan(frame, roce.Host(KERNEL.wire_mac, theirs), roce.Host(HOST.wire_mac, ours),
                      ecn=ecn)


@test
def ecn_crosses_from_weir_to_the_kernel():
    over_each_underlay(ecn_to_kernel)


@test
def ecn_crosses_from_the_kernel_to_weir():
    over_each_underlay(ecn_from_kernel)


@test
def every_pair_of_inner_and_outer_ecn_follows_rfc_6040():
    over_each_underlay(ecn_cells)


run()
