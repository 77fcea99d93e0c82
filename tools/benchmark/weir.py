# SPDX-License-Identifier: Apache-2.0
"""Weir as its operators run it: a data plane, a control plane, an intent applied with `weir`.
Classification and every counter are on: nothing switches them off."""

import http.client
import json
import os
import socket
import subprocess
import time

from benchmark import frames, machine, system

NAME = 'Weir'
PROGRAMS = {'weir-dataplane': 'dataplane/start/weir-dataplane',
            'weir-controlplane': 'controlplane/weir-controlplane', 'weir': 'controlplane/cli/weir'}
PROFILE = {'mbufs': system.MBUF_COUNT, 'mbuf_bytes': 2048}


def intent(task):
    tenant_device, underlay_device = task.tenant_and_underlay()
    # Ports are made in the order of their names, and the first net_pcap device has the MAC that
    # tunnelled frames are sent to: "fed" before "out".
    tenant, underlay = ('fed', 'out') if task.direction == 'encap' else ('out', 'fed')
    place = {'vtep': 'gw2'} if task.direction == 'encap' else {'port': tenant}
    return {
        'ports': [{'name': underlay, 'role': 'underlay', 'device': underlay_device, 'mtu': 1600},
                  {'name': tenant, 'role': 'tenant', 'device': tenant_device, 'network': 'blue'}],
        'vteps': [{'name': 'self', 'kind': 'local', 'address': frames.LOCAL_VTEP,
                   'port': underlay},
                  {'name': 'gw2', 'kind': 'remote', 'address': frames.REMOTE_VTEP,
                   'port': underlay, 'source': 'self', 'next_hop_mac': frames.NEXT_HOP_MAC}],
        'networks': [{'name': 'blue', 'vni': frames.VNI, 'unknown_unicast': 'drop'}],
        'endpoints': [{'network': 'blue', 'mac': frames.DESTINATION_MAC, **place}],
    }


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
        return Running(self, task, PROFILE)


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
        dataplane = self.child('weir-dataplane', '--runtime-dir', folder, '--workers', '1',
                               '--cores', str(machine.WORKER_CORE), '--idle', 'spin',
                               '--mbufs', str(self.profile['mbufs']),
                               '--mbuf-bytes', str(self.profile['mbuf_bytes']))
        self.pid = dataplane.pid
        self.control = self.child('weir-controlplane', '--runtime-dir', folder,
                                  '--state-dir', os.path.join(folder, 'state'))
        os.sched_setaffinity(self.control.pid, {machine.MAIN_CORE})
        dataplane.wait_for(lambda: os.path.exists(os.path.join(folder, 'dataplane.sock')), 'socket')
        self.times['ready_s'] = time.monotonic() - started
        self.control.wait_for(self.connected, 'data plane', others=[dataplane])
        path = os.path.join(folder, 'intent.json')
        with open(path, 'w', encoding='utf-8') as file:
            json.dump(self.intent(), file)
        self.apply(path)
        dataplane.wait_for(lambda: self.counters().tx > 0, 'traffic')
        self.times['forwarding_s'] = time.monotonic() - started

    def intent(self):
        return intent(self.task)

    def connected(self):
        try:
            return 'totals' in self.ask('/v1/stats')
        except (OSError, machine.Trouble):
            return False

    def apply(self, path):
        run = subprocess.run([self.build.program('weir'), '-s', self.socket, 'apply', path],
                             capture_output=True, text=True, check=False, timeout=30)
        if run.returncode != 0:
            raise machine.Trouble(f'weir apply: {run.stderr.strip() or run.stdout.strip()}')

    def ask(self, path):
        connection = UnixConnection(self.socket)
        try:
            connection.request('GET', path)
            reply = connection.getresponse()
            body = json.loads(reply.read())
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
        if kinds != {'roce_write'}:
            found.append(f'frames were classified as {", ".join(sorted(kinds)) or "nothing"}')
        if not stats['dataplane']['hugepages']:
            found.append('packet memory is not on hugepages')
        return found

    def settings(self):
        return self.profile

    def stop(self):
        for child in reversed(self.children):
            child.stop()
