/* linear.c - the fully connected layer and its gradients, for a vector or for every token of a sequence.
 *
 *   y[o][t] = sum over i of w[o][i] * x[i][t] + b[o]
 *   dx[i][t] = sum over o of w[o][i] * dy[o][t]
 *   dw[o][i] = sum over images n, tokens t of dy[n][o][t] * x[n][i][t]
 *
 * x [i] or [i][tokens], w [o][i], b [o], y [o] or [o][tokens]. (Lecture "Backprop".) A vector is a sequence
 * of one token. Several tokens are a signal, and the layer is its convolution with a window of one pixel:
 * the sums and the layout in memory are the same, so forward and data gradient are those of convolution. */
#include "plan/lower.h"
#include "ops/conv.h"
#include "ops/ops.h"
#include "ops/conv_c16.h"
#include "ops/layer_shapes.h"

#include <string.h>

static int tokens_of(fv_shape x)
{
    return x.rank == 2 ? x.dim[1] : 1;
}

/* x with `features` features. */
static fv_shape with_features(fv_shape x, int features)
{
    x.dim[0] = features;
    return x;
}

static fv_status infer(fv_infer *q)
{
    const fv_shape x = q->input[0]->shape, w = q->input[1]->shape;
    char text[FV_SHAPE_TEXT];
    if (x.rank > 2)
        return fv__fail(q->ctx, FV_ERR_INPUT,
                        "%s: expected a vector or a sequence of tokens, found %s; a flatten line makes "
                        "a vector",
                        q->what, fv__shape_text(x, text));
    if (w.rank != 2 || w.dim[1] != x.dim[0])
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected weights for %d inputs, found %s", q->what,
                        x.dim[0], fv__shape_text(w, text));
    if (q->n_inputs > 2 && (q->input[2]->shape.rank != 1 || q->input[2]->shape.dim[0] != w.dim[0]))
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected a bias of %d, found %s", q->what, w.dim[0],
                        fv__shape_text(q->input[2]->shape, text));
    q->out = with_features(x, w.dim[0]);
    return FV_OK;
}

static fv_status infer_dx(fv_infer *q)
{
    q->out = with_features(q->input[0]->shape, q->input[1]->shape.dim[1]);
    return FV_OK;
}

static fv_status infer_dw(fv_infer *q)
{
    q->out = FV_SHAPE(q->input[0]->shape.dim[0], q->input[1]->shape.dim[0]);
    return FV_OK;
}

static fv_status grad(fv_grad *g)
{
    const int x = g->node->input[0], w = g->node->input[1];
    if (g->wanted[0])
        FV_TRY(fv__grad_node(g, &fv_op_linear_dx, "dx", NULL, 2, (int[]){g->dy, w}, FV_ROLE_VALUE, -1,
                             &g->dx[0]));
    if (g->wanted[1])
        FV_TRY(fv__grad_node(g, &fv_op_linear_dw, "dw", NULL, 2, (int[]){g->dy, x}, FV_ROLE_GRADIENT, w,
                             &g->dx[1]));
    if (g->node->n_inputs > 2 && g->wanted[2])
        FV_TRY(fv__grad_node(g, &fv_op_bias_db, "db", NULL, 1, (int[]){g->dy}, FV_ROLE_GRADIENT,
                             g->node->input[2], &g->dx[2]));
    return FV_OK;
}

static void ref(const fv_ref *r)
{
    const int64_t n_in = r->in_shape[0].dim[0], n_out = r->out_shape.dim[0], tokens = tokens_of(r->out_shape);
    for (int64_t n = 0; n < r->n; n++)
        for (int64_t o = 0; o < n_out; o++)
            for (int64_t t = 0; t < tokens; t++) {
                double sum = r->n_inputs > 2 ? r->in[2][o] : 0.0;
                for (int64_t i = 0; i < n_in; i++)
                    sum += r->in[1][o * n_in + i] * r->in[0][(n * n_in + i) * tokens + t];
                r->out[(n * n_out + o) * tokens + t] = sum;
            }
}

static void ref_dx(const fv_ref *r)
{
    const int64_t n_out = r->in_shape[0].dim[0], n_in = r->out_shape.dim[0], tokens = tokens_of(r->out_shape);
    for (int64_t n = 0; n < r->n; n++)
        for (int64_t i = 0; i < n_in; i++)
            for (int64_t t = 0; t < tokens; t++) {
                double sum = 0.0;
                for (int64_t o = 0; o < n_out; o++)
                    sum += r->in[1][o * n_in + i] * r->in[0][(n * n_out + o) * tokens + t];
                r->out[(n * n_in + i) * tokens + t] = sum;
            }
}

static void ref_dw(const fv_ref *r)
{
    const int64_t n_out = r->in_shape[0].dim[0], n_in = r->in_shape[1].dim[0];
    const int64_t tokens = tokens_of(r->in_shape[0]);
    for (int64_t o = 0; o < n_out; o++)
        for (int64_t i = 0; i < n_in; i++) {
            double sum = 0.0;
            for (int64_t n = 0; n < r->n; n++)
                for (int64_t t = 0; t < tokens; t++)
                    sum += r->in[0][(n * n_out + o) * tokens + t] * r->in[1][(n * n_in + i) * tokens + t];
            r->out[o * n_in + i] = sum;
        }
}

/* A vector becomes a signal of one pixel. */
static fv_shape as_signal(fv_shape x)
{
    return FV_SHAPE(x.dim[0], tokens_of(x));
}

static fv_shape as_windows(fv_shape weights)
{
    return FV_SHAPE(weights.dim[0], weights.dim[1], 1);
}

/* From here on `l` is the convolution by a window of one pixel; `of_weights`: its weight gradient. */
static void become_conv(fv_lower *l, bool of_weights)
{
    static const fv_conv_attrs attrs = {
        .stride = {1, {1}}, .pad = {1, {0}}, .dilation = {1, {1}}, .groups = 1, .size = {1, {1}}};
    l->attrs = &attrs;
    l->in_shape[0] = as_signal(l->in_shape[0]);
    l->in_shape[1] = of_weights ? as_signal(l->in_shape[1]) : as_windows(l->in_shape[1]);
    l->out_shape = of_weights ? as_windows(l->out_shape) : as_signal(l->out_shape);
}

static fv_status lower_matmul(fv_lower *l, fv_matmul_args g, int bias)
{
    g.offset = fv__lower_offsets(l, g.k, FV_LANES);
    if (!g.offset)
        return FV_ERR_MEMORY;
    const fv_matmul_args *const args = fv__lower_args(l, &g, sizeof g);
    if (!args)
        return FV_ERR_MEMORY;
    fv_step_spec s = {.kernel = FV_KERNEL_matmul,
                      .domain = FV_PER_BLOCK,
                      .args = args,
                      .n_operands = bias >= 0 ? 4 : 3,
                      .operand = {l->out, l->in[0], l->in[1], bias},
                      .access = {FV_WRITE, FV_READ, FV_READ, FV_READ},
                      .flops = 2.0 * g.m * g.k,
                      .bytes = 4.0 * ((double)g.m + g.k)};
    fv__lower_split(l, s.flops, g.m, 48, &s);
    return fv__lower_step(l, &s);
}

static fv_status lower(fv_lower *l)
{
    if (tokens_of(l->out_shape) > 1) {
        become_conv(l, false);
        return fv__conv_lower(l);
    }
    const int n_in = l->in_shape[0].dim[0], n_out = l->out_shape.dim[0];
    return lower_matmul(l, (fv_matmul_args){.m = n_out, .k = n_in, .row_stride = n_in, .column_stride = 1},
                        l->n_inputs > 2 ? l->in[2] : -1);
}

static fv_status lower_c16(fv_lower *l)
{
    const bool vector = tokens_of(l->out_shape) == 1;
    become_conv(l, false);
    if (!vector)
        return fv__conv_lower_c16(l);
    const fv_conv_args conv = fv__conv_forward_args(l->attrs, l->in_shape[0], l->in_shape[1], l->out_shape);
    return fv__c16_lower_linear(l, &conv);
}

fv_status fv__linear_lower_columns(fv_lower *l, int m, int k, int bias)
{
    return lower_matmul(l, (fv_matmul_args){.m = m, .k = k, .row_stride = 1, .column_stride = m}, bias);
}

static fv_status lower_dx(fv_lower *l)
{
    if (tokens_of(l->out_shape) > 1) {
        become_conv(l, false);
        return fv__conv_lower_dx(l);
    }
    return fv__linear_lower_columns(l, l->out_shape.dim[0], l->in_shape[0].dim[0], -1);
}

static fv_status lower_dw(fv_lower *l)
{
    if (tokens_of(l->in_shape[0]) > 1) {
        become_conv(l, true);
        return fv__conv_lower_dw_by_block(l);
    }
    const int n_out = l->in_shape[0].dim[0], n_in = l->in_shape[1].dim[0];
    const int padded = (n_in + FV_LANES - 1) / FV_LANES * FV_LANES;
    const int32_t *const offset = fv__lower_offsets(l, FV_LANES, padded);
    if (!offset)
        return FV_ERR_MEMORY;
    const fv_linear_dw_args g = {.o = n_out, .i = n_in, .padded = padded, .offset = offset};
    const fv_plane_args p = {.channels = n_in, .pixels = padded};
    const void *const dw_args = fv__lower_args(l, &g, sizeof g), *const rows_args =
                                                                     fv__lower_args(l, &p, sizeof p);
    int rows;
    if (!dw_args || !rows_args)
        return FV_ERR_MEMORY;
    FV_TRY(fv__lower_buffer(l, FV_SCOPE_ROWS, padded, &rows));
    fv_step_spec turn = {.kernel = FV_KERNEL_transpose,
                         .domain = FV_PER_BLOCK,
                         .args = rows_args,
                         .n_operands = 2,
                         .operand = {rows, l->in[1]},
                         .access = {FV_WRITE, FV_READ},
                         .bytes = 8.0 * n_in};
    FV_TRY(fv__lower_step(l, &turn));
    fv_step_spec s = {.kernel = FV_KERNEL_linear_dw,
                      .domain = FV_PER_RANGE,
                      .args = dw_args,
                      .n_operands = 3,
                      .operand = {l->out, l->in[0], rows},
                      .access = {FV_UPDATE, FV_READ, FV_READ},
                      .units = n_out,
                      .grain = 48,
                      .checked_floats = n_in,
                      .flops = 2.0 * n_out * n_in * l->max_batch,
                      .bytes = 4.0 * ((double)n_out * n_in + (double)l->max_batch * (n_out + n_in))};
    return fv__lower_step(l, &s);
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs;
    const double tokens = tokens_of(out);
    return (fv_cost){.flops = 2.0 * tokens * in[0].dim[0] * out.dim[0],
                     .bytes = 4.0 * tokens * ((double)in[0].dim[0] + out.dim[0])};
}

static fv_cost cost_dw(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs;
    const double tokens = tokens_of(in[0]);
    return (fv_cost){.flops = 2.0 * tokens * out.dim[0] * out.dim[1],
                     .bytes = 4.0 * tokens * ((double)in[0].dim[0] + in[1].dim[0])};
}

static const fv_case cases[] = {
    {1, {{1, {1}}, {2, {1, 1}}, {1, {1}}}, ""},
    {15, {{1, {3}}, {2, {5, 3}}}, ""},
    {16, {{1, {17}}, {2, {16, 17}}, {1, {16}}}, ""},
    {17, {{1, {400}}, {2, {120, 400}}, {1, {120}}}, ""},
    {130, {{1, {33}}, {2, {31, 33}}, {1, {31}}}, ""},
    {17, {{2, {19, 5}}, {2, {21, 19}}, {1, {21}}}, ""},
    {3, {{2, {1, 7}}, {2, {2, 1}}}, ""},
    {16, {{2, {48, 65}}, {2, {40, 48}}, {1, {40}}}, ""},
    {2, {{2, {5, 1}}, {2, {3, 5}}}, ""},
};

/* dy, w */
static const fv_case dx_cases[] = {
    {1, {{1, {1}}, {2, {1, 1}}}, ""},         {17, {{1, {5}}, {2, {5, 3}}}, ""},
    {70, {{1, {150}}, {2, {150, 45}}}, ""},   {17, {{2, {19, 5}}, {2, {19, 21}}}, ""},
    {16, {{2, {48, 65}}, {2, {48, 40}}}, ""}, {2, {{2, {5, 1}}, {2, {5, 3}}}, ""},
};

/* dy, x */
static const fv_case dw_cases[] = {
    {1, {{1, {1}}, {1, {1}}}, ""},          {15, {{1, {5}}, {1, {3}}}, ""},
    {17, {{1, {16}}, {1, {32}}}, ""},       {128, {{1, {101}}, {1, {150}}}, ""},
    {17, {{2, {19, 5}}, {2, {21, 5}}}, ""}, {33, {{2, {40, 65}}, {2, {101, 65}}}, ""},
    {2, {{2, {5, 1}}, {2, {3, 1}}}, ""},
};

static fv_shape weights_shape(fv_layer_shapes *q)
{
    return FV_SHAPE(q->count, q->in.dim[0]);
}

static const fv_parameter_spec parameters[] = {FV_WEIGHTS(weights_shape), FV_BIAS(fv__shape_per_output)};

static const fv_layer_kind layers[] = {{
    .word = "linear",
    .help = "a fully connected layer: weights times a vector, or times each token of a sequence, plus a bias",
    .op = &fv_op_linear,
    .slot = {{FV_SLOT_NAME, "NAME"}, {FV_SLOT_COUNT, "FEATURES"}},
    .reads = FV_READS_VECTOR | FV_READS_SEQUENCE,
    FV_PARAMETERS(parameters),
}};

const fv_op fv_op_linear = {
    .name = "linear",
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 3,
    .n_optional = 1,
    .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER, FV_ROLE_PARAMETER},
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .lower_c16 = lower_c16,
    .epilogue = FV_EPILOGUE(FV_FINISH_RELU),
    .epilogue_c16 =
        FV_EPILOGUE(FV_FINISH_AFFINE) | FV_EPILOGUE(FV_FINISH_RESIDUAL) | FV_EPILOGUE(FV_FINISH_RELU),
    .cost = cost,
    .cases = cases,
    .n_cases = FV_COUNT(cases),
    FV_LAYERS(layers),
};

const fv_op fv_op_linear_dx = {
    .name = "linear_dx",
    .family = "linear",
    .part = FV_PART_DATA,
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER},
    .no_gradient = true,
    .infer = infer_dx,
    .ref = ref_dx,
    .lower = lower_dx,
    .cost = cost,
    .cases = dx_cases,
    .n_cases = FV_COUNT(dx_cases),
};

const fv_op fv_op_linear_dw = {
    .name = "linear_dw",
    .family = "linear",
    .part = FV_PART_WEIGHTS,
    .out = FV_ROLE_GRADIENT,
    .tolerance = FV_TOLERANCE_LONG,
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},
    .no_gradient = true,
    .infer = infer_dw,
    .ref = ref_dw,
    .lower = lower_dw,
    .cost = cost_dw,
    .cases = dw_cases,
    .n_cases = FV_COUNT(dw_cases),
};
