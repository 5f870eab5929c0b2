#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The module for longer than `make test` has time for: 20 times loaded and unloaded with guests running and killed
in between; Debian's QEMU as its user."""
import os, re, shutil

import kmodtest as k
import l1
from hulltest import check, main


def twenty_times():
    with k.host((), k.module(), cpus=2) as h:
        h.must("insmod /hull.ko")
        before = None
        for n in range(20):
            # Some are killed while firmware, some while the kernel runs, some end by themselves.
            h.must(k.BOOT + " --kvm-device /dev/hull --cpus %d >/dev/null 2>&1 & sleep %d.%d; kill -9 $!; wait" %
                   (n % 2 + 1, n % 4, n * 7 % 10), 120)
            k.unload(h)
            h.must("insmod /hull.ko")
            free = int(re.search(r"MemFree: *(\d+)", h.must("echo 3 >/proc/sys/vm/drop_caches; cat /proc/meminfo"))[1])
            before = before or free
        k.boots(h, "--kvm-device /dev/hull")
        h.must("rmmod hull")
        k.no_complaints(h)
        print("# free before the first and after the 20th: %d and %d KiB" % (before, free))
        check(free > before - 8192, "memory is lost: %d, then %d KiB free" % (before, free))


QEMU_FILES = ("/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/linuxboot_dma.bin", "/usr/share/qemu/kvmvapic.bin",
              "/usr/share/seabios/bios-microvm.bin", "/usr/share/qemu/pvh.bin")


def qemu():
    """Debian's QEMU, with the module as its /dev/kvm, boots a Debian kernel."""
    program = shutil.which("qemu-system-x86_64")
    adds = {**k.module(), **l1.with_libraries((program, "/usr/bin/qemu-system-x86_64"))}
    for f in QEMU_FILES:
        if os.path.exists(f):
            adds["/usr/share/qemu/" + os.path.basename(f)] = f
    with k.host((), adds, memory="1500M", cpus=2) as h:
        h.must("insmod /hull.ko && ln -s hull /dev/kvm")
        out = h.must("qemu-system-x86_64 -accel kvm -cpu host -M q35 -m 256 -smp 2 -nodefaults -display none -no-reboot "
                     "-serial stdio -kernel /l2/vmlinuz -initrd /l2/initrd -append 'console=ttyS0 quiet panic=-1' "
                     "</dev/null 2>&1", 400)
        check("guest of 6." in out and "2 CPUs" in out, out[-2000:])
        k.no_complaints(h)


if __name__ == "__main__":
    main([twenty_times, qemu])
