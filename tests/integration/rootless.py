#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hull as a user who is not root, with subordinate IDs and without: images, containers, machines, builds, and nothing
left behind. Root makes the users (useradd) and becomes them; /dev/net/tun and /dev/fuse, which everybody may open on
usual hosts, are made so in a mount name space of this test's own."""
import ctypes, glob, json, os, random, re, shutil, signal, subprocess, sys, time

from hulltest import BUILD, PATIENCE, Skip, check, eventually, free_port, main
from image import Registry
from run import BUSYBOX, CACHE, TOP, get

PROGRAMS = ("hull", "hull-monitor", "hull-init")
FIRST = 1900000000  # of the subordinate IDs, far from what useradd gives


def need(*tools):
    for t in tools:
        if not shutil.which(t):
            raise Skip("%s is not installed" % t)


def run_as_root(*cmd):
    r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    check(r.returncode == 0, "%s: %s" % (" ".join(cmd), r.stdout.decode(errors="replace")))


class User:
    """A user of the system's for as long as the test runs; count subordinate IDs, 0: none."""
    made = 0

    def __init__(self, count):
        self.name = "hullt%d-%d" % (os.getpid(), User.made)
        self.base = FIRST + User.made * 100000
        User.made += 1
        self.home = os.path.join(os.getcwd(), self.name)
        run_as_root("useradd", "-r", "-M", "-d", self.home, "-s", "/bin/sh", self.name)
        if count:
            r = "%d-%d" % (self.base, self.base + count - 1)
            run_as_root("usermod", "--add-subuids", r, "--add-subgids", r, self.name)
        self.uid, self.gid = (int(subprocess.check_output(["id", "-" + c, self.name])) for c in "ug")
        self.dir = self.home + "/run"
        for d in (self.home, self.dir):
            os.makedirs(d, 0o700)
            os.chown(d, self.uid, self.gid)
        self.env = {"HOME": self.home, "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": self.dir}
        self.data = self.home + "/.local/share/hull"

    def command(self, *args, env=None):
        return ["setpriv", "--reuid", str(self.uid), "--regid", str(self.gid), "--clear-groups", "env", "-i",
                *["%s=%s" % x for x in {**self.env, **(env or {})}.items()], *args]

    def __call__(self, *args, stdin=None, timeout=PATIENCE, env=None, cwd=None):
        r = subprocess.run(self.command(User.hull, *args, env=env), input=stdin, timeout=timeout, cwd=cwd or self.home,
                           stdin=subprocess.DEVNULL if stdin is None else None, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return r.returncode, r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace")

    def ok(self, *args, **kw):
        code, out, err = self(*args, **kw)
        check(code == 0, "hull %s: status %d, %s" % (" ".join(args), code, err))
        return out

    def fails(self, words, *args, status=(125, 126, 127), **kw):
        code, out, err = self(*args, **kw)
        check(code in status and err.count("\n") == 1 and all(w in err for w in words), "hull %s: %d %r" % (args, code, err))

    def put(self, name, text):
        path = os.path.join(self.home, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        for p in (path, os.path.dirname(path)):
            os.chown(p, self.uid, self.gid)
        return path

    def owns(self, uid):
        return uid == self.uid or self.base <= uid < self.base + 100000

    def processes(self):
        """What is alive of this user's, or has a user name space that he made."""
        found = []
        for d in glob.glob("/proc/[0-9]*"):
            try:
                state = open(d + "/stat").read().rsplit(")", 1)[1].split()[0]
                if self.owns(os.stat(d).st_uid) and state != "Z":
                    found.append("%s %s" % (d[6:], open(d + "/comm").read().strip()))
            except OSError:
                pass
        return found

    def things(self):
        return os.listdir(self.data + "/things") if os.path.exists(self.data + "/things") else []

    def remove(self):
        subprocess.run(["userdel", self.name], stderr=subprocess.DEVNULL)


def image_tar():
    os.makedirs(CACHE, exist_ok=True)
    tar = os.path.join(CACHE, "image-busybox.tar")
    r = subprocess.run([os.path.join(TOP, "tests/guest/mkimage"), "busybox", tar], stderr=subprocess.PIPE)
    if r.returncode:
        raise Skip("no busybox image: %s" % r.stderr.decode().strip().splitlines()[-1:])
    shutil.copy(tar, "busybox.tar")
    os.chmod("busybox.tar", 0o644)
    return os.path.abspath("busybox.tar")


def user(kind="many"):
    """The user with 65536 IDs ("many"), the one with none ("one"), the one with too few ("few")."""
    if os.geteuid():
        raise Skip("only root can become a user made for the test")
    need("useradd", "usermod", "setpriv", "newuidmap", "newgidmap", "pasta")
    if not os.path.exists(os.getcwd() + "/bin/hull"):
        os.chmod(os.getcwd(), 0o711)
        os.makedirs("bin")
        for p in PROGRAMS:
            shutil.copy(os.path.join(BUILD, p), "bin/" + p)
        User.hull = os.getcwd() + "/bin/hull"
        User.tar = image_tar()
        open_devices()
    if kind not in user.have:
        user.have[kind] = u = User({"many": 65536, "one": 0, "few": 1000}[kind])
        if kind != "few":
            u.ok("import", User.tar, "busybox")
    return user.have[kind]


user.have = {}


def open_devices():
    """A mount name space of our own in which everybody may open what everybody may open elsewhere."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x20000):  # CLONE_NEWNS
        raise Skip("no mount name space")
    run_as_root("mount", "--make-rprivate", "/")
    os.makedirs("dev")
    run_as_root("mount", "-t", "tmpfs", "none", "dev")
    for name, major, minor in (("net/tun", 10, 200), ("fuse", 10, 229)):
        node = os.path.join("dev", os.path.basename(name))
        run_as_root("mknod", node, "c", str(major), str(minor))
        os.chmod(node, 0o666)
        if os.path.exists("/dev/" + name):
            run_as_root("mount", "--bind", node, "/dev/" + name)


def each_user(fn):
    for kind in ("many", "one"):
        u = user(kind)
        try:
            fn(u)
        except AssertionError as e:
            raise AssertionError("user with %s: %s" % ("sub-IDs" if kind == "many" else "one ID", e))
        finally:
            for t in json.loads(u.ok("ps", "-a", "--json")):
                u("rm", "-f", t["name"])


# ---- images ----

def owners():
    """Unpacked files have the owners of the image, shifted into the user's range; with one ID all are his."""
    u = user()
    home, = glob.glob(u.data + "/images/layers/*/fs/home/user")
    st = os.stat(home)
    check((st.st_uid, st.st_gid) == (u.base + 999, u.base + 1000), "/home/user of the layer: %s" % (st,))
    out = u.ok("run", "--rm", "--network", "none", "busybox", "stat", "-c", "%u:%g %n", "/home/user", "/etc/passwd")
    check(out == "1000:1001 /home/user\n0:0 /etc/passwd\n", "inside: %r" % out)
    u.ok("export", "-o", "e.tar", "busybox")
    out = subprocess.check_output(["tar", "--numeric-owner", "-tvf", u.home + "/e.tar"]).decode()
    check(re.search(r" 1000/1001 .* (\./)?home/user/", out), "the export has lost the owner")
    one = user("one")
    code, out, err = one("run", "--rm", "--network", "none", "busybox", "sh", "-c",
                         "stat -c '%u:%g' /home/user; id -u; cat /proc/self/uid_map")
    check(code == 0 and out.split() == ["0:0", "0", "0", str(one.uid), "1"], "one ID: %d %r %r" % (code, out, err))
    check(err.count("\n") == 1 and "/etc/subuid" in err, "it is not said that there is one ID: %r" % err)
    one.fails(["1000:1001", "/etc/subuid"], "exec", "-u", "user", running(one), "id", status=(126,))


def running(u, name="on"):
    if name not in [t["name"] for t in json.loads(u.ok("ps", "--json"))]:
        u.ok("run", "-d", "--name", name, "--network", "none", "busybox", "sleep", "1000")
    return name


def by_archive_and_registry():
    u = user()
    u.ok("save", "-o", "s.tar", "busybox")
    u.ok("rmi", "busybox")
    u.ok("prune", "-a")
    check(not glob.glob(u.data + "/images/layers/*"), "the layer of another owner is still there")
    u.ok("load", "-q", "s.tar")
    check(u.ok("run", "--rm", "--network", "none", "busybox", "stat", "-c", "%u", "/home/user") == "1000\n", "owner after load")
    with Registry() as r:
        name = r.host + "/team/bb:1"
        u.ok("push", "-q", "busybox", name)
        u.ok("pull", "-q", name)
        check(u.ok("run", "--rm", "--network", "none", name, "stat", "-c", "%u", "/home/user") == "1000\n", "owner after pull")
    u.ok("rmi", name)


# ---- running ----

def table():
    """Rows of run.py's comparison, as container and as machine."""
    u = user()
    rows = [r for r in BUSYBOX if r[:2] == (["-u", "user"], ["id"]) or r[1] == ["nosuchprogram"] or "exit 7" in r[1][-1] or
            "stat -c '%a %U" in r[1][-1] or "--tmpfs" in r[0]]
    need_kernel(u)
    bad = []
    for options, command, stdin in rows:
        got = [u("run", "--rm", "--name", "same", "--as", *kind, "--network", "none", *options, "busybox", *command, stdin=stdin) for kind in (("container",), ("vm", "--engine", "jit"))]
        own = [g[2].startswith("hull run:") for g in got]
        if got[0][:2] != got[1][:2] or not (own[0] and own[1] or got[0][2] == got[1][2]):
            bad.append("%s %s\n  container: %r\n  machine:   %r" % (options, command, *got))
    check(len(rows) == 5 and not bad, "%d of %d differ:\n%s" % (len(bad), len(rows), "\n".join(bad)))


def need_kernel(u):
    need("mkfs.erofs", "passt")
    own = u.data + "/kernels"
    if os.path.exists(own):
        return
    if not os.path.exists("/var/lib/hull/kernels/cloud"):
        raise Skip("no stored kernel (hull kernel fetch cloud)")
    os.symlink("/var/lib/hull/kernels", own)


def life(u):
    u.ok("run", "-d", "--name", "life", "--network", "none", "busybox", "sh", "-c",
         "trap 'echo bye; exit 5' TERM; i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.2 & wait $!; done")
    check(eventually(lambda: "tick 2" in u.ok("logs", "life")), "no ticks in the log")
    check(u("exec", "life", "sh", "-c", "echo in; echo er >&2; exit 3") == (3, "in\n", "er\n"), "exec")
    check(u("exec", "-i", "life", "cat", stdin=b"through")[1] == "through", "exec -i")
    check("sh -c" in u.ok("top", "life"), "top does not show the command")
    s = json.loads(u.ok("stats", "--json", "life"))[0]
    check(s["memory"] > 0 and s["processes"] >= 1, "stats says %s" % s)
    check(json.loads(u.ok("inspect", "life"))["state"] == "running", "inspect")
    os.setxattr(u.put("from/f", "from the host\n"), "user.note", b"kept")
    u.ok("cp", "from", "life:/tmp/tree")
    check(u.ok("exec", "life", "stat", "-c", "%u:%g %s", "/tmp/tree/f") == "0:0 14\n", "cp into it")
    u.ok("exec", "life", "sh", "-c", "echo made >/tmp/tree/new; chown 1000:50 /tmp/tree/new 2>/dev/null; rm /etc/group; mkdir /opaque")
    u.ok("cp", "life:/tmp/tree", "back")
    check(os.getxattr(u.home + "/back/f", "user.note") == b"kept", "extended attributes")
    st = os.stat(u.home + "/back/new")
    check((st.st_uid, st.st_gid) == (u.uid, u.gid) and open(u.home + "/back/new").read() == "made\n", "cp out of it: %s" % (st,))
    shutil.rmtree(u.home + "/back")
    u.ok("commit", "life", "changed")
    u.ok("stop", "-t", "100", "life")
    check(u.ok("logs", "--tail", "1", "life") == "bye\n" and u.ok("wait", "life") == "5\n", "the end")
    u.ok("cp", "life:/tmp/tree/new", "ended")
    u.ok("start", "life")
    check(eventually(lambda: u.ok("logs", "life").count("tick 0") == 2), "start again")
    u.ok("kill", "life")
    check(u.ok("wait", "life") == "137\n", "status after kill")
    u.ok("rm", "life")
    out = u.ok("run", "--rm", "--network", "none", "changed", "sh", "-c", "ls /etc/group 2>/dev/null; stat -c %u /tmp/tree/new; ls -d /opaque")
    check(out == ("1000\n/opaque\n" if u is user() else "0\n/opaque\n"), "the committed image: %r" % out)
    u.ok("rmi", "changed")


def life_of_both():
    each_user(life)


def another_id(u=None):
    """A container of a subordinate ID: exec, signals and volumes."""
    u = user()
    os.makedirs(u.home + "/vol", exist_ok=True)
    os.chown(u.home + "/vol", u.uid, u.gid)
    os.chmod(u.home + "/vol", 0o777)
    u.ok("run", "-d", "--name", "other", "-u", "user", "--network", "none", "-v", u.home + "/vol:/v", "busybox", "sh", "-c",
         "trap 'exit 7' TERM; echo x >/v/x; while :; do sleep 0.1; done")
    check(u.ok("exec", "other", "id", "-u") == "1000\n", "exec")
    check(eventually(lambda: os.path.exists(u.home + "/vol/x")) and os.stat(u.home + "/vol/x").st_uid == u.base + 999, "the volume")
    u.ok("stop", "-t", "100", "other")
    check(u.ok("wait", "other") == "7\n", "its TERM")
    u.ok("rm", "other")


def network(u):
    port = free_port()
    u.ok("run", "-d", "--name", "web", "-p", "%d:8080" % port, "busybox", "sh", "-c",
         "mkdir /www; echo served >/www/index.html; exec httpd -f -p 8080 -h /www")
    check(eventually(lambda: get("http://127.0.0.1:%d/" % port) == b"served\n"), "port %d is not served" % port)
    u.ok("stop", "-t", "1", "web")
    check(eventually(lambda: get("http://127.0.0.1:%d/" % port) is None), "the port is still served")
    out = u.ok("run", "--rm", "--network", "host", "busybox", "ls", "/sys/class/net")
    check(sorted(out.split()) == sorted(os.listdir("/sys/class/net")), "network host: %r" % out)
    first = int(open("/proc/sys/net/ipv4/ip_unprivileged_port_start").read())
    if first > 80:
        code, _, err = u("run", "--rm", "--name", "low", "-p", "80:80", "busybox", "true")
        check(code == 126 and "ip_unprivileged_port_start" in err, "port 80: %d %r" % (code, err))


def network_of_both():
    each_user(network)


def named(u):
    """A named network of a user's: names, and nothing of it when its members have gone."""
    u.ok("network", "create", "lan")
    u.ok("run", "-d", "--name", "web", "--network", "lan", "busybox", "sh", "-c", "mkdir /www; echo served >/www/index.html; exec httpd -f -p 80 -h /www")
    out = u.ok("run", "--rm", "--network", "lan", "busybox", "sh", "-c", "until wget -qO- http://web/; do sleep 0.1; done; grep -c web /etc/hosts")
    check(out == "served\n1\n", "by name: %r" % out)
    code, _, err = u("network", "rm", "lan")
    check(code == 125 and "web" in err, err)
    check(len(json.loads(u.ok("network", "inspect", "lan"))["members"]) == 1, "members")
    u.ok("rm", "-f", "web")
    check(json.loads(u.ok("network", "inspect", "lan"))["members"] == [], "members stay")
    u.ok("network", "rm", "lan")


def named_of_both():
    each_user(named)


def machine():
    """--as vm: a volume with owners, a port, exec, commit."""
    u = user()
    need_kernel(u)
    port = free_port()
    os.makedirs(u.home + "/mvol", exist_ok=True)
    os.chown(u.home + "/mvol", u.uid, u.gid)
    u.ok("run", "-d", "--as", "vm", "--engine", "jit", "--name", "m", "-p", "%d:8080" % port, "-v", u.home + "/mvol:/v", "busybox",
         "sh", "-c", "echo x >/v/x; chown 1000:50 /v/x; mkdir /www; echo served >/www/index.html; exec httpd -f -p 8080 -h /www")
    check(eventually(lambda: get("http://127.0.0.1:%d/" % port) == b"served\n"), "port %d is not served" % port)
    st = os.stat(u.home + "/mvol/x")
    check((st.st_uid, st.st_gid) == (u.base + 999, u.base + 49), "owner of what was written: %s" % (st,))
    check(u.ok("exec", "m", "sh", "-c", "chown 1000 /www; rm /etc/group; id -u") == "0\n", "exec")
    u.ok("commit", "m", "fromvm")
    u.ok("rm", "-f", "m")
    out = u.ok("run", "--rm", "--network", "none", "fromvm", "sh", "-c", "stat -c %u /www; ls /etc/group 2>/dev/null; ls /www")
    check(out == "1000\nindex.html\n", "the committed machine: %r" % out)
    u.ok("rmi", "fromvm")


def build(u):
    u.put("ctx/Containerfile", "FROM busybox\nRUN echo hi >/built && chmod 640 /built && rm /etc/group\nRUN mkdir /d && echo 1 >/d/a\n"
          "RUN rm -r /d && mkdir /d && echo 2 >/d/b\nCOPY f /f\n%sCMD cat /built\n" % ("RUN chown 1000:50 /built\n" if u is user() else ""))
    u.put("ctx/f", "a file\n")
    u.ok("image", "build", "-q", "-t", "built", "ctx")
    check(u.ok("run", "--rm", "--network", "none", "built") == "hi\n", "the built image")
    out = u.ok("run", "--rm", "--network", "none", "built", "sh", "-c", "stat -c '%u:%g %a %n' /built /f; ls /d; ls /etc/group 2>/dev/null; true")
    check(out == "%s 640 /built\n0:0 644 /f\nb\n" % ("1000:50" if u is user() else "0:0"), "inside: %r" % out)
    u.ok("rmi", "built")


def build_of_both():
    each_user(build)


def fuse():
    """fuse-overlayfs in place of the kernel's: the same, and its process ends with the container however that ends."""
    need("fuse-overlayfs")
    if not os.path.exists("/dev/fuse"):
        raise Skip("no /dev/fuse")
    u = user()
    env = {"HULL_OVERLAY": "fuse"}
    out = u("run", "--rm", "--network", "none", "busybox", "sh", "-c", "head -1 /proc/mounts | cut -d' ' -f3; echo x >/x; "
            "chown 1000 /x; stat -c %u /x /home/user; rm /etc/group; ls /etc/group", env=env)[1]
    check(out == "fuse.fuse-overlayfs\n1000\n1000\n", "inside: %r" % out)
    before = u.processes()
    u.ok("run", "-d", "--name", "f", "--network", "none", "busybox", "sleep", "1000", env=env)
    os.kill(json.loads(u.ok("inspect", "f"))["monitor"], signal.SIGKILL)
    u.ok("ps")
    check(eventually(lambda: u.processes() == before), "left over: %s" % u.processes())
    u.ok("rm", "f")


# ---- what the host does not allow ----

def refused():
    u = user()
    u.fails(["limits", "cgroup"], "run", "--rm", "--network", "none", "-m", "64M", "busybox", "true")
    u.fails(["newuidmap", "uidmap"], "run", "--rm", "busybox", "true", env={"PATH": "/nowhere", "XDG_RUNTIME_DIR": fresh(u)})
    u.fails(["XDG_RUNTIME_DIR"], "run", "--rm", "busybox", "true", env={"XDG_RUNTIME_DIR": "/proc/nowhere"})
    u.fails(["XDG_RUNTIME_DIR", "denied"], "run", "--rm", "busybox", "true", env={"XDG_RUNTIME_DIR": "/root"})
    few = user("few")
    few.fails(["1000:1001", "/etc/subuid", "65536"], "import", User.tar, "busybox")
    check(few.ok("images", "-q") == "" and not glob.glob(few.data + "/images/layers/*"), "something was stored")
    # In a user name space where the user's group has no ID, nobody may make another.
    cmd = ["unshare", "--user", "--map-user=%d" % u.uid, User.hull, "run", "--rm", "--network", "none", "busybox", "true"]
    r = subprocess.run(u.command(*cmd, env={"XDG_RUNTIME_DIR": fresh(u)}), stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    check(r.returncode in (125, 126) and r.stderr.count(b"\n") == 1 and b"user namespace" in r.stderr, "%d %r" % (r.returncode, r.stderr))
    check(u("run", "--help")[0] == 0, "help needs nothing")


def doctor():
    """What it says of subordinate IDs and of the programs that map them."""
    def says(u, **kw):
        return [(r["ok"], r["note"]) for r in json.loads(u.ok("doctor", "--json", **kw)) if r["check"] == "subordinate IDs"][0]
    for kind, fine, words in (("many", True, ["65536 user IDs, 65536 group IDs"]), ("few", False, ["1000 user IDs"]),
                              ("one", False, ["/etc/subuid", "usermod", user("one").name])):
        good, note = says(user(kind))
        check(good == fine and all(w in note for w in words), "%s: %s %s" % (kind, good, note))
    good, note = says(user(), env={"PATH": "/nowhere"})
    check(not good and "newuidmap" in note and "uidmap)" in note, note)


def fresh(u):
    """A runtime directory from which no running user name space can be joined."""
    d = u.home + "/run-%d" % random.randrange(1 << 30)
    os.makedirs(d, 0o700)
    os.chown(d, u.uid, u.gid)
    return d


# ---- nothing stays behind ----

def spaces():
    """Inodes of user name spaces that living processes are in."""
    found = set()
    for d in glob.glob("/proc/[0-9]*"):
        try:
            if open(d + "/stat").read().rsplit(")", 1)[1].split()[0] != "Z":
                found.add(os.stat(d + "/ns/user").st_ino)
        except OSError:
            pass
    return found


def killed_anywhere():
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    u = user()
    for t in json.loads(u.ok("ps", "-a", "--json")):
        u("rm", "-f", t["name"])
    check(eventually(lambda: not u.processes()), "before: %s" % u.processes())
    for i in range(30):
        name = "leak%d" % i
        p = subprocess.Popen(u.command(User.hull, "run", "--rm", "--name", name, "-u", rng.choice(("0", "user")), "busybox", "sh", "-c",
                                       "sleep %g" % rng.choice((0.05, 0.5, 20))), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.random() * 0.25)
        v = u.processes()
        if v:
            try:
                os.kill(int(rng.choice(v).split()[0]), signal.SIGKILL)
            except OSError:
                pass
        if rng.random() < 0.3:
            p.kill()
        time.sleep(rng.random() * 0.3)
        u("kill", name)
        try:
            p.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            p.kill()
            raise AssertionError("round %d of seed %d: hull run did not end" % (i, seed))
    for t in json.loads(u.ok("ps", "-a", "--json")):
        u("rm", "-f", t["name"])
    check(eventually(lambda: not u.processes() and not u.things()),
          "seed %d: left over: %s, %s" % (seed, u.processes(), u.things()))
    check(not [l for l in open("/proc/self/mountinfo") if u.data in l], "mounts are left")
    check(not glob.glob(u.dir + "/hull/containers/*"), "state is left: %s" % glob.glob(u.dir + "/hull/containers/*"))
    u.ok("run", "--rm", "--network", "none", "busybox", "true")


TESTS = [owners, by_archive_and_registry, table, life_of_both, another_id, network_of_both, named_of_both, machine, build_of_both, fuse, refused, doctor,
         killed_anywhere]


def with_users_removed(t, last):
    def run():
        try:
            t()
        finally:
            if last:
                for u in user.have.values():
                    for x in json.loads(u("ps", "-a", "--json")[1] or "[]"):
                        u("rm", "-f", x["name"])
                    u.remove()
    run.__name__ = t.__name__
    return run


if __name__ == "__main__":
    wanted = [t for t in TESTS if not sys.argv[1:] or t.__name__ in sys.argv[1:]]
    main([with_users_removed(t, t is wanted[-1]) for t in wanted] if wanted else TESTS)
