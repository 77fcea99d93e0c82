# SPDX-License-Identifier: Apache-2.0
"""`bench peers`: Weir, its peers and the floor on the same work, in turns within one run.

Figures of different minutes make no ratio on a shared machine, so each ratio is taken within one
round and the median of the rounds counts. A rate is believed only after the system's output frames
were decoded; a ratio is refused, with the reason, where frames were lost, a system did other work
than it was asked to, or the rounds disagree too much."""

import collections
import json
import os
import shutil
import statistics
import sys
import time

from benchmark import frames, machine, ovs, system, testpmd, weir
from pcap import read_pcap, write_pcap

Workload = collections.namedtuple('Workload', 'name direction qp_count')
WORKLOADS = [Workload('encap-1k', 'encap', 1000), Workload('encap-100k', 'encap', 100000),
             Workload('decap-1k', 'decap', 1000), Workload('decap-100k', 'decap', 100000)]
HUGEPAGE_COUNT = 1400      # The hungriest: OVS with its pool of 262,144 mbufs of 3 KB.
SETTLE_SECONDS = 0.5       # Caches, flow tables and the processor's clock.
SHARE_MIN = 0.95           # Of its core that the worker must have had.
TURN_ATTEMPTS = 3

Turn = collections.namedtuple('Turn', 'mpps share problems')


def add_arguments(parser):
    parser.add_argument('--rounds', type=int, default=5, metavar='N')
    parser.add_argument('--seconds', type=float, default=2.0, metavar='S',
                        help='length of each measurement')
    parser.add_argument('--only', default='', metavar='NAME,…',
                        help='workloads: ' + ','.join(w.name for w in WORKLOADS))
    parser.add_argument('--systems', default='weir,ovs,floor', metavar='NAME,…',
                        help='weir, ovs, floor')
    parser.add_argument('--spread-max', type=float, default=0.25, metavar='X',
                        help='refuse a ratio whose rounds differ by more than this part of it')
    parser.add_argument('--at-least', type=float, metavar='RATIO',
                        help='fail unless every ratio is at least this')
    parser.add_argument('--json', action='store_true')


def chosen(text):
    names = [name for name in text.split(',') if name]
    unknown = set(names) - {workload.name for workload in WORKLOADS}
    if unknown:
        raise machine.Trouble(f'no workload {", ".join(sorted(unknown))}')
    return [workload for workload in WORKLOADS if not names or workload.name in names]


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.workloads = chosen(options.only)
        self.tsc_hz = machine.tsc_hz()
        self.missing = []
        self.systems = self.present(options)
        self.settings = {}
        self.findings = collections.defaultdict(list)   # (workload, system) → why it is void.
        self.remarks = collections.defaultdict(list)
        self.turns = collections.defaultdict(list)      # (workload, system) → Turn per round.
        self.run_count = 0

    def present(self, options):
        every = {'weir': weir.System(options.build), 'ovs': ovs, 'floor': testpmd}
        names = [name for name in options.systems.split(',') if name]
        unknown = set(names) - set(every)
        if unknown:
            raise machine.Trouble(f'no system {", ".join(sorted(unknown))}')
        found = {}
        for name in names:
            lacking = every[name].missing()
            self.missing += lacking
            if not lacking:
                found[name] = every[name]
        return found

    def say(self, text):
        print(f'[{time.strftime("%H:%M:%S")}] {text}', file=sys.stderr, flush=True)

    def source(self, workload):
        path = os.path.join(self.folder, f'{workload.name}.pcap')
        if not os.path.exists(path):
            write_pcap(path, frames.input_frames(workload.direction, workload.qp_count))
        return path

    def task(self, workload, sampled=False):
        self.run_count += 1
        folder = os.path.join(self.folder, f'run{self.run_count}')
        os.makedirs(folder)
        return system.Task(workload.direction, workload.qp_count, self.source(workload), folder,
                           os.path.join(folder, 'out.pcap') if sampled else None)

    def verify(self, workload, name):
        self.say(f'{workload.name}: decoding what {self.systems[name].NAME} sends')
        task = self.task(workload, sampled=True)
        data, problems = system.sample_output(self.systems[name].Running, task)
        kind = 'macswap' if name == 'floor' else workload.direction
        received = frames.without_arp_of_the_gateway(frames.parse_pcap(data))
        verdict = frames.judge(kind, read_pcap(task.source), received)
        key = workload.name, name
        self.findings[key] += problems + verdict.describe()
        self.remarks[key] += list(verdict.remarks)
        if kind == 'encap':
            copy = os.path.join(task.folder, 'sample.pcap')
            write_pcap(copy, received[:64])
            opinion = frames.second_opinion(copy)
            if opinion is None:
                self.remarks[key].append('not decoded a second time: no tshark')
            elif not frames.agrees_with(opinion):
                self.findings[key].append('tshark does not see VXLAN around RoCE')
        shutil.rmtree(task.folder, ignore_errors=True)

    def measure_once(self, workload, name):
        task = self.task(workload)
        running = self.systems[name].Running(task)
        try:
            machine.raise_priority(running.pid)
            time.sleep(SETTLE_SECONDS)
            if hasattr(running, 'reset'):
                running.reset()
            first, cpu_first = running.counters(), machine.cpu_ns(running.pid)
            steal_first = machine.steal_ticks()
            time.sleep(self.options.seconds)
            last, cpu_last = running.counters(), machine.cpu_ns(running.pid)
            stolen = (machine.steal_ticks() - steal_first) / os.sysconf('SC_CLK_TCK')
            problems = running.problems() + losses(first, last)
            self.settings[(workload.name, name)] = running.settings()
        finally:
            running.stop()
            shutil.rmtree(task.folder, ignore_errors=True)
        seconds = last.time - first.time
        share = 0.0
        if cpu_first is not None and cpu_last is not None:
            share = ((cpu_last - cpu_first) / 1e9 - stolen) / seconds
        return Turn((last.tx - first.tx) / seconds / 1e6, share, problems)

    def measure(self, workload, name):
        for _attempt in range(TURN_ATTEMPTS):
            turn = self.measure_once(workload, name)
            if turn.share >= SHARE_MIN:
                break
        self.turns[(workload.name, name)].append(turn)
        return turn

    def run(self):
        for workload in self.workloads:
            for name in self.systems:
                self.verify(workload, name)
        for number in range(self.options.rounds):
            for workload in self.workloads:
                # Another one begins in each round, so that nobody always has the same neighbour.
                names = list(self.systems)
                names = names[number % len(names):] + names[:number % len(names)]
                turns = {name: self.measure(workload, name) for name in names}
                self.say(f'round {number + 1}, {workload.name}: ' + ', '.join(
                    f'{self.systems[name].NAME} {turns[name].mpps:.2f} Mpps'
                    for name in self.systems))

    def cycles(self, workload, name):
        if self.tsc_hz is None:
            return []
        return [self.tsc_hz / (turn.mpps * 1e6) if turn.mpps else float('inf')
                for turn in self.turns[(workload.name, name)]]

    def summary(self, workload, name):
        turns = self.turns[(workload.name, name)]
        rates = [turn.mpps for turn in turns]
        cycles = self.cycles(workload, name)
        result = {'name': self.systems[name].NAME, 'version': self.systems[name].version(),
                  'mpps': rounded(statistics.median(rates)), 'mpps_min': rounded(min(rates)),
                  'mpps_max': rounded(max(rates)),
                  'core_share_min': rounded(min(turn.share for turn in turns)),
                  'settings': self.settings[(workload.name, name)],
                  'remarks': self.remarks[(workload.name, name)],
                  'problems': self.problems(workload, name)}
        if cycles:
            result['cycles'] = rounded(statistics.median(cycles), 1)
        if cycles and name != 'floor' and 'floor' in self.systems:
            floor = self.cycles(workload, 'floor')
            result['cycles_above_floor'] = rounded(
                statistics.median(mine - bare for mine, bare in zip(cycles, floor)), 1)
        return result

    def problems(self, workload, name):
        found = list(self.findings[(workload.name, name)])
        for turn in self.turns[(workload.name, name)]:
            found += turn.problems
            if turn.share < SHARE_MIN:
                found.append(f'the worker had only {turn.share:.0%} of its core')
        return sorted(set(found))

    def against(self, workload, name):
        """Weir over one peer, or why that cannot be said."""
        result = self.summary(workload, name)
        if 'weir' not in self.systems:
            return {**result, 'ratio': None, 'refused': ['Weir was not measured']}
        pairs = zip(self.turns[(workload.name, 'weir')], self.turns[(workload.name, name)])
        ratios = [ours.mpps / theirs.mpps for ours, theirs in pairs if theirs.mpps]
        refused = [f'Weir: {text}' for text in self.problems(workload, 'weir')]
        refused += [f'{result["name"]}: {text}' for text in result['problems']]
        if len(ratios) < self.options.rounds:
            return {**result, 'ratio': None, 'refused': refused + ['a peer sent nothing']}
        ratio = statistics.median(ratios)
        spread = (max(ratios) - min(ratios)) / ratio if ratio else float('inf')
        if spread > self.options.spread_max:
            refused.append(f'the rounds differ by {spread:.0%}: the machine is too noisy')
        return {**result, 'ratio': None if refused else rounded(ratio),
                'ratio_min': rounded(min(ratios)), 'ratio_max': rounded(max(ratios)),
                'spread': rounded(spread), 'refused': refused}

    def report(self):
        workloads = []
        for workload in self.workloads:
            entry = {'name': workload.name, 'direction': workload.direction,
                     'qp_count': workload.qp_count, 'inner_frame_bytes': frames.FRAME_BYTES}
            if 'weir' in self.systems:
                entry['weir'] = self.summary(workload, 'weir')
            if 'floor' in self.systems:
                entry['floor'] = self.summary(workload, 'floor')
            entry['peers'] = [self.against(workload, name) for name in self.systems
                              if name not in ('weir', 'floor')]
            ratios = [peer['ratio'] for peer in entry['peers']]
            # Over the fastest peer that was run: the smallest ratio, and none if one is refused.
            entry['ratio_best'] = min(ratios) if ratios and None not in ratios else None
            workloads.append(entry)
        return {'machine': machine.describe(), 'date': time.strftime('%Y-%m-%d %H:%M'),
                'rounds': self.options.rounds, 'seconds': self.options.seconds,
                'missing': self.missing, 'workloads': workloads}


def losses(first, last):
    """A counter is read a moment before the other, so a few bursts' difference is none."""
    received, sent = last.rx - first.rx, last.tx - first.tx
    found = []
    if last.lost > first.lost:
        found.append(f'{last.lost - first.lost} frames were lost')
    if abs(received - sent) > max(4096, received // 500):
        found.append(f'{received} frames entered and {sent} left')
    return found


def rounded(value, digits=3):
    return round(value, digits) if value not in (float('inf'), float('-inf')) else None


def line(cells):
    widths = (11, 17, 8, 15, 8, 12, 7, 13)
    return '  '.join(str(cell).ljust(width) for cell, width in zip(cells, widths)).rstrip()


def show(value, pattern):
    return '-' if value is None else pattern.format(value)


def table(report):
    lines = [line(['workload', 'system', 'Mpps', 'min–max', 'cycles', 'above floor', 'ratio',
                   'min–max'])]
    notes, versions = [], {}
    for workload in report['workloads']:
        entries = [workload[name] for name in ('weir', 'floor') if name in workload]
        for entry in entries + workload['peers']:
            versions[entry['name']] = entry['version']
            lines.append(line([
                workload['name'], entry['name'], f'{entry["mpps"]:.2f}',
                f'{entry["mpps_min"]:.2f}–{entry["mpps_max"]:.2f}',
                show(entry.get('cycles'), '{:.1f}'),
                show(entry.get('cycles_above_floor'), '{:.1f}'), show(entry.get('ratio'), '{:.2f}'),
                f'{entry["ratio_min"]:.2f}–{entry["ratio_max"]:.2f}' if 'ratio_min' in entry
                else '']))
            where = f'{workload["name"]}, {entry["name"]}'
            notes += [f'{where}: remark: {text}' for text in entry['remarks']]
            if 'refused' in entry:
                notes += [f'{where}: no ratio: {text}' for text in entry['refused']]
            else:
                notes += [f'{where}: {text}' for text in entry['problems']]
    facts = report['machine']
    lines += ['', f'{facts["processor"]}, {facts["cores"]} cores, Linux {facts["kernel"]}, TSC '
              f'{facts["tsc_mhz"]} MHz; {report["date"]}; median of {report["rounds"]} rounds of '
              f'{report["seconds"]:g} s; one worker core; ratio is Weir over the peer']
    lines += [f'{name}: {text}' for name, text in versions.items()]
    lines += [f'missing: {text}' for text in report['missing']]
    return '\n'.join(lines + list(dict.fromkeys(notes)))


def passed(report, at_least):
    best = [workload['ratio_best'] for workload in report['workloads']]
    return None not in best and (at_least is None or min(best) >= at_least)


def main(options):
    machine.enter_namespace()
    with machine.scratch() as folder:
        bench = Bench(options, folder)
        for text in bench.missing:
            bench.say(f'missing: {text}')
        if not bench.systems:
            raise machine.Trouble('nothing to measure')
        with machine.hugepages(HUGEPAGE_COUNT):
            bench.run()
        report = bench.report()
    print(json.dumps(report, indent=2) if options.json else table(report))
    return 0 if passed(report, options.at_least) else 1
