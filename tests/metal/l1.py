# SPDX-License-Identifier: Apache-2.0
"""A Linux host inside QEMU's emulated AMD machine: Debian's kernel, an initramfs of busybox and what is added, and
a shell on the second serial port through which commands are run and their output read back.

Used by the tests of the KVM engine and of src/kmod, and by bench/metal. Nothing here needs root or KVM.
QEMU's SVM has no NRIPS, no decode assists and hardly checks a VMCB; `-cpu max` would make the nested tables
five levels deep, so the model is named.
"""
import base64, os, re, select, shutil, signal, socket, subprocess, sys, tempfile, time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CPU = "EPYC,+svm,+npt"
HZ = os.sysconf("SC_CLK_TCK")


def libraries(program):
    """What the dynamic loader would map for a program, by path."""
    out = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
    return [m for m in re.findall(r"(?:=> )?(/\S+) \(0x", out)]


def with_libraries(*programs):
    """--add arguments of tools/mkinitramfs: programs as (HOST, GUEST) with all they are linked with."""
    adds = {}
    for host, guest in programs:
        adds[guest] = host
        for lib in libraries(host):
            adds[lib] = lib
    return adds


def initramfs(path, command, adds, modules=(), modules_dir=None, build="build"):
    args = [os.path.join(TOP, "tools/mkinitramfs"), "--build", build, "-o", path, "--command", command]
    for guest, host in adds.items():
        args += ["--add", "%s:%s" % (host, guest)]
    if modules:
        args += ["--modules", ",".join(modules), "--modules-dir", modules_dir]
    subprocess.run(args, check=True)
    return path


SHELL = """mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
mkdir -p /run /var/lib /dev/shm; mount -t tmpfs run /run; mount -t tmpfs shm /dev/shm
exec 3<>/dev/ttyS1
stty raw -echo <&3
echo ready >&3
while read -r line <&3; do
	echo "$line" | base64 -d >/tmp/line
	sh /tmp/line </dev/null >&3 2>&1
	echo "<end $?>" >&3
done"""


def available():
    """Why this machine cannot run it, or None."""
    for program in ("qemu-system-x86_64", "busybox"):
        if not shutil.which(program):
            return "no %s" % program
    return None


def cpu_seconds_of(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / HZ


class L1:
    """with L1(kernel, modules_dir, modules, adds) as l1: l1.sh("command")"""

    def __init__(self, kernel, modules_dir, modules=(), adds=None, build="build", memory="1G", cpus=1, cpu=CPU, append="",
                 extra=(), boot_timeout=600):
        self.dir = tempfile.mkdtemp(prefix="hull-l1-")
        self.buf = b""
        initrd = initramfs(os.path.join(self.dir, "initrd"), SHELL, adds or {}, modules, modules_dir, build)
        self.start(["-kernel", kernel, "-initrd", initrd, "-append",
                    "console=ttyS0 no_timer_check panic=-1 " + append], memory, cpus, cpu, extra, boot_timeout)

    def start(self, boot, memory, cpus, cpu, extra, boot_timeout, console=True):
        """console=False: there is one serial port only, the shell's."""
        self.log = os.path.join(self.dir, "console")
        path = os.path.join(self.dir, "shell")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        self.qemu = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg", "-cpu", cpu, "-M", "q35", "-m", memory, "-smp", str(cpus),
             "-display", "none", "-nodefaults", "-no-reboot", *(["-serial", "file:" + self.log] if console else []),
             "-chardev", "socket,id=shell,path=" + path, "-serial", "chardev:shell", *boot, *extra],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(os.path.join(self.dir, "qemu"), "wb"))
        listener.settimeout(300)
        try:
            self.sock = listener.accept()[0]
            self.until(rb"ready\n", boot_timeout)
        except Exception:
            self.close()
            raise

    def cpu_seconds(self):
        """User and system time the emulator has used so far."""
        return cpu_seconds_of(self.qemu.pid)

    def console(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, "rb") as f:
            return f.read().decode(errors="replace")

    def until(self, pattern, timeout):
        end = time.monotonic() + timeout
        while True:
            m = re.search(pattern, self.buf)
            if m:
                before, self.buf = self.buf[:m.start()], self.buf[m.end():]
                return before, m
            left = end - time.monotonic()
            data = b""
            if left > 0 and select.select([self.sock], [], [], left)[0]:
                data = self.sock.recv(65536)
            if not data:
                raise AssertionError("%s %r; it wrote %r; console ends %r" % (
                    "waited %d s for" % timeout if left <= 0 else "the machine ended before",
                    pattern, self.buf[-300:], self.console()[-1500:]))
            self.buf += data.replace(b"\r", b"")

    def begin(self, command):
        """Start a shell command there; until() reads what it writes, `<end STATUS>` at last."""
        self.sock.sendall(base64.b64encode(command.encode()) + b"\n")

    def sh(self, command, timeout=600):
        """(exit status, output) of a shell command there."""
        self.begin(command)
        before, m = self.until(rb"<end (\d+)>\n", timeout)
        return int(m[1]), before.decode(errors="replace")

    def must(self, command, timeout=600):
        status, out = self.sh(command, timeout)
        if status:
            raise AssertionError("%s: status %d: %s; console ends %r" % (command, status, out[-2000:], self.console()[-1500:]))
        return out

    def close(self):
        if self.qemu.poll() is None:
            self.qemu.kill()
        self.qemu.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


EXIT_HIST = "/sys/kernel/tracing/events/kvm/kvm_exit"


def trace_exits(l1):
    """Start counting stock KVM's exits by reason."""
    l1.must("echo 'hist:keys=exit_reason:size=512' > %s/trigger" % EXIT_HIST)


def exits(l1):
    """{exit reason: count} since trace_exits."""
    out = l1.must("cat %s/hist" % EXIT_HIST)
    return {int(k, 0): int(n) for k, n in re.findall(r"exit_reason:\s+(\S+)\s*\} hitcount:\s+(\d+)", out)}
