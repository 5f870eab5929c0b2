# SPDX-License-Identifier: Apache-2.0
"""Shared by the integration tests: TAP, running hull, a machine on a pipe or pseudo terminal."""
import json, os, pty, random, re, select, shutil, signal, socket, subprocess, sys, tempfile, termios, time, traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HULL = os.environ.get("HULL", os.path.join(TOP, "build/hull"))
BUILD = os.path.dirname(HULL)
# Seconds after which something that must come does not: for a machine far slower and busier than ours.
PATIENCE = 600


class Skip(Exception):
    pass


def check(cond, why):
    if not cond:
        raise AssertionError(why)


def run(*args, timeout=PATIENCE, **kw):
    """hull with arguments; (exit status, stdout, stderr)."""
    r = subprocess.run([HULL, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=timeout, **kw)
    return r.returncode, r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace")


def eventually(fn, seconds=PATIENCE):
    """What fn gives as soon as that is true, or at last."""
    end = time.monotonic() + seconds
    while True:
        r = fn()
        if r or time.monotonic() > end:
            return r
        time.sleep(0.05)


def free_port():
    """A TCP port of the loopback's that nobody has, out of the range from which others are given theirs."""
    while True:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", random.randrange(10000, 32000)))
                return s.getsockname()[1]
            except OSError:
                pass


def main(tests):
    """Runs the functions (or those named on the command line), prints TAP."""
    tmp = tempfile.mkdtemp(prefix="hull-test-")
    os.environ["HULL_RUNTIME"] = os.path.join(tmp, "run")
    os.chdir(tmp)
    wanted, failed = sys.argv[1:], 0
    tests = [t for t in tests if not wanted or t.__name__ in wanted]
    for n, t in enumerate(tests, 1):
        t0 = time.monotonic()
        try:
            t()
            print("ok %d - %s # %.1f s" % (n, t.__name__, time.monotonic() - t0))
        except Skip as e:
            print("ok %d - %s # SKIP %s" % (n, t.__name__, e))
        except Exception as e:
            failed += 1
            print("not ok %d - %s" % (n, t.__name__))
            for line in (str(e) or traceback.format_exc()).splitlines():
                print("# " + line)
            print("# " + traceback.format_exc().splitlines()[-3].strip())
        sys.stdout.flush()
    print("1..%d" % len(tests))
    shutil.rmtree(tmp, ignore_errors=True)
    sys.exit(1 if failed else 0)


def kernel(name="cloud"):
    """Path of a stored stock kernel; fetched if it is not there."""
    for attempt in (0, 1):
        for k in json.loads(run("kernel", "list", "--json")[1] or "[]"):
            if k["name"] == name:
                return k
        if attempt == 0:
            code, _, err = run("kernel", "fetch", name, timeout=600)
            if code:
                raise Skip("no kernel package: " + err.strip().splitlines()[-1])
    raise Skip("kernel %s was fetched but is not listed" % name)


def initrd(command, path="initrd", *args):
    """An initramfs that runs a shell command and ends with its status."""
    subprocess.run([os.path.join(TOP, "tools/mkinitramfs"), "--build", BUILD, "-o", path, "--command", command, *args],
                   check=True)
    return os.path.abspath(path)


BOCHS_RC = """
display_library: rfb, options="timeout=0"
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
megs: %d
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=%s, status=inserted
boot: cdrom
clock: sync=none, time0=local
log: bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
mouse: enabled=0
sound: driver=dummy
speaker: enabled=0
cpu: model=%s, count=1, ips=%d, reset_on_triple_fault=0
com1: enabled=1, mode=file, dev=serial
"""


def run_bochs(iso, model, megs=256, ips=50000000, timeout=2 * PATIENCE):
    """Boots an ISO on bochs until it switches itself off; what came from COM1."""
    for p in ("bochs", "unshare"):
        if not shutil.which(p):
            raise Skip("%s is not installed" % p)
    if os.path.exists("serial"):
        os.unlink("serial")
    with open("bochsrc", "w") as f:
        f.write(BOCHS_RC % (megs, iso, model, ips))
    with open("debugger", "w") as f:
        f.write("continue\n")
    # Its display listens everywhere: a network of its own.
    try:
        subprocess.run(["unshare", "-n", "bochs", "-q", "-f", "bochsrc", "-rc", "debugger"], timeout=timeout,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        pass
    check(os.path.exists("serial"), "bochs did not start: " + subprocess.run(
        ["tail", "-1", "bochs.log"], stdout=subprocess.PIPE).stdout.decode())
    return open("serial", errors="replace").read()


class Machine:
    """hull boot as a child on pipes, or on a pseudo terminal (tty=True)."""

    def __init__(self, *args, tty=False, stderr_too=True):
        self.buf, self.master = b"", None
        cmd = [HULL, "boot", *args]
        if tty:
            self.master, slave = pty.openpty()
            self.slave = slave
            self.before = termios.tcgetattr(slave)
            self.child = subprocess.Popen(cmd, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
            self.out = self.master
        else:
            self.child = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                          stderr=subprocess.STDOUT if stderr_too else subprocess.PIPE)
            self.out = self.child.stdout.fileno()

    def expect(self, pattern, timeout=PATIENCE):
        end = time.monotonic() + timeout
        while True:
            m = re.search(pattern, self.buf)
            if m:
                self.buf = self.buf[m.end():]
                return m
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.out], [], [], left)[0]:
                raise AssertionError("waited %d s for %r; last output: %r" % (timeout, pattern, self.buf[-400:]))
            try:
                data = os.read(self.out, 65536)
            except OSError:
                data = b""
            if not data:
                raise AssertionError("the machine ended; last output: %r" % self.buf[-400:])
            self.buf += data

    def send(self, data):
        if self.master is not None:
            os.write(self.master, data)
        else:
            self.child.stdin.write(data)
            self.child.stdin.flush()

    def wait(self, timeout=PATIENCE):
        """Exit status; the output goes on being read so that nothing blocks."""
        end = time.monotonic() + timeout
        while self.child.poll() is None and time.monotonic() < end:
            if select.select([self.out], [], [], 0.1)[0]:
                try:
                    self.buf += os.read(self.out, 65536)
                except OSError:
                    pass
        if self.child.poll() is None:
            self.child.kill()
            raise AssertionError("did not end within %d s; last output: %r" % (timeout, self.buf[-400:]))
        return self.child.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            self.child.send_signal(signal.SIGKILL)
            self.child.wait()
