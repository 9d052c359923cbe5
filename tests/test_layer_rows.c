/* test_layer_rows.c - the rows of layers (fv_op.layers) and what docs/model-text.md says of them: each word,
 * its positional words, its keys with defaults and ranges, its parameters; and nothing else. Also what holds
 * of every row: a line of help, room for its keys, attributes that its words name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/layers.h"
#include "one_context.h"
#include "ops/unary.h"
#include "plan/plan.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 200, CELLS = 4, ROOM = 1000 };

/* A line of the table of layers: its words `gelu`, and its four cells. */
typedef struct doc_row {
    char cell[CELLS][ROOM];
    int uses; /* layers that it describes */
} doc_row;

static doc_row rows[MAX_ROWS];
static int n_rows, n_complaints;

/* All of them at once, so that a page is mended in one go. */
#define COMPLAIN(...) (print_error("docs/model-text.md: " __VA_ARGS__), print_error("\n"), n_complaints++)

static void split_cells(const char *line, doc_row *row)
{
    for (int i = 0; i < CELLS; i++) {
        line += *line == '|';
        const size_t n = strcspn(line, "|\n");
        snprintf(row->cell[i], ROOM, "%.*s", (int)n, line);
        line += n;
    }
}

/* The table under "### Layers". */
static int read_table(void **state)
{
    char path[1000], line[4000];
    const char *const source = getenv("FOVEA_SOURCE");
    snprintf(path, sizeof path, "%s/docs/model-text.md", source ? source : "..");
    FILE *const file = fopen(path, "r");
    bool inside = false;
    if (!file)
        fail_msg("%s: cannot be opened", path);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#')
            inside = strcmp(line, "### Layers\n") == 0;
        if (inside && strncmp(line, "| `", 3) == 0 && n_rows < MAX_ROWS)
            split_cells(line, &rows[n_rows++]);
    }
    fclose(file);
    assert_in_range(n_rows, 10, MAX_ROWS - 1);
    return setup(state);
}

/* The code span of the cell that begins with `word`, without its marks; NULL: none. */
static const char *find_span(const char *cell, const char *word, char span[ROOM])
{
    const size_t n = strlen(word);
    for (const char *at = strchr(cell, '`'); at; at = strchr(at + 1, '`')) {
        const size_t length = strcspn(at + 1, "`");
        if (strncmp(at + 1, word, n) == 0 && (at[1 + n] == '`' || at[1 + n] == ' ')) {
            snprintf(span, ROOM, "%.*s", (int)length, at + 1);
            return at + 2 + length;
        }
        at += 1 + length;
        if (!*at)
            break;
    }
    return NULL;
}

static doc_row *find_row(const char *word, char span[ROOM])
{
    for (int i = 0; i < n_rows; i++)
        if (find_span(rows[i].cell[0], word, span))
            return &rows[i];
    COMPLAIN("the table of layers has no row of `%s`", word);
    return NULL;
}

/* "`conv NAME CHANNELS KERNEL`" */
static void check_usage(const fv_layer_kind *kind, const char *span)
{
    char expected[ROOM];
    size_t n = (size_t)snprintf(expected, sizeof expected, "%s", kind->word);
    for (int i = 0; i < FV_SLOTS && kind->slot[i].type != FV_SLOT_NONE; i++) {
        expected[n++] = ' ';
        for (const char *c = kind->slot[i].word; *c; c++)
            expected[n++] = (char)toupper((unsigned char)*c);
        expected[n] = '\0';
        if (kind->slot[i].type == FV_SLOT_LAYERS)
            n += (size_t)snprintf(expected + n, sizeof expected - n, "...");
    }
    if (strcmp(span, expected) != 0)
        COMPLAIN("expected `%s`, found `%s`", expected, span);
}

static const fv_attr_spec *find_attr(const fv_op *op, const char *word)
{
    for (int i = 0; i < op->n_attrs; i++)
        if (strcmp(op->attrs[i].word, word) == 0)
            return &op->attrs[i];
    return NULL;
}

/* "(1; 0 to 1024)" behind the key: its default and its range. A default outside of the range, which stands
 * for something else, is said in words. */
static void check_range(const fv_layer_kind *kind, const fv_attr_spec *spec, const char *behind)
{
    char value[60] = "", range[120] = "", found[ROOM];
    snprintf(found, sizeof found, "%.*s", (int)strcspn(behind, ")"), behind);
    if (spec->type == FV_ATTR_LIST || spec->type == FV_ATTR_TABLE)
        return;
    if (spec->type == FV_ATTR_CHOICE)
        snprintf(value, sizeof value, "%s", spec->choices[(int)spec->initial]);
    else if (spec->initial >= spec->min && spec->initial <= spec->max)
        snprintf(value, sizeof value, "%s", fv__general(spec->initial, 7).text);
    if (spec->type != FV_ATTR_CHOICE && spec->max < FV_MAX_DIM) /* else as far as sizes go */
        snprintf(range, sizeof range, "; %s to %s", fv__general(spec->min, 7).text,
                 fv__general(spec->max, 7).text);
    if (strncmp(found, " (", 2) != 0 || strncmp(found + 2, value, strlen(value)) != 0 ||
        !strstr(found, range))
        COMPLAIN("%s: behind `%s` expected ' (%s%s', found '%s'", kind->word, spec->word,
                 *value ? value : "the default in words", range, found);
}

static void check_keys(const fv_layer_kind *kind, const char *cell)
{
    const char *keys[40];
    char span[ROOM];
    const int n = fv__layer_keys(kind, keys, 40);
    assert_in_range(n, 1, 40);
    for (int i = 0; i < n; i++) {
        const fv_attr_spec *const spec = find_attr(kind->op, keys[i]);
        if (strcmp(keys[i], "name") == 0 || strcmp(keys[i], "from") == 0) /* of every layer */
            continue;
        const char *const behind = find_span(cell, keys[i], span);
        if (!behind)
            COMPLAIN("%s: the key `%s` is missing", kind->word, keys[i]);
        if (behind && spec && !kind->set)
            check_range(kind, spec, behind);
    }
    for (const char *at = strchr(cell, '`'); at; at = strchr(at + 1, '`')) {
        const size_t length = strcspn(at + 1, "`");
        bool known = false;
        for (int i = 0; i < n; i++) {
            const fv_attr_spec *const spec = find_attr(kind->op, keys[i]);
            known |= strlen(keys[i]) == length && strncmp(at + 1, keys[i], length) == 0;
            for (int k = 0; spec && spec->choices && spec->choices[k]; k++)
                known |= strlen(spec->choices[k]) == length && strncmp(at + 1, spec->choices[k], length) == 0;
        }
        if (!known && !memchr(at + 1, '=', length)) /* `mode=constant:V` explains a value */
            COMPLAIN("%s has no key `%.*s`", kind->word, (int)length, at + 1);
        at += 1 + length;
    }
}

static void check_parameters(const fv_layer_kind *kind, const fv_parameter_spec *specs, int n,
                             const char *cell)
{
    for (int i = 0; i < n; i++) {
        char name[80], span[ROOM];
        snprintf(name, sizeof name, "NAME%s%s", specs[i].suffix ? "." : "",
                 specs[i].suffix ? specs[i].suffix : "");
        if (specs[i].role != FV_ROLE_BATCH && !find_span(cell, name, span))
            COMPLAIN("%s: the parameter `%s` is missing", kind->word, name);
    }
}

static void test_documented(void **state)
{
    (void)state;
    const fv_layer_kind *kind;
    for (int i = 0; (kind = fv__layer_kind_at(i)) != NULL; i++) {
        char span[ROOM];
        doc_row *const row = find_row(kind->word, span);
        if (!row)
            continue;
        row->uses++;
        check_usage(kind, span);
        check_keys(kind, row->cell[1]);
        check_parameters(kind, kind->parameters, kind->n_parameters, row->cell[3]);
        for (int k = 0; k < kind->n_parts; k++)
            check_parameters(kind, kind->parts[k].parameters, kind->parts[k].n_parameters, row->cell[3]);
        const bool stores = kind->n_parameters > 0 || kind->parts;
        if (!stores && strchr(row->cell[3], '`'))
            COMPLAIN("%s has no parameters", kind->word);
    }
    for (int i = 0; i < n_rows; i++)
        if (rows[i].uses == 0)
            COMPLAIN("no layer is called as this row says: %s", rows[i].cell[0]);
    assert_int_equal(n_complaints, 0);
}

/* What holds of every row. */
static void test_rows(void **state)
{
    (void)state;
    const fv_layer_kind *kind;
    for (int i = 0; (kind = fv__layer_kind_at(i)) != NULL; i++) {
        assert_ptr_equal(fv__layer_kind_find(kind->word), kind); /* no word stands twice */
        assert_true(kind->help && strlen(kind->help) > 3 && !strchr(kind->help, '\n'));
        for (int k = 0; k < FV_SLOTS; k++) {
            if (kind->slot[k].type == FV_SLOT_ATTR)
                assert_non_null(find_attr(kind->op, kind->slot[k].word));
            if (kind->slot[k].type == FV_SLOT_LAYERS)
                assert_true(kind->op->variadic && (k + 1 == FV_SLOTS || !kind->slot[k + 1].type));
            if (kind->slot[k].type == FV_SLOT_NAME)
                assert_int_equal(k, 0);
        }
        for (int k = 0; k < kind->n_parameters; k++)
            assert_true((kind->parameters[k].role == FV_ROLE_BATCH) ==
                        (kind->parameters[k].of_batch != NULL));
        assert_true(kind->n_parameters == 0 || kind->slot[0].type == FV_SLOT_NAME);
    }
}

/* A row of kernels/unary.def is a layer, whose gradient is there or whose row says that there is none. */
static void test_activations(void **state)
{
    (void)state;
    for (int f = 0; f < FV_N_UNARY; f++) {
        const fv_unary_row *const row = &fv__unary_rows[f];
        assert_int_equal(row->op->n_layers, 1);
        assert_ptr_equal(row->op->layers[0].op, row->op);
        assert_true((row->dx == NULL) == row->op->no_gradient);
        assert_true(row->dx == NULL || strcmp(fv__op_family(row->dx), row->op->name) == 0);
    }
}

/* Nothing is learned through a step; training says which layer is in the way. */
static void test_no_gradient(void **state)
{
    (void)state;
    static const char *const words[] = {"step", "sign"};
    for (int i = 0; i < 2; i++) {
        char text[200];
        const int *gradient;
        fv_model *model = NULL;
        fv_graph graph;
        snprintf(text, sizeof text,
                 "input image 1x2x2\nflatten\nlinear a 3\n%s name=hard\nlinear b 2\nsoftmax\n", words[i]);
        assert_int_equal(fv_model_from_text(ctx, text, "m", &model), FV_OK);
        assert_int_equal(fv__graph_copy(&model->graph, &graph), FV_OK);
        assert_int_equal(fv__differentiate(&graph, &gradient), FV_ERR_UNSUPPORTED);
        if (!strstr(fv_message(ctx), "hard") || !strstr(fv_message(ctx), words[i]) ||
            !strstr(fv_message(ctx), "m:4"))
            fail_msg("expected a message about line 4, its layer and %s, found: %s", words[i],
                     fv_message(ctx));
        fv__graph_deinit(&graph);
        fv_model_destroy(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_no_gradient),
        cmocka_unit_test(test_documented),
    };
    return cmocka_run_group_tests_name("layer_rows", tests, read_table, teardown);
}
