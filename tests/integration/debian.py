#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Debian 12 root file system on a virtio disk: to the login prompt, network both ways, apt, gcc,
python's own tests, reboots. TAP on stdout.

  debian.py [--hull build/hull] [--root DIR] [--cpus N] [--only a,b] [--reboots N] [--qemu]

--root is what tests/guest/mkdebian made (made here if absent); the disk is copied, never written.
--qemu runs the same steps under QEMU's TCG, to tell a wrong test from a wrong machine.
"""
import argparse, hashlib, http.server, os, re, select, shutil, subprocess, sys, tempfile
import threading, time, urllib.request
import hulltest

HERE = os.path.dirname(os.path.abspath(__file__))


class Console:
    """A machine's serial console on a child's stdin and stdout."""

    def __init__(self, cmd, log):
        self.child = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.buf, self.log, self.n = b"", open(log, "wb"), 0

    def expect(self, pattern, timeout):
        """Wait for the regular expression; returns the match, raises TimeoutError with the tail."""
        end = time.monotonic() + timeout
        while True:
            m = re.search(pattern, self.buf)
            if m:
                self.buf = self.buf[m.end():]
                return m
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.child.stdout], [], [], left)[0]:
                raise TimeoutError("waited for %r; last output: %r" % (pattern, self.buf[-300:]))
            data = os.read(self.child.stdout.fileno(), 65536)
            if not data:
                raise EOFError("machine ended; last output: %r" % self.buf[-300:])
            self.log.write(data)
            self.log.flush()
            self.buf += data

    def send(self, text):
        self.child.stdin.write(text.encode())
        self.child.stdin.flush()

    def login(self, timeout):
        self.expect(rb"login: ", timeout)
        self.send("root\n")
        self.expect(rb"# ", timeout)
        self.send("stty -echo cols 200; bind 'set enable-bracketed-paste off'; PS1=; PS2=; export TERM=dumb DEBIAN_FRONTEND=noninteractive; echo READY$((1+1))\n")
        self.expect(rb"READY2\s", timeout)

    def run(self, command, timeout=600):
        """Run a shell command; returns (exit status, output)."""
        self.n += 1
        self.send("%s; echo \"@@%d:$?@@\"\n" % (command, self.n))
        end = time.monotonic() + timeout
        m = self.expect(rb"(?s)^(.*?)@@%d:(\d+)@@\r?\n" % self.n, end - time.monotonic())
        return int(m[2]), m[1].decode(errors="replace").strip()


class Tap:
    def __init__(self):
        self.n = self.bad = 0

    def report(self, ok, name, why=""):
        self.n += 1
        self.bad += not ok
        print("%sok %d - %s" % ("" if ok else "not ", self.n, name))
        if not ok:
            for line in str(why).splitlines()[-12:]:
                print("# " + line)
        sys.stdout.flush()


def serve(directory):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *a):
            super().__init__(*a, directory=directory)

        def log_message(self, *a):
            pass
    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    return s.server_address[1]


def make_repo(top):
    """A one-package apt repository."""
    pkg = os.path.join(top, "pkg")
    os.makedirs(pkg + "/DEBIAN")
    os.makedirs(pkg + "/usr/bin")
    with open(pkg + "/DEBIAN/control", "w") as f:
        f.write("Package: hull-hello\nVersion: 1.0\nArchitecture: all\nMaintainer: hull <hull@localhost>\n"
                "Description: says hello\n")
    with open(pkg + "/usr/bin/hull-hello", "w") as f:
        f.write("#!/bin/sh\necho hello from apt\n")
    os.chmod(pkg + "/usr/bin/hull-hello", 0o755)
    repo = os.path.join(top, "repo")
    os.makedirs(repo)
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", pkg, repo + "/hull-hello_1.0_all.deb"],
                   check=True, stdout=subprocess.DEVNULL)
    with open(repo + "/hull-hello_1.0_all.deb", "rb") as f:
        deb = f.read()
    with open(pkg + "/DEBIAN/control") as f:
        control = f.read()
    with open(repo + "/Packages", "w") as f:
        f.write(control + "Filename: ./hull-hello_1.0_all.deb\nSize: %d\nSHA256: %s\n\n" %
                (len(deb), hashlib.sha256(deb).hexdigest()))


class Steps:
    def __init__(self, con, host_port, forward, files, tap, reboots):
        self.con, self.port, self.forward, self.files, self.tap = con, host_port, forward, files, tap
        self.reboots = reboots
        self.gw = None

    def gateway(self):
        if not self.gw:
            self.gw = self.con.run("ip route show default | sed -n 's/.*via \\([^ ]*\\).*/\\1/p' | head -1")[1]
        return self.gw

    def network(self):
        for _ in range(300):
            if self.con.run("ip route show default | grep -q via")[0] == 0:
                break
            time.sleep(1)
        return self.gateway() != "", self.con.run("ip addr; ip route")[1]

    def download(self):
        data = os.urandom(64 << 20)
        with open(self.files + "/big", "wb") as f:
            f.write(data)
        st, out = self.con.run("wget -qO /root/big http://%s:%d/big; sha256sum /root/big" %
                               (self.gateway(), self.port))
        return st == 0 and hashlib.sha256(data).hexdigest() in out, out

    def serve_back(self):
        self.con.run("cd /root; python3 -m http.server 8000 >/dev/null 2>&1 & cd; for i in $(seq 60); do "
                     "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 8000))' 2>/dev/null && break; "
                     "sleep 1; done")
        with urllib.request.urlopen("http://127.0.0.1:%d/big" % self.forward, timeout=300) as r:
            got = hashlib.sha256(r.read()).hexdigest()
        with open(self.files + "/big", "rb") as f:
            want = hashlib.sha256(f.read()).hexdigest()
        self.con.run("kill %1; rm -f /root/big")
        return got == want, got + " " + want

    def apt(self):
        st, out = self.con.run("echo 'deb [trusted=yes] http://%s:%d/repo ./' >/etc/apt/sources.list; "
                               "rm -rf /etc/apt/sources.list.d/*; "
                               "apt-get -q update && apt-get -qy install hull-hello && hull-hello" %
                               (self.gateway(), self.port))
        return st == 0 and "hello from apt" in out, out

    def gcc(self):
        st, out = self.con.run("printf '#include <stdio.h>\\nint main(void){double s=0;for(int i=1;i<1000000;i++)"
                               "s+=1.0/i;printf(\"%%.6f\\\\n\",s);return 7;}\\n' >t.c && gcc -O2 -Wall t.c -o t && ./t")
        return st == 7 and "14.392726" in out, out

    def python(self):
        st, out = self.con.run("python3 -m test test_math test_json test_zlib test_threading test_ctypes", 1500)
        return st == 0, out

    def reboot(self):
        for i in range(self.reboots):
            self.con.send("systemctl reboot\n")
            self.con.login(900)
        st, out = self.con.run("uptime -p")
        return st == 0, out

    def poweroff(self):
        self.con.send("systemctl poweroff\n")
        try:
            self.con.expect(rb"Power down", 900)
            self.con.child.wait(300)
        except EOFError:
            self.con.child.wait(300)
        return self.con.child.returncode == 0, "exit status %s" % self.con.child.returncode


def command(a, disk, vmlinuz, initrd, forward):
    append = "console=ttyS0 root=/dev/vda ro net.ifnames=0 " + a.append
    if a.qemu:
        return ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-smp", str(a.cpus), "-m", "1024",
                "-nographic", "-nodefaults", "-serial", "stdio", "-kernel", vmlinuz, "-initrd",
                initrd, "-append", append, "-drive", "file=%s,format=raw,if=virtio" % disk, "-netdev",
                "user,id=n,hostfwd=tcp:127.0.0.1:%d-:8000" % forward, "-device", "virtio-net-pci,netdev=n"]
    return [a.hull, "boot", "--engine", a.engine, "--cpus", str(a.cpus), "-m", "1G", "--kernel", vmlinuz,
            "--initrd", initrd, "--append", append, "--disk", disk, "--net",
            "user,forward=%d:8000" % forward] + a.extra.split()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("--hull", default="build/hull")
    ap.add_argument("--root", default=os.path.expanduser("~/.cache/hull-test/debian12"))
    ap.add_argument("--cpus", type=int, default=1)
    ap.add_argument("--engine", default="jit")
    ap.add_argument("--only", default="")
    ap.add_argument("--append", default="")
    ap.add_argument("--extra", default="")
    ap.add_argument("--reboots", type=int, default=2)
    ap.add_argument("--boot-timeout", type=int, default=900)
    ap.add_argument("--qemu", action="store_true")
    a = ap.parse_args()
    if os.geteuid() or not shutil.which("mmdebstrap"):
        print("1..0 # SKIP needs root and mmdebstrap to make the root file system")
        return 0
    subprocess.run([os.path.join(HERE, "../guest/mkdebian"), a.root], check=True)
    tmp = tempfile.mkdtemp(prefix="hull-debian-")
    disk = os.path.join(tmp, "disk")
    subprocess.run(["cp", "--sparse=always", a.root + "/root.img", disk], check=True)
    forward = hulltest.free_port()
    return take_steps(command(a, disk, a.root + "/vmlinuz", a.root + "/initrd", forward), tmp, forward, a,
                      ["network", "download", "serve_back", "apt", "gcc", "python", "reboot", "poweroff"], Steps)


def take_steps(cmd, tmp, forward, a, names, kind):
    """Starts the machine, logs in and takes the steps a.only names, or all of them."""
    tap = Tap()
    make_repo(tmp)
    con = Console(cmd, tmp + "/console.log")
    steps = kind(con, serve(tmp), forward, tmp, tap, a.reboots)
    try:
        con.login(a.boot_timeout)
        tap.report(True, "debian_login_%dcpu" % a.cpus)
        for name in names:
            if a.only and name not in a.only.split(","):
                continue
            t0 = time.monotonic()
            try:
                ok, why = getattr(steps, name)()
            except (TimeoutError, OSError) as e:
                ok, why = False, e
            tap.report(ok, "debian_%s_%dcpu # %d s" % (name, a.cpus, time.monotonic() - t0), why)
    except (TimeoutError, EOFError) as e:
        tap.report(False, "debian_%dcpu" % a.cpus, e)
    con.child.kill()
    print("1..%d" % tap.n)
    if tap.bad:
        print("# console log: %s/console.log" % tmp)
    else:
        shutil.rmtree(tmp)
    return tap.bad != 0


if __name__ == "__main__":
    sys.exit(main())
