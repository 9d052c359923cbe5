/* nearest.h - the nearest known word to a mistyped one, for messages. */
#ifndef FV_BASE_NEAREST_H
#define FV_BASE_NEAREST_H

#include "base/exact.h"

/* The nearest of `names` (NULL entries skipped) to `word`: by edit distance, or because one begins with the
 * other; NULL if none is near. */
const char *fv__nearest(const char *word, const char *const *names, int n_names);

#endif
