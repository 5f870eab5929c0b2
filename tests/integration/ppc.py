#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Machines of POWER CPUs: Debian's stock kernel to busybox; kernels that cannot be started."""
import glob, hashlib, json, os, shutil, subprocess
from hulltest import BUILD, TOP, Skip, check, main, run

PATIENCE = 900  # seconds; the machine that runs the tests may be busy


def kernel():
    for attempt in (0, 1):
        for k in json.loads(run("kernel", "list", "--json")[1] or "[]"):
            if k["name"] == "ppc64le":
                return k
        code, _, err = run("kernel", "fetch", "--arch", "ppc64le", timeout=900)
        if code:
            raise Skip("no kernel package: " + err.strip().splitlines()[-1])
    raise Skip("the kernel was fetched but is not listed")


def busybox():
    """Debian's static busybox of that architecture, by the index that fetching the kernel made."""
    k = os.path.realpath(kernel()["path"])
    data = os.path.dirname(os.path.dirname(os.path.dirname(k)))
    cached = os.path.join(data, "apt/ppc64el/busybox")
    if os.path.exists(cached):
        return cached
    d = os.path.join(data, "apt/ppc64el")
    if not os.path.isdir(d):
        run("kernel", "fetch", "--arch", "ppc64le", timeout=900)
    opts = ["APT::Sandbox::User=root", "APT::Architecture=ppc64el", "APT::Architectures=ppc64el",
            "Dir::State=" + d, "Dir::State::status=%s/status" % d, "Dir::Cache=" + d]
    cmd = ["apt-get"] + [x for o in opts for x in ("-o", o)] + ["download", "-qq", "busybox-static"]
    if subprocess.run(cmd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE).returncode:
        raise Skip("no package busybox-static for ppc64el")
    subprocess.run(["dpkg-deb", "-x", glob.glob("busybox-static_*_ppc64el.deb")[0], "bb"], check=True)
    shutil.copy(next(p for p in ("bb/bin/busybox", "bb/usr/bin/busybox") if os.path.exists(p)), cached + ".new")
    os.rename(cached + ".new", cached)
    return cached


def initrd(command, modules):
    if not os.path.exists(os.path.join(BUILD, "guest/init/hull-exit.ppc64le")):
        raise Skip("no cross compiler (gcc-powerpc64le-linux-gnu)")
    subprocess.run([os.path.join(TOP, "tools/mkinitramfs"), "--build", BUILD, "-o", "initrd", "--arch", "ppc64le",
                    "--busybox", busybox(), "--command", command, "--modules", modules, "--modules-dir",
                    kernel()["modules"]], check=True)
    return "initrd"


def boot(command, *args, modules=""):
    return run("boot", "--arch", "ppc64le", "--net", "none", "--kernel", kernel()["path"], "--initrd",
               initrd(command, modules), "--append", "console=hvc0 quiet", *args, timeout=PATIENCE)


def stock_kernel():
    code, out, err = boot("uname -m; grep -c ^processor /proc/cpuinfo; cat /proc/cmdline; exit 7")
    check(code == 7, "status %d: %s" % (code, err + out[-400:]))
    for want in ("ppc64le\r\n1\r\n", "console=hvc0 quiet"):
        check(want in out, "no %r in %r" % (want, out[-600:]))


def four_cpus_hash_mmu_disk():
    data = os.urandom(2 << 20)
    with open("disk", "wb") as f:
        f.write(data)
    code, out, err = boot("grep -c ^processor /proc/cpuinfo; dmesg | grep -o 'Initializing hash mmu'; sha256sum /dev/vda; "
                          "for i in 1 2 3 4; do (md5sum /bin/busybox | cut -c1-6) & done; wait; "
                          "grep -c virtio0 /proc/interrupts; poweroff -f",
                          "--cpus", "4", "--mmu", "hash", "--disk", "disk", modules="virtio_pci,virtio_blk")
    check(code == 0, "status %d: %s" % (code, err + out[-400:]))
    check("\n4\r\nInitializing hash mmu\r\n" in out, out[-600:])
    check(hashlib.sha256(data).hexdigest() in out, "the disk reads wrong: %r" % out[-600:])
    with open(busybox(), "rb") as f:
        sum6 = hashlib.md5(f.read()).hexdigest()[:6]
    check(out.count(sum6 + "\r\n") == 4, "%d of 4 processes agree: %r" % (out.count(sum6), out[-600:]))


def wrong_kernels():
    def one_line(name, data, *want):
        with open(name, "wb") as f:
            f.write(data)
        code, _, err = run("boot", "--arch", "ppc64le", "--net", "none", "--kernel", "./" + name)
        check(code == 126, "%s: status %d: %s" % (name, code, err))
        check(len(err.strip().splitlines()) == 1 and all(w in err for w in want), "%s: %r" % (name, err))

    elf = bytearray(b"\177ELF\2\1\1" + bytes(57))
    elf[18] = 62
    one_line("x86", bytes(elf), "x86", "POWER")
    elf[18] = 20
    one_line("ppc32", bytes(elf), "32-bit")
    elf[18] = 21
    one_line("short", bytes(elf[:40]), "truncated")
    one_line("text", b"hello" * 100, "not an ELF file")
    with open(kernel()["path"], "rb") as f:
        one_line("cut", f.read(1 << 20), "truncated")


def wrong_options():
    for args, want in (((), "kernel"), (("--engine", "kvm", "--kernel", "x"), "x86_64 only"),
                       (("--firmware", "x"), "--kernel"), (("--gdb", "1234", "--kernel", "x"), "so far"),
                       (("-m", "64M", "--kernel", "x"), "128 MiB"), (("--mmu", "flat", "--kernel", "x"), "radix or hash")):
        code, _, err = run("boot", "--arch", "ppc64le", *args)
        check(code == 125 and want in err, "%r: %d %r" % (args, code, err))
    code, _, err = run("boot", "--mmu", "hash", "--kernel", "x")
    check(code == 125 and "ppc64le" in err, err)
    code, _, err = run("boot", "--arch", "vax", "--kernel", "x")
    check(code == 125 and "x86_64 or ppc64le" in err, err)


if __name__ == "__main__":
    main([stock_kernel, four_cpus_hash_mmu_disk, wrong_kernels, wrong_options])
