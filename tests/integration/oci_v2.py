#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hull-oci on a host whose cgroups are v2 with all controllers, also under systemd: machines that hull itself boots. Needs root, busybox-static,
a stored kernel and for systemd a Debian image that is made once. TAP on stdout."""
import json, os, shutil, subprocess

from hulltest import BUILD, Skip, check, main
from ocitest import OCI, edit, make_bundle, need_root
from run import CACHE, hull, need_image, need_kernel, ok, start_data

INSIDE = r"""
mkdir -p /run /state
mount -o remount,rw /sys/fs/cgroup
cd /sys/fs/cgroup && cat cgroup.controllers
O='hull-oci --root /state'
say() { echo "== $1"; }
say limits
$O run -d --bundle /b a </dev/null >/dev/null 2>&1 || echo failed
cd /sys/fs/cgroup/hullt/a && grep . memory.max memory.low memory.high cpu.max cpu.weight pids.max cpuset.cpus
say update
$O update --memory 32m --pids-limit 12 --cpu-quota 30000 --cpu-share 2048 a && grep . memory.max cpu.max cpu.weight pids.max
say stats
$O events --stats a
say fork
$O exec a sh -c '(i=0; while [ $i -lt 20 ]; do sleep 600 & i=$((i+1)); done); kill -9 -1' 2>&1 | grep -c "can't fork"
$O update --pids-limit 100 a
say oom
$O events --interval 1s a >/tmp/events & until grep -q stats /tmp/events; do sleep 0.1; done
$O exec a dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null; echo $?
for i in $(seq 3000); do grep -q '"type":"oom"' /tmp/events && break; sleep 0.1; done; grep -c '"type":"oom"' /tmp/events
say frozen
$O pause a; cat cgroup.freeze; $O state a | grep paused; $O resume a; cat cgroup.freeze
say moved
$O exec a sh -c 'mkdir /sys/fs/cgroup/sub; for p in $(cat /sys/fs/cgroup/cgroup.procs); do echo $p >/sys/fs/cgroup/sub/cgroup.procs; done; echo +pids >/sys/fs/cgroup/cgroup.subtree_control; cat /sys/fs/cgroup/cgroup.subtree_control'
$O exec a cat /proc/self/cgroup; $O exec --cgroup sub a cat /proc/self/cgroup; $O exec --cgroup / a true 2>&1
say gone
$O delete -f a; ls -d /sys/fs/cgroup/hullt/a 2>&1
say missing
$O run --bundle /unified b 2>&1; ls -d /sys/fs/cgroup/hullt/b 2>&1; ls /state
say end
"""


def image(path, *programs):
    """busybox and programs (hull-oci) with the libraries they need as a tar."""
    need_root()
    top = os.path.abspath("root-" + path)
    os.makedirs(top + "/bin")
    for d in ("tmp", "etc", "run", "proc", "sys", "dev"):
        os.makedirs(top + "/" + d)
    shutil.copy("/bin/busybox", top + "/bin/busybox")
    for a in subprocess.run(["/bin/busybox", "--list"], stdout=subprocess.PIPE).stdout.decode().split():
        if a != "busybox":
            os.symlink("busybox", top + "/bin/" + a)
    for p in programs or (OCI,):
        shutil.copy(p, top + "/bin/")
        libs = subprocess.run(["ldd", p], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode().split()
        for lib in (l for l in libs if l.startswith("/")):
            where = top + ("/lib64/" if "ld-linux" in lib else "/lib/")
            os.makedirs(where, exist_ok=True)
            shutil.copy(lib, where)
    subprocess.run(["tar", "-C", top, "-cf", path, "."], check=True)


def limits_of_v2():
    need_root()
    start_data()
    need_kernel()
    image("oci.tar")
    ok("import", "oci.tar", "oci")

    def change(c):
        c["linux"]["resources"].update(memory={"limit": 48 << 20, "reservation": 16 << 20}, pids={"limit": 20}, unified={"memory.high": "45000000"},
                                       cpu={"shares": 1024, "quota": 50000, "period": 100000, "cpus": "0"})
        c["linux"].update(cgroupsPath="/hullt/a")
        for m in c["mounts"]:
            if m["type"] == "cgroup":
                m["options"].remove("ro")
    b = make_bundle("sleep", "1000", change=change, name="b")
    u = make_bundle("true", change=lambda c: (c["linux"]["resources"].update(unified={"nosuch.max": "1"}), c["linux"].update(cgroupsPath="/hullt/b")), name="u")
    with open("inside.sh", "w") as f:
        f.write(INSIDE)
    code, out, err = hull("run", "--rm", "--as", "vm", "--engine", "jit", "--privileged", "--network", "none", "-v", b + ":/b", "-v", u + ":/unified",
                          "-v", os.path.abspath("inside.sh") + ":/inside.sh", "oci", "sh", "/inside.sh")
    if os.environ.get("HULL_TEST_SHOW"):
        print("# " + out.replace("\n", "\n# "))
    check(code == 0 and "== end" in out, "%d %s %s" % (code, out[-500:], err))
    controllers, *rest = out.split("== ")
    if not {"memory", "pids", "cpu", "cpuset"} <= set(controllers.split()):
        raise Skip("the guest kernel has only " + controllers)
    part = {p.split("\n", 1)[0]: p.split("\n", 1)[1] for p in rest}
    check(part["limits"].split() == ["memory.max:%d" % (48 << 20), "memory.low:%d" % (16 << 20), "memory.high:44998656", "cpu.max:50000", "100000",
                                     "cpu.weight:100", "pids.max:20", "cpuset.cpus:0"], part["limits"])
    w = part["update"].split()
    check(w[0] == "memory.max:%d" % (32 << 20) and w[1:3] == ["cpu.max:30000", "100000"] and int(w[3].split(":")[1]) > 100 and w[4] == "pids.max:12", part["update"])
    s = json.loads(part["stats"])["data"]
    check(s["memory"]["usage"]["limit"] == 32 << 20 and s["pids"]["limit"] == 12 and s["pids"]["current"] == 1, str(s)[:300])
    check(int(part["fork"]) >= 1, "pids.max did not hold: " + part["fork"])
    check(part["oom"].split() == ["137", "1"], "out of memory: " + part["oom"])
    check(part["frozen"].split("\n")[0] == "1" and "paused" in part["frozen"] and part["frozen"].rstrip().endswith("0"), part["frozen"])
    lines = part["moved"].splitlines()
    check(lines[0] == "pids" and lines[1] == "0::/sub" and lines[2] == "0::/sub" and "busy" in lines[3], part["moved"])
    check("No such file" in part["gone"], "the group stayed: " + part["gone"])
    check("nosuch.max" in part["missing"] and part["missing"].count("No such file") >= 1 and "b" not in part["missing"].split()[-1:], part["missing"])


HULL_INSIDE = r"""
mkdir -p /run /data; mount -o remount,rw /sys/fs/cgroup; mount -t tmpfs none /data
export LD_LIBRARY_PATH=/lib HULL_DATA=/data HULL_RUNTIME=/run/hull
uname -r
cd / && hull import /v/busybox.tar busybox >/dev/null
hull run -d --name st --network none -m 32m --cpus 0.2 --pids-limit 10 busybox sh -c 'while :; do :; done'
cd /sys/fs/cgroup/hull-st-* && grep -h . memory.max cpu.max pids.max; cd /
sleep 1; hull stats | tail -n 1
hull exec st sh -c '(i=0; while [ $i -lt 20 ]; do sleep 600 & i=$((i+1)); done); kill -9 -1' 2>&1 | grep fork | tail -n 1
hull exec st dd if=/dev/zero of=/dev/null bs=64M count=1; echo oom $?
hull pause st; hull ps | tail -n 1; hull resume st
hull rm -f st; ls -d /sys/fs/cgroup/hull-st-* 2>&1
hull run --rm --network none --read-only busybox echo end
"""


def run_of_v2():
    """`hull run` itself on Debian's kernel with v2 alone: limits hold, stats and pause work, nothing stays."""
    need_root()
    start_data()
    tar = os.path.join(CACHE, "image-%s.tar" % need_image("busybox"))
    need_kernel()
    image("hull.tar", os.path.join(BUILD, "hull"), os.path.join(BUILD, "hull-monitor"))
    ok("import", "hull.tar", "hull")
    os.makedirs("v2run")
    shutil.copy(tar, "v2run/busybox.tar")
    with open("v2run/inside.sh", "w") as f:
        f.write(HULL_INSIDE)
    code, out, err = hull("run", "--rm", "--as", "vm", "--engine", "jit", "--privileged", "--network", "none", "-m", "1G",
                          "-v", os.path.abspath("v2run") + ":/v", "hull", "sh", "/v/inside.sh")
    if os.environ.get("HULL_TEST_SHOW"):
        print("# " + (out + err).replace("\n", "\n# "))
    lines = out.splitlines()
    check(code == 0 and lines[1:5] == ["st", str(32 << 20), "20000 100000", "10"], "%d %s %s" % (code, out, err))
    check(lines[5].split()[0] == "st" and float(lines[5].split()[2]) > 0 and lines[5].split()[-2:] == ["32.0", "1"], lines[5])
    check("fork" in lines[6] and lines[7] == "oom 137" and "paused" in lines[8], lines[6:9])
    check("No such file" in lines[9] and lines[10] == "end", lines[9:])


BOOT = r"""
mount -o remount,rw /sys/fs/cgroup
cat >/etc/systemd/system/job.service <<E
[Unit]
Requires=dbus.socket
After=dbus.socket
[Service]
Type=oneshot
StandardOutput=append:/out/log
StandardError=append:/out/log
ExecStart=/bin/sh /out/inside.sh
ExecStopPost=/bin/systemctl --no-block poweroff
E
exec /lib/systemd/systemd --unit=job.service
"""
UNDER_SYSTEMD = r"""
cp /out/hull-oci /usr/bin/
cp -a /out/b /b
O='hull-oci --root /run/oci --systemd-cgroup' U=hull-one.scope
G=/sys/fs/cgroup/hullt.slice/hullt-sub.slice/$U
say() { echo "== $1"; }
files() { (cd $G && grep -h . memory.max memory.low cpu.max cpu.weight pids.max cpuset.cpus); }
unit() { systemctl show -p Slice -p ControlGroup -p Delegate -p CollectMode -p MemoryMax -p MemoryLow -p TasksMax -p CPUQuotaPerSecUSec -p CPUWeight -p AllowedCPUs $U | sort; }
say create
$O create --bundle /b one </dev/null >/dev/null 2>/tmp/why || cat /tmp/why; $O state one | grep '"status": "created"'; unit; files; $O start one
say update
$O update --memory 32m --pids-limit 12 --cpu-quota 30000 --cpu-share 2048 one; unit
say reload
systemctl daemon-reload; files; $O exec one sh -c 'mknod /dev/zz b 1 0 || echo denied; cat /dev/null && echo null'
say property
systemctl set-property --runtime $U TasksMax=15; files
say pause
$O pause one; cat $G/cgroup.freeze; $O resume one; cat $G/cgroup.freeze
say delegate
$O exec one sh -c 'mkdir /sys/fs/cgroup/x && echo 1 >/sys/fs/cgroup/x/cgroup.procs && echo made'; systemctl daemon-reload; cat /proc/$(head -n 1 $G/x/cgroup.procs)/cmdline; echo
say delete
$O kill one KILL; until $O state one | grep -q stopped; do sleep 0.2; done; $O delete one; echo $?; ls -d $G 2>&1; ls /run/oci; systemctl show -p LoadState $U
say stop
$O run -d --bundle /b one </dev/null >/dev/null 2>&1; systemctl stop $U; $O state one | grep status; $O delete one; echo $?
say again
$O run -d --bundle /b one </dev/null >/dev/null 2>&1; echo $?; systemctl kill -s KILL $U; until $O state one | grep -q stopped; do sleep 0.2; done; $O delete one; systemctl list-units --all --no-legend 'hull-*'
say bad
sed -i 's/hullt-sub.slice:hull:one/hullt:x/' /b/config.json; $O run --bundle /b two 2>&1
sed -i 's/hullt:x/..\/x.slice:hull:one/' /b/config.json; $O run --bundle /b two 2>&1
ls /run/oci
say end
"""


def scopes_of_systemd():
    """--systemd-cgroup under a systemd: the scope's properties are the limits, so they outlive a reload; no unit stays."""
    need_root()
    start_data()
    need_image("systemd")
    need_kernel()

    def change(c):
        c["linux"]["resources"].update(memory={"limit": 48 << 20, "reservation": 16 << 20}, pids={"limit": 20},
                                       cpu={"shares": 1024, "quota": 50000, "period": 100000, "cpus": "0"})
        c["linux"].update(cgroupsPath="hullt-sub.slice:hull:one")
        for m in c["mounts"]:
            if m["type"] == "cgroup":
                m["options"].remove("ro")
    out = os.path.abspath("out")
    os.mkdir(out)
    make_bundle("sh", "-c", "trap 'exit 3' TERM; while :; do sleep 1; done", change=change, name="out/b")
    shutil.copy(OCI, out)
    for name, text in (("inside.sh", UNDER_SYSTEMD), ("boot.sh", BOOT)):
        with open("out/" + name, "w") as f:
            f.write(text)
    _, words, err = hull("run", "--rm", "--as", "vm", "--engine", "jit", "--privileged", "--network", "none", "-m", "1G", "-v", out + ":/out",
                         "systemd", "sh", "/out/boot.sh", timeout=1200)
    log = open("out/log").read() if os.path.exists("out/log") else ""
    if os.environ.get("HULL_TEST_SHOW"):
        print("# " + log.replace("\n", "\n# "))
    check("== end" in log, "it ended early: %s %s %s" % (log[-500:], words[-300:], err))
    part = {p.split("\n", 1)[0]: p.split("\n", 1)[1] for p in log.split("== ")[1:]}
    unit = {"AllowedCPUs": "0", "CPUQuotaPerSecUSec": "500ms", "CPUWeight": "100", "CollectMode": "inactive-or-failed", "Delegate": "yes",
            "ControlGroup": "/hullt.slice/hullt-sub.slice/hull-one.scope", "MemoryLow": str(16 << 20), "MemoryMax": str(48 << 20),
            "Slice": "hullt-sub.slice", "TasksMax": "20"}
    files = [str(48 << 20), str(16 << 20), "50000 100000", "100", "20", "0"]
    lines = part["create"].splitlines()
    check("created" in lines[0] and lines[1:-6] == ["%s=%s" % kv for kv in sorted(unit.items())] and lines[-6:] == files, part["create"])
    lines = part["update"].splitlines()
    weight = [l.split("=")[1] for l in lines if l.startswith("CPUWeight=")][0]
    check(int(weight) > 100, part["update"])
    unit.update(CPUQuotaPerSecUSec="300ms", CPUWeight=weight, MemoryMax=str(32 << 20), TasksMax="12")
    check(lines == ["%s=%s" % kv for kv in sorted(unit.items())], part["update"])
    files = [str(32 << 20), str(16 << 20), "30000 100000", weight, "12", "0"]
    lines = part["reload"].splitlines()
    check(lines[:6] == files and lines[-2:] == ["denied", "null"], "lost by daemon-reload: " + part["reload"])
    check(part["property"].splitlines() == files[:4] + ["15", "0"], part["property"])
    check(part["pause"].split() == ["1", "0"], part["pause"])
    check("made" in part["delegate"] and "trap" in part["delegate"], part["delegate"])
    check(part["delete"].startswith("0\n") and "No such file" in part["delete"] and part["delete"].rstrip().endswith("LoadState=not-found")
          and "one" not in part["delete"].split(), part["delete"])
    check("stopped" in part["stop"] and part["stop"].rstrip().endswith("0"), part["stop"])
    check(part["again"].split() == ["0"], part["again"])
    check("slice:prefix:name" in part["bad"] and "is no slice" in part["bad"] and len(part["bad"].splitlines()) == 2, part["bad"])


if __name__ == "__main__":
    main([limits_of_v2, run_of_v2, scopes_of_systemd])
