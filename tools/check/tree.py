# SPDX-License-Identifier: Apache-2.0
"""What every check needs: the files of the tree, C++ text without comments, and findings.

A finding is printed as `file:line: what, and what to do`; a check exits 1 where it has any.
"""

import dataclasses
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(os.environ.get("WEIR_CHECK_ROOT", pathlib.Path(__file__).parents[2])).resolve()
CPP = (".cpp", ".hpp")


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text}"


def git(*arguments):
    """Output of git, or None where this is no checkout. The tree may belong to another user."""
    command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def files(*suffixes, under=()):
    """Paths from the root, tracked or about to be, in order; outside a checkout all files."""
    listing = git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listing is None:
        paths = [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if p.is_file()]
        paths = [p for p in paths if not p.startswith((".git/", ".tools/", ".cache/", "build"))]
    else:
        paths = [p for p in listing.split("\0") if p]
    if suffixes:
        paths = [p for p in paths if p.endswith(suffixes)]
    if under:
        paths = [p for p in paths if p.startswith(tuple(under))]
    return sorted(p for p in set(paths) if (ROOT / p).is_file() and not (ROOT / p).is_symlink())


def read(path):
    """The text of a file, or None where it is binary."""
    data = (ROOT / path).read_bytes()
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def shebang(path):
    """The interpreter that a script names in its first line, or an empty string."""
    with open(ROOT / path, "rb") as file:
        first = file.readline(200)
    return first[2:].decode("utf-8", "replace").strip() if first.startswith(b"#!") else ""


TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|"""
    r"""(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])*'""",
    re.DOTALL,
)


def code_lines(text, keep_strings=False):
    """Lines of C++ whose comments (and strings) are blanked, so that line numbers still hold."""

    def blank(match):
        found = match.group()
        if keep_strings and not found.startswith(("//", "/*")):
            return found
        return '""' + "\n" * found.count("\n") if found[0] in "\"'R" else "\n" * found.count("\n")

    return TOKEN.sub(blank, text).split("\n")


def exceptions(name):
    """A committed list of exceptions: `what: reason` a line. Returns {what: (line, reason)}."""
    listed = {}
    path = ROOT / "tools/check" / name
    if not path.exists():
        return listed
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        what, _, reason = line.partition(": ")
        listed[what.strip()] = (number, reason.strip())
    return listed


def without_exceptions(found, name):
    """Drops findings that the list `name` excuses and adds one for each line that is wrong.

    `found` is a list of (key, Finding); a line needs a reason and something that it excuses.
    """
    listed = exceptions(name)
    path = f"tools/check/{name}"
    keys = {key for key, _ in found}
    left = [finding for key, finding in found if key not in listed]
    for key, (line, reason) in listed.items():
        if not reason:
            left.append(Finding(path, line, f"{key} has no reason: write one behind ': '"))
        if key not in keys:
            left.append(Finding(path, line, f"{key} excuses nothing any more: remove the line"))
    return left


def report(found):
    """Prints the findings and ends the check."""
    for finding in sorted(found):
        print(finding)
    if found:
        print(f"{len(found)} finding(s)")
    sys.exit(1 if found else 0)
