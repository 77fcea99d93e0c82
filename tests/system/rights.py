#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""weir-dataplane --user: no capability while it forwards; xdp ports come through weir-porthelper,
which serves nobody else; what takes privilege otherwise is refused by name, and costs nothing."""

import array
import ctypes
import json
import os
import pwd
import select
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from context import (SIDES, Gateway, KernelPeerOverXdp, Testbed, check_gateways, find_program,
                     run, settle, shape, test, wait_for)

HOST, KERNEL = SIDES
QUEUES = shape()[1]
USER = "nobody"
AS_USER = ("--user", USER)
LIBC = ctypes.CDLL(None, use_errno=True)


def threads_of(pid):
    """What the kernel says of each thread, by field."""
    for path in Path(f"/proc/{pid}/task").iterdir():
        lines = (path / "status").read_text().splitlines()
        yield {key: value.split() for key, _, value in (line.partition(":") for line in lines)}


def must_have_no_rights(pid):
    entry = pwd.getpwnam(USER)
    threads = list(threads_of(pid))
    assert len(threads) > 3
    for thread in threads:
        for field in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(thread[field][0], 16) == 0, (thread["Name"], field, thread[field])
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


def kernel_peer(bed):
    return KernelPeerOverXdp(bed, options=AS_USER)


@test
def no_capability_is_left_while_it_forwards_and_xdp_ports_still_come():
    with Testbed("rights-xdp") as bed:
        peer = kernel_peer(bed)
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
        wait_for(lambda: peer.host.ping(KERNEL.kernel.ip, 1) == 0.0, "a cut cable")
        peer.lay_cable()
        peer.set_up_kernel(peer.peer.ip)
        wait_for(lambda: peer.host.ping(KERNEL.kernel.ip, 1) == 1.0, "frames after the return")
        assert settle([peer.gateway])[0].totals()["mismatch"] == 0
        must_have_no_rights(pid)


@test
def the_helper_keeps_few_capabilities_and_ends_with_the_data_plane():
    with Testbed("rights-helper") as bed:
        gateway = Gateway(bed, "gw1", options=AS_USER).start()
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
        peer = kernel_peer(bed)
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
        peer = kernel_peer(bed)
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


def request(verb, *words):
    return array.array("I", [verb, *words]).tobytes()


@test
def another_process_gets_nothing_from_the_helper():
    with Testbed("rights-hostile") as bed:
        peer = kernel_peer(bed)
        end = stolen_socket(peer.gateway.dataplane_pid())
        loopback = array.array("I", b"lo".ljust(16, b"\0")).tolist()
        memory = os.memfd_create("memory")
        os.ftruncate(memory, 1 << 20)
        for message, descriptors in (
                (b"", []), (b"x", []), (os.urandom(64), []), (b"\1" * 60000, []),
                (request(1, 1, *loopback, 0), []), (request(3, 1, *loopback, 0), []),
                (request(2, 2048, 128, 0, 0, 0, 4096, 0), [memory]),
                (request(1, 1, *loopback, 0), [memory] * 100)):
            socket.send_fds(end, [message], descriptors)
            answered, _, _ = select.select([end], [], [], 0.2)
            assert not answered, f"it answered {len(message)} bytes"
        end.close()
        # And its own data plane is served as before.
        late = LatePort(peer)
        peer.gateway.apply(late.add_to(peer.intent("xdp:wire0")))
        wait_for(late.reaches_the_other_host, "frames of the port that came late")
        assert "stranger_ignored" in peer.gateway.dataplane.log()


@test
def what_takes_privilege_comes_first_or_not_at_all():
    with Testbed("rights-late") as bed:
        peer = kernel_peer(bed)
        intent = peer.intent("xdp:wire0")
        for device in ("net_tap7,iface=late7", "net_af_packet7,iface=wire0"):
            port = {"name": "late7", "role": "tenant", "network": "blue", "device": device}
            path = bed.folder / "late.yaml"
            path.write_text(json.dumps({**intent, "ports": [*intent["ports"], port]}))
            status, said = peer.gateway.weir_refused("apply", path)
            assert status == 1 and "late7" in said and "--user" in said, said
            assert not peer.gateway.namespace.has_interface("late7")
        # Nor is one that carries frames closed when it could not be opened again.
        changed = {**intent, "ports": [
            {**port, "rx_descriptors": 256} if "net_tap" in port["device"] else port
            for port in intent["ports"]]}
        path.write_text(json.dumps(changed))
        status, said = peer.gateway.weir_refused("apply", path)
        assert status == 1 and "--user" in said, said
        assert peer.host.ping(KERNEL.kernel.ip, 20) == 1.0
        # After a restart it is the first intent that opens them.
        peer.gateway.dataplane.stop()
        peer.gateway.start_dataplane()
        wait_for(lambda: peer.gateway.link_state() == "in_sync", "the intent is back", 20)
        must_have_no_rights(peer.gateway.dataplane_pid())


@test
def files_are_the_users_and_go_at_the_end():
    with Testbed("rights-files") as bed:
        gateway = Gateway(bed, "gw1", options=AS_USER)
        gateway.start_dataplane()
        wait_for(lambda: "event=ready" in gateway.dataplane.log(), "the data plane is ready")
        uid = pwd.getpwnam(USER).pw_uid
        for path in (gateway.runtime, *gateway.runtime.rglob("*")):
            assert path.lstat().st_uid == uid, path
        gateway.start_controlplane()
        gateway.apply({"ports": [{"name": "a", "role": "transit", "peer": "b",
                                  "device": "net_ring0"},
                                 {"name": "b", "role": "transit", "peer": "a",
                                  "device": "net_ring1"}]})
        must_have_no_rights(gateway.dataplane_pid())
        gateway.controlplane.stop()
        assert gateway.dataplane.stop() == 0
        assert not list(gateway.runtime.iterdir()), list(gateway.runtime.iterdir())


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
