#!/bin/sh
# neon_test.sh SOURCE BUILD CMAKE COMMAND - the same bits on 64-bit ARM as here: cross-builds the command (its
# core: without zlib, libpng and libjpeg; static, so that the emulator needs no libraries), trains a few steps under
# qemu-aarch64 with NEON and with plain C, and compares the hashes with those of COMMAND. 77: skipped.
set -u
source=$1 build=$2 cmake=$3 command=$4
scratch=$build/neon-test
mkdir -p "$scratch"
export LC_ALL=C

for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
    if ! command -v $tool >/dev/null; then
        echo "neon: skipped, $tool is not here (tools/setup.sh test installs it)"
        exit 77
    fi
done
# Debian has the C library's headers in a package of their own.
if ! echo '#include <stdio.h>' | aarch64-linux-gnu-gcc -E - >/dev/null 2>&1; then
    echo "neon: skipped, the C library's headers for aarch64 are not here (tools/setup.sh test installs them)"
    exit 77
fi

{ "$cmake" -S "$source" -B "$scratch/build" --toolchain "$source/cmake/aarch64.cmake" \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE=-O2 -DCMAKE_EXE_LINKER_FLAGS=-static \
    -DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=ON -DCMAKE_DISABLE_FIND_PACKAGE_PNG=ON \
    -DCMAKE_DISABLE_FIND_PACKAGE_JPEG=ON \
    -DFOVEA_TESTS=OFF -DFOVEA_EXAMPLES=OFF &&
    "$cmake" --build "$scratch/build" --parallel 2 --target fovea_command; } >"$scratch/built" 2>&1 || {
    cat "$scratch/built" >&2
    echo "neon: the cross build failed" >&2
    exit 1
}
emulated="qemu-aarch64 $scratch/build/fovea"

. "$source/tests/train_hash.sh"
if [ "$(train_hash avx2 mlp $emulated)" != lacking ]; then
    echo "neon: expected avx2 to be refused on ARM" >&2
    exit 1
fi
for model in $models; do
    here=$(train_hash auto "$model" "$command")
    same_hash "$here" "$model, aarch64 neon" neon "$model" $emulated
    same_hash "$here" "$model, aarch64 portable" portable "$model" $emulated
done
[ $wrong = 0 ]
