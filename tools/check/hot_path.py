#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Nothing on the packet path allocates, locks, logs, throws or calls the system.

DPDK's headers bring printf along, so the include arrows cannot say all of it. This reads words:
set-up code in these folders that has a reason stands in hot_path_exceptions (path word: reason).
"""

import re

import tree

HOT = ("pipelines/", *(f"dataplane/{part}/" for part in
       ("packet", "table", "queue", "pipeline", "worker")))
OWNS_MBUFS = ("dataplane/packet/", "drivers/", "tests/", "tools/", "dataplane/pipeline/exits.cpp")
ATOMICS = ("dataplane/", "drivers/", "pipelines/")

WORDS = {
    "logs": r"RTE_LOG\w*|rte_log|rte_vlog|LOG|f?printf|v?fprintf|puts|fputs|cout|cerr|syslog",
    "allocates": r"malloc|calloc|realloc|posix_memalign|aligned_alloc|strdup|new|"
                 r"rte_[zmc]*alloc\w*|make_unique|make_shared|make_unique_for_overwrite",
    "locks": r"\w*mutex\w*|lock_guard|unique_lock|scoped_lock|condition_variable\w*|"
             r"rte_\w*lock_lock|call_once|shared_ptr",
    "throws": r"throw|try|catch",
    "calls the system": r"nanosleep|usleep|sleep_for|sleep_until|clock_gettime|gettimeofday|"
                        r"clock_ns|monotonic_ns|"
                        r"ioctl|recvmsg|sendmsg|recvfrom|sendto|epoll_\w+|poll|mmap|munmap|futex|"
                        r"system_clock|steady_clock|syscall",
}
PATTERNS = {why: re.compile(rf"(?<![\w.>])(?:std::)?(?P<word>{words})(?!\w)(?!\s*::)")
            for why, words in WORDS.items()}
NOT_A_CALL = re.compile(r"#\s*include|=\s*delete")
FREE = re.compile(r"\brte_pktmbuf_free\w*")
ATOMIC = re.compile(r"\.(?:(load)\(\)|(store|exchange|fetch_\w+|compare_exchange_\w+)\()")


def argument_text(lines, index, column):
    """The text between the parentheses that open before column, over at most four lines."""
    text = "\n".join([lines[index][column:], *lines[index + 1:index + 4]])
    depth = 1
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[:position]
    return text


def hot_words(path, lines):
    for number, line in enumerate(lines, 1):
        if NOT_A_CALL.search(line):
            continue
        for why, pattern in PATTERNS.items():
            for match in pattern.finditer(line):
                word = match.group("word")
                if word == "new" and "operator new" in line and "(" not in line.split("new")[1]:
                    continue
                yield f"{path} {word}", tree.Finding(
                    path, number, f"{word} {why}: move it off the packet path, or list "
                    f"'{path} {word}: reason' in tools/check/hot_path_exceptions")


def atomic_orders(path, lines):
    for index, line in enumerate(lines):
        for match in ATOMIC.finditer(line):
            name = match.group(1) or match.group(2)
            if name == "load" or "order" not in argument_text(lines, index, match.end()):
                yield tree.Finding(path, index + 1, f".{name}() without a memory order: name the "
                                   "order, and its partner in a comment")


def findings():
    excusable = []
    for path in tree.files(*tree.CPP):
        lines = tree.code_lines(tree.read(path))
        if path.startswith(HOT):
            excusable += hot_words(path, lines)
        if path.startswith(ATOMICS):
            yield from atomic_orders(path, lines)
        if not path.startswith(OWNS_MBUFS):
            for number, line in enumerate(lines, 1):
                if FREE.search(line):
                    yield tree.Finding(path, number, "only Batch, Exits and drivers free mbufs: "
                                       "return a drop reason or let the Batch go")
    yield from tree.without_exceptions(excusable, "hot_path_exceptions")


if __name__ == "__main__":
    tree.report(list(findings()))
