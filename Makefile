# The front door. Every target installs what is missing (tools/setup.sh says what and why) and hands over to
# CMake; the builds themselves are described in CMakePresets.json.
#
#   JOBS=N                 so many compilers and tests at once
#   PREFIX=DIR             where `make install` puts things (DESTDIR is honoured)
#   CMAKE_FLAGS="-D..."    passed on when a build is configured

JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX ?= /usr/local
CMAKE_FLAGS ?=

CONFIGURE = cmake $(CMAKE_FLAGS) >/dev/null --preset
BUILD = cmake --build --parallel $(JOBS) --preset

# ThreadSanitizer cannot place its memory where the kernel randomises addresses with more bits than it
# expects; where it is allowed, the tests run without that.
FIXED_ADDRESSES = $(shell setarch --addr-no-randomize true 2>/dev/null && echo setarch --addr-no-randomize)

MAKEFLAGS += --no-print-directory

.PHONY: all demo check test install bench clean help

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
# (asan.NAME), and what runs threads under ThreadSanitizer (tsan.NAME).
test:
	@tools/setup.sh test
	@for build in release asan tsan; do \
	    echo "== $$build: build" && $(CONFIGURE) $$build && $(BUILD) $$build || exit 1; \
	done
	@mkdir -p build/suites
	@printf 'subdirs("%s")\n' "$(CURDIR)/build" "$(CURDIR)/build-asan" "$(CURDIR)/build-tsan" \
	    > build/suites/CTestTestfile.cmake
	@echo "== all: test"
	@$(FIXED_ADDRESSES) ctest --test-dir build/suites --parallel $(JOBS) --output-on-failure --no-tests=error

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
	rm -rf build build-debug build-asan build-tsan build-clang build-aarch64

help:
	@echo "make           build the library and the command into build/"
	@echo "make demo      train LeNet-5 on the built-in digits, now"
	@echo "make check     build and run the test suite"
	@echo "make test      the same, and once more under the address, undefined behaviour and thread sanitizers"
	@echo "make install   install under PREFIX=$(PREFIX)"
	@echo "make bench     this machine's peak, each kernel's share of it, and the comparisons with oneDNN and PyTorch"
	@echo "make clean     remove the builds"
