/* SPDX-License-Identifier: Apache-2.0 */
/* The guests' configuration: src/metal/config.c. */
#include "metal/config.h"

#include "tests/test.h"

static char said[4096];
static struct config c;

static void say(void *opaque, const char *line)
{
	strncat(said, line, sizeof(said) - strlen(said) - 2);
	strcat(said, "\n");
}

static unsigned parse(const char *text)
{
	said[0] = 0;
	return config_parse(text, strlen(text), &c, say, NULL);
}

static void t_everything(void)
{
	const struct config_guest *g = &c.guest[0];

	CHECK_EQ(parse("# a comment\n\n[guest web]\nkernel = vmlinuz\n  initrd=a b\r\n"
		       "cmdline = console=ttyS0 x=y\nmemory = 1G\ncpus = 2\npin = 1, 0\n"
		       "weight = 512\ncap = 50\ndedicated = yes\npv = kvm\nconsole = virtio\n"
		       "disk = root.img ro\ndisk = memory:64M\nnet = lan 02:00:00:00:00:0a\n"
		       "net = wan\nrng = no\nstart = no\nlog = yes\n"
		       "entry = pvh"),
		 0);
	CHECK_EQ(c.nguests, 1);
	CHECK(!strcmp(g->name, "web") && !strcmp(g->kernel, "vmlinuz") && g->ninitrd == 2);
	CHECK(!strcmp(g->initrd[1], "b") && !strcmp(g->cmdline, "console=ttyS0 x=y"));
	CHECK_EQ(g->memory, 1ull << 30);
	CHECK(g->cpus == 2 && g->npins == 2 && g->pin[0] == 1 && g->pin[1] == 0);
	CHECK(g->weight == 512 && g->cap == 50 && g->dedicated);
	CHECK(g->pv == CONFIG_PV_KVM && g->console == CONFIG_VIRTIO);
	CHECK(g->ndisks == 2 && g->disk[0].readonly && !strcmp(g->disk[0].module, "root.img"));
	CHECK(!g->disk[1].module[0] && g->disk[1].size == 64ull << 20);
	CHECK(g->nnets == 2 && g->net[0].mac[5] == 10 && !g->net[1].mac[0]);
	CHECK(!g->rng && !g->start && g->log && g->entry == CONFIG_PVH);
}

static void t_defaults(void)
{
	CHECK_EQ(parse("[guest a]\nkernel = k\n"), 0);
	CHECK_EQ(c.guest[0].memory, 256ull << 20);
	CHECK(c.guest[0].cpus == 1 && c.guest[0].weight == 256 && c.guest[0].start);
	CHECK(c.guest[0].pv == CONFIG_PV_NONE && c.guest[0].console == CONFIG_SERIAL);
}

/* One error takes out its guest and no other. */
static void t_errors_stay_local(void)
{
	CHECK_EQ(parse("[guest a]\nkernel = k\nmemory = lots\n[guest b]\nkernel = k\n"), 1);
	CHECK(strstr(said, "line 3: memory is 4M to 64G"));
	CHECK(c.nguests == 2 && c.guest[0].bad && !c.guest[1].bad);
}

static const struct {
	const char *text, *why;
} wrong[] = {
	{"kernel = k", "outside of a section"},
	{"[guest a]", "has no kernel"},
	{"[guest a\nkernel = k", "a section looks like"},
	{"[host a]\nkernel = k", "a section looks like"},
	{"[guest a b]", "a section looks like"},
	{"[guest a]\nkernel", "KEY = VALUE"},
	{"[guest a]\nkernel =", "needs a value"},
	{"[guest a]\nkernels = k", "no setting kernels"},
	{"[guest a]\nkernel = k\n[guest a]\nkernel = k", "of this name at line 1"},
	{"[guest a]\nkernel = k\ncpus = 17", "cpus is 1 to 16"},
	{"[guest a]\nkernel = k\ncpus = 0", "cpus is 1 to 16"},
	{"[guest a]\nkernel = k\ncpus = 2\npin = 1", "2 CPUs but 1 pins"},
	{"[guest a]\nkernel = k\npin = 64", "pin is"},
	{"[guest a]\nkernel = k\ndedicated = yes", "pin says which"},
	{"[guest a]\nkernel = k\ndedicated = maybe", "dedicated is yes or no"},
	{"[guest a]\nkernel = k\nweight = 0", "weight is"},
	{"[guest a]\nkernel = k\ncap = 101", "cap is"},
	{"[guest a]\nkernel = k\npv = vmware", "pv is none, kvm or xen"},
	{"[guest a]\nkernel = k\nconsole = vga", "console is serial or virtio"},
	{"[guest a]\nkernel = k\ndisk = memory:", "needs a size"},
	{"[guest a]\nkernel = k\ndisk = d rw", "only ro"},
	{"[guest a]\nkernel = k\nnet = lan 03:00:00:00:00:01", "MAC address"},
	{"[guest a]\nkernel = k\nnet = lan 02:00", "MAC address"},
	{"[guest a]\nkernel = k\nmemory = 99999999999999999999M", "memory is"},
	{"[guest a]\nkernel = k\nentry = bios", "entry is linux or pvh"},
	{"[guest a]\nkernel = k\ncmdline = a\x01", "not printable"},
	{"[guest 0123456789012345678901234567890123]", "more than 31 characters"},
};

static void t_every_error(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
		parse(wrong[i].text);
		if (!c.errors || !strstr(said, wrong[i].why))
			printf("# \"%s\" says \"%s\"\n", wrong[i].text, said);
		CHECK(c.errors && strstr(said, wrong[i].why));
	}
}

static void t_too_many(void)
{
	char text[2048] = "";

	for (unsigned i = 0; i < CONFIG_GUESTS_MAX + 1; i++)
		sprintf(text + strlen(text), "[guest g%u]\nkernel = k\n", i);
	CHECK(parse(text));
	CHECK_EQ(c.nguests, CONFIG_GUESTS_MAX);
	CHECK(strstr(said, "more than 16 guests"));
}

int main(void)
{
	RUN(t_everything);
	RUN(t_defaults);
	RUN(t_errors_stay_local);
	RUN(t_every_error);
	RUN(t_too_many);
	return test_done();
}
