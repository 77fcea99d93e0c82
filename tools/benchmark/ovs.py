# SPDX-License-Identifier: Apache-2.0
"""OVS-DPDK, run by hand from Debian's package with its own database, run and log folders; the
system's own service, if there is one, is not touched.

The tenant's bridge sends everything through a VXLAN port; the underlay's bridge holds the tunnel's
address. The fed port comes last, so that no packet meets a half-made configuration."""

import json
import os
import re
import socket
import subprocess
import time

from benchmark import frames, machine, system, workloads

NAME = 'OVS-DPDK'
PACKAGE = 'openvswitch-switch-dpdk'
DAEMON = '/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk'
SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema'


class System:
    """OVS-DPDK of one tree."""

    def __init__(self, tree, name=NAME):
        self.tree = tree
        self.NAME = name

    def missing(self):
        tools = ['ovsdb-server', 'ovsdb-tool', 'ovs-vsctl', 'ovs-ofctl']
        files = map(self.tree.path, (DAEMON, SCHEMA))
        if all(map(os.path.exists, files)) and self.tree.has(*tools):
            return []
        where = '' if self.tree.root == '/' else f' in {self.tree.root}'
        return [PACKAGE + where]

    def version(self):
        run = subprocess.run(self.tree.command(DAEMON, '--version'), capture_output=True, text=True,
                             check=False, timeout=20)
        dpdk = re.search(r'DPDK\s+(\S+)', run.stdout)
        package = self.tree.package_version(PACKAGE) or 'not a Debian package'
        return f'{package} (DPDK {dpdk.group(1)})' if dpdk else package

    def Running(self, task):
        return Running(self.tree, task)


class Control:
    """ovs-appctl without a process per call, so that counters are read at a known moment."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.sequence = 0

    def ask(self, method, *arguments):
        self.sequence += 1
        request = {'method': method, 'params': list(arguments), 'id': self.sequence}
        self.socket.sendall(json.dumps(request).encode())
        text = ''
        while True:
            text += self.socket.recv(1 << 16).decode()
            try:
                reply = json.loads(text)
                break
            except json.JSONDecodeError:
                continue
        if reply.get('error'):
            raise machine.Trouble(f'ovs {method}: {reply["error"]}')
        return reply['result']

    def close(self):
        self.socket.close()


class Running:
    def __init__(self, tree, task):
        self.tree = tree
        self.task = task
        self.folder = task.folder
        self.children = []
        self.control = None
        self.environment = {'OVS_RUNDIR': self.folder, 'OVS_LOGDIR': self.folder,
                            'OVS_DBDIR': self.folder}
        self.database = f'unix:{self.folder}/db.sock'
        try:
            self.start_daemons()
            self.connect_ports()
            self.children[-1].wait_for(lambda: self.counters().rx > 0, 'traffic')
            self.await_flows()
        except BaseException:
            self.stop()
            raise

    def run(self, *command):
        result = subprocess.run(self.tree.command(*command), env={**os.environ, **self.environment},
                                capture_output=True, text=True, check=False, timeout=300)
        if result.returncode != 0:
            raise machine.Trouble(f'{" ".join(command)}: {result.stderr.strip()}')
        return result.stdout

    def vsctl(self, *arguments):
        return self.run('ovs-vsctl', '--timeout=30', f'--db={self.database}', *arguments)

    def child(self, name, *command):
        child = machine.Child(self.tree.command(*command), os.path.join(self.folder, f'{name}.log'),
                              env=self.environment)
        self.children.append(child)
        return child

    def start_daemons(self):
        data = os.path.join(self.folder, 'conf.db')
        self.run('ovsdb-tool', 'create', data, SCHEMA)
        server = self.child('ovsdb', 'ovsdb-server', data, f'--remote=p{self.database}',
                            f'--unixctl={self.folder}/ovsdb.ctl')
        server.wait_for(lambda: os.path.exists(f'{self.folder}/db.sock'), 'database')
        self.vsctl('--no-wait', 'init', '--', 'set', 'Open_vSwitch', '.',
                   'other_config:dpdk-init=true', 'other_config:dpdk-socket-mem=1024',
                   f'other_config:dpdk-lcore-mask={1 << machine.MAIN_CORE:#x}',
                   f'other_config:pmd-cpu-mask={1 << machine.WORKER_CORE:#x}',
                   'other_config:dpdk-extra="--no-pci --in-memory"',
                   'other_config:flow-limit=1000000', 'other_config:max-idle=600000')
        path = f'{self.folder}/vswitchd.ctl'
        daemon = self.child('vswitchd', DAEMON, self.database, f'--unixctl={path}')
        self.pid = daemon.pid
        daemon.wait_for(lambda: os.path.exists(path), 'control socket')
        self.control = Control(path)

    def connect_ports(self):
        devices, workload = self.task.devices(), self.task.workload
        self.vsctl('add-br', 'br-phy', '--', 'set', 'bridge', 'br-phy', 'datapath_type=netdev',
                   f'other_config:hwaddr={frames.UNDERLAY_MAC}',
                   '--', 'add-br', 'br-int', '--', 'set', 'bridge', 'br-int',
                   'datapath_type=netdev')
        ip('addr', 'add', f'{frames.LOCAL_VTEP[4]}/24', 'dev', 'br-phy')
        ip('link', 'set', 'br-phy', 'mtu', str(workload.mtu), 'up')
        ip('route', 'add', '198.19.0.0/16', 'via', frames.REMOTE_VTEP[4])
        self.vsctl('add-port', 'br-int', 'vx', '--', 'set', 'interface', 'vx', 'type=vxlan',
                   'options:remote_ip=flow', f'options:key={frames.VNI}', 'ofport_request=2')
        path = os.path.join(self.folder, 'flows')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('\n'.join(flows(workload)) + '\n')
        self.run('ovs-ofctl', 'del-flows', 'br-int')
        self.run('ovs-ofctl', 'add-flows', 'br-int', path)
        self.control.ask('tnl/neigh/set', 'br-phy', frames.REMOTE_VTEP[4], frames.NEXT_HOP_MAC)
        ports = [('br-phy', 'p1', 'underlay'), ('br-int', 'p0', 'tenant')]
        ports.sort(key=lambda port: port[2] in self.task.sources)  # Fed ports last.
        for bridge, port, side in ports:
            self.vsctl('add-port', bridge, port, '--', 'set', 'interface', port, 'type=dpdk',
                       f'options:dpdk-devargs={quoted(devices[side])}',
                       *(['ofport_request=1'] if port == 'p0' else []),
                       *([f'mtu_request={workload.mtu}'] if workload.mbuf_bytes > 2048 else []))
            error = self.vsctl('get', 'interface', port, 'error').strip()
            if error not in ('[]', '""'):
                raise machine.Trouble(f'OVS refuses {port}: {error}')

    def await_flows(self):
        """Until its cache has met every endpoint; what it does before that is another work."""
        wanted = self.task.workload.count if self.task.workload.endpoints > 1 else 1
        self.children[-1].wait_for(
            lambda: int(re.search(r'flows: (\d+)', self.control.ask('dpctl/show')).group(1)) >=
            wanted, f'{wanted} flows in its cache', 90)

    def counters(self):
        text = self.control.ask('dpctl/show', '-s')
        now = time.monotonic()
        ports = [port_counters(text, name) for name in ('p0', 'p1')]
        if None in ports:
            return system.Counters(now, 0, 0, 0)
        lost = re.search(r'lost:(\d+)', text)
        return system.Counters(now, sum(port['RX packets'] for port in ports),
                               sum(port['TX packets'] for port in ports),
                               int(lost.group(1)) + sum(
                                   port['RX dropped'] + port['TX dropped'] + port['TX errors']
                                   for port in ports))

    def problems(self):
        """What the datapath really does with the fed port's packets."""
        actions = {'encap': ['tnl_push'], 'decap': ['tnl_pop'], 'both': ['tnl_push', 'tnl_pop']}
        dumped = self.control.ask('dpctl/dump-flows')
        found = [f'no {action} in the datapath\'s flows'
                 for action in actions[self.task.workload.direction] if action not in dumped]
        if re.search(r'packets:[1-9]\d*, .*actions:drop', dumped):
            found.append('a datapath flow drops packets')
        return found

    def settings(self):
        pool = self.control.ask('netdev-dpdk/get-mempool-info')
        size = re.search(r'populated=(\d+)|size=(\d+)', pool)
        element = re.search(r'elt_size=(\d+)', pool)
        return {'mbufs': int(next(filter(None, size.groups()))) if size else None,
                'mbuf_element_bytes': int(element.group(1)) if element else None,
                'own_cycles_per_packet': self.own_cycles()}

    def reset(self):
        self.control.ask('dpif-netdev/pmd-stats-clear')

    def own_cycles(self):
        text = self.control.ask('dpif-netdev/pmd-stats-show')
        cycles = re.search(r'avg processing cycles per packet:\s*([0-9.]+)', text)
        return float(cycles.group(1)) if cycles else None

    def stop(self):
        if self.control is not None:
            self.control.close()
        for child in reversed(self.children):
            child.stop()
        # OVS makes its bridges' TAPs persistent; they lie in the bench's own namespace.
        for bridge in ('br-phy', 'br-int', 'ovs-netdev'):
            subprocess.run(['ip', 'link', 'del', bridge], capture_output=True, check=False,
                           timeout=10)


def ip(*arguments):
    subprocess.run(['ip', *arguments], check=True, capture_output=True, timeout=10)


def flows(workload):
    """Of the tenant's bridge. Endpoints that no frame is for are left out: OVS would never see
    them, as what it looks up is a cache of what it has met."""
    where = workloads.remotes(workload)
    towards = 'set_field:{}->tun_dst,output:2'
    if workload.endpoints == 1:
        return [f'in_port=1,actions={towards.format(where[0])}', 'in_port=2,actions=output:1']
    return [f'in_port=1,dl_dst={mac},actions={towards.format(where[vtep])}'
            for mac, vtep in workloads.used_endpoints(workload)]


def quoted(text):
    """An OVSDB string; commas and equal signs would end it."""
    return '"' + text + '"'


def port_counters(text, port):
    """One port's block of `dpctl/show -s`, e.g. {'RX packets': 5, 'RX errors': 0, …}."""
    block = re.search(rf'port \d+: {port} .*?(?=\n  port |\Z)', text, re.DOTALL)
    if not block:
        return None
    found = {}
    for line in block.group(0).splitlines():
        side, _, rest = line.strip().partition(' ')
        if side in ('RX', 'TX'):
            for name, value in re.findall(r'(\w+):(\d+|\?)', rest):
                found[f'{side} {name}'] = 0 if value == '?' else int(value)
    return found if 'RX packets' in found else None
