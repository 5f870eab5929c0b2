/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The vCPU's run loop, its events and its life; contract in hv.h. Knows neither
 * VMCB nor VMCS (core/vt.h) and leaves what an exit means to exit.c.
 */
#include "core/hv_internal.h"
#include "core/cpu/hw.h"

#define PAGE 4096u

/* ---- requests and events ------------------------------------------------------- */

void hv_request(struct hv_vcpu *v, u32 bits)
{
	atomic_fetch_or(&v->request, bits);
	port_kick(v);
}

static bool take_request(struct hv_vcpu *v, u32 bit)
{
	return atomic_fetch_and(&v->request, ~bit) & bit;
}

static bool irq_allowed(const struct hv_vcpu *v)
{
	return (v->rflags & FL_IF) && !v->sti_shadow && !v->movss_shadow;
}

void hv_raise(struct hv_vcpu *v, u8 vector, bool has_error, u32 error)
{
	hv_want(v, HV_G_CR);
	v->event = (struct hv_event){.kind = VT_EVENT_EXC,
				     .vector = vector,
				     .has_error = has_error && (v->st.cr0 & CR0_PE),
				     .error = error,
				     .valid = true};
}

void hv_advance(struct hv_vcpu *v, unsigned len)
{
	u64 next = v->rip + len;

	/* Only at its end does it matter how long the instruction pointer is. */
	v->rip = (v->rip ^ next) >> 32 && hv_vcpu_code_size(v) != 8 ? (u32)next : next;
	v->rflags &= ~(u64)FL_RF;
	if (v->sti_shadow || v->movss_shadow) {
		v->sti_shadow = v->movss_shadow = false;
		hv_touch(v, HV_G_INTSHADOW);
	}
	hv_touch(v, HV_G_GPR);
	v->stepped = v->debugging && v->step;
	if (!(v->rflags & FL_TF) || v->event.valid)
		return;
	hv_want(v, HV_G_DR);
	v->st.dr6 |= DR6_BS;
	hv_touch(v, HV_G_DR);
	hv_raise(v, X86_EXC_DB, false, 0);
}

/* Fill v->event with what is delivered next, and ask for windows for the rest. */
static void choose_event(struct hv_vcpu *v)
{
	bool nmi;
	int vector;

	atomic_fetch_and(&v->request, ~(u32)HV_REQ_EVENT);
	if (!v->event.valid && (atomic_load(&v->request) & HV_REQ_NMI) && !v->nmi_masked &&
	    !v->movss_shadow && !v->sti_shadow) {
		take_request(v, HV_REQ_NMI);
		v->event = (struct hv_event){
			.kind = VT_EVENT_NMI, .vector = X86_EXC_NMI, .valid = true};
		v->nmi_masked = true;
		hv_touch(v, HV_G_INTSHADOW);
	}
	if (!v->event.valid && atomic_load(&v->irq_level) && irq_allowed(v)) {
		vector = v->bus.irq_ack(v->bus.opaque);
		if (vector >= 0) {
			v->event = (struct hv_event){
				.kind = VT_EVENT_IRQ, .vector = (u8)vector, .valid = true};
			hv_pv_eoi_arm(v);
		}
	}
	nmi = atomic_load(&v->request) & HV_REQ_NMI;
	v->irq_window = atomic_load(&v->irq_level) || v->want_window;
	v->nmi_window = nmi;
}

static void do_init(struct hv_vcpu *v)
{
	hv_power_on(v, true);
	v->mp = v->index ? X86_MP_WAIT_SIPI : X86_MP_RUNNING;
}

/* Start-up IPI: SDM vol. 3A 9.4.4. */
static void do_sipi(struct hv_vcpu *v)
{
	u8 vector = atomic_load(&v->sipi_vector);

	if (v->mp != X86_MP_WAIT_SIPI)
		return;
	v->st.seg[X86_CS].sel = (u16)(vector << 8);
	v->st.seg[X86_CS].base = (u64)vector << 12;
	v->rip = 0;
	hv_touch(v, HV_G_SEG | HV_G_GPR);
	v->mp = X86_MP_RUNNING;
}

static bool wakes(struct hv_vcpu *v)
{
	u32 req = atomic_load(&v->request);

	return v->event.valid || (req & HV_REQ_UNHALT) || ((req & HV_REQ_NMI) && !v->nmi_masked) ||
	       (atomic_load(&v->irq_level) && (v->rflags & FL_IF));
}

bool hv_vcpu_ready(struct hv_vcpu *v)
{
	u32 req = atomic_load(&v->request);

	if (req & (HV_REQ_KICK | HV_REQ_INIT | HV_REQ_SIPI))
		return true;
	return v->mp == X86_MP_RUNNING || (v->mp == X86_MP_HALTED && wakes(v));
}

/* Requests that change what the vCPU is. False: back to the host, e says why. */
static bool attend(struct hv_vcpu *v, struct hv_exit *e)
{
	if (take_request(v, HV_REQ_KICK)) {
		e->kind = HV_EXIT_KICK;
		return false;
	}
	if (take_request(v, HV_REQ_INIT))
		do_init(v);
	if (take_request(v, HV_REQ_SIPI))
		do_sipi(v);
	if (v->mp == X86_MP_HALTED && wakes(v)) {
		take_request(v, HV_REQ_UNHALT);
		v->mp = X86_MP_RUNNING;
	}
	e->kind = HV_EXIT_HALT;
	return v->mp == X86_MP_RUNNING;
}

/* ---- entering ------------------------------------------------------------------------ */

static void load(struct hv_vcpu *v, struct hv_cpu *c)
{
	if (c->loaded == v)
		return;
	if (c->loaded)
		hv_vcpu_put(c->loaded);
	v->vm->vt->load(v, c);
	c->loaded = v;
	atomic_store(&v->cpu, (int)c->id);
}

static void flush_if_due(struct hv_vcpu *v, struct hv_cpu *c)
{
	u64 gen = atomic_load(&v->vm->tlb_gen);

	if (atomic_load(&v->tlb_gen) == gen && !take_request(v, HV_REQ_FLUSH))
		return;
	v->vm->vt->flush(v, c);
	v->stats.flushes++;
	atomic_store(&v->tlb_gen, gen);
}

/* A debugger steps with the trap flag; the guest does not see it but by PUSHF. */
static void run_once(struct hv_vcpu *v, struct hv_cpu *c)
{
	const struct vt_ops *vt = v->vm->vt;
	bool step = v->debugging && v->step && !(v->rflags & FL_TF);

	if (v->intercepts_stale) {
		vt->intercept(v, HV_EXCEPTIONS | (v->debugging ? 1u << X86_EXC_BP : 0),
			      !v->dr_live);
		v->intercepts_stale = false;
	}
	v->rflags |= step ? FL_TF : 0;
	vt->enter(v, c);
	hw_fpu_sync(v, c);
	v->have = 0;
	vt->fetch(v, HV_G_GPR | HV_G_INTSHADOW | (vt->lazy ? 0 : hv_exit_needs(&v->exit)));
	if (step)
		v->rflags &= ~(u64)FL_TF;
}

/* Pinned. False if there was news meanwhile and the guest was not entered. */
static bool enter_pinned(struct hv_vcpu *v, struct hv_cpu *c)
{
	const struct vt_ops *vt = v->vm->vt;

	load(v, c);
	atomic_store(&v->in_guest, true);
	if (atomic_load(&v->request) & HV_REQ_NEWS) {
		atomic_store(&v->in_guest, false);
		return false;
	}
	flush_if_due(v, c);
	vt->store(v, v->dirty);
	v->dirty = 0;
	vt->window(v, v->irq_window, v->nmi_window);
	vt->inject(v, &v->event);
	v->stats.injected += v->event.valid;
	hw_fpu_load(v, c);
	run_once(v, c);
	atomic_store(&v->in_guest, false);
	return true;
}

/* False: the host wants its thread. */
static bool enter(struct hv_vcpu *v, struct hv_exit *e, bool *entered)
{
	*entered = false;
	choose_event(v);
	if (v->want_window && !atomic_load(&v->irq_level) && hv_vcpu_can_inject(v)) {
		e->kind = HV_EXIT_WINDOW;
		return false;
	}
	if (!port_guest_enter(v)) {
		e->kind = HV_EXIT_KICK;
		return false;
	}
	*entered = enter_pinned(v, port_cpu());
	port_guest_leave(v);
	if (*entered) {
		v->stats.entries++;
		v->stats.exits[v->exit.kind]++;
		hv_pv_eoi_collect(v);
	}
	return true;
}

/* A step whose instruction the core did. */
static enum hv_next step_over(struct hv_vcpu *v, struct hv_exit *e)
{
	e->kind = HV_EXIT_DEBUG;
	e->vector = X86_EXC_DB;
	e->addr = v->rip;
	e->dr6 = DR6_BS;
	return HV_TO_HOST;
}

int hv_vcpu_run(struct hv_vcpu *v, struct hv_exit *e)
{
	enum hv_next next = HV_RESUME;
	bool entered;

	*e = (struct hv_exit){.kind = HV_EXIT_KICK};
	hv_pv_resume(v);
	while (next == HV_RESUME) {
		v->deferred = false;
		if (v->redo) {
			v->redo = false;
			next = hv_exit_handle(v, e);
			continue;
		}
		if (!attend(v, e) || !enter(v, e, &entered))
			break;
		if (entered)
			next = hv_exit_handle(v, e);
		if (v->stepped && next == HV_RESUME)
			next = step_over(v, e);
		v->stepped = false;
	}
	hv_pv_pause(v);
	return 0;
}

void hv_vcpu_fpu_put(struct hv_vcpu *v)
{
	if (v->fpu_live)
		hw_fpu_save(v, port_cpu());
}

void hv_vcpu_put(struct hv_vcpu *v)
{
	struct hv_cpu *c = port_cpu();

	if (c->loaded != v)
		return;
	hv_vcpu_fpu_put(v);
	v->vm->vt->fetch(v, HV_G_ALL & ~v->have);
	v->vm->vt->put(v, c);
	c->loaded = NULL;
	atomic_store(&v->cpu, -1);
}

static void put_call(void *v)
{
	hv_vcpu_put(v);
}

/* Everything into memory, wherever it is now. */
void hv_vcpu_to_memory(struct hv_vcpu *v)
{
	int cpu = atomic_load(&v->cpu);

	if (cpu >= 0)
		port_cpu_call((unsigned)cpu, put_call, v);
}

static void fetch_call(void *opaque)
{
	struct hv_vcpu *v = opaque;

	/* A thread that was moved meanwhile has put it, and everything is in memory. */
	if (port_cpu()->loaded == v)
		v->vm->vt->fetch(v, HV_G_ALL & ~v->have);
}

void hv_want(struct hv_vcpu *v, u32 groups)
{
	int cpu = atomic_load(&v->cpu);

	groups &= ~v->have;
	if (!groups)
		return;
	if (v->vm->vt->lazy)
		v->vm->vt->fetch(v, groups);
	else if (cpu >= 0)
		port_cpu_call((unsigned)cpu, fetch_call, v);
}

/* ---- signals from anywhere ---------------------------------------------------------------- */

void hv_vcpu_irq(struct hv_vcpu *v, bool level)
{
	if (atomic_exchange(&v->irq_level, level) != level && level)
		hv_request(v, HV_REQ_EVENT);
}

void hv_vcpu_nmi(struct hv_vcpu *v)
{
	hv_request(v, HV_REQ_NMI | HV_REQ_EVENT);
}

void hv_vcpu_init_signal(struct hv_vcpu *v)
{
	hv_request(v, HV_REQ_INIT);
}

void hv_vcpu_sipi(struct hv_vcpu *v, u8 vector)
{
	atomic_store(&v->sipi_vector, vector);
	hv_request(v, HV_REQ_SIPI);
}

bool hv_vcpu_can_inject(struct hv_vcpu *v)
{
	return !v->event.valid && irq_allowed(v) && !v->redo && v->mp != X86_MP_WAIT_SIPI;
}

/* ---- mode, time ----------------------------------------------------------------------------- */

unsigned hv_vcpu_cpl(struct hv_vcpu *v)
{
	hv_want(v, HV_G_SEG | HV_G_CR);
	if (!(v->st.cr0 & CR0_PE))
		return 0;
	return v->rflags & FL_VM ? 3 : v->st.cpl;
}

unsigned hv_vcpu_code_size(struct hv_vcpu *v)
{
	hv_want(v, HV_G_SEG | HV_G_CR);
	if ((v->st.efer & EFER_LMA) && (v->st.seg[X86_CS].attr & SEG_L))
		return 8;
	return v->st.seg[X86_CS].attr & SEG_DB ? 4 : 2;
}

u64 hv_vcpu_tsc(struct hv_vcpu *v, u64 *khz)
{
	if (khz)
		*khz = port_tsc_khz();
	return hw_tsc() + v->vm->tsc_offset + v->tsc_base + v->tsc_adjust;
}

/* ---- life ------------------------------------------------------------------------------------ */

static struct x86_seg real_seg(u16 sel, u32 attr)
{
	return (struct x86_seg){.sel = sel, .base = (u64)sel << 4, .limit = 0xffff, .attr = attr};
}

/* SDM vol. 3A table 10-1: what power-on sets, and INIT of it. */
void hv_power_on(struct hv_vcpu *v, bool init)
{
	struct hv_regs *st = &v->st;
	u64 keep_cd = init ? st->cr0 & (CR0_CD | CR0_NW) : (u64)CR0_CD | CR0_NW;
	u64 pat = init ? st->pat : PAT_RESET, aux = init ? st->tsc_aux : 0;

	hv_want(v, HV_G_ALL);
	__builtin_memset(v->gpr, 0, sizeof(v->gpr));
	__builtin_memset(st, 0, sizeof(*st));
	for (unsigned i = 0; i < X86_NSEGS; i++)
		st->seg[i] = real_seg(0, 0x93);
	st->seg[X86_CS] =
		(struct x86_seg){.sel = 0xf000, .base = 0xffff0000, .limit = 0xffff, .attr = 0x9b};
	st->ldtr = real_seg(0, 0x82);
	st->tr = real_seg(0, 0x8b);
	st->gdtr.limit = st->idtr.limit = 0xffff;
	st->cr0 = keep_cd | CR0_ET;
	st->dr6 = DR6_FIXED;
	st->dr7 = DR7_FIXED;
	st->pat = pat;
	st->tsc_aux = aux;
	v->rip = 0xfff0;
	v->rflags = FL_FIXED;
	v->gpr[X86_RDX] = 0x600;
	v->event.valid = false;
	v->sti_shadow = v->movss_shadow = v->nmi_masked = false;
	v->redo = false;
	hv_replay_reset(v);
	hv_msr_reset(v, init);
	v->have = v->dirty = HV_G_ALL;
	hv_request(v, HV_REQ_FLUSH);
}

static void fpu_reset(struct hv_vcpu *v)
{
	v->xcr0 = 1;
	__builtin_memset(v->xsave, 0, 4096);
	/* SDM vol. 1 13.6: FCW, FTW (abridged: empty), MXCSR of the legacy area. */
	v->xsave[0] = 0x40;
	v->xsave[24] = 0x80;
	v->xsave[25] = 0x1f;
	v->xsave[512] = 3;
}

void hv_vcpu_reset(struct hv_vcpu *v)
{
	hv_vcpu_to_memory(v);
	atomic_store(&v->request, 0);
	hv_power_on(v, false);
	fpu_reset(v);
	v->pv = (struct hv_pv_state){0};
	v->mp = v->index ? X86_MP_WAIT_SIPI : X86_MP_RUNNING;
}

int hv_vcpu_init(struct hv_vcpu *v, struct hv_vm *vm, unsigned index, const struct vcpu_bus *bus)
{
	void *host = v->host;
	int err;

	if (index >= HV_MAX_VCPUS)
		return -E_INVAL;
	if (vm->vcpu[index])
		return -E_EXIST;
	__builtin_memset(v, 0, sizeof(*v));
	v->host = host;
	v->vm = vm;
	v->index = index;
	v->bus = *bus;
	v->asid_cpu = -1;
	atomic_store(&v->cpu, -1);
	v->have = HV_G_ALL;
	v->xsave = port_page_alloc(0);
	if (!v->xsave)
		return -E_NOMEM;
	err = vm->vt->vcpu_init(v);
	if (err) {
		port_page_free(v->xsave, 0);
		v->xsave = NULL;
		return err;
	}
	hv_vcpu_reset(v);
	vm->vcpu[index] = v;
	vm->nvcpus++;
	return 0;
}

void hv_vcpu_fini(struct hv_vcpu *v)
{
	if (!v->xsave)
		return;
	hv_vcpu_to_memory(v);
	v->vm->vcpu[v->index] = NULL;
	v->vm->nvcpus--;
	v->vm->vt->vcpu_fini(v);
	port_page_free(v->xsave, 0);
	v->xsave = NULL;
}

/* ---- VM and CPU -------------------------------------------------------------------------------
 */

/* The guest reads and writes them itself: they are switched with it. */
static const u32 own_msrs[] = {
	MSR_FS_BASE, MSR_GS_BASE,     MSR_KERNEL_GS_BASE, MSR_STAR,	    MSR_LSTAR, MSR_CSTAR,
	MSR_SFMASK,  MSR_SYSENTER_CS, MSR_SYSENTER_ESP,	  MSR_SYSENTER_EIP, MSR_PAT};

int hv_vm_init(struct hv_vm *vm, const struct vt_ops *vt, const struct hv_vm_config *cfg)
{
	unsigned levels;
	u32 sizes;
	int err;

	__builtin_memset(vm, 0, sizeof(*vm));
	vm->vt = vt;
	vm->cfg = *cfg;
	vm->tsc_offset = 0 - hw_tsc();
	vm->boot_wall_ns = port_wall_ns();
	vt->npt_shape(&levels, &sizes);
	err = npt_init(&vm->npt, vt->npt, levels, sizes);
	if (err)
		return err;
	vm->vt_data = port_page_alloc(vt->maps_order);
	if (!vm->vt_data) {
		npt_fini(&vm->npt);
		return -E_NOMEM;
	}
	__builtin_memset(vm->vt_data, 0xff, PAGE << vt->maps_order);
	for (unsigned i = 0; i < ARRAY_LEN(own_msrs); i++)
		vt->msr_pass(vm, own_msrs[i]);
	hv_cpuid_init(vm);
	return 0;
}

void hv_vm_fini(struct hv_vm *vm)
{
	if (!vm->npt.root)
		return;
	port_page_free(vm->vt_data, vm->vt->maps_order);
	vm->vt_data = NULL;
	npt_fini(&vm->npt);
}

int hv_probe(const struct vt_ops **vt, const char **why)
{
	const char *why_vmx;

	*vt = &svm_ops;
	if (!svm_ops.probe(why))
		return 0;
	*vt = &vmx_ops;
	if (!vmx_ops.probe(&why_vmx))
		return 0;
	if (hw_cpu_is_intel())
		*why = why_vmx;
	return -E_NODEV;
}

int hv_cpu_prepare(struct hv_cpu *cpu, const struct vt_ops *vt)
{
	cpu->vt = vt;
	cpu->vt_page = port_page_alloc(0);
	cpu->vt_host = port_page_alloc(0);
	if (cpu->vt_page && cpu->vt_host)
		return 0;
	hv_cpu_release(cpu);
	return -E_NOMEM;
}

int hv_cpu_enable(void)
{
	struct hv_cpu *c = port_cpu();
	int err;

	if (!c->vt)
		return -E_NODEV;
	hw_fpu_enable(c);
	err = c->vt->cpu_enable(c);
	c->enabled = !err;
	return err;
}

void hv_cpu_release(struct hv_cpu *cpu)
{
	port_page_free(cpu->vt_page, 0);
	port_page_free(cpu->vt_host, 0);
	cpu->vt_page = cpu->vt_host = NULL;
	cpu->vt = NULL;
}
