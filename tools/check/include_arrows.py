#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Include lines point down the allowed arrows, and are written from the repository root.

ARROWS is the whole law: a folder may include itself and what stands in its line.
"""

import re

import tree

BASE = ["dataplane/base"]
CONTRACT = ["dataplane/contract", *BASE]
PACKET = ["dataplane/packet", *CONTRACT]
TABLE = ["dataplane/table", *PACKET]
QUEUE = ["dataplane/queue", *TABLE]
PIPELINE = ["dataplane/pipeline", *QUEUE]

ARROWS = {
    "dataplane/base": [],
    "dataplane/contract": BASE,
    "dataplane/packet": CONTRACT,
    "dataplane/table": PACKET,
    "dataplane/queue": TABLE,
    "dataplane/pipeline": QUEUE,
    # Knows no thread and no port: the housekeeper passes it frames and the time.
    "dataplane/neighbour": PACKET,
    "dataplane/worker": [*PIPELINE, "drivers/port.hpp"],
    # It gives workers their queues, and opens and closes what they read.
    "dataplane/housekeeper": [*PIPELINE, "dataplane/neighbour", "dataplane/worker",
                              "drivers/port.hpp", "drivers/device.hpp", "drivers/link.hpp"],
    "dataplane/start": [*PIPELINE, "dataplane/worker"],
    "drivers": PACKET,
    "pipelines": PIPELINE,
    "controlplane/intent": CONTRACT,
    "controlplane/plan": ["controlplane/intent", *CONTRACT],
    # The numbers of names outlive the process; plan is pure and knows no store.
    "controlplane/store": ["controlplane/plan", "controlplane/intent", *CONTRACT],
    "controlplane/link": ["controlplane/plan", "controlplane/intent", *CONTRACT],
    # Bytes between the command and the control plane, not what they mean.
    "controlplane/connection": [],
    "controlplane/api": [
        *(f"controlplane/{part}" for part in ("connection", "intent", "plan", "store", "link")),
        *CONTRACT,
    ],
    "controlplane/metrics": [
        *(f"controlplane/{part}" for part in ("intent", "plan", "store", "link")),
        *CONTRACT,
    ],
    "controlplane/start": ["controlplane/connection", *BASE],
    "controlplane/cli": ["controlplane/connection", "controlplane/intent", *CONTRACT],
}
# "Never log per packet" as an include error: only main, drivers and housekeeper may log.
MAY_NOT_LOG = ("pipelines/", *(f"dataplane/{part}/" for part in
               ("contract", "packet", "table", "queue", "pipeline", "worker", "neighbour")))
# What both processes share, and all that the other process sees, links no DPDK.
WITHOUT_DPDK = ("controlplane/", "dataplane/base/", "dataplane/contract/")
NOBODY_INCLUDES = ("tests/", "tools/")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def folder_of(path):
    """The line of ARROWS that rules this file, or None."""
    for folder in ARROWS:
        if path.startswith(folder + "/"):
            return folder
    return None


def complaint(path, target):
    """What is wrong with including target (a file of the project) in path, or None."""
    if target.endswith("main.cpp"):
        return f"{target}: nobody includes a composition root; move what is shared to a header"
    if path.startswith(NOBODY_INCLUDES):
        return None
    if target.startswith(NOBODY_INCLUDES):
        return f"{target}: only tests and tools include tests and tools"
    if target == "dataplane/base/log.hpp" and path.startswith(MAY_NOT_LOG):
        return f"{target}: nothing here may log; count it, or return it to who may"
    if path.endswith("/main.cpp"):
        return None
    folder = folder_of(path)
    if folder is None:
        return f"{path}: its folder is not in ARROWS of tools/check/include_arrows.py: add it"
    allowed = [folder, *ARROWS[folder]]
    if any(target == entry or target.startswith(entry + "/") for entry in allowed):
        return None
    return f"{target}: {folder} may include only {', '.join(allowed)}"


def findings():
    known = set(tree.files(*tree.CPP, ".h", ".inc"))
    tops = {path.split("/")[0] for path in known}
    for path in sorted(p for p in known if p.endswith(tree.CPP)):
        for number, line in enumerate(tree.code_lines(tree.read(path), keep_strings=True), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            bracket, target = match.groups()
            if target.startswith("rte_") and path.startswith(WITHOUT_DPDK):
                yield tree.Finding(path, number, f"{target}: no DPDK here; it links without")
            if bracket == '"' and target not in known:
                yield tree.Finding(
                    path, number, f"{target}: write it from the repository root, or with <>")
            if bracket == "<" and target.split("/")[0] in tops and target in known:
                yield tree.Finding(path, number, f"{target}: ours is included with quotes")
            if target in known:
                wrong = complaint(path, target)
                if wrong:
                    yield tree.Finding(path, number, wrong)


if __name__ == "__main__":
    tree.report(list(findings()))
