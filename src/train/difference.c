/* difference.c - slopes of the reference's loss by central differences, in double.
 *
 *   D(h) = (L(v + h) - L(v - h)) / 2h = L' + O(h^2)
 *   R(h) = (4 D(h/2) - D(h)) / 3      = L' + O(h^4)       (Richardson)
 *
 * L is smooth except for the kinks of ReLU and max pooling. An operation with kinks reports the smooth piece
 * that its inputs are on (op->side). If the piece differs among v - h, v - h/2, v, v + h/2 and v + h, the
 * step is not valid, and a smaller one is tried until rounding dominates. Of the valid steps the best by
 * |D(h) - D(h/2)| and the rounding of L over h is used; the choice does not depend on the gradient under
 * test.
 *
 * A step evaluates only the nodes between the moved tensor and the loss, and stops at a kink. */
#include "train/difference.h"

#include <math.h>
#include <string.h>

#define FIRST_STEP 1e-4 /* loss of about 1: rounding 1e-12, truncation 1e-16 times the fifth derivative */
#define SHRINK     8.0
#define MAX_TRIES  6 /* the last step is 3e-9 */
#define AGREEMENT  1e-6

double fv__reference_loss(const fv_reference *reference)
{
    const fv_graph *const graph = reference->graph;
    double sum = 0;
    for (int k = 0; k < graph->n_losses; k++)
        for (int n = 0; n < reference->n; n++)
            sum += reference->value[graph->loss[k]][n];
    return sum / reference->n;
}

fv_status fv__differences_create(fv_reference *reference, size_t largest, fv_differences *out)
{
    fv_context *const ctx = reference->ctx;
    const size_t end = (size_t)fv__reference_forward_end(reference);
    fv_differences d = {.reference = reference, .end = (int)end, .tensor = -1};
    d.values = fv__alloc(ctx, largest, sizeof *d.values);
    d.follows = fv__alloc(ctx, end, sizeof *d.follows);
    d.moved = fv__alloc(ctx, end, sizeof *d.moved);
    d.reached = fv__alloc(ctx, reference->graph->n_tensors, sizeof *d.reached);
    d.side = fv__alloc(ctx, end, sizeof *d.side);
    if (!d.values || !d.follows || !d.moved || !d.reached || !d.side) {
        fv__differences_destroy(&d);
        return FV_ERR_MEMORY;
    }
    for (int k = 0; k < d.end; k++)
        d.side[k] = fv__reference_side(reference, k);
    d.noise = 0x1p-52 * fabs(fv__reference_loss(reference));
    *out = d;
    return FV_OK;
}

void fv__differences_destroy(fv_differences *d)
{
    if (!d->reference)
        return;
    fv_context *const ctx = d->reference->ctx;
    fv__free(ctx, d->values);
    fv__free(ctx, d->follows);
    fv__free(ctx, d->moved);
    fv__free(ctx, d->reached);
    fv__free(ctx, d->side);
    *d = (fv_differences){0};
}

static bool reads_reached(const fv_differences *d, const fv_node *node)
{
    for (int i = 0; i < node->n_inputs; i++)
        if (d->reached[node->input[i]])
            return true;
    return false;
}

/* The nodes between the tensor and the loss. Layers without an effect on the loss are left out. */
static void find_followers(fv_differences *d, int tensor)
{
    const fv_graph *const graph = d->reference->graph;
    memset(d->reached, 0, graph->n_tensors * sizeof *d->reached);
    d->reached[tensor] = true;
    for (int k = 0; k < d->end; k++) {
        d->follows[k] = reads_reached(d, &graph->nodes[k]);
        if (d->follows[k])
            d->reached[graph->nodes[k].output] = true;
    }
}

fv_status fv__differences_of(fv_differences *d, int tensor)
{
    fv_reference *const reference = d->reference;
    find_followers(d, tensor);
    for (int k = 0; k < d->end;
         k++) /* left by steps of an earlier tensor; no step of this one recomputes it */
        if (d->moved[k] && !d->follows[k]) {
            FV_TRY(fv__reference_run_nodes(reference, k, k + 1));
            d->moved[k] = false;
        }
    d->tensor = tensor;
    d->n = (size_t)fv__shape_count(reference->graph->tensors[tensor].shape);
    memcpy(d->values, reference->value[tensor], d->n * sizeof *d->values);
    return FV_OK;
}

double fv__differences_cost(fv_differences *d, int tensor)
{
    double sum = 0;
    find_followers(d, tensor);
    for (int k = 0; k < d->end; k++)
        sum += d->follows[k] ? fv__reference_cost(d->reference, k) : 0;
    return sum;
}

/* The loss at the reference's present values. *same becomes false, and there is no loss, if a kink is
 * between the present values and the point. */
static fv_status loss_here(fv_differences *d, bool *same, double *loss)
{
    for (int k = 0; k < d->end && *same; k++)
        if (d->follows[k]) {
            FV_TRY(fv__reference_run_nodes(d->reference, k, k + 1));
            d->moved[k] = true;
            *same = fv__reference_side(d->reference, k) == d->side[k];
        }
    *loss = *same ? fv__reference_loss(d->reference) : NAN;
    return FV_OK;
}

/* Moves the values by t, or back to the point if t is 0. *at receives the new value of a single one. */
static void move(fv_differences *d, const double *along, size_t index, double t, double *at)
{
    double *const values = d->reference->value[d->tensor];
    if (!along)
        values[index] = d->values[index] + t;
    for (size_t i = 0; along && i < d->n; i++)
        values[i] = d->values[i] + t * along[i];
    *at = along ? t : values[index];
}

/* D(h). For a single value the quotient uses its value after rounding, because v + h is rounded. */
static fv_status central(fv_differences *d, const double *along, size_t index, double h, bool *same,
                         double *slope)
{
    double high, low, loss_high, loss_low = NAN, ignored;
    move(d, along, index, h, &high);
    fv_status status = loss_here(d, same, &loss_high);
    move(d, along, index, -h, &low);
    if (status == FV_OK)
        status = loss_here(d, same, &loss_low);
    move(d, along, index, 0, &ignored);
    *slope = (loss_high - loss_low) / (high - low);
    return status;
}

fv_status fv__difference(fv_differences *d, const double *along, size_t index, double scale, fv_slope *slope)
{
    double h = FIRST_STEP;
    *slope = (fv_slope){NAN, INFINITY};
    for (int tries = 0; tries < MAX_TRIES && !(slope->uncertainty <= AGREEMENT * scale);
         tries++, h /= SHRINK) {
        bool same = true;
        double wide, narrow = NAN;
        FV_TRY(central(d, along, index, h, &same, &wide));
        if (same)
            FV_TRY(central(d, along, index, h / 2, &same, &narrow));
        const double uncertainty = fabs(wide - narrow) + 2 * d->noise / h;
        if (same && uncertainty < slope->uncertainty)
            *slope = (fv_slope){(4 * narrow - wide) / 3, uncertainty};
    }
    return FV_OK;
}
