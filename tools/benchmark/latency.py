# SPDX-License-Identifier: Apache-2.0
"""`bench latency`: how late frames are that pass a system over memif, at half of what it carries
without loss. Weir, as a gateway that encapsulates, and testpmd's io mode in turns, at one rate.

    weir-pktgen ══ memif ══ system ══ memif ══ weir-pktgen (the same process, so one clock)

The generator has core 0 and the system's worker core 1. Where all else shares these two, what
stands behind the point is theirs: with less than four cores there are figures and no target."""

import json
import os
import statistics
import subprocess

from benchmark import frames, machine, testpmd, weir, workloads

HUGEPAGE_COUNT = 500
QP_COUNT = 1024
CORES_MIN = 4
SLOWER_MAX_NS = 10_000      # Of p99.9, than testpmd.
QUANTILES = ('min', 'p50', 'p90', 'p99', 'p99_9', 'p99_99', 'max')
PROBE_SECONDS, PROBES = 3, 8
PROFILE = {'mbufs': 16384, 'mbuf_bytes': 2048}


def add_arguments(parser):
    parser.add_argument('--rounds', type=int, default=5, metavar='N')
    parser.add_argument('--seconds', type=int, default=3, metavar='S',
                        help='length of each measurement')
    parser.add_argument('--rate', type=int, metavar='FPS',
                        help='frames a second, in place of half of what goes without loss')
    parser.add_argument('--json', action='store_true')


def profile(folder):
    """128-byte WRITEs, as in bench peers, of which pktgen makes 130."""
    path = os.path.join(folder, 'profile.yaml')
    with open(path, 'w', encoding='utf-8') as file:
        file.write(f'description: "frames of 130 bytes"\npmtu: 1024\nrate: {{burst: 16}}\n'
                   f'flows: {{count: {QP_COUNT}}}\n'
                   f'addresses: {{destination_mac: "{frames.DESTINATION_MAC}"}}\n'
                   'mix:\n  - {operation: write, bytes: 54}\n')
    return path


def memif(folder, number, role):
    return f'net_memif{number},role={role},socket={folder}/m{number},socket-abstract=no'


class Task:
    """What weir.Running and Testpmd are given: a pair of memifs, no file."""
    workload = workloads.Workload('latency', 'one endpoint into a tunnel', workloads.TENANT,
                                  QP_COUNT)
    sources = {'tenant': None}

    def __init__(self, folder):
        self.folder = folder

    def devices(self):
        return {'tenant': memif(self.folder, 0, 'server'),
                'underlay': memif(self.folder, 1, 'server')}


class Weir(weir.Running):
    def await_traffic(self, dataplane):
        """None comes before the generator starts."""

    def intent(self):
        intent = super().intent()
        for port in intent['ports']:
            port.pop('mtu')                      # A memif's is its peer's.
        intent['vteps'][0].pop('port')
        return intent


class Generator:
    def __init__(self, build, folder):
        self.program = os.path.join(build, 'tools', 'pktgen', 'weir-pktgen')
        self.profile = profile(folder)

    def command(self, folder, frames_per_second, seconds):
        command = [self.program, self.profile, '--spin', '--core', str(machine.MAIN_CORE), '--json',
                   '--seconds', str(seconds), '--frames-per-second', str(frames_per_second)]
        for number in (0, 1):
            command += ['--port', memif(folder, number, 'client')]
        return command

    def start(self, folder, frames_per_second, seconds, output):
        return subprocess.Popen(self.command(folder, frames_per_second, seconds), stdout=output,
                                stderr=subprocess.DEVNULL, start_new_session=True,
                                preexec_fn=prepare)

    def run(self, folder, frames_per_second, seconds):
        """What pktgen says of it."""
        run = subprocess.run(self.command(folder, frames_per_second, seconds), capture_output=True,
                             text=True, check=False, timeout=seconds + 30, start_new_session=True,
                             preexec_fn=prepare)
        if run.returncode != 0:
            raise machine.Trouble(f'weir-pktgen: {run.stderr.strip()[-300:]}')
        return json.loads(run.stdout)


def prepare():
    machine.die_with_parent()
    machine.raise_priority(os.getpid())


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.build = weir.System(options.build)
        lacking = self.build.missing() + testpmd.missing()
        if lacking:
            raise machine.Trouble('missing: ' + ', '.join(lacking))
        self.generator = Generator(options.build, folder)
        self.count = 0

    def start(self, name, folder):
        task = Task(folder)
        if name == 'Weir':
            return Weir(self.build, task, PROFILE)
        return testpmd.Forwarder(folder, 'io', machine.WORKER_CORE, *task.devices().values(),
                                 eal=('-m', '256'), arguments=('--total-num-mbufs=16384',))

    def turn(self, name, *runs):
        """Results of (frames a second, seconds), one after the other, of one started system."""
        self.count += 1
        folder = os.path.join(self.folder, str(self.count))
        os.makedirs(folder)
        running = self.start(name, folder)
        try:
            machine.raise_priority(running.pid)
            return [self.generator.run(folder, *each) for each in runs]
        finally:
            running.stop()

    def without_loss(self, name):
        """The highest of a falling row of rates that loses nothing."""
        fastest = self.turn(name, (0, PROBE_SECONDS))[0]['received']['frames_per_second']
        rate = fastest
        for _ in range(PROBES):
            found = self.turn(name, (int(rate), PROBE_SECONDS))[0]
            if not lost(found):
                return min(rate, found['received']['frames_per_second'])
            rate *= 0.8
        raise machine.Trouble(f'{name} loses frames even at {rate / 1e3:.0f} kpps')

    def run(self):
        rates = {name: self.options.rate * 2 if self.options.rate else self.without_loss(name)
                 for name in ('Weir', 'testpmd io')}
        rate = int(min(rates.values()) / 2)
        turns = {name: [] for name in rates}
        for number in range(self.options.rounds):
            for name in list(rates) if number % 2 else reversed(list(rates)):
                turns[name] += self.turn(name, (rate, self.options.seconds))
        return {'machine': machine.describe(), 'load': machine.load(),
                'version': self.build.version(), 'frame_bytes': 130, 'rate': rate,
                'rounds': self.options.rounds, 'seconds': self.options.seconds,
                'systems': [summary(name, rates[name], turns[name]) for name in turns]}


def lost(result):
    """After the first second: memifs connect one after the other, and testpmd drops what comes when
    only the first one is there."""
    return sum(second['lost'] for second in result['series'][1:])


def summary(name, rate, results):
    """Of each quantile the median of the rounds, in nanoseconds."""
    return {'name': name, 'without_loss': int(rate),
            'received': sum(result['received']['frames'] for result in results),
            'lost': sum(lost(result) for result in results),
            'late_ms': round(sum(result['sent']['late_ms'] for result in results), 1),
            'latency_ns': {quantile: int(statistics.median(result['latency_ns'][quantile]
                                                           for result in results))
                           for quantile in QUANTILES}}


def verdict(report):
    """Met, missed, or why there is none."""
    if report['machine']['cores'] < CORES_MIN:
        return f'no target: {report["machine"]["cores"]} cores, {CORES_MIN} are needed'
    ours, theirs = (system['latency_ns']['p99_9'] for system in report['systems'])
    return 'met' if ours <= theirs + SLOWER_MAX_NS else 'missed'


def table(report):
    lines = ['system       no loss at  ' + ''.join(f'{name.replace("_", "."):>10}'
                                                   for name in QUANTILES) + '  us']
    for system in report['systems']:
        cells = ''.join(f'{system["latency_ns"][name] / 1e3:10.1f}' for name in QUANTILES)
        lines.append(f'{system["name"]:11}  {system["without_loss"] / 1e3:6.0f} kpps  {cells}')
        lines.append(f'{"":11}  {system["received"]} frames, {system["lost"]} lost, generator '
                     f'{system["late_ms"]} ms late')
    return '\n'.join(lines + [
        f'{report["rate"] / 1e3:.0f} kpps of {report["frame_bytes"]} bytes, median of '
        f'{report["rounds"]} rounds of {report["seconds"]} s, load {report["load"]}, '
        f'{report["version"]}', f'p99.9 at most testpmd\'s + 10 us: {report["verdict"]}'])


def main(options):
    machine.enter_namespace()
    with machine.scratch() as folder, machine.hugepages(HUGEPAGE_COUNT):
        report = Bench(options, folder).run()
    report['verdict'] = verdict(report)
    print(json.dumps(report, indent=2) if options.json else table(report))
    return 0 if report['verdict'] != 'missed' else 1
