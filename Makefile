# The front door. Every target installs what is missing (tools/setup.sh says what and why) and hands over to
# CMake; the builds themselves are described in CMakePresets.json.
#
#   JOBS=N                 so many compilers and tests at once
#   PREFIX=DIR             where `make install` puts things (DESTDIR is honoured)
#   CMAKE_FLAGS="-D..."    passed on when a build is configured
#   FUZZ=1                 of `make test`: search with the fuzz targets too, where clang has libFuzzer
#   SECONDS=N HOURS=N      so long a fuzz target searches, so long a soak takes

JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX ?= /usr/local
CMAKE_FLAGS ?=
FUZZ ?=
SECONDS ?= 60
HOURS ?= 8

CONFIGURE = cmake $(CMAKE_FLAGS) >/dev/null --preset
BUILD = cmake --build --parallel $(JOBS) --preset

# ThreadSanitizer cannot place its memory where the kernel randomises addresses with more bits than it
# expects; where it is allowed, the tests run without that.
FIXED_ADDRESSES = $(shell setarch --addr-no-randomize true 2>/dev/null && echo setarch --addr-no-randomize)

MAKEFLAGS += --no-print-directory

.PHONY: all demo check test fuzz soak install bench clean help

all:
	@tools/setup.sh core
	@$(CONFIGURE) release
	@$(BUILD) release --target fovea fovea_command

demo:
	@tools/setup.sh core
	@$(CONFIGURE) release
	@$(BUILD) release --target fovea_command
	@build/fovea demo

check:
	@tools/setup.sh test
	@$(CONFIGURE) release
	@$(BUILD) release
	@ctest --preset release --parallel $(JOBS)

# Three builds, one ctest: the suite, the suite under AddressSanitizer and UndefinedBehaviorSanitizer
# (asan.NAME), and what runs threads under ThreadSanitizer (tsan.NAME). With FUZZ a fourth: the fuzz targets
# search (fuzz.NAME).
test:
	@tools/setup.sh test
	@builds="release asan tsan"; \
	if [ -n "$(FUZZ)" ]; then \
	    why=$$(tools/has_libfuzzer.sh) && builds="$$builds fuzz" || echo "== fuzz: skipped, $$why"; \
	fi; \
	for build in $$builds; do \
	    echo "== $$build: build" && $(CONFIGURE) $$build && $(BUILD) $$build || exit 1; \
	done; \
	mkdir -p build/suites; \
	printf 'subdirs("$(CURDIR)/build-%s")\n' $$builds | sed 's/build-release"/build"/' \
	    > build/suites/CTestTestfile.cmake
	@echo "== all: test"
	@FUZZ_SECONDS=$(SECONDS) $(FIXED_ADDRESSES) ctest --test-dir build/suites --parallel $(JOBS) --output-on-failure --no-tests=error

# The fuzz targets alone, SECONDS each.
fuzz:
	@tools/setup.sh test
	@why=$$(tools/has_libfuzzer.sh) || { echo "make fuzz: skipped, $$why"; exit 0; }; \
	$(CONFIGURE) fuzz && $(BUILD) fuzz && \
	FUZZ_SECONDS=$(SECONDS) ctest --preset fuzz --parallel $(JOBS)

# HOURS of the fuzz targets, and every fault; what is found lies in soak/.
soak:
	@tools/setup.sh test
	@why=$$(tools/has_libfuzzer.sh) || { echo "make soak: skipped, $$why"; exit 0; }; \
	$(CONFIGURE) release && $(BUILD) release && $(CONFIGURE) fuzz && $(BUILD) fuzz && \
	tests/fuzz/soak.sh $(HOURS) $(JOBS) soak

install: all
	@cmake --install build --prefix "$(abspath $(PREFIX))"

bench: all
	@tools/setup.sh bench
	@$(CONFIGURE) release
	@$(BUILD) release --target benchmarks
	build/fovea bench
	build/bench/bench_layers
	bench/compare_torch.py
	bench/compare_torch.py --growth

clean:
	rm -rf build build-debug build-asan build-tsan build-clang build-aarch64 build-fuzz

help:
	@echo "make           build the library and the command into build/"
	@echo "make demo      train LeNet-5 on the built-in digits, now"
	@echo "make check     build and run the test suite"
	@echo "make test      the same, and once more under the address, undefined behaviour and thread sanitizers"
	@echo "make fuzz      search with the fuzz targets, SECONDS=$(SECONDS) each; make test FUZZ=1 does both"
	@echo "make soak      search for HOURS=$(HOURS), then fail every call to the file system; findings in soak/"
	@echo "make install   install under PREFIX=$(PREFIX)"
	@echo "make bench     this machine's peak, each kernel's share of it, and the comparisons with oneDNN and PyTorch"
	@echo "make clean     remove the builds"
