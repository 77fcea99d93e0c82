# SPDX-License-Identifier: Apache-2.0
"""Instructions per packet of whole pipelines, as callgrind counts them, and the budget that CI
holds them to. Unlike cycles they are the same on a busy machine."""

import os
import re
import shutil
import subprocess
import tempfile

from benchmark import machine

PROGRAM = 'instructions'
BUDGET = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tests', 'bench',
                      'instructions.budget')
TOLERANCE = 0.03            # Above the budget.
OUTDATED = 0.10             # Below it: a budget so wide holds nobody to anything.
OPTIONS = ['--tool=callgrind', '--collect-atstart=no', '--toggle-collect=bench::counted_burst*',
           '--dump-before=bench::end_of_case*']


def missing():
    return [] if shutil.which('valgrind') else ['valgrind']


def count(program):
    """Case → instructions per packet."""
    with tempfile.TemporaryDirectory(prefix='weir-') as folder:
        out = os.path.join(folder, 'out')
        run = subprocess.run(['valgrind', *OPTIONS, f'--callgrind-out-file={out}', program],
                             capture_output=True, text=True, check=False, timeout=300)
        if run.returncode != 0:
            raise machine.Trouble(f'{program} under valgrind: {run.stderr.strip()[-300:]}')
        totals = []
        while os.path.exists(f'{out}.{len(totals) + 1}'):
            with open(f'{out}.{len(totals) + 1}', encoding='utf-8') as file:
                totals.append(int(re.search(r'^totals: (\d+)', file.read(), re.MULTILINE).group(1)))
    return per_packet(run.stdout, totals)


def per_packet(output, totals):
    """From the program's lines, "case: N packets", and callgrind's sum for each."""
    cases = re.findall(r'^(.+): (\d+) packets$', output, re.MULTILINE)
    if not cases or len(cases) != len(totals) or 0 in totals:
        raise machine.Trouble(f'callgrind counted {totals} for {len(cases)} cases')
    return {name: round(total / int(packets), 1) for (name, packets), total in zip(cases, totals)}


def read_budget(path=BUDGET):
    """Case → instructions per packet, from lines "case: number"."""
    with open(path, encoding='utf-8') as file:
        return {name: float(number) for name, number in
                re.findall(r'^([^#\n]+): ([0-9.]+)$', file.read(), re.MULTILINE)}


def verdict(found, budget):
    """Case → what is wrong with it, for each case of either."""
    wrong = {}
    for name in {**found, **budget}:
        if name not in found or name not in budget:
            wrong[name] = f'is not in the {"budget" if name in found else "program"}'
        elif found[name] > budget[name] * (1 + TOLERANCE):
            wrong[name] = f'takes {found[name]:.1f} instructions a packet, the budget is ' \
                f'{budget[name]:.1f} and {TOLERANCE:.0%}'
        elif found[name] < budget[name] * (1 - OUTDATED):
            wrong[name] = f'takes only {found[name]:.1f} instructions a packet of ' \
                f'{budget[name]:.1f}: lower the budget'
        else:
            wrong[name] = None
    return wrong
