/* options.c - parses a command line by a command's table: --name value, --name=value, --, operands. */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include "session.h"

#define MAX_OPTIONS 64 /* of a command: as many as cli_args.given has bits */

static cli_option training_row(const fv_train_option *o)
{
    static const cli_kind kinds[] = {[FV_OPTION_COUNT] = CLI_COUNT,
                                     [FV_OPTION_REAL] = CLI_REAL,
                                     [FV_OPTION_CHOICE] = CLI_CHOICE,
                                     [FV_OPTION_SEED] = CLI_SEED,
                                     [FV_OPTION_TEXT] = CLI_TEXT};
    return (cli_option){o->word,
                        o->argument,
                        o->zero ? CLI_BATCH : kinds[o->type],
                        offsetof(cli_args, train) + o->offset,
                        o->zero && o->min < 1 ? 1 : o->min,
                        o->max,
                        o->choices,
                        o->help};
}

const cli_option *cli_options_of(const cli_command *command, int *n)
{
    static cli_option rows[MAX_OPTIONS]; /* of the command that was parsed last */
    static const cli_command *of;
    static int n_rows;
    bool trains = false;
    for (int i = 0; i < command->n_options; i++)
        trains = trains || command->options[i].kind == CLI_TRAINING;
    *n = command->n_options;
    if (!trains)
        return command->options;
    if (of != command) {
        of = command;
        n_rows = 0;
        for (int i = 0; i < command->n_options; i++) {
            const fv_train_option *o;
            if (command->options[i].kind != CLI_TRAINING && n_rows < MAX_OPTIONS)
                rows[n_rows++] = command->options[i];
            for (int k = 0; command->options[i].kind == CLI_TRAINING && n_rows < MAX_OPTIONS &&
                            (o = fv_train_option_at(k)) != NULL;
                 k++)
                rows[n_rows++] = training_row(o);
        }
    }
    *n = n_rows;
    return rows;
}

static const cli_option *find(const cli_command *command, const char *name, size_t length)
{
    int n;
    const cli_option *const options = cli_options_of(command, &n);
    for (int i = 0; i < n; i++)
        if (strlen(options[i].name) == length && memcmp(options[i].name, name, length) == 0)
            return &options[i];
    return NULL;
}

/* The bit of cli_args.given for the option. */
static int place_of(const cli_command *command, const cli_option *option)
{
    int n;
    return (int)(option - cli_options_of(command, &n));
}

static const char *nearest_option(const cli_command *command, const char *name)
{
    int n;
    const cli_option *const options = cli_options_of(command, &n);
    return cli_nearest(name, &options[0].name, n, sizeof options[0]);
}

static int unknown(const cli_command *command, const char *word, size_t length)
{
    char name[64];
    if (length >= sizeof name)
        length = sizeof name - 1;
    memcpy(name, word, length);
    name[length] = '\0';
    const char *nearest = nearest_option(command, name);
    if (nearest)
        return cli_usage(command->name, "unknown option --%s; nearest is --%s", name, nearest);
    return cli_usage(command->name, "unknown option --%s; fovea help %s lists what there is", name,
                     command->name);
}

/* "-epochs": one dash. A single letter is not a short form of any option. */
static int one_dash(const cli_command *command, const char *word)
{
    const char *nearest = word[2] ? nearest_option(command, word + 1) : NULL;
    return cli_usage(command->name, "unknown option %s; options begin with two dashes%s%s", word,
                     nearest ? ", as --" : "", nearest ? nearest : "");
}

/* Of an option given twice only one was meant, and the command cannot know which. */
static int note_value(const cli_command *command, const cli_option *option, const char *value,
                      const char **said)
{
    const char **first = &said[place_of(command, option)];
    if (*first)
        return cli_usage(command->name, "--%s was given twice: %s and %s", option->name, *first, value);
    *first = value;
    return 0;
}

/* Takes one option at argv[at]; *used counts its words. said[i]: the earlier value of row i. */
static int take_option(const cli_command *command, int argc, char **argv, int at, cli_args *args,
                       const char **said, int *used)
{
    const char *word = argv[at] + 2;
    const char *equals = strchr(word, '=');
    const size_t length = equals ? (size_t)(equals - word) : strlen(word);
    const cli_option *option = find(command, word, length);
    if (!option)
        return unknown(command, word, length);
    args->given |= (uint64_t)1 << place_of(command, option);
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

/* The first missing word of "RUN FILE...": "RUN". */
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
            argv[args->n_operands++] = argv[i]; /* never past i: the words before it have been read */
        }
        i += used;
    }
    return args->help ? 0 : check_operands(command, args);
}

bool cli_given(const cli_command *command, const cli_args *args, const char *name)
{
    const cli_option *option = find(command, name, strlen(name));
    return option && (args->given >> place_of(command, option) & 1);
}

const char *const cli_split_words[] = {"test", "train", NULL};

fv_split cli_split_of(const cli_args *args)
{
    return args->split == 0 ? FV_SPLIT_TEST : FV_SPLIT_TRAIN;
}
