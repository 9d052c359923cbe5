#!/bin/sh
# install_test.sh SOURCE BUILD CC CMAKE - the installed library, static and shared: what is laid out and was
# built for it, that pkg-config and find_package both lead a small program to it, also after the tree was
# moved, and what the library shows to the linker.
set -eu
source=$1 build=$2 cc=$3 cmake=$4
scratch=$build/install-test
rm -rf "$scratch/static" "$scratch/shared" "$scratch/use"
mkdir -p "$scratch"
export LC_ALL=C
unset DESTDIR

fail() {
    echo "install: $*" >&2
    exit 1
}
quietly() {
    "$@" >"$scratch/said" 2>&1 || { cat "$scratch/said" >&2; fail "failed: $*"; }
}
kind_of() { # what lies in a prefix
    if find "$1" -name 'libfovea.so' | grep -q .; then echo shared; else echo static; fi
}

# `make` and `make install` build the library and the command, and nothing that they do without.
make -n -C "$source" install | grep -e '--build' >"$scratch/builds" || fail "make install builds nothing"
if grep -v -e '--target fovea fovea_command$' "$scratch/builds"; then
    fail "make install builds more than the library and the command"
fi

# This build's library, and one of the other kind; that one is built without optimisation, to be quick.
quietly "$cmake" --install "$build" --prefix "$scratch/use/moving"
kind=$(kind_of "$scratch/use/moving")
mv "$scratch/use/moving" "$scratch/$kind"
if [ "$kind" = static ]; then other=shared on=ON; else other=static on=OFF; fi
quietly "$cmake" -S "$source" -B "$scratch/build-$other" -DBUILD_SHARED_LIBS=$on -DFOVEA_TESTS=OFF \
    -DFOVEA_EXAMPLES=OFF -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER="$cc"
quietly "$cmake" --build "$scratch/build-$other" --parallel 2
quietly "$cmake" --install "$scratch/build-$other" --prefix "$scratch/use/moving"
mv "$scratch/use/moving" "$scratch/$other"
[ "$(kind_of "$scratch/$other")" = $other ] || fail "BUILD_SHARED_LIBS=$on gave no $other library"

# The consumer is examples/digits.c, far from the source tree.
cp "$source/examples/digits.c" "$scratch/use/digits.c"
cat >"$scratch/use/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(consumer C)
find_package(fovea 0.2 REQUIRED)
add_executable(digits digits.c)
target_link_libraries(digits PRIVATE fovea::fovea)
END

for kind in static shared; do
    prefix=$scratch/$kind
    lib=$(dirname "$(find "$prefix" -name 'libfovea.*' | head -n 1)")
    for file in include/fovea.h include/fovea_data.h bin/fovea; do
        [ -f "$prefix/$file" ] || fail "$kind: $file is not installed"
    done
    for file in cmake/fovea/fovea-config.cmake pkgconfig/fovea.pc; do
        [ -f "$lib/$file" ] || fail "$kind: $file is not installed beside the library"
    done
    [ "$(find "$prefix/include" -type f | wc -l)" = 2 ] || fail "$kind: more headers than fovea.h and its part"
    if grep -r -l -F -e "$source" -e "$scratch" "$prefix/include" "$lib/cmake" "$lib/pkgconfig"; then
        fail "$kind: installed files name the folders they were built in"
    fi
    "$prefix/bin/fovea" --version >/dev/null || fail "$kind: the installed command does not start"

    if command -v pkg-config >/dev/null; then
        PKG_CONFIG_PATH=$lib/pkgconfig
        export PKG_CONFIG_PATH
        static=
        [ $kind = shared ] || static=--static
        # shellcheck disable=SC2046
        quietly "$cc" -std=c17 -Wall -Wextra -pedantic -Werror "$scratch/use/digits.c" \
            $(pkg-config --cflags $static --libs fovea) -o "$scratch/use/$kind"
        LD_LIBRARY_PATH=$lib quietly "$scratch/use/$kind" 160
    else
        echo "install: no pkg-config here; fovea.pc was not tried"
    fi

    quietly "$cmake" -S "$scratch/use" -B "$scratch/use/build-$kind" -DCMAKE_C_COMPILER="$cc" \
        -Dfovea_DIR="$lib/cmake/fovea"
    quietly "$cmake" --build "$scratch/use/build-$kind"
    quietly "$scratch/use/build-$kind/digits" 160
done

# Programs name the library by what stays the same: 0.MINOR, and MAJOR once that is not 0.
version=$(sed -n 's/^#define FV_VERSION "\(.*\)"$/\1/p' "$source/include/fovea.h")
case $version in
0.*) soname=libfovea.so.${version%.*} ;;
*) soname=libfovea.so.${version%%.*} ;;
esac
lib=$(find "$scratch/shared" -name libfovea.so)
found=$(objdump -p "$lib" | sed -n 's/^ *SONAME *//p')
[ "$found" = "$soname" ] || fail "version $version: expected the soname $soname, found $found"
[ -e "$(dirname "$lib")/$soname" ] || fail "$soname is not installed"

# Exactly the functions of fovea.h are exported.
"$cc" -E -P "$source/include/fovea.h" | tr '\n' ' ' | tr ';' '\n' | grep visibility \
    | sed 's/__attribute__((visibility("default")))//' | grep -o '^[^(]*(' | grep -o '[A-Za-z0-9_]*(' \
    | tr -d '(' | sort >"$scratch/declared"
lib=$(find "$scratch/shared" -name libfovea.so)
nm -D --defined-only "$lib" | awk '{ print $3 }' | sort >"$scratch/exported"
[ -s "$scratch/declared" ] || fail "no declarations were found in fovea.h"
diff "$scratch/declared" "$scratch/exported" || fail "declared in fovea.h (<) and exported (>) differ"

# No output, exit or environment; no mutable state at file scope.
lib=$(find "$scratch/static" -name libfovea.a)
if nm -A --undefined-only "$lib" \
    | grep -E ' U (v?f?printf|__v?f?printf_chk|puts|putchar|exit|_exit|abort|getenv|secure_getenv)$'; then
    fail "the library prints, exits or reads the environment"
fi
state='(\.data|\.data\.rel|\.data\.rel\.local|\.bss|\.tdata|\.tbss|\*COM\*)'
if objdump -t "$lib" | grep -v ' d  *\.' | grep -E "[[:space:]]${state}[[:space:]]"; then
    fail "the library has mutable state at file scope"
fi
rm -rf "$scratch/static" "$scratch/shared" "$scratch/use"
echo "install: static and shared, pkg-config and CMake: well"
