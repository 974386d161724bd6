# Conclave. `make help` lists what there is; `make V=1` shows the commands.
VERSION     = 0.1.0
PKG_CONFIG ?= pkg-config
PREFIX     ?= /usr/local
MAKEFLAGS  += --no-print-directory
B           = build
JOBS       ?= $(shell nproc)

PACKAGES = 'raft >= 0.22' libuv lmdb openssl libcjson zlib libcurl
WARN = -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla -Wcast-qual \
	-Wwrite-strings -Wundef -Wswitch-enum -Wnull-dereference
HARDEN = -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
	-fstack-clash-protection -fPIE -fno-omit-frame-pointer
HARDEN_LD = -Wl,-z,relro -Wl,-z,now
PIE = -pie
ifeq ($(WERROR),1)
WARN += -Werror
endif
CFLAGS ?= -g
Q   = $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

pkg         = $(shell $(PKG_CONFIG) $(1) 2>/dev/null)
CPPFLAGS_   = -I. -D_GNU_SOURCE -DVERSION='"$(VERSION)"' $(PKG_CPPFLAGS) $(CPPFLAGS)
CFLAGS_     = $(WARN) $(HARDEN) $(PIC) $(SANITIZE) $(CFLAGS)
LDFLAGS_    = $(PIE) $(HARDEN_LD) $(SANITIZE) $(LDFLAGS)
PKG_CPPFLAGS := $(call pkg,--cflags $(PACKAGES))
LIBS        := $(call pkg,--libs raft libuv lmdb openssl libcjson zlib) -lhttp_parser -lpthread
CLIENT_LIBS := $(call pkg,--libs libcurl libcjson openssl) -lpthread
TEST_LIBS   = -lcmocka

# ---- what there is; a new file is listed nowhere ----------------------------
obj      = $(patsubst %.c,$(B)/%.o,$(1))
CORE     = $(call obj,$(filter-out server/main.c,$(wildcard storage/*.c fsm/*.c server/*.c server/*/*.c)))
CLIENT   = $(call obj,$(wildcard client/lib*.c))
COMMAND  = $(call obj,$(filter-out client/lib%,$(wildcard client/*.c)))
EXAMPLE  = $(patsubst %.c,$(B)/%,$(wildcard client/example/*.c))
SUPPORT  = $(call obj,$(wildcard tests/support/*.c))
UNIT     = $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*_test.c))
SIM      = $(patsubst %.c,$(B)/%,$(wildcard tests/sim/*_test.c))
FUZZ     = $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/*_fuzz.c))
SCENARIO = $(filter-out %_long_test,$(wildcard tests/system/*_test))
LONG     = $(wildcard tests/system/*_long_test)
SOURCES  = $(wildcard $(foreach d,storage fsm server server/* client client/* tests/*,$(d)/*.c $(d)/*.h))
PROGRAMS = $(B)/conclaved $(if $(COMMAND),$(B)/conclave)
LIBRARY  = $(if $(CLIENT),$(B)/libconclave.a $(B)/libconclave.so.0)
FUZZ_MAIN = $(B)/tests/fuzz/replay.o

all: $(PROGRAMS) $(LIBRARY) ## the programs and the library, in build/

# ---- compile and link -------------------------------------------------------
# All objects wait for one file that names compiler and flags; it changes with
# them, and is where a missing package or compiler is told.
BUILT_WITH := $(CC) $(CPPFLAGS_) $(CFLAGS_) $(LDFLAGS_) $(LIBS)
ifneq ($(file <$(B)/flags),$(BUILT_WITH))
.PHONY: $(B)/flags
endif
$(B)/flags:
	@command -v $(firstword $(CC)) $(PKG_CONFIG) >/dev/null && \
	    $(PKG_CONFIG) --exists --print-errors $(PACKAGES) || \
	    { echo "packages are missing: 'make deps' installs them"; exit 1; }
	$(Q)mkdir -p $(@D) && printf '%s\n' '$(subst ','\'',$(BUILT_WITH))' >$@

$(B)/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_) $(CFLAGS_) -MMD -MP -c -o $@ $<

$(CLIENT): PIC = -fPIC
$(B)/libconclave.so.0: PIE =
$(B)/libcore.a: $(CORE)
$(B)/libsupport.a: $(SUPPORT)
$(B)/libconclave.a: $(CLIENT)
%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

link = $(call say,LD,$@)$(if $(V),,;) $(CC) $(LDFLAGS_) -o $@ $(filter %.o %.a,$^)
$(B)/conclaved: $(B)/server/main.o $(B)/libcore.a
	$(link) $(LIBS)
$(B)/conclave: $(COMMAND) $(B)/libconclave.a
	$(link) $(CLIENT_LIBS)
$(B)/libconclave.so.0: $(CLIENT) client/libconclave.map
	$(link) -shared -Wl,-soname,$(@F) -Wl,--version-script,client/libconclave.map $(CLIENT_LIBS)
$(EXAMPLE:%=%.o): PKG_CPPFLAGS += -Iclient
$(EXAMPLE): $(B)/%: $(B)/%.o $(B)/libconclave.a
	$(link) $(CLIENT_LIBS)
TEST_ARCHIVES = $(B)/libsupport.a $(B)/libcore.a $(if $(CLIENT),$(B)/libconclave.a)
$(UNIT) $(SIM): $(B)/%: $(B)/%.o $(TEST_ARCHIVES)
	$(link) $(TEST_LIBS) $(LIBS) $(CLIENT_LIBS)
$(FUZZ): $(B)/%: $(B)/%.o $(FUZZ_MAIN) $(TEST_ARCHIVES)
	$(link) $(FUZZ_LD) $(TEST_LIBS) $(LIBS) $(CLIENT_LIBS)

# ---- set up and run ---------------------------------------------------------
PARALLEL = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS))
deps: ## install what building and running needs
	$(Q)server/package/deps.sh build
run: deps ## deps, build, then three servers on this machine until Ctrl-C
	$(Q)$(MAKE) $(PARALLEL) all
	$(Q)B='$(B)' server/package/run-cluster

# ---- test; T=name picks one: make check T=buf, make asan T="buf http" -------
pick  = $(if $(T),$(foreach t,$(T),$(filter %/$(t)_test %/$(t)_fuzz,$(1))),$(1))
run-tests = $(Q)CONCLAVED='$(abspath $(B)/conclaved)' CONCLAVE='$(abspath $(B)/conclave)' \
	tests/support/run-tests -j $(JOBS) -o $(B)/log
check: ## deps, then unit, simulation, fuzz corpora and system tests
	$(Q)server/package/deps.sh test
	$(Q)$(MAKE) $(PARALLEL) all check-programs
	$(Q)$(MAKE) test
check-programs: $(call pick,$(UNIT) $(SIM) $(FUZZ)) $(EXAMPLE)
test: $(PROGRAMS) check-programs ## the same without deps
	$(run-tests) $(call pick,$(UNIT) $(SIM) $(FUZZ) $(SCENARIO))
unit: $(call pick,$(UNIT)) ## only the unit tests
	$(run-tests) $^
sim: $(call pick,$(SIM)) ## only the simulations
	$(run-tests) $^
system: $(PROGRAMS) ## only the scenarios with real servers
	$(run-tests) $(call pick,$(SCENARIO))
check-long: $(PROGRAMS) ## the scenarios that take longer
	$(run-tests) -t 1200 $(call pick,$(LONG))

LIGHT = HARDEN='-O1 -fno-omit-frame-pointer -fPIE' HARDEN_LD=
ASAN  = -fsanitize=address,undefined -fno-sanitize-recover=all
asan: ## the tests under AddressSanitizer and UBSan
	$(Q)LSAN_OPTIONS='suppressions=$(CURDIR)/tests/support/lsan.supp:print_suppressions=0' \
	    $(MAKE) $(PARALLEL) B=$(B)/asan $(LIGHT) SANITIZE='$(ASAN)' test
tsan: ## the tests under ThreadSanitizer
	$(Q)TSAN_OPTIONS='suppressions=$(CURDIR)/tests/support/tsan.supp' \
	    $(MAKE) $(PARALLEL) B=$(B)/tsan $(LIGHT) SANITIZE=-fsanitize=thread test
fuzz: ## every fuzz target for FUZZ_SECONDS (60)
	$(Q)$(MAKE) $(PARALLEL) B=$(B)/fuzz $(LIGHT) CC=clang FUZZ_MAIN= FUZZ_LD=-fsanitize=fuzzer \
	    SANITIZE='$(ASAN) -fsanitize=fuzzer-no-link' fuzz-run
fuzz-run: $(call pick,$(FUZZ))
	$(run-tests) -t 3600 -w tests/fuzz/one $^
coverage: ## lines and branches that the tests reach, by folder
	$(Q)$(MAKE) $(PARALLEL) B=$(B)/coverage $(LIGHT) SANITIZE=--coverage test
	$(Q)tests/support/coverage $(B)/coverage

BENCH     = $(B)/tests/bench/http_load $(B)/tests/bench/watch_fanout
BENCH_OBJ = $(call obj,$(filter-out $(BENCH:$(B)/%=%.c),$(wildcard tests/bench/*.c)))
bench: $(B)/conclaved $(BENCH) ## figures, beside etcd with PEER=etcd; QUICK=1, ROWS=writes,reads
	$(Q)B='$(B)' PEER='$(PEER)' QUICK='$(QUICK)' ROWS='$(ROWS)' tests/bench/run
$(BENCH): %: %.o $(BENCH_OBJ)
	$(link) -lssl -lcrypto -lpthread -lm

# ---- look after the source --------------------------------------------------
format: ## clang-format in place
	$(Q)clang-format -i $(SOURCES)
lint: compile_commands.json ## format, clang-tidy and the house rules
	$(Q)tests/lint/lint $(SOURCES)
compile_commands.json: FORCE ## for editors
	@:	$(file >$@,[$(call command,server/main.c))$(foreach f,$(filter-out server/main.c,$(filter %.c,$(SOURCES))),$(file >>$@,$(comma)$(call command,$f)))$(file >>$@,])
command = {"directory": "$(CURDIR)"$(comma) "file": "$(1)"$(comma) "command": "cc $(subst ",\",$(CPPFLAGS_)) -Iclient $(WARN) -c $(1)"}
comma := ,

# ---- install ----------------------------------------------------------------
share     = $(PREFIX)/share
libdir    = $(PREFIX)/lib
# source:target:mode
INSTALLED = $(B)/conclaved:$(PREFIX)/bin/conclaved:755 \
	$(B)/conclaved.service:$(libdir)/systemd/system/conclaved.service:644 \
	$(B)/conclave.sysusers:$(libdir)/sysusers.d/conclave.conf:644 \
	server/package/conclave.json:$(share)/doc/conclave/conclave.json:644 \
	$(if $(COMMAND),$(B)/conclave:$(PREFIX)/bin/conclave:755 \
	    client/package/conclave.bash:$(share)/bash-completion/completions/conclave:644) \
	$(if $(CLIENT),$(B)/libconclave.a:$(libdir)/libconclave.a:644 \
	    $(B)/libconclave.so.0:$(libdir)/libconclave.so.0:755 \
	    $(B)/libconclave.pc:$(libdir)/pkgconfig/libconclave.pc:644 \
	    client/conclave.h:$(PREFIX)/include/conclave.h:644) \
	$(foreach m,$(wildcard */package/*.[1358]),$m:$(share)/man/man$(subst .,,$(suffix $m))/$(notdir $m):644)
$(B)/%: server/package/%.in $(B)/flags FORCE
	$(Q)sed 's,@PREFIX@,$(PREFIX),g; s,@VERSION@,$(VERSION),g' $< >$@
$(B)/%: client/package/%.in $(B)/flags FORCE
	$(Q)sed 's,@PREFIX@,$(PREFIX),g; s,@VERSION@,$(VERSION),g' $< >$@
install: all $(filter $(B)/%.service $(B)/%.sysusers $(B)/%.pc,$(subst :, ,$(INSTALLED))) ## programs, manuals, library, unit; DESTDIR, PREFIX (/usr/local)
	$(Q)for f in $(INSTALLED); do \
	    (IFS=:; set -- $$f; install -D -m "$$3" "$$1" "$(DESTDIR)$$2"); done
	$(if $(CLIENT),$(Q)ln -sf libconclave.so.0 '$(DESTDIR)$(libdir)/libconclave.so')
uninstall: ## remove what install put there
	$(Q)for f in $(INSTALLED); do \
	    (IFS=:; set -- $$f; rm -f "$(DESTDIR)$$2"); done
	$(Q)rm -f '$(DESTDIR)$(libdir)/libconclave.so'
TARBALL = conclave-$(VERSION)
dist: ## a tarball of HEAD, unpacked, built and checked
	$(Q)mkdir -p $(B)/dist && rm -rf $(B)/dist/$(TARBALL)
	$(Q)git archive --prefix=$(TARBALL)/ -o $(B)/dist/$(TARBALL).tar.gz HEAD
	$(Q)tar -C $(B)/dist -xzf $(B)/dist/$(TARBALL).tar.gz
	$(Q)$(MAKE) $(PARALLEL) -C $(B)/dist/$(TARBALL) B=build all unit sim
	@echo '$(B)/dist/$(TARBALL).tar.gz'
clean: ## remove what was built; build/run, the cluster of `make run`, too
	rm -rf $(B) compile_commands.json
help: ## this list
	@sed -n 's/^\([a-z][^:%]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
	    while IFS='|' read -r t h; do printf '  %-22s %s\n' "$$t" "$$h"; done

-include $(shell find $(B) -name '*.d' 2>/dev/null)
FORCE:
.SECONDARY:
.PHONY: all deps run check check-programs test unit sim system check-long asan \
	tsan fuzz fuzz-run coverage bench format lint install uninstall dist clean help FORCE
