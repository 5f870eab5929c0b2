/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/jit/native_area.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "engine/jit/rt/fault.h"

static void *area_map(size_t size, int prot, int flags, int fd)
{
	void *p = mmap(NULL, size, prot, flags, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int area_map_code(struct x86_vcpu *c)
{
	int fd = memfd_create("hull-native", MFD_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, X86_NATIVE_AREA) < 0) {
		ret = -errno;
		goto close;
	}
	c->native_rw = area_map(X86_NATIVE_AREA, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	c->native_rx = area_map(X86_NATIVE_AREA, PROT_READ | PROT_EXEC, MAP_SHARED, fd);
	if (!c->native_rw || !c->native_rx)
		ret = -ENOMEM;
close:
	close(fd);
	return ret;
}

int native_area_create(struct x86_vcpu *c)
{
	int ret = area_map_code(c);

	if (ret < 0)
		goto undo;
	c->native_guard =
		area_map(X86_NATIVE_GUARD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (!c->native_guard || mprotect(c->native_guard + 4096, 4096, PROT_NONE) < 0) {
		ret = -ENOMEM;
		goto undo;
	}
	return 0;
undo:
	native_area_destroy(c);
	return ret;
}

void native_area_destroy(struct x86_vcpu *c)
{
	if (c->native_rw)
		munmap(c->native_rw, X86_NATIVE_AREA);
	if (c->native_rx)
		munmap(c->native_rx, X86_NATIVE_AREA);
	if (c->native_guard)
		munmap(c->native_guard, X86_NATIVE_GUARD);
	c->native_rw = c->native_rx = c->native_guard = NULL;
}

static void native_signal(int sig, siginfo_t *info, void *context)
{
	greg_t *reg = ((ucontext_t *)context)->uc_mcontext.gregs;
	u64 resume = x86_native_fixup((u64)reg[REG_RIP]);

	(void)info;
	if (resume) {
		reg[REG_RIP] = (greg_t)resume;
		reg[REG_RAX] = reg[REG_TRAPNO];
		reg[REG_RDX] = reg[REG_CR2];
		return;
	}
	if (jit_signal && jit_signal(context))
		return;
	signal(sig, SIG_DFL); /* returns to the fault, which then ends the process */
}

int native_signals_install(void)
{
	static const int signals[] = {SIGFPE, SIGSEGV, SIGILL, SIGBUS};
	struct sigaction sa = {.sa_sigaction = native_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	sigemptyset(&sa.sa_mask);
	for (unsigned i = 0; i < ARRAY_LEN(signals); i++)
		if (sigaction(signals[i], &sa, NULL) < 0)
			return -errno;
	return 0;
}
