/* model_text.c - from model text to a graph. The language is docs/model-text.md:
 *
 *     [init KIND]              the default of weights
 *     input image CxHxW        tensors input, input.mean [c], input.inv_std [c]; node: standardise
 *     LAYER ...                layers.c
 *     [loss KIND]              tensors label [1], loss [1]
 *
 * A loss that pairs with the model's last layer reads what that layer reads: cross-entropy the input of the
 * softmax, binary cross-entropy that of the sigmoid. Both are then exact where the probability is 0 or 1. */
#include "model/definitions.h"
#include "model/layers.h"

#include <stdio.h>
#include <string.h>

fv_status fv__init_read(const fv_line *line, int column, const char *kind, const char *scale,
                        int scale_column, fv_init *out)
{
    static const char *const names[] = {"he", "xavier", "lecun", "normal", "uniform"};
    static const fv_init_kind values[] = {FV_INIT_HE, FV_INIT_XAVIER, FV_INIT_LECUN, FV_INIT_NORMAL,
                                          FV_INIT_UNIFORM};
    int k = 0;
    while (k < 5 && strcmp(names[k], kind) != 0)
        k++;
    if (k == 5) {
        const char *nearest = fv__nearest_word(kind, names, 5);
        if (nearest)
            return fv__line_fail(line, column, "unknown initialisation '%s'; nearest is '%s'", kind, nearest);
        return fv__line_fail(
            line, column, "unknown initialisation '%s'; expected he, xavier, lecun, normal or uniform", kind);
    }
    const bool scaled = values[k] == FV_INIT_NORMAL || values[k] == FV_INIT_UNIFORM;
    fv_init init = {.kind = values[k], .scale = 1};
    if (scaled && !scale)
        return fv__line_fail(line, column,
                             "%s needs its scale: 'init %s 0.01' as a line, 'init=%s:0.01' as a key", kind,
                             kind, kind);
    if (!scaled && scale)
        return fv__line_fail(line, scale_column, "%s takes no scale, found '%s'", kind, scale);
    if (scaled && (!fv__parse_decimal(scale, &init.scale) || !(init.scale >= 0 && init.scale <= 1000)))
        return fv__line_fail(line, scale_column, "the scale is '%s'; expected a number from 0 to 1000",
                             scale);
    *out = init;
    return FV_OK;
}

fv_status fv__layer_record(fv_parse *p, const char *kind, const char *name, size_t first_node,
                           size_t first_tensor)
{
    fv_model *model = p->model;
    fv_graph *graph = &model->graph;
    fv_layer_record record = {.kind = kind,
                              .line = p->line.number,
                              .call = p->scope->call,
                              .output = p->current,
                              .first_node = first_node,
                              .n_nodes = graph->n_nodes - first_node};
    record.name = fv__arena_strdup(&graph->arena, name);
    if (!record.name)
        return FV_ERR_MEMORY;
    for (size_t t = first_tensor; t < graph->n_tensors; t++)
        if (graph->tensors[t].role == FV_ROLE_PARAMETER)
            record.n_parameters += fv__shape_count(graph->tensors[t].shape);
    void *layers = model->layers;
    FV_TRY(fv__grow(p->ctx, &layers, model->n_layers, &model->layer_capacity, sizeof *model->layers));
    model->layers = layers;
    model->layers[model->n_layers++] = record;
    return fv__layer_name_add(p, record.name, kind, p->current);
}

/* ---- the lines that are no layers ----------------------------------------------------------------- */

static fv_status expect_words(const fv_line *line, int n, const char *usage)
{
    if (line->n_words < n)
        return fv__line_fail(line, line->end_column, "the line ends too early; expected '%s'", usage);
    if (line->n_words > n)
        return fv__line_fail(line, line->word[n].column, "unexpected word '%s'; expected '%s'",
                             line->word[n].text, usage);
    return FV_OK;
}

static fv_status statistic(fv_parse *p, const char *name, int c, double value, int *tensor)
{
    fv_graph *graph = &p->model->graph;
    int id = -1;
    FV_TRY(fv__graph_tensor(graph, name, FV_SHAPE(c), FV_ROLE_STATISTIC, &id));
    graph->tensors[id].init = (fv_init){.kind = FV_INIT_CONSTANT, .scale = value};
    *tensor = id;
    return FV_OK;
}

static fv_status read_input(fv_parse *p)
{
    static const char usage[] = "input image CxHxW";
    const fv_line *line = &p->line;
    fv_graph *graph = &p->model->graph;
    if (p->input_line)
        return fv__line_fail(line, 1, "a second input; the first is on line %d", p->input_line);
    if (line->n_words > 1 && strcmp(line->word[1].text, "image") != 0)
        return fv__line_fail(line, line->word[1].column, "unknown input '%s'; expected '%s'",
                             line->word[1].text, usage);
    FV_TRY(expect_words(line, 3, usage));
    const fv_word word = line->word[2];
    int64_t dim[3];
    bool well = fv__parse_sizes(word.text, 3, false, dim);
    for (int i = 0; i < 3 && well; i++)
        well = dim[i] >= 1 && dim[i] <= FV_MAX_DIM;
    if (!well)
        return fv__line_fail(
            line, word.column,
            "the image's size is '%s'; expected CxHxW such as 1x28x28, each number from 1 to %d", word.text,
            FV_MAX_DIM);
    const fv_shape shape = FV_SHAPE((int)dim[0], (int)dim[1], (int)dim[2]);
    char what[FV_MESSAGE_BYTES];
    snprintf(what, sizeof what, "%s:%d:%d: the image", line->source, line->number, word.column);
    FV_TRY(fv__shape_check(p->ctx, shape, what));
    int inputs[3];
    FV_TRY(fv__graph_tensor(graph, "input", shape, FV_ROLE_INPUT, &inputs[0]));
    FV_TRY(statistic(p, "input.mean", shape.dim[0], 0, &inputs[1]));
    FV_TRY(statistic(p, "input.inv_std", shape.dim[0], 1, &inputs[2]));
    FV_TRY(fv__graph_add_feed(graph, inputs[0], FV_FEED_INPUT, 0));
    FV_TRY(fv__layer_node(p, "standardise", "input.standardised", "input", 3, inputs, NULL, &p->current));
    p->input_line = line->number;
    return fv__layer_record(p, "input", "input", 0, 0);
}

static fv_status read_init(fv_parse *p)
{
    const fv_line *line = &p->line;
    if (p->init_line)
        return fv__line_fail(line, 1, "a second init; the first is on line %d", p->init_line);
    if (p->model->n_layers > 1)
        return fv__line_fail(line, 1, "init after a layer; it stands before the layers that it is to act on");
    if (line->n_words < 2)
        return expect_words(line, 2, "init he|xavier|lecun|normal SCALE|uniform SCALE");
    const fv_word scale = line->n_words > 2 ? line->word[2] : (fv_word){NULL, 0};
    FV_TRY(fv__init_read(line, line->word[1].column, line->word[1].text, scale.text, scale.column, &p->init));
    p->init_line = line->number;
    return expect_words(line, line->n_words > 2 ? 3 : 2, "init KIND SCALE");
}

/* ---- the loss ------------------------------------------------------------------------------------- */

typedef struct loss_kind {
    const char *word, *op;
    const char *last; /* the operation that the model must end in, whose input the loss reads; NULL: any */
} loss_kind;

static const loss_kind losses[] = {
    {"cross-entropy", "cross_entropy", "softmax"},
    {"squared-error", "squared_error", NULL},
    {"binary-cross-entropy", "binary_cross_entropy", "sigmoid"},
};
enum { N_LOSSES = sizeof losses / sizeof losses[0] };

/* The loss reads what the model ends in, so that has to be a vector of probabilities. */
static fv_status append_loss(fv_parse *p, const loss_kind *loss)
{
    fv_graph *graph = &p->model->graph;
    const fv_layer_record *last = &p->model->layers[p->model->n_layers - 1];
    const fv_shape shape = graph->tensors[p->current].shape;
    const fv_node *node = &graph->nodes[graph->tensors[p->current].source];
    char text[FV_SHAPE_TEXT];
    if (loss->last && (p->model->n_layers < 2 || strcmp(node->op->name, loss->last) != 0))
        return fv__line_fail(&p->line, 1, "%s needs a model that ends in %s; it ends in the %s of line %d",
                             loss->word, loss->last, last->kind, last->line);
    if (shape.rank != 1)
        return fv__line_fail(
            &p->line, 1,
            "the model ends in an image of %s, the loss reads a vector; put a 'flatten' line "
            "before the last layer",
            fv__shape_text(shape, text));
    if (strcmp(loss->op, "binary_cross_entropy") == 0 ? shape.dim[0] != 1 : shape.dim[0] < 2)
        return fv__line_fail(&p->line, 1, "%s needs %s; the model ends in %d", loss->word,
                             strcmp(loss->op, "binary_cross_entropy") == 0 ? "one output"
                                                                           : "two outputs or more",
                             shape.dim[0]);
    int inputs[2] = {loss->last ? node->input[0] : p->current, -1};
    FV_TRY(fv__graph_tensor(graph, "label", FV_SHAPE(1), FV_ROLE_INPUT, &inputs[1]));
    FV_TRY(fv__graph_add_feed(graph, inputs[1], FV_FEED_CLASSES, shape.dim[0] > 1 ? shape.dim[0] : 2));
    FV_TRY(fv__graph_add_result(graph, p->current));
    int output;
    FV_TRY(fv__layer_node(p, loss->op, "loss", "loss", 2, inputs, NULL, &output));
    return fv__graph_add_loss(graph, output);
}

static fv_status read_loss(fv_parse *p)
{
    static const char usage[] = "loss cross-entropy|squared-error|binary-cross-entropy";
    const fv_line *line = &p->line;
    const char *words[N_LOSSES];
    FV_TRY(expect_words(line, 2, usage));
    for (int i = 0; i < N_LOSSES; i++) {
        words[i] = losses[i].word;
        if (strcmp(line->word[1].text, losses[i].word) == 0) {
            p->loss_line = line->number;
            return append_loss(p, &losses[i]);
        }
    }
    const char *nearest = fv__nearest_word(line->word[1].text, words, N_LOSSES);
    return fv__line_fail(line, line->word[1].column, "unknown loss '%s'; %s%s%s", line->word[1].text,
                         nearest ? "nearest is '" : "expected '", nearest ? nearest : usage, "'");
}

/* No loss line: the last layer may say it. */
static fv_status implied_loss(fv_parse *p)
{
    const fv_graph *graph = &p->model->graph;
    const fv_tensor *output = &graph->tensors[p->current];
    const char *op = graph->nodes[output->source].op->name;
    if (strcmp(op, "softmax") == 0)
        return append_loss(p, &losses[0]);
    if (strcmp(op, "sigmoid") == 0 && fv__shape_count(output->shape) == 1)
        return append_loss(p, &losses[2]);
    return fv__line_fail(
        &p->line, 1,
        "the model ends in a %s, which implies no loss; end it with 'softmax', with 'sigmoid' of "
        "one value, or with a 'loss' line",
        p->model->layers[p->model->n_layers - 1].kind);
}

/* ---- the whole text ------------------------------------------------------------------------------- */

/* The words that a line may begin with, those of layers first; NULL: no memory. */
static const char **first_words(const fv_parse *p, int *n)
{
    static const char *const others[] = {"input", "init", "loss", "define", "use", "repeat", "end"};
    enum { N_OTHERS = sizeof others / sizeof *others };
    const char **const words = fv__alloc(p->ctx, (size_t)p->n_kinds + N_OTHERS, sizeof *words);
    for (int i = 0; words && i < p->n_kinds; i++)
        words[i] = fv__layer_kind_at(i)->word;
    if (words)
        memcpy(words + p->n_kinds, others, sizeof others);
    *n = p->n_kinds + N_OTHERS;
    return words;
}

static fv_status unknown_word(const fv_parse *p)
{
    const fv_word word = p->line.word[0];
    const struct fv_definition *const definition = fv__definition_find(p, word.text);
    char usage[200];
    int n;
    if (definition)
        return fv__line_fail(&p->line, word.column, "'%s' is a definition; expected '%s'", word.text,
                             fv__definition_usage(definition, usage, sizeof usage));
    const char **const words = first_words(p, &n);
    if (!words)
        return FV_ERR_MEMORY;
    const char *const nearest = fv__nearest_word(word.text, words, n);
    fv_text all;
    fv__text_init(&all, p->ctx);
    for (int i = 0; i < p->n_kinds; i++)
        fv__text_add(&all, "%s%s", i > 0 ? ", " : "", words[i]);
    fv_status status = all.failed ? FV_ERR_MEMORY : FV_OK;
    if (nearest)
        status =
            fv__line_fail(&p->line, word.column, "unknown layer '%s'; nearest is '%s'", word.text, nearest);
    else if (status == FV_OK)
        status = fv__line_fail(&p->line, word.column, "unknown layer '%s'; the layers are %s", word.text,
                               all.data);
    fv__text_deinit(&all);
    fv__free(p->ctx, words);
    return status;
}

typedef enum line_word {
    WORD_OTHER,
    WORD_INPUT,
    WORD_INIT,
    WORD_LOSS,
    WORD_DEFINE,
    WORD_USE,
    WORD_REPEAT
} line_word;

static line_word line_word_of(const char *word)
{
    static const char *const words[] = {"input", "init", "loss", "define", "use", "repeat"};
    for (int i = 0; i < 6; i++)
        if (strcmp(words[i], word) == 0)
            return (line_word)(i + 1);
    return WORD_OTHER;
}

/* The line is number `index` of the outline. */
static fv_status read_line(fv_parse *p, int index)
{
    const fv_line *line = &p->line;
    const fv_word word = line->word[0];
    const line_word what = line_word_of(word.text);
    const fv_layer_kind *const kind = fv__layer_kind_find(word.text);
    if (p->loss_line)
        return fv__line_fail(line, word.column, "'%s' after the loss of line %d; the loss is the last line",
                             word.text, p->loss_line);
    if (p->depth > 0 && what != WORD_OTHER && what < WORD_USE)
        return fv__line_fail(line, word.column,
                             "'%s' inside a definition or repetition; layers, 'use' and 'repeat' stand there",
                             word.text);
    if (what == WORD_INPUT)
        return read_input(p);
    if (what == WORD_INIT)
        return read_init(p);
    if (what == WORD_DEFINE)
        return fv__define_read(p, index);
    if (!kind && what == WORD_OTHER)
        return unknown_word(p);
    if (!p->input_line)
        return fv__line_fail(line, word.column,
                             "'%s' before the input; the model begins with 'input image CxHxW'", word.text);
    if (what == WORD_USE)
        return fv__use_read(p);
    if (what == WORD_REPEAT)
        return fv__repeat_read(p, index);
    return what == WORD_LOSS ? read_loss(p) : fv__layer_read(p, kind);
}

fv_status fv__lines_read(fv_parse *p, int begin, int end)
{
    for (int i = begin; i < end; i++) {
        size_t at = (size_t)p->outline->offset[i];
        p->line.number = i;
        FV_TRY(fv__line_split(&p->line, p->text, p->n_bytes, &at));
        if (p->depth > 0 && ++p->n_repeated > FV_MAX_REPEATED)
            return fv__line_fail(&p->line, 1, "the definitions and repetitions become more than %d lines",
                                 FV_MAX_REPEATED);
        if (p->line.n_words > 0)
            FV_TRY(read_line(p, i));
        if (p->outline->end[i])
            i = p->outline->end[i]; /* the lines of a definition or repetition, which have been read */
    }
    return FV_OK;
}

/* Every layer but the last is read by another: with 'from' a line could be left behind by mistake. */
static fv_status check_read(fv_parse *p)
{
    const fv_model *model = p->model;
    const fv_graph *graph = &model->graph;
    bool *is_read = fv__alloc(p->ctx, graph->n_tensors, sizeof *is_read);
    if (!is_read)
        return FV_ERR_MEMORY;
    for (size_t k = 0; k < graph->n_nodes; k++)
        for (int i = 0; i < graph->nodes[k].n_inputs; i++)
            is_read[graph->nodes[k].input[i]] = true;
    fv_status status = FV_OK;
    for (size_t i = 0; i + 1 < model->n_layers && status == FV_OK; i++) {
        const fv_layer_record *layer = &model->layers[i];
        if (is_read[layer->output])
            continue;
        p->line.number = layer->line;
        status =
            fv__line_fail(&p->line, 1, "no layer reads '%s'; name it in an 'add' or a 'from='", layer->name);
        fv__call_explain(p->ctx, layer->call);
    }
    fv__free(p->ctx, is_read);
    return status;
}

static fv_status read_text(fv_parse *p)
{
    const fv_model *const model = p->model;
    FV_TRY(fv__text_check(model->ctx, p->text, p->n_bytes, model->source));
    FV_TRY(fv__outline_read(p->outline, p->ctx, p->text, p->n_bytes, model->source));
    FV_TRY(fv__lines_read(p, 0, p->outline->n_lines));
    p->line.filled = false;
    p->line.number = p->outline->n_lines > 0 ? p->outline->n_lines : 1;
    if (!p->input_line)
        return fv__line_fail(&p->line, 1, "the model has no input; it begins with 'input image CxHxW'");
    if (model->n_layers < 2)
        return fv__line_fail(&p->line, 1, "the model has no layers");
    FV_TRY(fv__definitions_check(p));
    if (!p->loss_line) {
        p->line.number = model->layers[model->n_layers - 1].line;
        FV_TRY(implied_loss(p));
    }
    FV_TRY(check_read(p));
    return fv__graph_verify(&model->graph);
}

fv_status fv__model_text_parse(fv_model *model, const char *text, size_t n_bytes)
{
    fv_text_scope scope = {.prefix = ""};
    fv_outline outline = {.ctx = model->ctx};
    fv_parse parse = {.ctx = model->ctx,
                      .model = model,
                      .text = text,
                      .n_bytes = n_bytes,
                      .outline = &outline,
                      .current = -1,
                      .scope = &scope,
                      .line = {.ctx = model->ctx, .source = model->source, .end_column = 1, .scope = &scope},
                      .init = {.kind = FV_INIT_HE, .scale = 1}};
    while (fv__layer_kind_at(parse.n_kinds))
        parse.n_kinds++;
    scope.counts = fv__alloc(model->ctx, (size_t)parse.n_kinds, sizeof *scope.counts);
    fv__names_init(&parse.names, model->ctx);
    const fv_status status = scope.counts ? read_text(&parse) : FV_ERR_MEMORY;
    fv__names_deinit(&parse.names);
    fv__free(model->ctx, scope.counts);
    fv__free(model->ctx, parse.named);
    fv__definitions_deinit(&parse);
    fv__outline_deinit(&outline);
    return status;
}
