/* train_api.c - the training and evaluation part of fovea.h. */
#include "train/train.h"

#include <string.h>

fv_train_options fv_train_options_default(void)
{
    return fv__train_options_default();
}

fv_status fv_train_options_check(fv_context *ctx, const fv_train_options *options)
{
    FV_NEED(NULL, ctx);
    FV_NEED(ctx, options);
    return fv__train_options_check(ctx, options);
}

const fv_train_option *fv_train_option_at(int index)
{
    return fv__train_option_at(index);
}

fv_status fv_train_open_run(fv_context *ctx, const char *run_folder, bool force, fv_model **model,
                            fv_train_options *options)
{
    FV_NEED(NULL, ctx);
    FV_NEED(ctx, run_folder);
    FV_NEED(ctx, model);
    FV_NEED(ctx, options);
    return fv__open_run_to_resume(ctx, run_folder, force, model, options);
}

fv_status fv_train(fv_model *model, const fv_data *train, const fv_data *test,
                   const fv_train_options *options, fv_progress_fn progress, void *user)
{
    FV_NEED(NULL, model);
    FV_NEED(model->ctx, train);
    FV_NEED(model->ctx, options);
    fv_optimizer_choice optimizer;
    FV_TRY(fv__optimizer_read(model->ctx, options->optimizer ? options->optimizer : "", &optimizer));
    if (options->resume && !options->out)
        return fv__fail(model->ctx, FV_ERR_ARGUMENT, "resume: expected a run folder in `out`, found none");
    if (options->resume && options->replace)
        return fv__fail(model->ctx, FV_ERR_ARGUMENT,
                        "fv_train: both `resume` and `replace`; expected one of them");
    return fv__train(model, train, test, options, progress, user);
}

fv_status fv_evaluate(fv_model *model, const fv_data *data, fv_score *score)
{
    FV_NEED(NULL, model);
    FV_NEED(model->ctx, data);
    FV_NEED(model->ctx, score);
    return fv_evaluate_classes(model, data, score, NULL, NULL);
}

fv_status fv_evaluate_classes(fv_model *model, const fv_data *data, fv_score *score,
                              fv_class_score *per_class, int *confusion)
{
    fv_evaluator *evaluator;
    FV_NEED(NULL, model);
    FV_NEED(model->ctx, data);
    FV_NEED(model->ctx, score);
    fv_samples samples;
    FV_TRY(fv__samples_of(model, data, true, &samples));
    FV_TRY(fv__check_labels(model, &samples, data->n));
    FV_TRY(fv__evaluator_create(model, true, data->n, &evaluator));
    const fv_status status = fv__evaluate_classes(evaluator, data, 0, data->n, score, per_class, confusion);
    fv__evaluator_destroy(evaluator);
    return status;
}
