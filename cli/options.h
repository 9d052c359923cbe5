/* options.h - the option tables: a row per option serves parsing, the help text and the nearest name. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "fovea.h"

#define CLI_LIST_MAX 256

typedef struct cli_list {
    int values[CLI_LIST_MAX];
    int n;
} cli_list;

/* Every option of every command has a member here; a command's table lists its options. */
typedef struct cli_args {
    const char *model, *models, *data, *out, *resume, *class_names;
    const char *data_split, *fit;
    size_t cache_memory;    /* bytes */
    fv_train_options train; /* rows of CLI_TRAINING */
    int epochs, batch, threads, limit;
    int split; /* index in its row's choices */
    double seconds;
    uint64_t seed;
    cli_list classes, index;
    bool json, quiet, plan, inference, replace, force, skip_unreadable, as_is, invert, help;
    const char *program; /* its name as called, for suggestions of commands */
    char **operands;     /* what is not an option, borrowed from argv */
    int n_operands;
    uint64_t given; /* bit i: row i of the command's table was on the command line */
} cli_args;

typedef enum cli_kind {
    CLI_FLAG,    /* bool */
    CLI_TEXT,    /* const char * */
    CLI_COUNT,   /* int in low..high */
    CLI_BATCH,   /* int in low..high, or "all": 0 */
    CLI_REAL,    /* double in low..high */
    CLI_SEED,    /* uint64_t */
    CLI_BYTES,   /* size_t: "500M", "2G" */
    CLI_CHOICE,  /* int, a place in `choices` */
    CLI_LIST,    /* cli_list, whole numbers in low..high with commas between */
    CLI_TRAINING /* stands for the rows of all training options (fv_train_option_at), in args.train */
} cli_kind;

typedef struct cli_option {
    const char *name; /* without the dashes */
    const char *word; /* name of the value in the help text; NULL for a flag */
    cli_kind kind;
    size_t place; /* offsetof(cli_args, ...) */
    double low, high;
    const char *const *choices; /* NULL-terminated */
    const char *help;
} cli_option;

typedef struct cli_command {
    const char *name;
    const char *operands; /* "RUN FILE..." */
    int min_operands, max_operands;
    const char *summary;       /* one line */
    const char *details;       /* paragraphs for --help; may be NULL */
    const char *examples;      /* commands to be typed, one per line */
    const cli_option *options; /* n_options of them; see cli_options_of */
    int n_options;
    void (*defaults)(cli_args *args);                                    /* on zeroed args; may be NULL */
    int (*run)(const struct cli_command *command, const cli_args *args); /* the exit code */
} cli_command;

/* The command's rows, with CLI_TRAINING replaced by those it stands for. */
const cli_option *cli_options_of(const cli_command *command, int *n);

/* Rows that several commands share. */
#define CLI_ROW_JSON                                                                                         \
    {                                                                                                        \
        "json", NULL, CLI_FLAG, offsetof(cli_args, json), 0, 0, NULL,                                        \
            "print one JSON object per line on standard output, and nothing else"                            \
    }
#define CLI_ROW_THREADS                                                                                      \
    {                                                                                                        \
        "threads", "N", CLI_COUNT, offsetof(cli_args, threads), 1, FV_MAX_THREADS, NULL,                     \
            "worker threads; default: the number of cores"                                                   \
    }
#define CLI_ROW_CLASSES                                                                                      \
    {                                                                                                        \
        "classes", "A,B", CLI_LIST, offsetof(cli_args, classes), 0, FV_MAX_CLASSES - 1, NULL,                \
            "keep these classes only, renumbered in this order"                                              \
    }
#define CLI_ROW_LIMIT                                                                                        \
    {                                                                                                        \
        "limit", "N", CLI_COUNT, offsetof(cli_args, limit), 1, CLI_MAX_COUNT, NULL,                          \
            "use the first N images of each set only"                                                        \
    }
#define CLI_ROW_CACHE                                                                                        \
    {                                                                                                        \
        "cache-memory", "BYTES", CLI_BYTES, offsetof(cli_args, cache_memory), 0, 0, NULL,                    \
            "for the pictures of folders, as 500M or 2G; what does not fit is decoded again in every "       \
            "epoch; half of the free memory where left out"                                                  \
    }
#define CLI_ROW_SPLIT                                                                                        \
    {                                                                                                        \
        "split", "NAME", CLI_CHOICE, offsetof(cli_args, split), 0, 0, cli_split_words,                       \
            "which images of the data set"                                                                   \
    }
#define CLI_ROW_HELP                                                                                         \
    {                                                                                                        \
        "help", NULL, CLI_FLAG, offsetof(cli_args, help), 0, 0, NULL, "print this text"                      \
    }

#define CLI_MAX_COUNT 100000000
extern const char *const cli_split_words[]; /* in the order test, train */
fv_split cli_split_of(const cli_args *args);

/* Fills args from argv[0..argc). Returns 0, or 2 after a message on standard error. */
int cli_parse(const cli_command *command, int argc, char **argv, cli_args *args);
bool cli_given(const cli_command *command, const cli_args *args, const char *name);

/* Parses one value, strictly: the whole text, within the row's range. False: `why` says what is valid. */
bool cli_read_value(const cli_option *option, const char *text, cli_args *args, char *why, size_t why_bytes);
bool cli_read_count(const char *text, int low, int high, int *out);
/* The row's value in `args`, as on the command line. */
void cli_show_value(const cli_option *option, const cli_args *args, char *text, size_t text_bytes);

/* The name that a mistyped `word` stands for: by its meaning elsewhere, by a few edits, or by its
 * beginning. Names are strings `stride` bytes apart. NULL if no name is near enough. */
const char *cli_nearest(const char *word, const char *const *names, int n, size_t stride);

void cli_print_help(const cli_command *command);
/* Prints examples under a title; `lines` has one command per line. */
void cli_print_examples(FILE *stream, const char *lines);
void cli_print_exit_codes(FILE *stream);

#endif
