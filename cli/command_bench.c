/* command_bench.c - fovea bench: this machine's FMA peak, and each kernel's share of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "layout.h"
#include "output.h"

#define MAX_MODELS 64

static const cli_option options[] = {
    {"models", "A,B", CLI_TEXT, offsetof(cli_args, models), 0, 0, NULL,
     "models whose layers to measure; default: all but the largest"},
    {"batch", "N", CLI_COUNT, offsetof(cli_args, batch), 1, FV_MAX_BENCH_BATCH, NULL, "images of a step"},
    CLI_ROW_THREADS,
    CLI_ROW_JSON,
    CLI_ROW_HELP,
};

static void defaults(cli_args *args)
{
    args->batch = 128;
}

typedef struct sheet {
    bool json;
    cli_table table;
} sheet;

static bool report(void *user, const fv_bench_result *result)
{
    sheet *s = user;
    if (s->json) {
        cli_json_begin("kernel");
        cli_json_text("name", result->name);
        cli_json_text("shape", result->shape);
        cli_json_real("gflops", result->gflops);
        cli_json_real("peak_share", result->peak_share);
        cli_json_end();
    } else {
        cli_table_cell(&s->table, CLI_INK_PLAIN, "%s", result->name);
        cli_table_cell(&s->table, CLI_INK_PLAIN, "%s", result->shape ? result->shape : "");
        cli_table_cell(&s->table, CLI_INK_PLAIN, "%.1f", result->gflops);
        cli_table_cell(&s->table, CLI_INK_PLAIN, "%.0f%%", 100 * result->peak_share);
        cli_table_bar(&s->table, result->peak_share);
        cli_table_end(&s->table);
    }
    return !cli_output_lost(); /* flushes: each line as it is measured */
}

/* Cuts "a,b" into names, NULL-terminated. */
static int split_models(char *text, const char **names)
{
    int n = 0;
    for (char *p = text;;) {
        char *comma = strchr(p, ',');
        if (comma)
            *comma = '\0';
        if (!*p)
            return cli_usage("bench", "--models takes names with commas between, found an empty one");
        if (!fv_zoo_text(p)) {
            const char *zoo[MAX_MODELS];
            int known = 0;
            while (known < MAX_MODELS && (zoo[known] = fv_zoo_name(known)))
                known++;
            const char *nearest = cli_nearest(p, zoo, known, sizeof zoo[0]);
            return cli_usage("bench", "--models: unknown model %s; %s%s", p,
                             nearest ? "nearest is " : "fovea models lists what there is",
                             nearest ? nearest : "");
        }
        if (n == MAX_MODELS)
            return cli_usage("bench", "--models takes at most %d names", MAX_MODELS);
        names[n++] = p;
        if (!comma)
            break;
        p = comma + 1;
    }
    names[n] = NULL;
    return 0;
}

static int run(const cli_command *command, const cli_args *args)
{
    static const cli_column columns[] = {{"kernel", 42, 21, 0, true},
                                         {"shape", 42, 29, 2, true},
                                         {"GFLOP/s", 8, 0, 0, false},
                                         {"peak", 5, 0, 1, false},
                                         {"", 20, 12, 3, true}};
    sheet s = {.json = args->json};
    cli_session session;
    char spare[32];
    const char *names[MAX_MODELS + 1];
    char *text = args->models ? strdup(args->models) : NULL;
    int code = text ? split_models(text, names) : 0;
    if (!code) {
        code = cli_session_open(&session, command, args);
        if (!code) {
            if (!args->json) {
                cli_print_line("%s, %s, %s, batch %d", fv_context_machine(session.ctx),
                               fv_context_isa(session.ctx),
                               cli_plural(fv_context_threads(session.ctx), "thread", spare), args->batch);
                cli_table_begin(&s.table, columns, sizeof columns / sizeof columns[0]);
                cli_table_titles(&s.table);
            }
            const fv_status status = fv_bench(session.ctx, text ? names : NULL, args->batch, report, &s);
            if (status == FV_STOPPED && cli_output_lost())
                code = cli_output_closed() ? CLI_EXIT_PIPE : CLI_EXIT_FAILED; /* main tells why */
            else
                code = status == FV_OK ? 0 : cli_fail(&session, status);
        }
        cli_session_close(&session);
    }
    free(text);
    return code;
}

const cli_command cli_command_bench = {
    .name = "bench",
    .operands = "",
    .summary = "measure this machine's peak and each kernel's share of it",
    .examples = "fovea bench\n"
                "fovea bench --models lenet5-relu --threads 1\n"
                "fovea bench --models lenet5,mlp --batch 64 --json",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .defaults = defaults,
    .run = run,
};
