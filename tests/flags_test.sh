#!/bin/sh
# flags_test.sh SOURCE - no source of the library can be compiled with flags that change its arithmetic: gcc and
# clang refuse each with the text of src/base/exact.h. 77: skipped, neither is here.
set -u
source=$1
export LC_ALL=C
text="Fovea needs exact arithmetic"
looked=0 wrong=0

# refusals COMPILER FLAG FILES - how many of them are refused with the text.
refusals() {
    compiler=$1 flag=$2
    shift 2
    for file in "$@"; do
        "$compiler" -std=gnu17 -Wfatal-errors "$flag" -I"$source/include" -I"$source/src" -E "$file" 2>&1 >/dev/null |
            grep -c "$text"
    done | grep -c '^[1-9]'
}
# expect COMPILER FLAG N FILES
expect() {
    compiler=$1 flag=$2 n=$3
    shift 3
    found=$(refusals "$compiler" "$flag" "$@")
    [ "$found" = "$n" ] && return
    echo "flags: $compiler $flag: expected $n of $# sources refused, found $found" >&2
    wrong=$((wrong + 1))
}

for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    looked=$((looked + 1))
    set -- "$source"/src/*/*.c
    expect $compiler -ffast-math $# "$@"
    expect $compiler -O3 0 "$source/src/base/rng.c"
    expect $compiler -Ofast 1 "$source/src/base/rng.c"
    expect $compiler -ffinite-math-only 1 "$source/src/base/rng.c"
done
[ $looked -gt 0 ] || exit 77
echo "flags: $# sources, $looked compilers, $wrong wrong"
[ $wrong = 0 ]
