/* SPDX-License-Identifier: Apache-2.0 */
/* Findings as lines and as JSON. */
#include "cmd/thinpull/findings.h"

#include "cmd/thinpull/output.h"

void findings_report(struct jout *o, const struct thin_findings *findings)
{
	jout_uint(o, "total", findings->total);
	jout_array(o, "findings");
	for (size_t i = 0; i < findings->n; i++) {
		jout_object(o, NULL);
		jout_string(o, "kind", findings->items[i].kind);
		jout_string(o, "where", findings->items[i].where);
		jout_string(o, "text", findings->items[i].text);
		jout_bool(o, "repairable", findings->items[i].repairable);
		jout_end_object(o);
	}
	jout_end_array(o);
}

void findings_print(const struct thin_findings *findings, const char *repaired)
{
	if (findings->total == 0)
		output_line("clean");
	for (size_t i = 0; i < findings->n; i++)
		output_line("%s: %s: %s%s", findings->items[i].kind, findings->items[i].where,
			    findings->items[i].text,
			    findings->items[i].repairable ? repaired : " (not repairable)");
	if (findings->total > findings->n)
		output_line("and %llu more", (unsigned long long)(findings->total - findings->n));
}
