/* SPDX-License-Identifier: Apache-2.0 */
/* Bad documents as good ones with one thing changed. */
#pragma once

/* text with the only `from` in it replaced; owned. Fails the test when it is not there once. */
char *replaced(const char *text, const char *from, const char *to);
