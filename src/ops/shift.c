/* shift.c - augmentation: in training each image is shifted by a few pixels; pixels from outside are 0.
 *
 *   y[c][i][j] = x[c][i - dy][j - dx], with a new dy and dx in every epoch, each from -range to range
 *
 * The draws depend only on the number of the image and the epoch (fv__draw_shift), so inputs and targets of
 * one image move alike. A signal [c][w] moves along its only direction; all frames of a video move alike.
 * Outside of training the operation is the identity. */
#include "base/rng.h"
#include "plan/lower.h"
#include "ops/ops.h"

static const fv_attr_spec specs[] = {{.word = "range",
                                      .type = FV_ATTR_INT,
                                      .offset = offsetof(fv_shift_attrs, range),
                                      .max = FV_MAX_SHIFT,
                                      .initial = 1}};

/* The last two directions are shifted; a signal has only the last. */
static fv_shift_args args_of(fv_shape shape, int range, bool back)
{
    const int h = shape.rank > 2 ? shape.dim[shape.rank - 2] : 1, w = shape.dim[shape.rank - 1];
    return (fv_shift_args){fv__shape_count(shape) / h / w, h, w, range, back};
}

static fv_status infer(fv_infer *q)
{
    char text[FV_SHAPE_TEXT];
    q->out = q->input[0]->shape;
    if (q->out.rank < 2)
        return fv__fail(q->ctx, FV_ERR_INPUT,
                        "%s: expected an image or a signal to shift, found a vector of %s", q->what,
                        fv__shape_text(q->out, text));
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    return fv__grad_node(g, &fv_op_shift_dx, "dx", g->node->attrs, 1, &g->dy, FV_ROLE_VALUE, -1, &g->dx[0]);
}

static void move_image(const fv_shift_args *s, const double *x, const int by[2], double *y)
{
    const int dy = s->h == 1 ? 0 : by[0], dx = by[1];
    for (int64_t plane = 0; plane < s->planes; plane++)
        for (int i = 0; i < s->h; i++)
            for (int j = 0; j < s->w; j++) {
                const bool inside = i - dy >= 0 && i - dy < s->h && j - dx >= 0 && j - dx < s->w;
                y[(plane * s->h + i) * s->w + j] = inside ? x[(plane * s->h + i - dy) * s->w + j - dx] : 0;
            }
}

/* The number of a sample is the image's index in the batch. */
static void move(const fv_ref *r, bool back)
{
    const fv_shift_attrs *const a = r->attrs;
    const fv_shift_args s = args_of(r->out_shape, a->range, back);
    const int64_t count = fv__shape_count(r->out_shape);
    for (int n = 0; n < r->n; n++) {
        int by[2];
        fv__draw_shift(r->seed, (uint32_t)n, r->epoch, a->range, by);
        by[0] = back ? -by[0] : by[0];
        by[1] = back ? -by[1] : by[1];
        move_image(&s, r->in[0] + n * count, by, r->out + n * count);
    }
}

static void ref(const fv_ref *r)
{
    move(r, false);
}

static void ref_dx(const fv_ref *r)
{
    move(r, true);
}

static fv_status lower_shift(fv_lower *l, bool back)
{
    const fv_shift_attrs *const a = l->attrs;
    const fv_shift_args args = args_of(l->out_shape, a->range, back);
    return fv__lower_simple(l, FV_KERNEL_shift, &args, sizeof args);
}

static fv_status lower(fv_lower *l)
{
    return lower_shift(l, false);
}

static fv_status lower_dx(fv_lower *l)
{
    return lower_shift(l, true);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in;
    return (fv_cost){0, 8 * (double)fv__shape_count(out)};
}

static const fv_case cases[] = {
    {17, {{3, {3, 5, 7}}}, "range=2"}, {16, {{3, {1, 4, 4}}}, "range=1"},
    {33, {{3, {2, 3, 2}}}, "range=5"}, {15, {{3, {1, 28, 28}}}, "range=100"},
    {18, {{2, {3, 17}}}, "range=3"},   {3, {{3, {2, 9, 1}}}, "range=0"},
};

const fv_op fv_op_shift = {
    .name = "shift",
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .attr_bytes = sizeof(fv_shift_attrs),
    .attrs = specs,
    .n_attrs = 1,
    .cheap = true,
    .inference = {&fv_op_identity, 1, {0}},
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
};

/* The same draws, in the opposite direction. Its input is dy. */
const fv_op fv_op_shift_dx = {
    .name = "shift_dx",
    .family = "shift",
    .part = FV_PART_DATA,
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .attr_bytes = sizeof(fv_shift_attrs),
    .attrs = specs,
    .n_attrs = 1,
    .no_gradient = true,
    .inference = {&fv_op_identity, 1, {0}},
    .infer = infer,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
};
