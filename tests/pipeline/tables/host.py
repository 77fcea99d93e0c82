# SPDX-License-Identifier: Apache-2.0
"""The host's own traffic at an underlay port that has a twin, each class of it, broken too; what
the kernel sends by the twin; and the same frames at a port without one, where they die."""

from frames import (
    A1, B2, BLUE_VNI, BROADCAST, GW2, HOST, MTU, NEXT_HOP, SELF, Table, WIRE, WIRE_MAC,
    encapsulated, wrap, write_middle)
from large import ACK, CWR, FAMILIES, PSH, tcp_frame, tcp_segments, text
from scapy.layers.inet import ICMP, IP, IPOption_NOP, IPOption_Router_Alert, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest, ICMPv6MLReport2, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_Redirect,
    ICMPv6ND_RS, ICMPv6PacketTooBig, IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

TWIN, BARE, SMALL_WIRE, SMALL_TWIN, GONE_WIRE, VLAN_WIRE, VLAN_TWIN = 2, 3, 4, 5, 6, 7, 8
BARE_MAC, SMALL_MAC, GONE_MAC, VLAN_MAC = ("02:70:63:61:70:%02x" % i for i in (3, 4, 6, 7))
VLAN = 300
OUTER, DECAPSULATE = "wire_to_host/parse_outer", "wire_to_host/decapsulate"
PARSE, ADMIT = "to_host/parse_frame", "to_host/admit_to_host"
CLASSES = ("neighbour", "lacp", "bfd", "bgp", "ssh", "icmp", "fragment", "other")
LLDP_MACS = ("01:80:c2:00:00:0e", "01:80:c2:00:00:03", "01:80:c2:00:00:00")
LACP_MAC = "01:80:c2:00:00:02"
OURS4, OURS6, THEIRS4, THEIRS6 = "192.0.2.1", "fe80::1", "192.0.2.2", "fe80::2"

# No class is ever full here: host_policing.cpp is about that.
TOPOLOGY = f"""\
port {HOST} tenant 1
port {WIRE} underlay {WIRE_MAC} {MTU} 0 {TWIN}
port {TWIN} host {WIRE} {MTU}
port {BARE} underlay {BARE_MAC} {MTU}
port {SMALL_WIRE} underlay {SMALL_MAC} {MTU} 0 {SMALL_TWIN}
port {SMALL_TWIN} host {SMALL_WIRE} 1000
port {GONE_WIRE} underlay {GONE_MAC} {MTU} 0 20
port {VLAN_WIRE} underlay {VLAN_MAC} {MTU} {VLAN} {VLAN_TWIN}
port {VLAN_TWIN} host {VLAN_WIRE} {MTU}
vtep local 1 {SELF}
vtep remote 2 {GW2} {WIRE} {SELF} {NEXT_HOP} resolved {MTU} 64 copy
network 1 {BLUE_VNI} flood 2
endpoint 1 {A1} port {HOST}
endpoint 1 {B2} vtep 2
""" + "".join(f"host_rule {name} 10000000 65535\n" for name in CLASSES) + "host_rule lldp drop\n"


def ether(mac=WIRE_MAC, **fields):
    return Ether(src=NEXT_HOP, dst=mac, **fields)


def ip4(**fields):
    return IP(src=THEIRS4, dst=OURS4, **fields)


def ip6(**fields):
    return IPv6(src=THEIRS6, dst=OURS6, **fields)


def both(payload):
    return (("IPv4", ip4() / payload), ("IPv6", ip6() / payload))


def of_classes():
    """Class, name, packet, and what it dies of where nobody wants it: stage and reason."""
    for ports in (dict(sport=179, dport=50000), dict(sport=50000, dport=179)):
        for family, packet in both(TCP(**ports)):
            yield "bgp", f"BGP over {family} {ports}", packet, OUTER, "protocol_not_handled"
    for ports in (dict(sport=22, dport=50000), dict(sport=50000, dport=22)):
        for family, packet in both(TCP(**ports)):
            yield "ssh", f"ssh over {family} {ports}", packet, OUTER, "protocol_not_handled"
    for port in (3784, 3785, 4784, 6784):
        for family, packet in both(UDP(sport=49152, dport=port) / Raw(bytes(24))):
            yield "bfd", f"BFD to {port} over {family}", packet, DECAPSULATE, "udp_port_not_handled"
        for family, packet in both(UDP(sport=49152, dport=port, chksum=0x1234) / Raw(bytes(24))):
            yield ("bfd", f"BFD to {port} over {family}, with a wrong checksum", packet, OUTER,
                   "udp_bad_checksum")
    for family, packet in both(TCP(sport=50000, dport=443)):
        yield "other", f"another connection over {family}", packet, OUTER, "protocol_not_handled"
    for family, packet in both(UDP(sport=3784, dport=50000, chksum=0)):
        yield "other", f"UDP over {family}", packet, DECAPSULATE, "udp_port_not_handled"
    yield ("icmp", "an echo request", ip4() / ICMP() / Raw(bytes(56)), OUTER,
           "protocol_not_handled")
    yield ("icmp", "an echo request to the VTEP's address", IP(src=GW2, dst=SELF) / ICMP(), OUTER,
           "protocol_not_handled")
    for message in (ICMPv6EchoRequest(data=bytes(56)), ICMPv6PacketTooBig()):
        yield "icmp", message.name, ip6() / message, OUTER, "protocol_not_handled"
    for message in (ICMPv6ND_RS(), ICMPv6ND_RA(), ICMPv6ND_NS(tgt=OURS6), ICMPv6ND_NA(tgt=THEIRS6),
                    ICMPv6ND_Redirect()):
        yield "neighbour", message.name, ip6(hlim=255) / message, OUTER, "protocol_not_handled"
    yield ("other", "IPv4 with options", ip4(options=[IPOption_NOP()] * 4) / TCP(dport=443), OUTER,
           "ipv4_options")
    yield ("bgp", "BGP behind IPv4 options", ip4(options=[IPOption_NOP()] * 40) / TCP(dport=179),
           OUTER, "ipv4_options")
    yield "fragment", "a first IPv4 fragment", ip4(flags="MF") / UDP(dport=3784), OUTER, \
        "ipv4_fragment"
    yield ("fragment", "a last IPv4 fragment of one byte", ip4(frag=9, proto=17) / Raw(b"x"), OUTER,
           "ipv4_fragment")
    yield ("fragment", "an IPv6 fragment", ip6() / IPv6ExtHdrFragment(m=1) / UDP(dport=3784), OUTER,
           "ipv6_extension_header")
    yield ("other", "IPv6 with an extension header", ip6() / IPv6ExtHdrHopByHop() / TCP(dport=179),
           OUTER, "ipv6_extension_header")
    yield "other", "OSPF", ip4(proto=89) / Raw(bytes(44)), OUTER, "protocol_not_handled"
    yield ("other", "VXLAN for somebody else", IP(src=GW2, dst="198.18.0.9") /
           UDP(dport=4789, chksum=0) / VXLAN(vni=BLUE_VNI) / Raw(write_middle(B2, A1)),
           DECAPSULATE, "destination_not_local")
    # Too short to say more than what their IP header does.
    for length in range(4):
        yield ("other", f"{length} bytes of TCP", ip4(proto=6) / Raw(bytes(length)), OUTER,
               "protocol_not_handled")
    yield "icmp", "ICMPv6 without a type", ip6(nh=58), OUTER, "protocol_not_handled"


def of_link():
    """Class, name, destination MAC, what stands behind it."""
    for mac in (BROADCAST, WIRE_MAC):
        yield "neighbour", f"an ARP request to {mac}", mac, ARP(psrc=THEIRS4, pdst=OURS4)
        yield "neighbour", f"an ARP reply to {mac}", mac, ARP(op=2, psrc=THEIRS4, pdst=OURS4)
        yield ("neighbour", f"an ARP request with a tag to {mac}", mac,
               Dot1Q(vlan=5) / ARP(psrc=THEIRS4, pdst=OURS4))
        yield "other", f"BPDU-like frame to {mac}", mac, Dot1Q(vlan=5) / Dot1Q(vlan=6, type=0x1234)
    yield "bgp", "tagged BGP", WIRE_MAC, Dot1Q(vlan=5) / ip4() / TCP(dport=179)
    yield "lacp", "LACP", LACP_MAC, Raw(bytes(110))
    yield ("neighbour", "a neighbour solicitation to a group", "33:33:ff:00:00:01",
           IPv6(src=THEIRS6, dst="ff02::1:ff00:1", hlim=255) / ICMPv6ND_NS(tgt=OURS6))
    yield ("other", "an MLD report", "33:33:00:00:00:16",
           IPv6(src=THEIRS6, dst="ff02::16", hlim=1) / IPv6ExtHdrHopByHop() / ICMPv6MLReport2())
    yield ("other", "an OSPF hello", "01:00:5e:00:00:05",
           IP(src=THEIRS4, dst="224.0.0.5", ttl=1, proto=89) / Raw(bytes(44)))
    yield ("other", "IGMP", "01:00:5e:00:00:16",
           IP(src=THEIRS4, dst="224.0.0.22", ttl=1, proto=2, options=[IPOption_Router_Alert()]) /
           Raw(bytes(8)))


def link_frame(mac, rest, to=None):
    if mac == LACP_MAC:
        return bytes(ether(mac, type=0x8809) / rest)
    return bytes(ether(to if to and mac == WIRE_MAC else mac) / rest)


def is_weirs_too(packet):
    """Whether the housekeeper wants to see it: untagged ARP, solicitations and answers of ND."""
    return isinstance(packet, ARP) or ICMPv6ND_NS in packet or ICMPv6ND_NA in packet


def reach_the_host(table):
    for name_of_class, name, packet, stage, reason in of_classes():
        frame = bytes(ether() / packet)
        table.case(f"{name} reaches the host").enters(WIRE, frame)
        table.leaves(TWIN, frame).counts("host_" + name_of_class, WIRE)
        table.is_punted(is_so=is_weirs_too(packet))
        table.case(f"{name} dies without a twin").enters(BARE, bytes(ether(BARE_MAC) / packet))
        if is_weirs_too(packet):
            table.is_punted()
        else:
            table.dies(stage, reason)
    for name_of_class, name, mac, rest in of_link():
        frame = link_frame(mac, rest)
        table.case(f"{name} reaches the host").enters(WIRE, frame)
        table.leaves(TWIN, frame).counts("host_" + name_of_class, WIRE)
        table.is_punted(is_so=is_weirs_too(rest))
        table.case(f"{name} dies without a twin").enters(BARE, link_frame(mac, rest, BARE_MAC))
        is_ours = mac == WIRE_MAC
        if is_weirs_too(rest):
            table.is_punted()
        else:
            table.dies(OUTER, "unknown_vlan" if Dot1Q in rest
                       else "ethertype_not_handled" if is_ours else "wrong_destination_mac")


def stay_out(table):
    for mac in LLDP_MACS:
        frame = bytes(ether(mac, type=0x88CC) / Raw(bytes(60)))
        table.case(f"LLDP to {mac}, which a rule drops").enters(WIRE, frame)
        table.dies(ADMIT, "host_refused")
    for mac in (NEXT_HOP, BARE_MAC, "01:00:5e:80:00:01", "01:80:c2:00:00:01", "01:80:c2:00:00:0d",
                "33:32:00:00:00:01", "03:33:00:00:00:01", "01:01:5e:00:00:01"):
        frame = bytes(ether(mac) / ip4() / TCP(dport=179))
        table.case(f"BGP for {mac}").enters(WIRE, frame).dies(OUTER, "wrong_destination_mac")
    pause = bytes(ether("01:80:c2:00:00:01", type=0x8808) / Raw(bytes(46)))
    table.case("a pause frame").enters(WIRE, pause).dies(OUTER, "wrong_destination_mac")
    pause = bytes(ether(type=0x8808) / Raw(bytes(46)))
    table.case("a pause frame for this MAC").enters(WIRE, pause)
    table.dies(PARSE, "ethertype_not_handled")
    large = bytes(ether(SMALL_MAC) / ip4() / TCP(dport=179) / Raw(bytes(1100)))
    table.case("a segment larger than the twin's MTU").enters(SMALL_WIRE, large)
    table.dies(ADMIT, "mtu_exceeded")
    small = bytes(ether(SMALL_MAC) / ip4() / TCP(dport=179) / Raw(bytes(900)))
    table.case("a segment that fits the twin's MTU").enters(SMALL_WIRE, small)
    table.leaves(SMALL_TWIN, small)
    table.case("a twin that is gone").enters(GONE_WIRE, bytes(ether(GONE_MAC) / ARP()))
    table.dies(ADMIT, "port_missing").is_punted()


def broken(table):
    """Damage dies where it is seen, whoever the frame was for."""
    def dies(name, packet, stage, reason, mac=WIRE_MAC):
        table.case(name).enters(WIRE, bytes(ether(mac) / packet)).dies(stage, reason)

    dies("BGP with a wrong IP version", ip4(version=5) / TCP(dport=179), OUTER, "ipv4_bad_version")
    dies("BGP with a short IP header", ip4(ihl=4) / TCP(dport=179), OUTER,
         "ipv4_bad_header_length")
    dies("BGP cut on the way", ip4(len=400) / TCP(dport=179), OUTER, "ipv4_bad_total_length")
    dies("BGP with a wrong IP checksum", ip4(chksum=0x1234) / TCP(dport=179), OUTER,
         "ipv4_bad_checksum")
    dies("BGP over IPv6 with a wrong version", ip6(version=4) / TCP(dport=179), OUTER,
         "ipv6_bad_version")
    dies("BGP over IPv6 cut on the way", ip6(plen=400) / TCP(dport=179), OUTER,
         "ipv6_bad_payload_length")
    dies("options beyond the packet", ip4(ihl=15) / TCP(dport=179), PARSE,
         "ipv4_bad_header_length")
    dies("a cut packet to a group", IP(src=THEIRS4, dst="224.0.0.5", len=400, proto=89), PARSE,
         "ipv4_bad_total_length", "01:00:5e:00:00:05")
    dies("a packet of another version to a group", IP(src=THEIRS4, dst="224.0.0.5", version=6),
         PARSE, "ipv4_bad_version", "01:00:5e:00:00:05")
    dies("a cut IPv6 packet to a group", IPv6(src=THEIRS6, dst="ff02::1", plen=400), PARSE,
         "ipv6_bad_payload_length", "33:33:00:00:00:01")
    dies("IPv6 of another version to a group", IPv6(src=THEIRS6, dst="ff02::1", version=4), PARSE,
         "ipv6_bad_version", "33:33:00:00:00:01")
    for name_of_class, name, mac, rest in of_link():
        if name_of_class == "lacp":
            continue
        frame = link_frame(mac, rest)
        for length in range(12, 14):
            table.case(f"{name} cut to {length} bytes").enters(WIRE, frame[:length])
            table.dies(OUTER, "frame_truncated")
    tagged = link_frame(WIRE_MAC, Dot1Q(vlan=5) / ARP())
    for length in range(14, 18):
        table.case(f"a tag cut to {length} bytes").enters(WIRE, tagged[:length])
        table.dies(OUTER, "frame_truncated")
    # A tunnel packet for this gateway is none of the kernel's, broken or not.
    inner = write_middle(B2, A1)
    table.case("an unknown VNI").enters(WIRE, wrap(inner, vni=999)).dies(DECAPSULATE, "unknown_vni")
    table.case("an unknown VTEP").enters(WIRE, wrap(inner, source="198.18.0.77"))
    table.dies(DECAPSULATE, "unknown_vtep")
    table.case("a tunnel packet with a wrong checksum").enters(WIRE, wrap(inner, checksum=0x1234))
    table.dies(OUTER, "udp_bad_checksum")
    table.case("a tunnel packet").enters(WIRE, wrap(inner)).leaves(HOST, inner)
    back = write_middle(A1, B2)
    table.case("a frame into a tunnel").enters(HOST, back).leaves(WIRE, encapsulated(back))


def from_the_host(table):
    sent = [(name, bytes(Ether(src=WIRE_MAC, dst=NEXT_HOP) / packet))
            for _, name, packet, _, _ in of_classes()]
    sent += [(name, link_frame(mac, rest)) for _, name, mac, rest in of_link()]
    sent.append(("a frame that looks like a tunnel's", wrap(write_middle(B2, A1))))
    sent.append(("nothing but an Ethernet header", bytes(ether())))
    for name, frame in sent:
        table.case(f"{name} from the host leaves unchanged").enters(TWIN, frame)
        table.leaves(WIRE, frame)
    full = bytes(ether() / IP() / Raw(bytes(MTU - 20)))
    table.case("as large as the MTU from the host").enters(TWIN, full).leaves(WIRE, full)
    table.case("a frame beyond the MTU from the host").enters(TWIN, full + bytes(9))
    table.dies("from_host/pick_peer", "mtu_exceeded")


def of_a_vlan(table):
    """The twin of a port with a VLAN has no tag: it goes and comes at the wire."""
    def at_wire(frame, vid=VLAN):
        return frame[:12] + b"\x81\x00" + vid.to_bytes(2, "big") + frame[12:]

    for _, name, packet, _, _ in of_classes():
        for_host = bytes(ether(VLAN_MAC) / packet)
        table.case(f"{name} on the VLAN reaches the host").enters(VLAN_WIRE, at_wire(for_host))
        table.leaves(VLAN_TWIN, for_host).is_punted(for_host, is_weirs_too(packet))
        sent = bytes(Ether(src=VLAN_MAC, dst=NEXT_HOP) / packet)
        table.case(f"{name} from the host leaves on the VLAN").enters(VLAN_TWIN, sent)
        table.leaves(VLAN_WIRE, at_wire(sent))
    request = bytes(ether("ff:ff:ff:ff:ff:ff") / ARP(psrc=THEIRS4, pdst=OURS4))
    table.case("ARP on the VLAN is for both").enters(VLAN_WIRE, at_wire(request))
    table.leaves(VLAN_TWIN, request).is_punted(request)
    for name, frame in (("without a tag", request), ("of another VLAN", at_wire(request, 301))):
        table.case(f"ARP {name}").enters(VLAN_WIRE, frame)
        table.dies("wire_to_host/untag_frame", "unknown_vlan")
    full = bytes(ether() / IP() / Raw(bytes(MTU - 20)))
    table.case("as large as the MTU from the host to the VLAN").enters(VLAN_TWIN, full)
    table.leaves(VLAN_WIRE, at_wire(full))
    payload = text(1400)
    for family in FAMILIES:
        table.case(f"TCP over {family.name} from the host is cut, and tagged")
        table.enters(VLAN_TWIN, tcp_frame(family, NEXT_HOP, payload), 500)
        for segment in tcp_segments(family, NEXT_HOP, payload, 500):
            table.leaves(VLAN_WIRE, at_wire(segment))


def cut(table):
    """What the kernel left for the device to cut leaves, and arrives, in frames of the wire's."""
    payload = text(1400)
    for family in FAMILIES:
        for flags in (ACK, CWR | ACK | PSH):
            large = tcp_frame(family, NEXT_HOP, payload, flags=flags)
            table.case(f"TCP over {family.name} with flags {flags:#x} from the host is cut")
            table.enters(TWIN, large, 500)
            for segment in tcp_segments(family, NEXT_HOP, payload, 500, flags=flags):
                table.leaves(WIRE, segment)
        table.case(f"TCP over {family.name} for the host is cut")
        table.enters(WIRE, tcp_frame(family, WIRE_MAC, payload), 500)
        for segment in tcp_segments(family, WIRE_MAC, payload, 500):
            table.leaves(TWIN, segment)
    odd = bytes(ether() / ARP())
    table.case("ARP from the host to be cut").enters(TWIN, odd, 10)
    table.dies("from_host/segment_large", "large_frame_malformed")
    table.case("ARP for the host to be cut").enters(WIRE, odd, 10)
    table.dies("to_host/segment_large", "large_frame_malformed")


def make():
    table = Table(TOPOLOGY)
    for cases in (reach_the_host, stay_out, broken, from_the_host, of_a_vlan, cut):
        cases(table)
    return table
