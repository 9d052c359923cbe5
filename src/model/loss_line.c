/* loss_line.c - the lines of the model text that declare results and losses:
 *
 *     result LAYER
 *     loss KIND [from=LAYER] [target=FEED] [weight=W] ...
 *
 * A loss that pairs with an activation reads the activation's input: cross-entropy that of the softmax,
 * binary cross-entropy that of the sigmoid. Both are then exact for probabilities of 0 and 1.
 *
 * The target is an input of the model, or a feed of its own. "label" is a class number (for each pixel of
 * an image, a picture of them); every other name stands for values of the shape that the loss reads. */
#include "model/text_ends.h"

#include "ops/ops.h"

#include <stdio.h>
#include <string.h>

typedef struct loss_kind {
    const char *word, *op;
    const char *behind; /* the activation whose input the loss reads; NULL: none */
    const char *least;  /* of class numbers, the requirement: "two outputs or more" */
    bool pictures;      /* reads [c][h][w], with one class number per pixel */
    bool label_of_one;  /* for one output, the default target is a class of two */
    bool label_of_many; /* for several outputs, a class number */
} loss_kind;

static const loss_kind losses[] = {
    {"cross-entropy", "cross_entropy", "softmax", .label_of_many = true},
    {"squared-error", "squared_error", NULL, .label_of_many = true},
    {"binary-cross-entropy", "binary_cross_entropy", "sigmoid", .label_of_one = true},
    {"pixel-cross-entropy", "cross_entropy", "softmax", .pictures = true, .label_of_many = true},
    {"absolute-error", "absolute_error", NULL},
    {"huber", "huber", NULL},
    {"hinge", "hinge", NULL, .label_of_one = true, .label_of_many = true},
    {"perceptron", "perceptron", NULL, .label_of_one = true, .label_of_many = true},
};
enum { N_LOSSES = sizeof losses / sizeof losses[0] };

/* The contents of a line, and its meaning. */
typedef struct loss_line {
    const loss_kind *kind;
    const fv_op *op;
    const char *target; /* NULL: the default of the kind */
    int target_column;
    int from, reads; /* tensors: the layer, and the one that the loss reads */
    bool given;      /* the line has from= */
    _Alignas(16) unsigned char attrs[FV_ATTR_MAX_BYTES];
} loss_line;

fv_status fv__words_expect(const fv_line *line, int least, int most, const char *usage)
{
    if (line->n_words < least)
        return fv__line_fail(line, line->end_column, "the line ends too early; expected '%s'", usage);
    if (line->n_words > most)
        return fv__line_fail(line, line->word[most].column, "unexpected word '%s'; expected '%s'",
                             line->word[most].text, usage);
    return FV_OK;
}

/* ---- the target ----------------------------------------------------------------------------------- */

/* The values of a target with one class number each: one for a vector, one per pixel for an image. */
static fv_shape shape_of_labels(fv_shape values)
{
    values.dim[0] = 1;
    return values;
}

static bool takes_label(const loss_kind *kind, fv_shape values)
{
    return kind->pictures ||
           (values.rank == 1 && (values.dim[0] == 1 ? kind->label_of_one : kind->label_of_many));
}

/* An existing feed as a target. */
static fv_status take_feed(const fv_parse *p, const loss_line *loss, int tensor, bool label, fv_shape shape,
                           int n_classes)
{
    fv_graph *const graph = &p->model->graph;
    const int f = fv__graph_feed_of(graph, tensor);
    char found[FV_SHAPE_TEXT], expected[FV_SHAPE_TEXT];
    if (f < 0)
        return fv__line_fail(&p->line, loss->target_column, "'%s' is no input and no target", loss->target);
    fv_feed *const feed = &graph->feed[f];
    if (label != (feed->kind == FV_FEED_CLASSES) || !fv__shape_equal(graph->tensors[tensor].shape, shape))
        return fv__line_fail(&p->line, loss->target_column,
                             "the target '%s' is %s of %s; %s compares with %s of %s", feed->name,
                             feed->kind == FV_FEED_CLASSES ? "a class number" : "values",
                             fv__shape_text(graph->tensors[tensor].shape, found), loss->kind->word,
                             label ? "a class number" : "values", fv__shape_text(shape, expected));
    if (label && n_classes < feed->n_classes)
        feed->n_classes = n_classes;
    return FV_OK;
}

static fv_status find_target(fv_parse *p, loss_line *loss, int *tensor)
{
    fv_graph *const graph = &p->model->graph;
    const fv_shape values = graph->tensors[loss->reads].shape;
    if (!loss->target)
        loss->target = takes_label(loss->kind, values) ? "label" : "target";
    const bool label = strcmp(loss->target, "label") == 0;
    const bool picture = loss->op == &fv_op_cross_entropy;
    const bool classes = label || picture; /* cross-entropy compares with class numbers under any name */
    const fv_shape shape = classes ? (picture ? shape_of_labels(values) : FV_SHAPE(1)) : values;
    const int n_classes = values.dim[0] > 1 ? values.dim[0] : 2;
    if (label && !picture && values.rank > 1)
        return fv__line_fail(&p->line, loss->target_column,
                             "%s of an image compares with values; expected another "
                             "target than 'label'",
                             loss->kind->word);
    if (classes && n_classes > FV_MAX_CLASSES)
        return fv__line_fail(&p->line, 1, "%s: expected at most %d classes, found %d", loss->kind->word,
                             FV_MAX_CLASSES, n_classes);
    const int known = fv__graph_find_tensor(graph, loss->target);
    *tensor = known;
    if (known >= 0)
        return take_feed(p, loss, known, classes, shape, n_classes);
    if (!fv__name_ok(loss->target))
        return fv__line_fail(&p->line, loss->target_column, FV_NO_NAME, loss->target, FV_NAME_MAX_BYTES);
    FV_TRY(fv__graph_tensor(graph, loss->target, shape, FV_ROLE_INPUT, tensor));
    return fv__graph_add_feed(graph, *tensor, classes ? FV_FEED_CLASSES : FV_FEED_VALUES,
                              classes ? n_classes : 0);
}

/* ---- the values ----------------------------------------------------------------------------------- */

/* The tensor that the loss reads of its layer, which must suit the kind. */
static fv_status find_values(fv_parse *p, loss_line *loss)
{
    const fv_graph *const graph = &p->model->graph;
    const loss_kind *const kind = loss->kind;
    const fv_layer_record *const last = &p->model->layers[p->model->n_layers - 1];
    const fv_node *const node = &graph->nodes[graph->tensors[loss->from].source];
    const fv_shape shape = graph->tensors[loss->from].shape;
    const bool pairs = kind->behind && strcmp(node->op->name, kind->behind) == 0;
    char text[FV_SHAPE_TEXT];
    if (kind->behind && !pairs && !loss->given && !kind->pictures)
        return fv__line_fail(&p->line, 1, "%s needs a model that ends in %s; it ends in the %s of line %d",
                             kind->word, kind->behind, last->kind, last->line);
    loss->reads = pairs ? node->input[0] : loss->from;
    if (kind->pictures && shape.rank < 2)
        return fv__line_fail(&p->line, 1,
                             "%s needs an image of a channel for each class; found a vector of %s",
                             kind->word, fv__shape_text(shape, text));
    if (loss->op == &fv_op_cross_entropy && !kind->pictures && shape.rank != 1)
        return fv__line_fail(
            &p->line, 1,
            "the model ends in %s of %s, the loss reads a vector; put a 'flatten' line before the last layer",
            shape.rank == 2 ? "a sequence" : "an image", fv__shape_text(shape, text));
    if (loss->op == &fv_op_cross_entropy && shape.dim[0] < 2)
        return fv__line_fail(&p->line, 1, "%s needs two outputs or more; the model ends in %d", kind->word,
                             shape.dim[0]);
    return FV_OK;
}

static fv_status append_loss(fv_parse *p, loss_line *loss)
{
    fv_graph *const graph = &p->model->graph;
    int inputs[2], output;
    FV_TRY(find_values(p, loss));
    inputs[0] = loss->reads;
    FV_TRY(find_target(p, loss, &inputs[1]));
    FV_TRY(fv__layer_node(p, loss->op->name, "loss", "loss", 2, inputs, loss->attrs, &output));
    return fv__graph_add_loss(graph, output);
}

/* ---- the line ------------------------------------------------------------------------------------- */

static void begin_loss(const fv_parse *p, const loss_kind *kind, loss_line *out)
{
    *out = (loss_line){.kind = kind,
                       .op = fv__op_find(kind->op),
                       .target_column = 1,
                       .from = p->current,
                       .reads = p->current};
    fv__attrs_default(out->op, out->attrs);
}

static fv_status read_key(fv_parse *p, fv_word word, loss_line *loss, char *target)
{
    const fv_line *const line = &p->line;
    char copy[FV_LINE_MAX_BYTES + 1], what[FV_MESSAGE_BYTES];
    const char *keys[8] = {"from", "target"};
    int n_keys = 2;
    snprintf(copy, sizeof copy, "%s", word.text);
    char *value = strchr(copy, '=');
    if (!value)
        return fv__line_fail(line, word.column,
                             "unexpected word '%s'; expected 'loss KIND' and keys as 'weight=1'", word.text);
    *value++ = 0;
    const int column = word.column + (int)(value - copy);
    if (strcmp(copy, "from") == 0) {
        loss->given = true;
        return fv__layer_output(p, "loss", value, column, &loss->from);
    }
    if (strcmp(copy, "target") == 0) {
        snprintf(target, FV_LINE_MAX_BYTES + 1, "%s", value);
        loss->target = target;
        loss->target_column = column;
        return FV_OK;
    }
    for (int a = 0; a < loss->op->n_attrs && n_keys < 8; a++)
        keys[n_keys++] = loss->op->attrs[a].word;
    for (int k = 2; k < n_keys; k++)
        if (strcmp(keys[k], copy) == 0) {
            snprintf(what, sizeof what, "%s:%d:%d: %s", line->source, line->number, column, loss->kind->word);
            return fv__attrs_set(p->ctx, loss->op, loss->attrs, copy, value, what);
        }
    const char *const nearest = fv__nearest_word(copy, keys, n_keys);
    return fv__line_fail(line, word.column, "unknown key '%s' of %s%s", copy, loss->kind->word,
                         fv__nearest_is(nearest).text);
}

static fv_status unknown_loss(const fv_line *line)
{
    const char *words[N_LOSSES];
    for (int i = 0; i < N_LOSSES; i++)
        words[i] = losses[i].word;
    const char *const nearest = fv__nearest_word(line->word[1].text, words, N_LOSSES);
    if (nearest)
        return fv__line_fail(line, line->word[1].column, "unknown loss '%s'; nearest is '%s'",
                             line->word[1].text, nearest);
    fv_text all;
    fv__text_init(&all, line->ctx);
    for (int i = 0; i < N_LOSSES; i++)
        fv__text_add(&all, "%s%s", i > 0 ? ", " : "", words[i]);
    const fv_status status =
        all.failed ? FV_ERR_MEMORY
                   : fv__line_fail(line, line->word[1].column, "unknown loss '%s'; the losses are %s",
                                   line->word[1].text, all.data);
    fv__text_deinit(&all);
    return status;
}

fv_status fv__loss_read(fv_parse *p)
{
    const fv_line *const line = &p->line;
    char target[FV_LINE_MAX_BYTES + 1];
    loss_line loss;
    int k = 0;
    FV_TRY(fv__words_expect(line, 2, FV_LINE_MAX_WORDS - 1, "loss KIND"));
    while (k < N_LOSSES && strcmp(line->word[1].text, losses[k].word) != 0)
        k++;
    if (k == N_LOSSES)
        return unknown_loss(line);
    begin_loss(p, &losses[k], &loss);
    for (int i = 2; i < line->n_words; i++)
        FV_TRY(read_key(p, line->word[i], &loss, target));
    FV_TRY(append_loss(p, &loss));
    if (!p->loss_line)
        p->loss_line = line->number;
    return FV_OK;
}

/* ---- results -------------------------------------------------------------------------------------- */

fv_status fv__result_read(fv_parse *p)
{
    const fv_line *const line = &p->line;
    int tensor;
    FV_TRY(fv__words_expect(line, 2, 2, "result LAYER"));
    FV_TRY(fv__layer_output(p, "result", line->word[1].text, line->word[1].column, &tensor));
    for (int i = 0; i < p->n_results; i++)
        if (p->result[i] == tensor)
            return fv__line_fail(line, line->word[1].column, "'%s' is a result already", line->word[1].text);
    if (p->n_results == FV_MAX_ENDS - 1)
        return fv__line_fail(line, 1, "more than %d results", FV_MAX_ENDS);
    p->result[p->n_results++] = tensor;
    return FV_OK;
}

/* Without a loss line, the last layer may imply the loss. */
static fv_status implied_loss(fv_parse *p)
{
    const fv_graph *const graph = &p->model->graph;
    const fv_tensor *const output = &graph->tensors[p->current];
    const char *const op = graph->nodes[output->source].op->name;
    loss_line loss;
    if (strcmp(op, "softmax") == 0) {
        begin_loss(p, &losses[0], &loss);
        return append_loss(p, &loss);
    }
    if (strcmp(op, "sigmoid") == 0 && fv__shape_count(output->shape) == 1) {
        begin_loss(p, &losses[2], &loss);
        return append_loss(p, &loss);
    }
    return fv__line_fail(
        &p->line, 1,
        "the model ends in a %s, which implies no loss; end it with 'softmax', with 'sigmoid' of "
        "one value, or with a 'loss' line",
        p->model->layers[p->model->n_layers - 1].kind);
}

fv_status fv__ends_finish(fv_parse *p)
{
    fv_graph *const graph = &p->model->graph;
    if (!p->loss_line) {
        p->line.number = p->model->layers[p->model->n_layers - 1].line;
        FV_TRY(implied_loss(p));
    }
    FV_TRY(fv__graph_add_result(graph, p->current));
    for (int i = 0; i < p->n_results; i++)
        if (p->result[i] != p->current)
            FV_TRY(fv__graph_add_result(graph, p->result[i]));
    return FV_OK;
}
