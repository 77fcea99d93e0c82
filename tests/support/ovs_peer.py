# SPDX-License-Identifier: Apache-2.0
"""A gateway whose remote VTEP is Debian's OVS-DPDK, run by hand in a namespace with its own
database and folders; the system's service, if there is one, is not touched.

    host1 ── gw1 ══ a cable: xdp port of gw1, net_af_packet of OVS ══ OVS ── host2

OVS needs no hugepages here, as its packet memory is ordinary; its polling threads sleep when idle
(pmd-maxsleep), or they would take a core each from whatever else is tested."""

import os
import re
import shutil
from pathlib import Path

from scenario import SIDES, VNI, TenantHost, intent_of
from testbed import Gateway, TestbedError, shape, wait_for

WEIR, OVS = SIDES
PACKAGE = "openvswitch-switch-dpdk"
DAEMON = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
WIRE_MTU = 1500
TUNNEL_BYTES = {4: 50, 6: 70}
OVS_SENDERS = 2                                  # Its polling thread and its main one.


class OvsDpdk:
    """The two daemons and what is said to them."""

    def __init__(self, bed, namespace):
        if not (Path(DAEMON).exists() and shutil.which("ovsdb-server")):
            raise TestbedError(f"OVS-DPDK is missing: apt-get install {PACKAGE}")
        self.bed = bed
        self.namespace = namespace
        self.folder = bed.folder / "ovs"
        self.folder.mkdir()
        # `ip netns exec` mounts a /sys and a /run/netns, and keeps the environment.
        self.environment = [f"{name}={self.folder}"
                            for name in ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR",
                                         "RUNTIME_DIRECTORY")]
        self.socket = f"unix:{self.folder}/db.sock"
        self.control = self.folder / "vswitchd.ctl"
        self.start()

    def start(self):
        self.run("ovsdb-tool", "create", self.folder / "conf.db", SCHEMA)
        self.daemon("ovsdb", "ovsdb-server", self.folder / "conf.db", f"--remote=p{self.socket}",
                    f"--unixctl={self.folder}/ovsdb.ctl")
        wait_for((self.folder / "db.sock").exists, "the database of OVS")
        self.vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".",
                   "other_config:dpdk-init=true", "other_config:dpdk-lcore-mask=1",
                   f"other_config:pmd-cpu-mask={1 << (os.cpu_count() - 1):#x}",
                   "other_config:pmd-maxsleep=200", "other_config:dpdk-alloc-mem=512",
                   'other_config:dpdk-extra="--no-pci --no-huge --legacy-mem"')
        self.daemon("vswitchd", DAEMON, self.socket, f"--unixctl={self.control}")
        wait_for(self.control.exists, "OVS-DPDK answers", 30)

    def run(self, *arguments):
        return self.namespace.run("env", *self.environment, *arguments)

    def daemon(self, name, *arguments):
        return self.bed.start(name, self.namespace.inside("env", *self.environment, *arguments))

    def vsctl(self, *arguments):
        return self.run("ovs-vsctl", "--timeout=30", f"--db={self.socket}", *arguments)

    def ask(self, *arguments):
        return self.run("ovs-appctl", "-t", self.control, *arguments)

    def add_port(self, bridge, port, *settings):
        self.vsctl("add-port", bridge, port, "--", "set", "interface", port, *settings)
        error = self.vsctl("get", "interface", port, "error").strip()
        if error not in ("[]", '""'):
            raise TestbedError(f"OVS refuses {port}: {error}")

    def lost(self):
        """Frames that its datapath dropped, or the ports that carry them. Those of the bridges lead
        to its own kernel, where nobody listens to br-int."""
        text = self.ask("dpctl/show", "-s")
        head, *ports = text.split("  port ")
        carrying = [port for port in ports if re.match(r"\d+: (wire|host0)\b", port)]
        assert len(carrying) == 2, text
        return sum(int(number) for part in (head, *carrying)
                   for number in re.findall(r"(?:lost|dropped|errors):(\d+)", part))


class OvsPeer:
    def __init__(self, bed, *, family=4, memif=False):
        self.bed = bed
        self.family = family
        workers, queues = shape()
        mtu = WIRE_MTU - TUNNEL_BYTES[family]
        self.gateway = Gateway(bed, "gw1", options=("--bpffs", bed.bpffs())).start()
        self.namespace = bed.namespace("ovs", ipv6=True)
        self.hosts = [TenantHost(bed, WEIR, self.gateway, mtu=mtu),
                      TenantHost(bed, OVS, self, tap=False, mtu=mtu)]
        if memif:
            shared = f"socket={self.gateway.runtime}/memif,socket-abstract=no"
            ours = f"net_memif0,role=server,{shared},mac={WEIR.wire_mac}"
            theirs = f"net_memif0,role=client,{shared},mac={OVS.wire_mac}"
        else:
            bed.cable(self.gateway.namespace, "wire0", self.namespace, "wire0", mtu=WIRE_MTU,
                      queues=queues, macs=(WEIR.wire_mac, OVS.wire_mac))
            ours, theirs = "xdp:wire0", "net_af_packet0,iface=wire0"
        intent = intent_of(WEIR, tenant_device="net_tap0,iface=host0", wire_device=ours,
                           mtu=WIRE_MTU, family=family)
        if memif:
            intent["ports"][0]["rx_queues"] = OVS_SENDERS
        self.gateway.apply(intent)
        self.ovs = OvsDpdk(bed, self.namespace)
        # A memif has as many rings as the side with fewer queues: each sender needs one.
        self.join_ovs(theirs, workers if memif else 1)
        for host in self.hosts:
            host.plug_in()
        for host in self.hosts:
            host.give_addresses()

    def join_ovs(self, device, queues):
        ovs, ip = self.ovs, self.namespace.ip
        weir, own = (WEIR.vtep, OVS.vtep) if self.family == 4 else (WEIR.vtep6, OVS.vtep6)
        ovs.vsctl("add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev",
                  f"other_config:hwaddr={OVS.wire_mac}",
                  "--", "add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev")
        # The tunnel's route and source address are those of the kernel's br-phy.
        ip("addr", "add", f"{own}/{24 if self.family == 4 else 64}", "dev", "br-phy",
           *(() if self.family == 4 else ("nodad",)))
        ip("link", "set", "br-phy", "up")
        ovs.add_port("br-phy", "wire", "type=dpdk",
                     f'options:dpdk-devargs="{device}"', f"options:n_rxq={queues}")
        ovs.add_port("br-int", "vx", "type=vxlan", f"options:key={VNI}",
                     f'options:remote_ip="{weir}"', f'options:local_ip="{own}"')
        ovs.add_port("br-int", "host0", "type=system")
        ovs.ask("tnl/neigh/set", "br-phy", weir, WEIR.wire_mac)

    def ping_both(self, count=20):
        near, far = self.hosts
        return [near.ping(far.side.kernel.ip, count), near.ping(far.side.kernel6.ip, count),
                far.ping(near.side.kernel.ip, count), far.ping(near.side.kernel6.ip, count)]
