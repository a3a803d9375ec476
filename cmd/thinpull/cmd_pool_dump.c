/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool dump: the pool's metadata as XML. It is put together in a temporary file: a writer may commit
 * meanwhile, and then all comes anew.
 */
#include "cmd/thinpull/command.h"

#include <stdio.h>
#include <unistd.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "pkg/base/buffer.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/file/dump.h"

enum { PIECE_BYTES = 65536 };

static int begin(void *context, struct error *err)
{
	FILE *spool = context;

	rewind(spool);
	if (ftruncate(fileno(spool), 0) < 0)
		return error_sys(err, "temporary file");
	return 0;
}

static int text(void *context, const char *text, size_t len, struct error *err)
{
	if (fwrite(text, 1, len, context) != len)
		return error_sys(err, "temporary file");
	return 0;
}

static void print_xml(FILE *spool)
{
	char piece[PIECE_BYTES];
	size_t n;

	while ((n = fread(piece, 1, sizeof(piece), spool)) > 0)
		output_text("%.*s", (int)n, piece);
}

static void print_json(FILE *spool)
{
	cleanup_buffer struct buffer xml = {0};
	cleanup_jout struct jout o = {0};
	size_t n;

	while ((n = fread(buffer_reserve(&xml, PIECE_BYTES), 1, PIECE_BYTES, spool)) > 0)
		buffer_grew(&xml, n);
	buffer_add(&xml, "", 1);
	jout_object(&o, NULL);
	jout_string(&o, "xml", (const char *)xml.data);
	jout_end_object(&o);
	output_json(&o);
}

/* In the root folder, which has room, and not in memory, as a folder for temporary files can be. */
static FILE *open_spool(struct store *store, struct error *err)
{
	cleanup_fd int fd = -1;
	FILE *spool;

	if (fdio_open_nameless(store_spool_dir(store), &fd, err) < 0)
		return NULL;
	spool = fdopen(fd, "w+");
	if (spool)
		steal_fd(&fd);
	else
		error_sys(err, "temporary file");
	return spool;
}

static int dump(const struct context *context, struct store *store, FILE *spool, struct error *err)
{
	const struct thin_dump_sink sink = {.begin = begin, .text = text, .context = spool};
	int rc = store_pool_dump(store, args_has(context->args, "metadata-snap"), &sink, err);

	if (rc == 0 && fflush(spool) != 0)
		rc = error_sys(err, "temporary file");
	rewind(spool);
	if (!context->settings->json)
		print_xml(spool); /* also of a damaged pool, as far as it goes */
	else if (rc == 0)
		print_json(spool);
	return rc;
}

int cmd_pool_dump(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	struct thin_engine_choice engine;
	FILE *spool = NULL;
	int rc = context_look_at_store(context, STORE_STAY_INACTIVE, &store, &engine, err);

	if (rc == 0 && !(spool = open_spool(store, err)))
		rc = -1;
	if (rc == 0)
		rc = dump(context, store, spool, err);
	if (spool)
		fclose(spool);
	return rc < 0 ? error_wrap(err, "pool dump") : 0;
}
