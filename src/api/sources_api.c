/* sources_api.c - fovea.h's data sets from files: finding one by its name, and single pictures. */
#include "data/picture.h"
#include "data/sources.h"
#include "model/model.h"

#include <math.h>
#include <stdio.h>

static fv_status check_open(fv_context *ctx, const char *spec, const fv_data_options *options)
{
    if (spec[0] == '\0')
        return fv__fail(ctx, FV_ERR_ARGUMENT, "data set: expected a name, a folder or a file, found nothing");
    if (options->c < 0 || options->h < 0 || options->w < 0)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "data set %s: expected a size of 0 or more, found %dx%dx%d",
                        spec, options->c, options->h, options->w);
    return FV_OK;
}

fv_status fv_data_open(fv_context *ctx, const char *spec, fv_split split, const fv_data_options *options,
                       fv_data **out)
{
    const fv_data_options none = {0};
    fv_data *data = NULL;
    FV_NEED(NULL, ctx);
    FV_NEED(ctx, spec);
    FV_NEED(ctx, out);
    options = options ? options : &none;
    FV_TRY(check_open(ctx, spec, options));
    if (split != FV_SPLIT_TRAIN && split != FV_SPLIT_TEST)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "data set %s: there is no split %d", spec, (int)split);
    FV_TRY(fv__source_open(ctx, spec, split, options, &data));
    if (!data)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "data set %s: has no test set; the words split=0.1 make one of a tenth of it", spec);
    *out = data;
    return FV_OK;
}

fv_status fv_data_open_both(fv_context *ctx, const char *spec, const fv_data_options *options,
                            fv_data **train, fv_data **test)
{
    const fv_data_options none = {0};
    fv_data *data[2] = {NULL, NULL};
    FV_NEED(NULL, ctx);
    FV_NEED(ctx, spec);
    FV_NEED(ctx, train);
    FV_NEED(ctx, test);
    options = options ? options : &none;
    FV_TRY(check_open(ctx, spec, options));
    FV_TRY(fv__source_open(ctx, spec, FV_SPLIT_TRAIN, options, &data[0]));
    const fv_status status = fv__source_open(ctx, spec, FV_SPLIT_TEST, options, &data[1]);
    if (status != FV_OK) {
        fv__data_destroy(data[0]);
        return status;
    }
    *train = data[0];
    *test = data[1];
    return FV_OK;
}

bool fv_data_exists(fv_context *ctx, const char *spec, const char *const *roots)
{
    bool there = false;
    return ctx && spec && fv__source_exists(ctx, spec, roots, &there) == FV_OK && there;
}

const fv_data_source *fv_data_source_at(int index)
{
    const fv_source *const source = fv__source_at(index);
    return source ? &source->shown : NULL;
}

const fv_data_word *fv_data_word_at(int index)
{
    return fv__data_word_at(index);
}

fv_status fv_data_open_image(fv_context *ctx, const char *path, int c, int h, int w, fv_data **out)
{
    fv_data *data;
    FV_NEED(NULL, ctx);
    FV_NEED(ctx, path);
    FV_NEED(ctx, out);
    FV_WITHIN(ctx, c, 1, FV_MAX_DIM);
    FV_WITHIN(ctx, h, 1, FV_MAX_DIM);
    FV_WITHIN(ctx, w, 1, FV_MAX_DIM);
    FV_TRY(fv__data_create(ctx, path, 1, c, h, w, 0, &data));
    const fv_status status = fv__image_read(ctx, path, c, h, w, data->pixels);
    if (status != FV_OK) {
        fv__data_destroy(data);
        return status;
    }
    *out = data;
    return FV_OK;
}

/* ---- a picture for a model ---------------------------------------------------------------------------- */

/* How the model's pictures were brought to its size: the word fit of its data. */
static fv_status fit_of(const fv_model *model, fv_fit *out)
{
    fv_arena arena;
    fv_data_words words = {0};
    const char *path;
    const char *const name = model->trained_on ? model->trained_on->name : NULL;
    fv__arena_init(&arena, model->ctx);
    const fv_status status = name ? fv__data_words_read(&arena, name, &path, &words) : FV_OK;
    fv__arena_deinit(&arena);
    *out = words.fit;
    return status;
}

/* The value of NAME, a statistic of the model, for channel c; NaN: there is none. */
static double statistic(const fv_model *model, const char *name, int c)
{
    const int tensor = fv__graph_find_tensor(&model->graph, name);
    return tensor < 0 ? (double)NAN : (double)fv__model_values(model, fv__model_param_of(model, tensor))[c];
}

/* A picture whose mean is further than this from the training set's, in deviations of its values, is probably
 * of another kind. Of MNIST's 60,000 pictures none is further than 0.87; inverted, all are at 1.53 or more.
 */
#define FAR_MEAN 1.25

/* Says so where the mean over the channels is far; and where the inverted picture's is not. */
static fv_status warn(const fv_model *model, fv_data *data)
{
    double distance = 0, inverted = 0;
    char text[160];
    for (int c = 0; c < data->c; c++) {
        double mean, square;
        fv__data_moments(data, 0, 1, c, &mean, &square);
        const double usual = statistic(model, "input.mean", c), scale = statistic(model, "input.inv_std", c);
        distance += (mean - usual) * scale / data->c;
        inverted += (1 - mean - usual) * scale / data->c;
    }
    if (!(fabs(distance) > FAR_MEAN))
        return FV_OK;
    const bool other = fabs(inverted) < FAR_MEAN;
    snprintf(text, sizeof text, "its mean is %s deviations from that of the training set%s",
             fv__fixed(distance, 1).text, other ? "; inverted, it would be near" : "");
    data->warning = fv__strdup(data->ctx, text);
    return data->warning ? FV_OK : FV_ERR_MEMORY;
}

static fv_status read_fitted(fv_model *model, const char *path, const fv_wanted *wanted, fv_data *data)
{
    fv_stamp stamp;
    fv_image_size found;
    char note[FV_DONE_TEXT];
    FV_TRY(fv__picture_read(model->ctx, path, wanted, &stamp, false, &found, data->pixels));
    fv__picture_done(&found, wanted, note);
    if (*note)
        FV_TRY(fv__data_set_note(data, note));
    return warn(model, data);
}

fv_status fv_model_open_image(fv_model *model, const char *path, const fv_image_options *options,
                              fv_data **out)
{
    const fv_image_options none = {0};
    fv_data *data;
    FV_NEED(NULL, model);
    FV_NEED(model->ctx, path);
    FV_NEED(model->ctx, out);
    options = options ? options : &none;
    const fv_model_info info = fv_model_describe(model);
    fv_wanted wanted = {.size = {info.c, info.h, info.w}, .exact = options->as_is, .invert = options->invert};
    if ((info.c != 1 && info.c != 3) || info.h < 1 || info.w < 1)
        return fv__fail(model->ctx, FV_ERR_INPUT,
                        "%s: expected an input of images of 1 or 3 channels, found none", model->source);
    FV_TRY(fit_of(model, &wanted.fit));
    FV_TRY(fv__model_ensure(model));
    FV_TRY(fv__data_create(model->ctx, path, 1, info.c, info.h, info.w, 0, &data));
    const fv_status status = read_fitted(model, path, &wanted, data);
    if (status != FV_OK) {
        fv__data_destroy(data);
        return status;
    }
    *out = data;
    return FV_OK;
}
