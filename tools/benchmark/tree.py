# SPDX-License-Identifier: Apache-2.0
"""Where a peer's programs are: on this machine, or in a Debian tree of their own.

The newest OVS-DPDK and grout come from a debootstrapped Debian sid, which is made once and kept.
Nothing of it starts by itself; it shares the kernel, /dev and the scratch folder with the bench."""

import os
import shutil
import subprocess

from benchmark import machine

RELEASE = 'sid'
DEFAULT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..', '.tools', RELEASE))
# apt's recommendations would bring every driver there is.
PACKAGES = ('openvswitch-switch-dpdk', 'grout', 'librte-meta-bus', 'librte-meta-mempool')
DRIVERS = ('librte-net-null', 'librte-net-pcap')  # Their names end with DPDK's ABI.
INSTALL = '''
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
cp /etc/resolv.conf "$1/etc/resolv.conf"
printf '#!/bin/sh\\nexit 101\\n' >"$1/usr/sbin/policy-rc.d" # No service starts.
chmod +x "$1/usr/sbin/policy-rc.d"
apt-config dump | grep -i '^Acquire::.*proxy' >"$1/etc/apt/apt.conf.d/90proxy" || true
exec chroot "$1" env DEBIAN_FRONTEND=noninteractive sh -euc '
  apt-get -o Acquire::Check-Valid-Until=false update -q
  drivers=$(for name in $2; do apt-cache pkgnames "$name" | sort -V | tail -n 1; done)
  apt-get install -y -q --no-install-recommends $1 $drivers
  apt-get clean' sh "$2" "$3"
'''


class Tree:
    """Programs under `root`."""

    def __init__(self, root='/'):
        self.root = root

    def path(self, inside):
        return os.path.join(self.root, inside.lstrip('/'))

    def has(self, *programs):
        if self.root != '/':
            places = [os.path.join(self.root, 'usr', folder) for folder in ('bin', 'sbin')]
            return all(any(os.path.exists(os.path.join(place, name)) for place in places)
                       for name in programs)
        return all(map(shutil.which, programs))

    def command(self, *words):
        return list(words) if self.root == '/' else ['chroot', self.root, *words]

    def package_version(self, name):
        return machine.package_version(name, self.path('/var/lib/dpkg'))

    def share(self, folder):
        """Lets `folder` and the kernel's file systems appear inside, in our own namespace."""
        if self.root == '/' or not os.path.isdir(self.root):
            return
        os.makedirs(self.path(folder), exist_ok=True)
        for source, kind in (('/proc', '--rbind'), ('/sys', '--rbind'), ('/dev', '--rbind'),
                             (folder, '--bind')):
            subprocess.run(['mount', kind, source, self.path(source)], check=True, timeout=20)
        subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', self.path('/run')], check=True, timeout=20)


def mirror():
    """The one that this machine's own Debian comes from."""
    lines = subprocess.run(['apt-get', 'indextargets', '--format', '$(ORIGIN) $(REPO_URI)'],
                           capture_output=True, text=True, check=True, timeout=60).stdout
    for line in lines.splitlines():
        origin, _, uri = line.partition(' ')
        if origin == 'Debian' and 'security' not in uri:
            return uri
    raise machine.Trouble('apt knows no mirror of Debian')


def make(root):
    """A tree of the newest peers in `root`; nothing is done where there is one."""
    done = os.path.join(root, 'weir-bench-made')
    if os.path.exists(done):
        return
    if not shutil.which('debootstrap'):
        raise machine.Trouble('debootstrap is missing: tools/install debian13')
    log = f'{root.rstrip("/")}.log'
    os.makedirs(root, exist_ok=True)
    if os.listdir(root):
        raise machine.Trouble(f'{root} is half made, see {log}: remove it')
    with open(log, 'w', encoding='utf-8') as output:
        for command in (['debootstrap', '--variant=minbase', RELEASE, root, mirror()],
                        ['unshare', '--mount', '--propagation', 'private', 'sh', '-euc', INSTALL,
                         'sh', root, ' '.join(PACKAGES), ' '.join(DRIVERS)]):
            run = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False,
                                 timeout=1800)
            if run.returncode != 0:
                raise machine.Trouble(f'{command[0]} failed: see {log}')
    with open(done, 'w', encoding='utf-8'):
        pass
