#!/bin/sh
# checks_test.sh SOURCE - tools/check_arrows.sh and tools/check_house.sh find what they are for: each case puts
# one wrong line into a small sound tree and expects its complaint, and none once it is taken out.
set -eu
source=$1
tree=$(mktemp -d "${TMPDIR:-/tmp}/checks-XXXXXX")
trap 'rm -rf "$tree"' EXIT
n=0
n_failed=0

mkdir -p "$tree/docs" "$tree/cli" "$tree/bench" "$tree/src/base" "$tree/src/kernels" "$tree/src/ops" "$tree/src/io"
cp "$source/docs/architecture.md" "$tree/docs/"
for folder in cli bench src/base src/kernels src/ops src/io; do
    echo "# room" >"$tree/$folder/README.md"
done
echo '#include "fovea.h"' >"$tree/cli/main.c"
echo '#include "plan/plan.h"' >"$tree/bench/step.c"
echo '#include "base/a.h"' >"$tree/src/base/a.c"
echo '#include "plan/lower.h"' >"$tree/src/ops/relu.c"
echo '#include "base/a.h"' >"$tree/src/io/idx.c"
echo '#include "kernels/vec.h"' >"$tree/src/kernels/isa_avx2.c"
echo '#include "kernels/vec_avx2.h"' >"$tree/src/kernels/vec.h"
echo '#include <immintrin.h>' >"$tree/src/kernels/vec_avx2.h"

# complains SCRIPT FILE LINE WORDS: with LINE at the end of FILE the script fails and says WORDS.
complains() {
    n=$((n + 1))
    cp "$tree/$2" "$tree/saved" 2>/dev/null || : >"$tree/saved"
    printf '%s\n' "$3" >>"$tree/$2"
    if "$source/tools/$1" "$tree" >"$tree/said" 2>&1; then
        echo "$1 accepts '$3' in $2"
        n_failed=$((n_failed + 1))
    elif ! grep -F -q -- "$4" "$tree/said"; then
        echo "$1, '$3' in $2: expected '$4', found:"
        cat "$tree/said"
        n_failed=$((n_failed + 1))
    fi
    mv "$tree/saved" "$tree/$2"
}
accepts() {
    n=$((n + 1))
    if ! "$source/tools/$1" "$tree" >"$tree/said" 2>&1; then
        echo "$1 refuses a sound tree:"
        cat "$tree/said"
        n_failed=$((n_failed + 1))
    fi
}

arrows=check_arrows.sh
accepts $arrows
complains $arrows src/base/a.c '#include "tensor/shape.h"' "src/base/a.c:2"
complains $arrows src/kernels/vec.h '#include "graph/graph.h"' "kernels may not include graph/graph.h"
complains $arrows src/ops/relu.c '#  include "kernels/vec.h"' "ops may not include kernels/vec.h"
complains $arrows src/ops/relu.c '#include "ops/add.c"' "nothing includes a .c file"
complains $arrows src/io/idx.c '#include "train/train.h"' "io may not include train/train.h"
complains $arrows src/ops/relu.c '#include "graph/rules.def"' "templates and tables stay in their room"
complains $arrows src/io/idx.c '#include "a.h"' "write it as"
complains $arrows src/io/idx.c '#include "cli/main.h"' "is no room"
complains $arrows src/io/idx.c '#include <immintrin.h>' "intrinsics stand in"
complains $arrows src/kernels/isa_avx2.c '#include "kernels/vec_avx512.h"' "one instruction set"
complains $arrows src/kernels/vec_avx2.h '#include "kernels/vec_portable.h"' "one instruction set"
complains $arrows cli/main.c '#include "base/a.h"' "fovea.h and its own headers only"
complains $arrows bench/step.c '#include "kernels/conv.inc"' "own headers only"
accepts $arrows

house=check_house.sh
accepts $house
complains $house src/io/idx.c '    printf("x");' "does not print, exit or read the environment: printf"
complains $house src/io/idx.c '    exit(1);' ": exit"
complains $house src/io/idx.c 'x = getenv("A") ? 1 : 0;' ": getenv"
complains $house src/io/idx.c '    x = malloc(4);' "memory comes from"
complains $house src/io/idx.c '    snprintf(a, b, "%d is %.3f", c, d);' "numbers become text by base/number.c"
complains $house src/io/idx.c '    fv__fail("100%%", "x" "%-*g")' 'in every locale alike: "%-*g"'
complains $house src/io/idx.c '    x = strtod(a, b);' "src/ depends on no locale: strtod"
complains $house src/io/idx.c '    if (isspace(*a))' "src/ depends on no locale: isspace"
complains $house cli/main.c '    setlocale(LC_ALL, "");' "the command keeps the C locale"
complains $house src/io/idx.c "$(printf '\tx;')" "a tab"
complains $house src/io/idx.c "$(printf '/* TO%s */' DO)" "unfinished"
complains $house src/io/idx.c "$(printf '%0111d' 0)" "line of 111 characters"
complains $house src/io/idx.c "$(printf '%0501d' 0 | sed 's/0/x\n/g')" "file of"
complains $house src/io/idx.c "$(echo '{'; printf '%061d' 0 | sed 's/0/x\n/g'; echo '}')" "function of 61 lines"
mkdir "$tree/src/see"
complains $house src/base/idx.c 'int x;' "src/io/idx.c:0: the name idx.c is taken by src/base/idx.c"
rm "$tree/src/base/idx.c"
complains $house src/see/new.c 'int x;' "src/see:0: no README.md"
rm -r "$tree/src/see"
echo '    snprintf(a, b, "exit(1) and printf()"); /* says printf */' >>"$tree/src/io/idx.c"
echo '    fv__add("100%% full of %d", k % FV_LANES + g % FV_GROUP, "");' >>"$tree/src/io/idx.c"
printf '%s\n' "$(printf '%0110d' 0 | sed 's/0/é/g')" >>"$tree/src/io/idx.c"
accepts $house

echo "checks: $n cases, $n_failed failed"
[ "$n_failed" = 0 ]
