/* resample.c - planes of bytes at another size.
 *
 *     out[i] = sum_j weight(i, j) in[j],   weight(i, j) ~ max(0, 1 - |j + 1/2 - centre(i)| / s)
 *     centre(i) = first + (i + 1/2) * size / n,   s = max(1, size / n)
 *
 * first along rows, then along columns, with bytes between. Weights of an output add up to 1; they have 22
 * bits, and sums are whole numbers, so the bits are the same everywhere. */
#include "data/resample.h"

enum { WEIGHT_BITS = 22 };

/* Output i is the sum over inputs [first[i], first[i] + count[i]) with weight + i * most. */
typedef struct taps {
    int *first, *count;
    int32_t *weight;
    int most;
} taps;

static void taps_free(fv_context *ctx, taps *t)
{
    fv__free(ctx, t->first);
    fv__free(ctx, t->count);
    fv__free(ctx, t->weight);
}

static double triangle(double x)
{
    x = x < 0 ? -x : x;
    return x < 1 ? 1 - x : 0;
}

/* Those of output i among `in` inputs. */
static void set_taps(taps *t, int i, double centre, double scale, int in)
{
    const double low = centre - scale + 0.5, high = centre + scale + 0.5;
    const int first = low > 0 ? (int)low : 0, end = high < in ? (int)high : in;
    int32_t *const weight = t->weight + (size_t)i * (size_t)t->most;
    double sum = 0;
    for (int j = first; j < end; j++)
        sum += triangle((j + 0.5 - centre) / scale);
    for (int j = first; j < end; j++) {
        const double share = sum > 0 ? triangle((j + 0.5 - centre) / scale) / sum : 0;
        weight[j - first] = (int32_t)(share * (1 << WEIGHT_BITS) + 0.5);
    }
    t->first[i] = first;
    t->count[i] = end - first;
}

static fv_status make_taps(fv_context *ctx, double begin, double size, int in, int out, taps *t)
{
    const double step = size / out, scale = step > 1 ? step : 1;
    *t = (taps){.most = 2 * (int)(scale + 1) + 1};
    t->first = fv__alloc(ctx, (size_t)out, sizeof *t->first);
    t->count = fv__alloc(ctx, (size_t)out, sizeof *t->count);
    t->weight = fv__alloc(ctx, (size_t)out * (size_t)t->most, sizeof *t->weight);
    if (!t->first || !t->count || !t->weight) {
        taps_free(ctx, t);
        return FV_ERR_MEMORY;
    }
    for (int i = 0; i < out; i++)
        set_taps(t, i, begin + (i + 0.5) * step, scale, in);
    return FV_OK;
}

static uint8_t rounded(int64_t sum)
{
    const int64_t value = (sum + (1 << (WEIGHT_BITS - 1))) >> WEIGHT_BITS;
    return (uint8_t)(value > 255 ? 255 : value);
}

static void along_row(const taps *t, const uint8_t *from, uint8_t *to, int n)
{
    for (int i = 0; i < n; i++) {
        const int32_t *const weight = t->weight + (size_t)i * (size_t)t->most;
        const uint8_t *const p = from + t->first[i];
        int32_t sum = 0; /* below 255 * 2^22 and a little: the weights add up to 1 */
        for (int k = 0; k < t->count[i]; k++)
            sum += p[k] * weight[k];
        to[i] = rounded(sum);
    }
}

/* Row i of the output, from rows of w bytes that begin with input row `first_row`. */
static void along_columns(const taps *t, int i, const uint8_t *rows, int first_row, int w, int32_t *sums,
                          uint8_t *to)
{
    const int32_t *const weight = t->weight + (size_t)i * (size_t)t->most;
    const uint8_t *p = rows + (size_t)(t->first[i] - first_row) * (size_t)w;
    for (int x = 0; x < w; x++)
        sums[x] = 0;
    for (int k = 0; k < t->count[i]; k++, p += w)
        for (int x = 0; x < w; x++)
            sums[x] += p[x] * weight[k];
    for (int x = 0; x < w; x++)
        to[x] = rounded(sums[x]);
}

/* The rows that the columns' taps see, each resampled to w bytes. */
static fv_status make_rows(fv_context *ctx, const taps *columns, int h, int w, int *first, int *n,
                           uint8_t **rows, int32_t **sums)
{
    *first = columns->first[0];
    *n = columns->first[h - 1] + columns->count[h - 1] - *first;
    *rows = fv__alloc(ctx, (size_t)*n, (size_t)w);
    *sums = fv__alloc(ctx, (size_t)w, sizeof **sums);
    return *rows && *sums ? FV_OK : FV_ERR_MEMORY;
}

fv_status fv__resample(fv_context *ctx, const uint8_t *from, const fv_image_size *size, const fv_box *box,
                       uint8_t *to, const fv_image_size *to_size, int h, int w)
{
    taps columns = {0}, line = {0};
    uint8_t *rows = NULL;
    int32_t *sums = NULL;
    int first, n;
    fv_status status = make_taps(ctx, box->y, box->h, size->h, h, &columns);
    if (status == FV_OK)
        status = make_taps(ctx, box->x, box->w, size->w, w, &line);
    if (status == FV_OK)
        status = make_rows(ctx, &columns, h, w, &first, &n, &rows, &sums);
    for (int k = 0; k < size->c && status == FV_OK; k++) {
        const uint8_t *const plane = from + (size_t)k * (size_t)size->h * (size_t)size->w;
        uint8_t *const out = to + (size_t)k * (size_t)to_size->h * (size_t)to_size->w;
        for (int y = 0; y < n; y++)
            along_row(&line, plane + (size_t)(first + y) * (size_t)size->w, rows + (size_t)y * (size_t)w, w);
        for (int y = 0; y < h; y++)
            along_columns(&columns, y, rows, first, w, sums, out + (size_t)y * (size_t)to_size->w);
    }
    taps_free(ctx, &columns);
    taps_free(ctx, &line);
    fv__free(ctx, rows);
    fv__free(ctx, sums);
    return status;
}

void fv__gray_of_rgb(const uint8_t *rgb, size_t n, uint8_t *gray)
{
    for (size_t i = 0; i < n; i++) /* in 16 bits, which add up to 1 */
        gray[i] = (uint8_t)((rgb[i] * 19595u + rgb[n + i] * 38470u + rgb[2 * n + i] * 7471u + 32768u) >> 16);
}
