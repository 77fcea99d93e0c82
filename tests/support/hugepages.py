# SPDX-License-Identifier: Apache-2.0
"""So many hugepages of 2 MB more than the system has, while somebody needs them."""

from pathlib import Path

FILE = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")


class Hugepages:
    """with Hugepages(130) as pages: pages.count are there (fewer where memory is in pieces)."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.before = self.count = 0

    def __enter__(self):
        self.before = int(FILE.read_text(encoding="ascii"))
        FILE.write_text(f"{self.before + self.wanted}\n", encoding="ascii")
        self.count = int(FILE.read_text(encoding="ascii")) - self.before
        return self

    def __exit__(self, *_):
        FILE.write_text(f"{self.before}\n", encoding="ascii")
