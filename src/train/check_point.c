/* check_point.c - a point at which gradients can be compared.
 *
 * The kernels (float, with the plan that training uses) and the reference (double) run one training step on
 * the same random images, labels, parameters and dropout masks. The parameters are the model's, each moved a
 * little: initial biases are 0, where a wrong sign has no effect and ReLU has its kink.
 *
 * The distance between two correct programs in float depends on the network and on the point: batch
 * normalisation of two nearly equal images multiplies errors by hundreds, and a unit beside its kink may
 * fall on either side. This distance is measured (`spread`): the reference runs again with each value
 * changed by several roundings of float, in pairs of opposite changes, so that a unit beside its kink
 * crosses it in one of them. If rounding could hide a mistake, another point is drawn before the kernels'
 * gradients are looked at. If a gradient would then be called wrong, more changes are tried first. */
#include "train/check_point.h"

#include "base/clock.h"
#include "base/rng.h"
#include "train/difference.h"

#include <math.h>
#include <string.h>

#define NUDGE     0.05 /* of a tensor's rms, or of 1 if the rms is 0 */
#define MAX_DRAWS 8
#define N_PAIRS   2
/* Further pairs before a gradient is called wrong. The gradient of a single value (the scale of a
 * normalised channel) may by chance move little in the first two. */
#define MORE_PAIRS 8
/* Float sums of a few thousand products err by 1e-6 of their size, and by 1e-5 if most of it cancels out. */
#define TOLERANCE 1e-4
/* The spread widens the tolerance to this at most: half of what a factor of 1.001 changes. */
#define WIDEST_TOLERANCE 5e-4
/* An rms below this, or below this share of a loss above 1, counts as this much: the loss rounds at 1e-16,
 * so a difference quotient is good to about 1e-11, however small the gradient is. */
#define SMALLEST_RMS 1e-5
/* Rounding of float and double, with a margin: in some thousand random networks the kernels erred by a
 * fiftieth of the effect of this, and never by more than a half. */
#define FLOAT_ROUNDINGS  (8 * 0x1p-24)
#define DOUBLE_ROUNDINGS (4 * 0x1p-53)

/* Uses of the stream FV_STREAM_CHECK: the third word of its counter, together with the number of the draw. */
enum { DRAW_IMAGES, DRAW_NUDGE, N_USES };

/* Values that all samples together have for feed f. */
static size_t count_given(const fv_check_point *c, int f)
{
    const fv_graph *const graph = &c->model->graph;
    return (size_t)c->n * (size_t)fv__shape_count(graph->tensors[graph->feed[f].tensor].shape);
}

static fv_status allocate_feeds(fv_check_point *c)
{
    for (int f = 0; f < c->model->graph.n_feeds; f++)
        if (!(c->given[f] = fv__alloc(c->ctx, count_given(c, f), sizeof(float))))
            return FV_ERR_MEMORY;
    return FV_OK;
}

static fv_status allocate(fv_check_point *c)
{
    const size_t n = (size_t)c->n, n_learned = (size_t)c->model->n_learned;
    FV_TRY(fv__trainer_create((fv_model *)c->model, c->n, "sgd", 0, &c->trainer));
    FV_TRY(fv__reference_create(c->ctx, &c->trainer->graph, c->n, &c->reference));
    FV_TRY(fv__rounding_create(c->reference, &c->rounding));
    c->gradient_of = fv__alloc(c->ctx, n_learned, sizeof *c->gradient_of);
    c->values = fv__alloc(c->ctx, c->model->n_values, sizeof *c->values);
    c->gradient = fv__alloc(c->ctx, c->model->n_values, sizeof *c->gradient);
    c->other = fv__alloc(c->ctx, c->model->n_values, sizeof *c->other);
    c->rms = fv__alloc(c->ctx, n_learned, sizeof *c->rms);
    c->terms = fv__alloc(c->ctx, n_learned, sizeof *c->terms);
    c->spread = fv__alloc(c->ctx, n_learned, sizeof *c->spread);
    c->samples = fv__alloc(c->ctx, n, sizeof *c->samples);
    if (!c->gradient_of || !c->values || !c->gradient || !c->other || !c->rms || !c->terms || !c->spread ||
        !c->samples)
        return FV_ERR_MEMORY;
    FV_TRY(allocate_feeds(c));
    for (size_t i = 0; i < n; i++)
        c->samples[i] = (uint32_t)i;
    return FV_OK;
}

static void find_gradients(fv_check_point *c)
{
    const fv_graph *const graph = &c->trainer->graph;
    for (int p = 0; p < c->model->n_learned; p++)
        c->gradient_of[p] = -1;
    for (size_t t = 0; t < graph->n_tensors; t++)
        if (graph->tensors[t].role == FV_ROLE_GRADIENT) {
            const int p = fv__model_param_of(c->model, graph->tensors[t].of);
            if (p >= 0) /* else of what a table makes of a parameter */
                c->gradient_of[p] = (int)t;
        }
}

fv_status fv__check_point_create(const fv_model *model, uint64_t seed, int n, fv_check_point **out)
{
    fv_check_point *const c = fv__alloc(model->ctx, 1, sizeof *c);
    if (!c)
        return FV_ERR_MEMORY;
    *c = (fv_check_point){.ctx = model->ctx, .model = model, .seed = seed, .n = n};
    const fv_status status = allocate(c);
    if (status != FV_OK) {
        fv__check_point_destroy(c);
        return status;
    }
    find_gradients(c);
    c->reference->seed = seed;
    *out = c;
    return FV_OK;
}

void fv__check_point_destroy(fv_check_point *c)
{
    if (!c)
        return;
    fv__rounding_destroy(&c->rounding);
    fv__reference_destroy(c->reference);
    fv__trainer_destroy(c->trainer);
    fv__free(c->ctx, c->gradient_of);
    fv__free(c->ctx, c->values);
    fv__free(c->ctx, c->gradient);
    fv__free(c->ctx, c->other);
    fv__free(c->ctx, c->rms);
    fv__free(c->ctx, c->terms);
    fv__free(c->ctx, c->spread);
    for (int f = 0; f < FV_MAX_FEEDS; f++)
        fv__free(c->ctx, c->given[f]);
    fv__free(c->ctx, c->samples);
    fv__free(c->ctx, c);
}

/* ---- the data of the step ----------------------------------------------------------------------------- */

/* The parameters, moved a little; statistics stay. The run reads and updates this copy, never the model's. */
static void draw_parameters(fv_check_point *c, int draw)
{
    memcpy(c->values, c->model->values, c->model->n_values * sizeof *c->values);
    for (int p = 0; p < c->model->n_params; p++) {
        const fv_param *const param = &c->model->params[p];
        float *const values = c->values + param->offset;
        fv__run_bind(c->trainer->run, param->tensor, values);
        if (p >= c->model->n_learned)
            continue;
        fv_rng rng = fv__rng(c->seed, FV_STREAM_CHECK, (uint32_t)p, DRAW_NUDGE + N_USES * (uint32_t)draw);
        double squares = 0;
        for (size_t i = 0; i < param->n; i++)
            squares += (double)values[i] * (double)values[i];
        const double size = NUDGE * (squares > 0 ? sqrt(squares / (double)param->n) : 1);
        for (size_t i = 0; i < param->n; i++)
            values[i] += (float)(size * fv__rng_normal(&rng));
    }
}

static void draw_images(fv_check_point *c, int draw)
{
    const fv_graph *const graph = &c->model->graph;
    fv_rng rng = fv__rng(c->seed, FV_STREAM_CHECK, 0, DRAW_IMAGES + N_USES * (uint32_t)draw);
    for (int f = 0; f < graph->n_feeds; f++) {
        const fv_feed *const feed = &graph->feed[f];
        for (size_t i = 0; i < count_given(c, f); i++)
            c->given[f][i] = feed->kind == FV_FEED_CLASSES
                                 ? (float)fv__rng_below(&rng, (uint32_t)feed->n_classes)
                                 : (float)fv__rng_normal(&rng);
    }
}

/* Copies parameters and data into the reference. */
static void fill(fv_check_point *c)
{
    const fv_graph *const graph = &c->model->graph;
    for (int f = 0; f < graph->n_feeds; f++)
        for (size_t i = 0; i < count_given(c, f); i++)
            c->reference->value[graph->feed[f].tensor][i] = (double)c->given[f][i];
    for (int p = 0; p < c->model->n_params; p++) {
        const fv_param *const param = &c->model->params[p];
        for (size_t i = 0; i < param->n; i++)
            c->reference->value[param->tensor][i] = (double)c->values[param->offset + i];
    }
}

/* ---- the gradients ---------------------------------------------------------------------------------- */

float *fv__check_point_kernels(const fv_check_point *c, int p)
{
    return c->gradient_of[p] < 0 ? NULL : fv__run_buffer(c->trainer->run, c->gradient_of[p]);
}

/* One training step with a learning rate of 0; its gradients stay in the run's buffers. */
static fv_status run_kernels(fv_check_point *c)
{
    fv_given feed[FV_MAX_FEEDS];
    for (int f = 0; f < c->model->graph.n_feeds; f++)
        feed[f] = (fv_given){.element = FV_F32,
                             .first = c->given[f],
                             .step = count_given(c, f) / (size_t)c->n * sizeof(float)};
    const fv_batch batch = {.n = c->n, .feed = feed, .samples = c->samples, .seed = c->seed};
    double loss = 0;
    return fv__trainer_step(c->trainer, &batch, NULL, &loss);
}

static void take_gradient(const fv_check_point *c, double *gradient)
{
    for (int p = 0; p < c->model->n_learned; p++)
        if (c->gradient_of[p] >= 0)
            memcpy(gradient + c->model->params[p].offset, c->reference->value[c->gradient_of[p]],
                   c->model->params[p].n * sizeof *gradient);
}

static fv_status run_reference(fv_check_point *c)
{
    fill(c);
    FV_TRY(fv__reference_run(c->reference, -1));
    take_gradient(c, c->gradient);
    c->loss = fv__reference_loss(c->reference);
    const double smallest = SMALLEST_RMS * fmax(1, fabs(c->loss));
    for (int p = 0; p < c->model->n_learned; p++) {
        const fv_param *const param = &c->model->params[p];
        double squares = 0, terms = 0;
        for (size_t i = param->offset; i < param->offset + param->n; i++)
            squares += c->gradient[i] * c->gradient[i];
        if (c->gradient_of[p] >= 0)
            FV_TRY(fv__rounding_terms(c->reference, c->gradient_of[p], c->seed, &terms));
        c->rms[p] = fmax(sqrt(squares / (double)param->n), smallest);
        c->terms[p] = fmax(terms, c->rms[p]);
    }
    return FV_OK;
}

/* The larger value; NaN if either is NaN. */
static double worse(double a, double b)
{
    return b > a || isnan(b) ? b : a;
}

/* The distance of gradient p's values from those without rounding, in the unit of the spread. */
static double distance(const fv_check_point *c, int p)
{
    const fv_param *const param = &c->model->params[p];
    double largest = 0;
    for (size_t i = param->offset; i < param->offset + param->n; i++)
        largest = worse(largest, fabs(c->other[i] - c->gradient[i]) / fmax(c->rms[p], fabs(c->gradient[i])));
    return largest;
}

/* The spread is at least what the rounding of the last sum can do. It is also widened for tensors of few
 * values: each value is changed in two independent ways only, so the largest change seen is likely to be
 * too small. */
static double widened(const fv_check_point *c, int p)
{
    const int t = c->gradient_of[p];
    const double sum = t < 0 ? 0 : FLOAT_ROUNDINGS * c->rounding.size[t] * c->terms[p] / c->rms[p];
    return worse(c->spread[p], sum) * (1 + 2.0 / (double)c->model->params[p].n);
}

/* Raises each gradient's spread to the effect of the pairs [first, end) of changes. */
static fv_status run_pairs(fv_check_point *c, int first, int end)
{
    for (int k = 2 * first; k < 2 * end; k++) {
        fill(c);
        FV_TRY(fv__rounding_run(&c->rounding, c->reference, k % 2 ? -FLOAT_ROUNDINGS : FLOAT_ROUNDINGS,
                                c->seed, (uint32_t)k / 2, (int)c->reference->graph->n_nodes));
        take_gradient(c, c->other);
        for (int p = 0; p < c->model->n_learned; p++)
            c->spread[p] = worse(c->spread[p], distance(c, p));
    }
    return FV_OK;
}

/* The spread of each gradient, and the largest of all, measured by the sizes of their terms. */
static fv_status measure_spread(fv_check_point *c, double *largest)
{
    const int n = c->model->n_learned;
    memset(c->spread, 0, (size_t)n * sizeof *c->spread);
    FV_TRY(run_pairs(c, 0, N_PAIRS));
    *largest = 0;
    for (int p = 0; p < n; p++) {
        c->spread[p] = widened(c, p);
        *largest = worse(*largest, c->spread[p] * c->rms[p] / c->terms[p]);
    }
    return FV_OK;
}

static fv_status try_point(fv_check_point *c, int draw, double *spread)
{
    draw_parameters(c, draw);
    draw_images(c, draw);
    FV_TRY(run_kernels(c));
    FV_TRY(run_reference(c));
    return measure_spread(c, spread);
}

/* The values of the forward pass stay in the reference. */
static fv_status measure_noise(fv_check_point *c)
{
    const int end = fv__reference_forward_end(c->reference);
    c->noise = 0;
    for (int k = 0; k < 2 * N_PAIRS; k++) {
        fill(c);
        FV_TRY(fv__rounding_run(&c->rounding, c->reference, k % 2 ? -DOUBLE_ROUNDINGS : DOUBLE_ROUNDINGS,
                                c->seed, (uint32_t)k / 2, end));
        c->noise = worse(c->noise, fabs(fv__reference_loss(c->reference) - c->loss));
    }
    fill(c);
    return fv__reference_run_nodes(c->reference, 0, end);
}

static bool calls_one_wrong(const fv_check_point *c)
{
    double error;
    for (int p = 0; p < c->model->n_learned; p++)
        if (fv__check_point_judge(c, p, &error) == FV_CHECK_WRONG)
            return true;
    return false;
}

fv_status fv__check_point_choose(fv_check_point *c, double deadline)
{
    double best = INFINITY, spread = INFINITY;
    int chosen = 0, draw = 0;
    for (; draw < MAX_DRAWS && !(best <= WIDEST_TOLERANCE) && (draw == 0 || fv__seconds() < deadline);
         draw++) {
        FV_TRY(try_point(c, draw, &spread));
        if (spread < best) {
            best = spread;
            chosen = draw;
        }
    }
    if (chosen != draw - 1)
        FV_TRY(try_point(c, chosen, &spread));
    if (calls_one_wrong(c))
        FV_TRY(run_pairs(c, N_PAIRS, N_PAIRS + MORE_PAIRS));
    return measure_noise(c);
}

/* A gradient whose terms cancel out (the bias of a layer before a batch normalisation has no effect) keeps
 * a rounding error of the size of its terms. A gradient that is undecided by its own size is right if its
 * error is within the tolerance by the size of its terms. */
fv_check_verdict fv__check_point_judge(const fv_check_point *c, int p, double *error)
{
    const fv_param *const param = &c->model->params[p];
    const double *const wanted = c->gradient + param->offset;
    const float *const found = fv__check_point_kernels(c, p);
    double by_size = 0, by_terms = 0;
    for (size_t i = 0; i < param->n && found; i++) {
        const double apart = fabs((double)found[i] - wanted[i]);
        by_size = worse(by_size, apart / fmax(c->rms[p], fabs(wanted[i])));
        by_terms = worse(by_terms, apart / fmax(c->terms[p], fabs(wanted[i])));
    }
    *error = by_terms;
    if (by_size <= TOLERANCE || by_size <= fmin(c->spread[p], WIDEST_TOLERANCE))
        return FV_CHECK_OK;
    if (!(by_size <= c->spread[p]))
        return FV_CHECK_WRONG;
    return by_terms <= TOLERANCE ? FV_CHECK_OK : FV_CHECK_UNDECIDED;
}
