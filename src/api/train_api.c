/* train_api.c - training and evaluation, as fovea.h has them. */
#include "train/train.h"

#include <string.h>

fv_train_options fv_train_options_default(void)
{
    return (fv_train_options){.epochs = 5, .batch = 64, .lr = 0.025, .momentum = 0.9, .optimizer = "sgd",
                              .schedule = FV_SCHEDULE_STEP, .step_epochs = 3, .step_factor = 0.15, .seed = 1};
}

fv_status fv_train_options_load(fv_context *ctx, const char *run_folder, fv_train_options *options,
                                char *text, size_t text_bytes)
{
    fv_train_options read = fv_train_options_default();
    FV_NEED(NULL, ctx);
    FV_NEED(ctx, run_folder);
    FV_NEED(ctx, options);
    FV_NEED(ctx, text);
    FV_TRY(fv__checkpoint_options(ctx, run_folder, &read, text, text_bytes));
    *options = read;
    return FV_OK;
}

/* The options of a resumed run are the recorded ones; only the number of epochs may grow. */
static fv_status resumed_options(fv_context *ctx, const fv_train_options *asked, fv_train_options *out,
                                 char *strings, size_t strings_bytes)
{
    fv_train_options o = *asked;
    FV_TRY(fv__checkpoint_options(ctx, asked->out, &o, strings, strings_bytes));
    o.out = asked->out;
    o.epochs = asked->epochs > o.epochs ? asked->epochs : o.epochs;
    *out = o;
    return FV_OK;
}

fv_status fv_train(fv_model *model, const fv_data *train, const fv_data *test,
                   const fv_train_options *options, fv_progress_fn progress, void *user)
{
    FV_NEED(NULL, model);
    FV_NEED(model->ctx, train);
    FV_NEED(model->ctx, options);
    if (!options->optimizer || strcmp(options->optimizer, "sgd") != 0)
        return fv__fail(model->ctx, FV_ERR_ARGUMENT, "optimizer: expected sgd, found '%s'",
                        options->optimizer ? options->optimizer : "");
    if (options->resume && !options->out)
        return fv__fail(model->ctx, FV_ERR_ARGUMENT, "resume: expected a run folder in `out`, found none");
    char strings[4096];
    fv_train_options o = *options;
    if (options->resume)
        FV_TRY(resumed_options(model->ctx, options, &o, strings, sizeof strings));
    return fv__train(model, train, test, &o, progress, user);
}

fv_status fv_evaluate(fv_model *model, const fv_data *data, fv_score *score)
{
    fv_evaluator *evaluator;
    FV_NEED(NULL, model);
    FV_NEED(model->ctx, data);
    FV_NEED(model->ctx, score);
    FV_TRY(fv__check_data(model, data));
    for (int i = 0; i < data->n; i++)
        if (data->labels[i] < 0)
            return fv__fail(model->ctx, FV_ERR_INPUT,
                            "%s: expected a label for every image, found none for image %d", data->name, i);
    FV_TRY(fv__evaluator_create(model, true, data->n, &evaluator));
    const fv_status status = fv__evaluate(evaluator, data, 0, data->n, score);
    fv__evaluator_destroy(evaluator);
    return status;
}
