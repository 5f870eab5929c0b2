/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The text that says which guests there are (docs/metal.md). Pure: bytes in, a
 * table out, every error as one line with its line number. A guest whose section
 * has an error is left out; the others stay.
 */
#ifndef HULL_METAL_CONFIG_H
#define HULL_METAL_CONFIG_H

#include "base/types.h"

#define CONFIG_GUESTS_MAX 16u
#define CONFIG_NAME_MAX 32u
#define CONFIG_FILE_MAX 64u
#define CONFIG_INITRDS_MAX 4u
#define CONFIG_DISKS_MAX 4u
#define CONFIG_NETS_MAX 2u
#define CONFIG_CPUS_MAX 16u
#define CONFIG_CMDLINE_MAX 1024u

enum config_pv { CONFIG_PV_NONE, CONFIG_PV_KVM, CONFIG_PV_XEN };
enum config_console { CONFIG_SERIAL, CONFIG_VIRTIO };
enum config_entry { CONFIG_LINUX, CONFIG_PVH };

struct config_disk {
	char module[CONFIG_FILE_MAX]; /* empty: memory of `size` */
	u64 size;
	bool readonly;
};

struct config_net {
	char segment[CONFIG_NAME_MAX];
	u8 mac[6]; /* all zero: made from the guest's number */
};

struct config_guest {
	char name[CONFIG_NAME_MAX];
	unsigned line;
	bool bad; /* its section had an error: not to be started */
	char kernel[CONFIG_FILE_MAX];
	char initrd[CONFIG_INITRDS_MAX][CONFIG_FILE_MAX];
	unsigned ninitrd;
	char cmdline[CONFIG_CMDLINE_MAX];
	u64 memory; /* bytes */
	unsigned cpus;
	u8 pin[CONFIG_CPUS_MAX]; /* physical CPU of vCPU n */
	unsigned npins;		 /* 0 or cpus */
	bool dedicated;
	unsigned weight, cap; /* cap: percent of one CPU for each vCPU, 0 = none */
	enum config_pv pv;
	enum config_console console;
	enum config_entry entry;
	struct config_disk disk[CONFIG_DISKS_MAX];
	unsigned ndisks;
	struct config_net net[CONFIG_NETS_MAX];
	unsigned nnets;
	bool rng, start, log;
};

struct config {
	struct config_guest guest[CONFIG_GUESTS_MAX];
	unsigned nguests;
	unsigned errors;
};

/* say: told each error, without newline; may be NULL. Returns the number of errors. */
unsigned config_parse(const char *text, u64 len, struct config *c,
		      void (*say)(void *opaque, const char *line), void *opaque);

#endif
