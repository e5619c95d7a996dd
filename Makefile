# HydraViT from scratch: everything is built, tested and run from here. `make help` lists the targets.
#
# One rule set serves every flavour: MODE=release (default), double (gradient checks), asan (AddressSanitizer + UBSan).
# Objects, programs and dependency files live under build/<mode>/; nothing is written beside a source.

MODE  ?= release
BUILD ?= build/$(MODE)
CXX   ?= g++
ifeq ($(origin CXX),default)
CXX := g++
endif

WARN  := -Wall -Wextra -Wshadow -Werror
# x86-64-v2 is the oldest processor supported; the hot kernels are built three times (below) and chosen at run time.
# No fast-math: NaN and infinity must stay visible. errno and floating-point traps are never read here.
FLAGS := -std=c++20 -O3 -g1 -march=x86-64-v2 -fno-math-errno -fno-trapping-math -fopenmp -I. $(WARN)
LIBS  := -lopenblas

ifeq ($(MODE),double)
FLAGS += -DHV_DOUBLE
endif
ifeq ($(MODE),asan)
FLAGS += -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

CORE   := $(wildcard core/*.cpp core/ops/*.cpp core/kernels/*.cpp)
SIMD   := $(wildcard core/kernels/simd/*.cpp)
LIBSRC := $(CORE) $(wildcard nn/*.cpp models/*.cpp data/*.cpp) $(filter-out train/main.cpp,$(wildcard train/*.cpp train/commands/*.cpp))
TESTS  := $(wildcard tests/*.cpp tests/ops/*.cpp)

object = $(patsubst %.cpp,$(BUILD)/%.o,$(1))
SIMDOBJ := $(foreach level,v2 v3 v4,$(patsubst %.cpp,$(BUILD)/%.$(level).o,$(SIMD)))
COREOBJ := $(call object,$(CORE)) $(SIMDOBJ)
LIBOBJ  := $(call object,$(LIBSRC)) $(SIMDOBJ)

.DELETE_ON_ERROR:
.PHONY: all
all: $(BUILD)/hydravit

$(BUILD)/%.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) $(FLAGS) $(EXTRA) -MMD -MP -c $< -o $@

# Hot kernels: the same source for three instruction sets, each in a namespace of its own (HV_LEVEL).
$(BUILD)/%.v2.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) $(FLAGS) -DHV_LEVEL=v2 -MMD -MP -c $< -o $@
$(BUILD)/%.v3.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) $(FLAGS) -march=x86-64-v3 -DHV_LEVEL=v3 -MMD -MP -c $< -o $@
$(BUILD)/%.v4.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) $(FLAGS) -march=x86-64-v4 -mprefer-vector-width=512 -DHV_LEVEL=v4 -MMD -MP -c $< -o $@

$(BUILD)/hydravit: $(LIBOBJ) $(BUILD)/train/main.o
	$(CXX) $(FLAGS) $^ $(LIBS) -o $@

$(BUILD)/tests/all: $(LIBOBJ) $(call object,$(TESTS))
	$(CXX) $(FLAGS) $^ $(LIBS) -o $@

-include $(shell test -d $(BUILD) && find $(BUILD) -name '*.d')
