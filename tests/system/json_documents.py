#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What -j prints is what its JSON Schema says, as the API serves it."""

from context import Api, Testbed, TwoGateways, run, test, wait_for

# Words of the CLI → the schema's name under /v1/schema/.
DOCUMENTS = {
    ("status",): "status", ("stats", "show"): "stats", ("drop", "show"): "drops",
    ("pipeline", "show"): "pipelines", ("worker", "show"): "workers",
    ("trace", "show"): "traces", ("intent", "show"): "intent", ("port", "show"): "objects",
    ("vtep", "show"): "objects", ("network", "show"): "objects",
    ("endpoint", "show"): "objects",
}


@test
def every_document_matches_its_schema():
    import jsonschema  # pylint: disable=import-outside-toplevel
    with Testbed("json") as bed:
        scenario = TwoGateways(bed).start()
        gateway = scenario.gateways[0]
        gateway.weir("trace", "add", "port", "host0", 2)
        assert scenario.hosts[0].ping(scenario.hosts[1].side.kernel.ip) == 1.0
        wait_for(lambda: gateway.show("trace", "show")["traces"][0]["remaining"] == 0,
                 "the trace has its frames")
        api = Api(gateway.socket)
        for words, name in DOCUMENTS.items():
            status, schema = api.ask("GET", f"/v1/schema/{name}")
            assert status == 200, f"there is no schema {name}: {schema}"
            jsonschema.validators.validator_for(schema).check_schema(schema)
            jsonschema.validate(gateway.show(*words), schema)


run()
