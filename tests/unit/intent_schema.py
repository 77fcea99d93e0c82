#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The schemas and the reader agree: jsonschema and PyYAML judge what ours reads and writes."""

import copy
import json
import os
import subprocess
import tempfile
import unittest

import jsonschema
import yaml

ROOT = os.environ.get("WEIR_SOURCE_ROOT", ".")
EXAMPLE = os.path.join(ROOT, "controlplane/intent/example.yaml")
PROGRAM = [*os.environ.get("WEIR_EMULATOR", "").split(), os.environ["INTENT_DOCUMENTS"]]

# Each is wrong by itself, without the rest of the intent.
WRONG = [
    ("ports", 0, "mtu", 575),
    ("ports", 0, "mtu", "1600"),
    ("ports", 0, "mtu", 1600.5),
    ("ports", 0, "role", "uplink"),
    ("ports", 0, "device", ""),
    ("ports", 0, "name", "wire/0"),
    ("ports", 0, "rx_queues", 65),
    ("ports", 0, "speed", 100),
    ("ports", 0, "rate", "10Gbit"),
    ("ports", 0, "rate", 0),
    ("ports", 0, "burst", 9215),
    ("queues", 0, "traffic_class", 8),
    ("queues", 0, "dscp", [64]),
    ("queues", 0, "dscp", [26, 26]),
    ("queues", 0, "dscp", 26),
    ("queues", 0, "carries", ["roce"]),
    ("queues", 0, "carries", ["data", "data"]),
    ("queues", 0, "rate", "fast"),
    ("queues", 0, "buffer", "4 MB"),
    ("queues", 0, "buffer", 4.5),
    ("queues", 0, "kmax", "-1K"),
    ("queues", 0, "pmax", 5),
    ("queues", 0, "pmax", "5"),
    ("queues", 0, "mark", "everywhere"),
    ("queues", 1, "not_ect", True),
    ("queues", 1, "mark_control", "yes"),
    ("vteps", 0, "address", 7),
    ("vteps", 1, "dscp", 64),
    ("vteps", 1, "dscp", "cpoy"),
    ("vteps", 1, "ttl", 0),
    ("vteps", 1, "udp_checksum", "half"),
    ("networks", 0, "vni", 0),
    ("networks", 0, "vni", 16777216),
    ("networks", 0, "flood", "gw2"),
    ("networks", 0, "flood", ["gw2", "gw2"]),
    ("networks", 0, "unknown_unicast", True),
    ("endpoints", 0, "mac", "02:00:00:00:00"),
    ("ports", 0, "addresses", "198.18.1.1/31"),
    ("ports", 0, "addresses", ["198.18.1.1"]),
    ("ports", 0, "addresses", ["198.18.1.1/31", "198.18.1.1/31"]),
    ("next_hops", 0, "address", 7),
    ("next_hops", 1, "mac", "02-00-00-00-ff-03"),
    ("vteps", 2, "next_hops", ["leaf1", "leaf1"]),
    ("vteps", 2, "next_hops", ["leaf1", "leaf2", "leaf3"]),
]
KINDS = ("port", "next_hop", "vtep", "network", "endpoint", "queue")


def run(*words):
    return subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=False)


def read(document):
    """What our reader makes of a document: its canonical JSON, or None where it is refused."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(document, file)
        file.flush()
        done = run("json", file.name)
    return json.loads(done.stdout) if done.returncode == 0 else None


class Schema(unittest.TestCase):
    def setUp(self):
        self.schema = json.loads(run("schema", "intent").stdout)
        with open(EXAMPLE, encoding="utf-8") as file:
            self.example = yaml.safe_load(file)
        self.validator = jsonschema.Draft202012Validator(self.schema)

    def test_is_a_schema(self):
        jsonschema.Draft202012Validator.check_schema(self.schema)
        for kind in KINDS:
            schema = json.loads(run("schema", kind).stdout)
            jsonschema.Draft202012Validator.check_schema(schema)
            for name, field in schema["properties"].items():
                self.assertTrue(field["description"].endswith("."), name)

    def test_accepts_the_example_as_others_read_it(self):
        # 02:00:00:00:ff:02 without quotes is a string to YAML 1.1, too: ff is no number.
        self.validator.validate(self.example)
        self.validator.validate(json.loads(run("json", EXAMPLE).stdout))
        for kind in KINDS:
            schema = json.loads(run("schema", kind).stdout)
            for item in self.example[kind + "s"]:
                jsonschema.Draft202012Validator(schema).validate(item)

    def test_others_read_our_yaml_as_our_json(self):
        written = yaml.safe_load(run("yaml", EXAMPLE).stdout)
        self.assertEqual(written, json.loads(run("json", EXAMPLE).stdout))

    def test_our_reader_takes_what_others_wrote(self):
        self.assertIsNotNone(read(self.example))

    def test_refuses_what_the_reader_refuses(self):
        for kind, index, field, value in WRONG:
            document = copy.deepcopy(self.example)
            document[kind][index][field] = value
            with self.subTest(field=field, value=value):
                self.assertFalse(self.validator.is_valid(document))
                self.assertIsNone(read(document))

    def test_refuses_what_lacks_a_field(self):
        for kind in KINDS:
            schema = json.loads(run("schema", kind).stdout)
            for field in schema["required"]:
                document = copy.deepcopy(self.example)
                del document[kind + "s"][0][field]
                with self.subTest(kind=kind, field=field):
                    self.assertFalse(self.validator.is_valid(document))
                    self.assertIsNone(read(document))


if __name__ == "__main__":
    unittest.main()
