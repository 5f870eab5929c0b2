#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line without a running guest: usage, help, hints, bad inputs, man page. TAP on stdout."""
import json, os, random, re, subprocess
from hulltest import HULL, TOP, check, kernel, main, run

COMMANDS = ["boot", "ps", "stop", "kill", "pause", "resume", "console", "inspect", "kernel", "doctor", "completion",
            "version", "pull", "push", "load", "save", "import", "export", "images", "image", "tag", "rmi", "prune"]


def one_line(status, args, *words):
    """The call fails with this status and one line that holds the words."""
    code, out, err = run(*args)
    lines = [l for l in err.splitlines() if not l.startswith("hull: engine jit, not kvm")]
    check(code == status, "%s: status %d, expected %d: %s" % (args, code, status, err))
    check(len(lines) == 1, "%s: not one line: %r" % (args, err))
    for w in words:
        check(w in lines[0], "%s: no %r in %r" % (args, w, lines[0]))


def boot(*args):
    return ("boot", "--engine", "jit", *args)


def usage_and_version():
    code, out, _ = run("--help")
    check(code == 0 and all(c in out for c in COMMANDS), out)
    check(run("--version")[1] == run("version")[1], "--version and version differ")
    check(re.match(r"hull \d+\.\d+\.\d+\n$", run("version")[1]), run("version")[1])
    code, out, err = run()
    check(code == 125 and "usage" in err and not out, "no arguments")


def help_of_every_command():
    for c in COMMANDS:
        code, out, err = run(c, "--help")
        if c == "version":
            continue
        check(code == 0 and out.startswith("usage: hull " + c) and not err, c + ": " + out + err)


def hints():
    one_line(125, ["boto"], "did you mean boot?")
    one_line(125, ["frobnicate"], "hull --help")
    one_line(125, boot("--kernl", "x"), "did you mean --kernel?")
    one_line(125, boot("--zzzzzzz"), "hull boot --help")
    one_line(125, boot("--kernel"), "needs a value")
    one_line(125, boot("--no-sandbox=1", "--kernel", "x"), "takes no value")
    one_line(125, boot("x"), "unexpected argument")


def bad_option_values():
    k = ("--kernel", "/dev/null")
    one_line(125, boot(), "--kernel")
    one_line(125, boot(*k, "--cpus", "0"), "1 to 64")
    one_line(125, boot(*k, "--cpus", "65"), "1 to 64")
    one_line(125, boot(*k, "--cpus", "x"), "--cpus")
    one_line(125, boot(*k, "-m", "1"), "4 MiB")
    one_line(125, boot(*k, "-m", "65G"), "64 GiB")
    one_line(125, boot(*k, "-m", "1Q"), "suffix")
    one_line(125, boot(*k, "-m", "99999999999999999999"), "size")
    one_line(125, ["boot", *k, "--engine", "tcg"], "auto, kvm or jit")
    one_line(125, ["boot", *k, "--engine", "kvm", "--kvm-device", "/dev/null"], "/dev/null does not speak KVM")
    one_line(125, boot(*k, "--disk", "a,rw"), "rw")
    one_line(125, boot(*k, "--net", "bridge"), "user")
    one_line(125, boot(*k, "--net", "user,forward=1"), "HOSTPORT:GUESTPORT")
    one_line(125, boot(*k, "--net", "user,forward=1:2/sctp"), "/udp")
    one_line(125, boot(*k, "--port", "x"), "NAME=PATH")
    one_line(125, boot(*k, "--port", "x=a", "--port", "x=b"), "twice")
    one_line(125, boot(*k, "--console", "vga"), "stdio")
    one_line(125, boot(*k, "--name", "a/b"), "name")
    one_line(125, boot(*k, "--gdb", "0"), "65535")
    one_line(125, boot(*k, "--log", "loud"), "debug")
    one_line(125, boot(*k, "--trace", "exc,irq"), "irq", "exc, int, mmio")
    one_line(125, boot(*k, "--trace", "file=/x"), "which events")
    one_line(125, boot(*k, "--firmware", "f"), "not both")
    one_line(125, boot(*k, "--append", "x" * 5000), "--append")
    one_line(125, boot("--firmware", "f", "--initrd", "i"), "--kernel")


def bad_files():
    open("empty", "w").close()
    open("short", "wb").write(b"MZ" + bytes(100))
    good = kernel()["path"]
    one_line(127, boot("--kernel", "./nope"), "./nope")
    one_line(127, boot("--kernel", "nope"), "hull kernel list")
    one_line(126, boot("--kernel", "./empty"), "empty")
    one_line(126, boot("--kernel", "./"), "not a regular file")
    one_line(126, boot("--kernel", "/dev/zero"), "not a regular file")
    one_line(126, boot("--kernel", "./short"), "short")
    one_line(127, boot("--kernel", good, "--initrd", "./none"), "initrd ./none")
    one_line(126, boot("--kernel", good, "--initrd", "./empty"), "initrd ./empty")
    one_line(127, boot("--kernel", good, "--disk", "./none.img"), "none.img")
    one_line(126, boot("--kernel", good, "--disk", "./empty"), "empty")
    one_line(127, boot("--firmware", "./none"), "firmware ./none")
    one_line(127, boot("--kernel", good, "--console", "file=/nowhere/x"), "/nowhere/x")


def hostile_kernels():
    """Truncated and corrupted images: one line and 126, or at worst a guest that crashes; never hull."""
    with open(kernel()["path"], "rb") as f:
        image = f.read()
    for n in (1, 511, 512, 0x1f1, 0x260, 1024, 4096, 20000, len(image) // 2):
        open("cut", "wb").write(image[:n])
        one_line(126, boot("--kernel", "./cut"), "cut")
    rnd = random.Random(1)
    for _ in range(40):
        head = bytearray(image[:0x4000])
        for _ in range(rnd.randrange(1, 40)):
            head[rnd.randrange(0x1f0, 0x280)] = rnd.choice((0, 0xff, 0x7f, 0x80, rnd.randrange(256)))
        open("bent", "wb").write(head)
        try:
            code, out, err = run(*boot("--kernel", "./bent"), timeout=2)
        except subprocess.TimeoutExpired:
            continue  # taken for a kernel, and the guest runs what there is
        check(code == 124 or code == 126 and "bent" in err, "header %s: status %d, %s" %
              (head[0x1f0:0x280].hex(), code, err))


def hostile_elf():
    rnd = random.Random(2)
    base = bytearray(b"\x7fELF\2\1\1" + bytes(9) + bytes.fromhex("02003e0001000000"))
    for _ in range(40):
        data = base + rnd.randbytes(rnd.choice((10, 40, 64, 500, 5000)))
        open("elf", "wb").write(data)
        code, out, err = run(*boot("--kernel", "./elf"))
        check(code == 126 and "elf" in err, "%s: status %d, %s" % (data[:64].hex(), code, err))


def machines_that_are_not():
    for c in ("stop", "kill", "pause", "resume", "inspect", "console"):
        one_line(127, [c, "nobody"], "nobody", "hull ps")
        one_line(125, [c], "name")
    for word, ours in (("build", "image build"), ("unpause", "resume")):
        one_line(125, [word, "x"], "did you mean %s?" % ours)
    code, out, _ = run("ps")
    check(code == 0 and out.startswith("NAME"), out)
    check(json.loads(run("ps", "--json")[1]) == [], "ps --json")


def doctor():
    code, out, _ = run("doctor")
    check(code == 0, out)
    for l in out.splitlines():
        check(re.match(r"(ok|warn) +\S", l), l)
    rows = json.loads(run("doctor", "--json")[1])
    check({"engine jit", "engine kvm", "landlock"} <= {r["check"] for r in rows}, str(rows))
    check(all(set(r) == {"check", "ok", "note"} for r in rows), str(rows))


def kernel_commands():
    env = {**os.environ, "HULL_DATA": os.path.abspath("data")}
    check(run("kernel", "list", "--json", env=env)[1].strip() == "[]", "an empty store")
    open("image", "wb").write(b"not really")
    check(run("kernel", "add", "mine", "image", env=env)[0] == 0, "add")
    k = json.loads(run("kernel", "list", "--json", env=env)[1])
    check(k[0]["name"] == "mine" and open(k[0]["path"], "rb").read() == b"not really", str(k))
    code, _, err = run("kernel", "add", "../x", "image", env=env)
    check(code == 125 and "kernel name" in err, err)
    code, _, err = run("kernel", "add", "x", "missing", env=env)
    check(code == 127 and "missing" in err, err)
    code, _, err = run("kernel", "fetch", "bash", env=env)
    check(code == 125 and "linux-image" in err, err)
    check(os.listdir("data/kernels") == ["mine"], "leftovers: %s" % os.listdir("data/kernels"))
    code, _, err = run("boot", "--engine", "jit", "--kernel", "mine", env=env)
    check(code == 126, err)


def full_disk():
    """A store that cannot be written gives one line and leaves nothing behind."""
    open("image2", "wb").write(bytes(100000))
    env = {**os.environ, "HULL_DATA": "/proc/nowhere"}
    code, _, err = run("kernel", "add", "x", "image2", env=env)
    check(code in (125, 127) and len(err.splitlines()) == 1, err)


def completion():
    script = run("completion", "bash")[1]
    r = subprocess.run(["bash", "-c", script + '''
COMP_WORDS=(hull boot --ker); COMP_CWORD=2; _hull; echo "${COMPREPLY[@]}"
COMP_WORDS=(hull bo); COMP_CWORD=1; _hull; echo "${COMPREPLY[@]}"
COMP_WORDS=(hull boot --engine ''); COMP_CWORD=3; _hull; echo "${COMPREPLY[@]}"'''],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    check(r.stdout.decode().split("\n")[:3] == ["--kernel", "boot", "auto kvm jit"], r.stdout.decode())
    one_line(125, ["completion", "fish"], "bash")


def man_page_is_complete():
    with open(os.path.join(TOP, "docs/man/hull.1")) as f:
        man = f.read().replace("\\-", "-")
    for c in COMMANDS:
        check(re.search(r"^\.SS (.*\W)?hull %s\b" % c, man, re.M), "man page has no section on " + c)
        for opt in re.findall(r"(--[a-z-]+)", run(c, "--help")[1].split("\n\n", 2)[-1]) if c != "version" else []:
            check(opt in man, "man page does not mention %s of %s" % (opt, c))
    r = subprocess.run(["man", "--warnings", "-l", os.path.join(TOP, "docs/man/hull.1")], stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE) if os.path.exists("/usr/bin/man") else None
    check(not r or not r.stderr, r and r.stderr.decode())


main([usage_and_version, help_of_every_command, hints, bad_option_values, bad_files, hostile_kernels, hostile_elf,
      machines_that_are_not, doctor, kernel_commands, full_disk, completion, man_page_is_complete])
