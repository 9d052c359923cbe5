/* command_models.c - fovea models: the built-in models, each with the first line of its text. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "output.h"
#include "terminal.h"

static const cli_option options[] = {
    CLI_ROW_JSON,
    CLI_ROW_HELP,
};

/* The text's first comment: "# LeNet-5 (LeCun et al. 1998)" -> "LeNet-5 (LeCun et al. 1998)". */
static void find_title(const char *text, char *title, size_t title_bytes)
{
    title[0] = '\0';
    text += strspn(text, " \t\n");
    if (*text != '#')
        return;
    text += 1 + strspn(text + 1, " \t");
    snprintf(title, title_bytes, "%.*s", (int)strcspn(text, "\n"), text);
}

static int run(const cli_command *command, const cli_args *args)
{
    cli_session session;
    int code = cli_session_open(&session, command, args);
    const char *name;
    for (int i = 0; !code && (name = fv_zoo_name(i)); i++) {
        fv_model *model;
        char title[256], spare[32];
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
            /* A longer title would wrap; where nobody looks, nothing is cut. */
            const int room = cli_is_terminal(stdout) ? cli_width(stdout) - 42 : (int)sizeof title;
            const bool fits = (int)strlen(title) <= room || room < 8;
            cli_print_inked(stdout, CLI_INK_BOLD, "  %-14s", name);
            printf(" %10s parameters  %.*s%s\n", cli_grouped(info.n_parameters, spare), fits ? 255 : room - 3,
                   title, fits ? "" : "...");
        }
    }
    cli_session_close(&session);
    return code;
}

const cli_command cli_command_models = {
    .name = "models",
    .operands = "",
    .summary = "list the built-in models",
    .examples = "  fovea models\n"
                "  fovea info lenet5",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .run = run,
};
