/* safetensors.h - named float tensors and a string map in one file, as PyTorch's safetensors reads it:
 *
 *   u64 N, little endian | N bytes of JSON, padded with spaces | the tensors' bytes, without gaps
 *   {"__metadata__": {"k": "v"}, "c1.weight": {"dtype": "F32", "shape": [6,1,5,5], "data_offsets": [0,600]}}
 *
 * Reading is strict: every claim of the header is checked against the file. */
#ifndef FV_IO_SAFETENSORS_H
#define FV_IO_SAFETENSORS_H

#include "io/file.h"

#define FV_TENSOR_MAX_RANK 8

typedef struct fv_tensor_entry {
    const char *name;
    int rank; /* 0: a scalar */
    int64_t dim[FV_TENSOR_MAX_RANK];
    const void *values; /* F32, dense; in a file that was read, maybe unaligned */
    const char *dtype;  /* "F32"; the reader sets it, the writer ignores it */
    size_t n_bytes;     /* filled by the reader */
} fv_tensor_entry;

typedef struct fv_meta_entry {
    const char *key, *value;
} fv_meta_entry;

/* Writes F32 tensors, in the order given, atomically. */
fv_status fv__safetensors_write(fv_context *ctx, const char *path, const fv_tensor_entry *tensors,
                                int n_tensors, const fv_meta_entry *metadata, int n_metadata);
/* Writes as far as fv__writer_stage does; the caller then commits or abandons *writer. A failure releases
 * it. */
fv_status fv__safetensors_stage(fv_context *ctx, const char *path, const fv_tensor_entry *tensors,
                                int n_tensors, const fv_meta_entry *metadata, int n_metadata,
                                fv_writer *writer);
/* Writes the same bytes into memory, released with fv__free. */
fv_status fv__safetensors_to_memory(fv_context *ctx, const fv_tensor_entry *tensors, int n_tensors,
                                    const fv_meta_entry *metadata, int n_metadata, uint8_t **bytes,
                                    size_t *n_bytes);

/* An open file, whose bytes are in memory. Results of the accessors are borrowed from it. */
typedef struct fv_safetensors fv_safetensors;
fv_status fv__safetensors_open(fv_context *ctx, const char *path, fv_safetensors **out);
/* Opens bytes[n_bytes] as such a file; they are borrowed until close. Messages use `name` as the path. */
fv_status fv__safetensors_open_memory(fv_context *ctx, const char *name, const uint8_t *bytes, size_t n_bytes,
                                      fv_safetensors **out);
void fv__safetensors_close(fv_safetensors *file);

const char *fv__safetensors_path(const fv_safetensors *file);
const fv_tensor_entry *fv__safetensors_by_name(const fv_safetensors *file, int index);
int fv__safetensors_n_tensors(const fv_safetensors *file);
const fv_tensor_entry *fv__safetensors_tensor(const fv_safetensors *file, int index); /* by file offset */
const fv_tensor_entry *fv__safetensors_find(const fv_safetensors *file, const char *name); /* or NULL */
int fv__safetensors_n_meta(const fv_safetensors *file);
fv_meta_entry fv__safetensors_meta_at(const fv_safetensors *file, int index);
const char *fv__safetensors_meta(const fv_safetensors *file, const char *key); /* or NULL */

/* Copies tensor `name` to values, or fails with FV_ERR_INPUT: missing, not F32, or not of this shape. */
fv_status fv__safetensors_copy(const fv_safetensors *file, const char *name, int rank, const int *dim,
                               float *values);

#endif
