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

/* The plan by which n images at a time are evaluated. */
fv_status fv__inference_plan(const fv_model *model, int n, bool loss, fv_plan **plan);

/* What all feeds of a model are given from, one sample after the other: feeds.c. */
typedef struct fv_samples {
    const char *name;            /* for messages */
    fv_given feed[FV_MAX_FEEDS]; /* [the graph's n_feeds] */
} fv_samples;

/* The first input of the model's size, from bytes or floats. */
fv_given fv__give_pixels(const fv_model *model, const uint8_t *pixels);
fv_given fv__give_values(const fv_model *model, const float *values);
/* Those of a data set. FV_ERR_INPUT where it does not fit the model. */
fv_status fv__samples_of(const fv_model *model, const fv_data *data, bool targets, fv_samples *out);
/* Value k of what is given with sample i, as kernels see it. */
float fv__given_value(const fv_given *given, int i, int64_t k);
/* FV_ERR_INPUT where one of the first n samples has no class number, or one that is none. */
fv_status fv__check_labels(const fv_model *model, const fv_samples *samples, int n);
/* n samples of noise for every feed: for measurements, where it does not matter what is in a picture. */
typedef struct fv_noise {
    fv_context *ctx;
    void *block[FV_MAX_FEEDS];
    fv_given feed[FV_MAX_FEEDS];
} fv_noise;
fv_status fv__noise_create(const fv_model *model, int n, fv_noise *out);
void fv__noise_destroy(fv_noise *noise);

/* For about n images at a time. With `loss`, labels are needed; without, only probabilities are computed. */
fv_status fv__evaluator_create(fv_model *model, bool loss, int n, fv_evaluator **out);
void fv__evaluator_destroy(fv_evaluator *evaluator);
/* Images [first, first + n), with the model's values as they are now. FV_ERR_INPUT where the data does not
 * fit the model. */
fv_status fv__evaluate(fv_evaluator *evaluator, const fv_data *data, int first, int n, fv_score *score);
/* As fv_evaluate_classes. */
fv_status fv__evaluate_classes(fv_evaluator *evaluator, const fv_data *data, int first, int n,
                               fv_score *score, fv_class_score *per_class, int *confusion);
/* With the values that the model had at the first call, or at the first after a refresh. */
void fv__evaluator_refresh(fv_evaluator *evaluator);
/* As fv__run_bytes. */
size_t fv__evaluator_bytes(const fv_evaluator *evaluator);
fv_status fv__predict(fv_evaluator *evaluator, const fv_samples *samples, int first, int n,
                      float *probabilities);
/* Shapes, elements and classes of the data's fields against those of the model's inputs and, with `targets`,
 * of its targets, which else may be missing. */
fv_status fv__check_data(const fv_model *model, const fv_data *data, bool targets);

/* Binds every parameter and statistic of the model to `run`. The plan is of the model's graph, or of one that
 * grew from it. */
void fv__bind_model(fv_run *run, const fv_model *model);

/* ---- one update ------------------------------------------------------------------------------------ */

/* Images that go through the plan at once, at most: larger batches are several runs of one update. */
#define FV_MAX_RUN 512

typedef struct fv_trainer {
    fv_context *ctx;
    fv_model *model;
    fv_graph graph; /* forward, loss, gradients, updates */
    fv_plan *plan;
    fv_run *run;
    fv_optimizer_choice optimizer;
    float *states; /* [state of the optimiser][as model->values] */
    float settings[FV_MAX_SETTINGS];
} fv_trainer;

/* optimizer: as fv_train_options has it, "adam:beta2=0.99"; shift: pixels by which training moves its
 * images, at most; 0: none. */
fv_status fv__trainer_create(fv_model *model, int batch, const char *optimizer, int shift, fv_trainer **out);
/* The values of one state of a parameter, as many as it has. */
float *fv__trainer_state(const fv_trainer *trainer, int state, int param);
void fv__trainer_destroy(fv_trainer *trainer);
/* One update from `batch`, of any size, at `rates` (NULL: a rate of 0). Adds each image's loss, in order, to
 * *loss_sum. On FV_ERR_NONFINITE nothing was changed and the message names the layer. */
fv_status fv__trainer_step(fv_trainer *trainer, const fv_batch *batch, const fv_rates *rates,
                           double *loss_sum);

/* The mean and inv_std of each input over samples [0, n): of bytes exactly, from integer sums. */
void fv__set_statistics(fv_model *model, const fv_samples *samples, int n);

/* ---- the loop -------------------------------------------------------------------------------------- */

/* Where training stands: all that a checkpoint must hold beside the tensors. */
typedef struct fv_position {
    int images;      /* of an epoch: a run goes on with as many as it began with */
    int epoch;       /* epochs finished */
    int64_t step;    /* updates done in the next one */
    int64_t updates; /* in all */
    double loss_sum; /* over the images of the unfinished epoch */
    double best;     /* lowest validation error or training loss; infinity before the first */
    uint64_t run;    /* which run this is: fv__run_identity when it began */
    uint64_t data;   /* fv__data_digest of what it is trained on */
} fv_position;

fv_status fv__train(fv_model *model, const fv_data *train, const fv_data *test,
                    const fv_train_options *options, fv_progress_fn progress, void *user);
/* lr of update `update` of `updates`, in epoch `epoch` (from 0). */
double fv__learning_rate(const fv_train_options *options, int epoch, int64_t update, int64_t updates);
/* Image numbers 0..n-1 in the order of an epoch. */
void fv__shuffle(uint64_t seed, int epoch, uint32_t *order, int n);

/* ---- options -------------------------------------------------------------------------------------- */

#define FV_MAX_VALID 100000000
const fv_train_option *fv__train_option_at(int index);
fv_train_options fv__train_options_default(void);
/* Their ranges, and the optimiser's text. FV_ERR_ARGUMENT, "lr: expected 0 to 1000000, found nan". */
fv_status fv__train_options_check(fv_context *ctx, const fv_train_options *options);

/* ---- the run folder -------------------------------------------------------------------------------- */

/* Tells runs apart: of the model text, its parameters as they are now, the options and the data. The same run
 * begun twice is one run: time and place do not count. Never 0. */
uint64_t fv__run_identity(const fv_model *model, const fv_train_options *options, uint64_t data);

/* Replaces last.safetensors. */
fv_status fv__checkpoint_save(const fv_trainer *trainer, const char *folder, const fv_train_options *options,
                              const fv_position *position);
/* As far as fv__writer_stage: *writer is then to be committed or abandoned. */
fv_status fv__checkpoint_stage(const fv_trainer *trainer, const char *folder, const fv_train_options *options,
                               const fv_position *position, fv_writer *writer);
/* folder/last.safetensors, which must be a checkpoint. */
fv_status fv__checkpoint_open(fv_context *ctx, const char *folder, fv_weights *out);
/* The recorded options, without `out`; their texts live as long as `last` is open. */
fv_status fv__checkpoint_options(fv_context *ctx, const fv_weights *last, fv_train_options *options);
/* All or nothing: the model's values, and its class names and record; the optimiser's states. On entry
 * position->images and position->data are what there is now, position->step the steps of an epoch.
 * FV_ERR_INPUT where the run began with another model text, other images or another number of them; with
 * `force`, goes on with what there is now, and *changed says that the run is another one from here on. */
fv_status fv__checkpoint_load(fv_trainer *trainer, const fv_weights *last, bool force, fv_position *position,
                              bool *changed);

/* What messages add about a run that began with something else. */
#define FV_FORCE_HINT "; to go on with what is there now, force it (--force)"

/* FV_ERR_ARGUMENT where the folder holds a checkpoint or weights. */
fv_status fv__folder_refuse_run(fv_context *ctx, const char *folder);
/* What a run needs to go on, in a folder that is there: last.safetensors, model.fovea, args.json and, where
 * no epoch is finished, an empty log.csv. Nothing of what was there is changed before all of it is safe on
 * the disk, and nothing that was there counts any more once last.safetensors is renamed, which comes first.
 *  */
fv_status fv__folder_write(const fv_trainer *trainer, const char *folder, const fv_train_options *options,
                           const fv_position *position);
/* log.csv: rewritten with `line` as the line of `epoch` (from 1); later lines are dropped. */
fv_status fv__log_epoch(fv_context *ctx, const char *folder, int epoch, const char *line);

typedef enum fv_run_state {
    FV_RUN_WHOLE,       /* model.fovea and args.json belong to the weights */
    FV_RUN_INTERRUPTED, /* they are of an earlier run, or missing: the text in the weights' file counts */
    FV_RUN_EDITED       /* args.json belongs to them, or there is none, but model.fovea was changed */
} fv_run_state;
/* `weights` is a file of that folder, with a text. */
fv_status fv__folder_state(fv_context *ctx, const char *folder, const fv_weights *weights,
                           fv_run_state *state);
/* FV_ERR_INPUT that says where two texts, which differ, part. */
fv_status fv__fail_text(fv_context *ctx, const char *path, const char *expected, const char *found);

/* The model of a text file. */
fv_status fv__open_text(fv_context *ctx, const char *path, fv_model **out);
/* The model of a run folder, with its best weights. */
fv_status fv__open_run(fv_context *ctx, const char *folder, fv_model **out);
/* The model and the options of its last checkpoint. */
fv_status fv__open_run_to_resume(fv_context *ctx, const char *folder, bool force, fv_model **model,
                                 fv_train_options *options);

#endif
