#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hull run: the same image as container and as machine must show the same; life-cycle commands on both; SIGKILL of
anything leaves nothing behind. Needs root. The Debian image is made once (tests/guest/mkimage) and kept in
~/.cache/hull-test; without a mirror its rows are skipped."""
import glob, json, os, pty, random, select, shutil, signal, socket, subprocess, termios, time, urllib.request

from hulltest import BUILD, HULL, PATIENCE, TOP, Skip, check, eventually, free_port, main

CACHE = os.path.expanduser("~/.cache/hull-test")
KINDS = (("container",), ("vm", "--engine", "jit"))
VM = ("--as", "vm", "--engine", "jit")


def hull(*args, stdin=None, timeout=PATIENCE):
    r = subprocess.run([HULL, *args], input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
    return r.returncode, r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace")


def ok(*args, **kw):
    code, out, err = hull(*args, **kw)
    check(code == 0, "hull %s: status %d, %s" % (" ".join(args), code, err))
    return out


def need_image(name):
    if os.geteuid() != 0:
        raise Skip("needs root")
    if name in need_image.have:
        if need_image.have[name]:
            raise Skip(need_image.have[name])
        return name
    os.makedirs(CACHE, exist_ok=True)
    tar = os.path.join(CACHE, "image-%s.tar" % name)
    r = subprocess.run([os.path.join(TOP, "tests/guest/mkimage"), name, tar], stderr=subprocess.PIPE, timeout=1500)
    need_image.have[name] = None
    if r.returncode:
        need_image.have[name] = "no %s image: %s" % (name, r.stderr.decode().strip().splitlines()[-1:])
        raise Skip(need_image.have[name])
    ok("import", tar, name)
    return name


need_image.have = {}


def need_kernel():
    """Machines need a stored kernel; it is found where the data directory of the user's is."""
    own = os.path.join(os.environ["HULL_DATA"], "kernels")
    if os.path.exists(own):
        return
    for d in ("/var/lib/hull/kernels",):
        if os.path.exists(os.path.join(d, "cloud")):
            os.symlink(d, own)
            return
    code, _, err = hull("kernel", "fetch", "cloud")
    if code:
        raise Skip("no kernel package: " + err.strip().splitlines()[-1])


def start_data():
    os.environ["HULL_DATA"] = os.path.join(os.getcwd(), "d")
    os.makedirs("d", exist_ok=True)


# ---- the same image, both kinds ----

# options, command, stdin. The name and with it the host name is given, so that it is the same.
BUSYBOX = [
    ([], ["true"], None),
    ([], ["false"], None),
    ([], ["sh", "-c", "echo out; echo err >&2; exit 7"], None),
    ([], ["nosuchprogram"], None),
    ([], ["/etc/passwd"], None),
    ([], ["/no/such/path"], None),
    ([], ["id"], None),
    (["-u", "user"], ["id"], None),
    (["-u", "1000:50"], ["id"], None),
    (["-u", "4711"], ["sh", "-c", "id; echo $HOME; pwd"], None),
    (["-u", "nosuchuser"], ["id"], None),
    (["-e", "A=b c", "-e", "PATH=/bin"], ["sh", "-c", "env | sort"], None),
    (["-w", "/made/here"], ["pwd"], None),
    (["--hostname", "other"], ["sh", "-c", "hostname; cat /etc/hostname; grep other /etc/hosts"], None),
    (["--entrypoint", "/bin/echo"], ["a", "b  c"], None),
    (["-i"], ["cat"], b"some\0bytes\xff" * 5000),
    (["-i"], ["wc", "-c"], bytes(3 << 20)),
    ([], ["cat"], None),
    ([], ["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo done >&2"], None),
    ([], ["sh", "-c", "sleep 0.2; kill -9 $$; echo still here"], None),
    ([], ["sh", "-c", "sh -c 'kill -11 $$'; echo $?"], None),
    ([], ["sh", "-c", "echo $$; ls -d /proc/[0-9]* | wc -l"], None),
    ([], ["sh", "-c", "grep -E '^Cap|NoNewPrivs' /proc/self/status"], None),
    (["--cap-drop", "all", "--cap-add", "net_raw"], ["grep", "^Cap", "/proc/self/status"], None),
    (["-u", "user", "--security-opt", "no-new-privileges=false"], ["grep", "-E", "^CapEff|NoNewPrivs", "/proc/self/status"], None),
    (["--read-only"], ["sh", "-c", "echo x >/x; touch /tmp/y; echo z >/dev/shm/z && cat /dev/shm/z"], None),
    (["--read-only", "--tmpfs", "/tmp"], ["sh", "-c", "echo x >/tmp/x && cat /tmp/x; stat -c '%a %u %F' /tmp"], None),
    ([], ["sh", "-c", "echo new >/etc/new; rm /etc/group; mkdir -p /a/b; ls /etc /a; cat /etc/new"], None),
    ([], ["sh", "-c", "ls -l /dev | sed 's/  */ /g' | cut -d' ' -f1,3-5 | sort; ls /dev"], None),
    ([], ["sh", "-c", "echo a >/dev/full"], None),
    (["--network", "none"], ["sh", "-c", "ip -o addr | cut -d' ' -f2-4; ip route"], None),
    ([], ["sh", "-c", "cat /etc/resolv.conf; grep localhost /etc/hosts"], None),
    ([], ["sh", "-c", "ip -o -4 addr show eth0 | sed 's/.*inet //; s/ .*//'; ip route"], None),
    ([], ["sh", "-c", "stat -c '%a %U %n' / /etc /tmp /home/user /etc/passwd"], None),
    ([], ["sh", "-c", "ulimit -c; umask; trap; set -o | head -3"], None),
]

DEBIAN = [
    ([], ["cat", "/etc/debian_version"], None),
    ([], ["python3", "-c", "import os, sys; print(os.getcwd(), os.getuid(), sys.argv); sys.exit(3)", "x"], None),
    ([], ["python3", "-c", "import hashlib; print(hashlib.sha256(b'x' * 10**6).hexdigest())"], None),
    ([], ["sh", "-c", "echo '#include <stdio.h>\nint main(void){puts(\"made\");return 4;}' >/t.c && gcc -o /t /t.c && /t"],
     None),
    ([], ["sh", "-c", "redis-server --save '' --daemonize yes >/dev/null; until redis-cli ping >/dev/null 2>&1; do sleep 0.1; done; "
          "redis-cli set k v; redis-cli get k; redis-cli incr n; redis-cli shutdown nosave"], None),
    (["-u", "postgres", "-e", "PGCTLTIMEOUT=%d" % PATIENCE], ["sh", "-c", "cd /tmp; P=/usr/lib/postgresql/15/bin; $P/initdb -D d >/dev/null 2>&1 && "
                          "$P/pg_ctl -D d -o '-k /tmp' -w start >/dev/null && "
                          "psql -h /tmp -At -c 'select sum(x) from generate_series(1,1000) x' postgres; "
                          "$P/pg_ctl -D d -w stop >/dev/null"], None),
    ([], ["sh", "-c", "nginx && bash -c 'exec 3<>/dev/tcp/127.0.0.1/80; printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3; "
          "grep -E \"HTTP|title\" <&3'; nginx -s stop 2>/dev/null"], None),
    (["-u", "www-data"], ["sh", "-c", "id; echo ~; touch /root/x"], None),
    ([], ["dpkg", "--verify", "coreutils"], None),
    ([], ["sh", "-c", "find /usr/bin -type f | sort | xargs md5sum | md5sum"], None),
]


def compare(image, rows):
    need_image(image)
    need_kernel()
    bad = []
    for options, command, stdin in rows:
        got = []
        for kind in KINDS:
            got.append(hull("run", "--rm", "--name", "same", "--as", *kind, *options, image, *command, stdin=stdin))
        # hull's own words say which kind failed; its status and the name in question must agree.
        own = [g[2].startswith("hull run:") for g in got]
        same = got[0][:2] == got[1][:2] and (own[0] and own[1] or got[0][2] == got[1][2])
        if not same:
            bad.append("%s %s\n  container: %r\n  machine:   %r" %
                       (options, command, [str(x)[-400:] for x in got[0]], [str(x)[-400:] for x in got[1]]))
    check(not bad, "%d of %d differ:\n%s" % (len(bad), len(rows), "\n".join(bad)))


def same_busybox():
    compare("busybox", BUSYBOX)


def same_debian():
    compare("debian", DEBIAN)


def each_kind(fn):
    need_image("busybox")
    need_kernel()
    for kind in KINDS:
        try:
            fn(["--as", *kind])
        except AssertionError as e:
            raise AssertionError("%s: %s" % (kind[0], e))
        finally:
            for t in json.loads(ok("ps", "-a", "--json")):
                hull("rm", "-f", t["name"])


# ---- life ----

LOOP = "trap 'echo bye; exit 5' TERM; i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.3 & wait $!; done"


def life(kind):
    name = ok("run", "-d", "--name", "life", *kind, "--network", "none", "busybox", "sh", "-c", LOOP).strip()
    check(name == "life", "run -d printed %r" % name)
    row = [t for t in json.loads(ok("ps", "--json")) if t["name"] == "life"][0]
    check(row["state"] == "running" and row["image"] == "busybox", "ps says %s" % row)
    check(eventually(lambda: "tick 2" in ok("logs", "life")), "no ticks in the log")
    check(hull("exec", "life", "sh", "-c", "echo in; echo er >&2; exit 3") == (3, "in\n", "er\n"), "exec")
    check(hull("exec", "-i", "life", "cat", stdin=b"through")[1] == "through", "exec -i")
    check(ok("exec", "-u", "user", "-e", "X=y", "-w", "/tmp", "life", "sh", "-c", "id -u; pwd; echo $X") == "1000\n/tmp\ny\n",
          "exec with user, directory and environment")
    check(hull("exec", "life", "nosuch")[0] == 127, "exec of nothing")
    check("sh -c" in ok("top", "life"), "top does not show the command")
    s = json.loads(ok("stats", "--json", "life"))[0]
    check(s["memory"] > 0 and s["processes"] >= 1, "stats says %s" % s)
    ok("pause", "life")
    check(json.loads(ok("inspect", "life"))["state"] == "paused", "inspect does not say paused")
    check(hull("exec", "life", "true")[0] == 125, "exec in a paused one")
    time.sleep(0.5)  # for what was on its way to the log
    n = ok("logs", "life").count("tick")
    time.sleep(1)
    check(ok("logs", "life").count("tick") == n, "it ticked while paused")
    ok("resume", "life")
    check(eventually(lambda: ok("logs", "life").count("tick") > n), "it does not tick again")
    t0 = time.monotonic()
    ok("stop", "-t", "100", "life")
    check(time.monotonic() - t0 < 90, "stop did not let it end by itself")
    check(ok("logs", "--tail", "1", "life") == "bye\n", "the last words are missing")
    check(ok("wait", "life") == "5\n", "exit status")
    check(hull("exec", "life", "true")[0] == 127, "exec in an ended one")
    ok("start", "life")
    check(eventually(lambda: ok("logs", "life").count("tick 0") == 2), "start again")
    check(hull("rm", "life")[0] == 125, "rm of a running one")
    ok("kill", "life")
    check(ok("wait", "life") == "137\n", "status after kill")
    ok("rm", "life")
    check(hull("inspect", "life")[0] == 127, "it is still there")


def life_of_both():
    each_kind(life)


def signals(kind):
    """What is sent to hull run reaches the command; its status is hull's."""
    p = subprocess.Popen([HULL, "run", "--rm", *kind, "--network", "none", "busybox", "sh", "-c",
                          "trap 'echo usr; exit 42' USR1; echo ready; while :; do sleep 0.1; done"],
                         stdout=subprocess.PIPE)
    check(p.stdout.readline() == b"ready\n", "not ready")
    p.send_signal(signal.SIGUSR1)
    check(p.stdout.read() == b"usr\n" and p.wait(PATIENCE) == 42, "USR1 did not arrive")


def signals_of_both():
    each_kind(signals)


def process_one_reaps():
    """--init: hull-init is process 1 of a container; it reaps, passes signals on and ends as the command does."""
    need_image("busybox")
    run = ("run", "--rm", "--init", "--network", "none", "busybox")
    code, out, _ = hull(*run, "sh", "-c", "echo $$; (sleep 0.1 &); sleep 0.5; while grep -q zombie /proc/[0-9]*/status; do sleep 0.1; done; exit 7")
    check((code, out) == (7, "2\n"), "process 1 is not hull-init, or does not reap: %d %r" % (code, out))
    check(hull(*run, "nosuch")[0] == 127, "a program that is not there")
    ok("run", "-d", "--name", "init", "--init", "--network", "none", "busybox", "sleep", "100")
    t0 = time.monotonic()
    ok("stop", "-t", "100", "init")  # alone it would ignore SIGTERM as process 1
    check(time.monotonic() - t0 < 90 and ok("wait", "init") == "143\n", "SIGTERM was not passed on")
    ok("rm", "init")


def volumes(kind):
    os.makedirs("vol/sub", exist_ok=True)
    for f in glob.glob("vol/*"):
        if os.path.isfile(f) or os.path.islink(f):
            os.unlink(f)
    open("vol/in", "w").write("from the host\n")
    open("one", "w").write("one file\n")
    script = ("cat /data/in /one; echo from inside >/data/out; chmod 640 /data/out; chown 1000:50 /data/out; ln -s in /data/link; "
              "mv /data/in /data/sub/moved; head -c 200000 /bin/busybox >/data/big; cmp -n 200000 /data/big /bin/busybox && echo same; "
              "echo no >/one; for i in 1 2 3 4 5 6 7 8 9; do echo $i >/data/sub/f$i; done; rm /data/sub/f[1-8]; ls /data/sub; "
              "echo ro >/ro/x; ls /ro")
    code, out, err = hull("run", "--rm", *kind, "-v", "%s/vol:/data" % os.getcwd(), "-v", "%s/one:/one:ro" % os.getcwd(),
                          "-v", "%s/vol/sub:/ro:ro" % os.getcwd(), "busybox", "sh", "-c", script)
    check(out == "from the host\none file\nsame\nf9\nmoved\nf9\nmoved\n", "printed %r, %r" % (out, err))
    st = os.stat("vol/out")
    check((st.st_mode & 0o777, st.st_uid, st.st_gid) == (0o640, 1000, 50), "mode or owner of what was written: %s" % (st,))
    check(open("vol/out").read() == "from inside\n" and os.readlink("vol/link") == "in", "what was written")
    check(os.path.getsize("vol/big") == 200000 and open("one").read() == "one file\n", "sizes")
    os.unlink("vol/sub/f9")
    os.unlink("vol/sub/moved")


def volumes_of_both():
    each_kind(volumes)


def get(url):
    try:
        return urllib.request.urlopen(url, timeout=5).read()
    except OSError:
        return None


def ports(kind):
    port = free_port()
    ok("run", "-d", "--name", "web", *kind, "-p", "%d:8080" % port, "busybox", "sh", "-c",
       "mkdir /www; echo served >/www/index.html; exec httpd -f -p 8080 -h /www")
    check(eventually(lambda: get("http://127.0.0.1:%d/" % port) == b"served\n"), "port %d is not served" % port)
    ok("stop", "-t", "1", "web")
    check(eventually(lambda: get("http://127.0.0.1:%d/" % port) is None), "the port is still served")


def ipv6():
    """Where the host has a way out by IPv6 a container has one; its router there is the host itself, as by IPv4."""
    need_image("busybox")
    if not any(l.startswith("default via ") for l in subprocess.check_output(["ip", "-6", "route"]).decode().splitlines()):
        raise Skip("the host has no IPv6 route")
    with socket.socket(socket.AF_INET6) as s:
        s.bind(("::1", 0))
        s.listen()
        s.settimeout(PATIENCE)
        p = subprocess.Popen([HULL, "run", "--rm", "busybox", "sh", "-c", "timeout 60 nc $(ip -6 route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p') %d; true" %
                              s.getsockname()[1]], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        c, _ = s.accept()
        c.sendall(b"through\n")
        c.close()
        check(p.communicate(timeout=PATIENCE)[0] == b"through\n" and p.returncode == 0, "what came by IPv6")


def ports_of_both():
    each_kind(ports)


def terminal(kind):
    """-it: a terminal inside, its size, keys, Ctrl-P Ctrl-Q, attach."""
    pid, fd = pty.fork()
    if not pid:
        os.execv(HULL, [HULL, "run", "-it", "--name", "tty", *kind, "--network", "none", "busybox", "sh"])
    buf = b""

    def expect(what, seconds=PATIENCE):
        nonlocal buf
        end = time.monotonic() + seconds
        while what not in buf:
            check(select.select([fd], [], [], max(0, end - time.monotonic()))[0], "waited for %r, got %r" % (what, buf[-300:]))
            try:
                buf += os.read(fd, 4096)
            except OSError:
                check(what in buf, "ended before %r: %r" % (what, buf[-300:]))
        buf = buf[buf.index(what) + len(what):]

    expect(b"# ")
    import fcntl, struct
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
    os.write(fd, b"tty; until [ \"$(stty size)\" = '33 99' ]; do sleep 0.1; done; echo mark$((1+1))\n")
    expect(b"/dev/pts/0")
    expect(b"mark2")
    os.write(fd, b"\x10\x11")
    expect(b"runs on")
    check(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, "status after detaching")
    os.close(fd)
    check(json.loads(ok("inspect", "tty"))["state"] == "running", "it did not go on")
    pid, fd = pty.fork()
    if not pid:
        os.execv(HULL, [HULL, "attach", "tty"])
    buf = b""
    check(eventually(lambda: not termios.tcgetattr(fd)[3] & termios.ICANON), "attach does not make the terminal raw")
    os.write(fd, b"echo again$((2+2)); exit 9\n")
    expect(b"again4")
    check(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9, "status through attach")
    os.close(fd)


def terminal_of_both():
    each_kind(terminal)


def restarts(kind):
    ok("run", "-d", "--name", "again", "--restart", "on-failure:2", *kind, "--network", "none", "busybox", "sh", "-c",
       "echo once; sleep 0.3; exit 1")
    check(eventually(lambda: ok("logs", "again").count("once") == 3 and
                     json.loads(ok("inspect", "again"))["state"] == "exited"), "logs: %r" % ok("logs", "again"))
    time.sleep(1)
    check(ok("logs", "again").count("once") == 3, "more than two restarts")
    ok("run", "-d", "--name", "always", "--restart", "always", *kind, "--network", "none", "busybox", "sleep", "0.2")
    time.sleep(1)
    ok("stop", "-t", "1", "always")
    time.sleep(1)
    check(json.loads(ok("inspect", "always"))["state"] == "exited", "stop does not stop a restart policy")


def restarts_of_both():
    each_kind(restarts)


def logs_rotate():
    need_image("busybox")
    ok("run", "--name", "chatty", "--network", "none", "--log-size", "20K", "busybox", "sh", "-c",
       "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done")
    d = json.loads(ok("inspect", "chatty"))["directory"]
    sizes = [os.path.getsize(f) for f in glob.glob(d + "/log*")]
    check(len(sizes) == 3 and max(sizes) < 120000, "log files: %s" % sizes)
    check(ok("logs", "--tail", "2", "chatty") == "line 2998\nline 2999\n", "tail after rotation")
    check(ok("logs", "-t", "-n", "1", "chatty").split(" ", 1)[1] == "line 2999\n", "with times")
    ok("rm", "chatty")


def bad_input():
    need_image("busybox")
    for args, word in ((["-v", "x:/y", "busybox"], "volume"), (["-p", "99999:1", "busybox"], "port"),
                       (["--as", "zeppelin", "busybox"], "container or vm"), (["--cap-add", "fly", "busybox"], "capability"),
                       (["--restart", "x", "busybox"], "restart"), (["nosuchimage"], "nosuchimage"), ([], "image"),
                       (["--network", "host", "--as", "vm", "busybox"], "kernel"), (["--memory", "x", "busybox"], "size"),
                       (["--name", "../x", "busybox"], "name"), (["-v", "/nosuch:/x", "busybox", "true"], "/nosuch"),
                       (["--rm", "--restart", "always", "busybox"], "exclude"), (["--nosuch"], "unknown option"),
                       (["-e", "=x", "busybox"], "environment"), (["-w", "rel", "busybox"], "workdir rel"), (["--health-interval", "x", "busybox"], "duration"),
                       (["--health-timeout", "0s", "busybox"], "millisecond"), (["--health-retries", "0", "busybox"], "health-retries"), (["--security-opt", "x", "busybox"], "security-opt")):
        code, out, err = hull("run", *args)
        check(code in (125, 126, 127) and err.count("\n") == 1 and word in err, "hull run %s: %d %r" % (args, code, err))
    for t in json.loads(ok("ps", "-a", "--json")):
        hull("rm", "-f", t["name"])
    check(hull("run", "--rm", "--network", "none", "busybox", "/etc")[0] == 126, "a directory as the command")
    check(hull("exec", "nosuch", "x")[0] == 127 and hull("logs", "nosuch")[0] == 127, "commands on nothing")
    ok("run", "--name", "twice", "--network", "none", "busybox", "true")
    code, _, err = hull("run", "--name", "twice", "busybox", "true")
    check(code == 125 and "twice" in err, "a name twice: %d %r" % (code, err))
    ok("rm", "twice")


def copies(kind):
    """hull cp both ways, files and trees, modes, owners and links; hull commit keeps what was changed."""
    shutil.rmtree("from", ignore_errors=True)
    shutil.rmtree("back", ignore_errors=True)
    os.makedirs("from/sub")
    with open("from/f", "wb") as f:
        f.write(os.urandom(300000))
    os.chmod("from/f", 0o640)
    os.chown("from/f", 1000, 50)
    os.symlink("f", "from/link")
    attrs = {"security.capability": bytes.fromhex("01000002" "00040000") + bytes(12)}
    if kind[1] == "container":  # a machine's changes are on a tmpfs, which has users' attributes since Linux 6.6
        attrs["user.note"] = b"kept\0too"
    for name, value in attrs.items():
        os.setxattr("from/f", name, value)
    open("from/sub/empty", "w").close()
    ok("run", "-d", "--name", "box", "--network", "none", *kind, "busybox", "sleep", "100")
    ok("cp", "from", "box:/tmp/tree")
    ok("cp", "from/f", "box:/root")
    out = ok("exec", "box", "sh", "-c", "cd /tmp/tree; stat -c '%a %u %g %s' f; readlink link; ls sub; cmp f /root/f && echo same; echo made >/tmp/tree/sub/new; rm /etc/group")
    check(out == "640 1000 50 300000\nf\nempty\nsame\n", "inside: %r" % out)
    ok("cp", "box:/tmp/tree", "back")
    check(open("back/f", "rb").read() == open("from/f", "rb").read() and os.readlink("back/link") == "f" and open("back/sub/new").read() == "made\n", "brought back")
    st = os.stat("back/f")
    check((st.st_mode & 0o777, st.st_uid, st.st_gid) == (0o640, 1000, 50), "mode and owner: %s" % (st,))
    have = {n: os.getxattr("back/f", n) for n in os.listxattr("back/f")}
    check(have == attrs, "extended attributes: %s" % have)
    for args, word in ((("box:/nosuch", "x"), "nosuch"), (("nosuch:/x", "x"), "nosuch"), (("from", "back"), "one side"), (("/nosuch", "box:/x"), "nosuch")):
        code, _, err = hull("cp", *args)
        check(code != 0 and word in err and err.count("\n") == 1, "cp %s: %d %r" % (args, code, err))
    ok("commit", "-m", "why", "-c", "CMD cat /tmp/tree/sub/new", "box", "changed")
    ok("rm", "-f", "box")
    check(ok("run", "--rm", *kind, "--network", "none", "changed") == "made\n", "the committed image")
    out = ok("run", "--rm", *kind, "--network", "none", "changed", "sh", "-c", "ls /etc/group 2>/dev/null; stat -c '%a %u' /tmp/tree/f; ls /proc /sys /dev | wc -l >/dev/null; ls -d /tmp")
    check(out == "640 1000\n/tmp\n", "what was removed and made: %r" % out)
    ok("rmi", "changed")


def copies_of_both():
    each_kind(copies)


def health(kind):
    """The image's HEALTHCHECK with one thing changed by an option: starting, healthy, unhealthy, healthy again."""
    os.makedirs("hc", exist_ok=True)
    with open("hc/Containerfile", "w") as f:
        f.write("FROM busybox\nHEALTHCHECK --interval=1h --retries=2 CMD echo checked; test -e /well\nCMD sleep 1000\n")
    ok("image", "build", "-q", "-t", "hc", "hc")
    ok("run", "-d", "--name", "hc", *kind, "--network", "none", "--health-interval", "1s", "--health-timeout", "60s",
       "--health-start-period", "1h", "hc")

    def state():
        return [t["health"] for t in json.loads(ok("ps", "--json")) if t["name"] == "hc"][0]

    check(state() == "starting", "at first: " + state())
    ok("exec", "hc", "touch", "/well")
    check(eventually(lambda: state() == "healthy"), "not healthy: " + ok("inspect", "hc"))
    check("running (healthy)" in ok("ps"), "ps does not show it")
    check(json.loads(ok("inspect", "hc"))["health_status"] == {"status": "healthy", "failing_streak": 0, "output": "checked\n"}, "inspect")
    ok("exec", "hc", "rm", "/well")
    check(eventually(lambda: state() == "unhealthy"), "not unhealthy")
    check(json.loads(ok("inspect", "hc"))["health_status"]["failing_streak"] >= 2, "failures")
    ok("exec", "hc", "touch", "/well")
    check(eventually(lambda: state() == "healthy"), "not healthy again")
    ok("rm", "-f", "hc")
    ok("run", "-d", "--name", "hc", *kind, "--network", "none", "--no-healthcheck", "hc")
    check("health" not in [t for t in json.loads(ok("ps", "--json")) if t["name"] == "hc"][0], "--no-healthcheck")
    ok("rm", "-f", "hc")
    if kind[1] == "vm":
        return
    ok("run", "-d", "--name", "hc", *kind, "--network", "none", "--health-cmd", "sleep 77", "--health-timeout", "200ms",
       "--health-interval", "200ms", "--health-retries", "1", "hc")
    check(eventually(lambda: state() == "unhealthy"), "a check that takes too long")
    check(eventually(lambda: ok("top", "hc").count("sleep 77") <= 2), "checks that took too long live on")
    ok("rm", "-f", "hc")


def health_of_both():
    each_kind(health)


# ---- nothing stays behind ----

OURS = ("hull", "pasta", "passt")


def processes():
    """Ours that are alive, by executable; zombies are their parent's, not ours."""
    n = []
    for d in glob.glob("/proc/[0-9]*"):
        try:
            env = open(d + "/environ", "rb").read()
            if os.environ["HULL_DATA"].encode() in env and int(d[6:]) != os.getpid():
                n.append((d[6:], open(d + "/comm").read().strip()))
        except OSError:
            pass
    return n


def census():
    data = os.environ["HULL_DATA"]
    return {
        "processes": processes(),
        "mounts": [l for l in open("/proc/self/mountinfo") if data in l],
        "cgroups": [d for d, _, _ in os.walk("/sys/fs/cgroup") if "/hull-" in d and d.split("/hull-")[1].split("/")[0].startswith("leak")],
        "devices": sorted(os.listdir("/sys/class/net")),
        "things": os.listdir(data + "/things") if os.path.exists(data + "/things") else [],
        "containers": [d for d in glob.glob(os.environ["HULL_RUNTIME"] + "/containers/*")],
    }


def victims(name):
    """Every process of hull's that has to do with the thing, by what it is."""
    found = []
    for pid, comm in processes():
        try:
            cmd = open("/proc/%s/cmdline" % pid, "rb").read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if comm in ("hull", "hull-monitor", "pasta", "pasta.avx2", "passt", "passt.avx2", "hull-share") or name in cmd:
            found.append((int(pid), comm))
    return found


def kill_rounds(kind, rounds, seed):
    rng = random.Random(seed)
    before = census()
    for i in range(rounds):
        name = "leak%d" % i
        p = subprocess.Popen([HULL, "run", "--rm", "--name", name, *kind, "-v", "%s:/v" % os.getcwd(), "busybox", "sh", "-c",
                              "sleep %g" % rng.choice((0.05, 0.5, 20))], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.random() * (2.0 if kind[1] == "vm" else 0.25))
        v = victims(name)
        if v:
            try:
                os.kill(rng.choice(v)[0], signal.SIGKILL)
            except OSError:
                pass
        if rng.random() < 0.3:
            p.kill()
        time.sleep(rng.random() * 0.3)
        hull("kill", name)
        try:
            p.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            p.kill()
            raise AssertionError("round %d of seed %d: hull run did not end" % (i, seed))
    hull("ps", "-a")
    for t in json.loads(ok("ps", "-a", "--json")):
        hull("rm", "-f", t["name"])
    eventually(lambda: census() == before)
    after = census()
    for k in before:
        check(after[k] == before[k], "%s before %s, after %s (seed %d)" % (k, before[k], after[k], seed))


def killed_anywhere():
    seed = random.randrange(1 << 30)
    each_kind(lambda kind: kill_rounds(kind, 40 if kind[1] == "container" else 12, seed))


def many_at_once():
    """Fifty at a time, some killed: nothing stays. HULL_RUN_STRESS: how many (100; 1000 in long runs)."""
    need_image("busybox")
    before, rng = census(), random.Random(7)
    for batch in range(int(os.environ.get("HULL_RUN_STRESS", "100")) // 50):
        ps = [subprocess.Popen([HULL, "run", "--rm", "--name", "leak-%d-%d" % (batch, i), "--network", "none", "busybox", "sh", "-c",
                                "echo %d; sleep 0.1" % i], stdout=subprocess.PIPE, stderr=subprocess.PIPE) for i in range(50)]
        for i in range(6):
            time.sleep(0.1)
            v = [x for x in victims("leak-") if x[1] == "hull-monitor"]
            if v:
                try:
                    os.kill(rng.choice(v)[0], signal.SIGKILL)
                except OSError:
                    pass
        for p in ps:
            p.wait(PATIENCE)
        good = sum(p.returncode == 0 and p.stdout.read() == b"%d\n" % i for i, p in enumerate(ps))
        check(good >= 50 - 6, "only %d of 50 were right" % good)
    hull("ps", "-a")
    for t in json.loads(ok("ps", "-a", "--json")):
        hull("rm", "-f", t["name"])
    eventually(lambda: census() == before)
    after = census()
    for k in before:
        check(after[k] == before[k], "%s before %s, after %s" % (k, before[k], after[k]))


def monitor_is_small():
    need_image("busybox")
    ok("run", "-d", "--name", "small", "--network", "none", "busybox", "sleep", "30")
    pid = json.loads(ok("inspect", "small"))["monitor"]
    private = sum(int(l.split()[1]) for l in open("/proc/%d/smaps_rollup" % pid) if l.startswith("Private"))
    ok("rm", "-f", "small")
    check(private <= 1024, "the monitor has %d KiB of its own" % private)


TESTS = [same_busybox, same_debian, life_of_both, signals_of_both, process_one_reaps, volumes_of_both, ports_of_both, ipv6, terminal_of_both,
         restarts_of_both, copies_of_both, health_of_both, logs_rotate, bad_input, killed_anywhere, many_at_once, monitor_is_small]


def with_data(t):
    def run():
        start_data()
        t()
    run.__name__ = t.__name__
    return run


if __name__ == "__main__":
    main([with_data(t) for t in TESTS])
