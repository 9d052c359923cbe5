/* command_check.c - fovea check: every parameter's gradient against central differences. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "layout.h"
#include "output.h"

#define REDRAW_SECONDS 0.1
#define LEAST_BAR      8 /* columns */
#define MOST_BAR       40

static const cli_option options[] = {
    {"batch", "N", CLI_COUNT, offsetof(cli_args, batch), 1, FV_MAX_CHECK_BATCH, NULL,
     "random images to differentiate on"},
    {"seconds", "X", CLI_REAL, offsetof(cli_args, seconds), 0, 1e6, NULL,
     "time for differences; 0: take all"},
    {"seed", "N", CLI_SEED, offsetof(cli_args, seed), 0, 0, NULL, "of the parameters and the images"},
    CLI_ROW_THREADS,
    CLI_ROW_JSON,
    CLI_ROW_HELP,
};

static void defaults(cli_args *args)
{
    const fv_check_options o = fv_check_options_default();
    args->batch = o.batch;
    args->seconds = o.seconds;
    args->seed = o.seed;
}

typedef struct sheet {
    bool json, terminal; /* standard error is a terminal: the bar is below the table */
    bool bar_shown;
    double last_drawn;
    int64_t n_checked;
    cli_table table;
} sheet;

static const char *const verdicts[] = {"ok", "WRONG", "not decided"}; /* in fv_check_verdict's order */
static const char *const json_verdicts[] = {"ok", "wrong", "undecided"};

static void erase_bar(sheet *s)
{
    if (s->bar_shown)
        fputs("\r\033[J", stderr);
    s->bar_shown = false;
    fflush(stderr);
}

/* "checking 35/722 [----    ] c12.weight": the bar, and as much of the name as fits. */
static void draw_bar(sheet *s, const fv_check_progress *p)
{
    char head[64], name[64], text[128];
    const int width = cli_width(stderr) - 1; /* the last column would wrap on some terminals */
    snprintf(head, sizeof head, "checking %d/%d", p->n_done, p->n_parameters);
    cli_shorten(p->parameter ? p->parameter : "choosing a point", 30, name, sizeof name);
    int bar = width - (int)strlen(head) - (int)strlen(name) - 2;
    bar = bar > MOST_BAR ? MOST_BAR : bar;
    erase_bar(s);
    if (bar >= LEAST_BAR) {
        fprintf(stderr, "%s ", head);
        cli_track(stderr, p->share, bar);
        fprintf(stderr, " %s", name);
    } else {
        cli_shorten(head, width > 0 ? width : 0, text, sizeof text);
        fputs(text, stderr);
    }
    fputc('\r', stderr);
    fflush(stderr);
    s->bar_shown = true;
    s->last_drawn = p->seconds;
}

static void print_json(const fv_check_result *result)
{
    cli_json_begin("check");
    cli_json_text("parameter", result->parameter);
    cli_json_whole("checked", result->n_checked);
    cli_json_whole("values", result->n_values);
    cli_json_real("reference_error", result->reference_error);
    cli_json_real("kernel_error", result->kernel_error);
    cli_json_text("verdict", json_verdicts[result->verdict]);
    cli_json_end();
}

static void print_row(sheet *s, const fv_check_result *result)
{
    char spare[32], reference[32] = "-";
    const cli_ink inks[] = {CLI_INK_GOOD, CLI_INK_BAD, CLI_INK_FAINT};
    if (!isnan(result->reference_error) || result->verdict == FV_CHECK_WRONG)
        snprintf(reference, sizeof reference, "%.1e", result->reference_error);
    cli_table_cell(&s->table, CLI_INK_PLAIN, "%s", result->parameter);
    cli_table_cell(&s->table, CLI_INK_PLAIN, "%s", cli_grouped(result->n_checked, spare));
    cli_table_cell(&s->table, CLI_INK_PLAIN, "%s", cli_grouped(result->n_values, spare));
    cli_table_cell(&s->table, CLI_INK_PLAIN, "%s", reference);
    cli_table_cell(&s->table, CLI_INK_PLAIN, "%.1e", result->kernel_error);
    cli_table_cell(&s->table, inks[result->verdict], "%s", verdicts[result->verdict]);
    cli_table_end(&s->table);
    fflush(stdout);
}

static bool report(void *user, const fv_check_progress *progress)
{
    sheet *s = user;
    const fv_check_result *const result = progress->result;
    if (result) {
        s->n_checked += result->n_checked;
        erase_bar(s);
        if (s->json)
            print_json(result);
        else
            print_row(s, result);
    } else if (s->terminal && progress->seconds >= s->last_drawn + REDRAW_SECONDS) {
        draw_bar(s, progress);
    }
    return !cli_interrupted() && !cli_output_lost();
}

/* Prints the result and returns the exit code, which is 1 only if a gradient is wrong. */
static int conclude(const sheet *s, const fv_check_summary *sum)
{
    const int n = sum->n_ok + sum->n_wrong + sum->n_undecided;
    char spare[32];
    if (sum->n_wrong > 0)
        return cli_error("check", CLI_EXIT_FAILED, "%d of %d gradients are wrong%s", sum->n_wrong, n,
                         sum->n_undecided > 0 ? "; others are not decided" : "");
    if (s->json)
        return 0;
    if (sum->n_undecided == 0)
        cli_print_line("all %d gradients agree with %s differences (worst relative errors above)", n,
                       cli_grouped(s->n_checked, spare));
    else
        cli_print_line(
            "%d of %d gradients agree with %s differences; 0 are wrong, %d not decided: rounding, "
            "kinks or the time left too little to compare. Another --seed, a larger --batch or more "
            "--seconds may help.",
            sum->n_ok, n, cli_grouped(s->n_checked, spare), sum->n_undecided);
    return 0;
}

static int conclude_early(const fv_check_summary *sum)
{
    char spare[32];
    if (cli_output_lost())
        return cli_output_closed() ? CLI_EXIT_PIPE : CLI_EXIT_FAILED; /* main tells why */
    return cli_error("check", cli_interrupt_code(), "interrupted after %s, of which %d are wrong",
                     cli_plural(sum->n_ok + sum->n_wrong + sum->n_undecided, "gradient", spare),
                     sum->n_wrong);
}

static void print_head(const fv_model *model, sheet *s)
{
    cli_column columns[] = {{"parameter", 20, 13, 0, true}, {"differences", 11, 0, 3, false},
                            {"values", 9, 0, 4, false},     {"reference", 10, 0, 2, false},
                            {"kernels", 10, 0, 1, false},   {"", 11, 0, 0, true}};
    for (int p = 0; p < fv_model_n_parameters(model); p++) {
        const int width = (int)strlen(fv_model_parameter(model, p).name);
        columns[0].width = width > columns[0].width ? width : columns[0].width;
    }
    cli_table_begin(&s->table, columns, sizeof columns / sizeof columns[0]);
    cli_table_titles(&s->table);
    fflush(stdout);
}

static int check(const cli_session *session, fv_model *model, sheet *s)
{
    const cli_args *const args = session->args;
    const fv_check_options o = {.seed = args->seed, .batch = args->batch, .seconds = args->seconds};
    fv_check_summary summary;
    cli_interrupt_arm();
    if (!s->json)
        print_head(model, s);
    const fv_status status = fv_model_check(model, &o, report, s, &summary);
    cli_interrupt_disarm();
    erase_bar(s);
    if (status == FV_STOPPED)
        return conclude_early(&summary);
    return status == FV_OK ? conclude(s, &summary) : cli_fail(session, status);
}

static int run(const cli_command *command, const cli_args *args)
{
    cli_session session;
    fv_model *model = NULL;
    sheet s = {.json = args->json, .terminal = cli_is_terminal(stderr)};
    int code = cli_session_open(&session, command, args);
    if (!code) {
        const fv_status status = fv_model_open(session.ctx, args->operands[0], &model);
        code = status == FV_OK ? check(&session, model, &s) : cli_fail(&session, status);
    }
    fv_model_destroy(model);
    cli_session_close(&session);
    return code;
}

const cli_command cli_command_check = {
    .name = "check",
    .operands = "MODEL",
    .min_operands = 1,
    .max_operands = 1,
    .summary = "compare every gradient with finite differences",
    .details =
        "Each parameter tensor's gradient, as the reference (double) and as the kernels (float) compute "
        "it, against central differences of the reference: along one direction through all values, then "
        "value by value. The exit code is 1 if a gradient is wrong: if it differs by more than rounding "
        "explains. \"not decided\" means that rounding or kinks could hide a mistake, or that time ran out.",
    .examples = "fovea check lenet5\n"
                "fovea check my-model.fovea --batch 17 --json",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .defaults = defaults,
    .run = run,
};
