/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a Containerfile: instructions, flags, words, variables. Knows the
 * language (Dockerfile reference), not what instructions do (image/build.c).
 * Pure.
 */
#ifndef HULL_IMAGE_CONTAINERFILE_H
#define HULL_IMAGE_CONTAINERFILE_H

#include "host/err.h"

#define CONTAINERFILE_MAX MIB(1)
#define CF_MAX_INSTRUCTIONS 2000u
#define CF_MAX_FLAGS 8u
#define CF_MAX_DOCS 8u

struct cf_flag {
	char *name, *value; /* "--from=x": "from", "x"; a bare flag: value "" */
};

/* A here-document of RUN, COPY or ADD: "<<NAME", "<<-NAME" (tabs in front of lines are gone),
 * "<<'NAME'". */
struct cf_doc {
	char *name, *text; /* letters, digits, "_.-", not "." first; whole lines */
	bool expand;	   /* the name was not quoted */
};

struct cf_instruction {
	unsigned line; /* where it begins, from 1 */
	char name[16]; /* upper case */
	char *args;  /* all after the flags, continuation lines joined; of RUN with its documents */
	char **exec; /* args as a JSON array of strings, NULL if they are none */
	struct cf_flag flags[CF_MAX_FLAGS];
	unsigned nflags;
	struct cf_doc docs[CF_MAX_DOCS];
	unsigned ndocs;
};

struct containerfile {
	struct cf_instruction *v;
	unsigned n;
	char escape; /* '\\', or '`' by the directive */
};

/* Parses the text. containerfile_free also after errors. */
int containerfile_parse(const char *text, size_t len, struct containerfile *out, struct err *e);
void containerfile_free(struct containerfile *c);

/* The flag's value, or NULL. */
const char *cf_flag(const struct cf_instruction *x, const char *name);

struct cf_vars {
	/* The value of a variable, or NULL when unset. */
	const char *(*get)(void *opaque, const char *name, size_t len);
	void *opaque;
	char escape;
};

/*
 * Splits into words as a shell would: quotes, escapes, $NAME, ${NAME},
 * ${NAME:-word}, ${NAME:+word}; nothing is split or globbed after expansion.
 * vars->get NULL: $ stands for itself. A list for list_free.
 */
int cf_words(const char *text, const struct cf_vars *vars, char ***out, struct err *e);
/* The same as one word, blanks kept; free(). */
int cf_expand(const char *text, const struct cf_vars *vars, char **out, struct err *e);

/* Variables in a here-document: quotes stand for themselves, an escaped $ for $; free(). */
int cf_expand_text(const char *text, const struct cf_vars *vars, char **out, struct err *e);

/* "1h2m3.5s", "100ms" in nanoseconds. */
int cf_duration(const char *text, u64 *out, struct err *e);

#endif
