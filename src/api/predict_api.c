/* predict_api.c - the prediction part of fovea.h: a predictor, and images in three forms. */
#include "train/train.h"

#include <limits.h>

struct fv_predictor {
    fv_model *model;
    fv_evaluator *evaluator;
};

fv_status fv_predictor_create(fv_model *model, int n, fv_predictor **out)
{
    FV_NEED(NULL, model);
    FV_NEED(model->ctx, out);
    FV_WITHIN(model->ctx, n, 1, INT_MAX);
    fv_predictor *const p = fv__alloc(model->ctx, 1, sizeof *p);
    if (!p)
        return FV_ERR_MEMORY;
    p->model = fv__model_retain(model);
    const fv_status status = fv__evaluator_create(model, false, n, &p->evaluator);
    if (status != FV_OK) {
        fv_predictor_destroy(p);
        return status;
    }
    *out = p;
    return FV_OK;
}

void fv_predictor_destroy(fv_predictor *p)
{
    if (!p)
        return;
    fv_model *const model = p->model;
    fv__evaluator_destroy(p->evaluator);
    fv__free(model->ctx, p);
    fv__model_destroy(model);
}

void fv_predictor_refresh(fv_predictor *p)
{
    if (p)
        fv__evaluator_refresh(p->evaluator);
}

fv_status fv_predictor_choose(fv_predictor *predictor, int index)
{
    FV_NEED(NULL, predictor);
    FV_WITHIN(predictor->model->ctx, index, 0, predictor->model->graph.n_results - 1);
    fv__evaluator_choose(predictor->evaluator, index);
    return FV_OK;
}

/* The data has n images from `first` on, of the model's size. */
static fv_status check_images(const fv_model *model, const fv_data *data, int first, int n)
{
    if (first < 0 || n < 0 || first > data->n - n)
        return fv__fail(model->ctx, FV_ERR_ARGUMENT, "%s: expected images within 0..%d, found %d from %d on",
                        data->name, data->n - 1, n, first);
    return fv__check_data(model, data, false);
}

fv_status fv_predictor_run(fv_predictor *predictor, const fv_data *data, int first, int n,
                           float *probabilities)
{
    FV_NEED(NULL, predictor);
    FV_NEED(predictor->model->ctx, data);
    FV_TRY(check_images(predictor->model, data, first, n));
    if (n > 0)
        FV_NEED(predictor->model->ctx, probabilities);
    fv_samples samples;
    FV_TRY(fv__samples_of(predictor->model, data, false, &samples));
    return fv__predict(predictor->evaluator, &samples, first, n, probabilities);
}

/* An array contains one input only; a model with several inputs needs a data set, whose fields have names. */
static fv_status check_single(const fv_model *model, const char *call)
{
    int n = 0;
    for (int f = 0; f < model->graph.n_feeds; f++)
        n += model->graph.feed[f].kind == FV_FEED_INPUT;
    if (n > 1)
        return fv__fail(
            model->ctx, FV_ERR_ARGUMENT,
            "%s: expected a model of one input, found %d in %s; fv_predictor_run takes a data set "
            "with a field for each",
            call, n, model->source);
    return FV_OK;
}

fv_status fv_predictor_run_pixels(fv_predictor *predictor, const uint8_t *pixels, int n, float *probabilities)
{
    FV_NEED(NULL, predictor);
    FV_WITHIN(predictor->model->ctx, n, 0, INT_MAX);
    FV_TRY(check_single(predictor->model, __func__));
    if (n > 0) {
        FV_NEED(predictor->model->ctx, pixels);
        FV_NEED(predictor->model->ctx, probabilities);
    }
    const fv_samples samples = {.name = "pixels", .feed = {fv__give_pixels(predictor->model, pixels)}};
    return fv__predict(predictor->evaluator, &samples, 0, n, probabilities);
}

fv_status fv_predictor_run_values(fv_predictor *predictor, const float *values, int n, float *probabilities)
{
    FV_NEED(NULL, predictor);
    FV_WITHIN(predictor->model->ctx, n, 0, INT_MAX);
    FV_TRY(check_single(predictor->model, __func__));
    if (n > 0) {
        FV_NEED(predictor->model->ctx, values);
        FV_NEED(predictor->model->ctx, probabilities);
    }
    const fv_samples samples = {.name = "values", .feed = {fv__give_values(predictor->model, values)}};
    return fv__predict(predictor->evaluator, &samples, 0, n, probabilities);
}

fv_status fv_predict(fv_model *model, const fv_data *data, int first, int n, float *probabilities)
{
    fv_predictor *p;
    FV_NEED(NULL, model);
    FV_NEED(model->ctx, data);
    FV_TRY(check_images(model, data, first, n));
    if (n > 0)
        FV_NEED(model->ctx, probabilities);
    FV_TRY(fv_predictor_create(model, n > 0 ? n : 1, &p));
    const fv_status status = fv_predictor_run(p, data, first, n, probabilities);
    fv_predictor_destroy(p);
    return status;
}
