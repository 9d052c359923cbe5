/* graph.c - builds a graph: appends tensors and nodes and checks each of them. A failed append does not
 * change the graph. */
#include "graph/graph.h"

#include "graph/graph_rules.h"

#include <stdio.h>
#include <string.h>

enum { WHAT_BYTES = 256 };

void fv__graph_init(fv_graph *graph, fv_context *ctx, const char *source)
{
    *graph = (fv_graph){.ctx = ctx};
    fv__arena_init(&graph->arena, ctx);
    fv__names_init(&graph->names, ctx);
    /* NULL if memory fails; the first append then reports it. */
    graph->source = source ? fv__arena_strdup(&graph->arena, source) : "model";
}

void fv__graph_deinit(fv_graph *graph)
{
    fv__free(graph->ctx, graph->tensors);
    fv__free(graph->ctx, graph->nodes);
    fv__names_deinit(&graph->names);
    fv__arena_deinit(&graph->arena);
    *graph = (fv_graph){.ctx = graph->ctx};
}

int fv__graph_find_tensor(const fv_graph *graph, const char *name)
{
    return fv__names_find(&graph->names, name);
}

/* "relu", "relu2", "relu3"; after a digit with an underscore: "c1", "c1_2". */
const char *fv__graph_free_name(fv_graph *graph, const char *wish)
{
    const char *name = fv__arena_strdup(&graph->arena, wish);
    const size_t n = strlen(wish);
    const bool ends_in_digit = n > 0 && wish[n - 1] >= '0' && wish[n - 1] <= '9';
    for (int i = 2; name && fv__graph_find_tensor(graph, name) >= 0; i++)
        name = fv__arena_printf(&graph->arena, "%s%s%d", wish, ends_in_digit ? "_" : "", i);
    return name;
}

static fv_status reserve_tensor(fv_graph *graph)
{
    void *array = graph->tensors;
    FV_TRY(fv__grow(graph->ctx, &array, graph->n_tensors, &graph->tensor_capacity, sizeof *graph->tensors));
    graph->tensors = array;
    return FV_OK;
}

static fv_status reserve_node(fv_graph *graph)
{
    void *array = graph->nodes;
    FV_TRY(fv__grow(graph->ctx, &array, graph->n_nodes, &graph->node_capacity, sizeof *graph->nodes));
    graph->nodes = array;
    return FV_OK;
}

static int append_tensor(fv_graph *graph, fv_tensor tensor)
{
    graph->tensors[graph->n_tensors] = tensor;
    return (int)graph->n_tensors++;
}

fv_status fv__graph_tensor(fv_graph *graph, const char *name, fv_shape shape, fv_role role, int *out)
{
    if (!graph->source)
        return FV_ERR_MEMORY;
    if (!name || !*name)
        return fv__fail(graph->ctx, FV_ERR_INTERNAL, "%s: a tensor without a name", graph->source);
    if (fv__graph_find_tensor(graph, name) >= 0)
        return fv__fail(graph->ctx, FV_ERR_INPUT, "%s: tensor '%s': the name is taken", graph->source, name);
    FV_TRY(fv__shape_check(graph->ctx, shape, name));
    FV_TRY(reserve_tensor(graph));
    const char *own = fv__arena_strdup(&graph->arena, name);
    if (!own)
        return FV_ERR_MEMORY;
    FV_TRY(fv__names_add(&graph->names, own, (int)graph->n_tensors));
    *out =
        append_tensor(graph, (fv_tensor){.name = own, .shape = shape, .role = role, .source = -1, .of = -1});
    return FV_OK;
}

/* ---- nodes ---------------------------------------------------------------------------------------- */

static fv_status check_inputs(fv_graph *graph, const fv_node_spec *spec, const char *what)
{
    const fv_op *op = spec->op;
    if (!fv__op_takes(op, spec->n_inputs)) {
        const int least = op->n_inputs - op->n_optional, most = op->variadic ? FV_MAX_INPUTS : op->n_inputs;
        if (least == most)
            return fv__fail(graph->ctx, FV_ERR_INPUT, "%s: %d inputs; expected %d", what, spec->n_inputs,
                            least);
        return fv__fail(graph->ctx, FV_ERR_INPUT, "%s: %d inputs; expected %d to %d", what, spec->n_inputs,
                        least, most);
    }
    for (int i = 0; i < spec->n_inputs; i++) {
        const int t = spec->input[i];
        if (t < 0 || (size_t)t >= graph->n_tensors)
            return fv__fail(graph->ctx, FV_ERR_INTERNAL, "%s: input %d is tensor %d; there are %zu", what, i,
                            t, graph->n_tensors);
        const fv_tensor *tensor = &graph->tensors[t];
        if (!fv__role_fits(fv__op_role(op, i), tensor->role))
            return fv__fail(graph->ctx, FV_ERR_INPUT, "%s: input %d, '%s', is of role %s; expected %s", what,
                            i, tensor->name, fv__role_name(tensor->role), fv__role_name(fv__op_role(op, i)));
    }
    return FV_OK;
}

/* Copies the inputs into the graph's arena; NULL: no memory. */
static int *copy_inputs(fv_graph *graph, int n, const int *inputs)
{
    int *const own = fv__arena_alloc(&graph->arena, (size_t)(n > 0 ? n : 1), sizeof *own);
    for (int i = 0; own && i < n; i++)
        own[i] = inputs[i];
    return own;
}

static fv_status copy_attrs(fv_graph *graph, const fv_op *op, const void *attrs, const void **out)
{
    *out = NULL;
    if (op->attr_bytes == 0)
        return FV_OK;
    void *own = fv__arena_alloc(&graph->arena, 1, op->attr_bytes);
    if (!own)
        return FV_ERR_MEMORY;
    if (attrs)
        memcpy(own, attrs, op->attr_bytes);
    else
        fv__attrs_default(op, own);
    *out = own;
    return FV_OK;
}

/* A gradient and a state belong to a parameter (a state also to a statistic) and have its shape; no other
 * tensor belongs to one. */
static fv_status check_of(fv_graph *graph, const fv_node_spec *spec, fv_shape shape, const char *what)
{
    if (spec->role != FV_ROLE_GRADIENT && spec->role != FV_ROLE_STATE)
        return FV_OK;
    if (spec->of < 0 || (size_t)spec->of >= graph->n_tensors ||
        !fv__role_owns(graph->tensors[spec->of].role, spec->role))
        return fv__fail(graph->ctx, FV_ERR_INTERNAL, "%s: a %s of tensor %d, which is no parameter", what,
                        fv__role_name(spec->role), spec->of);
    const fv_tensor *parameter = &graph->tensors[spec->of];
    char found[FV_SHAPE_TEXT], expected[FV_SHAPE_TEXT];
    if (!fv__shape_equal(shape, parameter->shape))
        return fv__fail(graph->ctx, FV_ERR_INTERNAL, "%s: the %s of '%s' has shape %s; expected %s", what,
                        fv__role_name(spec->role), parameter->name, fv__shape_text(shape, found),
                        fv__shape_text(parameter->shape, expected));
    return FV_OK;
}

/* "model.fovea:3: conv c1"; a node that has its operation's name is not named twice. */
static void describe(const fv_graph *graph, const fv_op *op, const char *name, int line, char *what)
{
    const bool same = strcmp(op->name, name) == 0;
    const char *gap = same ? "" : " ", *rest = same ? "" : name;
    if (line > 0)
        snprintf(what, WHAT_BYTES, "%s:%d: %s%s%s", graph->source, line, op->name, gap, rest);
    else
        snprintf(what, WHAT_BYTES, "%s%s%s", op->name, gap, rest);
}

fv_status fv__node_shape(const fv_graph *graph, const fv_node *node, fv_shape *out)
{
    char what[WHAT_BYTES];
    describe(graph, node->op, node->name, node->line, what);
    fv_infer q = {
        .ctx = graph->ctx, .what = what, .op = node->op, .attrs = node->attrs, .n_inputs = node->n_inputs};
    for (int i = 0; i < node->n_inputs; i++)
        q.input[i] = &graph->tensors[node->input[i]];
    FV_TRY(node->op->infer(&q));
    FV_TRY(fv__shape_check(graph->ctx, q.out, what));
    *out = q.out;
    return FV_OK;
}

fv_status fv__graph_node(fv_graph *graph, const fv_node_spec *spec, int *output)
{
    if (!graph->source)
        return FV_ERR_MEMORY;
    if (!spec->op || !spec->op->infer || spec->role == FV_ROLE_INPUT)
        return fv__fail(graph->ctx, FV_ERR_INTERNAL, "%s:%d: a node that makes no %s", graph->source,
                        spec->line, fv__role_name(spec->role));
    const char *wish = spec->name && *spec->name ? spec->name : spec->op->name;
    fv_node node = {
        .op = spec->op, .line = spec->line, .n_inputs = spec->n_inputs, .counter = (int)graph->n_nodes};
    node.name = fv__graph_free_name(graph, wish);
    if (!node.name)
        return FV_ERR_MEMORY;
    node.layer = spec->layer ? fv__arena_strdup(&graph->arena, spec->layer) : node.name;
    if (!node.layer)
        return FV_ERR_MEMORY;
    char what[WHAT_BYTES];
    describe(graph, spec->op, node.name, spec->line, what);
    FV_TRY(check_inputs(graph, spec, what));
    node.input = copy_inputs(graph, spec->n_inputs, spec->input);
    if (!node.input)
        return FV_ERR_MEMORY;
    FV_TRY(copy_attrs(graph, spec->op, spec->attrs, &node.attrs));
    fv_shape shape;
    FV_TRY(fv__node_shape(graph, &node, &shape));
    FV_TRY(check_of(graph, spec, shape, what));
    FV_TRY(reserve_tensor(graph));
    FV_TRY(reserve_node(graph));
    FV_TRY(fv__names_add(&graph->names, node.name, (int)graph->n_tensors));
    const bool belongs = spec->role == FV_ROLE_GRADIENT || spec->role == FV_ROLE_STATE;
    node.output = append_tensor(graph, (fv_tensor){.name = node.name,
                                                   .shape = shape,
                                                   .role = spec->role,
                                                   .source = (int)graph->n_nodes,
                                                   .of = belongs ? spec->of : -1});
    graph->nodes[graph->n_nodes++] = node;
    *output = node.output;
    return FV_OK;
}

fv_status fv__grad_node(fv_grad *g, const fv_op *op, const char *suffix, const void *attrs, int n_inputs,
                        const int *inputs, fv_role role, int of, int *output)
{
    fv_graph *graph = g->graph;
    const char *name = fv__arena_printf(&graph->arena, "%s.%s", g->node->name, suffix);
    if (!name)
        return FV_ERR_MEMORY;
    fv_node_spec spec = {.op = op,
                         .name = name,
                         .layer = g->node->layer,
                         .line = g->node->line,
                         .n_inputs = n_inputs,
                         .attrs = attrs,
                         .role = role,
                         .of = of};
    for (int i = 0; i < n_inputs && i < FV_MAX_INPUTS; i++)
        spec.input[i] = inputs[i];
    return fv__graph_node(graph, &spec, output);
}

/* ---- copying -------------------------------------------------------------------------------------- */

static fv_status copy_tensors(const fv_graph *from, fv_graph *to)
{
    to->tensors = fv__alloc(to->ctx, from->n_tensors, sizeof *to->tensors);
    if (!to->tensors)
        return FV_ERR_MEMORY;
    to->tensor_capacity = from->n_tensors;
    for (size_t t = 0; t < from->n_tensors; t++) {
        to->tensors[t] = from->tensors[t];
        to->tensors[t].name = fv__arena_strdup(&to->arena, from->tensors[t].name);
        if (!to->tensors[t].name)
            return FV_ERR_MEMORY;
        FV_TRY(fv__names_add(&to->names, to->tensors[t].name, (int)t));
    }
    to->n_tensors = from->n_tensors;
    return FV_OK;
}

static fv_status copy_nodes(const fv_graph *from, fv_graph *to)
{
    to->nodes = fv__alloc(to->ctx, from->n_nodes, sizeof *to->nodes);
    if (!to->nodes)
        return FV_ERR_MEMORY;
    to->node_capacity = from->n_nodes;
    for (size_t i = 0; i < from->n_nodes; i++) {
        const fv_node *node = &from->nodes[i];
        to->nodes[i] = *node;
        to->nodes[i].name = fv__arena_strdup(&to->arena, node->name);
        to->nodes[i].layer = fv__arena_strdup(&to->arena, node->layer);
        to->nodes[i].input = copy_inputs(to, node->n_inputs, node->input);
        if (!to->nodes[i].name || !to->nodes[i].layer || !to->nodes[i].input)
            return FV_ERR_MEMORY;
        if (node->attrs)
            FV_TRY(copy_attrs(to, node->op, node->attrs, &to->nodes[i].attrs));
    }
    to->n_nodes = from->n_nodes;
    return FV_OK;
}

static void copy_ends(const fv_graph *from, fv_graph *to)
{
    memcpy(to->feed, from->feed, sizeof to->feed);
    memcpy(to->result, from->result, sizeof to->result);
    memcpy(to->loss, from->loss, sizeof to->loss);
    to->n_feeds = from->n_feeds;
    to->n_results = from->n_results;
    to->n_losses = from->n_losses;
}

fv_status fv__graph_copy(const fv_graph *from, fv_graph *to)
{
    fv_graph copy;
    fv__graph_init(&copy, from->ctx, from->source);
    copy_ends(from, &copy);
    fv_status status = from->source && copy.source ? FV_OK : FV_ERR_MEMORY;
    if (status == FV_OK)
        status = copy_tensors(from, &copy);
    if (status == FV_OK)
        status = copy_nodes(from, &copy);
    for (int f = 0; f < copy.n_feeds && status == FV_OK; f++)
        copy.feed[f].name = copy.tensors[copy.feed[f].tensor].name;
    if (status != FV_OK) {
        fv__graph_deinit(&copy);
        return status;
    }
    *to = copy;
    return FV_OK;
}
