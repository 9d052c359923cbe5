/* rows.h - the samples of a set that are rows of a table, an array or a list. */
#ifndef FV_DATA_ROWS_H
#define FV_DATA_ROWS_H

#include "data/sources.h"

typedef struct fv_rows {
    uint32_t *row; /* [n] */
    int *label;    /* [n], renumbered as the options ask for; NULL: there are no classes */
    int n;
} fv_rows;

/* Chooses the rows of the set that is opened, of n rows with labels[n] in 0..n_classes-1 (NULL: none, then
 * n_classes is 0). With `ordered`, which data with a test set of their own have, rows keep their order.
 * Otherwise they are shuffled and dealt as files of class folders are, and *there is false for a test set
 * without the word split. The caller calls fv__rows_free also after a failure. */
fv_status fv__rows_choose(const fv_opening *o, const int *labels, int n, int n_classes, bool ordered,
                          fv_rows *out, bool *there);
void fv__rows_free(fv_context *ctx, fv_rows *rows);

/* A set of these rows: `first` under `name`, then the field "label" if there are classes, called `names`
 * (NULL: by their numbers). Takes ownership of first.values, also on failure. */
fv_status fv__rows_set(const fv_opening *o, const fv_rows *rows, const char *name, fv_field first,
                       int n_classes, const char *const *names, fv_data **out);

#endif
