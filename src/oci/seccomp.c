/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/seccomp.h"

#include "base/hash.h"
#include "oci/sys.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

struct name {
	const char *name;
	u32 value;
};

static const struct name actions[] = {
	{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
	{"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0)},
	{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
	{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
	{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
	{"SCMP_ACT_LOG", SCMP_ACT_LOG},
	{"SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY},
	{"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0)},
	{"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
};

static const struct name operators[] = {
	{"SCMP_CMP_EQ", SCMP_CMP_EQ}, {"SCMP_CMP_GE", SCMP_CMP_GE},
	{"SCMP_CMP_GT", SCMP_CMP_GT}, {"SCMP_CMP_LE", SCMP_CMP_LE},
	{"SCMP_CMP_LT", SCMP_CMP_LT}, {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
	{"SCMP_CMP_NE", SCMP_CMP_NE},
};

static const struct name arches[] = {
	{"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
	{"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
	{"SCMP_ARCH_MIPS", SCMP_ARCH_MIPS},
	{"SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64},
	{"SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32},
	{"SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL},
	{"SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64},
	{"SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32},
	{"SCMP_ARCH_PARISC", SCMP_ARCH_PARISC},
	{"SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64},
	{"SCMP_ARCH_PPC", SCMP_ARCH_PPC},
	{"SCMP_ARCH_PPC64", SCMP_ARCH_PPC64},
	{"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE},
	{"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64},
	{"SCMP_ARCH_S390", SCMP_ARCH_S390},
	{"SCMP_ARCH_S390X", SCMP_ARCH_S390X},
	{"SCMP_ARCH_X32", SCMP_ARCH_X32},
	{"SCMP_ARCH_X86", SCMP_ARCH_X86},
	{"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
};

static const struct name flags[] = {
	{"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
	{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
	{"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
	{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
};

static const struct name *find(const struct name *t, size_t n, const char *name)
{
	for (size_t i = 0; name && i < n; i++)
		if (!strcmp(t[i].name, name))
			return &t[i];
	return NULL;
}

#define FIND(table, name) find(table, ARRAY_LEN(table), name)

static const char *str(json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* An action with its errno or trace value put in. */
static int parse_action(const char *name, json_t *errno_ret, u32 *out, struct err *e)
{
	const struct name *a = FIND(actions, name);
	u32 ret = json_is_number(errno_ret) ? (u32)json_number_value(errno_ret) : EPERM;

	if (!a)
		return err_set(e, EINVAL, "config: linux.seccomp: unknown action \"%.60s\"",
			       name ? name : "(none)");
	*out = a->value;
	if (a->value == SCMP_ACT_ERRNO(0))
		*out = SCMP_ACT_ERRNO(ret);
	else if (a->value == SCMP_ACT_TRACE(0))
		*out = SCMP_ACT_TRACE(ret);
	else if (errno_ret && !json_is_null(errno_ret))
		return err_set(e, EINVAL, "config: linux.seccomp: errnoRet given but action is %s",
			       name);
	return 0;
}

static u64 number(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	if (json_is_integer(v))
		return (u64)json_integer_value(v);
	return json_real_value(v) >= 0x1p64 ? UINT64_MAX : (u64)json_real_value(v);
}

/* Up to 6 conditions; *split: an argument has two, which only separate rules can say. */
static int parse_args(json_t *args, struct scmp_arg_cmp *out, unsigned *n, bool *split,
		      struct err *e)
{
	unsigned seen = 0;
	size_t i;
	json_t *a;

	*n = 0;
	*split = false;
	if (json_array_size(args) > 12)
		return err_set(e, EINVAL, "config: linux.seccomp: more than 12 args in a rule");
	json_array_foreach(args, i, a)
	{
		const struct name *op = FIND(operators, str(a, "op"));
		u64 index = number(a, "index");

		if (!op || index > 5)
			return err_set(
				e, EINVAL,
				"config: linux.seccomp: bad argument filter (op %.40s, index "
				"%llu)",
				str(a, "op") ? str(a, "op") : "(none)", (unsigned long long)index);
		*split |= (seen & 1u << index) != 0;
		seen |= 1u << index;
		out[(*n)++] = (struct scmp_arg_cmp){(unsigned)index, (enum scmp_compare)op->value,
						    number(a, "value"), number(a, "valueTwo")};
	}
	return 0;
}

static int add_rule(scmp_filter_ctx ctx, u32 action, int nr, const struct scmp_arg_cmp *args,
		    unsigned n, bool split)
{
	int ret = 0;

	if (!split)
		return seccomp_rule_add_array(ctx, action, nr, n, args);
	for (unsigned i = 0; i < n && !ret; i++)
		ret = seccomp_rule_add_array(ctx, action, nr, 1, &args[i]);
	return ret;
}

static int add_syscalls(scmp_filter_ctx ctx, json_t *entry, u32 def, struct seccomp_prog *out,
			struct err *e)
{
	struct scmp_arg_cmp args[12] = {0};
	json_t *names = json_object_get(entry, "names"), *name;
	unsigned n = 0;
	bool split = false;
	u32 action = 0;
	size_t i;
	int ret =
		parse_action(str(entry, "action"), json_object_get(entry, "errnoRet"), &action, e);

	if (!ret)
		ret = parse_args(json_object_get(entry, "args"), args, &n, &split, e);
	if (ret)
		return ret;
	if (!json_is_array(names) || !json_array_size(names))
		return err_set(e, EINVAL, "config: linux.seccomp: a rule needs names");
	if (action == SCMP_ACT_NOTIFY)
		out->notify = true;
	if (action == def)
		return 0;
	json_array_foreach(names, i, name)
	{
		const char *s = json_string_value(name);
		int nr = s ? seccomp_syscall_resolve_name(s) : __NR_SCMP_ERROR;

		/* A call the kernel's headers of today do not know: the default applies. */
		if (nr == __NR_SCMP_ERROR)
			continue;
		if (action == SCMP_ACT_NOTIFY && nr == SCMP_SYS(write))
			return err_set(e, EINVAL,
				       "SCMP_ACT_NOTIFY cannot be used for the write syscall");
		ret = add_rule(ctx, action, nr, args, n, split);
		if (ret && ret != -EEXIST && ret != -EDOM)
			return err_set(e, -ret, "config: linux.seccomp: rule for %s: %s", s,
				       strerror(-ret));
	}
	return 0;
}

static int add_arches(scmp_filter_ctx ctx, json_t *list, struct err *e)
{
	json_t *a;
	size_t i;

	json_array_foreach(list, i, a)
	{
		const struct name *arch = FIND(arches, json_string_value(a));
		int ret;

		if (!arch)
			return err_set(e, EINVAL,
				       "config: linux.seccomp: unknown architecture \"%.60s\"",
				       json_string_value(a) ? json_string_value(a) : "");
		ret = seccomp_arch_add(ctx, arch->value);
		if (ret && ret != -EEXIST)
			return err_set(e, -ret, "config: linux.seccomp: architecture %s: %s",
				       arch->name, strerror(-ret));
	}
	return 0;
}

static int take_bpf(int fd, struct seccomp_prog *out, struct err *e)
{
	struct stat st;
	ssize_t size;

	if (fstat(fd, &st) || st.st_size == 0 || st.st_size > BPF_MAXINSNS * 8 ||
	    st.st_size % sizeof(struct sock_filter))
		return err_set(e, EINVAL, "seccomp filter of impossible size");
	size = st.st_size;
	out->v = malloc((size_t)size);
	if (!out->v || pread(fd, out->v, (size_t)size, 0) != size)
		return err_set(e, EIO, "cannot read the seccomp filter back");
	out->n = (unsigned short)((size_t)size / sizeof(struct sock_filter));
	return 0;
}

static int build(json_t *o, scmp_filter_ctx ctx, u32 def, struct seccomp_prog *out, struct err *e)
{
	json_t *entry, *list = json_object_get(o, "syscalls");
	int ret = add_arches(ctx, json_object_get(o, "architectures"), e), fd;
	size_t i;

	/* The container decides about no_new_privs, not the filter. */
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
	json_array_foreach(list, i, entry)
	{
		if (ret)
			return ret;
		ret = add_syscalls(ctx, entry, def, out, e);
	}
	if (ret)
		return ret;
	fd = memfd_create("seccomp", MFD_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "memfd_create");
	ret = seccomp_export_bpf(ctx, fd);
	ret = ret ? err_set(e, -ret, "seccomp filter: %s", strerror(-ret)) : take_bpf(fd, out, e);
	close(fd);
	return ret;
}

/* ---- calls newer than the profile --------------------------------------- */

/* The largest number that any rule of the profile has on that architecture, or -1. */
static int last_call(json_t *o, u32 arch)
{
	json_t *list = json_object_get(o, "syscalls"), *entry, *name;
	int last = -1, nr;
	size_t i, k;

	json_array_foreach(list, i, entry)
	{
		json_array_foreach(json_object_get(entry, "names"), k, name)
		{
			if (!json_is_string(name))
				continue;
			nr = seccomp_syscall_resolve_name_arch(arch, json_string_value(name));
			last = nr > last ? nr : last;
		}
	}
	return last;
}

#define STUB_LEN 6	    /* instructions an architecture */
#define X32_BIT 0x40000000u /* __X32_SYSCALL_BIT */

/*
 * In front of the filter: a call that no rule of the profile could have known is
 * answered with ENOSYS, so that libc goes on to an older one instead of taking
 * EPERM for an answer. x32 is left to the filter.
 */
static unsigned add_stub(struct sock_filter *f, u32 arch, int last)
{
	const struct sock_filter block[STUB_LEN] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch, 0, STUB_LEN - 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (u32)last, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};

	memcpy(f, block, sizeof(block));
	return STUB_LEN;
}

static int add_stubs(json_t *o, struct seccomp_prog *out, struct err *e)
{
	json_t *list = json_object_get(o, "architectures"), *a;
	struct sock_filter *v =
		malloc((out->n + (json_array_size(list) + 1) * STUB_LEN) * sizeof(*v));
	u32 native = seccomp_arch_native();
	unsigned n = 0;
	size_t i;
	int last;

	if (!v)
		return err_set(e, ENOMEM, "seccomp: out of memory");
	last = last_call(o, native);
	if (last >= 0)
		n = add_stub(v, native, last);
	json_array_foreach(list, i, a)
	{
		u32 arch = FIND(arches, json_string_value(a))->value;

		if (arch == native || arch == SCMP_ARCH_X32)
			continue;
		last = last_call(o, arch);
		if (last >= 0)
			n += add_stub(v + n, arch, last);
	}
	if (n + out->n > BPF_MAXINSNS) {
		free(v);
		return 0; /* a filter of that size does without */
	}
	memcpy(v + n, out->v, out->n * sizeof(*v));
	free(out->v);
	out->v = v;
	out->n = (unsigned short)(out->n + n);
	return 0;
}

/* What the profile does not name is refused, but not with an error of the profile's choice. */
static bool wants_stubs(json_t *o, u32 def)
{
	return def != SCMP_ACT_ALLOW && def != SCMP_ACT_LOG &&
	       (def & 0xffff0000u) != SCMP_ACT_TRACE(0) && number(o, "defaultErrnoRet") != ENOSYS &&
	       json_array_size(json_object_get(o, "syscalls"));
}

static int parse_flags(json_t *list, struct seccomp_prog *out, struct err *e)
{
	json_t *f;
	size_t i;

	/* As runc: without a "flags" member programs are not slowed down against speculation. */
	if (!list)
		out->flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	json_array_foreach(list, i, f)
	{
		const struct name *flag = FIND(flags, json_string_value(f));

		if (!flag)
			return err_set(e, EINVAL, "config: linux.seccomp: unknown flag \"%.60s\"",
				       json_string_value(f) ? json_string_value(f) : "");
		out->flags |= flag->value;
	}
	/* One thread loads it before exec: there is nobody to synchronize with. */
	out->flags &= ~(unsigned)SECCOMP_FILTER_FLAG_TSYNC;
	return 0;
}

/* ---- cache -------------------------------------------------------------- */

/*
 * A compiled filter under the hash of its JSON text, with the text itself in
 * front: {u32 text length, u32 notify, text, BPF}.
 */
#define CACHE_FORM "2" /* other than those of programs that compiled differently */

static void cache_name(const char *dir, const char *text, char *out, size_t size)
{
	snprintf(out, size, "%s/%016llx-" CACHE_FORM, dir, (unsigned long long)hash_text(text));
}

static bool cache_get(const char *file, const char *text, struct seccomp_prog *out)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t len, tlen = strlen(text);
	struct stat st;
	char *data;
	u32 head[2] = {0};
	bool ok;

	if (fd < 0)
		return false;
	ok = fstat(fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 022);
	data = ok ? fd_read_all(fd, 16 << 20, &len) : NULL;
	close(fd);
	if (!data)
		return false;
	ok = len > sizeof(head) + tlen;
	if (ok)
		memcpy(head, data, sizeof(head));
	ok = ok && head[0] == tlen && !memcmp(data + sizeof(head), text, tlen);
	len -= ok ? sizeof(head) + tlen : len;
	ok = ok && len % sizeof(struct sock_filter) == 0 &&
	     len / sizeof(struct sock_filter) <= BPF_MAXINSNS;
	out->v = ok ? malloc(len) : NULL;
	if (out->v) {
		memcpy(out->v, data + sizeof(head) + tlen, len);
		out->n = (unsigned short)(len / sizeof(struct sock_filter));
		out->notify = head[1] != 0;
	}
	free(data);
	return out->v != NULL;
}

static void cache_put(const char *dir, const char *file, const char *text,
		      const struct seccomp_prog *p)
{
	u32 head[2] = {(u32)strlen(text), p->notify};
	char tmp[4096];
	bool ok;
	int fd;

	if (snprintf(tmp, sizeof(tmp), "%s.%d", file, getpid()) >= (int)sizeof(tmp))
		return;
	mkdir(dir, 0700);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	ok = write(fd, head, sizeof(head)) == sizeof(head) &&
	     write(fd, text, head[0]) == (ssize_t)head[0] &&
	     write(fd, p->v, p->n * sizeof(*p->v)) == (ssize_t)(p->n * sizeof(*p->v));
	close(fd);
	if (!ok || rename(tmp, file))
		unlink(tmp);
}

/* ---- public ------------------------------------------------------------- */

static int compile_new(json_t *o, struct seccomp_prog *out, struct err *e)
{
	scmp_filter_ctx ctx;
	u32 def = 0;
	int ret = parse_action(str(o, "defaultAction"), json_object_get(o, "defaultErrnoRet"), &def,
			       e);

	if (ret)
		return ret;
	if (def == SCMP_ACT_NOTIFY)
		return err_set(e, EINVAL, "SCMP_ACT_NOTIFY cannot be used as default action");
	ctx = seccomp_init(def);
	if (!ctx)
		return err_set(e, ENOMEM, "seccomp: out of memory");
	ret = build(o, ctx, def, out, e);
	seccomp_release(ctx);
	return !ret && wants_stubs(o, def) ? add_stubs(o, out, e) : ret;
}

int seccomp_prog_compile(json_t *o, const char *cache, struct seccomp_prog *out, struct err *e)
{
	char file[4096], *text = NULL;
	int ret;

	*out = (struct seccomp_prog){0};
	if (!o || (!str(o, "defaultAction") && !json_array_size(json_object_get(o, "syscalls"))))
		return 0;
	out->listener = str(o, "listenerPath");
	out->metadata = str(o, "listenerMetadata");
	ret = parse_flags(json_object_get(o, "flags"), out, e);
	if (ret)
		return ret;
	if (cache)
		text = json_dumps(o, JSON_COMPACT);
	if (text)
		cache_name(cache, text, file, sizeof(file));
	if (!text || !cache_get(file, text, out)) {
		ret = compile_new(o, out, e);
		if (!ret && text)
			cache_put(cache, file, text, out);
	}
	free(text);
	if (!ret && out->notify && !out->listener)
		ret = err_set(e, EINVAL, "SCMP_ACT_NOTIFY needs a listenerPath");
	if (ret)
		seccomp_prog_free(out);
	return ret;
}

void seccomp_prog_free(struct seccomp_prog *p)
{
	free(p->v);
	p->v = NULL;
}

int seccomp_prog_load(const struct seccomp_prog *p, int *listener, struct err *e)
{
	struct sock_fprog prog = {.len = p->n, .filter = p->v};
	unsigned f = p->flags | (p->notify ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0);
	long ret;

	*listener = -1;
	if (!p->v)
		return 0;
	ret = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, f, &prog);
	if (ret < 0)
		return err_errno(e, "unable to load the seccomp filter");
	if (p->notify)
		*listener = (int)ret;
	return 0;
}

json_t *seccomp_names(const char *what)
{
	static const struct {
		const char *what;
		const struct name *t;
		size_t n;
	} tables[] = {{"actions", actions, ARRAY_LEN(actions)},
		      {"operators", operators, ARRAY_LEN(operators)},
		      {"archs", arches, ARRAY_LEN(arches)},
		      {"flags", flags, ARRAY_LEN(flags)}};
	json_t *a = json_array();

	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		for (size_t k = 0; !strcmp(tables[i].what, what) && k < tables[i].n; k++)
			json_array_append_new(a, json_string(tables[i].t[k].name));
	return a;
}
