/* SPDX-License-Identifier: Apache-2.0 */
/* vm/trace.c: the lines of --trace, and its option. */
#include "tests/test.h"
#include "vm/config.h"
#include "vm/trace.h"

#include <unistd.h>

static const char *line(struct vcpu_trace_event ev)
{
	static char buf[160];

	trace_format(&ev, buf, sizeof(buf));
	return buf;
}

static void t_lines(void)
{
	CHECK(!strcmp(line((struct vcpu_trace_event){.kind = VCPU_TRACE_EXC,
						     .cpu = 1,
						     .rip = 0x1000,
						     .where = 14,
						     .value = 6,
						     .aux = 0xffff000000000000}),
		      "cpu 1 1000 exc #PF error 6 at ffff000000000000"));
	CHECK(!strcmp(line((struct vcpu_trace_event){.kind = VCPU_TRACE_EXC, .where = 200}),
		      "cpu 0 0 exc ? error 0"));
	CHECK(!strcmp(line((struct vcpu_trace_event){
			      .kind = VCPU_TRACE_EXC, .where = 0x300, .aux = 0x1000}),
		      "cpu 0 0 exc DSI error 0 at 1000"));
	CHECK(!strcmp(line((struct vcpu_trace_event){
			      .kind = VCPU_TRACE_INT, .where = 0x80, .write = true}),
		      "cpu 0 0 int 80 by instruction"));
	CHECK(!strcmp(line((struct vcpu_trace_event){.kind = VCPU_TRACE_MMIO,
						     .where = 0xfee000b0,
						     .size = 4,
						     .value = 0x12,
						     .write = true}),
		      "cpu 0 0 mmio write 4 fee000b0 = 12"));
	CHECK(!strcmp(line((struct vcpu_trace_event){
			      .kind = VCPU_TRACE_MSR, .where = 0xc0000080, .failed = true}),
		      "cpu 0 0 msr read c0000080: #GP"));
	CHECK(!strcmp(line((struct vcpu_trace_event){.kind = VCPU_TRACE_EXIT,
						     .where = VCPU_EXIT_SHUTDOWN}),
		      "cpu 0 0 exit shutdown"));
}

static int option(const char *text, struct vm_config *cfg)
{
	vm_config_default(cfg);
	return vm_config_trace(cfg, text, NULL);
}

static void t_option(void)
{
	struct vm_config cfg;

	CHECK_EQ(option("exc,cr", &cfg), 0);
	CHECK_EQ(cfg.trace, 1u << VCPU_TRACE_EXC | 1u << VCPU_TRACE_CR);
	CHECK(!cfg.trace_file);
	CHECK_EQ(option("all,file=a,b", &cfg), 0);
	CHECK_EQ(cfg.trace, (1u << VCPU_TRACE_KINDS) - 1);
	CHECK(!strcmp(cfg.trace_file, "a,b"));
	CHECK(option("", &cfg) < 0);
	CHECK(option("exc,,cr", &cfg) < 0);
	CHECK(option("file=x", &cfg) < 0);
	CHECK(option("exc,file=", &cfg) < 0);
}

/* Every event is in the file, in order, whatever the buffer. */
static void t_file(void)
{
	char path[] = "/tmp/hull-trace-XXXXXX", buf[160], want[160];
	int fd = mkstemp(path);
	const struct engine_trace *et;
	struct trace *t = NULL;
	unsigned n = 0;
	FILE *f;

	CHECK(fd >= 0);
	CHECK_EQ(trace_create(1u << VCPU_TRACE_CR, path, &t, NULL), 0);
	et = trace_engine(t);
	CHECK_EQ(et->kinds, 1u << VCPU_TRACE_CR);
	for (u64 i = 0; i < 5000; i++)
		et->event(et->opaque, &(struct vcpu_trace_event){
					      .kind = VCPU_TRACE_CR, .where = 3, .value = i});
	trace_destroy(t);
	f = fdopen(fd, "r");
	while (fgets(buf, sizeof(buf), f)) {
		snprintf(want, sizeof(want), "cpu 0 0 cr cr3 = %x\n", n++);
		CHECK(!strcmp(buf, want));
	}
	CHECK_EQ(n, 5000);
	fclose(f);
	unlink(path);
	CHECK(trace_create(1, "/nonexistent/x", &t, NULL) < 0);
}

int main(void)
{
	RUN(t_lines);
	RUN(t_option);
	RUN(t_file);
	return test_done();
}
