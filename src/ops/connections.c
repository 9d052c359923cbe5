/* connections.c - a connection table: of the weights [o][i][k...], output o has only those of the inputs that
 * its row names (LeCun et al. 1998, table I: layer C3 of LeNet-5).
 *
 *   y[o][i][k] = w[o][i][k] if row o names input i, otherwise 0
 *
 * The convolution reads y instead of w, with its usual kernels. The gradient passes through the same table,
 * so an absent weight never changes: it starts as 0 and stays 0. */
#include "ops/connections.h"

#include "plan/lower.h"

#include <string.h>

static const fv_attr_spec specs[] = {
    {"table", FV_ATTR_TABLE, offsetof(fv_table_attrs, n), 0, FV_MAX_DIM - 1, 0, .count = FV_TABLE_NUMBERS},
};

/* Calls itself a row's end: -1. */
static int count_rows(const fv_table_attrs *a)
{
    int rows = 0;
    for (int k = 0; k < a->n; k++)
        rows += a->number[k] < 0;
    return rows;
}

/* The inputs of one output: numbers [begin, end). */
typedef struct table_row {
    int begin, end;
} table_row;

static table_row row_from(const fv_table_attrs *a, int begin)
{
    table_row row = {begin, begin};
    while (row.end < a->n && a->number[row.end] >= 0)
        row.end++;
    return row;
}

static bool row_reads(const fv_table_attrs *a, table_row row, int input)
{
    for (int k = row.begin; k < row.end; k++)
        if (a->number[k] == input)
            return true;
    return false;
}

int fv__table_connections(const fv_table_attrs *a)
{
    return a->n - count_rows(a);
}

/* Every number is an input, no row repeats one, and every input occurs in some row. */
static fv_status infer(fv_infer *q)
{
    const fv_table_attrs *const a = q->attrs;
    const fv_shape w = q->input[0]->shape;
    int row = 0, begin = 0;
    if (count_rows(a) != w.dim[0])
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected a table of %d rows, one an output, found %d",
                        q->what, w.dim[0], count_rows(a));
    for (int k = 0; k < a->n; k++) {
        if (a->number[k] < 0) {
            row++;
            begin = k + 1;
            continue;
        }
        if (a->number[k] >= w.dim[1])
            return fv__fail(q->ctx, FV_ERR_INPUT, "%s: table: row %d: expected inputs 0 to %d, found %d",
                            q->what, row, w.dim[1] - 1, a->number[k]);
        for (int j = begin; j < k; j++)
            if (a->number[j] == a->number[k])
                return fv__fail(q->ctx, FV_ERR_INPUT, "%s: table: row %d names input %d twice", q->what, row,
                                a->number[k]);
    }
    for (int i = 0; i < w.dim[1]; i++) {
        bool read = false;
        for (int k = 0; k < a->n && !read; k++)
            read = a->number[k] == i;
        if (!read)
            return fv__fail(q->ctx, FV_ERR_INPUT,
                            "%s: table: expected each input in some row, input %d is in none", q->what, i);
    }
    q->out = w;
    return FV_OK;
}

static int64_t taps(fv_shape w)
{
    return fv__shape_count(w) / ((int64_t)w.dim[0] * w.dim[1]);
}

int64_t fv__table_absent(const fv_table_attrs *a, fv_shape w)
{
    return fv__shape_count(w) - fv__table_connections(a) * taps(w);
}

void fv__table_clear(const fv_table_attrs *a, fv_shape w, float *values)
{
    const int64_t n = taps(w);
    table_row row = row_from(a, 0);
    for (int o = 0; o < w.dim[0]; o++, row = row_from(a, row.end + 1))
        for (int i = 0; i < w.dim[1]; i++, values += n)
            if (!row_reads(a, row, i))
                memset(values, 0, (size_t)n * sizeof *values);
}

static fv_status grad(fv_grad *g)
{
    return fv__grad_node(g, &fv_op_table_dw, "dw", g->node->attrs, 1, &g->dy, FV_ROLE_GRADIENT,
                         g->node->input[0], &g->dx[0]);
}

static void ref(const fv_ref *r)
{
    const fv_shape w = r->out_shape;
    const int64_t n = taps(w);
    const double *in = r->in[0];
    double *out = r->out;
    table_row row = row_from(r->attrs, 0);
    for (int o = 0; o < w.dim[0]; o++, row = row_from(r->attrs, row.end + 1))
        for (int i = 0; i < w.dim[1]; i++) {
            const bool there = row_reads(r->attrs, row, i);
            for (int64_t k = 0; k < n; k++)
                out[k] = there ? in[k] : 0;
            in += n;
            out += n;
        }
}

static fv_status lower_as(fv_lower *l, bool gradient)
{
    const fv_shape w = l->out_shape;
    const int64_t pairs = (int64_t)w.dim[0] * w.dim[1];
    const double n = (double)fv__shape_count(w);
    uint8_t *const there = fv__arena_alloc(l->arena, (size_t)pairs, sizeof *there);
    if (!there)
        return FV_ERR_MEMORY;
    table_row row = row_from(l->attrs, 0);
    for (int64_t o = 0; o < w.dim[0]; o++, row = row_from(l->attrs, row.end + 1))
        for (int i = 0; i < w.dim[1]; i++)
            there[o * w.dim[1] + i] = row_reads(l->attrs, row, i);
    const fv_table_args args = {.there = there, .taps = taps(w)};
    const fv_step_spec s = {.kernel = FV_KERNEL_table,
                            .domain = FV_PER_RANGE,
                            .args = fv__lower_args(l, &args, sizeof args),
                            .n_operands = 2,
                            .operand = {l->out, l->in[0]},
                            .access = {FV_WRITE, FV_READ},
                            .units = pairs,
                            .grain = 1 + 8192 / args.taps,
                            .checked_floats = gradient ? args.taps : 0,
                            .of_images = gradient,
                            .bytes = 8 * n};
    return fv__lower_step(l, &s);
}

static fv_status lower(fv_lower *l)
{
    return lower_as(l, false);
}

static fv_status lower_dw(fv_lower *l)
{
    return lower_as(l, true);
}

/* Runs once per batch. */
static fv_cost cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs, (void)in, (void)out;
    return (fv_cost){0};
}

static const fv_case cases[] = {
    {1, {{4, {3, 3, 2, 2}}}, "table=0.1/1.2/0.2"},
    {1, {{3, {5, 4, 7}}}, "table=0.1.2/1.2.3/0.2.3/0.1.3/0.1.2.3"},
    {1, {{4, {1, 1, 5, 5}}}, "table=0"},
    {1, {{5, {2, 3, 2, 3, 3}}}, "table=2.0/1"},
};

const fv_op fv_op_table = {
    .name = "table",
    .out = FV_ROLE_PARAMETER,
    .n_inputs = 1,
    .role = {FV_ROLE_PARAMETER},
    .attr_bytes = sizeof(fv_table_attrs),
    .attrs = specs,
    .n_attrs = FV_COUNT(specs),
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .lower = lower,
    .cost = cost,
    .cases = cases,
    .n_cases = FV_COUNT(cases),
};

const fv_op fv_op_table_dw = {
    .name = "table_dw",
    .family = "table",
    .part = FV_PART_WEIGHTS,
    .out = FV_ROLE_GRADIENT,
    .n_inputs = 1,
    .role = {FV_ROLE_GRADIENT},
    .attr_bytes = sizeof(fv_table_attrs),
    .attrs = specs,
    .n_attrs = FV_COUNT(specs),
    .no_gradient = true,
    .infer = infer,
    .ref = ref,
    .lower = lower_dw,
    .cost = cost,
    .cases = cases,
    .n_cases = FV_COUNT(cases),
};
