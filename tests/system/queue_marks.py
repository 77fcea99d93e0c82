#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The egress queue and the DCQCN marker of a running gateway, on frames of 1,000 bytes that wait at
its uplink: SONiC's acceptance tests for ECN (sonic-mgmt, snappi_tests/ecn), a slow rate in place of
the PFC pause, and the rate itself.

    host1 ── gw1 ══ gw2 ── host2         the queue stands at gw1's end of ══

After the last frame has entered the queue, how deep it is when one leaves follows from how many
still have to: that is compared with the marks. WEIR_ROUNDS=200 is the long form."""

import math
import os
import time

from context import (SIDES, Testbed, TwoGateways, check_gateways, roce, run, settle, test)

ROUNDS = int(os.environ.get("WEIR_ROUNDS", "25"))
NEAR, FAR = (side.device for side in SIDES)
TUNNEL_BYTES = 50
FRAME_BYTES = 1000                               # At the uplink.
DATA = ("dscp", "26", "buffer", "8M")
RATE_TOLERANCE = 0.01
PACE_FRAMES, PACE_SECONDS = 64, 0.002
SETTLED = 0.02                                   # Seconds until what was sent is in the queue.


class Congested:
    """Two gateways, one of them with a slow uplink, and the frames that cross them."""

    def __init__(self, bed, rate, *marker):
        self.scenario = TwoGateways(bed, options=("--mbufs", "32768")).start()
        self.gateway = self.scenario.gateways[0]
        self.gateway.weir("queue", "add", "wire0/3", *DATA, *marker)
        self.gateway.weir("port", "set", "wire0", "rate", rate, "burst", "9Ki")
        self.near, self.far = self.scenario.roce_ports()
        self.psn = 0

    def send(self, count):
        """When the last one had been sent."""
        frames = [roce.write_middle(NEAR, FAR, tos=26 << 2 | roce.ECT0, psn=self.psn + number,
                                    frame_bytes=FRAME_BYTES - TUNNEL_BYTES)
                  for number in range(count)]
        self.psn += count
        for number, frame in enumerate(frames):
            while not self.near.send(frame):
                time.sleep(0.0001)
            if number % PACE_FRAMES == 0:        # A worker that stops for a moment loses nothing.
                time.sleep(PACE_SECONDS)
        return time.time()

    def receive(self, count):
        """That many frames in order, undamaged: when each came, and whether it says CE."""
        arrived = [self.far.receive_stamped(5.0) for _ in range(count)]
        assert None not in arrived, f"{arrived.count(None)} of {count} did not arrive"
        for number, (frame, _) in enumerate(arrived):
            assert roce.icrc_valid(frame)
            assert roce.parse(frame).psn == self.psn - count + number, number
        return [(when, frame[15] & 3 == roce.CE) for frame, when in arrived]

    def fill(self, count):
        """How many of the frames had left when the last one entered is not known better than by
        what has arrived: those are not judged."""
        entered = self.send(count)
        return [(count - number, marked) for number, (when, marked) in
                enumerate(self.receive(count)) if when > entered + SETTLED]

    def counters(self):
        document = self.gateway.show("queue", "show", "wire0/3")
        return document["traffic_classes"][0]

    def check(self):
        assert self.near.count_own_losses() == self.far.count_own_losses() == 0
        check_gateways(self.scenario.gateways)
        assert [one.totals()["held"] for one in settle(self.scenario.gateways)] == [0, 0]


@test
def marks_begin_and_end_at_the_step():
    with Testbed("queue-step") as bed:
        link = Congested(bed, "2M", "kmin", "100K", "kmax", "100K", "pmax", "5%")
        judged = link.fill(210)
        wrong = [(frames, marked) for frames, marked in judged
                 if marked != (frames * FRAME_BYTES > 100_000)]
        assert not wrong, wrong
        assert sum(marked for _, marked in judged) > 50 and judged[-1] == (1, False)
        counters = link.counters()
        print(f"# {len(judged)} of 210 judged, {counters['marked_packets']} marked, "
              f"high-water {counters['depth_bytes_max']} bytes")
        # All that left before the last 100 and found more than 100 waiting.
        assert 60 < counters["marked_packets"] <= 110
        assert 180_000 < counters["depth_bytes_max"] <= 210_000
        link.check()


@test
def marks_follow_the_line():
    with Testbed("queue-line") as bed:
        kmin, kmax, pmax, bin_bytes = 500_000, 2_000_000, 0.05, 50_000
        link = Congested(bed, "40M", "kmin", "500K", "kmax", "2M", "pmax", "5%")
        bins = {}
        for _ in range(ROUNDS):
            for frames, marked in link.fill(2500):
                depth = frames * FRAME_BYTES
                if depth <= kmin:
                    assert not marked, depth
                elif depth > kmax:
                    assert marked, depth
                else:
                    one = bins.setdefault((depth - kmin - 1) // bin_bytes, [0, 0, 0.0])
                    one[0] += 1
                    one[1] += marked
                    one[2] += pmax * (depth - kmin) / (kmax - kmin)
        judged = {number: one for number, one in bins.items() if one[0] >= 1000}
        # The deepest ones are there only where the frames came fast enough.
        assert len(judged) >= 12, {number: one[0] for number, one in bins.items()}
        worst = 0.0
        for number, (packets, marked, expected) in sorted(judged.items()):
            share = expected / packets
            deviations = abs(marked - expected) / math.sqrt(packets * share * (1 - share))
            worst = max(worst, deviations)
            assert deviations < 4, f"bin {number}: {marked} of {packets}, expected {expected:.0f}"
        print(f"# {ROUNDS} rounds, {len(judged)} bins of {bin_bytes} bytes, worst "
              f"{worst:.1f} standard deviations")
        link.check()


@test
def the_rate_is_kept():
    with Testbed("queue-rate") as bed:
        link = Congested(bed, "1M")
        for rate, text, frames in ((20_000_000, "20M", 5000), (50_000_000, "50M", 7000)):
            link.gateway.weir("port", "set", "wire0", "rate", text)
            late_before = link.counters()["late_ns"]
            entered = link.send(frames)
            # The burst has left long since.
            times = [when for when, _ in link.receive(frames) if when > entered + SETTLED]
            late = (link.counters()["late_ns"] - late_before) / 1e9
            taken = times[-1] - times[0]
            wanted = (len(times) - 1) * FRAME_BYTES * 8 / rate
            print(f"# {text}: {wanted / taken:.4f} of the rate in {taken:.2f} s, "
                  f"{late * 1000:.1f} ms lost to a worker that was not there")
            assert taken >= wanted * (1 - RATE_TOLERANCE), (taken, wanted)
            assert taken - late <= wanted * (1 + RATE_TOLERANCE), (taken, wanted, late)
        link.check()


run()
