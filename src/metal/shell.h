/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The management prompt: one table of commands, a line editor. Boot CPU only. */
#ifndef HULL_METAL_SHELL_H
#define HULL_METAL_SHELL_H

void shell_prompt(void);
void shell_redraw(void); /* after a message went through the line being typed */
void shell_input(char c);

#endif
