#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hull exec-foreign: ppc64le programs as processes of this host, beside Debian's qemu-ppc64le-static. TAP on
stdout.

  foreign.py [TEST...]
"""
import itertools, os, random, re, shutil, subprocess
from fractions import Fraction
from hulltest import BUILD, HULL, PATIENCE, TOP, Skip, check, main, run

CC = "powerpc64le-linux-gnu-gcc"
QEMU = "qemu-ppc64le-static"
SYSROOT = "/usr/powerpc64le-linux-gnu"


def build(name, *sources, flags=()):
    """A program for the foreign ISA, made once."""
    if not shutil.which(CC):
        raise Skip("no " + CC)
    if not os.path.exists(name):
        subprocess.run([CC, "-O2", "-w", "-o", name, *[os.path.join(TOP, s) for s in sources], *flags, "-lpthread", "-lm"],
                       check=True)
    return os.path.abspath(name)


def calls(static=True):
    return build("calls" if static else "calls-dynamic", "tests/guest/foreign/calls.c", flags=["-static"] if static else [])


def execute(cmd, **kw):
    r = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE,
                       env={**os.environ, "FOREIGN_TEST": "a value", "LC_ALL": "C"}, **kw)
    return r.returncode, r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace")


def foreign(*args, **kw):
    return execute([HULL, "exec-foreign", *args], **kw)


def same_as_qemu(program, *args, options=(), qemu_options=()):
    if not shutil.which(QEMU):
        raise Skip("no " + QEMU)
    ours = foreign(*options, program, *args)
    theirs = execute([QEMU, *qemu_options, program, *args])
    check(ours[:2] == theirs[:2], "%s\nhull (status %d):\n%s%s\nqemu (status %d):\n%s%s" %
          (" ".join(args), ours[0], ours[1], ours[2], theirs[0], theirs[1], theirs[2]))
    return ours


SECTIONS = ["start", "files", "signals", "restart", "threads", "memory", "sockets", "tty", "contexts", "ipc", "time"]


def system_calls():
    for s in SECTIONS:
        out = same_as_qemu(calls(), s, "one", "two words")[1]
        check(len(out.splitlines()) >= 3, "%s printed %r" % (s, out))


def dynamically_linked():
    if not os.path.exists(SYSROOT + "/lib/ld64.so.2"):
        raise Skip("no ppc64el C library in " + SYSROOT)
    for s in ("start", "signals", "threads"):
        same_as_qemu(calls(False), s, options=["-L", SYSROOT], qemu_options=["-L", SYSROOT])


PROCESSES = """waitpid(pid, &st, 0) == pid = 1
WEXITSTATUS(st) = 7
WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL = 1
WIFSIGNALED(st) && WTERMSIG(st) == SIGABRT = 1
WIFSIGNALED(st) && WTERMSIG(st) == SIGSEGV = 1
child said: I am calls with 3: a b
WEXITSTATUS(st) = 42
I am calls with 3: a b
posix_spawn(&pid, argv[0], NULL, NULL, child, environ) = 0
WEXITSTATUS(st) = 42
execv(none[0], none) < 0 ? errno : 0 = 2
from the shell
pclose(f) = 0
I am calls with 4: one
WEXITSTATUS(st) = 42
"""


def processes():
    """What a child executes may be foreign again, a script of it, or the host's own: no binfmt_misc is needed."""
    code, out, err = foreign(calls(), "processes")
    key = lambda text: sorted(text.splitlines())
    check(code == 0 and key(out) == key(PROCESSES), "status %d\n%s%s" % (code, out, err))


CLOSING = """close_range(3, ~0u, 0) = 0
dup2(0, 1023) == 1023 && close(1023) == 0 = 1
"""
CMDLINE = """read(fd, line, sizeof(line) - 1) > 0 = 1
calls closing
"""


def execute_without_descriptors():
    """The program closes everything it can and starts another, in a root without /proc too; a script as the first one."""
    code, out, err = foreign(calls(), "closing")
    check((code, out) == (42, CLOSING + CMDLINE + "I am calls with 3: closed\n"), "status %d\n%s%s" % (code, out, err))
    with open("script", "w") as f:
        f.write("#!%s child\n" % calls())
    os.chmod("script", 0o755)
    code, out, err = foreign("./script", "two words")
    check((code, out) == (42, "I am calls with 4: ./script\n"), "a script: status %d\n%s%s" % (code, out, err))
    if os.geteuid():
        return
    os.makedirs("root", exist_ok=True)
    for f in (calls(), os.path.join(BUILD, "hull-foreign")):
        shutil.copy(f, "root")
    code, out, err = execute(["chroot", "root", "/hull-foreign", "/calls", "closing"])
    check((code, out) == (42, CLOSING + "I am calls with 3: closed\n"), "in a root: status %d\n%s%s" % (code, out, err))


RESERVED = """7c632378 7
7c630034 29
7c63f834 29
7c630735 5
7c63ff35 5
7c6321d2 35
7c8903a6 5
7c8903a7 5
7c6102a6 0
7c6102a7 0
7c632096 0
7c632496 0
"""
ILLEGAL = "7c6021ac 00000000 04000000 14000000 18000000 7c0007fe 4c0007fe ec000002".split()


def reserved_fields():
    """They are ignored; what is no instruction is SIGILL's (QEMU has SIGILL for some reserved fields)."""
    code, out, err = foreign(build("reserved", "tests/guest/foreign/reserved.c", flags=["-static"]))
    check((code, out) == (0, RESERVED + "".join(w + " SIGILL there\n" for w in ILLEGAL)), "status %d\n%s%s" % (code, out, err))


def rounded(x, single, mode):
    """The bits nearest to a fraction, and testfloat_gen's flags: 1 inexact, 2 underflow, 4 overflow."""
    fb, bias = (23, 127) if single else (52, 1023)
    a, sign = abs(x), (x < 0) << (31 if single else 63)
    e = a.numerator.bit_length() - a.denominator.bit_length()
    e -= Fraction(2) ** e > a
    ulp = max(e, 1 - bias) - fb
    n, rest = divmod(a / Fraction(2) ** ulp, 1)
    n += bool({"near_even": rest > Fraction(1, 2) or rest == Fraction(1, 2) and n & 1, "minMag": 0,
               "max": rest and x > 0, "min": rest and x < 0}[mode])
    bits, inf = n + (ulp + fb + bias - 1 << fb), 2 * bias + 1 << fb
    if bits < inf:
        return bits | sign, bool(rest) * (3 if e < 1 - bias else 1)
    return sign | inf - (mode == "minMag" or mode == "max" and x < 0 or mode == "min" and x > 0), 5


def operand(rng, single):
    """A finite number other than zero, and its bits: every third near the least, or of few bits."""
    fb, top = (23, 255) if single else (52, 2047)
    exp = rng.choice([rng.randrange(top), rng.randrange(3), top // 2 + rng.randrange(-3, 4)])
    frac, sign = rng.getrandbits(fb) >> rng.choice([0, 0, fb - 2]) or 1, rng.getrandbits(1)
    value = Fraction(frac + (bool(exp) << fb)) * Fraction(2) ** (max(exp, 1) - top // 2 - fb)
    return -value if sign else value, sign << (31 if single else 63) | exp << fb | frac


COMPUTE = {"add": lambda a, b: a + b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b,
           "mulAdd": lambda a, b, c: a * b + c}


def floating_point_vectors(count=150):
    """Fractions, rounded, against every instruction that computes the same; Berkeley TestFloat's: docs/testfloat.md."""
    program, rng = build("testfloat", "tests/guest/foreign/testfloat.c", flags=["-static", "-mcpu=power9"]), random.Random(5)
    for name, mode, single in itertools.product(COMPUTE, ("near_even", "minMag", "max", "min"), (True, False)):
        lines, digits = [], 8 if single else 16
        while len(lines) < count:
            values, words = zip(*[operand(rng, single) for _ in range(3 if name == "mulAdd" else 2)])
            x = COMPUTE[name](*values)
            if x:
                r, flags = rounded(x, single, mode)
                lines.append(" ".join("%0*x" % (digits, w) for w in (*words, r)) + " %02x\n" % flags)
        r = subprocess.run([HULL, "exec-foreign", program, ("f32_" if single else "f64_") + name, mode], timeout=PATIENCE,
                           input="".join(lines).encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = r.stdout.decode(errors="replace")
        check(r.returncode == 0 and text.count(": %d vectors, 0 differ\n" % count) >= 3, "status %d\n%s" % (r.returncode, text))


BENCH = ("coremark sha256 qsort lz interp switch fib icall hash crc32 chase256k memcpy strops matmul nbody mandel saxpy "
         "blend").split()


def computes_the_same():
    """The benchmark's programs, one after another in one process, beside the same natively."""
    program = build("bench", *["guest/bench/%s.c" % n for n in ("main", "int", "mem", "fp", "sys")],
                    flags=["-static", "-ffp-contract=off"])
    sums = lambda out: {f[1]: f[4] for f in (line.split() for line in out.splitlines()) if len(f) == 5}
    native, ours = execute([BUILD + "/guest/bench/hullbench", *BENCH]), foreign(program, *BENCH)
    check(ours[0] == 0 and len(sums(native[1])) == len(BENCH), "status %d, %s" % (ours[0], ours[1] + ours[2]))
    check(sums(ours[1]) == sums(native[1]), "hull:\n%s\nnative:\n%s" % (ours[1], native[1]))


def random_arguments():
    """System calls with random arguments: whatever they answer, the emulator goes on. FOREIGN_FUZZ: rounds."""
    program = build("fuzz", "tests/guest/foreign/fuzz.c", flags=["-static"])
    seed, rounds = str(random.randrange(1 << 32)), os.environ.get("FOREIGN_FUZZ", "60")
    os.makedirs("empty-directory", exist_ok=True)
    code, out, err = foreign(program, seed, rounds, cwd="empty-directory")
    if code == 3:
        raise Skip("needs an IPC name space of its own")
    check((code, out) == (0, rounds + " rounds\n"), "seed %s: status %d\n%s%s" % (seed, code, out, err[-500:]))


def bad_programs():
    open("empty", "wb").close()
    with open(calls(), "rb") as f:
        good = f.read()
    files = {"text": b"not a program\n", "short": good[:200], "cut": good[:20000],
             "be": good[:5] + b"\x02" + good[6:], "x86": open("/bin/true", "rb").read()}
    for name, data in files.items():
        with open(name, "wb") as f:
            f.write(data)
        os.chmod(name, 0o755)
        code, out, err = foreign("./" + name)
        check(code == 126 and err.count("\n") == 1 and name in err, "%s: status %d, %r" % (name, code, err))
    code, out, err = foreign("./nothing-here")
    check(code == 127 and "nothing-here" in err, "status %d, %r" % (code, err))
    code, out, err = foreign("/tmp")
    check(code == 126 and err.count("\n") == 1, "a directory: status %d, %r" % (code, err))
    code, out, err = foreign()
    check(code == 125 and "no program" in err, "no argument: status %d, %r" % (code, err))


def large_at_a_fixed_address():
    """The emulator's own memory, wherever the kernel lays it, is not where a program must be."""
    with open("large.c", "w") as f:
        f.write("static char a[600 << 20]; int main(int n, char **v) { a[n << 28] = 9; return a[n << 28]; }")
    subprocess.run([CC, "-static", "-no-pie", "-o", "large", "large.c"], check=True)
    for i in range(8):
        code, _, err = foreign("./large")
        check(code == 9, "run %d: status %d %s" % (i, code, err))


def ends_as_the_program_does():
    src = "int main(int n, char **v) { if (n > 1) *(volatile int *)0 = 0; return 17; }"
    with open("end.c", "w") as f:
        f.write(src)
    subprocess.run([CC, "-static", "-o", "end", "end.c"], check=True)
    check(foreign("./end")[0] == 17, "status")
    check(foreign("./end", "x")[0] == -11, "signal")


if __name__ == "__main__":
    main([system_calls, dynamically_linked, processes, execute_without_descriptors, computes_the_same, random_arguments,
          reserved_fields, floating_point_vectors, bad_programs, large_at_a_fixed_address, ends_as_the_program_does])
