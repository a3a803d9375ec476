/* SPDX-License-Identifier: Apache-2.0 */
/* Events change the state; a thread draws it. Nothing is asked of a terminal but CSI A, K and J. */
#include "cmd/thinpull/progress_terminal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cmd/thinpull/output.h"
#include "cmd/thinpull/sizes.h"
#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/utf8.h"

enum {
	DRAW_INTERVAL_MS = 100,
	/* "sha256:" and enough digits to tell layers apart */
	DIGEST_CHARS = 19,
	DEFAULT_COLUMNS = 80,
	DEFAULT_ROWS = 24,
};

enum layer_state {
	LAYER_WAITING,
	LAYER_FETCHING,
	LAYER_FETCHED, /* and waiting for the layers below */
	LAYER_UNPACKING,
	LAYER_DONE, /* from here on nothing changes */
	LAYER_PRESENT,
};

struct layer_line {
	enum layer_state state;
	char digest[DIGEST_TEXT_BYTES];
	uint64_t bytes, total_bytes;
};

struct progress_terminal {
	char *ref;
	struct layer_line *layers;
	size_t n;
	bool titled;   /* the line above the layers is there */
	size_t left;   /* lines left behind: of layers that are final, from the first on */
	size_t drawn;  /* lines below those, to be written over */
	size_t widest; /* of them */
	size_t columns, rows;
	struct buffer frame;
	bool dirty, stop, running;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

/* A process has one terminal: who prints a warning finds here what has to make room for it. */
static struct progress_terminal *showing;
static pthread_mutex_t showing_lock = PTHREAD_MUTEX_INITIALIZER;

bool progress_terminal_is_there(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

/* --- drawing ---------------------------------------------------------------------------------- */

static void measure(struct progress_terminal *t)
{
	struct winsize size = {0};

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col || !size.ws_row)
		size = (struct winsize){.ws_row = DEFAULT_ROWS, .ws_col = DEFAULT_COLUMNS};
	t->columns = size.ws_col;
	t->rows = size.ws_row;
}

/*
 * To the first of the drawn lines. When the terminal got so narrow that they are wrapped, or cut,
 * each kind does as it likes: they are left alone then. What went out at the top is out of reach.
 */
static void go_up(struct progress_terminal *t)
{
	size_t up = t->drawn < t->rows ? t->drawn : t->rows - 1;

	if (t->widest > t->columns)
		up = 0;
	if (up)
		buffer_printf(&t->frame, "\033[%zuA", up);
	t->drawn = t->widest = 0;
}

/* At most what fits on a line with a place to spare, whole characters only. */
static void add_line(struct progress_terminal *t, const char *text)
{
	size_t len = strlen(text), at = 0, width = 0;

	while (at < len && width + 1 < t->columns) {
		size_t n = utf8_char(text + at, len - at);

		at += n ? n : 1;
		width++;
	}
	buffer_add(&t->frame, text, at);
	buffer_printf(&t->frame, "\033[K\n");
	t->widest = width > t->widest ? width : t->widest;
}

/* "12.3/45.6 MiB", "800 KiB/45.6 MiB" */
static void format_part(uint64_t bytes, uint64_t total, char *to, size_t size)
{
	char part[SIZE_TEXT_BYTES], whole[SIZE_TEXT_BYTES];
	char *unit = strchr(size_format(bytes, part), ' ');

	size_format(total, whole);
	if (unit && strcmp(unit, strchr(whole, ' ')) == 0)
		*unit = '\0';
	snprintf(to, size, "%s/%s", part, whole);
}

static void format_state(const struct layer_line *l, char *to, size_t size)
{
	char bytes[2 * SIZE_TEXT_BYTES];

	switch (l->state) {
	case LAYER_WAITING:
		snprintf(to, size, "waiting");
		break;
	case LAYER_FETCHING:
		format_part(l->bytes, l->total_bytes, bytes, sizeof(bytes));
		snprintf(to, size, "fetching %s", bytes);
		break;
	case LAYER_FETCHED:
		snprintf(to, size, "fetched %s", size_format(l->total_bytes, bytes));
		break;
	case LAYER_UNPACKING:
		snprintf(to, size, "unpacking");
		break;
	case LAYER_DONE:
		snprintf(to, size, "done %s", size_format(l->bytes, bytes));
		break;
	case LAYER_PRESENT:
		snprintf(to, size, "already there");
		break;
	}
}

static void add_layer(struct progress_terminal *t, size_t i)
{
	char state[3 * SIZE_TEXT_BYTES], line[256];
	int digits = snprintf(line, sizeof(line), "%zu", t->n);

	format_state(&t->layers[i], state, sizeof(state));
	snprintf(line, sizeof(line), "layer %*zu/%zu %.*s  %s", digits, i + 1, t->n, DIGEST_CHARS,
		 t->layers[i].digest, state);
	add_line(t, line);
}

static void add_title(struct progress_terminal *t)
{
	cleanup_free char *line = xasprintf("%s: %zu layer%s", t->ref, t->n, t->n == 1 ? "" : "s");

	output_make_printable(line);
	/* Never written over, so it may wrap. */
	buffer_printf(&t->frame, "%s\033[K\n", line);
	t->titled = true;
}

/* The layers that change, as many as fit; the line below them is the cursor's. */
static void add_window(struct progress_terminal *t)
{
	size_t room = t->rows > 1 ? t->rows - 1 : 1, end = t->n;
	char more[64];

	if (end - t->left > room)
		end = t->left + (room > 1 ? room - 1 : 1);
	for (size_t i = t->left; i < end; i++, t->drawn++)
		add_layer(t, i);
	if (end == t->n || room == 1)
		return;
	snprintf(more, sizeof(more), "... and %zu more", t->n - end);
	add_line(t, more);
	t->drawn++;
}

static void put_frame(struct progress_terminal *t)
{
	const uint8_t *data = t->frame.data;
	size_t len = t->frame.len;

	while (len) {
		ssize_t n = write(STDERR_FILENO, data, len);

		if (n < 0 && errno != EINTR)
			break; /* nobody can be told */
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	buffer_clear(&t->frame);
}

static void draw(struct progress_terminal *t)
{
	t->dirty = false;
	if (!t->n)
		return;
	measure(t);
	go_up(t);
	if (!t->titled)
		add_title(t);
	for (; t->left < t->n && t->layers[t->left].state >= LAYER_DONE; t->left++)
		add_layer(t, t->left);
	t->widest = 0;
	add_window(t);
	buffer_printf(&t->frame, "\033[J");
	put_frame(t);
}

/* --- the thread ------------------------------------------------------------------------------- */

static struct timespec after_ms(long ms)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += ms * 1000000;
	at.tv_sec += at.tv_nsec / 1000000000;
	at.tv_nsec %= 1000000000;
	return at;
}

/* A change is drawn a moment later, with all that comes meanwhile. */
static void *draw_changes(void *arg)
{
	struct progress_terminal *t = arg;

	pthread_mutex_lock(&t->lock);
	while (!t->stop) {
		struct timespec when = after_ms(DRAW_INTERVAL_MS);

		if (!t->dirty) {
			pthread_cond_wait(&t->changed, &t->lock);
			continue;
		}
		while (!t->stop && pthread_cond_timedwait(&t->changed, &t->lock, &when) == 0)
			;
		if (!t->stop)
			draw(t);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

/* Without a thread the display shows the end only. Signals are for the main thread. */
static void start_thread(struct progress_terminal *t)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	t->running = pthread_create(&t->thread, NULL, draw_changes, t) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void show(struct progress_terminal *t)
{
	pthread_mutex_lock(&showing_lock);
	showing = t;
	pthread_mutex_unlock(&showing_lock);
}

struct progress_terminal *progress_terminal_start(const char *ref)
{
	struct progress_terminal *t = xcalloc(1, sizeof(*t));
	pthread_condattr_t clock;

	t->ref = xstrdup(ref);
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &clock);
	pthread_condattr_destroy(&clock);
	start_thread(t);
	show(t);
	return t;
}

void progress_terminal_finish(struct progress_terminal *t)
{
	show(NULL);
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
	if (t->running)
		pthread_join(t->thread, NULL);
	if (t->dirty)
		draw(t);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	buffer_release(&t->frame);
	free(t->layers);
	free(t->ref);
	free(t);
}

/* --- what happens ----------------------------------------------------------------------------- */

static void set_layer(struct progress_terminal *t, const struct unpack_event *e,
		      enum layer_state state)
{
	struct layer_line *l = &t->layers[e->layer - 1];

	/* A second try: what was final is not; all lines come anew, below. */
	if (e->layer <= t->left && state != l->state)
		t->left = t->drawn = t->widest = 0;
	if (state == LAYER_FETCHING && e->bytes >= e->total_bytes)
		state = LAYER_FETCHED;
	l->state = state;
	l->bytes = e->bytes;
	l->total_bytes = e->total_bytes;
	if (e->digest)
		digest_format(e->digest, l->digest);
}

static void take_event(struct progress_terminal *t, const struct unpack_event *e)
{
	static const enum layer_state states[] = {
		[UNPACK_PRESENT] = LAYER_PRESENT, [UNPACK_WAIT] = LAYER_WAITING,
		[UNPACK_FETCH] = LAYER_FETCHING,  [UNPACK_APPLY] = LAYER_UNPACKING,
		[UNPACK_COMMITTED] = LAYER_DONE,
	};

	if (e->step == UNPACK_RESOLVED && !t->n) {
		t->n = e->n_layers;
		t->layers = xcalloc(t->n + 1, sizeof(*t->layers));
	}
	if (e->step != UNPACK_RESOLVED && e->step != UNPACK_DONE && e->layer && e->layer <= t->n)
		set_layer(t, e, states[e->step]);
}

void progress_terminal_event(struct progress_terminal *t, const struct unpack_event *event)
{
	pthread_mutex_lock(&t->lock);
	take_event(t, event);
	t->dirty = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

static void print_above(struct progress_terminal *t, const char *line)
{
	measure(t);
	go_up(t);
	/* The whole line, however long: it is not written over. */
	buffer_printf(&t->frame, "\033[J%s\n", line);
	put_frame(t);
	t->dirty = true;
	pthread_cond_broadcast(&t->changed);
}

bool progress_terminal_print(const char *line)
{
	bool done;

	pthread_mutex_lock(&showing_lock);
	done = showing != NULL;
	if (done) {
		pthread_mutex_lock(&showing->lock);
		print_above(showing, line);
		pthread_mutex_unlock(&showing->lock);
	}
	pthread_mutex_unlock(&showing_lock);
	return done;
}
