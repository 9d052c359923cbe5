/* session.c - the environment and the context of a command, and its error messages. */
#include "session.h"

#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(const char *command, const char *format, va_list args)
{
    fflush(stdout); /* earlier results come before the message */
    fprintf(stderr, "fovea%s%s: ", command ? " " : "", command ? command : "");
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int cli_usage(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(command, format, args);
    va_end(args);
    return CLI_EXIT_USAGE;
}

int cli_error(const char *command, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(command, format, args);
    va_end(args);
    return code;
}

void cli_note(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(command, format, args);
    va_end(args);
}

int cli_exit_code(fv_status status)
{
    switch (status) {
    case FV_OK:
        return CLI_EXIT_WELL;
    case FV_ERR_ARGUMENT:
        return CLI_EXIT_USAGE;
    case FV_ERR_INPUT:
        return CLI_EXIT_INPUT;
    case FV_ERR_NONFINITE:
        return CLI_EXIT_NONFINITE;
    case FV_STOPPED:
        return cli_interrupted() ? cli_interrupt_code() : CLI_EXIT_INTERRUPTED;
    case FV_ERR_MEMORY:
    case FV_ERR_IO:
    case FV_ERR_UNSUPPORTED:
    case FV_ERR_INTERNAL:
        break;
    }
    return CLI_EXIT_FAILED;
}

int cli_fail(const cli_session *session, fv_status status)
{
    return cli_error(session->command, cli_exit_code(status), "%s", fv_message(session->ctx));
}

/* An empty variable counts as not set. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static int read_roots(cli_session *session)
{
    static const char *const usual[] = {"data", ".", NULL};
    const char *folders = variable("FOVEA_DATA");
    if (!folders) {
        memcpy(session->roots, usual, sizeof usual);
        return 0;
    }
    session->roots_text = strdup(folders);
    if (!session->roots_text)
        return cli_error(session->command, CLI_EXIT_FAILED, "out of memory");
    int n = 0;
    for (char *p = session->roots_text;;) {
        char *colon = strchr(p, ':');
        if (colon)
            *colon = '\0';
        if (!*p)
            return cli_usage(session->command, "FOVEA_DATA holds an empty folder name: \"%s\"", folders);
        if (n == CLI_MAX_ROOTS)
            return cli_usage(session->command, "FOVEA_DATA names more than %d folders", CLI_MAX_ROOTS);
        session->roots[n++] = p;
        if (!colon)
            return 0;
        p = colon + 1;
    }
}

static int read_threads(const cli_session *session, int *out)
{
    *out = session->args->threads;
    const char *threads = variable("FOVEA_THREADS");
    int count;
    if (!threads)
        return 0;
    if (!cli_read_count(threads, 1, FV_MAX_THREADS, &count))
        return cli_usage(session->command, "FOVEA_THREADS takes a whole number from 1 to %d, found \"%s\"",
                         FV_MAX_THREADS, threads);
    if (*out == 0) /* --threads wins */
        *out = count;
    return 0;
}

static int read_direct(const cli_session *session, bool *out)
{
    const char *const direct = variable("FOVEA_DIRECT");
    *out = direct && strcmp(direct, "1") == 0;
    if (direct && !*out && strcmp(direct, "0") != 0)
        return cli_usage(session->command, "FOVEA_DIRECT takes 0 or 1, found \"%s\"", direct);
    return 0;
}

int cli_session_open(cli_session *session, const cli_command *command, const cli_args *args)
{
    memset(session, 0, sizeof *session);
    session->command = command->name;
    session->args = args;
    fv_context_options options = {.isa = variable("FOVEA_ISA")};
    int code = read_threads(session, &options.n_threads);
    if (!code)
        code = read_direct(session, &options.direct);
    if (!code)
        code = read_roots(session);
    if (code)
        return code;
    char why[512] = "";
    const fv_status status = fv_context_create(&options, &session->ctx, why, sizeof why);
    if (status == FV_OK)
        return 0;
    if (options.isa && (status == FV_ERR_ARGUMENT || status == FV_ERR_UNSUPPORTED))
        return cli_error(session->command, cli_exit_code(status), "FOVEA_ISA=%s: %s", options.isa, why);
    return cli_error(session->command, cli_exit_code(status), "%s", why);
}

void cli_session_close(cli_session *session)
{
    fv_context_destroy(session->ctx);
    free(session->roots_text);
    free(session->spec);
    session->ctx = NULL;
    session->spec = NULL;
    session->roots_text = NULL;
}
