#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stock Debian kernel with a busybox initramfs on the jit engine: boot, exit status, power, reset,
control socket, console, terminal. TAP on stdout. HULL_ENGINE chooses another engine."""
import fcntl, json, os, re, select, signal, struct, subprocess, termios, time
from hulltest import HULL, PATIENCE, Machine, Skip, check, eventually, initrd, kernel, main, run

ENGINE = os.environ.get("HULL_ENGINE", "jit")


def args(command, *more, name="cloud", append=""):
    return ("--engine", ENGINE, "-m", "256M", "--kernel", kernel(name)["path"], "--initrd",
            initrd(command, "initrd-%d" % (abs(hash(command)) % 10**8)), "--append",
            "console=ttyS0 panic=-1 " + append, "--net", "none", *more)


def boots_and_gives_exit_status():
    with Machine(*args("uname -r; date +%Y-%m; exit 42", "--rtc", "2006-06-17T16:01:21")) as m:
        m.expect(rb"hull-init: up")
        m.expect(rb"6\.1\.\S*cloud-amd64\r?\n2006-06\r?\n")
        check(m.wait() == 42, "exit status %s" % m.child.returncode)


def four_cpus():
    """Its date is by the CMOS clock, as kernels have it that know no paravirtual one."""
    with Machine(*args("echo cpus=$(grep -c ^processor /proc/cpuinfo); date +%Y-%m", "--cpus", "4", "--rtc", "base=2006-06-17",
                       append="no-kvmclock")) as m:
        m.expect(rb"cpus=4\r?\n2006-06\r?\n")
        check(m.wait() == 0, "exit status")


def sixty_four_cpus():
    with Machine(*args("echo cpus=$(grep -c ^processor /proc/cpuinfo)", "--cpus", "64")) as m:
        m.expect(rb"cpus=64\b")
        check(m.wait() == 0, "exit status")


def generic_kernel():
    with Machine(*args("uname -r; exit 3", name="generic")) as m:
        m.expect(rb"6\.1\.\S*-amd64\r?\n")
        check(m.wait() == 3, "exit status")


def powers_off():
    with Machine(*args("poweroff -f; sleep 100")) as m:
        m.expect(rb"command starts")
        check(m.wait() == 0, "exit status %s" % m.child.returncode)


def power_button_and_second_signal():
    # busybox has no acpid here: the first signal is seen by the kernel only, the second kills.
    with Machine(*args("echo ready; sleep 1000")) as m:
        m.expect(rb"ready")
        m.child.send_signal(signal.SIGTERM)
        m.expect(rb"power button")
        time.sleep(0.5)
        check(m.child.poll() is None, "ended by the first signal")
        m.child.send_signal(signal.SIGTERM)
        check(m.wait() == 128 + signal.SIGTERM, "exit status %s" % m.child.returncode)


def stuck_machine_ends():
    # A process that does not react at all: the second signal ends it nevertheless.
    with Machine(*args("sleep 1000")) as m:
        m.expect(rb"Linux version")
        kid = int(subprocess.run(["pgrep", "-P", str(m.child.pid)], stdout=subprocess.PIPE).stdout.split()[0])
        os.kill(kid, signal.SIGSTOP)
        for s in (signal.SIGTERM, signal.SIGINT):  # two of the same that come at once are one
            m.child.send_signal(s)
        check(m.wait() == 137, "exit status %s" % m.child.returncode)


def power_button_reaches_the_guest():
    k = kernel()
    path = initrd("e=$(grep -A4 'Power Button' /proc/bus/input/devices | sed -n 's/.*\\(event[0-9]*\\).*/\\1/p' | head -1); "
                  "exec 3</dev/input/$e; echo ready $e; dd bs=24 count=1 of=/dev/null <&3 2>/dev/null; echo pressed; exit 7",
                  "initrd-button", "--modules", "evdev,button", "--modules-dir", k["modules"])
    with Machine("--engine", ENGINE, "-m", "256M", "--kernel", k["path"], "--initrd", path, "--append",
                 "console=ttyS0 panic=-1", "--net", "none", "--name", "button") as m:
        m.expect(rb"ready event\d")
        m.child.send_signal(signal.SIGTERM)
        m.expect(rb"pressed")
        check(m.wait() == 7, "exit status")


def reboots():
    with Machine(*args("echo up again; reboot -f; sleep 100")) as m:
        for i in range(3):
            m.expect(rb"up again")


def triple_fault():
    open("halt.elf", "wb").write(triple_fault_elf())
    code, out, err = run("boot", "--engine", ENGINE, "--kernel", "./halt.elf", "--net", "none")
    check(code == 124 and "triple fault" in err, "%d %s" % (code, err))


def triple_fault_elf():
    """A PVH kernel whose first instruction loads an empty IDT and whose second is ud2."""
    code = b"\x0f\x01\x1d" + struct.pack("<I", 0x100100) + b"\x0f\x0b"
    body = code.ljust(0x100, b"\0") + bytes(16)
    note = struct.pack("<III4sI", 4, 4, 18, b"Xen\0", 0x100000)
    ehsize, phsize = 64, 56
    off = 0x1000
    eh = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, 0x100000, ehsize, 0, 0, ehsize, phsize, 2, 0, 0, 0)
    ph = struct.pack("<IIQQQQQQ", 1, 7, off, 0x100000, 0x100000, len(body), len(body), 0x1000)
    ph += struct.pack("<IIQQQQQQ", 4, 4, 0x200, 0, 0, len(note), len(note), 4)
    image = (eh + ph).ljust(0x200, b"\0") + note
    return image.ljust(off, b"\0") + body


def control_socket():
    with Machine(*args("echo ready; while :; do echo tick; sleep 1; done", "--name", "ctl")) as m:
        m.expect(rb"ready")
        check("ctl" in run("ps")[1], "ps")
        check(run("ps", "--quiet")[1] == "ctl\n", "ps --quiet")
        s = json.loads(run("ps", "--json")[1])[0]
        check(s["state"] == "running" and s["engine"] == ENGINE and s["memory_mib"] == 256, str(s))
        code, _, err = run("boot", "--engine", ENGINE, "--kernel", kernel()["path"], "--name", "ctl", "--console", "pty")
        check(code == 125 and "already running" in err, err)
        m.expect(rb"tick")
        check(run("pause", "ctl")[0] == 0, "pause")
        check(json.loads(run("ps", "--json")[1])[0]["state"] == "paused", "paused")
        while select.select([m.out], [], [], 1)[0]:  # what is still on its way
            os.read(m.out, 65536)
        check(not select.select([m.out], [], [], 3)[0], "a paused machine printed")
        m.buf = b""
        check(run("resume", "ctl")[0] == 0, "resume")
        m.expect(rb"tick")
        i = json.loads(run("inspect", "ctl")[1])
        check(i["vcpus"] and i["memory_kib"] and i["boot"], str(i))
        check(run("kill", "ctl")[0] == 0, "kill")
        check(m.wait() == 137, "exit status %s" % m.child.returncode)
        check(run("ps", "--quiet")[1] == "", "still listed")


def pause_stops_the_guests_clocks():
    with Machine(*args("read a b < /proc/uptime; echo clock=$a; sleep 2; read a b < /proc/uptime; echo clock=$a", "--name", "clk")) as m:
        before, seen = float(m.expect(rb"clock=([0-9.]+)")[1]), time.monotonic()
        check(run("pause", "clk")[0] == 0, "pause")
        time.sleep(5)
        check(run("resume", "clk")[0] == 0, "resume")
        after = float(m.expect(rb"clock=([0-9.]+)")[1])
        gone = time.monotonic() - seen
        check(1.5 < after - before < gone - 3, "the guest counted %.1f s of %.1f" % (after - before, gone))
        check(m.wait() == 0, "exit status")


def console_attach():
    with Machine(*args("echo early-words; read x; echo got=$x; exit 5", "--name", "con", "--console",
                       "file=log")) as m:
        check(eventually(lambda: os.path.exists("log") and b"early-words" in open("log", "rb").read()), "never started")
        c = subprocess.Popen([HULL, "console", "con"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        out = c.communicate(b"hello\n", timeout=PATIENCE)[0]
        check(b"Linux version" in out and b"early-words" in out and b"got=hello" in out, "console: %r" % out[-300:])
        check(m.wait() == 5, "exit status")


def stop_by_name():
    with Machine(*args("echo ready; sleep 1000", "--name", "st")) as m:
        m.expect(rb"ready")
        code, _, err = run("stop", "--timeout", "1", "st")
        check(code == 0 and "did not power off" in err, err)
        check(m.wait() == 137, "exit status")


def pty_console():
    with Machine(*args("read x; echo got=$x; read y; exit 9", "--console", "pty")) as m:
        path = m.expect(rb"console on (/dev/pts/\d+)")[1].decode()
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        buf = b""
        end = time.monotonic() + PATIENCE
        while b"command starts" not in buf and time.monotonic() < end:
            buf += os.read(fd, 65536)
        os.write(fd, b"word\n")
        while b"got=word" not in buf and time.monotonic() < end:
            buf += os.read(fd, 65536)
        os.write(fd, b"end\n")
        check(m.wait() == 9, "exit status")
        os.close(fd)
        check(b"got=word" in buf, "%r" % buf[-300:])


def terminal_is_restored():
    """Whatever ends the machine, the terminal is as before; meanwhile it is raw."""
    def menu_quit(m):
        m.send(b"\x1dq")

    def signals(m):
        m.child.send_signal(signal.SIGTERM)
        m.expect(rb"power button")
        m.child.send_signal(signal.SIGTERM)

    def child_killed(m):
        kids = subprocess.run(["pgrep", "-P", str(m.child.pid)], stdout=subprocess.PIPE).stdout.split()
        os.kill(int(kids[0]), signal.SIGKILL)

    def child_crashes(m):
        kids = subprocess.run(["pgrep", "-P", str(m.child.pid)], stdout=subprocess.PIPE).stdout.split()
        os.kill(int(kids[0]), signal.SIGSEGV)

    def supervisor_killed(m):
        m.child.kill()

    for end, status in ((menu_quit, 137), (signals, 143), (child_killed, 137), (child_crashes, 139), (supervisor_killed, -9)):
        with Machine(*args("sleep 1000"), tty=True) as m:
            m.expect(rb"Linux version")
            check(not termios.tcgetattr(m.slave)[3] & termios.ICANON, "not raw while running")
            end(m)
            check(m.wait() == status, "%s: exit status %s" % (end.__name__, m.child.returncode))
            check(eventually(lambda: termios.tcgetattr(m.slave) == m.before, PATIENCE if end == supervisor_killed else 0),
                  end.__name__ + ": terminal not restored")


def terminal_menu():
    with Machine(*args("echo ready; cat", "--name", "menu"), tty=True) as m:
        m.expect(rb"ready")
        m.send(b"\x1d?")
        m.expect(rb"power button, p pause")
        m.send(b"\x1dp")
        m.expect(rb"paused")
        check(json.loads(run("ps", "--json")[1])[0]["state"] == "paused", "paused")
        m.send(b"\x1dp")
        m.expect(rb"running")
        m.send(b"echoed\r")
        m.expect(rb"echoed")
        m.send(b"\x1dq")
        check(m.wait() == 137, "exit status")


def window_size_and_virtio_console():
    k = kernel()
    path = initrd("echo ready >/dev/hvc0; read x </dev/hvc0; echo got=$x; until stty size </dev/hvc0 | grep '44 120'; do :; done; exit 3", "initrd-hvc",
                  "--modules", "virtio_pci,virtio_console", "--modules-dir", k["modules"])
    with Machine("--engine", ENGINE, "-m", "256M", "--kernel", k["path"], "--initrd", path, "--append",
                 "console=ttyS0 loglevel=4", tty=True) as m:
        m.expect(rb"ready")
        fcntl.ioctl(m.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 120, 0, 0))
        m.child.send_signal(signal.SIGWINCH)
        m.send(b"typed\r")
        m.expect(rb"got=typed\s+44 120")
        check(m.wait() == 3, "exit status")


def disk_and_network():
    """A disk is read and written, and what the guest is served over user networking comes from the host."""
    import http.server, threading

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"from-the-host\n")

        def log_message(self, *_):
            pass

    srv = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=srv.serve_forever, daemon=True).start()
    k = kernel()
    with open("disk", "wb") as f:
        f.write(b"FROMDISK".ljust(1 << 20, b"."))
    path = initrd("head -c 8 /dev/vda; echo; cat /sys/block/vda/serial; echo; echo BACK >/dev/vda; sync; "
                  "ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up; "
                  "wget -qO - http://10.0.2.2:%d/" % srv.server_port, "initrd-disk", "--modules",
                  "virtio_pci,virtio_blk,virtio_net", "--modules-dir", k["modules"])
    with Machine("--engine", ENGINE, "-m", "256M", "--kernel", k["path"], "--initrd", path, "--append",
                 "console=ttyS0 loglevel=4", "--disk", "disk,serial=xyz", "--net", "user") as m:
        m.expect(rb"FROMDISK\s+xyz")
        m.expect(rb"from-the-host")
        check(m.wait() == 0, "exit status")
    check(open("disk", "rb").read(8) == b"BACK\nISK", "what the guest wrote is not on the disk")


def memory_with_a_hole():
    """More memory than fits below the hole at 3 GiB."""
    with Machine(*args("head -1 /proc/meminfo; exit 0"), "-m", "5G") as m:
        kib = int(m.expect(rb"MemTotal:\s+(\d+) kB")[1])
        check(kib > 4.7 * 2**20, "guest sees %d KiB" % kib)
        check(m.wait() == 0, "exit status")


KEYS = r"""
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
static sigjmp_buf env;
static volatile int code, key;
static void on_fault(int s, siginfo_t *i, void *c)
{
	code = i->si_code;
	key = i->si_pkey;
	siglongjmp(env, 1);
}
static int faults(volatile char *p, int write)
{
	code = key = 0;
	if (sigsetjmp(env, 1))
		return code == SEGV_PKUERR;
	if (write)
		*p = 3;
	else
		(void)*p;
	return 0;
}
int main(void)
{
	struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	volatile char *p = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int k = pkey_alloc(0, 0), sum = 0;

	sigaction(SIGSEGV, &a, 0);
	*p = 9;
	if (k < 0 || pkey_mprotect((void *)p, 4096, PROT_READ | PROT_WRITE, k))
		return 1;
	pkey_set(k, PKEY_DISABLE_WRITE);
	if (faults(p, 0) || !faults(p, 1) || key != k)
		return 2;
	pkey_set(k, PKEY_DISABLE_ACCESS);
	if (!faults(p, 0))
		return 3;
	for (int i = 0; i < 20000; i++) {
		pkey_set(k, i & 1 ? PKEY_DISABLE_WRITE : 0);
		sum += *p;
	}
	return sum == 20000 * 9 && faults(p, 1) ? 0 : 4;
}
"""


def protection_keys():
    """A stock kernel's pkeys, whatever the host has."""
    with open("keys.c", "w") as f:
        f.write(KEYS)
    subprocess.run(["gcc", "-O1", "-static", "-o", "keys", "keys.c"], check=True)
    with Machine("--engine", ENGINE, "-m", "256M", "--kernel", kernel()["path"], "--append", "console=ttyS0",
                 "--initrd", initrd("grep -c -m1 ospke /proc/cpuinfo && /keys", "initrd-keys", "--add", "keys:/keys")) as m:
        check(m.wait() == 0, "exit status %s" % m.child.returncode)


def windows_everywhere():
    """All user code by windows from the start, not only what is hot: the programs see no difference."""
    if ENGINE != "jit":
        raise Skip("the jit engine's")
    sums = "for f in /bin/busybox /init /proc/version; do sha256sum $f | md5sum; sort $f | uniq -c | sort -rn | md5sum; done"
    got = []
    for option in ("allhot,hot=1", "nowindows"):
        os.environ["HULL_JIT"] = option
        try:
            with Machine(*args(sums + "; seq 2000 | awk '{ s += $1 * $1 } END { print s }'; echo sums end; exit 7")) as m:
                text = m.expect(rb"(?s)^(.*)sums end").group(1)
                check(m.wait() == 7, "exit status")
                got.append(re.findall(rb"\b[0-9a-f]{32}\b|2668667000", text))
        finally:
            del os.environ["HULL_JIT"]
    check(len(got[0]) == 7, "output %s" % got[0])
    check(got[0] == got[1], "with windows %s, without %s" % tuple(got))


def trace():
    """The trace shows what the guest did: its exit port, its page faults; and only what was asked for."""
    with Machine(*args("exit 5"), "--trace", "pio,exc,file=trace") as m:
        check(m.wait() == 5, "exit status")
    lines = open("trace").read().splitlines()
    check(any(re.fullmatch(r"cpu 0 [0-9a-f]+ pio write \d f4 = 5", x) for x in lines), "exit port is not there")
    check(any(re.fullmatch(r"cpu 0 [0-9a-f]+ exc #PF error [0-9a-f]+ at [0-9a-f]+", x) for x in lines), "no page fault")
    check(all(x.split()[3] in ("pio", "exc") for x in lines), "other events")
    with Machine(*args("exit 0"), "--trace", "cr,msr") as m:
        m.expect(rb"cpu 0 [0-9a-f]+ cr cr3 = [0-9a-f]+\r?\n")
        m.expect(rb"cpu 0 [0-9a-f]+ msr write c0000082 = ffffffff")


def runs_confined():
    """Before the first guest instruction: no root, no privileges, a system-call filter."""
    with Machine(*args("sleep 1000")) as m:
        m.expect(rb"Linux version")
        kid = subprocess.run(["pgrep", "-P", str(m.child.pid)], stdout=subprocess.PIPE).stdout.split()[0].decode()
        st = open("/proc/%s/status" % kid).read()
        check(re.search(r"^Seccomp:\s+2", st, re.M), "no seccomp filter")
        check(re.search(r"^NoNewPrivs:\s+1", st, re.M), "no no_new_privs")
        check(re.search(r"^CapEff:\s+0+$", st, re.M), "has capabilities")
        check(not re.search(r"^Uid:.*\b0\b", st, re.M), "is root")
        check(os.readlink("/proc/%s/ns/net" % kid) != os.readlink("/proc/self/ns/net"), "host network namespace")
        check(os.listdir("/proc/%s/root" % kid) == [], "its root is not empty")


main([boots_and_gives_exit_status, four_cpus, sixty_four_cpus, generic_kernel, powers_off, power_button_and_second_signal, stuck_machine_ends,
      power_button_reaches_the_guest, reboots, triple_fault, control_socket, pause_stops_the_guests_clocks, console_attach, stop_by_name, pty_console,
      terminal_is_restored, terminal_menu, window_size_and_virtio_console,
      disk_and_network, memory_with_a_hole, protection_keys, windows_everywhere, trace, runs_confined])
