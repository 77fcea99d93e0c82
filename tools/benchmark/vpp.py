# SPDX-License-Identifier: Apache-2.0
"""VPP, as its user has built or installed it under a folder. Debian does not package it; its DPDK
plugin must know net_pcap and net_null, which VPP's own build of DPDK leaves out unless told.

As it is fastest: a bridge domain that does not learn, and, for what comes out of tunnels,
vxlan-bypass at the underlay port."""

import glob
import os
import re
import subprocess
import time

from benchmark import frames, machine, system, workloads

NAME = 'VPP'
BRIDGE = 100
RUNS = 'open configuration file'       # What vpp complains of, once it has been loaded.
COMPLAINT = re.compile(r'error|unknown|invalid|fail|not found|no such', re.IGNORECASE)
LOST = ('drops', 'rx-miss', 'rx-error', 'rx-no-buf', 'tx-error')


class Installed:
    """What stands where under the folder, or Trouble in one line."""

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.vpp = self.first('no vpp', 'usr/bin/vpp', 'bin/vpp')
        self.vppctl = self.first('no vppctl', 'usr/bin/vppctl', 'bin/vppctl')
        plugin = self.first('no vpp_plugins/dpdk_plugin.so', *(
            f'{base}/vpp_plugins/dpdk_plugin.so' for base in
            ('usr/lib/*', 'lib/*', 'usr/lib', 'lib', 'usr/lib64', 'lib64')))
        self.plugins = os.path.dirname(plugin)
        self.environment = {'LD_LIBRARY_PATH': os.path.dirname(self.plugins)}
        said = self.run(self.vpp, '-c', os.path.join(self.folder, 'no-such-file'))
        if RUNS not in said:
            raise machine.Trouble(f'no VPP in {self.folder}: {self.vpp} does not run: '
                                  f'{" ".join(said.split())[:200]}')

    def first(self, otherwise, *patterns):
        for pattern in patterns:
            for path in sorted(glob.glob(os.path.join(self.folder, pattern))):
                return path
        raise machine.Trouble(f'no VPP in {self.folder}: {otherwise}')

    def run(self, *command, seconds=20):
        try:
            run = subprocess.run(command, capture_output=True, text=True, check=False,
                                 timeout=seconds, env={**os.environ, **self.environment})
        except OSError as error:
            return str(error)
        return run.stdout + run.stderr


class System:
    NAME = NAME

    def __init__(self, folder):
        self.installed = Installed(folder)
        self.said = 'version unknown'

    def missing(self):
        return []

    def version(self):
        """As the last one that ran said."""
        return self.said

    def Running(self, task):
        return Running(self, task)


def startup(task, plugins):
    """vpp's configuration. The underlay's device is made first."""
    folder, workload, devices = task.folder, task.workload, task.devices()
    return f'''unix {{ nodaemon nosyslog cli-no-pager runtime-dir {folder} log {folder}/vpp.log
  cli-listen {folder}/cli.sock }}
api-segment {{ prefix {os.path.basename(folder)}-{os.getpid()} }}
statseg {{ socket-name {folder}/stats.sock }}
cpu {{ main-core {machine.MAIN_CORE} corelist-workers {machine.WORKER_CORE} }}
buffers {{ buffers-per-numa {workload.mbuf_count} default data-size {workload.mbuf_bytes}
  page-size default-hugepage }}
plugins {{ path {plugins} plugin default {{ disable }}
  plugin dpdk_plugin.so {{ enable }} plugin vxlan_plugin.so {{ enable }} }}
dpdk {{ no-pci vdev {devices['underlay']} vdev {devices['tenant']} }}
'''


def commands(task, underlay, tenant):
    """In VPP's language; `underlay` and `tenant` are what it calls the interfaces. Endpoints that
    no frame is for are left out, to its advantage."""
    workload = task.workload
    router = frames.REMOTE_VTEP[4]
    lines = [f'set interface state {underlay} up', f'set interface state {tenant} up',
             f'set interface ip address {underlay} {frames.LOCAL_VTEP[4]}/24',
             f'set ip neighbor {underlay} {router} {frames.NEXT_HOP_MAC} static',
             f'ip route add 198.19.0.0/16 via {router} {underlay}',
             f'create bridge-domain {BRIDGE} learn 0 forward 1 flood 0 uu-flood 0 arp-term 0']
    for number, address in enumerate(workloads.remotes(workload)):
        lines += [f'create vxlan tunnel src {frames.LOCAL_VTEP[4]} dst {address} '
                  f'vni {frames.VNI} instance {number}',
                  f'set interface l2 bridge vxlan_tunnel{number} {BRIDGE} 1']
    lines.append(f'set interface l2 bridge {tenant} {BRIDGE}')
    if 'underlay' in workload.sides:
        lines.append(f'set interface ip vxlan-bypass {underlay}')
    return lines + [f'l2fib add {mac} {BRIDGE} '
                    f'{tenant if vtep is None else f"vxlan_tunnel{vtep}"} static'
                    for mac, vtep in workloads.used_endpoints(workload)]


def interfaces(text):
    """Interface → counter → number, from `show interface`, in the order of their numbers."""
    found, order, name = {}, {}, None
    for line in text.splitlines():
        head = re.match(r'(\S+)\s+(\d+)\s+(up|down)\s', line)
        if head:
            name = head.group(1)
            order[name] = int(head.group(2))
            found[name] = {}
        counter = re.search(r'\s{2,}([a-z][\w-]*(?: [a-z]+)?)\s+(\d+)\s*$', line)
        if counter and name:
            found[name][counter.group(1)] = int(counter.group(2))
    return {name: found[name] for name in sorted(found, key=order.get)}


def devices_of(text):
    """(underlay, tenant): its first two interfaces but local0."""
    names = [name for name in interfaces(text) if name != 'local0']
    if len(names) < 2:
        raise machine.Trouble(f'VPP made {len(names)} of 2 interfaces: its DPDK plugin must know '
                              'net_pcap and net_null')
    return names[0], names[1]


def totals(text, names, now):
    """Counters of both ports; whatever was dropped anywhere is lost."""
    found = interfaces(text)

    def total(*counters, of):
        return sum(found[name].get(counter, 0) for name in of for counter in counters)

    return system.Counters(now, total('rx packets', of=names), total('tx packets', of=names),
                           total(*LOST, of=found))


def nodes(text):
    """Node → (vectors, clocks a vector, vectors a call), from `show runtime`, of all threads."""
    found = {}
    for line in text.splitlines():
        row = re.match(r'\s*(\S+)\s.*?(\d+)\s+(\d+)\s+(\d+)\s+([\d.e+-]+)\s+([\d.]+)\s*$', line)
        if row and int(row.group(3)) > found.get(row.group(1), (0,))[0]:
            found[row.group(1)] = (int(row.group(3)), float(row.group(5)), float(row.group(6)))
    return found


def wanted_nodes(workload):
    """Which of them carry the work."""
    return [*(['vxlan4-encap'] if 'tenant' in workload.sides else []),
            *(['ip4-vxlan-bypass', 'vxlan4-input'] if 'underlay' in workload.sides else [])]


def complaints(text):
    return [line.strip() for line in text.splitlines() if COMPLAINT.search(line)]


class Running:
    def __init__(self, system_of, task):
        self.installed = system_of.installed
        self.task = task
        path = os.path.join(task.folder, 'startup.conf')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(startup(task, self.installed.plugins))
        self.child = machine.Child([self.installed.vpp, '-c', path],
                                   os.path.join(task.folder, 'output.log'),
                                   env=self.installed.environment)
        self.pid = self.child.pid
        try:
            self.child.wait_for(lambda: os.path.exists(f'{task.folder}/cli.sock'), 'socket')
            system_of.said = self.ask('show version').strip().splitlines()[0]
            self.names = devices_of(self.ask('show interface'))
            self.program()
            self.child.wait_for(lambda: self.counters().tx > 0, 'traffic')
        except BaseException:
            self.stop()
            raise

    def ask(self, *words, seconds=20):
        return self.installed.run(self.installed.vppctl, '-s', f'{self.task.folder}/cli.sock',
                                  *words, seconds=seconds)

    def program(self):
        path = os.path.join(self.task.folder, 'commands')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('\n'.join(commands(self.task, *self.names)) + '\n')
        wrong = complaints(self.ask('exec', path, seconds=300))
        if wrong:
            raise machine.Trouble(f'VPP refuses a command: {wrong[0]}')

    def counters(self):
        before = time.monotonic()
        text = self.ask('show interface')
        return totals(text, self.names, (before + time.monotonic()) / 2)

    def nodes(self):
        return nodes(self.ask('show runtime'))

    def problems(self):
        found = self.nodes()
        return [f'no packets in {name}' for name in wanted_nodes(self.task.workload)
                if not found.get(name, (0,))[0]]

    def settings(self):
        found = self.nodes()
        received, _clocks, burst = found.get('dpdk-input', (0, 0.0, 0.0))
        return {'buffers': self.task.workload.mbuf_count, 'vectors_per_call': burst,
                'own_cycles_per_packet': round(sum(vectors * clocks for vectors, clocks, _burst in
                                                   found.values()) / max(1, received), 1)}

    def reset(self):
        self.ask('clear', 'runtime')

    def stop(self):
        self.child.stop()
