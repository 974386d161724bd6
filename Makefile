# Conclave. `make help` lists what there is.
VERSION    = 0.1.0
CC        ?= cc
PKG_CONFIG ?= pkg-config
B          = build

PACKAGES = raft libuv lmdb openssl libcjson zlib
WARN = -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla -Wcast-qual \
	-Wwrite-strings -Wundef -Wswitch-enum -Wnull-dereference
HARDEN = -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
	-fstack-clash-protection -fPIE -fno-omit-frame-pointer
HARDEN_LD = -pie -Wl,-z,relro -Wl,-z,now
ifeq ($(WERROR),1)
WARN += -Werror
endif
CFLAGS ?= -g
Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

ALL_CPPFLAGS = -I. -D_GNU_SOURCE -DVERSION='"$(VERSION)"' $(PKG_CPPFLAGS) $(CPPFLAGS)
ALL_CFLAGS   = $(WARN) $(HARDEN) $(SANITIZE) $(CFLAGS)
ALL_LDFLAGS  = $(HARDEN_LD) $(SANITIZE) $(LDFLAGS)
PKG_CPPFLAGS := $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
LIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null) -lhttp_parser -lpthread
CLIENT_LIBS := $(shell $(PKG_CONFIG) --libs libcurl libcjson openssl 2>/dev/null)
TEST_LIBS := -lcmocka

CORE_SRC   = $(filter-out server/main.c,$(wildcard storage/*.c fsm/*.c server/*.c server/*/*.c))
CORE_OBJ   = $(CORE_SRC:%.c=$(B)/%.o)
CORE_LIB   = $(B)/libcore.a
SUPPORT_SRC = $(wildcard tests/support/*.c)
SUPPORT_OBJ = $(SUPPORT_SRC:%.c=$(B)/%.o)
UNIT = $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*_test.c))
SIM  = $(patsubst %.c,$(B)/%,$(wildcard tests/sim/*_test.c))

all: $(B)/conclaved

$(B)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(CORE_LIB): $(CORE_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/conclaved: $(B)/server/main.o $(CORE_LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(UNIT) $(SIM): $(B)/%: $(B)/%.o $(SUPPORT_OBJ) $(CORE_LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(SUPPORT_OBJ) $(CORE_LIB) $(LIBS) $(TEST_LIBS)

# make unit T=buf runs one
unit: $(if $(T),$(filter %/$(T)_test,$(UNIT)),$(UNIT))
	$(Q)set -e; for t in $^; do echo "== $$t"; $$t; done
sim: $(if $(T),$(filter %/$(T)_test,$(SIM)),$(SIM))
	$(Q)set -e; for t in $^; do echo "== $$t"; $$t; done

asan:
	$(Q)$(MAKE) B=build/asan SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' HARDEN='-O1 -fno-omit-frame-pointer -fPIE' unit sim
tsan:
	$(Q)$(MAKE) B=build/tsan SANITIZE=-fsanitize=thread HARDEN='-O1 -fno-omit-frame-pointer -fPIE' unit sim

format:
	clang-format -i $$(git ls-files '*.c' '*.h')
clean:
	rm -rf $(B)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
.SECONDARY:
.PHONY: all unit sim asan tsan format clean
