/* SPDX-License-Identifier: Apache-2.0 */
/* What this process is (rootless.h), apart from how it came to be it: for programs that never
 * enter. */
#include "host/rootless.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ALL_IDS 0xffffffffu /* user_namespaces(7): the initial map is 0 0 4294967295 */

/* The first line of uid_map; *lines counts all. */
static bool read_map(u32 first[3], unsigned *lines)
{
	FILE *f = fopen("/proc/self/uid_map", "re");
	u32 v[3];

	*lines = 0;
	while (f && fscanf(f, "%u %u %u", &v[0], &v[1], &v[2]) == 3)
		if (!(*lines)++)
			memcpy(first, v, sizeof(v));
	if (f)
		fclose(f);
	return *lines != 0;
}

bool rootless(void)
{
	u32 map[3];
	unsigned lines;

	if (geteuid())
		return true;
	return read_map(map, &lines) && (map[0] || map[1] || map[2] != ALL_IDS);
}

u32 rootless_owner(void)
{
	u32 map[3];
	unsigned lines;

	return geteuid() ? geteuid() : read_map(map, &lines) && !map[0] ? map[1] : 0;
}

bool rootless_single_id(void)
{
	u32 map[3];
	unsigned lines;

	return read_map(map, &lines) && lines == 1 && map[2] == 1;
}
