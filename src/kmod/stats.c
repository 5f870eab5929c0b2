// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Exits by kind: a VM's or a vCPU's as KVM's binary statistics (api.rst 4.133), and all there have
 * been since the module was loaded in debugfs, hull/exits.
 */
#include "kmod/kmod.h"

#include <linux/anon_inodes.h>
#include <linux/debugfs.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#define NAME_SIZE 32

struct stats_desc { /* struct kvm_stats_desc with its name */
	u32 flags;
	s16 exponent;
	u16 size;
	u32 offset, bucket_size;
	char name[NAME_SIZE];
};

struct stats_file {
	struct kvm_stats_header head;
	char id[NAME_SIZE];
	struct stats_desc desc[VT_EXIT_KINDS];
	u64 data[VT_EXIT_KINDS];
};

static atomic64_t total[VT_EXIT_KINDS];
static struct dentry *folder;

/* ---- the statistics' file ------------------------------------------------------------ */

static void describe(struct stats_file *s)
{
	s->head = (struct kvm_stats_header){.name_size = NAME_SIZE,
					    .num_desc = VT_EXIT_KINDS,
					    .id_offset = offsetof(struct stats_file, id),
					    .desc_offset = offsetof(struct stats_file, desc),
					    .data_offset = offsetof(struct stats_file, data)};
	strscpy(s->id, "kvm-hull", NAME_SIZE);
	for (unsigned i = 0; i < VT_EXIT_KINDS; i++) {
		s->desc[i] =
			(struct stats_desc){.flags = KVM_STATS_TYPE_CUMULATIVE |
						     KVM_STATS_UNIT_NONE | KVM_STATS_BASE_POW10,
					    .size = 1,
					    .offset = i * sizeof(u64)};
		strscpy(s->desc[i].name, hv_exit_name(i), NAME_SIZE);
	}
}

static ssize_t reply(struct stats_file *s, char __user *u, size_t len, loff_t *pos)
{
	ssize_t n;

	describe(s);
	n = simple_read_from_buffer(u, len, pos, s, sizeof(*s));
	kfree(s);
	return n;
}

static ssize_t vcpu_read(struct file *f, char __user *u, size_t len, loff_t *pos)
{
	struct kmod_vcpu *v = f->private_data;
	struct stats_file *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return -ENOMEM;
	memcpy(s->data, v->hv.stats.exits, sizeof(s->data));
	return reply(s, u, len, pos);
}

static ssize_t vm_read(struct file *f, char __user *u, size_t len, loff_t *pos)
{
	struct kmod_vm *vm = f->private_data;
	struct stats_file *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return -ENOMEM;
	mutex_lock(&vm->lock);
	for (unsigned i = 0; i < HV_MAX_VCPUS; i++)
		for (unsigned k = 0; vm->vcpu[i] && k < VT_EXIT_KINDS; k++)
			s->data[k] += vm->vcpu[i]->hv.stats.exits[k];
	mutex_unlock(&vm->lock);
	return reply(s, u, len, pos);
}

static int vcpu_close(struct inode *inode, struct file *f)
{
	struct kmod_vcpu *v = f->private_data;

	kmod_vm_put(v->vm);
	return 0;
}

static int vm_close(struct inode *inode, struct file *f)
{
	kmod_vm_put(f->private_data);
	return 0;
}

static const struct file_operations vcpu_stats = {
	.owner = THIS_MODULE, .read = vcpu_read, .release = vcpu_close, .llseek = noop_llseek};
static const struct file_operations vm_stats = {
	.owner = THIS_MODULE, .read = vm_read, .release = vm_close, .llseek = noop_llseek};

int kmod_stats_fd(struct kmod_vm *vm, struct kmod_vcpu *v)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);
	struct file *f;

	if (fd < 0)
		return fd;
	f = v ? anon_inode_getfile("hull-vcpu-stats", &vcpu_stats, v, O_RDONLY)
	      : anon_inode_getfile("hull-vm-stats", &vm_stats, vm, O_RDONLY);
	if (IS_ERR(f)) {
		put_unused_fd(fd);
		return PTR_ERR(f);
	}
	kref_get(&vm->ref);
	f->f_mode |= FMODE_PREAD;
	fd_install(fd, f);
	return fd;
}

/* ---- all of them ------------------------------------------------------------------------ */

void kmod_stats_add(const struct kmod_vcpu *v)
{
	for (unsigned i = 0; i < VT_EXIT_KINDS; i++)
		atomic64_add(v->hv.stats.exits[i], &total[i]);
}

static int exits_show(struct seq_file *m, void *unused)
{
	for (unsigned i = 0; i < VT_EXIT_KINDS; i++)
		seq_printf(m, "%s %lld\n", hv_exit_name(i), atomic64_read(&total[i]));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(exits);

void kmod_stats_init(void)
{
	folder = debugfs_create_dir("hull", NULL);
	debugfs_create_file("exits", 0400, folder, NULL, &exits_fops);
}

void kmod_stats_exit(void)
{
	debugfs_remove(folder);
}
