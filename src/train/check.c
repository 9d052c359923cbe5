/* check.c - checks every gradient against central differences, in two steps.
 *
 * The checks run at one point (check_point.c), for every parameter tensor. g is the reference's gradient, k
 * the kernels', rms the root mean square of g:
 *
 *   reference error   |D - g.u| / rms
 *   kernel error      max |k - g| / max(rms, g)    over all values
 *
 * D is the slope of the reference's loss along u, by differences; u is first a random direction of length 1
 * through all values, then single values: all of a small tensor, a random sample of a large one.
 *
 * An error within a fixed tolerance is right. It is wrong if it is larger and rounding does not explain it:
 * the uncertainty of D (difference.c) and the spread of the gradient (check_point.c). Otherwise it is
 * undecided, unless the spread is small beside the smallest mistake that matters, a gradient 1.001 times too
 * large. If the terms of a gradient cancel out, errors are measured by the size of the terms (check_point.c).
 *
 * One wrong value of n changes g.u by rms / sqrt(n): the direction would detect one in ten thousand
 * million. */
#include "train/check.h"

#include "base/clock.h"
#include "base/rng.h"
#include "train/difference.h"

#include <math.h>

#define SMALL_TENSOR  64 /* values; larger ones are sampled */
#define N_SAMPLED     32
#define N_SPARE       8    /* values tried in place of undecided ones */
#define CHOOSING_TIME 0.25 /* of the whole time; no further point is tried after it */
#define TELL_SECONDS  0.05
/* Richardson extrapolation leaves an error of about 1e-9 for smooth losses; a wrong formula errs by more
 * than 1e-3. */
#define TOLERANCE 1e-5

/* Uses of the stream FV_STREAM_CHECK, numbered down from the end; the point's are numbered up from 0. */
#define DRAW_SAMPLE    UINT32_MAX
#define DRAW_DIRECTION (UINT32_MAX - 1)

/* The differences of one tensor. */
typedef struct tally {
    double cost;    /* of one difference, in operations */
    double seconds; /* that the last difference took */
    int64_t n_right, n_wrong, n_undecided;
    double worst;
} tally;

typedef struct check {
    fv_context *ctx;
    const fv_model *model;
    fv_check_options options;
    fv_check_fn report;
    void *user;
    fv_check_summary *summary;
    double began, ends, told; /* seconds of the clock */
    const char *parameter;    /* the parameter that is being checked */
    int n_done;
    double share;
    fv_check_point *point;
    fv_differences differences;
    double *along;  /* [values of the largest tensor] */
    tally *tallies; /* [parameter] */
} check;

/* ---- progress --------------------------------------------------------------------------------------- */

static fv_status tell(check *c, const fv_check_result *result)
{
    const double now = fv__seconds();
    const fv_check_progress progress = {.result = result,
                                        .parameter = c->parameter,
                                        .n_done = c->n_done,
                                        .n_parameters = c->model->n_learned,
                                        .share = c->share,
                                        .seconds = now - c->began};
    c->told = now;
    if (!c->report || c->report(c->user, &progress))
        return FV_OK;
    return fv__fail(c->ctx, FV_STOPPED, "stopped after %d of %d parameters", c->n_done, c->model->n_learned);
}

/* The reference calls it between nodes. */
static fv_status poll(void *user)
{
    check *const c = user;
    return c->report && fv__seconds() >= c->told + TELL_SECONDS ? tell(c, NULL) : FV_OK;
}

/* ---- differences ------------------------------------------------------------------------------------ */

/* The larger value; NaN if either is NaN. */
static double worse(double a, double b)
{
    return b > a || isnan(b) ? b : a;
}

/* Compares the slope with the gradient's, and counts the verdict. */
static void count(const check *c, int p, const fv_slope *slope, double gradient)
{
    tally *const t = &c->tallies[p];
    const double rms = c->point->rms[p], terms = c->point->terms[p];
    const double error = fabs(slope->value - gradient);
    const bool wrong = isnan(gradient) || error > TOLERANCE * rms + 4 * slope->uncertainty;
    const bool right = !wrong && (error <= TOLERANCE * rms || (error <= TOLERANCE * terms &&
                                                               slope->uncertainty <= 10 * TOLERANCE * terms));
    t->n_right += right;
    t->n_wrong += wrong;
    t->n_undecided += !right && !wrong;
    if (right || wrong)
        t->worst = isnan(t->worst) ? error / terms : worse(t->worst, error / terms);
}

/* Draws a u of length 1, a step of equal size for every value, up or down; returns g.u. */
static double draw_direction(const check *c, int p)
{
    const fv_param *const param = &c->model->params[p];
    fv_rng rng = fv__rng(c->options.seed, FV_STREAM_CHECK, (uint32_t)p, DRAW_DIRECTION);
    const double step = 1 / sqrt((double)param->n);
    double sum = 0;
    for (size_t i = 0; i < param->n; i++) {
        c->along[i] = fv__rng_u32(&rng) & 1 ? step : -step;
        sum += c->along[i] * c->point->gradient[param->offset + i];
    }
    return sum;
}

static fv_status take_direction(check *c, int p)
{
    fv_slope slope;
    if (c->model->params[p].n < 2)
        return FV_OK; /* the tensor has a single value */
    FV_TRY(fv__differences_of(&c->differences, c->model->params[p].tensor));
    const double gradient = draw_direction(c, p), start = fv__seconds();
    FV_TRY(fv__difference(&c->differences, c->along, 0, c->point->rms[p], &slope));
    c->tallies[p].seconds = fv__seconds() - start;
    count(c, p, &slope, gradient);
    return FV_OK;
}

/* The next value to try. In a sample, every other value has a gradient other than 0 if a few draws find
 * one, because units that ReLU silenced say little. */
static size_t pick(const check *c, const fv_param *param, int64_t k, fv_rng *rng)
{
    if (param->n <= SMALL_TENSOR)
        return (size_t)k;
    size_t index = fv__rng_below(rng, (uint32_t)param->n);
    for (int i = 0; i < 16 && k % 2 == 1 && c->point->gradient[param->offset + index] == 0; i++)
        index = fv__rng_below(rng, (uint32_t)param->n);
    return index;
}

/* Checks all the values, or as many as fit before `deadline`. */
static fv_status take_values(check *c, int p, double deadline)
{
    const fv_param *const param = &c->model->params[p];
    tally *const t = &c->tallies[p];
    const bool small = param->n <= SMALL_TENSOR;
    const int64_t wanted = t->n_right + t->n_wrong + (small ? (int64_t)param->n : N_SAMPLED);
    fv_slope slope;
    fv_rng rng = fv__rng(c->options.seed, FV_STREAM_CHECK, (uint32_t)p, DRAW_SAMPLE);
    FV_TRY(fv__differences_of(&c->differences, param->tensor));
    for (int64_t k = 0; k < (small ? (int64_t)param->n : N_SAMPLED + N_SPARE); k++) {
        const double start = fv__seconds();
        if (t->n_right + t->n_wrong >= wanted || start + t->seconds >= deadline)
            break;
        const size_t index = pick(c, param, k, &rng);
        FV_TRY(fv__difference(&c->differences, NULL, index, c->point->rms[p], &slope));
        t->seconds = fv__seconds() - start;
        count(c, p, &slope, c->point->gradient[param->offset + index]);
    }
    return FV_OK;
}

/* ---- the whole -------------------------------------------------------------------------------------- */

static fv_check_verdict verdict_of(const tally *t)
{
    if (t->n_wrong > 0)
        return FV_CHECK_WRONG;
    return t->n_right > 0 && t->n_right >= t->n_undecided ? FV_CHECK_OK : FV_CHECK_UNDECIDED;
}

/* The worse of two verdicts. */
static fv_check_verdict together(fv_check_verdict a, fv_check_verdict b)
{
    if (a == FV_CHECK_WRONG || b == FV_CHECK_WRONG)
        return FV_CHECK_WRONG;
    return a == FV_CHECK_OK ? b : a;
}

static fv_status conclude(check *c, int p)
{
    const tally *const t = &c->tallies[p];
    fv_check_result result = {.parameter = c->parameter,
                              .n_checked = t->n_right + t->n_wrong,
                              .n_values = (int64_t)c->model->params[p].n,
                              .reference_error = t->worst};
    const fv_check_verdict kernels = fv__check_point_judge(c->point, p, &result.kernel_error);
    result.verdict = together(kernels, verdict_of(t));
    c->summary->n_ok += result.verdict == FV_CHECK_OK;
    c->summary->n_wrong += result.verdict == FV_CHECK_WRONG;
    c->summary->n_undecided += result.verdict == FV_CHECK_UNDECIDED;
    c->n_done++;
    return tell(c, &result);
}

static const char *name_of(const check *c, int p)
{
    return fv__model_tensor(c->model, p)->name;
}

/* First a direction of each tensor, the cheapest tensor (the last) first: if the time is too short, every
 * value of as many tensors as possible has then been checked. Then single values: the remaining time is
 * shared out among the tensors by the cost of their differences. */
static fv_status check_parameters(check *c)
{
    const int n = c->model->n_learned;
    double cost_left = 0;
    for (int p = n - 1; p >= 0 && fv__seconds() < c->ends; p--) {
        c->parameter = name_of(c, p);
        c->share = 0.5 * (n - 1 - p) / n;
        FV_TRY(take_direction(c, p));
    }
    for (int p = 0; p < n; p++)
        cost_left += c->tallies[p].cost;
    for (int p = 0; p < n; p++) {
        const double now = fv__seconds(), share = c->tallies[p].cost / cost_left;
        c->parameter = name_of(c, p);
        c->share = 0.5 + 0.5 * p / n;
        FV_TRY(take_values(c, p, now + share * (c->ends - now)));
        FV_TRY(conclude(c, p));
        cost_left -= c->tallies[p].cost;
    }
    return FV_OK;
}

static fv_status run_check(check *c)
{
    const int n = c->model->n_learned;
    size_t largest = 0;
    for (int p = 0; p < n; p++)
        largest = c->model->params[p].n > largest ? c->model->params[p].n : largest;
    c->along = fv__alloc(c->ctx, largest, sizeof *c->along);
    c->tallies = fv__alloc(c->ctx, (size_t)n, sizeof *c->tallies);
    if (!c->along || !c->tallies)
        return FV_ERR_MEMORY;
    FV_TRY(fv__check_point_choose(c->point, c->began + CHOOSING_TIME * (c->ends - c->began)));
    FV_TRY(fv__differences_create(c->point->reference, largest, &c->differences));
    c->differences.noise += c->point->noise;
    for (int p = 0; p < n; p++)
        c->tallies[p] =
            (tally){.cost = fv__differences_cost(&c->differences, c->model->params[p].tensor), .worst = NAN};
    return check_parameters(c);
}

fv_status fv__check_gradients_at(fv_check_point *point, const fv_check_options *options, fv_check_fn report,
                                 void *user, fv_check_summary *summary)
{
    const double now = fv__seconds();
    check c = {.ctx = point->ctx,
               .model = point->model,
               .options = *options,
               .report = report,
               .user = user,
               .summary = summary,
               .began = now,
               .told = now,
               .point = point};
    c.ends = options->seconds > 0 ? now + options->seconds : INFINITY;
    point->reference->poll = poll;
    point->reference->poll_user = &c;
    const fv_status status = run_check(&c);
    point->reference->poll = NULL;
    fv__differences_destroy(&c.differences);
    fv__free(c.ctx, c.along);
    fv__free(c.ctx, c.tallies);
    return status;
}

fv_status fv__check_gradients(const fv_model *model, const fv_check_options *options, fv_check_fn report,
                              void *user, fv_check_summary *summary)
{
    fv_check_point *point;
    *summary = (fv_check_summary){0};
    FV_TRY(fv__check_point_create(model, options->seed, options->batch, &point));
    const fv_status status = fv__check_gradients_at(point, options, report, user, summary);
    fv__check_point_destroy(point);
    return status;
}
