# SPDX-License-Identifier: Apache-2.0
"""`bench tables`: what a lookup costs in tables of 1,000 to 1,000,000 entries, known and unknown
keys in random order; how many entries a second go in; bytes per entry. DPDK's rte_hash beside
it."""

import argparse
import contextlib
import json
import os

from benchmark import machine, stages

PROGRAM = 'bench_table'
HUGEPAGE_COUNT = 250
# Benchmark → column.
COLUMNS = {'exact_match_hit': 'hit', 'exact_match_miss': 'miss', 'rte_hash_hit': 'rte_hash_hit'}
BYTES_MAX = 64              # Per endpoint, all tables together.


def add_arguments(parser):
    parser.add_argument('--repetitions', type=int, default=5, metavar='N',
                        help='the median of as many runs counts')
    parser.add_argument('--entries-max', type=int, default=1_000_000, metavar='N')
    parser.add_argument('--json', action='store_true')


def rows(entries):
    """From google-benchmark's medians, a row per number of entries."""
    found = {}
    for entry in entries:
        if entry.get('aggregate_name', 'median') != 'median':
            continue
        name, _, number = entry['run_name'].partition('/')
        row = found.setdefault(int(number), {'entries': int(number)})
        if name in COLUMNS:
            row[f'{COLUMNS[name]}_cycles'] = round(entry['cycles_per_lookup'], 1)
        elif name == 'exact_match_fill':
            row['inserts_per_second'] = round(entry['items_per_second'])
        if name in ('exact_match_hit', 'rte_hash_hit'):
            kind = 'rte_hash_' if name == 'rte_hash_hit' else ''
            row[f'{kind}bytes_per_entry'] = round(entry['bytes_per_entry'], 1)
    return [found[number] for number in sorted(found)]


def table(report):
    lines = [f'{"entries":>9}  {"known":>7}  {"unknown":>7}  {"rte_hash":>8}  cycles a lookup  '
             f'{"inserts/s":>11}  {"bytes":>6}  {"rte_hash":>8}  an entry']
    for row in report['tables']:
        lines.append(f'{row["entries"]:9}  {row["hit_cycles"]:7.1f}  {row["miss_cycles"]:7.1f}  '
                     f'{row["rte_hash_hit_cycles"]:8.1f}  {"":15}  {row["inserts_per_second"]:11}  '
                     f'{row["bytes_per_entry"]:6.1f}  {row["rte_hash_bytes_per_entry"]:8.1f}')
    note = '' if report['hugepages'] else '; without hugepages (run as root): slower'
    return '\n'.join(lines + [f'load {report["load"]}; at most {BYTES_MAX} bytes per endpoint: '
                              f'{report["verdict"]}{note}'])


def main(options):
    path = os.path.join(options.build, 'tests', 'bench', PROGRAM)
    if not os.access(path, os.X_OK):
        raise machine.Trouble(f'no {path}: build Weir first (meson setup build, ninja -C build)')
    sizes = '|'.join(str(size) for size in (1000, 100_000, 1_000_000)
                     if size <= options.entries_max)
    root = os.geteuid() == 0
    with machine.hugepages(HUGEPAGE_COUNT) if root else contextlib.nullcontext():
        entries = stages.run(path, argparse.Namespace(repetitions=options.repetitions,
                                                      filter=f'/({sizes})$'))
    report = {'machine': machine.describe(), 'load': machine.load(), 'hugepages': root,
              'tables': rows(entries)}
    worst = max(row['bytes_per_entry'] for row in report['tables'] if row['entries'] >= 100_000 or
                len(report['tables']) == 1)
    report['verdict'] = 'met' if worst <= BYTES_MAX else 'missed'
    print(json.dumps(report, indent=2) if options.json else table(report))
    return 0 if report['verdict'] == 'met' else 1
