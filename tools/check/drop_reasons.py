#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every drop reason is reached by a test that names it.

C++ tests name it DropReason::x or "x", tables and scripts as a word outside of prose. Golden
layouts (tests/contract) name every value and reach none, so they do not count. What only a real or
broken device can cause stands in untested_drop_reasons (reason: why); what Weir decides may not.
"""

import re

import tree

HEADER = "dataplane/contract/drop_reason.hpp"
REACHING = ("tests/unit/", "tests/pipeline/", "tests/system/", "tests/support/")
TABLES = (".py", ".json", ".yaml", ".yml", ".sh")
ENUMERATOR = re.compile(r"^\s*(\w+)(?:\s*=\s*\d+)?\s*,", re.MULTILINE)
# In before_rx() of the header: first and last, where more follow.
BEFORE_RX = re.compile(r"reason >= DropReason::(\w+)(?: && reason <= DropReason::(\w+))?")
# A test that only talks of a reason does not reach it.
PROSE = re.compile(r'""".*?"""|#[^\n]*', re.DOTALL)
NAMED_IN_CPP = re.compile(r'DropReason::(\w+)|"(\w+)"')


def reasons():
    """{name: line} of the enumerators that are drops."""
    lines = tree.code_lines(tree.read(HEADER))
    start = next(i for i, line in enumerate(lines) if "enum class DropReason" in line)
    end = next(i for i in range(start, len(lines)) if "};" in lines[i])
    found = {}
    for index in range(start + 1, end):
        for name in ENUMERATOR.findall(lines[index]):
            found[name] = index + 1
    return {name: line for name, line in found.items() if name not in ("none", "count")}


def named():
    """All words that tests could mean as a reason."""
    words = set()
    for path in tree.files(under=REACHING):
        text = tree.read(path) or ""
        if path.endswith(tree.CPP):
            for pair in NAMED_IN_CPP.findall("\n".join(tree.code_lines(text, keep_strings=True))):
                words.update(pair)
        elif path.endswith(TABLES) or tree.shebang(path):
            words.update(re.findall(r"\w+", PROSE.sub("", text)))
    return words


def findings():
    words = named()
    missing = [(name, tree.Finding(
        HEADER, line, f"{name} is reached by no test: write the packet that dies of it"))
        for name, line in reasons().items() if name not in words]
    found = tree.without_exceptions(missing, "untested_drop_reasons")
    all_reasons = list(reasons())
    first, last = BEFORE_RX.search(tree.read(HEADER)).groups()
    after = all_reasons[all_reasons.index(last) + 1:] if last else []
    decided_here = all_reasons[:all_reasons.index(first)] + after
    for name, (line, _) in tree.exceptions("untested_drop_reasons").items():
        if name in decided_here:
            found.append(tree.Finding("tools/check/untested_drop_reasons", line,
                                      f"{name} is decided by this program: test it"))
    return found


if __name__ == "__main__":
    tree.report(findings())
