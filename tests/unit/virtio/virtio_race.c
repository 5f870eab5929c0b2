/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Driver and device on two threads at once: no notification and no interrupt
 * may get lost, with EVENT_IDX and with flags. The driver sleeps until it is
 * interrupted, the device until it is kicked; a lost wake-up shows as a timeout.
 */
#include "fake.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#define ROUNDS 60000u
#define SIZE 16u

static struct fake f;
static struct {
	struct virtio_dev dev;
	struct virtq vq[1];
	sem_t kick, irq;
	_Atomic bool stop;
	u64 served;
} e;

static void queue_irq(void *opaque, unsigned q)
{
	sem_post(&e.irq);
}

static void serve(struct virtio_dev *d, unsigned q)
{
	VIRTQ_CHAIN(c);

	do {
		virtq_kicks_off(&d->vq[q]);
		while (virtq_pop(&d->vq[q], &c)) {
			virtq_push(&d->vq[q], &c, 0);
			e.served++;
		}
		virtq_interrupt(&d->vq[q]);
	} while (virtq_kicks_on(&d->vq[q]));
}

static const struct virtio_ops ops = {.name = "race", .notify = serve};

static void *device_main(void *opaque)
{
	while (!e.stop) {
		sem_wait(&e.kick);
		virtio_notify(&e.dev, 0);
	}
	return NULL;
}

static bool wait_irq(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += 60; /* never that long, but on a busy host */
	return !sem_timedwait(&e.irq, &t);
}

static u16 load(const u16 *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static bool passed(u16 event, u16 now, u16 old)
{
	return (u16)(now - event - 1) < (u16)(now - old);
}

/* Offers n buffers and notifies as section 2.7.13 says a driver does. */
static void offer(bool events, unsigned n)
{
	struct fake_queue *k = &f.q[0];
	u16 old = k->avail->idx, now = (u16)(old + n);

	for (unsigned i = 0; i < n; i++)
		k->avail->ring[(old + i) % SIZE] = (u16)((old + i) % SIZE);
	__atomic_store_n(&k->avail->idx, now, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (events ? passed(load((u16 *)&k->used->ring[SIZE]), now, old)
		   : !(load(&k->used->flags) & VIRTQ_USED_F_NO_NOTIFY))
		sem_post(&e.kick);
}

/* Takes what is used; asks for an interrupt before it sleeps, and looks again. */
static unsigned take(bool events)
{
	struct fake_queue *k = &f.q[0];

	for (;;) {
		unsigned n = (u16)(load(&k->used->idx) - k->used_seen);

		k->used_seen = (u16)(k->used_seen + n);
		if (n)
			return n;
		if (events)
			__atomic_store_n(&k->avail->ring[SIZE], k->used_seen, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (load(&k->used->idx) == k->used_seen && !wait_irq())
			return 0;
	}
}

static void race(bool events)
{
	pthread_t t;
	unsigned out = 0, taken = 0;
	u64 total = 0;

	memset(&e, 0, sizeof(e));
	fake_init(&f);
	sem_init(&e.kick, 0, 0);
	sem_init(&e.irq, 0, 0);
	virtio_init(&e.dev, &ops, VIRTIO_ID_RNG, &f.map, e.vq, 1);
	virtio_queue_size(&e.dev, 0, SIZE);
	fake_start(&f, &e.dev, events ? BIT(VIRTIO_F_EVENT_IDX) : 0);
	e.dev.transport.queue_irq = queue_irq;
	for (unsigned i = 0; i < SIZE; i++)
		f.q[0].desc[i] = (struct virtq_desc){FAKE_DATA, 4, 0, 0};
	pthread_create(&t, NULL, device_main, NULL);
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned n = 1 + i % 7;

		n = n > SIZE - out ? SIZE - out : n;
		offer(events, n);
		out += n;
		total += n;
		if (out == SIZE || !(i % 3)) {
			taken = take(events);
			if (!taken)
				break;
			out -= taken;
		}
	}
	while (taken && out) {
		taken = take(events);
		out -= taken;
	}
	e.stop = true;
	sem_post(&e.kick);
	pthread_join(t, NULL);
	CHECK(taken);
	CHECK_EQ(out, 0);
	CHECK_EQ(e.served, total);
	CHECK(!fake_broken(&f));
}

static void t_flags(void)
{
	race(false);
}

static void t_event_idx(void)
{
	race(true);
}

int main(void)
{
	RUN(t_flags);
	RUN(t_event_idx);
	return test_done();
}
