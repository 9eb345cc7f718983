# The C programs of the tests: no server, but sanitizers.
#
#	make -f test/programs.mk           all that can be built here
#	make -f test/programs.mk list      their names, one a line
#	make -f test/programs.mk bench     the programs of make bench
#
# test/unit/NAME_test.c   a TAP program             build/unit/NAME_test
# test/unit/NAME_make.c   makes input for others    build/unit/NAME_make
# test/unit/NAME_module.c a module for the server   build/unit/NAME_module.so, with all of the extension in it
# test/fuzz/NAME_fuzz.c   libFuzzer target          build/fuzz/NAME_fuzz
# test/bench/NAME_bench.c optimized, no sanitizers  build/bench/NAME_bench
#
# Each is linked with every source of the extension that does without
# postgres.h.  SANITIZE= builds without sanitizers (for valgrind).

PKG_CONFIG ?= pkg-config
CC = gcc
CLANG ?= clang
SANITIZE ?= address,undefined
BUILD ?= build

PURE := $(shell grep -L '"postgres\.h"' $(wildcard src/*/*.c))
HEADERS := $(wildcard src/*.h src/*/*.h test/unit/*.h test/fuzz/*.h test/bench/*.h)

UNIT := $(patsubst test/unit/%.c,$(BUILD)/unit/%,$(wildcard test/unit/*_test.c test/unit/*_make.c))
MODULES := $(patsubst test/unit/%.c,$(BUILD)/unit/%.so,$(wildcard test/unit/*_module.c))
# without clang's libFuzzer there are no fuzz targets
HAVE_FUZZER := $(shell echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return 0; }' | \
	$(CLANG) -x c -fsanitize=fuzzer,address - -o /dev/null 2>/dev/null && echo yes)
ifeq ($(HAVE_FUZZER),yes)
FUZZ := $(patsubst test/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard test/fuzz/*_fuzz.c))
endif

LIBS_USED = libcrypto libzstd expat zlib
# wrap-around and aliasing as in the server's own build
COMMON = -std=gnu11 -g -Wall -Wextra -Wno-unused-parameter -Wdeclaration-after-statement \
	-fno-strict-aliasing -fwrapv -fno-omit-frame-pointer \
	-Isrc -Itest/unit $(shell $(PKG_CONFIG) --cflags $(LIBS_USED)) $(APPFLOW_CFLAGS)
FLAGS = $(COMMON) -O1
LIBS = $(shell $(PKG_CONFIG) --libs $(LIBS_USED)) -lsnappy -lm
SANITIZER = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all)
FUZZER = -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

all: $(UNIT) $(MODULES) $(FUZZ)

list:
	@printf '%s\n' $(UNIT) $(MODULES) $(FUZZ)

bench: $(patsubst test/bench/%.c,$(BUILD)/bench/%,$(wildcard test/bench/*_bench.c))

.PHONY: all list bench
.SECONDARY:

$(BUILD)/unit/lib.a: $(PURE:%.c=$(BUILD)/unit/%.o)
$(BUILD)/fuzz/lib.a: $(PURE:%.c=$(BUILD)/fuzz/%.o)
$(BUILD)/bench/lib.a: $(PURE:%.c=$(BUILD)/bench/%.o)
$(BUILD)/unit/lib.a $(BUILD)/fuzz/lib.a $(BUILD)/bench/lib.a:
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/unit/src/%.o: src/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(SANITIZER) -c -o $@ $<

$(BUILD)/fuzz/src/%.o: src/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(CLANG) $(FLAGS) $(FUZZER) -c -o $@ $<

$(BUILD)/unit/%: test/unit/%.c $(BUILD)/unit/lib.a $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(SANITIZER) -o $@ $< $(BUILD)/unit/lib.a $(LIBS)

# the extension's own objects, as the server's build has made them
PG_CONFIG ?= pg_config
OBJECTS := $(patsubst %.c,%.o,$(wildcard src/*.c src/*/*.c)) build/manifests.o
$(OBJECTS): ;

$(BUILD)/unit/%_module.so: test/unit/%_module.c $(OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(COMMON) -O1 -fPIC -shared -fvisibility=hidden -DPGDLLEXPORT='__attribute__((visibility("default")))' \
		-isystem $(shell $(PG_CONFIG) --includedir-server) -o $@ $< $(OBJECTS) $(LIBS) \
		$(shell $(PKG_CONFIG) --libs $$(sed -n 's/^LIBS_USED = //p' Makefile))

$(BUILD)/fuzz/%: test/fuzz/%.c $(BUILD)/fuzz/lib.a $(HEADERS)
	@mkdir -p $(@D)
	$(CLANG) $(FLAGS) -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -o $@ $< $(BUILD)/fuzz/lib.a $(LIBS)

# codec/ is built with -O3, as in the Makefile; the peers come along here only
$(BUILD)/bench/src/%.o: src/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(COMMON) -O3 -c -o $@ $<

$(BUILD)/bench/%: test/bench/%.c $(BUILD)/bench/lib.a $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(COMMON) -O3 $(shell $(PKG_CONFIG) --cflags json-c) -o $@ $< $(BUILD)/bench/lib.a \
		$(LIBS) $(shell $(PKG_CONFIG) --libs json-c)
