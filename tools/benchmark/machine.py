# SPDX-License-Identifier: Apache-2.0
"""What the bench borrows from the machine and gives back: hugepages, a network namespace,
a scratch folder, child processes. Everything started here ends here, by its pid."""

import contextlib
import ctypes
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

MAIN_CORE = 0
WORKER_CORE = 1
HUGEPAGES = '/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages'
HUGEPAGES_FREE = '/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages'
NAMESPACE_MARK = 'WEIR_BENCH_NAMESPACE'


class Trouble(Exception):
    """Something that the operator must know or do; printed as one line."""


def enter_namespace():
    """Restarts this script in namespaces of its own, network and mounts, which end with it."""
    if os.environ.get(NAMESPACE_MARK):
        subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True, timeout=10)
        kernel_ipv6(False)
        return
    if os.geteuid() != 0:
        raise Trouble('needs root: hugepages and a network namespace')
    os.environ[NAMESPACE_MARK] = '1'
    sys.stdout.flush()
    os.execvp('unshare', ['unshare', '--net', '--mount', sys.executable, *sys.argv])


def kernel_ipv6(enabled):
    """Off, but for who refuses to start without: no neighbour discovery among counted frames."""
    for scope in ('all', 'default'):
        with open(f'/proc/sys/net/ipv6/conf/{scope}/disable_ipv6', 'w', encoding='ascii') as file:
            file.write('0' if enabled else '1')


def raise_interrupt(_number, _frame):
    raise KeyboardInterrupt


def read_int(path):
    with open(path, encoding='ascii') as file:
        return int(file.read())


@contextlib.contextmanager
def hugepages(count):
    """`count` more 2 MB pages while the block runs. Others may reserve theirs meanwhile, so the
    number given back is the number taken."""
    if not os.path.exists(HUGEPAGES):
        raise Trouble('this kernel has no 2 MB hugepages')
    missing = max(0, count - read_int(HUGEPAGES_FREE))
    before = read_int(HUGEPAGES)
    granted = 0
    try:
        with open(HUGEPAGES, 'w', encoding='ascii') as file:
            file.write(str(before + missing))
        granted = max(0, read_int(HUGEPAGES) - before)
        if read_int(HUGEPAGES_FREE) < count:
            raise Trouble(f'{count} free hugepages of 2 MB are needed, the kernel gave '
                          f'{read_int(HUGEPAGES_FREE)}: free some memory')
        yield
    finally:
        with open(HUGEPAGES, 'w', encoding='ascii') as file:
            file.write(str(max(0, read_int(HUGEPAGES) - granted)))


@contextlib.contextmanager
def scratch():
    path = tempfile.mkdtemp(prefix='weir-')
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def die_with_parent():
    # PR_SET_PDEATHSIG: nothing keeps polling a core when this script is killed outright.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Child:
    """A process of ours. stop() is safe at any time and more than once."""

    def __init__(self, command, log, env=None, stdin=None):
        self.name = os.path.basename(command[0])
        self.log_path = log
        with open(log, 'ab') as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT,
                stdin=stdin if stdin is not None else subprocess.DEVNULL,
                env={**os.environ, **(env or {})}, preexec_fn=die_with_parent,
                start_new_session=True)  # A scheduling group of its own; see raise_priority().
        self.pid = self.process.pid

    def log(self, lines=8):
        with open(self.log_path, encoding='utf-8', errors='replace') as file:
            return ' | '.join(line.strip() for line in file.readlines()[-lines:])

    def check(self):
        if self.process.poll() is not None:
            raise Trouble(f'{self.name} ended with {self.process.returncode}: {self.log()}')

    def wait_for(self, ready, what, seconds=30.0, others=()):
        """What `ready` returns once that is true; `others` must live meanwhile, too."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for child in (self, *others):
                child.check()
            result = ready()
            if result:
                return result
            time.sleep(0.02)
        raise Trouble(f'{self.name}: no {what} within {seconds:g} s: {self.log()}')

    def stop(self, seconds=5.0):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def thread_cpu_ns(pid, tid):
    with open(f'/proc/{pid}/task/{tid}/schedstat', encoding='ascii') as file:
        return int(file.read().split()[0])


def worker_thread(pid):
    """Of the threads that may run on the worker's core only, the one that has run most."""
    found = []
    for tid in map(int, os.listdir(f'/proc/{pid}/task')):
        with contextlib.suppress(OSError):
            if os.sched_getaffinity(tid) == {WORKER_CORE} and tid != pid:
                found.append((thread_cpu_ns(pid, tid), tid))
    return max(found)[1] if found else None


def threads_cpu_ns(pid):
    """Thread → time that it has run, of those bound to one core, the first thread left out."""
    found = {}
    for tid in map(int, os.listdir(f'/proc/{pid}/task')):
        with contextlib.suppress(OSError):
            if len(os.sched_getaffinity(tid)) == 1 and tid != pid:
                found[tid] = thread_cpu_ns(pid, tid)
    return found


def raise_priority(pid):
    """The process before all else on its cores, every system alike: what others run there would be
    measured otherwise. Nothing happens where that is not allowed."""
    # Linux has a nice value for each thread, and a new one takes its maker's.
    for tid in map(int, os.listdir(f'/proc/{pid}/task')):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, tid, -20)
    # Under autogroup scheduling a nice value only counts within the session.
    with contextlib.suppress(OSError):
        with open(f'/proc/{pid}/autogroup', 'w', encoding='ascii') as file:
            file.write('-20')


def interrupt_others(tid):
    """A thread that mostly sleeps, before all else as soon as it wakes: a nice value lets what runs
    there finish its slice of some milliseconds. Nothing happens where that is not allowed."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(tid, os.SCHED_RR, os.sched_param(1))


def cpu_ns(pid):
    """Time that the worker thread has had on its core."""
    tid = worker_thread(pid)
    return None if tid is None else thread_cpu_ns(pid, tid)


def steal_ticks():
    with open('/proc/stat', encoding='ascii') as file:
        for line in file:
            if line.startswith(f'cpu{WORKER_CORE} '):
                return int(line.split()[8])
    return 0


def tsc_hz():
    """The kernel's bogomips are twice the TSC's MHz wherever the TSC's rate is known to it."""
    with open('/proc/cpuinfo', encoding='ascii') as file:
        text = file.read()
    bogomips = re.search(r'^bogomips\s*:\s*([0-9.]+)', text, re.MULTILINE)
    if not bogomips or 'constant_tsc' not in text:
        return None
    return float(bogomips.group(1)) / 2 * 1e6


def package_version(name, database='/var/lib/dpkg'):
    run = subprocess.run(['dpkg-query', f'--admindir={database}', '-W', '-f',
                          '${db:Status-Status} ${Version}', name],
                         capture_output=True, text=True, check=False, timeout=20)
    state, _, version = run.stdout.partition(' ')
    return version if run.returncode == 0 and state == 'installed' else None


def load():
    """Of the last minute: how busy the machine was, whoever kept it so."""
    return round(os.getloadavg()[0], 1)


def describe():
    with open('/proc/cpuinfo', encoding='ascii') as file:
        model = re.search(r'^model name\s*:\s*(.*)$', file.read(), re.MULTILINE)
    hz = tsc_hz()
    return {'processor': model.group(1) if model else platform.machine(),
            'cores': os.cpu_count(), 'kernel': platform.release(),
            'tsc_mhz': round(hz / 1e6, 1) if hz else None}
