#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Engine kvm on a real KVM: Debian's kernel on an emulated AMD machine is the host, its kvm_amd runs the guest."""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "metal"))
import l1
from hulltest import BUILD, HULL, Skip, check, initrd, kernel, main

BOOT = "hull boot --engine kvm --kernel /l2/vmlinuz --initrd /l2/initrd --append 'console=ttyS0 quiet panic=-1' -m 192M"


def host(modules=(), adds=(), **kw):
    """An emulated host with hull, a guest kernel and an initramfs for it."""
    why = l1.available()
    if why:
        raise Skip(why)
    k = kernel()
    files = l1.with_libraries((HULL, "/bin/hull"))
    files.update({"/l2/vmlinuz": k["path"], "/l2/initrd": initrd("echo guest of $(uname -r), $(nproc) CPUs; exit 7", "l2")})
    files.update(dict(adds))
    return l1.L1(k["path"], k["modules"], modules, files, build=BUILD, **kw)


def boots(h, what, timeout=300):
    """hull boot there runs the guest to its end."""
    status, out = h.sh(BOOT + " " + what, timeout)
    check(status == 7 and "guest of 6." in out, "hull boot %s: status %d: %s" % (what, status, out[-1500:]))


def guest_on_stock_kvm():
    with host(["kvm_amd"]) as h:
        l1.trace_exits(h)
        boots(h, "")
        n = l1.exits(h)
        check(sum(n.values()) > 1000, "exits: %s" % n)
        print("# exits: %d, of these by I/O %d, page faults %d, CPUID %d" %
              (sum(n.values()), n.get(0x7b, 0), n.get(0x400, 0), n.get(0x72, 0)))
        boots(h, "--engine kvm,irqchip=user", 150)


main([guest_on_stock_kvm])
