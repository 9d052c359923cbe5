/* record.h - names of classes and records of data sets, checked and copied: each copy is one block. */
#ifndef FV_BASE_RECORD_H
#define FV_BASE_RECORD_H

#include "base/context.h"

#define FV_MAX_CLASS_NAME_BYTES 255

/* Fails with `status` and "WHAT: name of class I: expected ..." if a name is empty, too long, or not
 * printable UTF-8: names appear in files, messages and tables. */
fv_status fv__class_names_check(fv_context *ctx, fv_status status, const char *what, const char *const *names,
                                int n);

/* An array of n names followed by their text, released with fv__free; NULL as fv__alloc. */
char **fv__class_names_copy(fv_context *ctx, const char *const *names, int n);

/* A copy, including the name. A name that is not UTF-8 or has more than FV_MAX_DATA_NAME_BYTES is left out,
 * because no file could hold it. Released with fv__free; NULL as fv__alloc. */
fv_data_record *fv__record_copy(fv_context *ctx, const fv_data_record *record);

#endif
