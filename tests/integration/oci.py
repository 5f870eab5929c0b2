#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hull-oci by its own command line and under podman, containerd and Docker. TAP on stdout.

  tests/integration/oci.py [NAME...]
"""
import json, os, random, re, shutil, signal, socket, subprocess, sys, time
from hulltest import PATIENCE, Skip, check, eventually, main
from ocitest import OCI, check_same, edit, host_state, make_bundle, make_root, need_root, oci, ok


def wait_for(what):
    check(eventually(what), "not in %d s" % PATIENCE)


def detached(*args, before=()):
    """run -d, whose container keeps the standard streams: they must not be our pipes."""
    with open("d.out", "w") as f:
        code = subprocess.call([OCI, "--root", os.path.abspath("state"), *before, "run", "-d", *args], stdin=subprocess.DEVNULL, stdout=f, stderr=f)
    check(code == 0, open("d.out").read())


def state(name):
    return json.loads(ok("state", name))


def life_cycle():
    need_root()
    b = make_bundle("sh", "-c", "echo started; exec sleep 100")
    before = host_state()
    with open("out", "w") as out:
        r = subprocess.run([OCI, "--root", os.path.abspath("state"), "create", "--bundle", b, "--pid-file", "pid", "hullt1"],
                           stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    check(r.returncode == 0, open("out").read())
    s = state("hullt1")
    check(s["status"] == "created" and s["pid"] == int(open("pid").read()) and s["bundle"] == b, str(s))
    check(open("out").read() == "", "ran before start")
    code, _, err = oci("create", "--bundle", b, "hullt1")
    check(code == 1 and "already exists" in err, err)
    ok("start", "hullt1")
    check(state("hullt1")["status"] == "running", "not running")
    wait_for(lambda: open("out").read() == "started\n")
    check(oci("start", "hullt1")[0] == 1, "started twice")
    check(oci("delete", "hullt1")[0] == 1, "deleted while running")
    ok("pause", "hullt1")
    check(state("hullt1")["status"] == "paused", "not paused")
    check("paused" in oci("exec", "hullt1", "true")[2], "exec in a paused container")
    ok("resume", "hullt1")
    code, out, err = oci("exec", "--env", "A=b", "--cwd", "/tmp", "hullt1", "sh", "-c", "echo $A; pwd; exit 7")
    check(code == 7 and out == "b\n/tmp\n", "%d %r %r" % (code, out, err))
    check([p for p in json.loads(ok("ps", "-f", "json", "hullt1"))] == [s["pid"]], "ps")
    check("hullt1" in ok("list") and json.loads(ok("list", "-f", "json"))[0]["id"] == "hullt1", "list")
    ok("kill", "hullt1", "KILL")
    wait_for(lambda: state("hullt1")["status"] == "stopped")
    check("not running" in oci("kill", "hullt1", "TERM")[2], "kill of a stopped container")
    ok("delete", "hullt1")
    check("does not exist" in oci("state", "hullt1")[2], "state after delete")
    check_same(before, host_state())


def exit_statuses():
    need_root()
    b = make_bundle("sh", "-c", "exit 42")
    check(oci("run", "--bundle", b, "hullt2")[0] == 42, "exit status")
    edit(b, lambda c: c["process"].update(args=["sh", "-c", "kill -9 $$"]))
    code = oci("run", "--bundle", b, "hullt2")[0]
    check(code in (0, 137), "killed: %d" % code)  # process 1 cannot be killed from inside its own namespace
    edit(b, lambda c: c["process"].update(args=["nonsuch"]))
    code, _, err = oci("run", "--bundle", b, "hullt2")
    check(code == 1 and "executable file not found in $PATH" in err, err)
    os.chmod(b + "/rootfs/tmp", 0o1777)
    with open(b + "/rootfs/tmp/x", "w") as f:
        f.write("#!/nonsuch\n")
    os.chmod(b + "/rootfs/tmp/x", 0o755)
    edit(b, lambda c: c["process"].update(args=["/tmp/x"]))
    code, _, err = oci("run", "--bundle", b, "hullt2")
    check(code == 1 and "exec /tmp/x: no such file or directory" in err, err)
    check(not os.listdir("state") or os.listdir("state") == [".seccomp"], "state left: %s" % os.listdir("state"))


def errors_are_one_line():
    need_root()
    b = make_bundle("true")
    for change, word in ((lambda c: c["process"].update(cwd="relative"), "absolute"),
                         (lambda c: c["mounts"].append({"destination": "/x", "type": "bind", "source": "/nonsuch", "options": ["bind"]}), "/nonsuch"),
                         (lambda c: c["mounts"].append({"destination": "/x", "type": "nonsuchfs", "source": "x"}), "nonsuchfs"),
                         (lambda c: c["linux"].update(sysctl={"kernel.sysrq": "0"}), "kernel.sysrq"),
                         (lambda c: c["linux"]["namespaces"].append({"type": "ipc2"}), "ipc2"),
                         (lambda c: c["root"].update(path="nonsuch"), "nonsuch")):
        shutil.copy(b + "/config.json", "keep.json")
        edit(b, change)
        code, out, err = oci("run", "--bundle", b, "hullt3")
        check(code == 1 and len(err.splitlines()) == 1 and word in err, "%r: %d %r" % (word, code, err))
        shutil.copy("keep.json", b + "/config.json")
    for args in (("run",), ("kill", "a", "b", "c"), ("state", "../x"), ("kill", "nonsuch"), ("nonsuch",), ("run", "--nonsuch", "x"),
                 ("exec", "nonsuch", "true"), ("delete", "nonsuch"), ("start", "nonsuch")):
        code, out, err = oci(*args)
        check(code in (1, 255) and len(err.splitlines()) == 1 and not out, "%s: %d %r" % (args, code, err))
    log = os.path.abspath("log.json")
    subprocess.run([OCI, "--root", "state", "--log", log, "--log-format", "json", "state", "nonsuch"], stderr=subprocess.DEVNULL)
    entry = json.loads(open(log).read())
    check(entry["level"] == "error" and "does not exist" in entry["msg"] and entry["time"], str(entry))


def inside():
    """What the program sees: ids, limits, environment, names, devices, masks."""
    need_root()

    def change(c):
        c["process"].update(user={"uid": 1000, "gid": 1000, "additionalGids": [5, 6], "umask": 0o27}, cwd="/made/for/it",
                            rlimits=[{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}])
        c["hostname"] = "inner"
        c["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "9000"}
        c["linux"]["devices"] = [{"path": "/dev/sub/mynull", "type": "c", "major": 1, "minor": 3, "fileMode": 0o622, "uid": 1, "gid": 2}]
        c["linux"]["personality"] = {"domain": "LINUX"}
    b = make_bundle("sh", "-c", "id; pwd; umask; ulimit -Sn; ulimit -Hn; hostname; cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax;"
                    "stat -c %a:%u:%g:%t:%T /dev/sub/mynull; echo $HOME; cat /proc/timer_list | wc -c; ls /proc/acpi /sys/firmware | wc -l;"
                    "echo 1 >/proc/sys/kernel/panic || echo readonly; grep NoNewPrivs /proc/self/status; cat /proc/self/cgroup | grep -vc ':/$'", change=change)
    code, out, err = oci("run", "--bundle", b, "hullt4")
    lines = out.splitlines()
    check(lines[0] == "uid=1000(user) gid=1000 groups=1000,5,6" or lines[0].startswith("uid=1000(user) gid=1000"), out + err)
    check(lines[1:10] == ["/made/for/it", "0027", "100", "200", "inner", "1", "9000", "622:1:2:1:3", "/home/user"], "%s %s" % (lines, err))
    check(lines[10] == "0" and "readonly" in lines, "%s" % lines)
    check("NoNewPrivs:\t1" in lines and lines[-1] == "0", "%s" % lines)


def terminal():
    need_root()
    b = make_bundle("sh", "-c", "tty; stat -c %t:%T /dev/console; cat; exit 3", change=lambda c: c["process"].update(terminal=True))
    s = socket.socket(socket.AF_UNIX)
    s.bind("console.sock")
    s.listen(1)
    ok("create", "--bundle", b, "--console-socket", os.path.abspath("console.sock"), "hullt5")
    c, _ = s.accept()
    msg, fds, _, _ = socket.recv_fds(c, 100, 1)
    check(len(fds) == 1 and msg == b"/dev/pts/0", "%r %r" % (msg, fds))
    ok("start", "hullt5")
    os.write(fds[0], b"hello\n\x04")
    seen = b""
    try:
        while b"hello\r\nhello" not in seen:
            seen += os.read(fds[0], 1000)
    except OSError:
        pass
    check(b"/dev/pts/0" in seen and b"88:0" in seen and b"hello" in seen, repr(seen))
    os.close(fds[0])
    wait_for(lambda: state("hullt5")["status"] == "stopped")
    ok("delete", "hullt5")
    code, _, err = oci("create", "--bundle", b, "hullt5")
    check(code == 1 and "console socket" in err, err)
    # Without a mount namespace there is no devpts in the root: the host's terminals serve.
    edit(b, lambda c: (c["process"].update(args=["sh", "-c", "test -t 0 && echo terminal"]), c["linux"].update(
        namespaces=[{"type": "pid"}, {"type": "uts"}], maskedPaths=[], readonlyPaths=[])))
    check("terminal" in ok("run", "--bundle", b, "hullt5"), "no mount namespace")


def hooks_in_order():
    need_root()
    here = os.path.abspath(".")
    names = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]

    def change(c):
        c["hooks"] = {n: [{"path": "/bin/sh", "args": ["sh", "-c", "cat >%s/%s.json; echo %s >>%s/order" % (here, n, n, here)]}] for n in names}
        c["hooks"]["startContainer"] = [{"path": "/bin/sh", "args": ["sh", "-c", "cat >/hook.json; echo startContainer >/tmp/order"]}]
    b = make_bundle("sh", "-c", "cat /tmp/order", change=change)
    out = ok("run", "--bundle", b, "hullt6")
    check(out == "startContainer\n", out)
    order = open("order").read().split()
    check(order == names, str(order))
    pids = [json.load(open(n + ".json")) for n in names]
    check(all(s["id"] == "hullt6" and s["bundle"] == b for s in pids), str(pids))
    check([s["status"] for s in pids] == ["created", "creating", "creating", "running", "stopped"], str(pids))
    # Where each runs and what it finds in its environment.
    edit(b, lambda c: (c["process"].update(args=["/bin/cat", "/cc", "/env"], env=["ONE=two"]), c.update(hooks={
        "createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "pwd >cc; mountpoint -q proc && echo mounted >>cc"]}],
        "startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "echo $ONE $HOME >/env"]}]})))
    out = ok("run", "--bundle", b, "hullt6")
    check(out == "%s/rootfs\nmounted\ntwo /root\n" % b, out)
    edit(b, lambda c: c.update(hooks={"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "echo because >&2; exit 9"]}]}))
    code, _, err = oci("run", "--bundle", b, "hullt6")
    check(code == 1 and "createRuntime" in err and "because" in err and "9" in err, err)
    edit(b, lambda c: c.update(hooks={"prestart": [{"path": "/bin/sleep", "args": ["sleep", "50"], "timeout": 1}]}))
    code, _, err = oci("run", "--bundle", b, "hullt6")
    check(code == 1 and "timed out" in err, err)
    check(oci("state", "hullt6")[0] == 1, "left behind")


def namespaces_by_path():
    need_root()
    b = make_bundle("sleep", "100", name="a")
    detached("--bundle", b, "hullt7a")
    pid = state("hullt7a")["pid"]
    try:
        b2 = make_bundle("sh", "-c", "for n in net ipc uts pid; do readlink /proc/self/ns/$n; done", name="b", change=lambda c: c["linux"].update(
            namespaces=[{"type": "mount"}] + [{"type": t, "path": "/proc/%d/ns/%s" % (pid, f)}
                                              for t, f in (("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("pid", "pid"))]) or c.pop("hostname"))
        out = ok("run", "--bundle", b2, "hullt7b").split()
        check(out == [os.readlink("/proc/%d/ns/%s" % (pid, n)) for n in ("net", "ipc", "uts", "pid")], str(out))
    finally:
        ok("delete", "-f", "hullt7a")


def user_namespace():
    need_root()

    def change(c):
        c["linux"]["namespaces"].append({"type": "user"})
        for k in ("uidMappings", "gidMappings"):
            c["linux"][k] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        c["mounts"].append({"destination": "/vol", "type": "bind", "source": os.path.abspath("vol"), "options": ["rbind"]})
        c["mounts"].append({"destination": "/mapped", "type": "bind", "source": os.path.abspath("vol"), "options": ["rbind", "idmap"]})
    os.mkdir("vol")
    os.chmod("vol", 0o755)
    os.chmod(".", 0o755)
    b = make_bundle("sh", "-c", "id -u; cat /proc/self/uid_map; echo x >/dev/null && echo null; stat -c %u /vol /mapped; touch /mapped/f && echo made", change=change)
    for d, dirs, files in os.walk(b):
        os.chown(d, 100000, 100000)
    code, out, err = oci("run", "--bundle", b, "hullt8")
    check(code == 0, err)
    words = out.split()
    check(words == ["0", "0", "100000", "65536", "null", "65534", "0", "made"], out + err)
    check(os.stat("vol/f").st_uid == 0, "id-mapped mount: owner %d" % os.stat("vol/f").st_uid)


def time_namespace():
    need_root()
    b = make_bundle("cat", "/proc/uptime", change=lambda c: (c["linux"]["namespaces"].append({"type": "time"}),
                                                           c["linux"].update(timeOffsets={"boottime": {"secs": 10000000}})))
    up = float(ok("run", "--bundle", b, "hullt9").split()[0])
    check(up > 10000000, str(up))


def limits():
    need_root()
    if not os.path.exists("/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        raise Skip("no cgroup v1 memory controller")
    b = make_bundle("sleep", "100", change=lambda c: c["linux"]["resources"].update(
        memory={"limit": 64 << 20}, pids={"limit": 20}, cpu={"shares": 512, "quota": 50000, "period": 100000}) or c["linux"].update(cgroupsPath="/hullt/lim"))
    detached("--bundle", b, "hullt10")

    def value(ctl, name):
        return int(open("/sys/fs/cgroup/%s/hullt/lim/%s" % (ctl, name)).read())
    try:
        check(value("memory", "memory.limit_in_bytes") == 64 << 20 and value("pids", "pids.max") == 20, "limits")
        check(value("cpu", "cpu.shares") == 512 and value("cpu", "cpu.cfs_quota_us") == 50000, "cpu")
        ok("update", "--memory", "32m", "--pids-limit", "10", "--cpu-share", "256", "hullt10")
        check(value("memory", "memory.limit_in_bytes") == 32 << 20 and value("pids", "pids.max") == 10 and value("cpu", "cpu.shares") == 256, "update")
        stats = json.loads(ok("events", "--stats", "hullt10"))
        check(stats["data"]["pids"]["current"] == 1 and stats["data"]["memory"]["usage"]["limit"] == 32 << 20, str(stats))
        check("c 1:3 rwm" in open("/sys/fs/cgroup/devices/hullt/lim/devices.list").read(), "devices")
        check(oci("exec", "hullt10", "mknod", "/tmp/m", "b", "7", "0")[0] != 0, "mknod without the capability")
    finally:
        ok("delete", "-f", "hullt10")
        for d in os.listdir("/sys/fs/cgroup"):
            try:
                os.rmdir("/sys/fs/cgroup/%s/hullt" % d)
            except OSError:
                pass


def on_pure_v2():
    """The same host seen as cgroup v2 alone: creation into the group, device program, freezer, kill."""
    need_root()
    b = make_bundle("sh", "-c", "cat /proc/self/cgroup | grep -c ^0::/$; cat /dev/null && echo null; mknod /tmp/d c 1 5 2>/dev/null; exec sleep 100",
                    change=lambda c: c["process"].update(capabilities={}))
    script = "umount -R -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 77; O='%s --root %s'; " % (OCI, os.path.abspath("s2"))
    script += ("$O run -d --bundle %s hullt11 </dev/null >o11 2>&1 || { cat o11; exit 1; }; for i in $(seq 6000); do grep -q null o11 && break; sleep 0.05; done; $O pause hullt11 && $O state hullt11 | grep paused && $O resume hullt11 && "
               "$O exec hullt11 sh -c 'exit 5'; echo exec $?; test -d /sys/fs/cgroup/hullt11 && echo there; $O delete -f hullt11; test -d /sys/fs/cgroup/hullt11 || echo gone; cat o11") % b
    r = subprocess.run(["unshare", "-m", "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=PATIENCE)
    out = r.stdout.decode()
    if r.returncode == 77:
        raise Skip("no private view of cgroup v2 here")
    for w in ("paused", "exec 5", "there", "gone", "null"):
        check(w in out, "no %r: %s" % (w, out))


ROOTLESS = "/tmp/hull-rootless-%d" % os.getpid()


def as_user(runtime_dir):
    """hull-oci as user 12345, who has no subordinate IDs and no home."""
    user = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "env", "XDG_RUNTIME_DIR=" + runtime_dir]
    if subprocess.call(user + ["test", "-x", OCI]):
        raise Skip("another user does not reach " + OCI)
    return user + [OCI]


def rootless():
    need_root()
    run = as_user(ROOTLESS)
    b = make_bundle("sh", "-c", "id -u; cat /proc/self/uid_map; echo ok >/tmp/x && cat /tmp/x", name=ROOTLESS)
    try:
        os.remove(b + "/config.json")
        for d, dirs, files in os.walk(b):
            os.chown(d, 12345, 12345)
        subprocess.run(run + ["spec", "--rootless", "--bundle", b], check=True)
        edit(b, lambda c: (c["process"].update(terminal=False, args=["sh", "-c", "id -u; cat /proc/self/uid_map; echo ok >/tmp/x && cat /tmp/x"]), c["root"].update(readonly=False)))
        r = subprocess.run(run + ["run", "--bundle", b, "hullt12"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        check(r.returncode == 0 and r.stdout.decode().split() == ["0", "0", "12345", "1", "ok"], r.stderr.decode() + r.stdout.decode())
    finally:
        shutil.rmtree(b)


class UsersBundle:
    """A bundle of user 12345's, with its config changed; whatever containers there are of it go at the end."""
    def __init__(self, *args):
        need_root()
        self.cmd = as_user(ROOTLESS)
        self.b = make_bundle("true", name=ROOTLESS)
        os.remove(self.b + "/config.json")
        for d in os.walk(self.b):
            os.chown(d[0], 12345, 12345)
        subprocess.run(self.cmd + ["spec", "--rootless", "--bundle", self.b], check=True)
        self.edit(lambda c: (c["process"].update(terminal=False, args=list(args)), c["root"].update(readonly=False)))

    def edit(self, change):
        edit(self.b, change)

    def __call__(self, *args):
        with open("u.out", "w+") as f:  # no pipe: a created container keeps it
            code = subprocess.call(self.cmd + list(args), stdin=subprocess.DEVNULL, stdout=f, stderr=f)
            f.seek(0)
            return code, f.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self("delete", "-f", "hullt12")
        shutil.rmtree(self.b)


def rootless_time_namespace():
    """Made with the rights of the new user namespace; offsets before anything is in it, also for exec."""
    with UsersBundle("sh", "-c", "cat /proc/uptime; exec sleep 100") as u:
        u.edit(lambda c: (c["linux"]["namespaces"].append({"type": "time"}), c["linux"].update(timeOffsets={"boottime": {"secs": 10000000}})))
        code, out = u("run", "-d", "--bundle", u.b, "hullt12")
        check(code == 0, out)
        code, out = u("exec", "hullt12", "cat", "/proc/uptime")
        check(code == 0 and float(out.split()[0]) > 10000000, out)


def rootless_exec_before_start():
    """A created container's process is private, also to its owner: it hands its namespaces to his exec, until the start."""
    with UsersBundle("sleep", "100") as u:
        code, out = u("create", "--bundle", u.b, "hullt12")
        check(code == 0, out)
        code, out = u("exec", "hullt12", "sh", "-c", "id -u; readlink /proc/1/exe || echo private; ls -l /proc/self/fd")
        check(code == 0 and out.startswith("0\nprivate\n"), out)
        fds = [l.split(" -> ")[1] for l in out.splitlines() if " -> " in l]
        check(fds == ["/dev/null", os.path.abspath("u.out"), os.path.abspath("u.out")], "descriptors in the exec: " + out)
        pid = json.loads(u("state", "hullt12")[1])["pid"]
        for kind in ("user", "mnt", "pid", "uts", "ipc"):
            mine = os.readlink("/proc/%d/ns/%s" % (pid, kind))
            check(u("exec", "hullt12", "readlink", "/proc/self/ns/" + kind)[1].strip() == mine, kind)
        check(u("start", "hullt12") == (0, ""), "start")
        check(u("exec", "hullt12", "readlink", "/proc/1/exe") == (0, "/bin/busybox\n"), "after the start")


def rootless_cgroups_path():
    """A cgroup that was asked for and may not be made: a warning, the container runs."""
    with UsersBundle("echo", "ran") as u:
        u.edit(lambda c: c["linux"].update(cgroupsPath="/hulltnotgiven"))
        code, out = u("run", "--bundle", u.b, "hullt12")
        check(code == 0 and out.endswith("ran\n") and "hulltnotgiven" in out and out.count("\n") == 2, "%d %r" % (code, out))
        u.edit(lambda c: c["linux"].pop("cgroupsPath"))
        check(u("run", "--bundle", u.b, "hullt12") == (0, "ran\n"), "without the path there is nothing to warn of")


def no_process():
    """start without a process succeeds, as under crun; the container says in create's error stream that there is nothing to run."""
    need_root()
    b = make_bundle("true", change=lambda c: c.pop("process"))
    said = "hull-oci: config.json has no process: nothing to run\n"
    with open("np.out", "w") as f:
        code = subprocess.call([OCI, "--root", os.path.abspath("state"), "create", "--bundle", b, "hullt19"], stdin=subprocess.DEVNULL, stdout=f, stderr=f)
    check(code == 0, open("np.out").read())
    try:
        check(state("hullt19")["status"] == "created" and not open("np.out").read(), "before the start")
        check(oci("start", "hullt19") == (0, "", ""), "start")
        wait_for(lambda: state("hullt19")["status"] == "stopped")
        check(open("np.out").read() == said, open("np.out").read())
        check(oci("start", "hullt19")[0] == 1, "a second start")
    finally:
        ok("delete", "-f", "hullt19")
    code, _, err = oci("run", "--bundle", b, "hullt19")
    check(code == 1 and "process" in err, err)
    check(oci("state", "hullt19")[0] == 1, "run left something")


def kill_without_cgroup():
    """Nobody but init is known of a container in another's PID namespace without a cgroup: that one is killed."""
    need_root()
    b = make_bundle("sleep", "100", change=lambda c: c["linux"].update(
        namespaces=[n for n in c["linux"]["namespaces"] if n["type"] != "pid"]))
    try:
        detached("--bundle", b, "hullt13", before=["--cgroup-manager=disabled"])
        check(oci("kill", "hullt13", "KILL")[0] == 0, "kill")
        wait_for(lambda: state("hullt13")["status"] == "stopped")
        check(oci("delete", "hullt13")[0] == 0, "delete")
        detached("--bundle", b, "hullt13", before=["--cgroup-manager=disabled"])
        check(oci("delete", "-f", "hullt13")[0] == 0, "delete -f")
    finally:
        oci("delete", "-f", "hullt13")


def rootless_limits():
    """Limits in cgroups given to the user are set although v1's device rules are not his; without such cgroups they are refused."""
    need_root()
    given = ["/sys/fs/cgroup/%s/hulltr" % c for c in ("pids", "cpu", "devices")]
    if not all(os.path.isdir(os.path.dirname(d)) for d in given):
        raise Skip("no v1 hierarchies of pids, cpu and devices here")
    run = as_user(ROOTLESS)
    b = make_bundle("sh", "-c", "", name=ROOTLESS)
    for d in given:
        os.mkdir(d)
    try:
        os.remove(b + "/config.json")
        for d in [w[0] for w in os.walk(b)] + given + [d + f for d in given for f in ("/cgroup.procs", "/tasks")]:
            os.chown(d, 12345, 12345)
        subprocess.run(run + ["spec", "--rootless", "--bundle", b], check=True)
        edit(b, lambda c: (c["process"].update(terminal=False, args=["sleep", "100"]),
                           c["linux"].update(cgroupsPath="/hulltr/c", resources={"pids": {"limit": 20}, "cpu": {"shares": 512}})))
        with open("rl.out", "w") as f:
            code = subprocess.call(run + ["run", "-d", "--bundle", b, "hullt12"], stdin=subprocess.DEVNULL, stdout=f, stderr=f)
        check(code == 0, open("rl.out").read())
        check(open(given[0] + "/c/pids.max").read() == "20\n" and open(given[1] + "/c/cpu.shares").read() == "512\n", "limits")
        good(run + ["update", "--pids-limit", "30", "hullt12"])
        check(open(given[0] + "/c/pids.max").read() == "30\n", "update")
        good(run + ["delete", "-f", "hullt12"])
        edit(b, lambda c: c["linux"].update(cgroupsPath="/hulltnotgiven"))
        r = subprocess.run(run + ["run", "--bundle", b, "hullt12"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        check(r.returncode == 1 and b"cannot set limits" in r.stderr, r.stderr.decode())
    finally:
        subprocess.call(run + ["delete", "-f", "hullt12"], stderr=subprocess.DEVNULL)
        shutil.rmtree(b)
        for d in given:
            os.rmdir(d)


def seccomp_filter():
    need_root()
    filt = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{"names": ["mkdir", "mkdirat", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}
    b = make_bundle("sh", "-c", "mkdir /tmp/x; grep ^Seccomp: /proc/self/status", change=lambda c: c["linux"].update(seccomp=filt))
    for nnp in (True, False):
        edit(b, lambda c: c["process"].update(noNewPrivileges=nnp))
        code, out, err = oci("run", "--bundle", b, "hullt13")
        check("No space left" in err and "Seccomp:\t2" in out, out + err)
    check(os.listdir("state/.seccomp"), "the compiled filter was not kept")
    edit(b, lambda c: c["process"].update(args=["sleep", "100"]))
    detached("--bundle", b, "hullt13")
    code, out, err = oci("exec", "hullt13", "mkdir", "/tmp/x")
    ok("delete", "-f", "hullt13")
    check("No space left" in err, out + err)
    # A call that the profile could not know is ENOSYS, one that it leaves out is EPERM; also under the hooks.
    with open("call.c", "w") as f:
        f.write('#include <errno.h>\n#include <stdio.h>\n#include <unistd.h>\n#include <sys/syscall.h>\nint main(void){'
                'printf("%d ", (int)syscall(4000) == -1 ? errno : 0);printf("%d\\n", (int)syscall(SYS_mkdir, "/tmp/q", 0) == -1 ? errno : 0);return 0;}')
    good(["gcc", "-static", "-o", b + "/rootfs/bin/call", "call.c"])
    allow = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": [l.split()[1][5:] for l in good(["gcc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"]).splitlines()
                                                                     if l.startswith("#define __NR_") and "__NR_mkdir" not in l and "clone3" not in l and "close_range" not in l], "action": "SCMP_ACT_ALLOW"}]}
    edit(b, lambda c: (c["process"].update(args=["call"], noNewPrivileges=True), c["linux"].update(seccomp=allow),
                       c.update(hooks={"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "call >/tmp/hook"]}]})))
    check(ok("run", "--bundle", b, "hullt13") == "38 1\n", "ENOSYS and EPERM")
    check(open(b + "/rootfs/tmp/hook").read() == "38 1\n", "the hook ran without the filter")
    edit(b, lambda c: (c.pop("hooks"), c["process"].update(noNewPrivileges=False)))
    with open("c.out", "w") as f:  # the filter is there before the wait for the start, which needs nothing that it may lack
        check(subprocess.call([OCI, "--root", os.path.abspath("state"), "create", "--bundle", b, "hullt13"], stdin=subprocess.DEVNULL, stdout=f, stderr=f) == 0, open("c.out").read())
    ok("start", "hullt13")
    wait_for(lambda: open("c.out").read() == "38 1\n")
    ok("delete", "-f", "hullt13")
    filt["syscalls"][0]["action"] = "SCMP_ACT_NONSENSE"
    edit(b, lambda c: c["linux"].update(seccomp=filt))
    check("SCMP_ACT_NONSENSE" in oci("run", "--bundle", b, "hullt13")[2], "bad action")


def mount_details():
    """A read-only /dev, a tmpfs with the mode of what it covers, bind flags in a user namespace, a procfs that stays hidden."""
    need_root()
    os.mkdir("src")
    good(["mount", "-t", "tmpfs", "-o", "nodev,nosuid,nosymfollow", "t", "src"])
    try:
        def change(c):
            for m in c["mounts"]:
                if m["destination"] == "/dev":
                    m["options"].append("ro")
            c["mounts"] += [{"destination": "/covered", "type": "tmpfs", "source": "t"}, {"destination": "/new", "type": "tmpfs", "source": "t", "options": ["ro"]},
                            {"destination": "/bound", "type": "bind", "source": os.path.abspath("src"), "options": ["bind", "ro"]}]
            c["linux"]["maskedPaths"] += ["/proc/kcore", "/covered", "/covered"]
        b = make_bundle("sh", "-c", "stat -c %a /covered; grep -c covered /proc/self/mounts; for m in dev bound new; do grep \" /$m \" /proc/self/mounts | cut -d' ' -f4; done; touch /dev/x 2>&1; echo >/dev/null && echo null",
                        change=change)
        os.mkdir(b + "/rootfs/covered")
        os.chmod(b + "/rootfs/covered", 0o710)
        os.chmod(b, 0o755)
        out = ok("run", "--bundle", b, "hullt21").splitlines()
        check(out[1] == "2" and out[2].startswith("ro,") and out[3].startswith("ro") and "nodev" not in out[3] and out[4].startswith("ro") and "Read-only" in out[5] and out[6] == "null", str(out))
        edit(b, lambda c: c["linux"].update(maskedPaths=[]))
        check(ok("run", "--bundle", b, "hullt21").splitlines()[0] == "710", "mode of the covered directory")

        def user(c):
            c["linux"]["namespaces"].append({"type": "user"})
            for k in ("uidMappings", "gidMappings"):
                c["linux"][k] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        edit(b, user)
        for d, _, _ in os.walk(b):
            os.chown(d, 100000, 100000)
        os.chmod(".", 0o755)
        out = ok("run", "--bundle", b, "hullt21").splitlines()[3].split(",")
        check("ro" in out and "nodev" in out and "nosuid" in out and "nosymfollow" not in out, "flags that a user namespace locks: %s" % out)
    finally:
        good(["umount", "src"])
    # A root that is a shared mount and is to be shared: what is mounted in it stays in it.
    b = make_bundle("sh", "-c", "head -1 /proc/self/mountinfo; mount -t tmpfs t /tmp", change=lambda c: (
        c["linux"].update(rootfsPropagation="rshared"), [c["process"]["capabilities"][k].append("CAP_SYS_ADMIN") for k in ("bounding", "permitted", "effective")]))
    good(["mount", "--bind", b + "/rootfs", b + "/rootfs"])
    try:
        good(["mount", "--make-shared", b + "/rootfs"])
        before = open("/proc/self/mountinfo").read().count(b)
        out = ok("run", "--bundle", b, "hullt23")
        check("shared:" in out, "the root is not shared: " + out)
        # A volume that is shared both ways: what the container mounts there appears on the host.
        os.mkdir("both")
        good(["mount", "-t", "tmpfs", "t", "both"])
        good(["mount", "--make-rshared", "both"])
        edit(b, lambda c: (c["process"].update(args=["sh", "-c", "mkdir /v/m && mount -t tmpfs in /v/m && touch /v/m/f"]), c["mounts"].append(
            {"destination": "/v", "type": "bind", "source": os.path.abspath("both"), "options": ["rbind", "rshared"]})))
        try:
            ok("run", "--bundle", b, "hullt23")
            check(os.listdir("both/m") == ["f"], "the container's mount did not reach the host")
        finally:
            good(["umount", "-R", "both"])
        check(open("/proc/self/mountinfo").read().count(b) == before, "a mount of the container's stayed on the host")
    finally:
        good(["umount", "-R", b + "/rootfs"])
    # --no-pivot leaves the host's mounts in the namespace: no bare procfs among them that the kernel would take as leave to mount another.
    b = make_bundle("sh", "-c", "unshare -Urmpf sh -c 'mount -t proc none /tmp 2>&1; ls /tmp/sysrq-trigger 2>/dev/null; true'", change=lambda c: [
        c["process"]["capabilities"][k].append("CAP_SETFCAP") for k in ("bounding", "permitted")])
    os.symlink("busybox", b + "/rootfs/bin/unshare")
    code, out, err = oci("run", "--no-pivot", "--bundle", b, "hullt22")
    check("sysrq" not in out and ("ermission denied" in out or "not permitted" in out), out + err)


def pidfd_to_a_socket():
    """--pidfd-socket of run, create and exec: the descriptor signals that very process."""
    need_root()
    b = make_bundle("sleep", "100")
    s = socket.socket(socket.AF_UNIX)
    s.bind("pidfd.sock")
    s.listen(4)

    def pidfd():
        c, _ = s.accept()
        _, fds, _, _ = socket.recv_fds(c, 100, 1)
        c.close()
        return fds[0]
    path = os.path.abspath("pidfd.sock")
    with open("c.out", "w") as out:
        check(subprocess.call([OCI, "--root", os.path.abspath("state"), "create", "--bundle", b, "--pidfd-socket", path, "hullt14"],
                              stdin=subprocess.DEVNULL, stdout=out, stderr=out) == 0, open("c.out").read())
    fd = pidfd()
    signal.pidfd_send_signal(fd, signal.SIGTERM)  # what waits for its start ends by it, though it is process 1
    os.close(fd)
    wait_for(lambda: state("hullt14")["status"] == "stopped")
    ok("delete", "hullt14")
    detached("--bundle", b, "--pidfd-socket", path, "hullt14")
    first = pidfd()
    try:
        p = subprocess.Popen([OCI, "--root", os.path.abspath("state"), "exec", "--pidfd-socket", path, "hullt14", "sleep", "50"], stdin=subprocess.DEVNULL)
        fd = pidfd()
        signal.pidfd_send_signal(fd, signal.SIGKILL)
        os.close(fd)
        check(p.wait(PATIENCE) == 137, "exec: %d" % p.returncode)
        check(state("hullt14")["status"] == "running", "the wrong process was killed")
        signal.pidfd_send_signal(first, signal.SIGKILL)
        wait_for(lambda: state("hullt14")["status"] == "stopped")
    finally:
        os.close(first)
        ok("delete", "-f", "hullt14")


def cpus():
    """The caller's CPU affinity stays with the caller; execCPUAffinity is applied."""
    need_root()
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise Skip("one CPU")
    b = make_bundle("grep", "Cpus_allowed_list", "/proc/self/status")

    def mask(text):
        cpus = set()
        for part in text.split(":")[1].split(","):
            a, _, z = part.strip().partition("-")
            cpus |= set(range(int(a), int(z or a) + 1))
        return sorted(cpus)

    def bound(*args):
        r = subprocess.run(["taskset", "-c", str(allowed[0]), OCI, "--root", os.path.abspath("state"), *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        check(r.returncode == 0, str(args))
        return mask(r.stdout.decode())
    check(bound("run", "--bundle", b, "hullt15") == allowed, "run inherited its caller's CPUs")
    edit(b, lambda c: c["process"].update(args=["sleep", "100"], execCPUAffinity={"initial": str(allowed[0]), "final": str(allowed[1])}))
    detached("--bundle", b, "hullt15")
    try:
        check(mask(ok("exec", "hullt15", "grep", "Cpus_allowed_list", "/proc/self/status")) == [allowed[1]], "final")
        proc = {"args": ["/bin/grep", "Cpus_allowed_list", "/proc/self/status"], "cwd": "/"}
        json.dump(proc, open("p.json", "w"))
        check(bound("exec", "-p", "p.json", "hullt15") == allowed, "exec inherited its caller's CPUs")
        json.dump(dict(proc, execCPUAffinity={"final": "nonsense"}), open("p.json", "w"))
        check("nonsense" in oci("exec", "-p", "p.json", "hullt15")[2], "bad list")
    finally:
        ok("delete", "-f", "hullt15")


def others_cgroup():
    """A cgroup with somebody's processes, or a frozen one, is refused and its processes live on."""
    need_root()
    b = make_bundle("sleep", "100", change=lambda c: c["linux"].update(cgroupsPath="/hulltg/a"))
    detached("--bundle", b, "hullt16a")
    try:
        for verb in ("run", "create"):
            code, _, err = oci(verb, "--bundle", b, "hullt16b")
            check(code == 1 and "cgroup is not empty" in err, err)
            check(state("hullt16a")["status"] == "running", verb + ": the owner of the cgroup was killed")
        for name in ("nonexistent", ".."):
            code, _, err = oci("exec", "--cgroup", name, "hullt16a", "true")
            check(code == 255 and err.count("\n") == 1, err)
        if os.path.isdir("/sys/fs/cgroup/memory"):
            os.mkdir("/sys/fs/cgroup/memory/hulltg/a/sub")
            out = ok("exec", "--cgroup", "memory:sub", "hullt16a", "cat", "/proc/self/cgroup")
            check(":memory:/sub\n" in out and ":pids:/\n" in out, out)
            check("No such file" in oci("exec", "--cgroup", "memory:nonexistent", "hullt16a", "true")[2], "missing below one controller")
            check("unknown controller" in oci("exec", "--cgroup", "nonsense:sub", "hullt16a", "true")[2], "controller")
    finally:
        ok("delete", "-f", "hullt16a")
    top = "/sys/fs/cgroup/freezer/hulltg/a" if os.path.isdir("/sys/fs/cgroup/freezer") else "/sys/fs/cgroup/hulltg/a"
    os.makedirs(top)
    try:
        with open(top + ("/freezer.state" if "freezer" in top else "/cgroup.freeze"), "w") as f:
            f.write("FROZEN" if "freezer" in top else "1")
        code, _, err = oci("run", "--bundle", b, "hullt16c")
        check(code == 1 and "frozen" in err, err)
    finally:
        os.rmdir(top)
        for d, _, _ in os.walk("/sys/fs/cgroup", topdown=False):
            if d.endswith("/hulltg"):
                os.rmdir(d)


def log_lines():
    """Debug and warning lines, from the container's process too, in the log and nowhere else."""
    need_root()
    b = make_bundle("grep", "CapAmb", "/proc/self/status", change=lambda c: c["process"]["capabilities"].update(
        inheritable=["CAP_KILL"], ambient=["CAP_KILL", "CAP_CHOWN"]))
    log = os.path.abspath("log")
    out = subprocess.run([OCI, "--root", os.path.abspath("state"), "--log", log, "--log-format", "json", "--debug", "run", "--bundle", b, "hullt17"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode()
    check(out == "CapAmb:\t0000000000000020\n", out)
    lines = [json.loads(l) for l in open(log)]
    check(any(l["level"] == "debug" and "child process" in l["msg"] for l in lines), str(lines))
    check(any(l["level"] == "warning" and "CAP_CHOWN" in l["msg"] for l in lines), str(lines))
    code, out, err = oci("run", "--bundle", b, "hullt17")
    check(code == 0 and err.count("\n") == 1 and "level=warning" in err and "CAP_CHOWN" in err, err)


def nothing_open_before_start():
    """A created container holds no descriptor of the host's but the start's FIFO and a socket."""
    need_root()
    b = make_bundle("true")
    with open("c.out", "w") as out:
        r = subprocess.call([OCI, "--root", os.path.abspath("state"), "create", "--bundle", b, "hullt18"], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    check(r == 0, open("c.out").read())
    pid = state("hullt18")["pid"]
    have = {int(n): os.readlink("/proc/%d/fd/%s" % (pid, n)) for n in os.listdir("/proc/%d/fd" % pid)}
    ok("delete", "-f", "hullt18")
    extra = [t for n, t in have.items() if n > 2 and not t.startswith("socket:") and not t.endswith("/exec.fifo")]
    check(not extra, str(extra))


def network_devices():
    """linux.netDevices: moved, renamed, with address, MTU and MAC, back with the namespace."""
    need_root()
    if call(["ip", "link", "add", "hullt0", "type", "veth", "peer", "name", "hullt1"])[0]:
        raise Skip("cannot make a veth pair")
    try:
        good(["ip", "link", "set", "hullt0", "mtu", "1280", "address", "02:11:22:33:44:55"])
        good(["ip", "address", "add", "192.0.2.7/28", "dev", "hullt0"])
        addresses = ["192.0.2.7/28"]
        if os.path.exists("/proc/sys/net/ipv6/conf/hullt0"):
            good(["ip", "address", "add", "2001:db8::7/64", "dev", "hullt0", "nodad"])
            addresses.append("2001:db8::7/64")
        b = make_bundle("sleep", "100", change=lambda c: c["linux"].update(netDevices={"hullt0": {"name": "inner0"}}, sysctl={"net.ipv4.conf.inner0.forwarding": "1"}))
        detached("--bundle", b, "hullt19")
        pid = state("hullt19")["pid"]
        out = good(["nsenter", "-t", str(pid), "-n", "ip", "address", "show", "dev", "inner0"])
        for w in ("mtu 1280", "02:11:22:33:44:55", *addresses, "UP"):
            check(w in out, "no %s: %s" % (w, out))
        check(ok("exec", "hullt19", "cat", "/proc/sys/net/ipv4/conf/inner0/forwarding") == "1\n", "sysctl of the device")
        check(call(["ip", "link", "show", "hullt0"])[0] != 0, "still here")
        ok("delete", "-f", "hullt19")
        for change, word in ((lambda c: c["linux"].update(netDevices={"nonsuch0": {}}), "nonsuch0"), (lambda c: c["linux"].update(netDevices={"a/b": {}}), "a/b"),
                             (lambda c: c["linux"].update(netDevices={"lo": {}}, namespaces=[{"type": "mount"}, {"type": "pid"}, {"type": "uts"}]), "NET namespace")):
            edit(b, change)
            code, _, err = oci("run", "--bundle", b, "hullt19")
            check(code == 1 and word in err and err.count("\n") == 1, err)
    finally:
        oci("delete", "-f", "hullt19")
        call(["ip", "link", "del", "hullt1"])


def memory_runs_out():
    """events prints a line when it does, and ends with the container."""
    need_root()
    if not os.path.exists("/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        raise Skip("no cgroup v1 memory controller")
    b = make_bundle("sleep", "100", change=lambda c: c["linux"]["resources"].update(memory={"limit": 16 << 20}))
    detached("--bundle", b, "hullt20")
    p = subprocess.Popen([OCI, "--root", os.path.abspath("state"), "events", "--interval", "200ms", "hullt20"], stdin=subprocess.DEVNULL, stdout=open("ev", "w"))
    try:
        wait_for(lambda: '"stats"' in open("ev").read())
        check(oci("exec", "hullt20", "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1")[0] == 137, "not killed")
        wait_for(lambda: '{"type":"oom","id":"hullt20"}' in open("ev").read())
    finally:
        ok("delete", "-f", "hullt20")
    check(p.wait(PATIENCE) == 0, "events: %d" % p.returncode)


# ---- under engines ---------------------------------------------------------

CONF = """[containers]
default_ulimits = ["nofile=20000:20000","nproc=4096:4096"]
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def tool(name):
    if not shutil.which(name):
        raise Skip(name + " is not installed")


def call(cmd, timeout=PATIENCE, **kw):
    r = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, **kw)
    return r.returncode, r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace")


def good(cmd, **kw):
    code, out, err = call(cmd, **kw)
    check(code == 0, "%s: %d %s%s" % (cmd, code, out, err))
    return out


def image_tar():
    if not os.path.exists("img"):
        make_root("img")
    good(["tar", "-C", "img", "-cf", "img.tar", "."])
    return os.path.abspath("img.tar")


def under_podman():
    need_root()
    tool("podman")
    with open("containers.conf", "w") as f:
        f.write(CONF)
    os.environ["CONTAINERS_CONF"] = os.path.abspath("containers.conf")
    here = os.path.abspath(".")
    p = ["podman", "--root", here + "/st", "--runroot", here + "/rr", "--storage-driver", "vfs", "--runtime", OCI]
    good(p + ["import", image_tar(), "bb:1"])
    try:
        run = p + ["run", "--network", "none"]
        check(call(run + ["--rm", "bb:1", "sh", "-c", "exit 3"])[0] == 3, "exit status")
        check("uid=1000" in good(run + ["--rm", "-u", "1000", "bb:1", "id"]), "user")
        out = good(run + ["--rm", "--read-only", "--tmpfs", "/t", "-e", "X=y", "-w", "/tmp", "-v", here + ":/v:ro", "bb:1", "sh", "-c",
                          "echo $X; pwd; touch /v/f 2>/dev/null || echo ro; touch /t/f && echo rw; touch /f 2>/dev/null || echo ro"])
        check(out.split() == ["y", "/tmp", "ro", "rw", "ro"], out)
        check("/dev/pts/0" in good(run + ["--rm", "-t", "bb:1", "tty"]), "terminal")
        good(run + ["-d", "--name", "x", "bb:1", "sh", "-c", "trap 'exit 9' TERM; echo line; while :; do usleep 50000; done"])
        check("uid=0" in good(p + ["exec", "x", "id"]), "exec")
        check(call(p + ["exec", "x", "sh", "-c", "exit 6"])[0] == 6, "exec's status")
        good(p + ["pause", "x"])
        good(p + ["unpause", "x"])
        good(p + ["top", "x"])
        good(p + ["stop", "-t", "100", "x"])
        check(good(p + ["logs", "x"]) == "line\n", "logs")
        check(good(p + ["inspect", "-f", "{{.State.ExitCode}}", "x"]).strip() == "9", "exit code after stop")
        good(p + ["rm", "x"])
        check(call(run + ["--rm", "bb:1", "nonsuch"])[0] == 127, "127 for a missing program")
        check(call(run + ["--rm", "bb:1", "/etc"])[0] == 126, "126 for a directory")
    finally:
        call(p + ["rm", "-f", "-t", "0", "-a"])
        call(p + ["rmi", "-f", "-a"])
        call(["umount", "-l", here + "/st/vfs"])


class Daemon:
    """A daemon with its files below the test's directory, ended by its own pid."""

    def __init__(self, cmd, sock):
        self.p = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=open(sock + ".log", "w"), stderr=subprocess.STDOUT)
        self.log = sock + ".log"
        eventually(lambda: os.path.exists(sock) or self.p.poll() is not None)
        if not os.path.exists(sock):
            why = open(self.log).read()[-300:]
            self.stop()
            raise Skip("%s does not start here: %s" % (cmd[0], why.replace("\n", " ")))
        time.sleep(0.5)

    def stop(self):
        if self.p.poll() is None:
            self.p.terminate()
            try:
                self.p.wait(30)
            except subprocess.TimeoutExpired:
                self.p.kill()


def containerd(here):
    with open("c.toml", "w") as f:
        f.write('version = 2\nroot = "%s/cr"\nstate = "%s/cs"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "%s/c.sock"\n' % (here, here, here))
    return Daemon(["containerd", "-c", "c.toml"], here + "/c.sock")


def oci_archive(tar, out):
    """An image archive of one layer, written here so that no other tool is needed."""
    import hashlib, tarfile, io
    def blob(data):
        return "sha256:" + hashlib.sha256(data).hexdigest(), data
    layer = open(tar, "rb").read()
    ld, _ = blob(layer)
    cfg = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"]}, "rootfs": {"type": "layers", "diff_ids": [ld]}}).encode()
    cd, _ = blob(cfg)
    man = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                      "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": cd, "size": len(cfg)},
                      "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": ld, "size": len(layer)}]}).encode()
    md, _ = blob(man)
    idx = json.dumps({"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": md, "size": len(man),
                      "annotations": {"io.containerd.image.name": "local/bb:1"}}]}).encode()
    with tarfile.open(out, "w") as t:
        for name, data in (("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("index.json", idx), *(("blobs/sha256/" + d[7:], x) for d, x in ((ld, layer), (cd, cfg), (md, man)))):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))


def under_containerd():
    need_root()
    tool("containerd")
    tool("ctr")
    here = os.path.abspath(".")
    d = containerd(here)
    ctr = ["ctr", "-a", here + "/c.sock"]
    try:
        oci_archive(image_tar(), "bb.tar")
        good(ctr + ["image", "import", "--snapshotter", "native", "bb.tar"])
        run = ctr + ["run", "--snapshotter", "native", "--runc-binary", OCI]
        check("uid=0" in good(run + ["--rm", "local/bb:1", "h1", "id"]), "run")
        check(call(run + ["--rm", "local/bb:1", "h2", "sh", "-c", "exit 4"])[0] == 4, "exit status")
        good(run + ["-d", "local/bb:1", "h3", "sleep", "100"])
        check("uid=0" in good(ctr + ["task", "exec", "--exec-id", "e", "h3", "id"]), "exec")
        good(ctr + ["task", "pause", "h3"])
        check("PAUSED" in good(ctr + ["task", "ls"]), "pause")
        good(ctr + ["task", "resume", "h3"])
        good(ctr + ["task", "kill", "-s", "KILL", "h3"])
        wait_for(lambda: "STOPPED" in good(ctr + ["task", "ls"]))
        call(ctr + ["task", "rm", "h3"])
        good(ctr + ["c", "rm", "h3"])
    finally:
        d.stop()


def under_docker():
    need_root()
    tool("dockerd")
    tool("docker")
    tool("containerd")
    here = os.path.abspath(".")
    c = containerd(here)
    d = None
    try:
        d = Daemon(["dockerd", "--containerd", here + "/c.sock", "--data-root", here + "/dk", "--exec-root", here + "/dx", "-H", "unix://%s/d.sock" % here,
                    "--pidfile", here + "/d.pid", "--bridge", "none", "--iptables=false", "--ip6tables=false", "--storage-driver", "vfs",
                    "--add-runtime", "hull=" + OCI], here + "/d.sock")
        dk = ["docker", "-H", "unix://%s/d.sock" % here]
        good(dk + ["import", image_tar(), "bb:1"])
        run = dk + ["run", "--runtime", "hull", "--network", "none"]
        check(call(run + ["--rm", "bb:1", "sh", "-c", "exit 5"])[0] == 5, "exit status")
        out = good(run + ["--rm", "-m", "50m", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "bb:1", "sh", "-c",
                          "grep -E 'Seccomp:|NoNew|CapEff' /proc/self/status"])
        check(re.sub(r"\s+", " ", out).strip() == "CapEff: 0000000000000000 NoNewPrivs: 1 Seccomp: 2", out)
        check("/dev/pts/0" in good(run + ["--rm", "-t", "bb:1", "tty"]), "terminal")
        good(run + ["-d", "--name", "xx", "bb:1", "sh", "-c", "echo line; exec sleep 100"])
        check("uid=0" in good(dk + ["exec", "xx", "id"]), "exec")
        check("sleep" in good(dk + ["top", "xx"]), "top")
        good(dk + ["stats", "--no-stream", "xx"])
        good(dk + ["pause", "xx"])
        good(dk + ["unpause", "xx"])
        good(dk + ["update", "--memory", "40m", "--memory-swap", "-1", "xx"])
        good(dk + ["stop", "-t", "1", "xx"])
        check(good(dk + ["logs", "xx"]) == "line\n", "logs")
        good(dk + ["rm", "xx"])
        check(call(run + ["--rm", "bb:1", "nonsuch"])[0] == 127, "127 for a missing program")
    finally:
        if d:
            d.stop()
        c.stop()


# ---- many, and killed at random --------------------------------------------

def thousand_with_kills():
    need_root()
    total, width = int(os.environ.get("HULL_OCI_STRESS", "1000")), 50
    b = make_bundle("sh", "-c", "exec -a hull-test-payload usleep 20000 2>/dev/null || usleep 20000")
    before = host_state()
    rng = random.Random(1)
    running, started, killed = {}, 0, 0
    while started < total or running:
        while started < total and len(running) < width:
            name = "hulltk%d" % started
            running[name] = subprocess.Popen([OCI, "--root", os.path.abspath("state"), "run", "--bundle", b, name],
                                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            started += 1
        if killed < started // 5:  # however slow this loop is beside the containers
            victim = rng.choice(list(running))
            if rng.random() < 0.5:
                running[victim].kill()
            else:
                oci("kill", victim, "KILL")
            killed += 1
        time.sleep(0.002 * rng.random())
        for name in [n for n, p in running.items() if p.poll() is not None][:5]:
            code = running.pop(name).returncode
            if code:  # whoever was killed leaves the cleaning to delete
                oci("delete", "-f", name)
    check(killed > total // 20, "only %d killed" % killed)
    for name in os.listdir("state"):
        if not name.startswith("."):
            oci("delete", "-f", name)
    eventually(lambda: host_state() == before)
    left = [n for n in os.listdir("state") if not n.startswith(".")]
    check(not left, "states left: %s" % left[:5])
    check_same(before, host_state())


main([life_cycle, exit_statuses, errors_are_one_line, inside, terminal, hooks_in_order, namespaces_by_path, user_namespace, time_namespace, limits, on_pure_v2,
      rootless, rootless_limits, rootless_time_namespace, rootless_exec_before_start, rootless_cgroups_path, no_process, kill_without_cgroup, seccomp_filter, mount_details, pidfd_to_a_socket, cpus, others_cgroup, log_lines, nothing_open_before_start, network_devices,
      memory_runs_out, under_podman, under_containerd, under_docker, thousand_with_kills])
