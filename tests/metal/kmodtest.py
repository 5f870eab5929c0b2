# SPDX-License-Identifier: Apache-2.0
"""Shared by tests/integration/kmod.py, tests/metal/kmod.py and bench/metal: the emulated host with hull, a guest for
it, and the module."""
import os, re, subprocess, sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path += [os.path.join(TESTS, "metal"), os.path.join(TESTS, "integration")]
import l1
from hulltest import BUILD, HULL, TOP, Skip, check, initrd, kernel

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


def boots(h, what, timeout=240):
    """hull boot there runs the guest to its end."""
    status, out = h.sh(BOOT + " " + what, timeout)
    check(status == 7 and "guest of 6." in out, "hull boot %s: status %d: %s; console %s" %
          (what, status, out[-1500:], h.console()[-1500:]))
    return out


def unload(h):
    """The module goes as soon as what was killed has let go of it, which takes a busy machine its time."""
    h.must("n=0; until rmmod hull; do n=$((n+1)); [ $n -lt 40 ] || exit 1; sleep 1; done", 90)


def again(test, times=3):
    """Runs a test with guests of two vCPUs on an emulated host, once more if that falls silent: QEMU's SVM at times
    delivers an interrupt twice or loses one (docs/kmod.md), and a guest or its host then waits for ever, under stock
    KVM too. What is wrong in the module falls silent every time."""
    for n in range(times):
        try:
            return test()
        except l1.Silent as e:
            if n == times - 1:
                raise
            print("# the emulated host fell silent, once more: %s" % e)


def no_complaints(h):
    """The host's kernel has had no reason to complain."""
    bad = [l for l in h.console().splitlines() if re.search("BUG:|WARNING: CPU|Oops:|general protection", l)]
    check(not bad, "\n".join(bad))
