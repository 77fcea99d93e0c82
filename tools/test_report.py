# SPDX-License-Identifier: Apache-2.0
"""What tools/test says at its end, from the logs that meson writes. It is bounded, as often only
the end of a long output is kept."""

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from typing import NamedTuple

BAD = ("FAIL", "TIMEOUT", "INTERRUPT", "UNEXPECTEDPASS", "ERROR")
SLOWEST = 15
# At most so many lines: of one program, of all programs, of the names of failed and skipped tests.
LOG_LINES, ALL_LOG_LINES, FAILED_LINES, SKIPPED_LINES = 60, 80, 20, 10
UNSTEADY_LOG_LINES = 40
MOST_UNSTEADY = 2                                # Programs that may pass at their second run only.
COLUMNS = 200


class Program(NamedTuple):
    """One of meson's tests."""
    name: str                                    # PROJECT:SUITE / NAME
    result: str
    seconds: float
    lines: list                                  # Of its output.

    def failed(self):
        return self.result in BAD

    def is_of(self, suite):
        return suite in self.name.partition(" / ")[0].partition(":")[2].split("+")

    def plain_name(self):
        return self.name.rpartition(" / ")[2]


class Case(NamedTuple):
    """One test inside a program."""
    suite: str                                   # PROJECT.NAME OF THE PROGRAM[.GTEST SUITE]
    name: str
    outcome: str

    def of(self, program):
        project = program.partition(":")[0]
        own = f"{project}.{program}"
        return (self.suite == own or self.suite.startswith(own + ".") or
                (self.suite, self.name) == (project, program))

    def __str__(self):
        return f"{self.suite}: {self.name}"


@dataclass
class Result:
    """Of one stage. Failures of its own are those that no program stands for."""
    stage: str
    seconds: dict = field(default_factory=dict)  # By step.
    failures: list = field(default_factory=list)
    programs: list = field(default_factory=list)
    cases: list = field(default_factory=list)
    unsteady: list = field(default_factory=list)  # First runs of what passed at the second.

    def again(self, programs, cases):
        """Takes what a second run says of programs that passed in it."""
        for second in programs:
            first = next((each for each in self.programs if each.name == second.name), None)
            if first is None or second.result != "OK":
                continue
            self.unsteady.append(first)
            self.programs[self.programs.index(first)] = second
            self.cases = [case for case in self.cases if not case.of(first.name)]
            self.cases += [case for case in cases if case.of(first.name)]

    def names(self, outcome):
        return [str(case) for case in self.cases if case.outcome == outcome]

    def failed(self):
        cases = [case for case in self.cases if case.outcome == "failed"]
        # A gtest program writes its log at its end, so one that was ended is in none.
        silent = [f"{each.name}: {each.result.lower()} after {each.seconds:.0f} s"
                  for each in self.programs
                  if each.failed() and not any(case.of(each.name) for case in cases)]
        many = []
        if len(self.unsteady) > MOST_UNSTEADY:
            many = [f"{self.stage}: too many unsteady tests: {len(self.unsteady)}, of which "
                    f"{MOST_UNSTEADY} are borne"]
        return self.failures + many + silent + self.names("failed")


def read_programs(path):
    """From meson's log in JSON, a line a program."""
    if not path.exists():
        return []
    read = []
    for line in path.read_text().splitlines():
        try:
            each = json.loads(line)
        except ValueError:                       # The last of a meson that was killed.
            continue
        output = (each.get("stdout") or "") + "\n" + (each.get("stderr") or "")
        read.append(Program(each["name"], each["result"], each["duration"],
                            output.strip("\n").splitlines()))
    return read


def read_cases(path):
    """From meson's log in the form of JUnit, which it writes at its end."""
    if not path.exists():
        return []
    read = []
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        for case in suite.findall("testcase"):
            outcome = "passed"
            if case.find("failure") is not None or case.find("error") is not None:
                outcome = "failed"
            elif case.find("skipped") is not None or case.get("status") == "notrun":
                outcome = "skipped"
            read.append(Case(suite.get("name"), case.get("name"), outcome))
    return read


def last_lines(program, number):
    """Up to its last test that failed, as those behind it say nothing of it."""
    ends = [at for at, line in enumerate(program.lines) if line.startswith("not ok")]
    lines = program.lines[:ends[-1] + 2] if ends else program.lines
    return [line[:COLUMNS] for line in lines[-number:]]


def logs(programs):
    """The ends of the outputs of (stage, program, what happened, most lines)."""
    shown = programs[:ALL_LOG_LINES // 10]
    lines = []
    for stage, program, what, most in shown:
        number = min(most, ALL_LOG_LINES // len(shown))
        lines.append(f"-- {stage}: {program.name}: {what} after {program.seconds:.0f} s, the last "
                     f"{number} lines of its output:")
        lines += last_lines(program, number)
    if len(programs) > len(shown):
        lines.append(f"-- and {len(programs) - len(shown)} more programs")
    return lines


def listed(what, names, most):
    lines = [f"{what}: {name}" for name in names[:most]]
    if len(names) > most:
        lines.append(f"{what}: and {len(names) - most} more")
    return lines


def end_of_run(results):
    """Lines, the last of which is 'N passed, N failed'."""
    lines = [f"{each.stage}: " + ", ".join(f"{step} {seconds:.0f} s"
                                           for step, seconds in each.seconds.items())
             for each in results]
    programs = [(each.stage, program) for each in results for program in each.programs]
    slowest = sorted(programs, key=lambda pair: -pair[1].seconds)[:SLOWEST]
    lines += [f"slowest: {program.seconds:6.1f} s {stage}: {program.name}"
              for stage, program in slowest]
    unsteady = [(each.stage, program) for each in results for program in each.unsteady]
    lines += logs([(*pair, "failed", LOG_LINES) for pair in programs if pair[1].failed()] +
                  [(*pair, "failed once", UNSTEADY_LOG_LINES) for pair in unsteady])
    lines += listed("unsteady", [f"{program.plain_name()} (passed when run again)"
                                 for _, program in unsteady], SKIPPED_LINES)
    failed = [name for each in results for name in each.failed()]
    lines += listed("skipped", [name for each in results for name in each.names("skipped")],
                    SKIPPED_LINES)
    lines += listed("failed", failed, FAILED_LINES)
    passed = sum(len(each.names("passed")) for each in results)
    return lines + [f"{passed} passed, {len(failed)} failed"]
