/* fovea.h - the one public header of libfovea: describe, train, check and run convolutional networks.
 *
 * Data sets are in fovea_data.h, a part of this header.
 *
 * Conventions
 *   - Every call that can fail returns fv_status; results are returned through out-parameters, which do not
 *     change on failure. fv_message(ctx) then says what failed where, what was expected and what was found.
 *   - A pointer may be NULL only where its declaration says so, or where it is an array of no elements.
 *     Otherwise the call changes nothing and returns FV_ERR_ARGUMENT, and the message names the argument:
 *     "fv_train: options is NULL". There is no message if the context, or the object that holds it, is NULL.
 *     Calls that return no status do nothing, or return zeros, NULL or a text such as "".
 *   - Whoever creates an object destroys it, once. Objects may be destroyed in any order, but not from within
 *     a call that uses them (its progress callback): an object keeps what it needs until it is destroyed
 *     itself, a predictor its model, and every object its context. The last object that is destroyed frees
 *     the context's threads and memory.
 *   - Strings passed in are copied; strings and arrays returned are borrowed and live until the object they
 *     came from is destroyed, unless said otherwise.
 *   - One thread at a time may use a context and the objects made with it. Different contexts are
 *     independent: there is no global state.
 *   - Images are planar, channel by channel, row by row: [c][h][w]. Errors are fractions (0.008).
 *   - The library never prints, never exits, never reads the environment. Numbers have a decimal point in
 *     every file and text that it reads and writes, regardless of the locale.
 */
#ifndef FOVEA_H
#define FOVEA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FV_API __attribute__((visibility("default")))
#else
#define FV_API
#endif

#define FV_VERSION "0.2.0"

/* FV_VERSION of the linked library. If it is not that of this header, program and library do not belong
 * together; while the first number is 0, each second one is another interface. */
FV_API const char *fv_version(void);

/* ---- limits: the largest values that calls accept ------------------------------------------------- */

#define FV_MAX_THREADS     1024
#define FV_MAX_CLASSES     65535     /* of a data set                                                  */
#define FV_MAX_BATCH       (1 << 24) /* of fv_train and fv_model_plan_text                             */
#define FV_MAX_EPOCHS      1000000   /* of fv_train                                                    */
#define FV_MAX_SHIFT       100       /* pixels, of fv_train                                            */
#define FV_MAX_CHECK_BATCH 1024      /* of fv_model_check, whose reference keeps every value in double */
#define FV_MAX_BENCH_BATCH 512       /* of fv_bench: images that go through a training step at once */

/* ---- status ------------------------------------------------------------------------------------- */

typedef enum fv_status {
    FV_OK = 0,
    FV_ERR_MEMORY,      /* an allocation failed                                                     */
    FV_ERR_ARGUMENT,    /* an argument of a call is invalid (the command: exit 2) */
    FV_ERR_INPUT,       /* a file, model text or data set is missing or wrong (the command: exit 3)  */
    FV_ERR_IO,          /* writing failed: unwritable folder, full disk (the command: exit 1) */
    FV_ERR_NONFINITE,   /* a loss, gradient, parameter or statistic became NaN or infinite (exit 4)  */
    FV_ERR_UNSUPPORTED, /* this build or this machine cannot do it (the command: exit 1) */
    FV_ERR_INTERNAL,    /* a defect of Fovea, found by a check (the command: exit 1) */
    FV_STOPPED          /* the progress callback asked to stop; the state is saved (the command: exit
                         * 128 + the signal that asked for it, 130 for Ctrl-C)                      */
} fv_status;

/* ---- context ------------------------------------------------------------------------------------ */

typedef struct fv_context fv_context;

/* The only allocator. `allocate` returns NULL on failure; the library aligns the blocks. */
typedef struct fv_allocator {
    void *(*allocate)(void *user, size_t bytes);
    void (*release)(void *user, void *block);
    void *user;
} fv_allocator;

typedef struct fv_context_options {
    int n_threads;          /* up to FV_MAX_THREADS; 0: the number of cores */
    const char *isa;        /* NULL or "auto", "avx512", "avx2", "neon", "portable"                  */
    fv_allocator allocator; /* zeroed: malloc and free                                               */
    bool direct;            /* no Winograd in convolutions: slower, and their last digits differ     */
} fv_context_options;

/* `options` may be NULL: all of them zero. Fails with FV_ERR_ARGUMENT (unknown isa), FV_ERR_UNSUPPORTED
 * (this machine lacks it), FV_ERR_MEMORY. After a failure there is no context; `why` (may be NULL) receives
 * the message, cut to why_bytes. */
FV_API fv_status fv_context_create(const fv_context_options *options, fv_context **out, char *why,
                                   size_t why_bytes);
/* The context stays valid until the last object that was made with it is destroyed. */
FV_API void fv_context_destroy(fv_context *ctx);
FV_API const char *fv_message(const fv_context *ctx); /* of the last call that failed */
/* Of n names the one that a mistyped word is nearest to; NULL: near to none. Messages name it so. */
FV_API const char *fv_nearest(const char *word, const char *const *names, int n);
FV_API const char *fv_context_isa(const fv_context *ctx);
FV_API int fv_context_threads(const fv_context *ctx);
FV_API const char *fv_context_machine(const fv_context *ctx); /* "amd, caches of 48 KiB, ..." */

#include "fovea_data.h"

/* ---- models ------------------------------------------------------------------------------------- */

typedef struct fv_model fv_model;

/* From model text (docs/model-text.md). `source` names the text in messages; NULL: "model". */
FV_API fv_status fv_model_from_text(fv_context *ctx, const char *text, const char *source, fv_model **out);
/* `spec` is the name of a built-in model, a model text file, a weights file of fv_model_save or of a run
 * (x.safetensors), or a run folder: then with the weights of best.safetensors, or of last.safetensors if
 * there is no best one of the same run. docs/runs.md says what is checked: a damaged file, or a model.fovea
 * that is not the text that the weights belong to, is FV_ERR_INPUT. */
FV_API fv_status fv_model_open(fv_context *ctx, const char *spec, fv_model **out);
FV_API void fv_model_destroy(fv_model *model);

/* Draws the parameters from `seed`. Without this call, a model that was not loaded has the parameters of
 * seed 0, and fv_train draws those of its own seed; after it, training continues from the present
 * parameters. A model allocates its parameters when they are first needed; describing it, or printing its
 * plan, does not need them. */
FV_API fv_status fv_model_initialise(fv_model *model, uint64_t seed);
/* A weights' file is safetensors, with PyTorch's names. What Fovea writes is the model, whole: its text,
 * the names of its classes and the record of its data stand in the metadata, and a checksum over all of it,
 * which is checked when it is read. fv_model_load takes the parameters into a model that has tensors of the
 * same names and shapes, from any safetensors file, and names of classes if it has them; all or nothing. */
FV_API fv_status fv_model_save(fv_model *model, const char *path);
FV_API fv_status fv_model_load(fv_model *model, const char *path);
/* The same bytes in memory: *bytes is released with fv_bytes_destroy, with the model's context. The bytes
 * that are loaded need no alignment and are not kept. */
FV_API fv_status fv_model_save_memory(fv_model *model, uint8_t **bytes, size_t *n_bytes);
FV_API fv_status fv_model_load_memory(fv_model *model, const uint8_t *bytes, size_t n_bytes);
FV_API void fv_bytes_destroy(fv_context *ctx, uint8_t *bytes);
/* The whole model from the bytes of a weights file; FV_ERR_INPUT if they contain no model text. */
FV_API fv_status fv_model_from_memory(fv_context *ctx, const uint8_t *bytes, size_t n_bytes, fv_model **out);
FV_API const char *fv_model_text(const fv_model *model);
/* Over the parameters' bytes; 0 if they are needed for the first time and there is no memory for them. */
FV_API uint64_t fv_model_hash(const fv_model *model);

/* The name of output `index`: a class of the data that the model was trained on, or a name that was set.
 * NULL if it has none. */
FV_API const char *fv_model_class_name(const fv_model *model, int index);
/* Sets `n` names, as many as fv_model_describe says; otherwise as fv_data_set_class_names. */
FV_API fv_status fv_model_set_class_names(fv_model *model, const char *const *names, int n);
/* The record of the data that the model was trained on, from its file; zeros if it is unknown. */
FV_API fv_data_record fv_model_trained_on(const fv_model *model);

/* Built-in models, in alphabetical order; NULL past the last. */
FV_API const char *fv_zoo_name(int index);
FV_API const char *fv_zoo_text(const char *name); /* NULL: no such model */

/* Building in C: each call adds one layer; the first error is kept, and finish returns it. */
typedef struct fv_builder fv_builder;
typedef struct fv_window {
    int kernel_h, kernel_w;
    int stride;  /* 0: 1 for conv, the kernel's size for pooling */
    int padding; /* zeros on every side */
} fv_window;
FV_API fv_status fv_builder_create(fv_context *ctx, int c, int h, int w, fv_builder **out);
FV_API void fv_builder_conv(fv_builder *b, const char *name, int channels, fv_window window);
FV_API void fv_builder_linear(fv_builder *b, const char *name, int features);
FV_API void fv_builder_max_pool(fv_builder *b, fv_window window);
FV_API void fv_builder_avg_pool(fv_builder *b, fv_window window);
FV_API void fv_builder_layer(fv_builder *b, const char *words);    /* any layer, as a line of model text */
FV_API fv_status fv_builder_finish(fv_builder *b, fv_model **out); /* destroys b, also on failure     */
FV_API void fv_builder_destroy(fv_builder *b);

/* ---- describing a model ------------------------------------------------------------------------- */

/* The kind of a model's outputs, determined by its last layer. In both cases the class of an image is that
 * of its largest output. */
typedef enum fv_output {
    FV_OUTPUT_PROBABILITIES, /* softmax, sigmoid, hardsigmoid: each in 0 to 1; of a softmax the sum is 1 */
    FV_OUTPUT_VALUES         /* anything else, under squared error: numbers of any size and sign     */
} fv_output;

typedef struct fv_model_info {
    int c, h, w;   /* the first input if it is an image, signal or vector, otherwise 0 */
    int n_classes; /* classes; 2 for one logistic output; 0: the target is no class number */
    int n_outputs; /* values per sample of fv_predict: n_classes of a classifier */
    int n_layers;
    int64_t n_parameters;
    int64_t flops;    /* of one image, forward; a multiply-add counts 2 */
    int64_t bytes;    /* parameters and activations of one image */
    fv_output output; /* the kind of fv_predict's results */
} fv_model_info;
FV_API fv_model_info fv_model_describe(const fv_model *model);

typedef struct fv_layer_info {
    const char *name; /* "c1", or the operation's name for a layer without one */
    const char *kind; /* "conv" */
    int shape[6];     /* of its output, per image */
    int rank;
    int64_t n_parameters, flops, activation_bytes;
    /* Parameters of a layer with a window if it were fully or locally connected, or shared them; else 0. */
    int64_t n_fully_connected, n_locally_connected, n_shared;
} fv_layer_info;
FV_API fv_layer_info fv_model_layer(const fv_model *model, int index);
/* The layer that makes result `index`: 0 is the last, then come those of `result` lines; zeros else. */
FV_API fv_layer_info fv_model_result(const fv_model *model, int index);

typedef struct fv_parameter_info {
    const char *name; /* "c1.weight" */
    int shape[6];
    int rank;
    const float *values; /* dense, borrowed; NULL if they are needed for the first time and there is no
                          * memory for them: fv_message says so */
} fv_parameter_info;
/* The learned tensors, in the order of the text; zeros for another index. */
FV_API int fv_model_n_parameters(const fv_model *model);
FV_API fv_parameter_info fv_model_parameter(const fv_model *model, int index);
/* The tensors that are stored with the model but not learned: "input.mean" and "input.inv_std", which
 * standardise images, and the running mean and variance of each batch normalisation. */
FV_API int fv_model_n_statistics(const fv_model *model);
FV_API fv_parameter_info fv_model_statistic(const fv_model *model, int index);
/* Sets all n values of a parameter or statistic, which are copied, in the layout of its shape.
 * FV_ERR_ARGUMENT, without any change, if the name is unknown, the number of values is another, or one of
 * them is not finite. fv_train then continues from these values, but it sets the input's statistics itself,
 * from its images. Predictors see the change after fv_predictor_refresh. */
FV_API fv_status fv_model_set_parameter(fv_model *model, const char *name, const float *values, size_t n);

/* The plan of one training step (or of inference) at `batch` as text, one step per line. *text is released
 * with fv_text_destroy, with the model's context. */
FV_API fv_status fv_model_plan_text(fv_model *model, int batch, bool training, char **text);
FV_API void fv_text_destroy(fv_context *ctx, char *text);

/* ---- checking gradients ------------------------------------------------------------------------- */

/* Compares, for every parameter tensor, the gradient that training uses (of the kernels, in float) with that
 * of the reference (in double), and the reference's with central differences of its loss: along a random
 * direction through all values at once, then for single values (for all values of a small tensor). The
 * comparison is made at one point of random images, labels and slightly moved parameters, which is well
 * conditioned and away from the kinks of ReLU and max pooling if a few draws find one. The model stays.
 *
 * A gradient is wrong if it differs by more than rounding explains. The effect of rounding is measured, not
 * assumed: every value that the reference computes is changed by as much as float rounds it. If that could
 * hide a mistake of a thousandth, or if every difference meets a kink, the gradient is undecided. */
typedef enum fv_check_verdict { FV_CHECK_OK, FV_CHECK_WRONG, FV_CHECK_UNDECIDED } fv_check_verdict;

typedef struct fv_check_options {
    uint64_t seed;  /* of images, labels, parameters' moves, directions and sampled values      */
    int batch;      /* images, 1 to FV_MAX_CHECK_BATCH                                          */
    double seconds; /* time for the differences, of each tensor as many as fit; 0: all. Tensors that are
                        not reached in time are undecided. The time of the gradients themselves is not
                        limited                                                                         */
} fv_check_options;
FV_API fv_check_options fv_check_options_default(void); /* seed 0, 4 images, 60 seconds */

typedef struct fv_check_result {
    const char *parameter;
    int64_t n_checked; /* differences compared: the direction's (of tensors of 2 values or more) and
                           those of single values                                                   */
    int64_t n_values;
    double reference_error; /* largest error of the reference's gradient, relative to the root mean square
                                of the tensor's; NaN if no difference was decided                        */
    double kernel_error; /* largest error of the kernels' gradient, relative to the same, or to the value if
                             that is larger; if terms cancel out, to the size of the terms            */
    fv_check_verdict verdict;
} fv_check_result;

/* Reported several times a second; pointers are valid during the call. */
typedef struct fv_check_progress {
    const fv_check_result *result; /* of the tensor that has just been checked; NULL: none */
    const char *parameter;         /* the tensor being checked; NULL: a point is being chosen */
    int n_done, n_parameters;      /* tensors                                                     */
    double share;                  /* of the whole check, 0 to 1, approximate */
    double seconds;                /* since the call                                              */
} fv_check_progress;
typedef bool (*fv_check_fn)(void *user, const fv_check_progress *progress); /* false: stop */

typedef struct fv_check_summary {
    int n_ok, n_wrong, n_undecided;
} fv_check_summary;

/* Options NULL: the defaults; report and summary may be NULL. FV_OK means that the check was completed; the
 * summary has its result. FV_ERR_NONFINITE if the parameters give no finite loss; FV_STOPPED if `report`
 * asked to stop: the summary then covers what was done before. */
FV_API fv_status fv_model_check(fv_model *model, const fv_check_options *options, fv_check_fn report,
                                void *user, fv_check_summary *summary);

/* ---- training ----------------------------------------------------------------------------------- */

/* The learning rate in epoch e (from 0) of n. Only cosine depends on n: under any other schedule, a run
 * that is given more epochs later ends as if it had had them from the start. */
typedef enum fv_schedule {
    FV_SCHEDULE_CONSTANT, /* lr                                                        */
    FV_SCHEDULE_STEP,     /* lr * step_factor ^ floor(e / step_epochs)                 */
    FV_SCHEDULE_COSINE    /* lr * (1 + cos(pi * t)) / 2, t from 0 to 1 over all updates */
} fv_schedule;

typedef struct fv_train_options {
    int epochs; /* to FV_MAX_EPOCHS                                                        */
    int batch;  /* 1: stochastic; 0: the whole training set (batch gradient descent)       */
    double lr, momentum, weight_decay; /* weight decay applies to weights, never to biases */
    const char *optimizer; /* "sgd", "nesterov", "adam" or "adamw"; "adam:beta2=0.99" sets its own word */
    fv_schedule schedule;
    int step_epochs;    /* step schedule: after this many epochs ... */
    double step_factor; /* ... the learning rate is multiplied by this                             */
    int shift;          /* augmentation: each training image is shifted by up to this many pixels */
    uint64_t seed;      /* of initialisation (of a new model), shuffling, dropout, augmentation    */
    int n_valid;        /* the last n_valid training images are held out for validation            */
    const char *out;    /* run folder, created; NULL: nothing is written                           */
    bool resume;        /* continue from out/last.safetensors; its recorded options replace these, but
                         * `epochs` may be more                                                    */
    bool replace;       /* if `out` holds a trained run, it is replaced by a new one */
    bool force;         /* resume although the model's text or the training data have changed since
                         * the run began: continues with the present ones                          */
} fv_train_options;
FV_API fv_train_options fv_train_options_default(void);
/* FV_ERR_ARGUMENT if an option is out of its range; fv_train makes this check first. */
FV_API fv_status fv_train_options_check(fv_context *ctx, const fv_train_options *options);

/* The options that can be set by a word, for programs that read, show and explain them. */
typedef enum fv_option_type {
    FV_OPTION_COUNT,  /* int                                  */
    FV_OPTION_REAL,   /* double                               */
    FV_OPTION_CHOICE, /* an enum: an index in `choices` */
    FV_OPTION_SEED,   /* uint64_t, any                        */
    FV_OPTION_TEXT    /* const char *, borrowed               */
} fv_option_type;

typedef struct fv_train_option {
    const char *word; /* "weight-decay" */
    const char *key;  /* in args.json and in checkpoints: "weight_decay" */
    fv_option_type type;
    size_t offset;              /* in fv_train_options                         */
    double min, max, initial;   /* inclusive; initial: the default             */
    const char *initial_text;   /* TEXT: the default                           */
    const char *const *choices; /* CHOICE: words, NULL behind the last         */
    const char *zero;           /* COUNT: a word for 0, "all"; NULL: none      */
    const char *argument;       /* the name of the value in help texts: "N" */
    bool may_grow;              /* a resumed run may have more; other options must not change */
    const char *help;           /* one line                                    */
} fv_train_option;
FV_API const fv_train_option *fv_train_option_at(int index); /* NULL past the last */
/* The model and the options of a run's last checkpoint, for continuing with fv_train: options->resume is
 * set, options->out is `run_folder`, borrowed. fv_model_trained_on(*model) says which data to open. With
 * `force`, options->force is set, and a model.fovea that was edited since is the model's text. */
FV_API fv_status fv_train_open_run(fv_context *ctx, const char *run_folder, bool force, fv_model **model,
                                   fv_train_options *options);

typedef enum fv_event { FV_EVENT_STEP, FV_EVENT_EPOCH, FV_EVENT_DONE } fv_event;

typedef struct fv_progress {
    fv_event event;
    int epoch, epochs;   /* epoch counts from 1 */
    int64_t step, steps; /* within the epoch */
    double train_loss;   /* mean over the epoch so far */
    double valid_error;  /* NaN if there is no such set, or before it is measured */
    double test_error;
    double lr;
    double samples_per_s; /* training time alone */
    double seconds;       /* training time so far, this call */
    int64_t n_parameters;
    uint64_t hash; /* FV_EVENT_DONE */
} fv_progress;

/* Return false to stop: the state is saved and fv_train returns FV_STOPPED. Called on the caller's
 * thread, after every step, epoch, and at the end. */
typedef bool (*fv_progress_fn)(void *user, const fv_progress *progress);

/* Trains in place. `test` and `progress` may be NULL. The model takes its class names and the record of its
 * data from `train`. The run folder receives model.fovea, last.safetensors, best.safetensors (lowest
 * validation error; without one, lowest training loss), args.json, log.csv: docs/runs.md. For a folder with
 * a trained run, the call returns FV_ERR_ARGUMENT and changes nothing, unless `resume` or `replace` is set;
 * with `replace` the old run stays complete until the new one's first checkpoint replaces it. FV_ERR_INPUT
 * if a resumed run began with another model text or other images. */
FV_API fv_status fv_train(fv_model *model, const fv_data *train, const fv_data *test,
                          const fv_train_options *options, fv_progress_fn progress, void *user);

/* ---- evaluation and prediction ------------------------------------------------------------------ */

typedef struct fv_class_score {
    int n, n_wrong;
} fv_class_score;
typedef struct fv_score {
    int n, n_wrong;    /* samples; those with a wrong class, or with a wrong pixel */
    int64_t n_labels;  /* class numbers compared: n, or all pixels if the model classifies pixels */
    double error;      /* share of wrong class numbers; for a model without classes, absolute_error */
    double top5_error; /* share that is not among the five most probable; NaN: 5 classes or fewer */
    double loss;       /* the model's own loss, mean over the samples */
    double absolute_error, squared_error; /* means over the last layer's values; NaN: classes */
    int n_classes;                        /* 0: the model's target is no class number */
} fv_score;
FV_API fv_status fv_evaluate(fv_model *model, const fv_data *data, fv_score *score);
/* The same with counts in the caller's arrays, unless these are NULL: per_class[n_classes], by the true
 * class, and confusion[n_classes][n_classes]: row t, column k counts samples of class t classified as k. */
FV_API fv_status fv_evaluate_classes(fv_model *model, const fv_data *data, fv_score *score,
                                     fv_class_score *per_class, int *confusion);

/* Outputs of images [first, first+n), n 0 or more, as fv_model_info.output says: probabilities[n][n_outputs].
 * A logistic model gives two per image. FV_ERR_ARGUMENT if the data has no such images, FV_ERR_NONFINITE if
 * an output is not finite; after a failure part of the array may have been written. */
FV_API fv_status fv_predict(fv_model *model, const fv_data *data, int first, int n, float *probabilities);

/* One image file of any size and colour, brought to the model's input as the pictures that it was trained on
 * were: a data set of one image without a label, whose note says what was done. It has a warning where its
 * mean brightness is far from that of the training set, as of a digit on white paper. `options` may be NULL.
 */
typedef struct fv_image_options {
    bool as_is;  /* an image of another size or colour is FV_ERR_INPUT */
    bool invert; /* black becomes white */
} fv_image_options;
FV_API fv_status fv_model_open_image(fv_model *model, const char *path, const fv_image_options *options,
                                     fv_data **out);

/* A model prepared for repeated prediction: memory and packed weights are kept from call to call. It is
 * created for about n images at a time and accepts any number; the bits are the same. Like its context, it
 * is used by one thread at a time. */
typedef struct fv_predictor fv_predictor;
FV_API fv_status fv_predictor_create(fv_model *model, int n, fv_predictor **out);
FV_API void fv_predictor_destroy(fv_predictor *predictor);
/* To be called after the model's parameters have changed: the next prediction uses the new ones. */
FV_API void fv_predictor_refresh(fv_predictor *predictor);
/* Later calls give the values of fv_model_result(model, index), as they are; at first index is 0. */
FV_API fv_status fv_predictor_choose(fv_predictor *predictor, int index);
/* As fv_predict. Pixels are [n][c][h][w], 0 to 255; values are the same as floats, 0 to 1. A pixel counts as
 * pixel / 255.0f, correctly rounded: values that the caller divided so give the bits that the pixels give. */
FV_API fv_status fv_predictor_run(fv_predictor *predictor, const fv_data *data, int first, int n,
                                  float *probabilities);
FV_API fv_status fv_predictor_run_pixels(fv_predictor *predictor, const uint8_t *pixels, int n,
                                         float *probabilities);
FV_API fv_status fv_predictor_run_values(fv_predictor *predictor, const float *values, int n,
                                         float *probabilities);

/* ---- this machine ------------------------------------------------------------------------------- */

typedef struct fv_bench_result {
    const char *name;  /* "peak", or a kernel: "conv2d forward" */
    const char *shape; /* "6@28x28 5x5 from 1, batch 128" */
    double gflops;
    double peak_share; /* of the measured FMA peak of the same number of threads */
} fv_bench_result;
/* Measures the FMA peak, then every kernel of every layer of the named built-in models (NULL: all but those
 * of more than 100 Mflop an image forward: a step of the largest takes minutes and gigabytes). */
FV_API fv_status fv_bench(fv_context *ctx, const char *const *models, int batch,
                          bool (*report)(void *user, const fv_bench_result *result), void *user);

#ifdef __cplusplus
}
#endif
#endif
