/* command_data.c - fovea data info: what is in a data set, and what is wrong with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "layout.h"
#include "output.h"

#define MAX_LISTED 5 /* files and pairs that are named; the others are counted */

static const cli_option options[] = {
    CLI_ROW_CACHE,
    CLI_ROW_THREADS,
    CLI_ROW_JSON,
    CLI_ROW_HELP,
};

static const char *const set_words[] = {"train", "test"};

typedef struct task {
    cli_session session;
    const char *spec;
    fv_data *data[2]; /* the test set may be NULL */
    fv_data_info info[2];
    int n_sets;
} task;

/* ---- identical samples ------------------------------------------------------------------------------- */

/* A sample of either set. */
typedef struct sample {
    uint64_t digest;
    int set, index, label;
} sample;

typedef struct twins {
    sample *sample; /* [n], by digest */
    int n;
    int64_t within[2], between, disagree; /* samples that are not the first of their kind; pairs of labels */
} twins;

static int by_digest(const void *a, const void *b)
{
    const sample *x = a, *y = b;
    if (x->digest != y->digest)
        return x->digest < y->digest ? -1 : 1;
    return x->set != y->set ? x->set - y->set : x->index - y->index;
}

static bool find_twins(const task *t, twins *out)
{
    *out = (twins){0};
    for (int k = 0; k < t->n_sets; k++)
        out->n += t->info[k].n;
    out->sample = malloc((size_t)out->n * sizeof *out->sample);
    if (!out->sample)
        return false;
    sample *s = out->sample;
    for (int k = 0; k < t->n_sets; k++)
        for (int i = 0; i < t->info[k].n; i++)
            *s++ = (sample){fv_data_sample_at(t->data[k], i).digest, k, i, fv_data_label(t->data[k], i)};
    qsort(out->sample, (size_t)out->n, sizeof *out->sample, by_digest);
    for (int i = 1, first = 0; i < out->n; i++) {
        const sample *const mine = &out->sample[i], *const head = &out->sample[first];
        if (mine->digest != head->digest) {
            first = i;
            continue;
        }
        if (mine->set == mine[-1].set)
            out->within[mine->set]++;
        out->between += mine->set == 1 && head->set == 0;
        out->disagree += mine->label != head->label;
    }
    return true;
}

/* "train photos/cat/1.jpg (cat)", or by its number where samples are no files. */
static void print_sample(const task *t, const sample *s)
{
    const fv_data *const data = t->data[s->set];
    const char *const path = fv_data_sample_at(data, s->index).path;
    if (path)
        printf("%s", path);
    else
        printf("%s %d", set_words[s->set], s->index);
    if (s->label >= 0)
        printf(" (%s)", fv_data_class_name(data, s->label));
}

/* The first pairs of two labels, or, where there are none, of the two sets. */
static void list_twins(const task *t, const twins *w)
{
    int listed = 0;
    for (int i = 1, first = 0; i < w->n && listed < MAX_LISTED; i++) {
        const sample *const mine = &w->sample[i], *const head = &w->sample[first];
        if (mine->digest != head->digest)
            first = i;
        else if (w->disagree > 0 ? mine->label != head->label : mine->set != head->set) {
            printf("    ");
            print_sample(t, head);
            printf(" = ");
            print_sample(t, mine);
            putchar('\n');
            listed++;
        }
    }
}

static void print_twins(const task *t, const twins *w)
{
    char spare[4][32];
    if (w->within[0] + w->within[1] + w->between == 0) {
        puts("  identical    none");
        return;
    }
    cli_print_line(
        "  identical    %s within train, %s within test, %s of test that are in train, %s of another class",
        cli_grouped(w->within[0], spare[0]), cli_grouped(w->within[1], spare[1]),
        cli_grouped(w->between, spare[2]), cli_grouped(w->disagree, spare[3]));
    list_twins(t, w);
}

/* ---- sizes, channels, files -------------------------------------------------------------------------- */

/* The samples' own sizes: the smallest and the largest, and how many are gray. */
typedef struct own_sizes {
    int low_h, low_w, high_h, high_w, n_gray, n_colour;
} own_sizes;

static own_sizes measure_sizes(const task *t)
{
    own_sizes s = {.low_h = CLI_MAX_COUNT, .low_w = CLI_MAX_COUNT};
    for (int k = 0; k < t->n_sets; k++)
        for (int i = 0; i < t->info[k].n; i++) {
            const fv_data_sample one = fv_data_sample_at(t->data[k], i);
            s.low_h = one.h < s.low_h ? one.h : s.low_h;
            s.low_w = one.w < s.low_w ? one.w : s.low_w;
            s.high_h = one.h > s.high_h ? one.h : s.high_h;
            s.high_w = one.w > s.high_w ? one.w : s.high_w;
            s.n_gray += one.c == 1;
            s.n_colour += one.c == 3;
        }
    return s;
}

static void print_sizes(const task *t)
{
    char spare[2][32];
    const own_sizes s = measure_sizes(t);
    if (s.low_h == s.high_h && s.low_w == s.high_w)
        printf("  sizes        all of %dx%d (height, width)", s.low_h, s.low_w);
    else
        printf("  sizes        from %dx%d to %dx%d (height, width)", s.low_h, s.low_w, s.high_h, s.high_w);
    printf("; %s gray, %s coloured\n", cli_grouped(s.n_gray, spare[0]), cli_grouped(s.n_colour, spare[1]));
}

static void print_moments(const task *t)
{
    double mean, deviation;
    for (int c = 0; c < t->info[0].c && c < 16; c++) {
        fv_data_moments(t->data[0], c, &mean, &deviation);
        printf("  channel %-4d mean %.4f, deviation %.4f\n", c, mean, deviation);
    }
    if (t->info[0].c > 16)
        printf("  and %d channels more\n", t->info[0].c - 16);
}

static void print_skipped(const task *t)
{
    for (int k = 0; k < t->n_sets; k++) {
        const int n = t->info[k].n_skipped;
        if (n > 0)
            printf("  unreadable   %d files of %s\n", n, set_words[k]);
        for (int i = 0; i < n && i < MAX_LISTED; i++)
            printf("    %s\n", fv_data_skipped(t->data[k], i));
    }
}

static void print_classes(const task *t)
{
    const int n = t->info[0].n_classes;
    int *const counts = calloc((size_t)n * 2 + 1, sizeof *counts);
    char spare[32];
    cli_column columns[] = {{"class", 5, 5, 0, true}, {"train", 9, 0, 0, false}, {"test", 9, 0, 1, false}};
    cli_table table;
    for (int k = 0; k < t->n_sets && counts; k++)
        for (int i = 0; i < t->info[k].n; i++)
            if (fv_data_label(t->data[k], i) >= 0)
                counts[2 * fv_data_label(t->data[k], i) + k]++;
    for (int c = 0; c < n; c++) {
        const int width = cli_columns_of(fv_data_class_name(t->data[0], c));
        columns[0].width = width > columns[0].width ? width : columns[0].width;
    }
    cli_table_begin(&table, columns, 1 + t->n_sets);
    if (n > 0)
        cli_table_titles(&table);
    for (int c = 0; c < n && counts; c++) {
        cli_table_cell(&table, CLI_INK_PLAIN, "%s", fv_data_class_name(t->data[0], c));
        for (int k = 0; k < t->n_sets; k++)
            cli_table_cell(&table, CLI_INK_PLAIN, "%s", cli_grouped(counts[2 * c + k], spare));
        cli_table_end(&table);
    }
    free(counts);
}

/* ---- the command ------------------------------------------------------------------------------------- */

static void print_text(const task *t, const twins *w)
{
    const fv_data_info *const info = &t->info[0];
    char spare[2][32];
    cli_print_heading(t->spec, ": samples of %dx%dx%d in %d classes", info->c, info->h, info->w,
                      info->n_classes);
    print_classes(t);
    putchar('\n');
    printf("  samples      %s train, %s test\n", cli_grouped(info->n, spare[0]),
           cli_grouped(t->info[1].n, spare[1]));
    if (info->h > 1)
        print_sizes(t);
    print_moments(t);
    print_twins(t, w);
    print_skipped(t);
    for (int k = 0; k < t->n_sets; k++)
        if (t->info[k].note)
            cli_print_line("  note         %s: %s", set_words[k], t->info[k].note);
}

static void print_json(const task *t, const twins *w)
{
    for (int k = 0; k < t->n_sets; k++) {
        const fv_data_info *const info = &t->info[k];
        const int shape[] = {info->c, info->h, info->w};
        cli_json_begin("data");
        cli_json_text("name", t->spec);
        cli_json_text("split", set_words[k]);
        cli_json_whole("samples", info->n);
        cli_json_wholes("shape", shape, 3);
        cli_json_whole("classes", info->n_classes);
        cli_json_whole("identical_within", w->within[k]);
        cli_json_whole("unreadable", info->n_skipped);
        cli_json_text("note", info->note);
        cli_json_end();
        for (int c = 0; c < info->c; c++) {
            double mean, deviation;
            fv_data_moments(t->data[k], c, &mean, &deviation);
            cli_json_begin("channel");
            cli_json_text("split", set_words[k]);
            cli_json_whole("channel", c);
            cli_json_real("mean", mean);
            cli_json_real("deviation", deviation);
            cli_json_end();
        }
    }
    const own_sizes s = measure_sizes(t);
    const int low[] = {s.low_h, s.low_w}, high[] = {s.high_h, s.high_w};
    cli_json_begin("samples");
    cli_json_whole("identical_between", w->between);
    cli_json_whole("identical_of_another_class", w->disagree);
    cli_json_wholes("smallest", low, 2);
    cli_json_wholes("largest", high, 2);
    cli_json_whole("gray", s.n_gray);
    cli_json_whole("coloured", s.n_colour);
    cli_json_end();
}

/* Opens both sets as they are; pictures of class folders may differ in size, and unreadable ones are counted.
 */
static fv_status open_sets(task *t)
{
    static const cli_list every_class;
    const fv_data_options how = cli_data_options(&t->session, &every_class, 0, NULL);
    fv_status status = FV_ERR_INPUT;
    static const char *const words[] = {"sizes", "unreadable"}, *const values[] = {"any", "skip"};
    char *const spec = cli_join_data_words(t->spec, words, values, 2);
    if (spec) /* sources other than class folders do not know these words */
        status = fv_data_open_both(t->session.ctx, spec, &how, &t->data[0], &t->data[1]);
    if (status == FV_ERR_INPUT)
        status = fv_data_open_both(t->session.ctx, t->spec, &how, &t->data[0], &t->data[1]);
    free(spec);
    t->n_sets = status == FV_OK ? 1 + (t->data[1] != NULL) : 0;
    for (int k = 0; k < t->n_sets; k++)
        t->info[k] = fv_data_describe(t->data[k]);
    return status;
}

static int run(const cli_command *command, const cli_args *args)
{
    static task t;
    twins w = {0};
    if (strcmp(args->operands[0], "info") != 0)
        return cli_usage("data", "unknown operand %s; there is info, as in fovea data info DIR",
                         args->operands[0]);
    if (args->n_operands < 2)
        return cli_usage("data", "nothing to look at: name a data set, as in fovea data info DIR");
    t.spec = args->operands[1];
    int code = cli_session_open(&t.session, command, args);
    if (!code) {
        const fv_status status = open_sets(&t);
        code = status == FV_OK ? 0 : cli_fail(&t.session, status);
    }
    if (!code && !find_twins(&t, &w))
        code = cli_error("data", CLI_EXIT_FAILED, "out of memory");
    if (!code && args->json)
        print_json(&t, &w);
    else if (!code)
        print_text(&t, &w);
    free(w.sample);
    fv_data_destroy(t.data[1]);
    fv_data_destroy(t.data[0]);
    cli_session_close(&t.session);
    return code;
}

const cli_command cli_command_data = {
    .name = "data",
    .operands = "info NAME|PATH",
    .min_operands = 1,
    .max_operands = 2,
    .summary = "look through a data set: classes, sizes, unreadable files, identical samples",
    .details =
        "Identical samples are found by a digest of their values: within the training set, within the test "
        "set, in both, and under two labels. Pictures of several sizes are compared at the size of the "
        "first.",
    .examples = "fovea data info photos\n"
                "fovea data info table.csv:split=0.2 --json",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .run = run,
};
