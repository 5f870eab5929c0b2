/* SPDX-License-Identifier: Apache-2.0 */
/* Health checks on the command line: options of `hull run`, and the check itself (`hull _health`).
 */
#include "cli/run.h"

#include "image/containerfile.h"
#include "image/image.h"
#include "run/life.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_MS 1000000u
#define ALARM_MORE_S 2u /* what a machine may take longer than the time it was given */

int health_option(struct run_spec *s, enum health_option which, const char *v, struct err *e)
{
	u64 *const times[] = {[HEALTH_INTERVAL] = &s->health_interval,
			      [HEALTH_TIMEOUT] = &s->health_timeout,
			      [HEALTH_START] = &s->health_start};
	u64 ns;
	int ret;

	switch (which) {
	case HEALTH_CMD:
	case HEALTH_NONE:
		strv_free(&s->health);
		if (!v || !strcmp(v, "none"))
			return strv_add(&s->health, "NONE", e);
		ret = strv_add(&s->health, "CMD-SHELL", e);
		return ret ? ret : strv_add(&s->health, v, e);
	case HEALTH_RETRIES:
		return cli_parse_uint("health-retries", v, 1, 1000000, &s->health_retries, e);
	default:
		ret = cf_duration(v, &ns, e);
		if (!ret && which != HEALTH_START && ns < NS_PER_MS)
			ret = err_set(e, EINVAL, "health check: %.40s is less than a millisecond",
				      v);
		if (!ret)
			*times[which] = ns / NS_PER_MS;
		return ret;
	}
}

int health_from_image(struct run_spec *s, const struct image_health *h, struct err *e)
{
	int ret = 0;

	if (!s->health.n)
		for (unsigned i = 0; !ret && h->test && h->test[i]; i++)
			ret = strv_add(&s->health, h->test[i], e);
	s->health_interval = s->health_interval ?: h->interval_ns / NS_PER_MS;
	s->health_timeout = s->health_timeout ?: h->timeout_ns / NS_PER_MS;
	s->health_start = s->health_start ?: h->start_period_ns / NS_PER_MS;
	s->health_retries = s->health_retries ?: h->retries;
	return ret;
}

int cmd_health(int argc, char **argv)
{
	const char *slash = argc == 3 ? strrchr(argv[1], '/') : NULL;
	struct err e = {0};
	struct thing t = {0};
	u64 ms;
	int ret;

	if (!slash || cli_parse_uint("time", argv[2], 1, UINT32_MAX, &ms, NULL))
		return CLI_ERROR;
	snprintf(t.dir, sizeof(t.dir), "%s", argv[1]);
	snprintf(t.name, sizeof(t.name), "%s", slash + 1);
	alarm((unsigned)(ms / 1000) + ALARM_MORE_S);
	ret = thing_health(&t, ms, &e);
	if (ret < 0)
		fprintf(stderr, "%s\n", e.msg);
	return ret < 0 ? CLI_ERROR : ret != 0;
}
