/* pin_run.c - builds a pinned model, differentiates its layer and runs both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "feeding.h"
#include "ops/ops.h"
#include "pin_run.h"
#include "train/train.h"

#include <stdio.h>

enum { SEED_DY = 99 };

/* ---- comparing -------------------------------------------------------------------------------------- */

void pin_compare(const pin *p, const pin_expected *e, const char *what, const double *found, int64_t n)
{
    double sums[PIN_SUMS], largest = 1;
    if (e->sums) {
        pin_sums(found, n, sums);
        found = sums;
        n = PIN_SUMS;
    }
    if (n != e->n)
        fail_msg("%s, %s, %s %s: %lld values, PyTorch has %d", p->file, p->c->title, what, e->name,
                 (long long)n, e->n);
    for (int i = 0; i < e->n; i++)
        largest = fmax(largest, fabs(e->value[i]));
    for (int i = 0; i < e->n; i++)
        if (!(fabs(found[i] - e->value[i]) <= p->tolerance * largest))
            fail_msg("%s, %s, %s, %s %s: %s %d is %.9g, PyTorch has %.9g", p->file, p->c->title, p->isa, what,
                     e->name, e->sums ? "sum" : "value", i, found[i], e->value[i]);
}

/* ---- the model -------------------------------------------------------------------------------------- */

static int64_t count_of(const char *shape)
{
    int64_t n = 1;
    for (const char *s = shape; *s; s += strcspn(s, "x"), s += *s == 'x')
        n *= atoi(s);
    return n;
}

static bool has(const pin_case *c, pin_kind kind)
{
    for (int i = 0; i < c->n_expected; i++)
        if (c->expected[i].kind == kind)
            return true;
    return false;
}

fv_status pin_build(fv_context *ctx, const pin_case *c, const char *end, fv_model **out)
{
    char text[sizeof c->text + 128];
    snprintf(text, sizeof text, "%s%s", c->text, strstr(c->text, "\nloss ") ? "" : end);
    return fv_model_from_text(ctx, text, c->title, out);
}

void pin_set_parameters(const pin *p, fv_model *model)
{
    for (int k = 0; k < p->c->n_given; k++) {
        const pin_given *const g = &p->c->given[k];
        const int64_t n = count_of(g->shape);
        if (!g->is_parameter)
            continue;
        float *const v = calloc((size_t)n, sizeof *v);
        assert_non_null(v);
        for (int64_t i = 0; i < n; i++)
            v[i] = (float)(g->offset + g->scale * pin_unit((uint32_t)i, g->seed));
        if (fv_model_set_parameter(model, g->name, v, (size_t)n) != FV_OK)
            fail_msg("%s, %s: %s", p->file, p->c->title, fv_message(p->ctx));
        free(v);
    }
}

void pin_check_names(const pin *p)
{
    for (int k = 0; k < fv_model_n_parameters(p->model); k++) {
        const fv_parameter_info info = fv_model_parameter(p->model, k);
        char shape[64] = "";
        for (int d = 0; d < info.rank; d++)
            sprintf(shape + strlen(shape), "%s%d", d ? "x" : "", info.shape[d]);
        int g = 0;
        while (g < p->c->n_given && strcmp(p->c->given[g].name, info.name) != 0)
            g++;
        if (strncmp(info.name, "pins.", 5) == 0)
            continue;
        if (g == p->c->n_given)
            fail_msg("%s, %s: the pin says nothing about %s", p->file, p->c->title, info.name);
        if (strcmp(p->c->given[g].shape, shape) != 0)
            fail_msg("%s, %s: %s is %s, PyTorch has %s", p->file, p->c->title, info.name, shape,
                     p->c->given[g].shape);
    }
}

/* A picture of class numbers has the scale 0. */
static void *make_given(const pin *p, const pin_given *g)
{
    const int64_t n = count_of(g->shape) * p->c->images;
    float *const v = calloc((size_t)n, sizeof *v);
    int *const classes = calloc((size_t)n, sizeof *classes);
    assert_true(v && classes);
    for (int64_t i = 0; i < n; i++) {
        v[i] = (float)(g->offset + g->scale * pin_unit((uint32_t)i, g->seed));
        classes[i] = p->c->classes ? pin_label((int)i, p->c->classes) : 0;
    }
    const bool are_classes = g->scale == 0;
    free(are_classes ? (void *)v : classes);
    return are_classes ? (void *)classes : v;
}

void pin_make_values(pin *p)
{
    for (int k = 0; k < p->c->n_given; k++)
        if (!p->c->given[k].is_parameter)
            p->given[k] = make_given(p, &p->c->given[k]);
    if (!p->given[0])
        fail_msg("%s, %s: no input", p->file, p->c->title);
    for (int i = 0; i < p->c->images; i++)
        p->labels[i] = p->c->classes ? pin_label(i, p->c->classes) : 0;
}

void pin_free_values(pin *p)
{
    for (int k = 0; k < p->c->n_given; k++)
        free(p->given[k]);
}

/* What a feed is given: the input or target of its name, or class numbers. */
static fv_given given_of(const pin *p, const char *name)
{
    int k = 0;
    while (k < p->c->n_given && (!p->given[k] || strcmp(p->c->given[k].name, name) != 0))
        k++;
    if (k == p->c->n_given)
        return give_labels(p->labels);
    const pin_given *const g = &p->c->given[k];
    return (fv_given){.element = g->scale == 0 ? FV_I32 : FV_F32,
                      .first = p->given[k],
                      .step = (size_t)count_of(g->shape) * sizeof(float)};
}

/* ---- output and gradients --------------------------------------------------------------------------- */

typedef struct walk {
    fv_graph graph;
    int input, output; /* tensors: what the first layer reads, what is compared */
    int dy;            /* free; -1 of a loss */
    int *gradient;     /* [tensor of the forward pass] */
} walk;

void pin_well(const pin *p, fv_status status)
{
    if (status != FV_OK)
        fail_msg("%s, %s, %s: %s", p->file, p->c->title, p->isa, fv_message(p->ctx));
}

static void pass_back(const pin *p, walk *w, size_t k, const bool *needed)
{
    const fv_node node = w->graph.nodes[k]; /* a copy: appending moves the array */
    const bool is_loss = node.output == w->output && w->dy < 0;
    fv_grad g = {.graph = &w->graph, .node = &node, .dy = is_loss ? -1 : w->gradient[node.output]};
    if (!needed[node.output] || (!is_loss && g.dy < 0) || !node.op->grad) /* through some none flows */
        return;
    for (int i = 0; i < node.n_inputs; i++) {
        g.wanted[i] = needed[node.input[i]];
        g.dx[i] = -1;
    }
    pin_well(p, node.op->grad(&g));
    for (int i = 0; i < node.n_inputs; i++) {
        int *const sum = &w->gradient[node.input[i]];
        if (!g.wanted[i] || g.dx[i] < 0)
            continue;
        if (*sum < 0)
            *sum = g.dx[i];
        else
            pin_well(p, fv__grad_node(&g, &fv_op_add, "sum", NULL, 2, (int[]){*sum, g.dx[i]}, FV_ROLE_VALUE,
                                      -1, sum));
    }
}

/* Appends the backward pass from the pinned output, down to the input. */
static void differentiate(const pin *p, walk *w)
{
    const size_t n = w->graph.n_tensors;
    bool *const needed = calloc(n + 1, sizeof *needed);
    w->gradient = malloc((n + 1) * sizeof *w->gradient);
    assert_true(needed && w->gradient);
    for (size_t t = 0; t <= n; t++)
        w->gradient[t] = -1;
    for (size_t t = 0; t < n; t++)
        needed[t] = (int)t == w->input || w->graph.tensors[t].role == FV_ROLE_PARAMETER;
    for (size_t k = 0; k < w->graph.n_nodes; k++)
        for (int i = 0; i < w->graph.nodes[k].n_inputs; i++)
            needed[w->graph.nodes[k].output] |= needed[w->graph.nodes[k].input[i]];
    w->dy = -1;
    if (!has(p->c, PIN_LOSS)) {
        const fv_shape shape = w->graph.tensors[w->output].shape;
        pin_well(p, fv__graph_tensor(&w->graph, "pins.dy", shape, FV_ROLE_VALUE, &w->dy));
        w->gradient[w->output] = w->dy;
    }
    const int source = w->graph.tensors[w->output].source;
    for (size_t k = (size_t)source + 1; k-- > 0;)
        if (w->graph.nodes[k].output != w->input) /* the standardising of the input */
            pass_back(p, w, k, needed);
    free(needed);
}

static int layer_output(const pin *p, const char *name)
{
    for (size_t i = 0; i < p->model->n_layers; i++)
        if (strcmp(p->model->layers[i].name, name) == 0)
            return p->model->layers[i].output;
    fail_msg("%s, %s: no layer is called %s", p->file, p->c->title, name);
    return -1;
}

static void fill_dy(const pin *p, const walk *w, float *lanes)
{
    const int64_t count = fv__shape_count(w->graph.tensors[w->dy].shape);
    const int blocks = (p->c->images + FV_LANES - 1) / FV_LANES;
    for (int64_t i = 0; i < count * blocks * FV_LANES; i++)
        lanes[i] = 0;
    for (int image = 0; image < p->c->images; image++)
        for (int64_t i = 0; i < count; i++)
            lanes[(image / FV_LANES * count + i) * FV_LANES + image % FV_LANES] =
                (float)pin_unit((uint32_t)(image * count + i), SEED_DY);
}

static void compare_tensor(const pin *p, const walk *w, fv_run *run, const pin_expected *e)
{
    int tensor = w->output;
    if (e->kind == PIN_GRADIENT) {
        const int of = strcmp(e->name, "input") == 0 ? w->input : fv__graph_find_tensor(&w->graph, e->name);
        if (of < 0)
            fail_msg("%s, %s: nothing is called %s", p->file, p->c->title, e->name);
        tensor = w->gradient[of];
        if (tensor < 0)
            fail_msg("%s, %s: no gradient flows into %s", p->file, p->c->title, e->name);
    }
    const fv_tensor *const t = &w->graph.tensors[tensor];
    const bool per_image = t->role != FV_ROLE_GRADIENT;
    const int64_t count = fv__shape_count(t->shape), n = per_image ? count * p->c->images : count;
    const float *const memory = fv__run_buffer(run, tensor);
    double *const found = calloc((size_t)n, sizeof *found);
    assert_true(memory && found);
    for (int64_t i = 0; i < n; i++) {
        const int64_t image = i / count, at = i % count;
        found[i] = (double)(per_image ? memory[(image / FV_LANES * count + at) * FV_LANES + image % FV_LANES]
                                      : memory[i]);
    }
    pin_compare(p, e, e->kind == PIN_GRADIENT ? "gradient of" : "output of", found, n);
    free(found);
}

void pin_check_training(const pin *p)
{
    walk w = {.input = p->model->layers[0].output};
    pin_well(p, fv__graph_copy(&p->model->graph, &w.graph));
    w.output = w.graph.loss[0];
    for (int i = 0; i < p->c->n_expected; i++)
        if (p->c->expected[i].kind == PIN_OUTPUT)
            w.output = layer_output(p, p->c->expected[i].name);
    differentiate(p, &w);
    const fv_plan_options options = {.batch = p->c->images, .n_workers = 1, .keep_all = true};
    fv_plan *plan;
    fv_run *run;
    pin_well(p, fv__plan_create(p->ctx, &w.graph, &options, &plan));
    pin_well(p, fv__run_create(p->ctx, plan, &run));
    fv__bind_model(run, p->model);
    if (w.dy >= 0 && fv__run_buffer(run, w.dy)) /* nobody reads it where the layer passes no gradient back */
        fill_dy(p, &w, fv__run_buffer(run, w.dy));
    fv_given feed[PIN_MAX_TENSORS];
    for (int k = 0; k < w.graph.n_feeds; k++)
        feed[k] = given_of(p, w.graph.feed[k].name);
    const fv_batch batch = {.n = p->c->images, .feed = feed, .image_weight = 1};
    pin_well(p, fv__run_step(run, &batch, false));
    for (int i = 0; i < p->c->n_expected; i++)
        if (p->c->expected[i].kind <= PIN_GRADIENT)
            compare_tensor(p, &w, run, &p->c->expected[i]);
    fv__run_destroy(run);
    fv__plan_destroy(plan);
    fv__graph_deinit(&w.graph);
    free(w.gradient);
}

/* ---- prediction ------------------------------------------------------------------------------------- */

void pin_check_prediction(pin *p, const pin_expected *e)
{
    fv_model *model;
    pin_well(p, pin_build(p->ctx, p->c, "flatten\nloss squared-error\n", &model));
    pin_set_parameters(p, model);
    const int n = p->c->images, each = e->n / n;
    float *const found = calloc((size_t)e->n, sizeof *found);
    double *const wide = calloc((size_t)e->n, sizeof *wide);
    assert_true(found && wide);
    for (int images = n; images > 0; images = images > 1 ? 1 : 0) {
        fv_predictor *predictor;
        pin_expected first = *e;
        first.n = images * each;
        pin_well(p, fv_predictor_create(model, images, &predictor));
        pin_well(p, fv_predictor_run_values(predictor, p->given[0], images, found));
        for (int i = 0; i < first.n; i++)
            wide[i] = (double)found[i];
        pin_compare(p, &first, images > 1 ? "prediction of" : "prediction of one image of", wide, first.n);
        fv_predictor_destroy(predictor);
    }
    free(found), free(wide);
    fv_model_destroy(model);
}
