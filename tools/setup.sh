#!/bin/sh
# setup.sh core|test|bench - installs what is missing, on Debian and its kin; says what and why.
#
#   core   a C compiler, CMake and make: all that the library and the command need
#   test   core, and what the suite needs: cmocka, zlib, libpng, libjpeg, pkg-config; and, where they can be had, the
#          other compiler and the means to run ARM's code, without which a few tests are skipped
#   bench  core, and the peers of the comparison: PyTorch with a threaded BLAS, and oneDNN
#
# Looks for the things themselves, not for packages: where all is there it ends at once, on any system.
set -eu

what=${1:-core}
packages=
reasons=
wishes=
wish_reasons=

need() { # PACKAGES REASON
    packages="$packages $1"
    reasons="$reasons
  $1: $2"
}
wish() { # PACKAGES REASON: a lack of them is no failure
    wishes="$wishes $1"
    wish_reasons="$wish_reasons
  $1: $2"
}
have() { command -v "$1" >/dev/null 2>&1; }
compiler() { for cc in "${CC:-cc}" gcc clang; do have "$cc" && echo "$cc" && return; done; }
has_header() { printf '#include <stdio.h>\n#include <%s>\n' "$1" | $(compiler) -E - >/dev/null 2>&1; }

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
    if [ -z "$(compiler)" ] || ! has_header jpeglib.h; then
        need libjpeg62-turbo-dev "reads JPEG images"
    fi
    "$(dirname "$0")/has_libfuzzer.sh" >/dev/null ||
        wish "clang libclang-rt-14-dev" "the fuzz targets search (libFuzzer)"
    have clang || wish clang "the tests that both compilers give the same bits, and good loops"
    [ -e /usr/share/i18n/locales/de_DE ] || wish locales "the test under locales that write 0,5"
    have gcc || wish "gcc libc6-dev" "the tests that both compilers give the same bits, and good loops"
    if [ "$(uname -m)" != aarch64 ]; then
        have aarch64-linux-gnu-gcc && echo '#include <stdio.h>' | aarch64-linux-gnu-gcc -E - >/dev/null 2>&1 ||
            wish "gcc-aarch64-linux-gnu libc6-dev-arm64-cross" "builds the NEON kernels for their test"
        have qemu-aarch64 || wish qemu-user "runs the NEON kernels on this machine"
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
    if [ -z "$(compiler)" ] || ! has_header dnnl.h; then
        need libdnnl-dev "oneDNN, which each layer is compared with"
    fi
    ;;
*)
    echo "setup.sh: expected core, test or bench, found \"$what\"" >&2
    exit 2
    ;;
esac

root=
if [ "$(id -u)" != 0 ]; then
    root=sudo
fi
can_install() { have apt-get && { [ -z "$root" ] || have sudo; }; }
install() { # PACKAGES...
    echo "Installing: $*"
    export DEBIAN_FRONTEND=noninteractive
    # A system that knows no packages yet has to ask for its lists first.
    if ! apt-get install -s "$@" >/dev/null 2>&1; then
        $root apt-get update >&2
    fi
    $root apt-get install -y --no-install-recommends "$@" >&2
}

if [ -n "$packages" ]; then
    echo "Fovea needs for \"$what\", and this system lacks:$reasons"
    if ! can_install; then
        have apt-get && how="as root: apt-get install$packages" || how="by Debian's names:$packages"
        echo "setup.sh: cannot install them here; please install, $how" >&2
        exit 1
    fi
    # shellcheck disable=SC2086
    if ! install $packages; then
        echo "setup.sh: apt-get could not install$packages" >&2
        exit 1
    fi
fi
if [ -n "$wishes" ]; then
    echo "A few tests of \"$what\" are skipped without:$wish_reasons"
    # Nobody is asked for a password for these.
    # shellcheck disable=SC2086
    if ! can_install || { [ -n "$root" ] && ! sudo -n true 2>/dev/null; } || ! install $wishes; then
        echo "Not installed; by Debian's names:$wishes"
    fi
fi

version=$(cmake --version | sed -n '1s/^cmake version //p')
if [ "$(printf '3.25\n%s\n' "$version" | sort -V | head -n 1)" != 3.25 ]; then
    echo "setup.sh: CMake 3.25 or newer is needed, found $version; newer ones: https://cmake.org/download" >&2
    exit 1
fi
