/* options.c - walks a command line along a command's table: --name value, --name=value, --, operands. */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include "session.h"

#define MAX_OPTIONS 64 /* of a command: as many as cli_args.given has bits */

static const cli_option *find(const cli_command *command, const char *name, size_t length)
{
    for (int i = 0; i < command->n_options; i++) {
        const char *known = command->options[i].name;
        if (strlen(known) == length && memcmp(known, name, length) == 0)
            return &command->options[i];
    }
    return NULL;
}

static int unknown(const cli_command *command, const char *word, size_t length)
{
    char name[64];
    if (length >= sizeof name)
        length = sizeof name - 1;
    memcpy(name, word, length);
    name[length] = '\0';
    const char *nearest =
        cli_nearest(name, &command->options[0].name, command->n_options, sizeof command->options[0]);
    if (nearest)
        return cli_usage(command->name, "unknown option --%s; nearest is --%s", name, nearest);
    return cli_usage(command->name, "unknown option --%s; fovea help %s lists what there is", name,
                     command->name);
}

/* "-epochs": one dash. A letter alone is nobody's short form. */
static int one_dash(const cli_command *command, const char *word)
{
    const char *nearest = word[2] ? cli_nearest(word + 1, &command->options[0].name, command->n_options,
                                                sizeof command->options[0])
                                  : NULL;
    return cli_usage(command->name, "unknown option %s; options begin with two dashes%s%s", word,
                     nearest ? ", as --" : "", nearest ? nearest : "");
}

/* Whoever gives an option twice meant one of them: it is not for us to say which. */
static int note_value(const cli_command *command, const cli_option *option, const char *value,
                      const char **said)
{
    const char **first = &said[option - command->options];
    if (*first)
        return cli_usage(command->name, "--%s was given twice: %s and %s", option->name, *first, value);
    *first = value;
    return 0;
}

/* One option at argv[at]; *used counts the words it took. said[i]: the value that row i was given before. */
static int take_option(const cli_command *command, int argc, char **argv, int at, cli_args *args,
                       const char **said, int *used)
{
    const char *word = argv[at] + 2;
    const char *equals = strchr(word, '=');
    const size_t length = equals ? (size_t)(equals - word) : strlen(word);
    const cli_option *option = find(command, word, length);
    if (!option)
        return unknown(command, word, length);
    args->given |= (uint64_t)1 << (option - command->options);
    *used = 1;
    if (option->kind == CLI_FLAG) {
        if (equals)
            return cli_usage(command->name, "--%s takes no value, found \"%s\"", option->name, equals + 1);
        *(bool *)((char *)args + option->place) = true;
        return 0;
    }
    const char *value = equals ? equals + 1 : NULL;
    if (!value) {
        if (at + 1 >= argc)
            return cli_usage(command->name, "--%s needs a value: --%s %s", option->name, option->name,
                             option->word);
        value = argv[at + 1];
        *used = 2;
    }
    const int code = note_value(command, option, value, said);
    if (code)
        return code;
    char why[512];
    if (!cli_read_value(option, value, args, why, sizeof why))
        return cli_usage(command->name, "%s", why);
    return 0;
}

/* The first of "RUN FILE..." that is not there: "RUN". */
static const char *missing(const cli_command *command, const cli_args *args)
{
    static char word[64];
    const char *at = command->operands;
    for (int i = 0; i < args->n_operands && strchr(at, ' '); i++)
        at = strchr(at, ' ') + 1;
    snprintf(word, sizeof word, "%.*s", (int)strcspn(at, " "), at);
    return word;
}

static int check_operands(const cli_command *command, const cli_args *args)
{
    if (args->n_operands < command->min_operands)
        return cli_usage(command->name, "%s is missing; usage: fovea %s %s [options]", missing(command, args),
                         command->name, command->operands);
    if (args->n_operands > command->max_operands)
        return cli_usage(command->name, "unexpected \"%s\"; usage: fovea %s %s%s",
                         args->operands[command->max_operands], command->name, command->operands,
                         command->operands[0] ? " [options]" : "[options]");
    return 0;
}

int cli_parse(const cli_command *command, int argc, char **argv, cli_args *args)
{
    memset(args, 0, sizeof *args);
    if (command->defaults)
        command->defaults(args);
    args->operands = argv;
    bool only_operands = false;
    const char *said[MAX_OPTIONS] = {NULL};
    for (int i = 0; i < argc;) {
        int used = 1;
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else if (!only_operands && strcmp(argv[i], "-h") == 0) {
            args->help = true;
        } else if (!only_operands && strncmp(argv[i], "--", 2) == 0) {
            const int code = take_option(command, argc, argv, i, args, said, &used);
            if (code)
                return code;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1]) {
            return one_dash(command, argv[i]);
        } else {
            argv[args->n_operands++] = argv[i]; /* never past i: the words before are read */
        }
        i += used;
    }
    return args->help ? 0 : check_operands(command, args);
}

bool cli_given(const cli_command *command, const cli_args *args, const char *name)
{
    const cli_option *option = find(command, name, strlen(name));
    return option && (args->given >> (option - command->options) & 1);
}

const char *const cli_split_words[] = {"test", "train", NULL};

fv_split cli_split_of(const cli_args *args)
{
    return args->split == 0 ? FV_SPLIT_TEST : FV_SPLIT_TRAIN;
}
