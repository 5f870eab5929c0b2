/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull login` and `hull logout`.
 */
#include "cli/image.h"
#include "image/transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define SECRET_MAX 8192u

enum { LOGIN_USER, LOGIN_STDIN, LOGIN_TLS_VERIFY, LOGIN_AUTHFILE, LOGIN_CERT_DIR };

struct login_args {
	const char *user;
	bool from_stdin;
	struct image_registry_options r;
};

static int login_option(void *opaque, const struct cli_option *o, const char *value, struct err *e)
{
	struct login_args *a = opaque;

	switch (o->id) {
	case LOGIN_USER:
		a->user = value;
		return *value && !strchr(value, ':')
			       ? 0
			       : err_set(e, EINVAL, "--username: a name without a colon");
	case LOGIN_STDIN:
		a->from_stdin = true;
		return 0;
	case LOGIN_AUTHFILE:
		a->r.auth_file = value;
		return 0;
	case LOGIN_CERT_DIR:
		a->r.cert_dir = value;
		return 0;
	default:
		a->r.no_verify = !strcmp(value, "false");
		return a->r.no_verify || !strcmp(value, "true")
			       ? 0
			       : err_set(e, EINVAL, "--tls-verify %.20s: give true or false",
					 value);
	}
}

/* One line without its end; hidden: the terminal does not show it. */
static int ask(const char *prompt, bool hidden, char *out, size_t size, struct err *e)
{
	struct termios was, quiet;
	bool changed = false;
	char *got;

	if (isatty(0)) {
		fputs(prompt, stderr);
		if (hidden && tcgetattr(0, &was) == 0) {
			quiet = was;
			quiet.c_lflag &= ~(tcflag_t)ECHO;
			changed = tcsetattr(0, TCSAFLUSH, &quiet) == 0;
		}
	}
	got = fgets(out, (int)size, stdin);
	if (changed) {
		tcsetattr(0, TCSAFLUSH, &was);
		fputc('\n', stderr);
	}
	if (!got)
		return err_set(e, EINVAL, "nothing was given");
	out[strcspn(out, "\r\n")] = 0;
	return *out ? 0 : err_set(e, EINVAL, "nothing was given");
}

/* NAME:PASSWORD */
static int read_secret(const struct login_args *a, char *out, size_t size, struct err *e)
{
	size_t n = 0;
	int ret = 0;

	if (!a->from_stdin && !isatty(0))
		return err_set(e, EINVAL, "no terminal to ask for the password: --password-stdin");
	if (a->from_stdin && !a->user)
		return err_set(e, EINVAL, "--password-stdin needs --username");
	if (a->user)
		n = (size_t)snprintf(out, size, "%s", a->user);
	else
		ret = ask("Username: ", false, out, size / 2, e);
	if (ret)
		return ret;
	n = a->user ? n : strlen(out);
	if (n + 2 >= size || strchr(out, ':'))
		return err_set(e, EINVAL, "a user's name has no colon and fewer characters");
	out[n++] = ':';
	return ask("Password: ", true, out + n, size - n, e);
}

static int cmd_login(const struct cli_command *self, int argc, char **argv)
{
	struct login_args a = {0};
	struct cli_words w = {0};
	char secret[SECRET_MAX];
	struct err e = {0};
	int ret = cli_collect(self, argc, argv, login_option, &a, &w, &e);

	if (ret)
		return cli_parse_end(self, ret, &e);
	if (w.n != 1)
		ret = err_set(&e, EINVAL, "give the name of one registry, HOST[:PORT]");
	if (!ret)
		ret = read_secret(&a, secret, sizeof(secret), &e);
	a.r.creds = secret;
	if (!ret)
		ret = image_login(w.v[0], &a.r, &e);
	explicit_bzero(secret, sizeof(secret));
	if (!ret)
		printf("logged in at %s\n", w.v[0]);
	return ret ? cli_fail(self, &e) : CLI_OK;
}

static int cmd_logout(const struct cli_command *self, int argc, char **argv)
{
	struct login_args a = {0};
	struct cli_words w = {0};
	struct err e = {0};
	int ret = cli_collect(self, argc, argv, login_option, &a, &w, &e);

	if (ret)
		return cli_parse_end(self, ret, &e);
	if (w.n != 1)
		ret = err_set(&e, EINVAL, "give the name of one registry, HOST[:PORT]");
	if (!ret)
		ret = image_logout(w.v[0], a.r.auth_file, &e);
	return ret ? cli_fail(self, &e) : CLI_OK;
}

/* clang-format off */
static const struct cli_option login_options[] = {
	{.name = "username", .letter = 'u', .arg = "NAME", .id = LOGIN_USER, .help = "asked for if it is not given"},
	{.name = "password-stdin", .id = LOGIN_STDIN, .help = "the password is the first line of standard input"},
	{.name = "authfile", .arg = "FILE", .words = "@file", .id = LOGIN_AUTHFILE,
	 .help = "where it is kept; default $REGISTRY_AUTH_FILE, then Docker's config.json"},
	{.name = "tls-verify", .arg = "BOOL", .words = "true false", .id = LOGIN_TLS_VERIFY, .help = "false: any certificate, and plain http"},
	{.name = "cert-dir", .arg = "DIR", .words = "@file", .id = LOGIN_CERT_DIR, .help = "with ca.crt, client.cert, client.key"},
};

static const struct cli_option logout_options[] = {
	{.name = "authfile", .arg = "FILE", .words = "@file", .id = LOGIN_AUTHFILE,
	 .help = "where it is kept; default $REGISTRY_AUTH_FILE, then Docker's config.json"},
};
/* clang-format on */

const struct cli_command cli_login = {.name = "login",
				      .args = "REGISTRY",
				      .help = "Keep a name and password for a registry",
				      .options = login_options,
				      .noptions = ARRAY_LEN(login_options),
				      .run = cmd_login};
const struct cli_command cli_logout = {.name = "logout",
				       .args = "REGISTRY",
				       .help = "Forget a registry's name and password",
				       .options = logout_options,
				       .noptions = ARRAY_LEN(logout_options),
				       .run = cmd_logout};
