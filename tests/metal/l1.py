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


class Lost(AssertionError):
    """The emulator itself was ended by a signal: it says nothing of what ran in it."""


class Silent(AssertionError):
    """The emulator runs and nothing more comes from it."""


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
        with open(os.path.join(self.dir, "stderr"), "wb") as stderr:
            self.qemu = subprocess.Popen(
                ["qemu-system-x86_64", "-accel", "tcg", "-cpu", cpu, "-M", "q35", "-m", memory, "-smp", str(cpus),
                 "-display", "none", "-nodefaults", "-no-reboot", *(["-serial", "file:" + self.log] if console else []),
                 "-chardev", "socket,id=shell,path=" + path, "-serial", "chardev:shell",
                 "-monitor", "unix:" + os.path.join(self.dir, "monitor") + ",server=on,wait=off",
                 "-d", "cpu_reset", "-D", os.path.join(self.dir, "resets"), *boot, *extra],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr)
        try:
            self.sock = self.accept(listener)
            self.until(rb"ready\n", boot_timeout)
        except Exception:
            self.close()
            raise

    def accept(self, listener):
        end = time.monotonic() + 300
        while self.qemu.poll() is None and time.monotonic() < end:
            if select.select([listener], [], [], 1)[0]:
                return listener.accept()[0]
        raise self.lost("QEMU did not start")

    def cpu_seconds(self):
        """User and system time the emulator has used so far."""
        return cpu_seconds_of(self.qemu.pid)

    def console(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, "rb") as f:
            return f.read().decode(errors="replace")

    def read(self, name):
        """A file that the emulator writes."""
        with open(os.path.join(self.dir, name), errors="replace") as f:
            return f.read()

    def processors(self):
        """Where they are that do not go on: RIP, flags, halted or not, interrupts that wait."""
        out = b""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            try:
                s.connect(os.path.join(self.dir, "monitor"))
                s.sendall(b"info registers -a\ninfo lapic 0\ninfo lapic 1\n")
                while data := s.recv(65536):
                    out += data
            except OSError:
                pass
        return "; ".join(re.findall(r"CPU#\d+|RIP=[^\r\n]*|IRR[^\r\n]*|ISR[^\r\n]*|LVTT[^\r\n]*", out.decode()))

    def state(self):
        """What the emulator says of itself: why it ended, or where its processors are. 0 and no triple fault: the
        machine was reset or switched off from inside."""
        try:
            said = "QEMU ended with %d" % self.qemu.wait(5)
        except subprocess.TimeoutExpired:
            said = "QEMU runs, used %d s; %s" % (self.cpu_seconds(), self.processors())
        return "%s; %d triple faults; it said %r" % (
            said, self.read("resets").count("Triple fault"), self.read("stderr")[-200:])

    def lost(self, why):
        """The exception that says why, and what the emulator has to say."""
        text = "%s; %s; console ends %r" % (why, self.state(), self.console()[-1500:])
        return (Lost if (self.qemu.poll() or 0) < 0 else AssertionError)(text)

    def receive(self):
        try:
            return self.sock.recv(65536)
        except ConnectionError:
            return b""

    def until(self, pattern, timeout):
        end = time.monotonic() + timeout
        while not (m := re.search(pattern, self.buf)):
            left = max(end - time.monotonic(), 0)
            if not select.select([self.sock], [], [], left)[0]:
                raise Silent(str(self.lost("waited %d s for %r; it wrote %r" % (timeout, pattern, self.buf[-300:]))))
            data = self.receive()
            if not data:
                raise self.lost("the machine ended before %r; it wrote %r" % (pattern, self.buf[-300:]))
            self.buf += data.replace(b"\r", b"")
        before, self.buf = self.buf[:m.start()], self.buf[m.end():]
        return before, m

    def begin(self, command):
        """Start a shell command there; until() reads what it writes, `<end STATUS>` at last."""
        try:
            self.sock.sendall(base64.b64encode(command.encode()) + b"\n")
        except ConnectionError:
            raise self.lost("the machine ended before %r" % command) from None

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
