#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What -j prints is what its JSON Schema says, as the API serves it."""

import itertools
import json

import jsonschema
from context import SIDES, Api, Testbed, TwoGateways, run, test, wait_for

# Words of the CLI → the schema's name under /v1/schema/.
DOCUMENTS = {
    ("status",): "status", ("stats", "show"): "stats", ("drop", "show"): "drops",
    ("pipeline", "show"): "pipelines", ("worker", "show"): "workers",
    ("trace", "show"): "traces", ("intent", "show"): "intent", ("port", "show"): "objects",
    ("vtep", "show"): "objects", ("network", "show"): "objects",
    ("endpoint", "show"): "objects", ("endpoint", "show", "blue"): "objects",
    ("port", "show", "host0"): "object", ("vtep", "show", "peer"): "object",
    ("network", "show", "blue"): "object",
    ("endpoint", "show", f"blue/{SIDES[1].device.mac}"): "object",
    ("next-hop", "show"): "objects", ("neighbour", "show"): "neighbours",
    ("host-rule", "show"): "objects",
    ("host", "show"): "stats", ("host-rule", "add", "icmp", "rate", "9"): "change",
    ("host-rule", "show", "icmp"): "object", ("host-rule", "delete", "icmp"): "change",
    ("queue", "show"): "traffic_classes",
    ("queue", "add", "wire0/3", "kmin", "100K", "kmax", "200K", "pmax", "1%"): "change",
    ("queue", "show", "wire0"): "traffic_classes",
    ("queue", "set", "wire0/3", "dscp", "26,46"): "change",
    ("queue", "show", "wire0/3"): "traffic_classes", ("queue", "delete", "wire0/3"): "change",
    ("port", "set", "host0", "mtu", "1400", "--dry-run"): "change",
    ("network", "add", "red", "vni", "7"): "change",
    ("network", "set", "red", "vni", "8"): "change",
    ("network", "delete", "red"): "change", ("check", "FILE"): "check", ("diff", "FILE"): "change",
    ("apply", "FILE"): "change", ("apply", "FILE", "--dry-run"): "change",
    ("-f", "BATCH"): "change", ("save", "good"): "message", ("history",): "history",
    ("history", "1"): "history", ("patch", "PATCH"): "change",
    ("intent", "show", "--running"): "intent", ("rollback", "--confirm-within", "60s"): "change",
    ("confirm",): "message", ("rollback", "good"): "change",
    ("save", "good", "--delete"): "message", ("trace", "show", "1"): "trace",
    ("trace", "add", "1"): "trace", ("trace", "delete"): "message",
}
# What is refused is a document too.
REFUSED = (("port", "show", "nope"), ("network", "add", "red", "vni", "0"), ("check", "BATCH"),
           ("trace", "show", "77"), ("network", "delete", "blue"), ("confirm",), ("rollback", "99"))


class Schemas:
    def __init__(self, gateway):
        self.api = Api(gateway.socket)

    def check(self, document, name):
        status, schema = self.api.ask("GET", f"/v1/schema/{name}")
        assert status == 200, f"there is no schema {name}: {schema}"
        judge = jsonschema.validators.validator_for(schema)
        judge.check_schema(schema)
        judge(schema).validate(document)

    def refuses(self, document, name):
        try:
            self.check(document, name)
        except jsonschema.ValidationError:
            return True
        return False


@test
def every_document_matches_its_schema():
    with Testbed("json") as bed:
        scenario = TwoGateways(bed).start()
        gateway = scenario.gateways[0]
        gateway.weir("trace", "add", "port", "host0", 2)
        assert scenario.hosts[0].ping(scenario.hosts[1].side.kernel.ip) == 1.0
        wait_for(lambda: gateway.show("trace", "show")["traces"][0]["remaining"] == 0,
                 "the trace has its frames")
        files = {"FILE": bed.folder / "intent.json", "BATCH": bed.folder / "batch",
                 "PATCH": bed.folder / "patch.json"}
        files["FILE"].write_text(json.dumps(gateway.show("intent", "show")))
        files["BATCH"].write_text("network add green vni 9\n")
        files["PATCH"].write_text('[{"op": "replace", "path": "/networks/green/vni", "value": 8}]')
        schemas = Schemas(gateway)
        for words, name in DOCUMENTS.items():
            schemas.check(gateway.show(*(files.get(word, word) for word in words)), name)
        for words in REFUSED:
            status, text = gateway.weir_refused("-j", *(files.get(word, word) for word in words))
            assert status == 1, (words, text)
            schemas.check(json.loads(text[text.index("{"):]), "error")
        port = gateway.show("port", "show", "host0")
        assert port["state"]["rx_descriptors"] >= 64 and port["state"]["tx_descriptors"] >= 64
        for field, value in (("role", "uplink"), ("stat", {}), ("state", 7)):
            assert schemas.refuses({**port, field: value}, "object"), field
            assert schemas.refuses({"ports": [{**port, field: value}]}, "objects"), field


@test
def each_event_is_a_line_that_matches_its_schema():
    with Testbed("json-events") as bed:
        gateway = TwoGateways(bed).start().gateways[0]
        watch = bed.start("watch", gateway.command_line("-j", "event", "watch"))
        number = itertools.count(5000)

        def hears_of_a_change():
            gateway.weir("network", "add", f"n{next(number)}", "vni", next(number))
            return watch.log().count("\n") >= 3

        wait_for(hears_of_a_change, "three events", interval=0.2)
        watch.stop()
        schemas = Schemas(gateway)
        for line in watch.log().splitlines():
            schemas.check(json.loads(line), "event")


run()
