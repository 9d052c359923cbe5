/* weights.h - a complete model in a safetensors file: its tensors, and in the metadata
 *
 *     format        "fovea weights 1", or "fovea checkpoint 2" with the state of training
 *     model         the model text
 *     class_names   JSON: ["cat","dog"]; left out if there are none
 *     data          the name of the training data, left out if unknown,
 *     classes       which of its classes, JSON: [3,8], left out for all,
 *     limit         and how many images, left out for all
 *     run           16 hexadecimal digits: the run of the file; left out if it belongs to none
 *     checksum      16 hexadecimal digits over all of the above, and the tensors' names, shapes and values
 *
 * The checksum takes metadata by key and tensors by name, so another program may write them in another order.
 */
#ifndef FV_TRAIN_WEIGHTS_H
#define FV_TRAIN_WEIGHTS_H

#include "io/safetensors.h"
#include "model/model.h"

#define FV_FORMAT_WEIGHTS    "fovea weights 1"
#define FV_FORMAT_CHECKPOINT "fovea checkpoint 2"

/* ---- writing --------------------------------------------------------------------------------------- */

#define FV_DRAFT_META 48

/* The contents of a file to be written. Adding to a failed draft does nothing; fv__draft_finish returns the
 * failure. */
typedef struct fv_draft {
    const fv_model *model;
    fv_arena arena;
    fv_meta_entry meta[FV_DRAFT_META];
    fv_tensor_entry *tensors; /* [n_tensors], with room for two of each of the model's */
    int n_meta, n_tensors;
    bool failed;
} fv_draft;

/* Begins with the model's own metadata. */
void fv__draft_begin(fv_draft *draft, const fv_model *model, const char *format);
/* `key` outlives the draft; `value`, which is UTF-8, is copied. */
void fv__draft_meta(fv_draft *draft, const char *key, const char *value);
void fv__draft_run(fv_draft *draft, uint64_t run);
/* The tensor is named PREFIX and the parameter's name. `values`, of its shape, outlive the draft. */
void fv__draft_tensor(fv_draft *draft, const char *prefix, int param, const float *values);
/* Adds the checksum; after it meta and tensors can be written. */
fv_status fv__draft_finish(fv_draft *draft);
void fv__draft_end(fv_draft *draft);

/* Saves the model alone. `run` is 0 if the file belongs to no run. */
fv_status fv__weights_save(const fv_model *model, const char *path, uint64_t run);
fv_status fv__weights_save_memory(const fv_model *model, uint8_t **bytes, size_t *n_bytes);

/* ---- reading --------------------------------------------------------------------------------------- */

/* An undamaged file, of Fovea or of another program. The texts are borrowed from `file`. */
typedef struct fv_weights {
    fv_safetensors *file;
    bool ours; /* in a format of Fovea, with the right checksum */
    bool checkpoint;
    const char *text; /* of the model; NULL only in a file of another program */
    const char *run;  /* NULL: none */
} fv_weights;

/* FV_ERR_INPUT if the file is damaged: its checksum is wrong, or is missing in a format of Fovea. */
fv_status fv__weights_open(fv_context *ctx, const char *path, fv_weights *out);
fv_status fv__weights_open_memory(fv_context *ctx, const uint8_t *bytes, size_t n_bytes, fv_weights *out);
void fv__weights_close(fv_weights *weights); /* an empty one is valid */

/* Loads the tensors, and the class names and record if the file has them, into a model with these tensors.
 * It skips tensors named optimizer.NAME. Either everything is loaded or nothing. */
fv_status fv__weights_load(const fv_weights *weights, fv_model *model);
/* The model that the file describes. Messages call its text `source`. */
fv_status fv__weights_model(fv_context *ctx, const fv_weights *weights, const char *source, fv_model **out);
/* Loads only class names, if the file has them, and the record of the data; nothing from a file of another
 * program. */
fv_status fv__weights_describe(const fv_weights *weights, fv_model *model);

#endif
