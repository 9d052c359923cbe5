/* feeds.c - the sources of a model's feeds: the fields of a data set, arrays of a caller, or noise.
 *
 * A feed takes the field of its own name. A feed without such a field takes the first field that has no
 * feed's name and that no earlier feed has taken: "input" takes "image". */
#include "train/train.h"

#include "base/rng.h"

#include <string.h>

static fv_shape shape_of(const fv_model *model, int feed)
{
    return model->graph.tensors[model->graph.feed[feed].tensor].shape;
}

/* ---- data sets ---------------------------------------------------------------------------------------- */

/* field[f]: the field of feed f; -1: none. */
static void match(const fv_model *model, const fv_data *data, int field[FV_MAX_FEEDS])
{
    bool taken[FV_MAX_FIELDS] = {false};
    const fv_graph *const graph = &model->graph;
    for (int f = 0; f < graph->n_feeds; f++) {
        field[f] = fv__data_field(data, graph->feed[f].name);
        if (field[f] >= 0)
            taken[field[f]] = true;
    }
    for (int f = 0; f < graph->n_feeds; f++)
        for (int k = 0; k < data->n_fields && field[f] < 0; k++)
            if (!taken[k]) {
                field[f] = k;
                taken[k] = true;
            }
}

static fv_status check_classes(const fv_model *model, const fv_data *data, int found, int n_classes)
{
    if (found > n_classes || (found > 0 && n_classes == 2 && found != 2))
        return fv__fail(model->ctx, FV_ERR_INPUT, "%s: expected %s%d classes for %s, found %d", data->name,
                        n_classes == 2 ? "" : "at most ", n_classes, model->source, found);
    return FV_OK;
}

static fv_status check_field(const fv_model *model, const fv_data *data, int f, int k)
{
    const fv_feed *const feed = &model->graph.feed[f];
    const fv_shape expected = shape_of(model, f);
    char text[FV_SHAPE_TEXT], found[FV_SHAPE_TEXT];
    if (k < 0)
        return fv__fail(model->ctx, FV_ERR_INPUT, "%s: expected a field '%s' of %s for %s, found none",
                        data->name, feed->name, fv__shape_text(expected, text), model->source);
    const fv_field *const field = &data->field[k];
    if (!fv__shape_equal(field->shape, expected)) {
        fv__shape_text(expected, text), fv__shape_text(field->shape, found);
        if (expected.rank == 3 && field->shape.rank == 3 && f == 0)
            return fv__fail(model->ctx, FV_ERR_INPUT, "%s: expected images of %s for %s, found %s",
                            data->name, text, model->source, found);
        return fv__fail(model->ctx, FV_ERR_INPUT, "%s: expected '%s' of %s for %s, found field '%s' of %s",
                        data->name, feed->name, text, model->source, field->name, found);
    }
    if (feed->kind != FV_FEED_CLASSES)
        return FV_OK;
    const bool is_scaled = field->element == FV_U8 && field->scale != 1;
    if (field->element == FV_F32 || is_scaled)
        return fv__fail(model->ctx, FV_ERR_INPUT, "%s: expected class numbers in field '%s' for %s, found %s",
                        data->name, field->name, model->source,
                        is_scaled ? "bytes with a scale other than 1" : "floats");
    return check_classes(model, data, field->n_classes, feed->n_classes);
}

fv_status fv__check_data(const fv_model *model, const fv_data *data, bool targets)
{
    int field[FV_MAX_FEEDS];
    match(model, data, field);
    for (int f = 0; f < model->graph.n_feeds; f++)
        if (targets || model->graph.feed[f].kind == FV_FEED_INPUT || field[f] >= 0)
            FV_TRY(check_field(model, data, f, field[f]));
    return FV_OK;
}

fv_status fv__samples_of(const fv_model *model, const fv_data *data, bool targets, fv_samples *out)
{
    int field[FV_MAX_FEEDS] = {0};
    FV_TRY(fv__check_data(model, data, targets));
    match(model, data, field);
    *out = (fv_samples){.name = data->name, .data = data};
    memcpy(out->field, field, sizeof field);
    for (int f = 0; f < model->graph.n_feeds; f++)
        if (field[f] >= 0) {
            const fv_field *const from = &data->field[field[f]];
            out->feed[f] = (fv_given){
                .element = from->element, .scale = from->scale, .first = from->values, .step = from->bytes};
        }
    return FV_OK;
}

float fv__given_value(const fv_given *given, int i, int64_t k)
{
    const void *const at = fv__given_at(given, i);
    if (given->element == FV_F32)
        return ((const float *)at)[k];
    if (given->element == FV_I32)
        return (float)((const int32_t *)at)[k];
    const float byte = (float)((const uint8_t *)at)[k];
    return given->scale == FV_SCALE_PIXELS ? byte / 255.0f : byte * given->scale;
}

/* The data set's class numbers were checked when it was created, except for "unknown". */
fv_status fv__check_labels(const fv_model *model, const fv_samples *samples, int n)
{
    for (int f = 0; f < model->graph.n_feeds; f++) {
        const int64_t count = fv__shape_count(shape_of(model, f));
        for (int i = 0; i < n && model->graph.feed[f].kind == FV_FEED_CLASSES; i++)
            for (int64_t k = 0; k < count; k++) {
                const float label = fv__given_value(&samples->feed[f], i, k);
                if (label < 0)
                    return fv__fail(model->ctx, FV_ERR_INPUT,
                                    "%s: expected a label for every image, found none for image %d",
                                    samples->name, i);
                if (label >= (float)model->graph.feed[f].n_classes)
                    return fv__fail(model->ctx, FV_ERR_INPUT,
                                    "%s: image %d: expected a class of 0 to %d for %s, found %d",
                                    samples->name, i, model->graph.feed[f].n_classes - 1, model->source,
                                    (int)label);
            }
    }
    return FV_OK;
}

/* ---- arrays ------------------------------------------------------------------------------------------- */

fv_given fv__give_pixels(const fv_model *model, const uint8_t *pixels)
{
    return (fv_given){.element = FV_U8,
                      .scale = FV_SCALE_PIXELS,
                      .first = pixels,
                      .step = (size_t)fv__shape_count(shape_of(model, 0))};
}

fv_given fv__give_values(const fv_model *model, const float *values)
{
    return (fv_given){.element = FV_F32,
                      .first = values,
                      .step = (size_t)fv__shape_count(shape_of(model, 0)) * sizeof *values};
}

/* ---- noise -------------------------------------------------------------------------------------------- */

/* Random bytes, and whole numbers below the number of classes, for n samples. */
static void fill(const fv_feed *feed, uint8_t *bytes, int32_t *numbers, size_t n)
{
    fv_rng rng = fv__rng(0, FV_STREAM_CHECK, 0, 0);
    for (size_t i = 0; i < n && feed->kind != FV_FEED_CLASSES; i++)
        bytes[i] = (uint8_t)fv__rng_u32(&rng);
    for (size_t i = 0; i < n && feed->kind == FV_FEED_CLASSES; i++)
        numbers[i] = (int32_t)fv__rng_below(&rng, (uint32_t)feed->n_classes);
}

fv_status fv__noise_create(const fv_model *model, int n, fv_noise *out)
{
    *out = (fv_noise){.ctx = model->ctx};
    for (int f = 0; f < model->graph.n_feeds; f++) {
        const bool classes = model->graph.feed[f].kind == FV_FEED_CLASSES;
        const size_t count = (size_t)fv__shape_count(shape_of(model, f)),
                     each = classes ? sizeof(int32_t) : 1;
        void *const block = out->block[f] = fv__alloc(model->ctx, count * (size_t)n, each);
        if (!block) {
            fv__noise_destroy(out);
            return FV_ERR_MEMORY;
        }
        fill(&model->graph.feed[f], block, block, count * (size_t)n);
        out->feed[f] = (fv_given){.element = classes ? FV_I32 : FV_U8,
                                  .scale = classes ? 1 : FV_SCALE_PIXELS,
                                  .first = block,
                                  .step = count * each};
    }
    return FV_OK;
}

void fv__noise_destroy(fv_noise *noise)
{
    for (int f = 0; f < FV_MAX_FEEDS; f++)
        fv__free(noise->ctx, noise->block[f]);
}
