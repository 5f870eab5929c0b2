#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images: store, archives, registries, builds, hostile input. The other side of each format is a
stock tool: skopeo, umoci, podman, Debian's docker-registry. TAP on stdout."""
import base64, gzip, hashlib, http.server, io, json, os, random, re, shutil, signal, socket, subprocess, sys, tarfile
import threading, time
from hulltest import HULL, PATIENCE, Skip, check, eventually, free_port, main

ROOT = os.geteuid() == 0
M = "application/vnd.oci.image.manifest.v1+json"
I = "application/vnd.oci.image.index.v1+json"
C = "application/vnd.oci.image.config.v1+json"
L = "application/vnd.oci.image.layer.v1.tar"


def need(*tools):
    for t in tools:
        if not shutil.which(t):
            raise Skip("%s is not installed" % t)


def need_root():
    if not ROOT:
        raise Skip("only root can do this")


def sh(*cmd, **kw):
    r = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, **kw)
    check(r.returncode == 0, "%s: %s" % (" ".join(cmd), r.stdout.decode(errors="replace")[-1500:]))
    return r.stdout.decode(errors="replace")


def run(*args, timeout=PATIENCE, env=None, stdin=None, **kw):
    """hull with the test's own store; (exit status, stdout, stderr)."""
    feed = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin or subprocess.DEVNULL}
    r = subprocess.run([HULL, *args], **feed, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=timeout, env={**os.environ, **(env or {})}, **kw)
    return r.returncode, r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace")


def ok(*args, **kw):
    code, out, err = run(*args, **kw)
    check(code == 0, "hull %s: status %d: %s" % (" ".join(args), code, err))
    return out


def fails(status, words, *args, **kw):
    """The call fails with one line that holds the words, and leaves nothing half done."""
    code, out, err = run(*args, **kw)
    lines = [l for l in err.splitlines() if not re.match(r"(pulling|pushing|loading) |\d+/\d+ ", l)]
    check(code == status, "%s: status %d, expected %d: %s" % (args, code, status, err))
    check(len(lines) == 1, "%s: not one line: %r" % (args, err))
    for w in words:
        check(w in lines[0], "%s: no %r in %r" % (args, w, lines[0]))


def data():
    return os.environ["HULL_DATA"]


def fresh(name):
    os.environ["HULL_DATA"] = os.path.abspath(name)


def store():
    return os.path.join(data(), "images")


def names():
    return sorted(x["name"] for x in json.loads(ok("images", "--json")))


def digest(b):
    return "sha256:" + hashlib.sha256(b).hexdigest()


def make_tar(entries, form=tarfile.PAX_FORMAT):
    """entries: (name, type or None, content or link target, extra attributes)."""
    f = io.BytesIO()
    with tarfile.open(fileobj=f, mode="w", format=form) as t:
        for name, kind, what, *more in entries:
            x = tarfile.TarInfo(name)
            x.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
            if kind:
                x.type = kind
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                x.linkname = what
            for k, v in (more[0] if more else {}).items():
                setattr(x, k, v)
            body = what if kind is None else b""
            x.size = len(body)
            t.addfile(x, io.BytesIO(body))
    return f.getvalue()


def rootfs():
    """The tar of a small root: busybox-static with a few links, owners and modes."""
    if not os.path.exists("rootfs.tar"):
        with open("/bin/busybox" if os.path.exists("/bin/busybox") else "/usr/bin/busybox", "rb") as f:
            busybox = f.read()
        D, S, H = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
        e = [("./", D, b""), ("bin", D, b""), ("bin/busybox", None, busybox, {"mode": 0o755})]
        e += [("bin/" + a, S, "busybox") for a in ("sh", "ls", "cat", "echo", "true", "id", "rm", "mkdir", "sleep")]
        e += [("etc", D, b""), ("etc/passwd", None, b"root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n"),
              ("etc/group", None, b"root:x:0:\nweb:x:34:\n"), ("etc/link", H, "etc/passwd"),
              ("tmp", D, b"", {"mode": 0o1777}), ("srv", D, b"", {"uid": 33, "gid": 34}),
              ("srv/own", None, b"mine", {"uid": 33, "gid": 34, "mode": 0o640, "mtime": 1000000000}),
              ("bin/suid", None, b"x", {"mode": 0o4755}), ("etc/abs", S, "/etc/passwd"),
              ("d" * 90 + "/" + "f" * 120, None, b"long", {"pax_headers": {"SCHILY.xattr.user.note": "kept"}})]
        with open("rootfs.tar", "wb") as f:
            f.write(make_tar(e))
    return "rootfs.tar"


def tree(top):
    """What counts of a directory tree, for comparing."""
    out = {}
    for d, dirs, files in os.walk(top):
        for n in dirs + files:
            p = os.path.join(d, n)
            st = os.lstat(p)
            what = os.readlink(p) if os.path.islink(p) else "" if os.path.isdir(p) else \
                hashlib.sha256(open(p, "rb").read()).hexdigest() if os.path.isfile(p) else st.st_rdev
            out[os.path.relpath(p, top)] = (oct(st.st_mode), st.st_uid, st.st_gid, what,
                                            int(st.st_mtime) if os.path.isfile(p) else 0)
    return out


def oci_layout(where, layers, config=None, bend=None, media=L, name="t"):
    """An OCI layout from layer blobs (bytes, diff_id); bend(manifest, config) may spoil it."""
    shutil.rmtree(where, ignore_errors=True)
    os.makedirs(where + "/blobs/sha256")

    def blob(b):
        with open(where + "/blobs/sha256/" + digest(b)[7:], "wb") as f:
            f.write(b)
        return {"digest": digest(b), "size": len(b)}
    c = config or {"architecture": "amd64", "os": "linux", "config": {},
                   "rootfs": {"type": "layers", "diff_ids": [d for _, d in layers]}}
    m = {"schemaVersion": 2, "mediaType": M, "config": None,
         "layers": [{"mediaType": media, **blob(b)} for b, _ in layers]}
    if bend:
        bend(m, c)
    m["config"] = {"mediaType": C, **blob(json.dumps(c).encode())}
    d = {"mediaType": M, **blob(json.dumps(m).encode()),
         "annotations": {"org.opencontainers.image.ref.name": name}}
    with open(where + "/index.json", "w") as f:
        json.dump({"schemaVersion": 2, "manifests": [d]}, f)
    with open(where + "/oci-layout", "w") as f:
        f.write('{"imageLayoutVersion": "1.0.0"}')
    return where


def layer(entries):
    b = make_tar(entries)
    return b, digest(b)


def consistent():
    """The promise of the store: what it names is whole."""
    s = store()
    with open(s + "/index.json") as f:
        todo = [(d["digest"], "manifest") for d in json.load(f)["manifests"]]
    while todo:
        d, kind = todo.pop()
        with open(os.path.join(s, "blobs/sha256", d[7:]), "rb") as f:
            b = f.read()
        check(digest(b) == d, "blob %s is damaged" % d)
        if kind == "manifest":
            m = json.loads(b)
            todo += [(x["digest"], "blob") for x in m.get("layers", [])]
            if "config" in m:
                todo.append((m["config"]["digest"], "blob"))
    for h in os.listdir(s + "/blobs/sha256"):
        with open(os.path.join(s, "blobs/sha256", h), "rb") as f:
            check(hashlib.sha256(f.read()).hexdigest() == h, "blob %s is damaged" % h)


# ---- the store ----

def store_commands():
    fresh("s1")
    check(names() == [] and not os.path.exists(data()), "an empty store is made by a listing")
    ident = ok("import", rootfs(), "bb").strip()
    check(re.match(r"sha256:[0-9a-f]{64}$", ident), ident)
    check(names() == ["docker.io/library/bb:latest"], str(names()))
    ok("tag", "bb", "localhost:5000/x/y:v1")
    ok("tag", ident[7:19], "other")
    x = json.loads(ok("image", "inspect", "other"))[0]
    check(x["id"] == ident and x["platform"] == "linux/amd64" and len(x["layers"]) == 1, str(x))
    check(open(x["layers"][0] + "/etc/passwd").read().startswith("root"), "the layer is not unpacked")
    check(ok("images", "-q").split() == [ident] * 3, "images -q")
    ok("rmi", "other")
    check(names() == ["docker.io/library/bb:latest", "localhost:5000/x/y:v1"], str(names()))
    consistent()
    ok("rmi", ident)
    check(names() == [] and not os.listdir(store() + "/blobs/sha256") and not os.listdir(store() + "/layers"),
          "rmi left something")


def unpacked_as_written():
    """Owners, modes, times, links, xattrs of the unpacked layer are those of GNU tar's extraction."""
    need_root()
    fresh("s2")
    ok("import", rootfs(), "bb")
    fs = json.loads(ok("image", "inspect", "bb"))[0]["layers"][0]
    os.makedirs("gnu", exist_ok=True)
    sh("tar", "-C", "gnu", "--numeric-owner", "-xpf", rootfs())
    a, b = tree(fs), tree("gnu")
    check(a == b, "differ: %s" % [(k, a.get(k), b.get(k)) for k in set(a) | set(b) if a.get(k) != b.get(k)][:5])
    check(os.stat(fs + "/etc/passwd").st_ino == os.stat(fs + "/etc/link").st_ino, "a hard link is a copy")
    check(os.getxattr(fs + "/" + "d" * 90 + "/" + "f" * 120, "user.note") == b"kept", "an xattr is lost")


def bad_usage():
    fresh("s3")
    fails(127, ["no image nope", "hull images"], "image", "inspect", "nope")
    fails(127, ["nope"], "rmi", "nope")
    fails(127, ["no image"], "tag", "nope", "x")
    fails(125, ["new name"], "tag", "one")
    fails(125, ["UPPER"], "import", rootfs(), "UPPER/Case")
    fails(125, ["tag"], "import", rootfs(), "x:bad tag")
    fails(127, ["missing.tar"], "import", "missing.tar", "x")
    fails(125, ["platform"], "import", "--platform", "a/b/c/d", rootfs(), "x")
    fails(127, ["nothere"], "load", "nothere")
    fails(126, ["neither"], "load", rootfs())
    fails(125, ["tar archive"], "import", HULL, "x")
    fails(125, ["--tls-verify"], "pull", "--tls-verify=maybe", "x")
    fails(125, ["oci-dir"], "save", "--format", "oci-dir", "x")
    check(names() == [], str(names()))


# ---- archives ----

def formats_both_ways():
    """skopeo reads what hull saves and hull loads what skopeo writes, in each format."""
    need("skopeo")
    fresh("s4")
    ident = ok("import", rootfs(), "bb:1").strip()
    ok("save", "-o", "d.tar", "bb:1")
    ok("save", "--format", "oci-archive", "-o", "o.tar", "bb:1")
    ok("save", "--format", "oci-dir", "-o", "odir", "bb:1")
    for src in ("docker-archive:d.tar", "oci-archive:o.tar", "oci:odir"):
        x = json.loads(sh("skopeo", "inspect", "--config", src))
        check(x["rootfs"]["diff_ids"] == [digest(open(rootfs(), "rb").read())], "%s: %s" % (src, x))
    sh("skopeo", "copy", "-q", "oci:odir", "docker-archive:sd.tar:docker.io/library/bb:2")
    sh("skopeo", "copy", "-q", "oci:odir", "oci-archive:so.tar:v3")
    sh("skopeo", "copy", "-q", "--dest-compress-format", "zstd", "--dest-compress", "oci:odir", "oci:szdir:v4")
    fresh("s5")
    check(ok("load", "-q", "sd.tar").strip() == "docker.io/library/bb:2", "load of a docker-archive")
    ok("load", "-q", "--name", "bb:3", "so.tar")
    ok("load", "-q", "--name", "bb:4", "szdir")
    ok("load", "-q", "o.tar")
    with open("sd.tar", "rb") as f, open("sd.tar.gz", "wb") as g:
        g.write(gzip.compress(f.read(), 1))
    with open("sd.tar.gz", "rb") as f:
        ok("load", "-q", stdin=f)
    check(names() == ["docker.io/library/bb:%d" % n for n in (1, 2, 3, 4)], str(names()))
    ids = {x["id"] for x in json.loads(ok("images", "--json"))}
    check(ident in ids, "the config changed on the way: %s" % ids)
    consistent()


def podman_and_umoci():
    """podman loads and runs what hull saves; umoci unpacks the same tree."""
    need_root()
    need("umoci", "podman")
    fresh("s6")
    ok("import", rootfs(), "bb:1")
    ok("save", "--format", "oci-dir", "-o", "u1", "bb:1")
    with open("u1/index.json") as f:
        x = json.load(f)
    x["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "t"}
    with open("u1/index.json", "w") as f:
        json.dump(x, f)
    sh("umoci", "unpack", "--image", "u1:t", "ub")
    fs = json.loads(ok("image", "inspect", "bb:1"))[0]["layers"][0]
    a, b = tree(fs), tree("ub/rootfs")
    check(a == b, "differ: %s" % [(k, a.get(k), b.get(k)) for k in set(a) | set(b) if a.get(k) != b.get(k)][:5])
    ok("save", "-o", "p.tar", "bb:1")
    pod = ["podman", "--root", os.path.abspath("pr"), "--runroot", os.path.abspath("prr"), "--storage-driver", "vfs"]
    sh(*pod, "load", "-q", "-i", "p.tar")
    out = json.loads(sh(*pod, "image", "inspect", "bb:1"))
    check(out[0]["RootFS"]["Layers"] == [digest(open(rootfs(), "rb").read())], str(out[0]["RootFS"]))
    sh(*pod, "rmi", "-a", "-f")


def whiteouts():
    """Layers with whiteouts of every kind, against umoci's merged result."""
    need_root()
    need("umoci")
    fresh("s7")
    D = tarfile.DIRTYPE
    one = layer([("a", D, b""), ("a/1", None, b"1"), ("a/2", None, b"2"), ("b", D, b""), ("b/x", None, b"x"),
                 ("c", D, b""), ("c/old", None, b"old"), ("f", None, b"f"), ("e", D, b""), ("e/e", None, b"e")])
    two = layer([("a", D, b""), ("a/.wh.1", None, b""), (".wh.b", None, b""), ("c", D, b""),
                 ("c/.wh..wh..opq", None, b""), ("c/new", None, b"new"), (".wh.f", None, b""),
                 ("e", D, b""), ("e/new", None, b"n"), ("e/.wh.e", None, b"")])
    # A directory in place of a whiteout of the same layer hides all below it.
    three = layer([(".wh.e", None, b""), ("e", D, b""), ("e/last", None, b"l"), (".wh..wh.plnk", D, b"")])
    oci_layout("w1", [one, two, three])
    ok("load", "-q", "--name", "w", "w1")
    ok("export", "-o", "w.tar", "w")
    os.makedirs("wx")
    sh("tar", "-C", "wx", "-xpf", "w.tar")
    have = sorted(os.path.relpath(os.path.join(d, n), "wx") for d, s, f in os.walk("wx") for n in s + f)
    check(have == ["a", "a/2", "c", "c/new", "e", "e/last"], str(have))
    oci_layout("w2", [one, two])
    sh("umoci", "unpack", "--image", "w2:t", "wub")
    ok("load", "-q", "--name", "w:2", "w2")
    ok("export", "-o", "w2.tar", "w:2")
    os.makedirs("wx2")
    sh("tar", "-C", "wx2", "-xpf", "w2.tar")
    check(sorted(tree("wx2")) == sorted(tree("wub/rootfs")), "%s %s" % (sorted(tree("wx2")), sorted(tree("wub/rootfs"))))


# ---- registries ----

class Registry:
    """Debian's docker-registry on a free loopback port."""

    def __init__(self, auth=None, tls=False):
        need("docker-registry")
        self.port = free_port()
        self.host = "127.0.0.1:%d" % self.port
        d = os.path.abspath("reg%d" % self.port)
        os.makedirs(d)
        yml = "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\n" % d
        yml += "http:\n  addr: %s\n  secret: x\n" % self.host
        if tls:
            sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", d + "/key.pem", "-out", d + "/ca.crt",
               "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
            yml += "  tls: {certificate: %s/ca.crt, key: %s/key.pem}\n" % (d, d)
        if auth:
            need("htpasswd")
            sh("htpasswd", "-Bbc", d + "/htpasswd", *auth)
            yml += "auth: {htpasswd: {realm: r, path: %s/htpasswd}}\n" % d
        with open(d + "/c.yml", "w") as f:
            f.write(yml)
        self.dir = d
        self.log = open(d + "/log", "w")
        self.child = subprocess.Popen(["docker-registry", "serve", d + "/c.yml"], stdout=self.log, stderr=self.log)

        def up():
            with socket.socket() as s:
                return self.child.poll() is not None or not s.connect_ex(("127.0.0.1", self.port))
        if eventually(up) and self.child.poll() is None:
            return
        self.__exit__()
        raise AssertionError("docker-registry did not start: " + open(d + "/log").read()[-500:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        self.log.close()


def registry_push_and_pull():
    need("skopeo")
    fresh("s8")
    ident = ok("import", rootfs(), "bb").strip()
    with Registry() as r:
        n = r.host + "/team/bb:1"
        ok("push", "-q", "bb", n)
        ok("push", "-q", "bb", n)  # everything is there
        check(json.loads(sh("skopeo", "inspect", "--tls-verify=false", "docker://" + n))["Layers"], "skopeo sees no layers")
        sh("skopeo", "copy", "-q", "--dest-tls-verify=false", "--src-tls-verify=false", "--dest-compress-format", "zstd",
           "--dest-compress", "docker://" + n, "docker://" + r.host + "/team/z:1")
        fresh("s9")
        check(ok("pull", "-q", n).strip() == ident, "another ID came back")
        ok("pull", "-q", n)
        check(names() == [n], str(names()))
        d = json.loads(ok("images", "--json"))[0]["digest"]
        ok("pull", "-q", r.host + "/team/bb@" + d)
        ok("image", "inspect", r.host + "/team/bb@" + d)
        fails(127, ["404"], "pull", "-q", r.host + "/team/nope:1")
        fails(127, ["404"], "pull", "-q", r.host + "/team/bb@sha256:" + "0" * 64)
        ok("pull", "-q", r.host + "/team/z:1")
        consistent()
    fails(125, ["127.0.0.1"], "pull", "-q", "--timeout", "3", n)


def registry_password_and_tls():
    fresh("s10")
    ok("import", rootfs(), "bb")
    with Registry(auth=("joe", "secret"), tls=True) as r:
        n, cert = r.host + "/a/bb:1", ["--cert-dir", r.dir]
        fails(125, ["certificate", "--tls-verify=false"], "push", "-q", "bb", n)
        fails(125, ["credentials"], "push", "-q", *cert, "bb", n)
        fails(125, ["credentials are wrong"], "push", "-q", *cert, "--creds", "joe:bad", "bb", n)
        ok("push", "-q", *cert, "--creds", "joe:secret", "bb", n)
        ok("rmi", "bb")
        ok("pull", "-q", "--tls-verify=false", "--creds", "joe:secret", n)
        auth = {"auths": {r.host: {"auth": base64.b64encode(b"joe:secret").decode()}}}
        os.makedirs("home/.docker", exist_ok=True)
        with open("home/.docker/config.json", "w") as f:
            json.dump(auth, f)
        ok("pull", "-q", *cert, n, env={"HOME": os.path.abspath("home")})
        ok("pull", "-q", *cert, "--authfile", "home/.docker/config.json", n)
        ok("pull", "-q", *cert, n, env={"REGISTRY_AUTH_FILE": os.path.abspath("home/.docker/config.json")})
        fails(125, ["credentials"], "pull", "-q", *cert, n, env={"HOME": "/nonexistent", "XDG_RUNTIME_DIR": ""})
        with open("bad.json", "w") as f:
            f.write('{"auths": {"%s": {"auth": "???"}}}' % r.host)
        fails(125, ["bad.json"], "pull", "-q", *cert, "--authfile", "bad.json", n)
        fails(127, ["none.json"], "pull", "-q", *cert, "--authfile", "none.json", n)
        # login tries the password, keeps it where the others find it, and leaves the rest of the file alone.
        env = {"HOME": os.path.abspath("home2"), "XDG_RUNTIME_DIR": "", "DOCKER_CONFIG": ""}
        os.makedirs("home2/.docker")
        with open("home2/.docker/config.json", "w") as f:
            json.dump({"auths": {"other.example": {"auth": "eDp5"}}, "detachKeys": "ctrl-x"}, f)
        fails(125, ["credentials are wrong"], "login", *cert, "-u", "joe", "--password-stdin", r.host, env=env, stdin=b"bad\n")
        fails(125, ["--password-stdin"], "login", *cert, "-u", "joe", r.host, env=env)
        fails(125, ["registry"], "login", "-u", "joe", "--password-stdin", r.host + "/a/b", env=env, stdin=b"secret\n")
        ok("login", *cert, "-u", "joe", "--password-stdin", r.host, env=env, stdin=b"secret\n")
        kept = json.load(open("home2/.docker/config.json"))
        assert kept == {"auths": {"other.example": {"auth": "eDp5"}, r.host: {"auth": base64.b64encode(b"joe:secret").decode()}}, "detachKeys": "ctrl-x"}, kept
        assert os.stat("home2/.docker/config.json").st_mode & 0o777 == 0o600
        ok("pull", "-q", *cert, n, env=env)
        sh("skopeo", "inspect", "--tls-verify=false", "--authfile", "home2/.docker/config.json", "docker://" + n)
        ok("logout", r.host, env=env)
        fails(127, ["not logged in"], "logout", r.host, env=env)
        fails(125, ["credentials"], "pull", "-q", *cert, n, env=env)


def several_platforms():
    """An index of two platforms: the right one is taken, --platform and --all-platforms."""
    need("skopeo")
    fresh("s11")
    one = layer([("amd", None, b"amd")])
    two = layer([("arm", None, b"arm")])
    cfg = lambda a, l: {"architecture": a, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [l[1]]}}
    oci_layout("m1", [one], cfg("amd64", one))
    oci_layout("m2", [two], cfg("arm64", two))
    entries = []
    for d, a in (("m1", "amd64"), ("m2", "arm64")):
        e = json.load(open(d + "/index.json"))["manifests"][0]
        entries.append({k: e[k] for k in ("mediaType", "digest", "size")})
        entries[-1]["platform"] = {"os": "linux", "architecture": a}
    sh("cp", "-r", "m2/blobs", "m1/")
    b = json.dumps({"schemaVersion": 2, "mediaType": I, "manifests": entries}).encode()
    with open("m1/blobs/sha256/" + digest(b)[7:], "wb") as f:
        f.write(b)
    with open("m1/index.json", "w") as f:
        json.dump({"schemaVersion": 2, "manifests": [{"mediaType": I, "digest": digest(b), "size": len(b),
                   "annotations": {"org.opencontainers.image.ref.name": "t"}}]}, f)
    with Registry() as r:
        n = r.host + "/m:1"
        sh("skopeo", "copy", "-q", "--all", "--dest-tls-verify=false", "oci:m1:t", "docker://" + n)
        ok("pull", "-q", n)
        x = json.loads(ok("image", "inspect", n))[0]
        check(x["platform"] == "linux/amd64", str(x))
        fails(127, ["linux/arm64"], "image", "inspect", "--platform", "arm64", n)
        ok("pull", "-q", "--platform", "linux/arm64", n)
        check(json.loads(ok("image", "inspect", "--platform", "arm64", n))[0]["platform"] == "linux/arm64", "arm64")
        check(json.loads(ok("image", "inspect", n))[0]["platform"] == "linux/amd64", "amd64 after arm64")
        fails(127, ["linux/s390x", "linux/amd64, linux/arm64"], "pull", "-q", "--platform", "s390x", n)
        fresh("s12")
        ok("pull", "-q", "--all-platforms", n)
        check(len(json.loads(ok("images", "--json"))) == 2, "two platforms")
        ok("push", "-q", n, r.host + "/m:2")
        check("arm64" in sh("skopeo", "inspect", "--tls-verify=false", "--raw", "docker://" + r.host + "/m:2"), "index pushed")
    fresh("s13")
    ok("load", "-q", "--name", "m", "m1")
    check(len(json.loads(ok("images", "--json"))) == 2, "both loaded")


class Liar:
    """A registry in Python that serves a layout and misbehaves as told."""

    def __init__(self, layout, **how):
        liar = self
        self.how, self.hits, self.layout = how, [], layout
        index = json.load(open(layout + "/index.json"))["manifests"][0]

        class H(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def send(self, code, body=b"", **headers):
                self.send_response(code)
                for k, v in headers.items():
                    self.send_header(k.replace("_", "-"), v)
                if "Content_Length" not in headers:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                liar.hits.append((self.path, self.headers.get("Range")))
                if self.path == "/v2/":
                    return self.send(200)
                want = self.path.rsplit("/", 1)[1]
                d = index["digest"] if not want.startswith("sha256:") else want
                try:
                    with open(layout + "/blobs/sha256/" + d[7:], "rb") as f:
                        body = f.read()
                except OSError:
                    return self.send(404, b'{"errors":[{"code":"BLOB_UNKNOWN","message":"evil \\u001b[31m"}]}')
                kind = "manifest" if "/manifests/" in self.path else "blob"
                act = how.get(kind if len(body) < 5000 else "layer")
                if act:
                    return act(self, body, liar)
                self.send(200, body, Content_Type=index["mediaType"] if kind == "manifest" else "application/octet-stream")

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # hull hangs up on liars
        self.name = "127.0.0.1:%d/x:1" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def big_layer(size=3000000):
    return layer([("big", None, random.Random(5).randbytes(size))])


def disconnects(h, body, liar):
    """Sends a third of what is asked for, then hangs up."""
    at = int(re.match(r"bytes=(\d+)-", h.headers.get("Range") or "bytes=0-")[1])
    part = body[at:at + len(body) // 3 + 1]
    h.send_response(206 if at else 200)
    h.send_header("Content-Length", str(len(body) - at))
    if at:
        h.send_header("Content-Range", "bytes %d-%d/%d" % (at, len(body) - 1, len(body)))
    h.end_headers()
    h.wfile.write(part)
    h.close_connection = True


def ignores_ranges(h, body, liar):
    """Hangs up in the middle of the first answer, and gives all of it whatever the range."""
    first = sum(1 for p, _ in liar.hits if p == h.path) == 1
    h.send(200, body[:len(body) // 2] if first else body, Content_Length=str(len(body)))
    h.close_connection = True


def registry_that_disconnects():
    for n, how in enumerate((disconnects, ignores_ranges)):
        fresh("s14%d" % n)
        oci_layout("x1", [big_layer()])
        with Liar("x1", layer=how) as l:
            ok("pull", "-q", l.name)
            check([r for p, r in l.hits if r], "no range was ever asked for: %s" % l.hits)
        consistent()


def interrupted_pull_resumes():
    """SIGKILL in the middle of a layer; the next pull asks for the rest only."""
    fresh("s15")
    oci_layout("x2", [big_layer(20000000)])
    killed = threading.Event()

    def slow(h, body, liar):
        at = int(re.match(r"bytes=(\d+)-", h.headers.get("Range") or "bytes=0-")[1])
        h.send_response(206 if at else 200)
        h.send_header("Content-Length", str(len(body) - at))
        h.end_headers()
        for i in range(at, len(body), 1 << 20):
            h.wfile.write(body[i:i + (1 << 20)])
            if not at and i >= 4 << 20:
                killed.wait(PATIENCE)
    with Liar("x2", layer=slow) as l:
        p = subprocess.Popen([HULL, "pull", "-q", l.name], stdout=subprocess.DEVNULL)
        size = lambda: sum(os.path.getsize(os.path.join(d, n)) for d, _, f in os.walk(store() + "/partial") for n in f)
        check(eventually(lambda: size() > 2 << 20), "nothing comes")
        p.kill()
        p.wait()
        killed.set()
        check(names() == [], "a half pulled image has a name")
        part = os.listdir(store() + "/partial")
        check(len(part) == 1 and os.path.getsize(store() + "/partial/" + part[0]) > 1 << 20, "no partial file: %s" % part)
        ok("pull", "-q", l.name)
        check(l.hits[-1][1], "the second pull began anew: %s" % l.hits)
    consistent()
    check(not os.listdir(store() + "/partial"), "partial file left")


def registry_that_lies():
    oci_layout("x3", [big_layer()])
    flip = lambda h, body, liar: h.send(200, body[:-1] + bytes([body[-1] ^ 1]))
    long = lambda h, body, liar: h.send(200, body + b"more" * 1000)
    short = lambda h, body, liar: h.send(200, body[:1000])

    def stall(h, body, liar):
        h.send(200, body[:1000], Content_Length=str(len(body)))
        time.sleep(8)

    def loop(h, body, liar):
        h.send(307, b"", Location=h.path)
    html = lambda h, body, liar: h.send(200, b"<html>" * 100)
    huge = lambda h, body, liar: h.send(200, b'{"a":[' + b"[]," * 3000000 + b"1]}")
    bomb = lambda h, body, liar: h.send(200, b'{"a":[' + b"1," * 500000 + b"1]}")
    error = lambda h, body, liar: h.send(500, b"no")
    cases = [({"layer": flip}, ["wrong digest"]), ({"layer": long}, ["more than the announced"]),
             ({"layer": short}, ["3"]), ({"layer": stall}, ["nothing came for 2 s"]), ({"manifest": flip}, ["JSON"]),
             ({"manifest": html}, ["JSON"]), ({"manifest": huge}, ["more than"]), ({"manifest": bomb}, ["too many values"]),
             ({"blob": flip}, ["wrong digest"]), ({"blob": loop}, ["redirects"]), ({"layer": error}, ["500"])]
    for n, (how, words) in enumerate(cases):
        fresh("s16%d" % n)
        with Liar("x3", **how) as l:
            fails(125, words, "pull", "-q", "--timeout", "2" if stall in how.values() else "300", l.name)
        check(names() == [], "case %d left a name" % n)
        check(not os.listdir(store() + "/tmp"), "case %d left %s" % (n, os.listdir(store() + "/tmp")))
        check(not os.listdir(store() + "/layers"), "case %d left a layer" % n)
    fresh("s17")
    os.unlink("x3/blobs/sha256/" + json.load(open("x3/index.json"))["manifests"][0]["digest"][7:])
    with Liar("x3") as l:
        code, _, err = run("pull", "-q", l.name)
        check(code == 127 and "\x1b" not in err and "BLOB_UNKNOWN" in err, repr(err))


# ---- hostile images ----

def spoiled_layouts():
    """Each wrong in one way; a clear line, and nothing of it stays."""
    good = layer([("f", None, b"f")])
    other = layer([("g", None, b"g")])

    def bend(fn):
        return lambda m, c: fn(m, c)

    def set_(o, k, v):
        o[k] = v
    cases = [
        ("wrong diff_id", [(good[0], other[1])], None, ["wrong diff_id"]),
        ("wrong digest", [good], bend(lambda m, c: set_(m["layers"][0], "digest", other[1])), ["sha256"]),
        ("negative size", [good], bend(lambda m, c: set_(m["layers"][0], "size", -1)), ["size"]),
        ("wrong size", [good], bend(lambda m, c: set_(m["layers"][0], "size", 7)), ["more than the announced"]),
        ("digest with a path", [good], bend(lambda m, c: set_(m["layers"][0], "digest", "sha256:../../../../etc/passwd")), ["digest"]),
        ("layers differ", [good], bend(lambda m, c: set_(c["rootfs"], "diff_ids", [])), ["1 layers in the manifest, 0"]),
        ("no rootfs", [good], bend(lambda m, c: c.pop("rootfs")), ["rootfs"]),
        ("a layer of another kind", [good], bend(lambda m, c: set_(m["layers"][0], "mediaType", "text/plain")), ["text/plain"]),
        ("env is no list", [good], bend(lambda m, c: set_(c["config"], "Env", {"a": 1})), ["Env"]),
        ("too many layers", [good], bend(lambda m, c: set_(m, "layers", m["layers"] * 501)), ["501"]),
        ("cut gzip", [(gzip.compress(good[0])[:-20], good[1])], None, ["cut short"]),
        ("bent gzip", [(gzip.compress(good[0])[:60] + b"\xff" * 500, good[1])], None, ["damaged gzip"]),
        ("xz", [(b"\xfd7zXZ\0" + b"1" * 500, good[1])], None, ["decompress it first"]),
        ("no tar", [(b"x" * 2000, digest(b"x" * 2000))], None, ["tar"]),
        ("cut tar", [(good[0][:700], digest(good[0][:700]))], None, ["cut short"]),
    ]
    for n, (what, layers, b, words) in enumerate(cases):
        fresh("h%d" % n)
        oci_layout("hx", layers, bend=b)
        code, out, err = run("load", "-q", "hx")
        check(code in (125, 127) and len(err.splitlines()) == 1, "%s: status %d: %s" % (what, code, err))
        for w in words:
            check(w in err, "%s: no %r in %r" % (what, w, err))
        check(names() == [] and not os.listdir(store() + "/layers") and not os.listdir(store() + "/tmp"), what + ": leftovers")


def nested_indexes():
    """Indexes that go on for ever, and one that names itself as far as that is possible."""
    fresh("h50")
    oci_layout("ni", [layer([("f", None, b"f")])])
    d = json.load(open("ni/index.json"))["manifests"][0]
    for _ in range(10):
        b = json.dumps({"schemaVersion": 2, "mediaType": I, "manifests": [{k: d[k] for k in ("mediaType", "digest", "size")}] * 3}).encode()
        with open("ni/blobs/sha256/" + digest(b)[7:], "wb") as f:
            f.write(b)
        d = {"mediaType": I, "digest": digest(b), "size": len(b)}
    with open("ni/index.json", "w") as f:
        json.dump({"schemaVersion": 2, "manifests": [d]}, f)
    fails(125, ["nested"], "load", "-q", "ni")
    loop = {"mediaType": I, "digest": "sha256:" + "1" * 64, "size": 300}
    b = json.dumps({"schemaVersion": 2, "mediaType": I, "manifests": [loop]}).encode()
    with open("ni/blobs/sha256/" + "1" * 64, "wb") as f:
        f.write(b)
    with open("ni/index.json", "w") as f:
        json.dump({"schemaVersion": 2, "manifests": [loop]}, f)
    fails(125, ["wrong digest"], "load", "-q", "ni")


def escapes():
    """Names and links that lead out of the layer: nothing outside is touched, whatever happens inside."""
    need_root()
    outside = os.path.abspath("outside")
    os.makedirs(outside + "/dir", exist_ok=True)
    with open(outside + "/file", "w") as f:
        f.write("precious")
    S, H, D = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
    up = "../" * 30 + outside[1:]
    cases = [
        [("../evil", None, b"x")], [("a/../../../evil", None, b"x")], [(up + "/file", None, b"x")],
        [(outside + "/file", None, b"x")],
        [("l", S, outside), ("l/file", None, b"x")], [("l", S, up), ("l/file", None, b"x")],
        [("l", S, outside), ("l", D, b""), ("l/file", None, b"x")],
        [("d", D, b""), ("d", S, outside), ("d/file", None, b"x")],
        [("l", S, outside + "/new"), ("l", None, b"x")],
        [("l", S, outside + "/file"), ("l", None, b"x", {"mode": 0o777})],
        [("h", H, outside + "/file"), ("h", None, b"x")], [("h", H, up + "/file")],
        [("l", S, outside + "/file"), ("h", H, "l"), ("h", None, b"x")],
        [("l", S, outside), ("h", H, "l/file")],
        [("l", S, outside), ("l/.wh.file", None, b"")], [("l", S, outside), ("l/.wh..wh..opq", None, b"")],
        [(".wh...", None, b"")], [(".wh..", None, b"")], [("a/.wh.", None, b"")],
        [(".", S, outside), ("file", None, b"x")], [("/", S, outside), ("file", None, b"x")],
        [("l", S, "/proc/self/cwd"), ("l/evil", None, b"x")], [("l", S, "/proc/self/root"), ("l" + outside + "/file", None, b"x")],
        [("x" * 300, None, b"x")], [("/".join(["d"] * 1500), None, b"x")],
        [("n", tarfile.CHRTYPE, b"", {"devmajor": 0, "devminor": 0})],
        [("a", D, b"", {"pax_headers": {"SCHILY.xattr.trusted.overlay.redirect": "/../../outside"}})],
        [("a", D, b"", {"pax_headers": {"SCHILY.xattr.trusted.overlay.opaque": "y"}})],
        [("f", None, b"1"), ("f", None, b"2"), ("f", D, b""), ("f/g", None, b"3"), ("f", S, "g"), ("f", None, b"last")],
    ]
    before = tree(outside)
    for n, entries in enumerate(cases):
        fresh("e%d" % n)
        b, d = layer(entries)
        oci_layout("ex", [(b, d)])
        code, out, err = run("load", "-q", "--name", "e", "ex")
        check(code in (0, 125), "case %d: status %d: %s" % (n, code, err))
        check(code == 0 or len(err.splitlines()) == 1, "case %d: %s" % (n, err))
        check(tree(outside) == before, "case %d touched what is outside" % n)
        check(not os.path.exists("evil") and not os.path.exists("../evil") and not os.path.exists("/evil"), "case %d got out" % n)
        if code == 0:
            fs = json.loads(ok("image", "inspect", "e"))[0]["layers"][0]
            for p, _, _ in os.walk(fs):
                check(not [x for x in os.listxattr(p) if "overlay.redirect" in x], "case %d smuggled an overlay xattr" % n)
            if n == len(cases) - 1:
                check(open(fs + "/f").read() == "last", "the last of several entries does not count")
            if n == len(cases) - 2:
                check(not os.listxattr(fs + "/a"), "an archive made a directory opaque")


def hostile_numbers():
    """Tar headers bent at random: an error or an odd file, never a crash."""
    fresh("h60")
    rnd = random.Random(3)
    base = bytearray(make_tar([("d", tarfile.DIRTYPE, b""), ("f", None, b"x" * 3000), ("l", tarfile.SYMTYPE, "f"),
                               ("n" * 200, None, b"y", {"pax_headers": {"SCHILY.xattr.user.a": "b"}})]))
    for i in range(150):
        t = bytearray(base)
        for _ in range(rnd.randrange(1, 6)):
            t[rnd.randrange(len(t) - 1024)] = rnd.choice((0, 0xff, 0x80, 0x30, rnd.randrange(256)))
        # A right checksum lets the bent number through to what comes behind it.
        for at in range(0, len(t) - 1024, 512):
            if t[at + 257:at + 262] == b"ustar":
                t[at + 148:at + 156] = b" " * 8
                t[at + 148:at + 156] = b"%06o\0 " % sum(t[at:at + 512])
        with open("bent.tar", "wb") as f:
            f.write(t)
        code, out, err = run("import", "bent.tar", "bent:%d" % i)
        check(code in (0, 125), "bent %d: status %d: %s" % (i, code, err))
    consistent()


def bombs():
    fresh("h70")
    need("zstd")
    t = make_tar([("f", None, b"f")])
    with open("bomb.tar", "wb") as f:
        f.write(t)
        f.truncate(1300 << 20)
    sh("zstd", "-q", "-f", "-1", "bomb.tar", "-o", "bomb.tar.zst")
    os.unlink("bomb.tar")
    fails(125, ["decompression bomb"], "import", "bomb.tar.zst", "bomb")
    big = make_tar([("f", None, bytes(30 << 20))])
    with open("big.tar.gz", "wb") as f:
        f.write(gzip.compress(big, 1))
    fails(125, ["HULL_LAYER_MAX"], "import", "big.tar.gz", "big", env={"HULL_LAYER_MAX": "20000000"})
    check(names() == [] and not os.listdir(store() + "/layers") and not os.listdir(store() + "/tmp"), "leftovers")
    ok("import", "big.tar.gz", "big")


def full_disk():
    """A store on a file system that fills up at every stage of an import; afterwards it works."""
    need_root()
    os.makedirs("small", exist_ok=True)
    big = make_tar([("f%d" % i, None, random.Random(i).randbytes(200000)) for i in range(10)])
    with open("fill.tar", "wb") as f:
        f.write(big)
    for size in (64, 600, 1500, 2500, 3900):
        sh("mount", "-t", "tmpfs", "-o", "size=%dk" % size, "tmpfs", "small")
        try:
            fresh("small")
            code, out, err = run("import", "fill.tar", "x")
            check(code == 125 and len(err.splitlines()) == 1 and "pace" in err, "%d KiB: %d %s" % (size, code, err))
            check(names() == [], "an image that does not fit has a name")
            if size > 100:
                check(not os.listdir(store() + "/layers") and not os.listdir(store() + "/blobs/sha256") or size > 2000, "leftovers")
                ok("prune")
                with open("tiny.tar", "wb") as f:
                    f.write(make_tar([("f", None, b"f")]))
                ok("import", "tiny.tar", "tiny")
                consistent()
        finally:
            sh("umount", "small")


def killed_at_any_point():
    """SIGKILL after random times; whatever is named is whole, and the next try succeeds."""
    fresh("k1")
    rnd = random.Random(7)
    l = layer([("d%d" % (i % 50), tarfile.DIRTYPE, b"") for i in range(50)] +
              [("d%d/f%d" % (i % 50, i), None, rnd.randbytes(rnd.randrange(9000))) for i in range(1500)])
    z = (gzip.compress(l[0], 1), l[1])
    oci_layout("kx", [z], media=L + "+gzip")
    t0 = time.monotonic()
    ok("load", "-q", "--name", "k", "kx")
    span = time.monotonic() - t0
    full = tree(json.loads(ok("image", "inspect", "k"))[0]["layers"][0])
    ok("rmi", "k")
    killed = 0
    for i in range(40):
        cmd = [["load", "-q", "--name", "k", "kx"], ["rmi", "k"], ["prune", "--all"]][i % 4 if i % 4 < 3 else 0]
        p = subprocess.Popen([HULL, *cmd], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rnd.random() * span * (1.1 if cmd[0] == "load" else 0.2))
        if p.poll() is None:
            killed += 1
        else:  # it is faster than the first was
            span *= 0.8
        p.kill()
        p.wait()
        for n in names():
            fs = json.loads(ok("image", "inspect", n))[0]["layers"][0]
            check(tree(fs) == full, "round %d: a named image is not whole" % i)
        consistent()
    check(killed > 10, "only %d were killed in time" % killed)
    ok("load", "-q", "--name", "k", "kx")
    ok("prune")
    check(not os.listdir(store() + "/tmp"), "tmp: %s" % os.listdir(store() + "/tmp"))
    consistent()


def many_at_once():
    """Several processes load, tag, remove and prune one store."""
    fresh("c1")
    oci_layout("cx", [layer([("f%d" % i, None, os.urandom(2000)) for i in range(200)])])

    def work(n, out):
        for i in range(8):
            code, _, err = run("load", "-q", "--name", "c%d" % n, "cx")
            out.append(code == 0 or err)
            code, _, err = run("tag", "c%d" % n, "t%d:%d" % (n, i))
            out.append(code == 0 or err)
            run("rmi", "t%d:%d" % (n, i))
            run("prune")
    res, ts = [], []
    for n in range(4):
        ts.append(threading.Thread(target=work, args=(n, res)))
        ts[-1].start()
    for t in ts:
        t.join()
    bad = [r for r in res if r is not True]
    check(not bad, str(bad[:3]))
    check(names() == ["docker.io/library/c%d:latest" % n for n in range(4)], str(names()))
    consistent()


def another_boot():
    """A layer that another boot of the host left unsettled is unpacked again."""
    fresh("b1")
    ok("import", rootfs(), "bb")
    fs = json.loads(ok("image", "inspect", "bb"))[0]["layers"][0]
    os.unlink(fs + "/etc/passwd")
    ok("image", "inspect", "bb")
    check(not os.path.exists(fs + "/etc/passwd"), "a trusted layer was unpacked again")
    with open(os.path.dirname(fs) + "/boot", "w") as f:
        f.write("some other boot\n")
    ok("image", "inspect", "bb")
    check(os.path.exists(fs + "/etc/passwd"), "a doubtful layer was trusted")


def damage_is_mended():
    """Blobs that power loss spoiled: told so, and a pull or load puts them right."""
    fresh("b2")
    oci_layout("dx", [big_layer(300000)])
    ok("load", "-q", "--name", "d", "dx")
    x = json.loads(ok("image", "inspect", "d"))[0]
    fs = x["layers"][0]
    for h in os.listdir(store() + "/blobs/sha256"):
        with open(store() + "/blobs/sha256/" + h, "r+b") as f:
            f.truncate(os.path.getsize(f.name) // 2)
    with open(os.path.dirname(fs) + "/boot", "w") as f:
        f.write("some other boot\n")
    fails(125, ["damaged", "again"], "image", "inspect", "d")
    ok("load", "-q", "--name", "d", "dx")
    ok("image", "inspect", "d")
    check(os.path.getsize(fs + "/big") == 300000, "the layer is not whole")
    consistent()


def without_root():
    """The whole way as a user: import, list, export."""
    need_root()
    need("setpriv")
    d = "/tmp/hull-image-user-%d" % os.getpid()
    os.makedirs(d)
    try:
        shutil.copy(rootfs(), d + "/r.tar")
        shutil.copy(HULL, d + "/hull")
        os.chmod(d + "/r.tar", 0o644)
        os.chown(d, 65534, 65534)
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "HULL_DATA=" + d + "/data",
                "HULL_RUNTIME=" + d + "/run", "HOME=" + d]
        sh(*user, d + "/hull", "import", d + "/r.tar", "bb", cwd=d)
        sh(*user, d + "/hull", "export", "-o", d + "/e.tar", "bb", cwd=d)
        have = sh("tar", "tf", d + "/e.tar").split()
        check("bin/busybox" in have and "srv/own" in have, str(have))
        sh(*user, d + "/hull", "rmi", "bb", cwd=d)
    finally:
        shutil.rmtree(d)


# ---- building ----

def write_context(where, files):
    shutil.rmtree(where, ignore_errors=True)
    for n, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(where, n)) or where, exist_ok=True)
        with open(os.path.join(where, n), "w") as f:
            f.write(text)


def exported(ref):
    ok("export", "-o", "ex.tar", ref)
    with tarfile.open("ex.tar") as t:
        return {x.name: (x.uid, x.gid, oct(x.mode), t.extractfile(x).read().decode(errors="replace")[:60] if x.isfile() else x.linkname)
                for x in t}


def build_everything():
    need_root()
    fresh("d1")
    ok("import", rootfs(), "bb")
    write_context("ctx", {"a.txt": "a", "b.log": "no", "sub/b.txt": "b", "sub/deep/c": "c", ".dockerignore": "*.log\n**/deep\n!sub/deep",
                          "Containerfile": """# escape=\\
ARG BASE=nope
FROM ${BASE} AS one
ARG V=7
ENV A=1 B="two words" \\
    # a comment inside
    C=${V:-8}
WORKDIR /work
WORKDIR x
RUN echo $A $B $C $V > out && id > ids
RUN ["/bin/sh", "-c", "echo exec > exec"]
USER web
RUN id -u > /tmp/who
USER 0
COPY a.txt sub /dst/
COPY . /all/
COPY --chown=web:34 --chmod=600 a.* here/
ADD arch.tgz /un/
ADD a.txt renamed
RUN rm /etc/link; rm -rf /srv
FROM scratch AS two
COPY --from=one /work /w
COPY --from=bb /bin/busybox /bin/busybox
COPY --from=0 /dst/b.txt /
ENTRYPOINT ["/bin/busybox", "sh"]
CMD -c true
LABEL x=y "k k"=v
EXPOSE 80 8000-8002/udp
VOLUME ["/data", "/more"]
USER 3:4
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=1m30s --retries=2 CMD ["true"]
"""})
    subprocess.run(["tar", "-C", "ctx", "-czf", "ctx/arch.tgz", "a.txt", "sub"], check=True)
    out = ok("image", "build", "--network", "none", "--build-arg", "BASE=bb", "-t", "one", "--target", "one", "ctx")
    x = exported("one")
    check(x["work/x/out"][3] == "1 two words 7 7\n", str(x["work/x/out"]))
    check(x["tmp/who"][3] == "33\n" and x["tmp/who"][0] == 33, str(x["tmp/who"]))
    check(x["work/x/exec"][3] == "exec\n" and x["dst/a.txt"][3] == "a" and x["dst/b.txt"][3] == "b", "copied files")
    check(x["work/x/here/a.txt"][:3] == (33, 34, "0o600"), str(x["work/x/here/a.txt"]))
    check("all/b.log" not in x and "all/sub/deep/c" in x, ".dockerignore: %s" % sorted(x))
    check(x["un/a.txt"][3] == "a" and x["un/sub/b.txt"][3] == "b" and "un/arch.tgz" not in x, "ADD unpacks")
    check(x["work/x/renamed"][3] == "a", "ADD of a file")
    check("etc/link" not in x and "srv" not in x and "etc/passwd" in x, "whiteouts of RUN")
    ok("image", "build", "-q", "--build-arg", "BASE=bb", "-t", "two", "-t", "three:3", "ctx")
    y = exported("two")
    check(sorted(n for n in y if y[n][3]) == ["b.txt", "bin/busybox", "w/x/exec", "w/x/here/a.txt", "w/x/ids", "w/x/out", "w/x/renamed"], str(sorted(y)))
    c = json.loads(ok("image", "inspect", "three:3"))[0]
    check(c["entrypoint"] == ["/bin/busybox", "sh"] and c["cmd"] == ["/bin/sh", "-c", "-c true"], str(c))
    check(sorted(c["labels"]) == ["k k=v", "x=y"] and sorted(c["ports"]) == ["80/tcp", "8000/udp", "8001/udp", "8002/udp"], str(c))
    check(sorted(c["volumes"]) == ["/data", "/more"] and c["user"] == "3:4" and c["stop_signal"] == "SIGQUIT", str(c))
    check(c["healthcheck"]["test"] == ["CMD", "true"] and c["healthcheck"]["interval_ns"] == 90 * 10**9, str(c["healthcheck"]))
    if shutil.which("skopeo"):
        ok("save", "--format", "oci-dir", "-o", "bdir", "two")
        sh("skopeo", "inspect", "oci:bdir")
    consistent()


def build_triggers_and_documents():
    """ONBUILD in the image that is built on, once; here-documents for RUN, COPY and as scripts of other interpreters."""
    need_root()
    fresh("d5")
    ok("import", rootfs(), "bb")
    write_context("bo", {"f": "a file", "Containerfile": "FROM bb\nONBUILD COPY --chmod=600 f /f\nONBUILD RUN echo $X > /x\nENV X=one\n"})
    ok("image", "build", "-q", "--network", "none", "-t", "base", "bo")
    check("f" not in exported("base") and "x" not in exported("base"), "ONBUILD was done at once")
    write_context("bo", {"f": "a file", "Containerfile": "FROM base\nRUN test -e /f && echo $X > /y\n"})
    ok("image", "build", "-q", "--network", "none", "-t", "child", "bo")
    x = exported("child")
    check(x["f"][2:] == ("0o600", "a file") and x["x"][3] == "one\n" and x["y"][3] == "one\n", str(x))
    text = """FROM child
ENV A=1
RUN <<EOF
echo $A $X > /doc
echo more >> /doc
EOF
RUN <<ONE cat - /proc/self/fd/3 > /two 3<<-'TWO'
$A
ONE
\t$A
TWO
COPY <<run.sh <<"plain" /dst/
#!/bin/sh
echo "$A \\$A"
run.sh
$A
plain
COPY --chmod=755 <<s /bin/s
#!/bin/sh
echo script
s
RUN <<EOF
#!/bin/sh -e
s > /script
false
echo here >> /script
EOF
"""
    write_context("bo", {"Containerfile": text})
    fails(125, ["line 22", "status 1"], "image", "build", "-q", "--network", "none", "-t", "docs", "bo")
    write_context("bo", {"Containerfile": text.replace("false\n", "")})
    ok("image", "build", "-q", "--network", "none", "-t", "docs", "bo")
    x = exported("docs")
    check(x["doc"][3] == "1 one\nmore\n" and x["two"][3] == "1\n$A\n", "RUN: %s %s" % (x["doc"], x["two"]))
    check(x["dst/run.sh"][2:] == ("0o644", '#!/bin/sh\necho "1 $A"\n') and x["dst/plain"][3] == "$A\n", "COPY: %s" % (x["dst/run.sh"],))
    check(x["bin/s"][2] == "0o755" and x["script"][3] == "script\nhere\n", "script: %s" % (x["script"],))
    check(x["f"][3] == "a file" and run("image", "build", "--network", "none", "-t", "docs", "bo")[2].count("from the cache") == 5, "the cache")


def build_cache():
    need_root()
    fresh("d2")
    ok("import", rootfs(), "bb")
    files = {"a": "1", "Containerfile": "FROM bb\nRUN echo one > /one\nCOPY a /a\nRUN echo two > /two\n"}
    write_context("cc", files)
    cached = lambda: run("image", "build", "--network", "none", "-t", "c", "cc")[2].count("from the cache")
    check(cached() == 0, "a first build came from the cache")
    check(cached() == 3, "a second build did not come from the cache")
    os.utime("cc/a", (1, 1))
    check(cached() == 3, "a new time of a file counts")
    write_context("cc", {**files, "a": "2"})
    check(cached() == 1, "new content must end the cache there")
    check(exported("c")["a"][3] == "2", "the old content came")
    check(run("image", "build", "--no-cache", "-t", "c", "cc")[2].count("from the cache") == 0, "--no-cache")
    ok("rmi", "c")
    check(cached() == 0, "a pruned cache was used")


def build_errors():
    need_root()
    fresh("d3")
    ok("import", rootfs(), "bb")
    cases = [("", ["empty"]), ("RUN x\n", ["FROM"]), ("FROM bb\nFOO x\n", ["line 2", "FOO"]), ("FROM bb\nCOPY nope /\n", ["nope"]),
             ("FROM bb\nCOPY ../../etc/passwd /p\n", ["etc/passwd"]), ("FROM bb\nRUN exit 3\n", ["line 2", "status 3"]),
             ("FROM bb\nCOPY --from=none /a /b\n", ["none"]), ("FROM bb\nENV x\n", ["NAME=value"]), ("FROM bb\nEXPOSE 99999\n", ["65535"]),
             ("FROM bb\nADD http://x/y /z\n", ["http://x/y", "fetch"]), ("FROM bb\nRUN <<E\nx\n", ["line 2", "no end"]),
             ("FROM bb\nCOPY <<E k /z/\nE\n", ["give two"]), ("FROM bb\nONBUILD FROM x\n", ["ONBUILD"]), ("FROM bb\nONBUILD RUN cat <<E\n", ["here-documents"]), ("FROM bb\nUSER ${X\n", ["variable"]),
             ("FROM bb\nHEALTHCHECK --interval=x CMD a\n", ["duration"]), ("FROM bb AS a b\n", ["FROM image"]), ("FROM bb\nCOPY z* /\n", ["matches"]),
             ("FROM bb\nLABEL a=\"b\n", ["not closed"]), ("FROM bb\nUSER nobody9\nRUN true\n", ["nobody9"]), ("FROM bb\nSHELL x\n", ["JSON"])]
    for text, words in cases:
        write_context("be", {"Containerfile": text, "k": "k"})
        fails((127 if any(w in ("nope", "etc/passwd", "none", "matches", "nobody9") for w in words) else 125), words,
              "image", "build", "-q", "--network", "none", "-t", "x", "be")
    write_context("be", {"k": "k"})
    fails(127, ["Dockerfile"], "image", "build", "be")
    fails(127, ["nowhere"], "image", "build", "nowhere")
    os.symlink("/etc/passwd", "be/link")
    with open("be/Containerfile", "w") as f:
        f.write("FROM scratch\nCOPY link /l\n")
    fails(127, ["link"], "image", "build", "-q", "be")
    check(not os.listdir(store() + "/tmp"), "tmp: %s" % os.listdir(store() + "/tmp"))


def build_killed():
    """SIGKILL in a RUN step: no mount is left, nor the step's processes after a moment."""
    need_root()
    fresh("d4")
    ok("import", rootfs(), "bb")
    sleep = "sleep %d" % (10**6 + os.getpid())
    write_context("bk", {"Containerfile": "FROM bb\nRUN %s\n" % sleep})
    p = subprocess.Popen([HULL, "image", "build", "-q", "bk"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    alive = lambda: subprocess.run(["pgrep", "-f", "^%s$" % sleep], stdout=subprocess.DEVNULL).returncode == 0
    check(eventually(alive), "the step did not start")
    p.kill()
    p.wait()
    gone = eventually(lambda: not alive(), 60)
    if not gone:
        subprocess.run(["pkill", "-x", "-f", sleep])
    check(gone, "the step's process lives on")
    nothing_left()
    ok("prune")
    check(not os.listdir(store() + "/tmp"), "tmp: %s" % os.listdir(store() + "/tmp"))


def nothing_left():
    """No mounts and no processes of hull's are left by all of the above."""
    here = os.getcwd()
    left = [l for l in open("/proc/self/mountinfo") if here in l]
    check(not left, "mounts: %s" % left)


if __name__ == "__main__":
    main([store_commands, unpacked_as_written, bad_usage, formats_both_ways, podman_and_umoci, whiteouts, registry_push_and_pull,
          registry_password_and_tls, several_platforms, registry_that_disconnects, interrupted_pull_resumes, registry_that_lies,
          spoiled_layouts, nested_indexes, escapes, hostile_numbers, bombs, full_disk, killed_at_any_point, many_at_once,
          another_boot, damage_is_mended, without_root, build_everything, build_triggers_and_documents, build_cache, build_errors, build_killed, nothing_left])
