/* rounding.c - evaluates a graph as float arithmetic might: node by node in double, with every value
 * perturbed a little.
 *
 * A rounding error of a kernel affects a stored value or a partial sum. The first is a relative change of
 * an element of a tensor. The second is at most as large as the effect of changing each term, however much
 * cancels in the sum: the error of 1e8 + 1 - 1e8 in float is as large as the rounding of 1e8. To cover
 * both, the elements of every tensor are multiplied by random factors of their own. The spread of the
 * results shows how far two correct programs may differ, given the conditioning of the network itself. */
#include "ops/rounding.h"

#include "base/rng.h"

#include <math.h>

/* The approximate number of terms that each element of a node's output sums. */
static double terms_of(const fv_reference *reference, int index)
{
    const fv_graph *const graph = reference->graph;
    const fv_tensor *const out = &graph->tensors[graph->nodes[index].output];
    const double images = fv__tensor_is_per_image(out) ? reference->n : 1;
    return fv__reference_cost(reference, index) / (2 * images * (double)fv__shape_count(out->shape));
}

fv_status fv__rounding_create(const fv_reference *reference, fv_rounding *out)
{
    const fv_graph *const graph = reference->graph;
    *out = (fv_rounding){.ctx = reference->ctx};
    out->size = fv__alloc(out->ctx, graph->n_tensors, sizeof *out->size);
    if (!out->size)
        return FV_ERR_MEMORY;
    for (size_t t = 0; t < graph->n_tensors; t++)
        out->size[t] = 1;
    for (int k = 0; k < (int)graph->n_nodes; k++) {
        const fv_node *const node = &graph->nodes[k];
        const double size = sqrt(terms_of(reference, k));
        out->size[node->output] = fmax(out->size[node->output], size);
        for (int i = 0; i < node->n_inputs; i++)
            out->size[node->input[i]] = fmax(out->size[node->input[i]], size);
    }
    return FV_OK;
}

void fv__rounding_destroy(fv_rounding *rounding)
{
    fv__free(rounding->ctx, rounding->size);
}

/* Uniform in -sqrt(3) to sqrt(3), which has deviation 1. */
static double draw_one(fv_rng *rng)
{
    return sqrt(3.0) / 0x1p31 * (int32_t)fv__rng_u32(rng);
}

double fv__ref_rounded(const fv_ref *r, double value)
{
    return r->rounding != 0 ? value * (1 + r->rounding * draw_one(r->draws)) : value;
}

static void change(fv_reference *reference, int t, double unit, uint64_t seed, uint32_t draw)
{
    const fv_tensor *const tensor = &reference->graph->tensors[t];
    const int64_t n = fv__shape_count(tensor->shape) * (fv__tensor_is_per_image(tensor) ? reference->n : 1);
    fv_rng rng = fv__rng(seed, FV_STREAM_ROUNDING, (uint32_t)t, draw);
    for (int64_t i = 0; i < n; i++)
        reference->value[t][i] *= 1 + unit * draw_one(&rng);
}

/* Class numbers are not rounded. */
static bool is_exact(const fv_graph *graph, int t)
{
    const int feed = fv__graph_feed_of(graph, t);
    return feed >= 0 && graph->feed[feed].kind == FV_FEED_CLASSES;
}

static fv_status run_nodes(const fv_rounding *rounding, fv_reference *reference, double unit, uint64_t seed,
                           uint32_t draw, int end)
{
    const fv_graph *const graph = reference->graph;
    for (int t = 0; t < (int)graph->n_tensors; t++)
        if (graph->tensors[t].source < 0 && !is_exact(graph, t))
            change(reference, t, unit * rounding->size[t], seed, draw);
    for (int k = 0; k < end; k++) {
        const int out = graph->nodes[k].output;
        if (graph->nodes[k].op->changes)
            continue;
        reference->rounding = unit * rounding->size[out];
        FV_TRY(fv__reference_run_nodes(reference, k, k + 1));
        if (!graph->nodes[k].op->is_view)
            change(reference, out, unit * rounding->size[out], seed, draw);
    }
    return FV_OK;
}

fv_status fv__rounding_run(const fv_rounding *rounding, fv_reference *reference, double unit, uint64_t seed,
                           uint32_t draw, int end)
{
    fv_rng rng = fv__rng(seed, FV_STREAM_ROUNDING, UINT32_MAX, draw);
    reference->draws = &rng;
    const fv_status status = run_nodes(rounding, reference, unit, seed, draw, end);
    reference->rounding = 0;
    reference->draws = NULL;
    return status;
}

/* Draws of signs. Many values are their own average. */
#define N_SIGNS     4
#define MANY_VALUES 256

/* Multiplies each element by 1 or -1; a second call restores them. */
static void sign(fv_reference *reference, int t, uint64_t seed, uint32_t draw)
{
    const fv_tensor *const tensor = &reference->graph->tensors[t];
    const int64_t n = fv__shape_count(tensor->shape) * (fv__tensor_is_per_image(tensor) ? reference->n : 1);
    fv_rng rng = fv__rng(seed, FV_STREAM_ROUNDING, (uint32_t)t, 0x80000000u + draw);
    for (int64_t i = 0; i < n; i++)
        if (fv__rng_u32(&rng) & 1)
            reference->value[t][i] = -reference->value[t][i];
}

static double squares(const double *values, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += values[i] * values[i];
    return sum;
}

/* A gradient is linear in dy, the first input of its node, or of the node before if the gradient's node
 * sums over the batch. With random signs of dy the terms do not cancel: the sum has the size of the root of
 * the sum of their squares. */
fv_status fv__rounding_terms(fv_reference *reference, int tensor, uint64_t seed, double *terms)
{
    const fv_graph *const graph = reference->graph;
    const int last = graph->tensors[tensor].source;
    const fv_node *const node = &graph->nodes[last];
    if (graph->tensors[node->input[0]].role ==
        FV_ROLE_GRADIENT) { /* the terms of the gradients that it reads */
        double all = 0;
        for (int i = 0; i < node->n_inputs; i++) {
            FV_TRY(fv__rounding_terms(reference, node->input[i], seed, terms));
            all += *terms * *terms;
        }
        *terms = sqrt(all);
        return fv__reference_run_nodes(reference, last, last + 1);
    }
    const int read = graph->nodes[last].input[0];
    const int first = graph->tensors[read].role == FV_ROLE_BATCH ? graph->tensors[read].source : last;
    const int64_t n = fv__shape_count(graph->tensors[tensor].shape);
    const uint32_t n_signs = n < MANY_VALUES ? N_SIGNS : 1;
    double sum = 0;
    for (uint32_t draw = 0; draw < n_signs; draw++) {
        sign(reference, graph->nodes[first].input[0], seed, draw);
        FV_TRY(fv__reference_run_nodes(reference, first, first + 1));
        FV_TRY(fv__reference_run_nodes(reference, last, last + 1));
        sum += squares(reference->value[tensor], n);
        sign(reference, graph->nodes[first].input[0], seed, draw);
    }
    *terms = sqrt(sum / n_signs / (double)n);
    FV_TRY(fv__reference_run_nodes(reference, first, first + 1));
    return fv__reference_run_nodes(reference, last, last + 1);
}
