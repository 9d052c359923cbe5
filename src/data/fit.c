/* fit.c - data sets of pictures in memory: of what a source read, and brought to another size. */
#include "base/locals.h"
#include "base/pool.h"
#include "data/picture.h"
#include "data/sources.h"

#include <stdio.h>
#include <string.h>

fv_status fv__data_of_pictures(const fv_opening *o, uint8_t *pixels, const int *labels, int n, int c, int h,
                               int w, int n_classes, const char *const *class_names, fv_data **out)
{
    fv_data *data = NULL;
    FV_TRY(fv__data_adopt(o->ctx, o->name, pixels, n, c, h, w, n_classes, &data));
    memcpy(data->labels, labels, (size_t)n * sizeof *labels);
    fv_status status = class_names ? fv__data_name_classes(data, class_names) : FV_OK;
    if (status == FV_OK)
        status = fv__data_select(data, o->options);
    if (status != FV_OK) {
        fv__data_destroy(data);
        return status;
    }
    *out = data;
    return FV_OK;
}

typedef struct fitting {
    const fv_data *data;
    fv_image_size size;
    const fv_wanted *wanted;
    uint8_t *to;
    size_t from_bytes, to_bytes;
    fv_locals *locals;
} fitting;

static void fit_one(void *user, int i, int worker)
{
    const fitting *const f = user;
    const fv_status status =
        fv__picture_fit(fv__local(f->locals, worker), f->data->pixels + (size_t)i * f->from_bytes, &f->size,
                        f->wanted, f->to + (size_t)i * f->to_bytes);
    if (status != FV_OK)
        fv__locals_failed(f->locals, worker, i, status);
}

static fv_status fit_all(fv_data *data, const fv_wanted *wanted)
{
    fv_context *const ctx = data->ctx;
    fv_field *const field = &data->field[0];
    const fv_image_size *const size = &wanted->size;
    fitting f = {.data = data, .size = {data->c, data->h, data->w}, .wanted = wanted};
    f.from_bytes = field->bytes;
    f.to_bytes = (size_t)size->c * (size_t)size->h * (size_t)size->w;
    f.to = fv__alloc(ctx, (size_t)data->n, f.to_bytes);
    fv_status status = f.to ? fv__locals_create(ctx, &f.locals) : FV_ERR_MEMORY;
    if (status == FV_OK) {
        fv__pool_run(ctx->pool, data->n, fit_one, &f);
        status = fv__locals_status(f.locals);
    }
    fv__locals_destroy(f.locals);
    if (status != FV_OK) {
        fv__free(ctx, f.to);
        return fv__memory_for(ctx, status, data->name);
    }
    fv__data_replace_pixels(data, f.to, size->c, size->h, size->w);
    return FV_OK;
}

fv_status fv__data_fit(fv_data *data, const fv_data_options *options, fv_fit fit)
{
    char done[FV_DONE_TEXT], note[FV_DONE_TEXT + 32];
    const fv_image_size found = {data->c, data->h, data->w};
    const fv_wanted wanted = {.size = {options->c, options->h, options->w}, .fit = fit};
    const bool pictures = data->pixels && data->field[0].shape.rank == 3 && (data->c == 1 || data->c == 3);
    if (data->files || !pictures || (options->c != 1 && options->c != 3) || options->h < 1 || options->w < 1)
        return FV_OK;
    fv__picture_done(&found, &wanted, done);
    if (!*done)
        return FV_OK;
    FV_TRY(fv__shape_check(data->ctx, FV_SHAPE(options->c, options->h, options->w), data->name));
    FV_TRY(fit_all(data, &wanted));
    snprintf(note, sizeof note, "%d pictures: %s", data->n, done);
    return fv__data_set_note(data, note);
}
