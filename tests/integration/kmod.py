#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Engine kvm on a real KVM, and on hull's own module: Debian's kernel on an emulated AMD machine is the host."""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "metal"))
import l1
from hulltest import check, main
from kmodtest import BOOT, again, boots, host, module, no_complaints, unload

def guest_on_stock_kvm():
    with host(["kvm_amd"]) as h:
        l1.trace_exits(h)
        boots(h, "")
        n = l1.exits(h)
        check(sum(n.values()) > 1000, "exits: %s" % n)
        print("# exits: %d, of these by I/O %d, page faults %d, CPUID %d" %
              (sum(n.values()), n.get(0x7b, 0), n.get(0x400, 0), n.get(0x72, 0)))
        boots(h, "--engine kvm,irqchip=user")


def on_our_module():
    with host(["kvm_amd"], module(), cpus=2) as h:
        status, out = h.sh("insmod /hull.ko")
        check(status and "KVM is live" in h.must("dmesg | tail -2"), "loaded beside KVM: %s" % out)
        h.must("rmmod kvm_amd && insmod /hull.ko")
        boots(h, "--kvm-device /dev/hull")
        out = boots(h, "--kvm-device /dev/hull --cpus 2")
        check("2 CPUs" in out, out)
        for n in range(3): # killed at different moments; the module goes with nothing left
            h.must(BOOT + " --kvm-device /dev/hull >/dev/null 2>&1 & sleep %d; kill -9 $!; wait" % (n + 1))
            unload(h)
            h.must("insmod /hull.ko")
        h.must("rmmod hull")
        no_complaints(h)


def guest_on_our_module():
    again(on_our_module)


main([guest_on_stock_kvm, guest_on_our_module])
