/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/PID/exe of the runtime inside a container leads to the runtime's file
 * on the host; opened for writing later it is everybody's runtime
 * (CVE-2019-5736). So the program goes on from a private read-only mount of
 * itself, of which that link is then a part; without the right to make one,
 * from a sealed copy in memory.
 */
#include "oci/mount.h"

#include <linux/memfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U /* include/uapi/linux/memfd.h, since 6.3 */
#endif

#define EXE "/proc/self/exe"
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static bool protected(void)
{
	struct statvfs fs;
	int fd, seals;

	if (statvfs(EXE, &fs) == 0 && fs.f_flag & ST_RDONLY)
		return true;
	/* A program its user cannot write needs nothing when he is not root. */
	if (geteuid() && access(EXE, W_OK))
		return true;
	fd = open(EXE, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	seals = fcntl(fd, F_GET_SEALS);
	close(fd);
	return seals >= 0 && (seals & SEALS) == SEALS;
}

static int sealed_copy(const char *path, struct err *e)
{
	int in = open(path, O_RDONLY | O_CLOEXEC), out;
	struct stat st;
	off_t left;
	ssize_t n = 1;

	if (in < 0 || fstat(in, &st))
		return err_errno(e, "open %s", path);
	out = memfd_create("hull-oci", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (out < 0 && errno == EINVAL)
		out = memfd_create("hull-oci", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	for (left = st.st_size; out >= 0 && left > 0 && n > 0; left -= n)
		n = sendfile(out, in, NULL, (size_t)left);
	if (out < 0 || left > 0 || fcntl(out, F_ADD_SEALS, SEALS)) {
		err_errno(e, "make a sealed copy of %s", path);
		fd_close(&out);
		out = -EIO;
	}
	close(in);
	return out;
}

int oci_program_open(const char *path, struct err *e)
{
	int fd = mount_clone(AT_FDCWD, path, false, false);

	if (fd >= 0 && mount_set(fd, false, MOUNT_ATTR_RDONLY, 0, 0))
		fd_close(&fd);
	return fd < 0 ? sealed_copy(path, e) : fd;
}

int oci_protect_program(char **argv, struct err *e)
{
	int fd;

	if (protected()) {
		/* After execveat by descriptor the kernel may call us by its number. */
		prctl(PR_SET_NAME, "hull-oci", 0, 0, 0);
		return 0;
	}
	fd = oci_program_open(EXE, e);
	if (fd < 0)
		return fd;
	syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
	err_errno(e, "start this program's protected copy");
	close(fd);
	return -EIO;
}
