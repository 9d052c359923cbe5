#!/bin/sh
# lectures_page_test.sh SOURCE BUILD COMMAND - docs/lectures.md is true: every test and function that it names exists,
# every row has a test unless something in it is planned, and every command runs.
set -u
source=$1 build=$2 command=$3
page=$source/docs/lectures.md
scratch=$build/lectures-page-test
rm -rf "$scratch"
mkdir -p "$scratch"
ln -s "$source/examples" "$scratch/examples"
export LC_ALL=C
failed=0

wrong() {
    echo "lectures_page: $*" >&2
    failed=1
}

# Rows: | page | concept | command | test |
awk -F'|' '/^\|/ && !/^\|-/ && !/^\| page / {
    if (NF != 6) print "not four columns: " $0
    else if ($5 !~ /`/ && $4 !~ /planned/) print "neither a test nor planned: " $0
    else if ($4 !~ /`/ && $4 !~ /planned|refused/) print "no command: " $0
}' "$page" >"$scratch/rows"
[ -s "$scratch/rows" ] && wrong "$(cat "$scratch/rows")"

# The last column's `NAME` or `NAME: FUNCTION`.
awk -F'|' '/^\|/ && NF == 6 && !/^\|-/ && !/^\| page / { print $5 }' "$page" | grep -o '`[^`]*`' | tr -d '`' |
    sort -u >"$scratch/tests"
while read -r name function; do
    file=$source/tests/test_${name%:}.c
    if [ ! -f "$file" ]; then
        wrong "no test '${name%:}' ($file)"
    elif [ -n "$function" ] && ! grep -qE "^static void $function\(void \*\*" "$file"; then
        wrong "no function '$function' in $file"
    fi
done <"$scratch/tests"

# `fovea ...`, each once, in the order of the page: `eval runs/mlp` needs the run that was trained above it.
grep -o '`fovea [^`]*`' "$page" | tr -d '`' | awk '!seen[$0]++' >"$scratch/commands"
while read -r _ words; do
    expected=0
    grep -F "\`fovea $words\` (refused" "$page" >/dev/null && expected=3
    # shellcheck disable=SC2086 # words are words
    (cd "$scratch" && exec "$command" $words) >"$scratch/output" 2>&1 </dev/null
    got=$?
    [ $got = $expected ] || wrong "'fovea $words' ended with $got, expected $expected: $(tail -3 "$scratch/output")"
done <"$scratch/commands"

n_tests=$(wc -l <"$scratch/tests") n_commands=$(wc -l <"$scratch/commands")
[ "$n_tests" -gt 30 ] && [ "$n_commands" -gt 30 ] || wrong "only $n_tests tests and $n_commands commands found"
[ $failed = 0 ] && rm -rf "$scratch"
echo "lectures_page: $n_tests tests, $n_commands commands"
exit $failed
