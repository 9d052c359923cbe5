/* help.c - the help text of a command, from its table. Defaults are read from an initialised cli_args, so
 * that the text cannot disagree with the command. */
#include <stdio.h>
#include <string.h>

#include "layout.h"
#include "options.h"

#define HELP_COLUMN 29

void cli_print_exit_codes(FILE *stream)
{
    static const char *const codes[] = {"exit codes:",
                                        "0 well,",
                                        "1 failed,",
                                        "2 usage,",
                                        "3 bad input,",
                                        "4 non-finite numbers,",
                                        "129, 130, 143 interrupted by",
                                        "SIGHUP, Ctrl-C, SIGTERM"};
    int at = 0;
    fputc('\n', stream);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        const int columns = cli_columns_of(codes[i]);
        const bool full = at && at + 1 + columns > cli_prose_width(stream);
        fprintf(stream, "%s%s", full ? "\n" : at ? " " : "", codes[i]);
        at = (full ? 0 : at + (at > 0)) + columns;
    }
    fputc('\n', stream);
}

static void print_option(const cli_option *option, const cli_args *defaults)
{
    char left[64], value[CLI_LIST_MAX], text[1024];
    snprintf(left, sizeof left, "--%s%s%s", option->name, option->word ? " " : "",
             option->word ? option->word : "");
    size_t used = (size_t)snprintf(text, sizeof text, "%s", option->help);
    for (int i = 0; option->kind == CLI_CHOICE && option->choices[i] && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s %s", i ? "," : ":", option->choices[i]);
    cli_show_value(option, defaults, value, sizeof value);
    /* A count of nought that lies below its own range means "not given": there is no default to show. */
    const bool none = ((option->kind == CLI_COUNT && option->low > 0) || option->kind == CLI_BYTES) &&
                      strcmp(value, "0") == 0;
    if (value[0] && !none && used < sizeof text)
        snprintf(text + used, sizeof text - used, " [%s]", value);
    cli_print_entry(stdout, left, HELP_COLUMN, text);
}

void cli_print_examples(FILE *stream, const char *lines)
{
    fputs("\nexamples\n", stream);
    while (*lines) {
        char line[256];
        const size_t bytes = strcspn(lines, "\n");
        snprintf(line, sizeof line, "%.*s", (int)bytes, lines);
        cli_print_typed(stream, line, 2);
        lines += bytes + (lines[bytes] == '\n');
    }
}

/* What --data takes, for commands that have it. */
static void print_data_sources(void)
{
    const fv_data_source *source;
    const fv_data_word *word;
    puts("\nwhat --data takes");
    for (int i = 0; (source = fv_data_source_at(i)) != NULL; i++)
        cli_print_entry(stdout, source->name, HELP_COLUMN, source->help);
    putchar('\n');
    cli_print_prose(stdout, "words behind a colon, as in DIR:fit=pad,split=0.1");
    for (int i = 0; (word = fv_data_word_at(i)) != NULL; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s: %s", word->argument, word->help);
        cli_print_entry(stdout, word->word, HELP_COLUMN, text);
    }
}

void cli_print_help(const cli_command *command)
{
    cli_args defaults;
    char text[256];
    memset(&defaults, 0, sizeof defaults);
    if (command->defaults)
        command->defaults(&defaults);
    snprintf(text, sizeof text, "fovea %s - %s", command->name, command->summary);
    cli_print_prose(stdout, text);
    putchar('\n');
    snprintf(text, sizeof text, "usage: fovea %s %s%s[options]", command->name, command->operands,
             command->operands[0] ? " " : "");
    cli_print_prose(stdout, text);
    if (command->details) {
        putchar('\n');
        cli_print_prose(stdout, command->details);
    }
    putchar('\n');
    cli_print_prose(stdout, "options [and what holds where they are left out]");
    int n_options;
    const cli_option *const options = cli_options_of(command, &n_options);
    for (int i = 0; i < n_options; i++)
        print_option(&options[i], &defaults);
    for (int i = 0; i < n_options; i++)
        if (strcmp(options[i].name, "cache-memory") == 0) /* who reads data in bulk explains them */
            print_data_sources();
    cli_print_examples(stdout, command->examples);
    cli_print_exit_codes(stdout);
}
