#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The packages on a machine of their own whose first process is systemd: a virtual one, emulated
where there is no KVM; boot_inside says what happens there. By hand, as root, some minutes:
tests/packaging/boot.py FOLDER, where tools/package has put them. What it takes of Debian is kept in
.tools."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS_MAX = 1800
NAMES = ("weir-common", "weir-dataplane", "weir-controlplane", "weir-cli")
KEPT = ROOT / ".tools" / "guest-systemd"         # Debian 12, as the packages are.
NEEDS = "systemd,systemd-sysv,dbus,iproute2,procps"
# Of no use to the machine, and much of what it would have to unpack.
LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/i18n",
            "var/cache/apt", "var/lib/apt/lists")


def command(*words, **more):
    return subprocess.run([str(word) for word in words], check=True, text=True,
                          stdout=subprocess.PIPE, **more).stdout


def mirror():
    """That of this machine's own Debian."""
    for line in command("apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)").split("\n"):
        if line.startswith("Debian ") and "security" not in line:
            return line.split()[1]
    raise SystemExit("no mirror of Debian is known here")


def make_base():
    if (KEPT / "made").exists():
        return
    shutil.rmtree(KEPT, ignore_errors=True)
    KEPT.mkdir(parents=True)
    command("debootstrap", "--variant=minbase", f"--include={NEEDS}", "bookworm", KEPT / "root",
            mirror())
    (KEPT / "made").touch()


def make_root(root, packages):
    """Base, packages with what they depend on, and what runs there once it is up."""
    command("cp", "-a", KEPT / "root", root)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    (root / "packages").mkdir()
    for name in NAMES:
        package, = packages.glob(f"{name}_*.deb")
        shutil.copy(package, root / "packages")
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
                   "LC_ALL": "C.UTF-8"}
    inside = ("chroot", root, "sh", "-c")
    command(*inside, "apt-get update -q && apt-get install -q -y --no-install-recommends "
            "/packages/*.deb", env=environment)
    for folder in LEFT_OUT:
        shutil.rmtree(root / folder, ignore_errors=True)
    shutil.copy(ROOT / "tests/packaging/boot_inside", root / "boot_inside")
    unit = root / "etc/systemd/system/boot-inside.service"
    unit.write_text("[Unit]\nAfter=weir-controlplane.service\n[Service]\nExecStart=/boot_inside\n"
                    "StandardOutput=tty\nTTYPath=/dev/ttyS0\n")
    wants = root / "etc/systemd/system/multi-user.target.wants"
    (wants / unit.name).symlink_to(unit.relative_to(root).as_posix().join(("/", "")))
    (root / "etc/fstab").write_text("")
    (root / "etc/machine-id").write_text("")


def boot(root, place):
    """What it says on its serial line."""
    kernel = Path(command(ROOT / "tools/guest").strip()) / "vmlinuz"
    with open(place / "initrd", "wb") as image:
        subprocess.run("find . -xdev | busybox cpio -o -H newc 2>/dev/null", shell=True, cwd=root,
                       check=True, stdout=image)
    accelerator = "kvm" if os.access("/dev/kvm", os.W_OK) else "tcg"
    with subprocess.Popen(
            ["qemu-system-x86_64", "-accel", accelerator, "-cpu", "max", "-smp", "1", "-m", "3072",
             "-nographic", "-no-reboot", "-nic", "none", "-kernel", kernel,
             "-initrd", place / "initrd",
             "-append", "console=ttyS0 rdinit=/sbin/init quiet systemd.show_status=0 "
                        "systemd.mask=serial-getty@ttyS0.service"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace") as guest:
        try:
            ends = time.monotonic() + SECONDS_MAX
            for line in guest.stdout:
                yield line.rstrip()
                if time.monotonic() > ends:
                    raise SystemExit("it takes too long")
        finally:
            guest.kill()


def main():
    if len(sys.argv) != 2 or os.geteuid() != 0:
        raise SystemExit(f"usage (as root): {sys.argv[0]} FOLDER")
    began = time.monotonic()
    make_base()
    place = Path(tempfile.mkdtemp(prefix="weir-boot-"))
    try:
        make_root(place / "root", Path(sys.argv[1]))
        said = []
        for line in boot(place / "root", place):
            said.append(line)
            if re.match(r"(not )?ok |# |\d+\.\.", line):
                print(line, flush=True)
    finally:
        shutil.rmtree(place)
    failed = [line for line in said if line.startswith("not ok ")]
    plan = [int(line[3:]) for line in said if re.fullmatch(r"1\.\.\d+", line)]
    done = sum(line.startswith("ok ") for line in said)
    if failed or plan != [done]:
        print("\n".join(f"# {line}" for line in said[-60:]))
        raise SystemExit(1)
    print(f"# {done} checks, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
