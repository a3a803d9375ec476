# SPDX-License-Identifier: Apache-2.0
# One Makefile for everything; `make help` lists the targets. Sources are found by wildcard, each
# flavour (release, debug, asan, tsan, coverage) has its own folder under build/.

FLAVOUR ?= release
# V=1 shows the commands, DEV=1 makes a warning an error.
Q := $(if $(V),,@)
OUT := build/$(FLAVOUR)
PKG_CONFIG ?= pkg-config
PREFIX ?= /usr/local
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
FUZZ_SECONDS ?= 60
# of a soak
MINUTES ?= 30
# Percent of the lines of each source file that its unit tests must run.
COVERAGE_FLOOR ?= 80

.DEFAULT_GOAL := all

# --- compiler ------------------------------------------------------------------------------------
LIBRARIES := libarchive jansson libcrypto libcurl sqlite3 libisal libzstd liblzma ext2fs com_err devmapper blkid
LIB_CFLAGS := $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags $(LIBRARIES) 2>/dev/null))
LIB_LDLIBS := $(shell $(PKG_CONFIG) --libs $(LIBRARIES) 2>/dev/null) -lbz2 -lpthread

WARNINGS := -Wall -Wextra -Wshadow -Wformat=2 -Wvla -Wundef -Wstrict-prototypes \
	-Wmissing-prototypes -Wwrite-strings -Wconversion $(if $(findstring clang,$(CC)),,-Wno-format-truncation)
CPPFLAGS_ALL := -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(CPPFLAGS)
CFLAGS_ALL = -std=gnu17 $(WARNINGS) $(if $(DEV),-Werror) -g -fno-strict-aliasing $(CFLAGS_$(FLAVOUR)) $(CFLAGS)
LDFLAGS_ALL = $(LDFLAGS_$(FLAVOUR)) $(LDFLAGS)

CFLAGS_release := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong
CFLAGS_debug := -O0
CFLAGS_asan := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
LDFLAGS_asan := -fsanitize=address,undefined
CFLAGS_tsan := -O1 -fno-omit-frame-pointer -fsanitize=thread
LDFLAGS_tsan := -fsanitize=thread
LAUNCH_tsan := sh tests/support/tsan.sh
CFLAGS_coverage := -O0 --coverage -fprofile-update=atomic
LDFLAGS_coverage := --coverage
# see tests/support/coverage_exit.c
LDFLAGS_UNIT_coverage := -Wl,--wrap=_exit -Wl,-u,__wrap__exit -Wl,-u,__gcov_dump
# only with CC=clang, see `make fuzz`
CFLAGS_fuzz := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
LDFLAGS_fuzz := -fsanitize=address,undefined

# --- sources -------------------------------------------------------------------------------------
PKG_SRC := $(sort $(shell find pkg -name '*.c'))
OCI_SRC := $(sort $(wildcard oci/*.c))
REGISTRY_SRC := $(sort $(wildcard registry/*.c))
CMD_SRC := $(sort $(wildcard cmd/thinpull/*.c))
SUPPORT_SRC := $(sort $(wildcard tests/support/*.c))
UNIT_SRC := $(sort $(shell find tests/unit -name '*_test.c'))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/*_fuzz.c))
BENCH_SRC := $(sort $(wildcard tests/bench/*.c))
TOOL_SRC := $(filter-out tests/tools/fault.c,$(sort $(wildcard tests/tools/*.c)))
ALL_SRC := $(PKG_SRC) $(OCI_SRC) $(REGISTRY_SRC) $(CMD_SRC) $(SUPPORT_SRC) $(UNIT_SRC) $(FUZZ_SRC) $(BENCH_SRC) $(TOOL_SRC) tests/tools/fault.c
ALL_HDR := $(sort $(shell find pkg oci registry cmd tests -name '*.h' 2>/dev/null))

objects = $(patsubst %.c,$(OUT)/%.o,$(1))
UNIT_BIN := $(UNIT_SRC:%.c=$(OUT)/%)
# those that need device-mapper
LAB_SRC := $(shell grep -rl --include='*_test.c' '"tests/support/lab.h"' tests/unit)
TOOL_BIN := $(TOOL_SRC:%.c=$(OUT)/%)
FUZZ_BIN := $(FUZZ_SRC:%.c=$(OUT)/%)
LIBS := $(OUT)/libregistry.a $(OUT)/liboci.a $(OUT)/libpkg.a

# --- program -------------------------------------------------------------------------------------
.PHONY: all
all: build/thinpull compile_commands.json ## build the release flavour; the program is build/thinpull

.PHONY: program
program: $(OUT)/thinpull ## build the program of one flavour: make program FLAVOUR=debug

ifeq ($(OUT),build/release)
build/thinpull: $(OUT)/thinpull
	@cp $< $@.new && mv $@.new $@
else
build/thinpull: FORCE
	@$(MAKE) --no-print-directory FLAVOUR=release build/thinpull
endif

$(OUT)/thinpull: $(call objects,$(CMD_SRC)) $(LIBS)
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(LIB_LDLIBS)

$(OUT)/libpkg.a: $(call objects,$(PKG_SRC))
$(OUT)/liboci.a: $(call objects,$(OCI_SRC))
$(OUT)/libregistry.a: $(call objects,$(REGISTRY_SRC))
$(OUT)/libsupport.a: $(call objects,$(SUPPORT_SRC))
$(OUT)/%.a:
	@mkdir -p $(@D); rm -f $@
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
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $(LDFLAGS_UNIT_$(FLAVOUR)) -o $@ $^ -lcmocka $(LIB_LDLIBS)
$(OUT)/tests/unit/oci/%: $(OUT)/tests/unit/oci/%.o $(OUT)/libsupport.a $(OUT)/liboci.a $(OUT)/libpkg.a
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $(LDFLAGS_UNIT_$(FLAVOUR)) -o $@ $^ -lcmocka $(LIB_LDLIBS)
$(OUT)/tests/unit/registry/%: $(OUT)/tests/unit/registry/%.o $(OUT)/libsupport.a $(LIBS)
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $(LDFLAGS_UNIT_$(FLAVOUR)) -o $@ $^ -lcmocka $(LIB_LDLIBS)
$(OUT)/tests/tools/%: $(OUT)/tests/tools/%.o $(OUT)/libsupport.a $(LIBS)
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(LIB_LDLIBS)
# Not linked with anything of ours: it is loaded into the program as users have it.
$(OUT)/tests/tools/fault.so: tests/tools/fault.c Makefile
	@mkdir -p $(@D)
	$(Q)echo '  LD    $@'; $(CC) $(CPPFLAGS_ALL) -std=gnu17 $(WARNINGS) $(if $(DEV),-Werror) -O1 -g -fPIC -shared -o $@ $< -ldl
$(OUT)/tests/fuzz/%: $(OUT)/tests/fuzz/%.o $(OUT)/libsupport.a $(LIBS)
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $^ -lcmocka $(LIB_LDLIBS)
$(OUT)/tests/bench/%: $(OUT)/tests/bench/%.o $(OUT)/libsupport.a $(LIBS)
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(LIB_LDLIBS)

.PHONY: unit
unit: $(UNIT_BIN:%=%.log) ## build and run the unit tests of one flavour
$(UNIT_BIN:%=%.log): %.log: % FORCE
	@$(LAUNCH_$(FLAVOUR)) ./$< >$@ 2>&1 || { cat $@; echo 'FAILED: $<'; exit 1; }

.PHONY: unit-bin tool-bin fuzz-bin objects
unit-bin: $(UNIT_BIN)
tool-bin: $(TOOL_BIN) $(OUT)/tests/tools/fault.so
fuzz-bin: $(FUZZ_BIN)
# Every source file, for a look at what a compiler says.
objects: $(LIBS) $(OUT)/libsupport.a $(call objects,$(CMD_SRC) $(UNIT_SRC) $(TOOL_SRC) $(BENCH_SRC))

# What installs the libraries must run before a make that looks for them, hence the recursion.
.PHONY: test
test: deps ## install what is missing, build, run all tests; the last line counts them
	@tests/run

.PHONY: check
check: test ## the same as test: lint, layers, unit tests (release and asan), integration

.PHONY: integration
integration: ## only the scripts of tests/integration: make integration ONLY=20_registry
	@tests/run --only 'integration/$(ONLY)'

.PHONY: asan
asan: ## unit tests under address and undefined sanitizers
	@$(MAKE) --no-print-directory -j$(JOBS) FLAVOUR=asan unit

.PHONY: tsan
tsan: ## all unit tests under the thread sanitizer, and a pull by the program built with it
	@$(MAKE) --no-print-directory -j$(JOBS) CC=gcc all tool-bin
	@$(MAKE) --no-print-directory -j$(JOBS) CC=gcc FLAVOUR=tsan unit program
	@tests/run --no-build --no-user --only integration/51_tsan

# Half an hour of two cores for all of them, most of it pkg/ext4 and pkg/thin.
.PHONY: valgrind
valgrind: ## unit tests under valgrind's memcheck: make valgrind ONLY=pkg/ext4
	@$(MAKE) --no-print-directory -j$(JOBS) $(filter build/release/tests/unit/$(ONLY)%,$(UNIT_SRC:%.c=build/release/%))
	@bash tests/support/valgrind.sh -j $(JOBS) $(filter build/release/tests/unit/$(ONLY)%,$(UNIT_SRC:%.c=build/release/%))

.PHONY: coverage
coverage: ## lines that the unit tests reach, by file and folder; fails below the floor
	@mkdir -p build/coverage && find build/coverage -name '*.gcda' -delete
	@$(MAKE) --no-print-directory -j$(JOBS) CC=gcc FLAVOUR=coverage unit
	@THINPULL_FLAVOUR=coverage bash tests/kernel/boot.sh tests/kernel/05_unit.sh
	@echo 'coverage of pkg, oci and registry by the unit tests alone:'
	@python3 tests/support/coverage.py --floor $(COVERAGE_FLOOR) $(if $(MISSING),--missing) build/coverage

.PHONY: compilers
compilers: ## gcc and clang, a warning is an error; what they and -O0 built makes the same bytes of all images
	@$(MAKE) --no-print-directory -j$(JOBS) DEV=1 CC=gcc OUT=build/gcc objects program
	@$(MAKE) --no-print-directory -j$(JOBS) DEV=1 CC=clang OUT=build/clang objects program
	@$(MAKE) --no-print-directory -j$(JOBS) DEV=1 CC=gcc FLAVOUR=debug program
	@bash tests/support/same_bytes.sh build/gcc/thinpull build/clang/thinpull build/debug/thinpull
	@echo 'compilers: ok'

.PHONY: fuzz
fuzz: ## run each fuzz target: make fuzz FUZZ_SECONDS=60
	@$(MAKE) --no-print-directory -j$(JOBS) CC=clang FLAVOUR=fuzz fuzz-bin
	@FUZZ_SECONDS=$(FUZZ_SECONDS) sh tests/fuzz/run.sh $(FUZZ_SRC:%.c=build/fuzz/%)

.PHONY: test-kernel-qemu
test-kernel-qemu: deps ## tests/kernel on Debian's stock kernel, emulated; root: make test-kernel-qemu ONLY=20_devmap
	@sh tests/support/deps.sh tests/kernel/qemu_packages.txt
	@bash tests/kernel/qemu_setup.sh
	@$(MAKE) --no-print-directory -s -j$(JOBS) all unit-bin tool-bin
	@bash tests/support/images.sh
	@LAB_MACHINE=qemu tests/run --no-build --no-user --only 'kernel/$(ONLY)'
	$(if $(ONLY),,@$(MAKE) --no-print-directory -s -j$(JOBS) FLAVOUR=asan $(LAB_SRC:%.c=build/asan/%))
	$(if $(ONLY),,@THINPULL_FLAVOUR=asan LAB_MACHINE=qemu bash tests/kernel/boot.sh tests/kernel/05_unit.sh)

.PHONY: lab
lab: ## a shell in a kernel with device-mapper
	@bash tests/kernel/boot.sh --shell

SOAK_BIN := $(patsubst %,$(OUT)/tests/unit/pkg/%_test,\
	$(addprefix thin/file/,model crowd power repair_cut refuse exhaust big) \
	$(addprefix ext4/,writer_model directory_edit writer_dir_put))
.PHONY: soak soak-bin
soak-bin: $(SOAK_BIN)
soak: ## engine and ext4 writer with new seeds, release and asan, and fuzzed: make soak MINUTES=30 [SEED=1]
	@$(MAKE) --no-print-directory -s -j$(JOBS) soak-bin
	@$(MAKE) --no-print-directory -s -j$(JOBS) FLAVOUR=asan soak-bin
	@$(MAKE) --no-print-directory -s -j$(JOBS) CC=clang FLAVOUR=fuzz fuzz-bin
	@tests/soak --jobs $(JOBS) --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

.PHONY: bench bench-pull bench-thin bench-ext4 bench-kernel
bench: bench-pull bench-thin bench-ext4 ## everything below: medians, beside what others take on the same machine
bench-pull: deps ## pull a large image beside skopeo and umoci
	@$(MAKE) --no-print-directory -s -j$(JOBS) all
	@bash tests/bench/pull.sh
bench-thin: deps ## the file engine: writes, commits, opening, checking, diff, memory
	@$(MAKE) --no-print-directory -s -j$(JOBS) $(OUT)/tests/bench/thin_bench
	@bash tests/bench/thin.sh
bench-ext4: deps ## the ext4 writer: speed, and fragmentation beside a kernel and mke2fs
	@$(MAKE) --no-print-directory -s -j$(JOBS) all tool-bin $(OUT)/tests/bench/ext4_bench
	@bash tests/bench/ext4.sh
# Not a part of `bench`: a quarter of an hour, and Debian's containerd is installed for it.
bench-kernel: deps ## pull and one more snapshot in the lab kernel, beside containerd's devmapper snapshotter
	@sh tests/support/deps.sh tests/bench/packages.txt
	@$(MAKE) --no-print-directory -s -j$(JOBS) all
	@bash tests/bench/kernel.sh

.PHONY: demo
demo: deps ## set up everything, pull a real image from a real registry, run a container of it
	@$(MAKE) --no-print-directory -s -j$(JOBS) all
	@bash tests/demo/demo.sh

.PHONY: test-fresh
test-fresh: deps ## both README commands on a minimal Debian made anew; root: make test-fresh FRESH=demo
	@bash tests/fresh/fresh.sh $(FRESH)

# --- machine -------------------------------------------------------------------------------------
.PHONY: deps
deps: ## install the Debian packages that are missing (sudo if not root)
	@sh tests/support/deps.sh

.PHONY: install
install: all ## PREFIX=/usr/local, DESTDIR for packagers
	install -D -m 755 build/thinpull $(DESTDIR)$(PREFIX)/bin/thinpull
	mkdir -p $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions \
		$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	build/thinpull completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/thinpull
	build/thinpull completion zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_thinpull
	build/thinpull completion fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/thinpull.fish
	mkdir -p $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/local|$(PREFIX)|' cmd/thinpull/share/thinpull-watch@.service \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/thinpull-watch@.service

# --- order ---------------------------------------------------------------------------------------
.PHONY: layers
layers: ## fail on an include against the picture
	@sh tests/support/check_layers.sh

.PHONY: lint
lint: ## sizes, first lines, formatting, shell syntax
	@python3 tests/support/lint.py

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
