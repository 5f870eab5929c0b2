#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real gdb on a stock kernel through `hull boot --gdb`. TAP on stdout."""
import os, re, shutil, socket, subprocess
from hulltest import PATIENCE, Machine, Skip, check, free_port, initrd, kernel, main

ENGINE = os.environ.get("HULL_ENGINE", "jit")


def args(command, *more):
    return ("--engine", ENGINE, "-m", "256M", "--net", "none", "--kernel", kernel()["path"], "--initrd",
            initrd(command, "initrd-%d" % (abs(hash(command)) % 10**8)), "--append",
            "console=ttyS0 panic=-1 nokaslr", *more)


def gdb(port, *commands):
    if not shutil.which("gdb"):
        raise Skip("no gdb")
    cmd = ["gdb", "-nx", "-batch", "-ex", "set remotetimeout 300", "-ex", "set tcp connect-timeout 300",
           "-ex", "target remote 127.0.0.1:%d" % port]
    for c in commands:
        cmd += ["-ex", c]
    r = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE)
    return r.stdout.decode(errors="replace")


def symbols(*names):
    """Addresses of kernel functions, from the guest itself: the package has none."""
    wanted = "|".join(names)
    with Machine(*args("grep -E ' (%s)$' /proc/kallsyms; echo end-of-symbols" % wanted)) as m:
        m.expect(rb"command starts")
        text = m.expect(rb"(?s)(.*)end-of-symbols").group(1).decode()
        m.wait()
    found = dict((n, int(a, 16)) for a, n in re.findall(r"([0-9a-f]{16}) \w (\w+)", text))
    check(all(n in found for n in names), "kallsyms has %s" % found)
    return found


def value(out, expr):
    """What `output/x` after an `echo expr=` printed."""
    m = re.search(re.escape(expr) + r"=(0x[0-9a-f]+|\d+)", out)
    check(m, "no %s in %r" % (expr, out[-2000:]))
    return int(m.group(1), 0)


def show(expr, name=None):
    return ["echo \\n%s=" % (name or expr.strip("$")), "output/x %s" % expr, "echo \\n"]


def breaks_in_the_kernel():
    at = symbols("start_kernel", "rest_init", "__fentry__")
    port = free_port()
    with Machine(*args("echo went on", "--gdb", str(port), "--cpus", "2")) as m:
        m.expect(rb"waiting for gdb")
        out = gdb(port, "info threads", *show("$rip", "first"),
                  "hbreak *%#x" % at["start_kernel"], "continue", *show("$rip", "at"), *show("$cs"),
                  *show("$gs_base"), *show("$cr3"), *show("$efer"), *show("*(unsigned char*)$rip", "byte"),
                  "stepi", *show("$rip", "next"),
                  "stepi", "set $r11 = 0x123456789abcdef", "stepi", *show("$rip", "back"), *show("$r11"),
                  "delete", "break *%#x" % at["rest_init"], "continue", *show("$rip", "rest"), "delete", "detach")
        check(out.count("Thread ") >= 2 and "CPU 1" in out, "threads: " + out[:800])
        check(value(out, "first") >= 0x100000, "the machine waits at its entry point")
        check(value(out, "at") == at["start_kernel"], out)
        check(value(out, "cs") & 3 == 0 and value(out, "cs"), "cs")
        check(value(out, "cr3") and value(out, "efer") & 0xd00 == 0xd00, "control registers")
        # The first instruction is a call to __fentry__, whose body is a jump to a return thunk.
        check(value(out, "next") == at["__fentry__"] and value(out, "back") == at["start_kernel"] + 5, "three steps: " + out)
        check(value(out, "r11") == 0x123456789abcdef, "a register that was set")
        check(value(out, "rest") == at["rest_init"], "the second breakpoint")
        m.expect(rb"went on")
        check(m.wait() == 0, "exit status")


def interrupts_reads_and_writes_memory():
    at = symbols("linux_banner", "schedule")
    port = free_port()
    with Machine(*args("echo ready; while true; do usleep 1000; done", "--gdb", "%d,nowait" % port)) as m:
        m.expect(rb"ready")
        out = gdb(port, "output (char*)%#x" % at["linux_banner"], "hbreak *%#x" % at["schedule"], "continue",
                  *show("$rip", "at"), *show("*(long*)$rsp", "ret"), "set *(long*)($rsp-128) = 0x1122334455667788",
                  *show("*(long*)($rsp-128)", "mem"), "delete",
                  "watch *(long*)($rsp-8)", "continue", *show("$rip", "watched"), "kill")
        check("Linux version 6." in out, out)
        check(value(out, "at") == at["schedule"], out)
        check(value(out, "ret") >> 47 == 0x1ffff, "a return address in the kernel")
        check(value(out, "mem") == 0x1122334455667788, "memory that was set")
        check("atchpoint" in out and value(out, "watched") >> 47 == 0x1ffff, out)
        check(m.wait() != 0, "killed by gdb")


def second_client_after_a_lost_one():
    port = free_port()
    with Machine(*args("echo ready; read x; echo got $x", "--gdb", "%d,nowait" % port)) as m:
        m.expect(rb"ready")
        for junk in (b"", b"$", b"\x03$g#67", b"$" + b"m" * 40000, b"$vCont;s:7fffffff#00$H#48$Hg#df$P#50$Z9,#00"):
            with socket.create_connection(("127.0.0.1", port)) as s:
                s.sendall(junk)
        check("0x" in gdb(port, *show("$rip"), "detach"), "gdb after junk")
        m.send(b"on\n")
        m.expect(rb"got on")
        check(m.wait() == 0, "exit status")


if __name__ == "__main__":
    main([breaks_in_the_kernel, interrupts_reads_and_writes_memory, second_client_after_a_lost_one])
