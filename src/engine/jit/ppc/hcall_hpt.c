/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hypercalls on the hash page table (PAPR, "Page Frame Table Access"). One lock
 * for whoever changes entries; translations read without it. An entry that goes
 * or loses rights leaves every soft TLB before the call returns, unless nobody
 * ever used it (its R bit).
 */
#include "engine/jit/ppc/system.h"

enum {
	H_REMOVE = 0x04,
	H_ENTER = 0x08,
	H_READ = 0x0c,
	H_CLEAR_MOD = 0x10,
	H_CLEAR_REF = 0x14,
	H_PROTECT = 0x18,
	H_BULK_REMOVE = 0x124,
};

/* Flags of the calls, PAPR's bit n is BIT(63 - n). */
#define FLAG_EXACT BIT(63 - 24)
#define FLAG_READ_4 BIT(63 - 26)
#define FLAG_AVPN BIT(63 - 32)
#define FLAG_ANDCOND BIT(63 - 33)

#define GROUP 8u
#define HPTE_SOFTWARE 0x60ull /* bits of doubleword 0 that are the hypervisor's */

/* Bulk remove: translation specifier high, PAPR table "H_BULK_REMOVE". */
#define BULK_TYPE (3ull << 62)
#define BULK_REQUEST (1ull << 62)
#define BULK_RESPONSE (2ull << 62)
#define BULK_ANDCOND BIT(56)
#define BULK_AVPN BIT(57)
#define BULK_PTEX (BIT(56) - 1)

static void lock(struct ppc_vm *v)
{
	while (atomic_flag_test_and_set_explicit(&v->hpt_lock, memory_order_acquire))
		__builtin_ia32_pause();
}

static void unlock(struct ppc_vm *v)
{
	atomic_flag_clear_explicit(&v->hpt_lock, memory_order_release);
}

static _Atomic u64 *entry(const struct ppc_vm *v, u64 index)
{
	return v->hpt && index < BIT(v->hpt_shift - 4) ? &v->hpt[index * 2] : NULL;
}

static s64 enter(struct ppc_vm *v, u64 r[])
{
	u64 flags = r[1], index = r[2], val = r[3] & ~HPTE_SOFTWARE, rpn = r[4];
	unsigned n = 1;
	_Atomic u64 *e;

	if (!(flags & FLAG_EXACT)) {
		index &= ~(u64)(GROUP - 1);
		n = GROUP;
	}
	e = entry(v, index);
	if (!e || !ppc_hpte_shift(val, rpn))
		return H_PARAMETER;
	for (unsigned i = 0; i < n; i++, e += 2) {
		if (atomic_load(&e[0]) & PPC_HPTE_V)
			continue;
		atomic_store(&e[1], rpn);
		atomic_store(&e[0], val);
		r[1] = index + i;
		return H_SUCCESS;
	}
	return H_PTEG_FULL;
}

static bool condition(u64 flags, u64 v, u64 avpn)
{
	return v & PPC_HPTE_V && !(flags & FLAG_AVPN && (v & PPC_HPTE_AVPN) != avpn) &&
	       !(flags & FLAG_ANDCOND && v & avpn);
}

/* flush: somebody may have it in a soft TLB. */
static s64 remove(struct ppc_vm *v, u64 flags, u64 index, u64 avpn, u64 old[2], bool *flush)
{
	_Atomic u64 *e = entry(v, index);

	if (!e)
		return H_PARAMETER;
	old[0] = atomic_load(&e[0]);
	if (!condition(flags, old[0], avpn))
		return H_NOT_FOUND;
	atomic_store(&e[0], 0);
	old[1] = atomic_load(&e[1]);
	*flush |= old[1] & PPC_HPTE_R;
	return H_SUCCESS;
}

static s64 protect(struct ppc_vm *v, const u64 r[], bool *flush)
{
	const u64 rights =
		PPC_HPTE_PP0 | PPC_HPTE_PP | PPC_HPTE_N | PPC_HPTE_KEY_HI | PPC_HPTE_KEY_LO;
	u64 flags = r[1], val, rpn;
	_Atomic u64 *e = entry(v, r[2]);

	if (!e)
		return H_PARAMETER;
	val = atomic_load(&e[0]);
	if (!condition(flags & ~FLAG_ANDCOND, val, r[3]))
		return H_NOT_FOUND;
	do {
		rpn = atomic_load(&e[1]);
	} while (!atomic_compare_exchange_strong(
		&e[1], &rpn,
		(rpn & ~rights) | (flags << 55 & PPC_HPTE_PP0) | (flags << 48 & PPC_HPTE_KEY_HI) |
			(flags & (PPC_HPTE_PP | PPC_HPTE_N | PPC_HPTE_KEY_LO))));
	*flush |= rpn & PPC_HPTE_R;
	return H_SUCCESS;
}

static s64 read(struct ppc_vm *v, u64 r[])
{
	unsigned n = r[1] & FLAG_READ_4 ? 4 : 1;
	u64 index = r[2] & ~(u64)(n - 1);
	_Atomic u64 *e = entry(v, index);

	if (!e)
		return H_PARAMETER;
	for (unsigned i = 0; i < 2 * n; i++)
		r[1 + i] = atomic_load(&e[i]);
	return H_SUCCESS;
}

/* H_CLEAR_REF and H_CLEAR_MOD give the old doubleword back. */
static s64 clear(struct ppc_vm *v, u64 r[], u64 bit, bool *flush)
{
	_Atomic u64 *e = entry(v, r[2]);

	if (!e)
		return H_PARAMETER;
	if (!(atomic_load(&e[0]) & PPC_HPTE_V))
		return H_NOT_FOUND;
	r[1] = atomic_fetch_and(&e[1], ~bit);
	*flush |= r[1] & bit;
	return H_SUCCESS;
}

/* One pair of specifiers; true: go on. */
static bool bulk_one(struct ppc_vm *v, u64 ts[2], s64 *rc, bool *flush)
{
	u64 old[2] = {0, 0}, flags;
	s64 err;

	if ((ts[0] & BULK_TYPE) != BULK_REQUEST) {
		*rc = (ts[0] & BULK_TYPE) == BULK_TYPE ? H_SUCCESS : H_PARAMETER;
		return false;
	}
	flags = (ts[0] & BULK_AVPN ? FLAG_AVPN : 0) | (ts[0] & BULK_ANDCOND ? FLAG_ANDCOND : 0);
	ts[0] = (ts[0] & (BULK_PTEX | BULK_AVPN | BULK_ANDCOND)) | BULK_RESPONSE;
	err = flags == (FLAG_AVPN | FLAG_ANDCOND)
		      ? H_PARAMETER
		      : remove(v, flags, ts[0] & BULK_PTEX, ts[1], old, flush);
	if (err == H_SUCCESS)
		ts[0] |= (old[1] & (PPC_HPTE_R | PPC_HPTE_C)) << 51;
	else
		ts[0] |= (err == H_NOT_FOUND ? 1ull : 2ull) << 60;
	if (err != H_PARAMETER)
		return true;
	*rc = H_PARAMETER;
	return false;
}

static s64 bulk_remove(struct ppc_vm *v, u64 r[], bool *flush)
{
	s64 rc = H_SUCCESS;

	for (unsigned i = 1; i <= 7 && bulk_one(v, &r[i], &rc, flush); i += 2)
		;
	return rc;
}

static s64 hpt_call(struct ppc_vm *v, u64 r[], bool *flush)
{
	u64 old[2];
	s64 rc;

	switch (r[0]) {
	case H_ENTER:
		return enter(v, r);
	case H_REMOVE:
		rc = remove(v, r[1], r[2], r[3], old, flush);
		if (rc == H_SUCCESS) {
			r[1] = old[0];
			r[2] = old[1];
		}
		return rc;
	case H_PROTECT:
		return protect(v, r, flush);
	case H_READ:
		return read(v, r);
	case H_CLEAR_REF:
		return clear(v, r, PPC_HPTE_R, flush);
	case H_CLEAR_MOD:
		return clear(v, r, PPC_HPTE_C, flush);
	default:
		return bulk_remove(v, r, flush);
	}
}

bool ppc_hcall_hpt(struct ppc_vcpu *c, u64 r[PPC_HCALL_REGS])
{
	struct ppc_vm *v = c->vm;
	bool flush = false;

	if ((r[0] > H_PROTECT || r[0] < H_REMOVE || r[0] & 3) && r[0] != H_BULK_REMOVE)
		return false;
	lock(v);
	r[0] = (u64)hpt_call(v, r, &flush);
	unlock(v);
	if (flush) {
		ppc_flush(c);
		ppc_flush_all(c, 0);
	}
	return true;
}
