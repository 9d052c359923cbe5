/* train.h - training a model: the step, the loop, evaluation, checkpoints. */
#ifndef FV_TRAIN_TRAIN_H
#define FV_TRAIN_TRAIN_H

#include "data/dataset.h"
#include "model/model.h"
#include "ops/optimizer.h"
#include "run/run.h"
#include "train/weights.h"

/* ---- evaluation: the model without dropout, on a range of a data set ------------------------------- */

typedef struct fv_evaluator fv_evaluator;

/* The plan that evaluates n images at a time. */
fv_status fv__inference_plan(const fv_model *model, int n, bool loss, fv_plan **plan);

/* The sources of all feeds of a model, sample after sample (feeds.c). */
typedef struct fv_samples {
    const char *name;            /* for messages */
    const fv_data *data;         /* the data set; NULL: arrays of a caller */
    int field[FV_MAX_FEEDS];     /* which field of it; -1: none */
    fv_given feed[FV_MAX_FEEDS]; /* [the graph's n_feeds] */
} fv_samples;

/* The first input, from bytes or floats of the model's size. */
fv_given fv__give_pixels(const fv_model *model, const uint8_t *pixels);
fv_given fv__give_values(const fv_model *model, const float *values);
/* The feeds from a data set. FV_ERR_INPUT if it does not fit the model. */
fv_status fv__samples_of(const fv_model *model, const fv_data *data, bool targets, fv_samples *out);
/* Value k of sample i, as kernels read it. */
float fv__given_value(const fv_given *given, int i, int64_t k);
/* FV_ERR_INPUT if the class number of one of the first n samples is missing or invalid. */
fv_status fv__check_labels(const fv_model *model, const fv_samples *samples, int n);
/* n samples of noise for every feed, for measurements of time. */
typedef struct fv_noise {
    fv_context *ctx;
    void *block[FV_MAX_FEEDS];
    fv_given feed[FV_MAX_FEEDS];
} fv_noise;
fv_status fv__noise_create(const fv_model *model, int n, fv_noise *out);
void fv__noise_destroy(fv_noise *noise);

/* For about n images at a time. `loss` requires labels; without it only probabilities are computed. */
fv_status fv__evaluator_create(fv_model *model, bool loss, int n, fv_evaluator **out);
void fv__evaluator_destroy(fv_evaluator *evaluator);
/* Scores images [first, first + n) with the model's present values. FV_ERR_INPUT if the data does not fit
 * the model. */
fv_status fv__evaluate(fv_evaluator *evaluator, const fv_data *data, int first, int n, fv_score *score);
/* As fv_evaluate_classes. */
fv_status fv__evaluate_classes(fv_evaluator *evaluator, const fv_data *data, int first, int n,
                               fv_score *score, fv_class_score *per_class, int *confusion);
/* The evaluator uses the values that the model had at the first call, or at the first call after a refresh.
 */
void fv__evaluator_refresh(fv_evaluator *evaluator);
/* As fv__run_bytes. */
size_t fv__evaluator_bytes(const fv_evaluator *evaluator);
/* What fv__predict gives from now on: the graph's result of this number. */
void fv__evaluator_choose(fv_evaluator *evaluator, int result);
fv_status fv__predict(fv_evaluator *evaluator, const fv_samples *samples, int first, int n,
                      float *probabilities);
/* The samples of a batch (fetch.c). */
typedef struct fv_fetch {
    fv_context *ctx;
    const fv_samples *samples;
    int n_feeds, most;
    int read;          /* the feed whose samples may have to be read from files; -1: none */
    const void **each; /* [feed][most]: where they lie */
    uint8_t *buffer;   /* [most] samples that were read */
    uint8_t **to;      /* [most] */
    uint32_t *which;   /* [most] */
} fv_fetch;
/* For up to `most` samples at a time, which are neighbours or, `scattered`, in any order. `samples` is
 * borrowed. */
fv_status fv__fetch_create(const fv_model *model, const fv_samples *samples, int most, bool scattered,
                           fv_fetch *out);
void fv__fetch_destroy(fv_fetch *fetch);
/* Where the samples order[0..n-1] lie, or where `order` is NULL [first, first + n): valid until the next
 * call. FV_ERR_INPUT where a file cannot be read any more. */
fv_status fv__fetch(fv_fetch *fetch, const uint32_t *order, int first, int n, fv_given feed[FV_MAX_FEEDS]);
/* These come next: their files are read ahead. */
void fv__fetch_soon(const fv_fetch *fetch, const uint32_t *order, int n);

/* Checks the shapes, element types and classes of the data's fields against the model's inputs and, with
 * `targets`, its targets, which may be missing otherwise. */
fv_status fv__check_data(const fv_model *model, const fv_data *data, bool targets);

/* Binds every parameter and statistic of the model to `run`, whose plan is of the model's graph or of an
 * extension of it. */
void fv__bind_model(fv_run *run, const fv_model *model);

/* ---- one update ------------------------------------------------------------------------------------ */

/* The most images that pass through the plan at once; a larger batch is several runs and one update. */
#define FV_MAX_RUN 512

typedef struct fv_trainer {
    fv_context *ctx;
    fv_model *model;
    fv_graph graph; /* forward pass, loss, gradients, updates */
    fv_plan *plan;
    fv_run *run;
    fv_optimizer_choice optimizer;
    float *states; /* [state of the optimiser][layout of model->values] */
    float settings[FV_MAX_SETTINGS];
} fv_trainer;

/* optimizer: as in fv_train_options, such as "adam:beta2=0.99". shift: the most pixels by which training
 * shifts its images; 0: none. */
fv_status fv__trainer_create(fv_model *model, int batch, const char *optimizer, int shift, fv_trainer **out);
/* The values of one state of a parameter, as many as it has. */
float *fv__trainer_state(const fv_trainer *trainer, int state, int param);
void fv__trainer_destroy(fv_trainer *trainer);
/* One update from `batch`, of any size, with `rates` (NULL: a rate of 0). Adds each image's loss, in order,
 * to *loss_sum. On FV_ERR_NONFINITE nothing has changed, and the message names the layer. */
fv_status fv__trainer_step(fv_trainer *trainer, const fv_batch *batch, const fv_rates *rates,
                           double *loss_sum);

/* The mean and inv_std of each input over samples [0, n); for bytes they are exact, from integer sums. */
void fv__set_statistics(fv_model *model, const fv_samples *samples, int n);

/* ---- the loop -------------------------------------------------------------------------------------- */

/* The state of training: everything that a checkpoint holds beside the tensors. */
typedef struct fv_position {
    int images;      /* of an epoch; a resumed run keeps this number */
    int epoch;       /* finished epochs */
    int64_t step;    /* finished updates of the next epoch */
    int64_t updates; /* in total */
    double loss_sum; /* over the images of the unfinished epoch */
    double best;     /* lowest validation error or training loss; infinity before the first */
    uint64_t run;    /* identity of the run: fv__run_identity at its start */
    uint64_t data;   /* fv__data_digest of the training data */
} fv_position;

fv_status fv__train(fv_model *model, const fv_data *train, const fv_data *test,
                    const fv_train_options *options, fv_progress_fn progress, void *user);
/* lr of update `update` of `updates`, in epoch `epoch` (from 0). */
double fv__learning_rate(const fv_train_options *options, int epoch, int64_t update, int64_t updates);
/* The image numbers 0..n-1 in the order of an epoch. */
void fv__shuffle(uint64_t seed, int epoch, uint32_t *order, int n);

/* ---- options -------------------------------------------------------------------------------------- */

#define FV_MAX_VALID 100000000
const fv_train_option *fv__train_option_at(int index);
fv_train_options fv__train_options_default(void);
/* Checks their ranges, and the optimiser's text. FV_ERR_ARGUMENT, "lr: expected 0 to 1000000, found nan". */
fv_status fv__train_options_check(fv_context *ctx, const fv_train_options *options);

/* ---- the run folder -------------------------------------------------------------------------------- */

/* Identifies a run by its model text, its present parameters, the options and the data. Time and place do
 * not count: the same run started twice has one identity. Never 0. */
uint64_t fv__run_identity(const fv_model *model, const fv_train_options *options, uint64_t data);

/* Replaces last.safetensors. */
fv_status fv__checkpoint_save(const fv_trainer *trainer, const char *folder, const fv_train_options *options,
                              const fv_position *position);
/* Writes the file as far as fv__writer_stage does; the caller then commits or abandons *writer. */
fv_status fv__checkpoint_stage(const fv_trainer *trainer, const char *folder, const fv_train_options *options,
                               const fv_position *position, fv_writer *writer);
/* folder/last.safetensors, which must be a checkpoint. */
fv_status fv__checkpoint_open(fv_context *ctx, const char *folder, fv_weights *out);
/* The recorded options, without `out`; their texts live as long as `last` is open. */
fv_status fv__checkpoint_options(fv_context *ctx, const fv_weights *last, fv_train_options *options);
/* Loads everything or nothing: the model's values, class names and record, and the optimiser's states. On
 * entry position->images and position->data describe the present data, and position->step holds the steps
 * of an epoch. FV_ERR_INPUT if the run began with another model text, other images or another number of
 * them. With `force` the run continues with the present ones, and *changed says that it is another run from
 * then on. */
fv_status fv__checkpoint_load(fv_trainer *trainer, const fv_weights *last, bool force, fv_position *position,
                              bool *changed);

/* Ends messages about a run that began with something else. */
#define FV_FORCE_HINT "; to go on with what is there now, force it (--force)"

/* FV_ERR_ARGUMENT if the folder holds a checkpoint or weights. */
fv_status fv__folder_refuse_run(fv_context *ctx, const char *folder);
/* Writes the files with which a run can be resumed into an existing folder: last.safetensors, model.fovea,
 * args.json and, before the first finished epoch, an empty log.csv. No old file changes before all new ones
 * are safe on the disk, and the old files are void once last.safetensors, the first, is renamed. */
fv_status fv__folder_write(const fv_trainer *trainer, const char *folder, const fv_train_options *options,
                           const fv_position *position);
/* log.csv: `line` becomes the line of `epoch` (from 1); later lines are dropped. */
fv_status fv__log_epoch(fv_context *ctx, const char *folder, int epoch, const char *line);

typedef enum fv_run_state {
    FV_RUN_WHOLE,       /* model.fovea and args.json belong to the weights */
    FV_RUN_INTERRUPTED, /* they are of an earlier run, or missing: the text in the weights file counts */
    FV_RUN_EDITED       /* args.json belongs to the weights, or is missing, but model.fovea was edited */
} fv_run_state;
/* `weights` is a file of that folder with a model text. */
fv_status fv__folder_state(fv_context *ctx, const char *folder, const fv_weights *weights,
                           fv_run_state *state);
/* FV_ERR_INPUT; the message says where the two texts, which differ, begin to differ. */
fv_status fv__fail_text(fv_context *ctx, const char *path, const char *expected, const char *found);

/* The model of a text file. */
fv_status fv__open_text(fv_context *ctx, const char *path, fv_model **out);
/* The model of a run folder, with its best weights. */
fv_status fv__open_run(fv_context *ctx, const char *folder, fv_model **out);
/* The model and the options of its last checkpoint. */
fv_status fv__open_run_to_resume(fv_context *ctx, const char *folder, bool force, fv_model **model,
                                 fv_train_options *options);

#endif
