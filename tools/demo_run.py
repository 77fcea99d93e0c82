#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What tools/demo does once everything is built: a scenario, and what to try while it stands."""

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

# pylint: disable=wrong-import-position
import demo_exchange  # noqa: E402
import demo_incast  # noqa: E402
from testbed import Testbed, TestbedError, find_program  # noqa: E402

SCENARIOS = {"incast": demo_incast, "exchange": demo_exchange}


def offer(gateways, commands, stream):
    """What to try while it stands; `commands` are the scenario's own."""
    weir = find_program("weir")
    lines = ["\nIt stays until Ctrl-C. In another terminal, as root:\n"]
    lines += [f"  export WEIR_SOCKET={gateway.socket}   # {gateway.name}"
              for gateway in reversed(gateways)]  # The last one is in force: the first gateway.
    lines += [f"  {weir} {words}" for words in
              ("status", "port show", "stats show", "drop show", "pipeline show", "worker show",
               "endpoint show", "queue show", "trace add 5", "trace show", "stats show --watch=1")]
    lines += [f"  {command}" for command in commands]
    lines += [f"  ip netns exec {gateways[0].namespace.name} tcpdump -ni wire0 udp port 4789"]
    print("\n".join(lines), file=stream, flush=True)
    while all(gateway.dataplane.alive() for gateway in gateways):
        time.sleep(0.5)
    raise TestbedError("a data plane ended")


def run(options):
    with Testbed("demo") as bed:
        demo = SCENARIOS[options.scenario].Demo(bed, options.json)
        faults = demo.run(options.seconds)
        if options.keep:
            # A document a line is all that goes to standard output with --json.
            offer(demo.gateways, demo.keep_going(), sys.stderr if options.json else sys.stdout)
        return 1 if faults else 0


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--scenario", choices=list(SCENARIOS), default="incast")
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true")
    try:
        return run(parser.parse_args())
    except KeyboardInterrupt:
        print("interrupted; everything is removed", file=sys.stderr)
        return 130
    except TestbedError as error:
        print(f"tools/demo: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
