# SPDX-License-Identifier: Apache-2.0
"""`bench peers`: Weir, its peers and the floor on the same work, in turns within one run.

Figures of different minutes make no ratio on a shared machine, so each ratio is taken within one
round and the median of the rounds counts. A rate is believed only after the system's output frames
were decoded; a ratio is refused, with the reason, where frames were lost, a system did other work
than it was asked to, or the rounds disagree too much."""

import json
import os
import shutil
import sys
import time

from benchmark import (frames, grout, machine, ovs, ratios, system, targets, testpmd, tree, vpp,
                       weir, workloads)
from pcap import write_pcap

HUGEPAGE_COUNT = 1600      # The hungriest peer: OVS, with 3 KB an mbuf.
SETTLE_SECONDS = 0.5       # Caches, flow tables and the processor's clock.
TURN_ATTEMPTS = 3
PACKET_BYTES = 384         # Of an mbuf besides its data, and a share of all else.


def add_arguments(parser):
    names = ','.join(each.name for each in workloads.WORKLOADS)
    parser.add_argument('--rounds', type=int, default=5, metavar='N')
    parser.add_argument('--seconds', type=float, default=2.0, metavar='S',
                        help='length of each measurement')
    parser.add_argument('--only', default='', metavar='NAME,…', help=f'workloads: {names}')
    parser.add_argument('--systems', default='', metavar='NAME,…',
                        help='of ' + ','.join(workloads.EVERYBODY) + '; weir,ovs,floor and what '
                             'the options below bring')
    parser.add_argument('--new', action='store_true',
                        help='also the newest OVS-DPDK and grout, from a tree of Debian sid')
    parser.add_argument('--vpp', metavar='DIR',
                        help='also the VPP that is installed under DIR (usr/bin/vpp, vpp_plugins)')
    parser.add_argument('--cache', default=tree.DEFAULT, metavar='DIR',
                        help='where that tree is made, once, and kept (%(default)s)')
    parser.add_argument('--spread-max', type=float, default=0.25, metavar='X',
                        help='refuse a ratio whose rounds differ by more than this part of it')
    parser.add_argument('--at-least', type=float, metavar='RATIO',
                        help='fail unless every ratio is at least this')
    parser.add_argument('--json', action='store_true')


def chosen(text):
    names = [name for name in text.split(',') if name]
    unknown = set(names) - {workload.name for workload in workloads.WORKLOADS}
    if unknown:
        raise machine.Trouble(f'no workload {", ".join(sorted(unknown))}')
    return [workload for workload in workloads.WORKLOADS if not names or workload.name in names]


def systems_of(options, sid):
    """Name → system, of those that were asked for."""
    every = {'weir': weir.System(options.build), 'ovs': ovs.System(tree.Tree()),
             'ovs-new': ovs.System(sid, 'OVS-DPDK new'), 'grout': grout.System(sid),
             **({'vpp': vpp.System(options.vpp)} if options.vpp else {}), 'floor': testpmd}
    names = [name for name in options.systems.split(',') if name]
    unknown = set(names) - set(every)
    if unknown:
        raise machine.Trouble(f'no system {", ".join(sorted(unknown))}')
    if not names:
        names = ['weir', 'ovs', *(['ovs-new', 'grout'] if options.new else []),
                 *(['vpp'] if options.vpp else []), 'floor']
    return {name: every[name] for name in names}


class Bench:
    def __init__(self, options, folder, systems):
        self.options = options
        self.folder = folder
        self.workloads = chosen(options.only)
        self.missing = [text for each in systems.values() for text in each.missing()]
        self.systems = {name: each for name, each in systems.items() if not each.missing()}
        self.record = ratios.Record(options, self.systems)
        self.unable = set()                      # (workload, system)
        self.run_count = 0

    def say(self, text):
        print(f'[{time.strftime("%H:%M:%S")}] {text}', file=sys.stderr, flush=True)

    def on(self, workload):
        return [name for name in self.systems if name in workload.systems and
                (workload.name, name) not in self.unable]

    def source(self, workload, side):
        # All names are short: DPDK takes 127 characters of device at most.
        return os.path.join(self.folder, f'{workload.name}-{side[0]}')

    def task(self, workload, sampled=False):
        self.run_count += 1
        folder = os.path.join(self.folder, str(self.run_count))
        os.makedirs(folder)
        sources = {side: self.source(workload, side) for side in workload.sides}
        return system.Task(workload, sources, folder, sampled)

    def verify(self, workload):
        """Writes the workload's frames, and believes a system only that answers them rightly."""
        streams = workloads.streams(workload)
        for side, stream in streams.items():
            write_pcap(self.source(workload, side), stream.frames)
        for name in self.on(workload):
            self.say(f'{workload.name}: decoding what {self.systems[name].NAME} sends')
            try:
                self.verify_one(workload, name, streams)
            except (machine.Trouble, OSError) as trouble:
                text = f'{self.systems[name].NAME} in {workload.name}: {trouble}'
                self.say(text)
                self.missing.append(text)
                self.unable.add((workload.name, name))

    def verify_one(self, workload, name, streams):
        task = self.task(workload, sampled=True)
        sampled, problems = system.sample_output(self.systems[name].Running, task)
        self.record.findings[(workload.name, name)] += problems
        for side, stream in streams.items():
            other = 'underlay' if side == 'tenant' else 'tenant'
            self.judge(workload, name, side, stream, sampled[other])
        shutil.rmtree(task.folder, ignore_errors=True)

    def judge(self, workload, name, side, stream, data):
        key = workload.name, name
        received = frames.without_neighbours(frames.parse_pcap(data))
        kind = 'macswap' if name == 'floor' else 'encap' if side == 'tenant' else 'decap'
        verdict = frames.judge(kind, stream, received, workload.family)
        self.record.findings[key] += verdict.describe()
        self.record.remarks[key] += list(verdict.remarks)
        if kind == 'encap':
            copy = os.path.join(self.folder, 'sample.pcap')
            write_pcap(copy, received[:64])
            opinion = frames.second_opinion(copy)
            if opinion is None:
                self.record.remarks[key].append('not decoded a second time: no tshark')
            elif not frames.agrees_with(opinion, stream, workload.family):
                self.record.findings[key].append('tshark does not see our VXLAN')

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
            problems = running.problems() + losses(first, last, workload.deadly)
            self.record.settings[(workload.name, name)] = running.settings()
        finally:
            running.stop()
            shutil.rmtree(task.folder, ignore_errors=True)
        seconds = last.time - first.time
        share = 0.0
        if cpu_first is not None and cpu_last is not None:
            share = ((cpu_last - cpu_first) / 1e9 - stolen) / seconds
        done = last.rx - first.rx if workload.deadly else last.tx - first.tx
        return ratios.Turn(done / seconds / 1e6, share, problems)

    def measure(self, workload, name):
        for _attempt in range(TURN_ATTEMPTS):
            try:
                turn = self.measure_once(workload, name)
            except (machine.Trouble, OSError) as trouble:
                turn = ratios.Turn(0.0, 0.0, [f'it ended: {trouble}'])
            if turn.share >= ratios.SHARE_MIN:
                break
        self.record.turns[(workload.name, name)].append(turn)
        return turn

    def run(self):
        for workload in self.workloads:
            self.verify(workload)
        for number in range(self.options.rounds):
            for workload in self.workloads:
                # Another one begins in each round, so that nobody always has the same neighbour.
                names = self.on(workload)
                first = number % max(1, len(names))
                turns = {name: self.measure(workload, name)
                         for name in names[first:] + names[:first]}
                self.say(f'round {number + 1}, {workload.name}: ' + ', '.join(
                    f'{self.systems[name].NAME} {turns[name].mpps:.2f} Mpps' for name in names))

    def report(self, load_before):
        entries = [self.record.entry(workload, self.on(workload)) for workload in self.workloads]
        return {'machine': machine.describe(), 'date': time.strftime('%Y-%m-%d %H:%M'),
                'load': [load_before, machine.load()], 'rounds': self.options.rounds,
                'seconds': self.options.seconds, 'missing': self.missing, 'workloads': entries,
                'targets': targets.judge(entries)}


def losses(first, last, deadly=False):
    """A counter is read a moment before the other, so a few bursts' difference is none."""
    received, sent, lost = (getattr(last, name) - getattr(first, name)
                            for name in ('rx', 'tx', 'lost'))
    found = []
    if deadly:                                   # What died is accounted for.
        sent += lost
    elif lost > 0:
        found.append(f'{lost} frames were lost')
    if abs(received - sent) > max(4096, received // 500):
        found.append(f'{received} frames entered and {sent} left')
    return found


def hugepages_for(chosen_workloads, systems):
    """By the largest pool: a million frames take more than the rest together."""
    pools = [workload.mbuf_count * (workload.mbuf_bytes + PACKET_BYTES)
             for workload in chosen_workloads]
    peers = HUGEPAGE_COUNT if set(systems) - {'weir', 'floor'} else 0
    return max(peers, max(pools) // (2 << 20) + 200)


def passed(report, at_least):
    best = [entry['ratio_best'] for entry in report['workloads'] if entry['peers']]
    alone = [entry for entry in report['workloads'] if not entry['peers']]
    return None not in best and not any(entry['weir']['problems'] for entry in alone
                                        if 'weir' in entry) and \
        (at_least is None or min(best, default=0) >= at_least)


def main(options):
    options.cache = os.path.abspath(options.cache)
    if options.new and not os.environ.get(machine.NAMESPACE_MARK):
        tree.make(options.cache)                 # The namespace to come has no way out.
    machine.enter_namespace()
    with machine.scratch() as folder:
        sid = tree.Tree(options.cache)
        sid.share(folder)
        bench = Bench(options, folder, systems_of(options, sid))
        for text in bench.missing:
            bench.say(f'missing: {text}')
        if not bench.systems:
            raise machine.Trouble('nothing to measure')
        load = machine.load()
        with machine.hugepages(hugepages_for(bench.workloads, bench.systems)):
            bench.run()
        report = bench.report(load)
    print(json.dumps(report, indent=2) if options.json else ratios.table(report))
    return 0 if passed(report, options.at_least) else 1
