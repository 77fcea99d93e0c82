# SPDX-License-Identifier: Apache-2.0
"""`bench footprint`: how long a small Weir takes from its start to the first frame forwarded, and
the memory of its two processes then. Hugepages count as the data plane's memory."""

import json
import os
import re
import statistics

from benchmark import frames, machine, system, weir, workloads
from pcap import write_pcap

HUGEPAGE_COUNT = 128
PROFILE = {'mbufs': 16384, 'mbuf_bytes': 2048}  # The defaults of weir-dataplane.
WORKLOAD = workloads.Workload('one', 'one frame into a tunnel', workloads.TENANT, 1)
SECONDS_MAX, MEGABYTES_MAX = 1.0, 300


def add_arguments(parser):
    parser.add_argument('--rounds', type=int, default=5, metavar='N')
    parser.add_argument('--json', action='store_true')


def resident_mb(pid):
    """VmRSS has no hugepages in it; they are added."""
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        text = file.read()
    return sum(int(size) for size in
               re.findall(r'^(?:VmRSS|HugetlbPages):\s+(\d+) kB', text, re.MULTILINE)) / 1024


def measure(build, folder, number):
    run_folder = os.path.join(folder, f'run{number}')
    os.makedirs(run_folder)
    source = os.path.join(folder, 'one.pcap')
    write_pcap(source, [frames.roce_frame(0)])
    task = system.Task(WORKLOAD, {'tenant': source}, run_folder)
    running = weir.Running(build, task, PROFILE)
    try:
        return {**running.times, 'dataplane_mb': resident_mb(running.pid),
                'controlplane_mb': resident_mb(running.control.pid)}
    finally:
        running.stop()


def main(options):
    machine.enter_namespace()
    build = weir.System(options.build)
    if build.missing():
        raise machine.Trouble('missing: ' + ', '.join(build.missing()))
    with machine.scratch() as folder, machine.hugepages(HUGEPAGE_COUNT):
        rounds = [measure(build, folder, number) for number in range(options.rounds)]
    report = {'machine': machine.describe(), 'version': build.version(), 'profile': PROFILE,
              'rounds': options.rounds,
              **{name: round(statistics.median(entry[name] for entry in rounds), 3)
                 for name in rounds[0]}}
    good = report['forwarding_s'] < SECONDS_MAX and report['dataplane_mb'] < MEGABYTES_MAX
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        print(f'{build.version()}, {PROFILE["mbufs"]} mbufs of {PROFILE["mbuf_bytes"]} bytes, '
              f'median of {options.rounds} starts')
        print(f'  ready for commands after {report["ready_s"]:.2f} s, first frame forwarded after '
              f'{report["forwarding_s"]:.2f} s (target < {SECONDS_MAX:g} s)')
        print(f'  data plane {report["dataplane_mb"]:.0f} MB (target < {MEGABYTES_MAX} MB), '
              f'control plane {report["controlplane_mb"]:.0f} MB')
    return 0 if good else 1
