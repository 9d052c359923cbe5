/* command_version.c - fovea version: the build, and the instruction set and threads used here. */
#include <stdio.h>

#include "commands.h"
#include "layout.h"
#include "output.h"

static const cli_option options[] = {
    CLI_ROW_THREADS,
    CLI_ROW_JSON,
    CLI_ROW_HELP,
};

static int run(const cli_command *command, const cli_args *args)
{
    cli_session session;
    const int code = cli_session_open(&session, command, args);
    if (!code && args->json) {
        cli_json_begin("version");
        cli_json_text("version", fv_version());
        cli_json_text("isa", fv_context_isa(session.ctx));
        cli_json_text("machine", fv_context_machine(session.ctx));
        cli_json_whole("threads", fv_context_threads(session.ctx));
        cli_json_end();
    } else if (!code) {
        printf("fovea %s\n", fv_version());
        printf("  instruction set  %s\n", fv_context_isa(session.ctx));
        printf("  machine          ");
        cli_print_wrapped(stdout, fv_context_machine(session.ctx), 19, 19);
        putchar('\n');
        printf("  threads          %d\n", fv_context_threads(session.ctx));
    }
    cli_session_close(&session);
    return code;
}

const cli_command cli_command_version = {
    .name = "version",
    .operands = "",
    .summary = "the version, and what it runs on here",
    .details = "The instruction set and the number of threads are those that every other command takes here.",
    .examples = "fovea version\n"
                "fovea version --json",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .run = run,
};
