/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V IPC: the one call of POWER's C library (Linux ipc/syscall.c) and the
 * separate ones, and the two structures of asm/sembuf.h and asm/shmbuf.h whose
 * members stand in another order. struct ipc64_perm and struct msqid64_ds are
 * alike on both sides.
 */
#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "foreign/calls.h"

enum { IPC_64_FLAG = 0x100 }; /* linux/ipc.h IPC_64: the structures are the newer ones; always so */

/* linux/ipc.h: what the one call can do */
enum ipc_call {
	SEMOP = 1,
	SEMGET = 2,
	SEMCTL = 3,
	SEMTIMEDOP = 4,
	MSGSND = 11,
	MSGRCV = 12,
	MSGGET = 13,
	MSGCTL = 14,
	SHMAT = 21,
	SHMDT = 22,
	SHMGET = 23,
	SHMCTL = 24,
};

struct perm { /* struct ipc64_perm */
	u32 word[8];
	u64 unused[2];
};

struct sem_ppc { /* asm/sembuf.h */
	struct perm perm;
	u64 otime, ctime, nsems, unused[2];
};
struct sem_host {
	struct perm perm;
	u64 otime, unused1, ctime, unused2, nsems, unused3[2];
};

struct shm_ppc { /* asm/shmbuf.h */
	struct perm perm;
	u64 atime, dtime, ctime, segsz;
	u32 cpid, lpid;
	u64 nattch, unused[2];
};
struct shm_host {
	struct perm perm;
	u64 segsz, atime, dtime, ctime;
	u32 cpid, lpid;
	u64 nattch, unused[2];
};
static_assert(sizeof(struct perm) == 48 && sizeof(struct sem_ppc) == 88 &&
		      sizeof(struct shm_ppc) == 112,
	      "Linux arch/powerpc/include/uapi/asm");
static_assert(sizeof(struct sem_host) == sizeof(struct semid_ds) &&
		      sizeof(struct shm_host) == sizeof(struct shmid_ds),
	      "the host's");

static s64 sem_control(struct task *t, u64 id, u64 n, u64 cmd, u64 arg)
{
	struct sem_host h = {0};
	struct sem_ppc g;
	s64 ret;

	cmd &= ~(u64)IPC_64_FLAG;
	switch (cmd) {
	case IPC_SET:
		if (mem_read(t, &h.perm, arg, sizeof(h.perm)))
			return -EFAULT;
		return host_call(t, SYS_semctl, id, n, cmd, (u64)&h, 0, 0);
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY:
		ret = host_call(t, SYS_semctl, id, n, cmd, (u64)&h, 0, 0);
		if (ret < 0)
			return ret;
		g = (struct sem_ppc){h.perm, h.otime, h.ctime, h.nsems, {0}};
		return mem_write(t, arg, &g, sizeof(g)) ? -EFAULT : ret;
	default:
		return host_call(t, SYS_semctl, id, n, cmd, arg, 0, 0);
	}
}

static s64 shm_control(struct task *t, u64 id, u64 cmd, u64 arg)
{
	struct shm_host h = {0};
	struct shm_ppc g;
	s64 ret;

	cmd &= ~(u64)IPC_64_FLAG;
	switch (cmd) {
	case IPC_SET:
		if (mem_read(t, &h.perm, arg, sizeof(h.perm)))
			return -EFAULT;
		return host_call(t, SYS_shmctl, id, cmd, (u64)&h, 0, 0, 0);
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY:
		ret = host_call(t, SYS_shmctl, id, cmd, (u64)&h, 0, 0, 0);
		if (ret < 0)
			return ret;
		g = (struct shm_ppc){h.perm, h.atime, h.dtime,	h.ctime, h.segsz,
				     h.cpid, h.lpid,  h.nattch, {0}};
		return mem_write(t, arg, &g, sizeof(g)) ? -EFAULT : ret;
	default:
		return host_call(t, SYS_shmctl, id, cmd, arg, 0, 0, 0);
	}
}

/* Code in shared memory is not run: guest pages are never executable on the host. */
static s64 shm_attach(struct task *t, u64 id, u64 at, u64 flags)
{
	struct shmid_ds ds;
	s64 to = host_call(t, SYS_shmat, id, at, flags & ~(u64)SHM_EXEC, 0, 0, 0);

	if (to > 0 && !shmctl((int)id, IPC_STAT, &ds))
		mem_set_exec(t->sp, (u64)to, align_up((u64)to + ds.shm_segsz, FOREIGN_PAGE), false);
	return to;
}

s64 call_semctl(struct task *t, const u64 a[6])
{
	return sem_control(t, a[0], a[1], a[2], a[3]);
}

s64 call_shmctl(struct task *t, const u64 a[6])
{
	return shm_control(t, a[0], a[1], a[2]);
}

s64 call_msgctl(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_msgctl, a[0], a[1] & ~(u64)IPC_64_FLAG, a[2], 0, 0, 0);
}

s64 call_shmat(struct task *t, const u64 a[6])
{
	return shm_attach(t, a[0], a[1], a[2]);
}

/* ---- ipc(call, first, second, third, pointer, fifth) ---- */

static s64 ipc_sem(struct task *t, u32 call, const u64 a[6])
{
	u64 arg;

	switch (call) {
	case SEMOP:
		return host_call(t, SYS_semtimedop, a[1], a[4], a[2], 0, 0, 0);
	case SEMTIMEDOP:
		return host_call(t, SYS_semtimedop, a[1], a[4], a[2], a[5], 0, 0);
	case SEMGET:
		return host_call(t, SYS_semget, a[1], a[2], a[3], 0, 0, 0);
	default:
		if (!a[4])
			return -EINVAL;
		if (mem_read(t, &arg, a[4], sizeof(arg)))
			return -EFAULT;
		return sem_control(t, a[1], a[2], a[3], arg);
	}
}

static s64 ipc_msg(struct task *t, u32 call, u32 version, const u64 a[6])
{
	u64 kludge[2]; /* struct ipc_kludge: message and type */

	switch (call) {
	case MSGSND:
		return host_call(t, SYS_msgsnd, a[1], a[4], a[2], a[3], 0, 0);
	case MSGGET:
		return host_call(t, SYS_msgget, a[1], a[2], 0, 0, 0, 0);
	case MSGCTL:
		return call_msgctl(t, (const u64[6]){a[1], a[2], a[4]});
	default:
		if (version)
			return host_call(t, SYS_msgrcv, a[1], a[4], a[2], a[5], a[3], 0);
		if (!a[4])
			return -EINVAL;
		if (mem_read(t, kludge, a[4], sizeof(kludge)))
			return -EFAULT;
		return host_call(t, SYS_msgrcv, a[1], kludge[0], a[2], kludge[1], a[3], 0);
	}
}

s64 call_ipc(struct task *t, const u64 a[6])
{
	u32 call = (u32)a[0] & 0xffff, version = (u32)a[0] >> 16;
	s64 at;

	switch (call) {
	case SEMOP:
	case SEMGET:
	case SEMCTL:
	case SEMTIMEDOP:
		return ipc_sem(t, call, a);
	case MSGSND:
	case MSGRCV:
	case MSGGET:
	case MSGCTL:
		return ipc_msg(t, call, version, a);
	case SHMAT:
		if (version == 1)
			return -EINVAL;
		at = shm_attach(t, a[1], a[4], a[2]);
		if (at < 0 && at >= -4095)
			return at;
		return mem_write(t, a[3], &at, 8) ? -EFAULT : 0;
	case SHMDT:
		return host_call(t, SYS_shmdt, a[4], 0, 0, 0, 0, 0);
	case SHMGET:
		return host_call(t, SYS_shmget, a[1], a[2], a[3], 0, 0, 0);
	case SHMCTL:
		return shm_control(t, a[1], a[2], a[4]);
	default:
		return -ENOSYS;
	}
}
