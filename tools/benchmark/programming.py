# SPDX-License-Identifier: Apache-2.0
"""`bench programming`: how long it takes until what an operator wrote is in force: a million
endpoints from a file, then 10,000 changes in one transaction, of endpoints all over the table; and
what it takes of memory. With traffic meanwhile: how long the worker is away from its ports with
changes, one transaction after the other, and without."""

import json
import os
import re
import subprocess
import time

from benchmark import frames, latency, machine, weir, workloads

ENDPOINTS, CHANGES = 1_000_000, 10_000
LOAD_SECONDS_MAX, CHANGE_SECONDS_MAX, CONTROLPLANE_MB_MAX = 5.0, 0.1, 512
BYTES_PER_ENDPOINT_MAX, GAP_US_MAX = 64, 20
HUGEPAGE_COUNT = 300
RATE, TRAFFIC_SECONDS, WATCHED_SECONDS = 100_000, 5, 2.5
GAP_QUANTILE = 0.9999
# Its multiples meet every endpoint once before any twice: it is prime.
STRIDE = 7919


def add_arguments(parser):
    parser.add_argument('--endpoints', type=int, default=ENDPOINTS, metavar='N')
    parser.add_argument('--changes', type=int, default=CHANGES, metavar='N')
    parser.add_argument('--format', choices=('ndjson', 'json', 'yaml'), default='ndjson',
                        help='of the file (%(default)s)')
    parser.add_argument('--rounds', type=int, default=3, metavar='N', help='of changes')
    parser.add_argument('--json', action='store_true')


class Task(latency.Task):
    """The latency bench's gateway with a second remote VTEP, which endpoints are moved to."""
    def __init__(self, folder, endpoints):
        super().__init__(folder)
        os.makedirs(folder, exist_ok=True)
        # Two and more make it a gateway with all VTEPs; so many have room.
        self.workload = workloads.Workload('programming', 'many endpoints', workloads.TENANT, 1,
                                           endpoints=max(2, endpoints))


def yaml_of(head, endpoints):
    """JSON is YAML, too, but people write endpoints one a line."""
    lines = [f'{name}: {json.dumps(value)}' for name, value in head.items()]
    return '\n'.join([*lines, 'endpoints:', *(f'  - {json.dumps(each)}' for each in endpoints)])


def ndjson_of(head, endpoints):
    return '\n'.join([json.dumps(head), *(json.dumps({'endpoints': [each]}) for each in endpoints)])


class Running(latency.Weir):
    """A gateway that is told of few endpoints at its start; the file has all of them."""

    def endpoints(self):
        return json.dumps([{'network': 'blue', 'mac': frames.DESTINATION_MAC, 'vtep': 'gw0'}])

    def write_file(self, path, count, text_format):
        known = [{'network': 'blue', 'mac': frames.DESTINATION_MAC, 'vtep': 'gw0'}]
        known += [{'network': 'blue', 'mac': workloads.endpoint_mac(index),
                   'vtep': f'gw{index % workloads.VTEPS}'} for index in range(count - 1)]
        with open(path, 'w', encoding='utf-8') as file:
            head = self.intent()
            file.write({'yaml': yaml_of, 'ndjson': ndjson_of}.get(
                text_format, lambda *_: json.dumps({**head, 'endpoints': known}))(head, known))

    def weir(self, *words):
        """Seconds that the command took."""
        started = time.monotonic()
        run = subprocess.run([self.build.program('weir'), '-s', self.socket, '--timeout', '300',
                              *words], capture_output=True, text=True, check=False, timeout=320)
        if run.returncode != 0:
            raise machine.Trouble(f'weir {words[0]}: {(run.stderr or run.stdout).strip()[-300:]}')
        return time.monotonic() - started

    def write_changes(self, path, count, number, endpoints):
        """Each moves an endpoint to another VTEP; they lie all over the table."""
        with open(path, 'w', encoding='utf-8') as file:
            for each in range(count):
                index = each * STRIDE % (endpoints - 1)
                vtep = (index + number + 1) % workloads.VTEPS
                file.write(f'endpoint set blue/{workloads.endpoint_mac(index)} vtep gw{vtep}\n')

    def gaps(self):
        """Turns of the worker by the time since the one before."""
        return self.ask('/v1/workers')['workers'][0]['turns_by_gap']


def status_kb(pid, name):
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        found = re.search(rf'^{name}:\s+(\d+) kB', file.read(), re.MULTILINE)
    return int(found.group(1)) if found else 0


def resident_kb(pid):
    return status_kb(pid, 'VmRSS') + status_kb(pid, 'HugetlbPages')


def memory_without(build, folder):
    """Of a data plane with room for ROOM_LEAST endpoints, all else the same."""
    running = Running(build, Task(os.path.join(folder, 'little'), 0), latency.PROFILE)
    try:
        return resident_kb(running.pid)
    finally:
        running.stop()


def load(running, folder, options, memory_before):
    """The file, with everything that is in it, and what it did to both processes."""
    path = os.path.join(folder, f'many.{options.format}')
    running.write_file(path, options.endpoints, options.format)
    checked = running.weir('check', path)
    applied = running.weir('apply', path)
    stats = running.ask('/v1/stats')
    used = stats['tables']['endpoints']['used']
    if used != options.endpoints:
        raise machine.Trouble(f'{used} of {options.endpoints} endpoints are in force')
    grown = (resident_kb(running.pid) - memory_before) * 1024
    more = options.endpoints - weir.ROOM_LEAST
    return {'file_mb': round(os.path.getsize(path) / 1e6, 1), 'check_s': round(checked, 3),
            'apply_s': round(applied, 3),
            'controlplane_peak_mb': round(status_kb(running.control.pid, 'VmHWM') / 1024, 1),
            'dataplane_bytes_per_endpoint': round(grown / more, 1) if more > 0 else None}


class Traffic:
    """Frames through the gateway while something else happens, judged by who sent them."""

    def __init__(self, generator, folder):
        self.generator = generator
        self.folder = folder

    def during(self, action):
        """(What the generator says, what the action returns); it begins a second later."""
        path = os.path.join(self.folder, 'traffic.json')
        with open(path, 'w', encoding='utf-8') as output:
            process = self.generator.start(self.folder, RATE, TRAFFIC_SECONDS, output)
        try:
            time.sleep(1.5)
            result = action()
            if process.wait(TRAFFIC_SECONDS + 60) != 0:
                raise machine.Trouble('weir-pktgen failed')
        finally:
            process.kill()
            process.wait()
        with open(path, encoding='utf-8') as file:
            return json.load(file), result


def change(running, traffic, folder, options):
    """Rounds of changes: first alone, for their time; then one after the other, with traffic."""
    paths = [os.path.join(folder, f'changes{number}') for number in (0, 1)]
    for number, path in enumerate(paths):
        running.write_changes(path, options.changes, number, options.endpoints)
    seconds = [running.weir('-f', paths[number % 2]) for number in range(options.rounds)]

    def watch(act):
        before, until, times = running.gaps(), time.monotonic() + WATCHED_SECONDS, 0
        while time.monotonic() < until:
            act(times)
            times += 1
        return gap_between(before, running.gaps()), times

    still, (still_gap, _) = traffic.during(lambda: watch(lambda _: time.sleep(0.1)))
    moved, (moved_gap, times) = traffic.during(
        lambda: watch(lambda times: running.weir('-f', paths[(times + options.rounds) % 2])))
    return {'changes_s': round(sorted(seconds)[len(seconds) // 2], 3), 'transactions': times,
            'quiet': {**behind(still), 'gap_us': still_gap},
            'changing': {**behind(moved), 'gap_us': moved_gap}}


def gap_between(before, after):
    """Where the position ends that GAP_QUANTILE of the turns between do not pass, us."""
    turns = {float('inf') if end == 'unbounded' else float(end.removesuffix('us')):
             count - before.get(end, 0) for end, count in after.items()}
    passed, total = 0, sum(turns.values())
    for end, count in sorted(turns.items()):
        passed += count
        if passed >= total * GAP_QUANTILE:
            return end
    raise machine.Trouble('the worker made no turn')


def behind(result):
    return {'lost': latency.lost(result), 'frames': result['received']['frames'],
            **{name: result['latency_ns'][name] for name in ('p50', 'p99_9', 'p99_99', 'max')}}


def targets(report):
    found = [
        (f'{ENDPOINTS} endpoints in force within {LOAD_SECONDS_MAX:g} s', report['apply_s'],
         LOAD_SECONDS_MAX), (f'peak memory of weir-controlplane below {CONTROLPLANE_MB_MAX} MB',
                             report['controlplane_peak_mb'], CONTROLPLANE_MB_MAX),
        (f'{CHANGES} changes within {CHANGE_SECONDS_MAX * 1e3:g} ms', report['changes_s'],
         CHANGE_SECONDS_MAX),
        (f'at most {BYTES_PER_ENDPOINT_MAX} bytes of the data plane per endpoint',
         report['dataplane_bytes_per_endpoint'], BYTES_PER_ENDPOINT_MAX)]
    asked = report['endpoints'] == ENDPOINTS and report['changes'] == CHANGES
    rows = [{'text': text, 'found': value,
             'verdict': ('met' if value <= most else 'missed') if asked else 'not measured'}
            for text, value, most in found]
    quiet, changing = report['quiet'], report['changing']
    good = changing['gap_us'] <= quiet['gap_us'] + GAP_US_MAX and not changing['lost']
    rows.append({'text': f'p99.99 of the worker\'s gap with changes at most {GAP_US_MAX} us above '
                         'without, nothing lost',
                 'found': f'{changing["gap_us"]:g} us, {quiet["gap_us"]:g} us without, '
                          f'{changing["lost"]} lost',
                 'verdict': 'not measured' if not asked else 'met' if good else 'missed'})
    return rows


def table(report):
    lines = [f'{report["endpoints"]} endpoints, {report["format"]} file of '
             f'{report["file_mb"]} MB: checked in {report["check_s"]:.2f} s, in force in '
             f'{report["apply_s"]:.2f} s',
             f'weir-controlplane at most {report["controlplane_peak_mb"]} MB; of the data plane '
             f'{report["dataplane_bytes_per_endpoint"]} bytes per endpoint',
             f'{report["changes"]} changes in force in {report["changes_s"] * 1e3:.0f} ms (median '
             f'of {report["rounds"]}); {report["transactions"]} such transactions with traffic']
    for name in ('quiet', 'changing'):
        row = report[name]
        lines.append(f'frames at {RATE / 1e3:.0f} kpps, {name:8}: p50 {row["p50"] / 1e3:.1f}, '
                     f'p99.9 {row["p99_9"] / 1e3:.1f}, p99.99 {row["p99_99"] / 1e3:.1f}, max '
                     f'{row["max"] / 1e3:.1f} us, {row["lost"]} of {row["frames"]} lost; the '
                     f'worker\'s gap at p99.99 {row["gap_us"]:g} us')
    lines += [''] + [f'{row["verdict"]:12}  {row["text"]}: {row["found"]}'
                     for row in report['targets']]
    return '\n'.join(lines + [f'load {report["load"]}, {report["version"]}'])


def main(options):
    machine.enter_namespace()
    build = weir.System(options.build)
    if build.missing():
        raise machine.Trouble('missing: ' + ', '.join(build.missing()))
    with machine.scratch() as folder, machine.hugepages(HUGEPAGE_COUNT):
        generator = latency.Generator(options.build, folder)
        memory = memory_without(build, folder)
        running = Running(build, Task(folder, options.endpoints), latency.PROFILE)
        try:
            machine.raise_priority(running.pid)
            report = {'machine': machine.describe(), 'version': build.version(),
                      'endpoints': options.endpoints, 'changes': options.changes,
                      'format': options.format, 'rounds': options.rounds,
                      **load(running, folder, options, memory),
                      **change(running, Traffic(generator, folder), folder, options)}
        finally:
            running.stop()
    report['load'] = machine.load()
    report['targets'] = targets(report)
    print(json.dumps(report, indent=2) if options.json else table(report))
    return 1 if any(row['verdict'] == 'missed' for row in report['targets']) else 0
