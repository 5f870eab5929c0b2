#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Debian 12 root for POWER on a virtio disk of `hull boot --arch ppc64le`: to the login prompt, and with
HULL_PPC_DEBIAN=1 also network both ways, apt, gcc and g++ (what they make runs in the guest, under
hull-foreign and qemu-ppc64le-static, with the same output), python's own tests, several disks, reboots.
TAP on stdout.

  ppc_debian.py [--root DIR] [--cpus N] [--only a,b] [--reboots N]

--root is what tests/guest/mkdebian-ppc64le makes; its disk is copied, never written. It is made here, for
the better part of an hour, if HULL_PPC_DEBIAN is set and it is not there.
"""
import argparse, os, shutil, subprocess, sys, tempfile
import debian, hulltest, ppc

LONG = bool(os.environ.get("HULL_PPC_DEBIAN"))
HERE = os.path.dirname(os.path.abspath(__file__))

CORE = r"""
#include <stdio.h>
#include <stdint.h>
struct node { struct node *next; int v; };
static uint16_t crc(uint16_t c, uint8_t b) { for (int i = 0; i < 8; i++) { int x = (c ^ b) & 1; b >>= 1; c >>= 1; if (x) c ^= 0xa001; } return c; }
int main(void)
{
	static struct node n[200]; static int a[12][12], b[12][12], m[12][12]; uint16_t c = 0; double d = 0; float f = 1;
	for (int round = 0; round < 300; round++) {
		struct node *l = 0;
		for (int i = 0; i < 200; i++) { n[i].v = (i * 7919 + round) & 1023; n[i].next = l; l = &n[i]; }
		for (struct node *p = l; p; p = p->next) for (struct node *q = p->next; q; q = q->next) if (q->v < p->v) { int t = p->v; p->v = q->v; q->v = t; }
		for (int i = 0; i < 12; i++) for (int j = 0; j < 12; j++) { a[i][j] = i * j + round; b[i][j] = i - j; m[i][j] = 0; }
		for (int i = 0; i < 12; i++) for (int j = 0; j < 12; j++) for (int k = 0; k < 12; k++) m[i][j] += a[i][k] * b[k][j];
		for (struct node *p = l; p; p = p->next) c = crc(c, (uint8_t)p->v);
		for (int i = 0; i < 12; i++) c = crc(c, (uint8_t)m[i][i]);
		d += 1.0 / (round + 1) * c; f = f * 1.0001f + round / 7.0f;
	}
	printf("%04x %.17g %.9g\n", c, d, (double)f);
	return c & 127;
}
"""

CXX = r"""
#include <atomic>
#include <iostream>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
static int deep(int n) { std::string s(n, 'x'); if (!n) throw std::runtime_error("bottom"); return deep(n - 1) + (int)s.size(); }
int main()
{
	std::map<std::string, long> sums; std::mutex lock; std::atomic<long> caught{0}, spins{0}; std::vector<std::thread> t;
	for (int k = 0; k < 4; k++) t.emplace_back([&, k] {
		for (int i = 0; i < 200; i++) {
			try { deep(i % 20); } catch (const std::exception &e) { caught += e.what()[0] == 'b'; }
			spins.fetch_add(k);
			std::lock_guard<std::mutex> g(lock);
			sums["t" + std::to_string(k)] += i;
		}
	});
	for (auto &x : t) x.join();
	for (auto &s : sums) std::cout << s.first << ' ' << s.second << '\n';
	std::cout << caught << ' ' << spins << ' ' << 1.0 / 3 << std::endl;
}
"""


class Steps(debian.Steps):
    def compile(self):
        """Made in the guest, run there; copied out by way of a disk and run by two others."""
        con, qemu = self.con, shutil.which("qemu-ppc64le-static")
        for name, text in (("core.c", CORE), ("cxx.cc", CXX)):
            with open(os.path.join(self.files, name), "w") as f:
                f.write(text)
        st, out = con.run("cd /root; for f in core.c cxx.cc; do wget -qO $f http://%s:%d/$f; done; gcc -O2 -Wall core.c -o core && "
                          "g++ -O2 -Wall -pthread cxx.cc -o cxx && g++ -O2 -static -pthread cxx.cc -o cxx.static" % (self.gateway(), self.port), 900)
        if st:
            return False, out
        st, there = con.run("for p in ./core ./cxx ./cxx.static; do $p; echo $?; done", 120)
        lib = "lib/powerpc64le-linux-gnu/"
        st, out = con.run("tar -C / -hcf /dev/vdb root/core root/cxx root/cxx.static lib64/ld64.so.2 %slibc.so.6 %slibm.so.6 "
                          "%slibgcc_s.so.1 usr/%slibstdc++.so.6; sync" % ((lib,) * 4), 120)
        top = os.path.join(self.files, "out")
        os.makedirs(top)
        subprocess.run(["tar", "-C", top, "-xf", os.path.join(self.files, "second")], check=True)
        here = []
        for cmd in ([[hulltest.HULL, "exec-foreign", "-L", top]] + ([[qemu, "-L", top]] if qemu else [])):
            text = ""
            for p in ("core", "cxx", "cxx.static"):
                r = subprocess.run(cmd + [top + "/root/" + p], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
                text += r.stdout.decode(errors="replace") + "%d\n" % r.returncode
            here.append(text.strip())
        there = there.replace("\r", "")
        return all(h == there for h in here) and "800 1200" in there, "\n".join([there, "--"] + here)

    def disks(self):
        st, out = self.con.run("mkfs.ext4 -q /dev/vdc && mount /dev/vdc /mnt && head -c 8M /dev/urandom >/mnt/x && sync && "
                               "sha256sum </mnt/x && umount /mnt && mount /dev/vdc /mnt && sha256sum </mnt/x; umount /mnt", 200)
        sums = set(w for w in out.split() if len(w) == 64)
        return st == 0 and len(sums) == 1, out


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("--root", default=os.path.expanduser("~/.cache/hull-test/debian12-ppc64el"))
    ap.add_argument("--cpus", type=int, default=1)
    ap.add_argument("--only", default="")
    ap.add_argument("--reboots", type=int, default=2)
    ap.add_argument("--mmu", default="radix")
    ap.add_argument("--boot-timeout", type=int, default=900)
    a = ap.parse_args()
    if not os.path.exists(a.root + "/root.img") and not LONG:
        print("1..0 # SKIP no Debian root for ppc64le: HULL_PPC_DEBIAN=1 makes it (docs/testing.md)")
        return 0
    if not os.path.exists(a.root + "/root.img") and (os.geteuid() or not shutil.which("debootstrap")):
        print("1..0 # SKIP needs root and debootstrap to make the root file system")
        return 0
    try:
        k, bb = ppc.kernel(), ppc.busybox()
    except hulltest.Skip as e:
        print("1..0 # SKIP " + str(e))
        return 0
    subprocess.run([os.path.join(HERE, "../guest/mkdebian-ppc64le"), a.root, k["path"], k["modules"], bb], check=True)
    if not LONG and not a.only:
        a.only = "poweroff"
    tmp = tempfile.mkdtemp(prefix="hull-debian-")
    subprocess.run(["cp", "--sparse=always", a.root + "/root.img", tmp + "/disk"], check=True)
    for name in ("second", "third"):
        with open(os.path.join(tmp, name), "wb") as f:
            f.truncate(64 << 20)
    forward = hulltest.free_port()
    cmd = [hulltest.HULL, "boot", "--arch", "ppc64le", "--mmu", a.mmu, "--cpus", str(a.cpus), "-m", "1G", "--kernel", k["path"],
           "--initrd", a.root + "/initrd", "--append", "console=hvc0 quiet rdinit=/init-disk net.ifnames=0 systemd.show_status=0", "--disk", tmp + "/disk",
           "--disk", tmp + "/second", "--disk", tmp + "/third", "--net", "user,forward=%d:8000" % forward]
    return debian.take_steps(cmd, tmp, forward, a, ["network", "download", "serve_back", "apt", "disks", "gcc", "compile", "python",
                                                     "reboot", "poweroff"], Steps)


if __name__ == "__main__":
    sys.exit(main())
