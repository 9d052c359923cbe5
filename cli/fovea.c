/* fovea.c - the main function: finds the subcommand, runs it, and checks that everything written to
 * standard output has arrived. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "layout.h"
#include "output.h"

#define MAX_COMMANDS 15

const cli_command *const cli_commands[MAX_COMMANDS + 1] = {
    &cli_command_demo,
    &cli_command_train,
    &cli_command_eval,
    &cli_command_predict,
    &cli_command_info,
    &cli_command_check,
    &cli_command_bench,
    &cli_command_models,
    &cli_command_data,
    &cli_command_version,
    NULL,
};

static const cli_command *find(const char *name)
{
    for (int i = 0; cli_commands[i]; i++)
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    return NULL;
}

static int unknown(const char *command, const char *what, const char *word)
{
    const char *names[MAX_COMMANDS + 1];
    char all[256] = "";
    size_t used = 0;
    int n = 0;
    for (; cli_commands[n]; n++) {
        names[n] = cli_commands[n]->name;
        used += (size_t)snprintf(all + used, sizeof all - used, "%s, ", names[n]);
    }
    names[n++] = "help";
    const char *nearest = cli_nearest(word, names, n, sizeof names[0]);
    if (nearest)
        return cli_usage(command, "unknown %s %s; nearest is %s", what, word, nearest);
    return cli_usage(command, "unknown %s %s; there are %shelp", what, word, all);
}

static void print_overview(FILE *stream)
{
    static const char *const environment[][2] = {
        {"FOVEA_THREADS", "worker threads, if --threads is not given"},
        {"FOVEA_ISA", "auto, avx512, avx2, neon or portable"},
        {"FOVEA_DIRECT", "1: convolutions without Winograd"},
        {"FOVEA_DATA", "folders in which data names are looked up, with colons between [data:.]"},
        {"NO_COLOR", "set: no colours"},
    };
    cli_print_prose(stream, "fovea " FV_VERSION " - convolutional networks: describe, train and check them, "
                            "and look inside");
    fputc('\n', stream);
    cli_print_prose(stream, "usage: fovea COMMAND [operands] [--options]");
    fputs("\ncommands\n", stream);
    for (int i = 0; cli_commands[i]; i++)
        cli_print_entry(stream, cli_commands[i]->name, 13, cli_commands[i]->summary);
    cli_print_entry(stream, "help", 13, "this text, or a command's options and examples: fovea help train");
    fputs("\nenvironment\n", stream);
    for (size_t i = 0; i < sizeof environment / sizeof environment[0]; i++)
        cli_print_entry(stream, environment[i][0], 17, environment[i][1]);
    cli_print_examples(stream, "fovea demo\n"
                               "fovea train --model lenet5-relu --data digits\n"
                               "fovea eval runs/lenet5-relu\n"
                               "fovea predict runs/lenet5-relu --data digits --index 3,17");
    cli_print_exit_codes(stream);
}

static int help(int argc, char **argv)
{
    if (argc == 0 || (argc == 1 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "help") == 0))) {
        print_overview(stdout);
        return 0;
    }
    if (argc > 1)
        return cli_usage("help", "unexpected \"%s\"; usage: fovea help [command]", argv[1]);
    const cli_command *command = find(argv[0]);
    if (!command)
        return unknown("help", "command", argv[0]);
    cli_print_help(command);
    return 0;
}

static int dispatch(int argc, char **argv)
{
    static cli_args args; /* large for a stack */
    if (argc < 2) {
        print_overview(stderr);
        return CLI_EXIT_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return help(argc - 2, argv + 2);
    if (strcmp(word, "--version") == 0) {
        if (argc > 2)
            return cli_usage(NULL, "unexpected \"%s\" behind --version", argv[2]);
        printf("fovea %s\n", fv_version());
        return 0;
    }
    if (word[0] == '-') {
        static const char *const options[] = {"help", "version"};
        const char *nearest = cli_nearest(word + strspn(word, "-"), options, 2, sizeof options[0]);
        return cli_usage(NULL, "unknown option %s; %s%s", word,
                         nearest ? "nearest is --" : "a command comes first, as in fovea train --model mlp",
                         nearest ? nearest : "");
    }
    const cli_command *command = find(word);
    if (!command)
        return unknown(NULL, "command", word);
    const int code = cli_parse(command, argc - 2, argv + 2, &args);
    if (code)
        return code;
    args.program = argv[0];
    if (args.help) {
        cli_print_help(command);
        return 0;
    }
    return command->run(command, &args);
}

int main(int argc, char **argv)
{
    cli_streams_begin();
    int code = dispatch(argc, argv);
    const char *why;
    if (!cli_streams_end(&why)) {
        if (why)
            fprintf(stderr, "fovea: standard output: %s\n", why);
        if (code == CLI_EXIT_WELL)
            code = why ? CLI_EXIT_FAILED : CLI_EXIT_PIPE;
    }
    return code;
}
