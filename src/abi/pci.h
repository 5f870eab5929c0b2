/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * PCI configuration space numbers: PCI Local Bus Specification 3.0 chapter 6;
 * ECAM layout: PCI Express Base Specification 2.0 section 7.2.2.
 */
#ifndef HULL_ABI_PCI_H
#define HULL_ABI_PCI_H

/* Type 0 header, PCI 3.0 figure 6-1. */
#define PCI_CFG_VENDOR 0x00
#define PCI_CFG_DEVICE 0x02
#define PCI_CFG_COMMAND 0x04
#define PCI_CFG_STATUS 0x06
#define PCI_CFG_REVISION 0x08
#define PCI_CFG_CLASS 0x09 /* programming interface, subclass, class */
#define PCI_CFG_CACHE_LINE 0x0c
#define PCI_CFG_LATENCY 0x0d
#define PCI_CFG_HEADER 0x0e
#define PCI_CFG_BAR0 0x10
#define PCI_CFG_SUBVENDOR 0x2c
#define PCI_CFG_SUBDEVICE 0x2e
#define PCI_CFG_ROM 0x30
#define PCI_CFG_CAPS 0x34
#define PCI_CFG_INT_LINE 0x3c
#define PCI_CFG_INT_PIN 0x3d
#define PCI_CFG_FIRST_FREE 0x40
#define PCI_CFG_SIZE 256

/* Command register, PCI 3.0 table 6-1. */
#define PCI_CMD_IO 0x0001
#define PCI_CMD_MEM 0x0002
#define PCI_CMD_MASTER 0x0004
#define PCI_CMD_PARITY 0x0040
#define PCI_CMD_SERR 0x0100
#define PCI_CMD_INTX_OFF 0x0400

/* Status register, PCI 3.0 table 6-2. */
#define PCI_STS_INTX 0x0008
#define PCI_STS_CAPS 0x0010

/* Base address registers, PCI 3.0 section 6.2.5.1. */
#define PCI_BAR_F_IO 0x1
#define PCI_BAR_F_64 0x4
#define PCI_BAR_F_PREFETCH 0x8

/* Capability ids, PCI 3.0 appendix H. */
#define PCI_CAP_VENDOR 0x09
#define PCI_CAP_MSIX 0x11

/* MSI-X capability, PCI 3.0 section 6.8.2. */
#define PCI_MSIX_CTRL 2
#define PCI_MSIX_CTRL_ENABLE 0x8000
#define PCI_MSIX_CTRL_MASK 0x4000
#define PCI_MSIX_TABLE 4
#define PCI_MSIX_PBA 8
#define PCI_MSIX_CAP_SIZE 12
#define PCI_MSIX_ENTRY_SIZE 16
#define PCI_MSIX_ENTRY_CTRL 12
#define PCI_MSIX_ENTRY_MASKED 1

/* Configuration mechanism 1, PCI 3.0 section 3.2.2.3.2. */
#define PCI_PORT_ADDR 0xcf8
#define PCI_PORT_DATA 0xcfc
#define PCI_ADDR_ENABLE 0x80000000u

#endif
