#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The board on engine kvm, with KVM's interrupt controllers and with hull's own: timer and device interrupts,
signals. The guest is small, because some hosts' KVM interprets guest kernels."""
import os, signal, subprocess, time

from hulltest import Machine, Skip, check, main, run

# Multiboot, 32-bit: a one-shot local APIC timer prints T, the UART's interrupt by the I/O APIC prints U,
# then the exit port gets 7. With the word below set it halts for ever instead.
GUEST = r"""
.code32
.long 0x1badb002, 0x10000, -(0x1badb002 + 0x10000), 0x200000, 0x200000, 0, 0, start
forever: .long %d
start:	movl $0x280000, %%esp
	movl $0x210000, %%edi
	movl $timer, %%eax
	leal 0x200(%%edi), %%ebx
	call gate
	movl $uart, %%eax
	leal 0x208(%%edi), %%ebx
	call gate
	lidt idtr
	movb $0xff, %%al
	outb %%al, $0x21
	outb %%al, $0xa1
	movw $0x3f8, %%dx
	movb $'I', %%al
	outb %%al, %%dx
	cmpl $0, forever
	jne idle
	movl $0x1ff, 0xfee000f0
	movl $0x40, 0xfee00320
	movl $0xb, 0xfee003e0
	movl $1000000, 0xfee00380
	movl $1, %%ebp
	call await
	movl $0x18, 0xfec00000		# pin 4: vector 41
	movl $0x41, 0xfec00010
	movl $0x19, 0xfec00000
	movl $0, 0xfec00010
	movw $0x3fc, %%dx		# OUT2, then the transmitter's interrupt
	movb $8, %%al
	outb %%al, %%dx
	movw $0x3f9, %%dx
	movb $2, %%al
	outb %%al, %%dx
	movl $2, %%ebp
	call await
	movb $7, %%al
	outb %%al, $0xf4
idle:	sti
	hlt
	jmp idle
1:	sti
	hlt
await:	cli
	cmpl %%ebp, seen
	jb 1b
	ret
timer:	movb $'T', %%al
	jmp 3f
uart:	movw $0x3f9, %%dx		# no more of these
	movb $0, %%al
	outb %%al, %%dx
	incw %%dx
	inb %%dx, %%al
	movb $'U', %%al
3:	movw $0x3f8, %%dx
	outb %%al, %%dx
	incl seen
	movl $0, 0xfee000b0
	popl %%ecx			# iret, which not every KVM can interpret
	addl $4, %%esp
	popfl
	jmp *%%ecx
gate:	movw %%ax, (%%ebx)
	movw %%cs, 2(%%ebx)
	movw $0x8e00, 4(%%ebx)
	shrl $16, %%eax
	movw %%ax, 6(%%ebx)
	ret
seen:	.long 0
idtr:	.word 0x7ff
	.long 0x210000
"""


def guest(name, forever=0):
    with open(name + ".s", "w") as f:
        f.write(GUEST % forever)
    subprocess.run(["as", "--32", "-o", name + ".o", name + ".s"], check=True)
    subprocess.run(["ld", "-m", "elf_i386", "-Ttext", "0x200000", "-e", "0x200024", "--oformat", "binary", "-o", name,
                    name + ".o"], check=True)
    return os.path.abspath(name)


def need_kvm():
    code, _, err = run("boot", "--engine", "kvm", "--kernel", "/dev/null")
    if "engine kvm" in err:
        raise Skip(err.strip())


def interrupts(*engine):
    with Machine("--engine", *engine, "--kernel", guest("irq"), "--net", "none", "-m", "16M") as m:
        m.expect(rb"TU")
        check(m.wait() == 7, "exit status %s" % m.child.returncode)


def interrupts_on_jit():
    interrupts("jit")


def interrupts_in_the_kernel():
    need_kvm()
    interrupts("kvm")


def interrupts_of_our_own():
    need_kvm()
    interrupts("kvm,irqchip=user")


def signals_end_a_halted_guest():
    need_kvm()
    for engine in ("kvm", "kvm,irqchip=user"):
        for cpus in ("1", "3"):
            with Machine("--engine", engine, "--cpus", cpus, "--kernel", guest("idle", 1), "--net", "none", "-m", "16M") as m:
                m.expect(rb"I")
                m.child.send_signal(signal.SIGINT)
                m.expect(rb"power button")
                t = time.monotonic()
                m.child.send_signal(signal.SIGINT)
                check(m.wait(20) == 130, "exit status %s" % m.child.returncode)
                check(time.monotonic() - t < 4, "took %.1f s: killed, not ended" % (time.monotonic() - t))


main([interrupts_on_jit, interrupts_in_the_kernel, interrupts_of_our_own, signals_end_a_halted_guest])
