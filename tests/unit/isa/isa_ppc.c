// SPDX-License-Identifier: Apache-2.0
/*
 * The POWER decoder and disassembler: known words, the table's own consistency,
 * and GNU objdump as the outside witness on an installed ppc64el C library and
 * on random words of every form. What may differ is listed in explained().
 */
#include <unistd.h>

#include "isa/ppc/tables.h"
#include "tests/test.h"

static u64 rng = 88172645463325252ULL;

static u32 random32(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (u32)(rng >> 16);
}

static void t_known_words(void)
{
	static const struct {
		u32 word;
		const char *text;
	} known[] = {
		{0x38600005, "addi r3,0,5"},
		{0x80610008, "lwz r3,8(r1)"},
		{0x4e800020, "bclr 20,lt,0"},
		{0x4e800421, "bcctrl 20,lt,0"},
		{0x7c642b78, "or r4,r3,r5"},
		{0x7c0004ac, "sync 0"},
		{0x7ca303a6, "mtspr 3,r5"},
		{0x7c8903a6, "mtspr 9,r4"},
		{0xf0642d3f, "xxsel vs35,vs36,vs37,vs52"},
		{0x00000000, ".long 0x0"},
	};
	char text[100];

	for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
		ppc_disasm(known[i].word, 0, text, sizeof(text));
		if (strcmp(text, known[i].text))
			printf("# %s\n", text);
		CHECK(!strcmp(text, known[i].text));
	}
}

/* Every word of a row decodes to that row, or to one that asks for more bits. */
static void t_rows(void)
{
	for (unsigned i = 0; i < ppc_nrows; i++)
		for (unsigned n = 0; n < 100; n++) {
			const struct ppc_row *r = &ppc_rows[i];
			u32 w = (random32() & ~r->mask) | r->value;
			const struct ppc_row *got = ppc_decode(w);

			CHECK(got != NULL && (r->value & ~r->mask) == 0);
			CHECK(got == r || (got->mask & r->mask) == r->mask);
		}
}

/* Reserved fields are ignored (Book I 1.3.3), but never where they tell instructions apart. */
static void t_reserved_fields(void)
{
	static const struct {
		u32 word;
		const char *text;
	} known[] = {
		{0x7ee1a474, "cnttzd r1,r23"},
		{0x7fd34034, "cntlzw r19,r30"},
		{0x7c0004ad, "sync 0"},
		{0x7f3e3035, "cntlzw. r30,r25"},
		{0x7c8903a7, "mtspr 9,r4"},
		{0xfc20102b, "fadd. f1,f0,f2"},
		{0xfc2010eb, "fadd. f1,f0,f2"},
		{0x7c00012c, ".long 0x7c00012c"}, /* stwcx, no dot */
	};
	char text[100];

	for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
		ppc_disasm(known[i].word, 0, text, sizeof(text));
		if (strcmp(text, known[i].text))
			printf("# %s\n", text);
		CHECK(!strcmp(text, known[i].text));
	}
	for (unsigned i = 0; i < ppc_nrows; i++)
		for (unsigned n = 0; n < 100; n++) {
			const struct ppc_row *r = &ppc_rows[i], *got;
			u32 w = (random32() & ~r->fixed) | (r->value & r->fixed);

			got = ppc_decode(w);
			CHECK(got != NULL && (got->fixed & r->fixed) == r->fixed);
			CHECK(ppc_decode(ppc_canonical(got, w)) == got ||
			      (got->mask & r->mask) != r->mask);
		}
}

static void t_text_is_bounded(void)
{
	char text[8] = "zzzzzzz";

	CHECK_EQ(ppc_disasm(0x38600005, 0, text, 5), 11);
	CHECK(!strcmp(text, "addi"));
	CHECK(text[5] == 'z');
}

static bool starts(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

/* objdump knows it and hull does not: not of ISA 2.07 and 3.0, or decimal floating point. */
static bool foreign(const char *obj)
{
	static const char *const names[] = {
		"attn", "hash",	  "icsw",   "dst",   "dss",   "eciwx",	"ecowx",  "pbt",
		"icbt", "mtsr",	  "mfsr",   "dcm",   "dctf",  "ddedpd", "denbcd", "diex",
		"dqua", "drintn", "drintx", "drrnd", "drsp",  "dscl",	"dscr",	  "dxex",
		"dadd", "ddiv",	  "dmul",   "dsub",  "dctdp", "dctqpq", "dtst",	  "dcffix",
		"dcbi", "rfi",	  "rfscv",  "dcba",  "lfdpx", "slbiag"};

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (starts(obj, names[i]))
			return true;
	return false;
}

static bool explained(const char *obj, const char *hull)
{
	static const char *const hints[] = {"mfcr ",   "slbmfe", "tend", "mcrfs", "dcbz",
					    "cpabort", "lwat",	 "ldat", "stwat", "stdat"};

	if (starts(obj, ".long"))
		return true;	   /* reserved values of operands, hints: objdump rejects them */
	if (starts(hull, ".long")) /* reserved bits that objdump ignores */
		return foreign(obj) || starts(obj, "isel ") || starts(obj, "cmp") ||
		       starts(obj, "lq ") || starts(obj, "xsrqp");
	for (unsigned i = 0; i < ARRAY_LEN(hints); i++)
		if (starts(obj, hints[i]))
			return true;
	/* Absolute branches to negative addresses: 32 bits in a raw file. */
	return strstr(hull, "0xffffffff") != NULL && starts(hull, "b");
}

/* One line: address, four bytes, text. The blanks of the text become one; 0x is taken away. */
static bool parse_line(const char *l, u64 *addr, u32 *word, char *text, size_t size)
{
	unsigned long a;
	unsigned b[4];
	int used = 0;
	size_t n = 0;

	if (sscanf(l, " %lx: %2x %2x %2x %2x %n", &a, b, b + 1, b + 2, b + 3, &used) != 5 || !used)
		return false;
	*addr = a;
	*word = b[3] << 24 | b[2] << 16 | b[1] << 8 | b[0];
	for (l += used; *l && *l != '<' && *l != '\n' && n + 2 < size; l++) {
		if (*l == ' ' || *l == '\t') {
			if (n && text[n - 1] != ' ')
				text[n++] = ' ';
		} else {
			text[n++] = *l;
		}
	}
	while (n && text[n - 1] == ' ')
		n--;
	text[n] = 0;
	return true;
}

static void strip_0x(char *s)
{
	for (char *p = s; (p = strstr(p, "0x"));)
		memmove(p, p + 2, strlen(p + 2) + 1);
}

static unsigned compare(const char *command, unsigned *wrong)
{
	char line[512], obj[256], hull[256];
	FILE *f = popen(command, "r");
	unsigned n = 0;
	u64 addr;
	u32 word;

	while (f && fgets(line, sizeof(line), f)) {
		if (!parse_line(line, &addr, &word, obj, sizeof(obj)))
			continue;
		ppc_disasm(word, addr, hull, sizeof(hull));
		n++;
		strip_0x(obj);
		if (!explained(obj, hull)) {
			strip_0x(hull);
			if (strcmp(obj, hull) && (*wrong)++ < 20)
				printf("# %08x: hull \"%s\", objdump \"%s\"\n", word, hull, obj);
		}
	}
	if (f)
		pclose(f);
	return n;
}

#define OBJDUMP "powerpc64le-linux-gnu-objdump"
#define LIBC "/usr/powerpc64le-linux-gnu/lib/libc.so.6"

static bool have_objdump(void)
{
	return system("command -v " OBJDUMP " >/dev/null 2>&1") == 0;
}

static void t_objdump_libc(void)
{
	unsigned wrong = 0;

	if (!have_objdump() || access(LIBC, R_OK))
		SKIP(OBJDUMP " or " LIBC " is not installed");
	CHECK(compare(OBJDUMP " -d -M power9,raw " LIBC " 2>/dev/null", &wrong) > 100000);
	CHECK_EQ(wrong, 0);
}

static void t_objdump_random(void)
{
	char name[] = "/tmp/hull-ppc-XXXXXX", command[200];
	unsigned wrong = 0;
	int fd;

	if (!have_objdump())
		SKIP(OBJDUMP " is not installed");
	fd = mkstemp(name);
	CHECK(fd >= 0);
	for (unsigned i = 0; i < ppc_nrows; i++)
		for (unsigned n = 0; n < 40; n++) {
			u32 w = (random32() & ~ppc_rows[i].mask) | ppc_rows[i].value;

			if (write(fd, &w, 4) != 4)
				wrong++;
		}
	close(fd);
	snprintf(command, sizeof(command),
		 OBJDUMP " -D -b binary -m powerpc:common64 -EL -M power9,raw %s", name);
	CHECK(compare(command, &wrong) > 20000);
	unlink(name);
	CHECK_EQ(wrong, 0);
}

int main(void)
{
	RUN(t_known_words);
	RUN(t_rows);
	RUN(t_reserved_fields);
	RUN(t_text_is_bounded);
	RUN(t_objdump_libc);
	RUN(t_objdump_random);
	return test_done();
}
