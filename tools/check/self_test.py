#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The checks find what they are for, and leave right code alone.

Each case is a small tree: {path: text}, the check to run, and a part of each line that it must
print (none: it must pass).
"""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
LONG = "int f() {\n" + "  g();\n" * 80 + "}\n"
REASONS = ("enum class DropReason {\n  none = 0,\n  unknown_vni,\n  rx_ring_full,\n  count,\n};\n"
           "  return reason >= DropReason::rx_ring_full;\n")
REASONS_HEADER = "dataplane/contract/drop_reason.hpp"

# name: (check, {path: text}, [parts of findings])
CASES = {
    "arrow_upwards": (
        "include_arrows.py",
        {"dataplane/base/a.hpp": '#include "dataplane/table/b.hpp"\n', "dataplane/table/b.hpp": ""},
        ["dataplane/base/a.hpp:1: dataplane/table/b.hpp"]),
    "arrow_downwards": (
        "include_arrows.py",
        {"dataplane/table/b.hpp": '#include "dataplane/base/a.hpp"\n#include <array>\n',
         "dataplane/base/a.hpp": ""},
        []),
    "pipelines_do_not_log": (
        "include_arrows.py",
        {"pipelines/a.hpp": '#include "dataplane/base/log.hpp"\n', "dataplane/base/log.hpp": ""},
        ["nothing here may log"]),
    "pipelines_know_no_driver": (
        "include_arrows.py",
        {"pipelines/a.hpp": '#include "drivers/port.hpp"\n', "drivers/port.hpp": ""},
        ["pipelines may include only"]),
    "worker_takes_only_the_port_concept": (
        "include_arrows.py",
        {"dataplane/worker/a.cpp": '#include "drivers/port.hpp"\n#include "drivers/x/y.hpp"\n',
         "drivers/port.hpp": "", "drivers/x/y.hpp": ""},
        ["dataplane/worker/a.cpp:2: drivers/x/y.hpp"]),
    "controlplane_sees_only_the_contract": (
        "include_arrows.py",
        {"controlplane/link/a.cpp": '#include "dataplane/packet/b.hpp"\n#include <rte_mbuf.h>\n',
         "dataplane/packet/b.hpp": ""},
        ["a.cpp:1: dataplane/packet/b.hpp", "a.cpp:2: rte_mbuf.h: no DPDK"]),
    "plan_does_not_know_link": (
        "include_arrows.py",
        {"controlplane/plan/a.cpp": '#include "controlplane/link/b.hpp"\n',
         "controlplane/link/b.hpp": ""},
        ["controlplane/plan may include only"]),
    "nobody_includes_tests_or_main": (
        "include_arrows.py",
        {"drivers/a.cpp": '#include "tests/support/b.hpp"\n#include "dataplane/main.cpp"\n',
         "tests/support/b.hpp": "", "dataplane/main.cpp": ""},
        ["a.cpp:1: tests/support/b.hpp: only tests", "a.cpp:2: dataplane/main.cpp: nobody"]),
    "includes_start_at_the_root": (
        "include_arrows.py",
        {"drivers/a.cpp": '#include "b.hpp"\n', "drivers/b.hpp": ""},
        ["write it from the repository root"]),
    "include_in_a_comment": (
        "include_arrows.py", {"drivers/a.cpp": '// #include "b.hpp"\n'}, []),
    "main_includes_anything": (
        "include_arrows.py",
        {"dataplane/main.cpp": '#include "drivers/x/y.hpp"\n', "drivers/x/y.hpp": ""}, []),

    "hot_path_words": (
        "hot_path.py",
        {"pipelines/a.cpp": 'void f() {\n  printf("x");\n  int* p = new int;\n  throw 1;\n}\n'},
        ["a.cpp:2: printf logs", "a.cpp:3: new allocates", "a.cpp:4: throw throws"]),
    "hot_path_words_in_comments": (
        "hot_path.py", {"pipelines/a.cpp": '// A new try.\nconst char* s = "throw new printf";\n'},
        []),
    "hot_path_exception_listed": (
        "hot_path.py",
        {"dataplane/table/a.cpp": "auto p = std::make_unique<int>();\n",
         "tools/check/hot_path_exceptions": "dataplane/table/a.cpp make_unique: at start\n"}, []),
    "hot_path_exception_stale": (
        "hot_path.py",
        {"dataplane/table/a.cpp": "",
         "tools/check/hot_path_exceptions": "dataplane/table/a.cpp make_unique: at start\n"},
        ["excuses nothing any more"]),
    "atomics_name_their_order": (
        "hot_path.py",
        {"dataplane/housekeeper/a.cpp":
         "a.load();\nb.store(1);\nb.store(1, std::memory_order_release);\nc.fetch_add(f(1),\n"
         "  std::memory_order_relaxed);\n"},
        ["a.cpp:1: .load()", "a.cpp:2: .store()"]),
    "mbufs_have_one_owner": (
        "hot_path.py", {"dataplane/worker/a.cpp": "rte_pktmbuf_free(m);\n"}, ["free mbufs"]),

    "text_of_a_file": (
        "text.py",
        {"a.cpp": "int a; \n", "b.hpp": SPDX + "// " + "x" * 100 + "\n// TODO later\n",
         "c.hpp": SPDX + "// TODO(#12) later\n", "d.md": "see /wor" + "k/main/x\n"},
        ["a.cpp:1: no licence", "a.cpp:1: blanks", "b.hpp:2: 103 columns", "b.hpp:3: a promise",
         "d.md:1: '/wor" + "k/m'"]),
    "folder_without_readme": (
        "text.py", {"drivers/a/a.hpp": SPDX, "drivers/b/b.hpp": SPDX, "drivers/b/README.md": "x\n",
                    "tests/c/c.cpp": SPDX}, ["drivers/a:1: no README.md"]),
    "licence_behind_the_shebang": (
        "text.py", {"run": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n", "README": "x\n"},
        []),
    "long_function": ("sizes.py", {"a.cpp": LONG}, ["a.cpp:1: f has 82 lines"]),
    "long_function_with_a_reason": (
        "sizes.py", {"a.cpp": LONG, "tools/check/long_functions": "a.cpp f: one long table\n"}, []),

    "script_without_quotes": ("scripts.py", {"run": "#!/bin/sh\nrm $1\n"}, ["SC2086"]),
    "python_with_an_unused_import": (
        "scripts.py", {"a.py": "import os\n"}, ["imported but unused"]),

    "skip_not_listed": (
        "skips.py", {"tests/unit/a.cpp": "GTEST_SKIP();\n"}, ["GTEST_SKIP skips a test"]),
    "skip_of_a_system_test": (
        "skips.py", {"tests/system/a.py": "raise Skip('no kernel module')\n"}, ["raise Skip"]),
    "skip_listed_without_reason": (
        "skips.py",
        {"tests/unit/a.cpp": "GTEST_SKIP();\n",
         "tools/check/skipped_tests": "tests/unit/a.cpp\n"}, ["has no reason"]),

    "drop_reason_not_reached": (
        "drop_reasons.py",
        {REASONS_HEADER: REASONS, "tests/pipeline/a.py": "'x'  # rx_ring_full\n",
         "tests/system/a.py": '"""unknown_vni\nrx_ring_full"""\n',
         "tests/contract/a.cpp": "DropReason::unknown_vni"},
        ["unknown_vni is reached by no test", "rx_ring_full is reached by no test"]),
    "drop_reason_reached_or_listed": (
        "drop_reasons.py",
        {REASONS_HEADER: REASONS, "tests/pipeline/a.py": "drop='unknown_vni'\n",
         "tools/check/untested_drop_reasons": "rx_ring_full: needs a real device\n"}, []),
    "drop_reason_of_ours_excused": (
        "drop_reasons.py",
        {REASONS_HEADER: REASONS, "tests/pipeline/a.py": "drop='rx_ring_full'\n",
         "tools/check/untested_drop_reasons": "unknown_vni: too hard\n"},
        ["unknown_vni is decided by this program"]),
}

MESSAGES = {
    "pipelines: mark ECN only for RoCE queues\n\nWhy it is so.\n": [],
    "base, contract: add vocabulary\n": [],
    "Add a thing\n": ["folder: verb object"],
    "table: adds a thing\n": ["not an imperative"],
    "table: add a thing.\n": ["full stop"],
    "table: add " + "x" * 60 + "\n": ["60 at most"],
    "table: add a thing\nbody\n": ["second line"],
    "table: add a thing\n\n" + "word " * 20 + "\n": ["72 at most"],
    "table: add a thing\n\nCo-authored-by: A <a@b>\n": ["trailers"],
}


def run_check(check, tree, *arguments):
    """Exit status and output of a check over a tree of its own."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in tree.items():
            file = pathlib.Path(root, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        done = subprocess.run([HERE / check, *(pathlib.Path(root, a) for a in arguments)],
                              env={**os.environ, "WEIR_CHECK_ROOT": root},
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


class Checks(unittest.TestCase):
    def expect(self, status, output, parts):
        self.assertEqual(status, 1 if parts else 0, output)
        for part in parts:
            self.assertIn(part, output)

    def test_cases(self):
        for name, (check, tree, parts) in CASES.items():
            with self.subTest(name):
                status, output = run_check(check, tree)
                self.expect(status, output, parts)
                if parts and check not in ("scripts.py",):
                    self.assertIn(f"{len(parts)} finding(s)", output)

    def test_what_a_release_wrote_stays(self):
        with tempfile.TemporaryDirectory() as root:
            folder = pathlib.Path(root, "tests/contract/golden/1.0.0")
            folder.mkdir(parents=True)
            for name in ("old", "older"):
                (folder / name).write_text("a\nb\nc\n")

            def git(*words):
                subprocess.run(["git", "-C", root, "-c", "user.name=n", "-c", "user.email=e",
                                *words], check=True, capture_output=True)

            def check(parts):
                done = subprocess.run([HERE / "golden.py"], capture_output=True, text=True,
                                      env={**os.environ, "WEIR_CHECK_ROOT": root}, check=False)
                self.expect(done.returncode, done.stdout, parts)

            check([])                            # Without a history nothing can be said.
            git("init", "-q")
            git("add", ".")
            git("commit", "-q", "-m", "m")
            (folder / "new").write_text("d")
            check([])
            (folder / "old").write_text("changed")
            check(["1.0.0/old:1: changed"])
            git("add", ".")
            git("commit", "-q", "-m", "m")
            (folder / "older").unlink()
            check(["1.0.0/old:1: changed", "1.0.0/older:1: removed"])

    def test_commit_messages(self):
        for message, parts in MESSAGES.items():
            with self.subTest(message):
                self.expect(*run_check("commit_message", {"message": message}, "message"), parts)

    def test_clang_tidy_reads_sources_together(self):
        sources = {"a": "namespace { int f() { return 1; } }\nint a() { return f(); }\n",
                   "b": "namespace { int f() { return 2; } }\nint b() { return f(); }\n",
                   "c": "int* c() { return 0; }\n", "d": "int d() { return 4; }\n"}
        tree = {f"dataplane/base/{name}.cpp": text for name, text in sources.items()}
        # Those of one name do not fit together; what is found in one must not be lost, nor said of
        # another.
        status, output = run_tidy(tree)
        self.assertEqual(status, 1, output)
        self.assertIn("dataplane/base/c.cpp:1:", output)
        self.assertIn("use nullptr", output)
        self.assertIn("4 source(s), 1 finding(s)", output)
        tree["dataplane/base/c.cpp"] = "int* c() { return nullptr; }\n"
        status, output = run_tidy(tree)
        self.assertEqual((status, output), (0, "4 source(s), 0 finding(s)\n"))


def run_tidy(tree):
    with tempfile.TemporaryDirectory() as root:
        build = pathlib.Path(root, "build")
        commands = [{"directory": str(build), "file": f"../{path}",
                     "command": f"c++ -I.. -std=c++20 -MD -MF x.d -o x.o -c ../{path}"}
                    for path in tree]
        for path, text in {**tree, "build/compile_commands.json": json.dumps(commands),
                           ".clang-tidy": "Checks: '-*,modernize-use-nullptr'\n"
                                          "WarningsAsErrors: '*'\n"
                                          "HeaderFilterRegex: 'dataplane/'\n"}.items():
            file = pathlib.Path(root, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        environment = {**os.environ, "WEIR_CHECK_ROOT": root, "XDG_CACHE_HOME": root}
        done = subprocess.run([HERE / "tidy.py", build], env=environment, capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stdout


if __name__ == "__main__":
    unittest.main()
