/* SPDX-License-Identifier: Apache-2.0 */
#include "run/internal.h"

#include <errno.h>

int container_start(struct start *s, struct err *e)
{
	return err_set(e, ENOSYS, "containers: not yet");
}

int container_finish(const struct thing *t, const struct run_spec *spec, struct err *e)
{
	return 0;
}

int container_pause(const struct thing *t, bool pause, struct err *e)
{
	return err_set(e, ENOSYS, "containers: not yet");
}

bool container_is_paused(const struct thing *t)
{
	return false;
}

int container_exec(const struct thing *t, const struct run_spec *spec, bool detach,
		   struct client_result *out, struct err *e)
{
	return err_set(e, ENOSYS, "containers: not yet");
}

int container_usage(const struct thing *t, struct thing_use *out, struct err *e)
{
	return err_set(e, ENOSYS, "containers: not yet");
}

int container_top(const struct thing *t, struct err *e)
{
	return err_set(e, ENOSYS, "containers: not yet");
}
