/* input_line.c - the lines of the model text that declare the inputs of every sample:
 *
 *     input vector N | signal CxL | sequence CxT | image CxHxW | video CxTxHxW  [name=NAME]
 *
 * An input is standardised before any layer reads it: tensors NAME, NAME.mean [c], NAME.inv_std [c]. In a
 * vector each number has a mean of its own. The first input is named "input" by default. */
#include "model/text_ends.h"

#include <stdio.h>
#include <string.h>

typedef struct input_kind {
    const char *word, *size, *example;
    int rank;
} input_kind;

static const input_kind kinds[] = {
    {"image", "CxHxW", "1x28x28", 3},     {"vector", "N", "784", 1},
    {"signal", "CxL", "1x128", 2},        {"sequence", "CxT", "16x64", 2},
    {"video", "CxTxHxW", "3x8x32x32", 4},
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

static fv_status statistic(fv_parse *p, const char *input, const char *what, int c, double value, int *tensor)
{
    fv_graph *graph = &p->model->graph;
    const char *const name = fv__arena_printf(&graph->arena, "%s.%s", input, what);
    int id = -1;
    if (!name)
        return FV_ERR_MEMORY;
    FV_TRY(fv__graph_tensor(graph, name, FV_SHAPE(c), FV_ROLE_STATISTIC, &id));
    graph->tensors[id].init = (fv_init){.kind = FV_INIT_CONSTANT, .scale = value};
    *tensor = id;
    return FV_OK;
}

static fv_status find_kind(const fv_line *line, const input_kind **out)
{
    const char *words[N_KINDS];
    for (int i = 0; i < N_KINDS; i++)
        words[i] = kinds[i].word;
    *out = &kinds[0];
    if (line->n_words < 2)
        return FV_OK; /* the line ends too early; the next check reports it */
    for (int i = 0; i < N_KINDS; i++)
        if (strcmp(line->word[1].text, kinds[i].word) == 0) {
            *out = &kinds[i];
            return FV_OK;
        }
    const char *const nearest = fv__nearest_word(line->word[1].text, words, N_KINDS);
    if (nearest)
        return fv__line_fail(line, line->word[1].column, "unknown input '%s'; nearest is '%s'",
                             line->word[1].text, nearest);
    return fv__line_fail(line, line->word[1].column,
                         "unknown input '%s'; expected image, vector, signal, sequence or video",
                         line->word[1].text);
}

static fv_status read_shape(const fv_line *line, const input_kind *kind, fv_shape *out)
{
    const fv_word word = line->word[2];
    int64_t dim[FV_MAX_RANK];
    bool well = kind->rank == 1 ? fv__parse_count(word.text, dim)
                                : fv__parse_sizes(word.text, kind->rank, false, dim);
    *out = (fv_shape){.rank = kind->rank};
    for (int i = 0; i < kind->rank && well; i++) {
        well = dim[i] >= 1 && dim[i] <= FV_MAX_DIM;
        out->dim[i] = (int)dim[i];
    }
    if (!well)
        return fv__line_fail(line, word.column,
                             "the %s's size is '%s'; expected %s such as %s, each number from 1 to %d",
                             kind->word, word.text, kind->size, kind->example, FV_MAX_DIM);
    char what[FV_MESSAGE_BYTES];
    snprintf(what, sizeof what, "%s:%d:%d: the %s", line->source, line->number, word.column, kind->word);
    return fv__shape_check(line->ctx, *out, what);
}

/* Reads name=NAME, which the first input may omit. `name` has FV_LAYER_NAME_BYTES. */
static fv_status read_name(fv_parse *p, const char *usage, char *name)
{
    const fv_line *const line = &p->line;
    if (line->n_words > 3) {
        const fv_word word = line->word[3];
        if (strncmp(word.text, "name=", 5) != 0)
            return fv__words_expect(line, 3, 3, usage);
        return fv__layer_name(p, word.text + 5, word.column + 5, name);
    }
    if (p->model->n_layers > 0)
        return fv__line_fail(line, 1, "a second input; the first is on line %d: give this one a 'name=NAME'",
                             p->input_line);
    snprintf(name, FV_LAYER_NAME_BYTES, "input");
    return FV_OK;
}

fv_status fv__input_read(fv_parse *p)
{
    const fv_line *const line = &p->line;
    fv_graph *const graph = &p->model->graph;
    const size_t first_node = graph->n_nodes, first_tensor = graph->n_tensors;
    const input_kind *kind;
    fv_shape shape;
    char name[FV_LAYER_NAME_BYTES], usage[64];
    int inputs[3], output;
    if ((int)p->model->n_layers > p->n_inputs)
        return fv__line_fail(line, 1, "an input after a layer; the inputs stand before all layers");
    FV_TRY(find_kind(line, &kind));
    snprintf(usage, sizeof usage, "input %s %s", kind->word, kind->size);
    FV_TRY(fv__words_expect(line, 3, 4, usage));
    FV_TRY(read_shape(line, kind, &shape));
    FV_TRY(read_name(p, usage, name));
    FV_TRY(fv__graph_tensor(graph, name, shape, FV_ROLE_INPUT, &inputs[0]));
    FV_TRY(statistic(p, name, "mean", shape.dim[0], 0, &inputs[1]));
    FV_TRY(statistic(p, name, "inv_std", shape.dim[0], 1, &inputs[2]));
    FV_TRY(fv__graph_add_feed(graph, inputs[0], FV_FEED_INPUT, 0));
    const char *const standardised = fv__arena_printf(&graph->arena, "%s.standardised", name);
    if (!standardised)
        return FV_ERR_MEMORY;
    FV_TRY(fv__layer_node(p, "standardise", standardised, name, 3, inputs, NULL, &output));
    const int before = p->current;
    p->current = output;
    FV_TRY(fv__layer_record(p, "input", name, first_node, first_tensor));
    if (p->n_inputs++ > 0)
        p->current = before; /* layers without from= read the first input */
    else
        p->input_line = line->number;
    return FV_OK;
}
