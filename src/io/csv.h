/* csv.h - a table in a text file: cells with commas, semicolons or tabs between (RFC 4180). */
#ifndef FV_IO_CSV_H
#define FV_IO_CSV_H

#include "base/context.h"

typedef struct fv_csv_cell {
    const char *text; /* without quotes; NUL-terminated */
    int line, column; /* where it begins in the file, from 1, columns in bytes */
} fv_csv_cell;

typedef struct fv_csv {
    fv_arena arena;
    fv_csv_cell *cell; /* [n_rows][n_columns] */
    size_t n_rows, n_columns;
} fv_csv;

/* FV_ERR_INPUT where a row has another number of cells than the first, or a quote is not closed. Rows without
 * any text are passed over. fv__csv_free also after a failure. */
fv_status fv__csv_read(fv_context *ctx, const char *path, fv_csv *out);
void fv__csv_free(fv_csv *csv);

#endif
