#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Attacks on what hull run adds to the container runtime: names in images and volumes that lead to the host,
copies through links that change, sockets and ports others can reach. Both kinds where both have it.
HULL_RUN_RACE: seconds a racing test runs (3; the long runs of docs/testing.md take 10 or more)."""
import json, os, shutil, subprocess, sys, tarfile, time

from hulltest import PATIENCE, check, eventually, free_port, main
from run import each_kind, get, hull, need_image, ok, with_data

RACE = float(os.environ.get("HULL_RUN_RACE", "3"))
# Swaps a directory for a link as fast as it can, inside a container or machine: busybox has no renameat2.
SWAP_INSIDE = "while :; do mv /w/d /w/dir; mv /w/l /w/d; mv /w/d /w/l; mv /w/dir /w/d; done"
SWAP_HOST = "import ctypes,sys\nl=ctypes.CDLL(None)\na,b=(x.encode() for x in sys.argv[1:3])\nwhile 1: l.renameat2(-100,a,-100,b,2)"


def listing(top):
    return sorted(os.path.join(d, x) for d, ds, fs in os.walk(top) for x in ds + fs)


def copies_through_links(kind):
    """docker's CVE-2018-15664, CVE-2019-14271: a path inside changes into a link to the host's while it is copied."""
    outside = os.path.abspath("outside")
    os.makedirs(outside, exist_ok=True)
    with open(outside + "/secret", "w") as f:
        f.write("the host's\n")
    with open("given", "w") as f:
        f.write("given\n")
    before = listing(outside)
    ok("run", "-d", "--name", "racer", "--network", "none", *kind, "busybox", "sh", "-c",
       "mkdir -p /w/d; ln -s %s /w/l; %s" % (outside, SWAP_INSIDE))
    check(hull("cp", "given", "racer:%s" % "/nowhere/x")[0] != 0, "into a directory that is not there")
    start, ins, outs = time.monotonic(), 0, 0
    while time.monotonic() < start + (RACE if ins else PATIENCE):
        ins += hull("cp", "given", "racer:/w/d/planted")[0] == 0
        outs += hull("cp", "racer:/w/d/secret", "got")[0] == 0
        check(listing(outside) == before, "copied to the host: %s" % listing(outside))
        check(not os.path.exists("got") or open("got").read() != "the host's\n", "the host's file was read")
    check(ins > 0, "the race was not on: nothing was copied")
    ok("rm", "-f", "racer")


def copies_through_links_of_both():
    each_kind(copies_through_links)


def links_in_images(kind):
    """/etc/hosts and others that the engine provides are links in the image: to the host's, out of the root, in circles."""
    outside = os.path.abspath("outside-etc")
    os.makedirs(outside, exist_ok=True)
    for f in ("hosts", "resolv.conf", "hostname"):
        with open(os.path.join(outside, f), "w") as out:
            out.write("the host's\n")
    before = {f: os.stat(os.path.join(outside, f)).st_mtime_ns for f in os.listdir(outside)}
    with tarfile.open("base.tar", "w") as t:
        t.add("/bin/busybox", "bin/busybox")

        def link(name, target):
            i = tarfile.TarInfo(name)
            i.type, i.linkname = tarfile.SYMTYPE, target
            t.addfile(i)
        for a in ("sh", "cat", "true", "ls"):
            link("bin/" + a, "busybox")
        link("etc/hosts", "/.." * 20 + outside + "/hosts")
        link("etc/resolv.conf", outside + "/resolv.conf")
        link("etc/hostname", "hostname")
        link("tmp", "/.." * 20 + outside)
        link("data", outside)
    ok("import", "base.tar", "linked")
    os.makedirs("vol", exist_ok=True)
    for args in ([], ["-v", "%s/vol:/data" % os.getcwd()], ["--tmpfs", "/tmp"], ["-w", "/data/made"]):
        code, out, err = hull("run", "--rm", "--name", "linked", *kind, *args, "linked", "sh", "-c", "cat /etc/hosts /etc/resolv.conf /data/hosts; echo ran")
        check("the host's" not in out, "%s: the host's file was read: %r" % (args, out))
        check({f: os.stat(os.path.join(outside, f)).st_mtime_ns for f in os.listdir(outside)} == before,
              "%s: the host's directory changed: %s" % (args, listing(outside)))


def links_in_images_of_both():
    each_kind(links_in_images)


def volume_is_a_border(kind):
    """Neither links that the inside makes in a volume nor directories swapped under it lead further than the volume."""
    outside, vol = os.path.abspath("outside-vol"), os.path.abspath("vol2")
    shutil.rmtree(vol, ignore_errors=True)
    for d in (outside, vol, vol + "/sub"):
        os.makedirs(d, exist_ok=True)
    with open(outside + "/f", "w") as f:
        f.write("the host's\n")
    with open(vol + "/sub/f", "w") as f:
        f.write("in the volume\n")
    os.symlink(outside, vol + "/sub2")
    swap = subprocess.Popen([sys.executable, "-c", SWAP_HOST, vol + "/sub", vol + "/sub2"])
    try:
        script = ("rm -f /v/l; ln -s %s/f /v/l; cat /v/l 2>/dev/null; ln -s /.. /v/up 2>/dev/null; cat /v/up%s/f 2>/dev/null; e=$(($(date +%%s) + %d)); "
                  "while [ $(date +%%s) -lt $e ] || [ ! $on ]; do cat /v/sub/f 2>/dev/null && on=yes; echo planted 2>/dev/null >/v/sub/planted; rm -f /v/sub/planted 2>/dev/null; done; echo end"
                  % (outside, outside, max(1, int(RACE))))
        out = ok("run", "--rm", *kind, "--network", "none", "-v", vol + ":/v", "busybox", "sh", "-c", script)
    finally:
        swap.kill()
        swap.wait()
    check("the host's" not in out, "a link led out of the volume")
    check(out.endswith("end\n") and "in the volume\n" in out, "the race was not on: %r" % out[-100:])
    check(listing(outside) == [outside + "/f"] and open(outside + "/f").read() == "the host's\n", "written outside: %s" % listing(outside))


def volume_is_a_border_of_both():
    each_kind(volume_is_a_border)


def private_sockets(kind):
    """containerd's CVE-2020-15257: no abstract sockets, and nobody else may reach the ones with names."""
    ok("run", "-d", "--name", "quiet", "--network", "none", *kind, "busybox", "sleep", "60")
    names = [l.split()[-1] for l in open("/proc/net/unix") if len(l.split()) == 8]
    check(not [n for n in names if n.startswith("@") and "hull" in n], "abstract sockets: %s" % [n for n in names if "hull" in n])
    ours = [n for n in names if n.startswith(os.environ["HULL_DATA"]) or n.startswith(os.environ["HULL_RUNTIME"]) or "attach.sock" in n]
    d = json.loads(ok("inspect", "quiet"))["directory"]
    check(os.path.exists(d + "/attach.sock"), "no attach.sock in %s" % d)
    probe = ("import socket,sys\nfor p in sys.argv[1:]:\n s=socket.socket(socket.AF_UNIX)\n try:\n  s.connect(p)\n  print('reached', p)\n"
             " except OSError as e: print(e.errno)\n")
    for p in (os.environ["HULL_DATA"], os.environ["HULL_RUNTIME"], "."):
        os.chmod(p, os.stat(p).st_mode | 0o011)  # what is around them may be open; they are not
    r = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "/usr/bin/python3", "-c", probe, d + "/attach.sock",
                        *[n for n in ours if n.startswith("/")]], stdout=subprocess.PIPE)
    check(r.returncode == 0 and b"reached" not in r.stdout, r.stdout.decode())
    ok("rm", "-f", "quiet")


def private_sockets_of_both():
    each_kind(private_sockets)


def ports_on_loopback_only():
    """A published port is this machine's alone unless an address is given (moby#22054)."""
    need_image("busybox")
    port = free_port()
    ok("run", "-d", "--name", "inward", "-p", "%d:8080" % port, "busybox", "sh", "-c", "mkdir /www; echo x >/www/index.html; exec httpd -f -p 8080 -h /www")
    check(eventually(lambda: get("http://127.0.0.1:%d/" % port) == b"x\n"), "not served")
    rows = subprocess.run(["ss", "-Htln"], stdout=subprocess.PIPE).stdout.decode().splitlines()
    mine = [r.split()[3] for r in rows if r.split()[3].endswith(":%d" % port)]
    check(mine and all(a.startswith("127.0.0.1:") for a in mine), "listens on %s" % mine)
    ok("rm", "-f", "inward")


if __name__ == "__main__":
    main([with_data(t) for t in (copies_through_links_of_both, links_in_images_of_both, volume_is_a_border_of_both, private_sockets_of_both, ports_on_loopback_only)])
