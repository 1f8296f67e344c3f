# SPDX-License-Identifier: GPL-2.0-only
# For people. kbuild reads Kbuild beside this file and never this one.

VERSION := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local
BUILD ?= build
CFLAGS ?= -O2 -g
PKG_CONFIG ?= pkg-config

# The checks make an error of each warning; who builds a release has another compiler than we.
WERROR ?=
# HARDENING= for none. FORTIFY wants an optimising compiler.
HARDENING ?= -fstack-protector-strong -fPIE \
	$(if $(filter-out -O0,$(filter -O%,$(CFLAGS))),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
HARDENING_LD ?= $(if $(HARDENING),-pie -Wl$(comma)-z$(comma)relro -Wl$(comma)-z$(comma)now)
comma := ,

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all module userspace tests lab-tests demo demo-guard demo-emu demo-host check check-host check-docs \
	check-vm check-vm-all \
	check-debug check-peer check-peer-all lint fuzz bench install uninstall dkms-install dkms-remove \
	clean help check-host-lab check-under-load host-rows

help:
	@echo 'miglab $(VERSION)'
	@echo
	@echo 'Times are of a machine with 2 processors and no KVM. The lab is a virtual test host: no root,'
	@echo 'no KVM, no VFIO; it needs user namespaces, 3 GB below ~/.cache/miglab and, the first time, the'
	@echo 'network and 8 minutes. What is missing is installed, and that is said first; demo-emu and'
	@echo 'what builds install nothing.'
	@echo
	@echo '  demo            lab      25 s  QEMU 10.0, QEMU 11.1, miglab run: who announces?'
	@echo '  demo-guard      lab            a management application: RDMA timeouts, three times'
	@echo '  demo-emu        gcc       1 s  the story of demo without a kernel; 30 s to compile first'
	@echo '  demo-host       headers        functions that are software on this host: as root, and it asks'
	@echo '                                 before it loads a module (YES=1 answers)'
	@echo
	@echo '  all             gcc      30 s  userspace, and the module where the headers are (KDIR=...)'
	@echo '  userspace       gcc      30 s  $(BUILD)/miglab; -j halves it'
	@echo '  tests           cmocka         the programs of the checks'
	@echo '  module          headers        miglab.ko, miglab_vfio_pci.ko, miglab_mdev.ko'
	@echo '  install                        the program, its manual and completion, below'
	@echo '                                 PREFIX=$(PREFIX) (DESTDIR= is honoured); uninstall'
	@echo '  dkms-install    dkms           the modules, for the running kernel (KERNEL=) and those to'
	@echo '                                 come; with DESTDIR= only its sources; dkms-remove'
	@echo
	@echo '  check           lab            lint, check-host, check-host-lab, check-vm, check-peer,'
	@echo '                                 check-docs'
	@echo '  lint            lab            checkpatch, sparse, include rules, purity of the core'
	@echo '  check-host      cmocka  5 min  unit tests and the emulated backend, with sanitizers;'
	@echo '                                 TEST=name runs one of its programs'
	@echo '  check-host-lab  lab            check-host on Debian 13, natively in the root of the lab'
	@echo '  check-vm        lab            the module on stock kernels 6.12 and 7.3'
	@echo '  check-vm-all    lab            again with SLUB and KFENCE checks, long runs, and'
	@echo '                                 check-under-load: tiers beside four busy loops'
	@echo '  check-peer      lab            unmodified QEMU 10.0 and 11.1 as clients of the module'
	@echo '  check-peer-all  lab            all that QEMU 11.1 and miglab run must play alike'
	@echo '  check-docs      lab            each command line of README, manual and Documentation'
	@echo '  check-debug     lab    45 min  everything on a kernel with KASAN, lockdep, kmemleak and'
	@echo '                                 faults to order, which takes 15 minutes to build, once'
	@echo '  fuzz            clang          the parsers against inputs of libFuzzer (FUZZ_RUNS=,'
	@echo '                                 FUZZ_SECONDS=)'
	@echo '  bench           lab            figures beside those of QEMU 11.1, and the targets (ROUNDS=);'
	@echo '                                 what saving and loading cost, against AGAINST=REV'
	@echo '  clean                          removes what the above built here; not the cache of the lab'

# --- the program -----------------------------------------------------------

core-sources := $(wildcard driver/core/*.c)
user-sources := $(wildcard userspace/*/*.c)
lib-sources := $(core-sources) $(filter-out userspace/cmd/main.c,$(user-sources))

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
CPPFLAGS += -D_GNU_SOURCE -DMIGLAB_VERSION='"$(VERSION)"' -Iuserspace -Iuserspace/port -Idriver
JSON_CFLAGS = $(shell $(PKG_CONFIG) --cflags json-c)
JSON_LIBS = $(shell $(PKG_CONFIG) --libs json-c)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# V=1 shows the commands.
Q := $(if $(V),,@)
say = @$(if $(V),:,printf '  %-4s %s\n') $(1) $@

compile = $(Q)$(CC) $(CPPFLAGS) $(JSON_CFLAGS) -std=gnu11 $(HARDENING) $(CFLAGS) $(WARN) -pthread -MMD -MP -c -o $@ $<
link = $(Q)$(CC) $(HARDENING) $(CFLAGS) $(HARDENING_LD) $(LDFLAGS) -pthread -o $@ $^

# Two trees of objects: what users run, and the same with sanitizers for the tests.
$(BUILD)/asan/% $(BUILD)/fuzz/%: HARDENING :=

lib-objects := $(lib-sources:%.c=$(BUILD)/obj/%.o)
asan-objects := $(lib-sources:%.c=$(BUILD)/asan/%.o)

userspace: $(BUILD)/miglab

$(BUILD)/miglab: $(BUILD)/obj/userspace/cmd/main.o $(lib-objects)
	$(call say,LD)
	$(link) $(JSON_LIBS)

$(BUILD)/asan/miglab: $(BUILD)/asan/userspace/cmd/main.o $(asan-objects)
	$(call say,LD)
	$(link) $(SANITIZE) $(JSON_LIBS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(compile)

$(BUILD)/asan/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(compile) $(SANITIZE)

# --- the tests' programs ---------------------------------------------------

unit-tests := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
emu-tests := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/emu/test_*.c))
fuzz-names := $(filter-out replay,$(basename $(notdir $(wildcard tests/fuzz/*.c))))
fuzz-replays := $(fuzz-names:%=$(BUILD)/tests/fuzz/replay-%)
$(unit-tests) $(emu-tests) $(fuzz-replays): HARDENING :=

$(BUILD)/tests/%: $(BUILD)/asan/tests/%.o $(asan-objects)
	@mkdir -p $(@D)
	$(call say,LD)
	$(link) $(SANITIZE) $(JSON_LIBS) -lcmocka

# The proof by order is the peer tier's, and is tested without a kernel.
$(BUILD)/tests/unit/test_order: $(BUILD)/asan/tests/peer/order.o

# The guard's connections are RDMA where libibverbs is; miglab itself does without.
guard-tests := $(BUILD)/tests/guard/agent $(BUILD)/tests/guard/play
RDMA_LIBS := $(shell $(PKG_CONFIG) --libs libibverbs 2>/dev/null)
guard-agent := agent udp $(if $(RDMA_LIBS),rdma link,no-rdma)

bench-tests := $(patsubst %,$(BUILD)/tests/bench/%,throughput access bar arc measure)

# Run inside the virtual test host, at full speed.
lab-tests := $(BUILD)/tests/vm/vm $(BUILD)/tests/vm/hold $(BUILD)/tests/peer/play $(BUILD)/tests/peer/mirror \
	$(BUILD)/tests/relay/relay \
	$(guard-tests) \
	$(BUILD)/tests/peer/guest \
	$(BUILD)/tests/guest/guest \
	$(bench-tests)

tests: $(unit-tests) $(emu-tests) $(fuzz-replays) $(lab-tests) $(BUILD)/asan/miglab

lab-tests: $(lab-tests)

$(BUILD)/tests/vm/vm: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/vm/*.c)) $(lib-objects)
	@mkdir -p $(@D)
	$(call say,LD)
	$(link) $(JSON_LIBS) -lcmocka

# What emulated devices do, on the module.
$(BUILD)/tests/vm/hold: $(BUILD)/obj/tests/emu/test_hold.o $(lib-objects)
	@mkdir -p $(@D)
	$(call say,LD)
	$(link) $(JSON_LIBS) -lcmocka

peer-mains := tests/peer/play.c tests/peer/mirror.c tests/peer/guest.c
peer-objects := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out $(peer-mains),$(wildcard tests/peer/*.c)))

$(BUILD)/tests/peer/%: $(BUILD)/obj/tests/peer/%.o $(peer-objects) $(lib-objects)
	@mkdir -p $(@D)
	$(call say,LD)
	$(link) $(JSON_LIBS)

bench-objects := $(patsubst %,$(BUILD)/obj/tests/%.o,bench/migration bench/sampler peer/vmm \
	peer/attribute)

$(bench-tests): $(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/%.o $(bench-objects) $(lib-objects)
$(BUILD)/tests/relay/relay: $(BUILD)/obj/tests/relay/relay.o $(lib-objects)
$(bench-tests) $(BUILD)/tests/relay/relay:
	@mkdir -p $(@D)
	$(call say,LD)
	$(link) $(JSON_LIBS)

$(BUILD)/tests/guard/agent: $(guard-agent:%=$(BUILD)/obj/tests/guard/%.o) $(lib-objects)
	@mkdir -p $(@D)
	$(call say,LD)
	$(link) $(JSON_LIBS) $(RDMA_LIBS)

$(BUILD)/tests/guard/play: $(BUILD)/obj/tests/guard/play.o $(lib-objects)
	@mkdir -p $(@D)
	$(call say,LD)
	$(link) $(JSON_LIBS)

# The guest that drives its devices: a program for a bare x86, for QEMU's -kernel.
guest-objects := $(patsubst %,$(BUILD)/obj/%.o,$(wildcard tests/guest/*.c tests/guest/*.S))
GUEST_CFLAGS := -m32 -march=i686 -Os -std=gnu11 -ffreestanding -fno-pic -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables -mgeneral-regs-only $(WARN)

$(BUILD)/obj/tests/guest/%.o: tests/guest/%
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/guest/guest: tests/guest/guest.lds $(guest-objects)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(LD) -m elf_i386 -nostdlib -o $@ -T $^

# Fuzz targets: with libFuzzer, and as programs that replay the corpus, without clang. What
# a target defines itself, it does not get from the archive.
fuzz-sources := $(core-sources) $(wildcard userspace/port/*.c userspace/base/*.c \
	userspace/qmp/*.c) userspace/vmm/framing.c userspace/vmm/ram.c
FUZZ_CC ?= clang
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all

$(BUILD)/fuzz/lib.a: $(fuzz-sources:%.c=$(BUILD)/fuzz/%.o)
$(BUILD)/asan/fuzz.a: $(fuzz-sources:%.c=$(BUILD)/asan/%.o)
$(BUILD)/fuzz/lib.a $(BUILD)/asan/fuzz.a:
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/tests/fuzz/replay-%: $(BUILD)/asan/tests/fuzz/%.o $(BUILD)/asan/tests/fuzz/replay.o \
		$(BUILD)/asan/fuzz.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(link) $(SANITIZE) $(JSON_LIBS)

$(BUILD)/fuzz/%: $(BUILD)/fuzz/tests/fuzz/%.o $(BUILD)/fuzz/lib.a
	$(call say,LD)
	$(Q)$(FUZZ_CC) -o $@ $^ $(FUZZ_SANITIZE) -fsanitize=fuzzer -pthread $(JSON_LIBS)

$(BUILD)/fuzz/%.o: CC = $(FUZZ_CC)
$(BUILD)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(compile) $(FUZZ_SANITIZE) -fsanitize=fuzzer-no-link

-include $(shell find $(BUILD)/obj $(BUILD)/asan $(BUILD)/fuzz -name '*.d' 2>/dev/null)

# --- the module ------------------------------------------------------------

module:
	@test -d "$(KDIR)" || { echo "no kernel headers at $(KDIR): install linux-headers-$$(uname -r)" \
		"or name them with KDIR="; exit 3; }
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

all: userspace
	@if test -d "$(KDIR)"; then $(MAKE) module; \
	else echo "module: skipped, no kernel headers at $(KDIR) (make module says how)"; fi

MANUALS := $(wildcard Documentation/man/*)

install: userspace
	install -D -m 755 $(BUILD)/miglab $(DESTDIR)$(PREFIX)/sbin/miglab
	install -D -m 644 completion/miglab $(DESTDIR)$(PREFIX)/share/bash-completion/completions/miglab
	$(foreach page,$(MANUALS),install -D -m 644 $(page) \
		$(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(page)))/$(notdir $(page));)

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/miglab $(DESTDIR)$(PREFIX)/share/bash-completion/completions/miglab
	$(foreach page,$(MANUALS),rm -f \
		$(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(page)))/$(notdir $(page));)

DKMS_SOURCE = /usr/src/miglab-$(VERSION)
DKMS_MODULE = miglab/$(VERSION)

# What an earlier dkms-install, finished or not, has left must go before dkms takes the same
# version again. The sources come first: dkms does not remove what has none.
dkms-install:
	@test -n "$(DESTDIR)" || command -v dkms >/dev/null || \
		{ echo "dkms is missing: install the package dkms"; exit 3; }
	rm -rf $(DESTDIR)$(DKMS_SOURCE)
	install -d $(DESTDIR)$(DKMS_SOURCE)
	tar -c Kbuild dkms.conf COPYING $$(find driver -name '*.[ch]') | \
		tar -x --no-same-owner -C $(DESTDIR)$(DKMS_SOURCE)
	@if test -n "$(DESTDIR)"; then \
		echo "the sources are in $(DESTDIR)$(DKMS_SOURCE); there: dkms install $(DKMS_MODULE)"; \
	else \
		set -ex; \
		test -z "$$(dkms status $(DKMS_MODULE))" || dkms remove $(DKMS_MODULE) --all; \
		dkms add $(DKMS_MODULE); \
		dkms install $(DKMS_MODULE) $(if $(KERNEL),-k $(KERNEL)); \
	fi

dkms-remove:
	@test -n "$(DESTDIR)" || test -z "$$(dkms status $(DKMS_MODULE))" || \
		{ set -x; dkms remove $(DKMS_MODULE) --all; }
	rm -rf $(DESTDIR)$(DKMS_SOURCE)

# --- demonstrations --------------------------------------------------------

demo:
	@tests/deps lab
	@tests/lab/build >/dev/null
	@tests/lab/run -- tests/peer/demo

demo-guard:
	@tests/deps lab
	@tests/lab/build >/dev/null
	@tests/lab/run -- tests/guard/demo

demo-emu:
	@tests/deps --ask-first build
	@$(MAKE) --no-print-directory -s -j$(shell nproc) userspace
	@tests/emu/demo $(BUILD)/miglab

# Asks before it loads anything; YES=1 answers.
demo-host:
	@tests/deps --ask-first build
	@$(MAKE) --no-print-directory -s -j$(shell nproc) userspace $(BUILD)/tests/peer/play
	@KDIR=$(KDIR) tests/demo-host $(if $(YES),--yes)

# --- checks ----------------------------------------------------------------
# Each tier leaves its results below build/results; check adds them up and fails
# when one failed. A tier does not stop the next one.

RESULTS := $(BUILD)/results
TIERS := lint check-host check-host-lab check-vm check-peer check-docs

check:
	@rm -rf $(RESULTS)
	@for tier in $(TIERS); do $(MAKE) --no-print-directory $$tier || true; done
	@tests/summary $(RESULTS) $(TIERS)

lint:
	@tests/deps build lab
	@$(MAKE) --no-print-directory -s -j$(shell nproc) userspace WERROR=1
	@tests/tap $(RESULTS)/lint tests/lint/run

host-tests := tests/conform/mutants tests/conform/interrupt $(emu-tests) tests/emu/usage \
	tests/emu/completion $(unit-tests) $(fuzz-replays)

check-host:
	@tests/deps build tests
	@test -n "$(if $(TEST),$(filter %/$(TEST),$(host-tests)),all)" || \
		{ echo "there is no TEST=$(TEST); there are: $(notdir $(host-tests))"; exit 2; }
	@$(MAKE) --no-print-directory -s -j$(shell nproc) userspace tests WERROR=1
	@tests/tap $(RESULTS)/check-host $(MAKE) --no-print-directory -s host-rows WERROR=1

# The programs of check-host; the ones that take long begin first. Some start the plain program and
# what the guard is tested with.
host-rows: $(unit-tests) $(emu-tests) $(fuzz-replays) $(BUILD)/asan/miglab $(BUILD)/miglab \
		$(guard-tests)
	@MIGLAB=$(BUILD)/asan/miglab tests/host \
		$(if $(TEST),$(filter %/$(TEST),$(host-tests)),$(host-tests))

check-host-lab:
	@tests/deps lab
	@tests/lab/build >/dev/null
	@tests/tap $(RESULTS)/check-host-lab tests/lab/chroot -- \
		make -s -j$(shell nproc) host-rows WERROR=1

check-vm:
	@tests/deps lab
	@tests/lab/build >/dev/null
	@tests/tap $(RESULTS)/check-vm tests/vm/run

check-vm-all: check-vm
	@tests/tap $(RESULTS)/check-vm-debug tests/vm/run --debug
	@tests/tap $(RESULTS)/check-vm-often tests/vm/run --often
	@tests/tap $(RESULTS)/check-vm-hangs tests/lab/hangs
	@$(MAKE) --no-print-directory check-under-load

check-under-load:
	@tests/host-under-load $(MAKE) --no-print-directory check RESULTS=$(RESULTS)/under-load \
		TIERS="check-host check-vm check-peer"

check-debug:
	@tests/deps lab
	@tests/lab/build >/dev/null
	@tests/tap $(RESULTS)/check-debug tests/debug/run

bench:
	@tests/deps build lab
	@$(MAKE) --no-print-directory -s -j$(shell nproc) userspace $(bench-tests)
	@tests/lab/build >/dev/null
	@tests/bench/run $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(AGAINST),--against $(AGAINST))

check-peer:
	@tests/deps lab
	@tests/lab/build >/dev/null
	@tests/tap $(RESULTS)/check-peer tests/peer/run

check-docs:
	@tests/deps lab
	@tests/lab/build >/dev/null
	@tests/tap $(RESULTS)/check-docs tests/docs/run

check-peer-all:
	@tests/deps lab
	@tests/lab/build >/dev/null
	@tests/tap $(RESULTS)/check-peer-all tests/peer/run --all

# Not a tier of check: it takes clang, and as long as one likes.
fuzz:
	@tests/deps build tests fuzz
	@$(MAKE) --no-print-directory -s -j$(shell nproc) $(fuzz-names:%=$(BUILD)/fuzz/%)
	@tests/tap $(RESULTS)/fuzz tests/fuzz/run
	@tests/tap $(RESULTS)/fuzz-self-test tests/fuzz/run --self-test

clean:
	rm -rf $(BUILD)
	find driver \( -name '*.o' -o -name '.*.cmd' -o -name '.*.d' \) -delete
	rm -f *.ko *.mod *.mod.c *.o *.gcno .*.cmd Module.symvers modules.order .module-common.o
