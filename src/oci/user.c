/* SPDX-License-Identifier: Apache-2.0 */
/* The container's /etc/passwd, read with all the distrust an image deserves. */
#include "oci/init.h"
#include "oci/root.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PASSWD_BYTES (1u << 20)

/* name:password:uid:gid:gecos:home:shell, passwd(5). */
static bool match(char *line, uid_t uid, const char **home)
{
	char *field[7] = {0}, *s = line, *end;
	unsigned long n;

	for (int i = 0; i < 7 && s; i++)
		field[i] = strsep(&s, ":");
	if (!field[5] || !field[2][0])
		return false;
	n = strtoul(field[2], &end, 10);
	*home = field[5];
	return !*end && n == uid;
}

int user_home(uid_t uid, char *out, size_t size)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd, found = 0;
	char *text = NULL, *save = NULL;
	const char *home;
	struct stat st;
	size_t len;

	fd = root < 0 ? -1 : root_open(root, "/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	fd_close(&root);
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		text = fd_read_all(fd, PASSWD_BYTES, &len);
	close(fd);
	for (char *s = text ? strtok_r(text, "\n", &save) : NULL; s && !found;
	     s = strtok_r(NULL, "\n", &save))
		found = match(s, uid, &home) && snprintf(out, size, "%s", home) < (int)size;
	free(text);
	return found;
}
