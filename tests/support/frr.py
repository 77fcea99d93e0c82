# SPDX-License-Identifier: Apache-2.0
"""FRR's zebra and bgpd in a namespace, with everything they write in a folder of their own."""

import json
import shutil

from testbed import TestbedError, command, wait_for

DAEMONS = "/usr/lib/frr"


class Frr:
    """`interfaces`: name → its addresses, which zebra gives it whenever it appears. `peer`: the
    address of the other side, in whose AS we are not. `network`: a prefix that we tell."""

    def __init__(self, bed, namespace, *, interfaces, asn, peer, peer_asn, network):
        self.name = f"frr-{asn}"
        self.folder = bed.folder / self.name
        self.peer = peer
        bed.folder.chmod(0o711)                  # The daemons are of another user.
        self.folder.mkdir()
        shutil.chown(self.folder, "frr", "frr")
        lines = [f"interface {interface}\n" + "".join(f" ip address {address}\n"
                                                      for address in addresses) + "exit"
                 for interface, addresses in interfaces.items()]
        zebra = self.configure("zebra", *lines)
        bgpd = self.configure(
            "bgpd", f"router bgp {asn}", f" bgp router-id 10.0.0.{asn % 100}",
            " no bgp ebgp-requires-policy", f" neighbor {peer} remote-as {peer_asn}",
            f" neighbor {peer} timers 1 3", f" neighbor {peer} timers connect 1",
            " address-family ipv4 unicast", f"  network {network}", " exit-address-family")
        static = self.configure("staticd", f"ip route {network} Null0")
        self.zebra = self.start(bed, namespace, "zebra", zebra)
        wait_for(lambda: (self.folder / "zserv.api").exists(), f"zebra of {self.name} listens")
        self.staticd = self.start(bed, namespace, "staticd", static)
        self.bgpd = self.start(bed, namespace, "bgpd", bgpd)
        wait_for(lambda: (self.folder / "bgpd.vty").exists(), f"bgpd of {self.name} listens")

    def configure(self, daemon, *lines):
        path = self.folder / f"{daemon}.conf"
        path.write_text("\n".join(("frr defaults datacenter", *lines)) + "\n")
        return path

    def start(self, bed, namespace, daemon, config):
        return bed.start(f"{self.name}-{daemon}", [
            f"{DAEMONS}/{daemon}", "-f", config, "-P", 0, "-z",
            self.folder / "zserv.api", "--vty_socket", self.folder, "-i",
            self.folder / f"{daemon}.pid", "--log", "stdout"], namespace)

    def show(self, *words):
        """What `show WORDS json` says, or None while bgpd does not answer."""
        try:
            return json.loads(command("vtysh", "--vty_socket", self.folder, "-c",
                                      " ".join(("show", *words, "json"))))
        except (TestbedError, ValueError):
            return None

    def session(self):
        return (self.show("bgp", "neighbors", self.peer) or {}).get(self.peer, {})

    def established(self):
        return self.session().get("bgpState") == "Established"

    def sessions_lost(self):
        return self.session().get("connectionsDropped")

    def learned(self, prefix):
        """Whether the peer told it."""
        routes = (self.show("bgp", "ipv4", "unicast") or {}).get("routes", {})
        return any(path.get("valid") and path.get("peerId") == self.peer
                   for path in routes.get(prefix, []))
