/* SPDX-License-Identifier: Apache-2.0 */
/* The clock, as text. By our own reckoning: libc's reads the zone's file even for UTC. */
#include "pkg/base/timestamp.h"

#include <stdio.h>
#include <time.h>

enum { DAY_S = 86400, DAYS_TO_1970 = 719468 /* from March 1st of year 0 */ };
enum { DAYS_400_YEARS = 146097, DAYS_100_YEARS = 36524, DAYS_4_YEARS = 1461, DAYS_YEAR = 365 };

struct date {
	unsigned year, month, day;
};

/* Years begin in March, so that the leap day is a year's last. */
static struct date date_of(unsigned long day)
{
	unsigned long since = day + DAYS_TO_1970, era = since / DAYS_400_YEARS;
	unsigned long left = since % DAYS_400_YEARS, year, month;
	struct date d;

	year = (left - left / (DAYS_4_YEARS - 1) + left / DAYS_100_YEARS
		- left / (DAYS_400_YEARS - 1))
	       / DAYS_YEAR;
	left -= year * DAYS_YEAR + year / 4 - year / 100;
	month = (5 * left + 2) / 153; /* five months have 153 days, whichever they are */
	d.day = (unsigned)(left - (153 * month + 2) / 5) + 1;
	d.month = (unsigned)(month < 10 ? month + 3 : month - 9);
	d.year = (unsigned)(era * 400 + year) + (d.month <= 2);
	return d;
}

char *timestamp_of(time_t seconds, char *buf)
{
	struct date d = date_of((unsigned long)seconds / DAY_S);
	unsigned s = (unsigned)((unsigned long)seconds % DAY_S);

	snprintf(buf, TIMESTAMP_BYTES, "%04u-%02u-%02uT%02u:%02u:%02uZ", d.year % 10000, d.month,
		 d.day, s / 3600, s / 60 % 60, s % 60);
	return buf;
}

char *timestamp_now(char *buf)
{
	return timestamp_of(time(NULL), buf);
}
