# The tests beyond `make test`: included by the Makefile. More ways to build (double, sanitizers, another compiler), comparison with other
# programs, long forms, fuzzing, mutants, analysers, benchmarks. Each target installs its tools, or says that it is skipped. Why these
# tools and these tests: tests/README.md.

.PHONY: test-double test-asan asan-deps asan-one asan-two test-peers coverage bench check-long check-hostile check-hostile-asan check-crash \
        check-resume check-determinism check-signals check-endurance check-mutants format-fixture golden-copies fuzz-corpus fuzz-programs fuzz-short \
        fuzz-long check test-clang clang-tests test-tsan tsan-tests test-valgrind valgrind-tests tidy tidy-run cppcheck cppcheck-run

# --- ways to build -------------------------------------------------------------------------------------------------------------

ifeq ($(MODE),double)
FLAGS += -DHV_DOUBLE
endif
ifeq ($(MODE),asan)
OPT = $(if $(filter tests/test_% train/%,$<),-O0,-O1)
FLAGS += -DHV_ASAN -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -D_GLIBCXX_ASSERTIONS
endif
ifneq ($(filter tsan coverage,$(MODE)),)
OPT = -O1
endif
ifeq ($(MODE),tsan)
FLAGS += -fsanitize=thread -fno-omit-frame-pointer
endif
ifeq ($(MODE),coverage)
FLAGS += -fprofile-instr-generate -fcoverage-mapping
endif
ifeq ($(MODE),fuzz)
OPT = $(if $(filter core/% nn/% models/%,$<),-O1,-O2)
FLAGS += -DHV_ASAN -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=nonnull-attribute \
         -fno-sanitize-recover=all -fno-omit-frame-pointer -fsanitize-coverage-ignorelist=tests/fuzz/uncovered
endif

# Everything that a run of the whole suite needs.
PROGRAMS = $(BUILD)/tests/all $(BUILD)/hydravit $(BUILD)/check-hostile $(BUILD)/tests/faults.so

$(BUILD)/check-hostile: $(LIBOBJ) $(call object,$(wildcard tests/hostile/*.cpp))
	$(call link,$(LIBS))

# The test system that fails on demand, for other programs: tests/faults.h.
$(BUILD)/tests/faults.so: tests/faults.cpp tests/faults.h
	@mkdir -p $(@D)
	@echo "  $(MODE) $@"
	$(QUIET)$(CXX) $(FLAGS) -O1 -fPIC -shared $< -o $@

# core with the tests of its operations: enough for the gradient checks.
$(BUILD)/tests/ops-only: $(COREOBJ) $(call object,tests/main.cpp $(wildcard tests/ops/*.cpp))
	$(call link,-lopenblas)

# core, nn and models with the tests of core and nn: what tests/mutants tries first.
CORETESTS := $(wildcard tests/main.cpp tests/ops/*.cpp $(patsubst %,tests/test_%.cpp,tensor autograd memory random startup nn timing bf16 hydravit))
$(BUILD)/tests/core: $(COREOBJ) $(call object,$(wildcard nn/*.cpp models/*.cpp) $(CORETESTS))
	$(call link,-lopenblas)

# --- more tests ----------------------------------------------------------------------------------------------------------------

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
ASAN_ONE := */ops/*,*test_checkpoint*,*test_commands*,*test_faults*,*test_interchange*,*test_kill*,*test_lr_find*,*test_power_loss*,*test_run_folder*,*test_readme*,*test_safetensors*,*test_trainer*
asan-one asan-two: export OMP_WAIT_POLICY = passive
asan-one:
	HYDRAVIT_BINARY=build/asan/hydravit build/asan/tests/all -sf='$(ASAN_ONE)'
asan-two:
	HYDRAVIT_BINARY=build/asan/hydravit build/asan/tests/all -sfe='$(ASAN_ONE)'

# What only this uses; the rest of it is in tests/parity/requirements.txt. If the peers cannot be installed, deps says so and the runner
# skips every check.
test-peers: deps
	@$(MAKE) --no-print-directory $(JOBS) all
	@$(MAKE) --no-print-directory deps PACKAGES="python3-venv python3-torchvision" || true
	tests/parity/run $(BUILD)/hydravit

# Lines and branches of the source that the tests reach, as a table and as build/coverage/html (clang, llvm). The program started by tests
# counts, too, because each process adds to what it finds; a killed one leaves nothing.
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

bench: deps
	@$(MAKE) --no-print-directory $(JOBS) all
	@if command -v $(PYTHON) > /dev/null; then $(PYTHON) tests/bench/compare.py $(THREADS_OPTION); else \
	  for preset in 'nano --batch-size 128' 'cifar --batch-size 128' 'deit --batch-size 16 --heads 3,6,12'; do \
	    $(BUILD)/hydravit bench --detail --preset $$preset $(THREADS_OPTION); done; fi

# A checkpoint of the present format for tests/formats: once, when the format is released.
$(BUILD)/make_format: $(LIBOBJ) $(BUILD)/tests/formats/make_format.o
	$(call link,$(LIBS))
format-fixture: $(BUILD)/make_format
	$(BUILD)/make_format

# tests/golden again, from all golden numbers (FROM=folder, else ../shared/golden).
$(BUILD)/make_compact: $(LIBOBJ) $(BUILD)/tests/golden/make_compact.o
	$(call link,$(LIBS))
golden-copies: $(BUILD)/make_compact
	FROM="$(FROM)" $(BUILD)/make_compact

# --- long forms (HYDRAVIT_LONG); their last results are in tests/README.md -----------------------------------------------------

check-long: check-crash check-hostile check-resume check-determinism check-signals check-endurance

check-hostile: deps
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/check-hostile
	$(BUILD)/check-hostile full

# The same under AddressSanitizer and UBSan.
check-hostile-asan: asan-deps
	@$(ASAN) $(JOBS) build/asan/check-hostile
	build/asan/check-hostile full

check-crash: deps
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/tests/all $(BUILD)/tests/faults.so $(BUILD)/hydravit
	HYDRAVIT_LONG=1 HYDRAVIT_BINARY=$(BUILD)/hydravit $(BUILD)/tests/all -tc='kill*,faults*,power*'

check-resume check-determinism check-signals check-endurance: check-%: deps
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/tests/all $(BUILD)/tests/faults.so $(BUILD)/hydravit
	HYDRAVIT_LONG=1 HYDRAVIT_BINARY=$(BUILD)/hydravit $(BUILD)/tests/all -tc='$*:*'

# Seeded mutants of core and nn, at least 90 % to be killed (hours; can be stopped and started again).
check-mutants: deps
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/tests/core $(BUILD)/tests/all
	python3 tests/mutants/mutate.py

# --- fuzzing: libFuzzer on everything that is read from outside ----------------------------------------------------------------

# It starts from the corpus in tests/fuzz/corpus; what it finds lies in build/.
FUZZ_SECONDS ?= 60
FUZZERS := $(patsubst tests/fuzz/fuzz_%.cpp,%,$(wildcard tests/fuzz/fuzz_*.cpp))
# Each links only what it reads with: libFuzzer looks at the counters of the whole program after every execution.
build/fuzz/fuzz_%: build/fuzz/tests/fuzz/fuzz_%.o build/fuzz/libhydravit.a
	$(call link,-fsanitize=fuzzer $(LIBS))
.SECONDARY: $(FUZZERS:%=build/fuzz/tests/fuzz/fuzz_%.o)

# The corpus again, after a format has changed.
$(BUILD)/make_corpus: $(LIBOBJ) $(BUILD)/tests/fuzz/make_corpus.o
	$(call link,$(LIBS))
fuzz-corpus: $(BUILD)/make_corpus
	$(BUILD)/make_corpus tests/fuzz/corpus

# The programs of the fuzz targets, if clang++ has libFuzzer.
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

# --- other compilers, sanitizers, analysers ------------------------------------------------------------------------------------

CHECKS := cppcheck tidy test-clang test-asan test-tsan test-valgrind

check:
	@failed=; for target in $(CHECKS); do $(MAKE) --no-print-directory $$target || failed="$$failed $$target"; done; \
	[ -z "$$failed" ] || { echo "check: failed:$$failed"; exit 1; }; \
	echo "check: nothing found by $(CHECKS), but for what is skipped above"

# $(call with,PACKAGES,TARGET): makes the target if these Debian packages are installed or can be.
with = @if $(MAKE) --no-print-directory deps PACKAGES="$(1)"; then $(MAKE) --no-print-directory $(JOBS) $(2); \
  else echo "$@: skipped: needs $(1)"; fi

# The other compiler: its warnings, and its code under the same tests.
test-clang: deps
	$(call with,clang libomp-dev,CXX=clang++ BUILD=build/clang clang-tests)
clang-tests: $(PROGRAMS)
	HYDRAVIT_BINARY=$(BUILD)/hydravit $(BUILD)/tests/all
	$(BUILD)/check-hostile short
	@echo 'test-clang: no warning, every test passed'

# ThreadSanitizer with LLVM's OpenMP, whose tool Archer tells it what the runtime orders. A race planted on purpose must be reported,
# the same sums done in order must not.
test-tsan: deps
	$(call with,clang libomp-dev llvm,MODE=tsan CXX=clang++ tsan-tests)
tsan-tests: export TSAN_OPTIONS = ignore_noninstrumented_modules=1 halt_on_error=1
tsan-tests: $(BUILD)/planted-race $(BUILD)/tests/all $(BUILD)/hydravit
	@$(BUILD)/planted-race sound || { echo 'test-tsan: a false alarm: is libarcher.so installed beside libomp?'; exit 1; }
	@$(BUILD)/planted-race race 2>&1 | grep -q 'WARNING: ThreadSanitizer: data race' || \
	  { echo 'test-tsan: a planted race is not found'; exit 1; }
	HYDRAVIT_BINARY=$(BUILD)/hydravit $(BUILD)/tests/all $(TSAN_TESTS)
	@echo 'test-tsan: no race but the planted one'
$(BUILD)/planted-race: $(BUILD)/tests/tsan/planted_race.o
	$(call link,)
# Left out: tests that start the program again and again, or kill it; the threads in it are those of the other tests.
TSAN_TESTS := -sfe='*test_kill*,*test_faults*,*test_power_loss*,*test_resume*,*test_determinism*,*test_signals*,*test_cli*,*test_commands*,*test_predict_program*,*test_limits*'

# Memcheck sees reads of memory that was never written, in libraries too. It knows no AVX-512 and runs one thread at a time.
test-valgrind: deps
	$(call with,valgrind libc6-dbg,valgrind-tests)
valgrind-tests: export HYDRAVIT_SIMD = v3
valgrind-tests: export HYDRAVIT_BF16 = none
valgrind-tests: export OPENBLAS_CORETYPE = Haswell
valgrind-tests: export OMP_WAIT_POLICY = passive
valgrind-tests: $(BUILD)/tests/all
	valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
	  $(BUILD)/tests/all $(VALGRIND_TESTS)
	@echo 'test-valgrind: no error, no leak'
# Left out: a million numbers, a limit on memory that valgrind itself breaks, denormals, which it does not flush.
VALGRIND_TESTS := -tce='shapes10 is*,init: the same*,*chi-square*,safetensors: hostile headers,denormal*' \
  -sf='*_tensor*,*_autograd*,*_memory*,*_nn*,*_random*,*_sets*,*_augment*,*_loader*,*_checkpoint*,*_safetensors*,*_onnx*,*_costs*,*_parts*,*_pictures*,*_jpeg*'

cppcheck:
	$(call with,cppcheck,cppcheck-run)
cppcheck-run:
	@cppcheck $(JOBS) --std=c++20 --language=c++ --enable=warning,performance,portability --max-configs=1 -I. --quiet --error-exitcode=1 \
	  --suppressions-list=tests/cppcheck.txt '-DTEST_CASE(name)=static void test_case()' core nn models data train tests
	@echo 'cppcheck: no finding'

# One stamp per file, so that a second run looks only at what changed. Hot kernels are read once, as for AVX2.
TIDIED := $(patsubst %,build/tidy/%.ok,$(CORE) $(SIMD) $(REST))
tidy:
	$(call with,clang clang-tidy libomp-dev,MODE=tidy CXX=clang++ -k tidy-run)
tidy-run: $(TIDIED)
	@echo 'clang-tidy: $(words $(TIDIED)) files, no finding'
build/tidy/core/kernels/simd/%.ok: FLAGS += -march=x86-64-v3 -DHV_LEVEL=v3
build/tidy/%.ok: % .clang-tidy
	@mkdir -p $(@D)
	@echo "  tidy $*"
	@$(CXX) $(FLAGS) -MM -MP -MT $@ -MF $(@:.ok=.d) $<
	@clang-tidy --quiet $< -- $(FLAGS) 2>$@.log || { cat $@.log; exit 1; }
	@touch $@
