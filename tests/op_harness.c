/* op_harness.c - cases, their inputs, the reference, and the gradient against central differences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "op_harness.h"

#include "base/rng.h"
#include "model/layers.h"
#include "ops/reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 20, CHECKED_VALUES = 40 };

/* ---- the operation -------------------------------------------------------------------------------- */

/* Weight and bias gradients are sums over the images, and so are a batch's statistics. */
bool op_output_is_per_image(const fv_op *op)
{
    return op->out == FV_ROLE_VALUE;
}

static bool role_is_per_image(fv_role role)
{
    return role == FV_ROLE_VALUE || role == FV_ROLE_INPUT;
}

static int64_t value_count(const op_call *call, int i)
{
    const int64_t count = fv__shape_count(call->shape[i]);
    return role_is_per_image(fv__op_role(call->op, i)) ? count * call->n : count;
}

int op_n_inputs(const op_call *call)
{
    int n = 0;
    while (n < FV_CASE_INPUTS && call->shape[n].rank > 0)
        n++;
    return n;
}

static void read_words(const op_call *call, fv_context *ctx, void *attrs)
{
    char words[8192], *rest = words;
    snprintf(words, sizeof words, "%s", call->words ? call->words : "");
    fv__attrs_default(call->op, attrs);
    for (char *word; (word = strtok_r(rest, " ", &rest));) {
        char *value = strchr(word, '=');
        if (!value)
            fail_msg("%s: '%s' is no word=value", call->what, word);
        *value++ = '\0';
        if (fv__attrs_set(ctx, call->op, attrs, word, value, call->what) != FV_OK)
            fail_msg("%s", fv_message(ctx));
    }
}

void op_call_check(op_call *call)
{
    fv_context *ctx = op_context("portable", 1);
    op_graph g;
    op_graph_build(&g, call, ctx);
    call->out_shape = g.graph.tensors[g.output].shape;
    call->n_out = fv__shape_count(call->out_shape) * (op_output_is_per_image(call->op) ? call->n : 1);
    if (call->op->changes)
        call->n_out = 0;
    for (int i = 0; i < op_n_inputs(call); i++)
        call->n_out += call->op->changes >> i & 1 ? value_count(call, i) : 0;
    fv__graph_deinit(&g.graph);
    fv_context_destroy(ctx);
}

/* A sum over images is the gradient of a parameter, so the graph needs one of its shape. */
static int gradient_of(fv_graph *graph, const op_call *call, const op_graph *g, const void *attrs)
{
    fv_infer q = {
        .ctx = graph->ctx, .what = call->what, .op = call->op, .attrs = attrs, .n_inputs = op_n_inputs(call)};
    for (int i = 0; i < q.n_inputs; i++)
        q.input[i] = &graph->tensors[g->input[i]];
    int of = -1;
    if (call->op->infer(&q) != FV_OK ||
        fv__graph_tensor(graph, "parameter", q.out, FV_ROLE_PARAMETER, &of) != FV_OK)
        fail_msg("%s: %s", call->what, fv_message(graph->ctx));
    return of;
}

/* The operation that makes input i of what the layer reads, for all images together; NULL: none. */
static const fv_op *maker_of(const fv_op *op, int i)
{
    const fv_layer_kind *const layer = op->n_layers > 0 ? &op->layers[0] : NULL;
    const int k = i - (op->n_inputs - (layer ? layer->n_parameters : 0)); /* parameters come last */
    return layer && k >= 0 && k < layer->n_parameters ? layer->parameters[k].of_batch : NULL;
}

/* What the inputs of the operation are is what they are in a network: batchnorm's gradient counts in that the
 * statistics follow x, so there they are those of x. The value drawn for them goes unused. */
static fv_status add_input(op_graph *g, const op_call *call, int i)
{
    char name[16];
    snprintf(name, sizeof name, "in%d", i);
    const fv_op *const maker = maker_of(call->op, i);
    if (!maker)
        return fv__graph_tensor(&g->graph, name, call->shape[i], fv__op_role(call->op, i), &g->input[i]);
    const fv_node_spec stats = {
        .op = maker, .name = name, .n_inputs = 1, .input = {g->input[0]}, .role = FV_ROLE_BATCH, .of = -1};
    return fv__graph_node(&g->graph, &stats, &g->input[i]);
}

void op_graph_build(op_graph *g, const op_call *call, fv_context *ctx)
{
    _Alignas(16) unsigned char attrs[FV_ATTR_MAX_BYTES];
    assert_true(call->op->attr_bytes <= sizeof attrs);
    read_words(call, ctx, attrs);
    fv__graph_init(&g->graph, ctx, "case");
    fv_node_spec spec = {.op = call->op, .name = "y", .role = call->op->out, .of = -1, .attrs = attrs};
    for (int i = 0; i < op_n_inputs(call); i++) {
        if (add_input(g, call, i) != FV_OK)
            fail_msg("%s: %s", call->what, fv_message(ctx));
        spec.input[spec.n_inputs++] = g->input[i];
        if (fv__op_role(call->op, i) == FV_ROLE_GRADIENT || fv__op_role(call->op, i) == FV_ROLE_STATE)
            g->graph.tensors[g->input[i]].of = g->input[0];
    }
    if (spec.role == FV_ROLE_STATE)
        spec.of = g->input[0];
    else if (spec.role == FV_ROLE_GRADIENT)
        spec.of = gradient_of(&g->graph, call, g, attrs);
    if (fv__graph_node(&g->graph, &spec, &g->output) != FV_OK)
        fail_msg("%s: %s", call->what, fv_message(ctx));
    if (fv__graph_add_result(&g->graph, g->output) != FV_OK ||
        (call->op->part == FV_PART_LOSS && fv__graph_add_loss(&g->graph, g->output) != FV_OK))
        fail_msg("%s: %s", call->what, fv_message(ctx));
}

/* ---- inputs --------------------------------------------------------------------------------------- */

/* Every value of the image another multiple of `step`, in random order, none nearer to 0 than a quarter. At
 * least 0.01 apart, so that differences cross no kink, unless the operation wants them of a size: such an
 * operation has no kinks. */
static void draw_smooth(double *v, int64_t count, double size, fv_rng *rng)
{
    const double least = size > 0 ? 0 : 0.01, even = 2 * (size > 0 ? size : 2) / (double)count;
    const double spacing = even > least ? even : least;
    const double scale = (0.5 + fv__rng_uniform(rng)) * (fv__rng_below(rng, 2) ? 1 : -1) * spacing;
    for (int64_t i = 0; i < count; i++)
        v[i] = scale * ((double)(i - count / 2) + 0.25);
    for (int64_t i = count - 1; i > 0; i--) {
        const int64_t j = fv__rng_below(rng, (uint32_t)i + 1);
        const double swap = v[i];
        v[i] = v[j];
        v[j] = swap;
    }
}

/* Variances, means of squares and settings. */
static bool is_positive(fv_role role)
{
    return role == FV_ROLE_STATISTIC || role == FV_ROLE_STATE || role == FV_ROLE_SETTING;
}

static void draw_values(double *v, int64_t count, const fv_op *op, fv_role role, op_draw draw, fv_rng *rng)
{
    if (role == FV_ROLE_VALUE && draw == OP_SMOOTH)
        draw_smooth(v, count, op->input_size, rng);
    else if (role == FV_ROLE_VALUE)
        for (int64_t i = 0; i < count; i++)
            v[i] = 0.5 * ((double)fv__rng_below(rng, 9) - 4);
    else
        for (int64_t i = 0; i < count; i++)
            v[i] = is_positive(role) ? 0.5 + fv__rng_uniform(rng) : 2 * fv__rng_uniform(rng) - 1;
}

/* What a loss is compared with: input 1. */
static void draw_target(double *v, int64_t count, const op_call *call, fv_rng *rng)
{
    const uint32_t classes = (uint32_t)call->shape[0].dim[0];
    const fv_target target = fv__op_target(call->op, call->shape[0], call->shape[1]);
    for (int64_t i = 0; i < count; i++)
        v[i] = target == FV_TARGET_CLASS  ? fv__rng_below(rng, classes)
               : target == FV_TARGET_BITS ? fv__rng_below(rng, 2)
                                          : 4 * fv__rng_uniform(rng) - 2;
}

bool op_is_target(const fv_op *op, int input)
{
    return op->target != FV_TARGET_NONE && input == 1;
}

void op_call_case(op_call *call, const fv_op *op, int index, int max_batch, op_draw draw)
{
    const fv_case *const c = &op->cases[index];
    *call = (op_call){.op = op, .words = c->words, .n = c->batch < max_batch ? c->batch : max_batch};
    _Static_assert(sizeof c->in <= sizeof call->shape, "a case has no more inputs than a call");
    memcpy(call->shape, c->in, sizeof c->in);
    snprintf(call->what, sizeof call->what, "%s case %d, batch %d '%s'", op->name, index, call->n, c->words);
    for (int i = 0; i < op_n_inputs(call); i++) {
        const fv_role role = op->role[i];
        const int64_t count = fv__shape_count(c->in[i]), images = role_is_per_image(role) ? call->n : 1;
        fv_rng rng = fv__rng(SEED, FV_STREAM_CHECK, (uint32_t)index, (uint32_t)i);
        call->value[i] = calloc((size_t)(count * images), sizeof **call->value);
        assert_non_null(call->value[i]);
        for (int64_t n = 0; n < images; n++)
            if (op_is_target(op, i))
                draw_target(call->value[i] + n * count, count, call, &rng);
            else
                draw_values(call->value[i] + n * count, count, op, role, draw, &rng);
        for (int64_t k = 0; k < count * images; k++)
            call->value[i][k] = (float)call->value[i][k]; /* so that kernels see the same numbers */
    }
}

void op_call_free(op_call *call)
{
    for (int i = 0; i < FV_MAX_INPUTS; i++)
        free(call->value[i]);
    *call = (op_call){0};
}

/* ---- the reference -------------------------------------------------------------------------------- */

static fv_reference *make_reference(const op_call *call, fv_context *ctx, const op_graph *g)
{
    fv_reference *reference;
    if (fv__reference_create(ctx, &g->graph, call->n, &reference) != FV_OK)
        fail_msg("%s: %s", call->what, fv_message(ctx));
    reference->seed = SEED;
    reference->updates = true;
    for (int i = 0; i < op_n_inputs(call); i++)
        memcpy(reference->value[g->input[i]], call->value[i],
               (size_t)value_count(call, i) * sizeof **call->value);
    return reference;
}

static void run_reference(fv_reference *reference, int tensor, const op_call *call)
{
    if (fv__reference_run(reference, tensor) != FV_OK)
        fail_msg("%s: %s", call->what, fv_message(reference->ctx));
}

double *op_by_reference(const op_call *call)
{
    double *const out = calloc((size_t)call->n_out, sizeof *out);
    assert_non_null(out);
    fv_context *ctx = op_context("portable", 1);
    op_graph g;
    op_graph_build(&g, call, ctx);
    fv_reference *reference = make_reference(call, ctx, &g);
    run_reference(reference, g.output, call);
    if (!call->op->changes)
        memcpy(out, reference->value[g.output], (size_t)call->n_out * sizeof *out);
    double *to = out;
    for (int i = 0; i < op_n_inputs(call); i++)
        if (call->op->changes >> i & 1) {
            memcpy(to, reference->value[g.input[i]], (size_t)value_count(call, i) * sizeof *to);
            to += value_count(call, i);
        }
    fv__reference_destroy(reference);
    fv__graph_deinit(&g.graph);
    fv_context_destroy(ctx);
    return out;
}

/* ---- the gradient --------------------------------------------------------------------------------- */

/* What is differentiated: the mean of a loss, else the output times fixed random numbers dy. The sum over
 * differences, not the difference of sums, so that little is lost to cancellation. */
typedef struct scalar {
    fv_reference *reference;
    const op_call *call;
    int output;
    const double *dy; /* NULL: a loss */
    double *plus;     /* room for an output */
} scalar;

static double central_difference(scalar *s, double *x, double eps)
{
    const double kept = *x, *y = s->reference->value[s->output];
    *x = kept + eps;
    run_reference(s->reference, s->output, s->call);
    memcpy(s->plus, y, (size_t)s->call->n_out * sizeof *y);
    *x = kept - eps;
    run_reference(s->reference, s->output, s->call);
    double sum = 0;
    for (int64_t i = 0; i < s->call->n_out; i++)
        sum += (s->plus[i] - y[i]) * (s->dy ? s->dy[i] : 1.0 / s->call->n);
    *x = kept;
    return sum / (2 * eps);
}

/* Tolerance: with eps 1e-5 the differences' own error is eps^2 f''' / 6, about 1e-10, and 1e-16 |y| / eps,
 * about 1e-11 |y|; 1e-6 of the gradient plus 1e-8 leaves room for large sums. A wrong factor or sign is
 * larger by orders. */
static void check_input(scalar *s, int i, const double *analytic, double *x, int64_t count)
{
    fv_rng rng = fv__rng(SEED, FV_STREAM_CHECK, 1000, (uint32_t)i);
    const int64_t n = count < CHECKED_VALUES ? count : CHECKED_VALUES;
    for (int64_t k = 0; k < n; k++) {
        const int64_t at = n == count ? k : fv__rng_below(&rng, (uint32_t)count);
        const double numeric = central_difference(s, &x[at], 1e-5);
        if (!(fabs(numeric - analytic[at]) <= 1e-6 * fabs(analytic[at]) + 1e-8))
            fail_msg("%s: gradient of input %d, value %lld: .grad gives %.12g, central differences %.12g",
                     s->call->what, i, (long long)at, analytic[at], numeric);
    }
}

static void append_gradients(const op_call *call, op_graph *g, fv_grad *grad, const fv_node *node)
{
    *grad = (fv_grad){.graph = &g->graph, .node = node, .dy = -1};
    for (int i = 0; i < op_n_inputs(call); i++) {
        const fv_role role = fv__op_role(call->op, i);
        grad->wanted[i] = (role == FV_ROLE_VALUE || role == FV_ROLE_PARAMETER) && !op_is_target(call->op, i);
        grad->dx[i] = -1;
    }
    const fv_role role = call->op->out == FV_ROLE_PARAMETER ? FV_ROLE_GRADIENT : FV_ROLE_VALUE;
    if (call->op->part != FV_PART_LOSS &&
        fv__graph_tensor(&g->graph, "dy", call->out_shape, role, &grad->dy) != FV_OK)
        fail_msg("%s: %s", call->what, fv_message(g->graph.ctx));
    if (call->op->grad(grad) != FV_OK)
        fail_msg("%s: %s", call->what, fv_message(g->graph.ctx));
}

static void check_gradients(const op_call *call, fv_context *ctx)
{
    op_graph g;
    op_graph_build(&g, call, ctx);
    const fv_node node = g.graph.nodes[g.graph.n_nodes - 1];
    fv_grad grad;
    append_gradients(call, &g, &grad, &node);
    fv_reference *reference = make_reference(call, ctx, &g);
    scalar s = {reference, call, g.output, NULL, calloc((size_t)call->n_out, sizeof(double))};
    if (grad.dy >= 0) {
        fv_rng rng = fv__rng(SEED, FV_STREAM_CHECK, 2000, 0);
        for (int64_t i = 0; i < call->n_out; i++)
            reference->value[grad.dy][i] = 2 * fv__rng_uniform(&rng) - 1;
        s.dy = reference->value[grad.dy];
    }
    run_reference(reference, -1, call);
    for (int i = 0; i < op_n_inputs(call); i++) {
        if (!grad.wanted[i])
            continue;
        const bool flows = grad.dx[i] >= 0; /* if none does, the differences have to be 0 */
        if (flows && !fv__shape_equal(g.graph.tensors[grad.dx[i]].shape, call->shape[i]))
            fail_msg("%s: the gradient of input %d has another shape than the input", call->what, i);
        const int64_t count = value_count(call, i);
        double *const analytic = calloc((size_t)count, sizeof *analytic);
        if (flows)
            memcpy(analytic, reference->value[grad.dx[i]], (size_t)count * sizeof *analytic);
        check_input(&s, i, analytic, reference->value[g.input[i]], count);
        free(analytic);
    }
    free(s.plus);
    fv__reference_destroy(reference);
    fv__graph_deinit(&g.graph);
}

void op_check_gradient(const fv_op *op, int index)
{
    op_call call;
    fv_context *ctx = op_context("portable", 1);
    op_call_case(&call, op, index, 3, OP_SMOOTH); /* of a few images: the rest adds time, not insight */
    op_call_check(&call);
    check_gradients(&call, ctx);
    op_call_free(&call);
    fv_context_destroy(ctx);
}
