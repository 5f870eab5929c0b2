#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A guest that sweeps ports, MMIO and virtio rings with random values (guest/fuzz), one seed a run,
on the sanitizer build where there is one. Whatever the guest does to itself (a triple fault, a CPU
that waits for ever) is fine; hull must end by itself or on request and say nothing of its own bugs.
TAP. HULL_HOSTILE_RUNS and HULL_HOSTILE_ROUNDS make it longer."""
import os, signal, subprocess
from concurrent.futures import ThreadPoolExecutor
from hulltest import TOP, HULL, check, main

ASAN = os.path.join(TOP, "build-asan/hull")
RUNS = int(os.environ.get("HULL_HOSTILE_RUNS", "8"))
ROUNDS = int(os.environ.get("HULL_HOSTILE_ROUNDS", "20000"))
FIRST = int(os.environ.get("HULL_HOSTILE_SEED", "1"))
SECONDS = 30
# docs/man/hull.1: powered off or isa-debug-exit, triple fault.
FINE = (0, 1, 124)


def one(hull, elf, seed, *more):
    disk = "disk%d" % seed
    with open(disk, "wb") as f:
        f.truncate(16 << 20)
    env = {**os.environ, "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1", "ASAN_OPTIONS": "detect_leaks=0"}
    p = subprocess.Popen([hull, "boot", "--engine", "jit", "-m", "64M", "--kernel", elf, "--append",
                          "seed=%d rounds=%d" % (seed, ROUNDS), "--disk", disk, "--net", "none",
                          "--vsock", os.path.abspath("vsock%d" % seed), "--port", "p=" + os.path.abspath("port%d" % seed),
                          *more],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env)
    try:
        out = p.communicate(timeout=SECONDS)[0]
        code = p.returncode
    except subprocess.TimeoutExpired:
        p.send_signal(signal.SIGKILL)  # the guest stopped itself; hull was alive
        out = p.communicate()[0]
        code = 0
    text = out.decode(errors="replace")
    os.unlink(disk)
    for word in ("AddressSanitizer", "runtime error:", "LeakSanitizer"):
        check(word not in text, "seed %d: %s" % (seed, text[-3000:]))
    check(code in FINE, "seed %d: exit status %d: %s" % (seed, code, text[-1500:]))


def many(first, runs, *more):
    """One on each CPU: many guests wait for ever, and the others need one."""
    hull = ASAN if os.path.exists(ASAN) else HULL
    elf = os.path.join(TOP, "build/guest/fuzz/fuzz-guest.elf")
    with ThreadPoolExecutor(os.cpu_count()) as ex:
        list(ex.map(lambda seed: one(hull, elf, seed, *more), range(first, first + runs)))


def hostile_guest():
    many(FIRST, RUNS)


def hostile_guest_interpreted():
    many(FIRST + 1000, RUNS // 4, "--interpret")


main([hostile_guest, hostile_guest_interpreted])
