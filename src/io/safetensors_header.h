/* safetensors_header.h - an open safetensors file, for its two sources only; others use safetensors.h. */
#ifndef FV_IO_SAFETENSORS_HEADER_H
#define FV_IO_SAFETENSORS_HEADER_H

#include "io/json.h"
#include "io/safetensors.h"

#define FV_MAX_HEADER_BYTES ((size_t)100 << 20) /* as the reference implementation */

struct fv_safetensors {
    fv_context *ctx;
    fv_arena arena; /* path, names, metadata */
    const char *path;
    const uint8_t *bytes; /* [n_bytes], the whole file */
    uint8_t *own;         /* the same if the file owns them; NULL: borrowed */
    size_t n_bytes;
    fv_tensor_entry *tensors; /* [n_tensors], by offset */
    fv_tensor_entry **sorted; /* [n_tensors], by name */
    fv_meta_entry *meta;      /* [n_meta], by key */
    size_t n_tensors, tensor_capacity, n_meta, meta_capacity;
};

/* Reads the header, n_header bytes from byte 8 on, into tensors and meta, in file order. It checks that
 * every tensor lies within the file and has the length that its shape and dtype give, and nothing else. */
fv_status fv__safetensors_parse(fv_safetensors *file, size_t n_header);

#endif
