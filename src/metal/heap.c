/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/heap.h"

#include "base/bits.h"
#include "metal/metal.h"

#include <stdlib.h>
#include <string.h>

/* In front of every block; 16 bytes keep what follows aligned. */
struct block {
	u64 pages; /* 0: a block of a class */
	u32 owner;
	u32 class;
};
static_assert(sizeof(struct block) == 16, "malloc's alignment");

struct free_block {
	struct block head;
	struct free_block *next;
};

enum { CLASS_MIN = 5, CLASS_MAX = 11, CLASSES = CLASS_MAX - CLASS_MIN + 1 };

static struct {
	struct free_block *free[OWNERS_MAX][CLASSES];
	struct spinlock lock;
} heap;

static unsigned class_of(size_t n)
{
	unsigned c = CLASS_MIN;

	while (c <= CLASS_MAX && BIT(c) < n)
		c++;
	return c - CLASS_MIN;
}

static void carve(unsigned owner, unsigned class, u64 page)
{
	u64 size = BIT(class + CLASS_MIN);

	for (u64 at = page; at + size <= page + PAGE_SIZE; at += size) {
		struct free_block *b = (struct free_block *)at;

		b->next = heap.free[owner][class];
		heap.free[owner][class] = b;
	}
}

static void *alloc_small(unsigned owner, unsigned class)
{
	struct free_block *b;
	u64 page;

	spin_lock(&heap.lock);
	if (!heap.free[owner][class]) {
		page = pages_alloc(&metal.pages, 1, owner);
		if (page)
			carve(owner, class, page);
	}
	b = heap.free[owner][class];
	if (b) {
		heap.free[owner][class] = b->next;
		b->head = (struct block){.owner = owner, .class = class};
	}
	spin_unlock(&heap.lock);
	return b ? &b->head + 1 : NULL;
}

static void *alloc_large(unsigned owner, size_t n)
{
	u64 pages = (n + PAGE_SIZE - 1) / PAGE_SIZE;
	struct block *b = (struct block *)pages_alloc(&metal.pages, pages, owner);

	if (!b)
		return NULL;
	*b = (struct block){.pages = pages, .owner = owner};
	return b + 1;
}

void *malloc(size_t n)
{
	unsigned owner = this_cpu()->owner, class;

	if (add_overflow(n, sizeof(struct block), &n))
		return NULL;
	class = class_of(n);
	return class < CLASSES ? alloc_small(owner, class) : alloc_large(owner, n);
}

void *calloc(size_t n, size_t size)
{
	void *p;

	if (mul_overflow(n, size, &n))
		return NULL;
	p = malloc(n);
	if (p)
		memset(p, 0, n);
	return p;
}

void free(void *p)
{
	struct free_block *f;
	struct block *b;

	if (!p)
		return;
	b = (struct block *)p - 1;
	if (b->pages) {
		if (!pages_free(&metal.pages, (u64)b, b->pages, b->owner))
			metal_die("free of %p, which is not allocated", p);
		return;
	}
	f = (struct free_block *)b;
	spin_lock(&heap.lock);
	f->next = heap.free[b->owner][b->class];
	heap.free[b->owner][b->class] = f;
	spin_unlock(&heap.lock);
}

void *realloc(void *p, size_t n)
{
	struct block *b = (struct block *)p - 1;
	void *q = malloc(n);
	size_t old;

	if (!p || !q)
		return q;
	old = (b->pages ? b->pages * PAGE_SIZE : BIT(b->class + CLASS_MIN)) - sizeof(*b);
	memcpy(q, p, min_u64(old, n));
	free(p);
	return q;
}

u64 heap_release(unsigned owner)
{
	spin_lock(&heap.lock);
	memset(heap.free[owner], 0, sizeof(heap.free[owner]));
	spin_unlock(&heap.lock);
	return pages_free_all(&metal.pages, owner);
}

void *page_alloc_zeroed(u64 n)
{
	void *p = (void *)pages_alloc(&metal.pages, n, this_cpu()->owner);

	if (p)
		memset(p, 0, n * PAGE_SIZE);
	return p;
}
