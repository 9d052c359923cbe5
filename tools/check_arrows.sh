#!/bin/sh
# check_arrows.sh [FOLDER] - holds every #include of a source tree against the table of docs/architecture.md.
# Prints each wrong arrow as FILE:LINE and exits 1; exits 0 where there is none.
set -eu
cd "${1:-$(dirname "$0")/..}"
export LC_ALL=C

find src cli examples bench web -type f \( -name '*.c' -o -name '*.h' -o -name '*.inc' -o -name '*.def' \) \
    2>/dev/null | sort >"${TMPDIR:-/tmp}/arrows.$$"
trap 'rm -f "${TMPDIR:-/tmp}/arrows.$$"' EXIT

awk '
function wrong(why) {
    printf "%s:%d: %s: %s\n", file, line, shown, why
    n_wrong++
}
function isa_of(path, name) { # "avx2" of "kernels/vec_avx2.h"
    name = path
    sub(/^.*\//, "", name)
    if (name !~ /^(isa|vec)_(portable|avx2|avx512|neon|sve|rvv)\./)
        return ""
    sub(/^(isa|vec)_/, "", name)
    sub(/\..*$/, "", name)
    return name
}
function check_system(target) {
    if (target == "fovea.h" && top != "src")
        return
    if (target ~ /^(immintrin|x86intrin|[a-z]mmintrin|arm_neon|arm_sve|riscv_vector)\.h$/ && \
        file !~ /^src\/kernels\/vec_[a-z0-9]+\.h$/)
        wrong("intrinsics stand in src/kernels/vec_NAME.h only")
}
function check_outside(target, room_of) { # cli, examples, bench, web
    if (target == "fovea.h" || target in own)
        return
    room_of = target
    sub(/\/.*$/, "", room_of)
    if (top == "bench" && room_of in rooms && target ~ /\.h$/)
        return
    wrong(top "/ may include fovea.h and its own headers only")
}
function check_inside(target, to, mine, its) {
    if (target == "fovea.h" || (room, target) in may)
        return
    if (target !~ /\//) {
        wrong("write it as \"room/file.h\"")
        return
    }
    to = target
    sub(/\/.*$/, "", to)
    if (to != room) {
        if (!(to in rooms))
            wrong("\"" to "\" is no room of docs/architecture.md")
        else if (!((room, to) in may))
            wrong(room " may not include " target)
        else if (target !~ /\.h$/)
            wrong("templates and tables stay in their room")
        return
    }
    mine = isa_of(file)
    its = isa_of(target)
    if (its != "" && mine != its && file != "src/kernels/vec.h")
        wrong("one instruction set may not include another; vec.h chooses")
}
# The table: | room | may include | ... |
FILENAME ~ /architecture\.md$/ {
    if ($0 ~ /^\| *room /)
        in_table = 1
    else if ($0 !~ /^\|/)
        in_table = 0
    else if (in_table && $0 !~ /^\|-/) {
        split($0, cell, "|")
        name = cell[2]
        gsub(/ /, "", name)
        rooms[name] = 1
        n = split(cell[3], words, " ")
        for (i = 1; i <= n; i++)
            may[name, words[i]] = 1
    }
    next
}
{ # the list of files
    files[++n_files] = $0
    name = $0
    sub(/^.*\//, "", name)
    if ($0 !~ /^src\// && $0 ~ /\.(h|inc|def)$/)
        own[name] = 1
}
END {
    for (f = 1; f <= n_files; f++) {
        file = files[f]
        split(file, part, "/")
        top = part[1]
        room = part[2]
        line = 0
        shown = file
        if (top == "src" && !(room in rooms)) {
            wrong("\"" room "\" is no room of docs/architecture.md")
            continue
        }
        while ((getline text < file) > 0) {
            line++
            if (text !~ /^[ \t]*#[ \t]*include/)
                continue
            n_arrows++
            shown = text
            target = text
            sub(/^[ \t]*#[ \t]*include[ \t]*/, "", target)
            quote = substr(target, 1, 1)
            target = substr(target, 2)
            sub(/[">].*$/, "", target)
            if (quote != "\"" && quote != "<")
                wrong("an include names its file")
            else if (target ~ /\.c$/ || target ~ /\.\./)
                wrong("nothing includes a .c file or climbs out of its folder")
            else if (quote == "<")
                check_system(target)
            else if (top == "src")
                check_inside(target)
            else
                check_outside(target)
        }
        close(file)
    }
    if (n_files == 0 || !("base" in rooms)) {
        print "check_arrows: no sources, or no table in docs/architecture.md"
        exit 1
    }
    printf "arrows: %d files, %d includes, %d wrong\n", n_files, n_arrows, n_wrong
    exit n_wrong > 0
}' docs/architecture.md "${TMPDIR:-/tmp}/arrows.$$"
