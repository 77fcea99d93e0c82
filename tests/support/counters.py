# SPDX-License-Identifier: Apache-2.0
"""What a gateway counts, as `weir -j stats show` and `weir -j drop show` tell it."""

# Packet kinds as the operator thinks of them.
OPERATIONS = {
    "send": ("roce_send",), "write": ("roce_write",),
    "read": ("roce_read_request", "roce_read_response"),
    "atomic": ("roce_atomic_request", "roce_atomic_response"), "ack": ("roce_ack",),
    "nak": ("roce_nak", "roce_rnr_nak"), "cm": ("roce_cm",), "ud": ("roce_ud",),
    "other": ("roce_cnp", "roce_other", "roce_malformed", "roce_v1"),
}


class Counters:
    """One gateway at one moment."""

    def __init__(self, gateway):
        self.stats = gateway.show("stats", "show")
        self.drops = gateway.show("drop", "show")["drops"]

    def port(self, name):
        for port in self.stats["ports"]:
            if port["name"] == name:
                return port
        return {"rx_packets": 0, "tx_packets": 0, "rx_kinds": {}}

    def kinds(self, port):
        """Frames by kind."""
        return {kind: sum(by_ecn.values()) for kind, by_ecn in self.port(port)["rx_kinds"].items()}

    def ce(self, port):
        return sum(by_ecn.get("ce", 0) for by_ecn in self.port(port)["rx_kinds"].values())

    def drops_of(self, pipeline):
        """Reason → packets, in the stages of one pipeline."""
        found = {}
        for drop in self.drops:
            count = sum(number for stage, number in drop["stages"].items()
                        if stage.startswith(pipeline + "/"))
            if count:
                found[drop["reason"]] = count
        return found

    def drops_of_devices(self, port):
        return {drop["reason"]: drop["ports"][port] for drop in self.drops
                if drop["ports"].get(port)}

    def totals(self):
        return self.stats["totals"]

    def tunnelled(self):
        """Frames into the tunnels and out of them: what Weir asks its neighbours is not among
        them."""
        return [sum(network[way] for network in self.stats["networks"])
                for way in ("encap_packets", "decap_packets")]

    def faults(self, but=()):
        """What no gateway that only does its work may show; drops for `but` are right."""
        # Weir asks again; that no frame of the hosts was lost, all other reasons say.
        but = (*but, "own_frame_refused")
        texts = [f"{drop['packets']} dropped: {drop['reason']} ({drop['help']})"
                 for drop in self.drops if drop["packets"] and drop["reason"] not in but]
        if self.totals()["mismatch"] != 0:
            texts.append(f"{self.totals()['mismatch']} frames are unaccounted for")
        if self.totals()["held"] != 0:
            texts.append(f"{self.totals()['held']} frames are still held")
        return texts


def difference(now, before):
    return {key: value - before.get(key, 0) for key, value in now.items()
            if value != before.get(key, 0)}


class Delta:
    """What one direction did between two moments: in at one gateway, out at the other."""

    def __init__(self, now, before, direction):
        self.here = (now[direction], before[direction])
        self.there = (now[1 - direction], before[1 - direction])

    def frames(self):
        """That were handed to the host at the far end."""
        now, before = self.there
        return now.port("host0")["tx_packets"] - before.port("host0")["tx_packets"]

    def operations(self):
        now, before = self.here
        kinds = difference(now.kinds("host0"), before.kinds("host0"))
        counts = {name: sum(kinds.get(kind, 0) for kind in members)
                  for name, members in OPERATIONS.items()}
        return {name: count for name, count in counts.items() if count}

    def ce(self):
        """Frames that entered with CE."""
        now, before = self.here
        return now.ce("host0") - before.ce("host0")

    def drops(self):
        """Reason → packets, at either gateway."""
        total = {}
        for (now, before), pipeline, port in ((self.here, "host_to_wire", "host0"),
                                              (self.there, "wire_to_host", "wire0")):
            for read in (lambda one, of=pipeline: one.drops_of(of),
                         lambda one, of=port: one.drops_of_devices(of)):
                for reason, count in difference(read(now), read(before)).items():
                    total[reason] = total.get(reason, 0) + count
        return total
