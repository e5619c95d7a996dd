# HydraViT from scratch: everything is built, trained and tested from here. `make help` lists the targets.
#
# One rule set serves every flavour: MODE=release (default), double (gradient checks), asan (AddressSanitizer + UBSan).
# Objects, programs and dependency files live under build/<mode>/; nothing is written beside a source.

MODE  ?= release
PYTHON ?= python3
BUILD ?= build/$(MODE)
ifeq ($(origin CXX),default)
CXX := g++
endif

# g++ 12 sees overlapping copies in plain std::string concatenation (GCC bug 105651), so that one check is off there.
WARN  := -Wall -Wextra -Wshadow -Werror $(if $(findstring clang,$(CXX)),,-Wno-restrict)
# x86-64-v2 is the oldest processor supported; the hot kernels are built three times (below) and chosen at run time.
# No fast-math: NaN and infinity must stay visible. errno and floating-point traps are never read here.
FLAGS := -std=c++20 -g1 -march=x86-64-v2 -ffp-contract=fast -fno-math-errno -fno-trapping-math -fopenmp -pthread -I. $(WARN)
# The hot loops are in core/kernels; elsewhere a short build counts for more. The tests' own loops are plain on purpose.
OPT = $(if $(filter core/kernels/%,$<),-O3,$(if $(filter tests/% train/%,$<),-O1,-O2))
LIBS  := -lopenblas -lcurl -larchive -lcrypto -lturbojpeg -lonnx_proto -lprotobuf

ifeq ($(MODE),double)
FLAGS += -DHV_DOUBLE
endif
ifneq ($(filter tsan fuzz coverage,$(MODE)),)
OPT = -O1
endif
ifeq ($(MODE),asan)
OPT = $(if $(filter tests/test_% train/%,$<),-O0,-O1)
FLAGS += -DHV_ASAN -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -D_GLIBCXX_ASSERTIONS
endif
ifeq ($(MODE),tsan)
FLAGS += -fsanitize=thread -fno-omit-frame-pointer
endif

ifeq ($(MODE),coverage)
FLAGS += -fprofile-instr-generate -fcoverage-mapping
endif

ifeq ($(MODE),fuzz)
FLAGS += -DHV_ASAN -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=nonnull-attribute \
         -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

CORE   := $(wildcard core/*.cpp core/ops/*.cpp core/kernels/*.cpp)
SIMD   := $(wildcard core/kernels/simd/*.cpp)
REST   := $(wildcard nn/*.cpp models/*.cpp data/*.cpp train/*.cpp train/*/*.cpp)
TESTS  := $(wildcard tests/*.cpp tests/ops/*.cpp)
# The double build holds core and its tests: enough for the gradient checks.
DTESTS := tests/main.cpp $(wildcard tests/ops/*.cpp)

object = $(patsubst %.cpp,$(BUILD)/%.o,$(1))
COREOBJ := $(call object,$(CORE)) $(foreach level,v2 v3 v4,$(patsubst %.cpp,$(BUILD)/%.$(level).o,$(SIMD)))
LIBOBJ  := $(COREOBJ) $(call object,$(filter-out train/commands/main.cpp,$(REST)))

# What a fresh Debian 12 needs, for: BLAS, tests, images, checkpoints, options, JSON, download, archives, hashes, JPEG, ONNX.
PACKAGES := g++ libopenblas-dev doctest-dev libstb-dev libcereal-dev libcli11-dev nlohmann-json3-dev libcurl4-openssl-dev \
            libarchive-dev libssl-dev libturbojpeg0-dev libonnx-dev libprotobuf-dev
# What `make test-peers` compares with, and nothing else uses; the rest of it is in tests/parity/requirements.txt.
PEER_PACKAGES := python3-venv python3-torchvision

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all help deps train cifar10 test test-double test-asan asan-deps asan-one asan-two test-peers coverage check-long check-crash check-hostile check-resume \
        check-determinism check-signals check-endurance fuzz-programs fuzz-short fuzz-long fuzz-corpus format-fixture check-mutants bench layers clean

all: $(BUILD)/hydravit

help:
	@echo 'make train        install what is missing, build, train a small HydraViT (4 minutes), print the table per width'
	@echo '                  DATA=dir picks the data; else $$HYDRAVIT_DATA, datasets/, a download, the built-in shapes10'
	@echo 'make test         install what is missing, build and run the tests'
	@echo 'make cifar10      the real recipe: preset cifar, all augmentations, 100 epochs (hours); RUN=dir to name or resume it'
	@echo 'make test-double  gradient checks of every operation in double precision'
	@echo 'make test-asan    the tests under AddressSanitizer, UBSan and checked standard containers'
	@echo 'make check        test-asan, then with tools it installs: test-clang, test-tsan, test-valgrind, tidy, cppcheck (long)'
	@echo 'make test-peers   compare exported files and logs with PyTorch, timm, ONNX Runtime, TensorBoard; installs them (1.1 GB)'
	@echo 'make coverage     how many lines and branches of core, nn, models and train the tests reach (clang, llvm)'
	@echo 'make fuzz-short   libFuzzer on every reader of outside files, FUZZ_SECONDS=60 each (needs clang)'
	@echo 'make fuzz-long    the same until each has FUZZ_EXECUTIONS=10000000; goes on where it was stopped'
	@echo 'make check-mutants  100 small defects planted in core and nn, one at a time: do the tests see them? (an hour; goes on likewise)'
	@echo 'make check-long   the long forms of tests; make check-crash: kill -9, failing system calls, power loss (a minute)'
	@echo '                  check-hostile, check-resume, check-determinism, check-signals, check-endurance: tests/README.md'
	@echo 'make bench        speed of training and inference, every preset and width, beside PyTorch where PYTHON=python3 has it'
	@echo 'make layers       check that the folders include each other one way only'
	@echo 'make deps         only install the missing Debian packages'
	@echo 'make clean        remove build/'
	@echo 'Options: MODE=release|double|asan, CXX=g++|clang++, DATA=dir, THREADS=n'

# Asks dpkg first, so that a machine that has everything needs neither network nor root.
deps:
	@missing=; for p in $(PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	[ -z "$$missing" ] && exit 0; \
	echo "installing:$$missing"; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	{ $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null; } || \
	{ echo "deps: could not install:$$missing; install them by hand, then call make again" >&2; exit 1; }

# V=1 shows whole commands.
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

# --- building ------------------------------------------------------------------------------------------------------------------

# Standard headers, parsed once for all objects, and once more for those made with -O0, which the other does not fit.
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

$(BUILD)/tests/all: $(LIBOBJ) $(call object,$(TESTS))
	$(call link,$(LIBS))

# The test system that fails on demand, for other programs: tests/faults.h.
$(BUILD)/tests/faults.so: tests/faults.cpp tests/faults.h
	@mkdir -p $(@D)
	@echo "  $(MODE) $@"
	$(QUIET)$(CXX) $(FLAGS) -O1 -fPIC -shared $< -o $@

# core, nn and models with the tests of core and nn: what tests/mutants tries first.
MODELOBJ := $(COREOBJ) $(call object,$(wildcard nn/*.cpp models/*.cpp))
CORETESTS := tests/main.cpp $(wildcard tests/ops/*.cpp) $(patsubst %,tests/test_%.cpp,tensor autograd memory random startup nn timing bf16 readme hydravit)
$(BUILD)/tests/core: $(MODELOBJ) $(call object,$(CORETESTS))
	$(call link,-lopenblas)

$(BUILD)/tests/ops-only: $(COREOBJ) $(call object,$(DTESTS))
	$(call link,-lopenblas)

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
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/tests/all $(BUILD)/check-hostile $(BUILD)/tests/faults.so $(BUILD)/hydravit layers
	HYDRAVIT_BINARY=$(BUILD)/hydravit $(BUILD)/tests/all
	HYDRAVIT_SIMD=v2 $(BUILD)/tests/all -tc='every operation*' && HYDRAVIT_SIMD=v3 $(BUILD)/tests/all -tc='every operation*'
	$(BUILD)/check-hostile short

# The long forms of tests (HYDRAVIT_LONG); their last results are in tests/README.md.
check-long: check-crash check-hostile check-resume check-determinism check-signals check-endurance

$(BUILD)/check-hostile: $(LIBOBJ) $(BUILD)/tests/hostile/hostile.o
	$(call link,$(LIBS))
check-hostile: deps
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/check-hostile
	$(BUILD)/check-hostile full

check-crash: deps
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/tests/all $(BUILD)/tests/faults.so $(BUILD)/hydravit
	HYDRAVIT_LONG=1 HYDRAVIT_BINARY=$(BUILD)/hydravit $(BUILD)/tests/all -tc='kill*,faults*,power*'

check-resume check-determinism check-signals check-endurance: check-%: deps
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/tests/all $(BUILD)/tests/faults.so $(BUILD)/hydravit
	HYDRAVIT_LONG=1 HYDRAVIT_BINARY=$(BUILD)/hydravit $(BUILD)/tests/all -tc='$*:*'

test-double: deps
	@$(MAKE) --no-print-directory MODE=double $(JOBS) build/double/tests/ops-only
	build/double/tests/ops-only

# clang++ needs half g++'s time to build this; ASAN_CXX=g++ does without it.
ASAN_CXX := clang++
ASAN = $(MAKE) --no-print-directory MODE=asan CXX=$(ASAN_CXX)
asan-deps: deps
	$(if $(findstring clang,$(ASAN_CXX)),@$(MAKE) --no-print-directory deps PACKAGES="clang libomp-dev")
test-asan: asan-deps
	@$(ASAN) $(JOBS) build/asan/tests/all build/asan/hydravit build/asan/check-hostile
	@$(ASAN) -j2 --output-sync=target asan-one asan-two
	build/asan/check-hostile short
# Two halves at once; most tests keep one core busy.
ASAN_ONE := */ops/*,*test_checkpoint*,*test_commands*,*test_faults*,*test_interchange*,*test_kill*,*test_lr_find*,*test_power_loss*,*test_safetensors*
asan-one asan-two: export OMP_WAIT_POLICY = passive
asan-one:
	HYDRAVIT_BINARY=build/asan/hydravit build/asan/tests/all -sf='$(ASAN_ONE)'
asan-two:
	HYDRAVIT_BINARY=build/asan/hydravit build/asan/tests/all -sfe='$(ASAN_ONE)'

include tests/check.mk

# Where the peers cannot be installed, deps says so and the runner skips every check.
test-peers: deps
	@$(MAKE) --no-print-directory $(JOBS) all
	@$(MAKE) --no-print-directory deps PACKAGES="$(PEER_PACKAGES)" || true
	tests/parity/run $(BUILD)/hydravit

# Lines and branches of the source that the tests reach, as a table and as build/coverage/html (clang, llvm). Each process adds to what it
# finds, so that the program run by tests counts; a killed one leaves nothing.
COVERED := build/coverage/tests/all -object build/coverage/hydravit -object build/coverage/check-hostile \
           -instr-profile build/coverage/all.profdata -ignore-filename-regex 'tests/|data/|/usr/'
coverage: deps
	@$(MAKE) --no-print-directory deps PACKAGES="clang libomp-dev llvm"
	@$(MAKE) --no-print-directory MODE=coverage CXX=clang++ $(JOBS) $(patsubst %,build/coverage/%,tests/all tests/faults.so hydravit check-hostile)
	@rm -rf build/coverage/raw
	export LLVM_PROFILE_FILE=$(CURDIR)/build/coverage/raw/%4m.profraw HYDRAVIT_BINARY=build/coverage/hydravit; \
	build/coverage/tests/all && build/coverage/check-hostile short && \
	HYDRAVIT_SIMD=v2 HYDRAVIT_BF16=avx512 build/coverage/tests/all -tc='*operation*,*large shapes*,*bf16*'
	@llvm-profdata merge -o build/coverage/all.profdata build/coverage/raw/*.profraw
	@llvm-cov show $(COVERED) -format html -show-branches count -output-dir build/coverage/html
	llvm-cov report $(COVERED) -show-region-summary=false -show-branch-summary

# libFuzzer on everything that is read from outside, FUZZ_SECONDS each, from the corpus in tests/fuzz/corpus; what it finds lies in build/.
FUZZ_SECONDS ?= 60
FUZZERS := $(patsubst tests/fuzz/fuzz_%.cpp,%,$(wildcard tests/fuzz/fuzz_*.cpp))
build/fuzz/fuzz_%: $(LIBOBJ) build/fuzz/tests/fuzz/fuzz_%.o
	$(call link,-fsanitize=fuzzer $(LIBS))
.SECONDARY: $(FUZZERS:%=build/fuzz/tests/fuzz/fuzz_%.o)

# The corpus again, after a format has changed.
$(BUILD)/make_corpus: $(LIBOBJ) $(BUILD)/tests/fuzz/make_corpus.o
	$(call link,$(LIBS))
fuzz-corpus: $(BUILD)/make_corpus
	$(BUILD)/make_corpus tests/fuzz/corpus

# A checkpoint of the present format for tests/formats: once, when the format is released.
$(BUILD)/make_format: $(LIBOBJ) $(BUILD)/tests/formats/make_format.o
	$(call link,$(LIBS))
format-fixture: $(BUILD)/make_format
	$(BUILD)/make_format

# The programs of the fuzz targets, where clang++ has libFuzzer.
fuzz-programs:
	@echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' | \
	  clang++ -x c++ -fopenmp -fsanitize=fuzzer,address - -o /dev/null 2>/dev/null || \
	  { echo 'fuzzing is skipped: clang++ with libFuzzer and OpenMP is not here (Debian: clang, libomp-dev)'; exit 0; }; \
	$(MAKE) --no-print-directory MODE=fuzz CXX=clang++ $(JOBS) $(FUZZERS:%=build/fuzz/fuzz_%)
fuzz-short: fuzz-programs
	@for f in $(FUZZERS); do [ ! -x build/fuzz/fuzz_$$f ] || tests/fuzz/run $$f $(FUZZ_SECONDS) || exit 1; done
# Can be stopped and started again: the executions so far are in build/fuzz/*/count.
FUZZ_EXECUTIONS ?= 10000000
fuzz-long: fuzz-programs
	@[ ! -x build/fuzz/fuzz_cli ] || tests/fuzz/long $(FUZZ_EXECUTIONS) $(FUZZ_SECONDS) $(FUZZERS)
# Seeded mutants of core and nn, at least 90 % to be killed (hours; can be stopped and started again).
check-mutants: deps
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/tests/core $(BUILD)/tests/all
	python3 tests/mutants/mutate.py

bench: deps
	@$(MAKE) --no-print-directory $(JOBS) all
	@if command -v $(PYTHON) > /dev/null; then $(PYTHON) tests/bench/compare.py $(THREADS_OPTION); else \
	  for preset in 'nano --batch-size 128' 'cifar --batch-size 128' 'deit --batch-size 16 --heads 3,6,12'; do \
	    $(BUILD)/hydravit bench --detail --preset $$preset $(THREADS_OPTION); done; fi

# The include graph runs one way, between folders and between the wings of train/, and without circles.
layers:
	@tests/layers

clean:
	rm -rf build
