# SPDX-License-Identifier: Apache-2.0
"""`bench idle`: what a worker costs that has nothing to do, and how late it is when a frame comes:
between xdp ports, which wake it, between net_af_packet ports, which do not, so that it sleeps ever
longer up to a limit, and spinning. Beside it, a process that waits for a bare eventfd.

    bench ══ veth ══ in0 ── Weir ── out0 ══ veth ══ bench

Frames come alone, 2 to 6 ms apart, to a worker that is asleep, which interrupts what else runs on
its core, as if it had it for itself. A delay begins as the system call returns that sent the frame,
and has put it into the worker's ring, or wrote to the eventfd. It ends as the kernel receives the
frame at the far veth, with the worker's own work and sending in it, or the process has read."""

import json
import os
import random
import socket
import statistics
import struct
import time

from benchmark import frames, machine, weir, xdp

HUGEPAGE_COUNT = 400
SHARE_MAX = 0.02            # Of a core, at ports that wake.
LATER_MAX_US = 50           # Of p99, than the eventfd.
PAUSES_MS = (2.0, 6.0)
SETTLE_SECONDS = 1.0
SO_TIMESTAMPNS = 35         # asm-generic/socket.h; Python has no name for it.
SYSTEMS = {'xdp, woken': ('xdp:{},queues=1,absent=pass', 'sleep'),
           'xdp, spinning': ('xdp:{},queues=1,absent=pass', 'spin'),
           'af_packet, back-off': ('net_af_packet{number},iface={}', 'sleep')}
WOKEN, BACK_OFF = 'xdp, woken', 'af_packet, back-off'


def add_arguments(parser):
    parser.add_argument('--rounds', type=int, default=3, metavar='N')
    parser.add_argument('--seconds', type=float, default=2.0, metavar='S',
                        help='length of each idle time')
    parser.add_argument('--frames', type=int, default=500, metavar='N',
                        help='in each round, for each system')
    parser.add_argument('--sleep-max-us', type=int, default=200, metavar='US',
                        help='the limit of the back-off (--idle-sleep-max-us of weir-dataplane)')
    parser.add_argument('--json', action='store_true')


class Weir(weir.Running):
    def __init__(self, build, folder, name, sleep_max_us):
        self.device, self.idle = SYSTEMS[name]
        self.sleep_max_us = sleep_max_us
        super().__init__(build, xdp.XdpTask(None, {}, folder), xdp.PROFILE)

    def options(self):
        return ['--idle', self.idle, '--idle-sleep-max-us', str(self.sleep_max_us)]

    def endpoints(self):
        return '[]'

    def room(self):
        return weir.ROOM_LEAST

    def await_traffic(self, dataplane):
        """None comes by itself."""

    def intent(self):
        interfaces = [near for near, _far in xdp.INTERFACES]
        return {'ports': [{'name': name, 'role': 'transit', 'peer': peer,
                           'device': self.device.format(interface, number=number)}
                          for number, (name, peer, interface) in
                          enumerate(zip(('fed', 'out'), ('out', 'fed'), interfaces))]}


def packet_socket(interface):
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
    found.bind((interface, 0))
    found.settimeout(2)
    return found


def pause():
    time.sleep(random.uniform(*PAUSES_MS) / 1e3)


def frame_delays(count):
    """In nanoseconds. Each frame is alone on its way."""
    frame = frames.roce_frame(0)
    delays = []
    with packet_socket('generator0') as sender, packet_socket('nobody0') as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        for _ in range(count):
            pause()
            sender.send(frame)
            sent = time.clock_gettime_ns(time.CLOCK_REALTIME)
            delays.append(received_ns(receiver, frame) - sent)
    return delays


def received_ns(receiver, frame):
    while True:
        data, extra, _flags, _address = receiver.recvmsg(2048, 64)
        if data == frame:
            seconds, nanoseconds = struct.unpack('qq', extra[0][2][:16])
            return seconds * 10**9 + nanoseconds


def eventfd_delays(count):
    """The same of a process on the worker's core that waits for an eventfd."""
    bell, answers = os.eventfd(0), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            machine.die_with_parent()
            os.setsid()                          # As Weir: a scheduling group of its own.
            os.sched_setaffinity(0, {machine.WORKER_CORE})
            machine.interrupt_others(0)
            for _ in range(count):
                os.eventfd_read(bell)
                os.write(answers[1], struct.pack('q', time.monotonic_ns()))
        finally:
            os._exit(0)
    delays = []
    for _ in range(count):
        pause()
        os.eventfd_write(bell, 1)
        rung = time.monotonic_ns()
        delays.append(struct.unpack('q', os.read(answers[0], 8))[0] - rung)
    os.waitpid(child, 0)
    for descriptor in (bell, *answers):
        os.close(descriptor)
    return delays


def measure(build, folder, name, options):
    """The worker's share of its core without frames, and the delays of some."""
    os.makedirs(folder)
    with xdp.Cables():
        running = Weir(build, folder, name, options.sleep_max_us)
        try:
            machine.interrupt_others(machine.worker_thread(running.pid))
            time.sleep(SETTLE_SECONDS)
            started, first = time.monotonic(), machine.cpu_ns(running.pid)
            time.sleep(options.seconds)
            share = (machine.cpu_ns(running.pid) - first) / 1e9 / (time.monotonic() - started)
            return share, frame_delays(options.frames)
        except socket.timeout as error:
            raise machine.Trouble(f'{name}: a frame did not arrive') from error
        finally:
            running.stop()


def quantiles(delays):
    ordered = sorted(delays)
    return {name: round(ordered[min(len(ordered) - 1, int(len(ordered) * part))] / 1e3, 1)
            for name, part in (('p50_us', 0.5), ('p99_us', 0.99))}


def summary(shares, delays):
    """A row of the table; the eventfd has no share."""
    return {'share': round(statistics.median(shares), 4) if shares else None, **quantiles(delays)}


def verdicts(rows):
    share, late = rows[WOKEN]['share'], rows[WOKEN]['p99_us'] - rows['eventfd']['p99_us']
    return [{'text': f'{WOKEN}: below {SHARE_MAX:.0%} of a core', 'found': f'{share:.2%}',
             'verdict': 'met' if share < SHARE_MAX else 'missed'},
            {'text': f'{WOKEN}: p99 at most the eventfd\'s + {LATER_MAX_US} us',
             'found': f'{late:+.1f} us', 'verdict': 'met' if late <= LATER_MAX_US else 'missed'}]


def table(report):
    lines = [f'{"worker":22}  {"of a core":>9}  {"p50":>8}  {"p99":>8}  us']
    for name, row in report['systems'].items():
        share = '' if row['share'] is None else f'{row["share"]:.2%}'
        lines.append(f'{name:22}  {share:>9}  {row["p50_us"]:8.1f}  {row["p99_us"]:8.1f}')
    lines += [f'{target["text"]}: {target["verdict"]} ({target["found"]})'
              for target in report['targets']]
    return '\n'.join(lines + [
        f'back-off to {report["sleep_max_us"]} us; {report["frames"]} frames in each of '
        f'{report["rounds"]} rounds, load {report["load"]}, {report["version"]}'])


def main(options):
    machine.enter_namespace()
    build = weir.System(options.build)
    if build.missing():
        raise machine.Trouble('missing: ' + ', '.join(build.missing()))
    shares = {name: [] for name in SYSTEMS}
    delays = {name: [] for name in ('eventfd', *SYSTEMS)}
    with machine.scratch() as folder, machine.hugepages(HUGEPAGE_COUNT):
        os.sched_setaffinity(0, {machine.MAIN_CORE})
        machine.interrupt_others(0)
        for number in range(options.rounds):
            delays['eventfd'] += eventfd_delays(options.frames)
            for count, name in enumerate(SYSTEMS):
                share, late = measure(build, os.path.join(folder, f'{number}-{count}'), name,
                                      options)
                shares[name].append(share)
                delays[name] += late
    rows = {name: summary(shares.get(name), delays[name]) for name in delays}
    report = {'machine': machine.describe(), 'load': machine.load(), 'version': build.version(),
              'rounds': options.rounds, 'seconds': options.seconds, 'frames': options.frames,
              'sleep_max_us': options.sleep_max_us, 'systems': rows, 'targets': verdicts(rows)}
    print(json.dumps(report, indent=2) if options.json else table(report))
    return 1 if any(target['verdict'] == 'missed' for target in report['targets']) else 0
