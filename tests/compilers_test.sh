#!/bin/sh
# compilers_test.sh SOURCE BUILD CMAKE COMMAND COMPILER - the same bits from gcc and from clang: builds the
# command with the one that COMPILER (GNU or Clang) is not, trains a few steps with both on every instruction
# set, and compares the hashes. 77: skipped, the other compiler is not here.
set -u
source=$1 build=$2 cmake=$3 command=$4
case $5 in
*Clang) other=gcc ;;
*) other=clang ;;
esac
scratch=$build/compilers-test
mkdir -p "$scratch"
export LC_ALL=C

if ! echo '#include <stdio.h>' | $other -E - >/dev/null 2>&1; then
    echo "compilers: skipped, $other is not here"
    exit 77
fi
{ "$cmake" -S "$source" -B "$scratch/build" -DCMAKE_C_COMPILER=$other -DCMAKE_BUILD_TYPE=Release \
    -DFOVEA_TESTS=OFF -DFOVEA_EXAMPLES=OFF &&
    "$cmake" --build "$scratch/build" --parallel 2 --target fovea_command; } >"$scratch/built" 2>&1 || {
    cat "$scratch/built" >&2
    echo "compilers: the build with $other failed" >&2
    exit 1
}

. "$source/tests/train_hash.sh"
for model in $models; do
    here=$(train_hash auto "$model" "$command")
    for isa in avx512 avx2 neon portable; do
        same_hash "$here" "$model, $other, $isa" $isa "$model" "$scratch/build/fovea"
    done
done
[ $wrong = 0 ]
