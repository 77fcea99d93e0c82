# SPDX-License-Identifier: Apache-2.0
"""grout, a graph router on DPDK, from a tree of its own (tree.py).

A bridge holds the tenant's port and a VXLAN interface; where MACs are stands in its table, as it
stands in Weir's: learning is off."""

import json
import os
import re
import subprocess
import time

from benchmark import frames, machine, system, workloads

NAME = 'grout'
PORTS = {'underlay': 'p1', 'tenant': 'p0'}


class System:
    def __init__(self, tree):
        self.tree = tree
        self.NAME = NAME

    def missing(self):
        return [] if self.tree.has('grout', 'grcli') else [
            f'grout in {self.tree.root} (bench peers --new makes it)']

    def version(self):
        run = subprocess.run(self.tree.command('grout', '--version'), capture_output=True,
                             text=True, check=False, timeout=20)
        dpdk = re.search(r'DPDK\s+([0-9.]+)', run.stdout + run.stderr)
        package = self.tree.package_version('grout') or 'not a Debian package'
        return f'{package} (DPDK {dpdk.group(1)})' if dpdk else package

    def Running(self, task):
        return Running(self.tree, task)


def queue_size(workload):
    """Its pool follows; all frames are preloaded."""
    return 32768 if workload.count > 10_000 else 4096


def commands(task):
    """In grcli's language. Endpoints that no frame is for are left out, to its advantage: grcli
    takes seven minutes for a million."""
    workload, devices = task.workload, task.devices()
    where = workloads.remotes(workload)
    router = frames.REMOTE_VTEP[4]

    def add_port(side):
        size = f' qsize {queue_size(workload)}' if side in task.sources else ''
        return f'interface add port {PORTS[side]} devargs {devices[side]}{size} mtu {workload.mtu}'

    lines = [f'affinity cpus set control {machine.MAIN_CORE} datapath {machine.WORKER_CORE}',
             f'fdb config set max {max(4096, 2 * workload.count)}',
             add_port('underlay'), f'address add {frames.LOCAL_VTEP[4]}/24 iface p1',
             f'nexthop add l3 iface p1 address {router} mac {frames.NEXT_HOP_MAC} id 7',
             # Without this route every packet would go through the control thread.
             f'route add {router}/32 via id 7', 'route add 198.19.0.0/16 via id 7',
             f'interface add bridge br100 learn off mtu {workload.mtu}',
             f'interface add vxlan vx100 vni {frames.VNI} local {frames.LOCAL_VTEP[4]} '
             f'domain br100 learn off mtu {workload.mtu}']
    known = workloads.used_endpoints(workload)
    lines += [f'fdb add {mac} iface vx100 vtep {where[vtep]}'
              for mac, vtep in known if vtep is not None]
    lines.append(add_port('tenant') + ' domain br100')
    return lines + [f'fdb add {mac} iface p0' for mac, vtep in known if vtep is None]


class Running:
    def __init__(self, tree, task):
        self.tree = tree
        self.task = task
        self.socket = os.path.join(task.folder, 'grout.sock')
        workload = task.workload
        machine.kernel_ipv6(True)                # Its ports have twins in the kernel.
        self.child = machine.Child(
            tree.command('grout', '-p', '-M', ':0', '-s', self.socket, '-u',
                         str(workload.mtu + 200), '--', '--no-pci', '-m', '2048'),
            os.path.join(task.folder, 'grout.log'))
        self.pid = self.child.pid
        try:
            self.child.wait_for(lambda: os.path.exists(self.socket), 'socket')
            path = os.path.join(task.folder, 'commands')
            with open(path, 'w', encoding='utf-8') as file:
                file.write('\n'.join(commands(task)) + '\n')
            self.grcli('-e', '-x', '-f', path, seconds=300)
            self.child.wait_for(lambda: self.counters().tx > 0, 'traffic')
        except BaseException:
            self.stop()
            raise

    def grcli(self, *arguments, seconds=20):
        run = subprocess.run(self.tree.command('grcli', '-s', self.socket, *arguments),
                             capture_output=True, text=True, check=False, timeout=seconds)
        if run.returncode != 0:
            raise machine.Trouble(f'grcli: {(run.stdout + run.stderr).strip()[-300:]}')
        return run.stdout

    def counters(self):
        before = time.monotonic()
        rows = json.loads(self.grcli('-j', 'interface', 'stats'))
        now = (before + time.monotonic()) / 2
        return totals(rows, now)

    def nodes(self):
        return {row['node']: row for row in json.loads(self.grcli('-j', 'stats', 'show',
                                                                  'software'))}

    def problems(self):
        """Which nodes carried the packets."""
        nodes, found = self.nodes(), []
        wanted = {'encap': ['vxlan_output'], 'decap': ['vxlan_input'],
                  'both': ['vxlan_output', 'vxlan_input']}[self.task.workload.direction]
        found += [f'no packets in {name}' for name in wanted
                  if not nodes.get(name, {}).get('packets')]
        return found

    def settings(self):
        nodes = self.nodes()
        return {'qsize': queue_size(self.task.workload), 'own_cycles_per_packet': round(
            sum(row['cycles_pkt'] * row['packets'] for row in nodes.values()) /
            max(1, max((row['packets'] for name, row in nodes.items()
                        if name.startswith('port_rx')), default=1)), 1)}

    def reset(self):
        self.grcli('stats', 'reset')

    def stop(self):
        self.child.stop()
        machine.kernel_ipv6(False)


def totals(rows, now):
    """Counters of both ports, from `interface stats`."""
    ports = [row for row in rows if row['interface'] in PORTS.values()]
    return system.Counters(now, sum(row['rx_packets'] for row in ports),
                           sum(row['tx_packets'] for row in ports),
                           sum(row['rx_drops'] + row['tx_errors'] for row in ports))
