# SPDX-License-Identifier: Apache-2.0
"""OVS-DPDK, run by hand from Debian's package with its own database, run and log folders; the
system's own service, if there is one, is not touched.

The tenant's bridge sends everything through a VXLAN port; the underlay's bridge holds the tunnel's
address. The fed port comes last, so that no packet meets a half-made configuration."""

import json
import os
import re
import shutil
import socket
import subprocess
import time

from benchmark import frames, machine, system

NAME = 'OVS-DPDK'
PACKAGE = 'openvswitch-switch-dpdk'
DAEMON = '/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk'
SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema'


def missing():
    tools = ['ovsdb-server', 'ovsdb-tool', 'ovs-vsctl', 'ovs-ofctl']
    if os.path.exists(DAEMON) and os.path.exists(SCHEMA) and all(map(shutil.which, tools)):
        return []
    return [PACKAGE]


def version():
    run = subprocess.run([DAEMON, '--version'], capture_output=True, text=True, check=False,
                         timeout=20)
    dpdk = re.search(r'DPDK\s+(\S+)', run.stdout)
    package = machine.package_version(PACKAGE) or 'not a Debian package'
    return f'{package} (DPDK {dpdk.group(1)})' if dpdk else package


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
    def __init__(self, task):
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
        except BaseException:
            self.stop()
            raise

    def run(self, *command):
        result = subprocess.run(command, env={**os.environ, **self.environment},
                                capture_output=True, text=True, check=False, timeout=60)
        if result.returncode != 0:
            raise machine.Trouble(f'{" ".join(command)}: {result.stderr.strip()}')
        return result.stdout

    def vsctl(self, *arguments):
        return self.run('ovs-vsctl', '--timeout=30', f'--db={self.database}', *arguments)

    def child(self, name, *command):
        child = machine.Child(list(command), os.path.join(self.folder, f'{name}.log'),
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
                   'other_config:dpdk-extra="--no-pci --in-memory"')
        path = f'{self.folder}/vswitchd.ctl'
        daemon = self.child('vswitchd', DAEMON, self.database, f'--unixctl={path}')
        self.pid = daemon.pid
        daemon.wait_for(lambda: os.path.exists(path), 'control socket')
        self.control = Control(path)

    def connect_ports(self):
        tenant, underlay = self.task.tenant_and_underlay()
        self.vsctl('add-br', 'br-phy', '--', 'set', 'bridge', 'br-phy', 'datapath_type=netdev',
                   f'other_config:hwaddr={frames.UNDERLAY_MAC}',
                   '--', 'add-br', 'br-int', '--', 'set', 'bridge', 'br-int',
                   'datapath_type=netdev')
        self.run('ip', 'addr', 'add', f'{frames.LOCAL_VTEP}/24', 'dev', 'br-phy')
        self.run('ip', 'link', 'set', 'br-phy', 'up')
        self.vsctl('add-port', 'br-int', 'vx', '--', 'set', 'interface', 'vx', 'type=vxlan',
                   f'options:remote_ip={frames.REMOTE_VTEP}', f'options:key={frames.VNI}',
                   'ofport_request=2')
        self.run('ovs-ofctl', 'del-flows', 'br-int')
        self.run('ovs-ofctl', 'add-flow', 'br-int', 'in_port=1,actions=output:2')
        self.run('ovs-ofctl', 'add-flow', 'br-int', 'in_port=2,actions=output:1')
        self.control.ask('tnl/neigh/set', 'br-phy', frames.REMOTE_VTEP, frames.NEXT_HOP_MAC)
        ports = [('br-int', 'p0', tenant), ('br-phy', 'p1', underlay)]
        if self.task.direction == 'encap':
            ports.reverse()
        for bridge, port, device in ports:
            request = ['ofport_request=1'] if port == 'p0' else []
            self.vsctl('add-port', bridge, port, '--', 'set', 'interface', port, 'type=dpdk',
                       f'options:dpdk-devargs={quoted(device)}', *request)
            error = self.vsctl('get', 'interface', port, 'error').strip()
            if error not in ('[]', '""'):
                raise machine.Trouble(f'OVS refuses {port}: {error}')

    def counters(self):
        fed, other = ('p0', 'p1') if self.task.direction == 'encap' else ('p1', 'p0')
        text = self.control.ask('dpctl/show', '-s')
        now = time.monotonic()
        rx, tx = port_counters(text, fed), port_counters(text, other)
        if rx is None or tx is None:
            return system.Counters(now, 0, 0, 0)
        lost = re.search(r'lost:(\d+)', text)
        return system.Counters(now, rx['RX packets'], tx['TX packets'],
                               int(lost.group(1)) + rx['RX dropped'] + tx['TX dropped'] +
                               tx['TX errors'])

    def problems(self):
        """What the datapath really does with the fed port's packets."""
        action = 'tnl_push' if self.task.direction == 'encap' else 'tnl_pop'
        flows = self.control.ask('dpctl/dump-flows')
        found = []
        if action not in flows:
            found.append(f'no {action} in the datapath\'s flows')
        if re.search(r'packets:[1-9]\d*, .*actions:drop', flows):
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
