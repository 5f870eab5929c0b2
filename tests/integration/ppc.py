#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Machines of POWER CPUs: Debian's stock kernel to busybox; kernels that cannot be started."""
import glob, hashlib, json, os, shutil, socket, struct, subprocess
from hulltest import BUILD, PATIENCE, TOP, Machine, Skip, check, free_port, main, run


def kernel():
    for attempt in (0, 1):
        for k in json.loads(run("kernel", "list", "--json")[1] or "[]"):
            if k["name"] == "ppc64le":
                return k
        code, _, err = run("kernel", "fetch", "--arch", "ppc64le")
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
        run("kernel", "fetch", "--arch", "ppc64le")
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
    code, out, err = boot("uname -m; grep -c ^processor /proc/cpuinfo; cat /proc/cmdline; date +%Y-%m; exit 7", "--rtc", "2006-06-17T16:01:21")
    check(code == 7, "status %d: %s" % (code, err + out[-400:]))
    for want in ("ppc64le\r\n1\r\n", "console=hvc0 quiet", "\n2006-06\r\n"):
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


def typed_input():
    """Lines of input that come one after another, each after the answer to the one before."""
    command = "stty -echo; echo ready; for i in 1 2 3; do read line; echo got $line; sleep 1; done; exit 7"
    with Machine("--arch", "ppc64le", "--net", "none", "--kernel", kernel()["path"], "--initrd", initrd(command, ""), "--append",
                 "console=hvc0 quiet") as m:
        m.expect(b"ready", PATIENCE)
        for word in (b"one", b"two", b"three"):
            m.send(word + b"\n")
            m.expect(b"got " + word, PATIENCE)
        check(m.wait(PATIENCE) == 7, "its end")


def reboots():
    """As often as a disk remembers."""
    times = int(os.environ.get("HULL_PPC_REBOOTS", "1"))
    with open("count", "wb") as f:
        f.write(b"0".ljust(65536, b"\n"))
    code, out, err = boot("read n </dev/vda; echo boot $n; [ $n -lt %d ] || exit 7; echo $((n+1)) | dd of=/dev/vda conv=notrunc "
                          "2>/dev/null; sync; reboot -f" % times, "--cpus", "4", "--disk", "count", modules="virtio_pci,virtio_blk")
    check(code == 7, "status %d: %s" % (code, err + out[-400:]))
    check("boot %d\r\n" % times in out, out[-600:])


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
                       (("--firmware", "x"), "--kernel"),
                       (("-m", "64M", "--kernel", "x"), "128 MiB"), (("--mmu", "flat", "--kernel", "x"), "radix or hash"),
                       (("--rtc", "2006-02-30", "--kernel", "x"), "--rtc 2006-02-30: give utc, localtime or a date")):
        code, _, err = run("boot", "--arch", "ppc64le", *args)
        check(code == 125 and want in err, "%r: %d %r" % (args, code, err))
    code, _, err = run("boot", "--mmu", "hash", "--kernel", "x")
    check(code == 125 and "ppc64le" in err, err)
    code, _, err = run("boot", "--arch", "vax", "--kernel", "x")
    check(code == 125 and "x86_64 or ppc64le" in err, err)


def program(name, words, at=0x100000):
    """An ELF file of big-endian instructions, as a POWER CPU starts, at a physical address."""
    code = b"".join(struct.pack(">I", w) for w in words)
    head = b"\177ELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 21, 1, at, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    with open(name, "wb") as f:
        f.write(head + struct.pack("<IIQQQQQQ", 1, 7, 120, at, at, len(code), len(code), 4) + code)
    return "./" + name


class Gdb:
    """The client's end of GDB's protocol, for machines gdb itself was not built for."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.sock.settimeout(PATIENCE)
        self.buf = b""

    def reply(self):
        while True:
            start, end = self.buf.find(b"$"), self.buf.find(b"#")
            if 0 <= start < end and len(self.buf) >= end + 3:
                body, self.buf = self.buf[start + 1:end], self.buf[end + 3:]
                self.sock.sendall(b"+")
                return body.decode()
            data = self.sock.recv(65536)
            check(data, "the debugger's connection was closed")
            self.buf += data

    def send(self, text):
        self.sock.sendall(b"$%s#%02x" % (text.encode(), sum(text.encode()) & 255))

    def ask(self, text):
        self.send(text)
        return self.reply()

    def reg(self, n):
        return int.from_bytes(bytes.fromhex(self.ask("p%x" % n)), "little")


def gdb():
    R_PC, LOOP, DATA = 32, 0x100008, 0x200000
    kernel = program("loop", [0x38800000,  # li r4,0
                              0x3ca00020,  # lis r5,DATA
                              0x38840001,  # loop: addi r4,r4,1
                              0xf8850000,  # std r4,0(r5)
                              0xe8c50000,  # ld r6,0(r5)
                              0x4bfffff4])  # b loop
    port = free_port()
    with Machine("--arch", "ppc64le", "--net", "none", "--cpus", "2", "--kernel", kernel, "--gdb", str(port)) as m:
        m.expect(b"waiting for gdb")
        g = Gdb(port)
        xml = g.ask("qXfer:features:read:target.xml:0,3000")
        check("powerpc:common64" in xml and "org.gnu.gdb.power.vsx" in xml, xml[:200])
        check("T05" in g.ask("?"), "not stopped")
        check(g.reg(R_PC) == 0x100000 and g.reg(3) > 0x100000, "starts at %#x" % g.reg(R_PC))
        for i in range(3):
            g.ask("s")
        check(g.reg(R_PC) == LOOP + 4 and g.reg(4) == 1 and g.reg(5) == DATA, "after 3 steps: %#x" % g.reg(R_PC))
        check(g.ask("Z0,%x,4" % (LOOP + 8)) == "OK", "no breakpoint")
        check("T05" in g.ask("c") and g.reg(R_PC) == LOOP + 8 and g.reg(4) == 1, "breakpoint: %#x" % g.reg(R_PC))
        check(g.ask("m%x,8" % DATA) == "0000000000000001", g.ask("m%x,8" % DATA))
        check(g.ask("P4=" + (7).to_bytes(8, "little").hex()) == "OK" and g.reg(4) == 7, "register not written")
        g.ask("z0,%x,4" % (LOOP + 8))
        check(g.ask("Z2,%x,1" % (DATA + 7)) == "OK", "no watchpoint")
        why = g.ask("c")
        check("watch:%x" % (DATA + 7) in why and g.reg(R_PC) == LOOP + 4, why + " %#x" % g.reg(R_PC))
        check(g.ask("m%x,8" % DATA) == "0000000000000001", "the access was made")
        g.ask("z2,%x,1" % (DATA + 7))
        g.ask("s")
        check(g.ask("m%x,8" % DATA) == "0000000000000008", "after the access: " + g.ask("m%x,8" % DATA))
        check(g.ask("M%x,8:%016x" % (DATA, 5)) == "OK" and g.ask("m%x,8" % DATA).endswith("05"), "memory not written")
        g.send("c")
        g.sock.sendall(b"\3")
        check("T02" in g.reply() and LOOP <= g.reg(R_PC) < LOOP + 16 and g.reg(4) >= 8, "Ctrl-C")
        check("[not started]" in bytes.fromhex(g.ask("qThreadExtraInfo,2")).decode(), "the second CPU")
        g.send("k")
        check(m.wait() != 0, "killed")


def traces():
    kernel = program("exit", [0x3c801fff, 0x788483e4,  # r4 = 0x1fff00000000
                              0x38a00003, 0x7ca0252c, 0x48000000])  # li r5,3; stwbrx r5,0,r4; b .
    code, _, err = run("boot", "--arch", "ppc64le", "--net", "none", "--kernel", kernel, "--trace", "exc,mmio")
    check(code == 3 and "10000c mmio write 4 1fff00000000 = 3" in err, "%d %r" % (code, err))


if __name__ == "__main__":
    main([stock_kernel, four_cpus_hash_mmu_disk, typed_input, reboots, wrong_kernels, wrong_options, gdb, traces])
