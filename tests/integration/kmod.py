#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Engine kvm on a real KVM, and on hull's own module: Debian's kernel on an emulated AMD machine is the host."""
import os, re, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "metal"))
import l1
from hulltest import BUILD, HULL, TOP, Skip, check, initrd, kernel, main

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


def module():
    """Builds hull.ko for the stored cloud kernel."""
    k = kernel()
    version = k["alias_of"] or k["name"]
    r = subprocess.run([os.path.join(TOP, "tools/build-kmod"), BUILD, version], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
    out = r.stdout.decode()
    if r.returncode == 77:
        raise Skip(out.strip())
    check(r.returncode == 0 and "warning:" not in out.replace("warning: objtool", ""), out[-2000:])
    return {"/hull.ko": os.path.join(BUILD, "kmod/hull.ko")}


def boots(h, what, timeout=300):
    """hull boot there runs the guest to its end."""
    status, out = h.sh(BOOT + " " + what, timeout)
    check(status == 7 and "guest of 6." in out, "hull boot %s: status %d: %s; console %s" %
          (what, status, out[-1500:], h.console()[-1500:]))
    return out


def guest_on_stock_kvm():
    with host(["kvm_amd"]) as h:
        l1.trace_exits(h)
        boots(h, "")
        n = l1.exits(h)
        check(sum(n.values()) > 1000, "exits: %s" % n)
        print("# exits: %d, of these by I/O %d, page faults %d, CPUID %d" %
              (sum(n.values()), n.get(0x7b, 0), n.get(0x400, 0), n.get(0x72, 0)))
        boots(h, "--engine kvm,irqchip=user", 150)


def guest_on_our_module():
    with host(["kvm_amd"], module(), cpus=2) as h:
        status, out = h.sh("insmod /hull.ko")
        check(status and "KVM is live" in h.must("dmesg | tail -2"), "loaded beside KVM: %s" % out)
        h.must("rmmod kvm_amd && insmod /hull.ko")
        boots(h, "--kvm-device /dev/hull")
        out = boots(h, "--kvm-device /dev/hull --cpus 2")
        check("2 CPUs" in out, out)
        for n in range(3): # killed at different moments; the module goes with nothing left
            h.must(BOOT + " --kvm-device /dev/hull >/dev/null 2>&1 & sleep %d; kill -9 $!; wait; sleep 1; "
                   "rmmod hull && insmod /hull.ko" % (n + 1))
        h.must("rmmod hull")
        bad = [l for l in h.console().splitlines() if re.search("BUG:|WARNING: CPU|Oops:|general protection", l)]
        check(not bad, "\n".join(bad))


main([guest_on_stock_kvm, guest_on_our_module])
