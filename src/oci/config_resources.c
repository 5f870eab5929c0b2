/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources of config.json, also given alone to update. */
#include "oci/parse.h"

#include "host/log.h"

#include <stdio.h>
#include <string.h>

/* A signed number: sets its bit in have if present. */
static void number(struct parse *p, json_t *o, const char *key, struct oci_resources *r, u64 bit,
		   s64 *out)
{
	if (!parse_has(o, key))
		return;
	r->have |= bit;
	*out = parse_int(p, o, key, INT64_MIN, INT64_MAX, 0);
}

static void positive(struct parse *p, json_t *o, const char *key, struct oci_resources *r, u64 bit,
		     u64 *out)
{
	if (!parse_has(o, key))
		return;
	r->have |= bit;
	*out = parse_u64(p, o, key, 0);
}

static void flag(struct parse *p, json_t *o, const char *key, struct oci_resources *r, u64 bit,
		 bool *out)
{
	if (!parse_has(o, key))
		return;
	r->have |= bit;
	*out = parse_bool(p, o, key);
}

static void parse_memory(struct parse *p, json_t *obj, struct oci_resources *r)
{
	json_t *o = parse_obj(p, obj, "memory");

	if (!o)
		return;
	number(p, o, "limit", r, RES_MEM_LIMIT, &r->mem_limit);
	number(p, o, "swap", r, RES_MEM_SWAP, &r->mem_swap);
	number(p, o, "reservation", r, RES_MEM_RESERVATION, &r->mem_reservation);
	number(p, o, "kernel", r, RES_MEM_KERNEL, &r->mem_kernel);
	number(p, o, "kernelTCP", r, RES_MEM_KERNEL_TCP, &r->mem_kernel_tcp);
	if (parse_has(o, "swappiness")) {
		r->have |= RES_MEM_SWAPPINESS;
		/* Callers send 2^64 - 1 for "not set" (runc takes it as such). */
		u64 v = parse_u64(p, o, "swappiness", 0);

		r->mem_swappiness = v > INT64_MAX ? -1 : (s64)v;
		if (r->mem_swappiness < 0)
			r->have &= ~(u64)RES_MEM_SWAPPINESS;
	}
	flag(p, o, "disableOOMKiller", r, RES_MEM_NO_OOM, &r->mem_no_oom);
	flag(p, o, "useHierarchy", r, RES_MEM_HIERARCHY, &r->mem_hierarchy);
	flag(p, o, "checkBeforeUpdate", r, RES_MEM_CHECK, &r->mem_check);
}

static void parse_cpu(struct parse *p, json_t *obj, struct oci_resources *r)
{
	json_t *o = parse_obj(p, obj, "cpu");

	if (!o)
		return;
	positive(p, o, "shares", r, RES_CPU_SHARES, &r->cpu_shares);
	number(p, o, "quota", r, RES_CPU_QUOTA, &r->cpu_quota);
	positive(p, o, "period", r, RES_CPU_PERIOD, &r->cpu_period);
	positive(p, o, "burst", r, RES_CPU_BURST, &r->cpu_burst);
	number(p, o, "realtimeRuntime", r, RES_CPU_RT_RUNTIME, &r->cpu_rt_runtime);
	positive(p, o, "realtimePeriod", r, RES_CPU_RT_PERIOD, &r->cpu_rt_period);
	number(p, o, "idle", r, RES_CPU_IDLE, &r->cpu_idle);
	r->cpus = parse_str(p, o, "cpus");
	r->mems = parse_str(p, o, "mems");
}

static void parse_pids(struct parse *p, json_t *obj, struct oci_resources *r)
{
	json_t *o = parse_obj(p, obj, "pids");

	if (!o)
		return;
	number(p, o, "limit", r, RES_PIDS, &r->pids);
	/* Since 1.3 zero is a limit, and the least that can run is one; before it was "not set". */
	if (r->have & RES_PIDS && !r->pids && p->config->minor >= 3)
		r->pids = 1;
}

static struct oci_throttle *throttle(struct parse *p, json_t *o, const char *key, const char *value,
				     unsigned *n)
{
	json_t *a = parse_array(p, o, key, n);
	struct oci_throttle *t = parse_alloc(p, *n, sizeof(*t));

	for (unsigned i = 0; t && i < *n; i++) {
		json_t *item = parse_item(p, a, i);

		if (!item)
			break;
		t[i].major = (unsigned)parse_int(p, item, "major", 0, UINT32_MAX, 0);
		t[i].minor = (unsigned)parse_int(p, item, "minor", 0, UINT32_MAX, 0);
		t[i].rate = parse_u64(p, item, value, 0);
	}
	if (p->ret)
		*n = 0;
	return t;
}

static void parse_blkio(struct parse *p, json_t *obj, struct oci_resources *r)
{
	static const char *const keys[OCI_THROTTLES] = {
		[OCI_RBPS] = "throttleReadBpsDevice",
		[OCI_WBPS] = "throttleWriteBpsDevice",
		[OCI_RIOPS] = "throttleReadIOPSDevice",
		[OCI_WIOPS] = "throttleWriteIOPSDevice",
	};
	json_t *o = parse_obj(p, obj, "blockIO");

	if (!o)
		return;
	if (parse_has(o, "weight")) {
		r->have |= RES_BLKIO_WEIGHT;
		r->blkio_weight = (u32)parse_int(p, o, "weight", 0, UINT16_MAX, 0);
	}
	if (parse_has(o, "leafWeight")) {
		r->have |= RES_BLKIO_LEAF;
		r->blkio_leaf = (u32)parse_int(p, o, "leafWeight", 0, UINT16_MAX, 0);
	}
	r->weight_device = throttle(p, o, "weightDevice", "weight", &r->nweight_device);
	for (int i = 0; i < OCI_THROTTLES; i++)
		r->throttle[i] = throttle(p, o, keys[i], "rate", &r->nthrottle[i]);
}

/* An array of objects with a name and a number, kept as text for the cgroup file. */
static struct oci_pair *name_numbers(struct parse *p, json_t *obj, const char *key,
				     const char *name, const char *value, unsigned *n)
{
	json_t *a = parse_array(p, obj, key, n);
	struct oci_pair *out = parse_alloc(p, *n, sizeof(*out));

	for (unsigned i = 0; out && i < *n; i++) {
		json_t *item = parse_item(p, a, i);
		char *text = item ? parse_alloc(p, 24, 1) : NULL;

		if (!text)
			break;
		out[i].key = parse_str(p, item, name);
		/* Go's decoder, which callers are used to, does not mind case. */
		if (!out[i].key && !strcmp(name, "pageSize"))
			out[i].key = parse_str(p, item, "pagesize");
		snprintf(text, 24, "%llu", (unsigned long long)parse_u64(p, item, value, 0));
		out[i].value = text;
		if (!out[i].key || !out[i].key[0] || strchr(out[i].key, '/'))
			parse_fail(p, "%s: item %u needs a %s", key, i, name);
	}
	if (p->ret)
		*n = 0;
	return out;
}

static void parse_network(struct parse *p, json_t *obj, struct oci_resources *r)
{
	json_t *o = parse_obj(p, obj, "network");

	if (!o)
		return;
	if (parse_has(o, "classID")) {
		r->have |= RES_NET_CLASS;
		r->net_class = (u32)parse_int(p, o, "classID", 0, UINT32_MAX, 0);
	}
	r->net_priorities =
		name_numbers(p, o, "priorities", "name", "priority", &r->nnet_priorities);
}

static void parse_device_rules(struct parse *p, json_t *obj, struct oci_resources *r)
{
	json_t *a = parse_array(p, obj, "devices", &r->ndevices);

	r->devices = parse_alloc(p, r->ndevices, sizeof(*r->devices));
	for (unsigned i = 0; r->devices && i < r->ndevices; i++) {
		struct oci_device_rule *d = &r->devices[i];
		json_t *o = parse_item(p, a, i);
		const char *type = o ? parse_str(p, o, "type") : NULL;
		const char *access = o ? parse_str(p, o, "access") : NULL;

		if (!o)
			break;
		d->allow = parse_bool(p, o, "allow");
		d->type = type && type[0] ? type[0] : 'a';
		d->major = parse_int(p, o, "major", -1, UINT32_MAX, -1);
		d->minor = parse_int(p, o, "minor", -1, UINT32_MAX, -1);
		if (!strchr("acb", d->type) || (type && type[0] && type[1]))
			parse_fail(p, "devices: invalid cgroup device type \"%.20s\"", type);
		for (const char *s = access ? access : "rwm"; *s; s++) {
			if (*s == 'a') { /* runc lets it pass */
				log_warn("ignoring access \"a\" of a device rule");
				continue;
			}
			if (!strchr("rwm", *s))
				parse_fail(p, "devices: access \"%.20s\" is not of r, w and m",
					   access);
			d->access |= *s == 'r'	 ? OCI_DEV_READ
				     : *s == 'w' ? OCI_DEV_WRITE
						 : OCI_DEV_MKNOD;
		}
	}
	if (p->ret)
		r->ndevices = 0;
}

void parse_resources(struct parse *p, json_t *obj, struct oci_resources *r)
{
	p->in = "linux.resources";
	parse_memory(p, obj, r);
	parse_cpu(p, obj, r);
	parse_pids(p, obj, r);
	parse_blkio(p, obj, r);
	parse_network(p, obj, r);
	parse_device_rules(p, obj, r);
	r->hugepages = name_numbers(p, obj, "hugepageLimits", "pageSize", "limit", &r->nhugepages);
	r->unified = parse_pairs(p, obj, "unified", &r->nunified);
	for (unsigned i = 0; i < r->nunified; i++)
		if (strchr(r->unified[i].key, '/'))
			parse_fail(p, "unified: \"%.60s\" must be a file name without slash",
				   r->unified[i].key);
}

int oci_resources_parse(json_t *obj, struct oci_config *holder, struct oci_resources *out,
			struct err *e)
{
	struct parse p = {.config = holder, .e = e, .in = "linux.resources"};

	if (!json_is_object(obj))
		return parse_fail(&p, "must be an object");
	parse_resources(&p, obj, out);
	return p.ret;
}
