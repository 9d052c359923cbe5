/* difference.c - slopes of the reference's loss by central differences, in double.
 *
 *   D(h) = (L(v + h) - L(v - h)) / 2h = L' + O(h^2)
 *   R(h) = (4 D(h/2) - D(h)) / 3      = L' + O(h^4)       (Richardson)
 *
 * L is smooth but for the kinks of ReLU and max pooling. Where one lies within h of v, D(h) and D(h/2) differ
 * by far more than rounding does: then h shrinks until it no longer reaches the kink. The step with the best
 * agreement wins, whatever gradient it is to be compared with afterwards. */
#include "train/difference.h"

#include <math.h>

#define FIRST_STEP 1e-4 /* loss of about 1: rounding 1e-12, truncation 1e-16 times the fifth derivative */
#define SHRINK     8.0
#define MAX_TRIES  5
#define AGREEMENT  1e-6

/* The first node that reads the tensor; the graph's end where none does. */
static int first_reader(const fv_graph *graph, int tensor)
{
    for (int k = 0; k < (int)graph->n_nodes; k++)
        for (int i = 0; i < graph->nodes[k].n_inputs; i++)
            if (graph->nodes[k].input[i] == tensor)
                return k;
    return (int)graph->n_nodes;
}

double fv__reference_loss(const fv_reference *reference)
{
    double sum = 0;
    for (int n = 0; n < reference->n; n++)
        sum += reference->value[reference->graph->loss][n];
    return sum / reference->n;
}

fv_status fv__difference_restore(fv_reference *reference, int tensor)
{
    const fv_graph *const graph = reference->graph;
    return fv__reference_run_nodes(reference, first_reader(graph, tensor),
                                   graph->tensors[graph->loss].source + 1);
}

/* D(h), by what v really became: v + h is rounded. */
static fv_status central(fv_reference *reference, int tensor, double *v, double h, double *slope)
{
    const double at = *v;
    const double high = at + h, low = at - h;
    *v = high;
    fv_status status = fv__difference_restore(reference, tensor);
    const double loss_high = fv__reference_loss(reference);
    *v = low;
    if (status == FV_OK)
        status = fv__difference_restore(reference, tensor);
    *v = at;
    *slope = (loss_high - fv__reference_loss(reference)) / (high - low);
    return status;
}

fv_status fv__difference(fv_reference *reference, int tensor, int64_t index, double scale, double *slope)
{
    double *const v = &reference->value[tensor][index];
    double h = FIRST_STEP, best = INFINITY, found = NAN;
    for (int tries = 0; tries < MAX_TRIES && !(best <= AGREEMENT * scale); tries++, h /= SHRINK) {
        double wide, narrow;
        FV_TRY(central(reference, tensor, v, h, &wide));
        FV_TRY(central(reference, tensor, v, h / 2, &narrow));
        if (fabs(wide - narrow) < best) {
            best = fabs(wide - narrow);
            found = (4 * narrow - wide) / 3;
        }
    }
    *slope = found;
    return FV_OK;
}
