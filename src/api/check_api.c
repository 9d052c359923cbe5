/* check_api.c - fv_model_check: every gradient against central differences, twice over.
 *
 * One training step is run by the kernels (float, the plan that training uses) and by the reference (double),
 * on the same random images, labels, parameters and dropout masks. Per parameter tensor, with g the
 * reference's gradient and rms its root mean square:
 *
 *   reference error   max |D - g| / rms   over the values of a small tensor, over a random sample of a large
 *                                         one; D by central differences of the reference's loss
 *   kernel error      max |k - g| / rms   over all values; k from the kernels; rms is at least a hundredth of
 *                                         the largest in the network
 *
 * The parameters are the model's, each moved a little: fresh biases are 0, where a wrong sign goes unseen and
 * ReLU has its kink. Images that put some unit within float's rounding of a kink are drawn again: there the
 * gradient in float may rightly be that of the other side. */
#include "base/rng.h"
#include "ops/reference.h"
#include "train/difference.h"
#include "train/train.h"

#include <math.h>
#include <string.h>

#define SMALL_TENSOR  64 /* values; larger ones are sampled */
#define N_SAMPLED     32
#define NUDGE         0.05 /* of a tensor's rms, and of 1 where that is 0 */
#define KINK_DISTANCE 1e-6 /* relative change of the parameters: several times float's rounding */
#define MAX_DRAWS     8
/* Below this rms, errors count as if it were this: the loss is about 1 and rounds at 1e-16, so a difference
 * quotient is good to about 1e-11 and no better, however small the gradient. */
#define SMALLEST_RMS 1e-5
/* What cancels out in exact numbers (the bias of a layer before a batch normalisation has no effect) leaves
 * float's rounding behind, of the size of what cancelled: in kernels, a tensor's rms counts as at least this
 * share of the largest tensor's. */
#define KERNEL_SHARE 1e-2
/* Richardson leaves 1e-9 or so of smooth losses; a wrong formula is off by more than 1e-3. */
#define REFERENCE_TOLERANCE 1e-5
/* Float sums of a few thousand products err by 1e-6 of their size, by 1e-5 where much cancels out. */
#define KERNEL_TOLERANCE 1e-4

/* Uses of the stream FV_STREAM_CHECK: the last word of its counter but one. */
enum { DRAW_IMAGES, DRAW_NUDGE, DRAW_SHIFT, DRAW_SAMPLE };

typedef struct check {
    fv_context *ctx;
    const fv_model *model;
    uint64_t seed;
    int n; /* images */
    fv_trainer *trainer;
    fv_reference *reference;  /* of the trainer's graph */
    int *gradient_of;         /* [parameter]: tensor; -1: none flows */
    float *values;            /* as model->values, each moved a little */
    double *gradient, *other; /* the reference's, in the same layout */
    double largest_rms;       /* of any parameter's gradient */
    float *pixels;            /* [n][c][h][w] */
    const float **image;
    int *labels;
    uint32_t *samples;
} check;

/* ---- what the step is run on ------------------------------------------------------------------------ */

static fv_status allocate(check *c)
{
    const fv_graph *const graph = &c->model->graph;
    const size_t n = (size_t)c->n, count = (size_t)fv__shape_count(graph->tensors[graph->input].shape);
    FV_TRY(fv__trainer_create((fv_model *)c->model, c->n, "sgd", &c->trainer));
    FV_TRY(fv__reference_create(c->ctx, &c->trainer->graph, c->n, &c->reference));
    c->gradient_of = fv__alloc(c->ctx, (size_t)c->model->n_learned, sizeof *c->gradient_of);
    c->values = fv__alloc(c->ctx, c->model->n_values, sizeof *c->values);
    c->gradient = fv__alloc(c->ctx, c->model->n_values, sizeof *c->gradient);
    c->other = fv__alloc(c->ctx, c->model->n_values, sizeof *c->other);
    c->pixels = fv__alloc(c->ctx, n * count, sizeof *c->pixels);
    c->image = fv__alloc(c->ctx, n, sizeof *c->image);
    c->labels = fv__alloc(c->ctx, n, sizeof *c->labels);
    c->samples = fv__alloc(c->ctx, n, sizeof *c->samples);
    if (!c->gradient_of || !c->values || !c->gradient || !c->other || !c->pixels || !c->image || !c->labels ||
        !c->samples)
        return FV_ERR_MEMORY;
    for (size_t i = 0; i < n; i++) {
        c->image[i] = c->pixels + i * count;
        c->samples[i] = (uint32_t)i;
    }
    return FV_OK;
}

static void release(check *c)
{
    fv__reference_destroy(c->reference);
    fv__trainer_destroy(c->trainer);
    fv__free(c->ctx, c->gradient_of);
    fv__free(c->ctx, c->values);
    fv__free(c->ctx, c->gradient);
    fv__free(c->ctx, c->other);
    fv__free(c->ctx, c->pixels);
    fv__free(c->ctx, c->image);
    fv__free(c->ctx, c->labels);
    fv__free(c->ctx, c->samples);
}

static void find_gradients(check *c)
{
    const fv_graph *const graph = &c->trainer->graph;
    for (int p = 0; p < c->model->n_learned; p++) {
        c->gradient_of[p] = -1;
        for (size_t t = 0; t < graph->n_tensors; t++)
            if (graph->tensors[t].role == FV_ROLE_GRADIENT &&
                graph->tensors[t].of == c->model->params[p].tensor)
                c->gradient_of[p] = (int)t;
    }
}

/* The parameters, moved a little; statistics stay. The run reads and updates these, never the model's. */
static void nudge_parameters(check *c)
{
    memcpy(c->values, c->model->values, c->model->n_values * sizeof *c->values);
    for (int p = 0; p < c->model->n_params; p++) {
        const fv_param *const param = &c->model->params[p];
        float *const values = c->values + param->offset;
        fv__run_bind(c->trainer->run, param->tensor, values);
        if (p >= c->model->n_learned)
            continue;
        fv_rng rng = fv__rng(c->seed, FV_STREAM_CHECK, (uint32_t)p, DRAW_NUDGE);
        double squares = 0;
        for (size_t i = 0; i < param->n; i++)
            squares += (double)values[i] * (double)values[i];
        const double size = NUDGE * (squares > 0 ? sqrt(squares / (double)param->n) : 1);
        for (size_t i = 0; i < param->n; i++)
            values[i] += (float)(size * fv__rng_normal(&rng));
    }
}

static void draw_images(check *c, int draw)
{
    const fv_graph *const graph = &c->model->graph;
    const int64_t count = c->n * fv__shape_count(graph->tensors[graph->input].shape);
    const uint32_t n_classes = (uint32_t)fv__model_n_classes(c->model);
    fv_rng rng = fv__rng(c->seed, FV_STREAM_CHECK, (uint32_t)draw, DRAW_IMAGES);
    for (int64_t i = 0; i < count; i++) {
        c->pixels[i] = (float)fv__rng_normal(&rng);
        c->reference->value[graph->input][i] = (double)c->pixels[i];
    }
    for (int i = 0; i < c->n; i++) {
        c->labels[i] = (int)fv__rng_below(&rng, n_classes);
        c->reference->value[graph->label][i] = c->labels[i];
    }
}

/* ---- the gradients ---------------------------------------------------------------------------------- */

/* The reference's gradient with every parameter changed by about `shift` of itself. */
static fv_status reference_gradient(check *c, double shift, double *gradient)
{
    for (int p = 0; p < c->model->n_params; p++) {
        const fv_param *const param = &c->model->params[p];
        double *const to = c->reference->value[param->tensor];
        fv_rng rng = fv__rng(c->seed, FV_STREAM_CHECK, (uint32_t)p, DRAW_SHIFT);
        for (size_t i = 0; i < param->n; i++)
            to[i] =
                (double)c->values[param->offset + i] * (1 + (shift != 0 ? shift * fv__rng_normal(&rng) : 0));
    }
    FV_TRY(fv__reference_run(c->reference, -1));
    for (int p = 0; p < c->model->n_learned; p++)
        if (c->gradient_of[p] >= 0)
            memcpy(gradient + c->model->params[p].offset, c->reference->value[c->gradient_of[p]],
                   c->model->params[p].n * sizeof *gradient);
    return FV_OK;
}

static double rms_of(const check *c, int p)
{
    const fv_param *const param = &c->model->params[p];
    double squares = 0;
    for (size_t i = 0; i < param->n; i++)
        squares += c->gradient[param->offset + i] * c->gradient[param->offset + i];
    const double rms = sqrt(squares / (double)param->n);
    return rms < SMALLEST_RMS ? SMALLEST_RMS : rms;
}

/* The larger; NaN where either is. */
static double worse(double a, double b)
{
    return b > a || isnan(b) ? b : a;
}

/* Whether a tiny change of the parameters, either way, changes the gradient by much. */
static fv_status near_kink(check *c, bool *out)
{
    *out = false;
    for (int way = -1; way <= 1; way += 2) {
        FV_TRY(reference_gradient(c, way * KINK_DISTANCE, c->other));
        for (int p = 0; p < c->model->n_learned; p++) {
            const fv_param *const param = &c->model->params[p];
            double difference = 0;
            for (size_t i = param->offset; i < param->offset + param->n; i++)
                difference = worse(difference, fabs(c->other[i] - c->gradient[i]));
            *out |= difference > 0.25 * KERNEL_TOLERANCE * rms_of(c, p);
        }
    }
    return FV_OK;
}

/* Draws images until they are far from kinks, and leaves the reference evaluated on them. A large network may
 * never get there, but then one unit's side matters little. */
static fv_status prepare(check *c)
{
    bool near = true;
    find_gradients(c);
    nudge_parameters(c);
    c->reference->seed = c->seed;
    for (int draw = 0; draw < MAX_DRAWS && near; draw++) {
        draw_images(c, draw);
        FV_TRY(reference_gradient(c, 0, c->gradient));
        FV_TRY(near_kink(c, &near));
    }
    return reference_gradient(c, 0, c->gradient);
}

/* One step of training with a learning rate of 0: its gradients stay in the run's buffers. */
static fv_status run_kernels(check *c)
{
    const fv_batch batch = {
        .n = c->n, .values = c->image, .labels = c->labels, .samples = c->samples, .seed = c->seed};
    double loss = 0;
    return fv__trainer_step(c->trainer, &batch, &loss);
}

/* ---- the comparison --------------------------------------------------------------------------------- */

static double kernel_error(const check *c, int p)
{
    const fv_param *const param = &c->model->params[p];
    const float *const found =
        c->gradient_of[p] < 0 ? NULL : fv__run_buffer(c->trainer->run, c->gradient_of[p]);
    double error = 0, rms = rms_of(c, p);
    for (size_t i = 0; i < param->n && found; i++)
        error = worse(error, fabs((double)found[i] - c->gradient[param->offset + i]));
    return error / (rms > KERNEL_SHARE * c->largest_rms ? rms : KERNEL_SHARE * c->largest_rms);
}

/* The next value to try. In a sample every other one has, if a few draws find such, a gradient other than 0:
 * units that ReLU silenced say little. */
static int64_t pick(const check *c, const fv_param *param, int64_t k, fv_rng *rng)
{
    if (param->n <= SMALL_TENSOR)
        return k;
    int64_t index = fv__rng_below(rng, (uint32_t)param->n);
    for (int i = 0; i < 16 && k % 2 == 1 && c->gradient[param->offset + (size_t)index] == 0; i++)
        index = fv__rng_below(rng, (uint32_t)param->n);
    return index;
}

static fv_status check_parameter(check *c, int p, fv_check_result *result)
{
    const fv_param *const param = &c->model->params[p];
    const double rms = rms_of(c, p);
    fv_rng rng = fv__rng(c->seed, FV_STREAM_CHECK, (uint32_t)p, DRAW_SAMPLE);
    *result = (fv_check_result){.parameter = c->model->graph.tensors[param->tensor].name,
                                .n_checked = param->n <= SMALL_TENSOR ? (int64_t)param->n : N_SAMPLED,
                                .n_values = (int64_t)param->n,
                                .kernel_error = kernel_error(c, p)};
    for (int64_t k = 0; k < result->n_checked; k++) {
        const int64_t index = pick(c, param, k, &rng);
        double slope;
        FV_TRY(fv__difference(c->reference, param->tensor, index, rms, &slope));
        result->reference_error =
            worse(result->reference_error, fabs(slope - c->gradient[param->offset + (size_t)index]) / rms);
    }
    result->ok = result->reference_error <= REFERENCE_TOLERANCE && result->kernel_error <= KERNEL_TOLERANCE;
    return fv__difference_restore(c->reference, param->tensor);
}

static fv_status run_check(check *c, void (*report)(void *user, const fv_check_result *result), void *user,
                           bool *all_ok)
{
    bool ok = true;
    FV_TRY(allocate(c));
    FV_TRY(prepare(c));
    FV_TRY(run_kernels(c));
    for (int p = 0; p < c->model->n_learned; p++)
        c->largest_rms = rms_of(c, p) > c->largest_rms ? rms_of(c, p) : c->largest_rms;
    for (int p = 0; p < c->model->n_learned; p++) {
        fv_check_result result;
        FV_TRY(check_parameter(c, p, &result));
        ok &= result.ok;
        if (report)
            report(user, &result);
    }
    if (all_ok)
        *all_ok = ok;
    return FV_OK;
}

fv_status fv_model_check(fv_model *model, uint64_t seed, int batch,
                         void (*report)(void *user, const fv_check_result *result), void *user, bool *all_ok)
{
    FV_NEED(NULL, model);
    FV_WITHIN(model->ctx, batch, 1, FV_MAX_CHECK_BATCH);
    check c = {.ctx = model->ctx, .model = model, .seed = seed, .n = batch};
    const fv_status status = run_check(&c, report, user, all_ok);
    release(&c);
    return status;
}
