/* SPDX-License-Identifier: Apache-2.0 */
/* The pool's facts in three forms. */
#include "cmd/thinpull/pool_report.h"

#include <stdio.h>
#include <string.h>

#include "cmd/thinpull/hints.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/report.h"
#include "cmd/thinpull/sizes.h"
#include "pkg/base/alloc.h"

/* --- mode ------------------------------------------------------------------------------------- */

const char *pool_report_mode(const struct store_facts *f)
{
	if (f->has_status)
		return f->status.mode;
	return f->active ? "unknown" : "inactive";
}

static enum error_detail detail_of(const struct store_facts *f)
{
	static const struct {
		const char *mode;
		enum error_detail detail;
	} details[] = {
		{"out_of_data_space", ERR_DETAIL_POOL_FULL},
		{"out_of_metadata_space", ERR_DETAIL_POOL_METADATA_FULL},
		{"ro", ERR_DETAIL_POOL_READ_ONLY},
		{"needs_check", ERR_DETAIL_POOL_READ_ONLY},
		{"fail", ERR_DETAIL_POOL_FAILED},
	};

	if (!f->has_status)
		return f->reason.detail;
	/* The file engine has no mode to be led out of but this one. */
	if (f->status.needs_check && !f->has_setup)
		return ERR_DETAIL_NEEDS_CHECK;
	for (size_t i = 0; i < ARRAY_SIZE(details); i++)
		if (strcmp(f->status.mode, details[i].mode) == 0)
			return details[i].detail;
	return ERR_DETAIL_NONE;
}

const char *pool_report_hint(const struct store_facts *f)
{
	return hint_of_detail(detail_of(f));
}

static const char *when_full(const struct store_facts *f)
{
	bool queue = f->has_setup ? !f->setup.error_if_no_space : f->place.queue_when_full;

	return queue ? "queue" : "error";
}

static bool zeroes(const struct store_facts *f)
{
	return f->has_setup ? f->setup.zeroing : !f->place.no_zero;
}

/* Who runs it, or would: whoever looked at it now may be another one. */
static const char *engine_of(struct store *store)
{
	struct thin_engine_choice choice;
	struct error ignored = {0};

	return store_engine(store, &choice, &ignored) < 0 ? NULL : thin_engine_name(choice.engine);
}

struct extension {
	const char *by;		    /* NULL: nobody */
	unsigned threshold, extend; /* percent of the pool */
};

/* LVM's daemon by LVM's policy, we by ours, or nobody. */
static struct extension extension_of(const struct context *context, struct store *store,
				     const struct store_facts *f)
{
	const struct store_autoextend *how = &context->settings->autoextend;
	struct extension e = {.threshold = how->threshold, .extend = how->percent};
	const char *engine = engine_of(store);

	if (f->place.kind == THIN_PLACE_LVM) {
		e.threshold = f->has_policy ? f->policy.threshold_percent : 100;
		e.extend = f->has_policy ? f->policy.extend_percent : 0;
		if (f->has_policy && f->policy.monitored && e.threshold < 100)
			e.by = "dmeventd";
	} else if (f->place.kind == THIN_PLACE_FILES && engine && strcmp(engine, "kernel") == 0
		   && e.threshold < 100) {
		e.by = "thinpull";
	}
	return e;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void json_setup(struct jout *o, const struct store_facts *f)
{
	const struct thin_kernel_setup *k = f->has_setup ? &f->setup : NULL;

	jout_object(o, "devices");
	jout_string(o, "pool", k ? k->pool_device : NULL);
	jout_string(o, "data", k ? k->data_device : f->place.data_device);
	jout_string(o, "metadata", k ? k->metadata_device : f->place.metadata_device);
	jout_end_object(o);
	jout_object(o, "files");
	jout_string(o, "data", f->data_file);
	jout_string(o, "metadata", f->metadata_file);
	jout_end_object(o);
	jout_string(o, "when_full", when_full(f));
	jout_bool(o, "zeroing", zeroes(f));
	jout_bool(o, "discard", !k || k->discard);
	jout_bool(o, "discard_passdown", !k || k->discard_passdown);
	jout_uint(o, "low_water_blocks", k ? k->low_water_blocks : 0);
	jout_uint(o, "metadata_low_water_blocks", k ? k->metadata_low_water_blocks : 0);
	jout_uint(o, "deferred_devices", k ? k->deferred : 0);
}

static void json_autoextend(struct jout *o, const struct context *context, struct store *store,
			    const struct store_facts *f)
{
	struct extension e = extension_of(context, store, f);

	jout_object(o, "autoextend");
	jout_string(o, "by", e.by);
	jout_uint(o, "threshold_percent", e.threshold);
	jout_uint(o, "percent", e.extend);
	jout_end_object(o);
}

static void json_status(struct jout *o, const struct context *context, const struct store_facts *f)
{
	const struct thin_pool_status *s = &f->status;

	if (!f->has_status) {
		static const char *const unknown[] = {"block_bytes", "data",
						      "metadata",    "transaction_id",
						      "held_root",   "thin_count",
						      "needs_check", "low_water_bytes"};

		for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
			jout_string(o, unknown[i], NULL);
		return;
	}
	report_pool_status(o, s, context->settings->min_free_data_percent);
	if (s->held_root)
		jout_uint(o, "held_root", s->held_root);
	else
		jout_string(o, "held_root", NULL);
}

void pool_report(struct jout *o, const char *key, const struct context *context,
		 struct store *store, const struct store_facts *f)
{
	jout_object(o, key);
	jout_string(o, "name", store_pool_name(store));
	jout_string(o, "kind", thin_place_kind_name(f->place.kind));
	jout_bool(o, "active", f->active);
	jout_string(o, "engine", engine_of(store));
	jout_string(o, "mode", pool_report_mode(f));
	jout_string(o, "problem", f->has_status ? NULL : f->reason.cause);
	jout_string(o, "hint", pool_report_hint(f));
	json_status(o, context, f);
	json_setup(o, f);
	json_autoextend(o, context, store, f);
	jout_end_object(o);
}

/* --- for people ------------------------------------------------------------------------------- */

static const char *or_dash(const char *text)
{
	return text ? text : "-";
}

static const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

static const char *discards(const struct store_facts *f)
{
	if (f->has_setup && !f->setup.discard)
		return "ignored";
	return !f->has_setup || f->setup.discard_passdown ? "passed down" : "kept";
}

static void text_place(const struct store_facts *f)
{
	report_fact("Kind", "%s", thin_place_kind_name(f->place.kind));
	report_fact("Active", "%s", yes_no(f->active));
	if (f->has_setup) {
		report_fact("Device", "%s", f->setup.pool_device);
		report_fact("Data on", "%s", or_dash(f->setup.data_device));
		report_fact("Metadata on", "%s", or_dash(f->setup.metadata_device));
	}
	if (!f->has_setup && f->place.data_device)
		report_fact("Data on", "%s", f->place.data_device);
	if (!f->has_setup && f->place.metadata_device)
		report_fact("Metadata on", "%s", f->place.metadata_device);
	if (f->data_file) {
		report_fact("Data file", "%s", f->data_file);
		report_fact("Metadata file", "%s", f->metadata_file);
	}
}

static void text_policy(const struct context *context, struct store *store,
			const struct store_facts *f)
{
	struct extension e = extension_of(context, store, f);

	report_fact("When full", "%s", when_full(f));
	report_fact("Zeroing", "%s", yes_no(zeroes(f)));
	report_fact("Discards", "%s", discards(f));
	if (e.by)
		report_fact("Extended", "at %u %% in use, by %u %%, by %s", e.threshold, e.extend,
			    e.by);
	else
		report_fact("Extended", "never by itself");
	if (f->has_status && f->status.held_root)
		report_fact("Held root", "%llu", (unsigned long long)f->status.held_root);
	if (f->has_setup && f->setup.deferred)
		report_fact("Going", "%u thin devices, with their last user", f->setup.deferred);
}

static void text_mode(const struct store_facts *f)
{
	const char *hint = pool_report_hint(f);

	report_fact("Mode", "%s", pool_report_mode(f));
	if (!f->has_status && f->reason.cause[0])
		report_fact("Problem", "%s", f->reason.cause);
	if (hint)
		report_fact("What to do", "%s", hint);
}

void pool_report_text(const struct context *context, struct store *store,
		      const struct store_facts *f)
{
	report_fact("Pool", "%s", store_pool_name(store));
	report_fact("Engine", "%s", or_dash(engine_of(store)));
	text_mode(f);
	if (f->has_status)
		report_pool_text(&f->status, context->settings->min_free_data_percent);
	text_place(f);
	text_policy(context, store, f);
}

/* --- as docker had it ------------------------------------------------------------------------- */

static void docker_space(const char *what, uint64_t used, uint64_t total)
{
	static const char *const kinds[] = {"Used", "Total", "Available"};
	const uint64_t values[] = {used, total, total - used};
	char name[48], size[SIZE_TEXT_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(name, sizeof(name), "%s Space %s", what, kinds[i]);
		report_fact(name, "%s", size_format(values[i], size));
	}
}

static void docker_devices(const struct store_facts *f)
{
	const struct thin_kernel_setup *k = &f->setup;

	report_fact("Data file", "%s", or_dash(k->data_device ? k->data_device : f->data_file));
	report_fact("Metadata file", "%s",
		    or_dash(k->metadata_device ? k->metadata_device : f->metadata_file));
	report_fact("Data loop file", "%s", or_dash(k->data_file));
	report_fact("Metadata loop file", "%s", or_dash(k->metadata_file));
}

void pool_report_docker(const struct context *context, struct store *store,
			const struct store_facts *f, uint64_t base_bytes)
{
	const struct thin_pool_status *s = &f->status;
	unsigned keep = context->settings->min_free_data_percent;
	char size[SIZE_TEXT_BYTES];

	report_fact("Pool Name", "%s",
		    f->has_setup ? strrchr(f->setup.pool_device, '/') + 1 : store_pool_name(store));
	report_fact("Pool Blocksize", "%s", size_format(s->block_bytes, size));
	report_fact("Base Device Size", "%s", base_bytes ? size_format(base_bytes, size) : "-");
	report_fact("Backing Filesystem", "ext4");
	report_fact("Udev Sync Supported", "%s", f->has_setup && f->setup.udev ? "true" : "false");
	docker_devices(f);
	docker_space("Data", report_data_bytes(s, s->data_used_blocks),
		     report_data_bytes(s, s->data_total_blocks));
	docker_space("Metadata", report_metadata_bytes(s->metadata_used_blocks),
		     report_metadata_bytes(s->metadata_total_blocks));
	report_fact("Thin Pool Minimum Free Space", "%s",
		    size_format(report_guard_bytes(s, keep), size));
	report_fact("Deferred Removal Enabled", "%s", f->has_setup ? "true" : "false");
	report_fact("Deferred Deletion Enabled", "false");
	report_fact("Deferred Deleted Device Count", "0");
	report_fact("Library Version", "%s%s%s%s", f->has_setup ? f->setup.library : "-",
		    f->has_setup ? " (driver " : "", f->has_setup ? f->setup.driver : "",
		    f->has_setup ? ")" : "");
}
