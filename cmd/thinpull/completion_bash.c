/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For bash 4 and later, without its completion package. bash breaks words at ':', '=' and '@', which
 * references are full of: the line is taken apart anew, and what stands before the last break is
 * taken off the answers.
 */
#include "cmd/thinpull/completion.h"

static const char head[] = "# bash completion of thinpull, made by: thinpull completion bash\n\n";

static const char program[] =
	"# What is before the cursor: verb, operands so far, and the option that waits for its value.\n"
	"_thinpull_parse() {\n"
	"    local word\n"
	"    run=(\"${words[0]}\")\n"
	"    for word in \"${words[@]:1:${#words[@]}-2}\"; do\n"
	"        if [[ -n $option ]]; then\n"
	"            if _thinpull_is_global \"$option\"; then run+=(\"$option\" \"$word\"); fi\n"
	"            option=\n"
	"        elif [[ $word == --*=* ]]; then\n"
	"            if _thinpull_is_global \"${word%%=*}\"; then run+=(\"$word\"); fi\n"
	"        elif [[ $word == -?* ]]; then\n"
	"            if [[ -n $(_thinpull_value \"$verb\" \"$word\") ]]; then option=$word; fi\n"
	"        elif [[ -z $verb ]]; then\n"
	"            verb=$word\n"
	"        elif _thinpull_is_group \"$verb\"; then\n"
	"            verb+=\" $word\"\n"
	"        else\n"
	"            n=$((n + 1))\n"
	"        fi\n"
	"    done\n"
	"}\n"
	"\n"
	"# Candidates, a line each.\n"
	"_thinpull_expand() {\n"
	"    local word\n"
	"    for word; do\n"
	"        case $word in\n"
	"        @image) \"${run[@]}\" -q images ;;\n"
	"        @container) \"${run[@]}\" -q ls ;;\n"
	"        @dir) compgen -d -- \"$cur\" ;;\n"
	"        @file) compgen -f -- \"$cur\" ;;\n"
	"        @verb) _thinpull_verbs '' | cut -d: -f1 ;;\n"
	"        @*) ;;\n"
	"        *) echo \"$word\" ;;\n"
	"        esac\n"
	"    done 2>/dev/null\n"
	"}\n"
	"\n"
	"_thinpull_candidates() {\n"
	"    if [[ -n $option ]]; then\n"
	"        _thinpull_expand $(_thinpull_value \"$verb\" \"$option\")\n"
	"    elif [[ $cur == -* ]]; then\n"
	"        _thinpull_options \"$verb\" | cut -d: -f1\n"
	"    elif [[ -z $verb ]] || _thinpull_is_group \"$verb\"; then\n"
	"        _thinpull_verbs \"$verb\" | cut -d: -f1\n"
	"    else\n"
	"        _thinpull_expand $(_thinpull_operand \"$verb\" $((n + 1)))\n"
	"    fi\n"
	"}\n"
	"\n"
	"_thinpull() {\n"
	"    local line=${COMP_LINE:0:COMP_POINT} cur verb= option= n=0 candidate before=\n"
	"    local -a words run\n"
	"    read -ra words <<<\"$line\"\n"
	"    if [[ $line == *[[:space:]] ]]; then words+=(''); fi\n"
	"    cur=${words[${#words[@]}-1]}\n"
	"    _thinpull_parse\n"
	"    if [[ $cur == --*=* ]]; then\n"
	"        option=${cur%%=*}\n"
	"        before=$option=\n"
	"        cur=${cur#*=}\n"
	"    fi\n"
	"    COMPREPLY=()\n"
	"    while IFS= read -r candidate; do\n"
	"        if [[ $candidate == \"$cur\"* ]]; then COMPREPLY+=(\"$before$candidate\"); fi\n"
	"    done < <(_thinpull_candidates)\n"
	"    cur=$before$cur\n"
	"    before=${cur%\"${cur##*[\"$COMP_WORDBREAKS\"]}\"}\n"
	"    COMPREPLY=(\"${COMPREPLY[@]#\"$before\"}\")\n"
	"    if [[ -e ${COMPREPLY[0]} ]]; then\n"
	"        compopt -o filenames 2>/dev/null\n"
	"    fi\n"
	"}\n"
	"\n"
	"complete -F _thinpull thinpull\n";

void completion_bash(struct buffer *out)
{
	buffer_printf(out, "%s", head);
	completion_tables(out);
	buffer_printf(out, "%s", program);
}
