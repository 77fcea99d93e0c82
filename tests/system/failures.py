#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Memory that cannot be had and calls of the kernel that fail, at any moment of a start, an apply,
a save, a rollback: a clear error or an end with a sentence, never a signal, never half a change."""

import http.client
import os
import time
from pathlib import Path

from context import MEMORY, SYSTEM_CALLS, Api, FailCalls, Gateway, Testbed, run, test, wait_for

MOMENTS = int(os.environ.get("WEIR_ROUNDS", 4))  # Of each row of KINDS, spread over all there are.
# What fails, and how many times in a row.
KINDS = ((MEMORY, 1), (MEMORY, 30), (SYSTEM_CALLS, 1), (SYSTEM_CALLS, 4))
WORDS = {MEMORY: "allocations", SYSTEM_CALLS: "system calls"}
NEVER = 2 ** 63
SMALL = {"ports": [{"name": name, "role": "tenant", "device": f"net_ring{number}",
                    "network": "blue"} for number, name in enumerate(("p0", "p1"))],
         "networks": [{"name": "blue", "vni": 100}]}
LARGE = {**SMALL, "networks": [*SMALL["networks"], {"name": "red", "vni": 200}],
         "endpoints": [{"network": "blue", "port": "p0",
                        "mac": f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"}
                       for number in range(1000)]}
SECONDS_MAX = 15                                 # For whatever is asked: more is a hang.
# Debian's, which do not look at what malloc gave them; RESULTS.md has their backtraces.
NOT_OURS = ("libseccomp.so.2",)


class Faults:
    """One gateway, of which the control plane meets the failures."""
    program = "weir-controlplane"

    def __init__(self, bed):
        self.calls = FailCalls(bed.folder / "fail-calls")
        self.gateway = self.make_gateway(bed)
        self.answers = {}                        # Status, or "ended": how often.
        self.wrong = []
        self.named = 0                           # Ended, or hung, in NOT_OURS.

    def make_gateway(self, bed):
        gateway = Gateway(bed, "gw1")
        gateway.controlplane_wrapper = self.calls.wrapper()
        return gateway.start()

    def process(self):
        return self.gateway.controlplane

    def begin(self):
        self.gateway.begin_controlplane()

    def start(self):
        """Not as the gateway does, which wants a status without alarms."""
        self.begin()
        wait_for(lambda: not self.process().alive() or self.is_in_sync(),
                 f"{self.program} is in sync", SECONDS_MAX)
        self.gateway.must_live(self.process())

    def ask(self, method, target, body=None, seconds=SECONDS_MAX):
        """Status and document; None and None where the connection ended without an answer."""
        api = Api(self.gateway.socket)
        api.connection.timeout = seconds
        try:
            return api.ask(method, target, body)
        except TimeoutError as error:
            raise AssertionError(f"{method} {target} hangs") from error
        except (OSError, http.client.HTTPException):
            return None, None
        finally:
            api.connection.close()

    def is_in_sync(self):
        try:
            status, document = self.ask("GET", "/v1/status", seconds=1)
        except AssertionError:
            return False
        return status == 200 and document["dataplane"]["state"] == "in_sync"

    def state(self):
        """What is stored, once the data plane has the same: its tables' digests are compared."""
        wait_for(self.is_in_sync, "both answer and are in sync", SECONDS_MAX)
        stored = self.ask("GET", "/v1/intent")[1]
        assert self.ask("GET", "/v1/intent?state=running")[1] == stored
        return stored, [one["name"] for one in self.ask("GET", "/v1/saved")[1]["saved"]]

    def outcome(self):
        """It answers, and is "well"; "ended"; "hangs", in a library that is known for it."""
        began = time.monotonic()

        def look():
            if not self.process().alive():
                return "ended"
            if self.is_in_sync():
                return "well"
            return "hangs" if self.not_ours() and time.monotonic() - began > 2 else None
        return wait_for(look, "it ends, or answers and is in sync", SECONDS_MAX)

    def recover(self, log_bytes):
        """After calls have failed: True where the process has ended, which is then checked, and
        another one started."""
        process = self.process()
        self.outcome()                           # Calls still fail until there is one.
        self.calls.disarm()
        outcome = self.outcome()
        if outcome == "well":
            return False
        if self.not_ours() and (outcome == "hangs" or process.popen.returncode < 0):
            process.kill()
            self.named += 1
            self.start()
            return True
        words = process.log()[log_bytes:].splitlines()[-3:]
        # The loader's own end is 127: "cannot allocate memory for thread-local data".
        assert process.popen.returncode in (1, 127), f"status {process.popen.returncode}: {words}"
        assert any(self.program in line or "allocate" in line for line in words), \
            f"no word of why: {words}"
        self.start()
        return True

    def not_ours(self):
        """Whether a library of Debian met the failure, and is known for what it makes of it."""
        return Path(self.calls.failed()[2]).name in NOT_OURS

    def check_files(self):
        """No failure is taken for damage of what is stored but that of a read: SQLite takes EIO for
        a broken disk, and then the store's copy is used, with an alarm."""
        aside = list(self.gateway.state.glob("intent.sqlite.damaged-*"))
        assert not aside or self.calls.may_include("pread64"), aside
        for path in aside:
            path.unlink()

    def log_bytes(self):
        return len(self.process().log())

    def try_all(self, what, totals, once):
        """once(kinds, first, count) at all moments. What goes wrong is kept, and the next moment
        begins with a new process."""
        for kinds, count in KINDS:
            for first in spread(totals[kinds]):
                try:
                    answer = once(kinds, first, count)
                    self.answers[answer] = self.answers.get(answer, 0) + 1
                except Exception as error:  # pylint: disable=broad-exception-caught
                    self.calls.disarm()
                    self.wrong.append(f"{count} of {WORDS[kinds]} from {first} on "
                                      f"({' '.join(self.calls.failed())}): {error}")
                    if len(self.wrong) > 20:
                        break
                    self.process().kill()
                    self.start()
        print(f"# {what}, of {totals[MEMORY]} allocations and {totals[SYSTEM_CALLS]} system calls: "
              f"{self.answers}, of which {self.named} in {', '.join(NOT_OURS)}", flush=True)
        self.answers, self.named = {}, 0
        assert not self.wrong, f"{what}: " + "\n".join(self.wrong)


class DataplaneFaults(Faults):
    """The data plane meets them."""
    program = "weir-dataplane"

    def outcome(self):
        """It is the control plane that answers, and it hears of an end only when the kernel has
        taken everything from the process."""
        log = self.process().log()
        if self.calls.failed()[0]:
            seconds = 5 if log.endswith("ended at once\n") else 0.3
            deadline = time.monotonic() + seconds
            while self.process().alive() and time.monotonic() < deadline:
                time.sleep(0.01)
        return super().outcome()

    def make_gateway(self, bed):
        return Gateway(bed, "gw1", wrapper=self.calls.wrapper()).start()

    def process(self):
        return self.gateway.dataplane

    def begin(self):
        self.gateway.begin_dataplane()


def spread(total):
    """Moments from the first call to the last."""
    if total <= MOMENTS:
        return range(1, total + 1)
    return [1 + number * (total - 1) // (MOMENTS - 1) for number in range(MOMENTS)]


class Change:
    """Something that is asked for: done, and undone for the next time."""

    def __init__(self, faults, request, undo):
        self.faults, self.request, self.undo = faults, request, undo
        self.before = faults.state()
        self.totals = {}
        for kinds in WORDS:                      # How many calls there are, and where it leads.
            faults.calls.arm(kinds)
            assert faults.ask(*request)[0] == 200
            self.totals[kinds] = faults.calls.seen()
            faults.calls.disarm()
            self.after = faults.state()
            self.go_back()
        assert self.before != self.after and min(self.totals.values()) > 0

    def go_back(self):
        if self.faults.state() != self.before:
            status, document = self.faults.ask(*self.undo)
            assert status == 200, document
            assert self.faults.state() == self.before

    def once(self, kinds, first, count):
        faults = self.faults
        log_bytes = faults.log_bytes()
        faults.calls.arm(kinds, first, count)
        status, document = faults.ask(*self.request)
        faults.calls.disarm()
        ended = faults.recover(log_bytes)
        now = faults.state()
        faults.check_files()
        assert now in (self.before, self.after), "half of it is there"
        if status is not None and status >= 400:
            assert document["error"]["message"], document
            assert now == self.before, f"done though refused with {document['error']}"
        elif status is not None:
            assert now == self.after, f"not done though answered with {status}"
        self.go_back()
        return "ended" if ended else status

    def try_all(self, what):
        self.faults.try_all(what, self.totals, self.once)


def try_starts(faults):
    """Of the program that meets the failures, on what is stored."""
    assert faults.ask("PUT", "/v1/intent", LARGE)[0] == 200
    before = faults.state()

    def start(kinds, first, count):
        assert faults.process().stop() == 0, faults.process().log()
        log_bytes = faults.log_bytes()
        faults.calls.arm(kinds, first, count)
        faults.begin()
        ended = faults.recover(log_bytes)
        assert faults.state() == before
        faults.check_files()
        return "ended" if ended else "started"

    def count(kinds):
        assert start(kinds, NEVER, 1) == "started"
        return faults.calls.seen()

    totals = {kinds: count(kinds) for kinds in WORDS}
    faults.try_all(f"a start of {faults.program}", totals, start)


def try_changes(faults):
    small, large = ("PUT", "/v1/intent", SMALL), ("PUT", "/v1/intent", LARGE)
    assert faults.ask(*small)[0] == 200
    Change(faults, large, small).try_all("an apply of 1,000 endpoints")
    assert faults.ask(*large)[0] == 200
    Change(faults, ("POST", "/v1/rollback"), large).try_all("a rollback")


@test
def a_change_is_whole_or_not_there_whatever_fails():
    with Testbed("failures") as bed:
        faults = Faults(bed)
        try_changes(faults)
        Change(faults, ("PUT", "/v1/saved/kept"), ("DELETE", "/v1/saved/kept")).try_all("a save")


@test
def a_change_is_whole_or_not_there_whatever_the_data_plane_meets():
    with Testbed("failing-dataplane") as bed:
        try_changes(DataplaneFaults(bed))


@test
def a_control_plane_starts_or_says_why_not_whatever_fails():
    with Testbed("failing-starts") as bed:
        try_starts(Faults(bed))


@test
def a_data_plane_starts_or_says_why_not_whatever_fails():
    with Testbed("failing-dataplane-starts") as bed:
        try_starts(DataplaneFaults(bed))


run()
