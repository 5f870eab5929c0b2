/* SPDX-License-Identifier: Apache-2.0 */
#include "run/root.h"

#include "host/proc.h"
#include "run/internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int root_block(const struct thing *t, const struct run_spec *spec, struct run_root *out,
	       struct err *e)
{
	int ret = thing_path(t, "root.erofs", out->block, e);
	const char *const argv[] = {"mkfs.erofs", "-x-1", out->block, spec->image + 4, NULL};

	if (ret || !access(out->block, R_OK))
		return ret;
	if (strncmp(spec->image, "dir:/", 5))
		return err_set(e, ENOSYS, "image %s: give dir:/PATH", spec->image);
	return proc_run(argv, NULL, NULL, 0, e);
}

int root_image(struct run_spec *spec, struct run_image *out, struct err *e)
{
	*out = (struct run_image){0};
	return 0;
}

void root_image_free(struct run_image *im)
{
}

void thing_unpin(const struct thing *t)
{
}
