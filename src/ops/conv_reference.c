/* conv_reference.c - the references of convolution and its gradients: plain loops in double, line by line. */
#include "base/pool.h"
#include "ops/conv.h"

#include <string.h>

/* The effect of one weight on one line of outputs: it multiplies x[k * stride] for y[k], k from 0 to n - 1.
 */
typedef struct row {
    double *w, *x, *y;
    int n, stride;
} row;

static void to_y(row r)
{
    if (r.stride == 1)
        for (int k = 0; k < r.n; k++)
            r.y[k] += *r.w * r.x[k];
    else
        for (int k = 0; k < r.n; k++)
            r.y[k] += *r.w * r.x[(int64_t)k * r.stride];
}

static void to_x(row r)
{
    for (int k = 0; k < r.n; k++)
        r.x[(int64_t)k * r.stride] += *r.w * r.y[k];
}

static void to_w(row r)
{
    double sum = 0;
    for (int k = 0; k < r.n; k++)
        sum += r.y[k] * r.x[(int64_t)k * r.stride];
    *r.w += sum;
}

/* The outputs for which one tap is inside of x: [begin, end), and its position for the first of them. */
typedef struct range {
    int begin, end;
    int64_t from;
} range;

static range seen_by(const fv_axis *axis, int tap)
{
    const int64_t offset = (int64_t)tap * axis->dilation - axis->before;
    const int64_t begin = offset >= 0 ? 0 : (-offset + axis->stride - 1) / axis->stride;
    const int64_t end = axis->in - 1 - offset < 0 ? 0 : (axis->in - 1 - offset) / axis->stride + 1;
    return (range){(int)(begin < axis->out ? begin : axis->out), (int)(end < axis->out ? end : axis->out),
                   begin * axis->stride + offset};
}

/* With a border, one output after the other: every tap sees something. */
static void outputs_of_weight(const fv_axis *at, const fv_choice *border, const int tap[FV_AXES], row r,
                              void (*visit)(row r))
{
    double *const x = r.x;
    double value = border->value;
    r.n = r.stride = 1;
    for (int oz = 0; oz < at[FV_DEPTH].out; oz++)
        for (int oy = 0; oy < at[FV_HEIGHT].out; oy++)
            for (int ox = 0; ox < at[FV_WIDTH].out; ox++, r.y++) {
                const int out[FV_AXES] = {oz, oy, ox};
                int64_t from = 0;
                for (int a = 0; a < FV_AXES && from >= 0; a++) {
                    const int seen = fv__map_seen(fv__map_outside(border->index), at[a].in,
                                                  out[a] * (int64_t)at[a].stride +
                                                      tap[a] * (int64_t)at[a].dilation - at[a].before);
                    from = seen < 0 ? -1 : from * at[a].in + seen;
                }
                r.x = from < 0 ? &value : x + from; /* the gradient of the constant is nobody's */
                visit(r);
            }
}

/* Calls `visit` for all lines of one weight's channels; the weight stands at (kz, ky, kx) of its window. */
static void lines_of_weight(const fv_axis *at, const int tap[FV_AXES], row r, void (*visit)(row r))
{
    range seen[FV_AXES];
    double *const x = r.x, *const y = r.y;
    for (int a = 0; a < FV_AXES; a++)
        seen[a] = seen_by(&at[a], tap[a]);
    r.n = seen[FV_WIDTH].end - seen[FV_WIDTH].begin;
    r.stride = at[FV_WIDTH].stride;
    for (int oz = seen[FV_DEPTH].begin; oz < seen[FV_DEPTH].end && r.n > 0; oz++)
        for (int oy = seen[FV_HEIGHT].begin; oy < seen[FV_HEIGHT].end; oy++) {
            const int64_t z =
                seen[FV_DEPTH].from + (int64_t)(oz - seen[FV_DEPTH].begin) * at[FV_DEPTH].stride;
            const int64_t iy =
                seen[FV_HEIGHT].from + (int64_t)(oy - seen[FV_HEIGHT].begin) * at[FV_HEIGHT].stride;
            r.x = x + (z * at[FV_HEIGHT].in + iy) * at[FV_WIDTH].in + seen[FV_WIDTH].from;
            r.y = y + ((int64_t)oz * at[FV_HEIGHT].out + oy) * at[FV_WIDTH].out + seen[FV_WIDTH].begin;
            visit(r);
        }
}

typedef struct operands {
    double *y, *w, *x; /* of one image */
} operands;

/* All products of output channel o, weight by weight (i, kz, ky, kx) and line by line; the three references
 * share it. i counts within the group. */
static void each_line(const fv_conv_args *conv, const fv_choice *border, int64_t o, operands v,
                      void (*visit)(row r))
{
    const fv_axis *const at = conv->at;
    double *w = v.w + o * conv->i * at[0].window * at[1].window * at[2].window;
    for (int64_t i = o / conv->o * conv->i, end = i + conv->i; i < end; i++) {
        const row r = {.x = v.x + i * fv__conv_in(conv), .y = v.y + o * fv__conv_out(conv)};
        int tap[FV_AXES];
        for (tap[0] = 0; tap[0] < at[0].window; tap[0]++)
            for (tap[1] = 0; tap[1] < at[1].window; tap[1]++)
                for (tap[2] = 0; tap[2] < at[2].window; tap[2]++) {
                    row of_weight = r;
                    of_weight.w = w++;
                    if (border->index > 0)
                        outputs_of_weight(at, border, tap, of_weight, visit);
                    else
                        lines_of_weight(at, tap, of_weight, visit);
                }
    }
}

/* ---- tasks: what no other task adds to, so that workers change no sum --------------------------------- */

typedef struct job {
    const fv_ref *r;
    fv_conv_args conv;
    const fv_choice *border;
    int64_t x, y; /* values of one image */
    int outputs;
} job;

/* The forward convolution, by what its operands' shapes are; x and y are those of that convolution. */
static job job_of(const fv_ref *r, fv_shape x, fv_shape w, fv_shape y)
{
    job j = {.r = r, .conv = fv__conv_forward_args(r->attrs, x, w, y)};
    j.border = &((const fv_conv_attrs *)r->attrs)->border;
    j.x = fv__shape_count(x);
    j.y = fv__shape_count(y);
    j.outputs = j.conv.groups * j.conv.o;
    return j;
}

/* Small ones alone: to wake workers takes longer. */
static void run_tasks(job *j, int n_tasks, fv_task_fn task)
{
    const double smallest = 1e6; /* products */
    if (j->r->pool && fv__conv_products(&j->conv) * j->r->n >= smallest)
        fv__pool_run(j->r->pool, n_tasks, task, j);
    else
        for (int t = 0; t < n_tasks; t++)
            task(j, t, 0);
}

/* An output channel of an image. */
static void forward_task(void *user, int task, int worker)
{
    const job *const j = user;
    const fv_ref *const r = j->r;
    const int n = task / j->outputs, o = task % j->outputs;
    const int64_t pixels = fv__conv_out(&j->conv);
    const operands v = {r->out + n * j->y, (double *)r->in[1], (double *)r->in[0] + n * j->x};
    (void)worker;
    for (int64_t k = o * pixels; k < (o + 1) * pixels; k++)
        v.y[k] = r->n_inputs > 2 ? r->in[2][o] : 0.0;
    each_line(&j->conv, j->border, o, v, to_y);
}

/* An image. */
static void dx_task(void *user, int n, int worker)
{
    const job *const j = user;
    const fv_ref *const r = j->r;
    const int64_t pixels = fv__conv_in(&j->conv);
    const operands v = {(double *)r->in[0] + n * j->y, (double *)r->in[1], r->out + n * j->x};
    (void)worker;
    for (int64_t k = 0; k < j->x; k++)
        v.x[k] = r->n_inputs > 2 ? r->in[2][k / pixels] : 0.0;
    for (int o = 0; o < j->outputs; o++)
        each_line(&j->conv, j->border, o, v, to_x);
}

/* The weights of an output channel. */
static void dw_task(void *user, int o, int worker)
{
    const job *const j = user;
    const fv_ref *const r = j->r;
    const int64_t weights = fv__shape_count(r->out_shape) / j->outputs;
    (void)worker;
    memset(r->out + o * weights, 0, (size_t)weights * sizeof *r->out);
    for (int n = 0; n < r->n; n++) {
        const operands v = {(double *)r->in[0] + n * j->y, r->out, (double *)r->in[1] + n * j->x};
        each_line(&j->conv, j->border, o, v, to_w);
    }
}

void fv__conv_ref(const fv_ref *r)
{
    job j = job_of(r, r->in_shape[0], r->in_shape[1], r->out_shape);
    run_tasks(&j, r->n * j.outputs, forward_task);
}

void fv__conv_ref_dx(const fv_ref *r)
{
    job j = job_of(r, r->out_shape, r->in_shape[1], r->in_shape[0]);
    run_tasks(&j, r->n, dx_task);
}

void fv__conv_ref_dw(const fv_ref *r)
{
    job j = job_of(r, r->in_shape[1], r->out_shape, r->in_shape[0]);
    run_tasks(&j, j.outputs, dw_task);
}
