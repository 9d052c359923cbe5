# inner_loops.awk - reads a compiler's assembly (x86-64 in AT&T form, or AArch64) and checks the innermost
# loops of the tiles that the tables of tiles.inc and conv_dw.inc choose from, those that registers hold:
#
#   - as many fused multiply-adds as the tile has accumulators, or a multiple of them where it was unrolled
#   - no vector goes to memory and none comes from the stack
#
# Variables: registers, as FV_REGISTERS; early, whether FV_BROADCASTS counts all rows; must, names of tiles
# that have to be there, with spaces between. Prints what is wrong, a line each; then how many tiles were
# looked at, and whose loops reload addresses from the stack (no error: that costs a load, not a vector).

function complain(why) { printf "  %s: %s\n", name, why; n_wrong++ }

# A register of vectors stands first in what AArch64 loads and stores.
function is_vector(text) {
    return text ~ /^\tv/ || text ~ /^\t(ldr|ldur|ldp|ld1r?|str|stur|stp|st1)\t\{?[qvds][0-9]/
}
function is_multiply_add(text) { return text ~ /^\tvfmadd/ || text ~ /^\tfmla\t/ }
function is_vector_store(text) {
    return text ~ /^\tvmov[a-z0-9]*\t%[xyz]mm[0-9]+, .*\(/ || text ~ /^\t(str|stur|stp|st1)\t\{?[qvds][0-9]/
}
# rbp is the stack's only where the function says so; clang uses it for anything.
function is_on_stack(text) {
    return text ~ /\(%rsp/ || (has_frame && text ~ /[0-9]\(%rbp/) || text ~ /\[(sp|x29)/
}

function target_of(text,  word, n) {
    if (text !~ /^\t(j[a-z]+|b[.]?[a-z]*|cbn?z|tbn?z)\t/)
        return ""
    n = split(text, word, /[\t ,]+/)
    return word[n] in label ? word[n] : ""
}

function check_loop(first, last,  i, multiply_adds, stores, loads, others) {
    for (i = first; i <= last; i++) {
        multiply_adds += is_multiply_add(line[i])
        stores += is_vector_store(line[i])
        if (is_on_stack(line[i]) && !is_vector_store(line[i])) {
            if (is_vector(line[i])) loads++
            else others++
        }
    }
    if (!multiply_adds)
        return 0
    if (multiply_adds % (rows * columns))
        complain("expected " rows * columns " multiply-adds, found " multiply_adds)
    if (stores || loads)
        complain(stores + 0 " vectors to memory and " loads + 0 " from the stack, in a loop of " \
            last - first " lines")
    reloads += others
    return 1
}

function check_function(  i, j, n_loops, first, last, inner, hot) {
    split("", first)
    split("", last)
    reloads = 0
    for (i = 1; i <= n_lines; i++) {
        target = target_of(line[i])
        if (target != "" && label[target] < i) {
            first[++n_loops] = label[target]
            last[n_loops] = i
        }
    }
    for (i = 1; i <= n_loops; i++) {
        inner = 1
        for (j = 1; j <= n_loops; j++)
            if (i != j && first[j] >= first[i] && last[j] <= last[i])
                inner = 0
        if (inner)
            hot += check_loop(first[i], last[i])
    }
    if (!hot)
        complain("no loop with multiply-adds found")
    if (reloads)
        reloaded = reloaded " " name
    seen[name] = 1
    n_seen++
}

/^(tile|dot)_[0-9]+x[0-9]+:/ {
    name = $1
    sub(/:.*/, "", name)
    shape = name
    sub(/^[a-z]+_/, "", shape)
    rows = shape + 0
    sub(/^[0-9]+x/, "", shape)
    columns = shape + 0
    n_lines = has_frame = 0
    split("", label)
    next
}
name != "" && /^\.L[A-Za-z0-9_]+:/ { mark = $1; sub(/:.*/, "", mark); label[mark] = n_lines + 1; next }
name != "" && $1 == ".size" {
    if (rows == 1 || rows * columns + columns + (early ? rows : 1) <= registers)
        check_function()
    name = ""
    next
}
name != "" {
    line[++n_lines] = $0
    if ($0 ~ /movq\t%rsp, %rbp/)
        has_frame = 1
}
END {
    n = split(must, wanted, " ")
    for (i = 1; i <= n; i++)
        if (!(wanted[i] in seen)) {
            name = wanted[i]
            complain("not found")
        }
    printf "  %d tiles%s\n", n_seen, reloaded == "" ? "" : "; addresses reloaded by" reloaded
    exit n_wrong > 0
}
