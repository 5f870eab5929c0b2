/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * struct vt_ops for Intel VMX. Not there yet: probe says so, and nothing else is
 * ever called.
 */
#include "core/vt.h"

static int vmx_probe(const char **why)
{
	*why = "VMX is not supported yet";
	return -E_NODEV;
}

const struct vt_ops vmx_ops = {.name = "vmx", .npt = &npt_format_ept, .probe = vmx_probe};
