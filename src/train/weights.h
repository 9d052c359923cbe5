/* weights.h - a model in a safetensors file, whole: its tensors, and in the metadata
 *
 *     format        "fovea weights 1", or "fovea checkpoint 2" with what training needs to go on
 *     model         the model text
 *     class_names   JSON: ["cat","dog"]; left out where there are none
 *     data          the name of the data that it was trained on, left out where that is not known,
 *     classes       which of its classes, JSON: [3,8], left out where all,
 *     limit         and how many images, left out where all
 *     run           16 hexadecimal digits: which run the file is of; left out where it is of none
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

/* What is to stand in a file. Adding to a failed draft does nothing; finish tells. */
typedef struct fv_draft {
    const fv_model *model;
    fv_arena arena;
    fv_meta_entry meta[FV_DRAFT_META];
    fv_tensor_entry *tensors; /* [n_tensors], room for two of each of the model's */
    int n_meta, n_tensors;
    bool failed;
} fv_draft;

/* Begins with all that the model knows of itself. */
void fv__draft_begin(fv_draft *draft, const fv_model *model, const char *format);
/* `key` outlives the draft; `value`, which is UTF-8, is copied. */
void fv__draft_meta(fv_draft *draft, const char *key, const char *value);
void fv__draft_run(fv_draft *draft, uint64_t run);
/* PREFIX and the name of the model's parameter; `values`, of its shape, outlive the draft. */
void fv__draft_tensor(fv_draft *draft, const char *prefix, int param, const float *values);
/* Adds the checksum: then meta and tensors can be written. */
fv_status fv__draft_finish(fv_draft *draft);
void fv__draft_end(fv_draft *draft);

/* The model alone. `run` is 0 where the file is of no run. */
fv_status fv__weights_save(const fv_model *model, const char *path, uint64_t run);
fv_status fv__weights_save_memory(const fv_model *model, uint8_t **bytes, size_t *n_bytes);

/* ---- reading --------------------------------------------------------------------------------------- */

/* A file that was found whole, or one from elsewhere. The texts are borrowed from `file`. */
typedef struct fv_weights {
    fv_safetensors *file;
    bool ours; /* of a format of Fovea's, with a checksum that is right */
    bool checkpoint;
    const char *text; /* of the model; NULL only where the file is not ours */
    const char *run;  /* NULL: of none */
} fv_weights;

/* FV_ERR_INPUT where the file is damaged: it has a checksum that is wrong, or is ours and has none. */
fv_status fv__weights_open(fv_context *ctx, const char *path, fv_weights *out);
fv_status fv__weights_open_memory(fv_context *ctx, const uint8_t *bytes, size_t n_bytes, fv_weights *out);
void fv__weights_close(fv_weights *weights); /* an empty one is fine */

/* Into a model with these tensors, and its class names and record where the file has them. Tensors that are
 * called optimizer.NAME are passed over. All or nothing. */
fv_status fv__weights_load(const fv_weights *weights, fv_model *model);
/* The model that the file describes. `source` names its text in messages. */
fv_status fv__weights_model(fv_context *ctx, const fv_weights *weights, const char *source, fv_model **out);
/* Class names, where the file has them, and the record of the data alone; nothing from a file that is not
 * ours. */
fv_status fv__weights_describe(const fv_weights *weights, fv_model *model);

#endif
