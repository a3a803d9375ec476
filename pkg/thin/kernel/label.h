/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first bytes of a block device that a pool is on, by which it is known again: names of devices
 * change from boot to boot, and what is on another one must not be overwritten.
 *
 *   0     "thinpull device\0"
 *   16    u32 version = 1, u32 what it has: 1 data, 2 metadata, 3 both
 *   24    uuid of the pool, 16 bytes
 *   40    name of the pool, ended by a zero, at most 128 bytes and that
 *   4092  u32 CRC-32C of all before it
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/thin/pool.h"

enum { LABEL_BYTES = 4096, LABEL_NAME_BYTES = 129 };
/* What pools leave to their label at the front of a device, so that the rest is aligned. */
#define LABEL_ROOM_BYTES (UINT64_C(1) << 20)

enum label_part { LABEL_DATA = 1, LABEL_METADATA = 2 };

struct device_label {
	unsigned parts; /* enum label_part */
	uint8_t uuid[THIN_UUID_BYTES];
	char pool[LABEL_NAME_BYTES];
};

void device_label_pack(const struct device_label *l, uint8_t raw[LABEL_BYTES]);
/* False: there is none. */
bool device_label_unpack(const uint8_t raw[LABEL_BYTES], struct device_label *ret);

/* 0, 1 = it has none, -1. */
MUST_CHECK int device_label_read(const char *device, struct device_label *ret, struct error *err);
/* @fd: of the device, open for writing; synced. */
MUST_CHECK int device_label_write(int fd, const char *device, const struct device_label *l,
				  struct error *err);
