/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The serial console and its users: the hypervisor's messages, the management
 * prompt (shell.c), and the guests' consoles, one of which may be in front. What
 * a guest writes while it is not in front is kept (the last 32 KiB) and shown
 * when it is called; `log = yes` shows its lines at once, with its name before.
 * Ctrl-] goes back to the prompt.
 */
#ifndef HULL_METAL_CONSOLE_H
#define HULL_METAL_CONSOLE_H

#include "base/types.h"

#define CONSOLE_LEAVE 0x1d /* Ctrl-] */

struct domain;

void console_init(void); /* before anything else */
/* Text for the prompt's reader; from any CPU. */
void console_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Reads the serial port; boot CPU, every few milliseconds. */
void console_poll(void);

/* A guest's end: its io_char is set up. */
void console_attach(struct domain *d);
void console_detach(struct domain *d); /* leaves it if it is in front */
/* In front from now on; NULL: the prompt. */
void console_focus(struct domain *d);
bool console_is_ours(void); /* the prompt is in front */
/* From the guest: bytes written outside an io_char (Xen's console ring). */
void console_output(struct domain *d, const void *buf, size_t len);
/* Waiting input of a guest, taken away: up to cap bytes. */
size_t console_take(struct domain *d, void *buf, size_t cap);

#endif
