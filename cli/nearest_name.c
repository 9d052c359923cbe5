/* nearest_name.c - the known name nearest to a mistyped one, by Damerau's distance (neighbours swapped
 * count one edit). */
#include <string.h>

#include "options.h"

#define LONGEST 63

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int distance(const char *a, const char *b)
{
    int n = (int)strlen(a), m = (int)strlen(b);
    int rows[3][LONGEST + 1]; /* rows i-2, i-1, i of the table of prefixes */
    n = least(n, LONGEST);
    m = least(m, LONGEST);
    int *before = rows[0], *last = rows[1], *now = rows[2];
    for (int j = 0; j <= m; j++)
        last[j] = j;
    for (int i = 1; i <= n; i++) {
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        int *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[m];
}

const char *cli_nearest(const char *word, const char *const *names, int n, size_t stride)
{
    const char *best = NULL;
    int fewest = 0;
    for (int i = 0; i < n; i++) {
        const char *name = *(const char *const *)((const char *)names + (size_t)i * stride);
        const int edits = distance(word, name);
        if (!best || edits < fewest) {
            best = name;
            fewest = edits;
        }
    }
    return best;
}
