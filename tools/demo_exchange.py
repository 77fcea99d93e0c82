# SPDX-License-Identifier: Apache-2.0
"""tools/demo --scenario exchange: captured RoCEv2, ping and iperf3 between two hosts, every frame
accounted for."""

import json
import sys
import time

from counters import Counters, Delta
from scenario import TwoGateways, all_shots, settle
from testbed import TestbedError
from traffic import Replay

SECONDS = 20
FRAMES_PER_SECOND = 4000
TCP_WINDOW = "48K"                               # Below the smallest ring: 512 frames.
UDP_RATE = "4M"
DIRECTIONS = ("host1 > host2", "host2 > host1")
OPERATIONS = ("send", "write", "read", "atomic", "ack", "nak", "cm", "ud")


class HostTraffic:
    """ping and iperf3 of the hosts' own kernels, for the whole time."""

    def __init__(self, bed, hosts, seconds):
        self.bed = bed
        near, far = hosts
        self.servers = [self.start(far, f"iperf3-server-{port}", "iperf3", "-s", "-p", port)
                        for port in (5201, 5202)]
        time.sleep(0.3)
        client = ["iperf3", "-J", "-t", max(1, seconds - 1), "--bidir"]
        self.tcp = self.start(near, "iperf3-tcp", *client, "-c", far.side.kernel.ip, "-p", 5201,
                              "-w", TCP_WINDOW)
        self.udp = self.start(near, "iperf3-udp", *client, "-c", far.side.kernel6.ip, "-p", 5202,
                              "-u", "-b", UDP_RATE, "-l", 1200)
        count = max(1, seconds - 1) * 5
        self.pings = [self.start(near, f"ping-{name}", "ping", "-q", "-i", 0.2, "-c", count, "-W",
                                 2, address)
                      for name, address in (("4", far.side.kernel.ip), ("6", far.side.kernel6.ip))]

    def start(self, host, name, *arguments):
        return self.bed.start(name, map(str, arguments), host.namespace)

    def finish(self, seconds=20):
        for process in (self.tcp, self.udp, *self.pings):
            try:
                process.popen.wait(seconds)
            except Exception as error:
                raise TestbedError(f"{process.name} did not end by itself") from error
        for server in self.servers:
            server.stop()

    def results(self):
        """Per kind of traffic: what it did, and what it missed."""
        return [self.ping_result(process) for process in self.pings] + [
            self.iperf_result("iperf3 TCP over IPv4", self.tcp),
            self.iperf_result("iperf3 UDP over IPv6", self.udp)]

    @staticmethod
    def ping_result(process):
        name = f"ping over IPv{process.name[-1]}"
        for line in process.log().splitlines():
            if " packets transmitted" in line:
                words = line.split()
                sent, received = int(words[0]), int(words[3])
                return {"name": name, "sent": sent, "received": received,
                        "fault": "" if sent == received else f"{sent - received} pings lost"}
        return {"name": name, "fault": f"no result: {process.log().strip()[-200:]}"}

    @staticmethod
    def iperf_result(name, process):
        try:
            end = json.loads(process.log())["end"]
        except (ValueError, KeyError):
            return {"name": name, "fault": f"no result: {process.log().strip()[-200:]}"}
        result = {"name": name, "fault": ""}
        if "sum" not in end:                     # Only UDP has one sum of both ends.
            result["mbit_s"] = [round(end[key]["bits_per_second"] / 1e6, 1)
                                for key in ("sum_received", "sum_received_bidir_reverse")]
            moved = all(end[key]["bytes"] > 0
                        for key in ("sum_received", "sum_received_bidir_reverse"))
            result["fault"] = "" if moved else "nothing was received"
        else:
            sums = [end[key] for key in ("sum", "sum_bidir_reverse")]
            result["sent"] = sum(one["packets"] for one in sums)
            result["lost"] = sum(one["lost_packets"] for one in sums)
            result["received"] = result["sent"] - result["lost"]
            if result["lost"] or not result["sent"]:
                result["fault"] = f"{result['lost']} of {result['sent']} datagrams lost"
        return result


class Table:
    """A line per second and direction."""

    HEADER = (f"{'time':>5}  {'direction':<13} {'frames/s':>8}  "
              + " ".join(f"{name:>6}" for name in OPERATIONS) + f" {'CE':>6}  drops")

    def __init__(self, as_json):
        self.as_json = as_json
        self.lines = 0
        self.started = self.last_time = time.monotonic()
        self.last = None

    def show(self, both):
        now = time.monotonic()
        if self.last:
            elapsed = now - self.last_time
            for direction, name in enumerate(DIRECTIONS):
                delta = Delta(both, self.last, direction)
                self.line(name, delta, now - self.started, elapsed)
        self.last, self.last_time = both, now

    def line(self, name, delta, at, elapsed):
        operations = delta.operations()
        if self.as_json:
            print(json.dumps({"time_s": round(at, 1), "direction": name, "interval_s":
                              round(elapsed, 2), "frames": delta.frames(), "operations":
                              operations, "ce": delta.ce(), "drops": delta.drops()}), flush=True)
            return
        if self.lines % 20 == 0:
            print(self.HEADER)
        self.lines += 1
        drops = ", ".join(f"{reason} {count}" for reason, count in delta.drops().items()) or "none"
        row = " ".join(f"{operations.get(key, 0):>6}" for key in OPERATIONS)
        print(f"{at:>4.0f}s  {name:<13} {delta.frames() / elapsed:>8.0f}  {row} {delta.ce():>6}  "
              f"{drops}", flush=True)


def summarise(scenario, replay, traffic, counters):
    """Everything that was counted, and what is wrong with it."""
    faults = replay.faults()
    for direction in replay.directions:
        if direction.ce_sent != direction.ce_received:
            faults.append(f"{direction.ce_sent} RoCE frames were sent with CE, "
                          f"{direction.ce_received} arrived with it, and nobody marks here")
    results = traffic.results()
    faults += [f"{result['name']}: {result['fault']}" for result in results if result["fault"]]
    for gateway, counter in zip(scenario.gateways, counters):
        faults += [f"{gateway.name}: {text}" for text in counter.faults()]
    near, far = [counter.tunnelled() for counter in counters]
    for (left, _), (_, came), name in ((near, far, DIRECTIONS[0]), (far, near, DIRECTIONS[1])):
        if left != came:
            faults.append(f"{name}: {left} frames left for the underlay, {came} came out of it")
    return {"roce": replay.report(), "hosts": results, "faults": faults,
            "gateways": {gateway.name: counter.totals()
                         for gateway, counter in zip(scenario.gateways, counters)}}


def print_summary(summary):
    print("\nSummary")
    for name, direction in zip(DIRECTIONS, summary["roce"]["directions"]):
        print(f"  RoCE {name}: {direction['sent']} sent, {direction['received']} received, "
              f"{direction['damaged']} damaged, {direction['reordered']} out of order, "
              f"{direction['icrc_bad']} with a wrong ICRC, CE {direction['ce_sent']} sent "
              f"{direction['ce_received']} received")
    for result in summary["hosts"]:
        numbers = ", ".join(f"{value} {key}" for key, value in result.items()
                            if key in ("sent", "received", "lost"))
        rates = " and ".join(f"{rate} Mbit/s" for rate in result.get("mbit_s", []))
        print(f"  {result['name']}: {numbers or rates or result['fault']}")
    for name, totals in summary["gateways"].items():
        print(f"  {name}: " + ", ".join(f"{value} {key}" for key, value in totals.items()
                                        if value or key in ("mismatch", "dropped")))
    for fault in summary["faults"]:
        print(f"  FAULT: {fault}")
    if not summary["faults"]:
        print("  Every frame is accounted for; none was lost or damaged.")


class Demo:
    """The scenario, from its start to its summary."""

    def __init__(self, bed, as_json):
        print("Starting two gateways and two hosts ...", file=sys.stderr, flush=True)
        self.bed, self.as_json = bed, as_json
        self.scenario = TwoGateways(bed).start()
        self.gateways = self.scenario.gateways

    def run(self, seconds):
        """What is wrong."""
        seconds = seconds or SECONDS
        counters = lambda: [Counters(gateway) for gateway in self.gateways]
        shots = all_shots()
        traffic = HostTraffic(self.bed, self.scenario.hosts, seconds)
        table = Table(self.as_json)
        table.show(counters())
        next_line = time.monotonic() + 1

        def every_second():
            nonlocal next_line
            if time.monotonic() >= next_line:
                next_line += 1
                table.show(counters())

        replay = Replay(self.scenario.roce_ports(), shots, frames_per_second=FRAMES_PER_SECOND)
        replay.run(seconds=seconds, while_running=every_second)
        traffic.finish()
        summary = summarise(self.scenario, replay, traffic, settle(self.gateways))
        if self.as_json:
            print(json.dumps({"summary": summary}), flush=True)
        else:
            print_summary(summary)
        return summary["faults"]

    def keep_going(self):
        """Commands to try."""
        near, far = self.scenario.hosts
        return [f"ip netns exec {near.namespace.name} ping {far.side.kernel.ip}"]
