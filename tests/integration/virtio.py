#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Virtio devices under a stock kernel's drivers, on the jit engine: disks, network, vsock, entropy, balloon."""
import hashlib, http.server, json, os, shutil, socket, subprocess, threading

from hulltest import PATIENCE, Machine, Skip, check, eventually, free_port, initrd, kernel, main, run

MODULES = "virtio_pci,virtio_blk,virtio_net,virtio_console,virtio_rng,virtio_balloon,vmw_vsock_virtio_transport,virtio_mmio"
NET = "ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2; sleep 0.3\n"


def args(command, *more, cpus="1"):
    k = kernel()
    return ["--engine", os.environ.get("HULL_ENGINE", "jit"), "--cpus", cpus, "--kernel", k["path"], "--append", "console=ttyS0 panic=-1",
            "--initrd", initrd(command, "initrd", "--modules", MODULES, "--modules-dir", k["modules"],
                               *more_files(more)), *[m for m in more if not isinstance(m, tuple)]]


def more_files(more):
    return [x for m in more if isinstance(m, tuple) for x in ("--add", m[0] + ":" + m[1])]


def image(name, size):
    with open(name, "wb") as f:
        f.truncate(size)
    return os.path.abspath(name)


def serve(directory, address="127.0.0.1"):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *a):
            super().__init__(*a, directory=directory)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer((address, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def disk_reads_and_writes():
    data = os.urandom(24 << 20)
    with open("source", "wb") as f:
        f.write(data)
    target = image("target", 24 << 20)
    with Machine(*args("cat /sys/block/vda/serial /sys/block/vdb/ro; ls /sys/block/vdb/mq | wc -l\n"
                      "dd if=/dev/vda of=/dev/vdb bs=1M conv=fsync 2>/dev/null\n"
                      "dd if=/dev/zero of=/dev/vda count=1 2>&1 | grep -c 'denied\\|not permitted\\|Read-only'\n"
                      "md5sum /dev/vdb", "--disk", "source,ro,serial=the-serial", "--disk", target, cpus="4")) as m:
        m.expect(rb"the-serial")
        m.expect(rb"0\r?\n4\r?\n")
        m.expect(hashlib.md5(data).hexdigest().encode())
        check(m.wait() == 0, "status")
        with open("target", "rb") as f:
            check(f.read() == data, "the image does not hold what the guest wrote")
        with open("source", "rb") as f:
            check(f.read() == data, "the read-only image was changed")


def mmio_transport():
    data = os.urandom(16 << 20)
    with open("source-mmio", "wb") as f:
        f.write(data)
    target = image("target-mmio", 16 << 20)
    with Machine(*args("cat /proc/interrupts | grep 'LNRO0005\\|virtio[0-9]$'\n"
                       "dd if=/dev/vda of=/dev/vdb bs=1M conv=fsync 2>/dev/null; ls -l /sys/block/ | grep -c LNRO0005; md5sum /dev/vdb",
                       "--disk", "source-mmio,ro,mmio", "--disk", target + ",mmio", cpus="2")) as m:
        m.expect(rb"\b2\r?\n")
        m.expect(hashlib.md5(data).hexdigest().encode())
        check(m.wait() == 0, "status")
    with open("target-mmio", "rb") as f:
        check(f.read() == data, "the image does not hold what the guest wrote")


def discard_frees_blocks():
    disk = image("disk", 64 << 20)
    with Machine(*args("dd if=/dev/urandom of=/dev/vda bs=1M count=64 conv=fsync 2>/dev/null; echo WRI''TTEN; read x\n"
                      "blkdiscard /dev/vda; sync; dd if=/dev/vda bs=1M 2>/dev/null | md5sum", "--disk", disk)) as m:
        m.expect(rb"WRITTEN")
        full = os.stat(disk).st_blocks
        m.send(b"\n")
        m.expect(hashlib.md5(bytes(64 << 20)).hexdigest().encode())
        check(m.wait() == 0, "status")
        check(full > 60 << 11 and os.stat(disk).st_blocks < 1 << 11, "%d, then %d blocks" % (full, os.stat(disk).st_blocks))


def full_host_disk_is_an_error_in_the_guest():
    os.mkdir("small")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", "small"], stderr=subprocess.DEVNULL).returncode:
        raise Skip("cannot mount a small file system")
    try:
        with Machine(*args("dd if=/dev/zero of=/dev/vda bs=1M count=16 conv=fsync 2>&1 | tail -1; echo still alive",
                          "--disk", image("small/disk", 32 << 20))) as m:
            m.expect(rb"disk .*small/disk: write of \d+ bytes at \d+ failed: No space left on device")
            m.expect(rb"I/O error")
            m.expect(rb"still alive")
            check(m.wait() == 0, "status")
    finally:
        subprocess.run(["umount", "-l", "small"])


def network_both_ways():
    if not shutil.which("passt"):
        raise Skip("no passt")
    os.mkdir("www")
    data = os.urandom(64 << 20)
    with open("www/file", "wb") as f:
        f.write(data)
    port, forward = serve(os.path.abspath("www")), free_port()
    with Machine(*args(NET + "wget -q -O /tmp/file http://10.0.2.2:%d/file; md5sum /tmp/file\n"
                      "httpd -p 80 -h /tmp; echo SER''VING; while [ ! -e /tmp/stop ]; do sleep 0.2; nc -l -p 81 >/tmp/stop; done"
                      % port, "-m", "1G", "--net", "user,forward=%d:80" % forward)) as m:
        m.expect(hashlib.md5(data).hexdigest().encode())
        m.expect(rb"SERVING")
        with socket.create_connection(("127.0.0.1", forward), timeout=PATIENCE) as s:
            s.sendall(b"GET /file HTTP/1.0\r\n\r\n")
            with s.makefile("rb") as f:
                got = f.read()
        check(got.endswith(data), "the forward gave %d bytes" % len(got))



def tap():
    """A network card on an interface of the host's, which is made here and has an address."""
    name, made = "hullt%d" % (os.getpid() % 10**6), False
    try:
        for c in (["tuntap", "add", "dev", name, "mode", "tap"], ["addr", "add", "10.231.77.1/24", "dev", name],
                  ["link", "set", name, "up"]):
            if subprocess.run(["ip", *c], stderr=subprocess.DEVNULL).returncode:
                raise Skip("cannot make a tap interface")
            made = True
        os.mkdir("tapwww")
        data = os.urandom(8 << 20)
        with open("tapwww/file", "wb") as f:
            f.write(data)
        port = serve(os.path.abspath("tapwww"), "10.231.77.1")
        with Machine(*args("ip link set eth0 up; ip addr add 10.231.77.2/24 dev eth0; sleep 0.3\n"
                          "wget -q -O /tmp/file http://10.231.77.1:%d/file; md5sum /tmp/file" % port, "--net", "tap=" + name)) as m:
            m.expect(hashlib.md5(data).hexdigest().encode())
            check(m.wait() == 0, "status")
    finally:
        if made:
            subprocess.run(["ip", "link", "del", name])


def entropy_and_balloon():
    name = "balloon-%d" % os.getpid()
    with Machine(*args("cat /sys/class/misc/hw_random/rng_current; dd if=/dev/hwrng bs=1k count=4 2>/dev/null | wc -c\n"
                      "mount -t tmpfs none /mnt; dd if=/dev/zero of=/mnt/f bs=1M count=300 2>/dev/null; echo FI''LLED; read x\n"
                      "rm /mnt/f; read x", "-m", "512M", "--name", name)) as m:

        def rss():
            r = json.loads(run("inspect", name)[1])
            return r["memory_kib"]["RssShmem"] >> 10

        m.expect(rb"virtio_rng.0")
        m.expect(rb"4096")
        m.expect(rb"FILLED")
        before = rss()
        m.send(b"\n")
        check(before > 300 and eventually(lambda: rss() < before - 200), "%d MiB of guest memory in use, then %d" % (before, rss()))
        m.send(b"\n")
        check(m.wait() == 0, "status")


def named_ports():
    # One open for both directions: Linux discards what came for a port that it then closes.
    d = os.getcwd()
    with Machine(*args("for p in /sys/class/virtio-ports/*; do echo \"$(cat $p/name 2>/dev/null) ${p##*/}\"; done\n"
                       "exec 3<>/dev/vport0p2; echo from-the-guest >&3; read x <&3; echo got=$x; read y </dev/vport0p1; echo and=$y",
                       "--port", "agent=" + d + "/agent.sock", "--port", "log=log.sock")) as m:
        m.expect(rb"agent vport0p1")
        m.expect(rb"log vport0p2")
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect("log.sock")
            with s.makefile("rb") as f:
                check(f.readline() == b"from-the-guest\n", "what the guest wrote")
            s.sendall(b"to-the-guest\n")
            m.expect(rb"got=to-the-guest")
        with socket.socket(socket.AF_UNIX) as s:
            s.connect("agent.sock")
            s.sendall(b"hello\n")
            m.expect(rb"and=hello")
        check(m.wait() == 0, "status")
    check(not os.path.exists("agent.sock") and not os.path.exists("log.sock"), "the sockets are left over")


def balloon_command():
    name = "inflate-%d" % os.getpid()
    with Machine(*args("echo RE''ADY; sleep 1000", "-m", "512M", "--name", name)) as m:

        def given():
            return json.loads(run("inspect", name)[1])["balloon"]

        def until(good, what):
            check(eventually(lambda: good(given())), "%s: %s" % (what, given()))

        m.expect(rb"READY")
        check(given()["given_mib"] == 0, "before")
        code, out, err = run("balloon", name, "256")
        check(code == 0 and "shall live with 256 MiB" in out, out + err)
        until(lambda b: b["given_mib"] >= 250, "inflated")
        until(lambda b: b.get("guest_free_mib", 512) < 256, "the guest's own figures")
        check(given()["released_mib"] >= 250, "host got nothing: %s" % given())
        code, out, err = run("balloon", name, "1G")
        check(code == 125 and "4 to 512" in err, err)
        check(run("balloon", name, "512M")[0] == 0, "deflate")
        until(lambda b: b["given_mib"] == 0, "deflated")
        check("has given up 0 MiB" in run("balloon", name)[1], "told")
        run("kill", name)
        m.wait()


VSOCK_GUEST = r"""
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static char buf[65536];

/* Copies until the end; returns bytes. */
static long echo(int from, int to)
{
	long total = 0;
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0, w; at < n; at += w, total += w)
			if ((w = write(to, buf + at, n - at)) <= 0)
				return -1;
	return total;
}

int main(void)
{
	struct sockaddr_vm a = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = 52};
	int s = socket(AF_VSOCK, SOCK_STREAM, 0), c;

	if (bind(s, (void *)&a, sizeof(a)) || listen(s, 1))
		return 1;
	puts("LISTENING");
	fflush(stdout);
	c = accept(s, NULL, NULL);
	printf("echoed %ld\n", echo(c, c));
	close(c);
	a.svm_cid = VMADDR_CID_HOST;
	a.svm_port = 999;
	c = socket(AF_VSOCK, SOCK_STREAM, 0);
	if (!connect(c, (void *)&a, sizeof(a)))
		return 2; /* nobody listens there */
	close(c);
	a.svm_port = 1234;
	c = socket(AF_VSOCK, SOCK_STREAM, 0);
	if (connect(c, (void *)&a, sizeof(a)))
		return 3;
	return echo(c, c) < 0;
}
"""


def echo_through(s, data):
    threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)), daemon=True).start()
    with s.makefile("rb") as f:
        return f.read()


def vsock_both_ways():
    with open("vs.c", "w") as f:
        f.write(VSOCK_GUEST)
    subprocess.run(["cc", "-static", "-O2", "-o", "vs", "vs.c"], check=True)
    os.mkdir("vsock")
    os.chmod(".", 0o755)
    os.chmod("vsock", 0o777)
    path, data = os.path.abspath("vsock/v"), os.urandom(3 << 20)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path + "_1234")
    os.chmod(path + "_1234", 0o777)
    server.listen(1)
    with Machine(*args("vs", (os.path.abspath("vs"), "/bin/vs"), "--vsock", path)) as m:
        m.expect(rb"LISTENING")
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        s.sendall(b"CONNECT 52\n")
        line = b""
        while not line.endswith(b"\n"):
            line += s.recv(1)
        check(line.startswith(b"OK "), "answer %r" % line)
        check(echo_through(s, data) == data, "host to guest and back differs")
        m.expect(b"echoed %d" % len(data))
        server.settimeout(PATIENCE)
        check(echo_through(server.accept()[0], data) == data, "guest to host and back differs")
        check(m.wait() == 0, "status")
        check(not os.path.exists(path), "the socket was left behind")


def reboots_with_requests_in_flight():
    disk = image("disk", 128 << 20)
    with Machine(*args("n=$(dd if=/dev/vda bs=1 count=1 2>/dev/null | tr -d '\\0'); n=${n:-0}; echo RO''UND $n\n"
                      "[ $n -ge 6 ] && exit 9\n"
                      "echo -n $((n+1)) | dd of=/dev/vda conv=fsync 2>/dev/null\n"
                      "dd if=/dev/zero of=/dev/vda bs=1M seek=1 count=100 2>/dev/null & sleep 0.05; reboot -f",
                      "--disk", disk, cpus="2")) as m:
        for n in range(7):
            m.expect(b"ROUND %d" % n)
        check(m.wait() == 9, "status")


main([disk_reads_and_writes, mmio_transport, discard_frees_blocks, full_host_disk_is_an_error_in_the_guest, network_both_ways, tap,
      entropy_and_balloon, balloon_command, named_ports, vsock_both_ways, reboots_with_requests_in_flight])
