/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a running thing is to be, of either kind: filled in by the command line
 * (and the image's configuration), kept as JSON beside the thing's state, read
 * by whoever starts it, now or again.
 */
#ifndef HULL_RUN_SPEC_H
#define HULL_RUN_SPEC_H

#include "host/err.h"

#include <jansson.h>

#define RUN_NAME_MAX 64u
#define RUN_LIST_MAX 4096u
#define RUN_CAPS_DEFAULT 0xa80425fbull /* Docker's fourteen, linux/capability.h bit numbers */

/* A list of strings that owns them. */
struct strv {
	char **v; /* n of them and a NULL; NULL itself when n is 0 */
	unsigned n;
};

int strv_add(struct strv *l, const char *text, struct err *e);
/* Environment: what `over` has replaces what `env` has of the same key. */
int strv_merge(struct strv *env, const struct strv *over, struct err *e);
void strv_free(struct strv *l);

struct run_spec {
	/* who */
	char *name, *as, *image, *digest, *hostname, *created;
	char *arch; /* the image's, as images name it ("ppc64le"); NULL: the host's */
	/* the process */
	struct strv args, env;
	char *user, *cwd, *stop_signal;
	bool tty, interactive, init;
	/* its surroundings */
	struct strv volumes, tmpfs, ports, cap_add, cap_drop, security, devices, hosts, ulimits,
		sysctls, aliases;
	char *network, *restart;
	bool read_only, rm, privileged, detach;
	u64 memory, pids; /* bytes, 0: the kind's default */
	u64 millicpus;	  /* 1000 = one CPU, 0: all (container), 1 (machine) */
	u64 log_size;	  /* bytes of one log file, 0: the default */
	/* the health check: as in the image ("CMD", "CMD-SHELL", "NONE"), times in ms, 0: default
	 */
	struct strv health;
	u64 health_interval, health_timeout, health_start, health_retries;
	/* a machine's own */
	char *engine, *kvm_device, *kernel;
};

void spec_free(struct run_spec *s);

/* Sets a text member to a copy; NULL clears it. */
int spec_text(char **member, const char *text, struct err *e);

/* Both ways. What is not in the file keeps its zero; what is of a wrong type is an error. */
json_t *spec_to_json(const struct run_spec *s);
int spec_from_json(const json_t *o, struct run_spec *s, struct err *e);

static inline bool spec_is_machine(const struct run_spec *s)
{
	return s->as && s->as[0] == 'v';
}

/*
 * Sets the architecture by any of its names: those of images, uname and Debian.
 * -EINVAL: hull runs none of that name on this host.
 */
int spec_arch(struct run_spec *s, const char *text, struct err *e);

static inline bool spec_has_health(const struct run_spec *s)
{
	return s->health.n > 1;
}

/* A volume's text HOST:PATH[:ro] taken apart. */
struct run_volume {
	char host[512], path[512];
	bool ro;
};

int spec_volume(const char *text, struct run_volume *v, struct err *e);

/* A port's text [ADDRESS:]HOST:GUEST[/udp] taken apart. */
struct run_port {
	char addr[16];
	u16 host, guest;
	bool udp;
};

int spec_port(const char *text, struct run_port *p, struct err *e);

/* What --network says: KIND, or NAME[,ip=ADDRESS] of a named network. */
struct run_network {
	char name[RUN_NAME_MAX]; /* of the network; "user", "none" and "host" are kinds */
	char ip[16];		 /* the address asked for, empty: any */
	bool named;
};

int spec_network(const struct run_spec *s, struct run_network *n, struct err *e);
/* Is it the kind user, none or host? */
bool spec_network_is(const struct run_spec *s, const char *kind);
/* Letters, digits and -._ that start with a letter or digit, shorter than RUN_NAME_MAX. */
int spec_name(const char *what, const char *name, struct err *e);

/* The bounding set: the default or all, plus cap_add, minus cap_drop. */
int spec_caps(const struct run_spec *s, u64 *caps, struct err *e);

/* Is "no-new-privileges" on? It is unless --security-opt says no-new-privileges=false. */
bool spec_no_new_privs(const struct run_spec *s);

/* Checks what belongs together and every text that is taken apart later. */
int spec_check(const struct run_spec *s, struct err *e);

/* Signal by name, with or without SIG, or number; 0: there is none. */
int spec_signal(const char *text);

#endif
