/* fetch.c - the samples of a batch: where they lie in memory, or, of pictures that are files and not held,
 * decoded into a buffer. Training, evaluation and prediction take their samples from here. */
#include "train/train.h"

#include "data/files.h"

/* The feed whose samples may have to be read; -1: all are in memory. */
static int read_feed(const fv_samples *samples, int n_feeds)
{
    const fv_data *const data = samples->data;
    for (int f = 0; f < n_feeds && data && data->n_held < data->n; f++)
        if (samples->field[f] == 0)
            return f;
    return -1;
}

fv_status fv__fetch_create(const fv_model *model, const fv_samples *samples, int most, bool scattered,
                           fv_fetch *out)
{
    fv_context *const ctx = model->ctx;
    *out = (fv_fetch){.ctx = ctx, .samples = samples, .n_feeds = model->graph.n_feeds, .most = most};
    out->read = read_feed(samples, out->n_feeds);
    if (out->read >= 0) {
        out->buffer = fv__alloc(ctx, (size_t)most, samples->feed[out->read].step);
        out->to = fv__alloc(ctx, (size_t)most, sizeof *out->to);
        out->which = fv__alloc(ctx, (size_t)most, sizeof *out->which);
    }
    if (scattered || out->read >= 0)
        out->each = fv__alloc(ctx, (size_t)most, (size_t)out->n_feeds * sizeof *out->each);
    if (((scattered || out->read >= 0) && !out->each) ||
        (out->read >= 0 && (!out->buffer || !out->to || !out->which))) {
        fv__fetch_destroy(out);
        return FV_ERR_MEMORY;
    }
    return FV_OK;
}

void fv__fetch_destroy(fv_fetch *fetch)
{
    fv__free(fetch->ctx, fetch->buffer);
    fv__free(fetch->ctx, fetch->to);
    fv__free(fetch->ctx, fetch->which);
    fv__free(fetch->ctx, fetch->each);
    *fetch = (fv_fetch){.ctx = fetch->ctx};
}

/* Reads what is not held of n samples. */
static fv_status read_samples(fv_fetch *fetch, const uint32_t *order, int first, int n, const void **each)
{
    const fv_given *const given = &fetch->samples->feed[fetch->read];
    const fv_data *const data = fetch->samples->data;
    for (int i = 0; i < n; i++) {
        fetch->which[i] = order ? order[i] : (uint32_t)(first + i);
        const bool held = (int)fetch->which[i] < data->n_held;
        fetch->to[i] = held ? NULL : fetch->buffer + (size_t)i * given->step;
        each[i] = held ? fv__given_at(given, (int)fetch->which[i]) : fetch->to[i];
    }
    return fv__files_read(data->files, fetch->which, n, fetch->to);
}

fv_status fv__fetch(fv_fetch *fetch, const uint32_t *order, int first, int n, fv_given feed[FV_MAX_FEEDS])
{
    for (int f = 0; f < fetch->n_feeds; f++) {
        const fv_given *const given = &fetch->samples->feed[f];
        const void **const each = fetch->each ? fetch->each + (size_t)f * (size_t)fetch->most : NULL;
        if (!order && f != fetch->read) {
            feed[f] = fv__given_from(given, first);
            continue;
        }
        feed[f] = *given;
        feed[f].each = each;
        if (f == fetch->read)
            FV_TRY(read_samples(fetch, order, first, n, each));
        else
            for (int i = 0; i < n; i++)
                each[i] = fv__given_at(given, (int)order[i]);
    }
    return FV_OK;
}

void fv__fetch_soon(const fv_fetch *fetch, const uint32_t *order, int n)
{
    if (fetch->read >= 0)
        fv__files_announce(fetch->samples->data->files, order, n);
}
