#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The virtualization core on machines with emulated SVM and VMX: the guests of guest/test store what they
store on the software CPU and make the same accesses to devices. TAP on stdout."""
import os, re, shutil, subprocess
from hulltest import BUILD, PATIENCE, Skip, check, main, run_bochs

IMAGE = os.path.join(BUILD, "tests/guest/core/core.elf")
OUTCOME = os.path.join(BUILD, "tests/unit/kvm/kvm_outcome")


def need(*programs):
    for p in programs:
        if not shutil.which(p):
            raise Skip("%s is not installed" % p)
    if not os.path.exists(IMAGE):
        raise Skip("the image is for x86-64")


def expected(name):
    r = subprocess.run([OUTCOME, os.path.join(BUILD, "guest/test/%s.bin" % name), "2" if name == "smp64" else "1"],
                       stdout=subprocess.PIPE, timeout=PATIENCE)
    check(r.returncode == 0, "%s does not run on the software CPU" % name)
    return r.stdout.decode()


def first_difference(want, got):
    for a, b in zip(want.splitlines() + ["(end)"], got.splitlines() + ["(end)"]):
        if a != b:
            return "'%s' instead of '%s'" % (b, a)
    return "nothing"


def compare(serial, vendor, without):
    """All guests in the image's output are as expected, but those the emulator cannot run rightly."""
    text = serial.replace("\r", "")
    check("core on %s" % vendor in text, "the image says: %r" % text[-300:])
    runs = re.findall(r"^guest (\S+)\n(.*?)^end of \1\ndeferred (\d+)$", text, re.S | re.M)
    check(len(runs) >= 9, "only %d guests ran: %r" % (len(runs), text[-300:]))
    for name, body, _ in runs:
        if name not in without:
            want = expected(name)
            check(body == want, "%s: %s" % (name, first_difference(want, body)))
    check(sum(int(d) for _, _, d in runs) >= 25, "hardly an access was deferred")
    check("pages left 0," in text, "pages were lost: " + text.splitlines()[-2])


def svm_on_qemu():
    need("qemu-system-x86_64")
    r = subprocess.run(["qemu-system-x86_64", "-accel", "tcg", "-cpu", "EPYC,+svm,+npt", "-M", "q35", "-m", "256",
                        "-display", "none", "-serial", "file:serial", "-no-reboot", "-device",
                        "isa-debug-exit,iobase=0xf4,iosize=1", "-kernel", IMAGE], timeout=PATIENCE,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    check(r.returncode & 1, "QEMU ended with %d" % r.returncode)
    # QEMU's TCG checks no segment limits and not the rules of CR0's cache bits.
    compare(open("serial").read(), "svm", ("prot32", "page32"))


def bochs(model):
    need("bochs", "grub-mkrescue")
    if not os.path.exists("core.iso"):
        os.makedirs("iso/boot/grub", exist_ok=True)
        shutil.copy(IMAGE, "iso/boot/core.elf")
        with open("iso/boot/grub/grub.cfg", "w") as f:
            f.write("set timeout=0\nmenuentry core { multiboot2 /boot/core.elf }\n")
        r = subprocess.run(["grub-mkrescue", "-o", "core.iso", "iso", "--locales=", "--fonts=", "--themes="],
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if r.returncode or not os.path.exists("core.iso"):
            raise Skip("grub-mkrescue cannot make an image here")
    return run_bochs("core.iso", model)


def vmx_on_bochs():
    compare(bochs("corei7_skylake_x"), "vmx", ())


def svm_on_bochs():
    # Bochs has no DR6 in the VMCB when it intercepts #DB, and takes no interrupt while an SVM guest runs.
    compare(bochs("ryzen"), "svm", ("core64",))


main([svm_on_qemu, vmx_on_bochs, svm_on_bochs])
