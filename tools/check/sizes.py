#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""No function is longer than one screen; files that grew long are named, not refused.

Exceptions with their reasons stand in long_functions (path function: reason).
"""

import json
import subprocess

import tree

FUNCTION_LINES_MAX = 70
FILE_LINES_LOOK_TWICE = 500


def functions(paths):
    """(path, name, line, lines) of each function body, as ctags sees them."""
    command = ["ctags", "--output-format=json", "--fields=+ne", "--languages=C++,Python",
               "--langmap=C++:.cpp.hpp", "--c++-kinds=f", "--python-kinds=fm", "-f", "-", "-L", "-"]
    done = subprocess.run(command, input="\n".join(paths), capture_output=True, text=True,
                          cwd=tree.ROOT, check=True)
    for line in done.stdout.splitlines():
        tag = json.loads(line)
        if tag.get("_type") == "tag" and "end" in tag:
            yield tag["path"], tag["name"], tag["line"], tag["end"] - tag["line"] + 1


def findings(paths):
    found = []
    for path, name, line, lines in functions(paths):
        if lines > FUNCTION_LINES_MAX:
            found.append((f"{path} {name}", tree.Finding(
                path, line, f"{name} has {lines} lines: split it by verb, or list "
                f"'{path} {name}: reason' in tools/check/long_functions")))
    return tree.without_exceptions(found, "long_functions")


def main():
    paths = tree.files(*tree.CPP, ".py")
    for path in paths:
        lines = tree.read(path).count("\n")
        if lines >= FILE_LINES_LOOK_TWICE:
            print(f"{path}:1: look twice: {lines} lines; split it by verb before it grows on")
    tree.report(findings(paths))


if __name__ == "__main__":
    main()
