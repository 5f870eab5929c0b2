#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One OCI index for amd64 and ppc64le: from an archive and from a registry, and run on both architectures with the
same command: the same output, status, files in a volume, served port. Needs root, the POWER cross compiler and
docker-registry. TAP on stdout.

  platforms.py [TEST...]
"""
import json, os, shutil, socket, subprocess, time

import run
from hulltest import BUILD, TOP, Skip, check, eventually, free_port, main
from ppc import busybox, kernel
from run import hull, ok

X86 = ("--as", "vm", "--engine", "jit", "--arch", "x86_64")
PPC = ("--as", "vm", "--arch", "ppc64le")
KINDS = [("--as", "container", "--arch", "amd64"), X86, PPC, ("--as", "container", "--arch", "ppc64le")]


def need():
    if os.geteuid() != 0:
        raise Skip("needs root")
    if not os.path.exists(BUILD + "/hull-init.ppc64le"):
        raise Skip("no cross compiler (gcc-powerpc64le-linux-gnu)")
    if not os.path.exists("two.tar"):
        foreign = busybox()  # with the user's own data directory: kernel and busybox are kept there
        kernels = os.path.dirname(os.path.dirname(kernel()["path"]))
        os.environ["HULL_DATA"] = os.path.abspath("d")
        os.makedirs("d")
        os.symlink(kernels, "d/kernels")
        run.need_kernel()
        mk = lambda *a: subprocess.run([os.path.join(TOP, "tests/guest", a[0]), *a[1:]], check=True)
        mk("mkimage", "busybox", "x86.tar")
        mk("mkimage", "busybox", "ppc.tar", foreign)
        mk("mkindex", "two.tar", "t", "amd64=x86.tar", "ppc64le=ppc.tar")
        ok("load", "-q", "--name", "busybox", "two.tar")
        run.need_image.have["busybox"] = None


def platforms(name):
    return sorted(i["platform"] for i in json.loads(ok("images", "--json")) if i["name"].endswith(name))


def from_archive():
    need()
    check(platforms("busybox:latest") == ["linux/amd64", "linux/ppc64le"], "images shows %s" % platforms("busybox:latest"))
    for name, arch in (("ppc64le", "ppc64le"), ("ppc64el", "ppc64le"), ("x86_64", "amd64"), ("amd64", "amd64")):
        got = json.loads(ok("image", "inspect", "--platform", name, "busybox"))[0]["platform"]
        check(got == "linux/" + arch, "inspect --platform %s says %s" % (name, got))


def from_registry():
    need()
    for p in ("docker-registry", "skopeo"):
        if not shutil.which(p):
            raise Skip("no " + p)
    os.environ["HULL_DATA"] = os.path.abspath("d2")  # a store that has none of it
    os.makedirs("d2")
    os.symlink(os.path.realpath("d/kernels"), "d2/kernels")
    port = free_port()
    with open("registry.yml", "w") as f:
        f.write("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s/registry}}\n"
                "http: {addr: '127.0.0.1:%d', secret: x}\n" % (os.getcwd(), port))
    server = subprocess.Popen(["docker-registry", "serve", "registry.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        check(eventually(lambda: not socket.socket().connect_ex(("127.0.0.1", port))), "the registry does not listen")
        name = "127.0.0.1:%d/bb:1" % port
        subprocess.run(["skopeo", "copy", "-q", "--all", "--dest-tls-verify=false", "oci-archive:two.tar:t", "docker://" + name],
                       check=True)
        ok("pull", "-q", name)
        check(platforms("bb:1") == ["linux/amd64"], "only this computer's platform is pulled: %s" % platforms("bb:1"))
        code, _, err = hull("run", "--rm", *PPC, name, "true")
        check(code == 127 and err.count("\n") == 1 and "linux/ppc64le" in err, "not pulled: %d %r" % (code, err))
        ok("pull", "-q", "--platform", "ppc64le", name)
        check(platforms("bb:1") == ["linux/amd64", "linux/ppc64le"], "after both: %s" % platforms("bb:1"))
        for kind in KINDS:
            check(ok("run", "--rm", *kind, "--network", "none", name, "sh", "-c", "uname -m").strip() ==
                  ("ppc64le" if "ppc64le" in kind else "x86_64"), "uname of %s" % (kind,))
    finally:
        server.kill()
        server.wait()
        os.environ["HULL_DATA"] = os.path.abspath("d")


# Options, command, stdin: a row each is a `hull run`; what follows is done by `hull exec` in one that runs.
RUNS = [
    (["-e", "A=b c", "-w", "/made/here", "-u", "user", "--hostname", "other"],
     ["sh", "-c", "id; pwd; echo $A; hostname; grep -E '^Cap|NoNewPrivs' /proc/self/status; ls -d /proc/[0-9]* | wc -l; exit 7"], None),
    (["-i"], ["sh", "-c", "wc -c; echo err >&2; kill -9 $$"], bytes(1 << 20)),
    ([], ["nosuchprogram"], None),
]
EXECS = [
    ([], ["true"], None),
    ([], ["false"], None),
    ([], ["sh", "-c", "echo out; echo err >&2; exit 7"], None),
    ([], ["/etc/passwd"], None),
    ([], ["/no/such/path"], None),
    (["-u", "1000:50"], ["id"], None),
    (["-u", "nosuchuser"], ["id"], None),
    (["-e", "A=b", "-e", "PATH=/bin"], ["sh", "-c", "env | sort"], None),
    (["-w", "/tmp"], ["pwd"], None),
    (["-i"], ["md5sum"], b"some\0bytes\xff" * 5000),
    ([], ["cat"], None),
    ([], ["sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; echo done >&2"], None),
    ([], ["sh", "-c", "sh -c 'kill -11 $$'; echo $?; sh -c 'kill -TERM $$'; echo $?"], None),
    ([], ["sh", "-c", "echo new >/etc/new; rm /etc/group; mkdir -p /a/b; ls /etc /a; cat /etc/new"], None),
    ([], ["sh", "-c", "ls -l /dev | sed 's/  */ /g' | cut -d' ' -f1,3-5 | sort; ls /dev"], None),
    ([], ["sh", "-c", "echo a >/dev/full"], None),
    ([], ["sh", "-c", "ip -o addr | cut -d' ' -f2-4; ip route"], None),
    ([], ["sh", "-c", "stat -c '%a %U %n' / /etc /tmp /home/user /etc/passwd"], None),
    ([], ["sh", "-c", "ulimit -c; umask; trap; set -o | head -3"], None),
    ([], ["sh", "-c", "seq 1 3000 | sort -rn | head -2; seq 1 2000 | awk '{s+=$1*$1/3} END {print s, sqrt(2), sin(1)}'"], None),
    ([], ["sh", "-c", "tar c -C / etc | tar t | sort | head -3; gzip -c /etc/passwd | gunzip | sha512sum; date -u -d @1 +%c"], None),
    ([], ["sh", "-c", "mkfifo /tmp/f; (sleep 0.1; echo through >/tmp/f) & cat /tmp/f; wait; rm /tmp/f; ls -ld /tmp/f"], None),
    ([], ["sh", "-c", "i=0; while [ $i -lt 20 ]; do (exit $i) & wait $! || echo -n $?,; i=$((i+1)); done"], None),
    ([], ["sh", "-c", "trap 'echo usr1' USR1; kill -USR1 $$; timeout 0.2 sleep 5; echo $?; time true 2>/dev/null"], None),
]


def without_own_words(r):
    """hull's own line says which kind failed; its status and that there is one must agree."""
    return r[0], r[1], "hull" if r[2].startswith("hull ") else r[2]


def results(kind):
    rows = [(r, hull("run", "--rm", "--name", "alike", "--network", "none", *kind, *r[0], "busybox", *r[1], stdin=r[2]))
            for r in RUNS]
    ok("run", "-d", "--name", "alike", "--network", "none", *kind, "busybox", "sleep", "1000")
    rows += [(r, hull("exec", *r[0], "alike", *r[1], stdin=r[2])) for r in EXECS]
    ok("rm", "-f", "alike")
    return [(r[:2], without_own_words(g)) for r, g in rows]


def same_everywhere():
    need()
    all_of = [results(kind) for kind in KINDS]
    bad = []
    for rows in zip(*all_of):
        if any(r[1] != rows[0][1] for r in rows):
            bad.append("%s\n" % (rows[0][0],) + "\n".join("  %s: %r" % (" ".join(k), [str(x)[-300:] for x in r[1]])
                                                          for k, r in zip(KINDS, rows)))
    check(not bad, "%d of %d differ:\n%s" % (len(bad), len(all_of[0]), "\n".join(bad)))
    check(all_of[0][0][1][0] == 7 and "uid=1000(user)" in all_of[0][0][1][1], "the first row: %r" % (all_of[0][0],))


def on_power(fn):
    """A test of run.py's on the foreign architecture only: it knows what must come out."""
    def test():
        need()
        for kind in KINDS:
            if "ppc64le" in kind:
                try:
                    fn(list(kind))
                finally:
                    for t in json.loads(ok("ps", "-a", "--json")):
                        hull("rm", "-f", t["name"])
    test.__name__ = fn.__name__
    return test


def interpreter_is_safe():
    """Who holds the emulator's file open and then runs nothing but a program of the host's cannot write to it."""
    need()
    before = os.stat(BUILD + "/hull-foreign")
    code, out, err = hull("run", "--rm", "--privileged", "--arch", "ppc64le", "--network", "none", "-v", "/bin/busybox:/busybox:ro",
                          "busybox", "sh", "-c", "exec 3</proc/1/exe; exec /busybox sh -c 'uname -m; head -c 4 <&3 | wc -c; "
                          "sleep 0.2; echo x >>/proc/self/fd/3; echo $?'")
    check(out.startswith("x86_64\n4\n") and "Read-only file system" in err, "%d %r %r" % (code, out, err))
    after = os.stat(BUILD + "/hull-foreign")
    check((before.st_size, before.st_mtime) == (after.st_size, after.st_mtime), "the host's file has changed")


def wrong_architecture():
    need()
    for args, want in ((("--arch", "vax"), "amd64 or ppc64le"), ((*PPC, "--engine", "kvm"), "x86_64 only"), ((*PPC, "-m", "64M"), "128 MiB")):
        code, _, err = hull("run", "--rm", *args, "busybox", "true")
        check(code == 125 and err.count("\n") == 1 and want in err, "%s: %d %r" % (args, code, err))
    ok("import", "ppc.tar", "--platform", "ppc64le", "foreign")
    code, _, err = hull("run", "--rm", "foreign", "true")
    check(code == 127 and err.count("\n") == 1 and "linux/ppc64le" in err, "without --arch: %d %r" % (code, err))


main([from_archive, from_registry, same_everywhere, on_power(run.volumes), on_power(run.ports), on_power(run.terminal),
      on_power(run.copies), interpreter_is_safe, wrong_architecture])
