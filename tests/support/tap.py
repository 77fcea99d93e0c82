# SPDX-License-Identifier: Apache-2.0
"""Runs the functions marked with @test and reports in TAP, which meson counts one by one.

    @test
    def frames_keep_their_order():
        assert ...

    run()
"""

import sys
import time
import traceback

TESTS = []


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why."""


def test(function):
    TESTS.append(function)
    return function


def run():
    """Runs all in order, or those named on the command line, and ends the program."""
    names = sys.argv[1:]
    unknown = set(names) - {function.__name__ for function in TESTS}
    if unknown:
        sys.exit(f"no test named {', '.join(sorted(unknown))}")
    chosen = [function for function in TESTS if not names or function.__name__ in names]
    print(f"TAP version 13\n1..{len(chosen)}", flush=True)
    failed = 0
    for number, function in enumerate(chosen, 1):
        started = time.monotonic()
        try:
            function()
            line, text = "ok", ""
        except Skip as reason:
            line, text = "ok", f" # SKIP {reason}"
        except Exception:  # pylint: disable=broad-except  # Whatever it is, the test failed.
            line, text = "not ok", ""
            failed += 1
            for row in traceback.format_exc().splitlines():
                print(f"# {row}", flush=True)
        print(f"{line} {number} - {function.__name__}{text}", flush=True)
        print(f"# took {time.monotonic() - started:.1f} s", flush=True)
    sys.exit(1 if failed else 0)
