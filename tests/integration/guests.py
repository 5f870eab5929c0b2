#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What starts other than by Linux's boot protocol: SeaBIOS and GRUB from a disk, multiboot kernels,
the Debian installer. Packages are fetched by apt-get and unpacked here, never installed. TAP."""
import glob, json, os, shutil, struct, subprocess
from hulltest import Machine, Skip, check, initrd, kernel, main, run

ENGINE = os.environ.get("HULL_ENGINE", "jit")
SEABIOS = "/usr/share/seabios/bios-256k.bin"
GRUB = "/usr/lib/grub/i386-pc"


def boot(*more):
    return Machine("--engine", ENGINE, "--net", "none", *more)


def package(name, pattern):
    """A file of a Debian package."""
    d = os.path.abspath("pkg-" + name)
    if not os.path.isdir(d):
        os.mkdir(d)
        os.chmod(d, 0o777)
        if subprocess.run(["apt-get", "download", name], cwd=d, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode:
            raise Skip("package %s cannot be fetched" % name)
        for deb in glob.glob(d + "/*.deb"):
            subprocess.run(["dpkg-deb", "-x", deb, d], check=True)
    found = glob.glob(os.path.join(d, pattern), recursive=True)
    if not found:
        raise Skip("package %s has no %s" % (name, pattern))
    return found[0]


GRUB_CFG = """serial --unit=0 --speed=115200
terminal_output serial
terminal_input serial
echo grub-is-up
set root=(hd0,msdos1)
linux /boot/vmlinuz console=ttyS0 panic=-1
initrd /boot/initrd
boot
"""


def disk_with_grub(path, kernel_path, initrd_path):
    """An MBR disk: boot sector, GRUB's core behind it, one ext2 partition at 1 MiB."""
    for need in (GRUB + "/boot.img", SEABIOS):
        if not os.path.exists(need):
            raise Skip("%s is missing (grub-pc-bin, seabios)" % need)
    if not shutil.which("grub-mkimage") or not shutil.which("mke2fs"):
        raise Skip("no grub-mkimage or mke2fs")
    os.makedirs("fs/boot", exist_ok=True)
    shutil.copy(kernel_path, "fs/boot/vmlinuz")
    shutil.copy(initrd_path, "fs/boot/initrd")
    with open("grub.cfg", "w") as f:
        f.write(GRUB_CFG)
    subprocess.run(["grub-mkimage", "-O", "i386-pc", "-o", "core.img", "-p", "(hd0,msdos1)/boot/grub", "-c", "grub.cfg",
                    "biosdisk", "part_msdos", "ext2", "linux", "serial", "terminal", "echo", "normal", "boot",
                    "minicmd"], check=True)
    size, start = 64 << 20, 2048
    with open(path, "wb") as f:
        f.truncate(size)
    subprocess.run(["mke2fs", "-q", "-t", "ext2", "-d", "fs", "-E", "offset=%d" % (start * 512), path,
                    "%dk" % ((size - start * 512) >> 10)], check=True)
    mbr = bytearray(open(GRUB + "/boot.img", "rb").read()[:512])
    core = bytearray(open("core.img", "rb").read())
    sectors = (len(core) + 511) // 512
    core += bytes(sectors * 512 - len(core))
    struct.pack_into("<Q", mbr, 0x5c, 1)  # boot.img: where the core begins
    struct.pack_into("<QHH", core, 0x1f4, 2, sectors - 1, 0x820)  # its first sector: the rest's block list
    mbr[440:510] = bytes(70)  # code for floppy disks lies there
    struct.pack_into("<B3xB3xII", mbr, 446, 0x80, 0x83, start, size // 512 - start)
    with open(path, "r+b") as f:
        f.write(mbr + core)


def seabios_grub_linux():
    rd = initrd("grep -c ^processor /proc/cpuinfo; dmesg | grep -m1 DMI:; exit 9", "initrd-fw")
    disk_with_grub("disk.img", kernel()["path"], rd)
    with boot("--firmware", SEABIOS, "--disk", "disk.img", "-m", "512M", "--cpus", "2") as m:
        m.expect(rb"SeaBIOS \(version")
        m.expect(rb"grub-is-up")
        m.expect(rb"\n2\r?\n")
        m.expect(rb"DMI: hull hull pc")
        check(m.wait() == 9, "exit status %s" % m.child.returncode)


def seabios_grub_reboots():
    """The machine's reset button, as Linux presses it: firmware, boot loader and kernel again, in the
    memory and the translations that the kernel before left."""
    disk_with_grub("disk.img", kernel()["path"], initrd("echo fw-$((40 + 2)); reboot -f; sleep 60", "initrd-rb"))
    with boot("--firmware", SEABIOS, "--disk", "disk.img", "-m", "512M", "--cpus", "2") as m:
        for _ in range(4):
            m.expect(rb"SeaBIOS \(version")
            m.expect(rb"grub-is-up")
            m.expect(rb"fw-42")


def xen_starts_linux_as_dom0():
    xen = package("xen-hypervisor-4.17-amd64", "boot/xen-4.17-amd64.gz")
    dom0 = "vmlinuz earlyprintk=xen,keep"  # a module's string is its name and arguments
    if not os.path.lexists(dom0):
        os.symlink(kernel()["path"], dom0)
    with boot("-m", "1024M", "--kernel", xen, "--initrd", dom0, "--initrd", initrd("uname -r; cat /sys/hypervisor/type", "initrd-x"),
              "--append", "console=com1 com1=115200,8n1 dom0_mem=512M") as m:
        m.expect(rb"\(XEN\) Xen version 4\.17")
        m.expect(rb"Bootloader: hull")
        m.expect(rb"Run /init as init process")


def gnumach():
    mach = package("gnumach-image-1.8-486", "boot/gnumach-*.gz")
    with boot("-m", "256M", "--kernel", mach, "--append", "console=com0") as m:
        m.expect(rb"biosmem: .*available")
        m.expect(rb"No bootstrap code loaded with the kernel")  # as it says without a Hurd


def memtest(name):
    image = package("memtest86+", "boot/memtest86+%s.bin" % name)
    with boot("-m", "64M", "--kernel", image, "--append", "console=ttyS0,115200") as m:
        m.expect(rb"Memtest86\+")
        m.expect(rb"Status: Testing")


def memtest_x64():
    memtest("x64")


def memtest_ia32():
    memtest("ia32")


def debian_installer():
    base = "usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/"
    linux = package("debian-installer-12-netboot-amd64", base + "linux")
    rd = package("debian-installer-12-netboot-amd64", base + "initrd.gz")
    with boot("-m", "1024M", "--kernel", linux, "--initrd", rd, "--append", "console=ttyS0") as m:
        m.expect(rb"Select a language")


if __name__ == "__main__":
    main([seabios_grub_linux, seabios_grub_reboots, xen_starts_linux_as_dom0, gnumach, memtest_x64, memtest_ia32,
          debian_installer])
