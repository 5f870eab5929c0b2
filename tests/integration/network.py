#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Named networks: containers and a machine reach each other by name and the outside by NAT, networks do not reach each
other, nothing stays when members come, go and are killed. Needs root."""
import glob, json, os, random, signal, subprocess, threading, time, urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

from hulltest import HULL, PATIENCE, check, eventually, free_port, main
from run import VM, census, hull, need_image, need_kernel, ok, start_data

SERVE = "echo %s >/index.html; exec httpd -f -p 80 -h /"


def serve(name, *options, text=None):
    ok("run", "-d", "--name", name, *options, "busybox", "sh", "-c", SERVE % (text or name))
    check(eventually(lambda: get(name, "http://127.0.0.1/") == (text or name)), "%s does not serve" % name)


def get(frm, url, seconds=PATIENCE):
    """What a thing gets from url, None: nothing."""
    code, out, _ = hull("exec", frm, "timeout", str(seconds), "wget", "-qO-", url)
    return out.strip() if code == 0 else None


def fetch(port):
    try:
        return urllib.request.urlopen("http://127.0.0.1:%d/" % port, timeout=5).read().decode().strip()
    except OSError:
        return None


def clear():
    hull("rm", "-f", "--all")
    for n in json.loads(ok("network", "ls", "--json")):
        ok("network", "rm", n["name"])


def all_reach_all():
    """Two containers and a machine, the last one started when the others run: names, aliases, ports, NAT."""
    need_image("busybox")
    need_kernel()
    ok("network", "create", "lan", "--subnet", "10.7.0.0/16")
    ports = [free_port() for _ in range(3)]
    serve("one", "--network", "lan,ip=10.7.3.4", "--network-alias", "first", "-p", "%d:80" % ports[0])
    serve("two", "--network", "lan", "--hostname", "deux", "-p", "%d:80" % ports[1])
    serve("vm", "--network", "lan", "--network-alias", "machine", "-p", "%d:80" % ports[2], *VM)
    for port, name in zip(ports, ("one", "two", "vm")):
        check(eventually(lambda: fetch(port) == name), "port of %s: %s" % (name, fetch(port)))
    for frm in ("one", "two", "vm"):
        for url, text in (("one", "one"), ("first", "one"), ("10.7.3.4", "one"), ("two", "two"), ("deux", "two"),
                          ("vm", "vm"), ("machine", "vm")):
            check(get(frm, "http://%s/" % url) == text, "%s does not get %s" % (frm, url))
        code, out, err = hull("exec", frm, "ping", "-c", "1", "-W", "60", "vm" if frm != "vm" else "two")
        check(code == 0, "ping from %s: %s%s" % (frm, out, err))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"outside")

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for frm in ("one", "vm"):
        check(get(frm, "http://10.0.2.2:%d/" % server.server_port) == "outside", "%s does not get outside" % frm)
    server.shutdown()
    server.server_close()

    net = json.loads(ok("network", "inspect", "lan"))
    check([(m["name"], m["address"]) for m in net["members"]] ==
          [("one", "10.7.3.4"), ("two", "10.7.0.2"), ("vm", "10.7.0.3")], net)
    code, _, err = hull("network", "rm", "lan")
    check(code and "one, two, vm" in err, err)
    ok("kill", "two")
    for frm in ("one", "vm"):  # its name goes with it
        check(eventually(lambda: "two" not in ok("exec", frm, "cat", "/etc/hosts")), frm)
    ok("start", "two")
    check(eventually(lambda: get("vm", "http://two/", 5) == "two"), "not again by its name")
    code, _, err = hull("run", "--rm", "--network", "lan,ip=10.7.3.4", "busybox", "true")
    check(code == 125 and "somebody has 10.7.3.4" in err, err)


def apart():
    """Two networks do not reach each other; --internal has no way out, but ports lead in nowhere either."""
    need_image("busybox")
    for n in (("a",), ("b",), ("in", "--internal")):
        ok("network", "create", *n)
    nets = {n["name"]: n for n in json.loads(ok("network", "ls", "--json"))}
    check(len({n["subnet"] for n in nets.values()}) == 3 and nets["in"]["internal"], nets)
    serve("a1", "--network", "a")
    serve("b1", "--network", "b")
    serve("i1", "--network", "in")
    serve("i2", "--network", "in")
    address = {m["name"]: m["address"] for n in nets for m in json.loads(ok("network", "inspect", n))["members"]}
    check(get("i1", "http://i2/") == "i2", "internal members do not see each other")
    for frm, to in (("a1", "b1"), ("b1", "a1"), ("a1", "i1"), ("i1", "a1")):
        check(get(frm, "http://%s/" % to, 5) is None, "%s finds %s by name" % (frm, to))
        check(get(frm, "http://%s/" % address[to], 5) is None, "%s reaches %s" % (frm, to))
        # Not either by saying that the other's subnet is on its own card.
        hull("exec", "--privileged", frm, "ip", "route", "add", address[to] + "/32", "dev", "eth0")
        check(get(frm, "http://%s/" % address[to], 5) is None, "%s reaches %s by its card" % (frm, to))
    check("default" not in ok("exec", "i1", "ip", "route"), "internal with a default route")
    check(get("i1", "http://10.0.2.2:1/", 5) is None, "internal reaches the host")
    code, _, err = hull("run", "--rm", "--network", "in", "-p", "%d:80" % free_port(), "busybox", "true")
    check(code == 125 and "internal" in err, err)


def refused():
    need_image("busybox")
    rows = [(["create"], "one name"), (["create", "user"], "another name"), (["create", "host"], "another name"),
            (["create", "../x"], "letters"), (["create", "a b"], "letters"), (["create", ".x"], "letters"),
            (["create", "x" * 64], "letters"), (["create", "x\n1.2.3.4 y"], "letters"), (["create", ""], "letters"),
            (["create", "x", "--subnet", "10.1.0.0"], "ADDRESS/BITS"), (["create", "x", "--subnet", "10.1.0.0/"], "ADDRESS/BITS"),
            (["create", "x", "--subnet", "10.1.0.1/24"], "behind the first 24"), (["create", "x", "--subnet", "10.0.0.0/33"], "8 to 29"),
            (["create", "x", "--subnet", "10.0.0.0/30"], "8 to 29"), (["create", "x", "--subnet", "fd00::/64"], "IPv4"),
            (["create", "x", "--subnet", "127.0.0.0/16"], "no addresses"), (["create", "x", "--subnet", "224.0.0.0/8"], "no addresses"),
            (["create", "x", "--subnet", "10.0.0.0/8"], "way out"), (["create", "x", "--subnet", "1.2.3.4.5/24"], "IPv4"),
            (["create", "lan"], "already"), (["create", "x", "--subnet", "10.8.0.128/25"], "network lan"),
            (["rm", "nosuch"], "no network"), (["inspect", "nosuch"], "no network"), (["rm", "../things"], "no network"),
            (["nosuch"], "give create")]
    ok("network", "create", "lan", "--subnet", "10.8.0.0/24")
    for args, why in rows:
        code, _, err = hull("network", *args)
        check(code >= 125 and why in err and err.count("\n") == 1 and "lan\n" not in err, "%s: %d %s" % (args, code, err))
    for options, why in [(["--network", "nosuch"], "no network nosuch"), (["--network", "lan,ip=10.9.0.1"], "not one of its"),
                         (["--network", "lan,ip=10.8.0.255"], "not one of its"), (["--network", "lan,ip=x"], "ip=ADDRESS"),
                         (["--network", "lan,mac=1"], "ip=ADDRESS"), (["--network", "../lan"], "NAME[,ip=ADDRESS]"),
                         (["--network-alias", "x"], "named network"), (["--network", "lan", "--network-alias", "a\nb"], "letters"),
                         (["--network", "none", "-p", "80:80"], "named one")]:
        code, _, err = hull("run", "--rm", *options, "busybox", "true")
        check(code >= 125 and why in err, "%s: %d %s" % (options, code, err))
    check([n["name"] for n in json.loads(ok("network", "ls", "--json"))] == ["lan"], "something was made")
    # A file that was damaged is said to be, and does not stand in the way of the others.
    with open(os.environ["HULL_DATA"] + "/networks/lan/net.json", "w") as f:
        f.write('{"subnet": "10.8.0.0/240"}')
    code, _, err = hull("run", "--rm", "--network", "lan", "busybox", "true")
    check(code == 125 and "makes no sense" in err, err)
    ok("network", "create", "x", "--subnet", "10.8.0.0/24")
    ok("network", "rm", "lan")


def hosts_are_the_networks():
    """What a container writes into its own /etc/hosts neither leaves it nor stops the next one."""
    need_image("busybox")
    ok("network", "create", "lan")
    ok("run", "-d", "--name", "evil", "--network", "lan", "busybox", "sh", "-c",
       "yes 1.2.3.4 two | head -c 3000000 >/etc/hosts; touch /done; exec sleep 1000")
    check(eventually(lambda: hull("exec", "evil", "test", "-e", "/done")[0] == 0), "/etc/hosts is not written")
    serve("two", "--network", "lan")
    hosts = ok("exec", "two", "cat", "/etc/hosts")
    check("1.2.3.4" not in hosts and "evil" in hosts, hosts)
    check(len(ok("exec", "evil", "cat", "/etc/hosts")) < 1000 and get("evil", "http://two/") == "two", "not rewritten")


def spaces():
    """Inodes of the network name spaces that processes with this data directory are in or hold."""
    found = set()
    for pid in {p for p, _ in census()["processes"]}:
        for link in ["/proc/%s/ns/net" % pid] + glob.glob("/proc/%s/fd/*" % pid):
            try:
                if os.readlink(link).startswith("net:"):
                    found.add(os.readlink(link))
            except OSError:
                pass
    return found


def held(names):
    """Which of them any process on this computer is still in or holds."""
    left = set()
    for link in glob.glob("/proc/[0-9]*/ns/net") + glob.glob("/proc/[0-9]*/fd/*"):
        try:
            left |= {os.readlink(link)} & names
        except OSError:
            pass
    return left


def killed_members():
    """Twenty members come; monitors, pastas and machines are killed among them."""
    need_image("busybox")
    need_kernel()
    ok("network", "create", "lan")
    before, rng, seen = census(), random.Random(11), set()
    own = {os.readlink("/proc/self/ns/net")}
    for i in range(20):
        kind = VM if i % 7 == 3 else ()
        p = subprocess.Popen([HULL, "run", "--rm", "--name", "leak%d" % i, "--network", "lan", *kind, "busybox", "sleep", "20"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.random() * 0.3)
        seen |= spaces() - own
        victims = [int(pid) for pid, comm in census()["processes"] if comm in ("hull-monitor", "hull", "hull-share") or "pas" in comm]
        if victims and i % 2:
            try:
                os.kill(rng.choice(victims), signal.SIGKILL)
            except OSError:
                pass
        if i % 5 == 4:
            hull("ps")
        p.poll()
    check(len(seen) > 5, "no name spaces seen: %s" % seen)
    for t in json.loads(ok("ps", "-a", "--json")):
        hull("rm", "-f", t["name"])
    eventually(lambda: census() == before and not held(seen))
    after = census()
    for k in before:
        check(after[k] == before[k], "%s before %s, after %s" % (k, before[k], after[k]))
    check(not held(seen), "name spaces stay: %s" % held(seen))
    net = json.loads(ok("network", "inspect", "lan"))
    check(net["members"] == [] and os.listdir(os.environ["HULL_DATA"] + "/networks/lan/members") == [], net)
    serve("again", "--network", "lan")  # and it works on
    check(json.loads(ok("network", "inspect", "lan"))["members"][0]["address"].endswith(".2"), "addresses are lost")


def restarted_member():
    """A member that is started again by its policy is on the network again and piles up no descriptors."""
    need_image("busybox")
    ok("network", "create", "lan")
    serve("web", "--network", "lan")
    ok("run", "-d", "--name", "again", "--restart", "always", "--network", "lan", "busybox", "sh", "-c",
       "wget -qO- http://web/; sleep 0.2; exit 1")
    eventually(lambda: ok("logs", "again").count("web") >= 3)

    def descriptors():
        state = json.loads(ok("inspect", "again"))
        return [os.readlink(l) for l in glob.glob("/proc/%d/fd/*" % state["monitor"])] if "monitor" in state else []

    eventually(lambda: any(d.startswith("net:") for d in descriptors()))
    n = 0
    for _ in range(5):
        try:
            n = max(n, sum(d.startswith("net:") for d in descriptors()))
        except OSError:
            pass
        time.sleep(0.1)
    check(n <= 1, "%d name spaces are held" % n)


TESTS = [all_reach_all, apart, refused, hosts_are_the_networks, killed_members, restarted_member]


def with_data(t):
    def run():
        start_data()
        try:
            t()
        finally:
            clear()
    run.__name__ = t.__name__
    return run


if __name__ == "__main__":
    main([with_data(t) for t in TESTS])
