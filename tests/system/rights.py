#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""weir-dataplane --user: no capability while it forwards; xdp and tap ports come through
weir-porthelper, which serves nobody else; what takes privilege otherwise is refused by name, and
costs nothing."""

import array
import ctypes
import fcntl
import json
import os
import pwd
import select
import signal
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

from context import (ROOT, SIDES, USER, Counters, Gateway, InNamespace, KernelPeerOverXdp,
                     RawPort, Testbed, check_gateways, find_program, roce, run, settle, shape, test,
                     wait_for)

HOST, KERNEL = SIDES
QUEUES = shape()[1]
TUNSETIFF, IFF_TAP = 0x400454CA, 2
LIBC = ctypes.CDLL(None, use_errno=True)


def threads_of(pid):
    """What the kernel says of each thread, by field."""
    for path in Path(f"/proc/{pid}/task").iterdir():
        lines = (path / "status").read_text().splitlines()
        yield {key: value.split() for key, _, value in (line.partition(":") for line in lines)}


def must_have_no_capability(pid):
    threads = list(threads_of(pid))
    assert len(threads) > 3
    for thread in threads:
        for field in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(thread[field][0], 16) == 0, (thread["Name"], field, thread[field])
    return threads


def must_have_no_rights(pid):
    entry = pwd.getpwnam(USER)
    threads = must_have_no_capability(pid)
    for thread in threads:
        assert thread["Uid"] == [str(entry.pw_uid)] * 4, (thread["Name"], thread["Uid"])
        assert thread["Gid"] == [str(entry.pw_gid)] * 4, (thread["Name"], thread["Gid"])
        assert "0" not in thread["Groups"], thread["Groups"]
        assert thread["NoNewPrivs"] == ["1"] and thread["Seccomp"] == ["2"], thread["Name"]
    main = next(thread for thread in threads if thread["Pid"] == [str(pid)])
    assert int(main["CapBnd"][0], 16) == 0, main["CapBnd"]


def helper_of(pid):
    """weir-porthelper, the data plane's only child."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(children) == 1, children
    assert Path(f"/proc/{children[0]}/comm").read_text().strip() == "weir-porthelper"
    return int(children[0])


class LatePort:
    """A cable to another host, for an xdp port that is added while the gateway forwards."""

    DEVICE = "xdp:late0,absent=pass"

    def __init__(self, peer):
        self.peer = peer
        self.host = peer.bed.namespace("late", ipv6=True)
        peer.bed.cable(peer.gateway.namespace, "late0", self.host, "late0", queues=QUEUES,
                       mtu=1450)
        self.host.ip("addr", "add", "10.77.0.3/24", "dev", "late0")

    def add_to(self, intent):
        port = {"name": "late0", "role": "tenant", "network": "blue", "device": self.DEVICE}
        return {**intent, "ports": [*intent["ports"], port],
                "endpoints": [*intent["endpoints"],
                              {"network": "blue", "mac": self.mac(), "port": "late0"}]}

    def mac(self):
        text = self.host.ip("-o", "link", "show", "late0")
        return text.split("link/ether ")[1].split()[0]

    def reaches_the_other_host(self):
        return "1 received" in self.host.run("ping", "-q", "-c", 1, "-W", 1, HOST.kernel.ip,
                                             check=False)


@test
def no_capability_is_left_while_it_forwards_and_xdp_ports_still_come():
    with Testbed("rights-xdp") as bed:
        peer = KernelPeerOverXdp(bed)
        pid = peer.gateway.dataplane_pid()
        must_have_no_rights(pid)
        assert peer.host.ping(KERNEL.kernel.ip, 20) == 1.0
        check_gateways([peer.gateway], but=peer.noise)

        late = LatePort(peer)
        peer.gateway.apply(late.add_to(peer.intent("xdp:wire0")))
        wait_for(late.reaches_the_other_host, "frames of the port that came late")
        must_have_no_rights(pid)
        # And again after its interface has gone and returned.
        peer.cut_cable()
        wait_for(lambda: not peer.host.reaches(KERNEL.kernel.ip), "a cut cable")
        peer.lay_cable()
        peer.set_up_kernel(peer.peer.ip)
        wait_for(lambda: peer.host.reaches(KERNEL.kernel.ip), "frames after the return")
        assert settle([peer.gateway])[0].totals()["mismatch"] == 0
        must_have_no_rights(pid)


@test
def the_helper_keeps_few_capabilities_and_ends_with_the_data_plane():
    with Testbed("rights-helper") as bed:
        gateway = Gateway(bed, "gw1").start()
        helper = helper_of(gateway.dataplane_pid())
        thread, = threads_of(helper)
        # NET_ADMIN 12, NET_RAW 13, IPC_LOCK 14, SYS_ADMIN 21, PERFMON 38, BPF 39.
        wanted = sum(1 << bit for bit in (12, 13, 14, 21, 38, 39))
        for field in ("CapPrm", "CapEff", "CapBnd"):
            assert int(thread[field][0], 16) & ~wanted == 0, (field, thread[field])
        assert int(thread["CapInh"][0], 16) == 0 and thread["NoNewPrivs"] == ["1"]
        assert thread["Seccomp"] == ["2"], "it could start programs"
        gateway.dataplane.kill()
        wait_for(lambda: not Path(f"/proc/{helper}").exists(), "the end of weir-porthelper", 2)


@test
def the_data_plane_goes_on_without_its_helper_and_says_what_cannot_come():
    with Testbed("rights-alone") as bed:
        peer = KernelPeerOverXdp(bed)
        os.kill(helper_of(peer.gateway.dataplane_pid()), signal.SIGKILL)
        assert peer.host.ping(KERNEL.kernel.ip, 20) == 1.0
        late = LatePort(peer)
        path = bed.folder / "late.yaml"
        path.write_text(json.dumps(late.add_to(peer.intent("xdp:wire0"))))
        status, said = peer.gateway.weir_refused("apply", path)
        assert status == 1 and "late0" in said and "weir-porthelper has ended" in said, said
        assert peer.host.ping(KERNEL.kernel.ip, 20) == 1.0
        check_gateways([peer.gateway], but=peer.noise)


@test
def a_tenants_frames_stay_dropped_when_helper_and_data_plane_die():
    with Testbed("rights-drop") as bed:
        peer = KernelPeerOverXdp(bed)
        late = LatePort(peer)
        late.DEVICE = "xdp:late0"                # A tenant's: drop.
        peer.gateway.namespace.ip("addr", "add", "10.77.9.1/24", "dev", "late0")
        late.host.ip("addr", "add", "10.77.9.2/24", "dev", "late0")

        def reaches_the_kernel():
            return "1 received" in late.host.run("ping", "-q", "-c", 1, "-W", 1, "10.77.9.1",
                                                 check=False)

        assert reaches_the_kernel()
        peer.gateway.apply(late.add_to(peer.intent("xdp:wire0")))
        wait_for(late.reaches_the_other_host, "frames of the tenant")
        assert not reaches_the_kernel()
        pid = peer.gateway.dataplane_pid()
        os.kill(helper_of(pid), signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        peer.gateway.dataplane.popen.wait(10)
        assert not reaches_the_kernel(), "it reached the gateway while nobody ran"


def stolen_socket(pid):
    """The data plane's end, as it would be in the hands of another process."""
    pidfd = os.pidfd_open(pid)
    for name in os.listdir(f"/proc/{pid}/fd"):
        if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
            continue
        stolen = LIBC.syscall(438, pidfd, int(name), 0)  # pidfd_getfd
        assert stolen >= 0, os.strerror(ctypes.get_errno())
        end = socket.socket(fileno=stolen)
        # Neither the command socket nor a connection to it: those have a name.
        if end.family == socket.AF_UNIX and not end.getsockname():
            os.close(pidfd)
            return end
        end.close()
    raise AssertionError("no socket pair")


def stop_between_questions(pid, end):
    """The data plane asks the helper once a second how its TAPs do; no answer to that is on its way
    when this returns."""
    def is_silent():
        os.kill(pid, signal.SIGSTOP)
        if not select.select([end], [], [], 0.3)[0]:
            return True
        os.kill(pid, signal.SIGCONT)
        return False
    wait_for(is_silent, "the data plane has its answer")


def request(verb, *words):
    return array.array("I", [verb, *words]).tobytes()


def tap_request(queues, name):
    return struct.pack("IHHH6s16sI", 4, queues, 9000, 0, bytes(6), name, 0)


def tap_of(bed):
    """A descriptor of a TAP that is nothing to Weir."""
    with InNamespace(bed.namespace("strange").name):
        tap = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"strange0", IFF_TAP))
    return tap


@test
def another_process_gets_nothing_from_the_helper():
    with Testbed("rights-hostile") as bed:
        peer = KernelPeerOverXdp(bed)
        pid = peer.gateway.dataplane_pid()
        end = stolen_socket(pid)
        stop_between_questions(pid, end)
        loopback = array.array("I", b"lo".ljust(16, b"\0")).tolist()
        memory = os.memfd_create("memory")
        os.ftruncate(memory, 1 << 20)
        for message, descriptors in (
                (b"", []), (b"x", []), (os.urandom(64), []), (b"\1" * 60000, []),
                (request(1, 1, *loopback, 0), []), (request(3, 1, *loopback, 0), []),
                (request(2, 2048, 128, 0, 0, 0, 4096, 0), [memory]),
                (request(1, 1, *loopback, 0), [memory] * 100),
                (tap_request(1, b"stolen0"), []), (tap_request(0, b""), [tap_of(bed)])):
            socket.send_fds(end, [message], descriptors)
            answered, _, _ = select.select([end], [], [], 0.2)
            assert not answered, f"it answered {len(message)} bytes"
        os.kill(pid, signal.SIGCONT)
        end.close()
        assert not peer.gateway.namespace.has_interface("stolen0")
        # And its own data plane is served as before.
        late = LatePort(peer)
        peer.gateway.apply(late.add_to(peer.intent("xdp:wire0")))
        wait_for(late.reaches_the_other_host, "frames of the port that came late")
        assert "stranger_ignored" in peer.gateway.dataplane.log()


def without_rights(bed):
    """A gateway that forwards already."""
    gateway = Gateway(bed, "gw1").start()
    gateway.apply(with_ports())
    must_have_no_rights(gateway.dataplane_pid())
    return gateway


def with_ports(*ports):
    """A pair of rings, and those."""
    rings = [{"name": f"ring{here}", "role": "transit", "peer": f"ring{there}",
              "device": f"net_ring{here}"} for here, there in ((0, 1), (1, 0))]
    return {"networks": [{"name": "blue", "vni": 100}], "ports": [*rings, *ports]}


def tap_port(mtu):
    return {"name": "late0", "role": "tenant", "network": "blue", "mtu": mtu, "rx_descriptors": 256,
            "device": f"tap:late0,mac={HOST.kernel.mac}"}


def link_in(namespace, name="late0"):
    return json.loads(namespace.ip("-j", "link", "show", name))[0]


@test
def a_tap_comes_after_the_rights_and_is_cared_for_wherever_it_is():
    with Testbed("rights-tap") as bed:
        gateway = without_rights(bed)
        gateway.apply(with_ports(tap_port(4000)))
        link = link_in(gateway.namespace)
        assert (link["mtu"], link["address"], link["txqlen"]) == (4000, HOST.kernel.mac, 256), link

        # Its MTU, its link and its losses, over there and under another name.
        host = bed.namespace("host")
        gateway.namespace.ip("link", "set", "late0", "netns", host.name, "name", "eth0")
        gateway.apply(with_ports(tap_port(1400)))
        assert link_in(host, "eth0")["mtu"] == 1400
        for state in ("up", "down", "up"):
            host.ip("link", "set", "eth0", state)
            wait_for(lambda state=state: Counters(gateway).port("late0")["link_up"] == (
                state == "up"), f"the link is {state}")
        lose_frames(gateway, host)

        # Deleted by somebody, it is made anew; removed, it goes.
        host.ip("link", "delete", "eth0")
        wait_for(lambda: gateway.namespace.has_interface("late0"), "the TAP is made anew")
        link = link_in(gateway.namespace)
        assert (link["mtu"], link["address"]) == (1400, HOST.kernel.mac), link
        gateway.apply(with_ports())
        wait_for(lambda: not gateway.namespace.has_interface("late0"), "the TAP goes")
        must_have_no_rights(gateway.dataplane_pid())


def lose_frames(gateway, host):
    port = RawPort(host.name, "eth0")
    frame = roce.cnp_like(HOST.device, KERNEL.device, ecn=roce.ECT0)
    os.kill(gateway.dataplane_pid(), signal.SIGSTOP)
    sent = sum(port.send(frame) for _ in range(3000))
    os.kill(gateway.dataplane_pid(), signal.SIGCONT)
    port.close()

    def accounted():
        dropped = Counters(gateway).drops_of_devices("late0").get("kernel_dropped", 0)
        return dropped > 0 and dropped + Counters(gateway).port("late0")["rx_packets"]

    wait_for(lambda: accounted() == sent, "each frame was received, or dropped by the kernel")


@test
def an_interface_that_exists_is_not_taken_for_a_tap():
    with Testbed("rights-taken") as bed:
        gateway = without_rights(bed)
        gateway.namespace.ip("tuntap", "add", "late0", "mode", "tap", "multi_queue")
        status, said = gateway.weir_refused("port", "add", "late0", "role", "tenant", "network",
                                            "blue", "device", "tap:late0")
        assert status == 1 and "interface of this name exists" in said, said
        assert "UP" not in link_in(gateway.namespace)["flags"]


def persistent_port(**changes):
    return tap_port(1400) | {"device": "tap:late0,persist=yes"} | changes


@test
def a_persistent_tap_outlives_the_data_plane_and_goes_with_its_port():
    """As a kernel needs it whose ssh and BGP shall live through a restart of Weir."""
    with Testbed("rights-persist") as bed:
        gateway = Gateway(bed, "gw1").start()
        gateway.apply(with_ports(persistent_port()))
        gateway.namespace.ip("addr", "add", "10.78.0.1/24", "dev", "late0")
        before = link_in(gateway.namespace)
        for end in ("kill", "stop", "kill"):
            getattr(gateway.dataplane, end)()
            wait_for(lambda: gateway.link_state() != "in_sync", "the data plane is missed")
            assert "10.78.0.1" in gateway.namespace.ip("addr", "show", "late0")
            gateway.start_dataplane()
            gateway.wait_in_sync()
            wait_for(lambda: Counters(gateway).port("late0")["link_up"], "the TAP has its carrier")
            link = link_in(gateway.namespace)
            assert [link[key] for key in ("ifindex", "address", "mtu")] == \
                [before[key] for key in ("ifindex", "address", "mtu")], (before, link)
            assert "10.78.0.1" in gateway.namespace.ip("addr", "show", "late0")
        must_have_no_rights(gateway.dataplane_pid())
        must_carry(gateway, "late0")
        # Another number of queues, and another port with the same interface.
        gateway.apply(with_ports(persistent_port(device="tap:late0,persist=yes,queues=3")))
        gateway.apply(with_ports(persistent_port(name="late1")))
        assert "10.78.0.1" in gateway.namespace.ip("addr", "show", "late0")
        gateway.apply(with_ports())
        wait_for(lambda: not gateway.namespace.has_interface("late0"), "the TAP goes")


def must_carry(gateway, interface):
    """A frame of the kernel's side is received."""
    port = RawPort(gateway.namespace.name, interface)
    before = Counters(gateway).port("late0")["rx_packets"]
    assert port.send(roce.cnp_like(HOST.device, KERNEL.device, ecn=roce.ECT0))
    wait_for(lambda: Counters(gateway).port("late0")["rx_packets"] > before, "a frame is received")
    port.close()


@test
def only_a_persistent_tap_that_nobody_reads_is_taken_over():
    with Testbed("rights-over") as bed:
        gateway = without_rights(bed)
        ip = gateway.namespace.ip
        ip("tuntap", "add", "late0", "mode", "tap")
        ip("link", "add", "late1", "type", "bridge")
        with InNamespace(gateway.namespace.name):
            tap = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"late2", IFF_TAP | 0x0100))
        ip("link", "set", "late2", "up")
        for number, what in enumerate(("one queue", "no TAP", "somebody reads it")):
            status, said = add_port(gateway, f"tap:late{number},persist=yes", f"late{number}")
            assert status == 1 and "interface of this name exists" in said, f"{what}: {said}"
        os.close(tap)
        ip("tuntap", "add", "late3", "mode", "tap", "multi_queue")
        index = link_in(gateway.namespace, "late3")["ifindex"]
        status, said = add_port(gateway, "tap:late3,persist=yes", "late3")
        assert status == 0, said
        assert link_in(gateway.namespace, "late3")["ifindex"] == index


def harmless_devices(gateway):
    """For what dataplane/start says: they come after the rights have gone."""
    capture = ROOT / "tests" / "captures" / "write.pcap"
    outs = "".join(f",tx_pcap={gateway.runtime}/out{worker}" for worker in range(gateway.workers))
    return (f"net_memif7,role=server,socket={gateway.runtime}/memif7,socket-abstract=no",
            f"net_vhost7,iface={gateway.runtime}/vhost7", "net_ring7", "net_null7,no-rx=1",
            f"net_pcap7,rx_pcap={capture}{outs}", "tap:late7")


PRIVILEGED_DEVICES = ("net_tap7,iface=late7", "net_tun7,iface=late7", "net_af_packet7,iface=wire7",
                      "net_af_xdp7,iface=wire7", "net_pcap7,rx_iface=wire7",
                      "net_virtio_user7,path=/dev/vhost-net,iface=late7")


def add_port(gateway, device, name="late7"):
    return gateway.weir_refused("port", "add", name, "role", "tenant", "network", "blue", "device",
                                device)


def must_take(gateway, device):
    """Adds it, and removes it again; a server, with its client."""
    status, said = add_port(gateway, device)
    assert status == 0, f"{device}: {said}"
    if device.startswith("net_vhost"):
        client = f"net_virtio_user8,path={gateway.runtime}/vhost7"
        status, said = add_port(gateway, client, "late8")
        assert status == 0, f"{client}: {said}"
        gateway.weir("port", "delete", "late8")
    gateway.weir("port", "delete", "late7")


def cable_for_them(bed, gateway):
    bed.cable(gateway.namespace, "wire7", bed.namespace("far"), "wire7", queues=QUEUES)


@test
def each_device_comes_after_the_rights_or_is_refused_as_the_docs_say():
    with Testbed("rights-late") as bed:
        gateway = without_rights(bed)
        cable_for_them(bed, gateway)
        for device in harmless_devices(gateway):
            must_take(gateway, device)
        for device in PRIVILEGED_DEVICES:
            status, said = add_port(gateway, device)
            assert status == 1 and "late7" in said and "--user" in said, f"{device}: {said}"
            assert not gateway.namespace.has_interface("late7")
        must_have_no_rights(gateway.dataplane_pid())


@test
def those_that_are_refused_could_not_come_if_they_were_tried():
    with Testbed("rights-tried") as bed:
        gateway = Gateway(bed, "gw1", user="")   # Whom it is started as already.
        cable_for_them(bed, gateway)
        os.chown(gateway.runtime, pwd.getpwnam(USER).pw_uid, 0)
        gateway.dataplane = bed.start("gw1-dataplane", gateway.namespace.inside(
            "setpriv", "--reuid", USER, "--regid", str(pwd.getpwnam(USER).pw_gid),
            "--clear-groups", find_program("weir-dataplane"), "--runtime-dir", str(gateway.runtime),
            "--workers", str(gateway.workers)))
        gateway.start_controlplane()
        wait_for(lambda: gateway.link_state() == "waiting", "both find each other")
        gateway.apply(with_ports())
        must_have_no_capability(gateway.dataplane_pid())
        for device in PRIVILEGED_DEVICES:
            status, said = add_port(gateway, device)
            assert status == 1 and "late7" in said, f"{device}: {said}"
        status, said = add_port(gateway, "tap:late7")  # The helper has none either.
        assert status == 1 and "CAP_NET_ADMIN" in said, said
        for device in harmless_devices(gateway)[:-1]:
            must_take(gateway, device)


@test
def what_cannot_be_opened_again_is_not_closed():
    with Testbed("rights-again") as bed:
        gateway = Gateway(bed, "gw1").start()
        port = {**tap_port(1500), "device": "net_tap0,iface=late0"}
        gateway.apply(with_ports(port))
        path = bed.folder / "changed.yaml"
        path.write_text(json.dumps(with_ports({**port, "rx_descriptors": 512})))
        status, said = gateway.weir_refused("apply", path)
        assert status == 1 and "--user" in said, said
        assert "UP" in link_in(gateway.namespace)["flags"]
        # After a restart it is the first intent that opens them.
        gateway.dataplane.stop()
        gateway.start_dataplane()
        wait_for(lambda: gateway.link_state() == "in_sync", "the intent is back", 20)
        must_have_no_rights(gateway.dataplane_pid())
        assert "UP" in link_in(gateway.namespace)["flags"]


@test
def files_are_the_users_and_go_at_the_end():
    with Testbed("rights-files") as bed:
        gateway = Gateway(bed, "gw1")
        gateway.start_dataplane()
        wait_for(lambda: "event=ready" in gateway.dataplane.log(), "the data plane is ready")
        uid = pwd.getpwnam(USER).pw_uid
        kept = gateway.runtime / "endpoints.table"  # For the next start, by whom it was started.
        for path in {gateway.runtime, *gateway.runtime.rglob("*")} - {kept}:
            assert path.lstat().st_uid == uid, path
        gateway.start_controlplane()
        gateway.apply({"ports": [{"name": "a", "role": "transit", "peer": "b",
                                  "device": "net_ring0"},
                                 {"name": "b", "role": "transit", "peer": "a",
                                  "device": "net_ring1"}]})
        must_have_no_rights(gateway.dataplane_pid())
        gateway.controlplane.stop()
        assert gateway.dataplane.stop() == 0
        assert list(gateway.runtime.iterdir()) == [kept], list(gateway.runtime.iterdir())
        assert kept.stat().st_uid == os.getuid() and kept.stat().st_mode & 0o777 == 0o600


@test
def users_that_cannot_be_are_refused_with_a_reason():
    program = find_program("weir-dataplane")
    with tempfile.TemporaryDirectory(prefix="weir-") as folder:
        for user, reason in (("no-such-user", "whom this system knows"),
                             ("root", "without rights")):
            done = subprocess.run([program, "--runtime-dir", folder, "--user", user],
                                  capture_output=True, text=True, timeout=20, check=False)
            assert done.returncode == 1 and reason in done.stderr, done.stderr
        assert os.listdir(folder) == []


run()
