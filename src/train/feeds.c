/* feeds.c - what a model's feeds are given from: the fields of a data set, or arrays of a caller. */
#include "train/train.h"

static const fv_feed *the_input(const fv_model *model)
{
    return &model->graph.feed[0];
}

fv_status fv__check_data(const fv_model *model, const fv_data *data)
{
    const fv_chw m = fv__shape_chw(model->graph.tensors[the_input(model)->tensor].shape);
    if (data->c != m.c || data->h != m.h || data->w != m.w)
        return fv__fail(model->ctx, FV_ERR_INPUT, "%s: expected images of %dx%dx%d for %s, found %dx%dx%d",
                        data->name, m.c, m.h, m.w, model->source, data->c, data->h, data->w);
    const int n_classes = fv__model_n_classes(model);
    if (data->n_classes > n_classes || (data->n_classes > 0 && n_classes == 2 && data->n_classes != 2))
        return fv__fail(model->ctx, FV_ERR_INPUT, "%s: expected %s%d classes for %s, found %d", data->name,
                        n_classes == 2 ? "" : "at most ", n_classes, model->source, data->n_classes);
    return FV_OK;
}

fv_given fv__give_pixels(const fv_model *model, const uint8_t *pixels)
{
    const int64_t n = fv__shape_count(model->graph.tensors[the_input(model)->tensor].shape);
    return (fv_given){.element = FV_U8, .scale = FV_SCALE_PIXELS, .first = pixels, .step = (size_t)n};
}

fv_given fv__give_values(const fv_model *model, const float *values)
{
    const int64_t n = fv__shape_count(model->graph.tensors[the_input(model)->tensor].shape);
    return (fv_given){.element = FV_F32, .first = values, .step = (size_t)n * sizeof *values};
}

fv_given fv__give_numbers(const int *numbers)
{
    return (fv_given){.element = FV_I32, .first = numbers, .step = sizeof *numbers};
}

fv_status fv__samples_of(const fv_model *model, const fv_data *data, fv_samples *out)
{
    FV_TRY(fv__check_data(model, data));
    *out = (fv_samples){.name = data->name, .labels = data->labels};
    for (int f = 0; f < model->graph.n_feeds; f++)
        out->feed[f] = model->graph.feed[f].kind == FV_FEED_INPUT ? fv__give_pixels(model, data->pixels)
                                                                  : fv__give_numbers(data->labels);
    return FV_OK;
}
