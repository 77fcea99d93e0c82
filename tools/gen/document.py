#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares a committed document with what its program prints, or writes it.

usage: document.py check|write DOCUMENT PROGRAM [ARGUMENT…]   (DOCUMENT from the repository root)
"""

import difflib
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    verb, document, *command = sys.argv[1:]
    path = ROOT / document
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if verb == "write":
        path.write_text(text)
        return 0
    committed = path.read_text() if path.exists() else ""
    if committed == text:
        return 0
    sys.stdout.writelines(difflib.unified_diff(
        committed.splitlines(True), text.splitlines(True), document, f"{document} (made anew)"))
    print(f"{document}:1: differs from what {' '.join(command)} prints: "
          "meson compile -C build documents")
    return 1


if __name__ == "__main__":
    sys.exit(main())
