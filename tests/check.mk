# What other compilers, sanitizers and analysers find; included by the Makefile. Each target installs its tools, or says that it is
# skipped, and ends with one line of result. Why these tools and these tests: tests/README.md.

.PHONY: check check-hostile-asan test-clang test-tsan test-valgrind tidy cppcheck
CHECKS := cppcheck tidy test-clang test-asan test-tsan test-valgrind

check:
	@failed=; for target in $(CHECKS); do $(MAKE) --no-print-directory $$target || failed="$$failed $$target"; done; \
	[ -z "$$failed" ] || { echo "check: failed:$$failed"; exit 1; }; \
	echo "check: nothing found by $(CHECKS), but for what is skipped above"

# $(call with,PACKAGES,TARGET): makes the target where these Debian packages are or can be installed.
with = @if $(MAKE) --no-print-directory deps PACKAGES="$(1)"; then $(MAKE) --no-print-directory $(JOBS) $(2); \
  else echo "$@: skipped: needs $(1)"; fi
PROGRAMS = $(BUILD)/tests/all $(BUILD)/hydravit $(BUILD)/check-hostile $(BUILD)/tests/faults.so

# The other compiler: its warnings, and its code under the same tests.
test-clang: deps
	$(call with,clang libomp-dev,CXX=clang++ BUILD=build/clang clang-tests)
clang-tests: $(PROGRAMS)
	HYDRAVIT_BINARY=$(BUILD)/hydravit $(BUILD)/tests/all
	$(BUILD)/check-hostile short
	@echo 'test-clang: no warning, every test passed'

# The long form of hostile files and failing allocations under AddressSanitizer and UBSan.
check-hostile-asan: asan-deps
	@$(ASAN) $(JOBS) build/asan/check-hostile
	build/asan/check-hostile full

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
TSAN_TESTS := -sfe='*test_kill*,*test_faults*,*test_power_loss*,*test_resume*,*test_determinism*,*test_signals*,*test_cli*,*test_commands*,*test_predict_program*'

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
  -sf='*_tensor*,*_autograd*,*_memory*,*_nn*,*_random*,*_sets*,*_augment*,*_loader*,*_checkpoint*,*_safetensors*,*_onnx*,*_costs*,*_parts*'

cppcheck:
	$(call with,cppcheck,cppcheck-run)
cppcheck-run:
	@cppcheck $(JOBS) --std=c++20 --language=c++ --enable=warning,performance,portability --max-configs=1 -I. --quiet --error-exitcode=1 \
	  --suppressions-list=tests/cppcheck.txt '-DTEST_CASE(name)=static void test_case()' core nn models data train tests
	@echo 'cppcheck: no finding'

# One stamp a file, so that a second run looks only at what changed. Hot kernels are read once, as for AVX2.
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
