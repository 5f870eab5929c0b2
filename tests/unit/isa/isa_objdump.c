// SPDX-License-Identifier: Apache-2.0
/*
 * The decoder against an outside witness: GNU objdump. Length and mnemonic of
 * every instruction of installed libraries, and of random bytes in 64-, 32- and
 * 16-bit mode. Where the two may differ is listed, with the reason, in
 * explained(); anything else fails. Skipped when objdump is not installed.
 */
#include <ctype.h>
#include <unistd.h>

#include "isa/x86/insn.h"
#include "isa/x86/ops.h"
#include "tests/test.h"

#define RANDOM_BYTES (1u << 19)

struct line {
	unsigned long addr;
	u8 bytes[16];
	unsigned len;
	char text[200];
	char name[32];
};

static struct x86_insn in;
static unsigned compared, unexplained;

/* The mnemonic of objdump's text, past prefixes; "" if there is only a prefix. */
static void find_name(struct line *l)
{
	static const char *const skip[] = {"rep",     "repz",	  "repnz",    "lock",  "data16",
					   "data32",  "addr32",	  "addr16",   "cs",    "ds",
					   "es",      "ss",	  "fs",	      "gs",    "bnd",
					   "notrack", "xacquire", "xrelease", "{vex}", "{evex}"};
	char buf[sizeof(l->text)], *save, *w;

	strcpy(buf, l->text);
	l->name[0] = 0;
	for (w = strtok_r(buf, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		bool prefix = !strncmp(w, "rex", 3);

		for (unsigned i = 0; i < ARRAY_LEN(skip); i++)
			prefix |= !strcmp(w, skip[i]);
		if (!prefix) {
			snprintf(l->name, sizeof(l->name), "%.*s",
				 w[0] == '(' ? 31 : (int)strcspn(w, "("), w);
			return;
		}
	}
}

/* One line of objdump: "  addr:\thex bytes\ttext". */
static bool parse_line(const char *s, struct line *l)
{
	char *end;
	unsigned v;
	int used;

	while (*s == ' ')
		s++;
	l->addr = strtoul(s, &end, 16);
	if (end == s || end[0] != ':' || end[1] != '\t')
		return false;
	s = end + 2;
	for (l->len = 0; l->len < 16 && isxdigit(s[0]) && isxdigit(s[1]) && s[2] == ' '; s += 3) {
		if (sscanf(s, "%2x%n", &v, &used) != 1)
			return false;
		l->bytes[l->len++] = v;
	}
	while (*s == ' ' || *s == '\t')
		s++;
	snprintf(l->text, sizeof(l->text), "%.*s", (int)strcspn(s, "#<\n"), s);
	find_name(l);
	return l->len != 0;
}

static bool known_name(const char *name)
{
	for (unsigned i = 0; i < x86_nrows; i++)
		if (!strcmp(x86_rows[i].name, name))
			return true;
	return false;
}

/* True if s is `name` plus one letter or word that objdump appends for a size. */
static bool sized(const char *s, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(s, name, n) &&
	       (!s[n] || !strcmp(s + n, "64") || (strchr("wdq", s[n]) && !s[n + 1]));
}

/* Mnemonics that are one instruction under two names. */
static bool same_name(const char *hull, const char *obj)
{
	size_t n;

	if (sized(obj, hull))
		return true;
	if (!strcmp(hull, "mov") && !strcmp(obj, "movabs"))
		return true;
	if (!strcmp(hull, "nop") && (!strcmp(obj, "xchg") || !strncmp(obj, "bnd", 3)))
		return true; /* 66 90; MPX, which is NOPs without it */
	if (!strcmp(obj, "{bad}") || (!strcmp(hull, "callf") && !strncmp(obj, "call", 4)) ||
	    (!strcmp(hull, "jmpf") && !strncmp(obj, "jmp", 3)))
		return true;
	if (!strcmp(hull, "wrssd") || !strcmp(hull, "wrussd"))
		return !strncmp(obj, "wr", 2);
	if (!strncmp(hull, "iret", 4))
		return !strncmp(obj, "iret", 4);
	/* Comparisons and carry-less products with the predicate in the name. */
	n = strstr(hull, "cmp")	    ? (size_t)(strstr(hull, "cmp") - hull) + 3
	    : strstr(hull, "clmul") ? (size_t)(strstr(hull, "clmul") - hull) + 5
				    : 0;
	return n && !strncmp(hull, obj, n) && strlen(obj) > strlen(hull) - n &&
	       !strcmp(obj + strlen(obj) - (strlen(hull) - n), hull + n);
}

/* Does it decode without its 66, F2 and F3? objdump ignores those where they select nothing. */
static bool good_without_prefixes(const struct line *l, enum x86_mode mode)
{
	struct x86_insn bare;
	u8 b[16];
	unsigned n = 0;

	for (unsigned i = 0; i < l->len; i++)
		if (n || (l->bytes[i] != 0x66 && l->bytes[i] != 0xf2 && l->bytes[i] != 0xf3))
			b[n++] = l->bytes[i];
	return x86_decode(&bare, mode, b, n) == 0;
}

/* Is the first byte past prefixes one of VEX, EVEX or XOP? */
static bool vex_like(const struct line *l)
{
	unsigned i = 0;

	while (i < l->len && (strchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", l->bytes[i]) ||
			      (l->bytes[i] & 0xf0) == 0x40))
		i++;
	return i < l->len && (l->bytes[i] == 0xc4 || l->bytes[i] == 0xc5 || l->bytes[i] == 0x62 ||
			      l->bytes[i] == 0x8f);
}

/* hull takes it, objdump calls it bad. */
static bool explained_accept(enum x86_mode mode)
{
	return in.row->flags & X86_R_UNDOC || /* left out of objdump's tables */
	       in.repne || in.rep ||	      /* ignored prefixes that objdump wants meaningful */
	       in.row->op == X86_OP_LFENCE || in.row->op == X86_OP_MFENCE ||
	       in.row->op == X86_OP_SFENCE || /* any rm is a fence (SDM) */
	       (in.enc != X86_ENC_LEGACY && mode != X86_MODE_64);
}

/* hull rejects it, objdump prints it. */
static bool explained_reject(const struct line *l, enum x86_mode mode)
{
	char base[32];

	snprintf(base, sizeof(base), "%s", l->name);
	if (strlen(base) > 2 && !known_name(base) && strchr("wdq", base[strlen(base) - 1]))
		base[strlen(base) - 1] = 0;
	if (strstr(l->text, "lock") ||
	    vex_like(l)) /* objdump checks neither LOCK nor most reserved bits */
		return true;
	if (!known_name(base) || !strcmp(l->name, "aadd")) /* extensions hull does not offer */
		return true;
	/* Segment, control and test registers that do not exist, CS; a ModRM.reg that must be 0. */
	if (!strcmp(base, "mov") || !strcmp(base, "extrq"))
		return true;
	if (mode != X86_MODE_64 &&
	    (!strcmp(base, "swapgs") || strstr(base, "fsbase") || strstr(base, "gsbase")))
		return true;
	return good_without_prefixes(l, mode);
}

static bool explained(const struct line *l, enum x86_mode mode, int ret)
{
	if (!l->name[0] || strchr(".(", l->name[0]) == l->name)
		return ret || !l->name[0] || l->name[0] == '.' || explained_accept(mode) ||
		       in.row->op == X86_OP_FWAIT;
	if (strstr(l->text, "bad"))
		return true; /* objdump gave up in the middle */
	if (ret)
		return explained_reject(l, mode);
	if (in.row->op == X86_OP_FWAIT || in.row->op == X86_OP_PAUSE || in.row->op == X86_OP_NOP ||
	    in.row->op == X86_OP_XCHG)
		return true; /* 9b joined with the next one; F3 REX.B 90; MPX */
	/* Intel's 64-bit mode ignores 66 before near branches; objdump shows AMD's reading. */
	if (in.row->cls == X86_C_BRANCH && in.p66 && mode == X86_MODE_64)
		return true;
	return in.len == l->len && same_name(in.row->name, l->name);
}

/* The names that depend on a size are the disassembler's. */
static bool agrees(const struct line *l)
{
	char text[200], *name = text;

	x86_disasm(&in, l->addr, text, sizeof(text));
	while (!strncmp(name, "rep ", 4) || !strncmp(name, "repz ", 5) ||
	       !strncmp(name, "repnz ", 6) || !strncmp(name, "lock ", 5))
		name = strchr(name, ' ') + 1;
	name[strcspn(name, " ")] = 0;
	return in.len == l->len && !strcmp(name, l->name);
}

static void compare(const struct line *l, enum x86_mode mode, const u8 *bytes, size_t n)
{
	int ret = x86_decode(&in, mode, bytes, n);

	compared++;
	if ((!ret && agrees(l)) || explained(l, mode, ret))
		return;
	if (unexplained++ < 20)
		printf("# mode %u: %02x %02x %02x %02x %02x %02x: objdump \"%s\" length %u; hull "
		       "%s length %u\n",
		       mode, bytes[0], l->bytes[1], l->bytes[2], l->bytes[3], l->bytes[4],
		       l->bytes[5], l->text, l->len, ret ? "(error)" : in.row->name, in.len);
}

static bool have_objdump(void)
{
	return system("objdump --version >/dev/null 2>&1") == 0;
}

/* Run objdump and compare every line; `image` is the flat file's content, or NULL. */
static void compare_all(const char *cmd, enum x86_mode mode, const u8 *image, size_t size)
{
	char s[512];
	struct line l;
	FILE *f = popen(cmd, "r");

	if (!f)
		return;
	while (fgets(s, sizeof(s), f)) {
		if (!parse_line(s, &l))
			continue;
		if (image && l.addr < size)
			compare(&l, mode, image + l.addr, size - l.addr);
		else if (!image)
			compare(&l, mode, l.bytes, l.len);
	}
	pclose(f);
}

static void t_libraries(void)
{
	static const char *const libs[] = {"/lib/x86_64-linux-gnu/libc.so.6",
					   "/lib/x86_64-linux-gnu/libm.so.6"};
	char cmd[256];

	if (!have_objdump())
		SKIP("objdump is not installed");
	compared = unexplained = 0;
	for (unsigned i = 0; i < ARRAY_LEN(libs); i++) {
		snprintf(cmd, sizeof(cmd),
			 "objdump -d -j .text -M intel -w --insn-width=16 %s 2>/dev/null", libs[i]);
		compare_all(cmd, X86_MODE_64, NULL, 0);
	}
	if (!compared)
		SKIP("no library found to disassemble");
	CHECK(compared > 100000);
	CHECK_EQ(unexplained, 0);
}

static u32 random_next(u32 *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s;
}

/*
 * Random bytes with escapes and prefixes more frequent than chance gives them,
 * and ten NOPs after each draw so that objdump falls into step again.
 */
static void fill_random(u8 *b, size_t n)
{
	static const u8 prefix[] = {0x66, 0xf2, 0xf3, 0x48, 0x41, 0x67, 0x64, 0xf0};
	static const u8 second[] = {0x38, 0x3a};
	u32 s = 12345;
	size_t i = 0;

	while (i + 40 < n) {
		u32 r = random_next(&s);

		if (r & 1)
			b[i++] = prefix[r >> 1 & 7];
		if (r & 16)
			b[i++] = prefix[r >> 5 & 7];
		switch (r >> 8 & 7) {
		case 0:
		case 1:
			b[i++] = 0x0f;
			break;
		case 2:
			b[i++] = 0x0f;
			b[i++] = second[r >> 11 & 1];
			break;
		case 3: /* a well-formed VEX: vvvv often unused */
			b[i++] = 0xc4;
			b[i++] = 0xe0 | (1 + (r >> 12) % 3);
			b[i++] = (r >> 20 & 0x87) | (r & 1 << 19 ? 0x78 : r >> 12 & 0x78);
			break;
		case 4: /* and EVEX */
			b[i++] = 0x62;
			b[i++] = 0xf0 | (1 + (r >> 12) % 3);
			b[i++] = (r >> 20 & 0x83) | 4 | (r & 1 << 19 ? 0x78 : r >> 12 & 0x78);
			b[i++] = 8 | (r >> 24 & 0x60) | (r >> 15 & 0x17);
			break;
		}
		for (unsigned k = 0; k < 8; k++)
			b[i++] = random_next(&s) >> 11;
		for (unsigned k = 0; k < 10; k++)
			b[i++] = 0x90;
	}
	memset(b + i, 0x90, n - i);
}

static void t_random(void)
{
	static const char *const mach[] = {
		[X86_MODE_16] = "i8086", [X86_MODE_32] = "i386", [X86_MODE_64] = "i386:x86-64"};
	char path[] = "/tmp/isa_objdump.XXXXXX", cmd[256];
	u8 *b = malloc(RANDOM_BYTES);
	int fd;

	if (!have_objdump())
		SKIP("objdump is not installed");
	fd = mkstemp(path);
	CHECK(fd >= 0 && b);
	fill_random(b, RANDOM_BYTES);
	CHECK_EQ(write(fd, b, RANDOM_BYTES), RANDOM_BYTES);
	close(fd);
	compared = unexplained = 0;
	for (unsigned m = X86_MODE_16; m <= X86_MODE_64; m++) {
		snprintf(cmd, sizeof(cmd),
			 "objdump -D -b binary -m %s -M intel -w --insn-width=16 %s", mach[m],
			 path);
		compare_all(cmd, m, b, RANDOM_BYTES);
	}
	unlink(path);
	free(b);
	CHECK(compared > 100000);
	CHECK_EQ(unexplained, 0);
}

int main(void)
{
	RUN(t_libraries);
	RUN(t_random);
	return test_done();
}
