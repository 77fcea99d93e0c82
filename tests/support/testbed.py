# SPDX-License-Identifier: Apache-2.0
"""Network namespaces, processes in them, and gateways made of both; all of it goes when the
Testbed is closed, whatever ends the program. Names begin with weir-PID-, so that two test beds do
not meet, and that a later one can remove what a killed one left behind."""

import atexit
import contextlib
import ctypes
import functools
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PREFIX = "weir"
PR_SET_PDEATHSIG = 1
USER = "nobody"                                  # Of data planes, as it may be anybody.
BPFFS = "bpf"                                    # In the folder of a test bed.
LIBC = ctypes.CDLL(None)


class TestbedError(Exception):
    """Something of the test bed itself did not come about; the text says what."""


def shape():
    """Workers, and rx queues a port, as WEIR_SHAPE says: 1x1 where it says nothing, 2x2."""
    workers, _, queues = os.environ.get("WEIR_SHAPE", "1x1").partition("x")
    return int(workers), int(queues)


def build_folder():
    return Path(os.environ.get("WEIR_BUILD", ROOT / "build"))


@functools.cache                                # The build folder has thousands of files.
def find_program(name):
    """The newest executable of that name in the build folder."""
    for path in sorted(build_folder().glob(f"**/{name}")):
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    raise TestbedError(f"{name} is not built: no such program under {build_folder()} "
                       "(ninja -C build)")


def command(*arguments, check=True, seconds=30):
    """Runs a short command; its output as text."""
    result = subprocess.run([str(argument) for argument in arguments], capture_output=True,
                            text=True, timeout=seconds, check=False)
    if check and result.returncode != 0:
        raise TestbedError(f"{' '.join(map(str, arguments))}: status {result.returncode}: "
                           f"{(result.stderr or result.stdout).strip()}")
    return result.stdout


def wait_for(condition, what, seconds=10.0, interval=0.02):
    """Waits until `condition()` is true and returns its value."""
    ends = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > ends:
            raise TestbedError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(interval)


def die_with_parent():
    """Runs in the child: a test that is killed takes its processes with it."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A process with its log, which is started in a session of its own: Ctrl-C reaches us alone."""

    def __init__(self, name, arguments, log_path):
        self.name = name
        self.log_path = Path(log_path)
        with open(log_path, "ab") as log:
            self.popen = subprocess.Popen(  # pylint: disable=consider-using-with
                [str(argument) for argument in arguments], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, preexec_fn=die_with_parent)
        self.pid = self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def kill(self):
        """What a crash looks like."""
        if self.alive():
            os.kill(self.pid, signal.SIGKILL)
        self.popen.wait(10)

    def stop(self, seconds=5.0):
        """Asks, waits, insists. The exit status, or None where it had to be killed."""
        if self.alive():
            self.popen.terminate()
            try:
                return self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                return None
        return self.popen.returncode

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


class Namespace:
    """A network namespace that says nothing of itself: no IPv6 of its own accord."""

    def __init__(self, name, *, ipv6=False):
        self.name = name
        self.ipv6 = ipv6

    def make(self):
        command("ip", "netns", "add", self.name)
        quiet = ["net.ipv6.conf.{0}.accept_dad=0", "net.ipv6.conf.{0}.accept_ra=0",
                 "net.ipv6.conf.{0}.autoconf=0", "net.ipv6.conf.{0}.addr_gen_mode=1",
                 "net.ipv6.conf.{0}.router_solicitations=0",
                 f"net.ipv6.conf.{{0}}.disable_ipv6={0 if self.ipv6 else 1}"]
        settings = [line.format(which) for which in ("all", "default") for line in quiet]
        self.run("sysctl", "-q", "-w", *settings)
        self.ip("link", "set", "lo", "up")

    def ip(self, *arguments, check=True):
        return command("ip", "-n", self.name, *arguments, check=check)

    def inside(self, *arguments):
        """The command line that runs `arguments` inside."""
        return ["ip", "netns", "exec", self.name, *arguments]

    def run(self, *arguments, check=True, seconds=60):
        return command(*self.inside(*arguments), check=check, seconds=seconds)

    def has_interface(self, interface):
        return Path(f"/run/netns/{self.name}").exists() and \
            bool(self.ip("-o", "link", "show", interface, check=False))

    def wait_listens(self, port):
        """Until somebody inside takes TCP connections to `port`."""
        wait_for(lambda: self.run("ss", "-Hltn", f"sport = :{port}"), f"port {port} is listened at")

    def offloads_off(self, interface):
        """Else the kernel hands over frames whose checksums nobody has filled in yet."""
        self.run("ethtool", "-K", interface, "tx", "off", "rx", "off", "gso", "off", "tso", "off",
                 "gro", "off", check=False)

    def delete(self):
        command("ip", "netns", "delete", self.name, check=False)


class Testbed:
    """with Testbed("name") as bed: …"""

    def __init__(self, name, *, keep_logs=True):
        if os.geteuid() != 0:
            raise TestbedError("network namespaces take root")
        self.name = name
        self.keep_logs = keep_logs
        self.prefix = f"{PREFIX}-{os.getpid()}"
        self.namespaces = []
        self.processes = []
        self.cores = itertools.count(os.getpid())  # Others may run beside us.
        self.closed = False
        self.forbidden = []                      # Who ended by a system call outside its list.
        remove_leftovers()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.prefix}-"))
        # The processes may die here, the machine does not: nothing has to wait for a disk.
        command("mount", "-t", "tmpfs", "tmpfs", self.folder)
        self.folder.chmod(0o711)                 # A data plane that is not root removes its files.
        atexit.register(self.close)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: sys.exit(128 + number))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        failed = kind is not None and not issubclass(kind, (KeyboardInterrupt, SystemExit))
        if failed and self.keep_logs:
            self.save_logs()
        self.close()
        if kind is None and self.forbidden:
            raise TestbedError(f"ended by a forbidden system call: {', '.join(self.forbidden)}; "
                               "the kernel's log names it (type=1326)")

    def namespace(self, name, **keywords):
        made = Namespace(f"{self.prefix}-{name}", **keywords)
        self.namespaces.append(made)             # First: Ctrl-C may come before it is finished.
        made.make()
        return made

    def next_core(self):
        return next(self.cores) % os.cpu_count()

    def start(self, name, arguments, namespace=None):
        """Starts a process; its log is NAME.log in the test bed's folder."""
        if namespace:
            arguments = namespace.inside(*arguments)
        process = Process(name, arguments, self.folder / f"{name}.log")
        self.processes.append(process)
        return process

    def cable(self, left, left_interface, right, right_interface, *, mtu=1500, queues=1,
              macs=(None, None)):
        """A veth pair between two namespaces, up, without offloads."""
        sides = ((left, left_interface), (right, right_interface))
        size = ["numtxqueues", queues, "numrxqueues", queues]
        command("ip", "link", "add", left_interface, "netns", left.name, *size, "mtu", mtu, "type",
                "veth", "peer", "name", right_interface, "netns", right.name, *size, "mtu", mtu)
        for (namespace, interface), mac in zip(sides, macs):
            if mac:
                namespace.ip("link", "set", interface, "address", mac)
            namespace.offloads_off(interface)
            namespace.ip("link", "set", interface, "up")

    def bpffs(self):
        """A bpffs of our own, where programs can be pinned: `ip netns exec` hides the system's."""
        path = self.folder / BPFFS
        if not path.exists():
            path.mkdir()
            command("mount", "-t", "bpf", "bpf", path)
        return path

    def save_logs(self):
        form = "" if shape() == (1, 1) else "-{}x{}".format(*shape())
        target = build_folder() / "system-logs" / (self.name + form)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.folder, target,
                        ignore=lambda folder, names: [n for n in names if not is_file(folder, n)])
        print(f"# logs are kept in {target}", flush=True)
        for path in sorted(target.rglob("*.log")):
            for line in path.read_text(errors="replace").splitlines()[-15:]:
                print(f"# {path.stem}: {line}", flush=True)

    def close(self):
        """Ends all processes, youngest first, then removes namespaces and files."""
        if self.closed:
            return
        # A second Ctrl-C must not leave half of it standing.
        before = [(number, signal.signal(number, signal.SIG_IGN))
                  for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
        self.closed = True                       # Not before: Ctrl-C here would keep all of it.
        for process in reversed(self.processes):
            with contextlib.suppress(Exception):
                process.stop(3.0)
            if process.popen.returncode == -signal.SIGSYS or 'how="signal 31' in process.log():
                self.forbidden.append(process.name)
        for namespace in self.namespaces:
            end_processes_in(namespace.name)
            with contextlib.suppress(Exception):
                namespace.delete()
        remove_folder(self.folder)
        for number, handler in before:
            signal.signal(number, handler)


def is_file(folder, name):
    path = Path(folder) / name
    return (path.is_dir() and not path.is_mount()) or (path.is_file() and not path.is_socket())


def end_processes_in(namespace):
    """Whatever still lives in a namespace of ours was started by us, by way of others."""
    pids = command("ip", "netns", "pids", namespace, check=False).split()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.kill(int(pid), signal.SIGKILL)
    if pids:
        with contextlib.suppress(TestbedError):
            wait_for(lambda: not command("ip", "netns", "pids", namespace, check=False).split(),
                     f"the end of {pids}", 5)


def remove_folder(folder):
    """Of a test bed. What is pinned in its bpffs goes with it."""
    for path in (folder / BPFFS, folder):
        if os.path.ismount(path):
            command("umount", "-l", path, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers():
    """Namespaces and folders of test beds whose process is gone."""
    pattern = re.compile(rf"^{PREFIX}-(\d+)-")
    for folder in (Path("/run/netns"), Path(tempfile.gettempdir())):
        for path in sorted(folder.glob(f"{PREFIX}-*")) if folder.exists() else []:
            match = pattern.match(path.name)
            if not match or Path(f"/proc/{match[1]}").exists():
                continue
            if folder.name == "netns":
                end_processes_in(path.name)
                command("ip", "netns", "delete", path.name, check=False)
            else:
                remove_folder(path)


class Gateway:
    """A data plane and a control plane with a runtime folder of their own in one namespace. `user`:
    whom the data plane becomes before it forwards; "": it stays who it is, and the caller says why.
    `wrapper`: words before the data plane's command line. `first_core`: None is one after the other
    of those that there are. `supervisor`: options of weir-supervisor, where there is one.
    `program`: another weir-dataplane than the one that was built."""

    def __init__(self, bed, name, *, workers=None, first_core=None, options=(), supervised=False,
                 user=USER, wrapper=(), supervisor=(), program=None):
        self.bed = bed
        self.name = name
        self.workers = workers or shape()[0]
        self.first_core = bed.next_core() if first_core is None else first_core
        self.options = options
        self.supervised = supervised
        self.user = user
        self.wrapper = wrapper
        self.supervisor = supervisor
        self.program = program
        self.successors = 0
        self.namespace = bed.namespace(name)
        self.runtime = bed.folder / name
        self.runtime.mkdir()
        self.state = bed.folder / f"{name}-state"
        self.state.mkdir()
        self.socket = self.runtime / "controlplane.sock"
        self.pid_file = self.runtime / "dataplane.pid"  # Where it is supervised.
        self.controlplane_wrapper = ()           # As `wrapper`, of the other process.
        self.dataplane = self.controlplane = None

    def start(self):
        self.start_dataplane()
        return self.join_dataplane()

    def join_dataplane(self):
        """Starts the control plane of a data plane that listens already, and may not be ready."""
        self.start_controlplane()
        # waiting: it has never been told what is wanted.
        wait_for(lambda: self.link_state() in ("waiting", "in_sync"),
                 f"the two processes of {self.name} find each other", 20)
        return self

    def dataplane_command(self, program=None):
        cores = ",".join(str((self.first_core + worker) % os.cpu_count())
                         for worker in range(self.workers))
        arguments = [*self.wrapper, program or find_program("weir-dataplane"), "--runtime-dir",
                     self.runtime, "--workers", self.workers, "--cores", cores, *self.options]
        return arguments + ["--user", self.user] if self.user else arguments

    def begin_dataplane(self):
        """Starts it, and does not wait until it listens."""
        arguments = self.dataplane_command(self.program)
        if self.supervised:
            arguments = [find_program("weir-supervisor"), "--pid-file", self.pid_file,
                         "--safe-mode", *self.supervisor, *arguments]
        self.dataplane = self.bed.start(f"{self.name}-dataplane", map(str, arguments),
                                        self.namespace)

    def start_dataplane(self):
        self.begin_dataplane()
        wait_for(lambda: (self.runtime / "dataplane.sock").exists() or not self.dataplane.alive(),
                 f"weir-dataplane of {self.name} listens", 30)
        self.must_live(self.dataplane)

    def start_successor(self, *options, program=None):
        """A second data plane, that shall replace the one that runs; whoever waits for that gives
        it to succeed()."""
        self.successors += 1
        command_line = [*self.dataplane_command(program), "--take-over", *options]
        return self.bed.start(f"{self.name}-dataplane-{self.successors}", map(str, command_line),
                              self.namespace)

    def succeed(self, successor, seconds=30):
        """The data plane is another one from here on."""
        wait_for(lambda: not self.dataplane.alive() or not successor.alive(),
                 f"{successor.name} replaces {self.dataplane.name}", seconds)
        self.must_live(successor)
        assert self.dataplane.popen.wait(10) == 0, self.dataplane.log()
        self.dataplane = successor

    def descriptors_held(self):
        """Of the data plane. The fewest that were seen: a question that is just being asked holds
        a socket."""
        folder = Path(f"/proc/{self.dataplane_pid()}/fd")
        counts = []
        for _ in range(10):
            counts.append(len(list(folder.iterdir())))
            time.sleep(0.01)
        return min(counts)

    def dataplane_pid(self):
        if not self.supervised:
            return self.dataplane.pid
        return int(wait_for(lambda: self.pid_file.exists() and self.pid_file.read_text(),
                            f"the PID of {self.name}'s data plane"))

    def begin_controlplane(self, *options):
        """Starts it, and does not wait until it answers."""
        arguments = [*self.controlplane_wrapper, find_program("weir-controlplane"), "--runtime-dir",
                     self.runtime, "--state-dir", self.state, *options]
        self.controlplane = self.bed.start(f"{self.name}-controlplane", map(str, arguments),
                                           self.namespace)

    def start_controlplane(self, *options):
        self.begin_controlplane(*options)
        wait_for(lambda: not self.controlplane.alive() or self.weir_status(
            "status") == 0, f"weir-controlplane of {self.name} answers", 30)
        self.must_live(self.controlplane)

    def link_state(self):
        """in_sync: the data plane has what is wanted."""
        return self.show("status")["dataplane"]["state"]

    def wait_in_sync(self, seconds=20):
        wait_for(lambda: self.link_state() == "in_sync", f"{self.name} is in sync", seconds)

    def must_live(self, process):
        if not process.alive():
            raise TestbedError(f"{process.name} ended with status {process.popen.returncode}: "
                               + " | ".join(process.log().splitlines()[-4:]))

    def command_line(self, *arguments):
        return [find_program("weir"), "-s", str(self.socket), *map(str, arguments)]

    def weir_status(self, *arguments):
        return subprocess.run(self.command_line(*arguments), capture_output=True, timeout=30,
                              check=False).returncode

    def weir(self, *arguments, seconds=60):
        """What `weir ARGUMENTS` prints; raises with what it says where it is refused."""
        return command(*self.command_line(*arguments), seconds=seconds)

    def weir_refused(self, *arguments):
        """Exit status and message of a command that should be refused."""
        result = subprocess.run(self.command_line(*arguments), capture_output=True, text=True,
                                timeout=60, check=False)
        return result.returncode, result.stderr + result.stdout

    def show(self, *arguments):
        """What `weir -j ARGUMENTS` prints, read."""
        return json.loads(self.weir("-j", *arguments))

    def apply(self, intent):
        """JSON is YAML: the intent is a plain value."""
        path = self.bed.folder / f"{self.name}-intent.json"
        path.write_text(json.dumps(intent, indent=1))
        answer = self.weir("apply", path)
        self.wait_in_sync()
        return answer


def start_all(gateways):
    """Data planes take their time to be ready, and do so beside each other."""
    for gateway in gateways:
        gateway.start_dataplane()
    for gateway in gateways:
        gateway.join_dataplane()
