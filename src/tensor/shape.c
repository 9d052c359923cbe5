/* shape.c - the sizes of a tensor, outermost first. */
#include "tensor/shape.h"

#include <stdio.h>

fv_shape fv__shape(int rank, const int *dim)
{
    fv_shape shape = {.rank = rank};
    for (int i = 0; i < rank && i < FV_MAX_RANK; i++)
        shape.dim[i] = dim[i];
    return shape;
}

/* Returns INT64_MAX if the product does not fit, which every check refuses. */
int64_t fv__shape_count(fv_shape shape)
{
    int64_t count = 1;
    for (int i = 0; i < shape.rank && i < FV_MAX_RANK; i++)
        if (__builtin_mul_overflow(count, (int64_t)shape.dim[i], &count))
            return INT64_MAX;
    return count;
}

bool fv__shape_equal(fv_shape a, fv_shape b)
{
    if (a.rank != b.rank)
        return false;
    for (int i = 0; i < a.rank && i < FV_MAX_RANK; i++)
        if (a.dim[i] != b.dim[i])
            return false;
    return true;
}

fv_status fv__shape_check(fv_context *ctx, fv_shape shape, const char *what)
{
    char text[FV_SHAPE_TEXT];
    if (shape.rank < 0 || shape.rank > FV_MAX_RANK)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: a shape of %d dimensions; expected at most %d", what,
                        shape.rank, FV_MAX_RANK);
    for (int i = 0; i < shape.rank; i++)
        if (shape.dim[i] < 1 || shape.dim[i] > FV_MAX_DIM)
            return fv__fail(ctx, FV_ERR_INPUT, "%s: shape %s; expected every dimension in 1 to %d", what,
                            fv__shape_text(shape, text), FV_MAX_DIM);
    const int64_t count = fv__shape_count(shape);
    if (count > FV_MAX_VALUES)
        return fv__fail(ctx, FV_ERR_INPUT, "%s: shape %s has too many values; expected at most %lld", what,
                        fv__shape_text(shape, text), FV_MAX_VALUES);
    return FV_OK;
}

char *fv__shape_text(fv_shape shape, char buffer[FV_SHAPE_TEXT])
{
    if (shape.rank <= 0) {
        snprintf(buffer, FV_SHAPE_TEXT, "scalar");
        return buffer;
    }
    int n = 0;
    for (int i = 0; i < shape.rank && i < FV_MAX_RANK; i++)
        n += snprintf(buffer + n, (size_t)(FV_SHAPE_TEXT - n), "%s%d", i ? "x" : "", shape.dim[i]);
    return buffer;
}

/* The number of values does not change: [c][w] is a row of w, [c][d][h][w] has d * h rows. */
fv_chw fv__shape_chw(fv_shape shape)
{
    const int *d = shape.dim;
    switch (shape.rank) {
    case 1:
        return (fv_chw){d[0], 1, 1};
    case 2:
        return (fv_chw){d[0], 1, d[1]};
    case 3:
        return (fv_chw){d[0], d[1], d[2]};
    case 4:
        return (fv_chw){d[0], d[1] * d[2], d[3]};
    default:
        return (fv_chw){1, 1, 1};
    }
}
