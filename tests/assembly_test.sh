#!/bin/sh
# assembly_test.sh SOURCE BUILD - the innermost loops of the kernels' tiles keep everything in registers, as
# gcc and as clang compile them (inner_loops.awk says what is asked of them). With the project's own flags,
# from the build's compile_commands.json, at the optimisation of a release. What was compiled from the same
# preprocessed source, by the same compiler with the same flags, is looked at again and not compiled again: half
# a minute of computing in all. 77: skipped, nothing to look at.
set -u
source=$1 build=$2
scratch=$build/assembly-test
mkdir -p "$scratch"
export LC_ALL=C
looked=0 wrong=0

# arguments_of FILE - what the compiler was given for it, without what was asked to come out, and how good.
arguments_of() {
    sed -n 's/^ *"command": "\(.*\)",$/\1/p' "$build/compile_commands.json" |
        grep "/$1\$" | head -n 1 | sed 's/\\"/"/g; s/^[^ ]* //; s/ -o [^ ]*//; s/ -c / /' |
        tr ' ' '\n' | grep -v -e '^-O' -e '^-g' | tr '\n' ' '
}

# compile COMPILER ARGUMENTS - leaves $assembly, the kernels' assembly, and beside it what it was made from. The
# arguments have no spaces inside: the build's folders neither.
# shellcheck disable=SC2086
compile() {
    { "$1" --version && echo "$2" && $1 -O3 -DNDEBUG -E -P $2; } >"$assembly.new" || return 1
    [ -f "$assembly" ] && cmp -s "$assembly.new" "$assembly.from" && return
    rm -f "$assembly.from"
    $1 -O3 -DNDEBUG -S -o "$assembly" $2 && mv "$assembly.new" "$assembly.from"
}

# look COMPILER ISA TILES ARGUMENTS - ARGUMENTS end with the source.
look() {
    compiler=$1 isa=$2 must=$3
    if ! command -v "$compiler" >/dev/null; then
        echo "$compiler, $isa: skipped, $compiler is not here"
        return
    fi
    assembly=$scratch/$compiler-$isa.s
    if ! compile "$compiler" "$4"; then
        echo "assembly: $compiler does not compile the kernels for $isa" >&2
        wrong=$((wrong + 1))
        return
    fi
    registers=$(sed -n 's/^#define FV_REGISTERS  *\([0-9]*\).*/\1/p' "$source/src/kernels/vec_$isa.h")
    looked=$((looked + 1))
    echo "$compiler, $isa:"
    early=$(grep -c '^#define FV_BROADCASTS(m)  *(m)' "$source/src/kernels/vec_$isa.h")
    awk -v registers="$registers" -v early="$early" -v must="$must" -f "$source/tests/inner_loops.awk" \
        "$assembly" || wrong=$((wrong + 1))
}

case $source$build in
*' '*)
    echo "assembly: skipped, a folder's name has a space in it"
    exit 77
    ;;
esac
wide=$(arguments_of isa_avx512.c) narrow=$(arguments_of isa_avx2.c)
for compiler in gcc clang; do
    [ -z "$wide" ] || look $compiler avx512 "tile_6x4 tile_8x3 tile_4x6 dot_4x5 dot_8x3" "$wide"
    [ -z "$narrow" ] || look $compiler avx2 "tile_6x2 tile_4x3 tile_2x5 dot_4x3 dot_2x5" "$narrow"
done
plain=$(arguments_of isa_portable.c)
if [ -z "$plain" ]; then
    echo "assembly: the build's compile_commands.json names no kernels" >&2
    exit 1
fi
look aarch64-linux-gnu-gcc neon "tile_4x5 tile_6x3 tile_8x2 dot_4x4" \
    "$(echo "$plain" | sed 's/isa_portable/isa_neon/')"
[ $looked -gt 0 ] || exit 77
[ $wrong = 0 ]
