/* SPDX-License-Identifier: Apache-2.0 */
/* Files below /etc that name hosts and name servers, the same for both kinds. */
#include "run/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES_MAX 8u /* of resolv.conf, as guest/init takes them */

int etc_hosts(const struct run_spec *spec, const char *ip, struct strv *lines, struct err *e)
{
	char line[200];
	int ret = strv_add(lines, "127.0.0.1\tlocalhost", e);

	if (!ret)
		ret = strv_add(lines, "::1\tlocalhost ip6-localhost ip6-loopback", e);
	snprintf(line, sizeof(line), "%s\t%.100s", ip ?: "127.0.1.1", spec->hostname ?: spec->name);
	if (!ret)
		ret = strv_add(lines, line, e);
	for (unsigned i = 0; !ret && i < spec->hosts.n; i++) { /* NAME:ADDRESS */
		const char *colon = strchr(spec->hosts.v[i], ':');

		if (!colon)
			return err_set(e, EINVAL, "--add-host %.60s: give NAME:ADDRESS",
				       spec->hosts.v[i]);
		snprintf(line, sizeof(line), "%.60s\t%.*s", colon + 1,
			 (int)(colon - spec->hosts.v[i]), spec->hosts.v[i]);
		ret = strv_add(lines, line, e);
	}
	return ret;
}

/* The host's, but a name server on its loopback is reached by another name (net/passt.h). */
int etc_resolv(const struct run_spec *spec, struct strv *lines, struct err *e)
{
	FILE *f = fopen("/etc/resolv.conf", "re");
	char line[256];
	int ret = 0;

	while (f && !ret && lines->n < LINES_MAX && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, "nameserver 127.", 15) || !strncmp(line, "nameserver ::1", 14))
			snprintf(line, sizeof(line), "nameserver 10.0.2.2");
		if (line[0] && line[0] != '#')
			ret = strv_add(lines, line, e);
	}
	if (f)
		fclose(f);
	return ret;
}

int etc_write(const char *path, const struct strv *lines, struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int ret = 0, fd;

	for (unsigned i = 0; f && i < lines->n; i++)
		fprintf(f, "%s\n", lines->v[i]);
	if (!f || fclose(f))
		return err_set(e, ENOMEM, "%s: out of memory", path);
	fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || fchmod(fd, 0644) || pwrite(fd, text, len, 0) != (ssize_t)len ||
	    ftruncate(fd, (off_t)len))
		ret = err_errno(e, "%s", path);
	if (fd >= 0)
		close(fd);
	free(text);
	return ret;
}
