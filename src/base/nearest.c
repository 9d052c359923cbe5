/* nearest.c - finds the known word that is nearest to a mistyped one. It allocates nothing. */
#include "base/exact.h"
#include "base/nearest.h"

#include <stdio.h>
#include <string.h>

enum { MAX_WORD = 48 }; /* nobody mistypes a longer one */

/* Copies a word in small letters without '_' and '-', which do not count. Returns its length, or 0 if the
 * result is empty or too long. */
static int squeeze(const char *word, char out[MAX_WORD + 1])
{
    int n = 0;
    for (; *word; word++) {
        if (*word == '_' || *word == '-')
            continue;
        if (n == MAX_WORD)
            return 0;
        out[n++] = *word >= 'A' && *word <= 'Z' ? (char)(*word - 'A' + 'a') : *word;
    }
    out[n] = '\0';
    return n;
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

/* Edit distance with transpositions of neighbours (optimal string alignment):
 *     d[i][j] = min(d[i-1][j] + 1, d[i][j-1] + 1, d[i-1][j-1] + (a[i] != b[j]), d[i-2][j-2] + 1 if swapped)
 */
static int distance(const char *a, int n_a, const char *b, int n_b)
{
    int d[MAX_WORD + 1][MAX_WORD + 1];
    for (int i = 0; i <= n_a; i++)
        d[i][0] = i;
    for (int j = 0; j <= n_b; j++)
        d[0][j] = j;
    for (int i = 1; i <= n_a; i++) {
        for (int j = 1; j <= n_b; j++) {
            const char x = a[i - 1], y = b[j - 1];
            d[i][j] = min_int(min_int(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + (x != y));
            if (i > 1 && j > 1 && x == b[j - 2] && y == a[i - 2])
                d[i][j] = min_int(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[n_a][n_b];
}

/* 0 for the same letters, and more for a larger distance; -1: the words are too different. */
static int how_far(const char *a, int n_a, const char *b, int n_b)
{
    /* A third of the letters may be wrong, but at least one must be right. */
    const int limit = min_int(n_a / 3 > 1 ? n_a / 3 : 1, n_a - 1);
    const int edits = distance(a, n_a, b, n_b), common = min_int(n_a, n_b);
    if (edits <= limit)
        return edits;
    /* Farther than any edit distance: one word begins with the other, as 'convolution' does with 'conv'. */
    if (common >= 3 && memcmp(a, b, (size_t)common) == 0)
        return MAX_WORD + (n_a > n_b ? n_a - n_b : n_b - n_a);
    return -1;
}

const char *fv__nearest(const char *word, const char *const *names, int n_names)
{
    char a[MAX_WORD + 1], b[MAX_WORD + 1];
    const int n_a = squeeze(word, a);
    const char *nearest = NULL;
    int least = 2 * MAX_WORD;
    for (int i = 0; i < n_names && n_a > 0; i++) {
        const int n_b = names[i] ? squeeze(names[i], b) : 0;
        const int far = n_b > 0 ? how_far(a, n_a, b, n_b) : -1;
        if (far >= 0 && far < least) { /* of equal distances the first counts */
            nearest = names[i];
            least = far;
        }
    }
    return nearest;
}

fv_nearest_text fv__nearest_is(const char *name)
{
    fv_nearest_text out = {""};
    if (name)
        snprintf(out.text, sizeof out.text, "; nearest is '%s'", name);
    return out;
}
