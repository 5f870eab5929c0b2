/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run-time abstraction services (LoPAR 2.9 chapter 7). The entry point in guest
 * memory makes the hypercall H_RTAS with the address of the arguments:
 *
 *	token, number of arguments, of results, arguments ..., results ...
 *
 * all big-endian words; the first result is the status. Everything the guest
 * gives is checked; a call with other numbers of arguments than the service has
 * is a parameter error.
 */
#include "machine/pseries_internal.h"

#include "base/bits.h"
#include "base/endian.h"

#include <string.h>
#include <time.h>

#define WORDS_MAX 16u
#define TOKEN_BASE 0x2000u

enum { OK = 0, NO_NEWS = 1, HW_ERROR = -1, PARAMETER = -3, NOT_AUTHORIZED = -9002 };

struct call {
	struct pseries *ps;
	unsigned cpu;
	u32 nargs, nret;
	u32 arg[WORDS_MAX], ret[WORDS_MAX]; /* ret[0]: status */
};

/* ---- time ---- */

static void get_time(struct call *c)
{
	const struct io_clock *clock = loop_clock(c->ps->cfg.loop);
	time_t now = (time_t)((s64)clock->ops->wall_s(clock->opaque) + c->ps->rtc_offset);
	struct tm tm;

	if (!gmtime_r(&now, &tm)) {
		c->ret[0] = (u32)HW_ERROR;
		return;
	}
	c->ret[1] = (u32)tm.tm_year + 1900;
	c->ret[2] = (u32)tm.tm_mon + 1;
	c->ret[3] = (u32)tm.tm_mday;
	c->ret[4] = (u32)tm.tm_hour;
	c->ret[5] = (u32)tm.tm_min;
	c->ret[6] = (u32)tm.tm_sec;
	c->ret[7] = 0;
}

static void set_time(struct call *c)
{
	const struct io_clock *clock = loop_clock(c->ps->cfg.loop);
	struct tm tm = {
		.tm_year = (int)(c->arg[0] % 10000) - 1900,
		.tm_mon = (int)(c->arg[1] % 13) - 1,
		.tm_mday = (int)(c->arg[2] % 32),
		.tm_hour = (int)(c->arg[3] % 24),
		.tm_min = (int)(c->arg[4] % 60),
		.tm_sec = (int)(c->arg[5] % 61),
	};

	c->ps->rtc_offset = (s64)timegm(&tm) - (s64)clock->ops->wall_s(clock->opaque);
}

/* ---- the machine's life ---- */

static void display_character(struct call *c)
{
	u8 byte = (u8)c->arg[0];

	vty_put(&c->ps->vty, &byte, 1);
}

static void power_off(struct call *c)
{
	c->ps->cfg.event(c->ps->cfg.opaque, BOARD_EVENT_POWEROFF, 0);
}

static void reboot(struct call *c)
{
	c->ps->cfg.event(c->ps->cfg.opaque, BOARD_EVENT_RESET, 0);
}

static void os_term(struct call *c)
{
	c->ps->cfg.event(c->ps->cfg.opaque, BOARD_EVENT_PANIC, 0);
}

/* ---- processors ---- */

static struct engine_vcpu *vcpu_arg(struct call *c)
{
	if (c->arg[0] < c->ps->cfg.ncpus)
		return c->ps->vcpus[c->arg[0]];
	c->ret[0] = (u32)PARAMETER;
	return NULL;
}

static void start_cpu(struct call *c)
{
	struct engine_vcpu *v = vcpu_arg(c);

	if (v && c->ps->cfg.engine->vcpu_start(v, c->arg[1], c->arg[2]))
		c->ret[0] = (u32)HW_ERROR;
}

static void stop_self(struct call *c)
{
	c->ps->cfg.engine->vcpu_stop(c->ps->vcpus[c->cpu]);
}

static void query_stopped(struct call *c)
{
	struct engine_vcpu *v = vcpu_arg(c);

	if (v)
		c->ret[1] = c->ps->cfg.engine->vcpu_stopped(v) ? 0 : 2;
}

/* ---- interrupts ---- */

static void set_xive(struct call *c)
{
	if (!xics_route(&c->ps->xics, c->arg[0], c->arg[1], c->arg[2]))
		c->ret[0] = (u32)PARAMETER;
}

static void get_xive(struct call *c)
{
	if (!xics_get_route(&c->ps->xics, c->arg[0], &c->ret[1], &c->ret[2]))
		c->ret[0] = (u32)PARAMETER;
}

static void int_on(struct call *c)
{
	if (!xics_on(&c->ps->xics, c->arg[0], true))
		c->ret[0] = (u32)PARAMETER;
}

static void int_off(struct call *c)
{
	if (!xics_on(&c->ps->xics, c->arg[0], false))
		c->ret[0] = (u32)PARAMETER;
}

/* ---- PCI ---- */

static void config_read(struct call *c, u32 addr, u32 hi, u32 lo, u32 size)
{
	unsigned reg;
	struct pci_func *f = pseries_pci_func(c->ps, addr, hi, lo, &reg);

	if ((size != 1 && size != 2 && size != 4) || reg % size)
		c->ret[0] = (u32)PARAMETER;
	else
		c->ret[1] = f ? pci_config_read(f, reg, size) : (u32)mask_bytes(size);
}

static void config_write(struct call *c, u32 addr, u32 hi, u32 lo, u32 size, u32 val)
{
	unsigned reg;
	struct pci_func *f = pseries_pci_func(c->ps, addr, hi, lo, &reg);

	if ((size != 1 && size != 2 && size != 4) || reg % size)
		c->ret[0] = (u32)PARAMETER;
	else if (f)
		pci_config_write(f, reg, size, val & (u32)mask_bytes(size));
}

static void read_config(struct call *c)
{
	config_read(c, c->arg[0], PSERIES_BUID >> 32, (u32)PSERIES_BUID, c->arg[1]);
}

static void write_config(struct call *c)
{
	config_write(c, c->arg[0], PSERIES_BUID >> 32, (u32)PSERIES_BUID, c->arg[1], c->arg[2]);
}

static void ibm_read_config(struct call *c)
{
	config_read(c, c->arg[0], c->arg[1], c->arg[2], c->arg[3]);
}

static void ibm_write_config(struct call *c)
{
	config_write(c, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4]);
}

/* Functions: 0 remove, 1 any, 2 query, 3 MSI, 4 MSI-X; the devices here have MSI-X only. */
static void change_msi(struct call *c)
{
	unsigned reg, fn = c->arg[3];
	struct pci_func *f = pseries_pci_func(c->ps, c->arg[0], c->arg[1], c->arg[2], &reg);

	if (!f || fn > 4 || c->nret < 3) {
		c->ret[0] = (u32)PARAMETER;
		return;
	}
	if (fn == 3 || (fn && !f->msix.n)) {
		c->ret[0] = (u32)PARAMETER;
		return;
	}
	c->ret[1] = fn ? pseries_msi_set(c->ps, f, c->arg[4]) : 0;
	c->ret[2] = c->arg[5];
	if (c->nret > 3)
		c->ret[3] = fn ? 2 : 0; /* MSI-X */
}

static void query_source(struct call *c)
{
	unsigned reg;
	struct pci_func *f = pseries_pci_func(c->ps, c->arg[0], c->arg[1], c->arg[2], &reg);

	if (!f || c->arg[3] >= min_u64(f->msix.n, PSERIES_MSIS)) {
		c->ret[0] = (u32)PARAMETER;
		return;
	}
	c->ret[1] = pseries_msi_irq(f, c->arg[3]);
	c->ret[2] = 1; /* by edge */
}

/* ---- parameters, sensors, events ---- */

enum { PARAM_SPLPAR = 20, PARAM_UUID = 48 };
enum { SENSOR_EPOW = 9, EPOW_SHUTDOWN = 3, EPOW_MASK = 0x40000000 };

/* The value's length in two bytes, then the value (LoPAR table "ibm,get-system-parameter"). */
static void get_parameter(struct call *c)
{
	u8 buf[66] = {0};
	u32 len = 0;

	if (c->arg[0] == PARAM_UUID)
		len = 16;
	else if (c->arg[0] != PARAM_SPLPAR) {
		c->ret[0] = (u32)PARAMETER;
		return;
	}
	store_be16(buf, (u16)len);
	if (gpa_write(&c->ps->map, c->arg[1], buf, min_u64(c->arg[2], len + 2)))
		c->ret[0] = (u32)PARAMETER;
}

static void set_parameter(struct call *c)
{
	c->ret[0] = (u32)NOT_AUTHORIZED;
}

static void get_sensor(struct call *c)
{
	if (c->arg[0] != SENSOR_EPOW || c->arg[1])
		c->ret[0] = (u32)PARAMETER;
	else
		c->ret[1] = c->ps->power_pressed ? EPOW_SHUTDOWN : 0;
}

static void nvram_move(struct call *c, bool store)
{
	s64 n = pseries_nvram_access(c->ps, c->arg[0], c->arg[1], c->arg[2], store);

	if (n < 0)
		c->ret[0] = (u32)PARAMETER;
	else
		c->ret[1] = (u32)n;
}

static void nvram_fetch(struct call *c)
{
	nvram_move(c, false);
}

static void nvram_store(struct call *c)
{
	nvram_move(c, true);
}

static void event_scan(struct call *c)
{
	c->ret[0] = NO_NEWS;
}

/* Sections of a platform event log, LoPAR 10.3.2: identifier, length, the rest zero. */
static u8 *section(u8 *at, u16 id, u16 len)
{
	store_be16(at, id);
	store_be16(at + 2, len);
	return at + len;
}

enum { LOG_HEADER = 8, LOG_V6 = 16, LOG_PH = 48, LOG_UH = 24, LOG_EP = 20 };
enum { LOG_SIZE = LOG_HEADER + LOG_V6 + LOG_PH + LOG_UH + LOG_EP };

/* An orderly shutdown is asked for. */
static void epow_log(u8 log[LOG_SIZE])
{
	u8 *ph = log + LOG_HEADER + LOG_V6, *uh, *ep;

	memset(log, 0, LOG_SIZE);
	store_be32(log, 0x06340040); /* version 6, event, not recovered, extended, EPOW */
	store_be32(log + 4, LOG_SIZE - LOG_HEADER);
	log[LOG_HEADER] = 0x86;	    /* valid, new, big-endian */
	log[LOG_HEADER + 2] = 0x8e; /* POWER format, platform event */
	memcpy(log + LOG_HEADER + 12, "IBM", 4);
	uh = section(ph, 'P' << 8 | 'H', LOG_PH);
	ph[24] = 'H'; /* made by the hypervisor */
	ph[27] = 3;   /* sections */
	ep = section(uh, 'U' << 8 | 'H', LOG_UH);
	uh[8] = 0xa0;  /* external environment */
	uh[11] = 0xd0; /* normal shutdown */
	section(ep, 'E' << 8 | 'P', LOG_EP);
	ep[4] = 2; /* version */
	ep[8] = EPOW_SHUTDOWN;
	ep[9] = 1;  /* normal */
	ep[10] = 1; /* this partition alone */
}

static void check_exception(struct call *c)
{
	u8 log[LOG_SIZE];

	if (!(c->arg[2] & EPOW_MASK) || !c->ps->power_pressed) {
		c->ret[0] = NO_NEWS;
		return;
	}
	c->ps->power_pressed = false;
	epow_log(log);
	if (gpa_write(&c->ps->map, c->arg[4], log, min_u64(c->arg[5], sizeof(log))))
		c->ret[0] = (u32)PARAMETER;
}

/* ---- the table ---- */

static const struct service {
	const char *name;
	u8 nargs, nret, nret_max;
	void (*fn)(struct call *c);
} services[] = {
	{"display-character", 1, 1, 1, display_character},
	{"get-time-of-day", 0, 8, 8, get_time},
	{"set-time-of-day", 7, 1, 1, set_time},
	{"power-off", 2, 1, 1, power_off},
	{"system-reboot", 0, 1, 1, reboot},
	{"query-cpu-stopped-state", 1, 2, 2, query_stopped},
	{"start-cpu", 3, 1, 1, start_cpu},
	{"stop-self", 0, 1, 1, stop_self},
	{"ibm,get-system-parameter", 3, 1, 1, get_parameter},
	{"ibm,set-system-parameter", 2, 1, 1, set_parameter},
	{"ibm,set-xive", 3, 1, 1, set_xive},
	{"ibm,get-xive", 1, 3, 3, get_xive},
	{"ibm,int-on", 1, 1, 1, int_on},
	{"ibm,int-off", 1, 1, 1, int_off},
	{"check-exception", 6, 1, 1, check_exception},
	{"event-scan", 4, 1, 1, event_scan},
	{"get-sensor-state", 2, 2, 2, get_sensor},
	{"read-pci-config", 2, 2, 2, read_config},
	{"write-pci-config", 3, 1, 1, write_config},
	{"ibm,read-pci-config", 4, 2, 2, ibm_read_config},
	{"ibm,write-pci-config", 5, 1, 1, ibm_write_config},
	{"ibm,change-msi", 6, 3, 4, change_msi},
	{"ibm,query-interrupt-source-number", 4, 3, 3, query_source},
	{"ibm,os-term", 1, 1, 1, os_term},
	{"nvram-fetch", 3, 2, 2, nvram_fetch},
	{"nvram-store", 3, 2, 2, nvram_store},
};

void pseries_rtas_tokens(struct fdt *f)
{
	for (u32 i = 0; i < ARRAY_LEN(services); i++)
		fdt_u32(f, services[i].name, TOKEN_BASE + i);
}

/* r3 holds the arguments' address on entry; H_RTAS wants it in r4. */
void pseries_rtas_code(u32 code[PSERIES_RTAS_CODE])
{
	code[0] = 0x7c641b78;	       /* mr r4,r3 */
	code[1] = 0x3c600000;	       /* lis r3,0 */
	code[2] = 0x60630000 | H_RTAS; /* ori r3,r3,H_RTAS */
	code[3] = 0x44000022;	       /* sc 1 */
	code[4] = 0x4e800020;	       /* blr */
}

static void service_run(struct call *c, u32 token)
{
	const struct service *s;

	if (token - TOKEN_BASE >= ARRAY_LEN(services)) {
		c->ret[0] = (u32)PARAMETER;
		return;
	}
	s = &services[token - TOKEN_BASE];
	/* event-scan and check-exception may have more arguments. */
	if (c->nargs < s->nargs || c->nret < s->nret || c->nret > s->nret_max)
		c->ret[0] = (u32)PARAMETER;
	else
		s->fn(c);
}

s64 pseries_rtas_call(struct pseries *ps, unsigned cpu, u64 gpa)
{
	struct call c = {.ps = ps, .cpu = cpu};
	u8 word[4 * WORDS_MAX];
	u32 token;

	if (gpa_read(&ps->map, gpa, word, 12))
		return H_PARAMETER;
	token = load_be32(word);
	c.nargs = load_be32(word + 4);
	c.nret = load_be32(word + 8);
	if (c.nargs > WORDS_MAX || c.nret > WORDS_MAX || c.nargs + c.nret > WORDS_MAX || !c.nret ||
	    gpa_read(&ps->map, gpa + 12, word, 4 * c.nargs))
		return H_PARAMETER;
	for (u32 i = 0; i < c.nargs; i++)
		c.arg[i] = load_be32(word + 4 * i);
	service_run(&c, token);
	for (u32 i = 0; i < c.nret; i++)
		store_be32(word + 4 * i, c.ret[i]);
	gpa += 12 + 4 * c.nargs;
	return gpa_write(&ps->map, gpa, word, 4 * c.nret) ? H_PARAMETER : H_SUCCESS;
}
