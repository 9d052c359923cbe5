/* conv_reference.c - the references of convolution and its gradients: plain loops in double, line by line. */
#include "ops/conv.h"

#include <string.h>

/* What one weight does in one line of outputs: it multiplies x[k * stride] for y[k], k from 0 to n - 1. */
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

/* The outputs that one tap sees x for: [begin, end), and where the first of them sees it. */
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

/* All products of the sum, weight by weight (o, i, kz, ky, kx) and line by line; the three references share
 * it. i counts within the group. */
static void each_line(const fv_conv_args *conv, const fv_choice *border, operands v, void (*visit)(row r))
{
    const fv_axis *const at = conv->at;
    double *w = v.w;
    for (int64_t o = 0; o < (int64_t)conv->groups * conv->o; o++)
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

static const fv_choice *border_of(const fv_ref *r)
{
    return &((const fv_conv_attrs *)r->attrs)->border;
}

void fv__conv_ref(const fv_ref *r)
{
    const fv_conv_args conv = fv__conv_forward_args(r->attrs, r->in_shape[0], r->in_shape[1], r->out_shape);
    const int64_t in = fv__shape_count(r->in_shape[0]), out = fv__shape_count(r->out_shape);
    const int64_t pixels = fv__conv_out(&conv);
    for (int n = 0; n < r->n; n++) {
        const operands v = {r->out + n * out, (double *)r->in[1], (double *)r->in[0] + n * in};
        for (int64_t k = 0; k < out; k++)
            v.y[k] = r->n_inputs > 2 ? r->in[2][k / pixels] : 0.0;
        each_line(&conv, border_of(r), v, to_y);
    }
}

void fv__conv_ref_dx(const fv_ref *r)
{
    const fv_conv_args conv = fv__conv_forward_args(r->attrs, r->out_shape, r->in_shape[1], r->in_shape[0]);
    const int64_t in = fv__shape_count(r->in_shape[0]), out = fv__shape_count(r->out_shape);
    const int64_t pixels = fv__conv_in(&conv);
    for (int n = 0; n < r->n; n++) {
        const operands v = {(double *)r->in[0] + n * in, (double *)r->in[1], r->out + n * out};
        for (int64_t k = 0; k < out; k++)
            v.x[k] = r->n_inputs > 2 ? r->in[2][k / pixels] : 0.0;
        each_line(&conv, border_of(r), v, to_x);
    }
}

void fv__conv_ref_dw(const fv_ref *r)
{
    const fv_conv_args conv = fv__conv_forward_args(r->attrs, r->in_shape[1], r->out_shape, r->in_shape[0]);
    const int64_t dy = fv__shape_count(r->in_shape[0]), x = fv__shape_count(r->in_shape[1]);
    memset(r->out, 0, (size_t)fv__shape_count(r->out_shape) * sizeof *r->out);
    for (int n = 0; n < r->n; n++) {
        const operands v = {(double *)r->in[0] + n * dy, r->out, (double *)r->in[1] + n * x};
        each_line(&conv, border_of(r), v, to_w);
    }
}
