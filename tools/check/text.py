#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Lines as the house style wants them: licence, width, blanks, promises, private words."""

import pathlib
import re

import tree

COLUMNS = 100
CODE = (*tree.CPP, ".py", ".sh", "meson.build", "meson_options.txt")
SPDX = "SPDX-License-Identifier: Apache-2.0"
# Foreign or generated: captures, fuzz corpora, licence texts.
NOT_OURS = ("tests/captures/", "tests/fuzz/corpus/", "LICENSE", "LICENSES/")

PRODUCT = ("dataplane/", "drivers/", "pipelines/", "controlplane/")

PROMISE = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\s*\(?#\d+)")
# Brackets keep these lines from finding themselves.
PRIVATE = re.compile(
    r"(?<![\w.}])/(?:wor[k]|roo[t]|far[m]|hom[e])/\w|\bfar[m]-[a-z]+|[.]librar[y]\b|\bsubagen[t]|"
    r"\b(?:pypi|npmjs|crates|ghcr|docker|quay|debian|ubuntu|rubygems)[.](?:org|io|com)\b")


def is_code(path):
    return path.endswith(CODE) or bool(tree.shebang(path))


def findings_of(path, text):
    lines = text.split("\n")
    code = is_code(path)
    if code:
        first = 1 if lines[0].startswith("#!") else 0
        if len(lines) <= first or SPDX not in lines[first]:
            yield tree.Finding(path, first + 1, f"no licence line: write '{SPDX}' as a comment")
    for number, line in enumerate(lines, 1):
        if code and len(line) > COLUMNS and "http" not in line:
            yield tree.Finding(path, number, f"{len(line)} columns: break it at {COLUMNS}")
        if line != line.rstrip():
            yield tree.Finding(path, number, "blanks at the end of the line: remove them")
        if code and not path.startswith("tools/check/") and PROMISE.search(line):
            yield tree.Finding(path, number, "a promise without an issue number: do it, or name "
                               "the issue as in (#12)")
        if PRIVATE.search(line):
            yield tree.Finding(path, number, f"'{PRIVATE.search(line).group()}' is of somebody's "
                               "machine or a registry: say it without")
    if text and not text.endswith("\n"):
        yield tree.Finding(path, len(lines), "the last line does not end: add a newline")


def without_readme(paths):
    """Folders with C++ of the product that say nowhere what they are."""
    folders = {str(pathlib.PurePath(path).parent) for path in paths
               if path.startswith(PRODUCT) and path.endswith(tree.CPP)}
    for folder in sorted(folders - {str(pathlib.PurePath(path).parent) for path in paths
                                    if path.endswith("/README.md")}):
        yield tree.Finding(folder, 1, "no README.md: say what the folder is, what may be changed "
                           "there, and its decisions")


def findings():
    yield from without_readme(tree.files())
    for path in tree.files():
        if path.startswith(NOT_OURS):
            continue
        text = tree.read(path)
        if text is not None:
            yield from findings_of(path, text)


if __name__ == "__main__":
    tree.report(list(findings()))
