# SPDX-License-Identifier: Apache-2.0
"""Weir as its operators run it: a data plane, a control plane, an intent applied with `weir`.
Classification and every counter are on: nothing switches them off."""

import functools
import http.client
import json
import os
import socket
import subprocess
import time

from benchmark import frames, machine, system, workloads

NAME = 'Weir'
PROGRAMS = {'weir-dataplane': 'dataplane/start/weir-dataplane',
            'weir-controlplane': 'controlplane/weir-controlplane', 'weir': 'controlplane/cli/weir'}
TUNNEL_BYTES = 70
ROOM_LEAST = 65536         # Endpoints: the default of weir-dataplane.
# A DCQCN marker on a queue that nothing waits in: frames pass without being enqueued.
MARKER = {'traffic_class': 3, 'carries': ['data'], 'kmin': '500K', 'kmax': '2M', 'pmax': '5%',
          'buffer': '4M'}


# Ports are made in the order of their names, and the first net_pcap device has the MAC that
# tunnelled frames are sent to.
PORTS = {'underlay': 'a-wire', 'tenant': 'host'}


def intent(task, marker=True):
    """All but the endpoints."""
    workload, devices = task.workload, task.devices()
    ports, family = PORTS, workload.family
    queues = [{'port': ports[side], **MARKER} for side in ports if task.sources.keys() - {side}]
    return {
        'ports': [{'name': ports['underlay'], 'role': 'underlay', 'device': devices['underlay'],
                   'mtu': workload.mtu},
                  {'name': ports['tenant'], 'role': 'tenant', 'device': devices['tenant'],
                   'network': 'blue', 'mtu': workload.mtu - TUNNEL_BYTES}],
        'vteps': [{'name': 'self', 'kind': 'local', 'address': frames.LOCAL_VTEP[family],
                   'port': ports['underlay']},
                  *({'name': f'gw{number}', 'kind': 'remote', 'address': address,
                     'port': ports['underlay'], 'source': 'self',
                     'next_hop_mac': frames.NEXT_HOP_MAC}
                    for number, address in enumerate(remote_vteps(workload)))],
        'networks': [{'name': 'blue', 'vni': frames.VNI, 'unknown_unicast': 'drop'}],
        'queues': queues if marker else [],
    }


@functools.lru_cache(2)
def endpoints_json(workload):
    """A million take seconds to write, so all turns share them."""
    return json.dumps([{'network': 'blue', 'mac': mac,
                        **({'port': PORTS['tenant']} if vtep is None else {'vtep': f'gw{vtep}'})}
                       for mac, vtep in workloads.endpoints(workload)])


def remote_vteps(workload):
    """The far gateway, whose tunnelled frames are taken, is always among them."""
    found = workloads.remotes(workload)
    return found if workload.sides == ('tenant',) else \
        [frames.REMOTE_VTEP[workload.family], *found[1:]]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__('localhost', timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class System:
    """Weir of one build folder."""
    NAME = NAME

    def __init__(self, build):
        self.build = build

    def program(self, name):
        return os.path.join(self.build, PROGRAMS[name])

    def missing(self):
        return [f'{self.program(name)} (build it: ninja -C {self.build})' for name in PROGRAMS
                if not os.access(self.program(name), os.X_OK)]

    def version(self):
        run = subprocess.run([self.program('weir-dataplane'), '--version'], capture_output=True,
                             text=True, check=False, timeout=20)
        return run.stdout.strip() or 'unknown'

    def Running(self, task):
        workload = task.workload
        return Running(self, task, {'mbufs': workload.mbuf_count,
                                    'mbuf_bytes': workload.mbuf_bytes})


class Running:
    def __init__(self, build, task, profile):
        self.build = build
        self.profile = profile
        self.times = {}
        self.task = task
        self.children = []
        self.socket = os.path.join(task.folder, 'controlplane.sock')
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def child(self, name, *arguments):
        child = machine.Child([self.build.program(name), *arguments],
                              os.path.join(self.task.folder, f'{name}.log'))
        self.children.append(child)
        return child

    def start(self):
        started = time.monotonic()
        folder = self.task.folder
        cores = self.cores()
        dataplane = self.child('weir-dataplane', '--runtime-dir', folder,
                               '--workers', str(len(cores)), '--cores', ','.join(map(str, cores)),
                               *self.options(),
                               '--mbufs', str(self.profile['mbufs']),
                               '--mbuf-bytes', str(self.profile['mbuf_bytes']),
                               '--endpoints', str(self.room()))
        self.pid = dataplane.pid
        self.control = self.child('weir-controlplane', '--runtime-dir', folder,
                                  '--state-dir', os.path.join(folder, 'state'))
        os.sched_setaffinity(self.control.pid, {machine.MAIN_CORE})
        dataplane.wait_for(lambda: os.path.exists(os.path.join(folder, 'dataplane.sock')), 'socket')
        self.times['ready_s'] = time.monotonic() - started
        self.control.wait_for(self.connected, 'data plane', others=[dataplane])
        path = os.path.join(folder, 'intent.json')
        with open(path, 'w', encoding='utf-8') as file:
            head = json.dumps(self.intent())[:-1]
            file.write(f'{head}, "endpoints": {self.endpoints()}}}')
        self.apply(path)
        self.await_traffic(dataplane)
        self.times['forwarding_s'] = time.monotonic() - started

    def cores(self):
        """Of its workers."""
        return [machine.WORKER_CORE]

    def options(self):
        """What its workers do without frames."""
        return ['--idle', 'spin']

    def room(self):
        return max(ROOM_LEAST, self.task.workload.endpoints)

    def await_traffic(self, dataplane):
        dataplane.wait_for(lambda: self.counters().tx > 0, 'traffic')

    def intent(self):
        return intent(self.task)

    def endpoints(self):
        return endpoints_json(self.task.workload)

    def connected(self):
        try:
            return 'totals' in self.ask('/v1/stats')
        except (OSError, machine.Trouble):
            return False

    def apply(self, path):
        run = subprocess.run([self.build.program('weir'), '-s', self.socket, '--timeout',
                              '120', 'apply', path],
                             capture_output=True, text=True, check=False, timeout=150)
        if run.returncode != 0:
            raise machine.Trouble(f'weir apply: {run.stderr.strip() or run.stdout.strip()}')

    def ask(self, path):
        connection = UnixConnection(self.socket)
        try:
            connection.request('GET', path)
            reply = connection.getresponse()
            body = json.loads(reply.read())
        except TimeoutError as error:
            self.control.check()
            raise machine.Trouble(f'GET {path}: no answer within {connection.timeout} s') from error
        finally:
            connection.close()
        if reply.status != 200:
            raise machine.Trouble(f'GET {path}: {body}')
        return body

    def counters(self):
        before = time.monotonic()
        stats = self.ask('/v1/stats')
        totals = stats['totals']
        return system.Counters((before + time.monotonic()) / 2, totals['rx'], totals['tx'],
                               sum(stats['drops'].values()))

    def problems(self):
        """Whether every frame was accounted for, and classified as what it is."""
        stats = self.ask('/v1/stats')
        found = []
        if stats['totals']['mismatch']:
            found.append(f'{stats["totals"]["mismatch"]} packets are not accounted for')
        kinds = {kind for port in stats['ports'] for kind in port['rx_kinds']}
        wanted = set(self.task.workload.kinds)
        if wanted and kinds != wanted:
            found.append(f'frames were classified as {", ".join(sorted(kinds)) or "nothing"}')
        for queue in self.ask('/v1/traffic_classes')['traffic_classes']:
            if queue['waited_packets'] or queue['marked_packets']:
                found.append(f'frames waited in the queue {queue["name"]}')
        if not stats['dataplane']['hugepages']:
            found.append('packet memory is not on hugepages')
        return found

    def settings(self):
        return self.profile

    def stop(self):
        for child in reversed(self.children):
            child.stop()
