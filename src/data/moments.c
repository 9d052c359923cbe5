/* moments.c - the mean and the mean square of a channel: of bytes exactly, from integer sums. */
#include "data/files.h"

/* The values of channel c of the first n samples, as training sees them. */
typedef struct channel {
    const fv_field *field;
    int n;
    int64_t c, plane;
} channel;

static void sum_bytes(const channel *ch, uint64_t *sum, uint64_t *squares)
{
    for (int i = 0; i < ch->n; i++) {
        const uint8_t *const p = (const uint8_t *)ch->field->values + (size_t)i * ch->field->bytes;
        for (int64_t k = ch->c * ch->plane; k < (ch->c + 1) * ch->plane; k++) {
            *sum += p[k];
            *squares += (uint64_t)p[k] * p[k];
        }
    }
}

/* Pictures that are files were summed when they were read. */
static void sum_files(const channel *ch, const fv_files *files, uint64_t *sum, uint64_t *squares)
{
    for (int64_t i = 0; i < ch->n; i++) {
        *sum += files->sum[i * files->wanted.size.c + ch->c];
        *squares += files->square[i * files->wanted.size.c + ch->c];
    }
}

static void sum_reals(const channel *ch, double *sum, double *squares)
{
    for (int i = 0; i < ch->n; i++) {
        const char *const p = (const char *)ch->field->values + (size_t)i * ch->field->bytes;
        for (int64_t k = ch->c * ch->plane; k < (ch->c + 1) * ch->plane; k++) {
            const bool real = ch->field->element == FV_F32;
            const double v = (double)(real ? ((const float *)(const void *)p)[k]
                                           : (float)((const int32_t *)(const void *)p)[k]);
            *sum += v;
            *squares += v * v;
        }
    }
}

void fv__data_moments(const fv_data *data, int field, int n, int c, double *mean, double *square)
{
    const fv_field *const own = &data->field[field];
    const channel ch = {own, n, c, fv__shape_count(own->shape) / own->shape.dim[0]};
    const double count = (double)n * (double)ch.plane;
    if (own->element != FV_U8) {
        double sum = 0, squares = 0;
        sum_reals(&ch, &sum, &squares);
        *mean = sum / count;
        *square = squares / count;
        return;
    }
    uint64_t sum = 0, squares = 0;
    if (field == 0 && data->files)
        sum_files(&ch, data->files, &sum, &squares);
    else
        sum_bytes(&ch, &sum, &squares);
    const double scale = own->scale == FV_SCALE_PIXELS ? 255.0 : 1 / (double)own->scale;
    *mean = (double)sum / count / scale;
    *square = (double)squares / count / (scale * scale);
}
