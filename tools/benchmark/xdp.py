# SPDX-License-Identifier: Apache-2.0
"""`bench xdp`: an xdp port of Weir and testpmd's io mode on net_af_xdp, in turns within one run, on
one queue and one core each. Both take frames from one veth and send them out of another; Weir, by
its role, classifies and counts RoCEv2 (transit), or takes it out of VXLAN and looks up whose it is
(underlay), on the way.

    pcap ── generator ══ veth ══ in0 ── system ── out0 ══ veth ══ (nobody)

The kernel's share of reception, XDP program included, runs on the generator's core, as the veth's
other end does: what it costs shows in what is offered. What counts is what arrives."""

import json
import os
import statistics
import subprocess
import time

from benchmark import frames, machine, system, testpmd, weir, workloads
from pcap import write_pcap

QP_COUNT = 1000
HUGEPAGE_COUNT = 400
SETTLE_SECONDS = 1.0
WAITED_MAX = 0.10          # Of the time, that a worker may have waited for its core.
TURN_ATTEMPTS = 3
INTERFACES = (('in0', 'generator0'), ('out0', 'nobody0'))
PROFILE = {'mbufs': 16384, 'mbuf_bytes': 2048}
DESCRIPTORS = 2048         # Of every ring of both: what net_af_xdp has by default.


def add_arguments(parser):
    parser.add_argument('--role', choices=('transit', 'underlay'), default='transit',
                        help='of the xdp port that frames come to')
    parser.add_argument('--rounds', type=int, default=9, metavar='N')
    parser.add_argument('--seconds', type=float, default=2.0, metavar='S',
                        help='length of each measurement')
    parser.add_argument('--spread-max', type=float, default=0.25, metavar='X',
                        help='refuse a ratio whose rounds differ by more than this part of it')
    parser.add_argument('--at-least', type=float, metavar='RATIO',
                        help='fail unless the ratio is at least this')
    parser.add_argument('--json', action='store_true')


def ip(*arguments):
    subprocess.run(['ip', 'link', *arguments], check=True, timeout=10, capture_output=True)


class Cables:
    """Both pairs, made anew for each turn, with one queue."""

    def __enter__(self):
        for near, far in INTERFACES:
            ip('add', near, 'numrxqueues', '1', 'numtxqueues', '1', 'type', 'veth', 'peer', 'name',
               far, 'numrxqueues', '1', 'numtxqueues', '1')
            ip('set', near, 'up', *(('address', frames.UNDERLAY_MAC) if near == 'in0' else ()))
            ip('set', far, 'up')
        return self

    def __exit__(self, *_):
        for near, _far in INTERFACES:
            ip('delete', near)


class Counted:
    """What the kernel counted at both far ends, which is the same for either system."""

    def __init__(self):
        self.time = time.monotonic()
        with open('/proc/net/dev', encoding='ascii') as file:
            rows = {name.strip(): numbers.split() for name, _, numbers in
                    (line.partition(':') for line in file)}
        self.offered, self.arrived = int(rows['generator0'][9]), int(rows['nobody0'][1])


def forwarder(folder, name, core, *devices):
    return testpmd.Forwarder(folder, name, core, *devices, eal=('-m', '256'), arguments=(
        f'--total-num-mbufs={PROFILE["mbufs"]}', f'--rxd={DESCRIPTORS}', f'--txd={DESCRIPTORS}'))


class XdpTask(system.Task):
    def devices(self):
        fed, out = (f'xdp:{near},queues=1,absent=pass' for near, _ in INTERFACES)
        return {'underlay': fed, 'tenant': out} if 'underlay' in self.sources else \
            {'tenant': fed, 'underlay': out}


class Weir(weir.Running):
    def endpoints(self):
        return '[]' if self.task.workload.sides == workloads.TENANT else super().endpoints()

    def intent(self):
        if self.task.workload.sides == workloads.UNDERLAY:
            intent = weir.intent(self.task, marker=False)
        else:
            intent = {'ports': [{'name': name, 'role': 'transit', 'peer': peer, 'device': device}
                                for name, peer, device in zip(('fed', 'out'), ('out', 'fed'),
                                                              self.task.devices().values())]}
        for port in intent['ports']:
            port |= {'rx_descriptors': DESCRIPTORS, 'tx_descriptors': DESCRIPTORS}
            port.pop('mtu', None)                # It is the interface's.
        return intent

    def problems(self):
        found = super().problems()
        drivers = {port['driver'] for port in self.ask('/v1/stats')['ports']}
        if drivers != {'xdp native copy'}:
            found.append(f'the ports are {", ".join(sorted(drivers))}')
        return found


def waited_ns(pid):
    """How long the worker was ready to run and did not. What softirqs of its own sending take is
    work of the system's, so that its share of the core says nothing here."""
    with open(f'/proc/{pid}/task/{machine.worker_thread(pid)}/schedstat', encoding='ascii') as file:
        return int(file.read().split()[1])


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.build = weir.System(options.build)
        if self.build.missing():
            raise machine.Trouble('missing: ' + ', '.join(self.build.missing()))
        self.source = os.path.join(folder, 'frames.pcap')
        sides = workloads.UNDERLAY if options.role == 'underlay' else workloads.TENANT
        self.workload = workloads.Workload('xdp', 'between xdp ports', sides, QP_COUNT)
        stream = workloads.streams(self.workload)[sides[0]]
        write_pcap(self.source, stream.frames)
        self.turns = {'Weir': [], 'testpmd': []}
        self.problems = []
        self.count = 0

    def start(self, name, folder):
        if name == 'testpmd':
            return forwarder(folder, 'peer', machine.WORKER_CORE, 'net_af_xdp0,iface=in0',
                             'net_af_xdp1,iface=out0')
        return Weir(self.build, XdpTask(self.workload, {self.workload.sides[0]: self.source},
                                        folder), PROFILE)

    def measure_once(self, name):
        self.count += 1
        folder = os.path.join(self.folder, f'run{self.count}')
        os.makedirs(folder)
        with Cables():
            generator = forwarder(folder, 'generator', machine.MAIN_CORE,
                                  f'net_pcap0,rx_pcap={self.source},infinite_rx=1',
                                  'net_af_packet0,iface=generator0')
            try:
                running = self.start(name, folder)
                try:
                    return self.observe(name, running, generator)
                finally:
                    running.stop()
            finally:
                generator.stop()

    def observe(self, name, running, generator):
        machine.raise_priority(running.pid)
        machine.raise_priority(generator.pid)
        time.sleep(SETTLE_SECONDS)
        first, waited_first = Counted(), waited_ns(running.pid)
        time.sleep(self.options.seconds)
        last, waited_last = Counted(), waited_ns(running.pid)
        seconds = last.time - first.time
        for text in running.problems():
            self.problems.append(f'{name}: {text}')
        return {'kpps': (last.arrived - first.arrived) / seconds / 1e3,
                'offered_kpps': (last.offered - first.offered) / seconds / 1e3,
                'waited': (waited_last - waited_first) / 1e9 / seconds}

    def measure(self, name):
        for _attempt in range(TURN_ATTEMPTS):
            turn = self.measure_once(name)
            if turn['waited'] <= WAITED_MAX:
                break
        self.turns[name].append(turn)
        return turn

    def run(self):
        for number in range(self.options.rounds):
            names = list(self.turns)
            if number % 2:
                names.reverse()                  # Nobody always has the same neighbour.
            turns = {name: self.measure(name) for name in names}
            print(f'[{time.strftime("%H:%M:%S")}] round {number + 1}: ' + ', '.join(
                f'{name} {turn["kpps"]:.0f} of {turn["offered_kpps"]:.0f} kpps'
                for name, turn in turns.items()), flush=True)

    def report(self):
        result = {'machine': machine.describe(), 'version': self.build.version(),
                  'peer': f'testpmd io on net_af_xdp, {machine.package_version("dpdk-dev")}',
                  'role': self.options.role, 'rounds': self.options.rounds,
                  'seconds': self.options.seconds,
                  'frame_bytes': frames.FRAME_BYTES, 'descriptors': DESCRIPTORS,
                  **verdict(self.turns, self.problems, self.options.spread_max)}
        for name, turns in self.turns.items():
            result[name] = {key: round(statistics.median(turn[key] for turn in turns), 2)
                            for key in turns[0]}
        return result


def verdict(turns, problems, spread_max):
    """Weir over testpmd, or why that cannot be said."""
    refused = sorted(set(problems))
    for name, rows in turns.items():
        if any(turn['waited'] > WAITED_MAX for turn in rows):
            refused.append(f'{name}: the worker waited for its core: the machine is too busy')
        if not all(turn['kpps'] > 0 for turn in rows):
            refused.append(f'{name}: nothing was sent in a turn')
    ratios = [ours['kpps'] / theirs['kpps'] for ours, theirs in zip(turns['Weir'], turns['testpmd'])
              if theirs['kpps'] > 0] or [0.0]
    ratio = statistics.median(ratios)
    spread = (max(ratios) - min(ratios)) / ratio if ratio else float('inf')
    if spread > spread_max:
        refused.append(f'the rounds differ by {spread:.0%}: the machine is too noisy')
    return {'ratio': None if refused else round(ratio, 3), 'ratio_min': round(min(ratios), 3),
            'ratio_max': round(max(ratios), 3), 'refused': refused}


def show(report):
    for name in ('Weir', 'testpmd'):
        print(f'  {name:8} {report[name]["kpps"]:7.0f} kpps of {report[name]["offered_kpps"]:.0f} '
              f'offered, waited {report[name]["waited"]:.1%} of the time for its core')
    ratio = 'refused' if report['ratio'] is None else f'{report["ratio"]:.2f}'
    print(f'  {report["role"]}: ratio {ratio} '
          f'({report["ratio_min"]:.2f}–{report["ratio_max"]:.2f}), median of '
          f'{report["rounds"]} rounds of {report["seconds"]:g} s; {report["version"]} over '
          f'{report["peer"]}')
    for text in report['refused']:
        print(f'  refused: {text}')


def main(options):
    machine.enter_namespace()
    with machine.scratch() as folder, machine.hugepages(HUGEPAGE_COUNT):
        bench = Bench(options, folder)
        bench.run()
        report = bench.report()
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        show(report)
    good = report['ratio'] is not None
    return 0 if good and (options.at_least is None or report['ratio'] >= options.at_least) else 1
