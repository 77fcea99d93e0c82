#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A data plane that never had a right, as packaging/systemd starts it: weir-porthelper is a service
of its own, of another user, with the capabilities of its unit.

    near ── xdp:left ── gw1 ── xdp:right ── far"""

import os
import pwd
from pathlib import Path

from context import Gateway, Testbed, find_program, run, shape, test, wait_for

HERE = Path(__file__).resolve().parent
DATAPLANE_USER, HELPER_USER = "nobody", "daemon"
# IPC_LOCK in place of the unit's LimitMEMLOCK, which not every container may raise.
CAPABILITIES = "net_admin,net_raw,bpf,perfmon,ipc_lock"
ADDRESSES = {"near": "10.77.0.1", "far": "10.77.0.2"}
PORTS = {"near": "left", "far": "right"}


def as_user(name, capabilities=""):
    """The words that make the rest of a command line run as that user, with these at most."""
    entry = pwd.getpwnam(name)
    granted = "-all" + "".join(f",+{one}" for one in capabilities.split(",") if one)
    return ("setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups",
            f"--inh-caps={granted}", f"--ambient-caps={granted}", f"--bounding-set={granted}",
            "--no-new-privs", "--")


class Gate:
    def __init__(self, bed, client=DATAPLANE_USER):
        self.bed = bed
        self.socket = bed.folder / "porthelper"
        self.gateway = Gateway(bed, "gw1", user="", wrapper=as_user(DATAPLANE_USER),
                               options=("--port-helper", self.socket))
        entry = pwd.getpwnam(DATAPLANE_USER)
        os.chown(self.gateway.runtime, entry.pw_uid, entry.pw_gid)
        pins = bed.bpffs()
        os.chown(pins, pwd.getpwnam(HELPER_USER).pw_uid, 0)
        self.helper = bed.start("porthelper", [
            HERE.parent / "support" / "accept_and_start.py", self.socket,
            *as_user(HELPER_USER, CAPABILITIES), find_program("weir-porthelper"), "--socket", "0",
            "--client-user", client, "--bpffs", pins], self.gateway.namespace)
        wait_for(self.socket.exists, "the helper's socket")

    def connect_hosts(self):
        self.hosts = {}
        for name, port in PORTS.items():
            self.hosts[name] = host = self.bed.namespace(name)
            self.bed.cable(self.gateway.namespace, port, host, "host0", queues=shape()[1])
            host.ip("addr", "add", f"{ADDRESSES[name]}/24", "dev", "host0")

    def mac(self, name):
        text = self.hosts[name].ip("-o", "link", "show", "host0")
        return text.split("link/ether ")[1].split()[0]

    def intent(self):
        return {"ports": [{"name": port, "role": "tenant", "network": "blue",
                           "device": f"xdp:{port}"} for port in PORTS.values()],
                "networks": [{"name": "blue", "vni": 100, "unknown_unicast": "flood"}],
                "endpoints": [{"network": "blue", "mac": self.mac(name), "port": port}
                              for name, port in PORTS.items()]}

    def ping(self):
        address = ADDRESSES["far"]
        for name, other in (("near", "far"), ("far", "near")):
            self.hosts[name].ip("neigh", "replace", ADDRESSES[other], "lladdr", self.mac(other),
                                "dev", "host0")
        return " 0% packet loss" in self.hosts["near"].run("ping", "-q", "-c", 20, "-i", 0.01, "-W",
                                                           2, address, check=False)


@test
def xdp_ports_carry_though_the_data_plane_never_had_a_right():
    with Testbed("port-helper") as bed:
        gate = Gate(bed)
        gate.connect_hosts()
        gate.gateway.start()
        gate.gateway.apply(gate.intent())
        assert gate.ping()
        status = Path(f"/proc/{gate.gateway.dataplane_pid()}/status").read_text()
        for field in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert f"{field}:\t0000000000000000" in status, status
        # Its successor finds pins of its own and another helper.
        gate.gateway.dataplane.kill()
        gate.gateway.start_dataplane()
        gate.gateway.wait_in_sync()
        assert gate.ping()


@test
def a_helper_serves_nobody_but_the_user_that_it_is_for():
    with Testbed("port-helper-stranger") as bed:
        gate = Gate(bed, client="daemon")
        gate.connect_hosts()
        gate.gateway.start()
        path = bed.folder / "intent.json"
        path.write_text(str(gate.intent()).replace("'", '"'))
        code, text = gate.gateway.weir_refused("apply", path)
        assert code != 0 and "weir-porthelper has ended" in text, text
        assert "not the user of --client-user" in gate.helper.log()


run()
