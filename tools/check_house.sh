#!/bin/sh
# check_house.sh [FOLDER] - the rules of the house that a machine can read: sizes of files, lines and
# functions, words that src/ does not know, file names used twice, and a README in every folder with sources. Prints each breach as
# FILE:LINE and exits 1; exits 0 where there is none.
set -eu
cd "${1:-$(dirname "$0")/..}"
export LC_ALL=C

list=${TMPDIR:-/tmp}/house.$$
trap 'rm -f "$list"' EXIT
# (The corpus of the fuzz targets is data: texts that break rules are what it is for.)
find src include cli tests examples bench tools web models -type f ! -path 'tests/fuzz/corpus/*' \( -name '*.c' -o -name '*.h' \
    -o -name '*.inc' -o -name '*.def' -o -name '*.sh' -o -name '*.py' -o -name '*.fovea' \) \
    2>/dev/null | sort >"$list"

awk '
function breach(why) {
    printf "%s:%d: %s\n", file, line, why
    n_breaches++
}
function check_locale(text,    rest, string) { # whatever setlocale a host calls, src/ reads and writes the same
    for (rest = text; match(rest, /"([^"\\]|\\.)*"/); rest = substr(rest, RSTART + RLENGTH)) {
        string = substr(rest, RSTART, RLENGTH)
        gsub(/%%/, "", string)
        if (string ~ /%[-+#0-9.*]*L?[aAeEfFgG]/)
            breach("numbers become text by base/number.c, in every locale alike: " string)
    }
    gsub(/"([^"\\]|\\.)*"/, "\"\"", text)
    if (match(" " text, /[^A-Za-z0-9_](is(alnum|alpha|cntrl|digit|graph|lower|print|punct|space|upper|xdigit)|to(lower|upper)|strn?casecmp|strcoll|strto(d|f|ld)|atof|sscanf|setlocale|localeconv) *\(/))
        breach("src/ depends on no locale: " substr(text, RSTART, RLENGTH - 2))
}
function check_words(text) { # of src/, outside comments that take whole lines
    if (text ~ /^ *(\/?\*|\/\/)/)
        return
    if (file != "src/base/number.c")
        check_locale(text)
    gsub(/"([^"\\]|\\.)*"/, "\"\"", text)
    if (file != "src/base/trace.c" && \
        match(" " text, /[^A-Za-z0-9_](v?f?printf|puts|fputs|putchar|perror|exit|_exit|abort|getenv|setenv) *\(/))
        breach("src/ does not print, exit or read the environment: " substr(text, RSTART, RLENGTH - 2))
    if (file !~ /^src\/(base\/memory|api\/context_api)\.c$/ && \
        match(" " text, /[^A-Za-z0-9_](malloc|calloc|realloc|free|strdup|alloca) *\(/))
        breach("memory comes from base/context.h: " substr(text, RSTART, RLENGTH - 2))
    if (text ~ /^ *# *if +0/)
        breach("code that is switched off")
}
{
    file = $0
    line = 0
    n_files++
    source = file ~ /\.(c|h|inc|def)$/
    folder = file
    sub(/\/[^\/]*$/, "", folder)
    if (file !~ /\.h$/)
        folders[folder] = 1
    name = substr(file, length(folder) + 2)
    if (name in named)
        breach("the name " name " is taken by " named[name])
    named[name] = file
    opened = 0
    while ((getline text < file) > 0) {
        line++
        gsub(/[\200-\277]/, "", text) # a character of several bytes counts once
        if (source && length(text) > 110)
            breach("line of " length(text) " characters; the limit is 110")
        if (source && index(text, "\t"))
            breach("a tab; indentation is four spaces")
        if (text ~ /[ \t\r]$/)
            breach("white space at the end of the line")
        if (text ~ ("TO" "DO") || text ~ ("FIX" "ME"))
            breach("unfinished: " text)
        if (source && text == "{")
            opened = line
        if (source && text == "}" && opened) {
            if (line - opened - 1 > 60 && file ~ /^(src|cli)\//)
                breach("function of " line - opened - 1 " lines; the limit is 60")
            opened = 0
        }
        if (file ~ /^src\//)
            check_words(text)
        if (file ~ /^cli\// && text ~ /[^A-Za-z0-9_]setlocale *\(/)
            breach("the command keeps the C locale: its JSON and its options have points")
    }
    close(file)
    if (source && line > 500)
        breach("file of " line " lines; the limit is 500")
}
END {
    line = 0
    for (file in folders) {
        if ((getline text < (file "/README.md")) <= 0)
            breach("no README.md")
        close(file "/README.md")
    }
    if (n_files == 0)
        breach("no sources found")
    printf "house: %d files, %d breaches\n", n_files, n_breaches
    exit n_breaches > 0
}' "$list"
