# SPDX-License-Identifier: Apache-2.0
"""tools/demo --scenario incast: endpoints that react to marks, over two gateways with a bottleneck.

    left ── gw1 ══ 200 Mb/s, queue wire0/3 with a marker ══ gw2 ── right

weir-pktgen is left and right; ports are AF_XDP everywhere. First with the marker, then without."""

import json
import math
import os
import signal
import subprocess
import sys
import time

from api import Api
from counters import Counters, difference
from scenario import SIDES, UNDERLAY_MTU, VNI, settle
from testbed import Gateway, TestbedError, find_program, wait_for

PROFILE = "incast"
SECONDS, UNMARKED_SECONDS = 10, 3
RATE, BURST = "200M", "64Ki"                      # 2.6 ms: for that long a worker may be away.
QUEUE = "wire0/3"
BUFFER = "4M"                                    # Less than all windows together.
MARKER = {"kmin": "600K", "kmax": "2400K", "pmax": "10%"}
SAMPLE_SECONDS = 0.05
STANDING_SECONDS = 3.0
JAIN_LEAST = 0.9
JAIN_SECONDS = 3
DEVIATIONS_MOST = 4
# Of the frames that were to be marked, what became of them.
DECIDED = ("marked_packets", "marked_before_packets", "not_ect_packets", "exempt_packets",
           "marker_dropped_packets")
ENDPOINT_MACS = ("02:00:00:00:0a:01", "02:00:00:00:0a:02")  # Of the profile.
# A worker may be away for 200 ms of the frames that come.
PORTS = {"rx_descriptors": 4096, "tx_descriptors": 2048, "rx_queues": 1}


def intent_of(side):
    peer = SIDES[2 - side.number]
    places = [{"port": "host0"}, {"vtep": "peer"}]
    if side.number == 2:
        places.reverse()
    return {"ports": [{"name": "wire0", "role": "underlay", "device": "xdp:wire0",
                       "mtu": UNDERLAY_MTU, **PORTS},
                      {"name": "host0", "role": "tenant", "device": "xdp:host0",
                       "network": "blue", **PORTS}],
            "vteps": [{"name": "self", "kind": "local", "address": side.vtep, "port": "wire0"},
                      {"name": "peer", "kind": "remote", "address": peer.vtep, "port": "wire0",
                       "source": "self", "next_hop_mac": peer.wire_mac}],
            "networks": [{"name": "blue", "vni": VNI}],
            "endpoints": [{"network": "blue", "mac": mac, **place}
                          for mac, place in zip(ENDPOINT_MACS, places)]}


class Endpoints:
    """One side: a weir-pktgen in a namespace of its own, and what it said until now."""

    def __init__(self, bed, name, side, namespace, seconds):
        command = [find_program("weir-pktgen"), PROFILE, "--port", "xdp:host0", "--side", side,
                   "--seconds", seconds, "-j", "--stream", "--no-hugepages", "--bpffs",
                   bed.bpffs()]
        self.process = bed.start(name, map(str, command), namespace)
        self.side = side
        self.position = 0
        self.series = []
        self.result = None

    def read(self):
        """New seconds, once each."""
        new = []
        text = self.process.log()
        while (end := text.find("\n", self.position)) >= 0:
            line, self.position = text[self.position:end], end + 1
            if not line.startswith("{"):
                continue
            document = json.loads(line)
            if "program" in document:
                self.result = document
            else:
                new.append(document)
        self.series += new
        return new

    def listens(self):
        self.read()
        if not self.process.alive() and not self.result:
            raise TestbedError(f"weir-pktgen, {self.side} side: {self.process.log()[-500:]}")
        return self.series

    def finish(self):
        if self.process.alive():
            self.process.popen.send_signal(signal.SIGINT)
        try:
            self.process.popen.wait(10)
        except subprocess.TimeoutExpired as error:
            raise TestbedError(f"weir-pktgen, {self.side} side, did not end") from error
        self.read()
        if not self.result:
            raise TestbedError(f"weir-pktgen, {self.side} side: {self.process.log()[-500:]}")
        return self.result


def cpu_seconds(process):
    """What it has taken, its threads and kernel work in its name included."""
    fields = open(f"/proc/{process.pid}/stat", encoding="ascii").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Queue:
    """The bottleneck's queue: looked at twenty times a second."""

    def __init__(self, gateway):
        self.api = Api(gateway.socket)
        self.samples = []                        # When, bytes that waited, frames that had left.
        self.most_since = 0                      # Of the samples since the last row.

    def counters(self):
        status, document = self.api.ask("GET", "/v1/traffic_classes")
        if status != 200:
            raise TestbedError(f"the queue cannot be read: {document}")
        return next(one for one in document["traffic_classes"] if one["name"] == QUEUE)

    def sample(self):
        now = self.counters()
        self.samples.append((time.monotonic(), now["depth_bytes"], now["tx_packets"]))
        self.most_since = max(self.most_since, now["depth_bytes"])
        return now

    def standing(self):
        """The longest time in which each look found frames waiting, and what left meanwhile."""
        best, stretch = [], []
        for sample in self.samples:
            stretch = stretch + [sample] if sample[1] else []
            if len(stretch) > 1 and (not best or
                                     sample[0] - stretch[0][0] > best[-1][0] - best[0][0]):
                best = stretch
        if not best:
            return {"seconds": 0.0, "looks": 0, "mean_bytes": 0, "frames_per_s": 0}
        seconds = best[-1][0] - best[0][0]
        return {"seconds": round(seconds, 2), "looks": len(best),
                "mean_bytes": sum(sample[1] for sample in best) // len(best),
                "frames_per_s": round((best[-1][2] - best[0][2]) / seconds)}


class Table:
    """A line per second."""

    HEADER = (f"{'time':>5} {'queue KB':>8} {'most':>5} {'highest':>7} {'frames/s':>8} "
              f"{'marks/s':>7} {'CNPs/s':>6} {'Jain':>5}  "
              f"{'Mbit/s of each queue pair':<40} drops")

    def __init__(self, as_json, phase):
        self.as_json, self.phase = as_json, phase
        self.lines = 0

    def row(self, values):
        if self.as_json:
            print(json.dumps({"phase": self.phase, **values}), flush=True)
            return
        if self.lines % 20 == 0:
            print(self.HEADER)
        self.lines += 1
        rates = " ".join(f"{rate:4.1f}" for rate in values["queue_pair_mbit_s"])
        drops = ", ".join(f"{name} {count}" for name, count in values["drops"].items()) or "none"
        print(f"{values['time_s']:>4.1f}s {values['depth_bytes'] // 1000:>8} "
              f"{values['depth_bytes_most'] // 1000:>5} {values['depth_bytes_max'] // 1000:>7} "
              f"{values['frames_per_s']:>8.0f} {values['marked_per_s']:>7.0f} "
              f"{values['cnps_per_s']:>6.0f} {values['jain_index']:>5.3f}  {rates:<40} {drops}",
              flush=True)


def drops_of(gateways):
    """Reason → packets, at both, devices' included."""
    total = {}
    for gateway in gateways:
        for drop in Counters(gateway).drops:
            if drop["packets"]:
                total[drop["reason"]] = total.get(drop["reason"], 0) + drop["packets"]
    return total


class Phase:
    """Both sides talk for some seconds; what was seen of it."""

    def __init__(self, demo, name, seconds):
        self.demo, self.name, self.seconds = demo, name, seconds
        self.queue = Queue(demo.gateways[0])
        self.table = Table(demo.as_json, name)
        self.right = self.left = None
        self.before = self.after = None
        self.cores = {}

    def run(self):
        demo = self.demo
        near, far = demo.hosts
        self.right = Endpoints(demo.bed, f"{self.name}-right", "right", far, self.seconds + 60)
        wait_for(self.right.listens, "the right side listens", 20)
        self.before = last = self.queue.counters()
        drops = drops_of(demo.gateways)
        self.left = Endpoints(demo.bed, f"{self.name}-left", "left", near, self.seconds)
        wait_for(lambda: self.queue.sample()["tx_packets"] > last["tx_packets"]
                 or not self.left.process.alive(), "frames cross the bottleneck", 20)
        self.right.read()
        processes = self.processes()
        began = last_time = time.monotonic()
        taken = {name: cpu_seconds(process) for name, process in processes.items()}
        while self.left.process.alive():
            time.sleep(SAMPLE_SECONDS)
            now = self.queue.sample()
            cpu = {name: cpu_seconds(process) for name, process in processes.items()
                   if process.alive()}
            self.left.read()
            for second in self.right.read():
                drops_now = drops_of(demo.gateways)
                self.show(now, last, second, difference(drops_now, drops),
                          (last_time - began, time.monotonic() - last_time))
                last, last_time, drops = now, time.monotonic(), drops_now
            passed = time.monotonic() - began
            if len(cpu) == len(processes):
                self.cores = {name: (cpu[name] - taken[name]) / passed for name in processes}
        self.left.finish()
        time.sleep(0.3)                          # What still waits at the bottleneck.
        self.right.finish()
        self.after = self.queue.counters()
        return self

    def processes(self):
        near, far = self.demo.gateways
        return {"gw1": near.dataplane, "gw2": far.dataplane, "left": self.left.process,
                "right": self.right.process}

    def show(self, now, last, second, drops, times):
        began, length = times
        self.table.row({
            "time_s": round(began + length, 1), "interval_s": round(length, 2),
            "depth_bytes": now["depth_bytes"], "depth_bytes_most": self.queue.most_since,
            "depth_bytes_max": now["depth_bytes_max"],
            "frames_per_s": round((now["tx_packets"] - last["tx_packets"]) / length),
            "marked_per_s": round((now["marked_packets"] - last["marked_packets"]) / length),
            "cnps_per_s": round(second["cnps_sent"] / second["length_s"]),
            "jain_index": round(second["jain_index"], 4),
            "queue_pair_mbit_s": [round(rate / 1e6, 2) for rate in
                                  second["received_bits_per_second"]],
            "drops": drops})
        self.queue.most_since = 0

    def counted(self, *names):
        return sum(self.after[name] - self.before[name] for name in names)

    def frames_per_second(self):
        """That crossed the bottleneck, the start from an empty queue included."""
        return self.counted("tx_packets") / self.left.result["seconds"]

    def fairness(self):
        """Jain's index of what each queue pair received in the last whole seconds."""
        ended = [one for one in self.right.series if sum(one["received_bits_per_second"]) > 0]
        last = ended[:-1][-JAIN_SECONDS:] or ended
        if not last:
            return 0.0, []
        rates = [sum(one) / len(last) for one in
                 zip(*(second["received_bits_per_second"] for second in last))]
        squares = sum(rate * rate for rate in rates)
        return (sum(rates) ** 2 / (len(rates) * squares) if squares else 0.0), rates

    def curve(self):
        """Frames that were to be marked, how many the curve lets one expect, and the difference
        in standard deviations. The variance is at most that of equal shares."""
        packets = self.counted("tx_packets", "marker_dropped_packets")
        decided = self.counted(*DECIDED)
        expected = self.counted("mark_probability_ppm") / 1e6
        variance = expected - expected * expected / packets if packets else 0.0
        off = abs(decided - expected)
        return {"packets": packets, "marked": decided, "expected": round(expected, 1),
                "deviations": round(off / math.sqrt(variance), 2) if variance else 0.0}

    def losses(self):
        """What the endpoints noticed."""
        sent, received = self.left.result["sent"], self.right.result["received"]
        timeouts = sum(pair["endpoint"]["timeouts"] for pair in self.left.result["queue_pairs"])
        return {"repeated": sent["repeated"], "timeouts": timeouts,
                **{name: received[name] for name in
                   ("lost", "late", "duplicates", "too_old", "icrc_errors")}}


class Demo:
    """The scenario, from its start to its summary."""

    def __init__(self, bed, as_json):
        print("Starting two gateways and eight queue pairs ...", file=sys.stderr, flush=True)
        self.bed, self.as_json = bed, as_json
        options = ("--mbufs", "32768", "--bpffs", bed.bpffs())
        # Whatever WEIR_SHAPE says: two cores have no room for more workers.
        self.gateways = [Gateway(bed, f"gw{side.number}", workers=1, first_core=side.number - 1,
                                 options=options) for side in SIDES]
        near, far = self.gateways
        bed.cable(near.namespace, "wire0", far.namespace, "wire0", mtu=UNDERLAY_MTU,
                  macs=[side.wire_mac for side in SIDES])
        self.hosts = [bed.namespace(f"host{side.number}") for side in SIDES]
        for gateway, host in zip(self.gateways, self.hosts):
            bed.cable(host, "host0", gateway.namespace, "host0")
        for side, gateway in zip(SIDES, self.gateways):
            gateway.start()
            gateway.apply(intent_of(side))
        near.weir("port", "set", "wire0", "rate", RATE, "burst", BURST)
        near.weir("queue", "add", QUEUE, "carries", "data", "buffer", BUFFER,
                  *(word for pair in MARKER.items() for word in pair))

    def mark(self, on):
        fields = [word for name, value in MARKER.items() for word in (name, value if on else "")]
        self.gateways[0].weir("queue", "set", QUEUE, *fields)

    def run(self, seconds):
        """What is wrong."""
        seconds = seconds or SECONDS
        marker = ", ".join(f"{name} {value}" for name, value in MARKER.items())
        self.say(f"Bottleneck: {RATE} bit/s at gw1's wire0, queue {QUEUE}: {marker}, "
                 f"buffer {BUFFER}\n")
        marked = Phase(self, "marked", seconds).run()
        summary = self.judge(marked, seconds)
        self.say("\nThe same without a marker ...\n")
        self.mark(False)
        unmarked = Phase(self, "unmarked", min(seconds, UNMARKED_SECONDS)).run()
        summary["unmarked"] = {
            "queue_full": unmarked.counted("full_dropped_packets"), **unmarked.losses(),
            "depth_bytes_max": unmarked.after["depth_bytes_max"]}
        for gateway, counter in zip(self.gateways, settle(self.gateways)):
            summary["faults"] += [f"{gateway.name}, without a marker: {text}"
                                  for text in counter.faults(but=("queue_full",))]
        if self.as_json:
            print(json.dumps({"summary": summary}), flush=True)
        else:
            print_summary(summary)
        return summary["faults"]

    def say(self, text):
        if not self.as_json:
            print(text, flush=True)

    def judge(self, phase, seconds):
        """The marked phase's figures, and what of them is not as it should be."""
        faults = []
        curve, losses = phase.curve(), phase.losses()
        if curve["marked"] == 0:
            faults.append("nothing was marked")
        if curve["deviations"] > DEVIATIONS_MOST:
            faults.append(f"{curve['marked']} frames were to be marked, the curve says "
                          f"{curve['expected']}: {curve['deviations']} standard deviations")
        arrived = phase.right.result["received"]["ecn"]["ce"]
        if arrived != phase.counted("marked_packets"):
            faults.append(f"{phase.counted('marked_packets')} frames were marked, "
                          f"{arrived} arrived with CE")
        faults += [f"endpoints: {count} {name}" for name, count in losses.items() if count]
        for gateway, counter in zip(self.gateways, settle(self.gateways)):
            faults += [f"{gateway.name}: {text}" for text in counter.faults()]
        jain, rates = phase.fairness()
        if jain < JAIN_LEAST:
            faults.append(f"Jain's index of the queue pairs is {jain:.3f}, below {JAIN_LEAST}")
        standing = phase.queue.standing()
        wanted = min(STANDING_SECONDS, seconds / 2)
        if standing["seconds"] < wanted:
            faults.append(f"the queue stood for {standing['seconds']:.1f} s, less than "
                          f"{wanted:.1f}")
        return {"faults": faults, "seconds": phase.left.result["seconds"],
                "dcqcn": phase.left.result["endpoints"],
                "frames_per_s": round(phase.frames_per_second()), "curve": curve,
                "late_ms": round(phase.counted("late_ns") / 1e6), "losses": losses,
                "jain_index": round(jain, 4), "jain_least": JAIN_LEAST,
                "queue_pair_mbit_s": [round(rate / 1e6, 2) for rate in rates],
                "standing": standing, "depth_bytes_max": phase.after["depth_bytes_max"],
                "latency_us": {name: round(phase.right.result["latency_ns"][name] / 1000)
                               for name in ("p50", "p99")},
                "cores": {name: round(value, 2) for name, value in phase.cores.items()}}

    def keep_going(self):
        """Endpoints talk on, marked again; commands to try."""
        self.mark(True)
        near, far = self.hosts
        forever = 604_800
        right = Endpoints(self.bed, "kept-right", "right", far, forever)
        wait_for(right.listens, "the right side listens", 20)
        Endpoints(self.bed, "kept-left", "left", near, forever)
        weir = find_program("weir")
        return [f"{weir} queue watch {QUEUE}", f"{weir} queue set {QUEUE} kmin 300K",
                f"{weir} port set wire0 rate 100M",
                f"tail -f {right.process.log_path}"]


def print_summary(summary):
    dcqcn, curve, unmarked = (summary[name] for name in ("dcqcn", "curve", "unmarked"))
    rates = summary["queue_pair_mbit_s"]
    print("\nSummary")
    times = {name: f"{dcqcn[f'{name}_us'] / 1000:g} ms" for name in
             ("alpha_period", "increase_period", "cnp_interval")}
    print(f"  DCQCN ({dcqcn['dcqcn']}), its times x {dcqcn['time_scale']} for this machine: a CNP "
          f"at most every {times['cnp_interval']}, and a decrease with each; alpha decays after "
          f"{times['alpha_period']}; increase every {times['increase_period']}, by "
          f"{dcqcn['additive_bits_per_second'] / 1e6:g} Mbit/s after recovery")
    print(f"  {summary['frames_per_s']} frames/s crossed the bottleneck for "
          f"{summary['seconds']:.1f} s; delay p50 {summary['latency_us']['p50'] / 1000:.1f} ms, "
          f"p99 {summary['latency_us']['p99'] / 1000:.1f} ms")
    print(f"  marked: {curve['marked']} of {curve['packets']}; the curve says {curve['expected']}: "
          f"{curve['deviations']} standard deviations off (at most {DEVIATIONS_MOST})")
    standing = summary["standing"]
    print(f"  standing queue: {standing['seconds']:.1f} s in which each of {standing['looks']} "
          f"looks found frames waiting, {standing['mean_bytes'] // 1000} KB on average, "
          f"{standing['frames_per_s']} frames/s; the rate was not used for "
          f"{summary['late_ms']} ms, as the worker had no core")
    if rates:
        print(f"  rates in the last seconds: {min(rates):.1f} to {max(rates):.1f} Mbit/s, Jain's "
              f"index {summary['jain_index']:.3f} (at least {summary['jain_least']})")
    print("  lost: " + ", ".join(f"{count} {name}" for name, count in summary["losses"].items()))
    print("  cores: " + ", ".join(f"{name} {cores}" for name, cores in summary["cores"].items()))
    print(f"  without a marker: {unmarked['queue_full']} frames died as queue_full, "
          f"{unmarked['repeated']} were sent again (expected; no fault)")
    for fault in summary["faults"]:
        print(f"  FAULT: {fault}")
    if not summary["faults"]:
        print("  Marks follow the curve, rates follow the marks, and nothing was lost.")
