/* definitions.c - definitions, their uses, and repetitions:
 *
 *     define block WIDTH STRIDE=1         use block 64 STRIDE=2 name=layer1.0 from=stem
 *     ...                                 repeat 3 i=1
 *     end                                 ...
 *                                         end
 *
 * A definition uses only definitions above it, so there are no cycles. FV_MAX_REPEATED and FV_MAX_DEPTH
 * limit the lines that are read. */
#include "model/definitions.h"

#include <stdio.h>
#include <string.h>

enum { MAX_PARAMETERS = FV_LINE_MAX_WORDS };

typedef struct fv_definition {
    const char *name;
    int line;       /* of the 'define' */
    int begin, end; /* its body, in the outline */
    int n_parameters, n_uses;
    struct {
        const char *name, *initial; /* initial NULL: the parameter has no default */
    } parameter[MAX_PARAMETERS];
} fv_definition;

/* ---- define --------------------------------------------------------------------------------------- */

const fv_definition *fv__definition_find(const fv_parse *p, const char *name)
{
    for (size_t i = 0; i < p->n_definitions; i++)
        if (strcmp(p->definitions[i]->name, name) == 0)
            return p->definitions[i];
    return NULL;
}

const char *fv__definition_usage(const fv_definition *definition, char *text, size_t bytes)
{
    size_t n = (size_t)snprintf(text, bytes, "use %s", definition->name);
    for (int i = 0; i < definition->n_parameters && n < bytes; i++)
        n += (size_t)snprintf(text + n, bytes - n, " %s%s%s", definition->parameter[i].name,
                              definition->parameter[i].initial ? "=" : "",
                              definition->parameter[i].initial ? definition->parameter[i].initial : "");
    if (n >= bytes)
        snprintf(text + bytes - 4, 4, "...");
    return text;
}

/* Whether a line of the body has "$name"; comments do not count. */
static bool is_used(const fv_parse *p, const fv_definition *d, const char *name)
{
    const size_t length = strlen(name);
    for (int i = d->begin; i < d->end; i++)
        for (const char *s = p->text + p->outline->offset[i]; *s && *s != '\n' && *s != '#'; s++)
            if (*s == '$' && fv__parameter_length(s + 1) == length && memcmp(s + 1, name, length) == 0)
                return true;
    return false;
}

/* The word is "width" or "stride=1". */
static fv_status define_parameter(fv_parse *p, fv_definition *d, fv_word word)
{
    static const char *const reserved[] = {"name", "from"};
    const fv_line *line = &p->line;
    const size_t length = strcspn(word.text, "=");
    char *const name = fv__arena_strdup(&p->model->graph.arena, word.text);
    if (!name)
        return FV_ERR_MEMORY;
    name[length] = 0;
    if (fv__parameter_length(name) != length || length == 0 || length > FV_NAME_MAX_BYTES)
        return fv__line_fail(
            line, word.column,
            "'%s' is no name of a parameter: letters, digits and '_', no digit first, at most "
            "%d",
            name, FV_NAME_MAX_BYTES);
    for (int i = 0; i < 2; i++)
        if (strcmp(name, reserved[i]) == 0)
            return fv__line_fail(line, word.column,
                                 "every use has the key '%s'; call the parameter otherwise", name);
    for (int i = 0; i < d->n_parameters; i++)
        if (strcmp(name, d->parameter[i].name) == 0)
            return fv__line_fail(line, word.column, "the parameter '%s' is there twice", name);
    const char *const initial = word.text[length] ? name + length + 1 : NULL;
    if (initial && !*initial)
        return fv__line_fail(line, word.column, "the default of '%s' is empty", name);
    if (!initial && d->n_parameters && d->parameter[d->n_parameters - 1].initial)
        return fv__line_fail(line, word.column, "'%s' has no default, but stands behind one that has", name);
    if (!is_used(p, d, name))
        return fv__line_fail(line, word.column, "no line of '%s' has '$%s'", d->name, name);
    d->parameter[d->n_parameters].name = name;
    d->parameter[d->n_parameters++].initial = initial;
    return FV_OK;
}

fv_status fv__define_read(fv_parse *p, int index)
{
    const fv_line *line = &p->line;
    if (line->n_words < 2)
        return fv__line_fail(line, line->end_column,
                             "the line ends too early; expected 'define NAME "
                             "PARAMETER...'");
    const char *const name = line->word[1].text;
    const fv_definition *const twin = fv__definition_find(p, name);
    if (!fv__name_ok(name))
        return fv__line_fail(line, line->word[1].column, FV_NO_NAME, name, FV_NAME_MAX_BYTES);
    if (twin)
        return fv__line_fail(line, line->word[1].column, "'%s' is defined on line %d already", name,
                             twin->line);
    fv_definition *const d = fv__arena_alloc(&p->model->graph.arena, 1, sizeof *d);
    void *all = p->definitions;
    if (!d || !(d->name = fv__arena_strdup(&p->model->graph.arena, name)))
        return FV_ERR_MEMORY;
    d->line = line->number;
    d->begin = index + 1;
    d->end = p->outline->end[index];
    for (int w = 2; w < line->n_words; w++)
        FV_TRY(define_parameter(p, d, line->word[w]));
    FV_TRY(fv__grow(p->ctx, &all, p->n_definitions, &p->definition_capacity, sizeof *p->definitions));
    p->definitions = all;
    p->definitions[p->n_definitions++] = d;
    return FV_OK;
}

fv_status fv__definitions_check(fv_parse *p)
{
    for (size_t i = 0; i < p->n_definitions; i++) {
        if (p->definitions[i]->n_uses > 0)
            continue;
        p->line.number = p->definitions[i]->line;
        return fv__line_fail(&p->line, 1, "no line uses '%s'", p->definitions[i]->name);
    }
    return FV_OK;
}

void fv__definitions_deinit(fv_parse *p)
{
    fv__free(p->ctx, p->definitions);
}

/* ---- use ------------------------------------------------------------------------------------------ */

/* The parts of a use's line that are needed while the definition's lines are read. */
typedef struct use {
    fv_definition *definition;
    char bytes[FV_LINE_MAX_BYTES + 1];
    const char *value[MAX_PARAMETERS];
    fv_binding binding[MAX_PARAMETERS];
    char name[FV_LAYER_NAME_BYTES]; /* the full name; "": the layers have names of the enclosing scope */
    char prefix[FV_LAYER_NAME_BYTES + 1];
    fv_call call; /* a copy of the one in the arena */
    fv_text_scope scope;
    fv_counts *counts; /* owned; NULL: those of the enclosing scope */
} use;

void fv__call_explain(fv_context *ctx, const fv_call *call)
{
    for (; call; call = call->parent) {
        const size_t n = strlen(ctx->message);
        snprintf(ctx->message + n, sizeof ctx->message - n, " (in '%s', used on line %d)", call->definition,
                 call->line);
    }
}

static fv_status find_definition(fv_parse *p, fv_definition **out)
{
    const fv_line *line = &p->line;
    if (line->n_words < 2)
        return fv__line_fail(line, line->end_column,
                             "the line ends too early; expected 'use DEFINITION VALUE... name=NAME'");
    const fv_word word = line->word[1];
    const fv_definition *const inside = p->scope->definition;
    fv_definition *const d = (fv_definition *)fv__definition_find(p, word.text);
    if (d && inside == d)
        return fv__line_fail(line, word.column, "'%s' uses itself", d->name);
    if (d && inside && d->line > inside->line)
        return fv__line_fail(line, word.column,
                             "'%s' is defined on line %d, below '%s'; a definition uses those above it",
                             d->name, d->line, inside->name);
    *out = d;
    if (d)
        return FV_OK;
    const char **const names = fv__alloc(p->ctx, p->n_definitions, sizeof *names);
    if (!names)
        return FV_ERR_MEMORY;
    for (size_t i = 0; i < p->n_definitions; i++)
        names[i] = p->definitions[i]->name;
    const char *const nearest = fv__nearest(word.text, names, (int)p->n_definitions);
    fv__free(p->ctx, names);
    return fv__line_fail(line, word.column, "no definition above is called '%s'%s", word.text,
                         fv__nearest_is(nearest).text);
}

/* The word is "key=value": a key is a parameter, 'name' or 'from'. */
static fv_status use_key(fv_parse *p, use *u, fv_word word, bool *given)
{
    const fv_definition *const d = u->definition;
    const char *names[MAX_PARAMETERS + 2] = {"name", "from"};
    char key[FV_LINE_MAX_BYTES + 1];
    const size_t length = strcspn(word.text, "=");
    snprintf(key, sizeof key, "%.*s", (int)length, word.text);
    const char *const value = word.text + length + 1;
    const int column = word.column + (int)length + 1, n = d->n_parameters + 2;
    for (int i = 0; i < d->n_parameters; i++)
        names[i + 2] = d->parameter[i].name;
    int k = 0;
    while (k < n && strcmp(names[k], key) != 0)
        k++;
    if (k == n) {
        const char *const nearest = fv__nearest(key, names, n);
        return fv__line_fail(&p->line, word.column, "unknown parameter '%s' of '%s'%s", key, d->name,
                             fv__nearest_is(nearest).text);
    }
    if (given[k] || (k >= 2 && u->value[k - 2]))
        return fv__line_fail(&p->line, word.column, "'%s' is given twice", key);
    given[k] = true;
    if (!*value)
        return fv__line_fail(&p->line, column, "the value of '%s' is empty", key);
    if (k == 0 && strcmp(value, ".") == 0)
        u->name[0] = '.'; /* use_name */
    else if (k == 0)
        return fv__layer_name(p, value, column, u->name);
    else if (k == 1)
        return fv__layer_output(p, "use", value, column, &p->current);
    else {
        u->value[k - 2] = value;
        u->binding[k - 2].scope = fv__line_scope(&p->line, column);
    }
    return FV_OK;
}

static fv_status use_words(fv_parse *p, use *u)
{
    const fv_line *const line = &p->line;
    const fv_definition *const d = u->definition;
    bool given[MAX_PARAMETERS + 2] = {false};
    char text[200];
    int w = 2;
    for (; w < line->n_words && !strchr(line->word[w].text, '='); w++) {
        if (w - 2 == d->n_parameters)
            return fv__line_fail(line, line->word[w].column, "unexpected word '%s'; expected '%s'",
                                 line->word[w].text, fv__definition_usage(d, text, sizeof text));
        u->value[w - 2] = line->word[w].text;
        u->binding[w - 2].scope = fv__line_scope(line, line->word[w].column);
    }
    for (; w < line->n_words; w++) {
        if (!strchr(line->word[w].text, '='))
            return fv__line_fail(line, line->word[w].column, "'%s' stands behind a key; expected '%s'",
                                 line->word[w].text, fv__definition_usage(d, text, sizeof text));
        FV_TRY(use_key(p, u, line->word[w], given));
    }
    for (int i = 0; i < d->n_parameters; i++) {
        if (!u->value[i] && !d->parameter[i].initial)
            return fv__line_fail(line, line->end_column, "'%s' is missing; expected '%s'",
                                 d->parameter[i].name, fv__definition_usage(d, text, sizeof text));
        if (!u->value[i])
            u->binding[i].scope = p->scope;
        u->binding[i].name = d->parameter[i].name;
        /* the line's bytes are copied, for the next line overwrites them */
        u->binding[i].text =
            u->value[i] ? u->bytes + (u->value[i] - line->room->bytes) : d->parameter[i].initial;
        u->binding[i].next = i > 0 ? &u->binding[i - 1] : NULL;
    }
    memcpy(u->bytes, line->room->bytes, sizeof u->bytes);
    return FV_OK;
}

/* Creates the scope of the definition's lines. */
static fv_status use_scope(fv_parse *p, use *u, const fv_named *input)
{
    const bool same = strcmp(u->name, ".") == 0;
    fv_arena *const arena = &p->model->graph.arena;
    if (same)
        u->name[0] = 0;
    else if (!u->name[0])
        FV_TRY(fv__use_name(p, u->definition->name, u->name));
    fv_call *const call = fv__arena_alloc(arena, 1, sizeof *call);
    if (!call)
        return FV_ERR_MEMORY;
    *call = (fv_call){u->definition->name, p->line.number, p->scope->call};
    if (!same && !(u->counts = fv__alloc(p->ctx, (size_t)p->n_kinds, sizeof *u->counts)))
        return FV_ERR_MEMORY;
    snprintf(u->prefix, sizeof u->prefix, "%s.", u->name);
    u->scope = (fv_text_scope){.prefix = same ? p->scope->prefix : u->prefix,
                               .input = *input,
                               .definition = u->definition,
                               .call = call,
                               .counts = same ? p->scope->counts : u->counts};
    return FV_OK;
}

static fv_status use_read(fv_parse *p, use *u)
{
    const fv_text_scope *const outer = p->scope;
    const fv_binding *const bindings = p->line.bindings;
    fv_model *const model = p->model;
    FV_TRY(find_definition(p, &u->definition));
    FV_TRY(use_words(p, u));
    const fv_named input = {"input", "use", p->line.number, p->current};
    FV_TRY(use_scope(p, u, &input));
    if (p->depth == FV_MAX_DEPTH)
        return fv__line_fail(&p->line, 1, "more than %d uses and repetitions inside one another",
                             FV_MAX_DEPTH);
    const size_t n_layers = model->n_layers;
    fv_definition *const d = u->definition;
    d->n_uses++;
    p->depth++;
    p->scope = &u->scope;
    p->line.scope = &u->scope;
    p->line.bindings = d->n_parameters ? &u->binding[d->n_parameters - 1] : NULL;
    const fv_status status = fv__lines_read(p, d->begin, d->end);
    p->depth--;
    p->scope = outer;
    p->line.scope = outer;
    p->line.bindings = bindings;
    if (status == FV_ERR_INPUT)
        fv__call_explain(p->ctx, &(fv_call){d->name, input.line, NULL});
    FV_TRY(status);
    p->line.number = input.line;
    p->line.filled = false;
    if (model->n_layers == n_layers)
        return fv__line_fail(&p->line, 1, "'%s' has no layer", d->name);
    if (!u->name[0])
        return FV_OK;
    return fv__layer_name_add(p, u->name, "use", p->current);
}

fv_status fv__use_read(fv_parse *p)
{
    use *const u = fv__alloc(p->ctx, 1, sizeof *u);
    if (!u)
        return FV_ERR_MEMORY;
    const fv_status status = use_read(p, u);
    fv__free(p->ctx, u->counts);
    fv__free(p->ctx, u);
    return status;
}

/* ---- repeat --------------------------------------------------------------------------------------- */

/* "i" or "i=1" */
static fv_status read_counter(fv_parse *p, fv_word word, char *name, int64_t *first)
{
    const fv_line *const line = &p->line;
    const size_t length = strcspn(word.text, "=");
    snprintf(name, FV_LINE_MAX_BYTES + 1, "%.*s", (int)length, word.text);
    if (length == 0 || fv__parameter_length(name) != length)
        return fv__line_fail(line, word.column,
                             "'%s' is no name of a counter: letters, digits and '_', no digit first", name);
    for (const fv_binding *b = line->bindings; b; b = b->next)
        if (strcmp(b->name, name) == 0)
            return fv__line_fail(line, word.column, "'$%s' is '%s' here already", name, b->text);
    *first = 0;
    if (word.text[length] && (!fv__parse_count(word.text + length + 1, first) || *first > FV_MAX_LAYERS))
        return fv__line_fail(line, word.column + (int)length + 1,
                             "the counter begins at '%s'; expected a whole number from 0 to %d",
                             word.text + length + 1, FV_MAX_LAYERS);
    return FV_OK;
}

static fv_status repeat_lines(fv_parse *p, int index, int64_t n, const char *counter, int64_t first)
{
    char value[24];
    const fv_binding *const bindings = p->line.bindings;
    const fv_binding binding = {.name = counter, .text = value, .scope = p->scope, .next = bindings};
    fv_status status = FV_OK;
    p->depth++;
    for (int64_t k = 0; k < n && status == FV_OK; k++) {
        snprintf(value, sizeof value, "%lld", (long long)(first + k));
        if (counter[0])
            p->line.bindings = &binding;
        p->n_repeated++; /* empty repetitions count, too */
        status = fv__lines_read(p, index + 1, p->outline->end[index]);
    }
    p->line.bindings = bindings;
    p->depth--;
    const size_t length = strlen(p->ctx->message);
    if (status == FV_ERR_INPUT && counter[0])
        snprintf(p->ctx->message + length, sizeof p->ctx->message - length, " (where $%s is %s)", counter,
                 value);
    return status;
}

fv_status fv__repeat_read(fv_parse *p, int index)
{
    static const char usage[] = "repeat COUNT COUNTER=FIRST";
    const fv_line *const line = &p->line;
    char counter[FV_LINE_MAX_BYTES + 1] = "";
    int64_t n = 0, first = 0;
    if (line->n_words < 2)
        return fv__line_fail(line, line->end_column, "the line ends too early; expected '%s'", usage);
    if (!fv__parse_count(line->word[1].text, &n) || n > FV_MAX_LAYERS)
        return fv__line_fail(line, line->word[1].column,
                             "repeat: COUNT is '%s'; expected a whole number from 0 to %d",
                             line->word[1].text, FV_MAX_LAYERS);
    if (line->n_words > 2)
        FV_TRY(read_counter(p, line->word[2], counter, &first));
    if (line->n_words > 3)
        return fv__line_fail(line, line->word[3].column, "unexpected word '%s'; expected '%s'",
                             line->word[3].text, usage);
    if (!p->outline->end[index])
        return fv__line_fail(line, 1, "'repeat' cannot come from a parameter");
    if (p->depth == FV_MAX_DEPTH)
        return fv__line_fail(line, 1, "more than %d uses and repetitions inside one another", FV_MAX_DEPTH);
    return repeat_lines(p, index, n, counter, first);
}
