# SPDX-License-Identifier: Apache-2.0
"""What Weir is meant to reach in `bench peers`, each found met, missed, or not measured.

A target is a text and a function of the report's workloads by name; it returns what was found and
whether that is enough, and fails with Absent where something that it needs was not measured."""


class Absent(Exception):
    """The text says what."""


class Found:
    """The workloads that were measured, asked for by name."""

    def __init__(self, entries):
        self.entries = {entry['name']: entry for entry in entries}

    def of(self, workload, system):
        entry = self.entries.get(workload, {}).get(system)
        if entry is None:
            raise Absent(f'{system} did not do {workload}')
        if entry['problems']:
            raise Absent(f'{entry["name"]}, {workload}: {entry["problems"][0]}')
        return entry

    def cycles(self, workload, system='weir'):
        return self.number(workload, system, 'cycles')

    def number(self, workload, system, name):
        value = self.of(workload, system).get(name)
        if value is None:
            raise Absent(f'no {name} of {system} in {workload}')
        return value

    def peers(self, workload):
        found = self.entries.get(workload, {}).get('peers', [])
        if not found:
            raise Absent(f'no peer did {workload}')
        return found


def faster(workload, ratio):
    """Than OVS-DPDK and grout, the newest of them; VPP has a target of its own."""
    def judge(found):
        peers = [peer for peer in found.peers(workload) if peer['name'] != 'VPP']
        names = ', '.join(sorted({peer['name'] for peer in peers}))
        if not {'OVS-DPDK new', 'grout'} <= {peer['name'] for peer in peers}:
            raise Absent(f'the newest OVS-DPDK and grout were not run in {workload} (--new)')
        refused = [peer for peer in peers if peer['ratio'] is None]
        if refused:
            raise Absent(f'{refused[0]["name"]}: {refused[0]["refused"][0]}')
        best = min(peer['ratio'] for peer in peers)
        return f'{best:.2f} times the fastest of {names}', best >= ratio
    return f'{workload}: at least {ratio} times the fastest of OVS-DPDK and grout', judge


def than_vpp(workload, ratio):
    """Claimed only where VPP was run (--vpp)."""
    def judge(found):
        vpp = [peer for peer in found.peers(workload) if peer['name'] == 'VPP']
        if not vpp:
            raise Absent(f'VPP was not run in {workload} (--vpp)')
        if vpp[0]['ratio'] is None:
            raise Absent(f'VPP: {vpp[0]["refused"][0]}')
        return f'{vpp[0]["ratio"]:.2f} times', vpp[0]['ratio'] >= ratio
    return f'{workload} over VPP: at least {ratio} times', judge


def above_floor(workload, cycles):
    def judge(found):
        above = found.number(workload, 'weir', 'cycles_above_floor')
        return f'{above:.1f} cycles', above <= cycles
    return f'{workload}: at most {cycles} cycles above the floor', judge


def beyond_floor(more, less, cycles):
    """What `more` costs over `less`, without what the floor itself loses."""
    def judge(found):
        cost = found.cycles(more) - found.cycles(less) - (found.cycles(more, 'floor') -
                                                          found.cycles(less, 'floor'))
        return f'{cost:.1f} cycles', cost <= cycles
    return f'{more} over {less}: at most {cycles} cycles beyond what the floor loses', judge


def rate_of(workload, other, share):
    def judge(found):
        part = found.number(workload, 'weir', 'mpps') / found.number(other, 'weir', 'mpps')
        return f'{part:.2f}', part >= share
    return f'{workload}: at least {share} of the rate of {other}', judge


def third_of_peers(workload):
    def judge(found):
        ours = found.number(workload, 'weir', 'cycles_above_floor')
        peers = [peer for peer in found.peers(workload) if peer['name'] != 'VPP']
        for peer in peers:
            if peer['problems'] or peer.get('cycles_above_floor') is None:
                raise Absent(f'{peer["name"]} has no figure in {workload}')
        least = min((peer['cycles_above_floor'] for peer in peers), default=0)
        return f'{ours:.1f} of {least:.1f} cycles', ours <= least / 3
    return f'{workload}: cycles above the floor at most a third of each peer\'s but VPP', judge


TARGETS = [
    faster('encap-1k', 2.5), faster('decap-1k', 2.5),
    above_floor('encap-1k', 35), above_floor('decap-1k', 45),
    than_vpp('encap-1k', 1.5), than_vpp('decap-1k', 1.5),
    faster('encap-100k', 2.2), faster('decap-100k', 2.3), faster('endpoints-100k', 2.2),
    rate_of('encap6-1k', 'encap-1k', 0.9), rate_of('decap6-1k', 'decap-1k', 0.9),
    third_of_peers('ai-mix'),
    beyond_floor('encap-100k', 'encap-1k', 10), beyond_floor('decap-100k', 'decap-1k', 10),
    beyond_floor('endpoints-1m', 'endpoints-1k', 35),
    rate_of('adversarial', 'encap-1k', 0.6), rate_of('adversarial-wire', 'decap-1k', 0.6),
]


def judge(entries):
    found, results = Found(entries), []
    for text, check in TARGETS:
        try:
            seen, good = check(found)
            results.append({'text': text, 'found': seen, 'verdict': 'met' if good else 'missed'})
        except Absent as reason:
            results.append({'text': text, 'found': str(reason), 'verdict': 'not measured'})
    return results
