# SPDX-License-Identifier: Apache-2.0
"""A virtual machine: Debian's kernel in QEMU, emulated in software, with one virtio-net on a
vhost-user socket. What it runs is made by tools/guest; it obeys by its second serial line, whose
other end is guest_init."""

import re
import socket
import subprocess
import time
from pathlib import Path

from testbed import ROOT, TestbedError, wait_for

READY = rb"guest ready\n"
ANSWERED = rb"guest answered (\d+)\n"
MACHINE = ("-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg", "-cpu", "max")
KERNEL = "console=ttyS0 quiet rdinit=/init panic=-1 mitigations=off"
MEMORY = "256M"


class Guest:
    """`weir_is_server`: Weir made the socket, and QEMU comes back to it whenever it is there."""

    def __init__(self, bed, name, *, device_socket, mac, weir_is_server, pairs=1):
        self.bed, self.name = bed, name
        self.folder = bed.folder / name
        self.folder.mkdir()
        self.device_socket = device_socket
        # No MSI-X: QEMU 7.2 dies of a null pointer where it has vhost-user and no KVM
        # (virtio_pci_vector_unmask, kvm_virtio_pci_irqfd_use).
        self.device = f"virtio-net-pci,netdev=net,mac={mac},romfile=,vectors=0"
        self.backend = f"vhost-user,id=net,chardev=device,queues={pairs}"
        if pairs > 1:
            self.device += ",mq=on"
        self.role = "reconnect=1" if weir_is_server else "server=on"
        self.boots = 0
        self.started = 0.0
        self.process = self.line = None
        self.unread = b""
        self.switch_on()

    def switch_on(self):
        """It obeys once wait_ready() returns."""
        self.started = time.monotonic()
        made = Path(subprocess.run([ROOT / "tools" / "guest"], capture_output=True, text=True,
                                   check=True, timeout=300).stdout.strip())
        commands = self.folder / "commands"
        commands.unlink(missing_ok=True)
        if self.role == "server=on":             # One that was killed has left it behind.
            Path(self.device_socket).unlink(missing_ok=True)
        self.process = self.bed.start(self.name, [
            "qemu-system-x86_64", *MACHINE, "-machine", "pc,memory-backend=memory", "-m", MEMORY,
            "-object", f"memory-backend-memfd,id=memory,size={MEMORY},share=on",
            "-kernel", made / "vmlinuz", "-initrd", made / "initrd", "-append", KERNEL,
            "-serial", f"file:{self.folder}/console.log",
            "-chardev", f"socket,id=commands,path={commands},server=on,wait=off",
            "-serial", "chardev:commands",
            "-chardev", f"socket,id=device,path={self.device_socket},{self.role}",
            "-netdev", self.backend, "-device", self.device])
        if self.role == "server=on":             # Weir may be somebody who may not write to it.
            wait_for(Path(self.device_socket).exists, f"{self.name} makes its socket")
            Path(self.device_socket).chmod(0o666)
        wait_for(lambda: commands.exists() or not self.process.alive(), f"{self.name} is on")
        if not self.process.alive():
            raise TestbedError(f"{self.name}: {self.process.log()}")
        self.line = socket.socket(socket.AF_UNIX)
        self.line.connect(str(commands))

    def wait_ready(self):
        self.read_until(READY, "boots", 120)
        self.boots += 1
        print(f"# {self.name} booted in {time.monotonic() - self.started:.1f} s", flush=True)

    def read_until(self, pattern, what, seconds):
        """What came before it, and the match."""
        ends = time.monotonic() + seconds
        while (found := re.search(pattern, self.unread)) is None:
            self.line.settimeout(max(ends - time.monotonic(), 0.001))
            try:
                got = self.line.recv(65536)
            except TimeoutError:
                raise TestbedError(f"waited {seconds:.0f} s in vain: {self.name} {what}: "
                                   f"{self.unread[-500:]}") from None
            if not got:
                raise TestbedError(f"{self.name} is gone, status {self.process.popen.wait(5)}: "
                                   f"{self.process.log()}")
            self.unread += got
        before, self.unread = self.unread[:found.start()], self.unread[found.end():]
        return before.decode(errors="replace"), found

    def begin(self, command):
        """Gives a command; finish() waits for its end."""
        self.line.sendall(command.encode() + b"\n")

    def finish(self, command, *, seconds=60, check=True):
        output, answer = self.read_until(ANSWERED, f"answers: {command}", seconds)
        if check and int(answer[1]) != 0:
            raise TestbedError(f"{self.name}: {command}: status {int(answer[1])}: {output.strip()}")
        return output

    def run(self, command, **keywords):
        """What a command line of its shell prints."""
        self.begin(command)
        return self.finish(command, **keywords)

    def reboot(self, how):
        """By its own kernel's orderly way ("reboot -f"), or as if by its button."""
        self.started = time.monotonic()
        self.begin(how)
        self.wait_ready()

    def replace(self):
        """The plug is pulled, and another machine takes its place."""
        self.process.kill()
        self.line.close()
        self.unread = b""
        self.switch_on()
        self.wait_ready()

    def ping(self, address, count=3, interval=0.1, size=56):
        """Share of the pings that came back."""
        text = self.run(f"ping -q -c {count} -i {interval} -W 2 -s {size} {address}", check=False,
                        seconds=count * (interval + 2) + 10)
        found = re.search(r"(\d+) packets received", text)
        return int(found[1]) / count if found else 0.0

    def counters(self, *names):
        """What its kernel counted (nstat), where it is not zero."""
        rows = (line.split() for line in self.run("nstat -az " + " ".join(names)).splitlines())
        return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[0] in names
                and int(row[1]) != 0}
