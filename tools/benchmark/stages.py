# SPDX-License-Identifier: Apache-2.0
"""`bench stages`: the google-benchmark programs of tests/bench, which touch no port. Cycles are TSC
cycles per packet (or per operation, where a program counts those). As root, packet memory is on
hugepages as in the product; without, the figures say so."""

import contextlib
import json
import os
import subprocess

from benchmark import machine

HUGEPAGE_COUNT = 420


def add_arguments(parser):
    parser.add_argument('--filter', default='', metavar='REGEX', help='benchmarks by name')
    parser.add_argument('--repetitions', type=int, default=5, metavar='N',
                        help='the median of as many runs counts')
    parser.add_argument('--json', action='store_true')


def programs(build):
    folder = os.path.join(build, 'tests', 'bench')
    if not os.path.isdir(folder):
        raise machine.Trouble(f'no {folder}: build Weir first (meson setup build, ninja -C build)')
    found = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    return [path for path in found if os.path.isfile(path) and os.access(path, os.X_OK)]


def run(path, options):
    command = [path, '--benchmark_format=json', '--benchmark_report_aggregates_only=true',
               f'--benchmark_repetitions={options.repetitions}', '--benchmark_min_time=0.1',
               f'--benchmark_filter={options.filter or "."}']
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800,
                          start_new_session=True, preexec_fn=prepare)
    if done.returncode != 0:
        raise machine.Trouble(f'{path}: {done.stderr.strip().splitlines()[-1:]}')
    if not done.stdout.strip():
        return []  # The filter fits none of its benchmarks.
    return json.loads(done.stdout)['benchmarks']


def prepare():
    """In the child: one core, before all else there, and no longer than we live."""
    machine.die_with_parent()
    os.sched_setaffinity(0, {min(machine.WORKER_CORE, os.cpu_count() - 1)})
    machine.raise_priority(os.getpid())


def results(path, options):
    """One row per benchmark: the median's counters, and the coefficient of variation of cycles."""
    rows = {}
    for entry in run(path, options):
        row = rows.setdefault(entry['run_name'], {'program': os.path.basename(path),
                                                  'name': entry['run_name']})
        if entry.get('error_occurred'):
            row['error'] = entry.get('error_message', 'failed')
        elif entry.get('aggregate_name', 'median') == 'median':  # One run has no aggregates.
            row['ns'] = entry['cpu_time']
            for counter in ('cycles_per_packet', 'cycles_per_operation'):
                if counter in entry:
                    row[counter] = round(entry[counter], 1)
        elif entry.get('aggregate_name') == 'cv':
            row['variation'] = round(max((entry.get(name, 0.0) for name in (
                'cycles_per_packet', 'cycles_per_operation')), default=0.0), 3)
    return list(rows.values())


def table(rows):
    width = max(len(row['name']) for row in rows)
    lines = [f'{"benchmark".ljust(width)}  {"cycles":>8}  per        variation']
    for row in rows:
        unit = 'packet' if 'cycles_per_packet' in row else 'operation'
        cycles = row.get(f'cycles_per_{unit}')
        text = row.get('error') or (f'{cycles:8.1f}  {unit:9}  {row.get("variation", 0):9.1%}'
                                    if cycles is not None else f'{row["ns"]:8.1f}  ns')
        lines.append(f'{row["name"].ljust(width)}  {text}')
    return '\n'.join(lines)


def main(options):
    rows = []
    root = os.geteuid() == 0
    with machine.hugepages(HUGEPAGE_COUNT) if root else contextlib.nullcontext():
        for path in programs(options.build):
            rows += results(path, options)
    if not rows:
        raise machine.Trouble('no benchmark program, or none with that name')
    report = {'machine': machine.describe(), 'hugepages': root, 'benchmarks': rows}
    note = '' if root else '\nwithout hugepages (run as root): slower than the product'
    print(json.dumps(report, indent=2) if options.json else table(rows) + note)
    return 1 if any('error' in row for row in rows) else 0
