/* conv_border.c - convolutions whose padding shows values of the picture or a constant instead of zeros.
 *
 * A window sees x through a map, which gives every pixel of x with its border a pixel of x (axis_map.h):
 *
 *   y = conv(map(x))    dw = sum of dy times map(x)    dx = the map's transpose of the data gradient
 *
 * The sums are those of a convolution without padding of the larger picture, in the same order. A way that
 * cannot read through a map is given that picture in a buffer. */
#include "ops/conv.h"

#include "ops/conv_c16.h"

/* Pixels that windows see beyond the end of x. */
static int after(const fv_axis *at)
{
    const int64_t end =
        (at->out - 1) * (int64_t)at->stride + (at->window - 1) * (int64_t)at->dilation + 1 - at->before;
    return end > at->in ? (int)(end - at->in) : 0;
}

fv_status fv__conv_check_border(const fv_infer *q, int directions, const fv_axis at[FV_AXES])
{
    const fv_conv_attrs *const a = q->attrs;
    for (const fv_axis *axis = at + FV_AXES - directions; a->border.index && axis < at + FV_AXES; axis++)
        FV_TRY(fv__map_expect_border(q, a->border, axis->in, axis->before,
                                     a->pad.n > 0 ? axis->before : after(axis)));
    return FV_OK;
}

const fv_map *fv__conv_border(const fv_conv_attrs *a, fv_shape x, fv_conv_args *conv, fv_map *map)
{
    *map = fv__map_identity(x);
    if (a->border.index == 0)
        return NULL;
    map->outside = fv__map_outside(a->border.index);
    map->value = a->border.value;
    for (int d = 1; d < x.rank; d++) {
        fv_axis *const at = &conv->at[FV_AXES - x.rank + d];
        map->before[d] = at->before;
        map->y.dim[d] = at->in += at->before + after(at);
        at->before = 0;
    }
    return fv__shape_equal(map->x, map->y) ? NULL : map;
}

static fv_status copy(fv_lower *l, const void *map)
{
    return fv__map_lower(l, map);
}

/* x with its border in a buffer, which stands for the node's input x from there on. */
static fv_status lower_copy(fv_lower *l, const fv_conv_task *task)
{
    fv_map map = *task->border;
    fv_lower to_buffer = *l;
    to_buffer.n_inputs = 1;
    to_buffer.in[0] = l->in[task->x];
    to_buffer.in_shape[0] = map.x;
    to_buffer.out_shape = map.y;
    to_buffer.chosen = NULL;
    to_buffer.fused = NULL;
    l->in_shape[task->x] = map.y;
    if (task->c16) {
        FV_TRY(fv__lower_bundles(l, map.y, &to_buffer.out));
        map.x.dim[0] = map.y.dim[0] = 1;
        FV_TRY(fv__lower_by_bundle(&to_buffer, copy, &map));
    } else {
        FV_TRY(fv__lower_buffer(l, FV_SCOPE_IMAGE, fv__shape_count(map.y), &to_buffer.out));
        FV_TRY(copy(&to_buffer, &map));
    }
    l->in[task->x] = to_buffer.out;
    return to_buffer.status;
}

static fv_status make_tables(fv_lower *l, const fv_map *map, fv_conv_border *border)
{
    static const int32_t first[] = {0};
    border->value = map->value;
    for (int a = 0; a < FV_AXES; a++) {
        border->x[a] = 1;
        border->seen[a] = first;
    }
    for (int d = 1; d < map->x.rank; d++) {
        int32_t *const seen = fv__arena_alloc(l->arena, (size_t)map->y.dim[d], sizeof *seen);
        if (!seen)
            return FV_ERR_MEMORY;
        for (int k = 0; k < map->y.dim[d]; k++)
            seen[k] = fv__map_seen(map->outside, map->x.dim[d], k - map->before[d]);
        border->x[FV_AXES - map->x.rank + d] = map->x.dim[d];
        border->seen[FV_AXES - map->x.rank + d] = seen;
    }
    return FV_OK;
}

fv_status fv__conv_lower_border(fv_lower *l, const fv_conv_way *way, const fv_conv_task *task)
{
    if (!way->border || !way->border(task)) {
        FV_TRY(lower_copy(l, task));
        return way->lower(l, task);
    }
    fv_conv_border *const border = fv__arena_alloc(l->arena, 1, sizeof *border);
    if (!border)
        return FV_ERR_MEMORY;
    FV_TRY(make_tables(l, task->border, border));
    fv_conv_args part = *task->part;
    fv_conv_task through = *task;
    part.border = border;
    through.part = &part;
    return way->lower(l, &through);
}
