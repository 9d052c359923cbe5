/* fovea.c - the command's door: finds the subcommand, runs it, and makes sure that everything written to
 * standard output has arrived. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "output.h"
#include "terminal.h"

const cli_command *const cli_commands[] = {
    &cli_command_demo,    &cli_command_train,  &cli_command_eval,
    &cli_command_predict, &cli_command_info,   &cli_command_check,
    &cli_command_bench,   &cli_command_models, NULL,
};

static int n_commands(void)
{
    int n = 0;
    while (cli_commands[n])
        n++;
    return n;
}

static const cli_command *find(const char *name)
{
    for (int i = 0; cli_commands[i]; i++)
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    return NULL;
}

static int unknown(const char *command, const char *what, const char *word)
{
    const char *names[32] = {"help"};
    const int n = n_commands();
    for (int i = 0; i < n && i < 31; i++)
        names[1 + i] = cli_commands[i]->name;
    return cli_usage(command, "unknown %s %s; nearest is %s", what, word,
                     cli_nearest(word, names, 1 + n, sizeof names[0]));
}

static void print_overview(FILE *stream)
{
    fprintf(stream,
            "fovea %s - the convolutional network, whole: describe it, train it, look inside it\n\n"
            "usage: fovea COMMAND [operands] [--options]\n\n",
            FV_VERSION);
    for (int i = 0; cli_commands[i]; i++)
        fprintf(stream, "  %-10s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    fprintf(stream,
            "  %-10s this text, or a command's options and examples\n\n"
            "environment\n"
            "  FOVEA_THREADS  worker threads, where --threads is left out\n"
            "  FOVEA_ISA      auto, avx512, avx2, neon or portable\n"
            "  FOVEA_DIRECT   1: convolutions by their plain sums, without Winograd\n"
            "  FOVEA_DATA     folders in which data names are looked up, with colons between [data:.]\n"
            "  NO_COLOR       set: no colours\n\n"
            "exit codes: 0 well, 1 failed, 2 usage, 3 bad input, 4 non-finite numbers,\n"
            "            129, 130, 143 interrupted by SIGHUP, Ctrl-C, SIGTERM\n\n"
            "examples\n"
            "  fovea demo\n"
            "  fovea train --model lenet5-relu --data digits\n"
            "  fovea help train\n",
            "help");
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
        printf("fovea %s\n", FV_VERSION);
        return 0;
    }
    if (word[0] == '-') {
        static const char *const options[] = {"help", "version"};
        return cli_usage(NULL, "unknown option %s; nearest is --%s", word,
                         cli_nearest(word + strspn(word, "-"), options, 2, sizeof options[0]));
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
