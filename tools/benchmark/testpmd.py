# SPDX-License-Identifier: Apache-2.0
"""The floor: testpmd swaps two MAC addresses, so that what it costs is receiving and sending."""

import os
import shutil

from benchmark import machine, system

NAME = 'testpmd macswap'
PACKAGE = 'dpdk-dev'
HEADROOM_BYTES = 128


def missing():
    return [] if shutil.which('dpdk-testpmd') else [f'{PACKAGE} (dpdk-testpmd)']


def version():
    return machine.package_version(PACKAGE) or 'not a Debian package'


class Running:
    def __init__(self, task):
        workload = self.workload = task.workload
        runtime = os.path.join(task.folder, 'run')
        os.makedirs(runtime)
        # stdin stays open: testpmd ends with it.
        self.stdin, self.stdin_writer = os.pipe()
        command = ['dpdk-testpmd', '-l', f'{machine.MAIN_CORE},{machine.WORKER_CORE}',
                   '--in-memory', '--no-pci', '--file-prefix', 'floor']
        for device in task.devices().values():
            command += ['--vdev', device]
        command += ['--', '--forward-mode=macswap', '--auto-start', '-i',
                    '--no-flush-rx',  # A file that is read once would be flushed away.
                    f'--total-num-mbufs={workload.mbuf_count}',
                    f'--mbuf-size={workload.mbuf_bytes + HEADROOM_BYTES}',
                    f'--max-pkt-len={workload.mtu + 18}']
        self.child = machine.Child(command, os.path.join(task.folder, 'testpmd.log'),
                                   env={'RUNTIME_DIRECTORY': runtime}, stdin=self.stdin)
        self.telemetry = None
        try:
            self.await_forwarding(os.path.join(runtime, 'dpdk', 'floor', 'dpdk_telemetry.v2'), task)
        except BaseException:
            self.stop()
            raise

    def await_forwarding(self, path, task):
        self.child.wait_for(lambda: os.path.exists(path), 'telemetry socket')
        self.telemetry = self.child.wait_for(lambda: connect(path), 'telemetry')
        self.child.wait_for(lambda: len(self.telemetry.ask('/ethdev/list')) == 2, 'ports')
        self.ports = [self.telemetry.port(name) for name in task.names().values()]
        self.pid = self.child.pid
        self.child.wait_for(lambda: self.counters().rx > 0, 'traffic')

    def counters(self):
        return self.telemetry.counters(self.ports)

    def problems(self):
        return []

    def settings(self):
        return {'mbufs': self.workload.mbuf_count, 'mbuf_bytes': self.workload.mbuf_bytes}

    def stop(self):
        if self.telemetry is not None:
            self.telemetry.close()
        self.child.stop()
        os.close(self.stdin)
        os.close(self.stdin_writer)


def connect(path):
    try:
        return system.Telemetry(path)
    except OSError:
        return None
