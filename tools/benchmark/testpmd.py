# SPDX-License-Identifier: Apache-2.0
"""The floor: testpmd swaps two MAC addresses, so that what it costs is receiving and sending. In io
mode it does not even that."""

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


class Forwarder:
    """testpmd between two devices, its worker on a core."""

    def __init__(self, folder, name, core, *devices, mode='io', arguments=(), eal=()):
        runtime = os.path.join(folder, name)
        os.makedirs(runtime)
        # stdin stays open: testpmd ends with it.
        self.stdin, self.stdin_writer = os.pipe()
        command = ['dpdk-testpmd', '--lcores', f'0@{machine.MAIN_CORE},1@{core}', '--in-memory',
                   '--no-pci', '--file-prefix', name, *eal]
        for device in devices:
            command += ['--vdev', device]
        command += ['--', f'--forward-mode={mode}', '--auto-start', '-i',
                    '--no-flush-rx',  # A file that is read once would be flushed away.
                    *arguments]
        self.child = machine.Child(command, os.path.join(folder, f'{name}.log'),
                                   env={'RUNTIME_DIRECTORY': runtime}, stdin=self.stdin)
        self.pid = self.child.pid
        self.telemetry = None
        try:
            path = os.path.join(runtime, 'dpdk', name, 'dpdk_telemetry.v2')
            self.telemetry = self.child.wait_for(lambda: connect(path), 'telemetry')
            self.child.wait_for(lambda: len(self.telemetry.ask('/ethdev/list')) == 2, 'ports')
        except BaseException:
            self.stop()
            raise

    def problems(self):
        return []

    def stop(self):
        if self.telemetry is not None:
            self.telemetry.close()
        self.child.stop()
        os.close(self.stdin)
        os.close(self.stdin_writer)


class Running(Forwarder):
    def __init__(self, task):
        self.workload = task.workload
        super().__init__(task.folder, 'floor', machine.WORKER_CORE, *task.devices().values(),
                         mode='macswap',
                         arguments=(f'--total-num-mbufs={self.workload.mbuf_count}',
                                    f'--mbuf-size={self.workload.mbuf_bytes + HEADROOM_BYTES}',
                                    f'--max-pkt-len={self.workload.mtu + 18}'))
        try:
            self.ports = [self.telemetry.port(name) for name in task.names().values()]
            self.child.wait_for(lambda: self.counters().rx > 0, 'traffic')
        except BaseException:
            self.stop()
            raise

    def counters(self):
        return self.telemetry.counters(self.ports)

    def settings(self):
        return {'mbufs': self.workload.mbuf_count, 'mbuf_bytes': self.workload.mbuf_bytes}


def connect(path):
    try:
        return system.Telemetry(path)
    except OSError:
        return None
