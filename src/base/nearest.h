/* nearest.h - finds the known word that is nearest to a mistyped one, for messages. */
#ifndef FV_BASE_NEAREST_H
#define FV_BASE_NEAREST_H

#include "base/exact.h"

/* The name nearest to `word` by edit distance, or one that begins with `word` or is its beginning. NULL
 * entries are skipped. Returns NULL if no name is near enough. */
const char *fv__nearest(const char *word, const char *const *names, int n_names);

/* "; nearest is 'NAME'", cut where NAME is very long; "" for NULL. The end of a message. */
typedef struct fv_nearest_text {
    char text[160];
} fv_nearest_text;
fv_nearest_text fv__nearest_is(const char *name);

#endif
