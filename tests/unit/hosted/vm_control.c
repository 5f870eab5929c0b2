/* SPDX-License-Identifier: Apache-2.0 */
/* src/vm/control.c and config.c. */
#include "tests/test.h"

#include "vm/config.h"
#include "vm/control.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[] = "/tmp/hull-test-XXXXXX";

static int on_request(void *opaque, const char *what, json_t *request, json_t *reply, bool *console,
		      struct err *e)
{
	if (strcmp(what, "add"))
		return err_set(e, EINVAL, "unknown request");
	json_object_set_new(reply, "sum",
			    json_integer(json_integer_value(json_object_get(request, "a")) +
					 json_integer_value(json_object_get(request, "b"))));
	return 0;
}

static int on_stream(void *opaque, int fd, struct err *e)
{
	return -EIO;
}

static const struct control_ops ops = {.request = on_request, .stream = on_stream};

static void *run_loop(void *opaque)
{
	loop_run(opaque);
	return NULL;
}

struct server {
	struct loop *l;
	struct control *c;
	pthread_t t;
};

static bool server_start(struct server *s)
{
	return !loop_create(&s->l, NULL) && !control_create(s->l, "m1", &ops, NULL, &s->c, NULL) &&
	       !pthread_create(&s->t, NULL, run_loop, s->l);
}

static void server_stop(struct server *s)
{
	loop_stop(s->l);
	pthread_join(s->t, NULL);
	control_destroy(s->c);
	loop_destroy(s->l);
}

static void t_request_and_reply(void)
{
	struct server s;
	struct err e;
	json_t *r;
	int fd;

	CHECK(server_start(&s));
	fd = control_connect("m1", NULL);
	CHECK(fd >= 0);
	CHECK(!control_call(fd, json_pack("{s:s,s:i,s:i}", "do", "add", "a", 2, "b", 3), &r, NULL));
	CHECK_EQ(json_integer_value(json_object_get(r, "sum")), 5);
	json_decref(r);
	CHECK(control_call(fd, json_pack("{s:s}", "do", "fly"), &r, &e) == -EIO);
	CHECK(!strcmp(e.msg, "unknown request"));
	CHECK(control_call(fd, json_pack("[i]", 1), &r, &e) == -EIO);
	close(fd);
	server_stop(&s);
}

static void t_garbage_does_not_harm(void)
{
	static char junk[3 * CONTROL_LINE_MAX];
	struct server s;
	int fd;

	CHECK(server_start(&s));
	fd = control_connect("m1", NULL);
	memset(junk, 'x', sizeof(junk));
	CHECK(send(fd, junk, sizeof(junk), MSG_NOSIGNAL) > 0);
	close(fd);
	fd = control_connect("m1", NULL);
	CHECK(send(fd, "\0\n{}\n[[[[\n{\"do\":\n", 17, MSG_NOSIGNAL) == 17);
	CHECK(read(fd, junk, sizeof(junk)) > 0);
	CHECK(strstr(junk, "error"));
	close(fd);
	server_stop(&s);
}

static void t_name_is_claimed_once(void)
{
	struct server s;
	struct control *c2 = NULL;
	struct err e;

	CHECK(server_start(&s));
	CHECK(control_create(s.l, "m1", &ops, NULL, &c2, &e) == -EEXIST);
	CHECK(strstr(e.msg, "m1"));
	control_unlink("m1"); /* somebody listens: must stay */
	CHECK(control_connect("m1", NULL) >= 0);
	server_stop(&s);
	CHECK(control_connect("m1", &e) == -ENOENT);
	CHECK(server_start(&s)); /* the stale socket is in nobody's way */
	server_stop(&s);
}

static unsigned seen;

static void on_each(void *opaque, const char *name, int fd)
{
	seen += !strcmp(name, "m1") && fd >= 0;
}

static void t_listing_cleans_stale_sockets(void)
{
	struct server s;
	char path[64];

	snprintf(path, sizeof(path), "%s/m1.sock", dir);
	CHECK(server_start(&s));
	CHECK(!control_each(on_each, NULL, NULL));
	CHECK_EQ(seen, 1);
	server_stop(&s);
	CHECK(!access(path, F_OK));
	CHECK(!control_each(on_each, NULL, NULL));
	CHECK_EQ(seen, 1);
	CHECK(access(path, F_OK));
}

static void t_config_texts(void)
{
	static struct vm_config c;
	struct err e;

	vm_config_default(&c);
	CHECK(!vm_config_disk(&c, "/tmp/a.img,ro,serial=abc", NULL));
	CHECK(!strcmp(c.disk[0].path, "/tmp/a.img") && c.disk[0].readonly);
	CHECK(!strcmp(c.disk[0].serial, "abc"));
	CHECK(vm_config_disk(&c, "", NULL) == -EINVAL);
	CHECK(vm_config_disk(&c, "a,rw", &e) == -EINVAL && strstr(e.msg, "rw"));
	CHECK(vm_config_disk(&c, "a,serial=123456789012345678901", NULL) == -EINVAL);
	CHECK_EQ(c.ndisks, 1);
	CHECK(!vm_config_net(&c, "user,forward=8080:80,forward=2222:22", NULL));
	CHECK_EQ(c.net[0].nforwards, 2);
	CHECK_EQ(c.net[0].forward[1].guest, 22);
	CHECK(!vm_config_net(&c, "tap=tap0", NULL));
	CHECK(vm_config_net(&c, "user,forward=1:99999", NULL) == -EINVAL);
	CHECK(vm_config_net(&c, "tap=a-name-that-is-too-long", NULL) == -EINVAL);
	CHECK(vm_config_net(&c, "tap=t,forward=1:2", NULL) == -EINVAL);
	CHECK(vm_config_net(&c, "bridge", NULL) == -EINVAL);
	CHECK(vm_config_name(&c, "../x", NULL) == -EINVAL);
	CHECK(vm_config_name(&c, "ok-1.x", NULL) == 0);
	CHECK(vm_config_console(&c, "file=", NULL) == -EINVAL);
	CHECK(vm_config_engine(&c, "tcg", NULL) == -EINVAL);
	CHECK(vm_config_check(&c, &e) == -EINVAL && strstr(e.msg, "--kernel"));
	c.kernel = "k";
	CHECK(!vm_config_check(&c, &e));
	c.memory = 1;
	CHECK(vm_config_check(&c, &e) == -EINVAL);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	setenv("HULL_RUNTIME", dir, 1);
	RUN(t_request_and_reply);
	RUN(t_garbage_does_not_harm);
	RUN(t_name_is_claimed_once);
	RUN(t_listing_cleans_stale_sockets);
	RUN(t_config_texts);
	rmdir(dir);
	return test_done();
}
