#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every command of README.md runs, on two namespaces in the place of two hosts. A cable takes the
place of the NIC, so that binding it is only checked for options that the tools know."""

import contextlib
import json
import os
import re
import subprocess

from context import (ROOT, SIDES, Gateway, Testbed, UNDERLAY_MTU, build_folder, command, run,
                     test, wait_for)

README = (ROOT / "README.md").read_text()
NIC_ADDRESS = "0000:3b:00.0"
CABLE = "net_af_packet0,iface=wire0"
# Programs that would reserve memory and hand devices over: they write down what they were asked.
FOLDERS = ("/run/weir", "/var/lib/weir")
STAND_INS = ("dpdk-hugepages.py", "dpdk-devbind.py", "modprobe")


def blocks():
    """(where, text) of the shell blocks in their order."""
    return re.findall(r"^```sh ?(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


class HostShell:
    """A shell in a namespace, with runtime and state folders of its own, that lives on between
    blocks, as a person's would."""

    def __init__(self, bed, name):
        self.namespace = bed.namespace(name)
        self.folder = bed.folder / name
        tools = self.folder / "tools"
        tools.mkdir(parents=True)
        for stand_in in STAND_INS:
            (tools / stand_in).write_text(f'#!/bin/sh\necho "$0 $*" >> {self.folder}/asked\n')
            (tools / stand_in).chmod(0o755)
        installed = bed.folder / "installed"
        # `ip netns exec` gives a mount namespace of our own: nobody else sees what is mounted.
        start = "".join(f"mkdir -p {folder} && mount -t tmpfs none {folder} && "
                        for folder in FOLDERS) + "exec bash"
        self.shell = subprocess.Popen(
            self.namespace.inside("bash", "-c", start), stdin=subprocess.PIPE, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True,
            env={**os.environ, "DESTDIR": str(installed),
                 "PATH": f"{tools}:{installed}/usr/local/bin:{os.environ['PATH']}"})

    def do(self, text):
        """Runs a block; fails with its output where a command of it failed."""
        self.shell.stdin.write(f"set -e\n{text}\nset +e\necho DONE\n")
        self.shell.stdin.flush()
        output = ""
        for line in self.shell.stdout:
            if line == "DONE\n":
                return output
            output += line
        raise AssertionError(f"failed: {text}\n{output}")


def prepared(text, folder):
    """The block with a cable for the NIC and files where they can be removed. What meson sets up
    is not built a second time: ninja takes the build folder that this test was built in."""
    text = text.replace(f'"{NIC_ADDRESS}"', f'"{CABLE}"')
    text = text.replace("meson setup build ", f"meson setup {folder}/build ")
    text = text.replace("-C build", f"-C {build_folder()}")
    return text.replace("gateway.yaml", f"{folder}/gateway.yaml")


def wait_for_what_it_started(hosts, text):
    """A person would take a second between the blocks."""
    for host in hosts:
        if "weir-controlplane &" in text:
            host.do("for i in $(seq 100); do weir status >/dev/null 2>&1 && break; sleep 0.1; done")
        if "weir apply" in text:
            wait_for(lambda host=host: host.namespace.has_interface("host0"), "the TAP host0")


@test
def two_hosts_of_the_readme_reach_each_other():
    made = [folder for folder in FOLDERS if not os.path.exists(folder)]
    try:
        walk_through()
    finally:
        for folder in made:
            with contextlib.suppress(OSError):
                os.rmdir(folder)


def walk_through():
    with Testbed("readme") as bed:
        hosts = {name: HostShell(bed, name) for name in ("host1", "host2")}
        near, far = hosts.values()
        bed.cable(near.namespace, "wire0", far.namespace, "wire0", mtu=UNDERLAY_MTU,
                  macs=[side.wire_mac for side in SIDES])
        ran = 0
        for where, text in blocks():
            for name, host in hosts.items():
                if where in (name, "both"):
                    for line in host.do(prepared(text, host.folder)).splitlines()[-6:]:
                        print(f"# {name}: {line}")
                    ran += 1
            wait_for_what_it_started(hosts.values(), text)
        assert ran >= 10
        for host in hosts.values():
            asked = (host.folder / "asked").read_text()
            assert all(stand_in in asked for stand_in in STAND_INS)
            host.shell.stdin.close()


@test
def the_programs_that_bind_a_nic_know_the_options():
    for program, options in (("dpdk-devbind.py", ("--bind", "--status")),
                             ("dpdk-hugepages.py", ("--setup",))):
        text = command(program, "--help")
        for option in options:
            assert option in text and option in README


@test
def the_two_commands_of_the_readme_are_there():
    plain = [text.split()[0] for where, text in blocks() if not where]
    assert plain == ["tools/demo", "tools/test"]  # demo.py runs one, the other runs this.
    for name in plain:
        assert "usage" in command(ROOT / name, "--help")


@test
def the_commands_of_a_developer_are_known():
    section = README[README.index("## Six commands"):README.index("## Not there yet")]
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \|$", section, re.MULTILINE)
    assert len(rows) == 6
    targets = command("ninja", "-C", build_folder(), "-t", "targets", "all")
    suites = {suite.partition(":")[2] for case in json.loads(command(
        "meson", "introspect", "--tests", build_folder())) for suite in case["suite"]}
    for row, what in rows:
        words = row.split()
        if words[0].startswith("tools/"):
            told = command(ROOT / words[0], "--help")
            assert all(word in told for word in words[1:]), row
        elif words[:2] == ["meson", "compile"]:
            assert f"\n{words[-1]}: " in targets, row
        elif words[:2] == ["meson", "test"]:
            named = {words[-1], *re.findall(r"\w+", what.replace("(as root)", ""))} - {"also"}
            assert named <= suites, (row, named - suites)
        else:
            assert row in ("meson setup build", "ninja -C build")  # tools/test runs both.


@test
def the_drawing_shows_the_stages_that_run():
    with Testbed("readme-stages") as bed:
        pipelines = Gateway(bed, "gw1").start().show("pipeline", "show")["pipelines"]
    drawing = README[README.index("## A packet's walk"):README.index("## Map")]
    for pipeline in pipelines:
        if pipeline["name"] not in ("host_to_wire", "wire_to_host"):
            continue                             # It is a tenant's frame that is drawn.
        for stage in pipeline["stages"]:
            assert stage["name"] in drawing, f"{pipeline['name']}/{stage['name']} is not drawn"


run()
