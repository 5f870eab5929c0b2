/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The controller; the two devices on it are in ps2.c. */
#include "dev/input/i8042.h"

#include "dev/input/ps2.h"

enum {
	STATUS_OUT_FULL = 1 << 0,
	STATUS_SYSTEM = 1 << 2,
	STATUS_COMMAND = 1 << 3,
	STATUS_UNLOCKED = 1 << 4,
	STATUS_MOUSE = 1 << 5,
	CMD_BYTE_KBD_IRQ = 1 << 0,
	CMD_BYTE_AUX_IRQ = 1 << 1,
	CMD_BYTE_SYSTEM = 1 << 2,
	CMD_BYTE_KBD_OFF = 1 << 4,
	CMD_BYTE_AUX_OFF = 1 << 5,
	CMD_BYTE_TRANSLATE = 1 << 6,
	OUTPORT_NO_RESET = 1 << 0,
	OUTPORT_A20 = 1 << 1,
	OUTPORT_KBD_FULL = 1 << 4,
	OUTPORT_AUX_FULL = 1 << 5,
};

enum {
	CMD_READ_RAM = 0x20,  /* ..0x3f */
	CMD_WRITE_RAM = 0x60, /* ..0x7f */
	CMD_AUX_DISABLE = 0xa7,
	CMD_AUX_ENABLE = 0xa8,
	CMD_AUX_TEST = 0xa9,
	CMD_SELF_TEST = 0xaa,
	CMD_KBD_TEST = 0xab,
	CMD_KBD_DISABLE = 0xad,
	CMD_KBD_ENABLE = 0xae,
	CMD_READ_INPUT = 0xc0,
	CMD_READ_OUTPUT = 0xd0,
	CMD_WRITE_OUTPUT = 0xd1,
	CMD_WRITE_KBD_BUFFER = 0xd2,
	CMD_WRITE_AUX_BUFFER = 0xd3,
	CMD_WRITE_AUX = 0xd4,
	CMD_A20_OFF = 0xdd,
	CMD_A20_ON = 0xdf,
	CMD_PULSE = 0xf0, /* ..0xff: low bits 0 pulse a line, bit 0 is reset */
};

#define SELF_TEST_OK 0x55
#define INTERFACE_TEST_OK 0x00
#define INPUT_PORT_VALUE 0xa0 /* keyboard not locked, colour display */

/* The line is up while a byte of its device is in the output buffer and wanted. */
static void i8042_update(struct i8042 *k)
{
	bool kbd = k->out_full && !k->out_mouse && k->ram[0] & CMD_BYTE_KBD_IRQ;
	bool aux = k->out_full && k->out_mouse && k->ram[0] & CMD_BYTE_AUX_IRQ;

	if (kbd != k->kbd_line) {
		k->kbd_line = kbd;
		irq_set(&k->wires.keyboard, kbd);
	}
	if (aux != k->aux_line) {
		k->aux_line = aux;
		irq_set(&k->wires.mouse, aux);
	}
}

/* Fill the output buffer from the controller's reply, the keyboard or the mouse. */
static void i8042_pump(struct i8042 *k)
{
	if (!k->out_full && k->nreply) {
		k->out = k->reply[0];
		for (unsigned i = 1; i < k->nreply; i++)
			k->reply[i - 1] = k->reply[i];
		k->nreply--;
		k->out_full = true;
		k->out_mouse = k->reply_mouse;
	} else if (!k->out_full && k->kbd.count && !(k->ram[0] & CMD_BYTE_KBD_OFF)) {
		k->out = ps2_kbd_take(k, k->ram[0] & CMD_BYTE_TRANSLATE);
		k->out_full = true;
		k->out_mouse = false;
	} else if (!k->out_full && k->aux.count && !(k->ram[0] & CMD_BYTE_AUX_OFF)) {
		k->out = k->last_aux = ps2_queue_take(&k->aux);
		k->out_full = true;
		k->out_mouse = true;
	}
	i8042_update(k);
}

static void i8042_reply(struct i8042 *k, u8 byte)
{
	k->reply_mouse = false;
	if (k->nreply < sizeof(k->reply))
		k->reply[k->nreply++] = byte;
}

static void i8042_set_outport(struct i8042 *k, u8 val)
{
	u8 changed = val ^ k->outport;

	k->outport = val & (OUTPORT_NO_RESET | OUTPORT_A20);
	if (changed & OUTPORT_A20 && k->wires.a20)
		k->wires.a20(k->wires.opaque, val & OUTPORT_A20);
	if (!(val & OUTPORT_NO_RESET))
		k->wires.reset(k->wires.opaque);
}

static u8 i8042_outport(const struct i8042 *k)
{
	u8 full = !k->out_full ? 0 : k->out_mouse ? OUTPORT_AUX_FULL : OUTPORT_KBD_FULL;

	return k->outport | full;
}

static void i8042_command(struct i8042 *k, u8 cmd)
{
	k->pending = 0;
	switch (cmd) {
	case CMD_READ_RAM ... CMD_READ_RAM + 0x1f:
		i8042_reply(k, k->ram[cmd - CMD_READ_RAM]);
		break;
	case CMD_WRITE_RAM ... CMD_WRITE_RAM + 0x1f:
	case CMD_WRITE_OUTPUT ... CMD_WRITE_AUX:
		k->pending = cmd;
		break;
	case CMD_AUX_DISABLE:
		k->ram[0] |= CMD_BYTE_AUX_OFF;
		break;
	case CMD_AUX_ENABLE:
		k->ram[0] &= ~CMD_BYTE_AUX_OFF;
		break;
	case CMD_KBD_DISABLE:
		k->ram[0] |= CMD_BYTE_KBD_OFF;
		break;
	case CMD_KBD_ENABLE:
		k->ram[0] &= ~CMD_BYTE_KBD_OFF;
		break;
	case CMD_SELF_TEST:
		k->ram[0] |= CMD_BYTE_SYSTEM;
		i8042_reply(k, SELF_TEST_OK);
		break;
	case CMD_AUX_TEST:
	case CMD_KBD_TEST:
		i8042_reply(k, INTERFACE_TEST_OK);
		break;
	case CMD_READ_INPUT:
		i8042_reply(k, INPUT_PORT_VALUE);
		break;
	case CMD_READ_OUTPUT:
		i8042_reply(k, i8042_outport(k));
		break;
	case CMD_A20_OFF:
		i8042_set_outport(k, k->outport & ~OUTPORT_A20);
		break;
	case CMD_A20_ON:
		i8042_set_outport(k, k->outport | OUTPORT_A20);
		break;
	case CMD_PULSE ... CMD_PULSE + 0xf:
		if (!(cmd & 1))
			k->wires.reset(k->wires.opaque);
		break;
	}
}

/* The data byte a controller command waited for. */
static void i8042_argument(struct i8042 *k, u8 val)
{
	u8 cmd = k->pending;

	k->pending = 0;
	switch (cmd) {
	case CMD_WRITE_OUTPUT:
		i8042_set_outport(k, val);
		break;
	case CMD_WRITE_KBD_BUFFER:
		i8042_reply(k, val);
		break;
	case CMD_WRITE_AUX_BUFFER:
		i8042_reply(k, val); /* comes back even while the mouse is disabled */
		k->reply_mouse = true;
		break;
	case CMD_WRITE_AUX:
		ps2_aux_write(k, val);
		break;
	default:
		k->ram[cmd - CMD_WRITE_RAM] = val;
	}
}

static u64 i8042_read_data(void *dev, u64 offset, unsigned size)
{
	struct i8042 *k = dev;
	u8 val = k->out;

	if (k->out_full) {
		k->out_full = false;
		i8042_update(k); /* the line drops between two bytes: an edge for each */
		i8042_pump(k);
	}
	return val;
}

static void i8042_write_data(void *dev, u64 offset, unsigned size, u64 val)
{
	struct i8042 *k = dev;

	if (k->pending) {
		i8042_argument(k, (u8)val);
	} else {
		k->ram[0] &= ~CMD_BYTE_KBD_OFF; /* writing to the keyboard enables it */
		ps2_kbd_write(k, (u8)val);
	}
	i8042_pump(k);
}

static u64 i8042_read_status(void *dev, u64 offset, unsigned size)
{
	struct i8042 *k = dev;

	return STATUS_UNLOCKED | (k->out_full ? STATUS_OUT_FULL : 0) |
	       (k->ram[0] & CMD_BYTE_SYSTEM ? STATUS_SYSTEM : 0) |
	       (k->pending ? STATUS_COMMAND : 0) | (k->out_full && k->out_mouse ? STATUS_MOUSE : 0);
}

static void i8042_write_command(void *dev, u64 offset, unsigned size, u64 val)
{
	i8042_command(dev, (u8)val);
	i8042_pump(dev);
}

bool i8042_key(struct i8042 *k, unsigned key, bool down)
{
	bool taken = ps2_kbd_key(k, key, down);

	i8042_pump(k);
	return taken;
}

bool i8042_mouse(struct i8042 *k, int dx, int dy, int dz, u8 buttons)
{
	bool taken = ps2_aux_move(k, dx, dy, dz, buttons);

	i8042_pump(k);
	return taken;
}

static void i8042_reset(void *dev)
{
	struct i8042 *k = dev;
	struct i8042_wires wires = k->wires;

	k->out_full = false;
	i8042_update(k);
	__builtin_memset(k, 0, sizeof(*k));
	k->wires = wires;
	k->ram[0] = CMD_BYTE_KBD_IRQ | CMD_BYTE_AUX_IRQ | CMD_BYTE_SYSTEM | CMD_BYTE_TRANSLATE;
	k->outport = OUTPORT_NO_RESET | OUTPORT_A20;
	ps2_kbd_defaults(k);
	ps2_aux_defaults(k);
}

void i8042_init(struct i8042 *k, const struct i8042_wires *wires)
{
	*k = (struct i8042){.wires = *wires};
	i8042_reset(k);
}

static void i8042_no_reset(void *dev)
{
}

const struct device_ops i8042_data_ops = {
	.name = "i8042",
	.reset = i8042_reset,
	.read = i8042_read_data,
	.write = i8042_write_data,
};

const struct device_ops i8042_command_ops = {
	.name = "i8042-command",
	.reset = i8042_no_reset,
	.read = i8042_read_status,
	.write = i8042_write_command,
};
