/* connections.h - connection tables: the inputs that each output reads. */
#ifndef FV_OPS_CONNECTIONS_H
#define FV_OPS_CONNECTIONS_H

#include "ops/ops.h"

#define FV_TABLE_NUMBERS 1000 /* connections and rows, at most */

typedef struct fv_table_attrs {
    int n, number[FV_TABLE_NUMBERS]; /* inputs; -1 ends the row of an output */
} fv_table_attrs;

int fv__table_connections(const fv_table_attrs *table);
/* The number of weights of this shape that the table leaves out. */
int64_t fv__table_absent(const fv_table_attrs *table, fv_shape w);
/* Sets the weights that the table leaves out to 0. */
void fv__table_clear(const fv_table_attrs *table, fv_shape w, float *values);

#endif
