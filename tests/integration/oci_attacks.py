#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Attacks on a running hull-oci, one test a class of container escapes; none may get through. TAP on stdout.

  tests/integration/oci_attacks.py [NAME...]      HULL_OCI_RACE: seconds a racing test runs (10)
"""
import hashlib, json, os, shutil, subprocess, sys, time
from hulltest import PATIENCE, Skip, check, eventually, main
from ocitest import OCI, edit, make_bundle, need_root, oci, ok

RACE = float(os.environ.get("HULL_OCI_RACE", "10"))
ALL_CAPS = ["CAP_" + n for n in (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_ADMIN NET_RAW IPC_LOCK SYS_CHROOT "
    "SYS_PTRACE SYS_ADMIN SYS_NICE MKNOD AUDIT_WRITE SETFCAP").split()]
# Exchanges two names as fast as it can until it is killed (renameat2, RENAME_EXCHANGE).
SWAP = "import ctypes,sys\nl=ctypes.CDLL(None)\na,b=(x.encode() for x in sys.argv[1:3])\nwhile 1: l.renameat2(-100,a,-100,b,2)"


def caps(c, names):
    c["process"]["capabilities"] = {k: names for k in ("bounding", "effective", "permitted")}
    c["process"]["noNewPrivileges"] = False


def background(bundle, name):
    with open(name + ".out", "w") as f:
        code = subprocess.call([OCI, "--root", os.path.abspath("state"), "run", "-d", "--bundle", bundle, name],
                               stdin=subprocess.DEVNULL, stdout=f, stderr=f)
    check(code == 0, open(name + ".out").read())
    return name + ".out"


def racing(enough=lambda n: n > 2 * RACE):
    """Counts for RACE seconds, and on a slow machine until it is enough."""
    start, n = time.monotonic(), 0
    while time.monotonic() < start + (RACE if enough(n) else PATIENCE):
        yield n
        n += 1


class Swapper:
    def __init__(self, a, b):
        self.p = subprocess.Popen([sys.executable, "-c", SWAP, a, b])

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.p.kill()
        self.p.wait()


def alone(test):
    """Each test in a directory of its own."""
    def wrapped():
        os.makedirs(test.__name__)
        os.chdir(test.__name__)
        try:
            test()
        finally:
            os.chdir("..")
    wrapped.__name__ = test.__name__
    return wrapped


def target_in(name):
    """A bundle that joins the pid namespace of a running container: created, it stands before its attacker."""
    pid = json.loads(ok("state", name))["pid"]
    return make_bundle("true", change=lambda c: [n.update(path="/proc/%d/ns/pid" % pid) for n in c["linux"]["namespaces"] if n["type"] == "pid"])


def parade(name, program, seen):
    """For RACE seconds, and until the attacker has seen something: exec into the attacker's container, and create, start and delete one in its sight."""
    target = target_in(name)
    run = [program, "--root", os.path.abspath("state")]
    quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    made = 0
    for _ in racing(lambda _: made and seen()):
        r = subprocess.run(run + ["exec", name, "true"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check(r.returncode == 0, "exec failed: %d %s" % (r.returncode, r.stdout))
        # The attacker may stop one from being made; it may not get anywhere by that.
        made += subprocess.call(run + ["create", "--bundle", target, "hulltx"], **quiet) == 0
        time.sleep(0.3)
        subprocess.call(run + ["start", "hulltx"], **quiet)
        subprocess.call(run + ["delete", "-f", "hulltx"], **quiet)
    check(made > 0, "no container could be made in the attacker's sight")


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def tree(path):
    return sorted(os.path.join(d, x) for d, ds, fs in os.walk(path) for x in ds + fs)


def host_mounts():
    here = os.path.abspath(".")
    with open("/proc/self/mountinfo") as f:
        return [l for l in f if here in l]


def overwrite_by_proc_exe():
    """CVE-2019-5736: a container opens /proc/PID/exe of every process of exec and writes to it."""
    need_root()
    # The worst case: host user namespace, every capability, the binary owned by the same root.
    mine = os.path.abspath("hull-oci")
    shutil.copy(OCI, mine)
    before = digest(mine)
    script = ("while :; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] && continue; e=$(readlink $p/exe 2>/dev/null); case $e in */busybox|'') ;; *) "
              "( exec 9<$p/exe && echo opened $e && for i in 1 2 3 4 5 6; do (echo x >/proc/self/fd/9) && echo WRITTEN; usleep 100000; done ) 2>/dev/null & "
              "(echo x >$p/exe) 2>/dev/null && echo WRITTEN;; esac; done; usleep 10000; done")
    b = make_bundle("sh", "-c", script, change=lambda c: caps(c, ALL_CAPS))
    out = background(b, "hullta1")
    try:
        parade("hullta1", mine, lambda: "opened" in open(out).read())
        subprocess.call([mine, "--root", os.path.abspath("state"), "exec", "hullta1", "/proc/self/exe", "--version"],
                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    finally:
        ok("delete", "-f", "hullta1")
    text = open(out).read()
    check("opened" in text, "the attacker never saw the runtime: the test attacked nothing")
    # WRITTEN may also be the busybox of a container that had just ended: the digest is what counts.
    check(digest(mine) == before, "the runtime's binary changed")
    # The image's program is a link or a script leading to the runtime itself.
    for make in (lambda r: os.symlink("/proc/self/exe", r + "/bin/evil"),
                 lambda r: (open(r + "/bin/evil", "w").write("#!/proc/self/exe\n"), os.chmod(r + "/bin/evil", 0o755))):
        b = make_bundle("/bin/evil", change=lambda c: caps(c, ALL_CAPS))
        make(b + "/rootfs")
        oci("run", "--bundle", b, "hullta1")
        check(digest(mine) == before, "changed by its own start")


def leaked_descriptors():
    """CVE-2024-21626, CVE-2016-9962: no descriptor of the host inside; cwd through one leads nowhere."""
    need_root()
    os.makedirs("host")
    open("host/marker", "w").close()
    fd = os.open("host", os.O_RDONLY)
    os.set_inheritable(fd, True)
    for extra in range(40, 60):
        os.dup2(fd, extra, inheritable=True)
    try:
        b = make_bundle("sh", "-c", "cd /proc/self/fd && echo [0-9]*")
        code, out, err = oci("run", "--bundle", b, "hullta2", close_fds=False)
        check(out.split() == ["0", "1", "2"] or out.split() == ["0", "1", "2", "3"], "descriptors inside: " + out + err)
        sleeper = make_bundle("sleep", "1000")
        background(sleeper, "hullta2s")
        code, out, err = oci("exec", "hullta2s", "sh", "-c", "cd /proc/self/fd && echo [0-9]*", close_fds=False)
        check(len(out.split()) <= 4, "descriptors of exec: " + out)
        for n in range(0, 64):
            cwd = "/proc/self/fd/%d" % n
            for tail in ("", "/..", "/../.."):
                edit(b, lambda c: c["process"].update(cwd=cwd + tail, args=["sh", "-c", "pwd; ls ./marker ../marker ../../marker host/marker 2>/dev/null"]))
                code, out, err = oci("run", "--bundle", b, "hullta2", close_fds=False)
                check("marker" not in out, "cwd %s%s reached the host: %s" % (cwd, tail, out))
            code, out, err = oci("exec", "--cwd", cwd, "hullta2s", "sh", "-c", "ls ./marker ../marker; /bin/busybox pwd", close_fds=False)
            check("marker" not in out.replace("./marker:", ""), "exec --cwd %s reached the host: %s" % (cwd, out))
    finally:
        oci("delete", "-f", "hullta2s")
        os.close(fd)
        os.closerange(40, 60)


def looking_into_exec():
    """CVE-2016-9962: the container looks through /proc/PID/fd and /proc/PID/cwd of every process exec brings in."""
    need_root()
    script = ("while :; do for p in /proc/[0-9]*; do for f in $p/fd/* $p/cwd $p/root; do l=$(readlink $f 2>/dev/null); case $l in */state*|*/rootfs*|*/config.json|/sys/fs/cgroup*) "
              "echo LEAK $f $l;; esac; done; done; echo round; done")
    b = make_bundle("sh", "-c", script, change=lambda c: caps(c, [x for x in ALL_CAPS if x not in ("CAP_SYS_PTRACE", "CAP_SYS_ADMIN")]))
    out = background(b, "hullta3")
    try:
        parade("hullta3", OCI, lambda: "round" in open(out).read())
    finally:
        ok("delete", "-f", "hullta3")
    text = open(out).read()
    check("round" in text and "LEAK" not in text, text[:500])


def links_for_dev_and_proc():
    """CVE-2025-31133, 52565, CVE-2026-41579, CVE-2019-19921: /dev, /proc and files in them are links out of the root."""
    need_root()
    outside = os.path.abspath("outside")
    os.makedirs(outside)
    up = "/.." * 30
    for target in (outside, up + outside, "../.." + outside):
        for name in ("dev", "proc", "sys", "dev/null", "dev/pts", "dev/console", "dev/shm", "dev/ptmx", "dev/fd", "etc"):
            b = make_bundle("sh", "-c", "echo ran; ls /proc/self >/dev/null", change=lambda c: c.update(
                mounts=[m for m in c["mounts"] if m["destination"] in ("/proc", "/dev/pts")]))
            path = b + "/rootfs/" + name
            if os.path.isdir(path):
                shutil.rmtree(path)
            os.symlink(target, path)
            oci("run", "--bundle", b, "hullta4")
            check(not os.listdir(outside), "%s -> %s: made outside: %s" % (name, target, os.listdir(outside)))
            check(not host_mounts(), "mounted on the host: %s" % host_mounts())
            shutil.rmtree(b)
    check(oci("run", "--bundle", make_bundle("true"), "hullta4")[0] == 0, "an honest root no longer works")


def racing_dev():
    """The same with somebody who swaps rootfs/dev for a link while containers start."""
    need_root()
    outside = os.path.abspath("outside")
    os.makedirs(outside)
    b = make_bundle("true", change=lambda c: c.update(mounts=[m for m in c["mounts"] if m["destination"] in ("/proc", "/dev/pts")]))
    os.symlink("/.." * 30 + outside, b + "/rootfs/dev2")
    started = refused = 0
    with Swapper(b + "/rootfs/dev", b + "/rootfs/dev2"):
        for _ in racing(lambda n: n > 2 * RACE and refused):
            if oci("run", "--bundle", b, "hullta5")[0] == 0:
                started += 1
            else:
                refused += 1
            check(not os.listdir(outside), "made outside: %s" % os.listdir(outside))
    check(not host_mounts(), "mounted on the host")
    check(refused, "the race was not on: %d started, %d refused" % (started, refused))


def racing_mount_destination():
    """CVE-2021-30465, CVE-2024-45310: the destination of a bind mount is swapped for a link out of the root."""
    need_root()
    outside, vol = os.path.abspath("outside"), os.path.abspath("vol")
    os.makedirs(outside)
    os.makedirs(vol)

    def change(c):
        c["mounts"].append({"destination": "/v/made/new", "type": "bind", "source": vol, "options": ["rbind", "rw"]})
        c["mounts"].append({"destination": "/v/file", "type": "bind", "source": "/etc/hostname", "options": ["bind"]})
        c["mounts"].append({"destination": "/v/t", "type": "tmpfs", "source": "tmpfs"})
    b = make_bundle("true", change=change)
    os.makedirs(b + "/rootfs/v")
    os.symlink("/.." * 30 + outside, b + "/rootfs/v2")
    n = 0
    with Swapper(b + "/rootfs/v", b + "/rootfs/v2"):
        for n in racing():
            oci("run", "--bundle", b, "hullta6")
            check(not os.listdir(outside), "made outside: %s" % tree(outside))
    check(not host_mounts() and n >= 2 * RACE, "%d runs, %s" % (n, host_mounts()))


def racing_masked_path():
    """CVE-2025-31133: what a mask or read-only path names is swapped; the mask must never land outside or open anything."""
    need_root()
    outside = os.path.abspath("outside")
    os.makedirs(outside + "/secret")
    open(outside + "/secret/f", "w").write("host\n")
    b = make_bundle("sh", "-c", "cat /m/secret/f /r/secret/f; true", change=lambda c: (
        c["linux"]["maskedPaths"].extend(["/m/secret", "/m/secret/f"]), c["linux"]["readonlyPaths"].append("/r/secret")))
    for d in ("m", "r"):
        os.makedirs(b + "/rootfs/%s/secret" % d)
        open(b + "/rootfs/%s/secret/f" % d, "w").write("inside\n")
        os.symlink("/.." * 30 + outside, b + "/rootfs/%s2" % d)
    n = 0
    with Swapper(b + "/rootfs/m", b + "/rootfs/m2"), Swapper(b + "/rootfs/r", b + "/rootfs/r2"):
        for n in racing():
            code, out, err = oci("run", "--bundle", b, "hullta7")
            check("host" not in out, "the container read the host's file: " + out)
            check(open(outside + "/secret/f").read() == "host\n", "the host's file is masked")
    check(not host_mounts() and n >= 2 * RACE, "%d runs, %s" % (n, host_mounts()))


def fake_proc():
    """CVE-2019-16884, CVE-2023-27561, CVE-2025-52881: settings are written to a /proc the attacker prepared."""
    need_root()
    fake = os.path.abspath("fake")
    os.makedirs(fake + "/sys/net/ipv4")
    os.makedirs(fake + "/self/attr")
    for f in ("sys/net/ipv4/ip_forward", "self/attr/exec", "self/oom_score_adj"):
        open(fake + "/" + f, "w").close()

    def with_mount(m):
        def change(c):
            c["mounts"] = [x for x in c["mounts"] if x["destination"] != "/proc"] + [m]
            c["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
            c["process"]["oomScoreAdj"] = 10
        return change
    bind = {"destination": "/proc", "type": "bind", "source": fake, "options": ["rbind"]}
    code, _, err = oci("run", "--bundle", make_bundle("true", change=with_mount(bind)), "hullta8")
    check(code != 0 and "proc" in err, "a directory passed for /proc: " + err)
    tmp = {"destination": "/proc", "type": "tmpfs", "source": "tmpfs"}
    b = make_bundle("sh", "-c", "ls /proc/sys /proc/self 2>/dev/null | wc -l", change=with_mount(tmp))
    code, out, err = oci("run", "--bundle", b, "hullta8")
    check(code or out.strip() == "0", "written into a tmpfs: " + out)
    for dest in ("/proc/self/attr", "/proc/sys", "/proc/1/../sys", "/x"):
        m = {"destination": dest, "type": "bind", "source": fake, "options": ["rbind"]}
        b = make_bundle("true", change=lambda c: c["mounts"].append(m))
        if dest == "/x":
            os.symlink("/proc/sys", b + "/rootfs/x")
        code, _, err = oci("run", "--bundle", b, "hullta8")
        check(code != 0 and "/proc" in err, "%s: could be hidden: %s" % (dest, err))
    for d, _, fs in os.walk(fake):
        for f in fs:
            check(os.path.getsize(os.path.join(d, f)) == 0, "written to the fake: " + f)


def racing_proc():
    need_root()
    fake = os.path.abspath("fake")
    os.makedirs(fake + "/sys/net/ipv4")
    open(fake + "/sys/net/ipv4/ip_forward", "w").close()
    with open(fake + "/sys/net/ipv4/ip_forward", "w") as f:
        f.write("FAKE")
    b = make_bundle("sh", "-c", "cat /proc/sys/net/ipv4/ip_forward; true", change=lambda c: c["linux"].update(sysctl={"net.ipv4.ip_forward": "1"}))
    os.symlink("/.." * 30 + fake, b + "/rootfs/proc2")
    n = 0
    with Swapper(b + "/rootfs/proc", b + "/rootfs/proc2"):
        for n in racing():
            code, out, err = oci("run", "--bundle", b, "hullta9")
            check("FAKE" not in out, "the container read the host's file")
            check(open(fake + "/sys/net/ipv4/ip_forward").read() == "FAKE", "written to the fake")
    check(not host_mounts() and n >= 2 * RACE, "%d runs, %s" % (n, host_mounts()))


def capability_sets():
    """CVE-2022-29162, CVE-2022-27650: inheritable and ambient sets stay empty, for run and for exec."""
    need_root()
    for uid in (0, 1000):
        b = make_bundle("sh", "-c", "grep Cap /proc/self/status; exec sleep 100", change=lambda c: (caps(c, ["CAP_CHOWN", "CAP_KILL"]), c["process"].update(user={"uid": uid, "gid": uid})))
        out = background(b, "hulltb1")
        try:
            check(eventually(lambda: "CapAmb" in open(out).read()), "it prints nothing")
            for text in (open(out).read(), ok("exec", "hulltb1", "grep", "Cap", "/proc/self/status"), ok("exec", "--cap", "CAP_SYSLOG", "hulltb1", "grep", "Cap", "/proc/self/status")):
                sets = dict(l.split(":\t") for l in text.splitlines())
                check(int(sets["CapInh"], 16) == 0 and int(sets["CapAmb"], 16) == 0, text)
                check(uid == 0 or int(sets["CapEff"], 16) == 0, "a user with effective capabilities: " + text)
                check(int(sets["CapBnd"], 16) & ~(1 << 34) == 0x21, text)
        finally:
            ok("delete", "-f", "hulltb1")


def hostile_words():
    """CVE-2026-30892, CVE-2021-43784: users, ids, long and odd values end in one line, never in a container."""
    need_root()
    b = make_bundle("sleep", "100")
    background(b, "hulltb2")
    try:
        for u in ("", "-1", "0:", ":0", "0:x", "99999999999", "4294967295", "0x0", " 0", "0 ", "root", "1:2:3", "1\n"):
            code, out, err = oci("exec", "-u", u, "hulltb2", "id")
            check(code == 255 or (u == " 0" and "uid=0" in out), "user %r: %d %s%s" % (u, code, out, err))
        for name in ("..", ".", "a/b", "../../x", "a" * 300, "", "a b", "a\nb"):
            check(oci("run", "--bundle", b, name)[0] == 1, "name %r" % name)
    finally:
        ok("delete", "-f", "hulltb2")
    for change in (lambda c: c["linux"].update(uidMappings=[{"containerID": 0, "hostID": 0, "size": 2 ** 32}]),
                   lambda c: c.update(hostname="h" * 70000),
                   lambda c: c["process"].update(env=["A=" + "x" * 3000000]),
                   lambda c: c["process"].update(cwd="/" + "d/" * 5000),
                   lambda c: c["mounts"].append({"destination": "/" + "x" * 5000, "type": "tmpfs", "source": "x"}),
                   lambda c: c["linux"].update(cgroupsPath="/../../../.."),
                   lambda c: c["linux"]["resources"].update(unified={"../../cgroup.procs": "1"}),
                   lambda c: c["linux"].update(sysctl={"net./../../kernel/panic": "1"})):
        keep = open(b + "/config.json").read()
        edit(b, change)
        code, out, err = oci("run", "--bundle", b, "hulltb2")
        check(code == 1 and len(err.splitlines()) == 1, "%d %r" % (code, err[:300]))
        open(b + "/config.json", "w").write(keep)


def cgroup_files():
    """CVE-2023-25809, CVE-2022-0492: the groups are read-only inside, and nothing above the container's own shows."""
    need_root()
    b = make_bundle("sh", "-c", "for f in $(busybox find /sys/fs/cgroup -name release_agent -o -name cgroup.procs -o -name notify_on_release -o -name memory.limit_in_bytes); do "
                    "(echo 1 >$f) 2>/dev/null && echo WRITTEN $f; done; cat /proc/self/cgroup | grep -v ':/$'; mkdir /sys/fs/cgroup/x 2>/dev/null && echo MADE; echo end",
                    change=lambda c: caps(c, [x for x in ALL_CAPS if x != "CAP_SYS_ADMIN"]))
    out = ok("run", "--bundle", b, "hulltb3")
    check(out == "end\n", out)


def thawed_after_all():
    """A paused container can be deleted, killed, and its cgroup does not stay frozen."""
    need_root()
    b = make_bundle("sleep", "100")
    for how in ("delete", "kill"):
        background(b, "hulltb4")
        ok("pause", "hulltb4")
        if how == "kill":
            ok("kill", "hulltb4", "KILL")
            check(eventually(lambda: json.loads(ok("state", "hulltb4"))["status"] == "stopped"), "a paused container does not die")
        ok("delete", "-f", "hulltb4")
        check(not any(os.path.exists("/sys/fs/cgroup/%s/hulltb4" % d) for d in os.listdir("/sys/fs/cgroup")), "group left")


main([alone(t) for t in (overwrite_by_proc_exe, leaked_descriptors, looking_into_exec, links_for_dev_and_proc, racing_dev, racing_mount_destination, racing_masked_path, fake_proc, racing_proc,
      capability_sets, hostile_words, cgroup_files, thawed_after_all)])
