/* tokens.c - sequences of tokens [channels][tokens]: conversion from an image, a learned class token, and
 * learned positions. slice.c cuts sequences.
 *
 *   tokens       an image [c][h][w] read as h * w tokens; a view
 *   class_token  y[.][0] = v, y[.][1 + t] = x[.][t]          v [1][1][c]   (Dosovitskiy et al. 2020, eq. 1)
 *   position     y[.][t] = x[.][t] + p[t][.]                 p [1][tokens][c]
 *
 * Parameters have PyTorch's layout, where the channel comes last. */
#include "plan/lower.h"
#include "ops/layer_shapes.h"
#include "ops/ops.h"

#include <string.h>

typedef struct sum_attrs {
    int count;
} sum_attrs;

static fv_status expect_sequence(const fv_infer *q)
{
    char found[FV_SHAPE_TEXT];
    const fv_shape x = q->input[0]->shape;
    if (x.rank != 2)
        return fv__fail(q->ctx, FV_ERR_INPUT,
                        "%s: expected a sequence of tokens, found %s; a tokens line makes one of an image",
                        q->what, fv__shape_text(x, found));
    return FV_OK;
}

/* Input 1: [1][tokens][c]. */
static fv_status expect_vectors(const fv_infer *q, int tokens)
{
    const fv_shape expected = FV_SHAPE(1, tokens, q->input[0]->shape.dim[0]);
    char found[FV_SHAPE_TEXT], text[FV_SHAPE_TEXT];
    FV_TRY(expect_sequence(q));
    if (!fv__shape_equal(q->input[1]->shape, expected))
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: '%s' has shape %s; expected %s", q->what,
                        q->input[1]->name, fv__shape_text(q->input[1]->shape, found),
                        fv__shape_text(expected, text));
    return FV_OK;
}

static fv_status sequence(fv_infer *q, int64_t tokens)
{
    if (tokens > FV_MAX_DIM)
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected at most %d tokens, found %lld", q->what,
                        FV_MAX_DIM, (long long)tokens);
    q->out = FV_SHAPE(q->input[0]->shape.dim[0], (int)tokens);
    return FV_OK;
}

static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs;
    return (fv_cost){0, 4 * ((double)fv__shape_count(in[0]) + (double)fv__shape_count(out))};
}

/* Copies n tokens of x, from `from` on, to y, from `to` on, with zeros around them. */
static void copy(const fv_ref *r, int from, int to, int n)
{
    const int64_t c = r->out_shape.dim[0], tx = r->in_shape[0].dim[1], ty = r->out_shape.dim[1];
    memset(r->out, 0, (size_t)(r->n * c * ty) * sizeof *r->out);
    for (int64_t k = 0; k < r->n * c; k++)
        memcpy(r->out + k * ty + to, r->in[0] + k * tx + from, (size_t)n * sizeof *r->out);
}

static fv_status lower_copy(fv_lower *l, int from, int to, int n)
{
    const fv_tokens_args args = {.channels = l->out_shape.dim[0],
                                 .from_tokens = l->in_shape[0].dim[1],
                                 .to_tokens = l->out_shape.dim[1],
                                 .from = from,
                                 .to = to,
                                 .n = n};
    return fv__lower_simple(l, FV_KERNEL_tokens_copy, &args, sizeof args);
}

/* ---- tokens --------------------------------------------------------------------------------------- */

static fv_status infer_tokens(fv_infer *q)
{
    const fv_shape x = q->input[0]->shape;
    char found[FV_SHAPE_TEXT];
    if (x.rank != 3)
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected an image, found %s", q->what,
                        fv__shape_text(x, found));
    return sequence(q, (int64_t)x.dim[1] * x.dim[2]);
}

static void ref_tokens(const fv_ref *r)
{
    memcpy(r->out, r->in[0], (size_t)(r->n * fv__shape_count(r->out_shape)) * sizeof *r->out);
}

static const fv_case cases_tokens[] = {{17, {{3, {3, 5, 7}}}, ""}, {1, {{3, {1, 1, 1}}}, ""}};

static const fv_layer_kind tokens_layers[] = {
    {.word = "tokens", .help = "an image as a sequence: each pixel is a token", .op = &fv_op_tokens},
};

const fv_op fv_op_tokens = {
    .name = "tokens",
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .is_view = true,
    .infer = infer_tokens,
    .grad = fv__unflatten,
    .ref = ref_tokens,
    .cost = cost,
    .cases = cases_tokens,
    .n_cases = sizeof cases_tokens / sizeof *cases_tokens,
    FV_LAYERS(tokens_layers),
};

/* ---- class_token: inputs x, v ---------------------------------------------------------------------- */

static fv_status infer_class(fv_infer *q)
{
    FV_TRY(expect_vectors(q, 1));
    return sequence(q, (int64_t)q->input[0]->shape.dim[1] + 1);
}

static fv_status grad_class(fv_grad *g)
{
    const fv_slice_attrs rest = {.first = 1, .axis = 1};
    const sum_attrs first = {.count = 1};
    if (g->wanted[1])
        FV_TRY(fv__grad_node(g, &fv_op_position_dw, "dw", &first, 1, &g->dy, FV_ROLE_GRADIENT,
                             g->node->input[1], &g->dx[1]));
    if (!g->wanted[0])
        return FV_OK;
    return fv__grad_node(g, &fv_op_slice, "dx", &rest, 1, &g->dy, FV_ROLE_VALUE, -1, &g->dx[0]);
}

static void ref_class(const fv_ref *r)
{
    const int64_t c = r->out_shape.dim[0], tokens = r->out_shape.dim[1];
    copy(r, 0, 1, (int)tokens - 1);
    for (int64_t k = 0; k < r->n * c; k++)
        r->out[k * tokens] = r->in[1][k % c];
}

static fv_status lower_class(fv_lower *l)
{
    return lower_copy(l, 0, 1, l->in_shape[0].dim[1]);
}

static const fv_case cases_class[] = {
    {17, {{2, {3, 5}}, {3, {1, 1, 3}}}, ""},
    {16, {{2, {17, 64}}, {3, {1, 1, 17}}}, ""},
    {1, {{2, {1, 1}}, {3, {1, 1, 1}}}, ""},
};

static fv_shape class_token_shape(fv_layer_shapes *q)
{
    return FV_SHAPE(1, 1, q->in.dim[0]);
}

static const fv_parameter_spec class_token_parameters[] = {
    {.role = FV_ROLE_PARAMETER, .shape = class_token_shape},
};

static const fv_layer_kind class_token_layers[] = {{
    .word = "classtoken",
    .help = "a learned token before the others",
    .op = &fv_op_class_token,
    .slot = {{FV_SLOT_NAME, "NAME"}},
    .reads = FV_READS_SEQUENCE,
    .node_suffix = "before",
    FV_PARAMETERS(class_token_parameters),
}};

const fv_op fv_op_class_token = {
    .name = "class_token",
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER},
    .infer = infer_class,
    .grad = grad_class,
    .ref = ref_class,
    .lower = lower_class,
    .cost = cost,
    .cases = cases_class,
    .n_cases = sizeof cases_class / sizeof *cases_class,
    FV_LAYERS(class_token_layers),
};

/* ---- position: inputs x, p -------------------------------------------------------------------------- */

static fv_status infer_position(fv_infer *q)
{
    FV_TRY(expect_vectors(q, q->input[0]->shape.dim[1]));
    q->out = q->input[0]->shape;
    return FV_OK;
}

static fv_status grad_position(fv_grad *g)
{
    const sum_attrs all = {.count = g->graph->tensors[g->node->output].shape.dim[1]};
    g->dx[0] = g->dy;
    if (!g->wanted[1])
        return FV_OK;
    return fv__grad_node(g, &fv_op_position_dw, "dw", &all, 1, &g->dy, FV_ROLE_GRADIENT, g->node->input[1],
                         &g->dx[1]);
}

static void ref_position(const fv_ref *r)
{
    const int64_t c = r->out_shape.dim[0], tokens = r->out_shape.dim[1];
    for (int64_t k = 0; k < r->n * c; k++)
        for (int64_t t = 0; t < tokens; t++)
            r->out[k * tokens + t] = r->in[0][k * tokens + t] + r->in[1][t * c + k % c];
}

static fv_status lower_position(fv_lower *l)
{
    const fv_plane_args args = {l->out_shape.dim[0], l->out_shape.dim[1]};
    return fv__lower_simple(l, FV_KERNEL_position, &args, sizeof args);
}

static const fv_case cases_position[] = {
    {17, {{2, {3, 5}}, {3, {1, 5, 3}}}, ""},
    {16, {{2, {17, 65}}, {3, {1, 65, 17}}}, ""},
    {1, {{2, {1, 1}}, {3, {1, 1, 1}}}, ""},
};

static fv_shape position_shape(fv_layer_shapes *q)
{
    return FV_SHAPE(1, q->in.dim[1], q->in.dim[0]);
}

/* The small deviation is that of Dosovitskiy et al. 2020. */
static const fv_parameter_spec position_parameters[] = {
    {.role = FV_ROLE_PARAMETER, .shape = position_shape, .init = {FV_INIT_NORMAL, .scale = 0.02}},
};

static const fv_layer_kind position_layers[] = {{
    .word = "position",
    .help = "adds a learned number to each channel of each token",
    .op = &fv_op_position,
    .slot = {{FV_SLOT_NAME, "NAME"}},
    .reads = FV_READS_SEQUENCE,
    .node_suffix = "added",
    FV_PARAMETERS(position_parameters),
}};

const fv_op fv_op_position = {
    .name = "position",
    .n_inputs = 2,
    .role = {FV_ROLE_VALUE, FV_ROLE_PARAMETER},
    .in_place = 1,
    .infer = infer_position,
    .grad = grad_position,
    .ref = ref_position,
    .lower = lower_position,
    .cost = cost,
    .cases = cases_position,
    .n_cases = sizeof cases_position / sizeof *cases_position,
    FV_LAYERS(position_layers),
};

/* ---- position_dw: input dy; the sum over images of its first tokens, [1][count][c] ------------------- */

static const fv_attr_spec specs_sum[] = {
    {"count", FV_ATTR_INT, offsetof(sum_attrs, count), 1, FV_MAX_DIM, 1},
};

static fv_status infer_sum(fv_infer *q)
{
    const int count = ((const sum_attrs *)q->attrs)->count;
    FV_TRY(expect_sequence(q));
    if (count > q->input[0]->shape.dim[1])
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected %d tokens or more, found %d", q->what, count,
                        q->input[0]->shape.dim[1]);
    q->out = FV_SHAPE(1, count, q->input[0]->shape.dim[0]);
    return FV_OK;
}

static void ref_sum(const fv_ref *r)
{
    const int64_t tokens = r->in_shape[0].dim[1], count = r->out_shape.dim[1], c = r->out_shape.dim[2];
    memset(r->out, 0, (size_t)(count * c) * sizeof *r->out);
    for (int64_t k = 0; k < r->n * c; k++)
        for (int64_t t = 0; t < count; t++)
            r->out[t * c + k % c] += r->in[0][k * tokens + t];
}

static fv_status lower_sum(fv_lower *l)
{
    const fv_shape dy = l->in_shape[0];
    const fv_tokens_sum_args args = {dy.dim[0], dy.dim[1], l->out_shape.dim[1]};
    const double n = (double)args.n * args.channels;
    const fv_step_spec spec = {.kernel = FV_KERNEL_tokens_sum,
                               .units = args.n,
                               .grain = 4,
                               .checked_floats = args.channels,
                               .flops = n * l->max_batch,
                               .bytes = 4 * n * l->max_batch};
    return fv__lower_gradient(l, &args, sizeof args, l->in[0], spec);
}

static const fv_case cases_sum[] = {
    {17, {{2, {3, 5}}}, "count=5"},
    {70, {{2, {17, 7}}}, "count=1"},
    {1, {{2, {1, 1}}}, ""},
};

const fv_op fv_op_position_dw = {
    .name = "position_dw",
    .family = "position",
    .part = FV_PART_WEIGHTS,
    .out = FV_ROLE_GRADIENT,
    .n_inputs = 1,
    .role = {FV_ROLE_VALUE},
    .no_gradient = true,
    .attr_bytes = sizeof(sum_attrs),
    .attrs = specs_sum,
    .n_attrs = 1,
    .infer = infer_sum,
    .ref = ref_sum,
    .lower = lower_sum,
    .cost = cost,
    .cases = cases_sum,
    .n_cases = sizeof cases_sum / sizeof *cases_sum,
};
