#!/bin/sh
# subproject_test.sh SOURCE BUILD CC CMAKE - Fovea as a part of another project, by add_subdirectory and by
# FetchContent: optimised where nobody chose a build type, its kernels also in a Debug build, without touching
# the flags of that project; nothing of it is installed or built beside the library; and the program runs.
set -eu
source=$1 build=$2 cc=$3 cmake=$4
scratch=$build/subproject-test
rm -rf "$scratch/host" "$scratch/prefix" "$scratch"/build-*
mkdir -p "$scratch/host"
export LC_ALL=C
unset DESTDIR CMAKE_BUILD_TYPE

fail() {
    echo "subproject: $*" >&2
    exit 1
}
quietly() {
    "$@" >"$scratch/said" 2>&1 || { cat "$scratch/said" >&2; fail "failed: $*"; }
}

cp "$source/examples/digits.c" "$scratch/host/digits.c"
cat >"$scratch/host/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(host C)
if(FETCH)
  include(FetchContent)
  FetchContent_Declare(fovea SOURCE_DIR ${FOVEA})
  FetchContent_MakeAvailable(fovea)
else()
  add_subdirectory(${FOVEA} fovea)
endif()
add_executable(digits digits.c)
target_link_libraries(digits PRIVATE fovea::fovea)
install(TARGETS digits)
END

# configure NAME OPTIONS... - into build-NAME.
configure() {
    name=$1
    shift
    quietly "$cmake" -S "$scratch/host" -B "$scratch/build-$name" -DCMAKE_C_COMPILER="$cc" -DFOVEA="$source" \
        -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "$@"
    cp "$scratch/said" "$scratch/build-$name/said"
}
# has_flags NAME FILES FLAGS... - every command that compiles one of FILES (a pattern) has all FLAGS; an
# optimisation has to be the last of its kind. A flag !X must not be there.
has_flags() {
    name=$1 files=$2
    shift 2
    sed -n 's/^ *"command": "\(.*\)",$/\1/p' "$scratch/build-$name/compile_commands.json" |
        grep -e "$files" >"$scratch/commands" || fail "$name: nothing compiles $files"
    for flag in "$@"; do
        while read -r command; do
            case $flag in
            -O*) found=$(echo "$command" | tr ' ' '\n' | grep '^-O' | tail -n 1) ;;
            *) found=$(echo "$command" | tr ' ' '\n' | grep -x -e "${flag#!}" | tail -n 1) ;;
            esac
            case $flag in
            !*) [ -z "$found" ] || fail "$name: expected no $found in: $command" ;;
            *) [ "$found" = "$flag" ] || fail "$name: expected $flag, found '$found' in: $command" ;;
            esac
        done <"$scratch/commands"
    done
}

for fetch in OFF ON; do
    configure plain-$fetch -DFETCH=$fetch
    grep -q "Fovea itself is built as Release" "$scratch/build-plain-$fetch/said" || fail "nothing was said"
    has_flags plain-$fetch "$source/src/" -O3 -DNDEBUG
    has_flags plain-$fetch "host/digits.c" "!-O[0-9s]" "!-DNDEBUG"
    if grep -q -e "$source/tests" -e "$source/examples" "$scratch/build-plain-$fetch/compile_commands.json"; then
        fail "tests or examples are built"
    fi
done
configure debug -DCMAKE_BUILD_TYPE=Debug
has_flags debug "$source/src/kernels/isa_" -g -O3 "!-DNDEBUG"
has_flags debug "$source/src/model/" -g "!-O[1-3]"
has_flags debug "host/digits.c" -g "!-O[1-3]"
configure sized -DCMAKE_BUILD_TYPE=MinSizeRel
has_flags sized "$source/src/" -Os

# Built without optimisation, to be quick; with the flags that Release has here.
configure plain-OFF -DCMAKE_C_FLAGS_RELEASE=-O0
quietly "$cmake" --build "$scratch/build-plain-OFF" --parallel 2
quietly "$scratch/build-plain-OFF/digits" 160
if find "$scratch/build-plain-OFF/fovea" -type f -perm -u+x ! -path '*/CMakeFiles/*' | grep .; then
    fail "more than the library was built"
fi
quietly "$cmake" --install "$scratch/build-plain-OFF" --prefix "$scratch/prefix"
found=$(cd "$scratch/prefix" && find . -type f)
[ "$found" = ./bin/digits ] || fail "installed: expected ./bin/digits alone, found" $found
rm -rf "$scratch/host" "$scratch/prefix" "$scratch"/build-*
echo "subproject: add_subdirectory and FetchContent: well"
