/* SPDX-License-Identifier: Apache-2.0 */
/* src/run/spec.c: texts taken apart, JSON both ways, what is refused. */
#include "tests/test.h"

#include "run/net.h"
#include "run/spec.h"

#include <signal.h>

static void t_volume(void)
{
	struct run_volume v;

	CHECK(!spec_volume("/a/b:/c", &v, NULL));
	CHECK(!strcmp(v.host, "/a/b") && !strcmp(v.path, "/c") && !v.ro);
	CHECK(!spec_volume("/a:/c/d:ro", &v, NULL));
	CHECK(!strcmp(v.path, "/c/d") && v.ro);
	CHECK(spec_volume("/a:/c:rx", &v, NULL));
	CHECK(spec_volume("a:/c", &v, NULL));
	CHECK(spec_volume("/a", &v, NULL));
	CHECK(spec_volume("/a:c", &v, NULL));
}

static void t_port(void)
{
	static const char *const bad[] = {"",	    "80",	 "80:",	   ":80",     "0:80",
					  "80:0",   "65536:1",	 "80:80/", "80:80/x", "1.2.3:80:80",
					  "a:80:1", "80:80:80x", "-1:80"};
	struct run_port p;

	CHECK(!spec_port("8080:80", &p, NULL));
	CHECK(!strcmp(p.addr, "127.0.0.1") && p.host == 8080 && p.guest == 80 && !p.udp);
	CHECK(!spec_port("0.0.0.0:53:5353/udp", &p, NULL));
	CHECK(!strcmp(p.addr, "0.0.0.0") && p.guest == 5353 && p.udp);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(spec_port(bad[i], &p, NULL));
}

static void t_network(void)
{
	static const char *const bad[] = {"",
					  "a b",
					  "../x",
					  "-x",
					  "lan,",
					  "lan,x",
					  "lan,ip=",
					  "lan,ip=1.2.3",
					  "lan,ip=1.2.3.4x",
					  "lan\nx",
					  "user,ip=1.2.3.4,ip=2.3.4.5"};
	struct run_spec s = {0};
	struct run_network n;

	CHECK(!spec_network(&s, &n, NULL) && !n.named && spec_network_is(&s, "user"));
	s.network = (char[]){"none"};
	CHECK(!spec_network(&s, &n, NULL) && !n.named);
	s.network = (char[]){"lan-1.x"};
	CHECK(!spec_network(&s, &n, NULL) && n.named && !strcmp(n.name, "lan-1.x") && !*n.ip);
	s.network = (char[]){"lan,ip=10.1.2.3"};
	CHECK(!spec_network(&s, &n, NULL) && n.named);
	CHECK(!strcmp(n.name, "lan") && !strcmp(n.ip, "10.1.2.3"));
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		s.network = (char *)(uintptr_t)bad[i];
		CHECK(spec_network(&s, &n, NULL));
	}
}

static void t_subnet(void)
{
	static const char *const bad[] = {"",
					  "10.1.0.0",
					  "10.1.0.0/",
					  "10.1.0.0/7",
					  "10.1.0.0/30",
					  "10.1.0.1/24",
					  "10.1.0.0/24x",
					  "10.1.0.0/-8",
					  "10.1.0/24",
					  "10.0.0.0/8",
					  "10.0.2.0/25",
					  "127.0.0.0/8",
					  "0.0.0.0/8",
					  "224.0.0.0/8",
					  "fd00::/64",
					  "10.1.0.0/ 24",
					  "1111.1111.1111.1111/24"};
	struct net n = {.base = 0};

	CHECK(!net_subnet("10.5.0.0/16", &n, NULL));
	CHECK_EQ(n.base, 0x0a050000);
	CHECK_EQ(n.bits, 16);
	CHECK(!net_subnet("192.168.3.248/29", &n, NULL));
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(net_subnet(bad[i], &n, NULL));
}

static void t_caps(void)
{
	struct run_spec s = {0};
	u64 caps;

	CHECK(!spec_caps(&s, &caps, NULL));
	CHECK_EQ(caps, RUN_CAPS_DEFAULT);
	strv_add(&s.cap_add, "CAP_SYS_TIME", NULL);
	strv_add(&s.cap_drop, "kill", NULL);
	CHECK(!spec_caps(&s, &caps, NULL));
	CHECK_EQ(caps, (RUN_CAPS_DEFAULT | 1u << 25) & ~(1ull << 5));
	strv_add(&s.cap_drop, "ALL", NULL);
	CHECK(!spec_caps(&s, &caps, NULL));
	CHECK_EQ(caps, 1u << 25);
	strv_add(&s.cap_add, "nosuch", NULL);
	CHECK(spec_caps(&s, &caps, NULL));
	spec_free(&s);
}

static void t_arch(void)
{
	static const char *const host[] = {"amd64", "x86_64", "linux/amd64"};
	static const char *const power[] = {"ppc64le", "ppc64el", "powerpc64le"};
	struct run_spec s = {.name = "x", .as = "vm"};

	for (unsigned i = 0; i < ARRAY_LEN(power); i++) {
		CHECK(!spec_arch(&s, power[i], NULL));
		CHECK(s.arch && !strcmp(s.arch, "ppc64le"));
	}
	CHECK(!spec_check(&s, NULL));
	CHECK(spec_arch(&s, "vax", NULL) && spec_arch(&s, "", NULL));
	CHECK(spec_arch(&s, "windows/amd64", NULL) && s.arch);
	for (unsigned i = 0; i < ARRAY_LEN(host); i++) {
		CHECK(!spec_arch(&s, host[i], NULL));
		CHECK(!s.arch);
	}
}

static void t_json(void)
{
	struct run_spec s = {0}, back;
	json_t *o;

	spec_text(&s.name, "n", NULL);
	strv_add(&s.args, "ls", NULL);
	strv_add(&s.args, "-l", NULL);
	s.tty = true;
	s.memory = 1ull << 40;
	o = spec_to_json(&s);
	CHECK(!spec_from_json(o, &back, NULL));
	CHECK(!strcmp(back.name, "n") && back.args.n == 2 && !strcmp(back.args.v[1], "-l"));
	CHECK(back.tty && !back.rm && back.memory == 1ull << 40 && !back.user);
	spec_free(&back);
	json_object_set_new(o, "args", json_string("x"));
	CHECK(spec_from_json(o, &back, NULL));
	json_decref(o);
	spec_free(&s);
}

static void t_signal(void)
{
	CHECK_EQ(spec_signal("TERM"), SIGTERM);
	CHECK_EQ(spec_signal("SIGusr1"), SIGUSR1);
	CHECK_EQ(spec_signal("9"), 9);
	CHECK_EQ(spec_signal("0"), 0);
	CHECK_EQ(spec_signal("65"), 0);
	CHECK_EQ(spec_signal("nosuch"), 0);
	CHECK_EQ(spec_signal(""), 0);
}

static void t_check(void)
{
	struct run_spec s = {0};

	spec_text(&s.name, "n", NULL);
	spec_text(&s.as, "container", NULL);
	CHECK(!spec_check(&s, NULL));
	s.rm = true;
	spec_text(&s.restart, "always", NULL);
	CHECK(spec_check(&s, NULL));
	s.rm = false;
	CHECK(!spec_check(&s, NULL));
	spec_text(&s.restart, "on-failure:3", NULL);
	CHECK(!spec_check(&s, NULL));
	spec_text(&s.restart, "on-failure:x", NULL);
	CHECK(spec_check(&s, NULL));
	spec_text(&s.restart, NULL, NULL);
	spec_text(&s.network, "host", NULL);
	CHECK(!spec_check(&s, NULL));
	spec_text(&s.as, "vm", NULL);
	CHECK(spec_check(&s, NULL));
	spec_text(&s.network, "none", NULL);
	strv_add(&s.ports, "80:80", NULL);
	CHECK(spec_check(&s, NULL));
	spec_text(&s.network, "user", NULL);
	CHECK(!spec_check(&s, NULL));
	spec_text(&s.name, "../x", NULL);
	CHECK(spec_check(&s, NULL));
	spec_free(&s);
}

int main(void)
{
	RUN(t_volume);
	RUN(t_port);
	RUN(t_network);
	RUN(t_subnet);
	RUN(t_caps);
	RUN(t_arch);
	RUN(t_json);
	RUN(t_signal);
	RUN(t_check);
	return test_done();
}
