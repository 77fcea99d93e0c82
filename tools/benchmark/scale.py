# SPDX-License-Identifier: Apache-2.0
"""`bench scale`: one worker, two, and so on, each with a queue of its own at both ports, no rate
and no marker: Mpps, and how many times one worker's. Cores from 1 on; the last worker has core 0,
which the bench and the control plane live on, too, and then no worker goes before all else: who is
asked for counters must be able to answer."""

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
    return '\n'.join(lines + [
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
    with machine.scratch() as folder, machine.hugepages(HUGEPAGE_COUNT):
        source = os.path.join(folder, 'f')
        write_pcap(source, workloads.streams(WORKLOAD)['tenant'].frames)
        for round_number in range(options.rounds):
            for number in numbers:
                run_folder = os.path.join(folder, f'{round_number}-{number}')
                turns[number].append(measure(build, source, run_folder, number, options.seconds))
    rows = summary(turns)
    report = {'machine': machine.describe(), 'load': machine.load(), 'version': build.version(),
              'rounds': options.rounds, 'seconds': options.seconds, 'workers': rows,
              'verdict': verdict(rows)}
    print(json.dumps(report, indent=2) if options.json else table(report))
    return 1 if report['verdict'] == 'missed' or report['verdict'].startswith('void') else 0
