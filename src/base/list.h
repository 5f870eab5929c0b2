/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Intrusive circular doubly linked list; a head is a node that links to itself
 * when empty. No locking. Freestanding.
 */
#ifndef HULL_BASE_LIST_H
#define HULL_BASE_LIST_H

#include "base/types.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert_before(struct list *pos, struct list *n)
{
	n->next = pos;
	n->prev = pos->prev;
	pos->prev->next = n;
	pos->prev = n;
}

static inline void list_insert_after(struct list *pos, struct list *n)
{
	list_insert_before(pos->next, n);
}

/* Unlinks n and leaves it linked to itself, so a second removal is harmless. */
static inline void list_remove(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
/* The body may remove `it`, nothing else. */
#define list_for_each_safe(it, tmp, head)                                                          \
	for (struct list *it = (head)->next, *tmp = it->next; it != (head);                        \
	     it = tmp, tmp = it->next)

#endif
