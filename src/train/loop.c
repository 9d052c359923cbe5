/* loop.c - the training loop: epochs of shuffled batches, with a measurement and a checkpoint after each
 * epoch, so that a run stopped at any moment and resumed ends with the same parameters as one that never
 * stopped. */
#include "train/train.h"

#include "base/clock.h"
#include "base/rng.h"
#include "io/file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct loop {
    fv_context *ctx;
    fv_model *model;
    const fv_data *train, *test;
    fv_train_options options;
    fv_trainer *trainer;
    fv_evaluator *evaluator;
    int lock;                          /* of the run folder; -1: none */
    fv_weights last;                   /* the checkpoint, while a run is being resumed */
    char optimizer[FV_OPTIMIZER_TEXT]; /* what options.optimizer points to */
    int n_train, batch;
    int64_t steps;   /* of one epoch */
    uint32_t *order; /* [n_train]: the order of this epoch */
    fv_samples train_samples;
    fv_fetch fetch;
    fv_position at;
    double seconds;  /* of training, in this call */
    int64_t samples; /* trained on in this call */
    double epoch_seconds;
    int64_t epoch_samples;
    fv_progress report;
    fv_progress_fn progress;
    void *user;
} loop;

void fv__shuffle(uint64_t seed, int epoch, uint32_t *order, int n)
{
    fv_rng rng = fv__rng(seed, FV_STREAM_SHUFFLE, (uint32_t)epoch, 0);
    for (int i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (int i = n - 1; i > 0; i--) {
        const uint32_t j = fv__rng_below(&rng, (uint32_t)i + 1), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
}

double fv__learning_rate(const fv_train_options *o, int epoch, int64_t update, int64_t updates)
{
    double lr = o->lr;
    switch (o->schedule) {
    case FV_SCHEDULE_CONSTANT:
        break;
    case FV_SCHEDULE_STEP:
        for (int e = o->step_epochs; e <= epoch; e += o->step_epochs)
            lr *= o->step_factor;
        break;
    case FV_SCHEDULE_COSINE:
        lr *= 0.5 + 0.5 * fv__cos_2pi(0.5 * (double)update / (double)updates);
        break;
    }
    return lr;
}

static fv_status check_options(fv_context *ctx, const fv_train_options *o, const fv_data *train)
{
    FV_TRY(fv__train_options_check(ctx, o));
    if (o->n_valid >= train->n)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "valid: expected 0 to %d, found %d", train->n - 1, o->n_valid);
    return FV_OK;
}

/* The part of parameter p that is not finite: the parameter itself (""), "the momentum of ", or NULL for
 * none. */
static const char *find_overflow(const loop *l, int p, char what[48])
{
    const fv_optimizer *const row = l->trainer->optimizer.row;
    const fv_kernels *const kernels = l->trainer->plan->kernels;
    const int64_t n = (int64_t)l->model->params[p].n;
    what[0] = '\0';
    if (!kernels->all_finite(fv__model_values(l->model, p), n))
        return what;
    for (int s = 0; s < row->n_states; s++)
        if (!kernels->all_finite(fv__trainer_state(l->trainer, s, p), n)) {
            snprintf(what, 48, "the %s of ", row->state[s]);
            return what;
        }
    return NULL;
}

/* Nothing that overflowed may reach a file: learned parameters, running statistics (which no gradient shows
 * and training itself never reads) and the optimiser's state. */
static fv_status check_values(const loop *l)
{
    char text[48];
    for (int p = 0; p < l->model->n_params; p++) {
        const char *const what = find_overflow(l, p, text);
        if (!what)
            continue;
        const char *const name = fv__model_tensor(l->model, p)->name;
        if (l->at.updates == 0)
            return fv__fail(
                l->ctx, FV_ERR_NONFINITE,
                "before the first step: expected finite parameters, found NaN or infinity in %s%s", what,
                name);
        return fv__fail(l->ctx, FV_ERR_NONFINITE,
                        "epoch %d, step %lld: expected finite parameters, found NaN or infinity in %s%s; a "
                        "smaller learning rate may help",
                        l->at.epoch + 1, (long long)l->at.step, what, name);
    }
    return FV_OK;
}

static fv_status save(loop *l)
{
    return l->options.out ? fv__checkpoint_save(l->trainer, l->options.out, &l->options, &l->at) : FV_OK;
}

/* The options of a resumed run are the recorded ones, except for numbers that may grow. */
static fv_status open_last(loop *l)
{
    const fv_train_options asked = l->options;
    int i = 0;
    FV_TRY(fv__folder_lock(l->ctx, asked.out, &l->lock));
    FV_TRY(fv__checkpoint_open(l->ctx, asked.out, &l->last));
    FV_TRY(fv__checkpoint_options(l->ctx, &l->last, &l->options));
    l->options.out = asked.out;
    l->options.force = asked.force;
    for (const fv_train_option *o; (o = fv__train_option_at(i++)) != NULL;) {
        const int wish = *(const int *)((const char *)&asked + o->offset);
        int *const value = (int *)((char *)&l->options + o->offset);
        if (o->may_grow && wish > *value)
            *value = wish;
    }
    return FV_OK;
}

/* The class names of the data, if the model distinguishes those classes. An autoencoder may be trained on
 * labelled images, but its model has no classes. */
static const char *const *class_names(const loop *l)
{
    const bool known = l->train->n_classes <= fv__model_n_classes(l->model);
    return known ? (const char *const *)l->train->class_names : NULL;
}

static fv_status begin_run(loop *l)
{
    static const fv_data_record unknown = {0};
    const fv_train_options *const o = &l->options;
    const fv_data *const train = l->train;
    if (l->model->settled)
        FV_TRY(check_values(l)); /* before anything is written */
    if (o->out) {
        FV_TRY(fv__file_make_dir(l->ctx, o->out));
        FV_TRY(fv__folder_lock(l->ctx, o->out, &l->lock));
        if (!o->replace)
            FV_TRY(fv__folder_refuse_run(l->ctx, o->out));
        l->at.data = fv__data_digest(train);
    }
    FV_TRY(fv__model_describe_data(l->model, class_names(l), train->n_classes,
                                   train->record ? train->record : &unknown));
    if (!l->model->settled)
        FV_TRY(fv__model_draw(l->model, o->seed));
    fv__set_statistics(l->model, &l->train_samples, l->n_train);
    l->at.run = fv__run_identity(l->model, o, l->at.data);
    /* so that a run that is killed in its first epoch can be resumed, too */
    return o->out ? fv__folder_write(l->trainer, o->out, o, &l->at) : FV_OK;
}

/* A run that is resumed with another model text or other data becomes another run, for which the best
 * result so far does not count. */
static fv_status resume_run(loop *l)
{
    const fv_train_options *const o = &l->options;
    bool changed = false;
    fv_run_state state;
    l->at.step = l->steps;
    l->at.data = fv__data_digest(l->train);
    FV_TRY(fv__checkpoint_load(l->trainer, &l->last, o->force, &l->at, &changed));
    FV_TRY(fv__folder_state(l->ctx, o->out, &l->last, &state));
    if (state == FV_RUN_EDITED && !o->force)
        return FV_ERR_INPUT; /* the message is already set */
    fv__weights_close(&l->last);
    if (l->train->record || changed)
        FV_TRY(fv__model_describe_data(l->model, changed ? class_names(l) : NULL, l->train->n_classes,
                                       l->train->record));
    if (changed) {
        l->at.best = INFINITY;
        l->at.run = fv__run_identity(l->model, o, l->at.data);
    }
    /* A finished and complete run does not change. */
    const bool idle = state == FV_RUN_WHOLE && !changed && l->at.epoch >= o->epochs;
    return idle ? FV_OK : fv__folder_write(l->trainer, o->out, o, &l->at);
}

static fv_status begin(loop *l)
{
    const fv_train_options *const o = &l->options;
    fv_optimizer_choice optimizer;
    if (o->resume)
        FV_TRY(open_last(l));
    FV_TRY(fv__optimizer_read(l->ctx, o->optimizer, &optimizer));
    fv__optimizer_show(&optimizer, l->optimizer);
    l->options.optimizer = l->optimizer; /* so that one optimiser has one text in a run's files */
    FV_TRY(fv__samples_of(l->model, l->train, true, &l->train_samples));
    if (l->test)
        FV_TRY(fv__check_data(l->model, l->test, true));
    FV_TRY(fv__check_labels(l->model, &l->train_samples, l->train->n));
    FV_TRY(check_options(l->ctx, o, l->train));
    l->n_train = l->train->n - o->n_valid;
    l->batch = o->batch > 0 && o->batch < l->n_train ? o->batch : l->n_train;
    l->steps = (l->n_train + l->batch - 1) / l->batch;
    FV_TRY(fv__trainer_create(l->model, l->batch, o->optimizer, o->shift, &l->trainer));
    const int n_test = l->test ? l->test->n : o->n_valid;
    FV_TRY(fv__evaluator_create(l->model, true, n_test, &l->evaluator));
    l->order = fv__alloc(l->ctx, (size_t)l->n_train, sizeof *l->order);
    if (!l->order)
        return FV_ERR_MEMORY;
    FV_TRY(fv__fetch_create(l->model, &l->train_samples, l->batch, true, &l->fetch));
    l->at.images = l->n_train;
    l->at.best = INFINITY;
    return o->resume ? resume_run(l) : begin_run(l);
}

static void end(loop *l)
{
    fv__weights_close(&l->last);
    fv__folder_unlock(l->lock);
    fv__trainer_destroy(l->trainer);
    fv__evaluator_destroy(l->evaluator);
    fv__free(l->ctx, l->order);
    fv__fetch_destroy(&l->fetch);
}

/* Images a second in this epoch, of the part that this call trained. */
static double rate(const loop *l)
{
    return l->epoch_seconds > 0 ? (double)l->epoch_samples / l->epoch_seconds : 0;
}

/* False if the caller asked to stop. */
static bool tell(loop *l, fv_event event)
{
    fv_progress *const p = &l->report;
    p->event = event;
    p->epochs = l->options.epochs;
    p->steps = l->steps;
    p->seconds = l->seconds;
    p->samples_per_s = rate(l);
    return !l->progress || l->progress(l->user, p);
}

/* The samples [first, first + n) of the epoch's order; the system is told which come after them. */
static fv_status choose_samples(loop *l, int first, int n, fv_given feed[FV_MAX_FEEDS])
{
    const int left = l->n_train - first - n, next = left < l->batch ? left : l->batch;
    FV_TRY(fv__fetch(&l->fetch, l->order + first, 0, n, feed));
    fv__fetch_soon(&l->fetch, l->order + first + n, next);
    return FV_OK;
}

static double learning_rate(const loop *l, int64_t update)
{
    return fv__learning_rate(&l->options, l->at.epoch, update, (int64_t)l->options.epochs * l->steps);
}

/* Reports the state of the epoch, from the position alone: a resumed epoch may have no step left. */
static void report_position(loop *l)
{
    const int64_t seen = l->at.step * l->batch < l->n_train ? l->at.step * l->batch : l->n_train;
    l->report.epoch = l->at.epoch + 1;
    l->report.step = l->at.step;
    l->report.train_loss = l->at.loss_sum / (double)seen;
    l->report.lr = learning_rate(l, l->at.updates - 1);
}

static fv_status one_step(loop *l)
{
    const fv_train_options *const o = &l->options;
    const double start = fv__seconds();
    const int first = (int)(l->at.step * l->batch);
    const int n = l->n_train - first < l->batch ? l->n_train - first : l->batch;
    fv_given feed[FV_MAX_FEEDS];
    FV_TRY(choose_samples(l, first, n, feed));
    const fv_batch batch = {.n = n,
                            .feed = feed,
                            .samples = l->order + first,
                            .seed = o->seed,
                            .step = (uint32_t)l->at.updates,
                            .epoch = (uint32_t)l->at.epoch};
    const fv_rates rates = {.lr = learning_rate(l, l->at.updates),
                            .momentum = o->momentum,
                            .weight_decay = o->weight_decay,
                            .update = l->at.updates + 1};
    const fv_status status = fv__trainer_step(l->trainer, &batch, &rates, &l->at.loss_sum);
    if (status == FV_ERR_NONFINITE) {
        char message[FV_MESSAGE_BYTES];
        memcpy(message, l->ctx->message, sizeof message);
        return fv__fail(l->ctx, status, "epoch %d, step %lld: %s; a smaller learning rate may help",
                        l->at.epoch + 1, (long long)l->at.step + 1, message);
    }
    FV_TRY(status);
    l->at.step++;
    l->at.updates++;
    const double seconds = fv__seconds() - start;
    l->seconds += seconds;
    l->epoch_seconds += seconds;
    l->samples += n;
    l->epoch_samples += n;
    report_position(l);
    return FV_OK;
}

static fv_status write_epoch(loop *l)
{
    const fv_train_options *const o = &l->options;
    const double measure = o->n_valid > 0 ? l->report.valid_error : l->report.train_loss;
    const bool best = measure < l->at.best;
    if (best)
        l->at.best = measure;
    if (!o->out)
        return FV_OK;
    if (best) {
        char *const path = fv__path_join(l->ctx, o->out, "best.safetensors");
        const fv_status status = path ? fv__weights_save(l->model, path, l->at.run) : FV_ERR_MEMORY;
        fv__free(l->ctx, path);
        FV_TRY(status);
    }
    char line[320];
    snprintf(line, sizeof line, "%d,%s,%s,%s,%s,%s,%s", l->at.epoch, fv__fixed(l->report.train_loss, 6).text,
             o->n_valid > 0 ? fv__fixed(l->report.valid_error, 6).text : "",
             l->test ? fv__fixed(l->report.test_error, 6).text : "", fv__general(l->report.lr, 8).text,
             fv__fixed(rate(l), 1).text, fv__fixed(l->seconds, 3).text);
    /* The checkpoint comes last: if the run is killed before it, the epoch is repeated and logged again. */
    FV_TRY(fv__log_epoch(l->ctx, o->out, l->at.epoch, line));
    return save(l);
}

/* The score of images [first, first + n). The message for a loss that is not finite names the epoch and the
 * images. */
static fv_status measure(loop *l, const char *images, const fv_data *data, int first, int n, fv_score *score)
{
    const fv_status status = fv__evaluate(l->evaluator, data, first, n, score);
    if (status != FV_ERR_NONFINITE)
        return status;
    char message[FV_MESSAGE_BYTES];
    memcpy(message, l->ctx->message, sizeof message);
    return fv__fail(l->ctx, status, "epoch %d, %s images: %s; a smaller learning rate may help",
                    l->at.epoch + 1, images, message);
}

static fv_status measure_all(loop *l)
{
    fv_score score;
    l->report.valid_error = l->report.test_error = NAN;
    if (l->options.n_valid > 0) {
        FV_TRY(measure(l, "validation", l->train, l->n_train, l->options.n_valid, &score));
        l->report.valid_error = score.error;
    }
    if (l->test) {
        FV_TRY(measure(l, "test", l->test, 0, l->test->n, &score));
        l->report.test_error = score.error;
    }
    return FV_OK;
}

/* After the last step of an epoch: measures, saves and reports. */
static fv_status finish_epoch(loop *l)
{
    FV_TRY(check_values(l));
    report_position(l);
    FV_TRY(measure_all(l));
    l->at.epoch++;
    l->at.step = 0;
    l->at.loss_sum = 0;
    return write_epoch(l);
}

static fv_status run_epochs(loop *l)
{
    l->report.valid_error = l->report.test_error = NAN;
    while (l->at.epoch < l->options.epochs) {
        fv__shuffle(l->options.seed, l->at.epoch, l->order, l->n_train);
        l->epoch_seconds = 0;
        l->epoch_samples = 0;
        while (l->at.step < l->steps) {
            FV_TRY(one_step(l));
            if (!tell(l, FV_EVENT_STEP)) {
                FV_TRY(check_values(l));
                FV_TRY(save(l));
                return fv__fail(l->ctx, FV_STOPPED, "stopped in epoch %d of %d after step %lld of %lld",
                                l->at.epoch + 1, l->options.epochs, (long long)l->at.step,
                                (long long)l->steps);
            }
        }
        FV_TRY(finish_epoch(l));
        if (!tell(l, FV_EVENT_EPOCH) && l->at.epoch < l->options.epochs)
            return fv__fail(l->ctx, FV_STOPPED, "stopped after epoch %d of %d", l->at.epoch,
                            l->options.epochs);
    }
    return FV_OK;
}

fv_status fv__train(fv_model *model, const fv_data *train, const fv_data *test,
                    const fv_train_options *options, fv_progress_fn progress, void *user)
{
    loop l = {.ctx = model->ctx,
              .model = model,
              .train = train,
              .test = test,
              .options = *options,
              .fetch = {.ctx = model->ctx},
              .lock = -1,
              .progress = progress,
              .user = user};
    fv_status status = begin(&l);
    if (status == FV_OK) {
        model->settled = true;
        for (size_t k = 0; k < model->n_layers; k++)
            l.report.n_parameters += model->layers[k].n_parameters;
        status = run_epochs(&l);
    }
    if (status == FV_OK) {
        if (l.samples == 0) /* a finished run was resumed: its score is reported */
            status = measure_all(&l);
    }
    if (status == FV_OK) {
        l.report.epoch = l.at.epoch;
        l.epoch_seconds = l.seconds; /* the rate of the whole call */
        l.epoch_samples = l.samples;
        l.report.hash = fv__model_hash(model);
        tell(&l, FV_EVENT_DONE);
    }
    end(&l);
    return status;
}
