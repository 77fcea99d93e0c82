#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: run.py TARGET CORPUS [MORE…]: runs one libFuzzer target for WEIR_FUZZ_SECONDS (20).

First every input of the corpus, which is where former crashes are kept, then new ones. What the
fuzzer finds stays in the build folder: TARGET.found/ for inputs that reach new code, TARGET.crash-…
for those that fail, with the command that repeats it."""

import os
import subprocess
import sys
from pathlib import Path

# One second for an input is a hang: none takes more than some milliseconds.
LIMITS = ["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0"]


def main(target, *corpora):
    target = Path(target).resolve()
    seconds = int(os.environ.get("WEIR_FUZZ_SECONDS", "20"))
    found = target.with_suffix(".found")
    found.mkdir(exist_ok=True)
    length = ["-max_len=4096"]
    command = [str(target), f"-max_total_time={seconds}", f"-artifact_prefix={target}.crash-",
               *length, *LIMITS, str(found), *corpora]
    environment = {**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1",
                   "ASAN_OPTIONS": "detect_leaks=1"}
    done = subprocess.run(command, env=environment, check=False)
    if done.returncode != 0:
        print(f"\nThe input that failed is beside {target}, named in the lines above.\n"
              f"Repeat it: {target} FILE. Mend it, then keep the file in {corpora[0]}.")
    return 1 if done.returncode != 0 else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
