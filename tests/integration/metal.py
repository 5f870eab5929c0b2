#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hull-metal on QEMU's emulated machine with AMD SVM: boot, guests, consoles, isolation, bad input.

HULL_METAL_LONG=1 (make test-metal) adds the ISO on BIOS and UEFI, a Debian root and longer runs.
"""
import importlib.machinery, importlib.util, os, re, select, shutil, subprocess, sys, time

from hulltest import BUILD, PATIENCE, TOP, Skip, check, eventually, initrd, kernel, main, run_bochs

ELF = os.path.join(BUILD, "src/metal/hull-metal")
SMALL = os.path.join(BUILD, "guest/metal/metal-guest.elf")
FUZZ = os.path.join(BUILD, "guest/fuzz/fuzz-guest.elf")
LONG = bool(os.environ.get("HULL_METAL_LONG"))
CPU = "EPYC,+svm,+npt"


def cpio():
    path = os.path.join(TOP, "tools/mkinitramfs")
    loader = importlib.machinery.SourceFileLoader("mkinitramfs", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("mkinitramfs", loader))
    loader.exec_module(module)
    return module.Cpio()


def bag(config, files=(), path="modules"):
    """An archive of modules: the configuration and (name, path) files."""
    c = cpio()
    c.file("hull.conf", config.encode())
    for name, src in files:
        with open(src, "rb") as f:
            c.file(name, f.read())
    c.write(path)
    return path


class Metal:
    """The emulated machine, its serial port on our pipes."""

    def __init__(self, modules=None, memory=1024, cpus=2, cpu=CPU, append="", args=()):
        qemu = shutil.which("qemu-system-x86_64")
        if not qemu:
            raise Skip("no qemu-system-x86_64")
        cmd = [qemu, "-accel", "tcg", "-cpu", cpu, "-M", "q35", "-m", str(memory), "-smp", str(cpus), "-nographic",
               "-no-reboot", "-net", "none"]
        if "-cdrom" not in args:
            cmd += ["-kernel", ELF, "-append", append]
        if modules:
            cmd += ["-initrd", modules]
        self.child = subprocess.Popen(cmd + list(args), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=open("qemu", "wb"))
        self.all, self.at = b"", 0

    def read(self, left):
        if left <= 0 or not select.select([self.child.stdout], [], [], left)[0]:
            return False
        data = os.read(self.child.stdout.fileno(), 65536)
        self.all += data.replace(b"\r", b"")
        return bool(data)

    def expect(self, pattern, timeout=PATIENCE):
        end = time.monotonic() + timeout
        while True:
            m = re.compile(pattern, re.M).search(self.all, self.at)
            if m:
                self.at = m.end()
                return m
            if not self.read(end - time.monotonic()):
                time.sleep(1)  # for its status
                raise AssertionError("no %r; QEMU's exit status %s, its words %r; last output: %r" %
                                     (pattern, self.child.poll(), open("qemu").read()[-500:], self.all[-1500:]))

    def send(self, text):
        for c in text.encode():  # as a person types: the receive FIFO has 16 bytes
            self.child.stdin.write(bytes([c]))
            self.child.stdin.flush()
            time.sleep(0.003)

    def command(self, text, answer, timeout=PATIENCE):
        self.send(text + "\r")
        return self.expect(answer, timeout)

    def end(self, timeout=PATIENCE):
        """Waits for it to switch itself off; all its output."""
        end = time.monotonic() + timeout
        while self.child.poll() is None and time.monotonic() < end:
            self.read(min(1, end - time.monotonic()))
        while self.read(0.1):
            pass
        check(self.child.poll() is not None, "it does not switch off; last output: %r" % self.all[-1500:])
        return self.all.decode(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()


def guest(name, kernel="small", memory="16M", cmdline="do=hello", **more):
    lines = ["[guest %s]" % name, "kernel = %s" % kernel, "memory = %s" % memory, "cmdline = %s" % cmdline]
    return "\n".join(lines + ["%s = %s" % kv for kv in more.items()]) + "\n"


def segments_are_w_xor_x():
    """No segment of the image is writable and executable, nor any section."""
    out = subprocess.run(["readelf", "-lSW", ELF], stdout=subprocess.PIPE, check=True).stdout.decode()
    loads = re.findall(r"^\s+LOAD\s.*?\s([R ][W ][E ])\s+0x", out, re.M)
    check(len(loads) >= 3, "fewer LOAD segments than expected: %r" % loads)
    check(not [f for f in loads if "W" in f and "E" in f], "writable and executable: %r" % loads)
    sections = re.findall(r"\s(?:PROGBITS|NOBITS)\s.*?\s([WAXMSlip]+)\s+\d+\s+\d+\s+\d+$", out, re.M)
    check(sections and not [f for f in sections if "W" in f and "X" in f], "sections: %r" % sections)


def small_guest_by_pvh():
    with Metal(bag(guest("one", log="yes"), [("small", SMALL)]), append="poweroff") as m:
        out = m.end()
    for want in ("PVH, 10", "2 CPUs, svm", "no page is writable and executable", "1 of 1 guests started",
                 "[one] test kernel: do=hello", "guest one ended: exit with 0", "power off"):
        check(want in out, "no %r in %r" % (want, out[-1500:]))


COMMAND = """dmesg | grep -o 'kernel on .*'; nproc; echo entropy devices: $(grep -l 0x1044 /sys/bus/pci/devices/*/device | wc -l)
cat /sys/hypervisor/properties/capabilities 2>/dev/null; echo GUEST-IS-UP"""


def stock_kernel_three_ways():
    """Debian's cloud kernel told nothing, with KVM's and with Xen's interface; two of them have two CPUs."""
    rd = initrd(COMMAND)
    conf = "".join(guest(pv, "vmlinuz", "192M", "console=%s quiet" % tty, initrd="initrd", pv=pv, cpus=cpus, entry=entry,
                         log="yes", rng="no" if pv == "kvm" else "yes")
                   for pv, tty, cpus, entry in (("none", "ttyS0", 1, "linux"), ("kvm", "ttyS0", 2, "linux"),
                                                ("xen", "hvc0", 2, "pvh")))
    with Metal(bag(conf, [("vmlinuz", kernel()["path"]), ("initrd", rd)]), 1200) as m:
        for _ in range(3):
            m.expect(rb"guest \w+ ended: exit with 0")
        out = m.command("stats", rb"guest xen:(.|\n)*unknown \d+, upcalls \d+") and m.all.decode(errors="replace")
        m.send("poweroff\r")
        m.end()
    for want in ("[none] GUEST-IS-UP", "[kvm] GUEST-IS-UP", "[xen] GUEST-IS-UP", "[kvm] 2", "[xen] 2",
                 "[none] entropy devices: 1", "[kvm] entropy devices: 0", "[xen] hvm-3.0-x86_64",
                 "[none] kernel on bare hardware", "[kvm] kernel on KVM",
                 "[xen] kernel on Xen PVH"):
        check(want in out, "no %r in %r" % (want, out[-3000:]))
    exits = {g: int(n) for g, n in re.findall(r"^guest (\w+): (\d+) exits", out, re.M)}
    print("# exits to user space: %s" % exits)
    check(exits["kvm"] < 40390 / 2 and exits["xen"] < 40390 / 2, "more exits than half of KVM's: %s" % exits)


def hostile_guests_cost_only_themselves():
    bad = [("triple", {}), ("spin", {}), ("touch", {"cmdline": "do=touch mem=16"}),
           ("flood", {"cmdline": "do=flood rounds=5000"}), ("calls", {"cmdline": "do=calls rounds=20000", "pv": "xen"}),
           ("kcalls", {"cmdline": "do=calls rounds=5000", "pv": "kvm"}),
           ("msrs", {"cmdline": "do=msrs rounds=5000", "pv": "kvm"})]
    conf = guest("good", cmdline="do=ticks")
    for name, more in bad:
        conf += guest(name, **{"cmdline": "do=" + name, "log": "yes", **more})
    conf += guest("devices", "fuzz", "32M", "seed=7 rounds=1500", net="lan", disk="memory:1M", pv="xen")
    with Metal(bag(conf, [("small", SMALL), ("fuzz", FUZZ)])) as m:
        m.expect(rb"guests started")
        for _ in range(7):
            m.expect(rb"guest (\w+) ended: (exit with 0|CPU 0: triple fault)")
        m.command("console good", rb"tick \d+\n")
        m.expect(rb"tick \d+\n")
        m.send("\x1d")
        m.expect(rb"hull> ")
        m.command("list", rb"1 +good +running(.|\n)*spin +running")
        m.command("destroy spin", rb"guest spin is gone")
        m.send("poweroff\r")
        out = m.end()
    check("guest triple ended: CPU 0: triple fault" in out, "the triple fault is not said")
    check("touch: places that kept a value: 0" in out, "a guest wrote outside of its memory: %r" % out[-2000:])
    check("this is a bug" not in out, out[-2000:])


def interrupts_that_the_machine_loses():
    """QEMU's VMRUN loses an interrupt that comes while it makes a virtual one pending: no CPU is lost with it."""
    conf = guest("first", cmdline="do=timers", log="yes") + guest("second", cmdline="do=timers", log="yes")
    with Metal(bag(conf, [("small", SMALL)])) as m:
        for _ in range(2):
            m.expect(rb"test kernel: do=timers")
        end, last = time.monotonic() + (60 if LONG else 12), 0

        def ticks():
            return int(m.command("stats", rb"cpu 1 .* (\d+) ticks(.|\n)*?hull> ")[1])
        while time.monotonic() < end:
            time.sleep(1)
            check(eventually(lambda: ticks() > last, 60), "CPU 1 stands still at %d ticks" % last)
            last = ticks()
        m.command("destroy first", rb"guest first is gone")
        m.command("destroy second", rb"guest second is gone")


def consoles_and_life():
    """Prompt, consoles, input, pause, and no page lost by making and destroying a guest again and again."""
    rd = initrd("stty -echo; echo TYPE; read a; echo GOT-$a; read b")
    conf = guest("one", "vmlinuz", "160M", "console=ttyS0 quiet", initrd="initrd", net="lan", disk="memory:4M")
    conf += guest("two", cmdline="do=ticks", start="no", net="lan", disk="memory:4M", cpus=2)
    with Metal(bag(conf, [("vmlinuz", kernel()["path"]), ("initrd", rd), ("small", SMALL)])) as m:
        m.expect(rb"1 of 2 guests started")
        m.command("help", rb"destroy +GUEST")
        m.command("frobnicate", rb"there is no command frobnicate")
        m.command("create nobody", rb"has no guest nobody")
        m.command("console one", rb"TYPE")
        m.send("hello\r")
        m.expect(rb"GOT-hello")
        m.send("\x1d")
        m.expect(rb"hull> ")
        free = set()
        for _ in range(50 if LONG else 8):
            m.command("create two", rb"guest two is made")
            free.add(m.command("destroy two", rb"guest two is gone; (\d+) pages free")[1])
        check(len(free) == 1, "free pages after each destroy: %s" % free)
        m.command("create two", rb"is made")
        m.command("console two", rb"tick")
        m.send("\x1d")
        m.command("pause two", rb"hull> ")
        m.command("list", rb"two +paused")
        m.command("resume two", rb"hull> ")
        m.command("console two", rb"tick \d+\n.*tick \d+\n")
        m.send("\x1d")
        m.command("stats", rb"memory in pages")
        check(b"are lost" not in m.all, "pages are lost")
        m.send("reboot\r")
        m.end()


NETWORK = """
for w in $(cat /proc/cmdline); do case $w in addr=*) A=${w#addr=};; role=*) R=${w#role=};; mib=*) N=${w#mib=};; esac; done
ip link set lo up; ip addr add $A/24 dev eth0; ip link set eth0 up
if [ $R = server ]; then nc -l -p 5000 | md5sum | sed 's/^/SUM-/'
else
  dd if=/dev/urandom of=/dev/vda bs=1M count=$N 2>/dev/null; sync; md5sum /dev/vda | sed 's/^/SUM-/'
  until ping -c 1 -w 2 10.0.0.1 >/dev/null; do sleep 1; done
  ping -c 3 10.0.0.1 | grep received; until nc 10.0.0.1 5000 </dev/vda; do sleep 1; done
fi
"""


def two_guests_over_the_switch():
    k = kernel()
    mib = 64 if LONG else 8
    rd = initrd(NETWORK, "initrd", "--modules", "virtio_net,virtio_blk,virtio_pci", "--modules-dir", k["modules"])
    line = "console=ttyS0 quiet role=%s addr=10.0.0.%d mib=" + str(mib)
    conf = guest("server", "vmlinuz", "192M", line % ("server", 1), initrd="initrd", net="lan", pv="kvm", log="yes")
    conf += guest("client", "vmlinuz", "256M", line % ("client", 2), initrd="initrd", net="lan", pv="kvm", log="yes",
                  disk="memory:%dM" % mib)
    conf += guest("deaf", cmdline="do=ticks", net="other")
    with Metal(bag(conf, [("vmlinuz", k["path"]), ("initrd", rd), ("small", SMALL)]), 1200) as m:
        for _ in range(2):
            m.expect(rb"guest \w+ ended: exit with 0", 2 * PATIENCE)
        out = m.all.decode(errors="replace")
    check("3 packets received, 0% packet loss" in out, "ping: %r" % out[-1500:])
    sums = re.findall(r"SUM-(\w{32})", out)
    check(len(sums) == 2 and sums[0] == sums[1], "checksums %s" % sums)


def time_stands_still_in_pause():
    """All clocks of a guest stand still together, so its TSC is not ahead of its timers afterwards."""
    with Metal(bag(guest("one", cmdline="do=clocks", log="yes"), [("small", SMALL)])) as m:
        m.expect(rb"apart \d+\n")
        m.command("pause one", rb"hull> ")
        time.sleep(4)
        m.command("resume one", rb"hull> ")
        m.at = len(m.all)
        apart = min(int(m.expect(rb"apart (\d+)\n")[1]) for _ in range(3))
    check(apart < 2000, "its clocks are %d ms apart" % apart)


def bad_modules_and_configurations():
    conf = guest("good", log="yes") + guest("gone", "nothing") + guest("text", "hull.conf") + guest("big", memory="32G")
    conf += "[guest wrong]\nkernel = small\nmemory = plenty\n" + guest("pinned", pin="7") + guest("cut", "half")
    with open(SMALL, "rb") as f:
        small = f.read()
    with open("half", "wb") as f:
        f.write(small[:len(small) // 2])
    with Metal(bag(conf, [("small", SMALL), ("half", "half")]), append="poweroff strange") as m:
        out = m.end()
    for want in ("there is no option strange", "guest gone: there is no module nothing",
                 "guest text: kernel hull.conf: not a kernel", "guest big: no 32768 MiB of free memory",
                 "memory is 4M to 64G", "guest wrong is left out", "guest pinned: no CPU for its CPU 0",
                 "guest cut: kernel half: ", "1 of 7 guests started", "guest good ended: exit with 0"):
        check(want in out, "no %r in %r" % (want, out[-2500:]))
    with open("modules", "rb") as f:
        data = f.read()
    with open("cut", "wb") as f:
        f.write(data[:len(data) - 3000])
    with Metal("cut") as m:
        m.expect(rb"the archive of modules is damaged")
        m.expect(rb"hull> ")
    with Metal(None) as m:
        m.expect(rb"there is no module hull.conf")


def machines_that_lack_something():
    for args, want in (({"cpu": "qemu64,-svm"}, rb"this machine cannot run guests: .*; halted"),
                       ({"cpu": "EPYC,+svm,-npt"}, rb"this machine cannot run guests: .*; halted"),
                       ({"memory": 20}, rb"too little memory: .*; halted")):
        with Metal(None, **args) as m:
            m.expect(want)
            check(not m.child.poll(), "it reset instead of halting")


def iso(*args, config=None):
    if not shutil.which("grub-mkrescue"):
        raise Skip("no grub-mkrescue")
    with open("hull.conf", "w") as f:
        f.write(config or guest("one", "metal-guest.elf", log="yes"))
    cmd = [os.path.join(TOP, "tools/metal-iso"), "--build", BUILD, "-o", "test.iso", "--config", "hull.conf"]
    for path in args:
        cmd += ["--module", path]
    r = subprocess.run(cmd + ["--options", "poweroff"], stderr=subprocess.PIPE)
    check(not r.returncode, "metal-iso: %s" % r.stderr.decode())
    return ["-cdrom", "test.iso", "-boot", "d"]


def iso_on_bios():
    with Metal(None, args=iso(SMALL)) as m:
        out = m.end()
    check("multiboot2" in out and "guest one ended: exit with 0" in out, out[-1500:])


def uefi():
    code = "/usr/share/OVMF/OVMF_CODE_4M.fd"
    if not os.path.exists(code):
        raise Skip("no OVMF (Debian: ovmf)")
    shutil.copy("/usr/share/OVMF/OVMF_VARS_4M.fd", "vars.fd")
    return ["-drive", "if=pflash,format=raw,unit=0,readonly=on,file=" + code,
            "-drive", "if=pflash,format=raw,unit=1,file=vars.fd"]


def iso_on_uefi():
    with Metal(None, args=iso(SMALL) + uefi()) as m:
        out = m.end()
    check("multiboot2" in out and "guest one ended: exit with 0" in out, out[-1500:])


def vmx_on_bochs():
    """The same ISO on a machine with VMX and EPT: a small guest; in the long run Debian's kernel."""
    conf, files = guest("one", "metal-guest.elf", log="yes"), [SMALL]
    if LONG:
        conf += guest("linux", "vmlinuz", "128M", "console=ttyS0 quiet", initrd="initrd", pv="kvm", log="yes")
        files += [kernel()["path"], initrd("echo GUEST-IS-UP")]
    iso(*files, config=conf)
    out = run_bochs("test.iso", "corei7_skylake_x", 512, 100000000)
    for want in ["1 CPUs, vmx", "guest one ended: exit with 0"] + (["[linux] GUEST-IS-UP"] if LONG else []):
        check(want in out, "no %r in %r" % (want, out[-1500:]))


ROOT_INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
while read -r m; do /bin/busybox insmod "$m"; done </modules
/bin/busybox mount -t ext4 /dev/vda /mnt
/bin/busybox umount /dev
exec /bin/busybox switch_root /mnt /sbin/init
"""


def debian_root():
    """A small Debian with systemd on an ext4 image, kept in the build directory."""
    image = os.path.join(BUILD, "metal-root.img")
    if os.path.exists(image):
        return image
    if not shutil.which("mmdebstrap") or os.getuid():
        raise Skip("no mmdebstrap, or not root")
    hooks = ["chroot \"$1\" passwd -d root", "echo metal-guest >\"$1/etc/hostname\"",
             "echo '/dev/vda / ext4 defaults 0 0' >\"$1/etc/fstab\"",
             "rm -rf \"$1\"/var/cache/apt/* \"$1\"/var/lib/apt/lists/* \"$1\"/usr/share/doc \"$1\"/usr/share/locale"]
    subprocess.run(["mmdebstrap", "--variant=minbase", "--mode=root", "--include=systemd-sysv,udev,dbus,iproute2"]
                   + ["--customize-hook=" + h for h in hooks] + ["bookworm", "root"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run("truncate -s 320M root.img && mke2fs -q -t ext4 -d root root.img", shell=True, check=True)
    shutil.rmtree("root")
    shutil.move("root.img", image)
    return image


def three_guests(flash):
    """From one ISO: Debian's cloud kernel, its full kernel with a Debian root to a login, and a small kernel."""
    full, cloud = kernel("generic"), kernel()
    with open("rootinit", "w") as f:
        f.write(ROOT_INIT)
    os.chmod("rootinit", 0o755)
    initrd("true", "rootrd", "--modules", "virtio_blk,virtio_pci,crc32c_generic,ext4", "--modules-dir", full["modules"],
           "--add", "rootinit:init")
    initrd("echo GUEST-IS-UP; sleep 100000", "cloudrd")
    shutil.copy(full["path"], "vmlinuz-full")
    shutil.copy(cloud["path"], "vmlinuz-cloud")
    conf = guest("cloud", "vmlinuz-cloud", "160M", "console=ttyS0 quiet", initrd="cloudrd", pv="kvm", log="yes")
    conf += guest("debian", "vmlinuz-full", "512M", "console=ttyS0 quiet", initrd="rootrd", pv="kvm",
                  disk="metal-root.img", weight=1024)
    conf += guest("small", "metal-guest.elf", cmdline="do=ticks", cap=10) + guest("triple", "metal-guest.elf",
                                                                                    cmdline="do=triple")
    args = iso("vmlinuz-full", "vmlinuz-cloud", "rootrd", "cloudrd", debian_root(), SMALL, config=conf)
    with Metal(None, 2600, args=args + flash) as m:
        m.expect(rb"guest triple ended: CPU 0: triple fault")
        m.at = 0  # in whichever order
        m.expect(rb"\[cloud\] GUEST-IS-UP")
        m.command("console debian", rb"metal-guest login: ", 500)
        m.send("root\r")
        m.command("", rb"root@metal-guest", 120)
        m.command("uname -v; df -h / | tail -1", rb"Debian 6\.1(.|\n)*/dev/(vda|root)", 60)
        m.send("\x1d")
        m.command("console small", rb"tick \d+\n", 60)
        m.send("\x1d")
        m.command("list", rb"cloud +running(.|\n)*debian +running(.|\n)*small +running", 60)
        m.send("poweroff\r")
        m.end()


def three_guests_on_bios():
    three_guests([])


def three_guests_on_uefi():
    three_guests(uefi())


if __name__ == "__main__":
    main([segments_are_w_xor_x, small_guest_by_pvh, stock_kernel_three_ways, hostile_guests_cost_only_themselves,
          interrupts_that_the_machine_loses, consoles_and_life, two_guests_over_the_switch, time_stands_still_in_pause,
          bad_modules_and_configurations, machines_that_lack_something,
          iso_on_bios, vmx_on_bochs] + ([iso_on_uefi, three_guests_on_bios, three_guests_on_uefi] if LONG else []))
