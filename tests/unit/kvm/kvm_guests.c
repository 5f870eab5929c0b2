/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests made for the purpose (guest/test) on both engines: the results they
 * store and every access they make to devices must be the same, whether KVM's
 * interrupt controllers serve them or ours, and wherever they were moved to.
 */
#include "tests/test.h"

#include "tests/unit/kvm/rig.h"

#ifndef GUESTS
#error "GUESTS is the folder of the guest images"
#endif

struct outcome {
	enum vcpu_exit_kind kind;
	int err;
	bool done;
	unsigned nlog;
	struct rig_access log[RIG_LOG];
	u32 result[RIG_NRESULTS];
	char reason[160];
};

static const char *guest_path(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s.bin", GUESTS, name);
	return path;
}

static void run_guest(const char *name, const struct engine_ops *ops, unsigned ncpus, bool irqchip,
		      bool interpret, struct outcome *o)
{
	static struct rig_memory m;
	static struct rig r;

	memset(o, 0, sizeof(*o));
	o->err = rig_memory_init(&m, guest_path(name));
	if (!o->err)
		o->err = rig_init(&r, ops, &m, ncpus, irqchip, interpret);
	if (o->err)
		return;
	o->kind = rig_run(&r, 20);
	o->err = r.cpu[0].ret;
	o->done = r.done;
	o->nlog = r.nlog;
	memcpy(o->log, r.log, sizeof(o->log));
	memcpy(o->result, m.ram + RIG_RESULTS, sizeof(o->result));
	snprintf(o->reason, sizeof(o->reason), "%s", r.cpu[0].exit.reason);
	rig_fini(&r);
	rig_memory_fini(&m);
}

static const struct engine_info *kvm_info(void)
{
	static struct engine_info info;

	if (!info.name)
		engine_kvm_ops.probe(&info, NULL);
	return &info;
}

static const char *kvm_missing(void)
{
	return kvm_info()->usable ? NULL : kvm_info()->note;
}

static void print_difference(const char *what, const struct outcome *a, const struct outcome *b)
{
	for (unsigned i = 0; i < RIG_NRESULTS; i++)
		if (a->result[i] != b->result[i])
			printf("# %s: result %u is 0x%x, with jit 0x%x\n", what, i, b->result[i],
			       a->result[i]);
	for (unsigned i = 0; i < RIG_LOG && (i < a->nlog || i < b->nlog); i++)
		if (memcmp(&a->log[i], &b->log[i], sizeof(a->log[i])))
			printf("# %s: access %u is %c%u 0x%x 0x%llx, with jit %c%u 0x%x 0x%llx\n",
			       what, i, b->log[i].kind ? b->log[i].kind : '-', b->log[i].size,
			       b->log[i].addr, (unsigned long long)b->log[i].val,
			       a->log[i].kind ? a->log[i].kind : '-', a->log[i].size,
			       a->log[i].addr, (unsigned long long)a->log[i].val);
	if (b->reason[0])
		printf("# %s: %s\n", what, b->reason);
}

static bool same(const char *what, const struct outcome *a, const struct outcome *b)
{
	bool ok = b->done && !b->err && b->kind == VCPU_EXIT_KICK && a->nlog == b->nlog &&
		  !memcmp(a->result, b->result, sizeof(a->result)) &&
		  !memcmp(a->log, b->log, sizeof(a->log));

	if (!ok) {
		printf("# %s: done %d error %d exit %d\n", what, b->done, b->err, b->kind);
		print_difference(what, a, b);
	}
	return ok;
}

/*
 * results and accesses: what the guest must at least have done for a comparison
 * to mean anything. real_kvm: uses what KVMs that interpret guest kernels lack
 * (32-bit paging, ring 3 by SYSRET, SSE outside it).
 */
static void check_guest(const char *name, unsigned ncpus, unsigned results, unsigned accesses,
			bool real_kvm)
{
	static struct outcome jit, other;
	unsigned n = 0;

	run_guest(name, &engine_jit_ops, ncpus, false, false, &jit);
	CHECK(same("jit", &jit, &jit));
	for (unsigned i = 0; i < RIG_NRESULTS; i++)
		n += jit.result[i] != 0;
	CHECK(n >= results);
	CHECK(jit.nlog >= accesses);
	run_guest(name, &engine_jit_ops, ncpus, false, true, &other);
	CHECK(same("interpreter", &jit, &other));
	if (kvm_missing() || (real_kvm && !kvm_info()->fast))
		SKIP(kvm_info()->note);
	run_guest(name, &engine_kvm_ops, ncpus, false, false, &other);
	CHECK(same("kvm, own irqchip", &jit, &other));
	run_guest(name, &engine_kvm_ops, ncpus, true, false, &other);
	CHECK(same("kvm, in-kernel irqchip", &jit, &other));
}

static void t_real_mode(void)
{
	check_guest("real16", 1, 25, 20, false);
}

static void t_protected_mode(void)
{
	check_guest("prot32", 1, 20, 10, false);
}

static void t_paging_32(void)
{
	check_guest("page32", 1, 40, 3, true);
}

static void t_long_mode(void)
{
	check_guest("long64", 1, 35, 6, false);
}

static void t_syscall(void)
{
	check_guest("call64", 1, 9, 1, true);
}

static void t_interrupts(void)
{
	check_guest("irq64", 1, 10, 5, false);
}

static void t_two_cpus(void)
{
	check_guest("smp64", 2, 4, 1, false);
}

/* Does an engine run vector code in ring 0; if not, does the other? See PORT_VECTOR. */
static u8 vectors(const struct engine_ops *here, const struct engine_ops *there)
{
	if (here == &engine_jit_ops || kvm_info()->fast)
		return 1;
	return there == &engine_jit_ops ? 0 : 2;
}

/* jit -> kvm -> jit -> kvm ..., a move every `every` checkpoints. */
static void moved(const struct engine_ops *const engines[2], unsigned every, struct outcome *o)
{
	static struct rig_memory m;
	static struct rig r[2];
	unsigned at = 0;

	memset(o, 0, sizeof(*o));
	o->err = rig_memory_init(&m, guest_path("move64"));
	for (unsigned i = 0; !o->err && i < 2; i++)
		o->err = rig_init(&r[i], engines[i], &m, 1, false, false);
	for (unsigned i = 0; i < 2; i++)
		r[i].vectors = vectors(engines[i], engines[!i]);
	while (!o->err && !o->done) {
		r[at].stop_at_mark = r[at].marks + every;
		o->kind = rig_run(&r[at], 20);
		o->err = r[at].cpu[0].ret ? r[at].cpu[0].ret : o->kind != VCPU_EXIT_KICK;
		o->done = r[at].done;
		if (!o->err && !o->done) {
			o->err = rig_move(&r[at], &r[!at]);
			at = !at;
			o->nlog++; /* moves */
		}
	}
	snprintf(o->reason, sizeof(o->reason), "%s", r[at].cpu[0].exit.reason);
	memcpy(o->result, m.ram + RIG_RESULTS, sizeof(o->result));
	for (unsigned i = 0; i < 2; i++)
		rig_fini(&r[i]);
	rig_memory_fini(&m);
}

static void check_moves(const struct engine_ops *a, const struct engine_ops *b, unsigned every)
{
	static struct outcome still, travelled;
	const struct engine_ops *engines[2] = {a, b};
	size_t n = vectors(a, b) == 2 ? 5 : RIG_NRESULTS; /* the rest is vector work */

	run_guest("move64", &engine_jit_ops, 1, false, false, &still);
	CHECK(still.done && still.result[0] && still.result[6] && still.result[14]);
	moved(engines, every, &travelled);
	if (!travelled.done || travelled.err || memcmp(still.result, travelled.result, n * 4)) {
		printf("# done %d error %d exit %d after %u moves %s\n", travelled.done,
		       travelled.err, travelled.kind, travelled.nlog, travelled.reason);
		for (unsigned i = 0; i < 16; i++)
			if (still.result[i] != travelled.result[i])
				printf("# result %u is 0x%x, unmoved 0x%x\n", i,
				       travelled.result[i], still.result[i]);
	}
	CHECK(travelled.done && !travelled.err);
	CHECK(!memcmp(still.result, travelled.result, n * 4));
	CHECK(travelled.nlog >= 22 / every);
}

static void t_moves_jit_jit(void)
{
	check_moves(&engine_jit_ops, &engine_jit_ops, 1);
}

static void t_moves_jit_kvm_jit(void)
{
	if (kvm_missing())
		SKIP(kvm_missing());
	check_moves(&engine_jit_ops, &engine_kvm_ops, 5);
	check_moves(&engine_jit_ops, &engine_kvm_ops, 1);
}

static void t_moves_kvm_kvm(void)
{
	if (kvm_missing())
		SKIP(kvm_missing());
	check_moves(&engine_kvm_ops, &engine_kvm_ops, 3);
}

int main(void)
{
	RUN(t_real_mode);
	RUN(t_protected_mode);
	RUN(t_paging_32);
	RUN(t_long_mode);
	RUN(t_syscall);
	RUN(t_interrupts);
	RUN(t_two_cpus);
	RUN(t_moves_jit_jit);
	RUN(t_moves_jit_kvm_jit);
	RUN(t_moves_kvm_kvm);
	return test_done();
}
