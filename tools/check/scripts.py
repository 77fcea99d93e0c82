#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Shell scripts pass shellcheck; Python compiles and passes pyflakes. Extensionless ones too."""

import re
import subprocess
import sys

import tree

SHELL = re.compile(r"\b(?:ba|da)?sh\b")
PYTHON = re.compile(r"\bpython3?\b")


def run(command):
    """A tool whose own lines are `file:line:… text`; True where it is content."""
    return subprocess.run(command, cwd=tree.ROOT, check=False).returncode == 0


def main():
    everything = tree.files()
    shell = [p for p in everything if p.endswith(".sh") or SHELL.search(tree.shebang(p))]
    python = [p for p in everything if p.endswith(".py") or PYTHON.search(tree.shebang(p))]
    content = True
    if shell:
        content &= run(["shellcheck", "--format=gcc", "--external-sources", "--", *shell])
    for path in python:
        try:
            compile(tree.read(path), path, "exec")
        except SyntaxError as error:
            print(f"{path}:{error.lineno}: {error.msg}")
            content = False
    if python:
        content &= run(["pyflakes3", *python])
    sys.exit(0 if content else 1)


if __name__ == "__main__":
    main()
