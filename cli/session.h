/* session.h - the beginning of every command: the environment, the context, data sets and the record of a
 * run's training data; and its end: a message and an exit code. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "options.h"

enum {
    CLI_EXIT_WELL = 0,
    CLI_EXIT_FAILED = 1,
    CLI_EXIT_USAGE = 2,
    CLI_EXIT_INPUT = 3,
    CLI_EXIT_NONFINITE = 4,
    CLI_EXIT_INTERRUPTED = 130, /* by SIGINT; by SIGHUP 129, by SIGTERM 143: cli_interrupt_code */
    CLI_EXIT_PIPE = 141         /* nobody reads the output; silent, as if SIGPIPE had ended it */
};

#define CLI_MAX_ROOTS 64

typedef struct cli_session {
    const char *command;
    const cli_args *args;
    fv_context *ctx;
    char *roots_text; /* FOVEA_DATA, cut at its colons */
    char *spec;       /* of cli_add_data_words */
    const char *roots[CLI_MAX_ROOTS + 1];
} cli_session;

/* Reads FOVEA_ISA, FOVEA_THREADS, FOVEA_DIRECT and FOVEA_DATA and creates the context. Returns 0, or an
 * exit code after a message. cli_session_close is valid in both cases. */
int cli_session_open(cli_session *session, const cli_command *command, const cli_args *args);
void cli_session_close(cli_session *session);

/* "fovea train: ..." on standard error. The first returns CLI_EXIT_USAGE, the second `code`. */
int cli_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
int cli_error(const char *command, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void cli_note(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints the context's message and returns the status's exit code. */
int cli_fail(const cli_session *session, fv_status status);
int cli_exit_code(fv_status status);

/* A data set, and the options that select from it. */
typedef struct cli_record {
    const char *spec; /* borrowed; NULL: unknown */
    cli_list classes;
    int limit;
} cli_record;
/* The record of the model's training data; `spec` lives as long as the model. */
void cli_record_of(const fv_model *model, cli_record *record);
/* Sets record->classes from --classes, if it is given: classes number the outputs, so they must be those of
 * the training, or as many if those are unknown. Returns 0 or an exit code. */
int cli_take_classes(const cli_session *session, const char *run, const fv_model *model, cli_record *record);
/* The model's name for an output, or its number if it has no name. */
const char *cli_class_name(const fv_model *model, int label, char spare[16]);
/* If the data has more classes than the model, suggests --classes. Returns 0 or an exit code. */
int cli_check_classes(const cli_session *session, const fv_model *model, const char *name,
                      const fv_data *data);

/* What data sets are opened with; `model` (may be NULL) says which size its images have. */
fv_data_options cli_data_options(const cli_session *session, const cli_list *classes, int limit,
                                 const fv_model *model);
/* Says what was done to the pictures, if anything was. */
fv_status cli_open_data(const cli_session *session, const char *spec, fv_split split, const cli_list *classes,
                        int limit, const fv_model *model, fv_data **out);
void cli_note_data(const cli_session *session, const fv_data *data, const char *set);
/* "SPEC:word=value,...": spec with the words whose values are not NULL, to be freed; NULL: out of memory. */
char *cli_join_data_words(const char *spec, const char *const *words, const char *const *values, int n_words);
/* *spec with the words that options stand for: --split, --fit, --skip-unreadable; it lives as long as the
 * session. Returns 0 or an exit code. */
int cli_add_data_words(cli_session *session, const char **spec);
/* True where `spec` names data: "digits", a folder, or what lies under one of the roots. */
bool cli_is_data(const cli_session *session, const char *spec);
bool cli_is_folder(const char *path);
bool cli_is_run(const char *path);      /* a folder that holds model.fovea or weights */
bool cli_holds_run(const char *folder); /* holds last.safetensors or best.safetensors */
/* Opens a run folder, or one of its weights files, with its weights. Anything else is bad input, so that
 * nobody evaluates an untrained network. Returns 0 or an exit code. */
int cli_open_run(const cli_session *session, const char *run, fv_model **out);

#endif
