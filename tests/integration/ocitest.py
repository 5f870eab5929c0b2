# SPDX-License-Identifier: Apache-2.0
"""Shared by the tests of hull-oci: bundles on busybox, running it, counting what the host has."""
import json, os, shutil, subprocess, tempfile
from hulltest import BUILD, PATIENCE, Skip, check

OCI = os.environ.get("HULL_OCI", os.path.join(BUILD, "hull-oci"))
APPLETS = ["sh", "true", "false", "ls", "cat", "id", "ps", "mount", "sleep", "env", "pwd", "stat", "echo", "tty", "grep",
           "mkdir", "rm", "ln", "touch", "dd", "kill", "umount", "chmod", "readlink", "head", "wc", "test", "hostname",
           "usleep", "mknod", "seq"]


def need_root():
    if os.geteuid():
        raise Skip("needs root")
    if not os.path.exists("/bin/busybox"):
        raise Skip("needs busybox-static")


def oci(*args, timeout=PATIENCE, stdin=subprocess.DEVNULL, root=None, **kw):
    """hull-oci with arguments; (exit status, stdout, stderr)."""
    r = subprocess.run([OCI, "--root", root or os.path.abspath("state"), *args], stdin=stdin, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=timeout, **kw)
    return r.returncode, r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace")


def ok(*args, **kw):
    code, out, err = oci(*args, **kw)
    check(code == 0, "%s: status %d: %s%s" % (args, code, out, err))
    return out


def make_root(path):
    os.makedirs(path + "/bin")
    for d in ("proc", "dev", "sys", "tmp", "etc", "root"):
        os.makedirs(path + "/" + d)
    shutil.copy("/bin/busybox", path + "/bin/busybox")
    for a in APPLETS:
        os.symlink("busybox", path + "/bin/" + a)
    with open(path + "/etc/passwd", "w") as f:
        f.write("root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")


def make_bundle(*args, change=None, name=None):
    """A new bundle directory that runs args; change edits the config."""
    b = os.path.abspath(name or tempfile.mkdtemp(prefix="b-", dir="."))
    os.makedirs(b, exist_ok=True)
    make_root(b + "/rootfs")
    ok("spec", "--bundle", b)
    edit(b, lambda c: {"type": "cgroup"} in c["linux"]["namespaces"] or c["linux"]["namespaces"].append({"type": "cgroup"}))
    edit(b, lambda c: (c["process"].update(terminal=False, args=list(args) or ["true"]), c["root"].update(readonly=False)))
    if change:
        edit(b, change)
    return b


def edit(bundle, change):
    path = bundle + "/config.json"
    with open(path) as f:
        c = json.load(f)
    change(c)
    with open(path, "w") as f:
        json.dump(c, f)


def host_state():
    """What a container could leave behind: mounts, cgroups, processes of hull-oci, network devices."""
    with open("/proc/self/mountinfo") as f:
        here = os.path.abspath(".")  # other mounts may come and go
        mounts = sorted(l.split(" ")[4] for l in f if here in l)
    groups = sorted(d for d, _, _ in os.walk("/sys/fs/cgroup") if "hullt" in d)
    links = sorted(l for l in os.listdir("/sys/class/net") if "hullt" in l)
    procs = []
    for p in os.listdir("/proc"):
        if p.isdigit():
            try:
                with open("/proc/%s/cmdline" % p, "rb") as f:
                    line = f.read()
            except OSError:
                continue
            if OCI.encode() + b"\0" in line or b"hull-test-payload" in line:
                procs.append(p)
    return {"mounts": mounts, "cgroups": groups, "links": links, "processes": procs}


def check_same(before, after):
    for k in before:
        check(before[k] == after[k], "%s left behind: %s" % (k, [x for x in after[k] if x not in before[k]][:5] or after[k]))
