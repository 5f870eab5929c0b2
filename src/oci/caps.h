/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities by name and their application to the calling thread, capabilities(7). */
#ifndef HULL_OCI_CAPS_H
#define HULL_OCI_CAPS_H

#include "oci/config.h"

#define OCI_CAPS_KNOWN 41

/* "CAP_CHOWN" -> 0; -1 if unknown. The prefix may be missing and case does not matter. */
int oci_cap_by_name(const char *name);
const char *oci_cap_name(int cap);

/*
 * Two steps around the change of user: the bounding set while CAP_SETPCAP is
 * there, the rest afterwards. Both drop what the thread itself cannot have;
 * *refused are the ambient ones that could not be raised.
 */
int oci_caps_apply_bounding(const struct oci_caps *c, struct err *e);
int oci_caps_apply(const struct oci_caps *c, u64 *refused, struct err *e);

#endif
