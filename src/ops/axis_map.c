/* axis_map.c - maps along the axes of a tensor: their references, and the arguments of the kernels in
 * map.inc. */
#include "ops/axis_map.h"

#include <string.h>

const char *const fv__border_modes[7] = {"zero", "constant:", "mirror", "reflect", "edge", "modulo", NULL};

/* The indices that one index of y reads along an axis: n of at most two. */
typedef struct taps {
    int n, at[2];
    double weight[2];
} taps;

fv_map fv__map_identity(fv_shape x)
{
    fv_map map = {.x = x, .y = x};
    for (int d = 0; d < x.rank; d++) {
        map.axis[d] = d;
        map.factor[d] = 1;
    }
    return map;
}

static int axis_of_x(const fv_map *map, int d)
{
    return map->x.dim[map->axis[d]];
}

fv_map_outside fv__map_outside(int index)
{
    static const fv_map_outside outsides[] = {FV_OUTSIDE_CONSTANT, FV_OUTSIDE_CONSTANT, FV_OUTSIDE_MIRROR,
                                              FV_OUTSIDE_REFLECT,  FV_OUTSIDE_EDGE,     FV_OUTSIDE_MODULO};
    FV_ASSERT(0 <= index && index < (int)FV_COUNT(outsides));
    return outsides[index];
}

int fv__map_seen(fv_map_outside outside, int n, int64_t i)
{
    if (i >= 0 && i < n)
        return (int)i;
    switch (outside) {
    case FV_OUTSIDE_MIRROR:
        return (int)(i < 0 ? -1 - i : 2 * (int64_t)n - 1 - i);
    case FV_OUTSIDE_REFLECT:
        return (int)(i < 0 ? -i : 2 * (int64_t)n - 2 - i);
    case FV_OUTSIDE_EDGE:
        return i < 0 ? 0 : n - 1;
    case FV_OUTSIDE_MODULO:
        return (int)(i < 0 ? i + n : i - n);
    case FV_OUTSIDE_CONSTANT:
        break;
    }
    return -1;
}

fv_status fv__map_expect_border(const fv_infer *q, fv_choice mode, int n, int begin, int end)
{
    const fv_map_outside outside = fv__map_outside(mode.index);
    const int most = outside == FV_OUTSIDE_MIRROR || outside == FV_OUTSIDE_MODULO ? n
                     : outside == FV_OUTSIDE_REFLECT                              ? n - 1
                                                                                  : FV_MAX_DIM;
    if (begin <= most && end <= most)
        return FV_OK;
    return fv__fail(q->ctx, FV_ERR_INPUT,
                    "%s: expected a border of at most %d around %d pixels with %s, found %d", q->what, most,
                    n, fv__border_modes[mode.index], begin > end ? begin : end);
}

/* The index of x that index i of y's axis d reads; -1: the constant. */
static int source(const fv_map *map, int d, int i)
{
    return fv__map_seen(map->outside, axis_of_x(map, d), i / map->factor[d] - map->before[d]);
}

/* With interpolation, the centre of y's pixel i is at (i + 1/2) / factor - 1/2 in x. Beyond the outermost
 * centres of x it has the value of the edge. */
static taps find_taps(const fv_map *map, int d, int i)
{
    taps t = {.n = 1, .weight = {1}};
    if (!map->interpolate || map->factor[d] == 1) {
        t.at[0] = source(map, d, i);
        t.n = t.at[0] >= 0;
        return t;
    }
    const int n = axis_of_x(map, d), factor = map->factor[d];
    const int twice = 2 * i + 1 - factor; /* the position in x, times 2 * factor */
    const int first = twice < 0 ? 0 : twice / (2 * factor);
    const double rest = twice < 0 ? 0 : (double)(twice % (2 * factor)) / (2 * factor);
    t.at[0] = first;
    if (rest > 0 && first + 1 < n) {
        t.n = 2;
        t.at[1] = first + 1;
        t.weight[0] = 1 - rest;
        t.weight[1] = rest;
    }
    return t;
}

/* ---- references ----------------------------------------------------------------------------------- */

/* Strides of x's axes, in values, in the order of y's. */
static void find_strides(const fv_map *map, int64_t stride[FV_MAX_RANK])
{
    int64_t of_x[FV_MAX_RANK], step = 1;
    for (int d = map->x.rank - 1; d >= 0; d--) {
        of_x[d] = step;
        step *= map->x.dim[d];
    }
    for (int d = 0; d < map->y.rank; d++)
        stride[d] = of_x[map->axis[d]];
}

/* Walks all of y and all taps: adds x to y, or dy to dx. The outer `d` axes are done: they read x from `at`
 * on. */
typedef struct walk {
    const fv_map *map;
    int64_t stride[FV_MAX_RANK];
    double *x, *y;
    bool back;
} walk;

static void walk_axis(walk *w, int d, double *x, double weight)
{
    const fv_map *const map = w->map;
    if (d == map->y.rank) {
        if (w->back && x)
            *x += weight * *w->y;
        else if (!w->back)
            *w->y += x ? weight * *x : (double)map->value;
        return;
    }
    /* The loop runs over the last axis of y; on an outer axis it walks everything inside, once for each
     * tap. */
    for (int i = 0; i < map->y.dim[d]; i++) {
        const taps t = find_taps(map, d, i);
        double *const begin = w->y;
        for (int k = 0; k < t.n || k == 0; k++) {
            w->y = begin;
            walk_axis(w, d + 1, x && t.n ? x + t.at[k] * w->stride[d] : NULL, weight * t.weight[k]);
            if (d + 1 == map->y.rank)
                w->y = begin + 1;
        }
    }
}

static void walk_images(const fv_ref *r, const fv_map *map, bool back)
{
    const int64_t n_x = fv__shape_count(map->x), n_y = fv__shape_count(map->y);
    walk w = {.map = map, .back = back};
    find_strides(map, w.stride);
    memset(r->out, 0, (size_t)(r->n * fv__shape_count(r->out_shape)) * sizeof *r->out);
    for (int n = 0; n < r->n; n++) {
        w.x = back ? r->out + n * n_x : (double *)r->in[0] + n * n_x;
        w.y = back ? (double *)r->in[0] + n * n_y : r->out + n * n_y;
        walk_axis(&w, 0, w.x, 1);
    }
}

fv_status fv__map_expect_pixels(const fv_infer *q, fv_shape shape)
{
    char found[FV_SHAPE_TEXT];
    if (shape.rank >= 2 && shape.rank <= 1 + FV_DIRECTIONS)
        return FV_OK;
    return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected channels of pixels, such as an image, found %s",
                    q->what, fv__shape_text(shape, found));
}

fv_cost fv__map_cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs;
    return (fv_cost){0, 4 * ((double)fv__shape_count(in[0]) + (double)fv__shape_count(out))};
}

/* ---- copies --------------------------------------------------------------------------------------- */

/* Merges the innermost axes that y and x share into the axis before them. Returns the number of axes that
 * are left; each index of the last one has *inner values. */
static int merge_axes(const fv_map *map, int64_t *inner)
{
    int rank = map->y.rank;
    for (*inner = 1; rank > 1; rank--) {
        const int d = rank - 1;
        if (map->axis[d] != d || map->before[d] || map->factor[d] != 1 || map->y.dim[d] != map->x.dim[d])
            break;
        if (map->y.rank != map->x.rank)
            break;
        *inner *= map->y.dim[d];
    }
    return rank;
}

/* Consecutive values of y's last axis whose positions in x have a constant distance. */
static fv_status find_runs(fv_lower *l, const fv_map *map, int last, int64_t inner, int64_t stride,
                           fv_map_args *args)
{
    const int n = map->y.dim[last], n_x = axis_of_x(map, last);
    FV_ASSERT(source(map, last, 0) < n_x && source(map, last, n - 1) < n_x);
    fv_map_run *const run = fv__arena_alloc(l->arena, (size_t)n, sizeof *run);
    int n_runs = 0;
    if (!run)
        return FV_ERR_MEMORY;
    for (int i = 0; i < n;) {
        const int first = source(map, last, i);
        const int step = i + 1 < n ? source(map, last, i + 1) - first : 1;
        const bool steps = inner == 1 || step * stride == inner;
        int end = i + 1;
        while (end < n && first < 0 && source(map, last, end) < 0)
            end++;
        while (end < n && first >= 0 && steps && source(map, last, end) >= 0 &&
               source(map, last, end) == first + step * (end - i))
            end++;
        run[n_runs++] = (fv_map_run){.to = (int)(i * inner),
                                     .from = first < 0 ? -1 : (int)(first * stride),
                                     .n = (int)((end - i) * inner),
                                     .step = inner > 1 || end == i + 1 ? 1 : (int)(step * stride)};
        i = end;
    }
    args->run = run;
    args->n_runs = n_runs;
    return FV_OK;
}

static fv_status lower_copy(fv_lower *l, const fv_map *map)
{
    fv_map_args args = {.value = map->value};
    int64_t stride[FV_MAX_RANK], inner;
    const int rank = merge_axes(map, &inner);
    find_strides(map, stride);
    FV_TRY(find_runs(l, map, rank - 1, inner, stride[rank - 1], &args));
    args.line = map->y.dim[rank - 1] * inner;
    args.lines = fv__shape_count(map->y) / args.line;
    args.n_axes = rank - 1;
    for (int d = 0; d < rank - 1; d++) {
        int *const from = fv__arena_alloc(l->arena, (size_t)map->y.dim[d], sizeof *from);
        if (!from)
            return FV_ERR_MEMORY;
        for (int i = 0; i < map->y.dim[d]; i++) {
            const int at = source(map, d, i);
            FV_ASSERT(-1 <= at && at < axis_of_x(map, d));
            from[i] = at < 0 ? -1 : (int)(at * stride[d]);
        }
        args.axis[d] = (fv_map_axis){map->y.dim[d], from};
    }
    return fv__lower_simple(l, FV_KERNEL_map_copy, &args, sizeof args);
}

/* ---- sums ----------------------------------------------------------------------------------------- */

/* For each index of the output, the indices of the input that it sums, in ascending order: forward those of
 * x that an index of y reads, backward those of y that read an index of x. */
static fv_status find_lists(fv_lower *l, const fv_map *map, int d, bool back, fv_sum_axis *axis)
{
    const int n_y = map->y.dim[d], n_x = axis_of_x(map, d);
    const int n_out = back ? n_x : n_y, room = 2 * n_y;
    int *const first = fv__arena_alloc(l->arena, (size_t)n_out + 2, sizeof *first);
    int *const index = fv__arena_alloc(l->arena, (size_t)room, sizeof *index);
    float *const weight = fv__arena_alloc(l->arena, (size_t)room, sizeof *weight);
    if (!first || !index || !weight)
        return FV_ERR_MEMORY;
    for (int i = 0; i < n_y; i++) {
        const taps t = find_taps(map, d, i);
        for (int k = 0; k < t.n; k++)
            first[(back ? t.at[k] : i) + 2]++;
    }
    for (int i = 0; i < n_out; i++)
        first[i + 2] += first[i + 1];
    for (int i = 0; i < n_y; i++) {
        const taps t = find_taps(map, d, i);
        for (int k = 0; k < t.n; k++) {
            FV_ASSERT(0 <= t.at[k] && t.at[k] < n_x);
            const int at = first[(back ? t.at[k] : i) + 1]++;
            index[at] = back ? i : t.at[k];
            weight[at] = (float)t.weight[k];
        }
    }
    *axis = (fv_sum_axis){n_out, back ? n_y : n_x, first, index, weight};
    return FV_OK;
}

/* Runs of neighbouring indices of the innermost axis which each sum one value, if these are neighbours too.
 */
static fv_status find_singles(fv_lower *l, const fv_sum_axis *axis, fv_sum_args *args)
{
    fv_map_run *const run = fv__arena_alloc(l->arena, (size_t)axis->n, sizeof *run);
    int n_runs = 0;
    if (!run)
        return FV_ERR_MEMORY;
    for (int i = 0; i < axis->n;) {
        const int at = axis->first[i];
        const bool single = axis->first[i + 1] == at + 1 && axis->weight[at] == 1.0f;
        int end = i + 1;
        while (end < axis->n) {
            const int other = axis->first[end];
            const bool is_single = axis->first[end + 1] == other + 1 && axis->weight[other] == 1.0f;
            if (is_single != single || (single && axis->index[other] != axis->index[at] + end - i))
                break;
            end++;
        }
        run[n_runs++] = (fv_map_run){.to = i, .from = single ? axis->index[at] : -1, .n = end - i};
        i = end;
    }
    args->run = run;
    args->n_runs = n_runs;
    return FV_OK;
}

/* The first axes are copied; sums run along the last three, or along all if there are fewer. */
static fv_status lower_sums(fv_lower *l, const fv_map *map, bool back)
{
    static const int zero[2] = {0, 1};
    static const float one[1] = {1};
    const int rank = map->y.rank, first = rank > 3 ? rank - 3 : 0;
    fv_sum_args args = {.outer = 1};
    for (int k = 0; k < 3; k++)
        args.at[k] = (fv_sum_axis){1, 1, zero, zero, one};
    for (int d = 0; d < first; d++)
        args.outer *= map->y.dim[d];
    for (int d = first; d < rank; d++)
        FV_TRY(find_lists(l, map, d, back, &args.at[d - rank + 3]));
    FV_TRY(find_singles(l, &args.at[2], &args));
    return fv__lower_simple(l, FV_KERNEL_map_sum, &args, sizeof args);
}

fv_status fv__map_lower(fv_lower *l, const fv_map *map)
{
    return map->interpolate ? lower_sums(l, map, false) : lower_copy(l, map);
}

fv_status fv__map_dx_lower(fv_lower *l, const fv_map *map)
{
    return lower_sums(l, map, true);
}

/* ---- operations that are their map ------------------------------------------------------------------- */

static fv_status infer_dx(fv_infer *q)
{
    const fv_shape dy = q->input[0]->shape;
    char found[FV_SHAPE_TEXT], expected[FV_SHAPE_TEXT];
    fv_shape y;
    FV_TRY(q->op->map->x_of(q, dy, &q->out));
    FV_TRY(fv__shape_check(q->ctx, q->out, q->what));
    FV_TRY(q->op->map->y_of(q, q->out, &y));
    if (!fv__shape_equal(y, dy))
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected a gradient of %s, found %s", q->what,
                        fv__shape_text(y, expected), fv__shape_text(dy, found));
    return FV_OK;
}

fv_status fv__map_op_infer(fv_infer *q)
{
    if (q->op->part == FV_PART_DATA)
        return infer_dx(q);
    FV_TRY(q->op->map->y_of(q, q->input[0]->shape, &q->out));
    return fv__shape_check(q->ctx, q->out, q->what);
}

/* The shapes of a row's input and output are x's and y's, or of a gradient y's and x's. */
static fv_map map_between(const fv_op *op, const void *attrs, fv_shape in, fv_shape out)
{
    return op->part == FV_PART_DATA ? op->map->map_of(attrs, out, in) : op->map->map_of(attrs, in, out);
}

void fv__map_op_ref(const fv_ref *r)
{
    const fv_map map = map_between(r->op, r->attrs, r->in_shape[0], r->out_shape);
    walk_images(r, &map, r->op->part == FV_PART_DATA);
}

fv_status fv__map_op_lower(fv_lower *l)
{
    const fv_map map = map_between(l->op, l->attrs, l->in_shape[0], l->out_shape);
    return l->op->part == FV_PART_DATA ? fv__map_dx_lower(l, &map) : fv__map_lower(l, &map);
}

fv_status fv__map_op_grad(fv_grad *g)
{
    return fv__grad_node(g, g->node->op->map->dx, "dx", g->node->attrs, 1, &g->dy, FV_ROLE_VALUE, -1,
                         &g->dx[0]);
}
