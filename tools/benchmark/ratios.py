# SPDX-License-Identifier: Apache-2.0
"""What the turns of `bench peers` come to: medians, ratios with their spread, and why there is
none where there is none."""

import collections
import statistics

from benchmark import machine

SHARE_MIN = 0.95           # Of its core that the worker must have had.

Turn = collections.namedtuple('Turn', 'mpps share problems')


class Record:
    """All that was seen. Keys are (workload, system)."""

    def __init__(self, options, systems):
        self.options = options
        self.systems = systems
        self.tsc_hz = machine.tsc_hz()
        self.settings = {}
        self.findings = collections.defaultdict(list)   # Why it is void.
        self.remarks = collections.defaultdict(list)
        self.turns = collections.defaultdict(list)      # One a round.

    def cycles(self, key):
        if self.tsc_hz is None:
            return []
        return [self.tsc_hz / (turn.mpps * 1e6) if turn.mpps else float('inf')
                for turn in self.turns[key]]

    def problems(self, key):
        found = list(self.findings[key])
        for turn in self.turns[key]:
            found += turn.problems
            if turn.share < SHARE_MIN:
                found.append(f'the worker had only {turn.share:.0%} of its core')
        return sorted(set(found))

    def summary(self, workload, name):
        key = workload, name
        turns = self.turns[key]
        rates = [turn.mpps for turn in turns]
        result = {'name': self.systems[name].NAME, 'version': self.systems[name].version(),
                  'mpps': rounded(statistics.median(rates)), 'mpps_min': rounded(min(rates)),
                  'mpps_max': rounded(max(rates)),
                  'core_share_min': rounded(min(turn.share for turn in turns)),
                  'settings': self.settings[key], 'remarks': self.remarks[key],
                  'problems': self.problems(key)}
        cycles, floor = self.cycles(key), self.cycles((workload, 'floor'))
        if cycles:
            result['cycles'] = rounded(statistics.median(cycles), 1)
        if cycles and floor and name != 'floor':
            result['cycles_above_floor'] = rounded(
                statistics.median(mine - bare for mine, bare in zip(cycles, floor)), 1)
        return result

    def against(self, workload, name):
        """Weir over one peer, or why that cannot be said."""
        result = self.summary(workload, name)
        if 'weir' not in self.systems:
            return {**result, 'ratio': None, 'refused': ['Weir was not measured']}
        pairs = zip(self.turns[(workload, 'weir')], self.turns[(workload, name)])
        found = [ours.mpps / theirs.mpps for ours, theirs in pairs if theirs.mpps]
        refused = [f'Weir: {text}' for text in self.problems((workload, 'weir'))]
        refused += [f'{result["name"]}: {text}' for text in result['problems']]
        if len(found) < self.options.rounds:
            return {**result, 'ratio': None, 'refused': refused + ['a peer sent nothing']}
        ratio = statistics.median(found)
        spread = (max(found) - min(found)) / ratio if ratio else float('inf')
        if spread > self.options.spread_max:
            refused.append(f'the rounds differ by {spread:.0%}: the machine is too noisy')
        return {**result, 'ratio': None if refused else rounded(ratio),
                'ratio_median': rounded(ratio), 'ratio_min': rounded(min(found)),
                'ratio_max': rounded(max(found)), 'spread': rounded(spread), 'refused': refused}

    def entry(self, workload, names):
        """A workload in the report."""
        entry = {'name': workload.name, 'text': workload.text, 'direction': workload.direction,
                 'frames': workload.count, 'endpoints': workload.endpoints,
                 'underlay': f'IPv{workload.family}', 'mbuf_bytes': workload.mbuf_bytes}
        for name in ('weir', 'floor'):
            if name in names:
                entry[name] = self.summary(workload.name, name)
        entry['peers'] = [self.against(workload.name, name) for name in names
                          if name not in ('weir', 'floor')]
        ratios = [peer['ratio'] for peer in entry['peers']]
        # Over the fastest peer that was run: the smallest ratio, and none if one is refused.
        entry['ratio_best'] = min(ratios) if ratios and None not in ratios else None
        return entry


def rounded(value, digits=3):
    return round(value, digits) if value not in (float('inf'), float('-inf')) else None


def line(cells):
    widths = (16, 17, 8, 15, 8, 12, 7, 13)
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
            versions[entry['name']] = ', '.join(
                [entry['version'], *(f'{name} {value}' for name, value in
                                     entry['settings'].items())])
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
    lines += [''] + [f'{target["verdict"]:12}  {target["text"]}: {target["found"]}'
                     for target in report['targets']]
    facts = report['machine']
    lines += ['', f'{facts["processor"]}, {facts["cores"]} cores, Linux {facts["kernel"]}, TSC '
              f'{facts["tsc_mhz"]} MHz; {report["date"]}, load before and after '
              f'{report["load"][0]} and {report["load"][1]}; median of {report["rounds"]} rounds '
              f'of {report["seconds"]:g} s; one worker core; ratio is Weir over the peer']
    lines += [f'{name}: {text}' for name, text in versions.items()]
    lines += [f'missing: {text}' for text in report['missing']]
    return '\n'.join(lines + list(dict.fromkeys(notes)))
