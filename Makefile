# appflow: Amazon AppFlow inside PostgreSQL
#
#   make            build the extension
#   make install    install it into the PostgreSQL of PG_CONFIG
#   make check      build, test on a private cluster, end with "N passed, N failed"
#   make demo       build, start a throw-away cluster, move a real data set
#   make demo-stop  remove what make demo left
#   make bench      measure against what a user would do instead
#
# The last four need nothing beforehand (test/run sees to it), not even a
# PostgreSQL: they are told apart before PGXS is asked for.

PROJECT_GOALS = check demo demo-stop bench
ifneq ($(filter $(PROJECT_GOALS),$(MAKECMDGOALS)),)

.PHONY: $(PROJECT_GOALS)
$(PROJECT_GOALS):
	@test/run $@

else

EXTENSION = appflow
EXTVERSION = 1.0
MODULE_big = appflow

SRCS = src/appflow.c $(wildcard src/*/*.c)
OBJS = $(SRCS:.c=.o) build/manifests.o

# applications that are described by a manifest: checked, and embedded as C
MANIFESTS = $(sort $(wildcard src/apps/*.json))
MANIFEST_CODE = $(addprefix src/,apps/embed/embed_manifests.c connector/manifest_keys.c connector/manifest_parse.c \
	connector/manifest_check.c codec/json_tree.c codec/json_writer.c codec/arena.c codec/text.c codec/isa.c)

# the parts of the extension's SQL, in the order of their numbers
SQL_PARTS = $(sort $(wildcard sql/[0-9]*.sql))
DATA_built = $(EXTENSION)--$(EXTVERSION).sql
DATA = $(wildcard sql/$(EXTENSION)--*--*.sql)
EXTRA_CLEAN = $(DATA_built) build

PG_CONFIG ?= pg_config
PKG_CONFIG ?= pkg-config
LIBS_USED = libpq libcurl libcrypto json-c libzstd expat zlib

# -isystem: the server's headers are not ours to warn about
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server) $(shell $(PKG_CONFIG) --cflags $(LIBS_USED))
# PostgreSQL 15 has no PGDLLEXPORT of its own that undoes -fvisibility=hidden
PG_CPPFLAGS += -DPGDLLEXPORT='__attribute__((visibility("default")))'
PG_CFLAGS = -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Werror=implicit-function-declaration -fvisibility=hidden $(APPFLOW_CFLAGS)
SHLIB_LINK = $(shell $(PKG_CONFIG) --libs $(LIBS_USED)) -lsnappy

# the server never inlines C of ours: no bitcode
override with_llvm = no

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(DATA_built): $(SQL_PARTS)
	cat $(SQL_PARTS) > $@

build/embed_manifests: $(MANIFEST_CODE) $(wildcard src/connector/manifest*.h) $(wildcard src/codec/*.h)
	@mkdir -p build
	$(CC) -std=gnu11 -O1 -Wall -Wextra -Isrc $(APPFLOW_CFLAGS) -o $@ $(MANIFEST_CODE) -lm

# the list of files is among what it is made of, as one may go
build/manifests.list: $(if $(filter-out $(shell cat build/manifests.list 2>/dev/null),$(MANIFESTS))$(filter-out $(MANIFESTS),$(shell cat build/manifests.list 2>/dev/null)),always)
	@mkdir -p build
	@echo $(MANIFESTS) > $@

build/manifests.c: build/embed_manifests build/manifests.list $(MANIFESTS)
	build/embed_manifests $(MANIFESTS) > $@.new
	@mv $@.new $@

.PHONY: always

# every object depends on every header: simple, and right
$(OBJS): $(wildcard src/*.h src/*/*.h)

src/codec/%.o: override CFLAGS += -O3

endif
