# SPDX-License-Identifier: Apache-2.0
# One Makefile for everything; `make help` lists the targets. Sources are found by wildcard, each
# flavour (release, debug, asan) has its own folder under build/.

FLAVOUR ?= release
# V=1 shows the commands.
Q := $(if $(V),,@)
OUT := build/$(FLAVOUR)
PKG_CONFIG ?= pkg-config

.DEFAULT_GOAL := all

# --- compiler ------------------------------------------------------------------------------------
LIBRARIES := libarchive jansson libcrypto libcurl sqlite3 libisal libzstd ext2fs com_err devmapper
LIB_CFLAGS := $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags $(LIBRARIES) 2>/dev/null))
LIB_LDLIBS := $(shell $(PKG_CONFIG) --libs $(LIBRARIES) 2>/dev/null) -lpthread

WARNINGS := -Wall -Wextra -Wshadow -Wformat=2 -Wvla -Wundef -Wstrict-prototypes \
	-Wmissing-prototypes -Wwrite-strings -Wconversion -Wno-format-truncation
CPPFLAGS_ALL := -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(CPPFLAGS)
CFLAGS_ALL = -std=gnu17 $(WARNINGS) $(if $(DEV),-Werror) -g -fno-strict-aliasing $(CFLAGS_$(FLAVOUR)) $(CFLAGS)
LDFLAGS_ALL = $(LDFLAGS_$(FLAVOUR)) $(LDFLAGS)

CFLAGS_release := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong
CFLAGS_debug := -O0
CFLAGS_asan := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
LDFLAGS_asan := -fsanitize=address,undefined

# --- sources -------------------------------------------------------------------------------------
PKG_SRC := $(sort $(shell find pkg -name '*.c'))
OCI_SRC := $(sort $(wildcard oci/*.c))
REGISTRY_SRC := $(sort $(wildcard registry/*.c))
CMD_SRC := $(sort $(wildcard cmd/thinpull/*.c))
SUPPORT_SRC := $(sort $(wildcard tests/support/*.c))
UNIT_SRC := $(sort $(shell find tests/unit -name '*_test.c'))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/*_fuzz.c))
BENCH_SRC := $(sort $(wildcard tests/bench/*.c))
ALL_SRC := $(PKG_SRC) $(OCI_SRC) $(REGISTRY_SRC) $(CMD_SRC) $(SUPPORT_SRC) $(UNIT_SRC) $(FUZZ_SRC) $(BENCH_SRC)
ALL_HDR := $(sort $(shell find pkg oci registry cmd tests -name '*.h'))

objects = $(patsubst %.c,$(OUT)/%.o,$(1))
UNIT_BIN := $(UNIT_SRC:%.c=$(OUT)/%)
LIBS := $(OUT)/libregistry.a $(OUT)/liboci.a $(OUT)/libpkg.a

# --- program -------------------------------------------------------------------------------------
.PHONY: all
all: build/thinpull compile_commands.json ## build the release flavour; the program is build/thinpull

.PHONY: program
program: $(OUT)/thinpull ## build the program of one flavour: make program FLAVOUR=debug

build/thinpull: FORCE
	@$(MAKE) --no-print-directory FLAVOUR=release build/release/thinpull
	@cmp -s build/release/thinpull $@ || cp build/release/thinpull $@

$(OUT)/thinpull: $(call objects,$(CMD_SRC)) $(LIBS)
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(LIB_LDLIBS)

$(OUT)/libpkg.a: $(call objects,$(PKG_SRC))
$(OUT)/liboci.a: $(call objects,$(OCI_SRC))
$(OUT)/libregistry.a: $(call objects,$(REGISTRY_SRC))
$(OUT)/libsupport.a: $(call objects,$(SUPPORT_SRC))
$(OUT)/%.a:
	@rm -f $@
	$(Q)echo '  AR    $@'; $(AR) rcs $@ $^

# Each object also leaves its line of compile_commands.json.
$(OUT)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(Q)echo '  CC    $@'; $(CC) $(CPPFLAGS_ALL) $(LIB_CFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<
	@printf '{"directory": "%s", "file": "%s", "command": "%s"},\n' '$(CURDIR)' '$<' \
		'$(CC) $(CPPFLAGS_ALL) $(LIB_CFLAGS) $(CFLAGS_ALL) -c $<' > $(@:.o=.json)

compile_commands.json: build/thinpull ## for editors and clang-tidy
	@{ echo '['; find build/release -name '*.json' | sort | xargs cat | sed '$$ s/,$$//'; echo ']'; } > $@

# --- tests ---------------------------------------------------------------------------------------
# A test binary links the archives of its own layer and below, nothing above.
$(OUT)/tests/unit/pkg/%: $(OUT)/tests/unit/pkg/%.o $(OUT)/libsupport.a $(OUT)/libpkg.a
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -lcmocka $(LIB_LDLIBS)
$(OUT)/tests/unit/oci/%: $(OUT)/tests/unit/oci/%.o $(OUT)/libsupport.a $(OUT)/liboci.a $(OUT)/libpkg.a
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -lcmocka $(LIB_LDLIBS)
$(OUT)/tests/unit/registry/%: $(OUT)/tests/unit/registry/%.o $(OUT)/libsupport.a $(LIBS)
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -lcmocka $(LIB_LDLIBS)
$(OUT)/tests/bench/%: $(OUT)/tests/bench/%.o $(OUT)/libsupport.a $(LIBS)
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(LIB_LDLIBS)

.PHONY: unit
unit: $(UNIT_BIN) ## build and run the unit tests of one flavour
	@for t in $(UNIT_BIN); do ./$$t >$$t.log 2>&1 || { cat $$t.log; echo "FAILED: $$t"; exit 1; }; done

.PHONY: unit-bin
unit-bin: $(UNIT_BIN)

# --- order ---------------------------------------------------------------------------------------
.PHONY: layers
layers: ## fail on an include against the picture
	@sh tests/support/check_layers.sh

.PHONY: format
format: ## format all sources in place
	clang-format -i $(ALL_SRC) $(ALL_HDR)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z_.-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  %-24s %s\n", $$1, $$2}'

.PHONY: clean
clean: ## remove everything that was built
	rm -rf build compile_commands.json

.PHONY: FORCE
FORCE:

.SECONDARY:
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
