/* SPDX-License-Identifier: Apache-2.0 */
/* config.json from hostile hands: parsed, checked, its seccomp section compiled. */
#include "oci/config.h"
#include "oci/seccomp.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct seccomp_prog prog;
	struct oci_config *c;
	struct err e = {0};

	if (oci_config_parse((const char *)data, size, &c, &e)) {
		/* A refusal names a reason. */
		if (!e.msg[0])
			__builtin_trap();
		return 0;
	}
	if (c->seccomp && seccomp_prog_compile(c->seccomp, NULL, &prog, &e) == 0)
		seccomp_prog_free(&prog);
	oci_config_free(c);
	return 0;
}
