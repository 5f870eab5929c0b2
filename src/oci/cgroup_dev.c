/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device rules of cgroup v2 as a BPF_PROG_TYPE_CGROUP_DEVICE program. Rules are
 * tried last to first: the first that matches decides, none means no. An
 * allow rule matches when it covers the whole access asked for, a deny rule
 * when it touches any of it.
 */
#include "oci/cgroup.h"
#include "oci/sys.h"

#include "host/rootless.h"

#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANY (-1)
#define RWM 7

/* runc's list: what the specification's default devices and terminals need. */
const struct oci_device_rule cgroup_default_rules[] = {
	{true, 'c', ANY, ANY, OCI_DEV_MKNOD},
	{true, 'b', ANY, ANY, OCI_DEV_MKNOD},
	{true, 'c', 1, 3, RWM},	    /* null */
	{true, 'c', 1, 8, RWM},	    /* random */
	{true, 'c', 1, 7, RWM},	    /* full */
	{true, 'c', 5, 0, RWM},	    /* tty */
	{true, 'c', 1, 5, RWM},	    /* zero */
	{true, 'c', 1, 9, RWM},	    /* urandom */
	{true, 'c', 136, ANY, RWM}, /* pts */
	{true, 'c', 5, 2, RWM},	    /* ptmx */
};
const unsigned cgroup_ndefault_rules = ARRAY_LEN(cgroup_default_rules);

#define RULE_INSNS 8

struct program {
	struct bpf_insn *v;
	unsigned n;
};

static void emit(struct program *p, u8 code, u8 dst, u8 src, s16 off, s32 imm)
{
	p->v[p->n++] = (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

/* r2 type, r3 access, r4 major, r5 minor (struct bpf_cgroup_dev_ctx). */
static void emit_load(struct program *p)
{
	emit(p, BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0);
	emit(p, BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, 3, 1, 0, 0);
	emit(p, BPF_ALU | BPF_RSH | BPF_K, 3, 0, 0, 16);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, 4, 1, 4, 0);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, 5, 1, 8, 0);
}

static void emit_rule(struct program *p, const struct oci_device_rule *r)
{
	unsigned skip[4], n = 0;

	if (r->type != 'a') {
		skip[n++] = p->n;
		emit(p, BPF_JMP | BPF_JNE | BPF_K, 2, 0, 0,
		     r->type == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK);
	}
	if (r->access != RWM && r->allow) {
		emit(p, BPF_ALU | BPF_MOV | BPF_X, 1, 3, 0, 0);
		emit(p, BPF_ALU | BPF_AND | BPF_K, 1, 0, 0, (s32)(RWM & ~r->access));
		skip[n++] = p->n;
		emit(p, BPF_JMP | BPF_JNE | BPF_K, 1, 0, 0, 0);
	} else if (r->access != RWM) {
		emit(p, BPF_ALU | BPF_MOV | BPF_X, 1, 3, 0, 0);
		emit(p, BPF_ALU | BPF_AND | BPF_K, 1, 0, 0, (s32)r->access);
		skip[n++] = p->n;
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0, 0);
	}
	if (r->major >= 0) {
		skip[n++] = p->n;
		emit(p, BPF_JMP | BPF_JNE | BPF_K, 4, 0, 0, (s32)r->major);
	}
	if (r->minor >= 0) {
		skip[n++] = p->n;
		emit(p, BPF_JMP | BPF_JNE | BPF_K, 5, 0, 0, (s32)r->minor);
	}
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, r->allow);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	for (unsigned i = 0; i < n; i++)
		p->v[skip[i]].off = (s16)(p->n - skip[i] - 1);
}

static bool matches_all(const struct oci_device_rule *r)
{
	return r->type == 'a' && r->major < 0 && r->minor < 0 && r->access == RWM;
}

static int load(const struct program *p)
{
	union bpf_attr a = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (u64)(uintptr_t)p->v,
		.insn_cnt = p->n,
		.license = (u64)(uintptr_t) "Apache",
	};

	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof(a));
}

/* Replaces the programs that an earlier call attached; the new one is there before the old goes. */
static int attach(int dir, int prog)
{
	u32 old[64];
	union bpf_attr q = {.query = {.target_fd = (u32)dir,
				      .attach_type = BPF_CGROUP_DEVICE,
				      .prog_ids = (u64)(uintptr_t)old,
				      .prog_cnt = ARRAY_LEN(old)}};
	union bpf_attr a = {.target_fd = (u32)dir,
			    .attach_bpf_fd = (u32)prog,
			    .attach_type = BPF_CGROUP_DEVICE,
			    .attach_flags = BPF_F_ALLOW_MULTI};

	if (syscall(SYS_bpf, BPF_PROG_QUERY, &q, sizeof(q)))
		q.query.prog_cnt = 0;
	if (syscall(SYS_bpf, BPF_PROG_ATTACH, &a, sizeof(a)))
		return -errno;
	for (u32 i = 0; i < q.query.prog_cnt && i < ARRAY_LEN(old); i++) {
		union bpf_attr by_id = {.prog_id = old[i]};
		int fd = (int)syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &by_id, sizeof(by_id));
		union bpf_attr det = {.target_fd = (u32)dir,
				      .attach_bpf_fd = (u32)fd,
				      .attach_type = BPF_CGROUP_DEVICE};

		if (fd < 0)
			continue;
		syscall(SYS_bpf, BPF_PROG_DETACH, &det, sizeof(det));
		close(fd);
	}
	return 0;
}

int cgroup_v2_devices(const struct cgroup_dir *d, const struct oci_device_rule *rules, unsigned n,
		      struct err *e)
{
	struct program p = {calloc((size_t)n + 2, RULE_INSNS * sizeof(struct bpf_insn)), 0};
	int dir, prog, ret;

	if (!p.v)
		return err_set(e, ENOMEM, "out of memory");
	emit_load(&p);
	for (unsigned i = n; i-- > 0;) {
		emit_rule(&p, &rules[i]);
		if (matches_all(&rules[i])) /* older ones cannot count any more */
			break;
	}
	if (p.v[p.n - 1].code != (BPF_JMP | BPF_EXIT) || n == 0 || !matches_all(&rules[0])) {
		emit(&p, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
		emit(&p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	}
	prog = load(&p);
	free(p.v);
	if (prog < 0)
		return errno == EPERM && rootless() ? 0 : err_errno(e, "device filter: bpf");
	dir = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = dir < 0 ? -errno : attach(dir, prog);
	fd_close(&dir);
	close(prog);
	if (ret) {
		errno = -ret;
		return err_errno(e, "device filter: attach to %s", d->path);
	}
	return 0;
}
