// SPDX-License-Identifier: Apache-2.0
/* The language of Containerfiles: src/image/containerfile.c, ignore.c. */
#include "image/containerfile.h"
#include "image/doc.h"
#include "image/ignore.h"
#include "tests/test.h"

static const char *get(void *opaque, const char *name, size_t len)
{
	if (len == 1 && *name == 'A')
		return "aa bb";
	if (len == 5 && !strncmp(name, "EMPTY", 5))
		return "";
	return NULL;
}

static const struct cf_vars vars = {get, NULL, '\\'};

static void t_instructions(void)
{
	static const char text[] =
		"# a comment\n\n  from  base AS x  \nRUN echo \\\n# inside\n\n  more \\\n end\r\n"
		"copy --from=x --chown=1:2 a b\nCMD [\"a\", \"b c\"]\nCMD [not json]\n"
		"HEALTHCHECK NONE";
	struct containerfile f;

	CHECK(!containerfile_parse(text, strlen(text), &f, NULL));
	CHECK_EQ(f.n, 6);
	CHECK(!strcmp(f.v[0].name, "FROM") && !strcmp(f.v[0].args, "base AS x") &&
	      f.v[0].line == 3);
	CHECK(!strcmp(f.v[1].args, "echo   more  end") && f.v[1].line == 4);
	CHECK(!strcmp(cf_flag(&f.v[2], "from"), "x") && !strcmp(cf_flag(&f.v[2], "chown"), "1:2"));
	CHECK(!cf_flag(&f.v[2], "chmod") && !strcmp(f.v[2].args, "a b"));
	CHECK(f.v[3].exec && !strcmp(f.v[3].exec[1], "b c") && !f.v[3].exec[2]);
	CHECK(!f.v[4].exec && !strcmp(f.v[4].args, "[not json]"));
	containerfile_free(&f);
}

static void t_escape_directive(void)
{
	static const char text[] = "# Escape = `\nRUN a `\n b\nRUN c \\\n";
	struct containerfile f;

	CHECK(!containerfile_parse(text, strlen(text), &f, NULL));
	CHECK(f.escape == '`' && f.n == 2 && !strcmp(f.v[0].args, "a  b"));
	CHECK(!strcmp(f.v[1].args, "c \\"));
	containerfile_free(&f);
}

static void t_documents(void)
{
	static const char text[] = "RUN <<EOF\nset -e\n# no comment \\\n\techo $A\nEOF\n"
				   "RUN <<-'X' cat - \"<<no\" 3<<Y >/f\n\t\tone\n\tX\ntwo\nY\n"
				   "COPY <<\"A.txt\" <<b /d/\n$A\nA.txt\n\"$A\" \\$A ${A:-x}\nb\n"
				   "RUN echo $((1<<2)) <<< x; a << b\n"
				   "RUN <<E\n#! /bin/cat -n\nx\nE\nCMD x <<E";
	static const char *const open[] = {"RUN <<A\n", "RUN <<A\nA \n AB\n",
					   "COPY <<A <<B /x\nA\n"};
	struct containerfile f;
	char *s;

	CHECK(!containerfile_parse(text, strlen(text), &f, NULL));
	CHECK_EQ(f.n, 6);
	CHECK(!strcmp(f.v[0].args, "set -e\n# no comment \\\n\techo $A\n"));
	CHECK(!strcmp(f.v[1].args, "<<-'X' cat - \"<<no\" 3<<Y >/f\none\nX\ntwo\nY"));
	CHECK_EQ(f.v[1].ndocs, 2);
	CHECK(f.v[2].ndocs == 2 && !f.v[2].docs[0].expand && f.v[2].docs[1].expand);
	CHECK(!strcmp(f.v[2].docs[0].name, "A.txt") && !strcmp(f.v[2].docs[0].text, "$A\n"));
	CHECK(!cf_expand_text(f.v[2].docs[1].text, &vars, &s, NULL));
	CHECK(!strcmp(s, "\"aa bb\" $A aa bb\n"));
	free(s);
	CHECK(!f.v[3].ndocs && !f.v[5].ndocs);
	CHECK(!strcmp(f.v[4].args,
		      "exec /bin/cat -n /proc/self/fd/3 3<<'E'\n#! /bin/cat -n\nx\nE"));
	containerfile_free(&f);
	for (unsigned i = 0; i < ARRAY_LEN(open); i++) {
		CHECK(containerfile_parse(open[i], strlen(open[i]), &f, NULL) < 0);
		containerfile_free(&f);
	}
}

static void t_refused(void)
{
	char *big = calloc(1, CONTAINERFILE_MAX + 1);
	struct containerfile f;

	CHECK(big);
	CHECK(containerfile_parse("RUN a\0b", 7, &f, NULL) < 0);
	containerfile_free(&f);
	memset(big, 'a', CONTAINERFILE_MAX + 1);
	CHECK(containerfile_parse(big, CONTAINERFILE_MAX + 1, &f, NULL) < 0);
	containerfile_free(&f);
	for (size_t i = 0; i < CONTAINERFILE_MAX; i += 2)
		memcpy(big + i, "A\n", 2);
	CHECK(containerfile_parse(big, CONTAINERFILE_MAX, &f, NULL) < 0);
	containerfile_free(&f);
	free(big);
}

static const struct {
	const char *in, *out[4];
} words[] = {
	{"a b\tc", {"a", "b", "c"}},
	{"'a b' \"c d\"", {"a b", "c d"}},
	{"$A x$A", {"aa bb", "xaa bb"}},
	{"'$A' \\$A", {"$A", "$A"}},
	{"${A}x ${NO}y", {"aa bbx", "y"}},
	{"${NO:-d} ${A:-d}", {"d", "aa bb"}},
	{"${A:+s} ${NO:+s}e", {"s", "e"}},
	{"${EMPTY:-d}", {"d"}},
	{"a\\ b", {"a b"}},
	{"\"a\\\"b\"", {"a\"b"}},
	{"'' x", {"", "x"}},
	{"$ 5$", {"$", "5$"}},
	{"   ", {NULL}},
};

static void t_words(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		unsigned n = 0;
		char **list;

		CHECK(!cf_words(words[i].in, &vars, &list, NULL));
		for (; words[i].out[n]; n++)
			CHECK(list[n] && !strcmp(list[n], words[i].out[n]));
		CHECK(!list[n]);
		list_free(list);
	}
}

static void t_bad_words(void)
{
	static const char *const bad[] = {"\"a", "'a", "${A", "${}", "${A?x}", "${1}"};

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		char **list;

		CHECK(cf_words(bad[i], &vars, &list, NULL) < 0 && !list);
	}
}

static void t_durations(void)
{
	static const char *const bad[] = {"",	"5", "x", "-1s", "1s2", "1y", "99999999999999h",
					  "nan"};
	u64 ns;

	CHECK(!cf_duration("1m30s", &ns, NULL) && ns == 90000000000u);
	CHECK(!cf_duration("1.5h", &ns, NULL) && ns == 5400000000000u);
	CHECK(!cf_duration("10ms5us", &ns, NULL) && ns == 10005000);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(cf_duration(bad[i], &ns, NULL) < 0);
}

static void t_globs(void)
{
	CHECK(glob_match("*.txt", "a.txt") && !glob_match("*.txt", "d/a.txt"));
	CHECK(glob_match("**/a", "x/y/a") && glob_match("**/a", "a") && glob_match("**", "x/y"));
	CHECK(glob_match("a?c", "abc") && !glob_match("a?c", "a/c"));
	CHECK(glob_match("[a-c]x", "bx") && !glob_match("[^a-c]x", "bx") &&
	      glob_match("[^a]", "b"));
	CHECK(glob_match("\\*", "*") && !glob_match("\\*", "a"));
	CHECK(!glob_match("[", "a") && !glob_match("", "a") && glob_match("", ""));
	/* Costs bounded whatever the pattern. */
	CHECK(!glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
			  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static void t_ignore(void)
{
	static const char text[] = "# no\n*.log\n/dir/\n!dir/keep\n**/tmp\n  spaced  \n";
	struct ignore x;

	CHECK(!ignore_parse(text, strlen(text), &x, NULL));
	CHECK(ignore_match(&x, "a.log") && !ignore_match(&x, "s/a.log"));
	CHECK(ignore_match(&x, "dir") && ignore_match(&x, "dir/x") &&
	      !ignore_match(&x, "dir/keep"));
	CHECK(!ignore_match(&x, "dir/keep/y") && ignore_match(&x, "a/b/tmp/c"));
	CHECK(ignore_match(&x, "spaced") && !ignore_match(&x, "no") && ignore_may_hold(&x, "dir"));
	ignore_fini(&x);
}

int main(void)
{
	RUN(t_instructions);
	RUN(t_escape_directive);
	RUN(t_documents);
	RUN(t_refused);
	RUN(t_words);
	RUN(t_bad_words);
	RUN(t_durations);
	RUN(t_globs);
	RUN(t_ignore);
	return test_done();
}
