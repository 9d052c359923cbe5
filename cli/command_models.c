/* command_models.c - fovea models: the built-in models, each with the first line of its text. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "layout.h"
#include "output.h"

#define TITLE_COLUMN 42

static const cli_option options[] = {
    CLI_ROW_JSON,
    CLI_ROW_HELP,
};

/* The first sentence of the comment that the text begins with, which may go over several lines. */
static void find_title(const char *text, char *title, size_t title_bytes)
{
    size_t used = 0;
    title[0] = '\0';
    while (*text == '#' && used < title_bytes) {
        text += 1 + strspn(text + 1, " \t");
        const size_t bytes = strcspn(text, "\n");
        used +=
            (size_t)snprintf(title + used, title_bytes - used, "%s%.*s", used ? " " : "", (int)bytes, text);
        text += bytes + (text[bytes] == '\n');
    }
    char *end = strstr(title, ". ");
    if (end)
        end[1] = '\0';
}

/* Prints the title beside the name and the parameters, or below them; without a terminal all of it is one
 * line. */
static void print_title(const char *title)
{
    const bool beside = cli_prose_width(stdout) >= 2 * TITLE_COLUMN;
    if (!cli_has_width(stdout)) {
        printf("  %s\n", title);
        return;
    }
    if (beside)
        printf("  ");
    else
        printf("\n%6s", "");
    cli_print_wrapped(stdout, title, beside ? TITLE_COLUMN : 6, beside ? TITLE_COLUMN : 6);
    putchar('\n');
}

static int run(const cli_command *command, const cli_args *args)
{
    cli_session session;
    int code = cli_session_open(&session, command, args);
    const char *name;
    for (int i = 0; !code && (name = fv_zoo_name(i)); i++) {
        fv_model *model;
        char title[1024], spare[32];
        const fv_status status = fv_model_open(session.ctx, name, &model);
        if (status != FV_OK) {
            code = cli_fail(&session, status);
            break;
        }
        const fv_model_info info = fv_model_describe(model);
        fv_model_destroy(model);
        find_title(fv_zoo_text(name), title, sizeof title);
        if (args->json) {
            cli_json_begin("model");
            cli_json_text("name", name);
            cli_json_whole("parameters", info.n_parameters);
            cli_json_text("title", title);
            cli_json_end();
        } else {
            char parameters[32];
            snprintf(parameters, sizeof parameters, "%s parameters", cli_grouped(info.n_parameters, spare));
            printf("  ");
            cli_print_inked(stdout, CLI_INK_BOLD, "%-16s", name);
            printf("%22s", parameters);
            print_title(title);
        }
    }
    cli_session_close(&session);
    return code;
}

const cli_command cli_command_models = {
    .name = "models",
    .operands = "",
    .summary = "list the built-in models",
    .examples = "fovea models\n"
                "fovea info lenet5",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .run = run,
};
