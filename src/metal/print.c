/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Formatted print: the part of <stdio.h> that the linked sources use. Flags - and
 * 0, width and precision (also *), lengths hh h l ll z t j; d i u x X p s c %.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/types.h"

struct out {
	char *buf;
	size_t cap, len; /* len goes on counting past cap */
};

struct spec {
	bool left, zero, alt;
	int width, precision; /* precision -1: none */
	unsigned longs;	      /* bytes of the argument's type: 1, 2, 4, 8 */
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->cap)
		o->buf[o->len] = c;
	o->len++;
}

static void put_padded(struct out *o, const struct spec *s, const char *text, size_t n)
{
	size_t pad = s->width > 0 && (size_t)s->width > n ? (size_t)s->width - n : 0;

	for (; pad && !s->left; pad--)
		put(o, ' ');
	for (size_t i = 0; i < n; i++)
		put(o, text[i]);
	for (; pad; pad--)
		put(o, ' ');
}

static void put_number(struct out *o, const struct spec *s, u64 v, unsigned base, bool upper,
		       bool negative)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[72];
	size_t at = sizeof(text);
	int want = s->precision >= 0 ? s->precision : 1;

	if (s->zero && s->precision < 0 && !s->left)
		want = s->width - negative;
	if (want > 60)
		want = 60;
	for (; v || want > 0; v /= base, want--)
		text[--at] = digits[v % base];
	if (s->alt && base == 16) {
		text[--at] = upper ? 'X' : 'x';
		text[--at] = '0';
	}
	if (negative)
		text[--at] = '-';
	put_padded(o, s, text + at, sizeof(text) - at);
}

static const char *parse_number(const char *f, int *out, va_list *ap)
{
	*out = 0;
	if (*f == '*') {
		*out = va_arg(*ap, int);
		return f + 1;
	}
	for (; *f >= '0' && *f <= '9'; f++)
		*out = *out * 10 + (*f - '0');
	return f;
}

static const char *parse_spec(const char *f, struct spec *s, va_list *ap)
{
	*s = (struct spec){.precision = -1, .longs = 4};
	for (;; f++) {
		if (*f == '-')
			s->left = true;
		else if (*f == '0')
			s->zero = true;
		else if (*f == '#')
			s->alt = true;
		else
			break;
	}
	f = parse_number(f, &s->width, ap);
	if (s->width < 0) {
		s->left = true;
		s->width = -s->width;
	}
	if (*f == '.')
		f = parse_number(f + 1, &s->precision, ap);
	for (;; f++) {
		if (*f == 'h')
			s->longs /= 2;
		else if (*f == 'l' || *f == 'z' || *f == 't' || *f == 'j')
			s->longs = 8;
		else
			return f;
	}
}

static u64 take_unsigned(const struct spec *s, va_list *ap)
{
	return s->longs == 8   ? va_arg(*ap, u64)
	       : s->longs == 4 ? va_arg(*ap, u32)
	       : s->longs == 2 ? (u16)va_arg(*ap, u32)
			       : (u8)va_arg(*ap, u32);
}

static void put_signed(struct out *o, const struct spec *s, va_list *ap)
{
	s64 v = s->longs == 8 ? va_arg(*ap, s64) : va_arg(*ap, s32);

	put_number(o, s, v < 0 ? -(u64)v : (u64)v, 10, false, v < 0);
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
	size_t n = 0;

	text = text ? text : "(null)";
	while ((s->precision < 0 || n < (size_t)s->precision) && text[n])
		n++;
	put_padded(o, s, text, n);
}

static void put_one(struct out *o, struct spec *s, char kind, va_list *ap)
{
	char c;

	switch (kind) {
	case 'd':
	case 'i':
		put_signed(o, s, ap);
		break;
	case 'u':
		put_number(o, s, take_unsigned(s, ap), 10, false, false);
		break;
	case 'x':
	case 'X':
		put_number(o, s, take_unsigned(s, ap), 16, kind == 'X', false);
		break;
	case 'p':
		s->alt = true;
		put_number(o, s, va_arg(*ap, u64), 16, false, false);
		break;
	case 's':
		put_string(o, s, va_arg(*ap, const char *));
		break;
	case 'c':
		c = (char)va_arg(*ap, int);
		put_padded(o, s, &c, 1);
		break;
	default:
		put(o, kind);
	}
}

int vsnprintf(char *buf, size_t cap, const char *f, va_list args)
{
	struct out o = {buf, cap, 0};
	struct spec s;
	va_list ap;

	va_copy(ap, args);
	while (*f) {
		if (*f != '%') {
			put(&o, *f++);
			continue;
		}
		f = parse_spec(f + 1, &s, &ap);
		if (!*f)
			break;
		put_one(&o, &s, *f++, &ap);
	}
	va_end(ap);
	if (cap)
		buf[o.len < cap ? o.len : cap - 1] = 0;
	return (int)o.len;
}

int snprintf(char *buf, size_t cap, const char *f, ...)
{
	va_list ap;
	int n;

	va_start(ap, f);
	n = vsnprintf(buf, cap, f, ap);
	va_end(ap);
	return n;
}
