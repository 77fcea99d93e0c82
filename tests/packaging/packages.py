#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Debian packages of what was built: judged by lintian, then installed, upgraded and purged by dpkg
in a copy of this machine's root whose changes lie in memory. As root; nothing of the machine
changes. WEIR_BUILD is the build folder."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from tap import run, test  # noqa: E402  # pylint: disable=wrong-import-position

INSIDE = "WEIR_PACKAGES_INSIDE"
if INSIDE not in os.environ:
    # What is mounted and started is gone when we are.
    os.environ[INSIDE] = "yes"
    os.execvp("unshare", ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child",
                          "--mount-proc", "--propagation", "private",
                          sys.executable, "-B", *sys.argv])

NAMES = ("weir-common", "weir-dataplane", "weir-controlplane", "weir-cli", "weir-pktgen")
UNITS = ("weir-dataplane.service", "weir-dataplane-safe-mode.service", "weir-controlplane.service",
         "weir-porthelper.socket", "weir-porthelper@.service", "run-weirbpf.mount")
USERS = ("weir-dataplane", "weir-controlplane", "weir-porthelper")
# What dpkg keeps for itself, and users, which stay (packaging/README.md).
STAYS = re.compile(r"/var/(lib/dpkg|log|cache)/|/etc/(passwd|group|shadow|gshadow)-?$|"
                   r"/etc/(\.pwd\.lock|subuid-?|subgid-?)$")
PLACE = Path(tempfile.mkdtemp(prefix="weirpackages-"))
MACHINE = PLACE / "root"                         # Where the copy of the machine's root is.
CHANGES = PLACE / "memory" / "changes"
CALLS = MACHINE / "calls"                        # What the packages asked systemd for.


def command(*words, where=None, seconds=300, **more):
    done = subprocess.run([str(word) for word in words], cwd=where, timeout=seconds, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **more)
    assert done.returncode == 0, f"{' '.join(map(str, words))}:\n{done.stdout}"
    return done.stdout


def there(*words, **more):
    """Runs a command in the copy."""
    return command("chroot", MACHINE, *words,
                   env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                        "DEBIAN_FRONTEND": "noninteractive"}, **more)


def make_machine():
    command("mount", "-t", "tmpfs", "tmpfs", PLACE)
    for folder in (MACHINE, CHANGES, PLACE / "memory" / "work", PLACE / "packages"):
        folder.mkdir(parents=True)
    command("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir=/,upperdir={CHANGES},workdir={PLACE}/memory/work", MACHINE)
    for folder in ("proc", "sys", "dev"):
        command("mount", "--rbind", f"/{folder}", MACHINE / folder)
    for folder in ("run", "tmp"):
        command("mount", "-t", "tmpfs", "tmpfs", MACHINE / folder)
    # The packages believe that systemd runs, and ask it by way of this.
    (MACHINE / "run/systemd/system").mkdir(parents=True)
    fake = PLACE / "fake"
    fake.write_text('#!/bin/sh\necho "${0##*/} $*" >>/calls\n')
    fake.chmod(0o755)
    command("mount", "--bind", fake, MACHINE / "usr/bin/deb-systemd-invoke")
    CALLS.write_text("")


def calls():
    """What systemd was asked for since the last question."""
    asked = CALLS.read_text(encoding="utf-8").splitlines()
    CALLS.write_text("")
    return asked


def files():
    """What stands in the copy and not on the machine, or is gone there."""
    found = set()
    for path in CHANGES.rglob("*"):
        name = "/" + str(path.relative_to(CHANGES))
        if path.is_dir() and not path.is_symlink() and os.path.isdir(name):
            continue
        if not STAYS.match(name):
            found.add(name)
    return found


def version():
    return re.search(r"^  version: '(.+)',$", (ROOT / "meson.build").read_text(encoding="utf-8"),
                     re.MULTILINE)[1]


def package(name, folder="packages"):
    found = sorted((PLACE / folder).glob(f"{name}_*.deb"))
    assert len(found) == 1, f"{name}: {found}"
    return found[0]


def install(folder="packages"):
    inside = MACHINE / "tmp" / folder
    inside.mkdir()
    for name in NAMES:
        shutil.copy(package(name, folder), inside)
    return there("dpkg", "--force-unsafe-io", "--no-triggers", "--install",
                 *(f"/tmp/{folder}/{package(name, folder).name}" for name in NAMES))


def make_newer():
    """The same packages with a higher version."""
    for folder in ("newer", "tree"):
        (PLACE / folder).mkdir()
    for name in NAMES:
        tree = PLACE / "tree" / name
        command("dpkg-deb", "--raw-extract", package(name), tree)
        control = tree / "DEBIAN" / "control"
        control.write_text(control.read_text(encoding="utf-8").replace(
            f"{version()}-0weir1", f"{version()}-0weir2"))
        command("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree,
                PLACE / "newer")


def installed_versions():
    listed = there("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}\n", *NAMES)
    return {line.split()[1] + " " + line.split()[2] for line in listed.splitlines()}


def wait_for(what, answer, seconds=20):
    ends = time.monotonic() + seconds
    while not answer():
        assert time.monotonic() < ends, f"no {what} after {seconds} s"
        time.sleep(0.05)


@test
def one_command_makes_every_package():
    make_machine()
    command(ROOT / "tools" / "package", "--build-dir", os.environ["WEIR_BUILD"],
            "--out", PLACE / "packages", seconds=560)
    for name in NAMES:
        assert package(name).name.startswith(f"{name}_{version()}-0weir1_")


@test
def lintian_finds_nothing():
    changes = next((PLACE / "packages").glob("*.changes"))
    said = command("lintian", "--allow-root", "--fail-on", "error,warning", changes, seconds=560)
    assert said.strip() == "", said


@test
def they_install_and_enable_what_is_a_service():
    before = files()
    said = install()
    new = files() - before
    assert {"/usr/bin/weir", "/usr/bin/weir-dataplane", "/usr/bin/weir-controlplane",
            "/usr/bin/weir-porthelper", "/usr/bin/weir-supervisor", "/usr/bin/weir-pktgen",
            "/usr/share/weir/example.yaml", "/usr/share/weir/schema/intent.json",
            "/etc/default/weir-dataplane", "/etc/default/weir-controlplane",
            "/etc/systemd/system/multi-user.target.wants/weir-dataplane.service",
            "/etc/systemd/system/multi-user.target.wants/weir-controlplane.service",
            "/etc/systemd/system/sockets.target.wants/weir-porthelper.socket"} <= new, new
    assert {Path(name).name for name in new if "/lib/systemd/system/" in name} == set(UNITS)
    passwd = (MACHINE / "etc/passwd").read_text(encoding="utf-8")
    for user in USERS:
        assert re.search(rf"^{user}:.*:/usr/sbin/nologin$", passwd, re.MULTILINE), user
    # The data plane begins with the machine, or when the operator says so.
    assert "systemctl start weir-dataplane" in said, said
    started = calls()
    assert "deb-systemd-invoke start weir-controlplane.service" in started, started
    assert not any("weir-dataplane" in call for call in started), started


@test
def what_was_installed_runs():
    assert there("weir", "--version") == f"weir {version()}\n"
    for program in ("weir-dataplane", "weir-controlplane", "weir-porthelper", "weir-supervisor",
                    "weir-pktgen"):
        assert there(program, "--version") == f"{program} {version()}\n"
        assert "--log-level" in there(program, "--help")
    there("bash", "-c", ". /usr/share/bash-completion/completions/weir && complete -p weir")
    there("install", "-d", "-m", "770", "-o", "weir-controlplane", "-g", "weir", "/run/weir")
    there("install", "-d", "-m", "700", "-o", "weir-controlplane", "-g", "weir", "/var/lib/weir")
    with subprocess.Popen(["chroot", MACHINE, "setpriv", "--reuid", "weir-controlplane", "--regid",
                           "weir", "--clear-groups", "weir-controlplane"]) as process:
        try:
            wait_for("socket", (MACHINE / "run/weir/controlplane.sock").exists)
            assert "applied" in there("weir", "check", "/usr/share/weir/example.yaml")
            there("weir", "network", "add", "blue", "vni", "100")
        finally:
            process.terminate()
    assert (MACHINE / "var/lib/weir/intent.sqlite").exists()


@test
def an_upgrade_restarts_the_control_plane_alone_and_keeps_what_is_the_operators():
    make_newer()
    settings = MACHINE / "etc/default/weir-dataplane"
    settings.write_text('WEIR_DATAPLANE_OPTIONS="--workers 2"\n')
    state = (MACHINE / "var/lib/weir/intent.sqlite").read_bytes()
    calls()

    said = install("newer")

    assert installed_versions() == {f"{version()}-0weir2 ii"}, installed_versions()
    asked = calls()
    assert "deb-systemd-invoke restart weir-controlplane.service" in asked, asked
    assert not any("weir-dataplane" in call or "porthelper" in call for call in asked), asked
    assert settings.read_text(encoding="utf-8") == 'WEIR_DATAPLANE_OPTIONS="--workers 2"\n'
    assert (MACHINE / "var/lib/weir/intent.sqlite").read_bytes() == state
    assert (MACHINE / "etc/systemd/system/multi-user.target.wants/weir-dataplane.service"
            ).is_symlink()
    assert "still that of the former version" not in said  # None runs.


@test
def removing_stops_both_and_keeps_state_and_settings():
    there("dpkg", "--force-unsafe-io", "--no-triggers", "--remove", *NAMES)

    asked = " ".join(calls())
    for unit in ("weir-dataplane.service", "weir-controlplane.service", "weir-porthelper.socket"):
        assert re.search(rf"deb-systemd-invoke stop [^\n]*{unit}", asked), asked
    for kept in ("etc/default/weir-dataplane", "var/lib/weir/intent.sqlite"):
        assert (MACHINE / kept).exists(), kept
    assert not (MACHINE / "usr/bin/weir-dataplane").exists()


@test
def purging_leaves_nothing_but_locked_users():
    there("dpkg", "--force-unsafe-io", "--no-triggers", "--purge", *NAMES)

    left = {name for name in files() if "weir" in name} | {
        name for name in files() if name.startswith(("/etc", "/usr", "/lib", "/opt"))}
    assert not left, left
    assert not (MACHINE / "run/weir").exists()
    assert not (MACHINE / "var/lib/weir").exists()
    passwd = (MACHINE / "etc/passwd").read_text(encoding="utf-8")
    assert all(re.search(rf"^{user}:.*nologin$", passwd, re.MULTILINE) for user in USERS)


try:
    run()
finally:
    # Mounts are ours alone; the folder on which they lie is the machine's.
    subprocess.run(["umount", "--recursive", "--lazy", PLACE], check=False)
    PLACE.rmdir()
