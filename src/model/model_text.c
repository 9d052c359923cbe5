/* model_text.c - from model text to a graph. The language is docs/model-text.md:
 *
 *     [init KIND]              the default of weights
 *     input KIND SIZE ...      input_line.c
 *     LAYER ...                layers.c
 *     [result LAYER ...]       loss_line.c
 *     [loss KIND ...]          loss_line.c */
#include "model/definitions.h"
#include "model/text_ends.h"
#include "ops/connections.h"

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
        if (graph->tensors[t].role == FV_ROLE_PARAMETER && graph->tensors[t].source < 0)
            record.n_parameters += fv__shape_count(graph->tensors[t].shape);
    for (size_t k = first_node; k < graph->n_nodes; k++)
        if (graph->nodes[k].op == &fv_op_table)
            record.n_parameters -=
                fv__table_absent(graph->nodes[k].attrs, graph->tensors[graph->nodes[k].output].shape);
    void *layers = model->layers;
    FV_TRY(fv__grow(p->ctx, &layers, model->n_layers, &model->layer_capacity, sizeof *model->layers));
    model->layers = layers;
    model->layers[model->n_layers++] = record;
    return fv__layer_name_add(p, record.name, kind, p->current);
}

static fv_status read_init(fv_parse *p)
{
    const fv_line *line = &p->line;
    if (p->init_line)
        return fv__line_fail(line, 1, "a second init; the first is on line %d", p->init_line);
    if ((int)p->model->n_layers > p->n_inputs)
        return fv__line_fail(line, 1, "init after a layer; it stands before the layers that it is to act on");
    if (line->n_words < 2)
        return fv__words_expect(line, 2, 2, "init he|xavier|lecun|normal SCALE|uniform SCALE");
    const fv_word scale = line->n_words > 2 ? line->word[2] : (fv_word){NULL, 0};
    FV_TRY(fv__init_read(line, line->word[1].column, line->word[1].text, scale.text, scale.column, &p->init));
    p->init_line = line->number;
    return fv__words_expect(line, 2, line->n_words > 2 ? 3 : 2, "init KIND SCALE");
}

/* ---- the whole text ------------------------------------------------------------------------------- */

/* The words that a line may begin with, layers first; NULL: no memory. */
static const char **first_words(const fv_parse *p, int *n)
{
    static const char *const others[] = {"input", "init", "result", "loss", "define", "use", "repeat", "end"};
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
    WORD_RESULT,
    WORD_LOSS,
    WORD_DEFINE,
    WORD_USE,
    WORD_REPEAT
} line_word;

static line_word line_word_of(const char *word)
{
    static const char *const words[] = {"input", "init", "result", "loss", "define", "use", "repeat"};
    for (int i = 0; i < (int)(sizeof words / sizeof *words); i++)
        if (strcmp(words[i], word) == 0)
            return (line_word)(i + 1);
    return WORD_OTHER;
}

/* Reads the line with index `index` in the outline. */
static fv_status read_line(fv_parse *p, int index)
{
    const fv_line *line = &p->line;
    const fv_word word = line->word[0];
    const line_word what = line_word_of(word.text);
    const fv_layer_kind *const kind = fv__layer_kind_find(word.text);
    if (p->loss_line && what != WORD_LOSS && what != WORD_RESULT)
        return fv__line_fail(line, word.column,
                             "'%s' after the loss of line %d; only losses and results stand behind it",
                             word.text, p->loss_line);
    if (p->depth > 0 && what != WORD_OTHER && what < WORD_USE)
        return fv__line_fail(line, word.column,
                             "'%s' inside a definition or repetition; layers, 'use' and 'repeat' stand there",
                             word.text);
    if (what == WORD_INPUT)
        return fv__input_read(p);
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
    if (what == WORD_RESULT)
        return fv__result_read(p);
    return what == WORD_LOSS ? fv__loss_read(p) : fv__layer_read(p, kind);
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
            i = p->outline->end[i]; /* skips the lines of a definition or repetition, which have been read */
    }
    return FV_OK;
}

/* Another layer must read every layer but the last; with 'from' a layer could be left unused by mistake. */
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
    for (int i = 0; i < graph->n_results; i++)
        is_read[graph->result[i]] = true;
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
    if ((int)model->n_layers <= p->n_inputs)
        return fv__line_fail(&p->line, 1, "the model has no layers");
    FV_TRY(fv__definitions_check(p));
    FV_TRY(fv__ends_finish(p));
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
    parse.line.room = fv__alloc(model->ctx, 1, sizeof *parse.line.room);
    scope.counts = fv__alloc(model->ctx, (size_t)parse.n_kinds, sizeof *scope.counts);
    fv__names_init(&parse.names, model->ctx);
    const fv_status status = scope.counts && parse.line.room ? read_text(&parse) : FV_ERR_MEMORY;
    fv__names_deinit(&parse.names);
    fv__free(model->ctx, parse.line.room);
    fv__free(model->ctx, scope.counts);
    fv__free(model->ctx, parse.named);
    fv__definitions_deinit(&parse);
    fv__outline_deinit(&outline);
    return status;
}
