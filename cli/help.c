/* help.c - the help text of a command, from its table. Defaults are read from a fresh cli_args, so that
 * the text cannot disagree with what the command does. */
#include <stdio.h>
#include <string.h>

#include "options.h"

static void print_option(const cli_option *option, const cli_args *defaults)
{
    char left[64], value[CLI_LIST_MAX];
    snprintf(left, sizeof left, "--%s%s%s", option->name, option->word ? " " : "",
             option->word ? option->word : "");
    printf("  %-26s %s", left, option->help);
    if (option->kind == CLI_CHOICE) {
        printf(":");
        for (int i = 0; option->choices[i]; i++)
            printf("%s %s", i ? "," : "", option->choices[i]);
    }
    cli_show_value(option, defaults, value, sizeof value);
    /* A count of nought that lies below its own range means "not given": there is no default to show. */
    const bool none = option->kind == CLI_COUNT && option->low > 0 && strcmp(value, "0") == 0;
    if (value[0] && !none)
        printf(" [%s]", value);
    printf("\n");
}

void cli_print_help(const cli_command *command)
{
    cli_args defaults;
    memset(&defaults, 0, sizeof defaults);
    if (command->defaults)
        command->defaults(&defaults);
    printf("fovea %s - %s\n\nusage: fovea %s %s%s[options]\n", command->name, command->summary, command->name,
           command->operands, command->operands[0] ? " " : "");
    if (command->details)
        printf("\n%s\n", command->details);
    printf("\noptions [and what holds where they are left out]\n");
    for (int i = 0; i < command->n_options; i++)
        print_option(&command->options[i], &defaults);
    printf("\nexamples\n%s\n", command->examples);
}
