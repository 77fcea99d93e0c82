#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""xdp ports share an interface with the kernel: tunnel packets are Weir's, everything else stays
with the kernel, whatever becomes of the data plane; and a tenant's frames are for nobody else."""

import os
import signal
import socket
import struct
import time

from context import (SIDES, VNI, Gateway, InNamespace, KernelPeerOverXdp, RawPort, Testbed,
                     check_gateways, intent_of, ping, roce, run, settle, shape, tag, test, wait_for)

HOST, KERNEL = SIDES
QUEUES = shape()[1]
# The long form is 100.
ROUNDS = int(os.environ.get("WEIR_ROUNDS", "10"))


def state_of(gateway, name):
    return next(port for port in gateway.show("stats", "show")["ports"] if port["name"] == name)


def cross_between_weir_and_the_kernel(name, **keywords):
    with Testbed(name) as bed:
        peer = KernelPeerOverXdp(bed, **keywords)
        peer.cross()
        wire = state_of(peer.gateway, "wire0")
        assert wire["driver"] == "xdp native copy" and wire["rx_queues"] == QUEUES, wire
        assert "xdp native copy" in peer.gateway.weir("port", "show")
        # The kernel, too, found no fault in what it got.
        assert peer.udp_checksum_errors() == 0
        check_gateways([peer.gateway], but=peer.noise)


@test
def ping_and_iperf3_cross_between_weir_and_the_kernel():
    cross_between_weir_and_the_kernel("xdp-kernel")


@test
def ping_and_iperf3_cross_over_ipv6_without_udp_checksums():
    cross_between_weir_and_the_kernel("xdp-kernel6", family=6)


@test
def ping_and_iperf3_cross_over_ipv6_with_udp_checksums():
    cross_between_weir_and_the_kernel("xdp-kernel6-full", family=6, checksum="full")


@test
def generic_mode_carries_the_same():
    with Testbed("xdp-generic") as bed:
        peer = KernelPeerOverXdp(bed, wire_device="xdp:wire0,mode=generic")
        peer.cross()
        assert state_of(peer.gateway, "wire0")["driver"] == "xdp generic copy"
        check_gateways([peer.gateway])


@test
def busy_polling_carries_the_same():
    with Testbed("xdp-busy-poll") as bed:
        peer = KernelPeerOverXdp(bed, wire_device="xdp:wire0,busy_poll=on")
        peer.cross()
        assert state_of(peer.gateway, "wire0")["driver"] == "xdp native copy busy-poll"
        check_gateways([peer.gateway])


def tunnel_packet(inner_bytes):
    """From the kernel's VTEP to Weir's."""
    inner = roce.cnp_like(KERNEL.device, HOST.device, ecn=0).ljust(inner_bytes, b"\0")
    return roce.vxlan(inner, roce.Host(KERNEL.wire_mac, KERNEL.vtep),
                      roce.Host(HOST.wire_mac, HOST.vtep))


def device_drops(peer, reason):
    return state_of(peer.gateway, "wire0")["device_drops"].get(reason, 0)


@test
def frames_that_the_kernel_cannot_hand_over_are_counted_by_reason():
    with Testbed("xdp-lost") as bed:
        peer = KernelPeerOverXdp(bed)
        wire = RawPort(peer.peer.name, "wire0")
        os.kill(peer.gateway.dataplane_pid(), signal.SIGSTOP)
        for _ in range(2000):                   # More than the 512 buffers of any one queue.
            wire.send(tunnel_packet(100))
        os.kill(peer.gateway.dataplane_pid(), signal.SIGCONT)
        wait_for(lambda: device_drops(peer, "rx_fill_empty") > 0, "the ring was empty")
        for namespace in (peer.gateway.namespace, peer.peer):
            namespace.ip("link", "set", "wire0", "mtu", 3000)
        assert wire.send(tunnel_packet(2500))
        wait_for(lambda: device_drops(peer, "rx_too_long") == 1, "a frame beyond a buffer")
        assert peer.host.ping(KERNEL.kernel.ip, 10) == 1.0


class Conversation:
    """One TCP connection to the kernel's address on Weir's own underlay interface, as ssh has it: a
    number every 10 ms, each echoed."""

    SERVER = ("import socket,sys\n"
              "family=socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET\n"
              "s=socket.create_server((sys.argv[1],2222),family=family)\n"
              "print('listens',flush=True)\n"
              "c,_=s.accept()\n"
              "while d:=c.recv(4096): c.sendall(d)\n")
    CLIENT = ("import socket,sys,time\n"
              "c=socket.create_connection((sys.argv[1],2222)); f=c.makefile('rb')\n"
              "slowest=0.0\n"
              "for number in range(10**9):\n"
              "  then=time.monotonic(); line=b'%d\\n'%number; c.sendall(line)\n"
              "  assert f.readline()==line\n"
              "  slowest=max(slowest,time.monotonic()-then)\n"
              "  print(f'{number} {slowest}\\n',end='',flush=True); time.sleep(0.01)\n")

    def __init__(self, peer, address):
        self.address = address
        python = ("/usr/bin/python3", "-c")
        self.server = peer.bed.start(f"echo-server-{address}", peer.gateway.namespace.inside(
            *python, self.SERVER, address))
        wait_for(lambda: "listens" in self.server.log(), "the server listens")
        self.client = peer.bed.start(f"echo-client-{address}", peer.peer.inside(
            *python, self.CLIENT, address))
        wait_for(lambda: self.progress()[0] > 0, "the connection lives")

    def progress(self):
        """How many numbers came back, and the longest time that one took."""
        lines = self.client.log().rpartition("\n")[0].splitlines()  # Whole lines only.
        number, slowest = lines[-1].split() if lines else (0, 0)
        return int(number), float(slowest)

    def check(self):
        assert self.client.alive() and self.server.alive()
        count, slowest = self.progress()
        print(f"# {self.address}: the slowest of {count} echoes took {slowest * 1000:.1f} ms")


class Conversations:
    """One in each family."""

    def __init__(self, peer):
        self.peer = peer
        gateway = peer.gateway.namespace
        gateway.run("sysctl", "-q", "-w", "net.ipv6.conf.wire0.disable_ipv6=0")
        for namespace, side in ((gateway, HOST), (peer.peer, KERNEL)):
            namespace.ip("addr", "add", f"{side.vtep6}/64", "dev", "wire0", "nodad")
        self.all = [Conversation(peer, address) for address in (HOST.vtep, HOST.vtep6)]

    def must_go_on(self):
        before = [one.progress()[0] for one in self.all]
        wait_for(lambda: all(one.progress()[0] > count + 5 for one, count in zip(self.all, before)),
                 "echoes in both families")

    def check(self):
        """TCP had nothing to send twice: no frame of it was lost."""
        for one in self.all:
            one.check()
        again = sum(int(line.split()[1])
                    for namespace in (self.peer.peer, self.peer.gateway.namespace)
                    for line in namespace.run("nstat", "-az", "TcpRetransSegs").splitlines()
                    if "TcpRetransSegs" in line)
        print(f"# {again} retransmissions")
        assert again == 0, again


@test
def tcp_to_the_kernel_lives_while_weir_is_killed_stopped_and_restarted():
    """In turns: the data plane is killed, or told to end; the control plane is killed."""
    with Testbed("xdp-restart") as bed:
        peer = KernelPeerOverXdp(bed)
        gateway, conversations = peer.gateway, Conversations(peer)
        for number in range(ROUNDS):
            if number % 3 == 0:
                gateway.dataplane.kill()
            elif number % 3 == 1:
                assert gateway.dataplane.stop() == 0
            else:
                gateway.controlplane.kill()
            conversations.must_go_on()
            if number % 3 == 2:
                gateway.start_controlplane()
            else:
                gateway.start_dataplane()
            gateway.wait_in_sync()
            conversations.must_go_on()
        # Its TAP went with each data plane.
        peer.host.plug_in()
        peer.host.give_addresses()
        assert peer.host.ping(KERNEL.kernel.ip, 10) == 1.0
        conversations.check()


@test
def tcp_to_the_kernel_lives_while_weir_is_reconfigured():
    with Testbed("xdp-reconfigure") as bed:
        peer = KernelPeerOverXdp(bed)
        conversations = Conversations(peer)
        whole = peer.intent("xdp:wire0")
        host0 = whole["ports"][1]
        alone = {"ports": [host0], "networks": [{"name": "blue", "vni": VNI}]}
        transit = {**alone, "ports": [
            host0, {"name": "wire0", "role": "transit", "peer": "out", "device": "xdp:wire0"},
            {"name": "out", "role": "transit", "peer": "wire0", "device": "net_null0,no-rx=1"}]}
        others = (alone, transit, peer.intent("xdp:wire0,mode=generic"))
        for number in range(ROUNDS):
            for intent in (others[number % len(others)], whole):
                peer.gateway.apply(intent)
                conversations.must_go_on()
        assert peer.host.ping(KERNEL.kernel.ip, 10) == 1.0
        conversations.check()


@test
def an_interface_that_was_removed_carries_again_when_it_returns():
    with Testbed("xdp-replug") as bed:
        peer = KernelPeerOverXdp(bed)
        before = None
        for round_ in range(10):
            peer.cut_cable()
            wait_for(lambda: state_of(peer.gateway, "wire0")["link_up"] == 0, "a lost link")
            peer.lay_cable()
            peer.set_up_kernel(peer.peer.ip)
            wait_for(lambda: state_of(peer.gateway, "wire0")["link_up"] == 1, "the link is back")
            wait_for(lambda: peer.host.reaches(KERNEL.kernel.ip), "frames flow again")
            held = peer.gateway.descriptors_held()
            before = held if round_ == 1 else before
            assert before is None or held == before, f"{held} descriptors, {before} before"
        # What was on its way when the cable was cut was lost; nothing is held on to.
        settled = settle([peer.gateway])[0]
        assert settled.totals()["mismatch"] == 0 and settled.totals()["held"] == 0


class TenantOverXdp:
    """A tenant port that is an xdp port. The gateway's kernel has an address on that interface too,
    which the tenant must never reach."""

    ADDRESS = "10.77.9.1"

    def __init__(self, bed, absent):
        self.gateway = Gateway(bed, "gw1", options=("--bpffs", bed.bpffs())).start()
        self.host = bed.namespace("host1", ipv6=True)
        bed.cable(self.gateway.namespace, "host0", self.host, "host0", queues=QUEUES)
        self.gateway.namespace.ip("addr", "add", f"{self.ADDRESS}/24", "dev", "host0")
        self.host.ip("addr", "add", "10.77.9.2/24", "dev", "host0")
        intent = intent_of(HOST, tenant_device=f"xdp:host0{absent}", wire_device="net_ring0")
        self.gateway.apply(intent)

    def reaches_the_kernel(self):
        # Else nothing is sent where the last question was just given up.
        self.host.ip("neigh", "flush", "dev", "host0")
        return ping(self.host, self.ADDRESS, 1, patience=0.5) == 1.0

    def kill(self):
        os.kill(self.gateway.dataplane_pid(), signal.SIGKILL)
        self.gateway.dataplane.popen.wait(10)


@test
def a_tenants_frames_are_dropped_while_no_data_plane_runs():
    with Testbed("xdp-drop") as bed:
        tenant = TenantOverXdp(bed, "")
        gateway = tenant.gateway
        assert not tenant.reaches_the_kernel()
        assert state_of(gateway, "host0")["device_drops"].get("port_unread", 0) == 0
        for _ in range(2):
            tenant.kill()
            assert not tenant.reaches_the_kernel(), "it reached the gateway while nobody ran"
            gateway.start_dataplane()
            gateway.wait_in_sync()
            wait_for(lambda: state_of(gateway, "host0")["device_drops"].get("port_unread", 0) > 0,
                     "what was dropped meanwhile is told")
            assert not tenant.reaches_the_kernel()
        assert gateway.dataplane.stop() == 0
        assert not tenant.reaches_the_kernel(), "stopping is not removing"
        gateway.start_dataplane()
        gateway.wait_in_sync()
        gateway.apply({"ports": []})
        # The device is closed when no worker uses it any more: after the answer.
        wait_for(tenant.reaches_the_kernel, "the interface is the kernel's again")
        pins = [path.name for path in bed.bpffs().iterdir() if path.name.startswith("xdp-")]
        assert not pins, pins


@test
def a_data_plane_takes_over_what_dropped_frames_in_another_mode():
    with Testbed("xdp-drop-mode") as bed:
        tenant = TenantOverXdp(bed, "")
        gateway = tenant.gateway
        for mode in ("generic", "native"):
            tenant.kill()
            wait_for(lambda: gateway.link_state() != "in_sync", "the control plane is alone")
            gateway.weir("port", "set", "host0", "device", f"xdp:host0,mode={mode}")
            assert not tenant.reaches_the_kernel(), "it reached the gateway while nobody ran"
            gateway.start_dataplane()
            gateway.wait_in_sync()
            assert state_of(gateway, "host0")["driver"] == f"xdp {mode} copy"
            before = state_of(gateway, "host0")["rx_packets"]
            assert not tenant.reaches_the_kernel()
            wait_for(lambda before=before: state_of(gateway, "host0")["rx_packets"] > before,
                     "its frames come to Weir")


@test
def a_tenants_frames_go_to_the_kernel_where_the_operator_says_so():
    with Testbed("xdp-pass") as bed:
        tenant = TenantOverXdp(bed, ",absent=pass")
        assert not tenant.reaches_the_kernel()
        tenant.kill()
        assert tenant.reaches_the_kernel()
        tenant.gateway.start_dataplane()
        tenant.gateway.wait_in_sync()
        assert not tenant.reaches_the_kernel()


def send_datagrams(namespace, address, port=5000, count=100):
    with InNamespace(namespace.name):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender:
        for size in range(count):
            sender.sendto(bytes(size), (address, port))


def with_unfinished_checksum(frame):
    """IPv4 and UDP, without tags."""
    pseudo = frame[26:34] + struct.pack("!HH", 17, len(frame) - 34)
    return frame[:40] + struct.pack("!H", roce.internet_checksum(pseudo) ^ 0xFFFF) + frame[42:]


@test
def checksums_that_a_tenant_left_to_a_device_are_told():
    """XDP does not say that they were: nobody can finish them, and no receiver would take them."""
    with Testbed("xdp-checksums") as bed:
        tenant = TenantOverXdp(bed, "")
        tenant.host.ip("neigh", "add", "10.77.9.3", "lladdr", KERNEL.kernel.mac, "dev", "host0")

        def dropped():
            drops = state_of(tenant.gateway, "host0")["device_drops"]
            return drops.get("checksum_unfinished", 0)

        def send(offload):
            tenant.host.run("ethtool", "-K", "host0", "tx", offload)
            before = state_of(tenant.gateway, "host0")["rx_packets"] + dropped()
            send_datagrams(tenant.host, "10.77.9.3")
            wait_for(lambda: state_of(tenant.gateway, "host0")["rx_packets"] + dropped() >= before +
                     100, "all frames are counted")

        send("off")
        assert dropped() == 0
        send("on")
        # What a device counts is read once a second.
        wait_for(lambda: dropped() == 100, "all of them are told")
        send("off")
        assert dropped() == 100
        raw = RawPort(tenant.host.name, "host0")
        good = roce.cnp_like(HOST.device, KERNEL.device, ecn=0)
        for vlans in ((), (0,), (7,), (7, 9)):
            assert raw.send(tag(good, *vlans))
            assert raw.send(tag(with_unfinished_checksum(good), *vlans))
        wait_for(lambda: dropped() >= 104, "those behind tags are told too")
        settle([tenant.gateway])
        assert dropped() == 104


def checksums_left_by_the_other_vtep(name, **keywords):
    """What the kernel's tunnel carries is unfinished, and the packet's own checksum is of what it
    was to become; or that is unfinished, where there is one and nothing in it was left over."""
    with Testbed(name) as bed:
        peer = KernelPeerOverXdp(bed, **keywords)
        # The kernel's questions would be lost as well.
        peer.peer.ip("neigh", "add", HOST.kernel.ip, "lladdr", HOST.kernel.mac, "dev", "vx0")
        assert peer.host.ping(KERNEL.kernel.ip, 3) == 1.0

        def dropped():
            return device_drops(peer, "checksum_unfinished")

        def offload(wire, tunnel):
            for interface, value in (("wire0", wire), ("vx0", tunnel)):
                peer.peer.run("ethtool", "-K", interface, "tx", value)
            time.sleep(1.2)                      # What a device counts is read once a second.
            return dropped()

        hears = RawPort(peer.host.namespace.name, "host0", 5000)
        before = offload("off", "off")
        assert before == 0
        send_datagrams(peer.peer, HOST.kernel.ip)
        wait_for(lambda: hears.receive() is not None, "datagrams arrive")
        assert hears.discard_late() == 99

        before = offload("on", "on")
        send_datagrams(peer.peer, HOST.kernel.ip)
        wait_for(lambda: dropped() >= before + 100, "all of them are told")
        assert hears.receive_within(0.5) is None, "a datagram nobody can take arrived"

        before = offload("on", "off")
        send_datagrams(peer.peer, HOST.kernel.ip)
        if peer.checksum == "full":
            wait_for(lambda: dropped() >= before + 100, "all tunnel packets are told")
            assert hears.receive_within(0.5) is None
        else:
            wait_for(lambda: hears.receive() is not None, "without a checksum all is finished")
            assert hears.discard_late() == 99
            assert offload("on", "off") == before
        check_gateways([peer.gateway], but=("checksum_unfinished", *peer.noise))


@test
def checksums_that_the_other_vtep_left_to_a_device_are_told_over_ipv4():
    checksums_left_by_the_other_vtep("xdp-checksums-wire4")


@test
def checksums_that_the_other_vtep_left_to_a_device_are_told_over_ipv6():
    checksums_left_by_the_other_vtep("xdp-checksums-wire6", family=6, checksum="full")


run()
