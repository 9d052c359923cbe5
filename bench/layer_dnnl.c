/* layer_dnnl.c - oneDNN's side of bench_layers, through its C API (dnnl.h of 2.x).
 *
 * Every memory is in the layout that the primitive prefers (format "any"); values are converted outside of
 * the timed part. Variants: for convolutions oneDNN's own choice of algorithm, direct, Winograd; for linear
 * layers an inner product, and a matrix product of the whole batch. */
#include "bench_layers.h"

#include <dlfcn.h>
#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>

struct dnnl_side {
    dnnl_primitive_desc_t descriptor;
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[N_OPERANDS];
    dnnl_exec_arg_t args[N_OPERANDS];
    int arg[N_OPERANDS]; /* DNNL_ARG_SRC ..., by operand */
    dnnl_memory_desc_t plain[N_OPERANDS];
};

/* One engine and one stream in the program, as in an application. */
static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void attend(dnnl_status_t status, const char *what)
{
    if (status != dnnl_success)
        die("oneDNN: %s: status %d", what, (int)status);
}

/* Debian's oneDNN runs on OpenMP; the number of threads is set in the runtime that it was linked with. */
void dnnl_side_start(int n_threads)
{
    void *const symbol = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    void (*set_threads)(int) = NULL;
    if (!symbol || dnnl_version()->cpu_runtime != DNNL_RUNTIME_OMP)
        die("this oneDNN does not run on OpenMP; its threads cannot be set");
    *(void **)&set_threads = symbol; /* the conversion that POSIX requires */
    set_threads(n_threads);
    attend(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
    attend(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream");
}

const char *dnnl_side_version(void)
{
    static char text[32];
    const dnnl_version_t *const v = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

/* ---- shapes ----------------------------------------------------------------------------------------- */

typedef struct view {
    int rank;
    dnnl_dims_t dims, strides;
} view;

static view matrix(dnnl_dim_t rows, dnnl_dim_t columns, bool transposed)
{
    view v = {.rank = 2, .dims = {rows, columns}, .strides = {columns, 1}};
    if (transposed)
        v = (view){.rank = 2, .dims = {columns, rows}, .strides = {1, columns}};
    return v;
}

/* [n][c][...], the last direction innermost. */
static view images(int batch, const fv_shape *shape)
{
    view v = {.rank = shape->rank + 1, .dims = {batch}};
    dnnl_dim_t step = 1;
    for (int d = v.rank; d-- > 0; step *= v.dims[d]) {
        v.dims[d] = d == 0 ? batch : shape->dim[d - 1];
        v.strides[d] = step;
    }
    return v;
}

/* oneDNN expects [o][i][k...], or with groups [g][o/g][i/g][k...]; in memory a transposed convolution has
 * inputs before outputs, as in PyTorch. */
static view filters(const geometry *g)
{
    const bool transposed = g->kind == LAYER_TRANSPOSED;
    const int first = g->groups > 1;
    view v = {.rank = g->w.rank + first};
    dnnl_dim_t step = 1;
    for (int d = g->w.rank; d-- > 2; step *= g->w.dim[d]) {
        v.dims[d + first] = g->w.dim[d];
        v.strides[d + first] = step;
    }
    const int outer = g->w.dim[0] / g->groups, inner = g->w.dim[1];
    v.dims[first] = transposed ? inner : outer;
    v.dims[first + 1] = transposed ? outer : inner;
    v.strides[first + !transposed] = step;
    v.strides[first + transposed] = step * inner;
    if (first) {
        v.dims[0] = g->groups;
        v.strides[0] = step * inner * outer;
    }
    return v;
}

/* The operands as the primitive expects them. As a matrix product the three passes are y = x wT, dx = dy w,
 * dw = dyT x. */
static view view_of(const problem *p, operand_id which, bool product)
{
    const geometry *const g = &p->geometry;
    if (g->kind != LAYER_LINEAR)
        return which == OPERAND_W ? filters(g) : images(p->batch, which == OPERAND_X ? &g->x : &g->y);
    const dnnl_dim_t rows = (dnnl_dim_t)p->batch * (g->x.rank > 1 ? g->x.dim[1] : 1);
    if (which == OPERAND_W)
        return matrix(g->w.dim[0], g->w.dim[1], product && p->pass == PASS_FORWARD);
    return matrix(rows, which == OPERAND_X ? g->w.dim[1] : g->w.dim[0],
                  product && which == OPERAND_Y && p->pass == PASS_WEIGHTS);
}

static void describe(const problem *p, bool product, dnnl_memory_desc_t any[N_OPERANDS],
                     dnnl_memory_desc_t plain[N_OPERANDS])
{
    for (operand_id k = 0; k < N_OPERANDS; k++) {
        view v = view_of(p, k, product);
        attend(dnnl_memory_desc_init_by_tag(&any[k], v.rank, v.dims, dnnl_f32, dnnl_format_tag_any), "shape");
        attend(dnnl_memory_desc_init_by_strides(&plain[k], v.rank, v.dims, dnnl_f32, v.strides), "shape");
    }
}

/* ---- primitives ------------------------------------------------------------------------------------- */

static const int training_args[N_PASSES][N_OPERANDS] = {
    {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
    {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST},
    {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST},
};

/* Directions in oneDNN's terms: a dilation of 0 is a dense window; zeros in front of x and behind it. */
typedef struct directions {
    dnnl_dims_t stride, dilation, before, behind;
} directions;

static directions directions_of(const geometry *g)
{
    directions d = {{0}};
    for (int k = 0; k < g->axes; k++) {
        d.stride[k] = g->stride[k];
        d.dilation[k] = g->dilation[k] - 1;
        d.before[k] = g->pad[k];
        d.behind[k] = g->pad[k] - g->outpad[k];
    }
    return d;
}

/* A descriptor for the pass, of a convolution or its transpose. Gradients need `forward` as a hint. */
static dnnl_primitive_desc_t convolution_pass(const problem *p, pass which,
                                              const dnnl_memory_desc_t m[N_OPERANDS],
                                              dnnl_alg_kind_t algorithm, dnnl_primitive_desc_t forward)
{
    const directions d = directions_of(&p->geometry);
    const bool transposed = p->geometry.kind == LAYER_TRANSPOSED;
    const dnnl_memory_desc_t *const x = &m[OPERAND_X], *const w = &m[OPERAND_W], *const y = &m[OPERAND_Y];
    dnnl_convolution_desc_t c; /* of a transposed convolution too: it is the same type */
    dnnl_status_t status;
    if (which == PASS_FORWARD)
        status = (transposed ? dnnl_dilated_deconvolution_forward_desc_init
                             : dnnl_dilated_convolution_forward_desc_init)(
            &c, dnnl_forward_training, algorithm, x, w, NULL, y, d.stride, d.dilation, d.before, d.behind);
    else if (which == PASS_DATA)
        status = (transposed ? dnnl_dilated_deconvolution_backward_data_desc_init
                             : dnnl_dilated_convolution_backward_data_desc_init)(
            &c, algorithm, x, w, y, d.stride, d.dilation, d.before, d.behind);
    else
        status = (transposed ? dnnl_dilated_deconvolution_backward_weights_desc_init
                             : dnnl_dilated_convolution_backward_weights_desc_init)(
            &c, algorithm, x, w, NULL, y, d.stride, d.dilation, d.before, d.behind);
    attend(status, "convolution");
    dnnl_primitive_desc_t made = NULL;
    return dnnl_primitive_desc_create(&made, &c, NULL, engine, forward) == dnnl_success ? made : NULL;
}

static dnnl_primitive_desc_t convolution(const problem *p, const dnnl_memory_desc_t m[N_OPERANDS],
                                         dnnl_alg_kind_t algorithm)
{
    const dnnl_primitive_desc_t forward = convolution_pass(p, PASS_FORWARD, m, algorithm, NULL);
    if (!forward || p->pass == PASS_FORWARD)
        return forward;
    const dnnl_primitive_desc_t backward = convolution_pass(p, p->pass, m, algorithm, forward);
    dnnl_primitive_desc_destroy(forward);
    return backward;
}

static dnnl_primitive_desc_t inner_product(const problem *p, const dnnl_memory_desc_t m[N_OPERANDS])
{
    dnnl_primitive_desc_t forward = NULL, backward = NULL;
    dnnl_inner_product_desc_t d;
    attend(dnnl_inner_product_forward_desc_init(&d, dnnl_forward_training, &m[OPERAND_X], &m[OPERAND_W], NULL,
                                                &m[OPERAND_Y]),
           "inner product");
    attend(dnnl_primitive_desc_create(&forward, &d, NULL, engine, NULL), "inner product");
    if (p->pass == PASS_FORWARD)
        return forward;
    if (p->pass == PASS_DATA)
        attend(dnnl_inner_product_backward_data_desc_init(&d, &m[OPERAND_X], &m[OPERAND_W], &m[OPERAND_Y]),
               "data gradient");
    else
        attend(dnnl_inner_product_backward_weights_desc_init(&d, &m[OPERAND_X], &m[OPERAND_W], NULL,
                                                             &m[OPERAND_Y]),
               "weight gradient");
    attend(dnnl_primitive_desc_create(&backward, &d, NULL, engine, forward), "inner product's gradient");
    dnnl_primitive_desc_destroy(forward);
    return backward;
}

/* The operands of the product: first factor, second factor, result. */
static const operand_id product_order[N_PASSES][3] = {
    {OPERAND_X, OPERAND_W, OPERAND_Y}, {OPERAND_Y, OPERAND_W, OPERAND_X}, {OPERAND_Y, OPERAND_X, OPERAND_W}};

static dnnl_primitive_desc_t matrix_product(const problem *p, const dnnl_memory_desc_t m[N_OPERANDS])
{
    const operand_id *const order = product_order[p->pass];
    dnnl_primitive_desc_t made = NULL;
    dnnl_matmul_desc_t d;
    attend(dnnl_matmul_desc_init(&d, &m[order[0]], &m[order[1]], NULL, &m[order[2]]), "matrix product");
    return dnnl_primitive_desc_create(&made, &d, NULL, engine, NULL) == dnnl_success ? made : NULL;
}

static dnnl_primitive_desc_t choose(const problem *p, int variant, const dnnl_memory_desc_t m[N_OPERANDS])
{
    static const dnnl_alg_kind_t algorithms[2][DNNL_SIDE_VARIANTS] = {
        {dnnl_convolution_auto, dnnl_convolution_direct, dnnl_convolution_winograd},
        {dnnl_deconvolution_direct, dnnl_deconvolution_winograd, dnnl_alg_kind_undef}};
    const bool transposed = p->geometry.kind == LAYER_TRANSPOSED;
    if (transposed && variant == 2)
        return NULL;
    if (p->geometry.kind != LAYER_LINEAR)
        return convolution(p, m, algorithms[transposed][variant]);
    return variant == 0 ? inner_product(p, m) : variant == 1 ? matrix_product(p, m) : NULL;
}

/* ---- memory ----------------------------------------------------------------------------------------- */

static void move(dnnl_memory_t from, const dnnl_memory_desc_t *from_desc, dnnl_memory_t to,
                 const dnnl_memory_desc_t *to_desc)
{
    dnnl_primitive_desc_t descriptor;
    dnnl_primitive_t reorder;
    attend(dnnl_reorder_primitive_desc_create(&descriptor, from_desc, engine, to_desc, engine, NULL),
           "reorder");
    attend(dnnl_primitive_create(&reorder, descriptor), "reorder");
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    attend(dnnl_primitive_execute(reorder, stream, 2, args), "reorder");
    attend(dnnl_stream_wait(stream), "reorder");
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(descriptor);
}

static const dnnl_memory_desc_t *wanted(const dnnl_side *s, operand_id which)
{
    return dnnl_primitive_desc_query_md(s->descriptor, dnnl_query_exec_arg_md, s->arg[which]);
}

static void fill(dnnl_side *s, const problem *p)
{
    for (operand_id k = 0; k < N_OPERANDS; k++) {
        attend(dnnl_memory_create(&s->memory[k], wanted(s, k), engine, DNNL_MEMORY_ALLOCATE), "memory");
        s->args[k] = (dnnl_exec_arg_t){s->arg[k], s->memory[k]};
        if (k == pass_result(p->pass))
            continue;
        dnnl_memory_t plain;
        attend(dnnl_memory_create(&plain, &s->plain[k], engine, p->value[k]), "memory");
        move(plain, &s->plain[k], s->memory[k], wanted(s, k));
        dnnl_memory_destroy(plain);
    }
}

dnnl_side *dnnl_side_create(const problem *p, int variant)
{
    const bool product = p->geometry.kind == LAYER_LINEAR && variant == 1;
    if (p->geometry.kind == LAYER_OTHER)
        return NULL;
    dnnl_side *const s = calloc(1, sizeof *s);
    if (!s)
        die("out of memory");
    dnnl_memory_desc_t any[N_OPERANDS];
    describe(p, product, any, s->plain);
    s->descriptor = choose(p, variant, any);
    if (!s->descriptor) {
        free(s);
        return NULL;
    }
    static const int product_args[3] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST};
    for (int k = 0; k < N_OPERANDS; k++) {
        if (product)
            s->arg[product_order[p->pass][k]] = product_args[k];
        else
            s->arg[k] = training_args[p->pass][k];
    }
    attend(dnnl_primitive_create(&s->primitive, s->descriptor), "primitive");
    fill(s, p);
    return s;
}

void dnnl_side_run(void *side)
{
    dnnl_side *const s = side;
    attend(dnnl_primitive_execute(s->primitive, stream, N_OPERANDS, s->args), "execute");
    attend(dnnl_stream_wait(stream), "execute");
}

void dnnl_side_read(dnnl_side *s, const problem *p, float *result)
{
    const operand_id k = pass_result(p->pass);
    dnnl_memory_t plain;
    attend(dnnl_memory_create(&plain, &s->plain[k], engine, result), "memory");
    move(s->memory[k], wanted(s, k), plain, &s->plain[k]);
    dnnl_memory_destroy(plain);
}

const char *dnnl_side_name(const dnnl_side *s)
{
    const char *name = NULL;
    attend(dnnl_primitive_desc_query(s->descriptor, dnnl_query_impl_info_str, 0, (void *)&name), "name");
    return name;
}

void dnnl_side_destroy(dnnl_side *s)
{
    if (!s)
        return;
    for (int k = 0; k < N_OPERANDS; k++)
        dnnl_memory_destroy(s->memory[k]);
    dnnl_primitive_destroy(s->primitive);
    dnnl_primitive_desc_destroy(s->descriptor);
    free(s);
}
