/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* include/uapi/linux/capability.h, in the order of their numbers. */
static const char *const names[OCI_CAPS_KNOWN] = {
	"CHOWN",
	"DAC_OVERRIDE",
	"DAC_READ_SEARCH",
	"FOWNER",
	"FSETID",
	"KILL",
	"SETGID",
	"SETUID",
	"SETPCAP",
	"LINUX_IMMUTABLE",
	"NET_BIND_SERVICE",
	"NET_BROADCAST",
	"NET_ADMIN",
	"NET_RAW",
	"IPC_LOCK",
	"IPC_OWNER",
	"SYS_MODULE",
	"SYS_RAWIO",
	"SYS_CHROOT",
	"SYS_PTRACE",
	"SYS_PACCT",
	"SYS_ADMIN",
	"SYS_BOOT",
	"SYS_NICE",
	"SYS_RESOURCE",
	"SYS_TIME",
	"SYS_TTY_CONFIG",
	"MKNOD",
	"LEASE",
	"AUDIT_WRITE",
	"AUDIT_CONTROL",
	"SETFCAP",
	"MAC_OVERRIDE",
	"MAC_ADMIN",
	"SYSLOG",
	"WAKE_ALARM",
	"BLOCK_SUSPEND",
	"AUDIT_READ",
	"PERFMON",
	"BPF",
	"CHECKPOINT_RESTORE",
};

int oci_cap_by_name(const char *name)
{
	if (!strncasecmp(name, "CAP_", 4))
		name += 4;
	for (int i = 0; i < OCI_CAPS_KNOWN; i++)
		if (!strcasecmp(name, names[i]))
			return i;
	return -1;
}

const char *oci_cap_name(int cap)
{
	return cap >= 0 && cap < OCI_CAPS_KNOWN ? names[cap] : NULL;
}

int oci_caps_apply_bounding(const struct oci_caps *c, struct err *e)
{
	for (int i = 0; i < 64; i++) {
		if (c->bounding & 1ull << i)
			continue;
		if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL) /* past the kernel's last capability */
			break;
		/* Without CAP_SETPCAP it stays; that matters only if it is there. */
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			return err_errno(e, "drop capability %s from the bounding set",
					 i < OCI_CAPS_KNOWN ? names[i] : "(new)");
	}
	return 0;
}

static int set(u64 effective, u64 permitted, u64 inheritable)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {
		{(u32)effective, (u32)permitted, (u32)inheritable},
		{(u32)(effective >> 32), (u32)(permitted >> 32), (u32)(inheritable >> 32)},
	};

	return (int)syscall(SYS_capset, &h, d);
}

int oci_caps_apply(const struct oci_caps *c, u64 *refused, struct err *e)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {0};
	u64 have, permitted, inheritable;

	*refused = 0;
	if (syscall(SYS_capget, &h, d))
		return err_errno(e, "capget");
	have = d[0].permitted | (u64)d[1].permitted << 32;
	permitted = c->permitted & have;
	inheritable = c->inheritable & have;
	if (set(c->effective & permitted, permitted, inheritable))
		return err_errno(e, "unable to set capabilities");
	/* The ambient set is empty unless asked for; it is what survives exec of a non-root user.
	 */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) && errno != EINVAL)
		return err_errno(e, "clear ambient capabilities");
	for (int i = 0; i < 64; i++) {
		if (!(c->ambient & 1ull << i))
			continue;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0))
			*refused |= 1ull << i;
	}
	return 0;
}
