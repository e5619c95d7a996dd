# HydraViT from scratch: everything is built, trained, tested and installed from here. `make help` lists the targets.
#
# One set of rules serves every flavour: MODE=release (default), double (gradient checks), asan (AddressSanitizer and UBSan), and those
# that only tests/check.mk uses: tsan, fuzz, coverage, tidy. Objects, programs and dependency files live under build/<mode>/; nothing is
# written beside a source.

MODE   ?= release
BUILD  ?= build/$(MODE)
PREFIX ?= /usr/local
PYTHON ?= python3
ifeq ($(origin CXX),default)
CXX := g++
endif

# g++ 12 sees overlapping copies in plain std::string concatenation (GCC bug 105651), so that one check is off there.
WARN  := -Wall -Wextra -Wshadow -Werror $(if $(findstring clang,$(CXX)),,-Wno-restrict)
# x86-64-v2 is the oldest processor supported; the hot kernels are built three times (below) and chosen at run time.
# No fast-math: NaN and infinity must stay visible. errno and floating-point traps are never read here.
FLAGS := -std=c++20 -g1 -march=x86-64-v2 -ffp-contract=fast -fno-math-errno -fno-trapping-math -fopenmp -pthread -I. $(WARN)
# The hot loops are in core/kernels; elsewhere a short build counts for more. The tests' own loops are plain on purpose.
OPT    = $(if $(filter core/kernels/%,$<),-O3,$(if $(filter tests/% train/% nn/% models/%,$<),-O1,-O2))
LIBS  := -lopenblas -lcurl -larchive -lcrypto -ljpeg -lpng -lwebpdemux -lwebp -lonnx_proto -lprotobuf

CORE    := $(wildcard core/*.cpp core/ops/*.cpp core/kernels/*.cpp)
SIMD    := $(wildcard core/kernels/simd/*.cpp)
REST    := $(wildcard nn/*.cpp models/*.cpp data/*.cpp data/*/*.cpp train/*.cpp train/*/*.cpp)
TESTS   := $(wildcard tests/*.cpp tests/ops/*.cpp tests/seam/*.cpp)
HEADERS := $(filter-out core/pch.h,$(shell find core nn models data train -name '*.h'))

object  = $(patsubst %.cpp,$(BUILD)/%.o,$(1))
COREOBJ := $(call object,$(CORE)) $(foreach level,v2 v3 v4,$(patsubst %.cpp,$(BUILD)/%.$(level).o,$(SIMD)))
LIBOBJ  := $(COREOBJ) $(call object,$(filter-out train/commands/main.cpp,$(REST)))

# What a fresh Debian 12 needs, for: BLAS, tests, drawing, checkpoints, options, JSON, download, archives, hashes, pictures, ONNX, and
# programs that use the installed library.
PACKAGES := g++ libopenblas-dev doctest-dev libstb-dev libcereal-dev libcli11-dev nlohmann-json3-dev libcurl4-openssl-dev \
            libarchive-dev libssl-dev libjpeg62-turbo-dev libpng-dev libwebp-dev libonnx-dev libprotobuf-dev pkgconf

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all help deps train cifar10 test install uninstall format format-check layers clean

all: $(BUILD)/hydravit

help:
	@echo 'make train        install what is missing, build, train a small HydraViT (4 minutes), print the table per width'
	@echo '                  DATA=dir picks the data; else $$HYDRAVIT_DATA, datasets/, a download, the built-in shapes10'
	@echo 'make test         install what is missing, build and run the tests'
	@echo 'make cifar10      the real recipe: preset cifar, all augmentations, 100 epochs (hours); RUN=dir to name or resume it'
	@echo 'make install      the program, libhydravit.a, headers and hydravit.pc into PREFIX=/usr/local; make uninstall removes them'
	@echo 'make format       format the sources with clang-format 14; make format-check names those that are not formatted'
	@echo 'make layers       check that the folders include each other one way only'
	@echo 'make deps         only install the missing Debian packages'
	@echo 'make clean        remove build/'
	@echo 'More tests, from tests/check.mk (tests/README.md explains each):'
	@echo 'make test-double  gradient checks of every operation in double precision'
	@echo 'make test-asan    the tests under AddressSanitizer, UBSan and checked standard containers'
	@echo 'make test-peers   compare exported files and logs with PyTorch, timm, ONNX Runtime, TensorBoard; installs them (1.1 GB)'
	@echo 'make check        test-asan, then with tools it installs: test-clang, test-tsan, test-valgrind, tidy, cppcheck (long)'
	@echo 'make check-long   the long forms of tests; make check-crash: kill -9, failing system calls, power loss (a minute)'
	@echo '                  check-hostile, check-resume, check-determinism, check-signals, check-endurance'
	@echo 'make check-mutants  100 small defects planted in core and nn, one at a time: do the tests see them? (an hour; can be continued)'
	@echo 'make coverage     how many lines and branches of core, nn, models and train the tests reach (clang, llvm)'
	@echo 'make fuzz-short   libFuzzer on every reader of outside files, FUZZ_SECONDS=60 each (needs clang)'
	@echo 'make fuzz-long    the same until each has FUZZ_EXECUTIONS=10000000; a stopped run can be continued'
	@echo 'make bench        speed of training and inference, every preset and width, beside PyTorch if PYTHON=python3 has it'
	@echo 'Options: MODE=release|double|asan, CXX=g++|clang++, DATA=dir, THREADS=n, PREFIX=dir, DESTDIR=dir, V=1 shows whole commands'

# Asks dpkg first, so that a machine that has everything needs neither network nor root.
deps:
	@missing=; for p in $(PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	[ -z "$$missing" ] && exit 0; \
	echo "installing:$$missing"; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	{ $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null; } || \
	{ echo "deps: could not install:$$missing; install them by hand, then call make again" >&2; exit 1; }

# --- building ------------------------------------------------------------------------------------------------------------------

QUIET := $(if $(V),,@)
define compile
@mkdir -p $(@D)
@echo "  $(MODE) $@"
$(QUIET)$(CXX) $(FLAGS) $(OPT) $(1) -MMD -MP -c $< -o $@
endef
define link
@mkdir -p $(@D)
@echo "  $(MODE) $@"
$(QUIET)$(CXX) $(FLAGS) $^ $(1) -o $@
endef

# Standard headers, parsed once for all objects, and once more for those compiled with -O0, which cannot use the first.
PCH := $(BUILD)/core/pch.h $(if $(filter asan,$(MODE)),$(BUILD)/core/pch-O0.h)
$(BUILD)/core/pch.h.gch: core/pch.h
	$(call compile,-x c++-header)
$(BUILD)/core/pch-O0.h.gch: core/pch.h
	$(call compile,-x c++-header -O0)
$(BUILD)/%.o: %.cpp $(PCH:=.gch)
	$(call compile,-include $(if $(filter -O0,$(OPT)),$(lastword $(PCH)),$(firstword $(PCH))))

# Hot kernels: the same source for three instruction sets, each in a namespace of its own (HV_LEVEL).
$(BUILD)/%.v2.o: %.cpp
	$(call compile,-DHV_LEVEL=v2)
$(BUILD)/%.v3.o: %.cpp
	$(call compile,-march=x86-64-v3 -DHV_LEVEL=v3)
$(BUILD)/%.v4.o: %.cpp
	$(call compile,-march=x86-64-v4 -mprefer-vector-width=512 -DHV_LEVEL=v4)

$(BUILD)/hydravit: $(LIBOBJ) $(BUILD)/train/commands/main.o
	$(call link,$(LIBS))

# Appended (q), not replaced: two objects of different folders may have the same name, as predict.o has.
$(BUILD)/libhydravit.a: $(LIBOBJ)
	@echo "  $(MODE) $@"
	@rm -f $@
	$(QUIET)$(AR) qcs $@ $^

$(BUILD)/tests/all: $(LIBOBJ) $(call object,$(TESTS))
	$(call link,$(LIBS))

-include $(shell test -d $(BUILD) && find $(BUILD) -name '*.d')

# --- running -------------------------------------------------------------------------------------------------------------------

JOBS := -j$(shell nproc)
THREADS_OPTION := $(if $(THREADS),--threads $(THREADS))
FOUND_DATA = $(or $(DATA),$(HYDRAVIT_DATA),$(wildcard datasets/cifar-10-batches-bin))

train: deps
	@$(MAKE) --no-print-directory $(JOBS) all
	@[ -n "$(FOUND_DATA)" ] || $(BUILD)/hydravit data get cifar10 || echo "make train: no CIFAR-10 here; the built-in set shapes10 is used instead" >&2
	$(BUILD)/hydravit train --preset nano --minutes 4 $(if $(DATA),--data $(DATA)) $(THREADS_OPTION)

cifar10: deps
	@$(MAKE) --no-print-directory $(JOBS) all
	@[ -n "$(FOUND_DATA)" ] || $(BUILD)/hydravit data get cifar10
	$(BUILD)/hydravit train --preset cifar --epochs 100 --augment full --drop-path 0.1 --ema 0.999 --eval-every 5 \
	  $(if $(DATA),--data $(DATA)) $(if $(RUN),$(if $(wildcard $(RUN)/last.ckpt),--resume $(RUN),--out $(RUN))) $(THREADS_OPTION)

test: deps
	@$(MAKE) --no-print-directory $(JOBS) $(PROGRAMS) $(BUILD)/libhydravit.a layers
	HYDRAVIT_BINARY=$(BUILD)/hydravit $(BUILD)/tests/all
	HYDRAVIT_SIMD=v2 $(BUILD)/tests/all -tc='every operation*' && HYDRAVIT_SIMD=v3 $(BUILD)/tests/all -tc='every operation*'
	$(BUILD)/check-hostile short
	tests/install/run

include tests/check.mk

# --- installing ----------------------------------------------------------------------------------------------------------------

# Everything lies below PREFIX. DESTDIR comes before it where a package is collected. lib/hydravit.installed lists what was written: each
# file, and each folder that did not exist. `make uninstall` removes just that, even if the sources have changed since.
STAGE     := $(DESTDIR)$(PREFIX)
INSTALLED := lib/hydravit.installed
WRITTEN   := $(INSTALLED) bin/hydravit lib/libhydravit.a lib/pkgconfig/hydravit.pc $(HEADERS:%=include/hydravit/%)

# The library is a static one, so that each program names its libraries, too: they are in Libs.
define PKGCONFIG
prefix=$(PREFIX)
libdir=$${prefix}/lib
includedir=$${prefix}/include/hydravit

Name: hydravit
Description: Tensors, automatic gradients, the layers of a vision transformer, HydraViT and its training
Version: 1
Cflags: -I$${includedir} -std=c++20 -fopenmp -pthread
Libs: -L$${libdir} -lhydravit $(LIBS) -fopenmp -pthread
endef

install: export HYDRAVIT_PC = $(PKGCONFIG)
install: deps
	@$(MAKE) --no-print-directory $(JOBS) all $(BUILD)/libhydravit.a
	@[ ! -e "$(STAGE)/$(INSTALLED)" ] || $(MAKE) --no-print-directory uninstall
	@install -d "$(STAGE)"; made=$$(cd "$(STAGE)" && LC_ALL=C install -dv $(sort $(dir $(WRITTEN)))) || exit 1; \
	  { echo "$$made" | sed -n "s/.* directory '\(.*\)'$$/\1/p"; printf '%s\n' $(WRITTEN); } | \
	  install -m 644 /dev/stdin "$(STAGE)/$(INSTALLED)"
	@install $(BUILD)/hydravit "$(STAGE)/bin"
	@install -m 644 $(BUILD)/libhydravit.a "$(STAGE)/lib"
	@echo "$$HYDRAVIT_PC" | install -m 644 /dev/stdin "$(STAGE)/lib/pkgconfig/hydravit.pc"
	@for h in $(HEADERS); do install -m 644 $$h "$(STAGE)/include/hydravit/$$h" || exit 1; done
	@echo "installed in $(STAGE)"

# From the last line up: files before their folders. A folder that holds something else by now stays.
uninstall:
	@[ -e "$(STAGE)/$(INSTALLED)" ] || { echo "uninstall: $(STAGE)/$(INSTALLED) does not exist: nothing is installed there"; exit 1; }
	@cd "$(STAGE)" && tac $(INSTALLED) | while read -r path; do \
	  if [ -d "$$path" ]; then rmdir --ignore-fail-on-non-empty "$$path"; else rm -f "$$path"; fi; done
	@echo "uninstalled from $(STAGE)"

# --- checking the sources ------------------------------------------------------------------------------------------------------

SOURCES = $(shell find core nn models data train tests -name '*.h' -o -name '*.cpp')
format-deps:
	@$(MAKE) --no-print-directory deps PACKAGES=clang-format-14
format: format-deps
	@clang-format-14 -i $(SOURCES)
# The formatter leaves comments as they are, so their length is checked apart, in characters.
format-check: format-deps
	@bad=$$(clang-format-14 --dry-run $(SOURCES) 2>&1 | sed -n 's/: warning: code should be clang-formatted.*/: not formatted/p'; \
	        LC_ALL=C.UTF-8 grep -nE '.{129}' $(SOURCES) | sed -E 's/^([^:]*:[0-9]*):.*/\1: longer than 128 columns/'); \
	if [ -n "$$bad" ]; then echo "$$bad"; echo 'format-check: failed; make format does all but long comments'; exit 1; fi

# The include graph runs one way, between folders and between the wings of train/, and without circles.
layers:
	@tests/layers

clean:
	rm -rf build
