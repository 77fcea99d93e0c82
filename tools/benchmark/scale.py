# SPDX-License-Identifier: Apache-2.0
"""`bench scale`: one worker, two, and so on, each with a queue of its own at both ports, no rate
and no marker: Mpps, and how many times one worker's. Cores from 1 on; the last worker has core 0,
which the bench and the control plane live on, too, and then no worker goes before all else: who is
asked for counters must be able to answer.

Then what a hand-over costs: with a marker at the egress port, one worker, which is its home, and
two, of which one takes all frames in and hands them over to the other, the home."""

import json
import os
import statistics
import time

from benchmark import machine, system, weir, workloads
from pcap import write_pcap

WORKLOAD = workloads.Workload('scale', '1,000 QPs into a tunnel', workloads.TENANT, 1000)
WORKERS, TIMES_MIN = 8, 7.2     # So many workers carry so many times what one does.
SHARE_MIN = 0.9
SETTLE_SECONDS = 0.5
PROFILE = {'mbufs': 131072, 'mbuf_bytes': 2048}
HUGEPAGE_COUNT = 400
HOME, GIVER = 'worker0', 'worker1'   # Of the wire, the first port; and who reads the other.


def add_arguments(parser):
    parser.add_argument('--workers-max', type=int, default=WORKERS, metavar='N')
    parser.add_argument('--rounds', type=int, default=5, metavar='N')
    parser.add_argument('--seconds', type=float, default=2.0, metavar='S')
    parser.add_argument('--json', action='store_true')


class Task(system.Task):
    """A queue for each worker, which all replay the same file."""

    def __init__(self, source, folder, workers):
        super().__init__(WORKLOAD, {'tenant': source}, folder)
        self.workers = workers

    def devices(self):
        queues = ','.join([f'rx_pcap={self.sources["tenant"]}'] * self.workers)
        return {'underlay': 'net_null0,no-rx=1', 'tenant': f'net_pcap1,{queues},infinite_rx=1'}


class Running(weir.Running):
    def cores(self):
        return cores(self.task.workers)

    def intent(self):
        return weir.intent(self.task, marker=False)


class HandingOver(Running):
    """One queue of frames, which two workers' second one reads; the first one is home."""

    def intent(self):
        intent = weir.intent(self.task, marker=True)
        intent['ports'][1]['rx_queues'] = 1
        return intent

    def problems(self):
        # Handed over, they wait for the home's next turn.
        return [text for text in super().problems() if 'waited in the queue' not in text]

    def cycles_run(self):
        """Worker → cycles that its thread has run, turns without frames included."""
        hertz, found = machine.tsc_hz() or 0, {}
        for tid in os.listdir(f'/proc/{self.pid}/task'):
            with open(f'/proc/{self.pid}/task/{tid}/comm', encoding='ascii') as file:
                name = file.read().strip()
            if name in (HOME, GIVER):
                found[name] = machine.thread_cpu_ns(self.pid, tid) * hertz / 1e9
        return found

    def counted(self):
        """Frames that came in, were handed over, and left; and each worker's cycles in turns with
        frames, others' time on its core included."""
        rows = self.ask('/v1/workers')['workers']
        return {**{name: sum(row[name] for row in rows) for name in ('rx', 'handed_over', 'tx')},
                **{f'worker{row["worker"]}': row['busy_cycles'] for row in rows}}


def cores(workers):
    """The cores of so many workers."""
    every = list(range(os.cpu_count()))
    return (every[1:] + every[:1])[:workers]


def share(before, after, seconds, count):
    """The least that one of the workers had of its core."""
    shares = sorted((after[tid] - before.get(tid, 0)) / 1e9 / seconds for tid in after)
    return round(shares[-count:][0], 3) if len(shares) >= count else 0.0


def measure(build, source, folder, workers, seconds):
    os.makedirs(folder)
    running = Running(build, Task(source, folder, workers), PROFILE)
    try:
        if machine.MAIN_CORE not in running.cores():
            machine.raise_priority(running.pid)
        time.sleep(SETTLE_SECONDS)
        first, cpu_first = running.counters(), machine.threads_cpu_ns(running.pid)
        time.sleep(seconds)
        last, cpu_last = running.counters(), machine.threads_cpu_ns(running.pid)
        return {'mpps': (last.tx - first.tx) / (last.time - first.time) / 1e6,
                'share': share(cpu_first, cpu_last, last.time - first.time, workers),
                'lost': last.lost - first.lost, 'problems': running.problems()}
    finally:
        running.stop()


def measure_hand_over(build, source, folder, workers, seconds):
    """Cycles a frame of the worker that takes in and of the home, which may be the same."""
    os.makedirs(folder)
    running = HandingOver(build, Task(source, folder, workers), PROFILE)
    try:
        if machine.MAIN_CORE not in running.cores():
            machine.raise_priority(running.pid)
        time.sleep(SETTLE_SECONDS)
        first, run_first, started = running.counted(), running.cycles_run(), time.monotonic()
        time.sleep(seconds)
        last, run_last, ended = running.counted(), running.cycles_run(), time.monotonic()
        frames = {name: last[name] - first[name] for name in last}
        spent = {name: min(frames[name], run_last[name] - run_first[name]) for name in run_last}
        return {'mpps': frames['tx'] / (ended - started) / 1e6,
                'handed_over': frames['handed_over'] / max(1, frames['rx']),
                'lost': max(0, 1 - frames['tx'] / max(1, frames['rx'])),
                'cycles_giver': spent[GIVER] / max(1, frames['rx']) if GIVER in spent else None,
                'cycles_home': spent[HOME] / max(1, frames['tx']),
                'problems': running.problems()}
    finally:
        running.stop()


def hand_over_rows(turns):
    """Workers → turns; the medians."""
    def middle(measured, name):
        values = [turn[name] for turn in measured if turn[name] is not None]
        return round(statistics.median(values), 3) if values else None

    return [{'workers': workers, **{name: middle(measured, name) for name in
                                    ('mpps', 'handed_over', 'lost', 'cycles_giver', 'cycles_home')},
             'problems': sorted({text for turn in measured for text in turn['problems']})}
            for workers, measured in turns.items()]


def hand_over_text(rows):
    lines = []
    for row in rows:
        each = f'{row["cycles_home"]:.0f} cycles a frame' if row['cycles_giver'] is None else \
            f'{row["cycles_giver"]:.0f} cycles a frame to hand it over, {row["cycles_home"]:.0f} ' \
            'at home'
        lines.append(f'marker, {row["workers"]} worker{"s" * (row["workers"] > 1)}: '
                     f'{row["mpps"]:.2f} Mpps, {each}; {row["handed_over"]:.0%} handed over, '
                     f'{row["lost"]:.0%} lost' +
                     (f'; void: {"; ".join(row["problems"])}' if row['problems'] else ''))
    return lines


def summary(turns):
    """Workers → turns. Times: of one worker, in the same round."""
    rows = []
    for workers, measured in turns.items():
        times = [turn['mpps'] / one['mpps'] for turn, one in zip(measured, turns[1]) if one['mpps']]
        rows.append({'workers': workers, 'cores': cores(workers),
                     'mpps': round(statistics.median(turn['mpps'] for turn in measured), 2),
                     'times': round(statistics.median(times), 2) if times else None,
                     'share_min': min(turn['share'] for turn in measured),
                     'lost': sum(turn['lost'] for turn in measured),
                     'problems': sorted({text for turn in measured for text in turn['problems']})})
    return rows


def verdict(rows):
    last = rows[-1]
    if any(row['problems'] or row['lost'] for row in rows):
        return 'void: ' + '; '.join(sorted({text for row in rows for text in row['problems']}) or
                                    ['frames were lost'])
    if last['workers'] < WORKERS:
        return f'no target: {os.cpu_count()} cores, {WORKERS + 1} are needed'
    return 'met' if last['times'] >= TIMES_MIN else 'missed'


def table(report):
    lines = [f'{"workers":>7}  {"Mpps":>7}  {"times":>6}  least share of a core']
    for row in report['workers']:
        lines.append(f'{row["workers"]:7}  {row["mpps"]:7.2f}  {row["times"]:6.2f}  '
                     f'{row["share_min"]:.0%}' + (' (one shares core 0)' if 0 in row['cores']
                                                  else ''))
    return '\n'.join(lines + hand_over_text(report['hand_over']) + [
        f'median of {report["rounds"]} rounds of {report["seconds"]:g} s, load {report["load"]}, '
        f'{report["version"]}',
        f'{WORKERS} workers at least {TIMES_MIN} times one: {report["verdict"]}'])


def main(options):
    machine.enter_namespace()
    build = weir.System(options.build)
    if build.missing():
        raise machine.Trouble('missing: ' + ', '.join(build.missing()))
    numbers = [number for number in (1, 2, 4, 8, 16, 32)
               if number <= min(options.workers_max, os.cpu_count())]
    turns = {number: [] for number in numbers}
    handed = {number: [] for number in numbers if number <= 2}
    with machine.scratch() as folder, machine.hugepages(HUGEPAGE_COUNT):
        source = os.path.join(folder, 'f')
        write_pcap(source, workloads.streams(WORKLOAD)['tenant'].frames)
        for round_number in range(options.rounds):
            for number in numbers:
                run_folder = os.path.join(folder, f'{round_number}-{number}')
                turns[number].append(measure(build, source, run_folder, number, options.seconds))
            for number, measured in handed.items():
                run_folder = os.path.join(folder, f'{round_number}-{number}-marker')
                measured.append(measure_hand_over(build, source, run_folder, number,
                                                  options.seconds))
    rows = summary(turns)
    report = {'machine': machine.describe(), 'load': machine.load(), 'version': build.version(),
              'rounds': options.rounds, 'seconds': options.seconds, 'workers': rows,
              'hand_over': hand_over_rows(handed),
              'verdict': verdict(rows)}
    print(json.dumps(report, indent=2) if options.json else table(report))
    return 1 if report['verdict'] == 'missed' or report['verdict'].startswith('void') else 0
