/* local.c - the locally connected layer: a convolution whose window has its own weights at each position
 * (lecture "Convolutional network": sparse connections without weight sharing), and its gradients.
 *
 *   y[o][p] = b[o][p] + sum over i, k of w[o][i][p][k] * x[i][p s + k - pad]
 *
 * with a position p and a tap k in one direction or two: x [i][h][w], w [o][i][oh][ow][kh][kw], b and y
 * [o][oh][ow]. Outside of x are zeros. No weight serves two positions, so an image costs as many reads of
 * weights as products: kernels use each weight for the 16 images of several blocks. */
#include "ops/layer_shapes.h"
#include "ops/ops.h"
#include "ops/window.h"
#include "plan/lower.h"

#include <string.h>

typedef struct local_attrs {
    fv_sizes stride, pad;
    fv_sizes size; /* local_dx: of x; local_dw: of the window. Unused by local */
} local_attrs;

/* The last is of the gradients alone: the harness sets it by words too. A model text cannot name it. */
static const char *const same[] = {"same", NULL};
static const fv_attr_spec specs[] = {
    {"stride", FV_ATTR_SIZES, offsetof(local_attrs, stride), 1, 1024, 1},
    {"pad", FV_ATTR_SIZES, offsetof(local_attrs, pad), 0, 1024, 0, .choices = same},
    {"size", FV_ATTR_SIZES, offsetof(local_attrs, size), 1, FV_MAX_DIM, 1},
};

static fv_window_words words_of(const local_attrs *a, fv_sizes kernel)
{
    return (fv_window_words){kernel, a->stride, a->pad, {1, {1}}};
}

/* The window's sizes are at the end of the weights' shape [o][i][position][window]. */
static fv_sizes window_of(fv_shape w)
{
    const int n = (w.rank - 2) / 2;
    fv_sizes window = {.n = n};
    for (int d = 0; d < n && d < FV_DIRECTIONS; d++)
        window.at[d] = w.dim[2 + n + d];
    return window;
}

static fv_shape weights_of(int outputs, fv_shape x, const fv_axis at[FV_AXES])
{
    const int n = x.rank - 1;
    fv_shape w = {.rank = 2 + 2 * n, .dim = {outputs, x.dim[0]}};
    for (int d = 0; d < n; d++) {
        w.dim[2 + d] = at[FV_AXES - n + d].out;
        w.dim[2 + n + d] = at[FV_AXES - n + d].window;
    }
    return w;
}

/* The shapes of weights and y for windows over x. */
static fv_status check(const fv_infer *q, fv_shape x, int outputs, fv_sizes window, fv_shape *w, fv_shape *y)
{
    const local_attrs *const a = q->attrs;
    const fv_window_words words = words_of(a, window);
    char text[FV_SHAPE_TEXT];
    fv_axis at[FV_AXES];
    if (x.rank != 2 && x.rank != 3)
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected a signal or an image, found %s", q->what,
                        fv__shape_text(x, text));
    FV_TRY(fv__window_check(q->ctx, &words, x, q->what, at));
    FV_TRY(fv__window_check_sum(q->ctx, at, x.rank - 1, x.dim[0], q->what));
    *w = weights_of(outputs, x, at);
    *y = fv__window_shape(outputs, x, at);
    return fv__shape_check(q->ctx, *w, q->what);
}

static fv_status expect(const fv_infer *q, const char *thing, fv_shape expected, fv_shape found)
{
    char expected_text[FV_SHAPE_TEXT], found_text[FV_SHAPE_TEXT];
    if (fv__shape_equal(expected, found))
        return FV_OK;
    return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected %s of %s, found %s", q->what, thing,
                    fv__shape_text(expected, expected_text), fv__shape_text(found, found_text));
}

static fv_status infer(fv_infer *q)
{
    const fv_shape x = q->input[0]->shape, found = q->input[1]->shape;
    fv_shape w;
    FV_TRY(check(q, x, found.dim[0], window_of(found), &w, &q->out));
    FV_TRY(expect(q, "weights", w, found));
    return q->n_inputs > 2 ? expect(q, "a bias", q->out, q->input[2]->shape) : FV_OK;
}

static fv_status infer_dx(fv_infer *q)
{
    const local_attrs *const a = q->attrs;
    const fv_shape dy = q->input[0]->shape, found = q->input[1]->shape;
    fv_shape w, y;
    FV_TRY(fv__window_input(q->ctx, &a->size, dy, q->what, &q->out));
    q->out.dim[0] = found.dim[1];
    FV_TRY(check(q, q->out, found.dim[0], window_of(found), &w, &y));
    FV_TRY(expect(q, "weights", w, found));
    return expect(q, "a gradient", y, dy);
}

static fv_status infer_dw(fv_infer *q)
{
    const local_attrs *const a = q->attrs;
    const fv_shape dy = q->input[0]->shape, x = q->input[1]->shape;
    fv_shape y;
    FV_TRY(check(q, x, dy.dim[0], a->size, &q->out, &y));
    return expect(q, "a gradient", y, dy);
}

static fv_status grad(fv_grad *g)
{
    local_attrs a = *(const local_attrs *)g->node->attrs;
    const int x = g->node->input[0], w = g->node->input[1];
    if (g->wanted[0]) {
        a.size = fv__sizes_of(g->graph->tensors[x].shape, 1);
        FV_TRY(
            fv__grad_node(g, &fv_op_local_dx, "dx", &a, 2, (int[]){g->dy, w}, FV_ROLE_VALUE, -1, &g->dx[0]));
    }
    if (g->wanted[1]) {
        a.size = window_of(g->graph->tensors[w].shape);
        FV_TRY(fv__grad_node(g, &fv_op_local_dw, "dw", &a, 2, (int[]){g->dy, x}, FV_ROLE_GRADIENT, w,
                             &g->dx[1]));
    }
    if (g->node->n_inputs > 2 && g->wanted[2])
        FV_TRY(fv__grad_node(g, &fv_op_local_db, "db", NULL, 1, (int[]){g->dy}, FV_ROLE_GRADIENT,
                             g->node->input[2], &g->dx[2]));
    return FV_OK;
}

/* ---- references ------------------------------------------------------------------------------------- */

static fv_local_args args_of(const local_attrs *a, fv_shape x, int outputs, fv_sizes window)
{
    const fv_window_words words = words_of(a, window);
    fv_local_args args = {.i = x.dim[0], .o = outputs};
    fv__window_axes(&words, x, args.at);
    return args;
}

/* Calls `visit` with each product: numbers of a value of y, a weight and a value of x of one image. */
typedef struct operands {
    double *y, *w, *x;
} operands;

static void each_product(const fv_local_args *a, const operands *v,
                         void (*visit)(double *, double *, double *))
{
    const fv_axis *const row = &a->at[FV_HEIGHT], *const column = &a->at[FV_WIDTH];
    const int64_t positions = (int64_t)row->out * column->out, pixels = (int64_t)row->in * column->in;
    double *w = v->w;
    for (int o = 0; o < a->o; o++)
        for (int i = 0; i < a->i; i++)
            for (int64_t p = 0; p < positions; p++)
                for (int ky = 0; ky < row->window; ky++)
                    for (int kx = 0; kx < column->window; kx++, w++) {
                        const int64_t y = p / column->out * row->stride + ky - row->before;
                        const int64_t x = p % column->out * column->stride + kx - column->before;
                        if (y >= 0 && y < row->in && x >= 0 && x < column->in)
                            visit(v->y + o * positions + p, w, v->x + i * pixels + y * column->in + x);
                    }
}

static void to_y(double *y, double *w, double *x)
{
    *y += *w * *x;
}

static void to_x(double *y, double *w, double *x)
{
    *x += *w * *y;
}

static void to_w(double *y, double *w, double *x)
{
    *w += *y * *x;
}

static void ref(const fv_ref *r)
{
    const fv_local_args a = args_of(r->attrs, r->in_shape[0], r->out_shape.dim[0], window_of(r->in_shape[1]));
    const int64_t in = fv__shape_count(r->in_shape[0]), out = fv__shape_count(r->out_shape);
    for (int n = 0; n < r->n; n++) {
        const operands v = {r->out + n * out, (double *)r->in[1], (double *)r->in[0] + n * in};
        for (int64_t k = 0; k < out; k++)
            v.y[k] = r->n_inputs > 2 ? r->in[2][k] : 0.0;
        each_product(&a, &v, to_y);
    }
}

static void ref_dx(const fv_ref *r)
{
    const fv_local_args a = args_of(r->attrs, r->out_shape, r->in_shape[0].dim[0], window_of(r->in_shape[1]));
    const int64_t in = fv__shape_count(r->in_shape[0]), out = fv__shape_count(r->out_shape);
    memset(r->out, 0, (size_t)(r->n * out) * sizeof *r->out);
    for (int n = 0; n < r->n; n++) {
        const operands v = {(double *)r->in[0] + n * in, (double *)r->in[1], r->out + n * out};
        each_product(&a, &v, to_x);
    }
}

static void ref_dw(const fv_ref *r)
{
    const fv_local_args a = args_of(r->attrs, r->in_shape[1], r->out_shape.dim[0], window_of(r->out_shape));
    const int64_t dy = fv__shape_count(r->in_shape[0]), x = fv__shape_count(r->in_shape[1]);
    memset(r->out, 0, (size_t)fv__shape_count(r->out_shape) * sizeof *r->out);
    for (int n = 0; n < r->n; n++) {
        const operands v = {(double *)r->in[0] + n * dy, r->out, (double *)r->in[1] + n * x};
        each_product(&a, &v, to_w);
    }
}

/* ---- lowering --------------------------------------------------------------------------------------- */

static double products(const fv_local_args *a)
{
    double n = (double)a->o * a->i;
    for (int d = 0; d < FV_AXES; d++)
        n *= (double)a->at[d].out * a->at[d].window;
    return n;
}

static int taps(const fv_local_args *a)
{
    return a->at[FV_HEIGHT].window * a->at[FV_WIDTH].window;
}

/* offset[k]: floats from a window's first pixel to tap k. */
static fv_status window_offsets(fv_lower *l, fv_local_args *a)
{
    int32_t *const offset = fv__arena_alloc(l->arena, (size_t)taps(a), sizeof *offset);
    for (int k = 0; offset && k < taps(a); k++)
        offset[k] = (k / a->at[FV_WIDTH].window * a->at[FV_WIDTH].in + k % a->at[FV_WIDTH].window) * FV_LANES;
    a->offset = offset;
    return offset ? FV_OK : FV_ERR_MEMORY;
}

/* Per block: operand 0 written from the inputs. */
static fv_status lower_blocks(fv_lower *l, fv_kernel_id kernel, const fv_local_args *a, size_t scratch_floats)
{
    fv_step_spec s = {.kernel = kernel,
                      .domain = FV_PER_BLOCK,
                      .args = fv__lower_args(l, a, sizeof *a),
                      .n_operands = 1 + l->n_inputs,
                      .operand = {l->out},
                      .access = {FV_WRITE},
                      .scratch_floats = scratch_floats,
                      .flops = 2 * products(a),
                      .bytes = 4 * (double)(fv__shape_count(l->in_shape[0]) + fv__shape_count(l->out_shape))};
    for (int i = 0; i < l->n_inputs; i++) {
        s.operand[1 + i] = l->in[i];
        s.access[1 + i] = FV_READ;
    }
    return fv__lower_step(l, &s);
}

static fv_status lower(fv_lower *l)
{
    fv_local_args a = args_of(l->attrs, l->in_shape[0], l->out_shape.dim[0], window_of(l->in_shape[1]));
    FV_TRY(window_offsets(l, &a));
    return lower_blocks(l, FV_KERNEL_local, &a, 0);
}

/* Floats that a gradient copies or sums up at a time, and positions: 8 windows are squares of weights. */
#define FV_LOCAL_FLOATS    (64 * 1024)
#define FV_LOCAL_POSITIONS 8
/* local_dw: outputs at a time, at most, and blocks, whose images are terms of a product. */
#define FV_LOCAL_OUTPUTS 32
#define FV_LOCAL_BLOCKS  8

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How often `floats` fit, between 1 and `most`. */
static int fitting(int64_t floats, int64_t most)
{
    return (int)least(floats > FV_LOCAL_FLOATS ? 1 : FV_LOCAL_FLOATS / floats, most);
}

static fv_status make_offsets(fv_lower *l, fv_local_args *a, int n, int step)
{
    fv__lower_int(l, (int64_t)n * step, "values of the outputs of a position");
    FV_TRY(l->status);
    int32_t *const offset = fv__arena_alloc(l->arena, (size_t)n, sizeof *offset);
    for (int k = 0; offset && k < n; k++)
        offset[k] = k * step;
    a->offset = offset;
    return offset ? FV_OK : FV_ERR_MEMORY;
}

static fv_status lower_dx(fv_lower *l)
{
    fv_local_args a = args_of(l->attrs, l->out_shape, l->in_shape[0].dim[0], window_of(l->in_shape[1]));
    const int64_t positions = (int64_t)a.at[FV_HEIGHT].out * a.at[FV_WIDTH].out;
    a.blocks = l->blocks->group_blocks;
    const int64_t dy = (int64_t)a.o * a.blocks * FV_LANES, most = least(positions, FV_LOCAL_POSITIONS);
    a.positions = fitting(dy > (int64_t)a.o * taps(&a) ? dy : (int64_t)a.o * taps(&a), most);
    a.row = (fv__ceil_div((int64_t)a.positions * taps(&a), FV_LANES) | 1) * FV_LANES; /* odd: not 2^n */
    FV_TRY(make_offsets(l, &a, a.o, a.blocks * FV_LANES));
    return lower_blocks(l, FV_KERNEL_local_dx, &a, (size_t)(a.positions * dy + a.o * a.row));
}

static fv_status lower_dw(fv_lower *l)
{
    fv_local_args a = args_of(l->attrs, l->in_shape[1], l->out_shape.dim[0], window_of(l->out_shape));
    const int64_t positions = (int64_t)a.at[FV_HEIGHT].out * a.at[FV_WIDTH].out;
    a.outputs = (int)least(fv__ceil_div(a.o, FV_LANES) * FV_LANES, FV_LOCAL_OUTPUTS);
    a.blocks = (int)least(fv__lower_blocks(l), FV_LOCAL_BLOCKS);
    const int64_t window = (int64_t)taps(&a) * a.outputs;
    a.positions = fitting(window, least(positions, FV_LOCAL_POSITIONS));
    a.inputs = fitting(a.positions * window, a.i);
    a.row = a.positions * window + FV_LANES; /* likewise */
    FV_TRY(make_offsets(l, &a, FV_LANES, a.outputs));
    const fv_step_spec s = {.kernel = FV_KERNEL_local_dw,
                            .domain = FV_PER_RANGE,
                            .args = fv__lower_args(l, &a, sizeof a),
                            .n_operands = 3,
                            .operand = {l->out, l->in[0], l->in[1]},
                            .access = {FV_UPDATE, FV_READ, FV_READ},
                            .units = positions,
                            .grain = a.positions,
                            .scratch_floats =
                                (size_t)(a.inputs * a.row + (int64_t)a.blocks * FV_LANES * a.outputs),
                            .checked_floats = taps(&a),
                            .checked_rows = (int64_t)a.o * a.i,
                            .of_images = true,
                            .flops = 2 * products(&a) * l->max_batch,
                            .bytes = 4 * (double)fv__shape_count(l->out_shape)};
    return fv__lower_step(l, &s);
}

/* ---- costs and cases -------------------------------------------------------------------------------- */

static fv_cost cost_of(const fv_local_args *a, const fv_shape *in, fv_shape out)
{
    return (fv_cost){2 * products(a), 4 * (double)(fv__shape_count(in[0]) + fv__shape_count(out))};
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    const fv_local_args a = args_of(attrs, in[0], out.dim[0], window_of(in[1]));
    return cost_of(&a, in, out);
}

static fv_cost cost_dx(const void *attrs, const fv_shape *in, fv_shape out)
{
    const fv_local_args a = args_of(attrs, out, in[0].dim[0], window_of(in[1]));
    return cost_of(&a, in, out);
}

static fv_cost cost_dw(const void *attrs, const fv_shape *in, fv_shape out)
{
    const fv_local_args a = args_of(attrs, in[1], out.dim[0], window_of(out));
    return (fv_cost){2 * products(&a), 4 * (double)(fv__shape_count(in[0]) + fv__shape_count(in[1]))};
}

static const fv_case cases[] = {
    {1, {{3, {1, 1, 1}}, {6, {1, 1, 1, 1, 1, 1}}}, ""},
    {17, {{3, {3, 7, 6}}, {6, {5, 3, 4, 4, 3, 2}}, {3, {5, 4, 4}}}, "stride=2 pad=1"},
    {16, {{3, {2, 4, 5}}, {6, {17, 2, 4, 5, 3, 3}}, {3, {17, 4, 5}}}, "pad=1"},
    {50, {{3, {5, 3, 3}}, {6, {3, 5, 1, 1, 3, 3}}, {3, {3, 1, 1}}}, ""},
    {3, {{3, {1, 2, 2}}, {6, {2, 1, 5, 5, 2, 2}}, {3, {2, 5, 5}}}, "pad=2"},
    {33, {{3, {2, 3, 9}}, {6, {4, 2, 3, 3, 1, 5}}}, "stride=1x2"},
    {17, {{2, {3, 11}}, {4, {5, 3, 5, 4}}, {2, {5, 5}}}, "stride=2 pad=1"},
    {18, {{3, {2, 5, 7}}, {6, {3, 2, 3, 7, 4, 2}}, {3, {3, 3, 7}}}, "stride=2x1 pad=same"},
    {16, {{2, {1, 7}}, {4, {9, 1, 7, 3}}, {2, {9, 7}}}, "pad=1"},
};

/* dy, w */
static const fv_case dx_cases[] = {
    {1, {{3, {1, 1, 1}}, {6, {1, 1, 1, 1, 1, 1}}}, ""},
    {17, {{3, {5, 4, 4}}, {6, {5, 3, 4, 4, 3, 2}}}, "stride=2 pad=1 size=7x6"},
    {16, {{3, {17, 4, 5}}, {6, {17, 2, 4, 5, 3, 3}}}, "pad=1 size=4x5"},
    {50, {{3, {3, 1, 1}}, {6, {3, 5, 1, 1, 3, 3}}}, "size=3"},
    {3, {{3, {2, 5, 5}}, {6, {2, 1, 5, 5, 2, 2}}}, "pad=2 size=2"},
    {33, {{3, {4, 3, 3}}, {6, {4, 2, 3, 3, 1, 5}}}, "stride=1x2 size=3x9"},
    {18, {{3, {3, 3, 7}}, {6, {3, 2, 3, 7, 4, 2}}}, "stride=2x1 pad=same size=5x7"},
    {17, {{2, {5, 5}}, {4, {5, 3, 5, 4}}}, "stride=2 pad=1 size=11"},
};

/* dy, x */
static const fv_case dw_cases[] = {
    {1, {{3, {1, 1, 1}}, {3, {1, 1, 1}}}, "size=1"},
    {150, {{3, {5, 4, 4}}, {3, {3, 7, 6}}}, "stride=2 pad=1 size=3x2"},
    {16, {{3, {17, 4, 5}}, {3, {2, 4, 5}}}, "pad=1 size=3"},
    {50, {{3, {3, 1, 1}}, {3, {5, 3, 3}}}, "size=3"},
    {3, {{3, {2, 5, 5}}, {3, {1, 2, 2}}}, "pad=2 size=2"},
    {33, {{3, {4, 3, 3}}, {3, {2, 3, 9}}}, "stride=1x2 size=1x5"},
    {17, {{2, {5, 5}}, {2, {3, 11}}}, "stride=2 pad=1 size=4"},
    {20, {{3, {37, 4, 4}}, {3, {9, 8, 8}}}, "size=5"}, /* several panels of outputs and inputs */
};

/* ---- the layer -------------------------------------------------------------------------------------- */

static fv_shape axes_for(fv_layer_shapes *q, fv_axis at[FV_AXES])
{
    fv_sizes window = {.n = q->n_window};
    for (int d = 0; d < q->n_window; d++)
        window.at[d] = q->window[d];
    const fv_window_words words = words_of(q->attrs, window);
    fv__window_axes(&words, q->in, at);
    for (int d = 0; d < FV_AXES; d++) /* a window that does not fit: the node says so */
        at[d].out = at[d].out > 0 ? at[d].out : 1;
    return q->in;
}

static fv_shape weights_shape(fv_layer_shapes *q)
{
    fv_axis at[FV_AXES];
    const fv_shape x = axes_for(q, at), w = weights_of(q->count, x, at);
    int64_t window = 1;
    for (int d = 0; d < q->n_window; d++)
        window *= q->window[d];
    q->fan_in = x.dim[0] * window;
    q->fan_out = q->count * window;
    return w;
}

static fv_shape bias_shape(fv_layer_shapes *q)
{
    fv_axis at[FV_AXES];
    const fv_shape x = axes_for(q, at);
    return fv__window_shape(q->count, x, at);
}

static const fv_parameter_spec parameters[] = {FV_WEIGHTS(weights_shape), FV_BIAS(bias_shape)};

static const fv_layer_kind layers[] = {{
    .word = "local",
    .help = "locally connected: a convolution with weights of its own at each position",
    .op = &fv_op_local,
    .slot = {{FV_SLOT_NAME, "NAME"}, {FV_SLOT_COUNT, "CHANNELS"}, {FV_SLOT_WINDOW, "KERNEL"}},
    .reads = FV_READS_SEQUENCE | FV_READS_IMAGE,
    FV_PARAMETERS(parameters),
}};

const fv_op fv_op_local = {
    .name = "local",
    .has_window = true,
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 3,
    .n_optional = 1,
    .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER, FV_ROLE_PARAMETER},
    .attr_bytes = sizeof(local_attrs),
    .attrs = specs,
    .n_attrs = FV_COUNT(specs) - 1,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = FV_COUNT(cases),
    FV_LAYERS(layers),
};

const fv_op fv_op_local_dx = {
    .name = "local_dx",
    .family = "local",
    .part = FV_PART_DATA,
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER},
    .attr_bytes = sizeof(local_attrs),
    .attrs = specs,
    .n_attrs = FV_COUNT(specs),
    .no_gradient = true,
    .infer = infer_dx,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = cost_dx,
    .cases = dx_cases,
    .n_cases = FV_COUNT(dx_cases),
};

const fv_op fv_op_local_dw = {
    .name = "local_dw",
    .family = "local",
    .part = FV_PART_WEIGHTS,
    .out = FV_ROLE_GRADIENT,
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .attr_bytes = sizeof(local_attrs),
    .attrs = specs,
    .n_attrs = FV_COUNT(specs),
    .no_gradient = true,
    .infer = infer_dw,
    .ref = ref_dw,
    .lower = lower_dw,
    .cost = cost_dw,
    .cases = dw_cases,
    .n_cases = FV_COUNT(dw_cases),
};
