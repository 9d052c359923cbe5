/* predict_api.c - prediction, as fovea.h has it: a model made ready, and images in three forms. */
#include "train/train.h"

struct fv_predictor {
    fv_model *model;
    fv_evaluator *evaluator;
};

fv_status fv_predictor_create(fv_model *model, int n, fv_predictor **out)
{
    if (n < 1)
        return fv__fail(model->ctx, FV_ERR_ARGUMENT, "fv_predictor_create: n %d; expected 1 or more", n);
    fv_predictor *const p = fv__alloc(model->ctx, 1, sizeof *p);
    if (!p)
        return FV_ERR_MEMORY;
    p->model = model;
    const fv_status status = fv__evaluator_create(model, false, n, &p->evaluator);
    if (status != FV_OK) {
        fv__free(model->ctx, p);
        return status;
    }
    *out = p;
    return FV_OK;
}

void fv_predictor_destroy(fv_predictor *p)
{
    if (!p)
        return;
    fv__evaluator_destroy(p->evaluator);
    fv__free(p->model->ctx, p);
}

void fv_predictor_refresh(fv_predictor *p)
{
    fv__evaluator_refresh(p->evaluator);
}

fv_status fv_predictor_run(fv_predictor *p, const fv_data *data, int first, int n, float *probabilities)
{
    if (first < 0 || n < 0 || first > data->n - n)
        return fv__fail(p->model->ctx, FV_ERR_ARGUMENT,
                        "%s: expected images within 0..%d, found %d from %d on", data->name, data->n - 1, n,
                        first);
    FV_TRY(fv__check_data(p->model, data));
    const fv_images images = {.name = data->name, .pixels = data->pixels};
    return fv__predict(p->evaluator, &images, first, n, probabilities);
}

fv_status fv_predictor_run_pixels(fv_predictor *p, const uint8_t *pixels, int n, float *probabilities)
{
    const fv_images images = {.name = "pixels", .pixels = pixels};
    return fv__predict(p->evaluator, &images, 0, n, probabilities);
}

fv_status fv_predictor_run_values(fv_predictor *p, const float *values, int n, float *probabilities)
{
    const fv_images images = {.name = "values", .values = values};
    return fv__predict(p->evaluator, &images, 0, n, probabilities);
}

fv_status fv_predict(fv_model *model, const fv_data *data, int first, int n, float *probabilities)
{
    fv_predictor *p;
    FV_TRY(fv_predictor_create(model, n > 0 ? n : 1, &p));
    const fv_status status = fv_predictor_run(p, data, first, n, probabilities);
    fv_predictor_destroy(p);
    return status;
}
