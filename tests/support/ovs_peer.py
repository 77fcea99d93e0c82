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
    def __init__(self, bed, *, family=4, vlan=None):
        self.bed = bed
        self.family, self.vlan = family, vlan
        mtu = WIRE_MTU - TUNNEL_BYTES[family]
        self.gateway = Gateway(bed, "gw1", options=("--bpffs", bed.bpffs())).start()
        self.namespace = bed.namespace("ovs", ipv6=True)
        self.hosts = [TenantHost(bed, WEIR, self.gateway, mtu=mtu),
                      TenantHost(bed, OVS, self, tap=False, mtu=mtu)]
        bed.cable(self.gateway.namespace, "wire0", self.namespace, "wire0", mtu=WIRE_MTU,
                  queues=shape()[1], macs=(WEIR.wire_mac, OVS.wire_mac))
        self.gateway.apply(self.intent())
        self.ovs = OvsDpdk(bed, self.namespace)
        self.join_ovs()
        for host in self.hosts:
            host.plug_in()
        for host in self.hosts:
            host.give_addresses()

    def intent(self):
        if self.vlan is None:
            return intent_of(WEIR, tenant_device="net_tap0,iface=host0", wire_device="xdp:wire0",
                             mtu=WIRE_MTU, family=self.family)
        # At an xdp port tags are the kernel's. And on the VLAN Weir looks for OVS by itself.
        pairs = f",qpairs={shape()[1]}" if shape()[1] > 1 else ""
        intent = intent_of(WEIR, tenant_device="net_tap0,iface=host0", mtu=WIRE_MTU,
                           wire_device=f"net_af_packet0,iface=wire0{pairs}", family=self.family)
        intent["ports"][0]["vlan"] = self.vlan
        remote = intent["vteps"][1]
        intent["next_hops"] = [{"name": "ovs", "port": "wire0", "address": remote["address"]}]
        del remote["port"], remote["next_hop_mac"]
        remote["next_hops"] = ["ovs"]
        return intent

    def join_ovs(self):
        ovs, ip = self.ovs, self.namespace.ip
        weir, own = (WEIR.vtep, OVS.vtep) if self.family == 4 else (WEIR.vtep6, OVS.vtep6)
        # Before br-phy is up, as its kernel says something of its own then.
        tag = () if self.vlan is None else ("--", "set", "port", "br-phy", f"tag={self.vlan}")
        ovs.vsctl("add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev",
                  f"other_config:hwaddr={OVS.wire_mac}", *tag,
                  "--", "add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev")
        # The tunnel's route and source address are those of the kernel's br-phy.
        ip("addr", "add", f"{own}/{24 if self.family == 4 else 64}", "dev", "br-phy",
           *(() if self.family == 4 else ("nodad",)))
        ip("link", "set", "br-phy", "up")
        ovs.add_port("br-phy", "wire", "type=dpdk",
                     'options:dpdk-devargs="net_af_packet0,iface=wire0"')
        ovs.add_port("br-int", "vx", "type=vxlan", f"options:key={VNI}",
                     f'options:remote_ip="{weir}"', f'options:local_ip="{own}"')
        ovs.add_port("br-int", "host0", "type=system")
        if self.vlan is None:                    # On a VLAN OVS asks for the VTEP's MAC.
            ovs.ask("tnl/neigh/set", "br-phy", weir, WEIR.wire_mac)

    def ping_both(self, count=20):
        near, far = self.hosts
        return [near.ping(far.side.kernel.ip, count), near.ping(far.side.kernel6.ip, count),
                far.ping(near.side.kernel.ip, count), far.ping(near.side.kernel6.ip, count)]
