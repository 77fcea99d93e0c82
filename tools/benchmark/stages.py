# SPDX-License-Identifier: Apache-2.0
"""`bench stages`: the google-benchmark programs of tests/bench, which touch no port. Cycles are TSC
cycles per packet (or per operation, where a program counts those): with caches as they are within
the product, and cold, as after something else ran. As root, packet memory is on hugepages as in the
product; without, the figures say so. Then what callgrind counts for whole pipelines, and whether
that is within the budget."""

import contextlib
import json
import os
import subprocess

from benchmark import instructions, machine

HUGEPAGE_COUNT = 420
COLD = ' (cold)'            # Ends the name of a benchmark whose other form has none.
OFF_CYCLES_MAX = 1.0        # A packet, of each feature that is there and switched off.
BURSTS_PER_SAMPLE = 256     # Of a worker (dataplane/worker/worker.cpp).


def add_arguments(parser):
    parser.add_argument('--filter', default='', metavar='REGEX', help='benchmarks by name')
    parser.add_argument('--repetitions', type=int, default=5, metavar='N',
                        help='the median of as many runs counts')
    parser.add_argument('--json', action='store_true')


def programs(build):
    folder = os.path.join(build, 'tests', 'bench')
    if not os.path.isdir(folder):
        raise machine.Trouble(f'no {folder}: build Weir first (meson setup build, ninja -C build)')
    found = [os.path.join(folder, name) for name in sorted(os.listdir(folder))
             if name != instructions.PROGRAM]
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
        name = entry['run_name'].partition('/iterations:')[0]
        row = rows.setdefault(name, {'program': os.path.basename(path), 'name': name})
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


def with_cold(rows):
    """Cold figures stand with the warm ones."""
    named = {row['name']: row for row in rows}
    for name in [name for name in named if name.endswith(COLD)]:
        warm = named.get(name[:-len(COLD)])
        if warm is not None:
            cold = named.pop(name)
            if 'error' in cold:
                warm.setdefault('error', cold['error'])
            warm['cycles_per_packet_cold'] = cold.get('cycles_per_packet')
    return list(named.values())


def switched_off(rows):
    """What each feature costs a packet while it is off: the look for it (switched_off.cpp), or, of
    the cycles of each stage, which a worker takes of one burst in 256, that burst's share."""
    cycles = {row['name']: row.get('cycles_per_packet') for row in rows}
    found = []
    for name, text in (('observed', 'traces and timing of stages: the look, once a burst'),
                       ('traced', 'traces: the look at each packet that leaves')):
        pair = [cycles.get(f'switched_off/{name}: {which}') for which in ('with', 'without')]
        if None not in pair:
            found.append((text, pair[0] - pair[1]))
    for name in ('encap/1k/host_to_wire', 'decap/1k/wire_to_host'):
        pair = [cycles.get(f'{name} observed'), cycles.get(name)]
        if None not in pair:
            found.append((f'{name}: one burst in {BURSTS_PER_SAMPLE} is timed stage by stage',
                          (pair[0] - pair[1]) / BURSTS_PER_SAMPLE))
    return [{'text': text, 'cycles_per_packet': round(cost, 2),
             'verdict': 'met' if cost <= OFF_CYCLES_MAX else 'missed'} for text, cost in found]


def counted(options):
    """Case → instructions per packet with its budget; or why they could not be counted."""
    if instructions.missing():
        return {'missing': instructions.missing()}
    program = os.path.join(options.build, 'tests', 'bench', instructions.PROGRAM)
    found, budget = instructions.count(program), instructions.read_budget()
    wrong = instructions.verdict(found, budget)
    return {'cases': [{'name': name, 'instructions_per_packet': number,
                       'budget': budget.get(name), 'wrong': wrong[name]}
                      for name, number in found.items()]}


def table(rows, counts):
    width = max(len(row['name']) for row in rows)
    lines = [f'{"benchmark".ljust(width)}  {"cycles":>8}  {"cold":>8}  per        variation']
    for row in rows:
        unit = 'packet' if 'cycles_per_packet' in row else 'operation'
        cycles, cold = row.get(f'cycles_per_{unit}'), row.get('cycles_per_packet_cold')
        cold = ' ' * 8 if cold is None else f'{cold:8.1f}'
        text = row.get('error') or (
            f'{cycles:8.1f}  {cold}  {unit:9}  {row.get("variation", 0):9.1%}'
            if cycles is not None else f'{row["ns"]:8.1f}  ns')
        lines.append(f'{row["name"].ljust(width)}  {text}')
    lines += [''] + [f'{case["name"].ljust(width)}  {case["instructions_per_packet"]:8.1f} '
                     f'instructions per packet, budget {case["budget"]}' +
                     (f': {case["wrong"]}' if case['wrong'] else '')
                     for case in counts.get('cases', [])]
    lines += [f'switched off: {cost["text"]}: {cost["cycles_per_packet"]:.2f} cycles a packet, at '
              f'most {OFF_CYCLES_MAX:g}: {cost["verdict"]}' for cost in switched_off(rows)]
    lines += [f'missing: {text}, which counts instructions' for text in counts.get('missing', [])]
    return '\n'.join(lines)


def main(options):
    rows = []
    root = os.geteuid() == 0
    with machine.hugepages(HUGEPAGE_COUNT) if root else contextlib.nullcontext():
        for path in programs(options.build):
            rows += results(path, options)
    if not rows:
        raise machine.Trouble('no benchmark program, or none with that name')
    rows, counts = with_cold(rows), counted(options)
    report = {'machine': machine.describe(), 'load': machine.load(), 'hugepages': root,
              'benchmarks': rows, 'switched_off': switched_off(rows), 'instructions': counts}
    note = '' if root else '\nwithout hugepages (run as root): slower than the product'
    print(json.dumps(report, indent=2) if options.json else table(rows, counts) + note)
    failed = any('error' in row for row in rows) or \
        any(case['wrong'] for case in counts.get('cases', []))
    return 1 if failed or counts.get('missing') else 0
