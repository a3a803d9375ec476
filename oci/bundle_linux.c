/* SPDX-License-Identifier: Apache-2.0 */
/* The part of config.json that is about Linux, as `runc spec` writes it. */
#include "oci/bundle_internal.h"
#include "pkg/base/alloc.h"

static void put_list(struct jout *o, const char *key, const char *const *items, size_t n)
{
	jout_array(o, key);
	for (size_t i = 0; i < n; i++)
		jout_string(o, NULL, items[i]);
	jout_end_array(o);
}

static void put_namespaces(struct jout *o, const struct bundle_options *options)
{
	const struct {
		const char *type;
		bool wanted;
	} namespaces[] = {
		{"pid", true},	 {"network", !options->host_network && !options->rootless},
		{"ipc", true},	 {"uts", true},
		{"mount", true}, {"user", options->rootless},
	};

	jout_array(o, "namespaces");
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		if (!namespaces[i].wanted)
			continue;
		jout_object(o, NULL);
		jout_string(o, "type", namespaces[i].type);
		jout_end_object(o);
	}
	jout_end_array(o);
}

/* One id: root inside is the caller outside. More would need newuidmap(1) and its files. */
static void put_mapping(struct jout *o, const char *key, uint64_t host_id)
{
	jout_array(o, key);
	jout_object(o, NULL);
	jout_uint(o, "containerID", 0);
	jout_uint(o, "hostID", host_id);
	jout_uint(o, "size", 1);
	jout_end_object(o);
	jout_end_array(o);
}

/* No device but those that each container has. */
static void put_resources(struct jout *o)
{
	jout_object(o, "resources");
	jout_array(o, "devices");
	jout_object(o, NULL);
	jout_string(o, "access", "rwm");
	jout_bool(o, "allow", false);
	jout_end_object(o);
	jout_end_array(o);
	jout_end_object(o);
}

void bundle_put_linux(struct jout *o, const struct bundle_options *options)
{
	static const char *const masked[] = {"/proc/acpi",	    "/proc/asound",
					     "/proc/kcore",	    "/proc/keys",
					     "/proc/latency_stats", "/proc/timer_list",
					     "/proc/timer_stats",   "/proc/sched_debug",
					     "/sys/firmware",	    "/proc/scsi"};
	static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
						"/proc/sysrq-trigger"};

	jout_object(o, "linux");
	if (options->cgroups_path)
		jout_string(o, "cgroupsPath", options->cgroups_path);
	if (options->rootless)
		put_mapping(o, "gidMappings", options->host_gid);
	put_list(o, "maskedPaths", masked, ARRAY_SIZE(masked));
	put_namespaces(o, options);
	put_list(o, "readonlyPaths", read_only, ARRAY_SIZE(read_only));
	if (!options->rootless)
		put_resources(o);
	if (options->rootless)
		put_mapping(o, "uidMappings", options->host_uid);
	jout_end_object(o);
}
