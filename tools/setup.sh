#!/bin/sh
# setup.sh core|test|bench - installs what is missing, on Debian and its kin; says what and why.
#
#   core   a C compiler, CMake and make: all that the library and the command need
#   test   core, and what the suite needs: cmocka, zlib, libpng, pkg-config
#   bench  core, and the peer of the comparison: PyTorch with a threaded BLAS
#
# Looks for the things themselves, not for packages: where all is there it ends at once, on any system.
set -eu

what=${1:-core}
packages=
reasons=

need() { # PACKAGES REASON
    packages="$packages $1"
    reasons="$reasons
  $1: $2"
}
have() { command -v "$1" >/dev/null 2>&1; }
compiler() { for cc in "${CC:-cc}" gcc clang; do have "$cc" && echo "$cc" && return; done; }
has_header() { echo "#include <$1>" | $(compiler) -E - >/dev/null 2>&1; }

if [ -z "$(compiler)" ]; then
    need "gcc libc6-dev" "a C compiler and the C library's headers"
elif ! has_header stdio.h; then
    need libc6-dev "the C library's headers"
fi
have cmake || need cmake "describes the build (3.25 or newer)"
have make || need make "runs the build"

case $what in
core) ;;
test)
    if [ -z "$(compiler)" ] || ! has_header setjmp.h || ! echo '#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>' | $(compiler) -E - >/dev/null 2>&1; then
        need libcmocka-dev "the test framework"
    fi
    if [ -z "$(compiler)" ] || ! has_header zlib.h; then
        need zlib1g-dev "reads compressed data sets (.gz)"
    fi
    if [ -z "$(compiler)" ] || ! has_header png.h; then
        need libpng-dev "reads PNG images"
    fi
    have pkg-config || need pkg-config "the test of the installed library looks it up"
    ;;
bench)
    python_has_torch() {
        for python in python3 /usr/bin/python3; do
            "$python" -c 'import sys, importlib.util as u; sys.exit(u.find_spec("torch") is None)' \
                >/dev/null 2>&1 && return 0
        done
        return 1
    }
    python_has_torch || need "python3-torch libopenblas0-pthread" "PyTorch, which Fovea is compared with"
    ;;
*)
    echo "setup.sh: expected core, test or bench, found \"$what\"" >&2
    exit 2
    ;;
esac

if [ -n "$packages" ]; then
    echo "Fovea needs for \"$what\", and this system lacks:$reasons"
    root=
    if [ "$(id -u)" != 0 ]; then
        root=sudo
    fi
    if ! have apt-get || { [ -n "$root" ] && ! have sudo; }; then
        have apt-get && how="as root: apt-get install$packages" || how="by Debian's names:$packages"
        echo "setup.sh: cannot install them here; please install, $how" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    echo "Installing:$packages"
    # A system that knows no packages yet has to ask for its lists first.
    # shellcheck disable=SC2086
    if ! apt-get install -s $packages >/dev/null 2>&1; then
        $root apt-get update >&2
    fi
    # shellcheck disable=SC2086
    if ! $root apt-get install -y --no-install-recommends $packages >&2; then
        echo "setup.sh: apt-get could not install$packages" >&2
        exit 1
    fi
fi

version=$(cmake --version | sed -n '1s/^cmake version //p')
if [ "$(printf '3.25\n%s\n' "$version" | sort -V | head -n 1)" != 3.25 ]; then
    echo "setup.sh: CMake 3.25 or newer is needed, found $version; newer ones: https://cmake.org/download" >&2
    exit 1
fi
